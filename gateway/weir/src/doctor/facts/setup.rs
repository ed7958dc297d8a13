//! What the configuration says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use batch::PublicKey;
use record::{ConfigFile, Period};
use rules::RuleSet;
use syncd::Filter;

/// Of `gateway.toml` and the files that it names.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Setup {
    pub(in crate::doctor) state_dir: PathBuf,
    pub(in crate::doctor) keys: PathBuf,
    pub(in crate::doctor) journal_bytes_max: u64,
    pub(in crate::doctor) disk_reserve_bytes: u64,
    /// Records after which the tree head is signed at the latest.
    pub(in crate::doctor) checkpoint_records_max: u64,
    /// None where MQTT does not listen over TLS.
    pub(in crate::doctor) mqtt_tls: Option<MqttTls>,
    pub(in crate::doctor) devices: Vec<DeviceFacts>,
    /// Sections of keys.toml that no device has.
    pub(in crate::doctor) unused_keys: Vec<String>,
    pub(in crate::doctor) rules: RuleSet,
    /// Of the aggregates that are made.
    pub(in crate::doctor) periods: BTreeSet<Period>,
}

/// MQTT over TLS.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct MqttTls {
    pub(in crate::doctor) cert: PathBuf,
    pub(in crate::doctor) key: PathBuf,
    pub(in crate::doctor) client_ca: Option<PathBuf>,
}

/// A device of the table.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct DeviceFacts {
    pub(in crate::doctor) name: String,
    pub(in crate::doctor) enabled: bool,
    pub(in crate::doctor) outfall: Option<String>,
}

/// A file whose text is not in force.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Changed {
    pub(in crate::doctor) file: ConfigFile,
    pub(in crate::doctor) path: PathBuf,
    /// The version that is.
    pub(in crate::doctor) in_force: String,
}

/// Of `sync.toml`.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct Upload {
    pub(in crate::doctor) state_dir: PathBuf,
    /// Those that are enabled.
    pub(in crate::doctor) destinations: Vec<DestinationFacts>,
}

/// A platform.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct DestinationFacts {
    pub(in crate::doctor) name: String,
    /// Where the first connection goes: the platform, or the proxy on the way.
    pub(in crate::doctor) host: String,
    pub(in crate::doctor) port: u16,
    pub(in crate::doctor) key: PublicKey,
    pub(in crate::doctor) ca_file: PathBuf,
    pub(in crate::doctor) client_cert: Option<PathBuf>,
    pub(in crate::doctor) client_key: Option<PathBuf>,
    /// Records that may be parked before it is asked seldom.
    pub(in crate::doctor) parked_max: u64,
    pub(in crate::doctor) filter: Filter,
}
