//! A journal in memory and the writer that keeps it as the field daemon does.

use super::*;
use record::{BootNo, ClockQuality, Link, MonoMs, Record, UnixMs};

/// Every record so far, and which of them came from which input.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<RecordAt>,
}

impl Journal {
    pub(crate) fn alarms(&self) -> Vec<AlarmTransition> {
        let alarm = |record: &RecordAt| match &record.record.body {
            Body::Alarm(alarm) => Some(alarm.clone()),
            _ => None,
        };
        self.records.iter().filter_map(alarm).collect()
    }

    pub(crate) fn prefix(&self, kept: usize) -> Journal {
        Journal { records: self.records[..kept].to_vec() }
    }

    /// Each input begins with exactly one frame.
    pub(crate) fn inputs_taken(&self) -> usize {
        self.records.iter().filter(|record| matches!(record.record.body, Body::Frame(_))).count()
    }

    /// The transitions, each with the number of the frame that caused it: places in the journal may differ by when
    /// alarms were written, their story may not.
    pub(crate) fn story(&self) -> Vec<(usize, AlarmTransition)> {
        let frame_no = |seq: Seq| self.records[..usize::try_from(seq.0).unwrap()].iter();
        let frames = |seq| frame_no(seq).filter(|record| matches!(record.record.body, Body::Frame(_))).count();
        self.alarms().into_iter().map(|a| (frames(a.cause), AlarmTransition { cause: Seq(0), ..a })).collect()
    }
}

/// Commits frames, and the transitions they cause some commits later.
pub(crate) struct Writer {
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    waiting: Vec<AlarmTransition>,
}

impl Writer {
    pub(crate) fn new(engine: Engine, journal: Journal) -> Writer {
        Writer { engine, journal, waiting: Vec::new() }
    }

    /// Goes on after a restart: what is outstanding is journaled first.
    pub(crate) fn resume(engine: Engine, journal: Journal, waiting: Vec<AlarmTransition>) -> Writer {
        let stamp = journal.records.last().map_or(Clock::default().stamp(), |record| record.record.stamp);
        let mut writer = Writer { engine, journal, waiting };
        writer.flush(stamp);
        writer
    }

    pub(crate) fn take(&mut self, inputs: &[Input]) {
        for input in inputs {
            self.frame(input.stamp, &input.source, input.reading.clone());
            if input.flush || input.acknowledge {
                self.flush(input.stamp);
            }
            if input.acknowledge {
                self.acknowledge(input.stamp);
            }
        }
        if let Some(last) = inputs.last() {
            self.flush(last.stamp);
        }
    }

    pub(crate) fn frame(&mut self, stamp: Stamp, source: &SourceId, reading: Reading) {
        let link = Link::Mqtt { topic: "d/up".into(), qos: 1, packet_id: Some(1), level: 4 };
        let frame = Frame { source: source.clone(), link, raw: Vec::new(), readings: vec![reading] };
        let caused = self.append(stamp, Body::Frame(frame));
        self.waiting.extend(caused);
    }

    pub(crate) fn flush(&mut self, stamp: Stamp) {
        for alarm in std::mem::take(&mut self.waiting) {
            let caused = self.append(stamp, Body::Alarm(alarm));
            assert!(caused.is_empty());
        }
    }

    pub(crate) fn lose_transitions(&mut self) {
        self.waiting.clear();
    }

    /// A person acknowledges the first alarm that waits for one.
    pub(crate) fn acknowledge(&mut self, stamp: Stamp) {
        let waits = |alarm: &ActiveAlarm| alarm.state != AlarmState::Acknowledged;
        let Some(alarm) = self.engine.alarms().into_iter().find(waits) else { return };
        let to = if alarm.state.is_active() { AlarmState::Acknowledged } else { AlarmState::Normal };
        let ActiveAlarm { rule, source, quantity, state: from, limit, side, cause, .. } = alarm;
        let value = None;
        self.append(
            stamp,
            Body::Alarm(AlarmTransition { rule, source, quantity, from, to, limit, side, value, cause }),
        );
    }

    fn append(&mut self, stamp: Stamp, body: Body) -> Vec<AlarmTransition> {
        let seq = Seq(u64::try_from(self.journal.records.len()).unwrap());
        let record = RecordAt { seq, record: Record { stamp, body } };
        let caused = self.engine.apply(&record);
        self.journal.records.push(record);
        caused
    }
}

/// The box's clocks.
pub(crate) struct Clock {
    boot: u32,
    booted_at_s: u64,
    now_s: u64,
    quality: ClockQuality,
}

impl Default for Clock {
    fn default() -> Clock {
        Clock { boot: 0, booted_at_s: 0, now_s: 0, quality: ClockQuality::Synchronised }
    }
}

impl Clock {
    pub(crate) fn boot(&mut self) {
        self.boot += 1;
        self.booted_at_s = self.now_s;
    }

    pub(crate) fn unset(&mut self) {
        self.quality = ClockQuality::Unset;
    }

    pub(crate) fn advance_to(&mut self, at_s: u64) {
        self.now_s = at_s;
    }

    pub(crate) fn shown(&self) -> String {
        format!("{}s", self.now_s)
    }

    pub(crate) fn stamp(&self) -> Stamp {
        Stamp {
            boot: BootNo(self.boot),
            mono_ms: MonoMs((self.now_s - self.booted_at_s) * 1000),
            wall_ms: UnixMs(1_700_000_000_000 + i64::try_from(self.now_s * 1000).unwrap()),
            clock: self.quality,
        }
    }
}

/// One frame, and what happens right after it.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    stamp: Stamp,
    source: SourceId,
    reading: Reading,
    flush: bool,
    acknowledge: bool,
}

impl Input {
    /// A sample of [`sample`]'s form, its transitions journaled at once.
    pub(crate) fn of(word: &str) -> Input {
        let (at_s, reading, source) = sample(word);
        let clock = Clock { now_s: at_s, ..Clock::default() };
        Input { stamp: clock.stamp(), source, reading, flush: true, acknowledge: false }
    }
}

/// Up to 40 frames of two devices around the limit, over several boots with clocks of every quality.
pub(crate) fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let quality = prop_oneof![
        4 => Just(ClockQuality::Synchronised),
        1 => Just(ClockQuality::Holdover { error_ms: 1_500 }),
        1 => Just(ClockQuality::Unset),
    ];
    let step =
        (76u8..84, 0u64..4, prop::bool::weighted(0.1), quality, 0u8..8, any::<bool>(), prop::bool::weighted(0.1));
    prop::collection::vec(step, 0..40).prop_map(|steps| {
        let mut clock = Clock::default();
        let mut inputs = Vec::new();
        for (value, seconds, boots, quality, kind, flush, acknowledge) in steps {
            clock.quality = quality;
            clock.now_s += seconds;
            if boots {
                clock.boot();
            }
            let unusual = if kind == 0 { "out_of_range" } else { "" };
            let (_, reading, source) = sample(&format!("0s {value} {unusual} @d{}", kind % 2));
            inputs.push(Input { stamp: clock.stamp(), source, reading, flush, acknowledge });
        }
        inputs
    })
}

/// `high=80 deadband=2 on_delay=10s` as a rule for `cod` in `mg/L`.
pub(crate) fn rule_set(words: &str) -> RuleSet {
    let (mut id, mut devices, mut rest) = ("r", "*", String::new());
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap() {
            ("id", name) => id = name,
            ("devices", name) => devices = name,
            ("on_delay", delay) => rest += &format!("on_delay_s = {}\n", delay.trim_end_matches('s')),
            (key, value) => rest += &format!("{key} = {value}\n"),
        }
    }
    RuleSet::from_toml(&format!(
        "[[rule]]\nid = \"{id}\"\nkind = \"limit\"\ndevices = [\"{devices}\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n{rest}"
    ))
    .unwrap()
}

/// `16s 83`, then in any order a quality, a unit, a quantity, `@device`.
pub(crate) fn sample(word: &str) -> (u64, Reading, SourceId) {
    let mut words = word.split_whitespace();
    let at_s = words.next().unwrap().trim_end_matches('s').parse().unwrap();
    let mut reading = Reading {
        quantity: Quantity::new("cod").unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Some(Decimal::parse(words.next().unwrap()).unwrap()),
        quality: Quality::Good,
        at_ms: None,
    };
    let mut source = SourceId::new("cod-1").unwrap();
    for word in words {
        if let Some(quality) = Quality::ALL.into_iter().find(|quality| quality.as_str() == word) {
            reading.quality = quality;
        } else if let Some(name) = word.strip_prefix('@') {
            source = SourceId::new(name).unwrap();
        } else if word.contains('/') {
            reading.unit = Unit::new(word).unwrap();
        } else {
            reading.quantity = Quantity::new(word).unwrap();
        }
    }
    (at_s, reading, source)
}
