//! The invariants of the journal as predicates: one definition for the writer, its tests and the simulation.

use record::Seq;

/// **J1**: what is found of a record, as canonical bytes, is what was committed.
pub fn j1_unchanged(committed: &[u8], found: &[u8]) -> bool {
    committed == found
}

/// **J2**: a record has the number after the one before it: no gap, no repeat.
pub fn j2_follows(expected: Seq, found: Seq) -> bool {
    expected == found
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
