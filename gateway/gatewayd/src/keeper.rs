//! Looks after what is stored, on a thread of its own: moves full tables into files, keeps to the budget, looks for rot.
//!
//! It reads, and writes files; the database is the committer's. What has to be stored with a step goes to the committer as an
//! order, and the loss that a step brings is journaled before the file changes. Each step can be repeated: a power cut at
//! any place leaves it to the next turn.

mod space;
#[cfg(test)]
mod tests;
mod wear;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use journal::retention::{Budget, Cause, Step, Usage, plan};
use journal::{Loss, Outbox, Reader, Segment, SegmentChange, Stage, StoreError, check, mend, reduce, seal, weigh};
use record::{ClockQuality, Gap, GapReason, MonoMs, Seq, SeqRange, SeqRanges};
use tokio::sync::{mpsc, oneshot};

use crate::board::Board;
use crate::clock::{Clock, mono_ms};
use crate::config;
use crate::error::StartError;
use crate::order::{Order, Ordered};
use crate::status::KeepingStatus;
use space::Space;
use wear::Wear;

/// How often it looks whether there is something to do.
const TURN: Duration = Duration::from_secs(10);
/// A pause between two segments that are checked: some MB/s of an SD card, and the committer's syncs in between.
const CHECK_PAUSE: Duration = Duration::from_millis(200);
/// All that is stored is checked this often, for the first time after a start.
const CHECK_EVERY_MS: u64 = 24 * 3_600_000;
/// Steps towards the budget in one turn, so that a check and a stop get theirs.
const STEPS_MAX: usize = 64;

const DAY_MS: i64 = 86_400_000;

/// Why a turn was not finished; the next one tries again.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error("failed to look after the journal")]
    Store(#[source] StoreError),
    #[error("failed to look at the disk of the journal · try: df -h")]
    Space(#[source] std::io::Error),
    #[error("the journal did not take a step of its upkeep: {0}")]
    Refused(String),
    #[error("the committer is gone")]
    Stopped,
}

impl From<StoreError> for KeeperError {
    fn from(error: StoreError) -> KeeperError {
        KeeperError::Store(error)
    }
}

/// The keeper's state.
pub(crate) struct Keeper {
    reader: Reader,
    outbox: PathBuf,
    orders: mpsc::Sender<Ordered>,
    board: Arc<Mutex<Board>>,
    clock: Arc<Mutex<Clock>>,
    /// Told to the committer: what is left of the disk is for alarms.
    scarce: Arc<AtomicBool>,
    limits: config::Journal,
    space: Space,
    wear: Wear,
    /// First record of the segment that is checked next; none between two passes.
    checking: Option<Seq>,
    next_check: MonoMs,
}

/// A keeper at work. It ends when this is stopped, or when the committer has gone.
pub(crate) struct RunningKeeper {
    thread: JoinHandle<()>,
    nudge: SyncSender<()>,
}

impl RunningKeeper {
    /// Starts it beside the committer.
    pub(crate) fn start(
        config: &config::GatewayConfig,
        orders: mpsc::Sender<Ordered>,
        board: Arc<Mutex<Board>>,
        clock: Arc<Mutex<Clock>>,
        scarce: Arc<AtomicBool>,
    ) -> Result<RunningKeeper, StartError> {
        let path = config.journal_path();
        let keeper = Keeper {
            reader: Reader::open(&path).map_err(StartError::Journal)?,
            outbox: config.outbox_path(),
            orders,
            board,
            clock,
            scarce,
            limits: config.file.journal,
            space: Space::new(&path, config.file.journal.disk_reserve_bytes),
            wear: Wear::new(&path),
            checking: Some(Seq(0)),
            next_check: mono_ms(),
        };
        let (nudge, nudges) = sync_channel(1);
        let work = move || keeper.run(&nudges);
        let thread = std::thread::Builder::new().name("keeper".into()).spawn(work).map_err(StartError::Thread)?;
        Ok(RunningKeeper { thread, nudge })
    }

    /// Ends it after the step it is at.
    pub(crate) async fn stop(self) {
        let RunningKeeper { thread, nudge } = self;
        drop(nudge);
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        if !matches!(joined, Ok(Ok(()))) {
            log::error!("the keeper panicked");
        }
    }
}

impl Keeper {
    fn run(mut self, nudges: &Receiver<()>) {
        let mut said = None;
        loop {
            let turned = self.turn();
            let pause = if matches!(turned, Ok(true)) { CHECK_PAUSE } else { TURN };
            let trouble = match turned {
                Err(KeeperError::Stopped) => return,
                Err(KeeperError::Store(error)) if error.is_damage() => {
                    log::error!(error = control::chain(&error).as_str(); "the journal is damaged");
                    let _ = self.send(Order::GiveUp);
                    return;
                }
                Err(error) => Some(control::chain(&error)),
                Ok(_) => None,
            };
            if trouble.is_some() && trouble != said {
                log::error!(error = trouble.as_deref().unwrap_or_default(); "upkeep of the journal failed, tried again");
            }
            self.note(trouble.clone());
            said = trouble;
            match nudges.recv_timeout(pause) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// What is due; gives whether there is more of it soon.
    fn turn(&mut self) -> Result<bool, KeeperError> {
        for segment in self.segments()?.iter().filter(|segment| segment.condemned.is_some()) {
            self.finish(segment)?;
        }
        let full = |segment: &&Segment| segment.stage == Stage::Hot && segment.last.is_some();
        if let Some(table) = self.segments()?.iter().find(full) {
            let change = seal(&self.reader, table)?;
            self.order(Vec::new(), change)?;
            return Ok(true);
        }
        self.keep_to_budget()?;
        self.check_one()
    }

    fn segments(&self) -> Result<Vec<Segment>, KeeperError> {
        Ok(self.reader.segments()?)
    }

    fn keep_to_budget(&mut self) -> Result<(), KeeperError> {
        let budget = Budget {
            bytes_max: self.limits.bytes_max,
            older_than_ms: self.older_than_ms(),
            aged_before: self.delivered_before(),
        };
        for _ in 0..STEPS_MAX {
            let segments = self.segments()?;
            let files: u64 = segments.iter().map(|segment| segment.bytes).sum();
            let bytes = files.saturating_add(self.reader.database_bytes()?);
            let disk_short_bytes = self.space.look().map_err(KeeperError::Space)?;
            self.scarce.store(self.space.is_scarce(), Ordering::Relaxed);
            let Some(step) = plan(&segments, Usage { bytes, disk_short_bytes }, budget) else { return Ok(()) };
            self.reduce(step)?;
        }
        Ok(())
    }

    /// The loss first, then the file.
    fn reduce(&self, step: Step) -> Result<(), KeeperError> {
        let Step { segment, to, cause } = step;
        let loss = weigh(&self.reader, &segment, to)?;
        let why = match (cause, to) {
            (Cause::Age, _) => GapReason::Age,
            (Cause::Full, Stage::Thinned) => GapReason::Thinned,
            (Cause::Full, _) => GapReason::Full,
        };
        log::warn!(first:% = segment.first, to = to.as_str(), why = why.as_str(), frames = loss.frames; "records go");
        self.order(gaps(why, loss), SegmentChange::Condemned { first: segment.first, to })?;
        self.finish(&Segment { condemned: Some(to), ..segment })
    }

    fn finish(&self, segment: &Segment) -> Result<(), KeeperError> {
        let change = reduce(&self.reader, segment)?;
        self.order(Vec::new(), change)
    }

    /// Checks one segment of a pass. Gives whether the pass goes on.
    fn check_one(&mut self) -> Result<bool, KeeperError> {
        if self.checking.is_none() && mono_ms() >= self.next_check {
            self.checking = Some(Seq(0));
        }
        let Some(from) = self.checking else { return Ok(false) };
        let Some(segment) = self.segments()?.into_iter().find(|segment| segment.first >= from) else {
            self.checking = None;
            self.next_check = MonoMs(mono_ms().0.saturating_add(CHECK_EVERY_MS));
            return Ok(false);
        };
        self.checking = Some(segment.first.next());
        let damaged = check(&self.reader, &segment)?;
        if damaged.is_empty() {
            return Ok(true);
        }
        log::error!(first:% = segment.first, records = damaged.len(); "stored records are damaged");
        if segment.has_file() {
            let loss = Loss { other: damaged.len(), ranges: damaged, ..Loss::default() };
            self.order_gaps(gaps(GapReason::Damaged, loss))?;
            let (folder, change) = mend(&self.reader, &segment)?;
            log::error!(folder:% = folder.display(); "the damaged file is kept");
            self.order(Vec::new(), change)?;
        }
        Ok(true)
    }

    /// Age counts only while the clock can be believed.
    fn older_than_ms(&self) -> Option<i64> {
        let stamp = self.clock.lock().unwrap_or_else(PoisonError::into_inner).stamp();
        let trusted = stamp.clock == ClockQuality::Synchronised;
        trusted.then(|| stamp.wall_ms.0.saturating_sub(DAY_MS.saturating_mul(self.limits.days_max.into())))
    }

    /// The first record that some platform lacks; beyond all where there is no platform.
    fn delivered_before(&self) -> Seq {
        if !self.outbox.exists() {
            return Seq(u64::MAX);
        }
        delivered(&self.outbox).unwrap_or(Seq(0))
    }

    fn order_gaps(&self, gaps: Vec<Gap>) -> Result<(), KeeperError> {
        self.send(Order::Keep { gaps, changes: Vec::new() })
    }

    fn order(&self, gaps: Vec<Gap>, change: SegmentChange) -> Result<(), KeeperError> {
        self.send(Order::Keep { gaps, changes: vec![change] })
    }

    /// Waits until it is durable.
    fn send(&self, order: Order) -> Result<(), KeeperError> {
        let (answer, answered) = oneshot::channel();
        self.orders.blocking_send(Ordered { order, answer }).map_err(|_| KeeperError::Stopped)?;
        match answered.blocking_recv() {
            Err(_) => Err(KeeperError::Stopped),
            Ok(Err(why)) => Err(KeeperError::Refused(why)),
            Ok(Ok(_)) => Ok(()),
        }
    }

    fn note(&mut self, trouble: Option<String>) {
        let written = self.wear.look(mono_ms());
        let segments = self.reader.segments().unwrap_or_default();
        let bytes = segments.iter().map(|segment| segment.bytes).sum::<u64>();
        let count = |stage| segments.iter().filter(|segment| segment.stage == stage).count();
        let status = KeepingStatus {
            bytes: bytes.saturating_add(self.reader.database_bytes().unwrap_or(0)),
            bytes_max: self.limits.bytes_max,
            disk_free_bytes: self.space.free(),
            whole: count(Stage::Whole),
            thinned: count(Stage::Thinned),
            remnant: count(Stage::Remnant),
            whole_from: segments.iter().find(|segment| segment.stage <= Stage::Whole).map(|segment| segment.first.0),
            written_bytes: written.map(|written| written.bytes),
            written_ms: written.map_or(0, |written| written.over_ms),
            disk_bytes: written.map(|written| written.disk_bytes),
            scarce: self.space.is_scarce(),
            trouble,
        };
        self.board.lock().unwrap_or_else(PoisonError::into_inner).journal.keeping = Some(status);
    }
}

fn delivered(outbox: &Path) -> Result<Seq, StoreError> {
    let outbox = Outbox::open_read_only(outbox)?;
    let mut first = Seq(u64::MAX);
    for destination in outbox.destinations()? {
        let mut settled = outbox.coverage(&destination)?;
        outbox.parked(&destination)?.iter().for_each(|range| settled.insert(range));
        let lacks = settled.missing_in(SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) });
        first = first.min(lacks.bounds().map_or(Seq(u64::MAX), |lacks| lacks.first));
    }
    Ok(first)
}

/// The records that tell a loss: one, unless it has more ranges than one may name.
pub(crate) fn gaps(why: GapReason, loss: Loss) -> Vec<Gap> {
    let Loss { ranges, mut frames, mut rejected, mut other, mut bytes } = loss;
    let all: Vec<SeqRange> = ranges.iter().collect();
    let gap = |part: &[SeqRange]| Gap {
        why,
        ranges: part.iter().copied().collect::<SeqRanges>(),
        // The counts are of all parts together, and stand in the first.
        frames: std::mem::take(&mut frames),
        rejected: std::mem::take(&mut rejected),
        other: std::mem::take(&mut other),
        bytes: std::mem::take(&mut bytes),
    };
    all.chunks(Gap::RANGES_MAX).map(gap).collect()
}
