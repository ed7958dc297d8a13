//! When which line is on: pulses of samplers, signals that blink. Every line is off unless something here wants it on.

use std::collections::BTreeMap;

use record::{MonoMs, RelayId};

use crate::{Blink, ON_MS_MAX, Pulse};

/// A line that could not be switched off is tried again this often, in milliseconds.
pub const RETRY_MS: u64 = 200;
/// A pulse that lasted so many milliseconds longer than it should is not the sample that was asked for.
pub const LATE_MS: u64 = 1_000;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A sampler's line is to be on for a while.
    Pulse(Pulse),
    /// A signal is wanted, or not.
    Signal {
        /// Which.
        id: RelayId,
        /// Whether.
        on: bool,
    },
    /// The shell has tried what [`Action::Set`] asked for.
    Set {
        /// Whose line.
        id: RelayId,
        /// What it was to be.
        on: bool,
        /// Whether it is that now.
        is_done: bool,
    },
    /// Time has passed.
    Tick,
    /// The daemon stops: everything goes off.
    Stop,
}

/// What the shell must do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Switch a line, and tell with [`Input::Set`] what came of it.
    Set {
        /// Whose.
        id: RelayId,
        /// On, or off.
        on: bool,
    },
    /// A pulse is over.
    Report {
        /// Whose.
        id: RelayId,
        /// What came of it.
        done: Done,
    },
}

/// What came of a pulse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The line was on for its time.
    Taken,
    /// It was never on.
    NotSwitched,
    /// It was on for less, or for longer.
    Uncertain,
}

/// All lines.
#[derive(Debug)]
pub struct Lines {
    lines: BTreeMap<RelayId, Line>,
    stopped: bool,
}

/// What a line is for: one of a sampler is on for pulses alone, one of a signal as long as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wired {
    /// A sampler.
    Sampler,
    /// A light or siren, and how it blinks.
    Signal(Option<Blink>),
}

/// One line.
#[derive(Debug)]
struct Line {
    wired: Wired,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Off.
    Off,
    /// A sampler's, being switched on for so long.
    Rising { on_ms: u32 },
    /// A sampler's, on until then.
    On { until: MonoMs },
    /// Being switched off, to be tried again at `retry`. `done`: what is to be reported then.
    Falling { done: Option<Done>, retry: MonoMs },
    /// A signal that is wanted: what it is at the moment, and until when; none: as long as it is wanted.
    Lit { on: bool, until: Option<MonoMs> },
}

impl Lines {
    /// These lines. The shell has switched each of them off.
    pub fn new(lines: impl IntoIterator<Item = (RelayId, Wired)>) -> Lines {
        let line = |(id, wired)| (id, Line { wired, state: State::Off });
        Lines { lines: lines.into_iter().map(line).collect(), stopped: false }
    }

    /// What follows from what happened.
    pub fn handle(&mut self, now: MonoMs, input: Input) -> Vec<Action> {
        match input {
            Input::Pulse(Pulse { id, on_ms }) => self.begin(id, on_ms),
            Input::Signal { id, on } => self.light(id, on, now),
            Input::Set { id, on, is_done } => self.switched(id, on, is_done, now),
            Input::Tick => self.pass_time(now),
            Input::Stop => self.stop(now),
        }
    }

    /// When the next [`Input::Tick`] is due; none: when something happens.
    pub fn next_timeout(&self) -> Option<MonoMs> {
        self.lines.values().filter_map(|line| line.state.due()).min()
    }

    /// Whether nothing is on, and nothing is still to be switched off.
    pub fn is_off(&self) -> bool {
        self.lines.values().all(|line| line.state == State::Off)
    }

    fn begin(&mut self, id: RelayId, on_ms: u32) -> Vec<Action> {
        let stopped = self.stopped;
        match self.lines.get_mut(&id) {
            Some(line) if line.wired == Wired::Sampler && line.state == State::Off && !stopped => {
                line.state = State::Rising { on_ms: on_ms.min(ON_MS_MAX) };
                vec![Action::Set { id, on: true }]
            }
            // It is still at its last one, which never is while each is journaled to its end; or there is none.
            _ => vec![Action::Report { id, done: Done::NotSwitched }],
        }
    }

    fn light(&mut self, id: RelayId, wanted: bool, now: MonoMs) -> Vec<Action> {
        let stopped = self.stopped;
        let Some(line) = self.lines.get_mut(&id) else { return Vec::new() };
        let Wired::Signal(blink) = line.wired else { return Vec::new() };
        match (line.state, wanted) {
            (State::Off | State::Falling { .. }, true) if !stopped => {
                line.state = State::Lit { on: true, until: blink.map(|blink| after(now, blink.on_ms.into())) };
                vec![Action::Set { id, on: true }]
            }
            (State::Lit { .. }, false) => line.fall(id, None, now),
            _ => Vec::new(),
        }
    }

    fn switched(&mut self, id: RelayId, on: bool, is_done: bool, now: MonoMs) -> Vec<Action> {
        let Some(line) = self.lines.get_mut(&id) else { return Vec::new() };
        match (line.state, on, is_done) {
            (State::Rising { on_ms }, true, true) => {
                line.state = State::On { until: after(now, on_ms.into()) };
                Vec::new()
            }
            // Whatever it is now, it is to be off.
            (State::Rising { .. }, true, false) => line.fall(id, Some(Done::NotSwitched), now),
            (State::Falling { done, .. }, false, true) => {
                line.state = State::Off;
                done.map(|done| Action::Report { id, done }).into_iter().collect()
            }
            (State::Falling { done: Some(Done::Taken), .. }, false, false) => {
                line.state = State::Falling { done: Some(Done::Uncertain), retry: after(now, RETRY_MS) };
                Vec::new()
            }
            (State::Falling { done, .. }, false, false) => {
                line.state = State::Falling { done, retry: after(now, RETRY_MS) };
                Vec::new()
            }
            // A signal that cannot be switched is tried again as often.
            (State::Lit { on: wanted, .. }, on, false) if wanted == on => {
                line.state = State::Lit { on: !on, until: Some(after(now, RETRY_MS)) };
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn pass_time(&mut self, now: MonoMs) -> Vec<Action> {
        let due = |line: &Line| line.state.due().is_some_and(|at| at <= now);
        let mut actions = Vec::new();
        for (id, line) in self.lines.iter_mut().filter(|(_, line)| due(line)) {
            match line.state {
                State::On { until } => {
                    let late = now.0.saturating_sub(until.0) > LATE_MS;
                    let done = if late { Done::Uncertain } else { Done::Taken };
                    actions.extend(line.fall(id.clone(), Some(done), now));
                }
                State::Falling { done, .. } => actions.extend(line.fall(id.clone(), done, now)),
                State::Lit { on, .. } => {
                    let ms = |blink: Blink| if on { blink.off_ms } else { blink.on_ms };
                    let until = line.blink().map(|blink| after(now, ms(blink).into()));
                    line.state = State::Lit { on: !on, until };
                    actions.push(Action::Set { id: id.clone(), on: !on });
                }
                State::Off | State::Rising { .. } => {}
            }
        }
        actions
    }

    fn stop(&mut self, now: MonoMs) -> Vec<Action> {
        self.stopped = true;
        let mut actions = Vec::new();
        for (id, line) in &mut self.lines {
            let done = match line.state {
                State::Rising { .. } | State::On { .. } => Some(Done::Uncertain),
                State::Falling { done, .. } => done,
                State::Off | State::Lit { .. } => None,
            };
            // Also those that are off as far as anybody knows.
            actions.extend(line.fall(id.clone(), done, now));
        }
        actions
    }
}

impl Line {
    fn blink(&self) -> Option<Blink> {
        match self.wired {
            Wired::Sampler => None,
            Wired::Signal(blink) => blink,
        }
    }

    fn fall(&mut self, id: RelayId, done: Option<Done>, now: MonoMs) -> Vec<Action> {
        self.state = State::Falling { done, retry: after(now, RETRY_MS) };
        vec![Action::Set { id, on: false }]
    }
}

impl State {
    fn due(self) -> Option<MonoMs> {
        match self {
            State::Off | State::Rising { .. } => None,
            State::On { until } => Some(until),
            State::Falling { retry, .. } => Some(retry),
            State::Lit { until, .. } => until,
        }
    }
}

fn after(now: MonoMs, ms: u64) -> MonoMs {
    MonoMs(now.0.saturating_add(ms))
}

#[cfg(test)]
mod tests;
