//! The invariants of the journal as predicates: one definition for the writer, its tests and the simulation.

use record::{Seq, SeqRanges};

/// **J1**: what is found of a record, as canonical bytes, is what was committed.
pub fn j1_unchanged(committed: &[u8], found: &[u8]) -> bool {
    committed == found
}

/// **J2**: a record has the number after the one before it: no gap, no repeat.
pub fn j2_follows(expected: Seq, found: Seq) -> bool {
    expected == found
}

/// **J2** of numbers whose records can no longer be read: a record tells that they are gone.
pub fn j2_told(missing: &SeqRanges, told: &SeqRanges) -> bool {
    told.covers(missing)
}

/// **J2** of what such a record counts: frames, refusals, others and bytes are those that were committed.
pub fn j2_counted(gap: &record::Gap, committed: [u64; 4]) -> bool {
    [gap.frames, gap.rejected, gap.other, gap.bytes] == committed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_flipped_bit_is_a_change_and_one_missing_number_a_gap() {
        assert!(j1_unchanged(b"ab", b"ab") && !j1_unchanged(b"ab", b"ac") && !j1_unchanged(b"ab", b"abc"));
        assert!(j2_follows(Seq(4), Seq(4)) && !j2_follows(Seq(4), Seq(5)) && !j2_follows(Seq(4), Seq(3)));
    }
}
