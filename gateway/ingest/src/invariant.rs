//! The invariants of taking frames in as predicates: one definition for the daemon, its tests and the simulation.

use record::Seq;

/// **A1**: what is acknowledged is durable: its record is below the end of what was synced.
pub fn a1_durable_before_answer(record: Seq, durable_end: Seq) -> bool {
    record < durable_end
}

/// **A2**: what is not stored is not acknowledged.
pub fn a2_unstored_is_unanswered(stored: bool, acknowledged: bool) -> bool {
    stored || !acknowledged
}

/// **A3**: received = accepted + duplicate + rejected + shed.
pub fn a3_conserved(received: u64, accepted: u64, duplicate: u64, rejected: u64, shed: u64) -> bool {
    [duplicate, rejected, shed].into_iter().try_fold(accepted, u64::checked_add) == Some(received)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_needs_a_record_and_a_count_its_sum() {
        assert!(a1_durable_before_answer(Seq(4), Seq(5)) && !a1_durable_before_answer(Seq(5), Seq(5)));
        assert!(a2_unstored_is_unanswered(true, true) && a2_unstored_is_unanswered(false, false));
        assert!(!a2_unstored_is_unanswered(false, true));
        assert!(a3_conserved(10, 4, 3, 2, 1) && !a3_conserved(11, 4, 3, 2, 1) && !a3_conserved(3, u64::MAX, 4, 0, 0));
    }
}
