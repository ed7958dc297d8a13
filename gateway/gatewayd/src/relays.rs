//! The relays of the box: a thread of its own holds their lines and has the timers, so that no commit, codec or socket keeps
//! one on.
//!
//! ```text
//! committer, behind the commit ─► Command ─► thread: relay::Lines ─► Wiring (GPIO) ─► line
//!                                              │                        └─► Status: open, on, error
//!                                              └─► Order::PulseDone ─► committer
//! ```
//! Every line is taken and switched off before the journal is opened, and released off when the daemon stops. A crash
//! closes its file: then the kernel gives the line back, and what it does then is the driver's affair. Many let it float,
//! some keep it as it was: that is why the next start switches it off first, and why the unit of a box with relays does so
//! too (`weir sampler off`). A thread that does not come round in time is found by [`Watch`]: the daemon ends, which closes
//! the file as well.

mod chip;
#[cfg(test)]
mod tests;
mod thread;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use record::{RelayId, Stamp};
use relay::{Pulse, Samplers, View};
use tokio::sync::mpsc::WeakSender;

use crate::clock::mono_ms;
use crate::config::Relay;
use crate::error::StartError;
use crate::order::Ordered;
use crate::status::{RelayStatus, SamplerStatus};
pub use chip::LineError;
use chip::{Gpio, Wiring};
use thread::Switchboard;

/// Commands that may wait for the thread: it takes each at once.
const COMMANDS_MAX: usize = 256;
/// How often it is looked whether the thread comes round.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// What the committer asks for.
#[derive(Debug)]
pub(crate) enum Command {
    /// A sample.
    Pulse(Pulse),
    /// Which signals are to be on; the others are off.
    Signals(BTreeMap<RelayId, bool>),
}

/// What is known of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LineStatus {
    /// It can be switched.
    pub(crate) open: bool,
    /// It is on now.
    pub(crate) on: bool,
    /// Why it cannot be switched.
    pub(crate) error: Option<String>,
}

/// What is known of each line.
pub(crate) type Board = Arc<Mutex<BTreeMap<RelayId, LineStatus>>>;

/// The way to the thread, and what it says.
#[derive(Debug, Clone)]
pub(crate) struct Relays {
    commands: SyncSender<Command>,
    board: Board,
}

/// Whether the thread comes round: until when it must, by the monotonic clock of the box.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<AtomicU64>);

/// The thread at work.
pub(crate) struct RunningRelays {
    thread: Option<JoinHandle<()>>,
    relays: Relays,
    watch: Watch,
    stop: SyncSender<()>,
}

impl Relays {
    /// Whether this line can be switched now.
    pub(crate) fn is_ready(&self, id: &RelayId) -> bool {
        lock(&self.board).get(id).is_some_and(|line| line.open)
    }

    /// The way to lines that can all be switched, and what they are told.
    #[cfg(test)]
    pub(crate) fn ready(relays: &[Relay]) -> (Relays, Receiver<Command>) {
        let (commands, commanded) = sync_channel(COMMANDS_MAX);
        let open = LineStatus { open: true, ..LineStatus::default() };
        let lines = relays.iter().map(|relay| (relay.name.clone(), open.clone())).collect();
        (Relays { commands, board: Arc::new(Mutex::new(lines)) }, commanded)
    }

    /// Hands a command over; it is carried out at once. Whether it was taken.
    pub(crate) fn command(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// What is known of each line.
    pub(crate) fn board(&self) -> Board {
        self.board.clone()
    }
}

impl Watch {
    /// The thread must come round before this moment.
    fn expect_before(&self, mono_ms: u64) {
        self.0.store(mono_ms, Ordering::Relaxed);
    }

    fn is_overdue(&self) -> bool {
        mono_ms().0 > self.0.load(Ordering::Relaxed)
    }

    /// Waits until the thread hangs. Cancel safe.
    async fn broken(&self) {
        // One look may come first after the whole process stood still.
        let mut overdue = 0;
        while overdue < 2 {
            tokio::time::sleep(WATCH_EVERY).await;
            overdue = if self.is_overdue() { overdue + 1 } else { 0 };
        }
    }
}

impl RunningRelays {
    /// Takes every line and switches it off, then gives them their thread. A line that cannot be opened is no reason not to
    /// start; it is tried again.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub(crate) fn start(relays: &[Relay], orders: WeakSender<Ordered>) -> Result<RunningRelays, StartError> {
        RunningRelays::start_on(relays, orders, Gpio)
    }

    fn start_on(
        relays: &[Relay],
        orders: WeakSender<Ordered>,
        wiring: impl Wiring,
    ) -> Result<RunningRelays, StartError> {
        let (commands, commanded) = sync_channel(COMMANDS_MAX);
        // Rendezvous with nobody: only that its other end is gone matters.
        let (stop, stopping) = sync_channel(1);
        let (board, watch) = (Board::default(), Watch::default());
        let enabled: Vec<Relay> = relays.iter().filter(|relay| relay.enabled).cloned().collect();
        let thread = match enabled.is_empty() {
            true => None,
            false => {
                let board = Switchboard::open(enabled, wiring, board.clone(), watch.clone(), orders);
                Some(spawn(board, commanded, stopping)?)
            }
        };
        Ok(RunningRelays { thread, relays: Relays { commands, board }, watch, stop })
    }

    /// For the committer.
    pub(crate) fn relays(&self) -> Relays {
        self.relays.clone()
    }

    /// Waits until the thread hangs, or has died: a line may be on then that nobody switches off. Cancel safe.
    pub(crate) async fn failed(&self) {
        match &self.thread {
            Some(_) => self.watch.broken().await,
            None => std::future::pending().await,
        }
    }

    /// Switches everything off and waits for that, unless the thread hangs: then the end of the process does it.
    pub(crate) async fn stop(self) {
        let RunningRelays { thread, watch, stop, .. } = self;
        drop(stop);
        let Some(thread) = thread else { return };
        tokio::select! {
            joined = tokio::task::spawn_blocking(move || thread.join()) => {
                if !matches!(joined, Ok(Ok(()))) {
                    log::error!("the thread of the relays panicked");
                }
            }
            () = watch.broken() => log::error!("the thread of the relays hangs, the end of the process closes the lines"),
        }
    }
}

fn spawn(
    board: Switchboard<impl Wiring>,
    commands: Receiver<Command>,
    stopping: Receiver<()>,
) -> Result<JoinHandle<()>, StartError> {
    let work = move || board.run(&commands, &stopping);
    std::thread::Builder::new().name("relays".into()).spawn(work).map_err(StartError::Thread)
}

fn lock(board: &Board) -> MutexGuard<'_, BTreeMap<RelayId, LineStatus>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What status shows of them.
pub(crate) fn status(relays: &[Relay], board: &Board, samplers: &Samplers, now: &Stamp) -> Vec<RelayStatus> {
    let board = lock(board);
    let shown = |relay: &Relay| {
        let line = board.get(&relay.name).cloned().unwrap_or_default();
        let sampler = relay.sampler().map(|setup| match samplers.view(&setup.id, now) {
            Some(View { used, bottles, cooling_ms, is_taking }) => {
                let cooling_s = cooling_ms.div_ceil(1_000);
                SamplerStatus { used, bottles, full: setup.bottles, cooling_s, taking: is_taking }
            }
            None => SamplerStatus { bottles: setup.bottles, full: setup.bottles, ..SamplerStatus::default() },
        });
        RelayStatus {
            name: relay.name.to_string(),
            place: relay.place(),
            enabled: relay.enabled,
            open: line.open,
            on: line.on,
            error: line.error,
            sampler,
        }
    };
    relays.iter().map(shown).collect()
}

/// Takes each line of these relays, switches it off and gives it back: what is left to do where the daemon crashed and is not
/// started again. Each with why it could not be.
pub fn switch_off(relays: &[Relay]) -> Vec<(RelayId, Result<(), LineError>)> {
    let off = |relay: &Relay| (relay.name.clone(), Gpio.open(relay).map(drop));
    relays.iter().filter(|relay| relay.enabled).map(off).collect()
}
