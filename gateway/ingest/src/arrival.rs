//! A frame on its way in.

use lorawan::DataRate;
use record::{GatewayEui, Link, MonoMs, Reception, SourceId};

use crate::Content;

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
        /// What [`DeviceTable::open`](crate::DeviceTable::open) read in it. Opening and decoding need no session, so it
        /// is done before judgement, beside the one thread that judges.
        content: Content,
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
    },
    /// An `up` event of a ChirpStack, from a client that may publish such.
    Chirpstack {
        /// The event.
        up: chirpstack::Up,
        /// Its bytes.
        raw: Vec<u8>,
    },
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
}
