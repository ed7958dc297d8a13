//! What the outside knows when the story is over: what was acknowledged when, and what everything must be a beginning of.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use batch::{BatchId, PublicKey};
use journal::Reader;
use platform::export::write_artifacts;
use record::merkle::{Frontier, Hash};
use record::{Body, SeqRanges};
use system_tests::World;

use super::story::Witnesses;

/// What one device sent and saw acknowledged.
pub(crate) struct Sent {
    pub(crate) source: String,
    /// One JSON line for each acknowledgement, in the order in which they came.
    pub(crate) acked: PathBuf,
    /// Length of the payloads of `paho_sensor.py`; none for `lora_device.js`, whose lines have the whole frame.
    pub(crate) payload_bytes: Option<usize>,
}

/// One witness: after so many bytes of its file, what must be on the disk.
#[derive(Debug)]
struct Promises(Vec<(u64, u64)>);

/// A platform as it was in the end.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) key: PublicKey,
    /// Each batch that it took, byte for byte, with the numbers in it.
    pub(crate) batches: HashMap<BatchId, (Vec<u8>, SeqRanges)>,
}

#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) box_key: PublicKey,
    key_file: Vec<u8>,
    /// The tree's root at each size.
    roots: BTreeMap<u64, Hash>,
    /// For each device: after how many bytes of its acknowledgements the journal must have how many records.
    frames: Vec<Promises>,
    /// After how many bytes of notes the device table must have how many devices.
    added: Promises,
    /// After how many bytes of notes there must be how many copies, and how many were put back.
    copies: [Promises; 2],
    /// How many records each copy has.
    copied: Vec<u64>,
    /// Every text that `devices.toml` and `keys.toml` ever had.
    texts: [Vec<String>; 2],
    pub(crate) platforms: BTreeMap<String, Platform>,
}

impl Promises {
    /// The most that one of the lines within these bytes asks for.
    fn at(&self, bytes: u64) -> u64 {
        let within = self.0.partition_point(|(end, _)| *end <= bytes);
        self.0[..within].last().map_or(0, |(_, asked)| *asked)
    }

    /// From the lines of a file, each of which asks for something; a later one never asks for less.
    fn of(file: &Path, mut asks: impl FnMut(&str) -> u64) -> Promises {
        let text = fs::read_to_string(file).unwrap_or_default();
        let (mut end, mut most) = (0, 0);
        let promises = text.split_inclusive('\n').map(|line| {
            end += line.len() as u64;
            most = most.max(asks(line.trim_end()));
            (end, most)
        });
        Promises(promises.collect())
    }
}

/// The records of a box at one moment.
pub(crate) struct Records {
    roots: BTreeMap<u64, Hash>,
    /// The number of each frame, by its device and its bytes.
    places: HashMap<(String, Vec<u8>), u64>,
}

impl Records {
    pub(crate) fn of(world: &World) -> Records {
        // Of a copy elsewhere: SQLite maps memory, and who serves a file system must not wait for it while it does.
        let copy = tempfile::tempdir().unwrap();
        world.weir(&["backup", &copy.path().display().to_string()]).exits(0);
        let reader = Reader::open(&copy.path().join("journal.db")).unwrap();
        let mut records = Records { roots: [(0, Frontier::new().root())].into(), places: HashMap::new() };
        reader
            .recompute(|at, root| {
                records.roots.insert(at.seq.0 + 1, root);
                if let Body::Frame(frame) = &at.record.body {
                    let before = records.places.insert((frame.source.as_str().to_owned(), frame.raw.clone()), at.seq.0);
                    assert_eq!(before, None, "stored twice: {}", at.seq);
                }
            })
            .unwrap();
        records
    }

    /// Adds what came later. J1: what is there in both is the same.
    pub(crate) fn extend(&mut self, later: Records) {
        for (size, root) in later.roots {
            assert_eq!(*self.roots.entry(size).or_insert(root), root, "J1: the tree of {size} records changed");
        }
        for (frame, place) in later.places {
            assert_eq!(*self.places.entry(frame).or_insert(place), place, "J1: a frame has another number");
        }
    }
}

impl Truth {
    pub(crate) fn of(
        world: &World,
        records: &Records,
        sent: &[Sent],
        witnesses: &Witnesses,
        texts: &[(String, String)],
    ) -> Truth {
        let frames = sent.iter().map(|sent| {
            Promises::of(&sent.acked, |line| {
                let raw = sent.raw(line);
                let place = records.places.get(&(sent.source.clone(), raw));
                place.unwrap_or_else(|| panic!("{}: acknowledged and not stored, without any cut: {line}", sent.source))
                    + 1
            })
        });
        let each = |file: &Path| {
            let mut count = 0;
            Promises::of(file, |_| {
                count += 1;
                count
            })
        };
        let copied = fs::read_to_string(&witnesses.backed_up).unwrap_or_default();
        let key = world.public_key();
        let (devices, keys) = texts.iter().cloned().unzip();
        Truth {
            box_key: key.parse().unwrap(),
            key_file: fs::read(world.path("state/identity/box.key")).unwrap(),
            frames: frames.collect(),
            roots: records.roots.clone(),
            added: each(&witnesses.added),
            copies: [each(&witnesses.backed_up), each(&witnesses.restored)],
            copied: copied.lines().map(|records| records.parse().unwrap()).collect(),
            texts: [devices, keys],
            platforms: world
                .platforms
                .iter()
                .map(|party| (party.name.to_owned(), Platform::of(world, party, &key)))
                .collect(),
        }
    }

    /// Whether anything was acknowledged by then.
    pub(crate) fn promises(&self, witnessed: &[u64]) -> bool {
        self.records_promised(witnessed) > 0
    }

    /// How many records the journal must have.
    pub(crate) fn records_promised(&self, witnessed: &[u64]) -> u64 {
        self.frames.iter().zip(witnessed).map(|(frames, bytes)| frames.at(*bytes)).max().unwrap_or(0)
    }

    /// How many devices the table must have beside the first ones.
    pub(crate) fn devices_promised(&self, witnessed: &[u64]) -> u64 {
        self.added.at(self.note(witnessed, 0))
    }

    /// How many records each copy has that was made by then, in order.
    pub(crate) fn copies_promised(&self, witnessed: &[u64]) -> &[u64] {
        &self.copied[..usize::try_from(self.copies[0].at(self.note(witnessed, 1))).unwrap()]
    }

    /// How many records the copy has that was made after so many.
    pub(crate) fn copy_after(&self, copies: usize) -> Option<u64> {
        self.copied.get(copies).copied()
    }

    /// How many copies were put back by then.
    pub(crate) fn restores_promised(&self, witnessed: &[u64]) -> u64 {
        self.copies[1].at(self.note(witnessed, 2))
    }

    /// Bytes of one of the files behind those of the devices.
    fn note(&self, witnessed: &[u64], nth: usize) -> u64 {
        witnessed.get(self.frames.len() + nth).copied().unwrap_or(0)
    }

    /// The root of the first records.
    pub(crate) fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied()
    }

    /// The bytes of the box's key.
    pub(crate) fn key_file(&self) -> &[u8] {
        &self.key_file
    }

    /// Whether a configuration file ever had this text.
    pub(crate) fn had(&self, file: usize, text: &str) -> bool {
        self.texts[file].iter().any(|version| version == text)
    }

    pub(crate) fn tell(&self) -> String {
        let acknowledged: usize = self.frames.iter().map(|promises| promises.0.len()).sum();
        let records = self.roots.last_key_value().map_or(0, |(size, _)| *size);
        let batches: usize = self.platforms.values().map(|platform| platform.batches.len()).sum();
        format!("{records} records, {acknowledged} acknowledgements, {batches} batches with receipts")
    }
}

impl Sent {
    /// The bytes that the journal must have for a line.
    fn raw(&self, line: &str) -> Vec<u8> {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(bytes) = self.payload_bytes else { return hex::decode(line["phy"].as_str().unwrap()).unwrap() };
        let n = line["n"].as_u64().unwrap();
        // As `paho_sensor.py` writes it.
        let hundredths = n * 7_919 % 10_000;
        let text = format!("{{\"n\":{n},\"cod\":{}.{:02}}}", hundredths / 100, hundredths % 100);
        format!("{text:<bytes$}").into_bytes()
    }
}

impl Platform {
    fn of(world: &World, party: &system_tests::Party, box_key: &str) -> Platform {
        let folder = world.path("evidence").join(party.name);
        write_artifacts(&party.state, &folder).unwrap();
        let box_key: PublicKey = box_key.parse().unwrap();
        let batches = fs::read_dir(folder.join("batches")).unwrap().map(|file| {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let batch = batch::Batch::open(&bytes, None, |_| Some(box_key)).unwrap();
            (BatchId::of(&bytes), (bytes, batch.ranges))
        });
        Platform { key: party.public_key().parse().unwrap(), batches: batches.collect() }
    }
}
