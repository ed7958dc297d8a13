//! What a destination's task shows to the control socket.

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use delivery::{Counters, Destination, Standing, Transient};
use journal::DestinationTally;
use record::MonoMs;

use super::answer::cure;
use crate::DestinationConfig;
use crate::status::{BudgetStatus, Delivered, DestinationStatus, LastError, RANGES_SHOWN_MAX};

/// A snapshot, with times of the monotonic clock.
#[derive(Debug, Clone)]
pub(crate) struct Board {
    standing: Standing,
    counters: Counters,
    covered_ranges: Vec<[u64; 2]>,
    covered_ranges_total: u64,
    told: Told,
}

/// What the task remembers for people.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub(super) last_receipt: Option<MonoMs>,
    pub(super) rtt_ms: Option<u64>,
    pub(super) last_error: Option<(MonoMs, Transient, String)>,
    pub(super) bytes_sent: u64,
    pub(super) tally: DestinationTally,
    /// Newest records that the filter withholds and nobody was told of yet.
    pub(super) quiet: u64,
    /// Why the gateway does not take what the platform commands.
    pub(super) command_error: Option<String>,
    /// The key that took the place of the pinned one.
    pub(super) successor: Option<String>,
}

impl Board {
    pub(super) fn new(core: &Destination, told: &Told) -> Board {
        let ranges = core.covered().iter();
        Board {
            standing: core.standing(),
            counters: core.counters().clone(),
            covered_ranges_total: u64::try_from(ranges.len()).unwrap_or(u64::MAX),
            covered_ranges: ranges.take(RANGES_SHOWN_MAX).map(|range| [range.first.0, range.last.0]).collect(),
            told: told.clone(),
        }
    }

    /// As the command reads it.
    pub(crate) fn status(&self, config: &DestinationConfig, now: MonoMs) -> DestinationStatus {
        let Board { standing, told, .. } = self;
        let ago = |at: MonoMs| now.0.saturating_sub(at.0);
        let DestinationTally { receipts, records, bytes, withheld } = told.tally;
        DestinationStatus {
            name: config.name.to_string(),
            url: config.url.to_string(),
            successor: told.successor.clone(),
            end: standing.told.0,
            covered: standing.covered.saturating_sub(withheld),
            withheld: withheld + told.quiet,
            covered_ranges: self.covered_ranges.clone(),
            covered_ranges_total: self.covered_ranges_total,
            parked: standing.parked,
            dropped: standing.dropped,
            alarms_waiting: standing.alarms,
            live_waiting: standing.live,
            backlog: standing.backlog,
            missing: (standing.told.0)
                .saturating_sub(standing.covered + standing.parked + standing.dropped + standing.gone),
            gone: standing.gone,
            outstanding: standing.outstanding,
            in_flight: standing.in_flight,
            last_receipt_ms_ago: told.last_receipt.map(ago),
            rtt_ms: told.rtt_ms,
            next_try_ms: standing.next_try.map(|at| at.0.saturating_sub(now.0)),
            last_error: told.last_error.as_ref().map(|(at, why, what)| LastError {
                kind: why.as_str().to_owned(),
                what: what.clone(),
                cure: cure(*why).to_owned(),
                ms_ago: ago(*at),
            }),
            command_error: told.command_error.clone(),
            bytes_sent: told.bytes_sent,
            batch_bytes: standing.batch_bytes,
            bytes_per_s: standing.bytes_per_s,
            link_life_ms: standing.link_life_ms,
            budget: self.budget(config),
            delivered: Delivered { receipts, records, bytes },
            counters: self.counters(),
        }
    }

    fn budget(&self, config: &DestinationConfig) -> Option<BudgetStatus> {
        let Standing { usage, budget_allows, .. } = &self.standing;
        let delivery::Budget { day_bytes, month_bytes } = config.delivery().budget;
        let waits = match budget_allows {
            [true, true] => "nothing",
            [true, false] => "backlog",
            [false, _] => "all_but_alarms",
        };
        (day_bytes.is_some() || month_bytes.is_some()).then(|| BudgetStatus {
            day_bytes: usage.day_bytes,
            day_bytes_max: day_bytes.map(NonZeroU64::get),
            month_bytes: usage.month_bytes,
            month_bytes_max: month_bytes.map(NonZeroU64::get),
            waits: waits.to_owned(),
        })
    }

    fn counters(&self) -> BTreeMap<String, u64> {
        let Counters { cut, not_cut, sent, acked, hedged, refused, divided, parked, .. } = self.counters;
        let plain = [
            ("cut", cut),
            ("not_cut", not_cut),
            ("sent", sent),
            ("hedged", hedged),
            ("acked", acked),
            ("refused", refused),
            ("divided", divided),
            ("parked", parked),
        ];
        let failed = Transient::ALL.map(|why| (why.as_str(), self.counters.failed(why)));
        let failed = failed.into_iter().filter(|(_, count)| *count > 0);
        let plain = plain.into_iter().map(|(name, count)| (name.to_owned(), count));
        plain.chain(failed.map(|(name, count)| (format!("failed_{name}"), count))).collect()
    }
}
