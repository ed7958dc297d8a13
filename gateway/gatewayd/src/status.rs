//! What the field daemon tells of itself: the answer to `{"do":"status"}`.

use std::collections::BTreeMap;

use record::{Measure, Priority, Suppression, Tier};
use rules::ExpressionFault;
use serde::{Deserialize, Serialize};

/// The field daemon, as it sees itself at this moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The box.
    #[serde(rename = "box")]
    pub box_id: String,
    /// Of the program.
    pub version: String,
    /// Since the daemon started.
    pub uptime_ms: u64,
    /// The clock.
    pub clock: ClockStatus,
    /// The journal.
    pub journal: JournalStatus,
    /// Every device of the table, and frames of unknown devices under `""`.
    pub devices: BTreeMap<String, DeviceStatus>,
    /// Alarms that are not normal.
    pub alarms: Vec<AlarmStatus>,
    /// Rules whose expressions had no answer for readings, of which nothing was found then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expression_faults: Vec<ExpressionFaultStatus>,
    /// SHA-256 of the text of the box's own rules, that of all files, as they were read last.
    #[serde(default)]
    pub rules_sha256: String,
    /// A platform's rules, if they are in force in the place of rules.toml.
    #[serde(default)]
    pub rules: Option<RulesStatus>,
    /// A platform's `gateway.toml` or `devices.toml`, if they are in force in the place of the box's own.
    #[serde(default)]
    pub config_of: Option<RulesStatus>,
    /// Versions of configuration files that count in the place of those that are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub config_instead: Vec<InsteadStatus>,
    /// The MQTT edge; none if disabled.
    pub mqtt: Option<MqttStatus>,
    /// The LoRa side; none if disabled.
    pub gwmp: Option<GwmpStatus>,
    /// The serial ports that are enabled.
    #[serde(default)]
    pub serial: Vec<SerialStatus>,
    /// The relays: samplers, lights and sirens.
    #[serde(default)]
    pub relays: Vec<RelayStatus>,
}

/// A relay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayStatus {
    /// Its name.
    pub name: String,
    /// Chip and line, as configured.
    pub place: String,
    /// It is used.
    pub enabled: bool,
    /// Its line can be switched.
    pub open: bool,
    /// It is on now.
    pub on: bool,
    /// Why it cannot be switched, with what to do.
    pub error: Option<String>,
    /// What there is behind it, if that is a sampler; else it is a light or siren.
    pub sampler: Option<SamplerStatus>,
}

/// A sampler.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerStatus {
    /// Bottles that are used.
    pub used: u16,
    /// Of so many.
    pub bottles: u16,
    /// How many it has when it is full, as configured.
    pub full: u16,
    /// Seconds until it takes another one.
    pub cooling_s: u64,
    /// It is at work.
    pub taking: bool,
}

/// An expression that had no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpressionFaultStatus {
    /// The rule.
    pub rule: String,
    /// For how many readings, since what the gateway read back at its start.
    pub readings: u64,
    /// Why, the last time.
    pub why: String,
}

impl From<&ExpressionFault> for ExpressionFaultStatus {
    fn from(fault: &ExpressionFault) -> ExpressionFaultStatus {
        ExpressionFaultStatus { rule: fault.rule.to_string(), readings: fault.readings, why: fault.why.to_string() }
    }
}

/// A configuration file is refused, and an earlier version of it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InsteadStatus {
    /// The version, as `weir config history` lists it.
    pub version: String,
    /// Why the configuration as it stands is refused.
    pub refused: String,
}

/// Rules or files of a platform that are in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesStatus {
    /// Whose they are.
    pub platform: String,
    /// The record with the command.
    pub command: u64,
    /// Seconds that their trial had left when it was looked at; none if they are kept.
    #[serde(default)]
    pub trial_s: Option<u64>,
}

/// The clock of the box.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClockStatus {
    /// Wall time, ms since 1970 UTC.
    pub wall_ms: i64,
    /// `synchronised`, `holdover` or `unset`.
    pub state: String,
    /// `ntp`, `rtc` or `gps`; none if nobody told the time.
    #[serde(default)]
    pub source: Option<String>,
    /// Bound of the error, ± ms; none if nobody told the time.
    #[serde(default)]
    pub error_ms: Option<u64>,
}

/// The journal.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct JournalStatus {
    /// Records in it, which is also the number of the next.
    pub records: u64,
    /// Merkle root over them.
    pub root: String,
    /// Transactions since start.
    pub commits: u64,
    /// Transactions that failed since start; their frames were not acknowledged.
    pub commits_failed: u64,
    /// Why the last one failed, if the last one did.
    pub failing: Option<String>,
    /// Leaves under the newest signed tree head.
    pub checkpoint: u64,
    /// Readings that no aggregate took, those that a start reads back included: they came too late, or there was no room.
    #[serde(default)]
    pub aggregates_refused: u64,
    /// What a salvage saved at this start, if one was needed.
    #[serde(default)]
    pub salvaged: Option<String>,
    /// How it is kept; none before the keeper's first turn.
    #[serde(default)]
    pub keeping: Option<KeepingStatus>,
}

/// How the journal is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct KeepingStatus {
    /// Bytes of database and files.
    pub bytes: u64,
    /// What they may be.
    pub bytes_max: u64,
    /// Bytes of the disk that are free.
    pub disk_free_bytes: u64,
    /// Segments in files with all their records.
    pub whole: usize,
    /// Segments that were thinned.
    pub thinned: usize,
    /// Segments with nothing left but what must be kept.
    pub remnant: usize,
    /// From this record on nothing was taken away.
    pub whole_from: Option<u64>,
    /// Bytes that everybody has written to this disk since the gateway looked first; none where nobody counts them.
    #[serde(default)]
    pub written_bytes: Option<u64>,
    /// In this time.
    #[serde(default)]
    pub written_ms: u64,
    /// Of the whole disk or card.
    #[serde(default)]
    pub disk_bytes: Option<u64>,
    /// The disk is full: only devices that a rule minds are stored.
    #[serde(default)]
    pub scarce: bool,
    /// Why upkeep does not get on.
    pub trouble: Option<String>,
}

/// One device.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DeviceStatus {
    /// `mqtt`, `lorawan`, `serial` or `chirpstack`; `integration` of an MQTT client that is no device; empty for unknown
    /// devices.
    pub link: String,
    /// Age of the last frame of any kind; none if none came, or before a reboot at a time that nobody knows.
    pub seen_ms_ago: Option<u64>,
    /// Stored.
    pub accepted: u64,
    /// Sent again, stored before.
    pub duplicate: u64,
    /// Refused.
    pub rejected: u64,
    /// Let go: a queue was full, or the disk did not take it.
    pub shed: u64,
    /// Warnings of decoding since start.
    pub warnings: u64,
    /// Frame counters that began anew and were taken, since start.
    #[serde(default)]
    pub counter_resets: u64,
    /// Confirmed commands that were never acknowledged, since start.
    #[serde(default)]
    pub commands_given_up: u64,
    /// LoRaWAN: frames taken since the session began.
    #[serde(default)]
    pub received: u64,
    /// LoRaWAN: frames that the counter says were sent and never came.
    #[serde(default)]
    pub missed: u64,
    /// LoRaWAN: of its frames since the session began, how many came, in tenths of a percent.
    #[serde(default)]
    pub delivered_permille: Option<u16>,
    /// LoRaWAN, also of a ChirpStack: `external`, or how full the battery is, as the device told last.
    #[serde(default)]
    pub battery: Option<String>,
    /// LoRaWAN: at how many dB above its floor the device heard the last question for its state.
    #[serde(default)]
    pub margin_db: Option<i8>,
    /// LoRaWAN: data rate of the last frame, `SF7BW125`.
    #[serde(default)]
    pub data_rate: Option<String>,
    /// LoRaWAN: SNR of the last frame, tenths of a dB.
    #[serde(default)]
    pub snr_ddb: Option<i16>,
    /// ChirpStack: what it told beside uplinks since start, by event; of log entries also by code (`log UPLINK_MIC`).
    #[serde(default)]
    pub network_server: BTreeMap<String, u64>,
    /// ChirpStack: its last log entry, `ERROR UPLINK_MIC: ...`.
    #[serde(default)]
    pub network_server_log: Option<String>,
    /// Readings whose quality is not good, since start.
    pub readings_bad: u64,
    /// The last readings as text, `cod 40.1 mg/L`.
    pub readings: Vec<String>,
    /// The last refusal.
    pub refusal: Option<String>,
}

/// An alarm that is not normal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AlarmStatus {
    /// The rule.
    pub rule: String,
    /// The device.
    pub source: String,
    /// What it judged.
    pub quantity: String,
    /// What was made of its readings: `reading`, `mean`, `silence`, ...
    #[serde(default = "reading")]
    pub measure: Measure,
    /// Over how long, seconds; 0 where a moment decides.
    #[serde(default)]
    pub span_s: u32,
    /// How much it says: `attention`, `warning`, `exceedance` or `emergency`.
    #[serde(default = "warning")]
    pub tier: Tier,
    /// In what limit and value are.
    pub unit: String,
    /// How urgent: `low`, `medium`, `high`, `critical`; none from a gateway that does not say.
    #[serde(default)]
    pub priority: Option<Priority>,
    /// Its state.
    pub state: String,
    /// The limit.
    pub limit: String,
    /// The value that decided; none when a person acknowledged.
    pub value: Option<String>,
    /// When that was, ms since 1970 UTC; corrected by what the box learned of the time since.
    pub since_ms: i64,
    /// Bound of the error of that, ± ms; none if nobody knows the time of that boot.
    #[serde(default)]
    pub since_error_ms: Option<u64>,
    /// How often it was raised within the hour before it was raised last, that time included.
    #[serde(default)]
    pub raised: usize,
    /// Of an alarm that latches: whether its value is back, so that somebody may reset it.
    #[serde(default)]
    pub is_cleared: bool,
    /// Why it is not to be shown, if it is not.
    #[serde(default)]
    pub suppression: Option<Suppression>,
    /// Until when somebody set it aside, ms since 1970 UTC.
    #[serde(default)]
    pub shelved_until_ms: Option<i64>,
}

fn reading() -> Measure {
    Measure::Reading
}

fn warning() -> Tier {
    Tier::Warning
}

/// The MQTT edge.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MqttStatus {
    /// Where it listens.
    pub listen: String,
    /// Every counter that is not zero.
    pub counters: BTreeMap<String, u64>,
}

/// The LoRa side.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GwmpStatus {
    /// Where it listens.
    pub listen: String,
    /// By gateway EUI.
    pub gateways: BTreeMap<String, GatewayView>,
    /// Datagrams that were not listened to, by cause.
    pub refused: serde_json::Value,
    /// Copies of uplinks that several gateways heard.
    #[serde(default)]
    pub merged: serde_json::Value,
}

/// One LoRa gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GatewayView {
    /// PULL_DATA or `stat` came within 30 s.
    pub online: bool,
    /// The address that may speak for it.
    pub address: String,
    /// Age of its last datagram.
    pub seen_ms_ago: u64,
    /// Age of its last PULL_DATA, without which nothing can be sent through it; none if none came.
    pub pull_ms_ago: Option<u64>,
    /// Frames with a right CRC, or none stated.
    pub crc_ok: u64,
    /// Frames damaged in the air.
    pub crc_bad: u64,
    /// Frames handed on since start: accepted, duplicate, rejected or shed, once none is under way (A3). A frame that two
    /// gateways heard counts for both.
    #[serde(default)]
    pub received: u64,
    /// Of these, stored.
    #[serde(default)]
    pub accepted: u64,
    /// Of these, stored before, or heard before in another copy.
    #[serde(default)]
    pub duplicate: u64,
    /// Of these, refused.
    #[serde(default)]
    pub rejected: u64,
    /// Of these, let go: a queue was full, or the disk did not take it.
    #[serde(default)]
    pub shed: u64,
    /// Time on air within the last hour by sub-band in MHz, percent of what the law allows; empty where it sets no limit.
    pub duty_percent: BTreeMap<String, f64>,
    /// Why downlinks did not leave through it, by cause: TX_ACK codes, and ours in lower case. Another gateway or window
    /// may have served.
    pub tx_refused: BTreeMap<String, u64>,
    /// Somebody else spoke for it while it was alive.
    pub address_conflict: Option<AddressConflict>,
    /// What to look at, in words.
    pub hints: Vec<String>,
    /// Its last status report.
    pub stat: Option<serde_json::Value>,
    /// All its counters.
    pub counters: serde_json::Value,
}

/// Somebody else spoke for a gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddressConflict {
    /// The last who did.
    pub from: String,
    /// When.
    pub ms_ago: u64,
    /// How many datagrams of others were refused.
    pub datagrams: u64,
}

/// A serial port; numbers since start.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct SerialStatus {
    /// Its name in the configuration.
    pub name: String,
    /// Its device file.
    pub path: String,
    /// It is open now.
    pub open: bool,
    /// Why it is not, with what to do.
    pub error: Option<String>,
    /// How often it was opened: each time but the first, the adapter had been gone.
    pub opened: u64,
    /// Failures to open it, one after another; none while it is open.
    pub failures: u64,
    /// Whole frames of devices.
    pub frames: u64,
    /// Those among them whose CRC differs: altered on the way. Whether they are believed is up to their MAC.
    pub crc_differs: u64,
    /// Pieces that are no frame: noise, or something else that speaks on this line.
    pub noise: u64,
    /// Frames with missing bytes: half packets, or a buffer that ran over.
    pub incomplete: u64,
    /// Pieces longer than any frame: another protocol, or a wrong baud rate.
    pub too_long: u64,
    /// Acknowledgements of a box, heard back.
    pub echoes: u64,
    /// Acknowledgements written to the line.
    pub acknowledged: u64,
    /// Acknowledgements that the line did not take; their devices repeat.
    pub unacknowledged: u64,
}
