//! `[device.serial]`: a sensor behind a transparent LoRa module on a serial port.

use serde::Deserialize;

use super::keys::{DeviceKeys, MissingKey};
use super::seal::MacKey;

/// A sensor behind a transparent LoRa module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialDevice {
    /// What it calls itself in its frames; no two devices have the same.
    pub id: u16,
    /// Proves each of its frames.
    pub mac_key: MacKey,
}

/// `[device.serial]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SerialSection {
    id: u16,
}

impl SerialSection {
    pub(super) fn into_device(self, keys: &mut DeviceKeys) -> Result<SerialDevice, MissingKey> {
        let mac_key = keys.mac_key.take().ok_or(MissingKey("`mac_key`"))?;
        Ok(SerialDevice { id: self.id, mac_key })
    }
}
