//! A frame on its way in.

use lorawan::DataRate;
use record::{GatewayEui, Link, MonoMs, Reason, Reception, SourceId};

use crate::{Content, DecodeError, Decoded, DecodedPayload};

/// A frame as a socket hands it in.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A PUBLISH of a client that the edge authenticated as `device`, on a topic of that device.
    Mqtt {
        /// The authenticated device.
        device: SourceId,
        /// Topic, QoS, packet identifier, level; its seal is filled in here.
        link: Link,
        /// DUP flag: the client may have sent this before.
        dup: bool,
        /// The application message.
        payload: Vec<u8>,
        /// What [`DeviceTable::open`](crate::DeviceTable::open) read in it, if somebody has: opening and decoding need no
        /// session, so that what is quick is done beforehand, beside the one thread that judges.
        content: Option<Content>,
    },
    /// A frame from the air, with nothing believed yet.
    Lora(LoraArrival),
    /// A frame of a transparent LoRa module, with nothing believed yet.
    Serial {
        /// The port's name in the configuration.
        port: String,
        /// The frame's kind says that the device waits for an acknowledgement.
        confirmed: bool,
        /// The envelope (COSE_Mac0).
        envelope: Vec<u8>,
        /// Of [`Undecoded::decode`](crate::Undecoded::decode).
        decoded: Option<DecodedPayload>,
    },
    /// An event of a ChirpStack, from the client that may publish such.
    Chirpstack {
        /// The authenticated client.
        integration: SourceId,
        /// Topic, QoS, packet identifier, level.
        link: Link,
        /// The application that the topic names.
        application_id: String,
        /// The event, or why it is none. Reading it needs no session, so it is done before judgement.
        event: Result<chirpstack::Event, EventFault>,
        /// Its bytes.
        raw: Vec<u8>,
        /// Of [`Undecoded::decode`](crate::Undecoded::decode).
        decoded: Option<Result<Option<Decoded>, DecodeError>>,
    },
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventFault {
    /// [`Reason::UnsupportedType`] of a kind that ChirpStack does not have, else [`Reason::Malformed`].
    pub why: Reason,
    /// In words.
    pub detail: String,
}

impl From<chirpstack::EventError> for EventFault {
    fn from(error: chirpstack::EventError) -> EventFault {
        let why = match error {
            chirpstack::EventError::Kind { .. } => Reason::UnsupportedType,
            _ => Reason::Malformed,
        };
        let causes = std::iter::successors(std::error::Error::source(&error), |error| error.source());
        let detail = causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"));
        EventFault { why, detail }
    }
}

impl Arrival {
    /// How much of it there is: what it costs to let it wait.
    pub fn bytes(&self) -> usize {
        match self {
            Arrival::Mqtt { payload, .. } => payload.len(),
            Arrival::Lora(heard) => heard.phy.len(),
            Arrival::Serial { envelope, .. } => envelope.len(),
            Arrival::Chirpstack { raw, .. } => raw.len(),
        }
    }
}

/// A frame from the air.
#[derive(Debug, Clone)]
pub struct LoraArrival {
    /// The gateway that heard it best.
    pub gateway: GatewayEui,
    /// The other gateways that heard it, best first.
    pub others: Vec<Reception>,
    /// Hz.
    pub frequency_hz: u32,
    /// Spreading factor and bandwidth.
    pub data_rate: DataRate,
    /// dBm.
    pub rssi_dbm: Option<i16>,
    /// Tenths of a dB.
    pub snr_ddb: Option<i16>,
    /// The gateway's wrapping microsecond counter at the end of the packet.
    pub tmst_us: u32,
    /// When it reached the box, a few milliseconds after it ended; in the boot of the stamp it is judged with.
    pub received_at: MonoMs,
    /// PHYPayload.
    pub phy: Vec<u8>,
    /// Of [`Undecoded::decode`](crate::Undecoded::decode).
    pub decoded: Option<DecodedPayload>,
}
