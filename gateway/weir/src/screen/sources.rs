//! Where events come from: a thread for the keys, one that asks the daemons and reads the journal, and one for each action.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use journal::{Reader, StoreError};
use ratatui::crossterm::event::{self, Event as Terminal, KeyEventKind};
use record::{Act, Body, Quality, RecordAt, RuleId, Seq, SeqRange, SourceId, TimeLine};

use super::state::{Action, Event, LIVE_LINES_MAX, NewRecord, Told};
use crate::error::CommandError;
use crate::lang::Lang;
use crate::times::time_line;
use crate::{audit, status, subprocess, tail};

/// How often the daemons are asked, and the journal is read.
const REFRESH: Duration = Duration::from_secs(3);
/// Bytes of records that are read at once.
const PAGE_BYTES: usize = 256 * 1024;
/// The checks end within 3 s, whatever the network does.
const CHECK_PATIENCE: Duration = Duration::from_secs(10);
const CHECK_BYTES_MAX: u64 = 256 * 1024;

/// What the threads work with.
pub(super) struct Sources {
    state_dir: PathBuf,
    run_dir: PathBuf,
    lang: Lang,
    /// Has the daemons asked at once.
    now: SyncSender<()>,
}

impl Sources {
    /// Starts what runs all the time.
    ///
    /// # Errors
    /// The system's, where it gives no thread.
    pub(super) fn start(
        state_dir: &Path,
        run_dir: &Path,
        lang: Lang,
        events: SyncSender<Event>,
    ) -> io::Result<Sources> {
        let (now, asked) = sync_channel(1);
        let keys = events.clone();
        beside(move || read_keys(&keys))?;
        let sources = Sources { state_dir: state_dir.to_owned(), run_dir: run_dir.to_owned(), lang, now };
        let (state_dir, run_dir) = (sources.state_dir.clone(), sources.run_dir.clone());
        beside(move || {
            let mut follower = Follower { path: state_dir.join("journal/journal.db"), lang, open: None };
            loop {
                let told = Event::Told(Box::new(told((&state_dir, &run_dir), lang)));
                let is_watched = events.send(told).is_ok() && events.send(Event::Records(follower.news())).is_ok();
                if !is_watched || asked.recv_timeout(REFRESH) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        })?;
        Ok(sources)
    }

    /// Does it beside the screen, which is told what came of it.
    pub(super) fn perform(&self, action: Action, events: SyncSender<Event>) {
        let (state_dir, run_dir, lang) = (self.state_dir.clone(), self.run_dir.clone(), self.lang);
        let told = events.clone();
        let began = match action {
            Action::Leave => Ok(()),
            Action::Ask => {
                // One that waits already is as good.
                let _ = self.now.try_send(());
                Ok(())
            }
            // Who gets no answer any more has left.
            Action::Acknowledge { rule, source, reason } => beside(move || {
                let _ = events.send(Event::Done(acknowledge(&run_dir, &rule, &source, &reason, lang)));
            }),
            Action::Check => beside(move || {
                let _ = events.send(Event::Checked(check(&state_dir, &run_dir, lang)));
            }),
        };
        if let Err(error) = began {
            // A full queue of events means that somebody types: what they see next is newer than this.
            let _ = told.try_send(Event::Done(format!("{error} · try: ulimit -u")));
        }
    }
}

/// On a thread of its own.
fn beside(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

fn read_keys(events: &SyncSender<Event>) {
    // A terminal that is gone takes the process with it (SIGHUP).
    while let Ok(read) = event::read() {
        let event = match read {
            Terminal::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
            Terminal::Resize(..) => Event::Resized,
            _ => continue,
        };
        if events.send(event).is_err() {
            return;
        }
    }
}

fn told((state_dir, run_dir): (&Path, &Path), lang: Lang) -> Told {
    let (gateway, sync) = status::ask_both(run_dir);
    let (of_upgrade, upgraded) = status::last_upgrade(state_dir, lang);
    let told = |texts: [Vec<String>; 2]| texts.concat().iter().map(|text| lang.told(text)).collect();
    let wrong = told([of_upgrade, status::what_is_wrong(&gateway, &sync, lang)]);
    let notes = told([upgraded, status::all_notes(&gateway, &sync, lang)]);
    Told { gateway, sync, wrong, notes }
}

fn acknowledge(run_dir: &Path, rule: &str, source: &str, reason: &str, lang: Lang) -> String {
    let named = RuleId::new(rule).ok().zip(SourceId::new(source).ok());
    let ordered = named.map(|(rule, source)| audit::order(run_dir, &Act::Acknowledged { rule, source }, reason));
    match (ordered, lang) {
        (Some(Ok(seq)), Lang::En) => format!("alarm {rule} of {source} acknowledged, journaled as record {seq}"),
        (Some(Ok(seq)), Lang::Zh) => format!("已确认 {source} 的报警 {rule}，记录号 {seq}"),
        (Some(Err(error)), _) => lang.chain(&error),
        (None, _) => format!("{rule} {source}"),
    }
}

/// `weir doctor`, as it would be typed.
fn check(state_dir: &Path, run_dir: &Path, lang: Lang) -> Vec<String> {
    let checked = std::env::current_exe().map_err(|error| error.to_string()).and_then(|program| {
        let mut command = Command::new(program);
        command.arg("--state-dir").arg(state_dir).arg("--run-dir").arg(run_dir);
        command.args(["--lang", lang.pick("en", "zh"), "doctor"]);
        subprocess::output(command, CHECK_PATIENCE, CHECK_BYTES_MAX).map_err(|error| lang.chain(&error))
    });
    match checked {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(why) => vec![format!("weir doctor: {why}")],
    }
}

/// Reads what is new in the journal.
struct Follower {
    path: PathBuf,
    lang: Lang,
    /// From where on, with what is known of times before.
    open: Option<(Reader, Seq, TimeLine)>,
}

impl Follower {
    /// The newest records at first, then those that came since. A journal that cannot be read is told of in a line, and opened
    /// anew the next time.
    fn news(&mut self) -> Vec<NewRecord> {
        let read = self.read();
        read.unwrap_or_else(|error| {
            self.open = None;
            vec![NewRecord { line: self.lang.chain(&CommandError::Store(error)), values: Vec::new() }]
        })
    }

    fn read(&mut self) -> Result<Vec<NewRecord>, StoreError> {
        if self.open.is_none() {
            let reader = Reader::open(&self.path)?;
            let shown = u64::try_from(LIVE_LINES_MAX).unwrap_or(u64::MAX);
            let from = Seq(reader.position()?.end.0.saturating_sub(shown));
            let times = time_line(&reader, from)?;
            self.open = Some((reader, from, times));
        }
        let Some((reader, next, times)) = &mut self.open else { return Ok(Vec::new()) };
        reader.refresh()?;
        let end = reader.position()?.end;
        let mut news = Vec::new();
        while let Some(range) = SeqRange::new(*next, Seq(end.0.saturating_sub(1))).filter(|_| *next < end) {
            let records = reader.read(range, PAGE_BYTES)?;
            let Some(last) = records.last() else { break };
            *next = last.seq.next();
            for record in &records {
                times.take(&record.record);
                let line = tail::line::show(record, times, false, self.lang);
                news.push(NewRecord { line, values: values(record) });
            }
            let too_many = news.len().saturating_sub(LIVE_LINES_MAX);
            news.drain(..too_many);
        }
        Ok(news)
    }
}

fn values(record: &RecordAt) -> Vec<(String, String, f64)> {
    let Body::Frame(frame) = &record.record.body else { return Vec::new() };
    let good = frame.readings.iter().filter(|reading| reading.quality == Quality::Good);
    let named = good.filter_map(|reading| {
        let value = reading.value?.to_string().parse().ok()?;
        Some((frame.source.to_string(), reading.quantity.to_string(), value))
    });
    named.collect()
}
