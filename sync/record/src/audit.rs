//! What people and platforms ordered on the box: the trail that its data need before a court.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::{Deserialize, Deserializer, Serialize};

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
        /// The record that raised the alarm that asks for it; none: a person did.
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

/// How a test frame came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum TestPort {
    /// Through the MQTT port of the sensors, by a client let in for this one frame.
    #[n(0)]
    Mqtt,
    /// By the control socket: the box listens to no MQTT.
    #[n(1)]
    Control,
}

impl TestPort {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            TestPort::Mqtt => "mqtt",
            TestPort::Control => "control",
        }
    }
}

/// How a configuration file gets another text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Configuring {
    /// It is new.
    #[n(0)]
    Applied,
    /// It was kept from an earlier time.
    #[n(1)]
    RolledBack,
}

impl Configuring {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Configuring::Applied => "applied",
            Configuring::RolledBack => "rolled_back",
        }
    }
}

/// What came of telling people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Notification {
    /// The first message of this alarm got through.
    #[n(0)]
    Delivered,
    /// Nobody acknowledged in time: this level is told as well.
    #[n(1)]
    Escalated,
    /// The highest level was told, and no channel took a message.
    #[n(2)]
    Unreached,
}

impl Notification {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Notification::Delivered => "delivered",
            Notification::Escalated => "escalated",
            Notification::Unreached => "unreached",
        }
    }
}

/// What a record tells of a retained sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum SampleStep {
    /// The sampler is told to take it. The bottle counts as used.
    #[n(0)]
    Started,
    /// The relay was on for its time.
    #[n(1)]
    Taken,
    /// The relay was never on: the bottle is still empty.
    #[n(2)]
    Failed,
    /// The box stopped or crashed in the middle of it, or the relay could not be switched off in time: the bottle may have
    /// less in it, or nothing.
    #[n(3)]
    Uncertain,
    /// None is taken: the last one was taken a short time ago.
    #[n(4)]
    CoolingDown,
    /// None is taken: every bottle is used.
    #[n(5)]
    NoBottle,
    /// None is taken: the sampler is at work.
    #[n(6)]
    Busy,
    /// None is taken: the box has no such sampler, or it is switched off, or its line cannot be opened.
    #[n(7)]
    Unavailable,
    /// None is taken: somebody has set the alarm aside, or its rule suppresses it.
    #[n(8)]
    Shelved,
}

impl SampleStep {
    /// All of them.
    pub const ALL: [SampleStep; 9] = [
        SampleStep::Started,
        SampleStep::Taken,
        SampleStep::Failed,
        SampleStep::Uncertain,
        SampleStep::CoolingDown,
        SampleStep::NoBottle,
        SampleStep::Busy,
        SampleStep::Unavailable,
        SampleStep::Shelved,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            SampleStep::Started => "started",
            SampleStep::Taken => "taken",
            SampleStep::Failed => "failed",
            SampleStep::Uncertain => "uncertain",
            SampleStep::CoolingDown => "cooling_down",
            SampleStep::NoBottle => "no_bottle",
            SampleStep::Busy => "busy",
            SampleStep::Unavailable => "unavailable",
            SampleStep::Shelved => "shelved",
        }
    }

    /// Whether it says why none is taken.
    pub fn is_refusal(self) -> bool {
        !matches!(self, SampleStep::Started | SampleStep::Taken | SampleStep::Failed | SampleStep::Uncertain)
    }
}

/// What became of rules that a platform commanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The platform's receipt showed in time that the box delivers: they stay.
    #[n(0)]
    Kept,
    /// They did not prove themselves: those before them are in force again.
    #[n(1)]
    RolledBack,
    /// The box's own were changed by hand after it: those count.
    #[n(2)]
    Superseded,
}

impl Settlement {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Settlement::Kept => "kept",
            Settlement::RolledBack => "rolled_back",
            Settlement::Superseded => "superseded",
        }
    }
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

fn bounded<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let text = d.str()?;
    if text.len() > Audit::TEXT_BYTES_MAX {
        return Err(decode::Error::message("a text of an audit entry has at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

fn bounded_option<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Option<String>, decode::Error> {
    match d.datatype()? {
        minicbor::data::Type::Null => d.null().map(|()| None),
        _ => bounded(d, ctx).map(Some),
    }
}

fn bounded_command<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Audit::COMMAND_BYTES_MAX {
        return Err(decode::Error::message("a command has at most 32768 bytes"));
    }
    Ok(bytes.to_owned())
}

fn bounded_bytes<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Act::STATEMENT_BYTES_MAX {
        return Err(decode::Error::message("a statement about keys has at most 4096 bytes"));
    }
    Ok(bytes.to_vec())
}

fn bounded_frame<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Act::TEST_FRAME_BYTES_MAX {
        return Err(decode::Error::message("a test frame has at most 256 bytes"));
    }
    Ok(bytes.to_vec())
}

fn bytes_as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}

fn bytes_from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}

fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&text, &mut bytes).map_err(|_| serde::de::Error::custom("it is not 64 hex digits"))?;
    Ok(bytes)
}
