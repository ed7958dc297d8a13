//! A batch between its cut and its answer.

use batch::{BatchId, Lane};
use record::{MonoMs, SeqRanges};

use crate::Transient;

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
    pub(crate) stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// May be sent.
    Ready,
    /// Was sent; silence until then is a failure.
    InFlight { until: MonoMs },
    /// Failed; ready again then.
    Waiting { until: MonoMs, why: Transient },
}

impl Outstanding {
    pub(crate) fn new(batch: RestoredBatch) -> Outstanding {
        let RestoredBatch { id, lane, ranges, bytes_len } = batch;
        Outstanding { id, lane, ranges, bytes_len, failures: 0, stage: Stage::Ready }
    }

    pub(crate) fn is_alarm(&self) -> bool {
        self.lane == Lane::Alarm
    }

    pub(crate) fn is_in_flight(&self) -> bool {
        matches!(self.stage, Stage::InFlight { .. })
    }

    /// When its timer is due.
    pub(crate) fn due(&self) -> Option<MonoMs> {
        match self.stage {
            Stage::Ready => None,
            Stage::InFlight { until } | Stage::Waiting { until, .. } => Some(until),
        }
    }
}
