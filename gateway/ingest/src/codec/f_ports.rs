//! The LoRaWAN ports that carry measurements.

use serde::Deserialize;

/// `f_ports`: the ports that carry measurements; empty for all. A device's configuration replies on another port are
/// then refused instead of read as water.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct FPorts(pub Vec<u8>);

/// A port that carries no measurements.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("payload came on FPort {f_port}, and `f_ports` of the device has only {f_ports:?}")]
pub struct FPortError {
    /// Where it came.
    pub f_port: u8,
    /// Where measurements come.
    pub f_ports: Vec<u8>,
}

impl FPorts {
    /// What comes without a port (MQTT) is not refused.
    ///
    /// # Errors
    /// [`FPortError`] if it came on another port.
    pub(super) fn check(&self, f_port: Option<u8>) -> Result<(), FPortError> {
        match f_port {
            Some(f_port) if !self.0.is_empty() && !self.0.contains(&f_port) => {
                Err(FPortError { f_port, f_ports: self.0.clone() })
            }
            _ => Ok(()),
        }
    }
}
