//! What an order came to, and by which way: the words of the trail.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

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
