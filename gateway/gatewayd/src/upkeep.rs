//! What looking after the journal comes to: which table is sealed next, which segment is reduced, which one is checked.
//!
//! It reads, and writes files of sealed records. What belongs into the database it hands to its [`Host`], and the loss that
//! a step brings before the file changes. Each step can be repeated: a death at any place leaves it to the next turn.
//!
//! It has no thread and no clock of its own: the keeper drives it, and so does a simulation.

use std::io;
use std::path::Path;

use journal::retention::{Budget, Cause, Step, Usage, plan};
use journal::{
    Loss, Outbox, Pins, Reader, Segment, SegmentChange, Stage, StoreError, check, mend, reduce, seal, weigh,
};
use record::{Gap, GapReason, MonoMs, Seq, SeqRange, SeqRanges};

/// All that is stored is checked this often, for the first time after a start.
const CHECK_EVERY_MS: u64 = 24 * 3_600_000;
/// Steps towards the budget in one turn, so that a check and a stop get theirs.
const STEPS_MAX: usize = 64;
/// What a file takes of a card is a multiple of this: the block of ext4.
const CARD_BLOCK_BYTES: u64 = 4_096;

/// What it asks of whoever runs it.
pub trait Host {
    /// Time of the boot.
    fn now(&self) -> MonoMs;

    /// Stores both in one transaction, and returns when it is durable.
    ///
    /// # Errors
    /// [`UpkeepError::Refused`] if it was not stored, [`UpkeepError::Stopped`] if nothing will be any more.
    fn keep(&mut self, gaps: Vec<Gap>, changes: Vec<SegmentChange>) -> Result<(), UpkeepError>;

    /// How many bytes the disk lacks, whoever took them.
    ///
    /// # Errors
    /// If that cannot be told.
    fn disk_short_bytes(&mut self) -> io::Result<u64>;

    /// Frames of before are old, ms since 1970 UTC; none while the clock cannot be believed.
    fn older_than_ms(&self) -> Option<i64>;

    /// The first record that some platform lacks; beyond all where there is no platform.
    fn delivered_before(&self) -> Seq;
}

/// Why a turn was not finished; the next one tries again.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The journal or a file beside it could not be read or written.
    #[error("failed to look after the journal")]
    Store(#[source] StoreError),
    /// The disk does not say what room there is.
    #[error("failed to look at the disk of the journal · try: df -h")]
    Space(#[source] io::Error),
    /// The host did not store a step.
    #[error("the journal did not take a step of its upkeep: {0}")]
    Refused(String),
    /// The host has gone.
    #[error("the committer is gone")]
    Stopped,
}

impl From<StoreError> for UpkeepError {
    fn from(error: StoreError) -> UpkeepError {
        UpkeepError::Store(error)
    }
}

/// Its bounds.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of database and files together.
    pub bytes_max: u64,
    /// Newest records whose frames go after all others: those that a start reads back.
    pub spared_records: u64,
}

/// What is under way, and what was done.
#[derive(Debug)]
pub struct Upkeep {
    reader: Reader,
    limits: Limits,
    pins: Pins,
    /// First record of the segment that is checked next; none between two passes.
    checking: Option<Seq>,
    next_check: MonoMs,
}

impl Upkeep {
    /// Of the journal that `reader` reads.
    pub fn new(reader: Reader, limits: Limits) -> Upkeep {
        Upkeep { reader, limits, pins: Pins::default(), checking: Some(Seq(0)), next_check: MonoMs(0) }
    }

    /// Its own view of the journal.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// What is due; gives whether there is more of it soon.
    ///
    /// # Errors
    /// [`UpkeepError`]; the next turn goes on where this one ended.
    pub fn turn(&mut self, host: &mut impl Host) -> Result<bool, UpkeepError> {
        for segment in self.reader.segments()?.iter().filter(|segment| segment.condemned.is_some()) {
            self.finish(segment, host)?;
        }
        let full = |segment: &&Segment| segment.stage == Stage::Hot && segment.last.is_some();
        if let Some(table) = self.reader.segments()?.iter().find(full) {
            let change = seal(&self.reader, table)?;
            host.keep(Vec::new(), vec![change])?;
            self.keep_to_budget(host)?;
            return Ok(true);
        }
        self.keep_to_budget(host)?;
        self.check_one(host)
    }

    /// Bytes of database and files, as they take room on a card.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let files =
            self.reader.segments()?.iter().map(|segment| segment.bytes.next_multiple_of(CARD_BLOCK_BYTES)).sum();
        Ok(self.reader.database_bytes()?.saturating_add(files))
    }

    fn keep_to_budget(&mut self, host: &mut impl Host) -> Result<(), UpkeepError> {
        let end = self.reader.position()?.end;
        let budget = Budget {
            bytes_max: self.limits.bytes_max,
            older_than_ms: host.older_than_ms(),
            aged_before: host.delivered_before(),
            spared_from: Seq(end.0.saturating_sub(self.limits.spared_records)),
        };
        self.pins.catch_up(&self.reader)?;
        for _ in 0..STEPS_MAX {
            let disk_short_bytes = host.disk_short_bytes().map_err(UpkeepError::Space)?;
            let usage = Usage { bytes: self.bytes()?, disk_short_bytes };
            let mut segments = self.reader.segments()?;
            segments.retain(|segment| !segment.range().is_some_and(|range| self.pins.hold(range)));
            let Some(step) = plan(&segments, usage, budget) else { return Ok(()) };
            match self.reduce(step, host) {
                // What rotted there is told and put aside first; what is left is weighed again.
                Err(UpkeepError::Store(StoreError::Archive(_))) if self.mend(&step.segment, host)? => {}
                reduced => reduced?,
            }
        }
        Ok(())
    }

    /// The loss first, then the file.
    fn reduce(&self, step: Step, host: &mut impl Host) -> Result<(), UpkeepError> {
        let Step { segment, to, cause } = step;
        let loss = weigh(&self.reader, &segment, to)?;
        let why = match (cause, to) {
            (Cause::Age, _) => GapReason::Age,
            (Cause::Full, Stage::Thinned) => GapReason::Thinned,
            (Cause::Full, _) => GapReason::Full,
        };
        log::warn!(first:% = segment.first, to = to.as_str(), why = why.as_str(), frames = loss.frames; "records go");
        host.keep(gaps(why, loss), vec![SegmentChange::Condemned { first: segment.first, to }])?;
        self.finish(&Segment { condemned: Some(to), ..segment }, host)
    }

    fn finish(&self, segment: &Segment, host: &mut impl Host) -> Result<(), UpkeepError> {
        let change = match reduce(&self.reader, segment) {
            Err(StoreError::Archive(_)) if self.mend(segment, host)? => {
                let mended = self.reader.segments()?.into_iter().find(|mended| mended.first == segment.first);
                let Some(mended) = mended.filter(|mended| mended.condemned.is_some()) else { return Ok(()) };
                reduce(&self.reader, &mended)?
            }
            reduced => reduced?,
        };
        host.keep(Vec::new(), vec![change])
    }

    /// Checks one segment of a pass. Gives whether the pass goes on.
    fn check_one(&mut self, host: &mut impl Host) -> Result<bool, UpkeepError> {
        if self.checking.is_none() && host.now() >= self.next_check {
            self.checking = Some(Seq(0));
        }
        let Some(from) = self.checking else { return Ok(false) };
        let Some(segment) = self.reader.segments()?.into_iter().find(|segment| segment.first >= from) else {
            self.checking = None;
            self.next_check = MonoMs(host.now().0.saturating_add(CHECK_EVERY_MS));
            return Ok(false);
        };
        self.checking = Some(segment.first.next());
        self.mend(&segment, host)?;
        Ok(true)
    }

    /// Looks for rot in a segment, tells what is lost by it, and puts a damaged file aside. Gives whether there was any.
    fn mend(&self, segment: &Segment, host: &mut impl Host) -> Result<bool, UpkeepError> {
        let damaged = check(&self.reader, segment)?;
        if damaged.is_empty() {
            return Ok(false);
        }
        log::error!(first:% = segment.first, records = damaged.len(); "stored records are damaged");
        if segment.has_file() {
            let loss = Loss { other: damaged.len(), ranges: damaged, ..Loss::default() };
            host.keep(gaps(GapReason::Damaged, loss), Vec::new())?;
            let (folder, change) = mend(&self.reader, segment)?;
            log::error!(folder:% = folder.display(); "the damaged file is kept");
            let is_left = !matches!(change, SegmentChange::Reduced { stage: Stage::Gone, .. });
            // What it was condemned to was told, and is still to come.
            let condemned = segment.condemned.filter(|_| is_left);
            let condemned = condemned.map(|to| SegmentChange::Condemned { first: segment.first, to });
            host.keep(Vec::new(), [change].into_iter().chain(condemned).collect())?;
        }
        Ok(true)
    }
}

/// The first record that some platform with batches in this outbox lacks; beyond all where there is no outbox.
pub fn delivered_before(outbox: &Path) -> Seq {
    if !outbox.exists() {
        return Seq(u64::MAX);
    }
    delivered(outbox).unwrap_or(Seq(0))
}

fn delivered(outbox: &Path) -> Result<Seq, StoreError> {
    let outbox = Outbox::open_read_only(outbox)?;
    let mut first = Seq(u64::MAX);
    for destination in outbox.destinations()? {
        let mut settled = outbox.coverage(&destination)?;
        let undelivered = [outbox.parked(&destination)?, outbox.dropped(&destination)?];
        undelivered.iter().flat_map(SeqRanges::iter).for_each(|range| settled.insert(range));
        let lacks = settled.missing_in(SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) });
        first = first.min(lacks.bounds().map_or(Seq(u64::MAX), |lacks| lacks.first));
    }
    Ok(first)
}

/// The records that tell a loss: one, unless it has more ranges than one may name.
pub(crate) fn gaps(why: GapReason, loss: Loss) -> Vec<Gap> {
    let Loss { ranges, mut frames, mut rejected, mut other, mut bytes } = loss;
    let all: Vec<SeqRange> = ranges.iter().collect();
    let gap = |part: &[SeqRange]| Gap {
        why,
        ranges: part.iter().copied().collect::<SeqRanges>(),
        // The counts are of all parts together, and stand in the first.
        frames: std::mem::take(&mut frames),
        rejected: std::mem::take(&mut rejected),
        other: std::mem::take(&mut other),
        bytes: std::mem::take(&mut bytes),
    };
    all.chunks(Gap::RANGES_MAX).map(gap).collect()
}
