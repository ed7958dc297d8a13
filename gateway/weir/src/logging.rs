//! Where log lines go: to journald with their fields when a journal is there and reads us, else to standard error.
//!
//! A thread of its own writes them, for whoever takes them may hang: no frame waits for a log line. What does not fit into
//! the queue is counted and left out.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use log::kv::{Error, Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use systemd_journal_logger::{JournalLog, connected_to_journal};

/// Lines that may wait for who takes them: some 300 KiB.
const LINES_MAX: usize = 1_024;
/// How long the end of the program waits for the last lines.
const FLUSH_WAIT: Duration = Duration::from_secs(1);

/// Starts logging. `WEIR_LOG` sets the level: error, warn, info (the default), debug, trace.
pub(crate) fn start() {
    let level = std::env::var("WEIR_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(LevelFilter::Info);
    let journal = connected_to_journal().then(JournalLog::new).and_then(Result::ok);
    let sink = journal.map_or(Sink::Standard, |journal| Sink::named(journal, "weir"));
    begin(level, move || sink);
}

/// Starts logging to journald as `weir-login`, and nowhere else: for a program whose standard error is somebody's screen. Where there is
/// no journald nothing is logged, for that is when a technician is needed most.
pub(crate) fn start_in_journal() {
    // Already the first word to a journald that hangs would wait for it, so that is the thread's too.
    let open = || JournalLog::new().map_or(Sink::Nowhere, |journal| Sink::named(journal, "weir-login"));
    begin(LevelFilter::Info, open);
}

/// Where lines end.
enum Sink {
    Journal(Box<JournalLog>),
    /// Standard error.
    Standard,
    Nowhere,
}

impl Sink {
    fn named(journal: JournalLog, name: &str) -> Sink {
        Sink::Journal(Box::new(journal.with_syslog_identifier(name.into())))
    }
}

fn begin(level: LevelFilter, open: impl FnOnce() -> Sink + Send + 'static) {
    let (queue, lines) = sync_channel(LINES_MAX);
    let work = move || write_all(&lines, &open());
    if let Err(error) = thread::Builder::new().name("log".into()).spawn(work) {
        eprintln!("weir: nothing will be logged, there is no thread for it: {error}");
    }
    if log::set_boxed_logger(Box::new(Logger { queue, left_out: AtomicU64::new(0) })).is_err() {
        eprintln!("weir: a logger is already there");
    }
    log::set_max_level(level);
}

/// What the thread is given.
enum Job {
    Write(Line),
    /// Everything before this is written: say so.
    Flush(SyncSender<()>),
}

/// A record that outlives its call.
struct Line {
    level: Level,
    target: String,
    message: String,
    fields: Vec<(String, String)>,
}

struct Logger {
    queue: SyncSender<Job>,
    /// Lines that did not fit since the last that did.
    left_out: AtomicU64,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        speaks(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut fields = Vec::new();
        // A field that cannot be shown is left out; the line itself still tells what happened.
        let _ = record.key_values().visit(&mut Fields(&mut fields));
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        if left_out > 0 {
            fields.push(("lines_left_out_before".into(), left_out.to_string()));
        }
        let (target, message) = (record.target().to_owned(), record.args().to_string());
        if self.queue.try_send(Job::Write(Line { level: record.level(), target, message, fields })).is_err() {
            self.left_out.fetch_add(left_out + 1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {
        let (done, told) = sync_channel(1);
        if self.queue.try_send(Job::Flush(done)).is_ok() {
            // Whoever hangs until then has had his time.
            let _ = told.recv_timeout(FLUSH_WAIT);
        }
    }
}

/// Writes until the program ends.
fn write_all(jobs: &Receiver<Job>, sink: &Sink) {
    for job in jobs {
        match job {
            Job::Write(line) => line.write(sink),
            // Nobody listens any more when the wait is over.
            Job::Flush(done) => drop(done.try_send(())),
        }
    }
}

impl Line {
    /// To journald, which keeps fields as fields, or to standard error: one line an event, level, message, `field=value`.
    fn write(&self, sink: &Sink) {
        match sink {
            Sink::Nowhere => return,
            Sink::Journal(journal) => {
                let mut record = Record::builder();
                record.level(self.level).target(&self.target).key_values(&self.fields);
                return journal.log(&record.args(format_args!("{}", self.message)).build());
            }
            Sink::Standard => {}
        }
        let mut text = format!("{} {}", self.level.as_str().to_lowercase(), self.message);
        self.fields.iter().for_each(|(key, value)| text.push_str(&format!(" {key}={value}")));
        text.push('\n');
        // Nowhere is left to say that standard error is gone.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

/// Our own crates at every level, others only when something is wrong: hyper and rustls tell of each connection. rumqttd
/// never: it logs its spans as errors, and the edge counts what happens to each connection itself.
fn speaks(metadata: &Metadata<'_>) -> bool {
    let of = |crates: &[&str]| crates.iter().any(|name| metadata.target().starts_with(name));
    of(&OURS) || (metadata.level() <= log::Level::Warn && !of(&["rumqttd", "tracing"]))
}

/// Targets of our own crates.
const OURS: [&str; 6] = ["gatewayd", "syncd", "platform", "mqtt", "control", "weir"];

struct Fields<'a>(&'a mut Vec<(String, String)>);

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        self.0.push((key.to_string(), value.to_string()));
        Ok(())
    }
}
