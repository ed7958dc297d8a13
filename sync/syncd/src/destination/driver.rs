//! The task of one destination: waits for one event, hands it to the core, does what the core orders.

mod commands;
mod parking;
mod strangers;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use batch::{BatchId, Lane, PublicKey};
use control::chain;
use delivery::{Action, Date, Destination, Input, Restored, RestoredBatch, Transient, Usage};
use journal::{Outbox, StoreError, StoredBatch};
use record::{MonoMs, Seq, SeqRanges};
use serde_json::Value;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::answer::{Answer, Expected, cure};
use super::board::Told;
use super::progress::Progress;
use super::{Board, Transport, Way};
use crate::DestinationConfig;
use crate::best_time::{BestTime, Known};
use crate::clock::mono_ms;
use crate::files::{Cut, CutBatch, FileThread, FileThreadEnded, Files, Settled};
use commands::{Came, Commands};
pub(crate) use parking::{Decided, Decision};
use strangers::Strangers;

/// Alarm numbers read from the journal at once.
const ALARMS_READ_MAX: usize = 1_024;
/// A receipt that cannot be stored (disk full) is tried again this often; nothing else of this destination goes on.
const STORE_RETRY: Duration = Duration::from_secs(1);
/// The core is told the date this often. ms.
const DATE_MS: u64 = 60_000;
/// The longest sleep without looking at the clock.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// One destination at work.
pub(crate) struct Driver {
    config: DestinationConfig,
    name: Arc<str>,
    transport: Transport,
    expected: Expected,
    files: FileThread,
    core: Destination,
    /// Tries under way: at most two for each batch that the core has in flight.
    requests: JoinSet<Tried>,
    tries: HashMap<BatchId, Vec<Try>>,
    tries_begun: u64,
    date_told: MonoMs,
    /// The receipt that the core is just being told of.
    receipt: Option<(BatchId, Vec<u8>)>,
    told: Told,
    board: watch::Sender<Board>,
    signals: Signals,
    orders: mpsc::Receiver<Decision>,
    commands: Commands,
}

/// What a task listens to.
#[derive(Clone)]
pub(crate) struct Signals {
    /// Where the journal ends.
    pub(crate) end: watch::Receiver<Seq>,
    /// The link is back.
    pub(crate) link_up: Arc<Notify>,
    /// What time it is.
    pub(crate) time: BestTime,
    /// The daemon stops.
    pub(crate) stop: watch::Receiver<bool>,
    /// The gateway's control socket: it journals what platforms command, and whom the box believes.
    pub(crate) gateway: PathBuf,
}

/// A try under way.
struct Try {
    number: u64,
    progress: Progress,
    task: AbortHandle,
}

/// A try that has ended.
struct Tried {
    id: BatchId,
    number: u64,
    bytes_len: u64,
    sent_at: MonoMs,
    answer: Answer,
    /// The platform's keys, if there are more than were known.
    keys: Option<Vec<PublicKey>>,
}

/// What a task waits for.
enum Event {
    Stop,
    Answered(Result<Tried, JoinError>),
    Grew,
    LinkUp,
    Decided(Decision),
    Heeded(Result<Value, String>),
    Time,
}

/// What the outbox remembers of a destination.
///
/// # Errors
/// [`StoreError::Read`].
pub fn restore(outbox: &Outbox, name: &str) -> Result<(Restored, journal::DestinationTally), StoreError> {
    let outstanding = outbox.batches(name)?.into_iter().map(restored).collect();
    let journal::StoredUsage { date, day_bytes, month_bytes } = outbox.usage(name)?;
    let usage = Usage { date: date.map(|(day, month)| Date { day, month }), day_bytes, month_bytes };
    let (covered, parked, dropped) = (outbox.coverage(name)?, outbox.parked(name)?, outbox.dropped(name)?);
    let restored = Restored { covered, parked, dropped, outstanding, usage };
    Ok((restored, outbox.tally(name)?))
}

/// The key that took the place of the pinned one, if one did.
fn successor(keys: &[PublicKey]) -> Option<String> {
    keys.get(1..).and_then(<[PublicKey]>::last).map(ToString::to_string)
}

/// A stored batch, as the core knows it.
fn restored(stored: StoredBatch) -> RestoredBatch {
    RestoredBatch {
        id: BatchId(stored.id),
        lane: Lane::ALL.into_iter().find(|lane| *lane as u8 == stored.lane).unwrap_or(Lane::Backlog),
        ranges: stored.ranges,
        bytes_len: u64::try_from(stored.bytes.len()).unwrap_or(u64::MAX),
    }
}

impl Driver {
    /// A destination as the outbox left it, and where it will show itself.
    pub(crate) fn new(
        config: DestinationConfig,
        transport: Transport,
        expected: Expected,
        files: FileThread,
        seed: u64,
        (restored, tally): (Restored, journal::DestinationTally),
        (signals, orders): (Signals, mpsc::Receiver<Decision>),
    ) -> (Driver, watch::Receiver<Board>) {
        let core = Destination::new(config.delivery(), seed, restored);
        let told = Told { tally, successor: successor(&expected.keys), ..Told::default() };
        let (board, shown) = watch::channel(Board::new(&core, &told));
        let driver = Driver {
            name: config.name.as_str().into(),
            expected,
            config,
            transport,
            files,
            core,
            requests: JoinSet::new(),
            tries: HashMap::new(),
            tries_begun: 0,
            date_told: MonoMs(0),
            receipt: None,
            told,
            board,
            commands: Commands::new(signals.gateway.clone()),
            signals,
            orders,
        };
        (driver, shown)
    }

    /// Works until the daemon stops. Requests under way are given up then: their batches are in the outbox.
    ///
    /// # Errors
    /// [`FileThreadEnded`].
    pub(crate) async fn run(mut self) -> Result<(), FileThreadEnded> {
        log::info!(destination:% = self.name, url:% = self.config.url, covered = self.core.covered().len(),
            outstanding = self.core.standing().outstanding; "destination served");
        self.obey_commands().await?;
        self.hear().await?;
        self.look_at_the_date();
        // Batches of an earlier run leave now, also where the journal has nothing new to tell.
        self.core.handle(mono_ms(), Input::Tick);
        loop {
            self.obey().await?;
            self.board.send_replace(Board::new(&self.core, &self.told));
            let event = self.next().await;
            if mono_ms().0.saturating_sub(self.date_told.0) >= DATE_MS {
                self.look_at_the_date();
            }
            self.obey_commands().await?;
            // First what the journal has by now, and its orders: an alarm leaves before all that the event sets free (D5).
            self.hear().await?;
            self.obey().await?;
            match event {
                Event::Stop => return Ok(()),
                // An aborted try was given up for a newer one of the same batch.
                Event::Answered(Err(_)) | Event::Grew => {}
                Event::Answered(Ok(tried)) => self.answered(tried),
                Event::LinkUp => self.link_up(),
                Event::Decided(decision) => self.decide(decision).await?,
                Event::Heeded(answer) => self.heeded(answer).await?,
                Event::Time => self.core.handle(mono_ms(), Input::Tick),
            }
        }
    }

    /// Waits for one event.
    async fn next(&mut self) -> Event {
        let sleep = self.sleep();
        let Signals { end, link_up, stop, .. } = &mut self.signals;
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Event::Stop,
            Some(done) = self.requests.join_next() => Event::Answered(done),
            // The journal's watcher ends first only when the daemon stops or its thread broke.
            grew = end.changed() => if grew.is_ok() { Event::Grew } else { Event::Stop },
            () = link_up.notified() => Event::LinkUp,
            Some(decision) = self.orders.recv() => Event::Decided(decision),
            Some(answer) = self.commands.answer() => Event::Heeded(answer),
            () = tokio::time::sleep(sleep) => Event::Time,
        }
    }

    fn sleep(&self) -> Duration {
        let until = self.core.next_timeout();
        let wait = until.map(|at| Duration::from_millis(at.0.saturating_sub(mono_ms().0)));
        wait.unwrap_or(SLEEP_MAX).min(SLEEP_MAX)
    }

    /// Tells the core how far the journal goes, alarms first known.
    async fn hear(&mut self) -> Result<(), FileThreadEnded> {
        let (name, told, end) = (self.name.clone(), self.core.told(), *self.signals.end.borrow_and_update());
        let worth = self.files.run(move |files| files.worth_telling(&name, told, end)).await?;
        // What cannot be read is met by whoever cuts a batch of it.
        let worth = worth.unwrap_or(end);
        self.told.quiet = if worth < end { end.0 - told.0 } else { 0 };
        let end = worth;
        while self.core.told() < end {
            let from = self.core.told();
            let read = self.files.run(move |files| files.reader.alarms(from, ALARMS_READ_MAX)).await?;
            let alarms = match read {
                Ok(alarms) => alarms,
                Err(error) => {
                    log::error!(destination:% = self.name, error = chain(&error).as_str(); "failed to look for alarms");
                    return Ok(());
                }
            };
            // A full page may have left alarms behind it.
            let page_end = alarms.last().filter(|_| alarms.len() == ALARMS_READ_MAX).map(|last| last.next());
            let end = page_end.map_or(end, |page_end| page_end.min(end));
            self.core.handle(mono_ms(), Input::Journaled { end, alarms });
            if self.core.told() == from {
                // It knows as many alarms as it can; the next receipt makes room.
                return Ok(());
            }
        }
        Ok(())
    }

    /// Tells the core what day it is; an order that follows waits for [`Driver::obey`].
    fn look_at_the_date(&mut self) {
        self.date_told = mono_ms();
        let date = match self.signals.time.now(self.date_told) {
            Known::Is(ms) => self.config.budget.utc_offset_minutes.date(ms),
            Known::NotBefore(_) => None,
        };
        self.core.handle(self.date_told, Input::Calendar { date });
    }

    async fn obey(&mut self) -> Result<(), FileThreadEnded> {
        while let Some(action) = self.core.poll() {
            match action {
                Action::Cut { lane, ranges, bytes_max } => self.cut(lane, ranges, bytes_max).await?,
                Action::Send { id, timeout_ms } => {
                    self.give_up(id);
                    self.send(id, timeout_ms, Way::Kept).await?;
                }
                Action::Note { usage } => self.note(usage).await?,
                Action::Hedge { id, timeout_ms } => {
                    log::debug!(destination:% = self.name, batch:% = id; "the answer is late, asked once more");
                    self.send(id, timeout_ms, Way::Fresh).await?;
                }
                Action::Advance { id } => self.advance(id).await?,
                Action::Split { id, reason } => self.split(id, reason).await?,
                Action::Park { id, reason } => self.park(id, reason).await?,
            }
        }
        Ok(())
    }

    async fn cut(&mut self, lane: Lane, ranges: SeqRanges, bytes_max: u64) -> Result<(), FileThreadEnded> {
        let name = self.name.clone();
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX);
        let cut = self.files.run(move |files| files.cut(&name, lane, &ranges, bytes_max)).await?;
        let input = match cut {
            Ok(Cut { batch, gone }) => {
                if !gone.is_empty() {
                    log::warn!(destination:% = self.name, numbers = gone.len(); "the journal has no record of these numbers, undelivered");
                    self.core.handle(mono_ms(), Input::Gone { ranges: gone });
                }
                let Some(cut) = batch else {
                    self.core.handle(mono_ms(), Input::NotCut { lane });
                    return Ok(());
                };
                log::debug!(destination:% = self.name, batch:% = cut.id, lane:%, records = cut.ranges.len(),
                    bytes = cut.bytes_len; "batch cut");
                let CutBatch { id, ranges, bytes_len, content_len } = cut;
                Input::Cut { lane, id, ranges, bytes_len, content_len }
            }
            Err(error) => {
                log::error!(destination:% = self.name, lane:%, error = chain(&error).as_str();
                    "failed to cut a batch, tried again");
                Input::NotCut { lane }
            }
        };
        self.core.handle(mono_ms(), input);
        Ok(())
    }

    async fn send(&mut self, id: BatchId, timeout_ms: u64, way: Way) -> Result<(), FileThreadEnded> {
        let name = self.name.clone();
        let bytes = self.files.run(move |files| files.outbox.batch_bytes(&name, &id.0)).await?;
        let bytes = match bytes.map(|bytes| bytes.ok_or_else(|| format!("batch {id} is not in the outbox"))) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(what)) => {
                self.failed(id, Transient::Unreadable, None, what);
                return Ok(());
            }
            Err(error) => {
                self.failed(id, Transient::Unreadable, None, chain(&error));
                return Ok(());
            }
        };
        let bytes_len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let (transport, expected) = (self.transport.clone(), self.expected.clone());
        let sent_at = mono_ms();
        self.tries_begun += 1;
        let number = self.tries_begun;
        let progress = self.transport.progress();
        let moves = progress.clone();
        let (files, name, gateway) = (self.files.clone(), self.name.clone(), self.signals.gateway.clone());
        let timeout = Duration::from_millis(timeout_ms);
        let task = self.requests.spawn(async move {
            let mut answer = transport.put(way, moves.clone(), &expected, id, bytes, timeout).await;
            let strangers = Strangers { transport: &transport, files, name, timeout };
            if let Answer::StrangeKey { what } = answer {
                answer = strangers.introduce(&expected, moves, id, what).await;
            }
            let mut keys = None;
            if let Answer::StrangeReceipt { bytes, what } = answer {
                (answer, keys) = strangers.ask_for_keys(&expected, id, bytes, what, gateway).await;
            }
            Tried { id, number, bytes_len, sent_at, answer: answer.settled(), keys }
        });
        self.tries.entry(id).or_default().push(Try { number, progress, task });
        Ok(())
    }

    /// Leaves the connections of the old link, those that are still being made at once.
    fn link_up(&mut self) {
        self.transport.renew();
        let connects = |tries: &[Try]| tries.iter().all(|one| !one.progress.has_begun());
        let connecting = self.tries.iter().filter(|(_, tries)| connects(tries)).map(|(id, _)| *id);
        for id in connecting.collect::<Vec<_>>() {
            self.give_up(id);
            let why = Transient::Unreachable;
            self.core.handle(mono_ms(), Input::Failed { id, retry_after_ms: None, why });
        }
        self.core.handle(mono_ms(), Input::LinkUp);
    }

    /// Ends the tries of a batch.
    fn give_up(&mut self, id: BatchId) {
        self.tries.remove(&id).into_iter().flatten().for_each(|one| one.task.abort());
    }

    fn answered(&mut self, tried: Tried) {
        let Tried { id, number, bytes_len, sent_at, answer, keys } = tried;
        if let Some(keys) = keys {
            self.told.successor = successor(&keys);
            self.expected.keys = keys;
        }
        let now = mono_ms();
        if !matches!(answer, Answer::Failed { why: Transient::Unreachable | Transient::Untrusted, .. }) {
            self.told.bytes_sent = self.told.bytes_sent.saturating_add(bytes_len);
        }
        // One that was given up may have ended before it heard of it.
        let Some(others) = self.tries.get_mut(&id) else { return };
        let Some(at) = others.iter().position(|one| one.number == number) else { return };
        others.swap_remove(at);
        match answer {
            // The other one may still come to something.
            Answer::Failed { why, what, .. } if !others.is_empty() => return self.remember(why, what),
            _ => self.give_up(id),
        }
        match answer {
            Answer::Receipt { bytes, holds, command, own_ms } => {
                self.told.rtt_ms = Some(now.0.saturating_sub(sent_at.0));
                self.commands.came = Some(Came { batch: id, command, holds: holds.clone() });
                self.receipt = Some((id, bytes));
                let short_before = self.core.counters().failed(Transient::Short);
                self.core.handle(now, Input::Acked { id, holds, own_ms });
                if self.core.counters().failed(Transient::Short) > short_before {
                    self.remember(Transient::Short, format!("the receipt for {id} does not hold its records"));
                }
            }
            Answer::Refused { why } => {
                let full_before = self.core.counters().failed(Transient::ParkingFull);
                self.core.handle(now, Input::Refused { id, why: why.clone() });
                if self.core.counters().failed(Transient::ParkingFull) > full_before {
                    self.remember(Transient::ParkingFull, format!("no room to put aside what is refused: {why}"));
                }
            }
            // Settled before it came here.
            Answer::StrangeKey { .. } | Answer::StrangeReceipt { .. } => {}
            Answer::Failed { why, retry_after_ms, what } => self.failed(id, why, retry_after_ms, what),
        }
    }

    fn failed(&mut self, id: BatchId, why: Transient, retry_after_ms: Option<u64>, what: String) {
        log::debug!(destination:% = self.name, batch:% = id, why = why.as_str(); "try failed");
        self.remember(why, what);
        self.core.handle(mono_ms(), Input::Failed { id, retry_after_ms, why });
    }

    /// Keeps the failure for people, and logs it when it is another one than before: a dead link must not fill a log.
    fn remember(&mut self, why: Transient, what: String) {
        let known = self.told.last_error.as_ref().is_some_and(|(_, before, _)| *before == why);
        match why {
            _ if known => {}
            Transient::Untrusted
            | Transient::NotEnrolled
            | Transient::Revoked
            | Transient::Unverified
            | Transient::Unreadable
            | Transient::ParkingFull => {
                log::error!(destination:% = self.name, why = why.as_str(), what = what.as_str(), next = cure(why);
                    "nothing is delivered until a person acts");
            }
            _ => {
                log::warn!(destination:% = self.name, why = why.as_str(), what = what.as_str(), next = cure(why);
                    "delivery failed, tried again");
            }
        }
        self.told.last_error = Some((mono_ms(), why, what));
    }

    /// Makes the receipt durable; until that is done this destination does nothing else (D1).
    async fn advance(&mut self, id: BatchId) -> Result<(), FileThreadEnded> {
        let Some((_, receipt)) = self.receipt.take_if(|(of, _)| *of == id) else {
            debug_assert!(false, "D1: {id} advances without a receipt");
            return Ok(());
        };
        let receipt: Arc<[u8]> = receipt.into();
        let kept = Arc::clone(&receipt);
        let stored = self.store(move |files, name| files.settle(name, id, &kept)).await?;
        let Some(Settled { tally, reopened }) = stored else { return Ok(()) };
        self.heed(id, &receipt);
        self.told.tally = tally;
        if !reopened.is_empty() {
            self.core.handle(mono_ms(), Input::Reopened { ranges: reopened });
        }
        self.told.last_receipt = Some(mono_ms());
        if let Some((_, why, _)) = self.told.last_error.take() {
            log::info!(destination:% = self.name, why = why.as_str(); "delivery works again");
        }
        log::debug!(destination:% = self.name, batch:% = id, rtt_ms = self.told.rtt_ms.unwrap_or(0); "receipt verified");
        Ok(())
    }

    /// Makes durable what the link carried, before it carries more.
    async fn note(&self, usage: Usage) -> Result<(), FileThreadEnded> {
        let Usage { date, day_bytes, month_bytes } = usage;
        let date = date.map(|Date { day, month }| (day, month));
        let usage = journal::StoredUsage { date, day_bytes, month_bytes };
        self.store(move |files, name| files.outbox.note_usage(name, &usage)).await.map(|_| ())
    }

    async fn split(&mut self, id: BatchId, reason: Option<String>) -> Result<(), FileThreadEnded> {
        match reason {
            Some(why) => log::warn!(destination:% = self.name, batch:% = id, why = why.as_str();
                "batch refused, tried again in halves"),
            None => {
                self.give_up(id);
                log::info!(destination:% = self.name, batch:% = id; "the link does not carry the batch, tried in halves");
            }
        }
        self.store(move |files, name| files.split(name, id)).await.map(|_| ())
    }

    async fn park(&mut self, id: BatchId, reason: String) -> Result<(), FileThreadEnded> {
        log::error!(destination:% = self.name, batch:% = id, why = reason.as_str(), next = "weir sync parked";
            "batch refused and put aside");
        self.store(move |files, name| files.park(name, id, &reason)).await.map(|_| ())
    }

    /// Stores what an answer came to, until it is stored; nothing else of this destination goes on. `None` if the daemon
    /// stops before.
    async fn store<T, F>(&self, work: F) -> Result<Option<T>, FileThreadEnded>
    where
        T: Send + 'static,
        F: Fn(&mut Files, &str) -> Result<T, StoreError> + Send + Sync + 'static,
    {
        let work = Arc::new(work);
        let mut failures: u64 = 0;
        while failures == 0 || !*self.signals.stop.borrow() {
            let (name, work) = (self.name.clone(), work.clone());
            match self.files.run(move |files| work(files, &name)).await? {
                Ok(done) => return Ok(Some(done)),
                Err(error) => {
                    failures += 1;
                    self.not_stored(&error, failures).await;
                }
            }
        }
        Ok(None)
    }

    /// Says so the 1st, 2nd, 4th, 8th … time, and rests.
    async fn not_stored(&self, error: &StoreError, failures: u64) {
        if failures.is_power_of_two() {
            log::error!(destination:% = self.name, failures, error = chain(error).as_str();
                "failed to store an answer, tried again");
        }
        let mut stop = self.signals.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            () = tokio::time::sleep(STORE_RETRY) => {}
        }
    }
}
