//! `[mqtt]`: the MQTT edge.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ::mqtt::{Limits, TlsFiles};
use serde::Deserialize;

/// The MQTT edge.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mqtt {
    /// Whether to listen at all.
    pub enabled: bool,
    /// Address and port in clear text, unless systemd hands a socket over.
    pub listen: SocketAddr,
    /// Connections at one time.
    pub connections_max: usize,
    /// Largest packet in bytes.
    pub packet_bytes_max: usize,
    /// Packets a second of one device; beyond it the device is held back.
    pub packets_per_second_max: u32,
    /// Bytes a second of one device; beyond it the device is held back.
    pub bytes_per_second_max: u32,
    /// How long a session without a connection is kept at most, 0 to 168 hours.
    pub session_hours_max: u64,
    /// The same over TLS.
    pub tls: MqttTls,
}

/// The listener with TLS. Its files are read at the start of the daemon only.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MqttTls {
    /// Whether to listen.
    pub enabled: bool,
    /// Address and port.
    pub listen: SocketAddr,
    /// The box's certificate (PEM), relative to this file.
    pub cert: PathBuf,
    /// Its private key (PEM), relative to this file.
    pub key: PathBuf,
    /// Who signs the devices' certificates (PEM), relative to this file.
    pub client_ca: Option<PathBuf>,
    /// Whether a device without a certificate is refused.
    pub require_client_cert: bool,
}

impl Default for Mqtt {
    fn default() -> Mqtt {
        let limits = Limits::default();
        Mqtt {
            enabled: true,
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            connections_max: limits.connections_max,
            packet_bytes_max: limits.packet_bytes_max,
            packets_per_second_max: limits.packets_per_second_max,
            bytes_per_second_max: limits.bytes_per_second_max,
            session_hours_max: limits.session_expiry_max.as_secs() / 3_600,
            tls: MqttTls::default(),
        }
    }
}

impl Default for MqttTls {
    fn default() -> MqttTls {
        MqttTls {
            enabled: false,
            listen: SocketAddr::from(([0, 0, 0, 0], 8883)),
            cert: "mqtt.crt".into(),
            key: "mqtt.key".into(),
            client_ca: None,
            require_client_cert: false,
        }
    }
}

impl MqttTls {
    /// Takes relative paths as those of files in this folder.
    pub(super) fn place(&mut self, folder: &Path) {
        for path in [&mut self.cert, &mut self.key].into_iter().chain(&mut self.client_ca) {
            *path = folder.join(&*path);
        }
    }

    pub(crate) fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.cert.clone(),
            key: self.key.clone(),
            client_ca: self.client_ca.clone(),
            require_client_cert: self.require_client_cert,
        }
    }
}
