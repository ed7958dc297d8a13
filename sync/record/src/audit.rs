//! What people and platforms ordered on the box: the trail that its data need before a court.

mod outcome;
mod wire;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

pub use outcome::{Configuring, Notification, SampleStep, Settlement, TestPort};
use wire::{
    as_hex, bounded, bounded_bytes, bounded_command, bounded_frame, bounded_option, bytes_as_hex, bytes_from_hex,
    from_hex,
};

use crate::{ConfigFile, RelayId, RuleId, Seq, SeqRange, SourceId, UnixMs};

/// Somebody ordered something that changes what is sent, kept or believed. Committed before it is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Audit {
    /// Who.
    #[n(0)]
    pub by: Actor,
    /// What.
    #[n(1)]
    #[serde(flatten)]
    pub act: Act,
    /// Why, in that one's words: at most [`Audit::TEXT_BYTES_MAX`].
    #[n(2)]
    #[cbor(decode_with = "bounded")]
    pub reason: String,
}

/// Who ordered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A user of the box: the number that its kernel knows of whoever asked.
    #[n(0)]
    User(#[n(0)] u32),
    /// A platform of this name, by a command that it signed.
    #[n(1)]
    Platform(
        #[n(0)]
        #[cbor(decode_with = "bounded")]
        String,
    ),
    /// The box itself: nobody did what had to be done in time, or what was done proved itself.
    #[n(2)]
    Box,
}

/// What was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "act")]
pub enum Act {
    /// A platform refused records, and gets them no more.
    #[n(0)]
    Dropped {
        /// The platform.
        #[n(0)]
        #[cbor(decode_with = "bounded")]
        platform: String,
        /// The records.
        #[n(1)]
        records: SeqRange,
    },
    /// Records are kept until they are released, whatever the age and the room.
    #[n(1)]
    Pinned {
        /// The records.
        #[n(0)]
        records: SeqRange,
    },
    /// A pin is taken away.
    #[n(2)]
    Released {
        /// The record that pinned.
        #[n(0)]
        pin: Seq,
    },
    /// A platform is believed by this key from now on.
    #[n(3)]
    Enrolled {
        /// The platform.
        #[n(0)]
        #[cbor(decode_with = "bounded")]
        platform: String,
        /// Its Ed25519 key.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
        key: [u8; 32],
    },
    /// A platform sent a command that it signed. Unless it is refused it is carried out.
    #[n(4)]
    Commanded {
        /// The command's own: later ones of the same platform have larger ones.
        #[n(0)]
        number: u64,
        /// What it orders, by its stable name: `resend`, `sampling`, `rules`.
        #[n(1)]
        #[cbor(decode_with = "bounded")]
        order: String,
        /// The command as the platform signed it (COSE_Sign1), at most [`Audit::COMMAND_BYTES_MAX`].
        #[n(2)]
        #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "bounded_command")]
        #[serde(serialize_with = "bytes_as_hex", deserialize_with = "bytes_from_hex")]
        command: Vec<u8>,
        /// Why it is not carried out.
        #[n(3)]
        #[cbor(decode_with = "bounded_option")]
        refused: Option<String>,
    },
    /// What became of rules or configuration files that a platform commanded.
    #[n(7)]
    Settled {
        /// The record with the command.
        #[n(0)]
        command: Seq,
        /// Whether they stay.
        #[n(1)]
        outcome: Settlement,
    },
    /// A key took the place of another one: of the box, or of a platform that it believes.
    #[n(5)]
    KeyChanged {
        /// Signed by who could say so: a `key-change` or a `succession` of `batch.cddl`, at most
        /// [`Act::STATEMENT_BYTES_MAX`].
        #[n(0)]
        #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "bounded_bytes")]
        #[serde(serialize_with = "bytes_as_hex", deserialize_with = "bytes_from_hex")]
        statement: Vec<u8>,
    },
    /// Somebody has seen an alarm. The transition that follows has the cause of the alarm.
    #[n(6)]
    Acknowledged {
        /// The rule that judged.
        #[n(0)]
        rule: RuleId,
        /// The device that it judged.
        #[n(1)]
        source: SourceId,
    },
    /// People were told of an alarm, or nobody could be. Names of levels and channels alone: no person's number.
    #[n(9)]
    Notified {
        /// The record that raised the alarm.
        #[n(0)]
        alarm: Seq,
        /// The level of the ladder.
        #[n(1)]
        #[cbor(decode_with = "bounded")]
        level: String,
        /// What came of it.
        #[n(2)]
        outcome: Notification,
        /// By which channel, if one took the message.
        #[n(3)]
        #[cbor(decode_with = "bounded_option")]
        channel: Option<String>,
    },
    /// An alarm is set aside: it goes on being judged and journaled, and is not shown among those that stand, until then
    /// (ISA-18.2: shelved).
    #[n(10)]
    Shelved {
        /// The rule that judges.
        #[n(0)]
        rule: RuleId,
        /// The device that it judges.
        #[n(1)]
        source: SourceId,
        /// By the box's clock; none: it is shelved no more.
        #[n(2)]
        until_ms: Option<UnixMs>,
    },
    /// A retained sample (留样): before a relay is switched for it, what came of it, and why none is taken.
    #[n(11)]
    Sampled {
        /// The sampler.
        #[n(0)]
        sampler: RelayId,
        /// What of it.
        #[n(1)]
        step: SampleStep,
        /// Which bottle, from 1 on; of one that is not taken: how many are used.
        #[n(2)]
        bottle: u16,
        /// Of how many in the sampler.
        #[n(3)]
        bottles: u16,
        /// The record that raised the alarm that asks for it; none: a person or a platform did.
        #[n(4)]
        alarm: Option<Seq>,
    },
    /// Somebody put empty bottles into a sampler.
    #[n(12)]
    Refilled {
        /// The sampler.
        #[n(0)]
        sampler: RelayId,
        /// So many are in it from now on, all empty.
        #[n(1)]
        bottles: u16,
    },
    /// An alarm that latches is let go: somebody has acknowledged it, and its value is back (ISA-18.2: reset).
    #[n(13)]
    Reset {
        /// The rule that judges.
        #[n(0)]
        rule: RuleId,
        /// The device that it judges.
        #[n(1)]
        source: SourceId,
    },
    /// A test frame came in, and was stored as every frame is: by whoever asked for the self-test. It is no measurement, and no
    /// device sent it.
    #[n(14)]
    SelfTested {
        /// The way it came.
        #[n(0)]
        port: TestPort,
        /// Its exact bytes: at most [`Act::TEST_FRAME_BYTES_MAX`].
        #[n(1)]
        #[cbor(encode_with = "minicbor::bytes::encode", decode_with = "bounded_frame")]
        #[serde(serialize_with = "bytes_as_hex", deserialize_with = "bytes_from_hex")]
        frame: Vec<u8>,
    },
    /// A configuration file of the box gets another text; it counts from the next start of the daemon that reads it, rules at
    /// once.
    #[n(8)]
    Configured {
        /// The file.
        #[n(0)]
        file: ConfigFile,
        /// SHA-256 of its text from now on; of the rules, of the text of all their files.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
        sha256: [u8; 32],
        /// Whether it had that text before.
        #[n(2)]
        how: Configuring,
    },
}

impl Act {
    /// Longest statement about keys, in bytes.
    pub const STATEMENT_BYTES_MAX: usize = 4_096;
    /// Longest test frame, in bytes.
    pub const TEST_FRAME_BYTES_MAX: usize = 256;

    /// The stable name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Act::Dropped { .. } => "dropped",
            Act::Pinned { .. } => "pinned",
            Act::Released { .. } => "released",
            Act::Enrolled { .. } => "enrolled",
            Act::Commanded { .. } => "commanded",
            Act::Settled { .. } => "settled",
            Act::KeyChanged { .. } => "key_changed",
            Act::Acknowledged { .. } => "acknowledged",
            Act::Shelved { .. } => "shelved",
            Act::Reset { .. } => "reset",
            Act::Configured { .. } => "configured",
            Act::Notified { .. } => "notified",
            Act::Sampled { .. } => "sampled",
            Act::Refilled { .. } => "refilled",
            Act::SelfTested { .. } => "self_tested",
        }
    }
}

impl Audit {
    /// Longest text of an entry, in bytes.
    pub const TEXT_BYTES_MAX: usize = 1_000;
    /// Longest command of a platform, in bytes: the rules of a large box have a third of it.
    pub const COMMAND_BYTES_MAX: usize = 32 * 1024;

    /// Whether every text and statement keeps its bound.
    pub fn is_bounded(&self) -> bool {
        let by = match &self.by {
            Actor::User(_) | Actor::Box => "",
            Actor::Platform(platform) => platform,
        };
        let act = match &self.act {
            Act::Dropped { platform, .. } | Act::Enrolled { platform, .. } => platform,
            Act::Commanded { command, .. } if command.len() > Audit::COMMAND_BYTES_MAX => return false,
            Act::KeyChanged { statement } if statement.len() > Act::STATEMENT_BYTES_MAX => return false,
            Act::SelfTested { frame, .. } if frame.len() > Act::TEST_FRAME_BYTES_MAX => return false,
            Act::Commanded { refused, .. } => refused.as_deref().unwrap_or_default(),
            Act::Notified { channel, .. } => channel.as_deref().unwrap_or_default(),
            Act::Pinned { .. }
            | Act::Released { .. }
            | Act::KeyChanged { .. }
            | Act::Settled { .. }
            | Act::Acknowledged { .. }
            | Act::Shelved { .. }
            | Act::Reset { .. }
            | Act::Sampled { .. }
            | Act::Refilled { .. }
            | Act::SelfTested { .. }
            | Act::Configured { .. } => "",
        };
        let also = match &self.act {
            Act::Notified { level, .. } => level.as_str(),
            _ => "",
        };
        [by, act, also, &self.reason].into_iter().all(|text| text.len() <= Audit::TEXT_BYTES_MAX)
    }
}
