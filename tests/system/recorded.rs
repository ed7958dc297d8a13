//! Shipped example rules on series that somebody recorded: what they find of what is known to be in them, how late, and how
//! often they are wrong. `-- recorded --nocapture` prints the figures.

use std::fs;

use jiff::civil::DateTime;
use jiff::tz::Offset;
use record::{
    AlarmState, Body, BootNo, ClockQuality, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, RecordAt, Seq,
    SourceId, Stamp, Unit, UnixMs,
};
use rules::{Backtest, RuleSet};
use system_tests::tools;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
const WEEK_MS: i64 = 7 * DAY_MS;

/// Time, ms since 1970 UTC, and value as it was written.
type Sample = (i64, String);

/// Something that is known to be in a series, from and to which time an alarm is of it.
struct Event {
    from_ms: i64,
    to_ms: i64,
}

/// What rules made of a series.
#[derive(Debug, PartialEq)]
struct Figures {
    events: usize,
    found: usize,
    /// From the beginning of each that was found to its first alarm, hours.
    delays_h: Vec<f64>,
    /// Alarms outside of all events.
    wrong: usize,
    weeks: f64,
}

fn rules(name: &str) -> RuleSet {
    let path = format!("{}/../config/rules.d/{name}", env!("CARGO_MANIFEST_DIR"));
    RuleSet::from_toml(&fs::read_to_string(path).unwrap()).unwrap()
}

fn reading(source: &str, quantity: &str, unit: &str, (at_ms, value): &Sample) -> (i64, Body) {
    let reading = Reading {
        quantity: Quantity::new(quantity).unwrap(),
        unit: Unit::new(unit).unwrap(),
        value: Some(value.parse().unwrap()),
        quality: Quality::Good,
        at_ms: None,
    };
    let frame = Frame {
        source: SourceId::new(source).unwrap(),
        link: Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(1), level: 4, seal: None },
        raw: Vec::new(),
        codec: None,
        readings: vec![reading],
        texts: Vec::new(),
    };
    (*at_ms, Body::Frame(frame))
}

/// When each alarm of these rules was raised.
fn raised(rules: RuleSet, bodies: Vec<(i64, Body)>) -> Vec<(i64, String)> {
    let first_ms = bodies[0].0;
    let mut backtest = Backtest::new(rules);
    for (seq, (at_ms, body)) in (0..).zip(bodies) {
        let stamp = Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs((at_ms - first_ms).cast_unsigned()),
            wall_ms: UnixMs(at_ms),
            clock: ClockQuality::Synchronised,
        };
        backtest.take(&RecordAt { seq: Seq(seq), record: Record { stamp, body } });
    }
    let steps = backtest.outcome().added.into_iter();
    let steps = steps.filter(|(_, step)| step.to == AlarmState::Unacknowledged);
    steps.map(|(stamp, step)| (stamp.wall_ms.0, step.rule.to_string())).collect()
}

fn figures(name: &str, alarms: &[i64], events: &[Event], span_ms: i64) -> Figures {
    let first = |event: &Event| alarms.iter().find(|at| (event.from_ms..=event.to_ms).contains(at));
    let delays_h: Vec<f64> =
        events.iter().filter_map(|event| Some((first(event)? - event.from_ms) as f64 / HOUR_MS as f64)).collect();
    let is_wrong = |at: &&i64| !events.iter().any(|event| (event.from_ms..=event.to_ms).contains(at));
    let wrong = alarms.iter().filter(is_wrong).count();
    let figures = Figures {
        events: events.len(),
        found: delays_h.len(),
        delays_h,
        wrong,
        weeks: span_ms as f64 / WEEK_MS as f64,
    };
    eprintln!("{name}: {figures:?}, {:.3} wrong a week", figures.wrong as f64 / figures.weeks);
    figures
}

fn span(series: &[Sample]) -> i64 {
    series.last().unwrap().0 - series[0].0
}

fn csv(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(tools(name)).unwrap();
    text.lines().map(|line| line.split([',']).map(str::to_owned).collect()).collect()
}

fn utc_ms(text: &str, format: &str) -> i64 {
    let time = DateTime::strptime(format, text).unwrap();
    Offset::UTC.to_timestamp(time).unwrap().as_millisecond()
}

/// Hourly flow in a pipe, March to May 2022. Its makers tell of four anomalies: three times water was lost or maintenance went on,
/// and one peak. When each began and the flow was as before again was read off the series.
#[test]
fn the_four_anomalies_of_a_pipe_are_found_and_nothing_else() {
    let series: Vec<Sample> = csv("water-flow.csv")
        .into_iter()
        .skip(1)
        .map(|row| {
            let at: jiff::Timestamp = row[0].parse().unwrap();
            (at.as_millisecond(), row[1].clone())
        })
        .collect();
    let bodies = series.iter().map(|sample| reading("flow-4", "flow", "L/s", sample)).collect();
    let alarms: Vec<i64> = raised(rules("steady-flow.toml"), bodies).into_iter().map(|(at, _)| at).collect();
    let event = |from: &str, to: &str| {
        let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        Event { from_ms: ms(from), to_ms: ms(to) }
    };
    let events = [
        event("2022-03-24T08:00:00+01:00", "2022-03-25T08:00:00+01:00"),
        event("2022-03-29T06:00:00+02:00", "2022-03-29T23:00:00+02:00"),
        event("2022-04-03T05:00:00+02:00", "2022-04-03T09:00:00+02:00"),
        event("2022-04-27T15:00:00+02:00", "2022-04-28T09:00:00+02:00"),
    ];
    let figures = figures("water-flow.csv", &alarms, &events, span(&series));
    assert_eq!((figures.found, figures.wrong), (4, 0));
    assert!(figures.delays_h.iter().all(|delay| *delay <= 2.0), "{figures:?}");
}

/// Three days of rain (inches in five minutes) and of what left a storm-water outfall, from the tests of wqio, which count five
/// storms in them (they look like one storm, five times over).
#[test]
fn storms_are_seen_at_the_outfall_and_nobody_is_accused_of_them() {
    let rows = csv("storms.csv").into_iter().skip(1);
    let rows: Vec<(i64, f64, String)> =
        rows.map(|row| (utc_ms(&row[0], "%Y-%m-%d %H:%M"), row[1].parse().unwrap(), row[3].clone())).collect();
    // Between the rows it neither rained nor flowed.
    let mut filled: Vec<(i64, f64, String)> = Vec::new();
    for row in rows {
        let mut at = filled.last().map_or(row.0, |last| last.0 + 5 * MINUTE_MS);
        while at < row.0 {
            filled.push((at, 0.0, "0".into()));
            at += 5 * MINUTE_MS;
        }
        filled.push(row);
    }
    let is_dry = |at: usize| filled[at.saturating_sub(24)..at].iter().all(|(_, rain, out)| *rain == 0.0 && out == "0");
    let starts: Vec<i64> =
        (24..filled.len()).filter(|at| filled[*at].1 > 0.0 && is_dry(*at)).map(|at| filled[at].0).collect();
    let mut starts: Vec<i64> = std::iter::once(first_rain(&filled)).chain(starts).collect();
    starts.dedup();
    // A storm is over with what it made flow; nothing but the next one begins after it.
    let ends = starts[1..].iter().map(|next| next - 1).chain([filled.last().unwrap().0]);
    let events: Vec<Event> =
        starts.iter().zip(ends).map(|(from_ms, to_ms)| Event { from_ms: *from_ms, to_ms }).collect();
    let flow = |unit, source: &str| {
        let bodies = filled.iter().map(|(at, _, out)| reading(source, "flow", unit, &(*at, out.clone())));
        bodies.collect::<Vec<_>>()
    };
    let alarms: Vec<i64> = raised(rules("steady-flow.toml"), flow("L/s", "flow-4"))
        .into_iter()
        .filter(|(_, rule)| rule == "flow-jump")
        .map(|(at, _)| at)
        .collect();
    let span_ms = filled.last().unwrap().0 - filled[0].0;
    let seen = figures("storms.csv", &alarms, &events, span_ms);
    assert_eq!(seen.events, 5, "as wqio counts them");
    assert!(seen.found >= 4 && seen.wrong == 0, "{seen:?}");

    // In inches; the gauge of the rule tells millimetres.
    let mut bodies = flow("m3/h", "flow-2");
    bodies.extend(
        filled.iter().map(|(at, rain, _)| reading("rain-1", "rain", "mm", &(*at, format!("{:.3}", rain * 25.4)))),
    );
    bodies.sort_by_key(|(at, _)| *at);
    let accused: Vec<_> =
        raised(rules("stormwater.toml"), bodies).into_iter().filter(|(_, rule)| rule == "dry-weather").collect();
    assert_eq!(accused, [], "it rained");
}

fn first_rain(filled: &[(i64, f64, String)]) -> i64 {
    filled.iter().find(|(_, rain, _)| *rain > 0.0).unwrap().0
}

/// The Fulda by the day, 1979 to 1988, from the examples of spotpy: the highest flow of each year is the end of a flood wave.
#[test]
fn flood_waves_of_ten_years_are_found() {
    let rows = csv("river-days.csv").into_iter().skip(2);
    let series: Vec<(i64, f64)> =
        rows.map(|row| (utc_ms(&format!("{} 00:00", row[0]), "%d.%m.%Y %H:%M"), row[5].parse().unwrap())).collect();
    let year = |at_ms: i64| Offset::UTC.to_datetime(jiff::Timestamp::from_millisecond(at_ms).unwrap()).year();
    let events: Vec<Event> = (1979..=1988)
        .map(|of| {
            let own = series.iter().filter(|(at, _)| year(*at) == of);
            let peak = own.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
            Event { from_ms: peak - 5 * DAY_MS, to_ms: peak }
        })
        .collect();
    let samples: Vec<Sample> = series.iter().map(|(at, flow)| (*at, flow.to_string())).collect();
    let bodies = samples.iter().map(|sample| reading("river-1", "flow", "m3/s", sample)).collect();
    let alarms: Vec<i64> = raised(rules("receiving-water.toml"), bodies).into_iter().map(|(at, _)| at).collect();
    let figures = figures("river-days.csv", &alarms, &events, span(&samples));
    assert!(figures.found >= 9, "{figures:?}");
    assert!(figures.wrong as f64 / figures.weeks < 0.1, "other waves of those years: {figures:?}");
}
