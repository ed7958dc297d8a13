mod waiting;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use record::{Boot, BootNo, ClockQuality, CodecId, Link, MonoMs, Outfall, Reading, Record, Redecoded, Standing};

use super::*;

/// 2026-11-27 00:00 in Beijing.
const MIDNIGHT: i64 = 20_784 * 86_400_000 - 8 * 3_600_000;
const MINUTE: i64 = 60_000;

fn setup(periods: &[&str], late_s: u32) -> Aggregation {
    let periods = periods.iter().map(|period| period.parse().unwrap()).collect();
    Aggregation { periods, late_s, ..Aggregation::default() }
}

fn stamp(ms: i64) -> Stamp {
    let mono_ms = MonoMs((ms - MIDNIGHT + 1_000_000_000).cast_unsigned());
    Stamp { boot: BootNo(0), mono_ms, wall_ms: UnixMs(ms), clock: ClockQuality::Synchronised }
}

fn source(name: &str) -> SourceId {
    SourceId::new(name).unwrap()
}

fn reading(quantity: &str, unit: &str, value: &str, at_ms: Option<i64>) -> Reading {
    let (value, quality) = match value.strip_suffix('!') {
        Some(doubtful) => (Decimal::parse(doubtful).ok(), Quality::OutOfRange),
        None => (Decimal::parse(value).ok(), Quality::Good),
    };
    let quality = if value.is_some() { quality } else { Quality::Missing };
    let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new(unit).unwrap());
    Reading { quantity, unit, value, quality, at_ms: at_ms.map(UnixMs) }
}

fn frame(device: &str, readings: Vec<Reading>) -> Body {
    let link = Link::Serial { port: "p".into(), seal: None };
    Body::Frame(Frame { source: source(device), link, raw: vec![], readings, codec: None, texts: vec![] })
}

fn standing(outfall: &str, devices: &[&str]) -> Body {
    let devices = devices.iter().map(|name| source(name)).collect();
    Body::Outfall(Outfall::Devices(Standing { outfall: OutfallCode::new(outfall).unwrap(), devices, told: None }))
}

/// A journal that a writer and its fold make, as the gateway does.
#[derive(Debug, Clone, Default)]
struct Journal(Vec<Record>);

impl Journal {
    /// A record, and what it brings.
    fn append(&mut self, fold: &mut Aggregates, at: Stamp, body: Body) {
        let record = RecordAt { seq: Seq(self.0.len() as u64), record: Record { stamp: at, body } };
        self.0.push(record.record.clone());
        let made = fold.apply(&record);
        self.journal(fold, at, made);
    }

    fn pass_time(&mut self, fold: &mut Aggregates, now: Stamp) {
        let made = fold.tick(&now);
        self.journal(fold, now, made);
    }

    fn journal(&mut self, fold: &mut Aggregates, at: Stamp, made: Vec<Aggregate>) {
        for aggregate in made {
            self.append(fold, at, Body::Aggregate(aggregate));
        }
    }

    /// What a start makes of it, all of it read back, or from a record on.
    fn restart(&mut self, setup: Aggregation, from: usize, now: Stamp) -> Aggregates {
        let mut fold = Aggregates::new(setup);
        for (seq, record) in self.0.iter().enumerate().skip(from) {
            drop(fold.apply(&RecordAt { seq: Seq(seq as u64), record: record.clone() }));
        }
        let outstanding: Vec<Aggregate> = fold.outstanding().cloned().collect();
        self.journal(&mut fold, now, outstanding);
        self.pass_time(&mut fold, now);
        fold
    }

    fn aggregates(&self) -> Vec<Aggregate> {
        let of = |record: &'_ Record| if let Body::Aggregate(of) = &record.body { Some(of.clone()) } else { None };
        self.0.iter().filter_map(of).collect()
    }
}

fn shown(of: &Aggregate) -> String {
    let minutes = (of.from_ms.0 - MIDNIGHT) / MINUTE;
    let values = of.values.iter().map(|value| {
        let AggregateValue { quantity, good, doubtful, parts, statistics, .. } = value;
        let numbers = statistics.map_or_else(String::new, |of| {
            let volume = of.volume_m3.map_or_else(String::new, |volume| format!(" {volume} m3"));
            format!(" {}..{} mean {}{volume}", of.min, of.max, of.mean)
        });
        format!("{quantity}{numbers} ({good}+{doubtful}, {parts} of {})", of.period.parts())
    });
    let outfall = of.outfall.as_ref().map_or_else(String::new, |code| format!("@{code}"));
    format!("{}{outfall} {minutes:02} {}: {}", of.source, of.period, values.collect::<Vec<_>>().join(", "))
}

fn check(journal: &Journal, expected: Expect) {
    let lines: Vec<String> = journal.aggregates().iter().map(shown).collect();
    expected.assert_eq(&lines.join("\n"));
}

/// Frames at these seconds after midnight.
fn played(setup: &Aggregation, frames: &[(i64, &str, Vec<Reading>)], until_s: i64) -> Journal {
    let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup.clone()));
    for (at_s, device, readings) in frames {
        journal.append(&mut fold, stamp(MIDNIGHT + at_s * 1_000), frame(device, readings.clone()));
    }
    journal.pass_time(&mut fold, stamp(MIDNIGHT + until_s * 1_000));
    journal
}

fn cod(value: &str) -> Vec<Reading> {
    vec![reading("cod", "mg/L", value, None)]
}

#[test]
fn a_minute_is_half_open_and_closed_late() {
    let setup = setup(&["1m"], 10);
    let frames = [(0, "a", cod("1")), (59, "a", cod("2")), (60, "a", cod("9")), (61, "b", cod("5!"))];
    check(&played(&setup, &frames, 69), expect![""]);
    check(&played(&setup, &frames, 70), expect!["a 00 1m: cod 1..2 mean 1.5 (2+0, 1 of 1)"]);
    check(
        &played(&setup, &frames, 130),
        expect![[r#"
            a 00 1m: cod 1..2 mean 1.5 (2+0, 1 of 1)
            a 01 1m: cod 9..9 mean 9 (1+0, 1 of 1)
            b 01 1m: cod (0+1, 0 of 1)"#]],
    );
}

/// A device that measures more often for a while does not pull the mean to that time.
#[test]
fn parts_count_alike() {
    let often = (0..30).map(|second| (60 + second, "a", cod("100")));
    let frames: Vec<_> = [(0, "a", cod("10"))].into_iter().chain(often).chain([(120, "a", cod("10.5"))]).collect();
    check(&played(&setup(&["10m"], 0), &frames, 600), expect!["a 00 10m: cod 10..100 mean 40.167 (32+0, 3 of 10)"]);
    // Two digits more than the finest reading.
    let third = [(0, "a", cod("1")), (60, "a", cod("0")), (120, "a", cod("0"))];
    check(&played(&setup(&["10m"], 0), &third, 600), expect!["a 00 10m: cod 0..1 mean 0.33 (3+0, 3 of 10)"]);
}

/// HJ 212-2017 C.16: 17.5 L/s for ten minutes are 10.5 m3.
#[test]
fn a_flow_has_its_volume() {
    let flow =
        |minute: i64| (60 * minute, "a", vec![reading("flow", "L/s", "17.5", None), reading("ph", "[pH]", "7", None)]);
    let whole: Vec<_> = (0..10).map(flow).collect();
    check(
        &played(&setup(&["10m"], 0), &whole, 600),
        expect!["a 00 10m: flow 17.5..17.5 mean 17.5 10.5 m3 (10+0, 10 of 10), ph 7..7 mean 7 (10+0, 10 of 10)"],
    );
    let half: Vec<_> = (0..5).map(flow).collect();
    check(
        &played(&setup(&["1h"], 0), &half, 3_600),
        expect!["a 00 1h: flow 17.5..17.5 mean 17.5 10.5 m3 (5+0, 1 of 6), ph 7..7 mean 7 (5+0, 1 of 6)"],
    );
}

#[test]
fn what_comes_late_is_counted_and_changes_nothing() {
    let setup = setup(&["1m"], 30);
    let at = |second: i64, value: &str| vec![reading("cod", "mg/L", value, Some(MIDNIGHT + second * 1_000))];
    let frames = [(5, "a", cod("1")), (85, "a", at(50, "3")), (90, "a", at(55, "100")), (500, "a", at(9_000, "7"))];
    let mut fold = Aggregates::new(setup.clone());
    let mut journal = Journal::default();
    for (second, device, readings) in frames {
        journal.append(&mut fold, stamp(MIDNIGHT + second * 1_000), frame(device, readings));
    }
    journal.pass_time(&mut fold, stamp(MIDNIGHT + 600_000));
    // The last one's clock is wrong: when it came counts.
    check(
        &journal,
        expect![[r#"
            a 00 1m: cod 1..3 mean 2 (2+0, 1 of 1)
            a 08 1m: cod 7..7 mean 7 (1+0, 1 of 1)"#]],
    );
    assert_eq!(fold.refused(), 1);
}

#[test]
fn a_moved_device_has_an_aggregate_for_each_outfall() {
    let setup = setup(&["10m"], 0);
    let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup));
    let mut at = |second: i64, body| journal.append(&mut fold, stamp(MIDNIGHT + second * 1_000), body);
    at(0, Body::Boot(Boot { boot_id: "b".into(), version: "1".into() }));
    at(0, standing("A-1", &["a"]));
    at(1, frame("a", cod("1")));
    at(2, standing("A-1", &[]));
    at(2, standing("B-2", &["a"]));
    at(3, frame("a", cod("5")));
    at(4, standing("C-3", &["c"]));
    at(4, standing("B-2", &[]));
    at(5, frame("a", cod("6")));
    at(5, frame("c", cod("7")));
    at(600, frame("b", cod("5")));
    check(
        &journal,
        expect![[r#"
            a 00 10m: cod 6..6 mean 6 (1+0, 1 of 10)
            a@A-1 00 10m: cod 1..1 mean 1 (1+0, 1 of 10)
            a@B-2 00 10m: cod 5..5 mean 5 (1+0, 1 of 10)
            c@C-3 00 10m: cod 7..7 mean 7 (1+0, 1 of 10)"#]],
    );
}

#[test]
fn the_day_begins_at_local_midnight_and_has_its_hours() {
    let hours: Vec<_> = (-2..25).map(|hour| (hour * 3_600 + 1_800, "a", cod(&(hour + 10).to_string()))).collect();
    let journal = played(&setup(&["1d"], 0), &hours, 86_400);
    check(
        &journal,
        expect![[r#"
            a -1440 1d: cod 8..9 mean 8.5 (2+0, 2 of 144)
            a 00 1d: cod 10..33 mean 21.5 (24+0, 24 of 144)"#]],
    );
}

/// Of what is read back, the frames of open windows must be: of the longest one, as late as anything may come.
#[test]
fn it_reaches_back_over_its_longest_window_and_all_that_comes_late() {
    assert_eq!(setup(&["1m", "1h"], 30).reach_ms(), 3_600_000 + 30_000 + AHEAD_MS_MAX.unsigned_abs());
    assert_eq!(setup(&[], 30).reach_ms(), 0);
}

/// Alarms and outfalls are read back from long before: the window in which the first frame comes was not seen whole.
#[test]
fn an_alarm_of_long_ago_does_not_open_a_window() {
    let alarm = record::AlarmTransition {
        rule: record::RuleId::new("r").unwrap(),
        source: source("a"),
        quantity: Quantity::new("cod").unwrap(),
        from: record::AlarmState::Normal,
        to: record::AlarmState::Unacknowledged,
        limit: Decimal::from(1),
        side: record::LimitSide::High,
        value: None,
        cause: Seq(1),
        grounds: None,
        suppression: None,
    };
    let mut fold = Aggregates::new(setup(&["10m"], 0));
    let mut made = Vec::new();
    let mut seq = 100;
    let mut take = |at_s: i64, body: Body| {
        seq += 1;
        let record = Record { stamp: stamp(MIDNIGHT + at_s * 1_000), body };
        made.extend(fold.apply(&RecordAt { seq: Seq(seq), record }));
    };
    take(-7_200, Body::Alarm(alarm));
    take(60, frame("a", cod("1")));
    take(660, frame("a", cod("2")));
    take(1_260, frame("a", cod("3")));
    take(1_860, frame("a", cod("4")));
    let lines: Vec<String> = made.iter().map(shown).collect();
    assert_eq!(lines, ["a 10 10m: cod 2..2 mean 2 (1+0, 1 of 10)", "a 20 10m: cod 3..3 mean 3 (1+0, 1 of 10)"]);
}

/// Without a known time nothing is put together, and nothing that was decoded anew.
#[test]
fn what_has_no_time_is_in_no_window() {
    let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup(&["1m"], 0)));
    let unset = Stamp { clock: ClockQuality::Unset, ..stamp(MIDNIGHT) };
    journal.append(&mut fold, unset, frame("a", cod("1")));
    let anew = Redecoded { source: source("a"), of: Seq(0), codec: CodecId([0; 8]), readings: cod("2"), texts: vec![] };
    journal.append(&mut fold, stamp(MIDNIGHT), Body::Redecoded(anew));
    journal.pass_time(&mut fold, stamp(MIDNIGHT + 3_600_000));
    check(&journal, expect![""]);
}

/// Nothing is asked for, nothing is kept.
#[test]
fn without_periods_nothing_is_made() {
    let mut fold = Aggregates::new(Aggregation::default());
    let record = Record { stamp: stamp(MIDNIGHT), body: frame("a", cod("1")) };
    assert!(fold.apply(&RecordAt { seq: Seq(0), record }).is_empty() && !fold.is_on());
    assert!(fold.tick(&stamp(MIDNIGHT + 86_400_000 * 3)).is_empty() && fold.open.is_empty());
}

#[test]
fn series_beyond_their_bound_are_refused() {
    let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup(&["1m"], 0)));
    let wide: Vec<Reading> =
        (0..Aggregate::VALUES_MAX + 3).map(|nth| reading(&format!("q{nth}"), "1", "1", None)).collect();
    journal.append(&mut fold, stamp(MIDNIGHT), frame("a", wide));
    assert_eq!(fold.refused(), 3);
    for nth in 0..SERIES_MAX {
        journal.append(&mut fold, stamp(MIDNIGHT), frame(&format!("d{nth}"), cod("1")));
    }
    assert_eq!((fold.series, fold.refused()), (SERIES_MAX, 3 + Aggregate::VALUES_MAX as u64));
    journal.pass_time(&mut fold, stamp(MIDNIGHT + 60_000));
    assert!(fold.open.is_empty() && journal.aggregates().iter().all(Aggregate::is_bounded));
    assert_eq!(fold.outstanding().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// R2: with restarts anywhere the journal has the same aggregates as without one, each once, and each is what its readings say.
    #[test]
    fn a_restart_makes_the_same(
        steps in proptest::collection::vec((0i64..40_000, 0usize..2, -500i64..500, -90_000i64..20_000, any::<bool>()), 1..120),
        restarts in proptest::collection::btree_set(0usize..120, 0..6),
    ) {
        let setup = setup(&["1m", "2m", "10m", "1h"], 30);
        let play = |restarts: &BTreeSet<usize>| {
            let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup.clone()));
            let mut now = MIDNIGHT;
            for (nth, (passed, device, value, lag, has_time)) in steps.iter().enumerate() {
                now += passed;
                if restarts.contains(&nth) {
                    fold = journal.restart(setup.clone(), 0, stamp(now));
                }
                journal.pass_time(&mut fold, stamp(now));
                let value = if value % 7 == 0 { format!("{value}!") } else { format!("{value}e-1") };
                let readings = vec![reading("cod", "mg/L", &value, has_time.then_some(now + lag))];
                journal.append(&mut fold, stamp(now), frame(["a", "b"][*device], readings));
            }
            journal.pass_time(&mut fold, stamp(now + 2 * 3_600_000));
            journal
        };
        let (unbroken, broken) = (play(&BTreeSet::new()), play(&restarts));
        prop_assert_eq!(broken.aggregates(), unbroken.aggregates());
        let mut seen = BTreeSet::new();
        for of in unbroken.aggregates() {
            prop_assert!(seen.insert((of.source.clone(), of.period, of.from_ms)), "{} again", shown(&of));
        }
        // The same, naively: of what came before its window was closed.
        let mut naive: BTreeMap<(SourceId, i64), Vec<Decimal>> = BTreeMap::new();
        for record in &unbroken.0 {
            let Body::Frame(frame) = &record.body else { continue };
            let heard = record.stamp.wall_ms.0;
            let reading = &frame.readings[0];
            let at = reading.at_ms.map_or(heard, |at| at.0);
            let start = at - (at - MIDNIGHT).rem_euclid(MINUTE);
            if reading.quality == Quality::Good && start + MINUTE + 30_000 > heard {
                naive.entry((frame.source.clone(), start)).or_default().push(reading.value.unwrap());
            }
        }
        let minutes = unbroken.aggregates().into_iter().filter(|of| of.period.seconds() == 60);
        for of in minutes.filter(|of| of.values[0].good > 0) {
            let values = naive.remove(&(of.source.clone(), of.from_ms.0)).unwrap_or_default();
            let statistics = of.values[0].statistics.unwrap();
            prop_assert_eq!(of.values[0].good as usize, values.len());
            prop_assert_eq!(Some(statistics.min), values.iter().copied().min());
            prop_assert_eq!(Some(statistics.max), values.iter().copied().max());
            let sum: f64 = values.iter().map(|value| value.to_string().parse::<f64>().unwrap()).sum();
            let mean: f64 = statistics.mean.to_string().parse().unwrap();
            prop_assert!((mean - sum / values.len() as f64).abs() <= 0.005 + 1e-9, "{}", shown(&of));
        }
        prop_assert!(naive.is_empty(), "{naive:?} is in no aggregate");
    }
}
