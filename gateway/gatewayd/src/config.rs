//! `gateway.toml`: as typed, then as meant, in one checked step.

mod chirpstack;
mod gwmp;
mod journal;
mod lorawan;
mod mqtt;
mod serial;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use batch::BoxId;
use ingest::{DeviceTable, DeviceTableError, Network};
use rules::RuleSet;
use serde::Deserialize;
use zeroize::Zeroizing;

pub use self::chirpstack::Chirpstack;
pub use gwmp::Gwmp;
pub use journal::Journal;
pub use lorawan::Lorawan;
pub use mqtt::{Mqtt, MqttTls};
pub use serial::Serial;

/// Longest configuration file that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The file as a technician types it. Unknown keys are refused; what is left out has a default that works.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayFile {
    /// The name of this box, as the platforms enrol it.
    #[serde(rename = "box")]
    pub box_id: BoxId,
    /// Where journal and identity live, relative to this file.
    #[serde(default = "default_state_dir")]
    pub state_dir: PathBuf,
    /// Where the control socket lives, relative to this file.
    #[serde(default = "default_run_dir")]
    pub run_dir: PathBuf,
    /// The device table, relative to this file.
    #[serde(default = "default_devices")]
    pub devices: PathBuf,
    /// The secrets of the devices, relative to this file; readable by the gateway alone.
    #[serde(default = "default_keys")]
    pub keys: PathBuf,
    /// The rules, relative to this file.
    #[serde(default = "default_rules")]
    pub rules: PathBuf,
    /// How much is kept, and for how long.
    #[serde(default)]
    pub journal: Journal,
    /// How frames are grouped into transactions.
    #[serde(default)]
    pub commit: Commit,
    /// How often the tree head is signed.
    #[serde(default)]
    pub checkpoint: CheckpointEvery,
    /// What is kept of frames that prove nothing about their sender.
    #[serde(default)]
    pub evidence: Evidence,
    /// The MQTT edge.
    #[serde(default)]
    pub mqtt: Mqtt,
    /// The Semtech UDP (GWMP) socket for LoRa packet forwarders.
    #[serde(default)]
    pub gwmp: Gwmp,
    /// Serial ports with transparent LoRa modules.
    #[serde(default)]
    pub serial: Vec<Serial>,
    /// What LoRaWAN devices that join are told.
    #[serde(default)]
    pub lorawan: Lorawan,
    /// Events as a ChirpStack publishes them, in and out.
    #[serde(default)]
    pub chirpstack: Chirpstack,
}

/// Group commit: a transaction takes what is waiting, up to `rows_max`, and follows the last one after `linger_ms` while
/// more than one frame comes in that time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Commit {
    /// How long a frame of MQTT may wait for company, 0 to 1,000 ms. 0 acknowledges soonest.
    pub linger_ms: u64,
    /// Most frames in one transaction, 1 to 10,000.
    pub rows_max: usize,
}

/// A signed tree head is kept after this many records or seconds, whichever comes first.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointEvery {
    /// Records, 1 to 1,000,000.
    pub records_max: u64,
    /// Seconds, 1 to 86,400.
    pub seconds_max: u64,
}

/// Evidence of unauthenticated frames.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evidence {
    /// Bytes per hour that are kept; the rest is only counted.
    pub bytes_per_hour_max: u32,
}

impl Default for Commit {
    fn default() -> Commit {
        Commit { linger_ms: 100, rows_max: 1_024 }
    }
}

impl Default for CheckpointEvery {
    fn default() -> CheckpointEvery {
        CheckpointEvery { records_max: 1_000, seconds_max: 600 }
    }
}

impl Default for Evidence {
    fn default() -> Evidence {
        Evidence { bytes_per_hour_max: 64 * 1024 }
    }
}

fn default_state_dir() -> PathBuf {
    PathBuf::from("/var/lib/weir")
}

fn default_run_dir() -> PathBuf {
    PathBuf::from("/run/weir")
}

fn default_devices() -> PathBuf {
    PathBuf::from("devices.toml")
}

fn default_keys() -> PathBuf {
    PathBuf::from("keys.toml")
}

fn default_rules() -> PathBuf {
    PathBuf::from("rules.toml")
}

/// The whole configuration of the field daemon, checked.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// `gateway.toml`.
    pub file: GatewayFile,
    /// `devices.toml` with the keys of `keys.toml`.
    pub devices: Arc<DeviceTable>,
    /// `rules.toml`.
    pub rules: RuleSet,
}

/// Why the configuration is refused. Each names the file; the source names line and key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file is not there or cannot be read.
    #[error("failed to read configuration `{path}` · try: ls -l {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A file is larger than any configuration.
    #[error("configuration `{path}` has more than {FILE_BYTES_MAX} bytes: is it the right file?")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not TOML, an unknown key, or a value of the wrong type.
    #[error("configuration `{path}` is refused · try: correct the line below, then weir config check {path}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: Box<toml::de::Error>,
    },
    /// A number outside its range.
    #[error("configuration `{path}`: `{key}` is {value}, set it from {low} to {high}")]
    Range {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What was typed.
        value: u64,
        /// The least.
        low: u64,
        /// The most.
        high: u64,
    },
    /// GWMP beyond loopback without both allow-lists.
    #[error(
        "configuration `{path}`: `gwmp.listen` is {listen}, reachable by others, and GWMP has no authentication \
         · try: list your gateways' EUIs in `gwmp.gateways` and their networks in `gwmp.networks`, or listen on 127.0.0.1"
    )]
    OpenGwmp {
        /// The file.
        path: PathBuf,
        /// What was typed.
        listen: SocketAddr,
    },
    /// A serial port without a usable name, or two with one name or path.
    #[error(
        "configuration `{path}`: `[[serial]]` {name:?} · try: give each port a name of its own (1 to 64 of \
         A-Z a-z 0-9 _ . -) and a path of its own"
    )]
    SerialPort {
        /// The file.
        path: PathBuf,
        /// The port.
        name: String,
    },
    /// An application id that is no level of a topic.
    #[error(
        "configuration `{path}`: `chirpstack.application_id` is {application_id:?}, write 1 to 64 of A-Z a-z 0-9 _ . -"
    )]
    ApplicationId {
        /// The file.
        path: PathBuf,
        /// What was typed.
        application_id: String,
    },
    /// A device that could speak as a ChirpStack.
    #[error(
        "device `{device}`: its topic `{topic}` is one of [chirpstack] in `{path}`, whose events are believed · try: \
         another topic for the device"
    )]
    EventTopic {
        /// gateway.toml.
        path: PathBuf,
        /// The device.
        device: record::SourceId,
        /// Its topic.
        topic: String,
    },
    /// `devices.toml`.
    #[error("device table `{path}` is refused")]
    Devices {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: ingest::DevicesError,
    },
    /// `keys.toml`.
    #[error("device keys `{path}` are refused")]
    Keys {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: ingest::KeysError,
    },
    /// Others than its owner can read `keys.toml`.
    #[error(
        "device keys `{path}` can be read by others (mode {mode:04o}) · try: chmod 600 {path}, and replace the keys if \
         a stranger may have read them"
    )]
    ExposedKeys {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// `rules.toml`.
    #[error("rules `{path}` are refused")]
    Rules {
        /// The file.
        path: PathBuf,
        /// Line, key and cause.
        source: rules::RuleSetError,
    },
}

impl GatewayConfig {
    /// Reads and checks `gateway.toml` and the files it names.
    ///
    /// # Errors
    /// [`ConfigError`]: unreadable, not TOML, unknown key, out of range, or a bad device or rule.
    pub fn load(path: &Path) -> Result<GatewayConfig, ConfigError> {
        let mut file = gateway_file(path)?;
        file.check(path)?;
        let beside = |name: &Path| path.parent().unwrap_or(Path::new(".")).join(name);
        file.state_dir = beside(&file.state_dir);
        file.run_dir = beside(&file.run_dir);
        file.mqtt.tls.place(path.parent().unwrap_or(Path::new(".")));
        for port in &mut file.serial {
            port.path = beside(&port.path);
        }
        let devices = load_devices(&beside(&file.devices), &beside(&file.keys))?;
        let rules = load_rules(&beside(&file.rules))?;
        file.chirpstack.keep_apart(path, &devices)?;
        Ok(GatewayConfig { file, devices: Arc::new(devices), rules })
    }

    /// The journal's file.
    pub fn journal_path(&self) -> PathBuf {
        self.file.state_dir.join("journal/journal.db")
    }

    /// The upload daemon's file, which the gateway only reads.
    pub fn outbox_path(&self) -> PathBuf {
        self.file.state_dir.join("outbox/outbox.db")
    }

    /// The box's key.
    pub fn key_path(&self) -> PathBuf {
        self.file.state_dir.join("identity/box.key")
    }

    /// The box as a LoRaWAN network.
    pub fn network(&self) -> Network {
        let region = self.file.gwmp.region;
        // Boxes that hear each other give their devices other addresses.
        let seed = record::CodecId::of(self.file.box_id.as_str()).0;
        Network {
            rx: self.file.lorawan.rx_settings(region),
            channel_block: Some(self.file.lorawan.channel_block),
            dev_addr_seed: u32::from_be_bytes([seed[0], seed[1], seed[2], seed[3]]),
            ..Network::standard(region)
        }
    }

    /// The control socket.
    pub fn socket_path(&self) -> PathBuf {
        self.file.run_dir.join("gateway.sock")
    }
}

impl GatewayFile {
    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let within = |key, value: u64, low, high| {
            let fits = (low..=high).contains(&value);
            fits.then_some(()).ok_or(ConfigError::Range { path: path.into(), key, value, low, high })
        };
        let number = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
        let Journal { bytes_max, days_max, disk_reserve_bytes } = self.journal;
        within("journal.bytes_max", bytes_max, journal::BYTES_MIN, journal::BYTES_CEILING)?;
        within("journal.days_max", days_max.into(), 1, 36_500)?;
        within("journal.disk_reserve_bytes", disk_reserve_bytes, 0, journal::BYTES_CEILING)?;
        within("commit.linger_ms", self.commit.linger_ms, 0, 1_000)?;
        within("commit.rows_max", number(self.commit.rows_max), 1, 10_000)?;
        within("checkpoint.records_max", self.checkpoint.records_max, 1, 1_000_000)?;
        within("checkpoint.seconds_max", self.checkpoint.seconds_max, 1, 86_400)?;
        let ceiling = number(::mqtt::CONNECTIONS_CEILING);
        within("mqtt.connections_max", number(self.mqtt.connections_max), 1, ceiling)?;
        within("mqtt.packet_bytes_max", number(self.mqtt.packet_bytes_max), 128, 1024 * 1024)?;
        within("mqtt.packets_per_second_max", self.mqtt.packets_per_second_max.into(), 1, 1_000_000)?;
        let (least, most) = (number(self.mqtt.packet_bytes_max), u32::MAX.into());
        within("mqtt.bytes_per_second_max", self.mqtt.bytes_per_second_max.into(), least, most)?;
        within("mqtt.session_hours_max", self.mqtt.session_hours_max, 0, 168)?;
        within("gwmp.merge_ms", self.gwmp.merge_ms, 0, ::lorawan::dedupe::MERGE_MS_MAX)?;
        within("gwmp.datagrams_per_s_max", self.gwmp.datagrams_per_s_max.into(), 1, 100_000)?;
        within("lorawan.rx1_delay_s", self.lorawan.rx1_delay_s.into(), 1, 15)?;
        within("serial", number(self.serial.len()), 0, number(serial::PORTS_MAX))?;
        for (at, port) in self.serial.iter().enumerate() {
            within("serial.baud", port.baud.into(), serial::BAUD_MIN.into(), serial::BAUD_MAX.into())?;
            let taken = self.serial[..at].iter().any(|other| other.name == port.name || other.path == port.path);
            if taken || !port.has_a_name() {
                return Err(ConfigError::SerialPort { path: path.into(), name: port.name.clone() });
            }
        }
        if !self.chirpstack.has_an_application() {
            let application_id = self.chirpstack.application_id.clone();
            return Err(ConfigError::ApplicationId { path: path.into(), application_id });
        }
        if !self.gwmp.may_listen(self.gwmp.listen) {
            return Err(ConfigError::OpenGwmp { path: path.into(), listen: self.gwmp.listen });
        }
        Ok(())
    }
}

/// Checks devices against what the rest of `gateway.toml` says of their topics.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Parse`], [`ConfigError::EventTopic`].
pub fn check_topics(path: &Path, devices: &DeviceTable) -> Result<(), ConfigError> {
    gateway_file(path)?.chirpstack.keep_apart(path, devices)
}

fn gateway_file(path: &Path) -> Result<GatewayFile, ConfigError> {
    toml::from_str(&read(path)?).map_err(|source| ConfigError::Parse { path: path.into(), source: Box::new(source) })
}

/// Reads and checks a device table and its keys.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Devices`], [`ConfigError::Keys`],
/// [`ConfigError::ExposedKeys`].
pub fn load_devices(devices: &Path, keys: &Path) -> Result<DeviceTable, ConfigError> {
    check_devices(devices, &read(devices)?, keys, &read_keys(keys)?)
}

/// Checks what would stand in a device table and its keys, before it does.
///
/// The codecs that the table names are read from beside it.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Devices`], [`ConfigError::Keys`].
pub fn check_devices(
    devices: &Path,
    devices_text: &str,
    keys: &Path,
    keys_text: &str,
) -> Result<DeviceTable, ConfigError> {
    let scripts = read_scripts(devices, devices_text)?;
    DeviceTable::from_toml(devices_text, keys_text, &scripts).map_err(|error| match error {
        DeviceTableError::Devices(source) => ConfigError::Devices { path: devices.into(), source },
        DeviceTableError::Keys(source) => ConfigError::Keys { path: keys.into(), source },
    })
}

/// The JavaScript codecs that a device table names, by the name that it gives them. One that does not exist is left out:
/// the table is refused with the line that names it.
fn read_scripts(devices: &Path, devices_text: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut scripts = BTreeMap::new();
    for file in DeviceTable::script_files(devices_text) {
        match read(&devices.with_file_name(&file)) {
            Ok(text) => scripts.insert(file, text),
            Err(ConfigError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
    }
    Ok(scripts)
}

/// Where a `gateway.toml` keeps its devices, whatever the files hold.
#[derive(Debug, Clone)]
pub struct DevicePlace {
    /// The device table.
    pub devices: PathBuf,
    /// Their keys.
    pub keys: PathBuf,
    /// The channel plan that LoRaWAN devices must fit.
    pub region: ::lorawan::Region,
}

/// Where a `gateway.toml` keeps its devices.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Parse`].
pub fn device_place(path: &Path) -> Result<DevicePlace, ConfigError> {
    let file = gateway_file(path)?;
    let beside = |name: &Path| path.parent().unwrap_or(Path::new(".")).join(name);
    Ok(DevicePlace { devices: beside(&file.devices), keys: beside(&file.keys), region: file.gwmp.region })
}

/// Reads and checks rules.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Rules`].
pub fn load_rules(path: &Path) -> Result<RuleSet, ConfigError> {
    RuleSet::from_toml(&read(path)?).map_err(|source| ConfigError::Rules { path: path.into(), source })
}

/// Everybody but the owner: nobody else may read keys.
const OTHERS_MODE: u32 = 0o077;

fn read_keys(path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let file = open(path)?;
    let failed = |source| ConfigError::Read { path: path.into(), source };
    // Of the file that is open, not of whatever has its name a moment later.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS_MODE != 0 {
        return Err(ConfigError::ExposedKeys { path: path.into(), mode });
    }
    read_open(path, file).map(Zeroizing::new)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    read_open(path, open(path)?)
}

fn open(path: &Path) -> Result<File, ConfigError> {
    File::open(path).map_err(|source| ConfigError::Read { path: path.into(), source })
}

fn read_open(path: &Path, file: File) -> Result<String, ConfigError> {
    let mut text = String::new();
    // Not by the size that the file claims: a device claims none and never ends.
    let taken = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    taken.map_err(|source| ConfigError::Read { path: path.into(), source })?;
    if u64::try_from(text.len()).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(ConfigError::TooLong { path: path.into() });
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
