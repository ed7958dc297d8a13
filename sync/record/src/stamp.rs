//! When something happened, and how far that can be believed (design §5).

use minicbor::{CborLen, Decode, Encode};
use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, CborLen, Serialize, Deserialize,
        )]
        #[cbor(transparent)]
        #[serde(transparent)]
        pub struct $name(#[n(0)] pub $inner);
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// The ordinal of a boot of this box, from 0; its kernel boot id stands in the journal's boot record.
    BootNo(u32)
);
number!(
    /// Milliseconds since that boot, time asleep included (`CLOCK_BOOTTIME`).
    MonoMs(u64)
);
number!(
    /// Milliseconds since 1970-01-01 UTC, leap seconds not counted.
    UnixMs(i64)
);

/// No honest clock is below this: when the program was written (2026-11-01).
pub const BUILD_FLOOR: UnixMs = UnixMs(1_793_491_200_000);

/// What the box knew about its wall clock at that moment (T1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ClockQuality {
    /// The kernel says a time source disciplines the clock (`adjtimex` without `STA_UNSYNC`).
    #[n(0)]
    Synchronised,
    /// It was disciplined earlier; since then it may have drifted by this much.
    #[n(1)]
    Holdover {
        /// Bound of the error, ± milliseconds.
        #[n(0)]
        error_ms: u32,
    },
    /// Nobody has told this box the time since it booted.
    #[n(2)]
    Unset,
}

impl ClockQuality {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ClockQuality::Synchronised => "synchronised",
            ClockQuality::Holdover { .. } => "holdover",
            ClockQuality::Unset => "unset",
        }
    }
}

/// When a record was made. Order within a boot is by `mono_ms`, never by `wall_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Stamp {
    /// Which boot of the box.
    #[n(0)]
    pub boot: BootNo,
    /// Time since that boot.
    #[n(1)]
    pub mono_ms: MonoMs,
    /// Wall time as the box knew it.
    #[n(2)]
    pub wall_ms: UnixMs,
    /// How far `wall_ms` can be believed.
    #[n(3)]
    pub clock: ClockQuality,
}
