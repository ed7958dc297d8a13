//! One uplink heard by several gateways is one uplink: copies are merged, the best reception first, none forgotten.

use std::cmp::Reverse;
use std::collections::VecDeque;

use serde::Serialize;

use crate::Eui64;
use crate::gwmp::Rxpk;

/// Uplinks that wait for copies at a time. At 300 uplinks/s and the longest wait that is 300; beyond it the oldest goes
/// on at once.
pub const WAITING_MAX: usize = 512;

/// Uplinks that are remembered after they went on, for copies that come late.
pub const REMEMBERED_MAX: usize = 512;

/// How long, ms, a copy may still come after its uplink went on. A device repeats a frame only after RX2, 2 s or more.
pub const LATE_MS_MAX: u64 = 1_000;

/// Longest wait for copies that can be configured, ms: what is left of the second before RX1 is the disk's.
pub const MERGE_MS_MAX: u64 = 500;

/// A frame as one gateway heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reception {
    /// Which gateway.
    pub gateway: Eui64,
    /// In which run of its counter: see [`Gateways::heard`](crate::Gateways::heard).
    pub run: CounterRun,
    /// When its datagram reached us: monotonic ms.
    pub received_ms: u64,
    /// The frame and what the radio said of it.
    pub rxpk: Rxpk,
}

/// Numbers the runs of a gateway's µs counter since we know the gateway. A time of one run means nothing in another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CounterRun(pub u32);

/// An uplink with every reception of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The best: highest SNR, then RSSI.
    pub best: Reception,
    /// The others, one a gateway, best first; at most [`GATEWAYS_MAX`](crate::gateways::GATEWAYS_MAX) less one.
    pub others: Vec<Reception>,
}

/// Copies of uplinks on their way together.
#[derive(Debug)]
pub struct Dedupe {
    merge_ms: u64,
    /// In the order in which they become due.
    waiting: VecDeque<Waiting>,
    gone: VecDeque<Gone>,
    counters: DedupeCounters,
}

/// What was merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct DedupeCounters {
    /// Copies that joined their uplink.
    pub merged: u64,
    /// Copies that came after their uplink had gone on, and were let go.
    pub late: u64,
    /// The same transmission twice from one gateway, as happens on neighbouring channels near a strong device.
    pub ghosts: u64,
    /// Uplinks that went on early because 512 were waiting.
    pub hurried: u64,
}

impl DedupeCounters {
    /// Receptions that are part of no uplink that went on, or will.
    pub fn let_go(&self) -> u64 {
        self.late + self.ghosts
    }
}

#[derive(Debug)]
struct Waiting {
    due_ms: u64,
    receptions: Vec<Reception>,
}

#[derive(Debug)]
struct Gone {
    until_ms: u64,
    phy: Vec<u8>,
    gateways: Vec<Eui64>,
}

impl Heard {
    /// Heard by one gateway only.
    pub fn alone(best: Reception) -> Heard {
        Heard { best, others: Vec::new() }
    }

    /// Every reception, best first.
    pub fn receptions(&self) -> impl Iterator<Item = &Reception> {
        std::iter::once(&self.best).chain(&self.others)
    }

    /// None if there is no reception at all.
    fn of(mut receptions: Vec<Reception>) -> Option<Heard> {
        receptions.sort_by_key(|reception| Reverse(quality(reception)));
        let mut best_first = receptions.into_iter();
        Some(Heard { best: best_first.next()?, others: best_first.collect() })
    }
}

/// What is better is greater; what is not stated is worst.
fn quality(reception: &Reception) -> (Option<i16>, Option<i16>) {
    (reception.rxpk.snr_ddb, reception.rxpk.rssi_dbm)
}

impl Dedupe {
    /// Waits `merge_ms` for copies, at most [`MERGE_MS_MAX`]; 0 merges nothing.
    pub fn new(merge_ms: u64) -> Dedupe {
        let merge_ms = merge_ms.min(MERGE_MS_MAX);
        Dedupe { merge_ms, waiting: VecDeque::new(), gone: VecDeque::new(), counters: DedupeCounters::default() }
    }

    /// Takes a reception while `online` gateways are alive, and gives what is to go on now: the frame itself if nobody
    /// else could have heard it or everybody has, an older one if too many wait, mostly nothing until
    /// [`Dedupe::due`]. `now_ms` is monotonic.
    pub fn take(&mut self, now_ms: u64, reception: Reception, online: usize) -> Option<Heard> {
        if self.is_late(now_ms, &reception) {
            self.counters.late += 1;
            return None;
        }
        let same = self.waiting.iter().position(|waiting| waiting.is(&reception.rxpk.phy));
        if let Some(at) = same {
            self.join(at, reception);
            let complete = self.waiting[at].receptions.len() >= online;
            return if complete { self.waiting.remove(at).and_then(|waiting| self.go(now_ms, waiting)) } else { None };
        }
        if online <= 1 || self.merge_ms == 0 {
            return Some(Heard::alone(reception));
        }
        let hurried = if self.waiting.len() >= WAITING_MAX { self.waiting.pop_front() } else { None };
        self.waiting.push_back(Waiting { due_ms: now_ms.saturating_add(self.merge_ms), receptions: vec![reception] });
        self.counters.hurried += u64::from(hurried.is_some());
        hurried.and_then(|waiting| self.go(now_ms, waiting))
    }

    /// The next uplink that has waited long enough; call until none.
    pub fn due(&mut self, now_ms: u64) -> Option<Heard> {
        self.waiting.front().filter(|waiting| waiting.due_ms <= now_ms)?;
        let waiting = self.waiting.pop_front()?;
        self.go(now_ms, waiting)
    }

    /// When [`Dedupe::due`] has something; none if nothing waits.
    pub fn next_timeout_ms(&self) -> Option<u64> {
        self.waiting.front().map(|waiting| waiting.due_ms)
    }

    /// What was counted since it was made.
    pub fn counters(&self) -> DedupeCounters {
        self.counters
    }

    /// A copy by a gateway that had not heard its uplink yet when that went on. From a gateway that had, it is the
    /// device that repeats itself.
    fn is_late(&mut self, now_ms: u64, reception: &Reception) -> bool {
        while self.gone.front().is_some_and(|gone| gone.until_ms <= now_ms) {
            self.gone.pop_front();
        }
        let gone = self.gone.iter_mut().find(|gone| gone.phy == reception.rxpk.phy);
        match gone {
            Some(gone) if !gone.gateways.contains(&reception.gateway) => {
                gone.gateways.push(reception.gateway);
                true
            }
            _ => false,
        }
    }

    fn join(&mut self, at: usize, reception: Reception) {
        let receptions = &mut self.waiting[at].receptions;
        match receptions.iter_mut().find(|known| known.gateway == reception.gateway) {
            Some(known) => {
                self.counters.ghosts += 1;
                if quality(&reception) > quality(known) {
                    *known = reception;
                }
            }
            None => {
                self.counters.merged += 1;
                receptions.push(reception);
            }
        }
    }

    fn go(&mut self, now_ms: u64, waiting: Waiting) -> Option<Heard> {
        let heard = Heard::of(waiting.receptions)?;
        if self.gone.len() >= REMEMBERED_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(Gone {
            until_ms: now_ms.saturating_add(LATE_MS_MAX),
            phy: heard.best.rxpk.phy.clone(),
            gateways: heard.receptions().map(|reception| reception.gateway).collect(),
        });
        Some(heard)
    }
}

impl Waiting {
    fn is(&self, phy: &[u8]) -> bool {
        self.receptions.first().is_some_and(|first| first.rxpk.phy == phy)
    }
}

#[cfg(test)]
mod tests;
