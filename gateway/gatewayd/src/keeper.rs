//! Looks after what is stored, on a thread of its own: moves full tables into files, keeps to the budget, looks for rot.
//!
//! What is to be done [`Upkeep`] says; what it needs of clock, disk and outbox is read here, and what has to be stored with
//! a step goes to the committer as an order.

mod space;
#[cfg(test)]
mod tests;
mod wear;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use journal::{Reader, SegmentChange, Stage, StoreError};
use record::{ClockQuality, Gap, MonoMs, Seq};
use tokio::sync::{mpsc, oneshot};

use crate::board::Board;
use crate::clock::{Clock, mono_ms};
use crate::config;
use crate::error::StartError;
use crate::ledger::REPLAY_RECORDS;
use crate::order::{Order, Ordered};
use crate::status::KeepingStatus;
use crate::upkeep::{Host, Limits, Upkeep, UpkeepError, delivered_before};
use space::Space;
use wear::Wear;

/// How often it looks whether there is something to do.
const TURN: Duration = Duration::from_secs(10);
/// A pause between two segments that are checked is at least this …
const CHECK_PAUSE: Duration = Duration::from_millis(200);
/// … and so many times what the last one took: the check has a fifth of a core, and the committer's syncs go in between.
const CHECK_PAUSE_TIMES: u32 = 4;

const DAY_MS: i64 = 86_400_000;

/// The keeper's state.
pub(crate) struct Keeper {
    upkeep: Upkeep,
    surroundings: Surroundings,
    board: Arc<Mutex<Board>>,
    bytes_max: u64,
    wear: Wear,
}

/// What the upkeep is told of the box, and who stores its steps.
struct Surroundings {
    outbox: PathBuf,
    orders: mpsc::Sender<Ordered>,
    clock: Arc<Mutex<Clock>>,
    /// Told to the committer: what is left of the disk is for alarms.
    scarce: Arc<AtomicBool>,
    days_max: u32,
    space: Space,
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
        let limits = config.file.journal;
        let space = Space::new(&path, limits.disk_reserve_bytes);
        let surroundings =
            Surroundings { outbox: config.outbox_path(), orders, clock, scarce, days_max: limits.days_max, space };
        let keeper = Keeper::new(&path, limits.bytes_max, surroundings, board).map_err(StartError::Journal)?;
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
    fn new(
        journal: &Path,
        bytes_max: u64,
        surroundings: Surroundings,
        board: Arc<Mutex<Board>>,
    ) -> Result<Keeper, StoreError> {
        let limits = Limits { bytes_max, spared_records: REPLAY_RECORDS };
        let upkeep = Upkeep::new(Reader::open(journal)?, limits);
        Ok(Keeper { upkeep, surroundings, board, bytes_max, wear: Wear::new(journal) })
    }

    fn run(mut self, nudges: &Receiver<()>) {
        let mut said = None;
        loop {
            let began = Instant::now();
            let turned = self.upkeep.turn(&mut self.surroundings);
            let pause = match turned {
                Ok(true) => CHECK_PAUSE.max(began.elapsed().saturating_mul(CHECK_PAUSE_TIMES)),
                _ => TURN,
            };
            let trouble = match turned {
                Err(UpkeepError::Stopped) => return,
                Err(UpkeepError::Store(error)) if error.is_damage() => {
                    log::error!(error = control::chain(&error).as_str(); "the journal is damaged");
                    let _ = self.surroundings.send(Order::GiveUp);
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

    fn note(&mut self, trouble: Option<String>) {
        let written = self.wear.look(mono_ms());
        let segments = self.upkeep.reader().segments().unwrap_or_default();
        let count = |stage| segments.iter().filter(|segment| segment.stage == stage).count();
        let status = KeepingStatus {
            bytes: self.upkeep.bytes().unwrap_or(0),
            bytes_max: self.bytes_max,
            disk_free_bytes: self.surroundings.space.free(),
            whole: count(Stage::Whole),
            thinned: count(Stage::Thinned),
            remnant: count(Stage::Remnant),
            whole_from: segments.iter().find(|segment| segment.stage <= Stage::Whole).map(|segment| segment.first.0),
            written_bytes: written.map(|written| written.bytes),
            written_ms: written.map_or(0, |written| written.over_ms),
            disk_bytes: written.map(|written| written.disk_bytes),
            scarce: self.surroundings.space.is_scarce(),
            trouble,
        };
        self.board.lock().unwrap_or_else(PoisonError::into_inner).journal.keeping = Some(status);
    }
}

impl Host for Surroundings {
    fn now(&self) -> MonoMs {
        mono_ms()
    }

    fn keep(&mut self, gaps: Vec<Gap>, changes: Vec<SegmentChange>) -> Result<(), UpkeepError> {
        self.send(Order::Keep { gaps, changes })
    }

    fn disk_short_bytes(&mut self) -> io::Result<u64> {
        let short = self.space.look()?;
        self.scarce.store(self.space.is_scarce(), Ordering::Relaxed);
        Ok(short)
    }

    /// Age counts only while the clock can be believed.
    fn older_than_ms(&self) -> Option<i64> {
        let stamp = self.clock.lock().unwrap_or_else(PoisonError::into_inner).stamp();
        let trusted = stamp.clock == ClockQuality::Synchronised;
        trusted.then(|| stamp.wall_ms.0.saturating_sub(DAY_MS.saturating_mul(self.days_max.into())))
    }

    fn delivered_before(&self) -> Seq {
        delivered_before(&self.outbox)
    }
}

impl Surroundings {
    /// Waits until it is durable.
    fn send(&self, order: Order) -> Result<(), UpkeepError> {
        let (answer, answered) = oneshot::channel();
        self.orders.blocking_send(Ordered { order, answer }).map_err(|_| UpkeepError::Stopped)?;
        match answered.blocking_recv() {
            Err(_) => Err(UpkeepError::Stopped),
            Ok(Err(why)) => Err(UpkeepError::Refused(why)),
            Ok(Ok(_)) => Ok(()),
        }
    }
}
