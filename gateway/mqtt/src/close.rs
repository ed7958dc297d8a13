//! Why a connection ends: how it is counted, and what an MQTT 5 client is told.

use crate::counters::{Counter, Counters};
use crate::packet::Fault;

/// Why a connection ends. Each has its counter; those with a code are said in DISCONNECT (MQTT 5 §3.14.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// DISCONNECT: the client said goodbye. `send_will`: its will is due all the same.
    Goodbye { send_will: bool, expiry_s: Option<u32> },
    /// The socket was closed or broke.
    Hangup,
    /// No complete CONNECT in time.
    ConnectTimeout,
    /// Not MQTT.
    Malformed,
    /// MQTT at the wrong moment.
    Protocol,
    /// A packet above the limit.
    Oversize,
    /// PUBLISH to a topic of somebody else.
    ForeignTopic,
    /// PUBLISH with the retain flag.
    Retain,
    /// PUBLISH with a topic alias.
    TopicAlias,
    /// SUBSCRIBE to a topic of somebody else.
    Subscribe,
    /// SUBSCRIBE with a subscription identifier.
    SubscriptionId,
    /// Silence.
    Idle,
    /// The client does not take our bytes.
    WriteStalled,
    /// A publish at QoS 1 or 2, or a subscription of a kept session, could not be stored.
    NotStored,
    /// The same client connected again.
    TakenOver,
    /// The edge stops.
    ShuttingDown,
    /// The router, or our link to it, is gone.
    Router,
}

impl From<Fault> for Close {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed => Self::Malformed,
            Fault::Unexpected => Self::Protocol,
            Fault::Oversize => Self::Oversize,
        }
    }
}

impl Close {
    /// What is counted, if it is not a normal end.
    pub(crate) fn counter(self, counters: &Counters) -> Option<&Counter> {
        Some(match self {
            Self::Goodbye { .. } | Self::Hangup | Self::ShuttingDown => return None,
            // Counted where it happens.
            Self::NotStored => return None,
            Self::ConnectTimeout => &counters.connect_timeout,
            Self::Malformed => &counters.malformed,
            Self::Protocol | Self::SubscriptionId => &counters.protocol_error,
            Self::Oversize => &counters.oversize,
            Self::ForeignTopic => &counters.foreign_topic,
            Self::Retain => &counters.retain_refused,
            Self::TopicAlias => &counters.topic_alias_refused,
            Self::Subscribe => &counters.subscribe_refused,
            Self::Idle => &counters.idle,
            Self::WriteStalled => &counters.write_stalled,
            Self::TakenOver => &counters.takeover,
            Self::Router => &counters.router,
        })
    }

    /// Reason code and Reason String, if the client can still be told.
    pub(crate) fn told(self) -> Option<(u8, &'static str)> {
        Some(match self {
            Self::Goodbye { .. } | Self::Hangup | Self::ConnectTimeout | Self::WriteStalled => return None,
            Self::Malformed => (0x81, "malformed packet; check the client library"),
            Self::Protocol => (0x82, "this packet is not allowed now; check the client library"),
            Self::Oversize => (0x95, "packet too large; send smaller ones, CONNACK states the maximum"),
            Self::ForeignTopic => (0x87, "publish only to the topics configured for this device"),
            Self::Retain => (0x9A, "retained messages are not supported; publish without the retain flag"),
            Self::TopicAlias => (0x94, "topic aliases are not supported; send the whole topic"),
            Self::Subscribe => (0x87, "subscribe only to the topics configured for this device"),
            Self::SubscriptionId => (0xA1, "subscription identifiers are not supported; subscribe without"),
            Self::Idle => (0x8D, "nothing was heard in time; ping within the keep-alive"),
            Self::NotStored => (0x97, "the packet could not be stored; connect again and send it again"),
            Self::TakenOver => (0x8E, "the same client id connected again; give each device its own"),
            Self::ShuttingDown => (0x8B, "the gateway stops; connect again later"),
            Self::Router => (0x83, "internal error; connect again"),
        })
    }
}
