//! `[device.chirpstack]`: a LoRaWAN device whose network server is a ChirpStack beside the box.

use ::lorawan::DevEui;
use serde::Deserialize;

/// A device that ChirpStack verifies. The box has none of its keys, so what comes from it is weaker evidence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChirpstackDevice {
    /// DevEUI, as 16 hex digits.
    pub dev_eui: DevEui,
}
