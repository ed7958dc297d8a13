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

/// A DevEUI or JoinEUI: the same eight bytes, the same spelling.
pub type EndDeviceEui = GatewayEui;

/// What another gateway heard of the same frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Reception {
    /// Which gateway heard it.
    #[n(0)]
    pub gateway: GatewayEui,
    /// dBm; absent in some FSK reports.
    #[n(1)]
    pub rssi_dbm: Option<i16>,
    /// Tenths of a dB.
    #[n(2)]
    pub snr_ddb: Option<i16>,
    /// That gateway's microsecond counter, wrapping.
    #[n(3)]
    pub tmst_us: u32,
}

/// What a frame's own envelope proved (COSE_Sign1 or COSE_Mac0 around the payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Seal {
    /// The device's counter.
    #[n(0)]
    pub counter: u64,
    /// The device's own clock, milliseconds since 1970 UTC, if it stated one.
    #[n(1)]
    pub device_ms: Option<i64>,
    /// COSE algorithm number: -8 EdDSA, 5 HMAC 256/256, 4 HMAC 256/64.
    #[n(2)]
    pub alg: i32,
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
        /// The frame's own envelope, where it had one.
        #[n(4)]
        seal: Option<Seal>,
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
        /// Other gateways that heard the same frame, best first; `gateway` heard it best.
        #[n(9)]
        #[cbor(skip_if = "Vec::is_empty")]
        #[serde(skip_serializing_if = "Vec::is_empty")]
        others: Vec<Reception>,
    },
    /// A framed, authenticated packet of a transparent LoRa module on a serial port.
    #[n(2)]
    Serial {
        /// The port's name in the configuration.
        #[n(0)]
        port: String,
        /// The frame's own envelope, where it could be read.
        #[n(1)]
        seal: Option<Seal>,
    },
    /// An `up` event of a ChirpStack beside the box. ChirpStack verified it, this box could not: weaker than
    /// [`Link::Lora`], because the PHYPayload with its MIC is not part of the event.
    #[n(3)]
    Chirpstack {
        /// DevEUI.
        #[n(0)]
        dev_eui: EndDeviceEui,
        /// DevAddr, as a number.
        #[n(1)]
        dev_addr: u32,
        /// The 32-bit frame counter that ChirpStack states.
        #[n(2)]
        f_cnt: u32,
        /// FPort.
        #[n(3)]
        f_port: u8,
        /// Hz; 0 if not stated.
        #[n(4)]
        frequency_hz: u32,
        /// Gateways that heard it, best first.
        #[n(5)]
        heard_by: Vec<Reception>,
    },
    /// A LoRaWAN join-request.
    #[n(4)]
    Join {
        /// Which gateway heard it.
        #[n(0)]
        gateway: GatewayEui,
        /// DevEUI.
        #[n(1)]
        dev_eui: EndDeviceEui,
        /// JoinEUI (AppEUI in LoRaWAN 1.0).
        #[n(2)]
        join_eui: EndDeviceEui,
        /// DevNonce.
        #[n(3)]
        dev_nonce: u16,
        /// Hz.
        #[n(4)]
        frequency_hz: u32,
        /// `SF7BW125`.
        #[n(5)]
        data_rate: String,
        /// dBm.
        #[n(6)]
        rssi_dbm: Option<i16>,
        /// Tenths of a dB.
        #[n(7)]
        snr_ddb: Option<i16>,
        /// The DevAddr that was given, if the join was accepted.
        #[n(8)]
        dev_addr: Option<u32>,
    },
}
