//! The invariants of delivery as predicates: one definition for the core, its tests and the simulation.

use std::collections::BTreeSet;

use record::{Seq, SeqRanges};

/// So often must a link have broken one batch half way before it may come in halves.
pub const HALF_WAY_MAX: u32 = 4;

/// **D1**: coverage claims no record that the destination has not acknowledged.
pub fn d1_covered_is_acknowledged(covered: &SeqRanges, acknowledged: &SeqRanges) -> bool {
    acknowledged.covers(covered)
}

/// **D2**: a record is in no second batch while one that has it is outstanding, acknowledged or parked.
pub fn d2_cut_once(claimed: &SeqRanges, cut: &SeqRanges) -> bool {
    cut.iter().all(|range| claimed.missing_in(range).len() == range.len())
}

/// **D2** of a batch that nobody refused: its records may come in smaller ones only if the link broke it half way again and
/// again while a smaller one passed. Whoever does hold it, and could not say so, finds the same records once more.
pub fn d2_may_divide(half_way: u32, smaller_passed: bool) -> bool {
    half_way >= HALF_WAY_MAX && smaller_passed
}

/// **B1** of second tries: each try has one beside it at most, so that no link carries more than twice what it must.
pub fn b1_hedged_once(hedged: u32, sent: u32) -> bool {
    hedged <= sent
}

/// **B1** of a budget: what is not an alarm leaves only within it.
pub fn b1_within_budget(carried: u64, limit: u64) -> bool {
    carried <= limit
}

/// **B1** of what is put aside, in records: a batch has one at least.
pub fn b1_parked_within(parked: u64, parked_max: u64) -> bool {
    parked <= parked_max
}

/// **D3**: every record before `end` is covered, or stands with its reason among the parked ones or those that were gone
/// from the journal before they got into a batch.
pub fn d3_drained(end: Seq, covered: &SeqRanges, parked: &SeqRanges, gone: &SeqRanges) -> bool {
    let settled = crate::unclaimed::union([covered, parked, gone]);
    crate::unclaimed::first_unclaimed(&settled) >= end
}

/// **D3** of what is settled without a receipt because it is gone: the journal told so.
pub fn d3_gone_is_told(gone: &SeqRanges, told: &SeqRanges) -> bool {
    told.covers(gone)
}

/// **D3** of what a filter lets through now: the destination has all of it. Parts of a record, by whatever names them; none
/// where it is not there at all.
pub fn d3_has_what_passes<T: Ord>(has: Option<&BTreeSet<T>>, passes: Option<&BTreeSet<T>>) -> bool {
    passes.is_none_or(|passes| has.is_some_and(|has| has.is_superset(passes)))
}

/// **D6**: a destination has nothing that each of its filters withheld. `passed` is what some of them let through.
pub fn d6_withheld<T: Ord>(has: Option<&BTreeSet<T>>, passed: Option<&BTreeSet<T>>) -> bool {
    has.is_none_or(|has| passed.is_some_and(|passed| has.is_subset(passed)))
}

/// **D4**: what happens to one destination, and when, is the same whatever befalls another one. `alone` and `beside` are
/// all that happened to it in two worlds that differ in the other destination only.
pub fn d4_undelayed<T: PartialEq>(alone: &[T], beside: &[T]) -> bool {
    alone == beside
}

/// **D5**: a live or backlog batch may leave: no alarm is without a batch while one could be cut (`unsent` counts the
/// known alarms that never left, `free` the places in the alarm window).
pub fn d5_others_may_leave(unsent: u64, free: u64) -> bool {
    unsent == 0 || free == 0
}
