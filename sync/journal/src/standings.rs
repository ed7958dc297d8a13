//! Which devices stood at which outfall when a record was made.

use std::collections::{BTreeMap, VecDeque};

use record::{Body, Outfall, OutfallCode, RecordAt, Seq, SourceId};

use crate::database::StoreError;
use crate::reader::Reader;
use crate::register::{for_each_outfall, unread};

/// Most changes that are remembered of one outfall; the oldest are forgotten first. Each of them took a start of the gateway
/// with another device table.
const CHANGES_MAX: usize = 1_000;

/// Where devices stood, through the whole of a journal; beside it [`crate::Register`] has what holds today. Like that one it
/// is read from the records themselves.
///
/// A change holds from its record on, also where that is gone and a later one tells it again. What no record tells any more
/// is not made up: no device stood there then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standings {
    /// The first record that was not looked at yet.
    next: Seq,
    /// The devices of each outfall from a record on, ascending.
    changes: BTreeMap<OutfallCode, VecDeque<(Seq, Vec<SourceId>)>>,
}

impl Standings {
    /// Takes in what was journaled since the last time.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let Some(new) = unread(reader, self.next)? else { return Ok(()) };
        for_each_outfall(reader, new, |at, _| self.take(at))?;
        self.next = new.last.next();
        Ok(())
    }

    /// Takes in one record; those of other kinds change nothing.
    pub fn take(&mut self, at: &RecordAt) {
        let Body::Outfall(Outfall::Devices(standing)) = &at.record.body else { return };
        let since = standing.told.map_or(at.seq, |told| told.seq);
        let changes = self.changes.entry(standing.outfall.clone()).or_default();
        let place = changes.partition_point(|(earlier, _)| *earlier < since);
        match changes.get_mut(place).filter(|(same, _)| *same == since) {
            Some((_, devices)) => devices.clone_from(&standing.devices),
            None => changes.insert(place, (since, standing.devices.clone())),
        }
        if changes.len() > CHANGES_MAX {
            changes.pop_front();
        }
    }

    /// Whether this device stood at this outfall when record `at` was made.
    pub fn stood(&self, device: &SourceId, outfall: &OutfallCode, at: Seq) -> bool {
        let Some(changes) = self.changes.get(outfall) else { return false };
        let before = changes.partition_point(|(since, _)| *since <= at).checked_sub(1);
        before.is_some_and(|before| changes[before].1.binary_search(device).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use record::{BootNo, ClockQuality, MonoMs, Record, Stamp, Standing, Told, UnixMs};

    use super::*;

    const OUTFALLS: [&str; 2] = ["A-1", "B-2"];
    const DEVICES: [&str; 3] = ["cod-1", "cod-2", "flow-1"];

    fn code(nth: usize) -> OutfallCode {
        OutfallCode::new(OUTFALLS[nth]).unwrap()
    }

    fn device(nth: usize) -> SourceId {
        SourceId::new(DEVICES[nth]).unwrap()
    }

    fn record(seq: u64, outfall: usize, devices: &[bool; 3], since: Option<u64>) -> RecordAt {
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
        let devices = (0..3).filter(|nth| devices[*nth]).map(device).collect();
        let told = since.map(|seq| Told { seq: Seq(seq), wall_ms: UnixMs(0) });
        let body = Body::Outfall(Outfall::Devices(Standing { outfall: code(outfall), devices, told }));
        RecordAt { seq: Seq(seq), record: Record { stamp, body } }
    }

    proptest! {
        /// Against the sentence itself: the newest change before a record counts. Then the beginning is taken away, and
        /// what held last of it is told again: whoever reads only what is left knows the same of what is left.
        #[test]
        fn the_newest_change_before_a_record_counts(
            changes in proptest::collection::vec((0..2_usize, any::<[bool; 3]>(), 1..5_u64), 1..12),
            kept in 0..12_usize,
        ) {
            let mut seq = 0;
            let changes: Vec<(u64, usize, [bool; 3])> = changes
                .into_iter()
                .map(|(outfall, devices, step)| {
                    seq += step;
                    (seq, outfall, devices)
                })
                .collect();
            let end = seq + 3;
            let expected = |at: u64, device: usize, outfall: usize| {
                let newest = changes.iter().rev().find(|(seq, of, _)| *seq <= at && *of == outfall);
                newest.is_some_and(|(_, _, devices)| devices[device])
            };
            let (mut whole, mut rest) = (Standings::default(), Standings::default());
            changes.iter().for_each(|(seq, outfall, devices)| whole.take(&record(*seq, *outfall, devices, None)));
            let (gone, left) = changes.split_at(kept.min(changes.len()));
            left.iter().for_each(|(seq, outfall, devices)| rest.take(&record(*seq, *outfall, devices, None)));
            for outfall in 0..2 {
                // It is told again if nothing newer is left.
                if let Some((since, _, devices)) = gone.iter().rev().find(|(_, of, _)| *of == outfall)
                    && !left.iter().any(|(_, of, _)| *of == outfall)
                {
                    rest.take(&record(end, outfall, devices, Some(*since)));
                    whole.take(&record(end, outfall, devices, Some(*since)));
                }
            }
            for (at, device_no, outfall) in
                (0..end).flat_map(|at| (0..3).flat_map(move |device| (0..2).map(move |outfall| (at, device, outfall))))
            {
                let stood = |of: &Standings| of.stood(&device(device_no), &code(outfall), Seq(at));
                let holds = expected(at, device_no, outfall);
                prop_assert_eq!(stood(&whole), holds, "{} {} {}", at, device_no, outfall);
                let first_left = left.iter().find(|(_, of, _)| *of == outfall).map_or(0, |(seq, ..)| *seq);
                let since_gone = gone.iter().rev().find(|(_, of, _)| *of == outfall).map_or(0, |(seq, ..)| *seq);
                let is_told = if left.iter().any(|(_, of, _)| *of == outfall) { first_left } else { since_gone };
                prop_assert_eq!(stood(&rest), holds && at >= is_told, "{} {} {}", at, device_no, outfall);
            }
        }
    }

    #[test]
    fn so_many_changes_are_remembered() {
        let mut standings = Standings::default();
        for seq in 0..=CHANGES_MAX as u64 {
            standings.take(&record(seq, 0, &[true, false, false], None));
        }
        assert_eq!(standings.changes[&code(0)].len(), CHANGES_MAX);
        assert!(!standings.stood(&device(0), &code(0), Seq(0)) && standings.stood(&device(0), &code(0), Seq(1)));
    }
}
