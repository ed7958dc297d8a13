//! What the journal no longer has: no number goes without a record that says so.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::Serialize;

use crate::SeqRanges;

/// Records that can no longer be read, by their numbers, with what they were. Committed before they go, where that can
/// be chosen. Their leaves stay in the Merkle tree.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Gap {
    /// Why.
    #[n(0)]
    pub why: GapReason,
    /// Which: at least one range, at most [`Gap::RANGES_MAX`]. More need several gaps.
    #[n(1)]
    #[cbor(decode_with = "bounded")]
    pub ranges: SeqRanges,
    /// How many of them were accepted frames.
    #[n(2)]
    pub frames: u64,
    /// How many were rejected frames.
    #[n(3)]
    pub rejected: u64,
    /// How many were of another kind, or of a kind that can no longer be told.
    #[n(4)]
    pub other: u64,
    /// The canonical bytes they had, as far as that can be told.
    #[n(5)]
    pub bytes: u64,
}

impl Gap {
    /// Most ranges of one gap: some 20 kB.
    pub const RANGES_MAX: usize = 1_024;

    /// Whether it names at least one range and not more than the bound.
    pub fn is_bounded(&self) -> bool {
        is_bounded(&self.ranges)
    }
}

fn is_bounded(ranges: &SeqRanges) -> bool {
    (1..=Gap::RANGES_MAX).contains(&ranges.iter().len())
}

fn bounded<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<SeqRanges, decode::Error> {
    let ranges = SeqRanges::decode(d, ctx)?;
    if is_bounded(&ranges) { Ok(ranges) } else { Err(decode::Error::message("a gap names 1 to 1024 ranges")) }
}

/// Why records can no longer be read. The numbers are the journal's and the wire's; they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode, Serialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Dropped because the journal had reached its budget.
    #[n(0)]
    Full,
    /// Dropped because they were older than is kept.
    #[n(1)]
    Age,
    /// Thinned: others of the same time remain.
    #[n(2)]
    Thinned,
    /// Damaged on the disk.
    #[n(3)]
    Damaged,
    /// Never written in this life of the box: an earlier one, before a restore, may have used the numbers.
    #[n(4)]
    Restored,
}

impl GapReason {
    /// Every reason, in the order of the wire's numbers.
    pub const ALL: [GapReason; 5] =
        [GapReason::Full, GapReason::Age, GapReason::Thinned, GapReason::Damaged, GapReason::Restored];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            GapReason::Full => "full",
            GapReason::Age => "age",
            GapReason::Thinned => "thinned",
            GapReason::Damaged => "damaged",
            GapReason::Restored => "restored",
        }
    }
}
