//! The upload daemon without its tasks and sockets: the real cores, the real cuts and signatures, the real outbox, and
//! the real judgement of what a platform answers.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::{NonZeroU32, NonZeroU64};

use batch::{BatchId, BoxId, Lane, SigningKey};
use delivery::{Action, BEYOND_WINDOW_MAX, Config, Destination, Input, RestoredBatch, Transient, invariant};
use journal::{Outbox, Reader};
use record::{MonoMs, Seq, SeqRanges};
use syncd::{Answer, Cut, CutBatch, Expected, Files, Raw};

use crate::broken::Fault;
use crate::disk::Disk;
use crate::invariants::{Checked, demand};

/// Alarm numbers read from the journal at once.
const ALARMS_READ_MAX: usize = 16;
/// Orders after one event: more means that the core gives orders without end.
const ACTIONS_MAX: usize = 200;

/// Small bounds, so that minutes reach what takes months at a box.
pub(crate) fn config() -> Config {
    let number = |number: u32| NonZeroU32::new(number).expect("not zero");
    Config {
        records_max: number(20),
        // Few, so that some batches get less than was asked for.
        bytes_max: NonZeroU64::new(6_000).expect("not zero"),
        live_window: NonZeroU64::new(50).expect("not zero"),
        answer_timeout_ms: 10_000,
        alarm_window: number(2),
        ..Config::default()
    }
}

/// What the world must do for a destination.
#[derive(Debug)]
pub(crate) enum Order {
    /// Put these bytes on the link, as try number `turn` of the batch.
    Put { id: BatchId, turn: u64, bytes: Vec<u8>, timeout_ms: u64 },
    /// Ask again in a second: an answer could not be stored.
    StoreAgain,
}

/// One destination at work.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) name: &'static str,
    pub(crate) core: Destination,
    expected: Expected,
    /// The tries under way of each batch: one, or a second one beside it.
    tries: BTreeMap<BatchId, Vec<u64>>,
    turns: u64,
    /// The batches of the outbox, and which of them were sent.
    batches: BTreeMap<BatchId, (Lane, SeqRanges, bool)>,
    /// Batches that come in halves although nobody refused them, not yet told to the world.
    pub(crate) divided: BTreeSet<BatchId>,
    /// A receipt or a refusal that the outbox did not take; nothing else goes on until it does (D1).
    unstored: Option<(BatchId, Unstored)>,
    /// Answers that wait behind it.
    answers: VecDeque<(BatchId, Answer)>,
    /// The world was asked to try that again.
    store_foreseen: bool,
    receipt: Option<(BatchId, Vec<u8>)>,
    cut_failed: bool,
    /// When the core's timer is set for, as the world was told.
    pub(crate) tick_ms: Option<u64>,
    /// Commands may stand in the journal that are not carried out.
    pub(crate) unobeyed: bool,
    /// Nothing of what the core was not told yet passes its filter.
    is_quiet: bool,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Unstored {
    Receipt(Vec<u8>),
    Halving,
    Refusal(String),
}

/// The daemon.
#[derive(Debug)]
pub(crate) struct Sync {
    pub(crate) files: Files,
    pub(crate) lines: Vec<Lines>,
}

impl Sync {
    /// Starts on what the outbox has. `None` while there is no journal, or no room for an outbox.
    pub(crate) fn start(
        (box_id, key): (BoxId, SigningKey),
        disk: &Disk,
        seed: u64,
        platforms: [(&'static str, &SigningKey, syncd::Filter); 2],
        fault: Option<Fault>,
    ) -> Option<Sync> {
        let reader = Reader::open(&disk.journal()).ok()?;
        let outbox = Outbox::open(&disk.outbox()).ok()?;
        outbox.fill_disk(disk.outbox_full).expect("a bound");
        let mut files = Files::new(reader, outbox, key, box_id.clone());
        for (name, _, filter) in &platforms {
            let filter = match fault {
                Some(Fault::LeaksTheWithheld) => syncd::Filter::default(),
                Some(Fault::WithholdsTooMuch) => syncd::Filter { refused: false, ..filter.clone() },
                _ => filter.clone(),
            };
            files.set_filter(name, filter).ok()?;
        }
        let lines = platforms.into_iter().zip(1_u64..).map(|((name, platform, _), nth)| {
            let (mut restored, _) = syncd::restore(&files.outbox, name).expect("the outbox");
            if fault == Some(Fault::ForgetsItsOutbox) {
                restored.outstanding.clear();
            }
            let known = |batch: &RestoredBatch| (batch.id, (batch.lane, batch.ranges.clone(), false));
            Lines {
                name,
                batches: restored.outstanding.iter().map(known).collect(),
                core: Destination::new(config(), seed.wrapping_mul(nth), restored),
                expected: Expected { keys: vec![platform.public()], box_id: box_id.clone() },
                tries: BTreeMap::new(),
                turns: 0,
                divided: BTreeSet::new(),
                unstored: None,
                answers: VecDeque::new(),
                store_foreseen: false,
                receipt: None,
                unobeyed: true,
                cut_failed: false,
                tick_ms: None,
                is_quiet: false,
                fault,
            }
        });
        Some(Sync { lines: lines.collect(), files })
    }

    pub(crate) fn fill(&self, full: bool) {
        self.files.outbox.fill_disk(full).expect("a bound");
    }
}

impl Lines {
    /// Carries out what the platform commanded, as the journal has it; later where the outbox does not take it.
    pub(crate) fn obey_commands(&mut self, files: &mut Files, now: MonoMs) {
        if !self.unobeyed || self.unstored.is_some() {
            return;
        }
        let Ok(obeyed) = files.obey(self.name) else { return };
        self.unobeyed = false;
        if !obeyed.reopened.is_empty() {
            self.core.handle(now, Input::Reopened { ranges: obeyed.reopened });
        }
    }

    /// Tells the core how far the journal goes, alarms first known.
    pub(crate) fn hear(&mut self, files: &mut Files, now: MonoMs) {
        if self.unstored.is_some() {
            return;
        }
        let end = files.reader.position().expect("the journal's position").end;
        let worth = files.worth_telling(self.name, self.core.told(), end).expect("the journal");
        self.is_quiet = worth < end;
        let end = worth;
        while self.core.told() < end {
            let from = self.core.told();
            let mut alarms = files.reader.alarms(from, ALARMS_READ_MAX).expect("alarms");
            let page_end = alarms.last().filter(|_| alarms.len() == ALARMS_READ_MAX).map(|last| last.next());
            if self.fault == Some(Fault::DeafToAlarms) {
                alarms.clear();
            }
            let end = page_end.map_or(end, |page_end| page_end.min(end));
            self.core.handle(now, Input::Journaled { end, alarms });
            if self.core.told() == from {
                return;
            }
        }
    }

    /// Time passed.
    pub(crate) fn tick(&mut self, now: MonoMs) {
        if self.unstored.is_none() && self.fault != Some(Fault::NeverTriesAgain) {
            self.core.handle(now, Input::Tick);
        }
    }

    /// The second is over.
    pub(crate) fn stores_again(&mut self) {
        self.store_foreseen = false;
    }

    /// A try ended: with an answer, or without one. False if it was given up before.
    pub(crate) fn answered(&mut self, id: BatchId, turn: u64, ended: Result<Raw, Transient>) -> bool {
        let Some(turns) = self.tries.get_mut(&id) else { return false };
        let Some(at) = turns.iter().position(|of| *of == turn) else { return false };
        turns.swap_remove(at);
        let is_last = turns.is_empty();
        let answer = match ended {
            Ok(raw) if self.fault == Some(Fault::BelievesEverything) && raw.status == 200 => {
                let all = record::SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) };
                Answer::Receipt { bytes: raw.body, holds: [all].into_iter().collect(), command: None, own_ms: 0 }
            }
            Ok(raw) => self.expected.judge(id, raw).settled(),
            Err(why) => Answer::Failed { why, retry_after_ms: None, what: String::new() },
        };
        if matches!(answer, Answer::Failed { .. }) && !is_last {
            return true;
        }
        self.tries.remove(&id);
        self.answers.push_back((id, answer));
        true
    }

    /// Hands the answers to the core and does what it orders, until something cannot be stored.
    pub(crate) fn work(&mut self, files: &mut Files, now: MonoMs, alarms: &[Seq]) -> Checked<Vec<Order>> {
        let mut orders = Vec::new();
        self.store_again(files, now, &mut orders);
        loop {
            for nth in 0.. {
                if self.unstored.is_some() {
                    return Ok(orders);
                }
                let Some(action) = self.core.poll() else { break };
                demand!("B1", record::invariant::b1_within(nth, ACTIONS_MAX), "{}: {action:?} and no end", self.name);
                self.obey(action, files, now, alarms, &mut orders)?;
            }
            let Some((id, answer)) = self.answers.pop_front() else { return Ok(orders) };
            match answer {
                Answer::Receipt { bytes, holds, .. } => {
                    self.receipt = Some((id, bytes));
                    self.core.handle(now, Input::Acked { id, holds, own_ms: 0 });
                }
                Answer::Refused { why } => self.core.handle(now, Input::Refused { id, why }),
                Answer::StrangeKey { .. } | Answer::StrangeReceipt { .. } => unreachable!("settled above"),
                Answer::Failed { why, retry_after_ms, .. } => {
                    self.core.handle(now, Input::Failed { id, retry_after_ms, why });
                }
            }
        }
    }

    fn obey(
        &mut self,
        action: Action,
        files: &mut Files,
        now: MonoMs,
        alarms: &[Seq],
        orders: &mut Vec<Order>,
    ) -> Checked {
        match action {
            Action::Cut { lane, ranges, bytes_max } => {
                let claimed = self.claimed(files);
                demand!("D2", invariant::d2_cut_once(&claimed, &ranges), "{}: {ranges:?} was cut before", self.name);
                let cut = files.cut(self.name, lane, &ranges, usize::try_from(bytes_max).expect("a size"));
                self.cut_failed = cut.is_err();
                let input = match cut {
                    Ok(Cut { batch, gone }) => {
                        if !gone.is_empty() {
                            self.core.handle(now, Input::Gone { ranges: gone });
                        }
                        let Some(cut) = batch else {
                            // As where it failed: the core lets others pass until it tries again.
                            self.cut_failed = true;
                            self.core.handle(now, Input::NotCut { lane });
                            return Ok(());
                        };
                        self.batches.insert(cut.id, (lane, cut.ranges.clone(), false));
                        let CutBatch { id, ranges, bytes_len, content_len } = cut;
                        Input::Cut { lane, id, ranges, bytes_len, content_len }
                    }
                    Err(_) => Input::NotCut { lane },
                };
                self.core.handle(now, input);
            }
            Action::Send { id, timeout_ms } | Action::Hedge { id, timeout_ms } => {
                if matches!(action, Action::Send { .. }) {
                    self.tries.remove(&id);
                }
                self.check_overtaking(files, id, alarms)?;
                let bytes = files.outbox.batch_bytes(self.name, &id.0).expect("the outbox");
                demand!("D2", bytes.is_some(), "{}: {id} is sent and not in the outbox", self.name);
                self.turns += 1;
                self.tries.entry(id).or_default().push(self.turns);
                if let Some((.., sent)) = self.batches.get_mut(&id) {
                    *sent = true;
                }
                orders.push(Order::Put { id, turn: self.turns, bytes: bytes.unwrap_or_default(), timeout_ms });
            }
            Action::Note { .. } => demand!("B1", false, "{}: a budget is noted, and there is none", self.name),
            Action::Advance { id } => {
                let receipt = self.receipt.take().map(|(_, bytes)| bytes).unwrap_or_default();
                self.unstored = Some((id, Unstored::Receipt(receipt)));
                self.store_again(files, now, orders);
            }
            Action::Split { id, reason } => {
                if reason.is_none() {
                    self.divided.insert(id);
                    self.tries.remove(&id);
                }
                self.unstored = Some((id, Unstored::Halving));
                self.store_again(files, now, orders);
            }
            Action::Park { id, reason } => {
                self.unstored = Some((id, Unstored::Refusal(reason)));
                self.store_again(files, now, orders);
            }
        }
        Ok(())
    }

    fn store_again(&mut self, files: &mut Files, now: MonoMs, orders: &mut Vec<Order>) {
        let Some((id, what)) = &self.unstored else { return };
        let stored = match what {
            Unstored::Receipt(receipt) => {
                let settled = files.settle(self.name, *id, receipt);
                for ranges in settled.iter().map(|settled| &settled.reopened).filter(|ranges| !ranges.is_empty()) {
                    self.core.handle(now, Input::Reopened { ranges: ranges.clone() });
                }
                settled.is_ok()
            }
            Unstored::Halving => files.split(self.name, *id).is_ok(),
            Unstored::Refusal(why) => files.park(self.name, *id, why).is_ok(),
        };
        if stored {
            self.batches.remove(id);
            self.unstored = None;
        } else if !std::mem::replace(&mut self.store_foreseen, true) {
            orders.push(Order::StoreAgain);
        }
    }

    /// Everything that is in a batch already, by the outbox.
    fn claimed(&self, files: &Files) -> SeqRanges {
        let stored = files.outbox.batches(self.name).expect("the outbox");
        let batches = stored.iter().flat_map(|batch| batch.ranges.iter().collect::<Vec<_>>());
        let covered = files.outbox.coverage(self.name).expect("the outbox");
        let parked = files.outbox.parked(self.name).expect("the outbox");
        batches.chain(covered.iter()).chain(parked.iter()).collect()
    }

    fn check_overtaking(&self, files: &Files, id: BatchId, alarms: &[Seq]) -> Checked {
        let Some((lane, ..)) = self.batches.get(&id).filter(|(lane, ..)| *lane != Lane::Alarm) else { return Ok(()) };
        let alarm_batches = || self.batches.values().filter(|(lane, ..)| *lane == Lane::Alarm);
        let window = usize::try_from(config().alarm_window.get()).expect("a window");
        let free = if self.cut_failed { 0 } else { window.saturating_sub(alarm_batches().count()) };
        // What a filter settled had its alarms, also where it is looked at again, and so had what is sent once more.
        let looked_at = files.outbox.filtered(self.name).expect("the outbox");
        let once_more = files.outbox.resend(self.name).expect("the outbox");
        let known = alarms.iter().filter(|seq| **seq < self.core.told());
        let left = |seq: &Seq| {
            alarm_batches().any(|(_, ranges, sent)| *sent && ranges.contains(*seq))
                || self.core.covered().contains(*seq)
                || self.core.parked().contains(*seq)
                || self.core.gone().contains(*seq)
                || once_more.contains(*seq)
                || looked_at.iter().any(|(range, _)| range.first <= *seq && *seq <= range.last)
        };
        let unsent: Vec<&Seq> = known.filter(|seq| !left(seq)).collect();
        let holds = invariant::d5_others_may_leave(unsent.len() as u64, free as u64);
        demand!("D5", holds, "{}: {lane} batch {id} leaves before {unsent:?}, of {:?}", self.name, self.batches);
        Ok(())
    }

    /// What holds at any time, beside a platform that has receipted so much, and a journal that told so many to be gone.
    pub(crate) fn check(&self, receipted: &SeqRanges, told: &SeqRanges) -> Checked {
        let (name, covered) = (self.name, self.core.covered());
        let holds = invariant::d1_covered_is_acknowledged(covered, receipted);
        demand!("D1", holds, "{name}: {covered:?} is believed to be covered, {receipted:?} was receipted");
        let gone = self.core.gone();
        demand!("D3", invariant::d3_gone_is_told(gone, told), "{name}: {gone:?} are taken for gone, {told:?} are told");
        let alarms = self.batches.values().filter(|(lane, ..)| *lane == Lane::Alarm).count();
        let config = config();
        let windows =
            [config.alarm_window, config.window].map(|window| usize::try_from(window.get()).expect("a window"));
        let windows = [windows[0], windows[1] + BEYOND_WINDOW_MAX];
        for (len, max) in [alarms, self.batches.len() - alarms].into_iter().zip(windows) {
            demand!(
                "B1",
                record::invariant::b1_within(len, max),
                "{name}: {len} batches are outstanding, at most {max}"
            );
        }
        Ok(())
    }

    /// Whether every record before `end` has arrived, or is parked, gone or withheld with its reason.
    pub(crate) fn is_drained(&self, end: Seq) -> bool {
        let end = if self.is_quiet { self.core.told() } else { end };
        invariant::d3_drained(end, self.core.covered(), self.core.parked(), self.core.gone())
    }

    /// When it wants to be woken, by the clock of the boot.
    pub(crate) fn due(&self) -> Option<MonoMs> {
        let hears_it = self.unstored.is_none() && self.fault != Some(Fault::NeverTriesAgain);
        self.core.next_timeout().filter(|_| hears_it)
    }

    /// Whether requests are under way.
    pub(crate) fn is_sending(&self) -> bool {
        !self.tries.is_empty()
    }

    /// Whether the outbox has batches without an answer.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.batches.is_empty()
    }
}
