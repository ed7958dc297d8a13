//! Where the committer notes what status shows. Nothing here decides anything.

use std::collections::BTreeMap;

use ingest::{DeviceLink, DeviceTable, Ruling, Verdict};
use journal::DeviceRow;
use record::{MonoMs, Quality, SourceId};
use rules::ActiveAlarm;

use crate::status::{AlarmStatus, DeviceStatus, JournalStatus};

/// The notes, behind one lock that is held for microseconds.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) journal: JournalStatus,
    pub(crate) devices: BTreeMap<Option<SourceId>, Note>,
    pub(crate) alarms: Vec<AlarmStatus>,
}

/// One device, or all frames of unknown ones.
#[derive(Debug, Default)]
pub(crate) struct Note {
    seen: Option<MonoMs>,
    status: DeviceStatus,
}

impl Board {
    /// One note for each device of the table.
    pub(crate) fn new(table: &DeviceTable) -> Board {
        let mut board = Board::default();
        for device in table.iter() {
            let note = board.devices.entry(Some(device.name.clone())).or_default();
            note.status.link = match device.link {
                DeviceLink::Mqtt(_) => "mqtt".into(),
                DeviceLink::Lorawan(_) => "lorawan".into(),
            };
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

    /// Notes what a verdict said, once it is durable.
    pub(crate) fn judged(&mut self, verdict: &Verdict, now: MonoMs) {
        let note = self.devices.entry(verdict.source.clone()).or_default();
        note.seen = Some(now);
        match &verdict.ruling {
            Ruling::Accepted { frame, warnings } => {
                let bad = frame.readings.iter().filter(|reading| reading.quality != Quality::Good).count();
                note.status.readings_bad += u64::try_from(bad).unwrap_or(0);
                note.status.warnings += u64::try_from(warnings.len()).unwrap_or(0);
                note.status.readings = frame.readings.iter().take(READINGS_SHOWN_MAX).map(show).collect();
            }
            Ruling::Duplicate => {}
            Ruling::Rejected { why, detail, .. } => {
                note.status.refusal = Some(format!("{}: {detail}", why.as_str()));
            }
        }
    }

    /// Notes alarms that are not normal.
    pub(crate) fn alarms(&mut self, alarms: Vec<ActiveAlarm>) {
        self.alarms = alarms
            .into_iter()
            .map(|alarm| AlarmStatus {
                rule: alarm.rule.to_string(),
                source: alarm.source.to_string(),
                quantity: alarm.quantity.to_string(),
                unit: alarm.unit.to_string(),
                state: alarm.state.as_str().into(),
                limit: alarm.limit.to_string(),
                value: alarm.value.map(|value| value.to_string()),
                since_ms: alarm.since.wall_ms.0,
            })
            .collect();
    }

    /// Devices by name for the status answer.
    pub(crate) fn show_devices(&self, now: MonoMs) -> BTreeMap<String, DeviceStatus> {
        let shown = |(source, note): (&Option<SourceId>, &Note)| {
            let mut status = note.status.clone();
            status.seen_ms_ago = note.seen.map(|seen| now.0.saturating_sub(seen.0));
            (source.as_ref().map(SourceId::to_string).unwrap_or_default(), status)
        };
        self.devices.iter().map(shown).collect()
    }
}

/// Readings of a frame that status shows: a screen's width.
const READINGS_SHOWN_MAX: usize = 8;

fn show(reading: &record::Reading) -> String {
    match (reading.value, reading.quality) {
        (Some(value), Quality::Good) => format!("{} {value} {}", reading.quantity, reading.unit),
        (Some(value), quality) => format!("{} {value} {} ({})", reading.quantity, reading.unit, quality.as_str()),
        (None, quality) => format!("{} - ({})", reading.quantity, quality.as_str()),
    }
}
