//! `weir metrics`: what both daemons say of themselves as numbers, in the text format of Prometheus (version 0.0.4), for a
//! monitoring of the bureau's own: by its node exporter's text files, or by whatever runs the command.

mod names;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use gatewayd::status::Status as Gateway;
use syncd::status::{DestinationStatus, Status as Sync};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};
use crate::status::{ask_both, what_is_wrong};
use names::METRICS;

/// Everybody may read a file of numbers: the exporter is another user.
const FILE_MODE: u32 = 0o644;

/// `weir metrics`
#[derive(Debug, Args)]
pub(crate) struct MetricsArgs {
    /// Write them into this file, at once or not at all, as a node exporter reads it.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    to: Option<PathBuf>,
    /// Say what each number is, and print none.
    #[arg(long)]
    list: bool,
}

/// Why they were not written.
#[derive(Debug, thiserror::Error)]
#[error("failed to write the numbers to `{path}` · try: ls -ld its folder, or another --to")]
pub(crate) struct MetricsError {
    path: PathBuf,
    source: std::io::Error,
}

/// Prints them. A daemon that does not answer is a number too.
pub(crate) fn run(args: &MetricsArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    if args.list {
        let row = |metric: &names::Metric| {
            vec![metric.name.to_owned(), metric.kind.as_str().to_owned(), lang.pick(metric.en, metric.zh).to_owned()]
        };
        table(&mut out, &METRICS.iter().map(row).collect::<Vec<_>>())?;
    } else {
        let (gateway, sync) = ask_both(run_dir);
        let wrong = what_is_wrong(&gateway, &sync, lang).len();
        let text = text(gateway.as_ref().ok(), sync.as_ref().ok(), wrong);
        match &args.to {
            Some(path) => versions::replace(path, text.as_bytes(), FILE_MODE)
                .map_err(|source| MetricsError { path: path.clone(), source })?,
            None => line(&mut out, text.trim_end())?,
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The whole of it, in the order of [`METRICS`].
fn text(gateway: Option<&Gateway>, sync: Option<&Sync>, wrong: usize) -> String {
    let mut samples = Samples::default();
    samples.put("weir_up", &[("daemon", "gateway")], truth(gateway.is_some()));
    samples.put("weir_up", &[("daemon", "sync")], truth(sync.is_some()));
    samples.put("weir_wrong", &[], number(wrong));
    if let Some(gateway) = gateway {
        of_gateway(&mut samples, gateway);
        of_devices(&mut samples, gateway);
    }
    if let Some(sync) = sync {
        samples.put("weir_uptime_seconds", &[("daemon", "sync")], seconds(sync.uptime_ms));
        sync.destinations.iter().for_each(|one| of_destination(&mut samples, one));
    }
    samples.text()
}

fn of_gateway(samples: &mut Samples, gateway: &Gateway) {
    let journal = &gateway.journal;
    samples.put("weir_info", &[("box", &gateway.box_id), ("version", &gateway.version)], "1".into());
    samples.put("weir_uptime_seconds", &[("daemon", "gateway")], seconds(gateway.uptime_ms));
    samples.put("weir_clock_synchronised", &[], truth(gateway.clock.state == "synchronised"));
    if let Some(error_ms) = gateway.clock.error_ms {
        samples.put("weir_clock_error_seconds", &[], seconds(error_ms));
    }
    samples.put("weir_journal_records_total", &[], journal.records.to_string());
    samples.put("weir_journal_failing", &[], truth(journal.failing.is_some()));
    samples.put("weir_journal_commits_failed_total", &[], journal.commits_failed.to_string());
    if let Some(keeping) = &journal.keeping {
        samples.put("weir_journal_bytes", &[], keeping.bytes.to_string());
        samples.put("weir_journal_bytes_max", &[], keeping.bytes_max.to_string());
        samples.put("weir_disk_free_bytes", &[], keeping.disk_free_bytes.to_string());
    }
    for state in ["unacknowledged", "acknowledged", "returned_unacknowledged"] {
        let count = gateway.alarms.iter().filter(|alarm| alarm.state == state).count();
        samples.put("weir_alarms", &[("state", state)], number(count));
    }
    for (eui, view) in gateway.gwmp.iter().flat_map(|gwmp| &gwmp.gateways) {
        samples.put("weir_lora_gateway_online", &[("eui", eui)], truth(view.online));
    }
}

fn of_devices(samples: &mut Samples, gateway: &Gateway) {
    for (name, device) in &gateway.devices {
        let counts = [
            ("accepted", device.accepted),
            ("duplicate", device.duplicate),
            ("rejected", device.rejected),
            ("shed", device.shed),
        ];
        for (verdict, count) in counts {
            samples.put("weir_frames_total", &[("device", name), ("verdict", verdict)], count.to_string());
        }
        let of = [("device", name.as_str())];
        samples.put("weir_device_bad_readings_total", &of, device.readings_bad.to_string());
        if let Some(ms_ago) = device.seen_ms_ago {
            samples.put("weir_device_seen_seconds", &of, seconds(ms_ago));
        }
        if let Some(permille) = device.delivered_permille {
            samples.put("weir_device_delivered_ratio", &of, seconds(permille.into()));
        }
    }
}

fn of_destination(samples: &mut Samples, one: &DestinationStatus) {
    let of = [("destination", one.name.as_str())];
    let counts = [
        ("weir_destination_covered_records", one.covered),
        ("weir_destination_missing_records", one.missing),
        ("weir_destination_parked_records", one.parked),
        ("weir_destination_alarms_waiting", one.alarms_waiting),
        ("weir_destination_receipts_total", one.delivered.receipts),
        ("weir_destination_sent_bytes_total", one.bytes_sent),
    ];
    counts.into_iter().for_each(|(name, count)| samples.put(name, &of, count.to_string()));
    samples.put("weir_destination_failing", &of, truth(one.last_error.is_some()));
    if let Some(ms_ago) = one.last_receipt_ms_ago {
        samples.put("weir_destination_receipt_seconds", &of, seconds(ms_ago));
    }
    if let Some(rtt_ms) = one.rtt_ms {
        samples.put("weir_destination_answer_seconds", &of, seconds(rtt_ms));
    }
}

/// Lines of samples by the place of their name in [`METRICS`].
#[derive(Default)]
struct Samples {
    lines: std::collections::BTreeMap<usize, String>,
}

impl Samples {
    fn put(&mut self, name: &str, labels: &[(&str, &str)], value: String) {
        let place = METRICS.iter().position(|metric| metric.name == name);
        debug_assert!(place.is_some(), "{name} is documented");
        let labels: Vec<String> = labels.iter().map(|(key, text)| format!("{key}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let lines = self.lines.entry(place.unwrap_or(METRICS.len())).or_default();
        lines.push_str(&format!("{name}{labels} {value}\n"));
    }

    fn text(self) -> String {
        let block = |(place, lines): (usize, String)| {
            let head = METRICS.get(place).map(|metric| {
                format!("# HELP {} {}\n# TYPE {} {}\n", metric.name, metric.en, metric.name, metric.kind.as_str())
            });
            head.unwrap_or_default() + &lines
        };
        self.lines.into_iter().map(block).collect()
    }
}

/// The text of a label: backslash, quote and end of line have a backslash before them.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn truth(is_so: bool) -> String {
    u8::from(is_so).to_string()
}

fn number(count: usize) -> String {
    count.to_string()
}

/// Thousandths as a decimal.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}
