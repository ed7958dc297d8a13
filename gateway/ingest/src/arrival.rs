//! A frame on its way in.

use record::{GatewayEui, Link, SourceId};

use crate::{DecodeError, Decoded};

/// A frame as a socket hands it in.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// A PUBLISH of a client that the edge authenticated as `device`, on a topic of that device.
    Mqtt {
        /// The authenticated device.
        device: SourceId,
        /// Topic, QoS, packet identifier, level.
        link: Link,
        /// DUP flag: the client may have sent this before.
        dup: bool,
        /// The application message.
        payload: Vec<u8>,
        /// What [`DeviceTable::decode`](crate::DeviceTable::decode) read in it. Decoding needs no session, so it is done
        /// before judgement, beside the one thread that judges.
        decoded: Result<Decoded, DecodeError>,
    },
    /// A frame from the air, with nothing believed yet.
    Lora {
        /// The gateway that heard it.
        gateway: GatewayEui,
        /// Hz.
        frequency_hz: u32,
        /// `SF7BW125`.
        data_rate: String,
        /// dBm.
        rssi_dbm: Option<i16>,
        /// Tenths of a dB.
        snr_ddb: Option<i16>,
        /// The gateway's wrapping microsecond counter at the end of the packet.
        tmst_us: u32,
        /// PHYPayload.
        phy: Vec<u8>,
    },
}
