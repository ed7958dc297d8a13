//! One pass through the last month, from the newest record back.

use std::collections::BTreeSet;
use std::path::Path;

use evidence::readings::Decoded;
use journal::{BLOCK_RECORDS, Reader, StoreError};
use record::{Body, ClockQuality, Kind, RecordAt, Seq, SeqRange, Stamp, TimeLine, UnixMs};

use super::{Shared, lock, machine_now};
use crate::tally::{AHEAD_MS_MAX, Span, Tally};

/// Records are read in slices of about so many bytes.
pub(super) const SLICE_BYTES_MAX: usize = 256 * 1024;
/// Clock records that are read for the times of the others: some four a day, for years.
const CLOCKS_MAX: usize = 4_096;
/// Frames that were decoded again and are remembered as such, some 40 bytes each; of others the first decoding counts.
const REDECODED_MAX: usize = 65_536;

/// How far it came.
pub(super) struct Pass {
    /// Frames are looked up beside what is read in order, which has one block in memory.
    frames: Reader,
    /// What is known of times.
    line: TimeLine,
    /// Records from here on are counted.
    below: Seq,
    /// Nothing before this belongs to the month.
    pub(super) floor: Seq,
    /// Frames of which a later record has the readings.
    redecoded: BTreeSet<Seq>,
    /// When the oldest one that was counted was stamped.
    oldest: Option<UnixMs>,
    trouble: Option<String>,
}

impl Pass {
    /// Before the first step: `end` is the first record that is not its own.
    pub(super) fn begin(path: &Path, reader: &Reader, end: Seq, machine: UnixMs) -> Result<Pass, StoreError> {
        let mut line = TimeLine::new();
        if let Some(all) = end.0.checked_sub(1).and_then(|last| SeqRange::new(Seq(0), Seq(last))) {
            let marks = reader.marks(Kind::Clock, all)?;
            for seq in marks.iter().rev().take(CLOCKS_MAX) {
                let read = reader.read(SeqRange { first: *seq, last: *seq }, 1)?;
                read.iter().for_each(|at| line.take(&at.record));
            }
        }
        // A box without a clock module may believe that it is in the past: its newest record knows better.
        let newest = end.0.checked_sub(1).map(|last| reader.read(SeqRange { first: Seq(last), last: Seq(last) }, 1));
        let newest = newest.transpose()?.and_then(|read| read.first().map(|at| at.record.stamp.wall_ms));
        let now = newest.map_or(machine, |newest| newest.max(machine));
        let floor = floor(reader, end, Span::Month.from(now))?;
        let frames = Reader::open(path)?;
        let (redecoded, oldest, trouble) = Default::default();
        Ok(Pass { frames, line, below: end, floor, redecoded, oldest, trouble })
    }

    /// Counts the records of the block before. Whether there is another one.
    pub(super) fn step(&mut self, reader: &Reader, known: &Shared) -> Result<bool, StoreError> {
        let Some(last) = self.below.0.checked_sub(1).filter(|_| self.below > self.floor) else { return Ok(false) };
        let first = Seq(last / BLOCK_RECORDS * BLOCK_RECORDS).max(self.floor);
        let records = match slices(reader, SeqRange { first, last: Seq(last) }) {
            Err(error) if error.is_damage() || matches!(error, StoreError::Archive(_)) => {
                self.note(&error);
                Vec::new()
            }
            read => read?,
        };
        let mut known = lock(known);
        if let (Some(at), None) = (records.last(), known.progress.newest) {
            known.progress.newest = self.time(&at.record.stamp);
        }
        let now = known.now(machine_now());
        // From the newest on: what decodes a frame again stands behind it.
        records.iter().rev().for_each(|at| self.count(at, now, &mut known.tally));
        (self.oldest, self.below) = (records.first().map(|at| at.record.stamp.wall_ms).or(self.oldest), first);
        Ok(self.below > self.floor)
    }

    /// Adds a record's readings, unless a later record has them.
    pub(super) fn count(&mut self, at: &RecordAt, now: UnixMs, tally: &mut Tally) {
        let Some(decoded) = Decoded::of(&at.record.body) else { return };
        let stamp = match decoded.of {
            None if self.redecoded.contains(&at.seq) => return,
            None => Some(at.record.stamp),
            // It was measured when the frame came, and the newest decoding counts.
            Some(of) if self.redecoded.len() < REDECODED_MAX && self.redecoded.insert(of) => self.frame_stamp(of),
            Some(_) => return,
        };
        // A reading whose time nobody knows is in no chart (T1).
        let Some(made) = stamp.and_then(|stamp| self.time(&stamp)) else { return };
        for reading in decoded.readings {
            let believed = reading.at_ms.filter(|said| said.0 <= made.0.saturating_add(AHEAD_MS_MAX));
            tally.add(now, decoded.source, reading, believed.unwrap_or(made));
        }
    }

    fn frame_stamp(&self, of: Seq) -> Option<Stamp> {
        let read = self.frames.read(SeqRange { first: of, last: of }, 1).ok()?;
        read.first().map(|at| at.record.stamp)
    }

    /// Learns what a new record tells of others. Whether what was counted before is no longer right.
    pub(super) fn take_new(&mut self, at: &RecordAt) -> bool {
        match &at.record.body {
            Body::Clock(set) => {
                self.line.take(&at.record);
                set.before == ClockQuality::Unset
            }
            // The frame was counted with its former readings.
            Body::Redecoded(_) => true,
            _ => false,
        }
    }

    /// When a record was made; none where nobody knows.
    pub(super) fn time(&self, stamp: &Stamp) -> Option<UnixMs> {
        self.line.time(stamp).known().map(|(at, _)| at)
    }

    /// From when on the charts are whole; none once they are.
    pub(super) fn back_to(&self) -> Option<UnixMs> {
        self.oldest.filter(|_| self.below > self.floor)
    }

    pub(super) fn note(&mut self, error: &StoreError) {
        self.trouble = Some(control::chain(error));
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.clone()
    }
}

/// The first record that may belong to the time from `from` on. By its stamp; where that boot was told the time only later, its
/// stamps before say less than is known now, so all of them may.
fn floor(reader: &Reader, end: Seq, from: UnixMs) -> Result<Seq, StoreError> {
    let stamped = reader.first_at(end, from.0)?;
    let marks = |kind, first: Seq, end: Seq| {
        let range = end.0.checked_sub(1).and_then(|last| SeqRange::new(first, Seq(last)));
        range.map_or(Ok(Vec::new()), |range| reader.marks(kind, range))
    };
    let Some(boot) = marks(Kind::Boot, Seq(0), stamped.next().min(end))?.pop() else { return Ok(stamped) };
    let told = marks(Kind::Clock, boot, end)?.into_iter().next();
    Ok(if told.is_some_and(|told| told >= stamped) { boot } else { stamped })
}

/// All that can be read in `range`.
fn slices(reader: &Reader, range: SeqRange) -> Result<Vec<RecordAt>, StoreError> {
    let (mut records, mut next) = (Vec::new(), Some(range));
    while let Some(rest) = next {
        let read = reader.read(rest, SLICE_BYTES_MAX)?;
        next = read.last().and_then(|at| SeqRange::new(at.seq.next(), range.last));
        records.extend(read);
    }
    Ok(records)
}

/// The first record of the next block.
pub(super) fn behind(seq: Seq) -> Seq {
    Seq((seq.0 / BLOCK_RECORDS + 1) * BLOCK_RECORDS)
}
