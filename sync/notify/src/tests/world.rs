//! A box with its journal, its disk, its channels and their receivers, in virtual time, by seed.

use std::collections::{BTreeMap, BTreeSet};

use delivery::Backoff;
use record::{
    AlarmState, AlarmTransition, ClockQuality, Decimal, LimitSide, MonoMs, Priority, Quantity, RuleId, Seq, SourceId,
    UnixMs,
};

use crate::{
    Action, AlarmKey, Episode, Evidence, Facts, Input, Ladder, Level, Message, Name, Notifier, Outcome, Person,
    Restored, Start, Word, invariant,
};

const DAY_MS: u64 = 86_400_000;

/// The core, or a broken one.
pub(super) trait Core {
    fn handle(&mut self, now: MonoMs, input: Input);
    fn poll(&mut self) -> Option<Action>;
    fn next_timeout(&self, now: MonoMs) -> Option<MonoMs>;
    fn episodes(&self) -> Vec<Episode>;
}

impl Core for Notifier {
    fn handle(&mut self, now: MonoMs, input: Input) {
        Notifier::handle(self, now, input);
    }
    fn poll(&mut self) -> Option<Action> {
        Notifier::poll(self)
    }
    fn next_timeout(&self, now: MonoMs) -> Option<MonoMs> {
        Notifier::next_timeout(self, now)
    }
    fn episodes(&self) -> Vec<Episode> {
        Notifier::episodes(self).cloned().collect()
    }
}

/// Makes a core that goes on from what was stored.
pub(super) type Make<'a> = &'a dyn Fn(Restored, MonoMs) -> Box<dyn Core>;

pub(super) fn name(text: &str) -> Name {
    Name::try_from(text.to_owned()).unwrap()
}

/// Three levels with a minute each; village and town have a channel in common.
pub(super) fn ladder() -> Ladder {
    let level = |level: &str, channels: &[&str], wait_s: u64| Level {
        name: name(level),
        channels: channels.iter().copied().map(name).collect(),
        people: vec![Person { name: format!("chief of {level}"), mobile: None, userid: None }],
        wait_ms: wait_s * 1_000,
    };
    let ladder = Ladder {
        levels: vec![
            level("village", &["v", "common"], 60),
            level("town", &["t", "common"], 120),
            level("city", &["c"], 1),
        ],
        start: Start { low: 0, medium: 0, high: 0, critical: 1 },
        repeat_ms: 600_000,
        repeats_a_day_max: 3,
        quiet: Some(crate::QuietHours::try_from("22:00-06:00".to_owned()).unwrap()),
        messages_a_minute_max: 4,
        answer_timeout_ms: 10_000,
        backoff: Backoff { base_ms: 1_000, ceiling_ms: 30_000 },
    };
    ladder.checked().unwrap()
}

pub(super) fn key(alarm: usize) -> AlarmKey {
    AlarmKey { rule: RuleId::new("cod-high").unwrap(), source: SourceId::new(&format!("cod-{alarm}")).unwrap() }
}

pub(super) fn step(alarm: usize, from: AlarmState, to: AlarmState) -> AlarmTransition {
    let AlarmKey { rule, source } = key(alarm);
    let value = (to != AlarmState::Acknowledged).then(|| Decimal::from(95));
    let (limit, side, quantity) = (Decimal::from(80), LimitSide::High, Quantity::new("cod").unwrap());
    AlarmTransition {
        rule,
        source,
        quantity,
        from,
        to,
        limit,
        side,
        value,
        cause: Seq(0),
        grounds: None,
        suppression: None,
    }
}

pub(super) fn facts(priority: Priority) -> Box<Facts> {
    let since_ms = UnixMs(1_795_000_000_000);
    let outfall = Some(("420000-0001".to_owned(), "East gate".to_owned()));
    let clock = ClockQuality::Synchronised;
    Box::new(Facts { outfall, grounds: None, unit: Some("mg/L".into()), since_ms, clock, priority: Some(priority) })
}

/// SplitMix64, as in `delivery`: the world must not share its numbers with the core.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }
}

/// One thing told at one channel. While an alarm comes and goes it is told anew.
type Step = (Name, Seq, u32, bool, u32);

struct Flight {
    channel: Name,
    message: Message,
    steps: Vec<Step>,
    lands_at: u64,
    timeout_at: u64,
}

pub(super) struct World<'a> {
    make: Make<'a>,
    core: Box<dyn Core>,
    pub(super) dice: Dice,
    now: u64,
    disk: (Seq, BTreeMap<AlarmKey, Episode>),
    journal: Vec<(AlarmTransition, Priority)>,
    fed: usize,
    states: Vec<AlarmState>,
    backs: BTreeMap<AlarmKey, u32>,
    flights: Vec<Flight>,
    evidence: Vec<Evidence>,
    is_link_up: bool,
    /// The day that the core was told, and goes by until it is told another.
    day: Option<i64>,
    /// Of 8 messages so many are refused, and so many answers lost.
    troubles: (usize, usize),
    arrived: BTreeMap<Step, u32>,
    doubts: BTreeMap<Step, u32>,
    told: BTreeSet<(Seq, Name)>,
    stands: BTreeMap<(AlarmKey, Name), bool>,
    rounds: BTreeMap<(Seq, Name, i64), BTreeSet<u32>>,
}

/// How many alarms there may be: fewer than a message has in words.
const ALARMS: usize = 6;

impl<'a> World<'a> {
    pub(super) fn new(seed: u64, make: Make<'a>) -> World<'a> {
        World {
            make,
            core: make(Restored::default(), MonoMs(0)),
            dice: Dice(seed),
            now: 0,
            disk: (Seq(0), BTreeMap::new()),
            journal: Vec::new(),
            fed: 0,
            states: vec![AlarmState::Normal; ALARMS],
            backs: BTreeMap::new(),
            flights: Vec::new(),
            evidence: Vec::new(),
            is_link_up: true,
            day: None,
            troubles: (1, 1),
            arrived: BTreeMap::new(),
            doubts: BTreeMap::new(),
            told: BTreeSet::new(),
            stands: BTreeMap::new(),
            rounds: BTreeMap::new(),
        }
    }

    /// One random event.
    pub(super) fn happen(&mut self) {
        match self.dice.roll(20) {
            0..=3 => self.alarm(),
            4 => self.crash(),
            5 => self.is_link_up = false,
            6 | 7 => {
                self.is_link_up = true;
                self.hand(Input::LinkUp);
            }
            8 => {
                let minute = u16::try_from(self.dice.roll(1_440)).unwrap();
                let day = i64::try_from(self.now / DAY_MS).unwrap();
                self.day = Some(day);
                self.hand(Input::Calendar { at: Some(crate::Local { day, minute }) });
            }
            9 => self.troubles = (self.dice.roll(5), self.dice.roll(4)),
            _ => {
                let ms = u64::try_from(1 + self.dice.roll(90_000)).unwrap();
                self.pass(ms);
            }
        }
    }

    /// No more troubles: all that is due is told.
    pub(super) fn heal(&mut self) {
        (self.is_link_up, self.troubles, self.day) = (true, (0, 0), None);
        self.hand(Input::Calendar { at: None });
        self.hand(Input::LinkUp);
        self.pass(3 * 600_000);
        for alarm in 0..ALARMS {
            let (key, state) = (key(alarm), self.states[alarm]);
            let raised = self.journal.iter().rposition(|(step, _)| {
                step.source == key.source && step.from == AlarmState::Normal && step.to == AlarmState::Unacknowledged
            });
            let Some(raised) = raised else { continue };
            let (seq, priority) = (Seq(u64::try_from(raised).unwrap()), self.journal[raised].1);
            if state != AlarmState::Acknowledged && state != AlarmState::Normal {
                let ladder = ladder();
                let levels = &ladder.levels[ladder.start(Some(priority))..];
                let reached: Vec<&Name> = levels.iter().flat_map(|level| &level.channels).collect();
                let told: Vec<&Name> =
                    self.told.iter().filter(|(of, _)| *of == seq).map(|(_, channel)| channel).collect();
                assert!(invariant::n1_told(&reached, &told), "N1: alarm {alarm} reached {reached:?}, told {told:?}");
                let kept =
                    self.evidence.iter().filter(|e| e.alarm == seq && matches!(e.told, crate::Told::Delivered(_)));
                assert_eq!(kept.count(), 1, "N1: the first delivery of alarm {alarm} is evidence");
            }
            if !state.is_active() {
                for (_, stands) in self.stands.iter().filter(|((of, _), _)| *of == key) {
                    assert!(invariant::n1_all_clear(*stands), "N1: alarm {alarm} is over, and somebody was not told");
                }
            }
        }
    }

    fn alarm(&mut self) {
        use AlarmState::{Acknowledged, Normal, ReturnedUnacknowledged, Unacknowledged};
        let alarm = self.dice.roll(ALARMS);
        let from = self.states[alarm];
        let nexts: Vec<AlarmState> = [Normal, Unacknowledged, Acknowledged, ReturnedUnacknowledged]
            .into_iter()
            .filter(|to| from.may_become(*to))
            .collect();
        let to = nexts[self.dice.roll(nexts.len())];
        self.states[alarm] = to;
        let priority = [Priority::Low, Priority::Medium, Priority::High, Priority::Critical][alarm % 4];
        self.journal.push((step(alarm, from, to), priority));
        self.feed();
    }

    /// The core reads the journal.
    fn feed(&mut self) {
        while let Some((step, priority)) = self.journal.get(self.fed).cloned() {
            let seq = Seq(u64::try_from(self.fed).unwrap());
            self.fed += 1;
            let key = AlarmKey { rule: step.rule.clone(), source: step.source.clone() };
            if step.from == AlarmState::ReturnedUnacknowledged && step.to == AlarmState::Unacknowledged {
                *self.backs.entry(key).or_default() += 1;
            }
            self.core.handle(MonoMs(self.now), Input::Alarm { seq, step, facts: facts(priority) });
        }
        self.hand(Input::Read { next: Seq(u64::try_from(self.fed).unwrap()) });
    }

    fn hand(&mut self, input: Input) {
        self.core.handle(MonoMs(self.now), input);
        self.work();
    }

    /// Does what the core orders.
    fn work(&mut self) {
        while let Some(action) = self.core.poll() {
            match action {
                Action::Store { next, rows } => {
                    self.disk.0 = next;
                    for (key, row) in rows {
                        match row {
                            Some(row) => drop(self.disk.1.insert(key, row)),
                            None => drop(self.disk.1.remove(&key)),
                        }
                    }
                }
                Action::Send { channel, message, timeout_ms } => self.leave(channel, *message, timeout_ms),
                Action::Journal { evidence, in_doubt } => {
                    let is_there = in_doubt && self.evidence.contains(&evidence);
                    let (works, answers) = (self.dice.roll(4) > 0, self.dice.roll(4) > 0);
                    if works && !is_there {
                        assert!(!self.evidence.contains(&evidence), "N2: evidence stands twice: {evidence:?}");
                        self.evidence.push(evidence);
                    }
                    self.core
                        .handle(MonoMs(self.now), Input::Journaled { is_journaled: is_there || (works && answers) });
                }
            }
            // The power may go between any two orders.
            if self.dice.roll(200) == 0 {
                self.crash();
            }
        }
        let episodes = self.core.episodes();
        let closed = episodes.iter().filter(|episode| episode.is_over()).count();
        let notices = episodes.iter().map(|episode| episode.notices.len()).max().unwrap_or(0);
        assert!(invariant::b1_held(episodes.len(), closed, notices), "B1");
    }

    fn leave(&mut self, channel: Name, message: Message, timeout_ms: u64) {
        assert_eq!(message.count, message.parts.len());
        let mut steps = Vec::new();
        for part in &message.parts {
            let last = self.journal[..self.fed].iter().rev().find(|(step, _)| step.source == part.key.source).unwrap();
            let is_seen = matches!(last.0.to, AlarmState::Acknowledged | AlarmState::Normal);
            assert!(invariant::n3_seen_is_quiet(is_seen, part.word == Word::Alarm), "N3: {part:?}");
            let backs = self.backs.get(&part.key).copied().unwrap_or(0);
            steps.push((channel.clone(), part.alarm, part.told_before, part.word == Word::Clear, backs));
            if part.word == Word::Alarm && part.level == name("city") {
                let day = self.day.unwrap_or_else(|| i64::try_from(self.now / DAY_MS).unwrap());
                let rounds = self.rounds.entry((part.alarm, channel.clone(), day)).or_default();
                rounds.insert(part.told_before);
                let repeats = u32::try_from(rounds.len()).unwrap() - 1;
                assert!(invariant::b1_repeats(repeats, ladder().repeats_a_day_max), "B1: {repeats} repetitions");
            }
        }
        assert!(self.flights.iter().all(|flight| flight.channel != channel), "one at a time by {channel}");
        let lands_at = self.now + u64::try_from(self.dice.roll(15_000)).unwrap();
        self.flights.push(Flight { channel, message, steps, lands_at, timeout_at: self.now + timeout_ms });
    }

    fn arrive(&mut self, flight: &Flight) {
        for (part, step) in flight.message.parts.iter().zip(&flight.steps) {
            let before = self.arrived.entry(step.clone()).or_default();
            assert!(invariant::n2_says_so(*before, part.may_be_repeated), "N2: {part:?}");
            *before += 1;
            let doubts = self.doubts.get(step).copied().unwrap_or(0);
            assert!(invariant::n2_once(*before, doubts), "N2: {before} times with {doubts} doubts: {part:?}");
            if part.word == Word::Alarm {
                self.told.insert((part.alarm, flight.channel.clone()));
            }
            let stands = part.word == Word::Alarm && part.state.is_active();
            self.stands.insert((part.key.clone(), flight.channel.clone()), stands);
        }
    }

    fn doubt(&mut self, flight: &Flight) {
        flight.steps.iter().for_each(|step| *self.doubts.entry(step.clone()).or_default() += 1);
    }

    /// A message comes to its end.
    fn land(&mut self, flight: Flight) {
        let (refused, lost) = self.troubles;
        let fate = self.dice.roll(8);
        let why = || "trouble".to_owned();
        let outcome = if !self.is_link_up || fate < refused {
            Outcome::Failed { why: why() }
        } else if flight.lands_at > flight.timeout_at || fate < refused + lost {
            if self.dice.roll(2) == 0 {
                self.arrive(&flight);
            }
            self.doubt(&flight);
            Outcome::InDoubt { why: why() }
        } else {
            self.arrive(&flight);
            Outcome::Delivered
        };
        self.hand(Input::Answered { channel: flight.channel, outcome });
    }

    /// Time passes, from one wake-up to the next.
    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        loop {
            let flight = self.flights.iter().map(|flight| flight.lands_at.min(flight.timeout_at)).min();
            let timeout = self.core.next_timeout(MonoMs(self.now)).map(|at| at.0.max(self.now + 1));
            let Some(next) = flight.into_iter().chain(timeout).min().filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            let landed = self.flights.iter().position(|flight| flight.lands_at.min(flight.timeout_at) <= self.now);
            match landed {
                Some(place) => {
                    let flight = self.flights.remove(place);
                    self.land(flight);
                }
                None => self.hand(Input::Tick),
            }
        }
        self.now = end;
    }

    /// SIGKILL, and a start from what is stored. Of what was on its way nobody knows whether it arrived.
    fn crash(&mut self) {
        for flight in std::mem::take(&mut self.flights) {
            if self.dice.roll(2) == 0 {
                self.arrive(&flight);
            }
            self.doubt(&flight);
        }
        let is_same_boot = self.dice.roll(2) == 0;
        let restored = Restored { next: self.disk.0, episodes: self.disk.1.values().cloned().collect(), is_same_boot };
        self.fed = usize::try_from(self.disk.0.0).unwrap();
        self.backs.clear();
        for (step, _) in &self.journal[..self.fed] {
            if step.from == AlarmState::ReturnedUnacknowledged && step.to == AlarmState::Unacknowledged {
                let key = AlarmKey { rule: step.rule.clone(), source: step.source.clone() };
                *self.backs.entry(key).or_default() += 1;
            }
        }
        self.day = None;
        self.core = (self.make)(restored, MonoMs(self.now));
        self.hand(Input::Tick);
        self.feed();
    }
}
