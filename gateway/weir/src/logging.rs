//! Where log lines go: to journald with their fields when a journal is there and reads us, else to standard error.

use std::io::Write;

use log::kv::{Error, Key, Value, VisitSource};
use log::{LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Starts logging. `WEIR_LOG` sets the level: error, warn, info (the default), debug, trace.
pub(crate) fn start() {
    let level = std::env::var("WEIR_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
    let journal = connected_to_journal().then(JournalLog::new).and_then(Result::ok);
    let logger = Logger { journal: journal.map(|journal| journal.with_syslog_identifier("weir".into())) };
    if log::set_boxed_logger(Box::new(logger)).is_err() {
        eprintln!("weir: a logger is already there");
    }
    log::set_max_level(level);
}

/// journald, which keeps fields as fields, or standard error: one line an event, level, message, `field=value`.
struct Logger {
    journal: Option<JournalLog>,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        speaks(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(journal) = &self.journal {
            journal.log(record);
            return;
        }
        let mut line = format!("{} {}", record.level().as_str().to_lowercase(), record.args());
        // A field that cannot be shown is left out; the line itself still tells what happened.
        let _ = record.key_values().visit(&mut Fields(&mut line));
        line.push('\n');
        // Nowhere is left to say that standard error is gone.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// Our own crates at every level, others only when something is wrong: hyper and rustls tell of each connection. rumqttd
/// never: it logs its spans as errors, and the edge counts what happens to each connection itself.
fn speaks(metadata: &Metadata<'_>) -> bool {
    let of = |crates: &[&str]| crates.iter().any(|name| metadata.target().starts_with(name));
    of(&OURS) || (metadata.level() <= log::Level::Warn && !of(&["rumqttd", "tracing"]))
}

/// Targets of our own crates.
const OURS: [&str; 6] = ["gatewayd", "syncd", "platform", "mqtt", "control", "weir"];

struct Fields<'a>(&'a mut String);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.push_str(&format!(" {key}={value}"));
        Ok(())
    }
}
