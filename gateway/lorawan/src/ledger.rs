//! How long a gateway was on air in each sub-band within the last hour, and whether more is allowed.

use std::collections::VecDeque;

use crate::region::{Region, SubBand};

/// Sending counts for this long after its end, ms (ETSI EN 300 220-1: duty cycle is observed over one hour).
const HOUR_MS: u64 = 3_600_000;

/// Transmissions that a sub-band's account keeps apart. 1 % of an hour holds 1,747 of the shortest downlinks, so its
/// account is exact; in the 10 % sub-band the two oldest become one beyond this, which counts until the later one's
/// hour is over.
pub const ENTRIES_MAX: usize = 2_048;

/// What one gateway sent, by sub-band. Times are monotonic ms.
///
/// A new ledger knows nothing of the hour before it. It takes **half** of each allowance as used in that hour: all of
/// it would leave a box that restarted unable to acknowledge for minutes, none of it would let a restart double what
/// the law allows.
#[derive(Debug)]
pub struct Ledger {
    accounts: Vec<Account>,
}

#[derive(Debug)]
struct Account {
    sub_band: &'static SubBand,
    /// In the order of their end; at most [`ENTRIES_MAX`].
    entries: VecDeque<Entry>,
    /// Sum of the entries.
    used_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    ends_ms: u64,
    airtime_us: u64,
}

/// How much of a sub-band's allowance is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DutyUse {
    /// Which.
    pub sub_band: &'static SubBand,
    /// On air within the last hour, reserved transmissions included, µs.
    pub used_us: u64,
}

impl DutyUse {
    /// Share of the allowance, percent.
    pub fn percent(&self) -> f64 {
        // Both are far below 2^53.
        #[expect(clippy::cast_precision_loss, reason = "an hour has 3.6e9 µs")]
        let share = self.used_us as f64 / self.sub_band.duty_cycle.us_per_hour() as f64;
        share * 100.0
    }
}

impl Ledger {
    /// The accounts of a gateway that is heard of at `now_ms`.
    pub fn new(now_ms: u64, region: Region) -> Ledger {
        let opened = |sub_band: &'static SubBand| {
            let unknown = Entry { ends_ms: now_ms, airtime_us: sub_band.duty_cycle.us_per_hour() / 2 };
            Account { sub_band, entries: VecDeque::from([unknown]), used_us: unknown.airtime_us }
        };
        Ledger { accounts: region.sub_bands().iter().map(opened).collect() }
    }

    /// Whether `airtime_us` more may be sent on `frequency_hz`. Always, where the plan limits no time on air.
    ///
    /// Everything that counts now is held against it, although a little of it may no longer count when it is sent.
    pub fn allows(&mut self, now_ms: u64, frequency_hz: u32, airtime_us: u32) -> bool {
        let Some(account) = self.account(frequency_hz) else { return true };
        account.forget(now_ms);
        account.used_us + u64::from(airtime_us) <= account.sub_band.duty_cycle.us_per_hour()
    }

    /// Books a transmission that ends at `ends_ms`.
    pub fn book(&mut self, frequency_hz: u32, ends_ms: u64, airtime_us: u32) {
        if let Some(account) = self.account(frequency_hz) {
            account.book(Entry { ends_ms, airtime_us: u64::from(airtime_us) });
        }
    }

    /// Takes a booking back: the gateway said that it does not send it.
    pub fn cancel(&mut self, frequency_hz: u32, ends_ms: u64, airtime_us: u32) {
        if let Some(account) = self.account(frequency_hz) {
            account.cancel(Entry { ends_ms, airtime_us: u64::from(airtime_us) });
        }
    }

    /// Every account, by frequency.
    pub fn used(&self, now_ms: u64) -> impl Iterator<Item = DutyUse> {
        self.accounts.iter().map(move |account| DutyUse {
            sub_band: account.sub_band,
            used_us: account.entries.iter().filter(|entry| entry.counts(now_ms)).map(|entry| entry.airtime_us).sum(),
        })
    }

    /// The sub-band of a frequency, if it has an account.
    pub fn sub_band(&self, frequency_hz: u32) -> Option<&'static SubBand> {
        self.accounts.iter().map(|account| account.sub_band).find(|sub_band| sub_band.contains(frequency_hz))
    }

    fn account(&mut self, frequency_hz: u32) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.sub_band.contains(frequency_hz))
    }
}

impl Account {
    fn forget(&mut self, now_ms: u64) {
        while let Some(oldest) = self.entries.front().filter(|oldest| !oldest.counts(now_ms)) {
            self.used_us -= oldest.airtime_us;
            self.entries.pop_front();
        }
    }

    fn book(&mut self, entry: Entry) {
        if self.entries.len() >= ENTRIES_MAX
            && let Some(oldest) = self.entries.pop_front()
            && let Some(next) = self.entries.front_mut()
        {
            next.airtime_us += oldest.airtime_us;
        }
        let at = self.entries.partition_point(|known| known.ends_ms <= entry.ends_ms);
        self.entries.insert(at, entry);
        self.used_us += entry.airtime_us;
    }

    fn cancel(&mut self, entry: Entry) {
        // What became one with a neighbour stays booked: too much is safe, too little is not.
        if let Some(at) = self.entries.iter().rposition(|known| *known == entry) {
            self.entries.remove(at);
            self.used_us -= entry.airtime_us;
        }
    }
}

impl Entry {
    fn counts(&self, now_ms: u64) -> bool {
        self.ends_ms.saturating_add(HOUR_MS) > now_ms
    }
}

#[cfg(test)]
mod tests;
