//! On which way a frame came in, and what the radio or broker said about it.

use minicbor::{Decode, Encode};
use serde::Serialize;

/// A LoRa gateway's EUI-64, as eight bytes big-endian; shown as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct GatewayEui(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 8],
);

impl std::fmt::Display for GatewayEui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for GatewayEui {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for GatewayEui {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a frame came from, kept with it for ever.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "by")]
pub enum Link {
    /// An MQTT PUBLISH.
    #[n(0)]
    Mqtt {
        /// Topic name.
        #[n(0)]
        topic: String,
        /// 0, 1 or 2.
        #[n(1)]
        qos: u8,
        /// Packet identifier; none at QoS 0.
        #[n(2)]
        packet_id: Option<u16>,
        /// Protocol level: 4 is MQTT 3.1.1, 5 is MQTT 5.
        #[n(3)]
        level: u8,
    },
    /// A LoRaWAN data uplink heard by a gateway (GWMP `rxpk`).
    #[n(1)]
    Lora {
        /// Which gateway heard it.
        #[n(0)]
        gateway: GatewayEui,
        /// DevAddr, as a number.
        #[n(1)]
        dev_addr: u32,
        /// The full 32-bit frame counter that verified; the low 16 bits as sent if nothing verified.
        #[n(2)]
        f_cnt: u32,
        /// FPort, if the frame has one.
        #[n(3)]
        f_port: Option<u8>,
        /// Hz.
        #[n(4)]
        frequency_hz: u32,
        /// `SF7BW125`.
        #[n(5)]
        data_rate: String,
        /// dBm; absent in some FSK reports.
        #[n(6)]
        rssi_dbm: Option<i16>,
        /// Tenths of a dB.
        #[n(7)]
        snr_ddb: Option<i16>,
        /// The gateway's microsecond counter, wrapping.
        #[n(8)]
        tmst_us: u32,
    },
}
