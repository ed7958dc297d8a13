//! A box without daemons: its journal, filled through the journal's own writer, and its public key.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use batch::{BoxId, Checkpoint, SigningKey, TreeHead};
use journal::{Journal, Transaction};
use record::{
    Body, BootNo, ClockQuality, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, SourceId, Stamp,
    Unit, UnixMs,
};
use tempfile::TempDir;

use crate::random::Random;

/// Records of a box.
pub(crate) const RECORDS: u64 = 2_000;
/// Records between two signed tree heads.
const HEADS_EVERY: Range<u64> = 30..300;

/// A box as `weir --state-dir` finds it.
pub(crate) struct BoxDir {
    pub(crate) key: SigningKey,
    pub(crate) id: BoxId,
    dir: TempDir,
}

impl BoxDir {
    /// With records that are all signed.
    pub(crate) fn new(random: &mut Random) -> BoxDir {
        let a_box = BoxDir::with_key();
        let mut journal = a_box.journal();
        let mut end = 0;
        while end < RECORDS {
            let count = HEADS_EVERY.start + random.below(HEADS_EVERY.end - HEADS_EVERY.start);
            let count = count.min(RECORDS - end);
            let records = (end..end + count).map(|seq| frame(seq, random)).collect();
            let committed = journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
            end += count;
            let head = TreeHead { size: end, root: committed.frontier.root() };
            let checkpoint = Checkpoint { box_id: a_box.id.clone(), head, stamp: stamp(end) };
            journal.keep_checkpoint(end, &checkpoint.sign(&a_box.key)).unwrap();
        }
        a_box
    }

    /// With one record that is not signed.
    pub(crate) fn unsigned() -> BoxDir {
        let a_box = BoxDir::with_key();
        let records = vec![frame(0, &mut Random(0))];
        a_box.journal().commit(&Transaction { records, ..Transaction::default() }).unwrap();
        a_box
    }

    fn with_key() -> BoxDir {
        let dir = TempDir::with_prefix("weir-").unwrap();
        let a_box = BoxDir { key: SigningKey::from_seed(&[9; 32]), id: BoxId::new("outfall-9").unwrap(), dir };
        fs::create_dir_all(a_box.path("state/identity")).unwrap();
        fs::write(a_box.path("state/identity/box.pub"), a_box.key.public().to_string()).unwrap();
        a_box
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.path("state/journal/journal.db"), self.id.as_str()).unwrap()
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn stamp(seq: u64) -> Stamp {
    let ms = i64::try_from(seq).unwrap() * 700;
    let clock = ClockQuality::Synchronised;
    Stamp { boot: BootNo(1), mono_ms: MonoMs(seq * 700), wall_ms: UnixMs(1_777_888_800_000 + ms), clock }
}

/// A frame of one of three sensors, as long as the random bytes in it.
fn frame(seq: u64, random: &mut Random) -> Record {
    let source = format!("cod-{}", seq % 3);
    let length = 20 + random.index(60);
    let reading = Reading {
        quantity: Quantity::new("cod").unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Decimal::new(i64::try_from(random.below(10_000)).unwrap(), -2),
        quality: Quality::Good,
        at_ms: None,
    };
    let frame = Frame {
        source: SourceId::new(&source).unwrap(),
        link: Link::Mqtt { topic: format!("d/{source}/up"), qos: 1, packet_id: Some(7), level: 4, seal: None },
        raw: random.bytes(length),
        readings: vec![reading],
        codec: None,
        texts: Vec::new(),
    };
    Record { stamp: stamp(seq), body: Body::Frame(frame) }
}
