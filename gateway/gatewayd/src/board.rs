//! Where the committer notes what status shows. Nothing here decides anything.

use std::collections::BTreeMap;

use chirpstack::News;
use ingest::{DeviceTable, LinkQuality, Remark};
use journal::{DeviceRow, Transaction};
use lorawan::mac::{Learned, Power};
use record::{
    Body, ClockQuality, Frame, Link, MonoMs, Quality, Reading, Record, Seq, SourceId, Stamp, TimeLine, UnixMs,
};
use relay::Samplers;
use rules::{ActiveAlarm, ExpressionFault};

use crate::committer::waiting::Judged;
use crate::config::Instead;
use crate::ledger::Shelf;
use crate::status::{AlarmStatus, DeviceStatus, JournalStatus, RulesStatus};

/// The notes, behind one lock that is held for microseconds.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) journal: JournalStatus,
    pub(crate) devices: BTreeMap<Option<SourceId>, Note>,
    pub(crate) alarms: Vec<ActiveAlarm>,
    pub(crate) shelf: Shelf,
    pub(crate) rules: Option<PlatformNote>,
    /// Of the text of the box's own.
    pub(crate) rules_sha256: String,
    pub(crate) files: Option<PlatformNote>,
    /// Versions that count in the place of files that are refused.
    pub(crate) instead: Vec<Instead>,
    /// Expressions of rules that had no answer.
    pub(crate) expression_faults: Vec<ExpressionFault>,
    pub(crate) samplers: Samplers,
}

/// Whose rules or files are in force in the place of the box's own.
#[derive(Debug)]
pub(crate) struct PlatformNote {
    pub(crate) platform: String,
    /// The record with the command.
    pub(crate) command: Seq,
    /// When their trial ends; none if they are kept.
    pub(crate) until: Option<MonoMs>,
}

impl PlatformNote {
    /// For the status answer.
    pub(crate) fn show(&self, now: MonoMs) -> RulesStatus {
        RulesStatus {
            platform: self.platform.clone(),
            command: self.command.0,
            trial_s: self.until.map(|until| until.0.saturating_sub(now.0) / 1_000),
        }
    }
}

/// One device, or all frames of unknown ones.
#[derive(Debug, Default)]
pub(crate) struct Note {
    /// By the monotonic clock of this boot, ms; negative before it began.
    seen_ms: Option<i64>,
    /// Of the last frame; they become text when somebody asks.
    readings: Vec<Reading>,
    status: DeviceStatus,
}

impl Board {
    /// One note for each device of the table.
    pub(crate) fn new(table: &DeviceTable) -> Board {
        let mut board = Board::default();
        for device in table.iter() {
            let note = board.devices.entry(Some(device.name.clone())).or_default();
            note.status.link = device.link.as_str().into();
        }
        for integration in table.integrations() {
            let note = board.devices.entry(Some(integration.name.clone())).or_default();
            note.status.link = INTEGRATION.into();
        }
        board
    }

    /// Notes the tally that is stored.
    pub(crate) fn tally(&mut self, source: &Option<SourceId>, row: &DeviceRow) {
        let status = &mut self.devices.entry(source.clone()).or_default().status;
        status.accepted = row.tally.accepted;
        status.duplicate = row.tally.duplicate;
        status.rejected = row.tally.rejected;
        status.shed = row.tally.shed;
    }

    /// Notes a transaction that is durable.
    pub(crate) fn committed(&mut self, transaction: &Transaction, now: MonoMs) {
        self.journal.commits += 1;
        self.journal.failing = None;
        for (source, row) in &transaction.devices {
            self.tally(source, row);
        }
        let mut newest: BTreeMap<&SourceId, &Frame> = BTreeMap::new();
        for record in &transaction.records {
            let Body::Frame(frame) = &record.body else { continue };
            let bad = frame.readings.iter().filter(|reading| reading.quality != Quality::Good).count();
            if bad > 0 {
                self.note(Some(&frame.source)).status.readings_bad += u64::try_from(bad).unwrap_or(0);
            }
            newest.insert(&frame.source, frame);
        }
        for frame in newest.into_values() {
            self.newest(frame);
        }
        // Who sent only duplicates is here too.
        for source in transaction.devices.keys() {
            self.note(source.as_ref()).seen_ms = signed(now);
        }
    }

    /// Notes the newest record of a device that was stored before this start: what it said, and when, as far as the two
    /// times can be compared (T1).
    pub(crate) fn restored(&mut self, source: &SourceId, record: &Record, now: Stamp) {
        let then = record.stamp;
        let told = |stamp: Stamp| stamp.clock != ClockQuality::Unset;
        self.note(Some(source)).seen_ms = match then.boot == now.boot {
            true => signed(then.mono_ms),
            false if told(then) && told(now) => {
                signed(now.mono_ms).map(|mono| mono - now.wall_ms.0.saturating_sub(then.wall_ms.0).max(0))
            }
            false => None,
        };
        if let Body::Frame(frame) = &record.body {
            self.newest(frame);
        }
    }

    fn newest(&mut self, frame: &Frame) {
        let note = self.note(Some(&frame.source));
        match &frame.link {
            Link::Lora { data_rate, snr_ddb, .. } => {
                (note.status.data_rate, note.status.snr_ddb) = (Some(data_rate.clone()), *snr_ddb);
            }
            Link::Chirpstack { heard_by, .. } => {
                note.status.snr_ddb = heard_by.first().and_then(|best| best.snr_ddb);
            }
            _ => {}
        }
        note.readings = frame.readings.iter().take(READINGS_SHOWN_MAX).cloned().collect();
    }

    /// Notes what became of a frame, once it is durable.
    pub(crate) fn judged(&mut self, source: Option<&SourceId>, judged: &Judged) {
        match judged {
            Judged::Duplicate => {}
            Judged::Told { device, news } => self.news(device.as_ref().or(source), news),
            Judged::Accepted { remarks } => {
                for remark in remarks {
                    self.remark(source, remark);
                }
            }
            Judged::Rejected { why, detail, .. } => {
                log::debug!(
                    source = source.map_or("unknown", SourceId::as_str), why = why.as_str(), detail = detail.as_str();
                    "frame refused"
                );
                self.note(source).status.refusal = Some(format!("{}: {detail}", why.as_str()));
            }
        }
    }

    /// Notes how much of what a device sent was heard.
    pub(crate) fn delivery(&mut self, source: &SourceId, quality: LinkQuality) {
        let status = &mut self.note(Some(source)).status;
        let LinkQuality { received, missed } = quality;
        (status.received, status.missed) = (received, missed);
        let sent = u128::from(received) + u128::from(missed);
        let permille = (u128::from(received) * 1_000).checked_div(sent);
        status.delivered_permille = permille.and_then(|permille| u16::try_from(permille).ok());
    }

    /// Notes what a frame said of its device beside the readings.
    fn remark(&mut self, source: Option<&SourceId>, remark: &Remark) {
        let status = &mut self.note(source).status;
        match remark {
            Remark::Decoding(_) => status.warnings += 1,
            Remark::CounterReset => status.counter_resets += 1,
            Remark::CommandGivenUp => status.commands_given_up += 1,
            Remark::Mac(Learned::Status { power, margin_db }) => {
                status.battery = match power {
                    Power::External => Some("external".into()),
                    Power::Battery(level) => Some(format!("{} %", u16::from(*level) * 100 / 254)),
                    Power::Unknown => None,
                };
                status.margin_db = Some(*margin_db);
            }
            Remark::Mac(learned) => {
                log::info!(source = source.map_or("unknown", SourceId::as_str), learned:? = learned; "device answered");
            }
        }
    }

    /// Notes what a network server told of a device, or of one that is in no table.
    fn news(&mut self, source: Option<&SourceId>, news: &News) {
        let status = &mut self.note(source).status;
        let mut told = news.kind().to_owned();
        match news {
            News::Log { level, code, description } => {
                told = format!("{told} {code}");
                status.network_server_log = Some(format!("{level} {code}: {description}"));
                log::debug!(
                    source = source.map_or("unknown", SourceId::as_str), level = level.as_str(), code = code.as_str(),
                    description = description.as_str(); "chirpstack tells"
                );
            }
            News::Status { margin_db, power } => {
                status.battery = match power {
                    chirpstack::Power::External => Some("external".into()),
                    chirpstack::Power::Battery(percent) => Some(format!("{percent} %")),
                    chirpstack::Power::Unknown => None,
                };
                status.margin_db = Some(*margin_db);
            }
            _ => {}
        }
        let known = status.network_server.contains_key(&told) || status.network_server.len() < TOLD_MAX;
        *status.network_server.entry(if known { told } else { "other".into() }).or_default() += 1;
    }

    fn note(&mut self, source: Option<&SourceId>) -> &mut Note {
        self.devices.entry(source.cloned()).or_default()
    }

    /// Notes alarms that are not normal.
    pub(crate) fn alarms(&mut self, alarms: Vec<ActiveAlarm>, shelf: &Shelf) {
        self.alarms = alarms;
        self.shelf.clone_from(shelf);
    }

    /// Those for the status answer, with the times at which they really were.
    pub(crate) fn show_alarms(&self, line: &TimeLine, now: UnixMs) -> Vec<AlarmStatus> {
        let shown = |alarm: &ActiveAlarm| {
            let since = line.time(&alarm.since).known();
            AlarmStatus {
                rule: alarm.rule.to_string(),
                source: alarm.source.to_string(),
                quantity: alarm.quantity.to_string(),
                measure: alarm.measure,
                span_s: alarm.span_s,
                tier: alarm.tier,
                unit: alarm.unit.to_string(),
                priority: Some(alarm.priority),
                state: alarm.state.as_str().into(),
                limit: alarm.limit.to_string(),
                value: alarm.value.map(|value| value.to_string()),
                since_ms: since.map_or(alarm.since.wall_ms, |(at, _)| at).0,
                since_error_ms: since.map(|(_, error_ms)| error_ms),
                raised: alarm.raised,
                is_cleared: alarm.is_cleared,
                suppression: alarm.suppression,
                shelved_until_ms: self.shelf.until(&alarm.rule, &alarm.source, now).map(|until| until.0),
            }
        };
        self.alarms.iter().map(shown).collect()
    }

    /// Devices by name for the status answer.
    pub(crate) fn show_devices(&self, now: MonoMs) -> BTreeMap<String, DeviceStatus> {
        let shown = |(source, note): (&Option<SourceId>, &Note)| {
            let mut status = note.status.clone();
            status.readings = note.readings.iter().map(show).collect();
            let ago = |seen: i64| signed(now).and_then(|now| u64::try_from(now.saturating_sub(seen)).ok());
            status.seen_ms_ago = note.seen_ms.and_then(ago);
            (source.as_ref().map(SourceId::to_string).unwrap_or_default(), status)
        };
        self.devices.iter().map(shown).collect()
    }
}

fn signed(at: MonoMs) -> Option<i64> {
    i64::try_from(at.0).ok()
}

/// `link` of an MQTT client that is no device.
const INTEGRATION: &str = "integration";

/// Kinds of news that are counted apart for one device; ChirpStack has 11 codes of log entries and 6 other events.
const TOLD_MAX: usize = 32;

/// Readings of a frame that status shows: a screen's width.
const READINGS_SHOWN_MAX: usize = 8;

fn show(reading: &Reading) -> String {
    match (reading.value, reading.quality) {
        (Some(value), Quality::Good) => format!("{} {value} {}", reading.quantity, reading.unit),
        (Some(value), quality) => format!("{} {value} {} ({})", reading.quantity, reading.unit, quality.as_str()),
        (None, quality) => format!("{} - ({})", reading.quantity, quality.as_str()),
    }
}
