//! What an evidence file proves, statement by statement.

use std::fmt;

use batch::weirlog::Fault;
use batch::{Asked, BoxId, Checkpoint, Heir, PlatformId, PublicKey};
use record::{Seq, Stamp, UnixMs};
use serde::Serialize;

use crate::receipts::Receipts;

/// What a statement is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It follows from the file and the keys that were given.
    Proven,
    /// Nothing contradicts it, and nothing proves it.
    Open,
    /// The file contradicts itself or a key: it was altered, or never was what it says.
    Wrong,
}

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is worth.
    pub state: State,
    /// What it says.
    pub what: What,
}

/// What is said. Words and conditions are those of `evidence.cddl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The file is byte for byte what the rule makes of its parts.
    Container {
        /// Parts.
        parts: usize,
        /// The first part that does not fit its checksum.
        altered: Option<String>,
    },
    /// The box sealed exactly these parts.
    Seal {
        /// What it sealed, if the seal is its word.
        sealed: Option<Sealed>,
        /// The first part that is not the sealed one.
        other: Option<String>,
    },
    /// Whose word all of it is.
    Key {
        /// The key that seal and tree heads were verified with.
        key: PublicKey,
        /// Whether the caller gave it.
        given: bool,
    },
    /// Which keys the box had, and that each was its.
    Keys {
        /// The given one first; each with who vouches for it.
        keys: Vec<Heir>,
        /// Signed tree heads that prove nothing, because nobody vouches for their key.
        unvouched: u64,
    },
    /// What a key signed here that a platform revoked.
    Revoked(Revoked),
    /// The records are those that the box signed.
    Records {
        /// Whose.
        box_id: Option<BoxId>,
        /// How many.
        records: u64,
        /// The first signed tree head that covers them.
        covering: Option<Checkpoint>,
        /// What is wrong.
        fault: Option<RecordsFault>,
    },
    /// `readings.csv` is what the records say.
    Readings,
    /// `report.html` is what the records say.
    Report {
        /// Version of its rule.
        version: u32,
    },
    /// What a platform confirmed.
    Receipts(Receipts),
    /// The text of each codec that decoded something is among the records.
    Codecs {
        /// Codecs that decoded something.
        used: usize,
        /// Those whose text is not here.
        untold: usize,
    },
    /// What people entered by hand is their word: proven is only that it was entered then, and never altered since.
    Stated {
        /// Samples.
        samples: usize,
        /// Patrols.
        patrols: usize,
    },
    /// The alarm is among the records, and what caused it.
    Alarm {
        /// Which.
        seq: Seq,
    },
    /// No record of the time that was asked for is left out.
    Complete(Complete),
    /// When the records of that time were made.
    Times(Times),
}

/// What a revoked key signed in this file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Revoked {
    /// Who revoked it.
    pub platform: PlatformId,
    /// Which, if that platform's key was given and signed the revocation; else it says nothing.
    pub key: Option<PublicKey>,
    /// From when on.
    pub from_ms: Option<UnixMs>,
    /// Why.
    pub reason: Option<String>,
    /// Tree heads that it signed before, by its own clock.
    pub before: u64,
    /// Tree heads that it signed from then on, none of which proves anything.
    pub after: u64,
    /// Whether it sealed the file from then on.
    pub sealed_after: bool,
    /// Whether a platform had all records of the file before then, by its own clock and its receipt.
    pub confirmed: bool,
}

/// What the box sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// The box.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// What was asked.
    pub asked: Asked,
    /// When it sealed.
    pub stamp: Stamp,
}

/// Why the records prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordsFault {
    /// They are not those that were signed.
    Log(Fault),
    /// The record is proven, and of a kind that this program does not know.
    Strange(Seq),
    /// They are of another box than the one that sealed.
    OtherBox,
}

/// Which numbers of the window are here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Complete {
    /// Numbers from the first to the last record of that time.
    pub numbers: u64,
    /// Of these, records in the file.
    pub here: u64,
    /// Of the others, those of which a gap record tells that the box lost them or let them go.
    pub gone: u64,
    /// Whether the records before and behind are here, and lie outside of that time.
    pub bounded: bool,
}

impl Complete {
    /// Numbers of which the file does not say what became of them.
    pub fn untold(&self) -> u64 {
        self.numbers - self.here - self.gone
    }
}

/// What the clock was worth, in records of the window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// Stamped while a time source disciplined the clock.
    pub synchronised: u64,
    /// Stamped by a clock that one had disciplined, with a bound of its error.
    pub holdover: u64,
    /// Stamped before anybody told the time.
    pub unset: u64,
    /// Whose time is known only from what their boot learned later.
    pub corrected: u64,
    /// Whose time is not known.
    pub unknown: u64,
    /// The largest bound of error of a known time, ± ms.
    pub error_ms_max: u64,
    /// The earliest and the latest known time.
    pub first_ms: Option<UnixMs>,
    /// The latest.
    pub last_ms: Option<UnixMs>,
}

impl What {
    /// The stable word.
    pub fn word(&self) -> &'static str {
        match self {
            What::Container { .. } => "container",
            What::Seal { .. } => "seal",
            What::Key { .. } => "key",
            What::Keys { .. } => "keys",
            What::Revoked(_) => "revoked",
            What::Records { .. } => "records",
            What::Readings => "readings",
            What::Report { .. } => "report",
            What::Receipts(_) => "receipts",
            What::Codecs { .. } => "codecs",
            What::Stated { .. } => "stated",
            What::Alarm { .. } => "alarm",
            What::Complete(_) => "complete",
            What::Times(_) => "times",
        }
    }

    /// What of the file it is about: a part, a platform, or the place of the first fault.
    pub fn about(&self) -> Option<String> {
        match self {
            What::Container { altered: part, .. } | What::Seal { other: part, .. } => part.clone(),
            What::Keys { keys, .. } => keys.iter().find(|heir| heir.by.is_none()).map(|heir| heir.key.id().to_string()),
            What::Revoked(Revoked { key: Some(key), .. }) => Some(key.id().to_string()),
            What::Revoked(Revoked { platform, .. }) => Some(platform.to_string()),
            What::Records { fault, .. } => fault.map(|fault| fault.to_string()),
            What::Receipts(Receipts { fault: Some((name, _)), .. }) => Some(name.clone()),
            What::Receipts(receipts) => Some(receipts.platform.to_string()),
            What::Alarm { seq } => Some(seq.to_string()),
            _ => None,
        }
    }
}

/// `place: word`, as `weirlog.cddl` has them.
impl fmt::Display for RecordsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecordsFault::Log(fault) => write!(f, "{}: {}", fault.place(), fault.word()),
            RecordsFault::Strange(seq) => write!(f, "record {seq}: strange"),
            RecordsFault::OtherBox => f.write_str("header: other_box"),
        }
    }
}

/// What an evidence file proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The statements, in the order in which they build on each other. Where one that others build on is wrong, those are
    /// not made.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// Whether nothing is wrong. What is open is no fault: what a caller needs proven he must look for.
    pub fn holds(&self) -> bool {
        self.findings.iter().all(|finding| finding.state != State::Wrong)
    }

    pub(crate) fn add(&mut self, state: State, what: What) {
        self.findings.push(Finding { state, what });
    }
}
