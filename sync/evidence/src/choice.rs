//! Chosen records among the roots of all others.

use std::collections::BTreeSet;

use record::Seq;
use record::merkle::Subtree;

/// A part of the tree, as it stands in an evidence file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A record that is chosen.
    Record(Seq),
    /// A complete subtree of which only the root is told.
    Root(Subtree),
}

/// The first `size` numbers of a journal: the chosen records, and all between them in as few subtrees as can be. An entry
/// ends at each of `ends` too, so that the tree over so many records can be told from the file.
pub fn cover(chosen: &BTreeSet<Seq>, ends: &BTreeSet<u64>, size: u64) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut next = 0;
    let borders: BTreeSet<u64> = ends.iter().copied().chain(chosen.iter().map(|seq| seq.0)).chain([size]).collect();
    for border in borders.into_iter().take_while(|border| *border <= size) {
        while let Some(subtree) = Subtree::largest(Seq(next), Seq(border)) {
            parts.push(Part::Root(subtree));
            next += subtree.leaves();
        }
        if border < size && chosen.contains(&Seq(border)) {
            parts.push(Part::Record(Seq(border)));
            next = border + 1;
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(chosen: &[u64], ends: &[u64], size: u64, expected: Expect) {
        let chosen = chosen.iter().copied().map(Seq).collect();
        let parts = cover(&chosen, &ends.iter().copied().collect(), size);
        let shown = parts.iter().map(|part| match part {
            Part::Record(seq) => format!("[{seq}]"),
            Part::Root(subtree) => format!("{}-{}", subtree.first(), subtree.last()),
        });
        expected.assert_eq(&shown.collect::<Vec<_>>().join(" "));
    }

    #[test]
    fn every_number_has_its_part() {
        check(&[], &[], 0, expect![""]);
        check(&[], &[], 7, expect!["0-3 4-5 6-6"]);
        check(&[5], &[], 8, expect!["0-3 4-4 [5] 6-7"]);
        check(&[0, 1, 7], &[], 8, expect!["[0] [1] 2-3 4-5 6-6 [7]"]);
        check(&[5], &[3, 6, 8], 12, expect!["0-1 2-2 3-3 4-4 [5] 6-7 8-11"]);
        check(&[5, 12, 13], &[12, 13, 99], 12, expect!["0-3 4-4 [5] 6-7 8-11"]);
    }
}
