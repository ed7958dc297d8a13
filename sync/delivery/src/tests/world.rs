//! A journal, an outbox and a platform around one core, with the invariants checked after every event.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use batch::{BatchId, Lane};
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use crate::destination::Restored;
use crate::unclaimed::without;
use crate::{Action, Config, Destination, Input, RestoredBatch, Transient, invariant};

/// What the world needs of a core; broken ones implement it too.
pub(super) trait Core {
    fn handle(&mut self, now: MonoMs, input: Input);
    fn poll(&mut self) -> Option<Action>;
    fn next_timeout(&self) -> Option<MonoMs>;
    fn covered(&self) -> SeqRanges;
    fn gone(&self) -> SeqRanges;
    fn told(&self) -> Seq;
}

impl Core for Destination {
    fn handle(&mut self, now: MonoMs, input: Input) {
        Destination::handle(self, now, input);
    }
    fn poll(&mut self) -> Option<Action> {
        Destination::poll(self)
    }
    fn next_timeout(&self) -> Option<MonoMs> {
        Destination::next_timeout(self)
    }
    fn covered(&self) -> SeqRanges {
        Destination::covered(self).clone()
    }
    fn gone(&self) -> SeqRanges {
        Destination::gone(self).clone()
    }
    fn told(&self) -> Seq {
        Destination::told(self)
    }
}

pub(super) type Make = fn(Restored) -> Box<dyn Core>;

pub(super) fn sound(restored: Restored) -> Box<dyn Core> {
    Box::new(Destination::new(config(), 7, restored))
}

pub(super) fn config() -> Config {
    Config {
        records_max: NonZeroU32::new(4).unwrap(),
        live_window: NonZeroU64::new(6).unwrap(),
        answer_timeout_ms: 5_000,
        alarm_window: NonZeroU32::new(2).unwrap(),
        parked_max: NonZeroU64::new(PARKED_MAX).unwrap(),
        ..Config::default()
    }
}

/// One thing that befalls the box.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Journal {
        records: u64,
        alarm: bool,
    },
    Answer {
        which: usize,
        how: Answer,
    },
    Pass {
        ms: u64,
    },
    LinkUp,
    /// The process dies and starts again from the outbox.
    Restart,
    /// The journal loses records; the core hears of it now, or with the next growth.
    Lose {
        first: u64,
        len: u64,
        told: bool,
    },
    /// Cuts fail from now on, or work again.
    Disk {
        full: bool,
    },
    /// The destination is to have records after all that a receipt covers.
    Reopen {
        first: u64,
        len: u64,
    },
    /// A technician has a parked batch sent again.
    Retry {
        which: usize,
    },
    /// Batches get only the first record asked for, or all.
    Bytes {
        tight: bool,
    },
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Stored,
    /// Stored, but the receipt is lost on the way.
    Lost,
    /// Stored, but the receipt says nothing of it.
    Short,
    Fails(Transient),
    Refused,
}

pub(super) struct World {
    make: Make,
    core: Box<dyn Core>,
    now: MonoMs,
    end: Seq,
    alarms: BTreeSet<Seq>,
    lost: SeqRanges,
    /// What the core was told of `lost`.
    told_lost: SeqRanges,
    outbox: Vec<RestoredBatch>,
    settled: SeqRanges,
    parked: SeqRanges,
    put_aside: Vec<RestoredBatch>,
    /// How often each batch was sent, and whether a smaller one passed since.
    sent: BTreeMap<BatchId, (u32, bool)>,
    /// How often each was sent beside itself.
    hedged: BTreeMap<BatchId, u32>,
    refused: BTreeSet<BatchId>,
    /// Those that came in halves because they never got through; the platform may hold them all the same.
    divided: BTreeSet<BatchId>,
    requests: Vec<BatchId>,
    /// The platform's rows: under which batch each came.
    rows: BTreeMap<Seq, BatchId>,
    acknowledged: SeqRanges,
    cuts: u64,
    disk_full: bool,
    bytes_tight: bool,
    /// A batch with one of these is refused whenever it arrives.
    poison: BTreeSet<Seq>,
    /// Records that were refused in a batch of their own for no reason of theirs, or beside some that the journal lost.
    refused_alone: SeqRanges,
    /// The last cut could not be done: the core may let others pass until it tries again.
    cut_failed: bool,
}

/// More than any sound platform refuses here.
const PARKED_MAX: u64 = 40;
/// Actions of one event: more means that the core gives orders without end.
const ACTIONS_MAX: usize = 100;
/// Bytes of a record, canonical and on the wire: a few are too many for a link that is bad.
const RECORD_BYTES: u64 = 1_000;
/// Wake-ups and answers until all must have drained.
const DRAIN_STEPS_MAX: usize = 5_000;

impl World {
    pub(super) fn new(make: Make) -> World {
        World {
            make,
            core: make(Restored::default()),
            now: MonoMs(0),
            end: Seq(0),
            alarms: BTreeSet::new(),
            lost: SeqRanges::new(),
            told_lost: SeqRanges::new(),
            outbox: Vec::new(),
            settled: SeqRanges::new(),
            parked: SeqRanges::new(),
            put_aside: Vec::new(),
            sent: BTreeMap::new(),
            hedged: BTreeMap::new(),
            refused: BTreeSet::new(),
            divided: BTreeSet::new(),
            requests: Vec::new(),
            rows: BTreeMap::new(),
            acknowledged: SeqRanges::new(),
            cuts: 0,
            disk_full: false,
            bytes_tight: false,
            poison: BTreeSet::new(),
            refused_alone: SeqRanges::new(),
            cut_failed: false,
        }
    }

    /// The same with records that the platform takes in no batch.
    pub(super) fn with_poison(make: Make, poison: BTreeSet<Seq>) -> World {
        World { poison, ..World::new(make) }
    }

    /// Plays the events, heals everything and demands that all drains. The error names the invariant.
    pub(super) fn run(mut self, events: &[Event]) -> Result<(), String> {
        for event in events {
            self.happen(event)?;
        }
        self.happen(&Event::Disk { full: false })?;
        self.tell()?;
        for _ in 0..DRAIN_STEPS_MAX {
            if !self.requests.is_empty() {
                self.happen(&Event::Answer { which: 0, how: Answer::Stored })?;
            } else if let Some(due) = self.core.next_timeout() {
                self.now = self.now.max(due);
                self.feed(Input::Tick)?;
            } else {
                break;
            }
        }
        if !invariant::d3_drained(self.end, &self.settled, &self.parked, &self.core.gone()) {
            return Err(format!("D3: of {} records only {:?} arrived", self.end, self.settled));
        }
        match seqs(&self.parked).find(|seq| !self.poison.contains(seq) && !self.refused_alone.contains(*seq)) {
            Some(seq) => Err(format!("D3: record {seq} is parked, and nothing was wrong with it")),
            None => Ok(()),
        }
    }

    fn happen(&mut self, event: &Event) -> Result<(), String> {
        match *event {
            Event::Journal { records, alarm } => {
                self.end = Seq(self.end.0 + records);
                if alarm {
                    self.alarms.insert(Seq(self.end.0 - 1));
                }
                self.tell()
            }
            Event::Answer { which, how } if !self.requests.is_empty() => {
                let id = self.requests.swap_remove(which % self.requests.len());
                self.answer(id, how)
            }
            Event::Answer { .. } => Ok(()),
            Event::Pass { ms } => {
                let until = MonoMs(self.now.0 + ms);
                while let Some(due) = self.core.next_timeout().filter(|due| *due <= until) {
                    if due < self.now {
                        return Err(format!("a wake-up at {due}, before {}", self.now));
                    }
                    self.now = due;
                    self.feed(Input::Tick)?;
                }
                self.now = until;
                self.feed(Input::Tick)
            }
            Event::LinkUp => self.feed(Input::LinkUp),
            Event::Restart => {
                self.requests.clear();
                let (covered, parked) = (self.settled.clone(), self.parked.clone());
                self.told_lost = SeqRanges::new();
                let outstanding = self.outbox.clone();
                self.core = (self.make)(Restored { covered, parked, outstanding, ..Restored::default() });
                // The monotonic clock of the core starts anew with it; ours goes on.
                self.tell()
            }
            Event::Lose { first, len, told } => {
                // The newest record is never lost: it is the one just written.
                let last = Seq((first + len).min(self.end.0.saturating_sub(2)));
                self.lost = self.lost.iter().chain(SeqRange::new(Seq(first), last)).collect();
                if told { self.tell() } else { Ok(()) }
            }
            Event::Disk { full } => {
                self.disk_full = full;
                Ok(())
            }
            Event::Reopen { first, len } => {
                let asked = SeqRange { first: Seq(first), last: Seq(first + len) };
                let open = |seq: &Seq| asked.first <= *seq && *seq <= asked.last && !self.lost.contains(*seq);
                let ranges: SeqRanges =
                    seqs(&self.settled).filter(open).map(|seq| SeqRange { first: seq, last: seq }).collect();
                // From now on it is as if they had never been there, and they overtake nobody.
                for seq in seqs(&ranges) {
                    self.rows.remove(&seq);
                    self.alarms.remove(&seq);
                }
                self.settled = without(&self.settled, &ranges);
                self.acknowledged = without(&self.acknowledged, &ranges);
                self.feed(Input::Reopened { ranges })
            }
            Event::Retry { which } if !self.put_aside.is_empty() => {
                let batch = self.put_aside.swap_remove(which % self.put_aside.len());
                self.parked = self.put_aside.iter().flat_map(|batch| batch.ranges.iter()).collect();
                self.outbox.push(batch.clone());
                self.feed(Input::Retry { batch })
            }
            Event::Retry { .. } => Ok(()),
            Event::Bytes { tight } => {
                self.bytes_tight = tight;
                Ok(())
            }
        }
    }

    fn tell(&mut self) -> Result<(), String> {
        if self.told_lost != self.lost {
            self.told_lost = self.lost.clone();
            self.feed(Input::Gone { ranges: self.lost.clone() })?;
        }
        let kept = |seq: &Seq| !self.lost.contains(*seq);
        let alarms = self.alarms.range(self.core.told()..).copied().filter(kept).collect();
        self.feed(Input::Journaled { end: self.end, alarms })
    }

    fn answer(&mut self, id: BatchId, how: Answer) -> Result<(), String> {
        let Some(batch) = self.outbox.iter().find(|batch| batch.id == id).cloned() else { return Ok(()) };
        let is_poison = seqs(&batch.ranges).any(|seq| self.poison.contains(&seq));
        let how = if is_poison && !matches!(how, Answer::Fails(_)) { Answer::Refused } else { how };
        let indivisible = batch.ranges.len() == 1 || !invariant::d2_cut_once(&self.told_lost, &batch.ranges);
        if matches!(how, Answer::Refused) && indivisible {
            batch.ranges.iter().for_each(|range| self.refused_alone.insert(range));
        }
        if matches!(how, Answer::Stored | Answer::Lost | Answer::Short) {
            for seq in seqs(&batch.ranges) {
                let first = *self.rows.entry(seq).or_insert(id);
                if first != id && !self.divided.contains(&first) {
                    return Err(format!("D3: record {seq} came in two batches"));
                }
            }
        }
        match how {
            Answer::Stored => {
                self.passed(&batch);
                batch.ranges.iter().for_each(|range| self.acknowledged.insert(range));
                let holds = self.rows.keys().map(|seq| SeqRange { first: *seq, last: *seq }).collect();
                self.feed(Input::Acked { id, holds, own_ms: 0 })
            }
            Answer::Lost => Ok(()),
            Answer::Short => self.feed(Input::Acked { id, holds: SeqRanges::new(), own_ms: 0 }),
            Answer::Fails(why) => self.feed(Input::Failed { id, retry_after_ms: None, why }),
            // A platform that stored a batch does not refuse it later.
            Answer::Refused if self.rows.values().any(|of| *of == id) => Ok(()),
            Answer::Refused => {
                self.passed(&batch);
                self.refused.insert(id);
                self.feed(Input::Refused { id, why: "odd".into() })
            }
        }
    }

    fn passed(&mut self, batch: &RestoredBatch) {
        for larger in self.outbox.iter().filter(|other| other.bytes_len > batch.bytes_len) {
            self.sent.entry(larger.id).and_modify(|(_, smaller_passed)| *smaller_passed = true);
        }
    }

    fn feed(&mut self, input: Input) -> Result<(), String> {
        self.core.handle(self.now, input);
        for _ in 0..ACTIONS_MAX {
            let Some(action) = self.core.poll() else { return self.check() };
            self.obey(action)?;
        }
        Err("more orders than one event can need".into())
    }

    fn check(&self) -> Result<(), String> {
        let covered = self.core.covered();
        if !self.lost.covers(&self.core.gone()) {
            return Err(format!("D3: {:?} given up, lost {:?}", self.core.gone(), self.lost));
        }
        if !invariant::d1_covered_is_acknowledged(&covered, &self.acknowledged) {
            return Err(format!("D1: covered {covered:?}, acknowledged {:?}", self.acknowledged));
        }
        if !invariant::b1_parked_within(self.parked.len(), config().parked_max.get()) {
            return Err(format!("B1: {} records are put aside", self.parked.len()));
        }
        match self.core.next_timeout() {
            Some(due) if due <= self.now => Err(format!("a wake-up at {due}, already {}", self.now)),
            _ => Ok(()),
        }
    }

    fn obey(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Cut { lane, ranges, bytes_max } => {
                if !invariant::d2_cut_once(&self.told_lost, &ranges) {
                    return Err(format!("D3: {ranges:?} was asked for, {:?} is known to be gone", self.told_lost));
                }
                let readable = self.readable(&ranges);
                self.cut_failed = self.disk_full || readable.is_empty();
                if self.cut_failed {
                    self.core.handle(self.now, Input::NotCut { lane });
                    return Ok(());
                }
                self.cut(lane, readable, bytes_max)
            }
            Action::Send { id, .. } => {
                let Some(batch) = self.outbox.iter().find(|batch| batch.id == id) else {
                    return Err(format!("D2: sent {id}, which is not in the outbox"));
                };
                self.check_overtaking(batch)?;
                self.sent.entry(id).or_default().0 += 1;
                self.requests.push(id);
                Ok(())
            }
            Action::Hedge { id, .. } => {
                let Some(batch) = self.outbox.iter().find(|batch| batch.id == id) else {
                    return Err(format!("D2: sent {id} again, which is not in the outbox"));
                };
                self.check_overtaking(batch)?;
                let (sent, _) = self.sent.get(&id).copied().unwrap_or_default();
                let hedged = self.hedged.entry(id).or_default();
                *hedged += 1;
                if !invariant::b1_hedged_once(*hedged, sent) {
                    return Err(format!("B1: {id} was sent {sent} times, and {hedged} times beside"));
                }
                self.requests.push(id);
                Ok(())
            }
            Action::Note { .. } => Err("B1: a budget is noted, and there is none".into()),
            Action::Advance { id } => {
                let batch = self.take(id)?;
                batch.ranges.iter().for_each(|range| self.settled.insert(range));
                Ok(())
            }
            Action::Split { id, reason } => self.split(id, reason.is_some()),
            Action::Park { id, .. } => {
                let batch = self.take(id)?;
                batch.ranges.iter().for_each(|range| self.parked.insert(range));
                self.put_aside.push(batch);
                Ok(())
            }
        }
    }

    /// The leading part of `asked` that the journal still has, as a shell reads it.
    fn readable(&self, asked: &SeqRanges) -> SeqRanges {
        let read = seqs(asked).take_while(|seq| !self.lost.contains(*seq));
        read.map(|seq| SeqRange { first: seq, last: seq }).collect()
    }

    fn split(&mut self, id: BatchId, is_refused: bool) -> Result<(), String> {
        let (times, smaller_passed) = self.sent.get(&id).copied().unwrap_or_default();
        let may = if is_refused { self.refused.contains(&id) } else { invariant::d2_may_divide(times, smaller_passed) };
        if !may {
            return Err(format!("D2: {id} comes in halves, refused: {is_refused}, sent {times} times"));
        }
        if !is_refused {
            self.divided.insert(id);
        }
        self.take(id).map(drop)
    }

    fn cut(&mut self, lane: Lane, asked: SeqRanges, bytes_max: u64) -> Result<(), String> {
        let room = if self.bytes_tight { 1 } else { (bytes_max / RECORD_BYTES).max(1) };
        let room = usize::try_from(room).unwrap();
        let ranges: SeqRanges = seqs(&asked).take(room).map(|seq| SeqRange { first: seq, last: seq }).collect();
        let stored = self.outbox.iter().flat_map(|batch| batch.ranges.iter());
        let claimed = stored.chain(self.settled.iter()).chain(self.parked.iter()).collect();
        if !invariant::d2_cut_once(&claimed, &ranges) {
            return Err(format!("D2: {ranges:?} was cut before"));
        }
        if lane != Lane::Alarm && seqs(&ranges).any(|seq| self.alarms.contains(&seq)) {
            return Err(format!("D5: an alarm of {ranges:?} travels in lane {lane}"));
        }
        self.cuts += 1;
        let mut id = BatchId([0; 32]);
        id.0[..8].copy_from_slice(&self.cuts.to_be_bytes());
        let bytes_len = ranges.len() * RECORD_BYTES;
        self.outbox.push(RestoredBatch { id, lane, ranges: ranges.clone(), bytes_len });
        self.core.handle(self.now, Input::Cut { lane, id, ranges, bytes_len, content_len: bytes_len });
        Ok(())
    }

    fn check_overtaking(&self, batch: &RestoredBatch) -> Result<(), String> {
        let alarm_batches = || self.outbox.iter().filter(|other| other.lane == Lane::Alarm);
        let free = usize::try_from(config().alarm_window.get()).unwrap().saturating_sub(alarm_batches().count());
        let left = |seq: &Seq| {
            let gone = alarm_batches().any(|other| other.ranges.contains(*seq) && self.sent.contains_key(&other.id));
            gone || [&self.settled, &self.parked, &self.lost].iter().any(|set| set.contains(*seq))
        };
        let unsent = self.alarms.range(..self.core.told()).filter(|seq| !left(seq)).count();
        let free = if self.cut_failed { 0 } else { free };
        if batch.lane != Lane::Alarm
            && !invariant::d5_others_may_leave(u64::try_from(unsent).unwrap(), u64::try_from(free).unwrap())
        {
            return Err(format!("D5: {} batch {:?} left before {unsent} alarms", batch.lane, batch.ranges));
        }
        Ok(())
    }

    fn take(&mut self, id: BatchId) -> Result<RestoredBatch, String> {
        match self.outbox.iter().position(|batch| batch.id == id) {
            Some(at) => Ok(self.outbox.remove(at)),
            None => Err(format!("D2: {id} is settled twice")),
        }
    }
}

fn seqs(ranges: &SeqRanges) -> impl Iterator<Item = Seq> + '_ {
    ranges.iter().flat_map(|range| (range.first.0..=range.last.0).map(Seq))
}
