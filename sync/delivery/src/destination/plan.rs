//! What leaves next: alarms first, then live and backlog in their shares.

use std::num::NonZeroU32;

use batch::Lane;
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use super::{ANSWER_GRACE_MS, Destination, len, slot};
use crate::budget::cost;
use crate::outstanding::{Outstanding, Stage};
use crate::unclaimed::{RANGES_MAX, count, first_unclaimed, take, without};
use crate::{Action, BATCH_BYTES_MIN, invariant};

/// Backlog batches that are cut beyond those that may leave, while one is under way: reading, packing and signing the next one
/// takes as long as a fast link needs for this one.
const AHEAD_MAX: usize = 1;
/// Backlog batches that have passed and wait for their answer, beyond those on the link: a destination takes as long to store
/// one as a fast link needs for the next.
const PASSED_MAX: usize = 1;
/// Live and backlog batches that may be outstanding beyond [`Config::window`](crate::Config::window): those above, and a small
/// one that is tried while all others are stuck.
pub const BEYOND_WINDOW_MAX: usize = AHEAD_MAX + PASSED_MAX + 1;

impl Destination {
    /// Gives every order that can be given now.
    pub(super) fn plan(&mut self) {
        let live = count(&self.claimed, self.live_floor(), self.told);
        self.live_since = (live > 0).then(|| self.live_since.unwrap_or(self.now));
        if self.hold.is_some() {
            return;
        }
        self.hedge(true);
        self.send_ready(Lane::Alarm);
        self.cut_alarms();
        if !self.others_may_leave() {
            self.take_back_others();
            return;
        }
        self.hedge(false);
        self.send_ready(Lane::Live);
        self.send_ready(Lane::Backlog);
        while let Some(lane) = self.lane_to_cut() {
            self.cut(lane);
        }
    }

    /// The first live record: the newest [`Config::live_window`](crate::Config::live_window) begin here.
    pub(super) fn live_floor(&self) -> Seq {
        Seq(self.told.0.saturating_sub(self.config.live_window.get()))
    }

    /// When live records leave even if they do not fill a batch.
    pub(super) fn live_due_at(&self) -> Option<MonoMs> {
        self.live_since.map(|since| MonoMs(since.0.saturating_add(self.config.live_linger_ms)))
    }

    /// D5: false while an alarm could still leave before them.
    fn others_may_leave(&self) -> bool {
        let cutting = self.cutting[slot(Lane::Alarm)].as_ref().map_or(0, SeqRanges::len);
        let could_be_cut = cutting > 0 || self.has_room_for_an_alarm();
        let unsent = len(self.alarms.len()) + self.pieces.records(Lane::Alarm) + cutting;
        invariant::d5_others_may_leave(unsent, u64::from(could_be_cut))
    }

    /// Has batches whose answers are late sent a second time.
    fn hedge(&mut self, alarms: bool) {
        let Destination { actions, outstanding, counters, now, .. } = self;
        for batch in outstanding.iter_mut().filter(|batch| batch.is_alarm() == alarms) {
            let Stage::InFlight { hedge, until, .. } = &mut batch.stage else { continue };
            if hedge.take_if(|due| *due <= *now).is_some() {
                counters.hedged += 1;
                let timeout_ms = until.0.saturating_sub(now.0).saturating_sub(ANSWER_GRACE_MS).max(1);
                actions.push_back(Action::Hedge { id: batch.id, timeout_ms });
            }
        }
    }

    /// Takes back orders that nobody has polled yet: they were given before the core was told of the alarm.
    fn take_back_others(&mut self) {
        let Destination { actions, outstanding, counters, meter, now, .. } = self;
        actions.retain(|action| {
            let (Action::Send { id, .. } | Action::Hedge { id, .. }) = action else { return true };
            let of = |batch: &&mut Outstanding| batch.id == *id && !batch.is_alarm();
            let Some(batch) = outstanding.iter_mut().find(of) else { return true };
            if matches!(action, Action::Send { .. }) {
                meter.give_back(*now, cost(batch.bytes_len));
                batch.stage = Stage::Ready;
                counters.sent -= 1;
            } else {
                counters.hedged -= 1;
            }
            false
        });
    }

    fn has_room_for_an_alarm(&self) -> bool {
        let outstanding = self.outstanding.iter().filter(|batch| batch.is_alarm()).count();
        self.cut_retry.is_none() && has_room(outstanding, self.config.alarm_window)
    }

    fn cut_alarms(&mut self) {
        if self.cutting[slot(Lane::Alarm)].is_some() || !self.has_room_for_an_alarm() || self.cut_piece(Lane::Alarm) {
            return;
        }
        if self.alarms.is_empty() {
            return;
        }
        let most = usize::try_from(self.config.records_max.get()).unwrap_or(usize::MAX).min(RANGES_MAX);
        let ranges: SeqRanges = self.alarms.iter().take(most).map(|seq| SeqRange { first: *seq, last: *seq }).collect();
        self.alarms.retain(|seq| !ranges.contains(*seq));
        self.order_cut(Lane::Alarm, ranges);
    }

    /// The lane whose turn it is to cut a batch, if there is a place for it.
    fn lane_to_cut(&self) -> Option<Lane> {
        if self.cut_retry.is_some() {
            return None;
        }
        let cutting = |lane: Lane| usize::from(self.cutting[slot(lane)].is_some());
        let taken = self.placed().count() + cutting(Lane::Live) + cutting(Lane::Backlog);
        let has_place = has_room(taken, self.config.window) || self.may_probe(taken);
        let affords = |lane: Lane| self.meter.allows(lane, cost(BATCH_BYTES_MIN));
        let may_live = has_place && cutting(Lane::Live) == 0 && affords(Lane::Live);
        let live = may_live && (self.live_is_due() || self.pieces.has(Lane::Live));
        let may_backlog = cutting(Lane::Backlog) == 0 && affords(Lane::Backlog) && self.has_backlog();
        let backlog = may_backlog && (has_place && self.backlog_has_place() || self.may_cut_ahead());
        match (live, backlog) {
            (true, true) if self.live_run >= self.config.live_run_max.get() => Some(Lane::Backlog),
            (true, _) => Some(Lane::Live),
            (false, true) => Some(Lane::Backlog),
            (false, false) => None,
        }
    }

    pub(super) fn others(&self) -> impl Iterator<Item = &Outstanding> {
        self.outstanding.iter().filter(|batch| !batch.is_alarm())
    }

    /// Live and backlog batches that have a place in the window: all that were not cut ahead.
    pub(super) fn placed(&self) -> impl Iterator<Item = &Outstanding> {
        let (places, mut backlog) = (self.backlog_places(), 0);
        self.others().filter(move |batch| {
            backlog += usize::from(batch.takes_backlog_place());
            !batch.takes_backlog_place() || backlog <= places
        })
    }

    /// The backlog leaves one place of the window to live batches, if there are two.
    fn backlog_places(&self) -> usize {
        usize::try_from(self.config.window.get() - 1).unwrap_or(usize::MAX).max(1)
    }

    /// Whether one batch more may be cut, a small one, to learn whether the link carries anything: all that have a place
    /// are stuck.
    pub(super) fn may_probe(&self, taken: usize) -> bool {
        taken > 0 && self.placed().filter(|batch| batch.is_stuck() && !batch.is_probe).count() == taken
    }

    fn live_is_due(&self) -> bool {
        let Some(due) = self.live_due_at() else { return false };
        let full = count(&self.claimed, self.live_floor(), self.told) >= u64::from(self.config.records_max.get());
        due <= self.now || full
    }

    fn has_backlog(&self) -> bool {
        first_unclaimed(&self.claimed) < self.live_floor() || self.pieces.has(Lane::Backlog)
    }

    /// Whether there is a place that live batches do not need.
    fn backlog_has_place(&self) -> bool {
        let outstanding = self.outstanding.iter().filter(|batch| batch.lane == Lane::Backlog).count();
        outstanding < self.backlog_places() || self.may_probe(self.placed().count())
    }

    /// Whether the backlog holds its places, one of them with a batch under way, and nothing waits to be cut that could leave
    /// at once. With a window of one, what was cut ahead would keep live batches out.
    fn may_cut_ahead(&self) -> bool {
        let holds = || self.outstanding.iter().filter(|batch| batch.takes_backlog_place());
        let passed = holds().filter(|batch| batch.has_passed(self.now)).count().min(PASSED_MAX);
        let ahead = holds().count().checked_sub(self.backlog_places() + passed);
        let is_idle = self.cutting.iter().all(Option::is_none) && holds().any(Outstanding::is_in_flight);
        self.config.window.get() > 1 && is_idle && ahead.is_some_and(|ahead| ahead < AHEAD_MAX)
    }

    /// Orders the next half of a batch that could not go whole, if there is one in this lane.
    fn cut_piece(&mut self, lane: Lane) -> bool {
        let Some(ranges) = self.pieces.take(lane) else { return false };
        self.claimed = without(&self.claimed, &ranges);
        self.order_cut(lane, ranges);
        true
    }

    fn cut(&mut self, lane: Lane) {
        if self.cut_piece(lane) {
            return;
        }
        let floor = self.live_floor();
        let (from, end) = if lane == Lane::Live { (floor, self.told) } else { (Seq(0), floor) };
        let ranges = take(&self.claimed, from, end, u64::from(self.config.records_max.get()));
        if lane == Lane::Live {
            self.live_run = self.live_run.saturating_add(1);
            // What is left over waits for its own company, from now on.
            let left = count(&self.claimed, from, end) > ranges.len();
            self.live_since = left.then_some(self.now);
        } else {
            self.live_run = 0;
        }
        self.order_cut(lane, ranges);
    }

    fn order_cut(&mut self, lane: Lane, ranges: SeqRanges) {
        if lane != Lane::Alarm {
            debug_assert!(invariant::d2_cut_once(&self.claimed, &ranges), "D2: {ranges:?} is claimed");
        }
        ranges.iter().for_each(|range| self.claimed.insert(range));
        self.cutting[slot(lane)] = Some(ranges.clone());
        let bytes_max = self.pace.content_budget(&self.config);
        self.actions.push_back(Action::Cut { lane, ranges, bytes_max });
    }

    /// Sends what may be sent of one lane, oldest cut first.
    fn send_ready(&mut self, lane: Lane) {
        let window = if lane == Lane::Alarm { self.config.alarm_window } else { self.config.window };
        let is_thin = lane != Lane::Alarm && self.pace.is_thin();
        let shares_window = |batch: &Outstanding| batch.is_alarm() == (lane == Lane::Alarm);
        let passed = |batch: &&Outstanding| batch.takes_backlog_place() && batch.has_passed(self.now);
        let passed = self.outstanding.iter().filter(passed).count().min(PASSED_MAX);
        let in_flight = |batch: &&Outstanding| shares_window(batch) && batch.is_in_flight();
        let mut flying = self.outstanding.iter().filter(in_flight).count();
        flying = flying.saturating_sub(if lane == Lane::Alarm { 0 } else { passed });
        // One that waits for its next try keeps its place.
        let holds = |batch: &&Outstanding| batch.takes_backlog_place() && batch.stage != Stage::Ready;
        let held = self.outstanding.iter().filter(holds).count().saturating_sub(passed);
        let mut places = self.backlog_places().saturating_sub(held);
        let hedges = self.config.hedge && !self.meter.is_limited();
        let ready = |batch: &&mut Outstanding| batch.lane == lane && batch.stage == Stage::Ready;
        for batch in self.outstanding.iter_mut().filter(ready) {
            if batch.takes_backlog_place() {
                // It was cut ahead.
                let Some(left) = places.checked_sub(1) else { continue };
                places = left;
            }
            // What a link broke before is tried beside others: it may be what keeps them from passing.
            let must_be_alone = is_thin && !batch.is_probe && batch.half_way == 0;
            let cost = cost(batch.bytes_len);
            if must_be_alone && flying > 0 || !has_room(flying, window) || !self.meter.allows(lane, cost) {
                break;
            }
            flying += 1;
            let timeout_ms = self.pace.timeout_ms(&self.config, batch.bytes_len, batch.half_way);
            let after = |ms: u64| MonoMs(self.now.0.saturating_add(ms));
            let until = after(timeout_ms.saturating_add(ANSWER_GRACE_MS));
            let hedge_after_ms = self.pace.hedge_after_ms(batch.bytes_len).filter(|ms| hedges && *ms < timeout_ms);
            let passes = self.pace.passes_after_ms(batch.bytes_len).map(after);
            batch.stage = Stage::InFlight { since: self.now, passes, hedge: hedge_after_ms.map(after), until };
            self.counters.sent += 1;
            self.actions.extend(self.meter.take(cost).map(|usage| Action::Note { usage }));
            self.actions.push_back(Action::Send { id: batch.id, timeout_ms });
        }
    }
}

fn has_room(taken: usize, window: NonZeroU32) -> bool {
    u32::try_from(taken).is_ok_and(|taken| taken < window.get())
}
