//! A journal in memory and the writer that keeps it as the field daemon does.

use super::*;
use record::{BootNo, ClockQuality, Frame, Link, MonoMs, Reading, Record, UnixMs};

/// Every record so far, and how many inputs had been taken, in part or whole, when each was written.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    pub(crate) records: Vec<RecordAt>,
    taken: Vec<usize>,
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
        Journal { records: self.records[..kept].to_vec(), taken: self.taken[..kept].to_vec() }
    }

    /// The input after the one that wrote the newest record.
    pub(crate) fn inputs_taken(&self) -> usize {
        self.taken.last().copied().unwrap_or(0)
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
    taken: usize,
}

impl Writer {
    pub(crate) fn new(engine: Engine, journal: Journal) -> Writer {
        Writer { engine, journal, waiting: Vec::new(), taken: 0 }
    }

    /// Goes on after a restart: what is outstanding is journaled first.
    pub(crate) fn resume(engine: Engine, journal: Journal, waiting: Vec<AlarmTransition>) -> Writer {
        let stamp = journal.records.last().map_or(Clock::default().stamp(), |record| record.record.stamp);
        let taken = journal.inputs_taken();
        let mut writer = Writer { engine, journal, waiting, taken };
        writer.flush(stamp);
        writer
    }

    /// Takes the inputs from the `first` on.
    pub(crate) fn take(&mut self, inputs: &[Input], first: usize) {
        for (place, input) in inputs.iter().enumerate().skip(first) {
            self.taken = place + 1;
            match input {
                Input::Frame { stamp, source, reading } => self.frame(*stamp, source, reading.clone()),
                Input::Flush(stamp) => self.flush(*stamp),
                Input::Acknowledge(stamp) => self.acknowledge(*stamp),
                Input::Reset(stamp) => drop(self.reset(*stamp)),
            }
        }
    }

    pub(crate) fn frame(&mut self, stamp: Stamp, source: &SourceId, reading: Reading) {
        let link = Link::Mqtt { topic: "d/up".into(), qos: 1, packet_id: Some(1), level: 4, seal: None };
        let frame = Frame {
            source: source.clone(),
            link,
            raw: Vec::new(),
            readings: vec![reading],
            codec: None,
            texts: Vec::new(),
        };
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
        let waits = |alarm: &ActiveAlarm| self.engine.acknowledged(&alarm.rule, &alarm.source);
        let Some(step) = self.engine.alarms(&stamp).iter().find_map(waits) else { return };
        self.append(stamp, Body::Alarm(step));
    }

    /// A person resets the first alarm that can be; else why the first one cannot.
    pub(crate) fn reset(&mut self, stamp: Stamp) -> String {
        let alarms = self.engine.alarms(&stamp);
        let mut tried = alarms.iter().map(|alarm| self.engine.reset(&alarm.rule, &alarm.source)).peekable();
        let refused = match tried.peek() {
            None => NotReset::NoAlarm,
            Some(Err(why)) => *why,
            Some(Ok(_)) => NotReset::NoAlarm,
        };
        match tried.find_map(Result::ok) {
            Some(step) => {
                self.append(stamp, Body::Alarm(step));
                String::new()
            }
            None => format!("reset: {refused}\n"),
        }
    }

    fn append(&mut self, stamp: Stamp, body: Body) -> Vec<AlarmTransition> {
        let seq = Seq(u64::try_from(self.journal.records.len()).unwrap());
        let record = RecordAt { seq, record: Record { stamp, body } };
        let caused = self.engine.apply(&record);
        self.journal.records.push(record);
        self.journal.taken.push(self.taken);
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

/// What happens to the writer.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Frame { stamp: Stamp, source: SourceId, reading: Reading },
    Flush(Stamp),
    Acknowledge(Stamp),
    Reset(Stamp),
}

/// Frames in the form of [`sample`], the transitions of each journaled at once.
pub(crate) fn flushed(words: &[&str]) -> Vec<Input> {
    let of = |word: &&str| {
        let (at_s, reading, source) = sample(word);
        let stamp = Clock { now_s: at_s, ..Clock::default() }.stamp();
        [Input::Frame { stamp, source, reading }, Input::Flush(stamp)]
    };
    words.iter().flat_map(of).collect()
}

/// Up to 40 frames of two devices around the limit, over several boots with clocks of every quality; transitions are
/// journaled now and then, and at the end; people acknowledge and
/// reset what they see journaled.
pub(crate) fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let quality = prop_oneof![
        4 => Just(ClockQuality::Synchronised),
        1 => Just(ClockQuality::Holdover { error_ms: 1_500 }),
        1 => Just(ClockQuality::Unset),
    ];
    let step = (76u8..84, 0u64..4, prop::bool::weighted(0.1), quality, 0u8..8, 0u8..10);
    prop::collection::vec(step, 0..40).prop_map(|steps| {
        let mut clock = Clock::default();
        let mut inputs = Vec::new();
        for (value, seconds, boots, quality, kind, then) in steps {
            clock.quality = quality;
            clock.now_s += seconds;
            if boots {
                clock.boot();
            }
            let unusual = if kind == 0 { "out_of_range" } else { "" };
            let (_, reading, source) = sample(&format!("0s {value} {unusual} @d{}", kind % 2));
            inputs.push(Input::Frame { stamp: clock.stamp(), source, reading });
            match then {
                0..5 => inputs.push(Input::Flush(clock.stamp())),
                5 => inputs.extend([Input::Flush(clock.stamp()), Input::Acknowledge(clock.stamp())]),
                6 => inputs.extend([Input::Flush(clock.stamp()), Input::Reset(clock.stamp())]),
                _ => {}
            }
        }
        inputs.push(Input::Flush(clock.stamp()));
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
