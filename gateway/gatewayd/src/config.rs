//! `gateway.toml`: as typed, then as meant, in one checked step.

mod chirpstack;
mod commands;
mod devices;
mod error;
mod files;
mod gwmp;
mod journal;
mod last_good;
mod layered;
mod lorawan;
mod mqtt;
mod outfalls;
mod relays;
mod rules;
mod serial;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::rules::{Aggregation, RuleSet};
use batch::BoxId;
use ingest::{DeviceTable, Network};
use layers::Layered;
use record::ConfigFile;
use record::merkle::{Hash, leaf_hash};
use serde::Deserialize;
use versions::Place;

pub use self::chirpstack::Chirpstack;
pub use self::commands::Commands;
pub use self::rules::{Rules, RulesPlace, load_rules, rules_tests};
pub use devices::{DevicePlace, check_devices, device_place, load_devices};
pub use error::ConfigError;
pub use gwmp::Gwmp;
pub use journal::Journal;
pub use last_good::{Instead, versions_in};
pub use layered::{layered, layered_with};
pub use lorawan::Lorawan;
pub use mqtt::{Mqtt, MqttTls};
pub use outfalls::{CodePattern, Outfalls};
pub use relays::{LineName, Relay};
pub(crate) use relays::{agree, unknown_sampler};
pub use serial::Serial;

use crate::platform_files::Origin;
use files::{read, read_keys};
use layered::gateway_file;
pub(crate) use layered::parse_gateway;

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
    /// A folder with more of them, one file for each concern, relative to this file.
    #[serde(default = "default_rules_dir")]
    pub rules_dir: PathBuf,
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
    /// What is made of readings for platforms that want no single ones.
    #[serde(default)]
    pub aggregates: Aggregation,
    /// How the codes of outfalls are formed.
    #[serde(default)]
    pub outfalls: Outfalls,
    /// The MQTT edge.
    #[serde(default)]
    pub mqtt: Mqtt,
    /// The Semtech UDP (GWMP) socket for LoRa packet forwarders.
    #[serde(default)]
    pub gwmp: Gwmp,
    /// Serial ports with transparent LoRa modules.
    #[serde(default)]
    pub serial: Vec<Serial>,
    /// Lines of GPIO chips that alarms switch.
    #[serde(default)]
    pub relay: Vec<Relay>,
    /// What LoRaWAN devices that join are told.
    #[serde(default)]
    pub lorawan: Lorawan,
    /// Events as a ChirpStack publishes them, in and out.
    #[serde(default)]
    pub chirpstack: Chirpstack,
    /// What platforms may order.
    #[serde(default)]
    pub commands: Commands,
}

/// Group commit: a transaction takes what is waiting, up to `rows_max`, and follows the last one after `linger_ms`, or once
/// as many frames wait as came in that time lately.
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

fn default_rules_dir() -> PathBuf {
    PathBuf::from("rules.d")
}

/// The whole configuration of the field daemon, checked.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// `gateway.toml`.
    pub file: GatewayFile,
    /// `devices.toml` with the keys of `keys.toml`.
    pub devices: Arc<DeviceTable>,
    /// `rules.toml` and the files in `rules.d`.
    pub rules: RuleSet,
    /// Of their text: whether somebody changed it since a platform's rules took its place.
    pub rules_hash: Hash,
    /// Where they are.
    pub rules_place: RulesPlace,
    /// Versions that count in the place of files that are refused.
    pub instead: Vec<Instead>,
    /// What it was made of, as far as a platform has a say in it.
    pub origin: Origin,
}

/// A configuration, and the texts that it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As meant.
    pub config: GatewayConfig,
    /// As typed: `gateway.toml`, and the device table and the rules that it names; what stands in several files as one text.
    pub texts: [(Place, String); 3],
}

impl GatewayConfig {
    /// Reads and checks `gateway.toml` with its drop-ins, and the files it names.
    ///
    /// # Errors
    /// [`ConfigError`]: unreadable, not TOML, unknown key, out of range, or a bad device or rule.
    pub fn load(path: &Path) -> Result<GatewayConfig, ConfigError> {
        GatewayConfig::load_with(path, &BTreeMap::new()).map(|loaded| loaded.config)
    }

    /// The same with these texts in the place of what stands in the files.
    ///
    /// # Errors
    /// As [`GatewayConfig::load`].
    pub fn load_with(path: &Path, texts: &BTreeMap<ConfigFile, String>) -> Result<Loaded, ConfigError> {
        // A kept text is that of the file and its drop-ins.
        let gateway = match texts.get(&ConfigFile::Gateway) {
            Some(text) => Layered::alone(path, text.clone()),
            None => layered(path)?,
        };
        GatewayConfig::load_layered(path, gateway, texts)
    }

    /// The same with this in the place of `gateway.toml` and its drop-ins.
    ///
    /// # Errors
    /// As [`GatewayConfig::load`].
    pub fn load_layered(
        path: &Path,
        gateway: Layered,
        texts: &BTreeMap<ConfigFile, String>,
    ) -> Result<Loaded, ConfigError> {
        let mut file = parse_gateway(&gateway)?;
        file.check(&gateway)?;
        let beside = |name: &Path| path.parent().unwrap_or(Path::new(".")).join(name);
        file.state_dir = beside(&file.state_dir);
        file.run_dir = beside(&file.run_dir);
        file.mqtt.tls.place(path.parent().unwrap_or(Path::new(".")));
        for port in &mut file.serial {
            port.path = beside(&port.path);
        }
        let (devices, keys) = (beside(&file.devices), beside(&file.keys));
        let place = RulesPlace { main: beside(&file.rules), folder: beside(&file.rules_dir) };
        let devices_text = texts.get(&ConfigFile::Devices).map_or_else(|| read(&devices), |text| Ok(text.clone()))?;
        let table = check_devices(&devices, &devices_text, &keys, &read_keys(&keys)?)?;
        // A kept text is that of all files.
        let rules = match texts.get(&ConfigFile::Rules) {
            Some(text) => self::rules::parse(&place.main, text)?,
            None => place.load()?,
        };
        file.chirpstack.keep_apart(path, &table)?;
        relays::agree(&file.relay, &table, &rules.set, &gateway)?;
        let rules_hash = leaf_hash(rules.text.as_bytes());
        let (devices_of, instead) = (Arc::new(table), Vec::new());
        let origin = Origin::default();
        let (rules_place, main) = (place.clone(), place.main);
        let config =
            GatewayConfig { file, devices: devices_of, rules: rules.set, rules_hash, rules_place, instead, origin };
        let texts = [
            (Place { file: ConfigFile::Gateway, path: path.to_owned() }, gateway.into_text()),
            (Place { file: ConfigFile::Devices, path: devices }, devices_text),
            (Place { file: ConfigFile::Rules, path: main }, rules.text),
        ];
        Ok(Loaded { config, texts })
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

    /// The kept versions of the configuration.
    pub fn versions_path(&self) -> PathBuf {
        versions_in(&self.file.state_dir)
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
    /// `typed` is what it was read from, and knows where each key stands.
    fn check(&self, typed: &Layered) -> Result<(), ConfigError> {
        let within = |key: &'static str, value: u64, low, high| {
            let fits = (low..=high).contains(&value);
            fits.then_some(()).ok_or_else(|| ConfigError::Range { at: typed.spot(key), key, value, low, high })
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
        within("aggregates.periods", number(self.aggregates.periods.len()), 0, number(::rules::PERIODS_MAX))?;
        within("aggregates.late_s", self.aggregates.late_s.into(), 0, ::rules::LATE_S_MAX.into())?;
        within("commands.trial_s", self.commands.trial_s, 10, 86_400)?;
        within("lorawan.rx1_delay_s", self.lorawan.rx1_delay_s.into(), 1, 15)?;
        within("serial", number(self.serial.len()), 0, number(serial::PORTS_MAX))?;
        for (at, port) in self.serial.iter().enumerate() {
            let (value, low, high) = (port.baud.into(), serial::BAUD_MIN.into(), serial::BAUD_MAX.into());
            if !(low..=high).contains(&value) {
                let at = typed.spot_in("serial", at, "baud");
                return Err(ConfigError::Range { at, key: "serial.baud", value, low, high });
            }
            let taken = self.serial[..at].iter().any(|other| other.name == port.name || other.path == port.path);
            if taken || !port.has_a_name() {
                let at = typed.spot_in("serial", at, "name");
                return Err(ConfigError::SerialPort { at, name: port.name.clone() });
            }
        }
        relays::check(&self.relay, typed)?;
        if !self.chirpstack.has_an_application() {
            let application_id = self.chirpstack.application_id.clone();
            return Err(ConfigError::ApplicationId { at: typed.spot("chirpstack.application_id"), application_id });
        }
        if !self.gwmp.may_listen(self.gwmp.listen) {
            return Err(ConfigError::OpenGwmp { at: typed.spot("gwmp.listen"), listen: self.gwmp.listen });
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

#[cfg(test)]
mod tests;
