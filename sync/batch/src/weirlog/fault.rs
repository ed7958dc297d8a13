//! What is wrong with an exported journal, and where.

use std::fmt;

use record::Seq;
use serde::{Serialize, Serializer};

/// Where the first fault is, in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The first item of the file.
    Header,
    /// The entry where this record belongs. Behind the last record, whatever else stands there and cannot be read.
    Record(Seq),
    /// The signed tree head over so many records.
    Checkpoint(u64),
    /// The last item of the file.
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Header => f.write_str("header"),
            Place::Record(seq) => write!(f, "record {seq}"),
            Place::Checkpoint(size) => write!(f, "checkpoint {size}"),
            Place::End => f.write_str("end"),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file does not begin as an exported journal does.
    #[error("the file does not begin as an exported journal does")]
    NoHeader,
    /// It is of another version of the format.
    #[error("the file is of version {found} of the format, this program reads version 1; update it")]
    Version {
        /// The version found.
        found: u64,
    },
    /// It names another key than the one it is to be verified with.
    #[error("the file names another public key than the given one")]
    OtherKey,
    /// The entry has none of the forms.
    #[error("record {at}: what stands there cannot be read: {why}")]
    Unreadable {
        /// The record that belongs there.
        at: Seq,
        /// What is wrong.
        why: &'static str,
    },
    /// The file ends without its last item.
    #[error("record {at}: the file ends here and was longer: it is cut")]
    Cut {
        /// The first record that is not there, or not whole.
        at: Seq,
    },
    /// Records are left out.
    #[error("record {at} is missing: the next entry is for {found}")]
    Missing {
        /// The first that is missing.
        at: Seq,
        /// The number that stands in its place.
        found: Seq,
    },
    /// A record stands behind a later one, or twice.
    #[error("record {at}: record {found} stands in its place")]
    OutOfOrder {
        /// The record that belongs there.
        at: Seq,
        /// The number that stands in its place.
        found: Seq,
    },
    /// The bytes are not those of the leaf hash beside them.
    #[error("record {at} was altered: its bytes do not fit its leaf hash")]
    Altered {
        /// Which.
        at: Seq,
    },
    /// The records fit the hashes beside them, and the signed tree head does not fit either.
    #[error("record {first} is the first that is not proven: one before {end} is not the one that was signed")]
    Unproven {
        /// The first behind the last tree head that fits.
        first: Seq,
        /// The size of the tree head that does not.
        end: Seq,
    },
    /// Behind the last tree head.
    #[error("record {first} is the first that is not signed: no tree head covers it")]
    Unsigned {
        /// The first of them.
        first: Seq,
    },
    /// A checkpoint that is no word of this box about the records before it.
    #[error("the signed tree head over the first {size} records is not valid: {why}")]
    Checkpoint {
        /// Records before it.
        size: u64,
        /// What is wrong.
        why: &'static str,
    },
    /// The last item is not the one that was written.
    #[error("the end of the file does not fit what is before it: {why}")]
    End {
        /// What is wrong.
        why: &'static str,
    },
}

impl Fault {
    /// Where it is.
    pub fn place(&self) -> Place {
        match *self {
            Fault::NoHeader | Fault::Version { .. } | Fault::OtherKey => Place::Header,
            Fault::Unreadable { at, .. }
            | Fault::Cut { at }
            | Fault::Missing { at, .. }
            | Fault::OutOfOrder { at, .. }
            | Fault::Altered { at } => Place::Record(at),
            Fault::Unproven { first, .. } | Fault::Unsigned { first } => Place::Record(first),
            Fault::Checkpoint { size, .. } => Place::Checkpoint(size),
            Fault::End { .. } => Place::End,
        }
    }

    /// One word for it, as `weirlog.cddl` has it.
    pub fn word(&self) -> &'static str {
        match self {
            Fault::NoHeader => "no_header",
            Fault::Version { .. } => "version",
            Fault::OtherKey => "other_key",
            Fault::Unreadable { .. } => "unreadable",
            Fault::Cut { .. } => "cut",
            Fault::Missing { .. } => "missing",
            Fault::OutOfOrder { .. } => "out_of_order",
            Fault::Altered { .. } => "altered",
            Fault::Unproven { .. } => "unproven",
            Fault::Unsigned { .. } => "unsigned",
            Fault::Checkpoint { .. } => "checkpoint",
            Fault::End { .. } => "end",
        }
    }
}
