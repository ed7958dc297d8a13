//! A batch between its cut and its answer.

use batch::{BatchId, Lane};
use record::{MonoMs, SeqRanges};

use crate::invariant::HALF_WAY_MAX;
use crate::{BATCH_BYTES_MIN, Transient};

/// A batch that an earlier run cut and that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredBatch {
    /// Its name.
    pub id: BatchId,
    /// Its lane.
    pub lane: Lane,
    /// The records in it.
    pub ranges: SeqRanges,
    /// Its size.
    pub bytes_len: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct Outstanding {
    pub(crate) id: BatchId,
    pub(crate) lane: Lane,
    pub(crate) ranges: SeqRanges,
    pub(crate) bytes_len: u64,
    /// Failures in a row.
    pub(crate) failures: u32,
    /// How often a connection did not carry it to the end.
    pub(crate) half_way: u32,
    /// A smaller one has passed since it was sent first.
    pub(crate) smaller_passed: bool,
    /// Cut beyond the window, while all others were stuck.
    pub(crate) is_probe: bool,
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// May be sent.
    Ready,
    /// Was sent then; silence until then is a failure, and until some moment before a reason for a second try. By what the
    /// link carries it has passed at another moment, and waits for its answer from there on.
    InFlight { since: MonoMs, passes: Option<MonoMs>, hedge: Option<MonoMs>, until: MonoMs },
    /// Failed; ready again then.
    Waiting { until: MonoMs, why: Transient },
}

impl Outstanding {
    pub(crate) fn new(batch: RestoredBatch) -> Outstanding {
        let RestoredBatch { id, lane, ranges, bytes_len } = batch;
        Outstanding {
            id,
            lane,
            ranges,
            bytes_len,
            failures: 0,
            half_way: 0,
            smaller_passed: false,
            is_probe: false,
            stage: Stage::Ready,
        }
    }

    pub(crate) fn is_alarm(&self) -> bool {
        self.lane == Lane::Alarm
    }

    /// Whether it is one of those of which only so many may be under way at once.
    pub(crate) fn takes_backlog_place(&self) -> bool {
        self.lane == Lane::Backlog && !self.is_probe
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        matches!(self.stage, Stage::InFlight { .. })
    }

    /// Whether nothing of it is on the link any more, as far as anyone can tell before its answer.
    pub(crate) fn has_passed(&self, now: MonoMs) -> bool {
        matches!(self.stage, Stage::InFlight { passes: Some(passes), .. } if passes <= now)
    }

    /// Whether it could be smaller, and nobody knows yet whether that would help.
    pub(crate) fn is_stuck(&self) -> bool {
        let could_be_smaller = self.ranges.len() > 1 && self.bytes_len > BATCH_BYTES_MIN;
        could_be_smaller && self.half_way >= HALF_WAY_MAX && !self.smaller_passed
    }

    /// When its timer is due, of those later than `now`.
    pub(crate) fn due(&self, now: MonoMs) -> Option<MonoMs> {
        match self.stage {
            Stage::Ready => None,
            Stage::InFlight { passes, hedge, until, .. } => {
                [passes, hedge].into_iter().flatten().filter(|due| *due > now).chain([until]).min()
            }
            Stage::Waiting { until, .. } => Some(until),
        }
    }
}
