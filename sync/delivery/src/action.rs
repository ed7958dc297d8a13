//! What the shell must do.

use batch::{BatchId, Lane};
use record::SeqRanges;

use crate::Usage;

/// An order to the shell. They are given in the order in which they must be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read these records, sign and store a batch of them, then say [`Input::Cut`](crate::Input::Cut) or
    /// [`Input::NotCut`](crate::Input::NotCut). Only a leading part, one record at least, when `bytes_max` is reached.
    Cut {
        /// The lane.
        lane: Lane,
        /// The records: at most [`Config::records_max`](crate::Config) in at most [`RANGES_MAX`](crate::RANGES_MAX).
        ranges: SeqRanges,
        /// The most canonical bytes of records for which the link is good now, a record more or less.
        bytes_max: u64,
    },
    /// Send the stored bytes; an earlier try of the same batch that still runs is given up first.
    Send {
        /// The batch.
        id: BatchId,
        /// How long the answer may take. ms.
        timeout_ms: u64,
    },
    /// Send the stored bytes on a connection of their own, while the try under way is still waited for: the first answer of
    /// the two counts, and a failure only if the other one failed as well. At most once a [`Action::Send`].
    Hedge {
        /// The batch.
        id: BatchId,
        /// How long the answer may take, as long as that of the first try. ms.
        timeout_ms: u64,
    },
    /// Store durably what was carried by now, as [`Restored`](crate::Restored) gives it back, before anything else is sent.
    Note {
        /// It, and a little ahead.
        usage: Usage,
    },
    /// Store the receipt: the coverage grew by the batch.
    Advance {
        /// The batch.
        id: BatchId,
    },
    /// The batch cannot go as it is: take its bytes away for good. Its records come in smaller batches.
    Split {
        /// The batch.
        id: BatchId,
        /// What the destination said when it refused it; none if the link does not carry a batch of its size.
        reason: Option<String>,
    },
    /// Put the batch aside with the reason: it has one record, or some that nothing else has any more.
    Park {
        /// The batch.
        id: BatchId,
        /// What the destination said.
        reason: String,
    },
}
