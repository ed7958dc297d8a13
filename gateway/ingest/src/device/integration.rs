//! `[[integration]]`: an MQTT client that is no device.

use record::SourceId;
use serde::Deserialize;

use super::keys::{DeviceKeys, MissingKey};
use super::password::Password;

/// Most integrations of a box: one network server, and a few programs that read.
pub(crate) const INTEGRATIONS_MAX: usize = 16;

/// What an integration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationKind {
    /// A ChirpStack: publishes the events of its devices, and takes their commands. A box has at most one.
    Chirpstack,
    /// Reads events: Node-RED, Telegraf, ThingsBoard.
    Reader,
}

impl IntegrationKind {
    /// As devices.toml spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            IntegrationKind::Chirpstack => "chirpstack",
            IntegrationKind::Reader => "reader",
        }
    }
}

/// An MQTT client that speaks for many devices, or listens. Its user name and client id are its name, which no device
/// has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integration {
    /// Its name.
    pub name: SourceId,
    /// A disabled one is not let in.
    pub enabled: bool,
    /// What it does.
    pub kind: IntegrationKind,
    /// What it proves itself with; none only if it has a certificate.
    pub password: Option<Password>,
    /// It must come over TLS with a client certificate whose CN is its name.
    pub certificate: bool,
}

/// `[[integration]]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IntegrationSection {
    pub(super) name: SourceId,
    #[serde(default = "enabled")]
    enabled: bool,
    pub(super) kind: IntegrationKind,
    #[serde(default)]
    certificate: bool,
}

fn enabled() -> bool {
    true
}

impl IntegrationSection {
    pub(super) fn into_integration(self, keys: &mut DeviceKeys) -> Result<Integration, MissingKey> {
        let IntegrationSection { name, enabled, kind, certificate } = self;
        match keys.password.take() {
            None if !certificate => Err(MissingKey("`password`")),
            password => Ok(Integration { name, enabled, kind, password, certificate }),
        }
    }
}
