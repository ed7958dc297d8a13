//! Readings judged a second beside a loop that only compares, and the bytes of a state: `cargo bench -p rules`.
#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and takes the time and its own size"
)]

use std::fs;
use std::hint::black_box;
use std::time::Instant;

use record::{
    Body, BootNo, ClockQuality, Decimal, Frame, Link, MonoMs, Quality, Quantity, Reading, Record, RecordAt, Seq,
    SourceId, Stamp, Unit, UnixMs,
};
use rules::{Backtest, Engine, RuleSet, STATES_MAX};

/// A station: so many devices, each with all quantities once a minute.
const DEVICES: u64 = 40;
const QUANTITIES: [(&str, &str); 8] = [
    ("cod", "mg/L"),
    ("nh3_n", "mg/L"),
    ("tp", "mg/L"),
    ("tn", "mg/L"),
    ("ph", "[pH]"),
    ("flow", "m3/h"),
    ("conductivity", "uS/cm"),
    ("turbidity", "{NTU}"),
];
/// A rule of each kind, with the times that it would have.
const KINDS: [(&str, &str); 12] = [
    (
        "expr",
        "expr = \"cod > 88.0 && tn > 0.5 && !(ph < 1.0)\"\ninputs = { cod = \"cod\", tn = \"tn\", ph = \"ph\" }\non_delay_s = 120",
    ),
    (
        "expr",
        "expr = \"value > 2.0 * mean || [1.0, 2.0, 3.0].exists(x, value > x * mean)\"\n\
         inputs = { mean = { of = \"cod\", window_s = 3600, stat = \"mean\" } }",
    ),
    ("limit", "high = 90\non_delay_s = 120\ncold = { temperature = \"tn mg/L\", at = 12, high = 95 }"),
    ("change", "rise = 80\nwithin_s = 900"),
    ("mean", "high = 48\nwindow = \"24h\"\nweighted_by = \"flow\""),
    ("load", "high = 50\nwindow = \"1h\"\nflow = \"flow\""),
    ("silence", "for_s = 1800"),
    ("stuck", "for_s = 21600\nband = 0.05"),
    ("implausible", "readings = 5"),
    ("disagreement", "with = \"sensor-0/cod\"\nhigh = 80"),
    ("unstable", "high = 85\ntimes = 3\nwithin_s = 86400\nrelax_after = 10"),
    ("surge", "high = 80\ntimes = 1.5\nbaseline_h = 24\nhours = \"22:00-06:00\""),
];
/// Five days of it.
const FRAMES: u64 = DEVICES * 60 * 24 * 5;
const ROUNDS: usize = 3;

fn main() {
    let rules = rule_set();
    let frames: Vec<RecordAt> = (0..FRAMES).map(frame).collect();
    let readings = FRAMES * QUANTITIES.len() as u64;
    let judged = best(|| {
        let mut engine = Engine::new(rules.clone());
        frames.iter().map(|at| engine.apply(at).len()).sum::<usize>()
    });
    let played = best(|| {
        let mut backtest = Backtest::new(rules.clone());
        frames.iter().for_each(|at| backtest.take(at));
        backtest.outcome().added.len()
    });
    let compared = best(|| frames.iter().map(compare).sum::<usize>());
    println!("{FRAMES} frames, {readings} readings, {} rules for each of {DEVICES} devices", rules.iter().len());
    println!("  judged     {:>12.0} readings/s", readings as f64 / judged);
    println!("  backtest   {:>12.0} readings/s", readings as f64 / played);
    println!("  comparison {:>12.0} readings/s, {:.1} times", readings as f64 / compared, judged / compared);
    println!("  a month of it (40 devices, 8 quantities a minute) judged in {:.1} s", judged * 6.0);
    println!("  {:.0} bytes for each of {STATES_MAX} states", bytes_of_state());
    println!("one rule of each kind for each of {DEVICES} devices, beside the same comparison");
    for (kind, keys) in KINDS {
        let head = "[[rule]]\nid = \"r\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"";
        let text = format!("{head}\nkind = \"{kind}\"\n{keys}\n");
        let rules = RuleSet::from_toml(&text).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let took = best(|| {
            let mut engine = Engine::new(rules.clone());
            frames.iter().map(|at| engine.apply(at).len()).sum::<usize>()
        });
        println!("  {kind:<13} {:>10.0} frames/s  {:>5.1} times", FRAMES as f64 / took, took / compared);
    }
}

/// Seconds of the quickest of some rounds.
fn best(mut work: impl FnMut() -> usize) -> f64 {
    let round = |_| {
        let began = Instant::now();
        black_box(work());
        began.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

/// The least that a loop can do: each value beside two limits.
fn compare(at: &RecordAt) -> usize {
    let Body::Frame(frame) = &at.record.body else { return 0 };
    let beyond = |reading: &&Reading| {
        reading.value.and_then(|value| value.mantissa_at(-3)).is_some_and(|milli| !(1_000..=90_000).contains(&milli))
    };
    frame.readings.iter().filter(beyond).count()
}

/// One rule above and one below for each quantity.
fn rule_set() -> RuleSet {
    let sides = [("high", 90), ("low", 1)];
    let rule = |(quantity, unit): (&str, &str), (side, limit): (&str, u32)| {
        format!(
            "[[rule]]\nid = \"{quantity}-{side}\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"{quantity}\"\n\
             unit = \"{unit}\"\n{side} = {limit}\ndeadband = 1\non_delay_s = 120\n"
        )
    };
    let text: String = QUANTITIES.iter().flat_map(|of| sides.map(|side| rule(*of, side))).collect();
    RuleSet::from_toml(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn frame(number: u64) -> RecordAt {
    let (device, minute) = (number % DEVICES, number / DEVICES);
    let reading = |(place, (quantity, unit)): (u64, &(&str, &str))| Reading {
        quantity: Quantity::new(quantity).unwrap_or_else(|error| panic!("{error}")),
        unit: Unit::new(unit).unwrap_or_else(|error| panic!("{error}")),
        value: Decimal::new(noise(number * 8 + place), -3),
        quality: Quality::Good,
        at_ms: None,
    };
    let link = Link::Serial { port: "bench".into(), seal: None };
    let source = source(device);
    let readings = (0..).zip(&QUANTITIES).map(reading).collect();
    let body = Body::Frame(Frame { source, link, raw: Vec::new(), readings, codec: None, texts: Vec::new() });
    let at_ms = minute * 60_000 + device;
    let stamp = Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(at_ms),
        wall_ms: UnixMs(1_800_000_000_000_i64.saturating_add_unsigned(at_ms)),
        clock: ClockQuality::Synchronised,
    };
    RecordAt { seq: Seq(number), record: Record { stamp, body } }
}

fn source(number: u64) -> SourceId {
    SourceId::new(&format!("sensor-{number}")).unwrap_or_else(|error| panic!("{error}"))
}

/// Thousandths between 0 and 91 (splitmix64, Steele 2014): now and then beyond a limit.
fn noise(number: u64) -> i64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) % 91_000).cast_signed()
}

/// What the process grows by for each state, all of them made.
fn bytes_of_state() -> f64 {
    let mut engine = Engine::new(rule_set());
    let before = resident_bytes();
    for number in 0..STATES_MAX as u64 / 16 {
        let mut at = frame(number);
        if let Body::Frame(frame) = &mut at.record.body {
            frame.source = source(1_000 + number);
        }
        drop(engine.apply(&at));
    }
    let grown = resident_bytes().saturating_sub(before);
    drop(black_box(engine));
    grown as f64 / STATES_MAX as f64
}

fn resident_bytes() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0);
    pages * 4_096
}
