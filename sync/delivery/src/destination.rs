//! The state of one destination, and how events change it.

mod pieces;
mod plan;

use std::collections::{BTreeSet, VecDeque};

use batch::{BatchId, Lane};
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use crate::backoff::Jitter;
use crate::budget::{Meter, cost};
use crate::outstanding::{Outstanding, Stage};
use crate::pace::Pace;
use crate::unclaimed::{count, first_unclaimed, union, within, without};
use pieces::Pieces;
pub use plan::BEYOND_WINDOW_MAX;

use crate::{Action, BATCH_BYTES_MIN, Config, Counters, Input, RestoredBatch, Transient, Usage, invariant};

/// Most alarm records known and in no batch yet: 32 kB of numbers. When it is full the core hears no further record
/// ([`Destination::told`] stands still), so that no alarm is ever treated as something less.
pub const ALARMS_MAX: usize = 4_096;

/// So many refusals in a row cannot come of one odd record: the destination refuses everything. From here on each further one
/// costs a wait, so that neither the link nor the parked batches fill up before a person looks.
const REFUSED_RUN_MAX: u32 = 16;

/// What the shell's own time-out gets on top before the core calls a batch unanswered. ms.
const ANSWER_GRACE_MS: u64 = 2_000;

/// What an earlier run left in the outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Restored {
    /// The records of every stored receipt.
    pub covered: SeqRanges,
    /// The records of every parked batch.
    pub parked: SeqRanges,
    /// Records that were parked, and that somebody gave up.
    pub dropped: SeqRanges,
    /// Batches without an answer, in the order in which they were cut.
    pub outstanding: Vec<RestoredBatch>,
    /// What was carried, as it was noted last.
    pub usage: Usage,
}

/// One far end: what it holds, what is under way to it, and what it gets next. See the crate's head.
#[derive(Debug, Clone)]
pub struct Destination {
    config: Config,
    jitter: Jitter,
    now: MonoMs,
    /// Records before this one were told, with every alarm among them.
    told: Seq,
    covered: SeqRanges,
    parked: SeqRanges,
    dropped: SeqRanges,
    /// What can no longer be read and is in no batch: none of the above, none of those outstanding.
    gone: SeqRanges,
    /// What can no longer be read and is in an outstanding or parked batch, whose bytes are all that is left of it.
    only_in_batch: SeqRanges,
    /// Alarms in no batch, at most [`ALARMS_MAX`].
    alarms: BTreeSet<Seq>,
    /// At most `window + alarm_window` and [`BEYOND_WINDOW_MAX`], or what was restored; in the order of their cuts.
    outstanding: Vec<Outstanding>,
    /// What the shell was asked to cut, by lane.
    cutting: [Option<SeqRanges>; 3],
    /// Halves of batches that were refused or too large, cut before anything else of their lane.
    pieces: Pieces,
    /// Refusals since the last acknowledgement.
    refused_run: u32,
    /// The destination refuses everything: nothing is cut or sent before this.
    hold: Option<MonoMs>,
    /// `covered`, `parked`, `dropped`, `gone`, `alarms`, `outstanding`, `cutting` and `pieces` together: what is in no other batch's
    /// way.
    claimed: SeqRanges,
    /// Since when a live record waits for its batch.
    live_since: Option<MonoMs>,
    /// Live batches cut since the backlog had its turn.
    live_run: u32,
    /// After a cut that could not be done: no cut before this.
    cut_retry: Option<MonoMs>,
    cut_failures: u32,
    /// What the link carries.
    pace: Pace,
    /// What it may carry.
    meter: Meter,
    /// Orders not yet polled: at most one a batch outstanding and one a lane for each event.
    actions: VecDeque<Action>,
    counters: Counters,
}

/// Where a destination stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Records before this one are known here.
    pub told: Seq,
    /// Records it holds by its receipts.
    pub covered: u64,
    /// Records put aside in refused batches.
    pub parked: u64,
    /// Records that were put aside, and given up by a person.
    pub dropped: u64,
    /// Records that were gone from the journal before they got into a batch.
    pub gone: u64,
    /// Alarm records in no batch yet.
    pub alarms: u64,
    /// Live records in no batch yet.
    pub live: u64,
    /// Backlog records in no batch yet.
    pub backlog: u64,
    /// Batches cut and not answered.
    pub outstanding: u64,
    /// Of those, batches under way now.
    pub in_flight: u64,
    /// When the next batch that failed is tried again.
    pub next_try: Option<MonoMs>,
    /// How large the next batch should be on the wire. Bytes.
    pub batch_bytes: u64,
    /// What a batch got of the link, once that was measured. Bytes per second.
    pub bytes_per_s: Option<u64>,
    /// How long the link usually holds, once it broke. ms.
    pub link_life_ms: Option<u64>,
    /// What was carried in this day and month.
    pub usage: Usage,
    /// Whether the budget lets a small live and a small backlog batch leave.
    pub budget_allows: [bool; 2],
}

impl Destination {
    /// A destination as the outbox left it. `seed` only spreads the backoff of different boxes.
    pub fn new(config: Config, seed: u64, restored: Restored) -> Destination {
        let Restored { covered, parked, dropped, outstanding, usage } = restored;
        let outstanding: Vec<_> = outstanding.into_iter().map(Outstanding::new).collect();
        let claimed =
            union([&covered, &parked, &dropped].into_iter().chain(outstanding.iter().map(|batch| &batch.ranges)));
        let meter = Meter::new(config.budget, usage);
        Destination {
            config,
            jitter: Jitter::new(seed),
            now: MonoMs(0),
            told: first_unclaimed(&claimed),
            covered,
            parked,
            dropped,
            gone: SeqRanges::new(),
            only_in_batch: SeqRanges::new(),
            alarms: BTreeSet::new(),
            outstanding,
            cutting: [const { None }; 3],
            pieces: Pieces::default(),
            refused_run: 0,
            hold: None,
            claimed,
            live_since: None,
            live_run: 0,
            cut_retry: None,
            cut_failures: 0,
            pace: Pace::new(),
            meter,
            actions: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes an event that happened at `now`; then [`Destination::poll`] until `None`. A `now` before an earlier one
    /// counts as that earlier one.
    pub fn handle(&mut self, now: MonoMs, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Journaled { end, alarms } => self.journaled(end, alarms),
            Input::Gone { ranges } => self.lost(&ranges),
            Input::Cut { lane, id, ranges, bytes_len, content_len } => {
                self.pace.cut(bytes_len, content_len);
                self.cut_done(lane, id, ranges, bytes_len);
            }
            Input::NotCut { lane } => self.not_cut(lane),
            Input::Acked { id, holds, own_ms } => self.acked(id, &holds, own_ms),
            Input::Refused { id, why } => self.refused(id, why),
            Input::Failed { id, retry_after_ms, why } => {
                // A late answer to a try that was already given up says nothing new.
                if let Some(at) = self.position(id).filter(|at| self.outstanding[*at].is_in_flight()) {
                    self.failed(at, retry_after_ms, why);
                }
            }
            Input::Reopened { ranges } => self.reopened(&ranges),
            Input::Retry { batch } => self.retry(batch),
            Input::Dropped { ranges } => self.dropped(&ranges),
            Input::Calendar { date } => self.meter.turn(self.now, date),
            Input::LinkUp => self.link_up(),
            Input::Tick => {}
        }
        self.expire();
        self.plan();
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When [`Input::Tick`] is due, if nothing else happens before. Always later than the last `now`.
    pub fn next_timeout(&self) -> Option<MonoMs> {
        let batches = self.outstanding.iter().filter_map(|batch| batch.due(self.now));
        let linger = self.live_due_at().filter(|due| *due > self.now);
        batches.chain(self.cut_retry).chain(self.hold).chain(linger).min()
    }

    /// Records before this one are known here: the next [`Input::Journaled`] continues from it.
    pub fn told(&self) -> Seq {
        self.told
    }

    /// The records that the destination holds by its receipts (D1).
    pub fn covered(&self) -> &SeqRanges {
        &self.covered
    }

    /// The records in parked batches.
    pub fn parked(&self) -> &SeqRanges {
        &self.parked
    }

    /// The records that were gone from the journal before they got into a batch: never delivered, never waited for.
    pub fn gone(&self) -> &SeqRanges {
        &self.gone
    }

    /// What happened since this core was made.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        let waiting = |batch: &Outstanding| match batch.stage {
            Stage::Waiting { until, .. } => Some(until),
            Stage::Ready | Stage::InFlight { .. } => None,
        };
        Standing {
            told: self.told,
            covered: self.covered.len(),
            parked: self.parked.len(),
            dropped: self.dropped.len(),
            gone: self.gone.len(),
            alarms: len(self.alarms.len()) + self.pieces.records(Lane::Alarm),
            live: count(&self.claimed, self.live_floor(), self.told) + self.pieces.records(Lane::Live),
            backlog: count(&self.claimed, Seq(0), self.live_floor()) + self.pieces.records(Lane::Backlog),
            outstanding: len(self.outstanding.len()),
            in_flight: len(self.outstanding.iter().filter(|batch| batch.is_in_flight()).count()),
            next_try: self.outstanding.iter().filter_map(waiting).chain(self.hold).min(),
            batch_bytes: self.pace.budget(),
            bytes_per_s: self.pace.bytes_per_s(),
            link_life_ms: self.pace.life_ms(),
            usage: self.meter.used(),
            budget_allows: [Lane::Live, Lane::Backlog].map(|lane| self.meter.allows(lane, cost(BATCH_BYTES_MIN))),
        }
    }

    fn journaled(&mut self, end: Seq, alarms: Vec<Seq>) {
        let known = &self.claimed;
        let new: Vec<Seq> = alarms.into_iter().filter(|seq| *seq < end && !known.contains(*seq)).collect();
        let room = ALARMS_MAX.saturating_sub(self.alarms.len());
        // Beyond the bound the journal ends, for this core, before the first alarm it cannot remember.
        let end = new.get(room).map_or(end, |untold| *untold);
        for seq in new.into_iter().take(room) {
            self.alarms.insert(seq);
            self.claimed.insert(SeqRange { first: seq, last: seq });
        }
        self.told = self.told.max(end);
    }

    fn lost(&mut self, ranges: &SeqRanges) {
        let stored = union(self.outstanding.iter().map(|batch| &batch.ranges).chain([&self.parked]));
        self.only_in_batch = union([&self.only_in_batch, &within(ranges, &stored)]);
        let in_batches = union([&self.covered, &self.dropped, &stored]);
        for range in without(ranges, &in_batches).iter() {
            self.gone.insert(range);
            self.claimed.insert(range);
        }
        self.alarms.retain(|seq| !self.gone.contains(*seq));
        self.pieces.lose(&self.gone);
        // What is claimed need not be told.
        self.told = self.told.max(first_unclaimed(&self.claimed));
    }

    fn cut_done(&mut self, lane: Lane, id: BatchId, ranges: SeqRanges, bytes_len: u64) {
        if ranges.is_empty() {
            return self.not_cut(lane);
        }
        let asked = self.cutting[slot(lane)].take();
        if self.position(id).is_some() {
            return;
        }
        self.counters.cut += 1;
        (self.cut_retry, self.cut_failures) = (None, 0);
        // They were read just before they went.
        self.only_in_batch = union([&self.only_in_batch, &within(&self.gone, &ranges)]);
        self.gone = without(&self.gone, &ranges);
        let is_part = asked.as_ref().is_some_and(|asked| ranges.len() < asked.len());
        if is_part && lane == Lane::Live {
            // What found no room has waited already.
            self.live_since = Some(MonoMs(self.now.0.saturating_sub(self.config.live_linger_ms)));
        }
        let is_probe = lane != Lane::Alarm && self.may_probe(self.placed().count());
        let batch = RestoredBatch { id, lane, ranges, bytes_len };
        self.outstanding.push(Outstanding { is_probe, ..Outstanding::new(batch) });
        self.give_back(lane, asked);
    }

    fn not_cut(&mut self, lane: Lane) {
        self.counters.not_cut += 1;
        self.cut_failures = self.cut_failures.saturating_add(1);
        let wait_ms = self.jitter.wait_ms(self.config.backoff, self.cut_failures);
        self.cut_retry = Some(MonoMs(self.now.0.saturating_add(wait_ms)));
        let asked = self.cutting[slot(lane)].take();
        self.give_back(lane, asked);
    }

    /// Frees those records of a finished order that are in no batch.
    fn give_back(&mut self, lane: Lane, asked: Option<SeqRanges>) {
        let Some(asked) = asked else { return };
        let cut = self.outstanding.last().map(|batch| batch.ranges.clone()).unwrap_or_default();
        if cut.covers(&asked) {
            return;
        }
        if lane == Lane::Alarm {
            let left = asked.iter().flat_map(|range| cut.missing_in(range).iter().collect::<Vec<_>>());
            let seqs = left.flat_map(|range| (range.first.0..=range.last.0).map(Seq));
            self.alarms.extend(seqs.filter(|seq| !self.gone.contains(*seq)));
        }
        self.claim();
    }

    /// Counts anew what is in no other batch's way.
    fn claim(&mut self) {
        let alarms = self.alarms.iter().map(|seq| SeqRange { first: *seq, last: *seq }).collect();
        let batches = self.outstanding.iter().map(|batch| &batch.ranges);
        let sets = [&self.covered, &self.parked, &self.dropped, &self.gone, &alarms];
        let under_way = batches.chain(self.cutting.iter().flatten()).chain(self.pieces.ranges());
        self.claimed = union(sets.into_iter().chain(under_way));
    }

    fn acked(&mut self, id: BatchId, holds: &SeqRanges, own_ms: u64) {
        let Some(at) = self.position(id) else { return };
        if !holds.covers(&self.outstanding[at].ranges) {
            if self.outstanding[at].is_in_flight() {
                self.failed(at, None, Transient::Short);
            }
            return;
        }
        self.passed(at, own_ms);
        let batch = self.outstanding.remove(at);
        debug_assert!(invariant::d1_covered_is_acknowledged(&batch.ranges, holds), "D1: {id:?}");
        batch.ranges.iter().for_each(|range| self.covered.insert(range));
        self.only_in_batch = without(&self.only_in_batch, &batch.ranges);
        self.counters.acked += 1;
        (self.refused_run, self.hold) = (0, None);
        self.actions.push_back(Action::Advance { id });
        // One answer proves the link, so nobody else has to wait for it.
        self.free(Transient::is_link);
    }

    /// The bytes of a batch got through, whatever the destination makes of them.
    fn passed(&mut self, at: usize, own_ms: u64) {
        let Outstanding { bytes_len, stage, .. } = self.outstanding[at];
        if let Stage::InFlight { since, .. } = stage {
            self.pace.passed(self.now, since, bytes_len, own_ms);
        }
        // One that is under way may break yet; by then there may be no smaller one to try beside it.
        let tried = |batch: &Outstanding| batch.half_way > 0 || batch.is_in_flight();
        let larger = |batch: &&mut Outstanding| tried(batch) && batch.bytes_len > bytes_len;
        self.outstanding.iter_mut().filter(larger).for_each(|batch| batch.smaller_passed = true);
    }

    /// What can no longer be read cannot be cut again: then its bytes are kept as they are.
    fn is_divisible(&self, batch: &Outstanding) -> bool {
        batch.ranges.len() > 1 && within(&self.only_in_batch, &batch.ranges).is_empty()
    }

    fn refused(&mut self, id: BatchId, why: String) {
        let Some(at) = self.position(id) else { return };
        self.passed(at, 0);
        let divisible = self.is_divisible(&self.outstanding[at]);
        let parked = self.parked.len().saturating_add(self.outstanding[at].ranges.len());
        if !divisible && !invariant::b1_parked_within(parked, self.config.parked_max.get()) {
            if self.outstanding[at].is_in_flight() {
                self.failed(at, None, Transient::ParkingFull);
            }
            return;
        }
        let batch = self.outstanding.remove(at);
        self.counters.refused += 1;
        if divisible {
            self.pieces.halve(batch.lane, &batch.ranges);
            self.actions.push_back(Action::Split { id, reason: Some(why) });
        } else {
            batch.ranges.iter().for_each(|range| self.parked.insert(range));
            self.counters.parked += batch.ranges.len();
            self.actions.push_back(Action::Park { id, reason: why });
        }
        self.refused_run = self.refused_run.saturating_add(1);
        if let Some(beyond) = self.refused_run.checked_sub(REFUSED_RUN_MAX).filter(|beyond| *beyond > 0) {
            let wait_ms = self.jitter.wait_ms(self.config.backoff, beyond);
            self.hold = Some(MonoMs(self.now.0.saturating_add(wait_ms)));
        }
        self.free(Transient::is_link);
    }

    fn reopened(&mut self, ranges: &SeqRanges) {
        self.covered = without(&self.covered, ranges);
        self.claim();
    }

    fn retry(&mut self, batch: RestoredBatch) {
        if self.position(batch.id).is_none() {
            self.parked = without(&self.parked, &batch.ranges);
            self.outstanding.push(Outstanding::new(batch));
        }
        (self.refused_run, self.hold) = (0, None);
    }

    /// What is no longer parked makes room for what the destination refuses next.
    fn dropped(&mut self, ranges: &SeqRanges) {
        self.dropped = union([&self.dropped, &within(ranges, &self.parked)]);
        self.parked = without(&self.parked, ranges);
        (self.refused_run, self.hold) = (0, None);
        self.free(|why| why == Transient::ParkingFull);
    }

    fn failed(&mut self, at: usize, retry_after_ms: Option<u64>, why: Transient) {
        self.counters.count_failed(why);
        self.pace.failed(why);
        let Outstanding { stage, bytes_len, .. } = self.outstanding[at];
        if let (Transient::Unreachable, Stage::InFlight { since, .. }) = (why, stage) {
            self.meter.give_back_unconnected(since, cost(bytes_len));
        }
        if why.is_half_way() && self.divide(at) {
            return;
        }
        let backoff = self.config.backoff;
        let batch = &mut self.outstanding[at];
        batch.failures = batch.failures.saturating_add(1);
        let jittered_ms = self.jitter.wait_ms(backoff, batch.failures);
        let slow_ms = if why.is_slow() { backoff.ceiling_ms.saturating_sub(jittered_ms) } else { 0 };
        let asked_ms = retry_after_ms.unwrap_or(0).min(backoff.ceiling_ms);
        let wait_ms = jittered_ms.max(slow_ms).max(asked_ms);
        batch.stage = Stage::Waiting { until: MonoMs(self.now.0.saturating_add(wait_ms)), why };
    }

    /// Takes a batch apart that the link broke half way again, if it carries smaller ones.
    fn divide(&mut self, at: usize) -> bool {
        let batch = &mut self.outstanding[at];
        batch.half_way = batch.half_way.saturating_add(1);
        let Outstanding { id, half_way, smaller_passed, bytes_len, .. } = *batch;
        let helps = bytes_len > BATCH_BYTES_MIN && invariant::d2_may_divide(half_way, smaller_passed);
        if !helps || !self.is_divisible(&self.outstanding[at]) {
            return false;
        }
        let batch = self.outstanding.remove(at);
        self.counters.divided += 1;
        self.pieces.halve(batch.lane, &batch.ranges);
        self.actions.push_back(Action::Split { id, reason: None });
        true
    }

    fn link_up(&mut self) {
        (self.cut_retry, self.cut_failures, self.hold) = (None, 0, None);
        self.free(|_| true);
    }

    /// Lets waiting batches go at once.
    fn free(&mut self, which: impl Fn(Transient) -> bool) {
        for batch in &mut self.outstanding {
            if matches!(batch.stage, Stage::Waiting { why, .. } if which(why)) {
                batch.stage = Stage::Ready;
                batch.failures = 0;
            }
        }
    }

    /// Does what became due.
    fn expire(&mut self) {
        // From the last one on: one that comes in halves leaves its place to those behind it.
        for at in (0..self.outstanding.len()).rev() {
            match self.outstanding[at].stage {
                Stage::InFlight { until, .. } if until <= self.now => self.failed(at, None, Transient::TimedOut),
                Stage::Waiting { until, .. } if until <= self.now => self.outstanding[at].stage = Stage::Ready,
                Stage::Ready | Stage::InFlight { .. } | Stage::Waiting { .. } => {}
            }
        }
        self.cut_retry = self.cut_retry.filter(|until| *until > self.now);
        self.hold = self.hold.filter(|until| *until > self.now);
    }

    fn position(&self, id: BatchId) -> Option<usize> {
        self.outstanding.iter().position(|batch| batch.id == id)
    }
}

fn slot(lane: Lane) -> usize {
    match lane {
        Lane::Alarm => 0,
        Lane::Live => 1,
        Lane::Backlog => 2,
    }
}

fn len(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}
