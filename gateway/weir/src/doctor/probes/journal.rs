//! A short look into journal and outbox, beside the running daemons.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use batch::{Checkpoint, KeyStatement, PublicKey, platform_keys};
use control::chain;
use journal::{BLOCK_RECORDS, Outbox, Reader, Register, StoreError};
use record::dossier::Defect;
use record::merkle::{Block, Hash, Node};
use record::{Act, Body, ClockQuality, RecordAt, Seq, SeqRange, UnixMs};

use super::board::entries;
use crate::doctor::facts::{DossierFacts, Fact, Head, JournalFacts, OutboxFacts, Unseen, Upload};
use crate::outfall::today;
use crate::signers::Signers;

/// The newest records that are looked at for what devices send, and how often.
const NEWEST_RECORDS_MAX: u64 = 4_096;
/// Canonical bytes of them.
const NEWEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Heads are looked for so many records back, then further.
const HEADS_WITHIN: [u64; 3] = [4_096, 1_000_000, u64::MAX];
/// Heads of one look.
const HEADS_MAX: usize = 8_192;
/// A record is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// Looks into the journal.
pub(super) fn look(state_dir: &Path) -> Fact<JournalFacts> {
    let path = state_dir.join("journal/journal.db");
    let failed = |error: StoreError| unseen(&error, &path);
    let reader = Reader::open(&path).map_err(failed)?;
    let position = reader.position().map_err(failed)?;
    let end = position.end.0;
    let newest = newest(&reader, end).map_err(failed)?;
    Ok(JournalFacts {
        end,
        newest_known_ms: newest
            .iter()
            .rev()
            .find(|at| at.record.stamp.clock != ClockQuality::Unset)
            .map(|at| at.record.stamp.wall_ms),
        wal_bytes: wal_bytes(&path),
        quarantine: quarantine(&path.with_file_name("quarantine")),
        head: head(&reader, state_dir, &position.box_id, end),
        block_holds: block_holds(&reader, end).map_err(failed),
        intervals_ms: intervals(&newest),
        measured: measured(&newest),
        platform_keys: believed(&reader, state_dir).map_err(failed)?,
        dossiers: dossiers(&reader).map_err(failed)?,
    })
}

/// A database that is there and may not be read is no damage.
pub(super) fn unseen(error: &StoreError, path: &Path) -> Unseen {
    match fs::File::open(path) {
        Err(denied) if denied.kind() == std::io::ErrorKind::PermissionDenied => {
            Unseen::of(&denied, &path.display().to_string())
        }
        _ => Unseen::Failed(chain(error)),
    }
}

fn wal_bytes(database: &Path) -> u64 {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    fs::metadata(PathBuf::from(name)).map_or(0, |found| found.len())
}

fn quarantine(folder: &Path) -> Fact<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(_) => Ok(entries(folder)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Unseen::of(&error, &folder.display().to_string())),
    }
}

fn newest(reader: &Reader, end: u64) -> Result<Vec<RecordAt>, StoreError> {
    let first = Seq(end.saturating_sub(NEWEST_RECORDS_MAX));
    let Some(range) = end.checked_sub(1).and_then(|last| SeqRange::new(first, Seq(last))) else {
        return Ok(Vec::new());
    };
    reader.read(range, NEWEST_BYTES_MAX)
}

fn head(reader: &Reader, state_dir: &Path, box_id: &str, end: u64) -> Fact<Head> {
    let signers = Signers::read(reader, state_dir, box_id).map_err(|error| Unseen::Failed(chain(&error)))?;
    for within in HEADS_WITHIN {
        let heads = reader.checkpoints_after(end.saturating_sub(within), HEADS_MAX);
        let newest = heads.map_err(|error| Unseen::Failed(chain(&error)))?.pop();
        if let Some(stored) = newest {
            let signed: Option<(PublicKey, Checkpoint)> = signers.head(&stored.cose);
            return Ok(Head { size: stored.size, is_ours: signed.is_some() });
        }
    }
    Err(Unseen::Absent(crate::doctor::check::words("none is signed yet", "尚未签名")))
}

/// The newest whole block is hashed again.
fn block_holds(reader: &Reader, end: u64) -> Result<Option<bool>, StoreError> {
    let Some(first) = (end / BLOCK_RECORDS).checked_sub(1).map(|number| Seq(number * BLOCK_RECORDS)) else {
        return Ok(None);
    };
    let range = SeqRange { first, last: Seq(first.0 + (BLOCK_RECORDS - 1)) };
    let Some(kept) = reader.roots(range)?.remove(&first) else { return Ok(None) };
    let nodes = reader.nodes(range, usize::MAX)?.into_iter().map(|(_, node)| node).collect();
    Ok(Some(holds(first, nodes, kept)))
}

fn holds(first: Seq, nodes: Vec<Node>, kept: Hash) -> bool {
    Block::from_nodes(first, nodes).is_ok_and(|block| block.is_whole() && block.root() == kept)
}

/// The middle one of the times between two frames of a device, by the monotonic clock of one boot: three frames at least.
fn intervals(newest: &[RecordAt]) -> BTreeMap<String, u64> {
    let mut last: BTreeMap<String, (record::BootNo, u64)> = BTreeMap::new();
    let mut apart: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for at in newest {
        let Body::Frame(frame) = &at.record.body else { continue };
        let (name, now) = (frame.source.to_string(), (at.record.stamp.boot, at.record.stamp.mono_ms.0));
        if let Some((boot, before)) = last.insert(name.clone(), now)
            && boot == now.0
        {
            apart.entry(name).or_default().push(now.1.saturating_sub(before));
        }
    }
    let middle = |(name, mut all): (String, Vec<u64>)| {
        all.sort_unstable();
        (all.len() >= 2).then(|| all.get(all.len() / 2).map(|ms| (name, *ms))).flatten()
    };
    apart.into_iter().filter_map(middle).collect()
}

fn measured(newest: &[RecordAt]) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut measured: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for at in newest {
        let Body::Frame(frame) = &at.record.body else { continue };
        let of_device = measured.entry(frame.source.to_string()).or_default();
        of_device.extend(frame.readings.iter().map(|one| (one.quantity.to_string(), one.unit.to_string())));
    }
    measured
}

/// The last key that an order let in for each platform, and those that it signed for.
fn believed(reader: &Reader, state_dir: &Path) -> Result<BTreeMap<String, Vec<PublicKey>>, StoreError> {
    let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(BTreeMap::new()) };
    let mut pinned: BTreeMap<String, PublicKey> = BTreeMap::new();
    reader.audits(SeqRange { first: Seq(0), last }, |_, audit| {
        if let Act::Enrolled { platform, key } = audit.act
            && let Ok(key) = PublicKey::from_bytes(&key)
        {
            pinned.insert(platform, key);
        }
    })?;
    let folder = identity::statements_of(&state_dir.join("identity/box.key"));
    let kept = identity::statements(&folder).unwrap_or_default();
    let statements: Vec<KeyStatement> = kept.into_iter().map(|(_, statement)| statement).collect();
    Ok(pinned.into_iter().map(|(platform, key)| (platform, platform_keys(key, &statements))).collect())
}

fn dossiers(reader: &Reader) -> Result<BTreeMap<String, DossierFacts>, StoreError> {
    let mut register = Register::default();
    register.catch_up(reader)?;
    let today = today();
    let told = register.iter().filter_map(|(code, registered)| {
        let (_, version) = registered.dossier.as_ref()?;
        let defects = today.as_ref().map(|today| version.dossier.defects(*today)).unwrap_or_default();
        let facts = DossierFacts {
            chief_missing: defects.contains(&Defect::ChiefMissing),
            defects: defects.into_iter().map(|defect| (defect.english(), defect.chinese())).collect(),
        };
        Some((code.to_string(), facts))
    });
    Ok(told.collect())
}

/// Looks into the outbox: since when the oldest record that each destination lacks has stood in the journal.
pub(super) fn outbox(state_dir: &Path, upload: &Upload) -> Fact<OutboxFacts> {
    let path = state_dir.join("outbox/outbox.db");
    let failed = |error: StoreError| match error {
        StoreError::Missing { .. } => Unseen::Absent(crate::doctor::check::words("there is none yet", "尚不存在")),
        error => unseen(&error, &path),
    };
    let outbox = Outbox::open_read_only(&path).map_err(failed)?;
    let journal = state_dir.join("journal/journal.db");
    let reader = Reader::open(&journal).map_err(|error| unseen(&error, &journal))?;
    let position = reader.position().map_err(|error| unseen(&error, &journal))?;
    let mut waiting_since_ms = BTreeMap::new();
    for destination in &upload.destinations {
        let oldest = oldest_missing(&outbox, &destination.name, position.end).map_err(failed)?;
        let Some(seq) = oldest else { continue };
        let found =
            reader.read(SeqRange { first: seq, last: seq }, ONE_RECORD).map_err(|error| unseen(&error, &journal))?;
        // Of what was taken away nobody waits any more.
        let since = found.first().map(|at| at.record.stamp.wall_ms);
        waiting_since_ms.extend(since.map(|since: UnixMs| (destination.name.clone(), since)));
    }
    Ok(OutboxFacts { wal_bytes: wal_bytes(&path), waiting_since_ms })
}

fn oldest_missing(outbox: &Outbox, destination: &str, end: Seq) -> Result<Option<Seq>, StoreError> {
    let Some(all) = end.0.checked_sub(1).and_then(|last| SeqRange::new(Seq(0), Seq(last))) else { return Ok(None) };
    let mut settled = outbox.coverage(destination)?;
    for others in [outbox.parked(destination)?, outbox.dropped(destination)?] {
        others.iter().for_each(|range| settled.insert(range));
    }
    Ok(settled.missing_in(all).bounds().map(|bounds| bounds.first))
}

#[cfg(test)]
mod tests {
    use journal::{Journal, Transaction};
    use record::{BootNo, Frame, Link, MonoMs, Record, SourceId, Stamp};

    use super::*;

    fn frame(source: &str, mono_ms: u64) -> Record {
        let link = Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(1), level: 4, seal: None };
        let frame = Frame {
            source: SourceId::new(source).unwrap(),
            link,
            raw: vec![1],
            readings: Vec::new(),
            codec: None,
            texts: Vec::new(),
        };
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(mono_ms), wall_ms: UnixMs(9), clock: ClockQuality::Synchronised };
        Record { stamp, body: Body::Frame(frame) }
    }

    #[test]
    fn usual_intervals_are_the_middle_ones() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal/journal.db");
        let mut journal = Journal::open(&path, "box-1").unwrap();
        let records = [0, 60_000, 120_000, 121_000, 181_000].map(|at| frame("a", at)).into_iter();
        let records: Vec<Record> = records.chain([frame("b", 5), frame("b", 7)]).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        fs::create_dir_all(dir.path().join("identity")).unwrap();
        let facts = look(dir.path()).unwrap();
        assert_eq!((facts.end, facts.block_holds), (7, Ok(None)));
        assert_eq!(facts.intervals_ms, BTreeMap::from([("a".to_owned(), 60_000)]), "two frames tell nothing");
        assert_eq!(facts.newest_known_ms, Some(UnixMs(9)));
    }

    #[test]
    fn a_block_that_was_altered_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal/journal.db");
        let mut journal = Journal::open(&path, "box-1").unwrap();
        let records: Vec<Record> = (0..300).map(|n| frame("a", n)).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        assert_eq!(look(dir.path()).unwrap().block_holds, Ok(Some(true)));
        let reader = Reader::open(&path).unwrap();
        let range = SeqRange { first: Seq(0), last: Seq(255) };
        let kept = reader.roots(range).unwrap()[&Seq(0)];
        let mut nodes: Vec<Node> = reader.nodes(range, usize::MAX).unwrap().into_iter().map(|(_, node)| node).collect();
        assert!(holds(Seq(0), nodes.clone(), kept));
        nodes[100] = Node::Leaf(frame("a", 7).to_canonical());
        assert!(!holds(Seq(0), nodes.clone(), kept), "another record in the place of one");
        nodes.truncate(200);
        assert!(!holds(Seq(0), nodes, kept), "records are missing");
    }

    #[test]
    fn without_a_journal_the_look_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(look(dir.path()), Err(Unseen::Failed(why)) if why.contains("there is no database")));
    }
}
