//! A disk after a cut, opened with the crates that the daemons open it with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use batch::{Batch, BatchId, Checkpoint, Receipt};
use journal::{Journal, Outbox, Reader, StoreError, Transaction, salvage};
use record::merkle::Hash;
use record::{
    Body, Boot, BootNo, ClockQuality, Gap, MonoMs, Record, Seq, SeqRange, SeqRanges, SourceId, Stamp, UnixMs,
};
use system_tests::config::BOX;

use super::copies;
use super::truth::{Platform, Truth};

/// Most records of one transaction here: what three sensors and a radio may have in flight, and what follows from it. One
/// that was written whole when the gateway was killed, and that nobody had seen yet, is there after a power cut; after
/// the kill alone another one took its place.
const UNPUBLISHED_MAX: u64 = 64;

/// A promise that a disk did not keep.
#[derive(Debug)]
pub(crate) enum Breach {
    /// A1: acknowledged frames are gone.
    Lost { promised: u64, found: u64 },
    /// J1: the records are not those that were committed.
    Changed { size: u64, same: u64 },
    /// J2, or any damage.
    Journal(StoreError),
    /// A tally or a signed head does not fit the records.
    Contradiction(String),
    /// D1, D2: the outbox claims what is not so.
    Outbox(String),
    /// The configuration is neither the old nor the new one.
    Config(String),
    /// The box's key is another or none.
    Key,
    /// A copy of the journal is not what it was said to be.
    Copy(String),
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Breach::Lost { promised, found } => {
                write!(f, "A1: {promised} records were there when acknowledgements left, {found} are left")
            }
            Breach::Changed { size, same } => {
                write!(f, "J1: {size} records, of which the first {same} are those committed")
            }
            Breach::Journal(error) => write!(f, "J2: {error:?}"),
            Breach::Contradiction(what) => write!(f, "A3: {what}"),
            Breach::Outbox(what) => write!(f, "D1, D2: {what}"),
            Breach::Config(what) => write!(f, "configuration: {what}"),
            Breach::Key => write!(f, "the box has another key"),
            Breach::Copy(what) => write!(f, "backup: {what}"),
        }
    }
}

impl From<StoreError> for Breach {
    fn from(error: StoreError) -> Breach {
        Breach::Journal(error)
    }
}

/// Whether the disk in this folder holds what was promised by then.
pub(crate) fn check(disk: &Path, truth: &Truth, witnessed: &[u64]) -> Result<(), Breach> {
    let promised = truth.records_promised(witnessed);
    let state = disk.join("state");
    // First what nobody can bring back: a disk that also lost the key is found out by its records.
    let size = check_journal(&state.join("journal/journal.db"), truth, promised)?;
    if promised > 0 && fs::read(state.join("identity/box.key")).ok().as_deref() != Some(truth.key_file()) {
        return Err(Breach::Key);
    }
    check_config(disk, truth, truth.devices_promised(witnessed))?;
    check_outbox(&state.join("outbox/outbox.db"), truth, size)?;
    copies::check(disk, truth, witnessed)
}

fn check_config(disk: &Path, truth: &Truth, promised: u64) -> Result<(), Breach> {
    for (nth, name) in ["devices.toml", "keys.toml"].into_iter().enumerate() {
        let text = fs::read_to_string(disk.join(name)).map_err(|error| Breach::Config(format!("{name}: {error}")))?;
        if !truth.had(nth, &text) {
            return Err(Breach::Config(format!("{name} is half written: {} bytes", text.len())));
        }
        let found = text.matches("added-").count() as u64;
        if found < promised {
            return Err(Breach::Config(format!("{name} has {found} of {promised} devices that were added")));
        }
    }
    // A device without its keys would be one that nobody can use; keys without a device harm nobody.
    let count = |name: &str| fs::read_to_string(disk.join(name)).unwrap_or_default().matches("added-").count();
    match count("devices.toml") <= count("keys.toml") {
        true => Ok(()),
        false => Err(Breach::Config("a device has no keys".into())),
    }
}

/// Returns how many records there are that stayed for ever.
fn check_journal(path: &Path, truth: &Truth, promised: u64) -> Result<u64, Breach> {
    // As the gateway does, which finishes what a salvage left.
    let (journal, salvaged) = salvage::open(path, BOX, Seq(0))?;
    if let Some(salvaged) = salvaged.filter(|salvaged| !salvaged.lost.is_empty() || !salvaged.continued) {
        return Err(Breach::Contradiction(format!("a journal that was whole was saved in part: {salvaged:?}")));
    }
    let reader = Reader::open(path)?;
    let position = reader.position()?;
    let size = position.end.0;
    if size < promised {
        return Err(Breach::Lost { promised, found: size });
    }
    let (mut accepted, mut same) = (BTreeMap::<SourceId, u64>::new(), 0);
    let mut told = Told::default();
    let recomputed = reader.recompute(|at, root| {
        match &at.record.body {
            Body::Frame(frame) => *accepted.entry(frame.source.clone()).or_default() += 1,
            Body::Gap(gap) => told.take(gap),
            _ => {}
        }
        // The root names all bytes of all records up to here.
        if truth.root(at.seq.0 + 1) == Some(root) {
            same = at.seq.0 + 1;
        }
    })?;
    if journal.end() != position.end || recomputed != position.frontier {
        return Err(Breach::Contradiction(format!("{size} leaves, {} records", recomputed.size())));
    }
    if same < promised || size - same > UNPUBLISHED_MAX {
        return Err(Breach::Changed { size, same });
    }
    check_checkpoints(&reader, truth, same)?;
    told.check(&reader, size)?;
    for (source, row) in reader.devices()? {
        let (accepted, stored) = (row.tally.accepted, source.as_ref().and_then(|source| accepted.remove(source)));
        let stored = stored.unwrap_or(0);
        if !(stored..=stored + told.frames).contains(&accepted) {
            let gone = told.frames;
            return Err(Breach::Contradiction(format!(
                "{source:?}: {accepted} accepted, {stored} stored, {gone} gone"
            )));
        }
    }
    if let Some((source, stored)) = accepted.pop_first() {
        return Err(Breach::Contradiction(format!("{source}: nothing accepted, {stored} stored")));
    }
    goes_on(journal, &reader, size).map(|()| same)
}

/// What gap records say is gone, or is about to go.
#[derive(Default)]
struct Told {
    ranges: SeqRanges,
    frames: u64,
}

impl Told {
    fn take(&mut self, gap: &Gap) {
        gap.ranges.iter().for_each(|range| self.ranges.insert(range));
        self.frames += gap.frames;
    }

    /// Each number is there or told.
    fn check(&self, reader: &Reader, size: u64) -> Result<(), Breach> {
        let Some(last) = size.checked_sub(1) else { return Ok(()) };
        let gone = reader.unreadable(SeqRange { first: Seq(0), last: Seq(last) })?;
        match self.ranges.covers(&gone) {
            true => Ok(()),
            false => Err(Breach::Contradiction(format!("{gone:?} are gone, told are {:?}", self.ranges))),
        }
    }
}

fn check_checkpoints(reader: &Reader, truth: &Truth, size: u64) -> Result<(), Breach> {
    for stored in reader.checkpoints_after(0, usize::MAX)? {
        let believed = Checkpoint::verify(&stored.cose, &truth.box_key);
        let head = believed.map_err(|error| Breach::Contradiction(format!("checkpoint: {error:?}")))?.head;
        if head.size != stored.size || !fits(truth, head.size, head.root, size) {
            return Err(Breach::Contradiction(format!(
                "the checkpoint of {} does not fit {size} records",
                stored.size
            )));
        }
    }
    Ok(())
}

fn fits(truth: &Truth, head_size: u64, root: Hash, size: u64) -> bool {
    head_size <= size && truth.root(head_size) == Some(root)
}

/// The box goes on where it stood: one more record gets the next number.
fn goes_on(mut journal: Journal, reader: &Reader, size: u64) -> Result<(), Breach> {
    let stamp = Stamp { boot: BootNo(99), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Unset };
    let body = Body::Boot(Boot { boot_id: "after the cut".into(), version: "0".into() });
    let committed = journal.commit(&Transaction { records: vec![Record { stamp, body }], ..Transaction::default() })?;
    if committed.first.0 != size || reader.position()?.end.0 != size + 1 {
        return Err(Breach::Contradiction(format!("the record after {size} got number {}", committed.first)));
    }
    Ok(())
}

fn check_outbox(path: &Path, truth: &Truth, size: u64) -> Result<(), Breach> {
    let outbox = Outbox::open(path)?;
    for (name, platform) in &truth.platforms {
        check_destination(&outbox, name, platform, truth, size)?;
    }
    Ok(())
}

fn check_destination(outbox: &Outbox, name: &str, platform: &Platform, truth: &Truth, size: u64) -> Result<(), Breach> {
    let wrong = |what: String| Breach::Outbox(format!("{name}: {what}"));
    // D1: coverage is what the platform's own receipts say, and nothing else.
    let (mut proven, mut unproven) = (SeqRanges::new(), None);
    let covered = outbox.claims(name, |stored| {
        let id = BatchId(stored.id);
        let receipt = Receipt::verify(&stored.cose, &platform.key).ok().filter(|receipt| receipt.batch == id);
        match (receipt, platform.batches.get(&id)) {
            (Some(_), Some((_, ranges))) => ranges.iter().for_each(|range| proven.insert(range)),
            _ => unproven = Some(id),
        }
    })?;
    if let Some(id) = unproven {
        return Err(wrong(format!("the receipt of {id} is not the platform's")));
    }
    if covered != proven {
        return Err(wrong(format!("covers {covered:?}, receipts are for {proven:?}")));
    }
    if covered.bounds().is_some_and(|bounds| bounds.last.0 >= size) {
        return Err(wrong(format!("covers {covered:?} of {size} records")));
    }
    for stored in outbox.batches(name)? {
        let id = BatchId(stored.id);
        // D2: the bytes are those of the id, and those that were on the wire.
        let batch = Batch::open(&stored.bytes, Some(&id), |_| Some(truth.box_key))
            .map_err(|error| wrong(format!("batch {id}: {error:?}")))?;
        if platform.batches.get(&id).is_some_and(|(bytes, _)| *bytes != stored.bytes) {
            return Err(wrong(format!("batch {id} had other bytes on the wire")));
        }
        if batch.ranges != stored.ranges || !fits(truth, batch.head.size, batch.head.root, size) {
            return Err(wrong(format!("batch {id} does not fit {size} records")));
        }
    }
    Ok(())
}
