//! What a boot leaves to the next one.

use minicbor::{Decode, Encode};
use record::{BootNo, ClockSource, MonoMs, UnixMs};

/// Its name among the journal's states.
pub(crate) const STATE: &str = "clock";

/// The time as far as this boot had it, in the journal's state `clock`: written with a transaction that is made anyway, or
/// every quarter of an hour, and at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SavedTime {
    /// What stamps had come to.
    #[n(0)]
    pub shown_ms: UnixMs,
    /// The time when this was saved, while that boot knew the time; none once it did not.
    #[n(1)]
    pub(super) good: Option<Good>,
    /// For the next start in the same boot.
    #[n(2)]
    pub(super) known: Option<SavedKnown>,
}

/// A time with the bound of its error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Good {
    #[n(0)]
    pub(super) wall_ms: UnixMs,
    /// ± ms.
    #[n(1)]
    pub(super) error_ms: u64,
}

/// A moment of a boot at which somebody told the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct SavedKnown {
    #[n(0)]
    pub(super) boot: BootNo,
    #[n(1)]
    pub(super) mono_ms: MonoMs,
    #[n(2)]
    pub(super) wall_ms: UnixMs,
    #[n(3)]
    pub(super) error_ms: u32,
    #[n(4)]
    pub(super) source: ClockSource,
}

impl SavedTime {
    /// As it is stored.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        minicbor::to_vec(self).unwrap_or_default()
    }

    /// Reads it back; none where there is nothing that can be read: the next boot then knows less, and says so.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<SavedTime> {
        minicbor::decode(bytes).ok()
    }
}
