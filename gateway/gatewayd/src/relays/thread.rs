//! What the thread does: it waits for a command or for time, and switches.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use control::chain;
use record::{MonoMs, RelayId};
use relay::{Action, Done, Input, Lines, Purpose, Wired};
use tokio::sync::mpsc::WeakSender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::chip::{Line, LineError, Wiring};
use super::{Board, Command, LineStatus, Watch, lock};
use crate::clock::mono_ms;
use crate::config::Relay;
use crate::order::{Order, Ordered};

/// It looks up at least this often, in milliseconds: what stops it is seen then.
const IDLE_MS: u64 = 250;
/// It has so much longer than it meant to wait before it counts as hanging: an I2C expander is slow, a loaded box too.
const HANG_MS: u64 = 5_000;
/// A line that cannot be opened is tried again this often.
const REOPEN_MS: u64 = 10_000;
/// What must be off when the daemon stops is tried for so long.
const STOP_MS: u64 = 2_000;

/// The thread's state.
pub(super) struct Switchboard<W: Wiring> {
    wiring: W,
    relays: BTreeMap<RelayId, Relay>,
    /// Those that are taken.
    taken: BTreeMap<RelayId, W::Line>,
    lines: Lines,
    board: Board,
    watch: Watch,
    orders: WeakSender<Ordered>,
    /// Pulses that are over and not told yet: one a relay at most.
    reports: VecDeque<(RelayId, Done)>,
    reopen_at: MonoMs,
}

impl<W: Wiring> Switchboard<W> {
    /// Takes every line, off.
    pub(super) fn open(
        relays: Vec<Relay>,
        wiring: W,
        board: Board,
        watch: Watch,
        orders: WeakSender<Ordered>,
    ) -> Switchboard<W> {
        let wired = |relay: &Relay| match relay.purpose {
            Purpose::Sampler => (relay.name.clone(), Wired::Sampler),
            Purpose::Signal => (relay.name.clone(), Wired::Signal(relay.blink)),
        };
        let lines = Lines::new(relays.iter().map(wired));
        let relays = relays.into_iter().map(|relay| (relay.name.clone(), relay)).collect();
        let taken = BTreeMap::new();
        let reports = VecDeque::new();
        let reopen_at = MonoMs(0);
        let mut open = Switchboard { wiring, relays, taken, lines, board, watch, orders, reports, reopen_at };
        open.watch.expect_before(mono_ms().0.saturating_add(HANG_MS));
        open.take_missing(mono_ms());
        open
    }

    /// Works until the other end of `stopping` is gone.
    pub(super) fn run(mut self, commands: &Receiver<Command>, stopping: &Receiver<()>) {
        while !matches!(stopping.try_recv(), Err(TryRecvError::Disconnected)) {
            let wait_ms = self.wait_ms(mono_ms());
            self.watch.expect_before(mono_ms().0.saturating_add(wait_ms + HANG_MS));
            match commands.recv_timeout(Duration::from_millis(wait_ms)) {
                Ok(Command::Pulse(pulse)) => self.feed(Input::Pulse(pulse)),
                Ok(Command::Signals(wanted)) => {
                    wanted.into_iter().for_each(|(id, on)| self.feed(Input::Signal { id, on }));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = mono_ms();
            if self.lines.next_timeout().is_some_and(|due| due <= now) {
                self.feed(Input::Tick);
            }
            self.take_missing(now);
            self.tell();
        }
        self.stop();
    }

    fn wait_ms(&self, now: MonoMs) -> u64 {
        let due = self.lines.next_timeout().map_or(IDLE_MS, |due| due.0.saturating_sub(now.0));
        let waiting = if self.reports.is_empty() { IDLE_MS } else { IDLE_MS / 10 };
        due.min(waiting)
    }

    /// Switches everything off; what is to be told waits for the committer, for nothing is on any more.
    fn stop(mut self) {
        let until = mono_ms().0.saturating_add(STOP_MS);
        self.watch.expect_before(until.saturating_add(HANG_MS));
        self.feed(Input::Stop);
        while !self.lines.is_off() && mono_ms().0 < until {
            std::thread::sleep(Duration::from_millis(relay::RETRY_MS));
            self.feed(Input::Tick);
        }
        self.taken.clear();
        // From here on it may wait: no line is held.
        self.watch.expect_before(u64::MAX);
        for (id, done) in std::mem::take(&mut self.reports) {
            let Some(orders) = self.orders.upgrade() else { return };
            let (answer, _) = oneshot::channel();
            let _ = orders.blocking_send(Ordered { order: Order::PulseDone { relay: id, done }, answer });
        }
    }

    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            for action in self.lines.handle(mono_ms(), input) {
                match action {
                    Action::Set { id, on } => {
                        let is_done = self.set(&id, on);
                        inputs.push_back(Input::Set { id, on, is_done });
                    }
                    Action::Report { id, done } => self.reports.push_back((id, done)),
                }
            }
        }
    }

    /// Switches a line. One that does not let itself be switched is given back and taken anew, which is off.
    fn set(&mut self, id: &RelayId, on: bool) -> bool {
        let switched = self.taken.get_mut(id).map(|line| line.set(on));
        match switched {
            Some(Ok(())) => {
                self.note(id, |line| line.on = on);
                true
            }
            Some(Err(error)) => {
                log::error!(relay:% = id, on, error = chain(&error).as_str(); "a relay is not switched");
                self.taken.remove(id);
                self.take(id) && !on
            }
            None => self.take(id) && !on,
        }
    }

    /// Takes the lines that are not taken yet, every now and then.
    fn take_missing(&mut self, now: MonoMs) {
        if now < self.reopen_at {
            return;
        }
        self.reopen_at = MonoMs(now.0.saturating_add(REOPEN_MS));
        let missing: Vec<RelayId> = self.relays.keys().filter(|id| !self.taken.contains_key(id)).cloned().collect();
        for id in missing {
            self.take(&id);
        }
    }

    /// Takes a line, off. Whether it has it now.
    fn take(&mut self, id: &RelayId) -> bool {
        let Some(relay) = self.relays.get(id) else { return false };
        match self.wiring.open(relay) {
            Ok(line) => {
                log::info!(relay:% = id, line = relay.place().as_str(); "a relay is ready, and off");
                self.taken.insert(id.clone(), line);
                self.note(id, |line| *line = LineStatus { open: true, on: false, error: None });
                true
            }
            Err(error) => {
                self.fault(id, &error);
                false
            }
        }
    }

    fn fault(&self, id: &RelayId, error: &LineError) {
        let why = chain(error);
        let mut is_new = false;
        self.note(id, |line| {
            is_new = line.error.as_deref() != Some(why.as_str());
            // Whether it is on nobody knows; what was told last stands.
            *line = LineStatus { open: false, on: line.on, error: Some(why.clone()) };
        });
        if is_new {
            log::error!(relay:% = id, error = why.as_str(); "a relay cannot be used");
        }
    }

    fn note(&self, id: &RelayId, change: impl FnOnce(&mut LineStatus)) {
        change(lock(&self.board).entry(id.clone()).or_default());
    }

    /// Tells the committer what became of pulses. It never waits here: a line may be on.
    fn tell(&mut self) {
        while let Some((id, done)) = self.reports.pop_front() {
            let Some(orders) = self.orders.upgrade() else { return };
            let (answer, _) = oneshot::channel();
            let ordered = Ordered { order: Order::PulseDone { relay: id.clone(), done }, answer };
            match orders.try_send(ordered) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    self.reports.push_front((id, done));
                    return;
                }
                Err(TrySendError::Closed(_)) => return,
            }
        }
    }
}
