//! What has to go, and in which order (pure).
//!
//! The newest is worth most, so nothing new is ever refused for the sake of the old. When the budget is reached the oldest
//! segments are thinned, so that a long outage keeps its course; when those take their share, the oldest of them lose all
//! but what must be kept (alarms, boots, codecs, clocks, gaps). That goes last, and for the budget alone: others who fill
//! the disk are no reason to lose alarms, which are little of it. The frames that a start reads back go after all others,
//! because rules after a restart must equal rules without one (R2).

use record::Seq;

use crate::segment::{Segment, Stage};

/// The share of the budget that thinned segments may take before the oldest of them is dropped: a quarter.
const THINNED_SHARE: u64 = 4;

/// What may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of database and files together.
    pub bytes_max: u64,
    /// Segments whose newest record is older than this, ms since 1970 UTC, lose their frames although there is room; none
    /// where the age cannot be told, or must not count.
    pub older_than_ms: Option<i64>,
    /// Age counts for records before this number only: those that every platform holds.
    pub aged_before: Seq,
    /// Frames from this number on go only when no other frames are left: a start reads them back.
    pub spared_from: Seq,
}

/// What is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of database and files together.
    pub bytes: u64,
    /// How many bytes the disk lacks, whoever took them; 0 while there is enough.
    pub disk_short_bytes: u64,
}

/// Why a segment is reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The budget is reached, or the disk is full.
    Full,
    /// It is older than records are kept.
    Age,
}

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub segment: Segment,
    /// What is to be left.
    pub to: Stage,
    /// Why.
    pub cause: Cause,
}

/// The next step, if one is due. Its loss is journaled first; then the file is reduced; then the next step is asked for.
pub fn plan(segments: &[Segment], usage: Usage, budget: Budget) -> Option<Step> {
    let free = |segment: &&Segment| segment.condemned.is_none() && segment.has_file();
    let aged = segments.iter().filter(free).find(|segment| {
        let old = budget.older_than_ms.is_some_and(|limit| segment.newest_ms < limit);
        let delivered = segment.last.is_some_and(|last| last < budget.aged_before);
        segment.stage < Stage::Remnant && old && delivered
    });
    if let Some(segment) = aged {
        return Some(Step { segment: *segment, to: Stage::Remnant, cause: Cause::Age });
    }
    if usage.bytes <= budget.bytes_max && usage.disk_short_bytes == 0 {
        return None;
    }
    let thinned: u64 = segments.iter().filter(|segment| segment.stage == Stage::Thinned).map(|thin| thin.bytes).sum();
    let step = |segment: &Segment, to| Step { segment: *segment, to, cause: Cause::Full };
    let frames_before = |end: Seq| {
        let before = |segment: &&Segment| free(segment) && segment.last.is_some_and(|last| last < end);
        let oldest = |stage| segments.iter().filter(before).find(|segment| segment.stage == stage);
        match (oldest(Stage::Whole), oldest(Stage::Thinned)) {
            (Some(whole), None) => Some(step(whole, Stage::Thinned)),
            (Some(whole), Some(_)) if thinned < budget.bytes_max / THINNED_SHARE => Some(step(whole, Stage::Thinned)),
            (_, Some(thin)) => Some(step(thin, Stage::Remnant)),
            (None, None) => None,
        }
    };
    let is_over = usage.bytes > budget.bytes_max;
    let remnant = || segments.iter().filter(free).find(|segment| is_over && segment.stage == Stage::Remnant);
    frames_before(budget.spared_from)
        .or_else(|| frames_before(Seq(u64::MAX)))
        .or_else(|| remnant().map(|remnant| step(remnant, Stage::Gone)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Spares nothing.
    const LAST: Seq = Seq(u64::MAX);

    fn segment(first: u64, stage: Stage, bytes: u64) -> Segment {
        let newest_ms = i64::try_from(first).unwrap();
        Segment { first: Seq(first), last: Some(Seq(first + 9)), stage, condemned: None, bytes, newest_ms }
    }

    /// Carries out every step, as the keeper does; a reduced file has a tenth of its bytes.
    fn run(segments: &mut [Segment], mut bytes: u64, budget: Budget) -> Vec<(u64, Stage)> {
        let mut steps = Vec::new();
        while let Some(step) = plan(segments, Usage { bytes, disk_short_bytes: 0 }, budget) {
            let segment = segments.iter_mut().find(|segment| segment.first == step.segment.first).unwrap();
            let left = if step.to == Stage::Gone { 0 } else { segment.bytes / 10 };
            bytes -= segment.bytes - left;
            (segment.stage, segment.bytes) = (step.to, left);
            steps.push((segment.first.0, step.to));
        }
        steps
    }

    #[test]
    fn the_oldest_are_thinned_then_dropped_and_alarms_go_last() {
        let budget = |bytes_max| Budget { bytes_max, older_than_ms: None, aged_before: Seq(0), spared_from: LAST };
        let check = |bytes_max, expected: &[(u64, Stage)]| {
            let mut segments: Vec<Segment> = (0..4).map(|n| segment(n * 10, Stage::Whole, 1_000)).collect();
            assert_eq!(run(&mut segments, 4_000, budget(bytes_max)), expected, "{bytes_max}");
        };
        use Stage::{Gone, Remnant, Thinned};
        check(4_000, &[]);
        check(3_999, &[(0, Thinned)]);
        check(3_100, &[(0, Thinned)]);
        check(3_099, &[(0, Thinned), (10, Thinned)]);
        check(
            400,
            &[(0, Thinned), (0, Remnant), (10, Thinned), (10, Remnant), (20, Thinned), (20, Remnant), (30, Thinned)],
        );
        let all = [0, 10, 20, 30].into_iter();
        let lost: Vec<_> =
            all.clone().flat_map(|n| [(n, Thinned), (n, Remnant)]).chain(all.map(|n| (n, Gone))).collect();
        check(0, &lost);
    }

    #[test]
    fn what_a_start_reads_back_goes_after_all_other_frames() {
        let mut segments: Vec<Segment> = (0..3).map(|n| segment(n * 10, Stage::Whole, 1_000)).collect();
        let budget = Budget { bytes_max: 0, older_than_ms: None, aged_before: Seq(0), spared_from: Seq(15) };
        use Stage::{Gone, Remnant, Thinned};
        let spared = [(10, Thinned), (10, Remnant), (20, Thinned), (20, Remnant)];
        let expected: Vec<_> =
            [(0, Thinned), (0, Remnant)].into_iter().chain(spared).chain([0, 10, 20].map(|n| (n, Gone))).collect();
        assert_eq!(run(&mut segments, 3_000, budget), expected, "the one that begins before it is spared whole");
    }

    #[test]
    fn age_takes_frames_but_never_what_must_be_kept() {
        let stages = [Stage::Whole, Stage::Thinned, Stage::Whole, Stage::Whole];
        let mut segments: Vec<Segment> = (0..).zip(stages).map(|(n, stage)| segment(n * 10, stage, 5)).collect();
        let budget = |limit, before| Budget {
            bytes_max: 1_000,
            older_than_ms: Some(limit),
            aged_before: Seq(before),
            spared_from: LAST,
        };
        assert_eq!(run(&mut segments, 20, budget(20, 100)), [(0, Stage::Remnant), (10, Stage::Remnant)]);
        assert_eq!(run(&mut segments, 20, budget(100, 30)), [(20, Stage::Remnant)], "the last is not delivered");
    }

    #[test]
    fn a_disk_that_others_filled_is_relieved_too() {
        let segments = [segment(0, Stage::Whole, 5)];
        let budget = Budget { bytes_max: 1_000, older_than_ms: None, aged_before: Seq(0), spared_from: LAST };
        let short = plan(&segments, Usage { bytes: 5, disk_short_bytes: 1 }, budget);
        assert_eq!(short.map(|step| step.to), Some(Stage::Thinned));
        let segments = [segment(0, Stage::Remnant, 5)];
        assert_eq!(plan(&segments, Usage { bytes: 5, disk_short_bytes: 1 }, budget), None, "alarms stay");
    }

    proptest! {
        #[test]
        fn no_step_gives_anything_back_and_the_newest_goes_last(
            stages in proptest::collection::vec(0usize..5, 1..20), bytes_max in 0u64..30_000,
        ) {
            let mut segments: Vec<Segment> =
                (0u64..).zip(stages).map(|(n, stage)| segment(n * 10, Stage::ALL[stage], 1_000)).collect();
            let used = segments.iter().filter(|segment| segment.has_file()).map(|segment| segment.bytes).sum();
            let budget = Budget { bytes_max, older_than_ms: None, aged_before: Seq(0), spared_from: LAST };
            while let Some(step) = plan(&segments, Usage { bytes: used, disk_short_bytes: 0 }, budget) {
                prop_assert!(step.to > step.segment.stage && step.segment.has_file());
                let same = |s: &&Segment| s.stage == step.segment.stage && s.first < step.segment.first;
                prop_assert!(!segments.iter().any(|s| same(&s)), "an older one of that stage is there");
                let at = segments.iter().position(|s| s.first == step.segment.first).unwrap();
                segments[at].stage = step.to;
            }
            prop_assert!(used <= bytes_max || segments.iter().all(|s| !s.has_file()));
        }
    }
}
