//! What a metered SIM may carry in a day and in a month, and what no longer leaves when that gets short.

use std::num::NonZeroU64;

use batch::Lane;
use record::MonoMs;

use crate::invariant;

/// Kept back from a limit for alarms: a tenth. They go beyond it as well.
const ALARMS_PART: u64 = 10;
/// Kept back from a limit for live records, beside that: a quarter.
const LIVE_PART: u64 = 4;
/// TCP, IP and TLS headers of the bytes of a batch: 74 of some 1,400 in each segment. 1/n.
const HEADERS_PART: u64 = 16;
/// An exchange beside its batch: the heads of request and answer, the receipt, acknowledgements, probes while idle. Bytes.
const EXCHANGE_BYTES: u64 = 1_500;
/// A new connection with a TLS 1.3 handshake and the platform's certificate; taken for granted each time. Bytes.
const HANDSHAKE_BYTES: u64 = 3_500;
/// A connection that did not come about: SYN and its repetitions. Bytes.
const CONNECT_BYTES: u64 = 300;
/// So many parts of a limit are noted as carried ahead of time, so that not every exchange costs a write. 1/n.
const AHEAD_PART: u64 = 128;
/// While nobody knows the date.
const DAY_MS: u64 = 86_400_000;
/// As the longest billing month that a day may be in without a date.
const MONTH_DAYS: u32 = 31;

/// How much may be carried; none is without a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// In a day. Bytes.
    pub day_bytes: Option<NonZeroU64>,
    /// In a month. Bytes.
    pub month_bytes: Option<NonZeroU64>,
}

/// A date where the box stands, in numbers that only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// Days since 1970-01-01.
    pub day: i64,
    /// Months since January 1970.
    pub month: i64,
}

/// What was carried so far in a day and its month: never less than was, headers included by an estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of which day; none while nobody knows the date.
    pub date: Option<Date>,
    /// In that day. Bytes.
    pub day_bytes: u64,
    /// In its month. Bytes.
    pub month_bytes: u64,
}

/// What an exchange costs at most that carries a batch of so many bytes.
pub(crate) fn cost(bytes_len: u64) -> u64 {
    bytes_len.saturating_add(bytes_len / HEADERS_PART).saturating_add(EXCHANGE_BYTES + HANDSHAKE_BYTES)
}

/// A budget and what was taken of it.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    budget: Budget,
    used: Usage,
    /// What a restart would find: never less than what was carried. None of this day or month.
    noted: Usage,
    day_began: MonoMs,
    days: u32,
    /// When a day or a month began; what was taken before is of another one.
    turned: Option<MonoMs>,
}

impl Meter {
    pub(crate) fn new(budget: Budget, used: Usage) -> Meter {
        Meter { budget, used, noted: used, day_began: MonoMs(0), days: 0, turned: None }
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.budget != Budget::default()
    }

    pub(crate) fn used(&self) -> Usage {
        self.used
    }

    /// Another day begins with the date, or after so long if nobody knows it. A clock that is put back begins none.
    pub(crate) fn turn(&mut self, now: MonoMs, date: Option<Date>) {
        let (new_day, new_month) = match (self.used.date, date) {
            (Some(before), Some(date)) => (date.day > before.day, date.month > before.month),
            (None, Some(_)) => (false, false),
            (_, None) if now.0.saturating_sub(self.day_began.0) < DAY_MS => return,
            (_, None) => (true, self.days >= MONTH_DAYS),
        };
        self.used.date = date.or(self.used.date);
        self.days = if date.is_some() || new_month { 0 } else { self.days + 1 };
        self.day_began = now;
        if new_day || new_month {
            self.turned = Some(now);
        }
        if new_day {
            (self.used.day_bytes, self.noted.day_bytes) = (0, 0);
        }
        if new_month {
            (self.used.month_bytes, self.noted.month_bytes) = (0, 0);
        }
    }

    /// Whether a batch of this lane may leave that costs so much.
    pub(crate) fn allows(&self, lane: Lane, cost: u64) -> bool {
        let Budget { day_bytes, month_bytes } = self.budget;
        let within = |limit: Option<NonZeroU64>, used: u64| {
            let Some(limit) = limit.map(NonZeroU64::get) else { return true };
            let kept_back = match lane {
                Lane::Alarm => return true,
                Lane::Live => limit / ALARMS_PART,
                Lane::Backlog => limit / ALARMS_PART + limit / LIVE_PART,
            };
            invariant::b1_within_budget(used.saturating_add(cost), limit - kept_back)
        };
        within(day_bytes, self.used.day_bytes) && within(month_bytes, self.used.month_bytes)
    }

    /// Takes what an exchange may cost. What must be stored before it begins, if that is more than is stored.
    pub(crate) fn take(&mut self, cost: u64) -> Option<Usage> {
        self.used.day_bytes = self.used.day_bytes.saturating_add(cost);
        self.used.month_bytes = self.used.month_bytes.saturating_add(cost);
        let Usage { day_bytes, month_bytes, date } = self.used;
        let is_noted = day_bytes <= self.noted.day_bytes && month_bytes <= self.noted.month_bytes;
        if !self.is_limited() || is_noted {
            return None;
        }
        let limits = [self.budget.day_bytes, self.budget.month_bytes];
        let ahead = limits.into_iter().flatten().map(|limit| limit.get() / AHEAD_PART).min().unwrap_or(0);
        let ahead = |bytes: u64| bytes.saturating_add(ahead);
        self.noted = Usage { date, day_bytes: ahead(day_bytes), month_bytes: ahead(month_bytes) };
        Some(self.noted)
    }

    /// Gives back what an exchange did not cost that began then and never left.
    pub(crate) fn give_back(&mut self, began: MonoMs, cost: u64) {
        if self.turned.is_some_and(|turned| turned >= began) {
            return;
        }
        self.used.day_bytes = self.used.day_bytes.saturating_sub(cost);
        self.used.month_bytes = self.used.month_bytes.saturating_sub(cost);
    }

    /// Gives back what an exchange did not cost that found no connection.
    pub(crate) fn give_back_unconnected(&mut self, began: MonoMs, cost: u64) {
        self.give_back(began, cost.saturating_sub(CONNECT_BYTES));
    }
}
