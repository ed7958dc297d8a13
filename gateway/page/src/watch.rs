//! Reading the journal from a thread of its own: what is new every second, and once what the last month had, the newest first, so
//! that the day is there at once. It takes half of a core for as long as that lasts, and nothing is held in memory but the tally.

mod pass;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use control::chain;
use journal::{Reader, StoreError};
use record::{Body, Kind, Seq, SeqRange, UnixMs};

use crate::Known;
use crate::alarms::{STEPS_MAX, Step};
use crate::tally::Tally;
use pass::Pass;

/// How often it is looked for new records.
const LOOK_MS: u64 = 1_000;
/// Records with other decodings or times than before have the month read again, but no sooner than this after the last time.
const AGAIN_S_MIN: u64 = 300;

/// What is known, shared by the thread that reads and those that answer.
pub(crate) type Shared = Arc<Mutex<Known>>;

/// The lock, whoever died with it: each change of what is known is whole by itself.
pub(crate) fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This machine's clock.
pub(crate) fn machine_now() -> UnixMs {
    UnixMs(jiff::Timestamp::now().as_millisecond())
}

/// Reads until nobody holds the other end of `stop`.
pub(crate) fn watch(journal: &Path, known: &Shared, stop: &Receiver<()>) {
    let mut watcher: Option<Watcher> = None;
    loop {
        let began = Instant::now();
        let looked = match watcher.as_mut() {
            Some(watcher) => watcher.look(known),
            None => Watcher::open(journal, known).map(|opened| {
                watcher = Some(opened);
                true
            }),
        };
        let more = match looked {
            Ok(more) => more,
            Err(error) => {
                let mut known = lock(known);
                if known.progress.trouble.is_none() {
                    log::warn!(error = chain(&error).as_str(); "the journal cannot be read");
                }
                known.progress.trouble = Some(chain(&error));
                watcher = None;
                false
            }
        };
        let pause = if more { began.elapsed() } else { Duration::from_millis(LOOK_MS) };
        if stop.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
        // Others want the lock as well.
        thread::yield_now();
    }
}

/// An open journal, and how far it was read.
struct Watcher {
    reader: Reader,
    /// The next new record.
    tail: Seq,
    /// Alarms and outfalls from here on are new.
    marks: Seq,
    pass: Pass,
    /// When the month began to be read, and whether it has to be read again.
    began: Instant,
    stale: bool,
}

impl Watcher {
    fn open(path: &Path, known: &Shared) -> Result<Watcher, StoreError> {
        let reader = Reader::open(path)?;
        let end = reader.position()?.end;
        let pass = Pass::begin(path, &reader, end, machine_now())?;
        let mut known = lock(known);
        known.tally = Tally::default();
        known.progress.trouble = None;
        // A journal that took the place of another one has its own alarms and outfalls.
        (known.alarms, known.register) = Default::default();
        Ok(Watcher { reader, tail: end, marks: Seq(0), pass, began: Instant::now(), stale: false })
    }

    /// What is new, then a part of what is old. Whether there is more to do at once.
    fn look(&mut self, known: &Shared) -> Result<bool, StoreError> {
        self.reader.refresh()?;
        let position = self.reader.position()?;
        if position.end < self.tail {
            // Another journal took its place.
            *self = Watcher::open(self.reader.path(), known)?;
            return Ok(true);
        }
        self.marked(known, position.end)?;
        let behind = self.catch_up(known, position.end)?;
        if self.stale && self.began.elapsed() >= Duration::from_secs(AGAIN_S_MIN) {
            log::info!("readings got other values or times: the charts are read again");
            self.pass = Pass::begin(self.reader.path(), &self.reader, self.tail, machine_now())?;
            (self.began, self.stale) = (Instant::now(), false);
            lock(known).tally = Tally::default();
        }
        let older = self.pass.step(&self.reader, known)?;
        let mut known = lock(known);
        known.progress.box_id = position.box_id;
        known.progress.records = position.end.0;
        known.progress.looked = Some(machine_now());
        known.progress.back_to = self.pass.back_to();
        known.progress.trouble = self.pass.trouble();
        Ok(behind || older)
    }

    /// Outfalls, and the newest steps of alarms: few records, read one by one.
    fn marked(&mut self, known: &Shared, end: Seq) -> Result<(), StoreError> {
        let Some(range) = end.0.checked_sub(1).and_then(|last| SeqRange::new(self.marks, Seq(last))) else {
            return Ok(());
        };
        if !self.reader.marks(Kind::Outfall, range)?.is_empty() {
            let mut register = lock(known).register.clone();
            register.catch_up(&self.reader)?;
            lock(known).register = register;
        }
        let steps = self.reader.marks(Kind::Alarm, range)?;
        let old = if self.marks == Seq(0) { steps.len().saturating_sub(STEPS_MAX) } else { 0 };
        for seq in &steps[old..] {
            let Some(at) = self.reader.read(SeqRange { first: *seq, last: *seq }, 1)?.pop() else { continue };
            let made = self.pass.time(&at.record.stamp);
            if let Body::Alarm(alarm) = at.record.body {
                lock(known).alarms.take(Step { seq: *seq, at: made, alarm });
            }
        }
        self.marks = end;
        Ok(())
    }

    /// Records since the last look, a slice of them. Whether more wait.
    fn catch_up(&mut self, known: &Shared, end: Seq) -> Result<bool, StoreError> {
        let Some(range) = end.0.checked_sub(1).and_then(|last| SeqRange::new(self.tail, Seq(last))) else {
            return Ok(false);
        };
        let read = match self.reader.read(range, pass::SLICE_BYTES_MAX) {
            Err(error) if error.is_damage() => {
                self.tail = pass::behind(self.tail);
                self.pass.note(&error);
                return Ok(self.tail < end);
            }
            read => read?,
        };
        // What was taken away already is passed over.
        self.tail = read.last().map_or(end, |at| at.seq.next());
        for at in &read {
            self.stale |= self.pass.take_new(at);
        }
        let mut known = lock(known);
        if let Some(at) = read.last() {
            known.progress.newest = self.pass.time(&at.record.stamp);
        }
        let now = known.now(machine_now());
        // What decodes a frame again would count beside it, until the month is read again.
        let frames = read.iter().filter(|at| matches!(at.record.body, Body::Frame(_)));
        frames.for_each(|at| self.pass.count(at, now, &mut known.tally));
        Ok(self.tail < end)
    }
}

#[cfg(test)]
mod tests;
