//! One channel: what is on its way, how much it got, when it is tried again.

use std::collections::VecDeque;

use delivery::{Backoff, Jitter};
use record::MonoMs;

use crate::AlarmKey;

/// Most alarms that are gathered in one message; further ones wait for the next.
pub const GATHERED_MAX: usize = 1_000;
const MINUTE_MS: u64 = 60_000;

/// A channel at work.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    /// The alarms of the message on its way.
    pub(crate) in_flight: Option<Vec<AlarmKey>>,
    failures: u32,
    retry_at: Option<MonoMs>,
    /// When it got messages, within a minute.
    recent: VecDeque<MonoMs>,
    pub(crate) last_error: Option<String>,
}

impl Line {
    /// How many messages it may get now. 0 while one is on its way, after a failure, or when the minute is full.
    pub(crate) fn room(&mut self, now: MonoMs, a_minute_max: u32) -> usize {
        while self.recent.front().is_some_and(|at| at.0.saturating_add(MINUTE_MS) <= now.0) {
            self.recent.pop_front();
        }
        if self.in_flight.is_some() || self.retry_at.is_some_and(|at| at > now) {
            return 0;
        }
        usize::try_from(a_minute_max).unwrap_or(usize::MAX).saturating_sub(self.recent.len())
    }

    /// When it may get one again, if only time can tell.
    pub(crate) fn next(&self, now: MonoMs, a_minute_max: u32) -> Option<MonoMs> {
        if self.in_flight.is_some() {
            return None;
        }
        let is_full = self.recent.len() >= usize::try_from(a_minute_max).unwrap_or(usize::MAX);
        let full = self.recent.front().filter(|_| is_full).map(|at| MonoMs(at.0.saturating_add(MINUTE_MS)));
        self.retry_at.into_iter().chain(full).max().filter(|at| *at > now)
    }

    /// It has, or may have, taken a message.
    pub(crate) fn took(&mut self, now: MonoMs) {
        self.recent.push_back(now);
    }

    /// It answered well.
    pub(crate) fn well(&mut self) {
        (self.failures, self.retry_at, self.last_error) = (0, None, None);
    }

    /// It did not.
    pub(crate) fn failed(&mut self, now: MonoMs, backoff: Backoff, jitter: &mut Jitter, why: String) {
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(MonoMs(now.0.saturating_add(jitter.wait_ms(backoff, self.failures))));
        self.last_error = Some(why);
    }

    /// It is tried at once.
    pub(crate) fn hurry(&mut self) {
        self.retry_at = None;
    }
}
