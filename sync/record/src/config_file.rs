//! The configuration files of a box that hold no secret.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// One of them, whatever its path. `keys.toml` is none: its text is told to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize)]
#[cbor(index_only)]
#[serde(rename_all = "snake_case")]
pub enum ConfigFile {
    /// `gateway.toml`: the field daemon.
    #[n(0)]
    Gateway,
    /// `devices.toml`: the device table.
    #[n(1)]
    Devices,
    /// `rules.toml`: what raises alarms.
    #[n(2)]
    Rules,
    /// `sync.toml`: the upload daemon.
    #[n(3)]
    Sync,
}

impl ConfigFile {
    /// All of them, in the order of the wire's numbers.
    pub const ALL: [ConfigFile; 4] = [ConfigFile::Gateway, ConfigFile::Devices, ConfigFile::Rules, ConfigFile::Sync];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            ConfigFile::Gateway => "gateway",
            ConfigFile::Devices => "devices",
            ConfigFile::Rules => "rules",
            ConfigFile::Sync => "sync",
        }
    }
}

impl std::fmt::Display for ConfigFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.toml", self.as_str())
    }
}
