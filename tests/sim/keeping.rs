//! The keeper without its thread: the real upkeep, its steps stored by the gateway's journal, on a card that others share.

use std::path::PathBuf;

use gatewayd::upkeep::{Host, Limits, UpkeepError, delivered_before};
use journal::{HOT_BYTES_MAX, SegmentChange, TableSize};
use record::{Body, ClockQuality, Gap, MonoMs, Record, Seq, Stamp};

use crate::broken::Fault;
use crate::gateway::Gateway;
use crate::seed::Chance;

/// Tables of one block, so that minutes fill several.
pub(crate) const TABLES: TableSize = TableSize { records_max: journal::BLOCK_RECORDS, bytes_max: HOT_BYTES_MAX };
/// The budget is never reached: the worlds are too short for its log. Others who take the card's room are what retention
/// has to do with here; the budget has a month of its own.
pub(crate) const LIMITS: Limits = Limits { bytes_max: 1 << 30, spared_records: journal::BLOCK_RECORDS };
/// In some worlds frames are old after this, once every platform has them.
const OLD_MS: i64 = 120_000;
/// Of a hundred turns so many end with the death of the process in one of the first steps, if they have as many.
const DEATH_PERCENT: u64 = 25;
const DEATH_STEPS: u64 = 3;

/// What the upkeep is told of its world.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) stamp: Stamp,
    pub(crate) outbox: PathBuf,
    /// What others leave for files of sealed records.
    pub(crate) room_bytes: u64,
    /// Frames get old.
    pub(crate) ages: bool,
    /// The process dies after so many steps: just before the next one is stored, or just after.
    pub(crate) dies: Option<(u64, bool)>,
}

/// Where a turn's process dies, if it does.
pub(crate) fn death(chance: &mut Chance) -> Option<(u64, bool)> {
    let (dies, steps, after) = (chance.percent(DEATH_PERCENT), chance.between(0, DEATH_STEPS), chance.percent(50));
    dies.then_some((steps, after))
}

/// One turn's host.
struct Keeping<'g> {
    gateway: &'g mut Gateway,
    around: Surroundings,
    steps: u64,
}

/// A turn of the keeper. Gives whether there is more of it soon; `Err` is the death of the process.
pub(crate) fn turn(gateway: &mut Gateway, around: Surroundings) -> Result<bool, UpkeepError> {
    let Some(mut upkeep) = gateway.upkeep.take() else { return Ok(false) };
    let turned = upkeep.turn(&mut Keeping { gateway, around, steps: 0 });
    gateway.upkeep = Some(upkeep);
    match turned {
        // A full disk: the next turn tries again.
        Err(UpkeepError::Refused(_)) => Ok(false),
        turned => turned,
    }
}

impl Host for Keeping<'_> {
    fn now(&self) -> MonoMs {
        self.around.stamp.mono_ms
    }

    fn keep(&mut self, mut gaps: Vec<Gap>, changes: Vec<SegmentChange>) -> Result<(), UpkeepError> {
        let dies = self.around.dies.filter(|(steps, _)| *steps == self.steps);
        self.steps += 1;
        if dies.is_some_and(|(_, after)| !after) {
            return Err(UpkeepError::Stopped);
        }
        match self.gateway.fault {
            Some(Fault::LosesInSilence) => gaps.clear(),
            Some(Fault::MiscountsLosses) => gaps.iter_mut().for_each(|gap| gap.bytes += 1),
            _ => {}
        }
        let stamp = self.around.stamp;
        let gaps = gaps.into_iter().map(|gap| Record { stamp, body: Body::Gap(gap) });
        if !self.gateway.keep(gaps, changes) {
            return Err(UpkeepError::Refused("the disk is full".into()));
        }
        if dies.is_some() { Err(UpkeepError::Stopped) } else { Ok(()) }
    }

    fn disk_short_bytes(&mut self) -> std::io::Result<u64> {
        let files: u64 = self.gateway.segments().iter().map(|segment| segment.bytes).sum();
        Ok(files.saturating_sub(self.around.room_bytes))
    }

    fn older_than_ms(&self) -> Option<i64> {
        let Stamp { wall_ms, clock, .. } = self.around.stamp;
        (self.around.ages && clock == ClockQuality::Synchronised).then_some(wall_ms.0 - OLD_MS)
    }

    fn delivered_before(&self) -> Seq {
        delivered_before(&self.around.outbox)
    }
}
