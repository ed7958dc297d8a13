//! What happened.

use batch::{BatchId, Lane};
use record::{Seq, SeqRanges};

use crate::{Date, RestoredBatch};

/// An event, as the shell tells it. Late and repeated answers are harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The journal grew: it now ends before `end`.
    Journaled {
        /// The number that the next record will get.
        end: Seq,
        /// Every alarm record from [`Destination::told`](crate::Destination::told) on and before `end`, ascending.
        alarms: Vec<Seq>,
    },
    /// The journal can no longer read these records (retention, damage): no batch will have them, and nobody waits for
    /// them. Batches that have them already go on. Told whenever there are more, and first of all after a restart, for
    /// the core remembers none. Telling them again changes nothing.
    Gone {
        /// The records: all that are gone, or those that were not told yet.
        ranges: SeqRanges,
    },
    /// The batch asked for by [`Action::Cut`](crate::Action::Cut) is signed and stored durably.
    Cut {
        /// The lane it was asked for.
        lane: Lane,
        /// Its name.
        id: BatchId,
        /// The records in it: those asked for, or fewer when its bytes reached their bound.
        ranges: SeqRanges,
        /// Its size.
        bytes_len: u64,
        /// The canonical bytes of its records.
        content_len: u64,
    },
    /// The batch asked for could not be read, signed or stored; the core asks again later.
    NotCut {
        /// The lane it was asked for.
        lane: Lane,
    },
    /// A verified receipt came.
    Acked {
        /// The batch it names.
        id: BatchId,
        /// The records that the destination says it holds.
        holds: SeqRanges,
        /// Of the time it took, what the destination says that it needed itself, from the last byte on; 0 if it says
        /// nothing. ms.
        own_ms: u64,
    },
    /// The destination refuses the batch for its content or its size: the same bytes will never be taken. The batch is
    /// halved until what is to blame stands alone.
    Refused {
        /// The batch.
        id: BatchId,
        /// What the destination said, already bounded by the shell.
        why: String,
    },
    /// Not this time.
    Failed {
        /// The batch.
        id: BatchId,
        /// How long the destination asks to be left alone (`Retry-After`); honoured up to the ceiling. ms.
        retry_after_ms: Option<u64>,
        /// The cause.
        why: Transient,
    },
    /// The destination is to have these records after all, although a receipt covers them: its filter lets more through
    /// than the one by which their batch was cut. They are in no batch any more.
    Reopened {
        /// The records.
        ranges: SeqRanges,
    },
    /// Someone wants this parked batch tried again; the shell keeps it with those that have no answer.
    Retry {
        /// The batch, as it was cut.
        batch: RestoredBatch,
    },
    /// Someone gave up these parked records: they are sent no more, and nobody waits for them. The shell has stored that.
    Dropped {
        /// The records; those that are not parked stay as they are.
        ranges: SeqRanges,
    },
    /// What day it is where the box stands, if anybody knows. Told once a minute.
    Calendar {
        /// The date.
        date: Option<Date>,
    },
    /// The way to the destination is open again: everything that waits is tried at once.
    LinkUp,
    /// Time passed.
    Tick,
}

/// Why a batch has to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transient {
    /// No connection: name, route, port.
    Unreachable,
    /// No trusted connection: certificate or TLS version.
    Untrusted,
    /// The connection broke half way.
    Broken,
    /// No answer in time; also found by the core itself.
    TimedOut,
    /// The destination asks for patience: HTTP 429, 503, 507.
    Overloaded,
    /// The destination has a fault of its own, or gave an answer that is none: HTTP 5xx and the rest.
    Faulty,
    /// The destination does not know this box: HTTP 401, 403. Someone may enrol it any minute.
    NotEnrolled,
    /// The destination believes the key no more that the batch is signed with.
    Revoked,
    /// The answer is not a receipt signed with the pinned key, or not for this batch.
    Unverified,
    /// The stored bytes could not be read here, so nothing was sent.
    Unreadable,
    /// The receipt is genuine but does not hold all records of the batch; found by the core.
    Short,
    /// The destination refuses it, and as much is put aside as may be; found by the core.
    ParkingFull,
}

impl Transient {
    /// Every cause, in the order of [`Counters::failed`](crate::Counters::failed).
    pub const ALL: [Transient; 12] = [
        Transient::Unreachable,
        Transient::Untrusted,
        Transient::Broken,
        Transient::TimedOut,
        Transient::Overloaded,
        Transient::Faulty,
        Transient::NotEnrolled,
        Transient::Revoked,
        Transient::Unverified,
        Transient::Unreadable,
        Transient::Short,
        Transient::ParkingFull,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Transient::Unreachable => "unreachable",
            Transient::Untrusted => "untrusted",
            Transient::Broken => "broken",
            Transient::TimedOut => "timed_out",
            Transient::Overloaded => "overloaded",
            Transient::Faulty => "faulty",
            Transient::NotEnrolled => "not_enrolled",
            Transient::Revoked => "key_revoked",
            Transient::Unverified => "receipt_unverified",
            Transient::Unreadable => "unreadable",
            Transient::Short => "receipt_short",
            Transient::ParkingFull => "parking_full",
        }
    }

    /// Whether the link is to blame: then any success frees every batch that waits for the same cause.
    pub(crate) fn is_link(self) -> bool {
        matches!(self, Transient::Unreachable | Transient::Broken | Transient::TimedOut)
    }

    /// Whether a connection was there and did not carry the batch to its end.
    pub(crate) fn is_half_way(self) -> bool {
        matches!(self, Transient::Broken | Transient::TimedOut)
    }

    /// Whether only a person can cure it: then the wait is near the ceiling from the first failure on.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Transient::NotEnrolled | Transient::Revoked | Transient::ParkingFull)
    }
}
