//! Tests of rules that a technician can write: what a sensor would say, and which alarms that must make.
//!
//! ```toml
//! [[test]]
//! name = "a short peak raises nothing"
//! device = "cod-1"
//! quantity = "cod"
//! unit = "mg/L"
//! samples = ["0s 79", "5s 85", "10s 79"]
//! expect = []
//!
//! [[test]]
//! name = "what lasts is an alarm until it is seen and over"
//! device = "cod-1"
//! quantity = "cod"
//! unit = "mg/L"
//! samples = ["0s 85", "10s 86", "1min ack cod-high", "2min 70"]
//! expect = ["10s cod-high unacknowledged", "1min cod-high acknowledged", "2min cod-high normal"]
//! ```
//! Beside the test's own quantity a sample can name another series (`16s rain-1/rain 0`, `16s flow-1/flow L/s 17.5`), a reading that cannot be believed
//! (`16s bad`), a start of the gateway (`16s start`), or say that time passed (`16s`). A person acknowledges (`1min ack RULE`) or
//! resets (`1min reset RULE`) the alarm of the test's device. A step that is suppressed has that word behind it. Clocks begin at midnight of 2026-01-01 in
//! Beijing.

use record::{
    Act, Actor, AlarmState, Audit, Body, Boot, BootNo, ClockQuality, ClockSet, ClockSource, Decimal, Frame, Link,
    MonoMs, Quality, Quantity, Reading, Record, RecordAt, RuleId, Seq, SourceId, Stamp, Suppression, Unit, UnixMs,
};
use serde::Deserialize;

use crate::{Backtest, RuleSet, Series, StepAt};

/// Most tests in a file.
pub const TESTS_MAX: usize = 1_000;
/// Most samples of a test.
pub const SAMPLES_MAX: usize = 10_000;
/// When a test begins: 2026-01-01 00:00 in Beijing, a Thursday.
const BEGAN_MS: i64 = 1_767_196_800_000;

/// Why a text is no file of tests. Correct it and try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Not TOML, an unknown or missing key, or a value of the wrong form.
    #[error("line {line}: {why}")]
    Toml {
        /// Where.
        line: usize,
        /// What is wrong, by key.
        why: String,
    },
    /// Beyond [`TESTS_MAX`] or [`SAMPLES_MAX`].
    #[error("more than {TESTS_MAX} tests, or more than {SAMPLES_MAX} samples of one: use several files")]
    TooMany,
    /// Not a sample.
    #[error(
        "test `{test}`: `{text}` is no sample: write `16s 83.5`, `16s DEVICE/QUANTITY 0.2`, `16s bad`, `16s start`, `16s`, `1min ack RULE`, or `1min reset RULE`, in the order of time"
    )]
    Sample {
        /// Of which test.
        test: String,
        /// What was written.
        text: String,
    },
    /// Not an expectation.
    #[error(
        "test `{test}`: `{text}` is no expectation: write `16s RULE STATE`, where STATE is {}, and `suppressed` behind it where it is",
        states()
    )]
    Expectation {
        /// Of which test.
        test: String,
        /// What was written.
        text: String,
    },
}

const STATES: [AlarmState; 4] =
    [AlarmState::Normal, AlarmState::Unacknowledged, AlarmState::Acknowledged, AlarmState::ReturnedUnacknowledged];

fn states() -> String {
    STATES.map(AlarmState::as_str).join(", ")
}

/// Tests of rules, read.
#[derive(Debug, Clone)]
pub struct Scenarios(pub(crate) Vec<Scenario>);

#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    name: String,
    pub(crate) records: Vec<RecordAt>,
    expected: Vec<Expected>,
}

/// An alarm's step: when, counted from the first sample's zero; of which rule; to which state; whether it is suppressed then.
type Expected = (u64, RuleId, &'static str, bool);

/// What a test came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// Its name.
    pub name: String,
    /// What should have happened and did not, as it is written.
    pub missing: Vec<String>,
    /// What happened and is not expected.
    pub unexpected: Vec<String>,
}

impl Tried {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    test: Vec<Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    device: SourceId,
    quantity: Quantity,
    unit: Unit,
    samples: Vec<String>,
    expect: Vec<String>,
}

impl Scenarios {
    /// Reads a file of tests.
    ///
    /// # Errors
    /// [`ScenarioError`] for the first fault.
    pub fn from_toml(text: &str) -> Result<Scenarios, ScenarioError> {
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        let file: File = toml::from_str(text).map_err(|error| ScenarioError::Toml {
            line: line_of(error.span().map_or(text.len(), |span| span.start)),
            why: error.message().to_owned(),
        })?;
        if file.test.len() > TESTS_MAX || file.test.iter().any(|test| test.samples.len() > SAMPLES_MAX) {
            return Err(ScenarioError::TooMany);
        }
        file.test.into_iter().map(Section::read).collect::<Result<_, _>>().map(Scenarios)
    }

    /// Plays each test to these rules.
    pub fn run(&self, rules: &RuleSet) -> Vec<Tried> {
        self.0.iter().map(|scenario| scenario.run(rules.clone())).collect()
    }
}

impl Section {
    fn read(self) -> Result<Scenario, ScenarioError> {
        let mut records: Vec<RecordAt> = Vec::new();
        for text in &self.samples {
            let wrong = || ScenarioError::Sample { test: self.name.clone(), text: text.clone() };
            let (at_ms, body) = self.sample(text).ok_or_else(wrong)?;
            if records.last().is_some_and(|last| last.record.stamp.mono_ms.0 > at_ms) {
                return Err(wrong());
            }
            let seq = Seq(u64::try_from(records.len()).unwrap_or(u64::MAX));
            records.push(RecordAt { seq, record: Record { stamp: stamp(at_ms), body } });
        }
        let wrong = |text: &String| ScenarioError::Expectation { test: self.name.clone(), text: text.clone() };
        let expected = self.expect.iter().map(|text| expectation(text).ok_or_else(|| wrong(text)));
        Ok(Scenario { expected: expected.collect::<Result<_, _>>()?, name: self.name, records })
    }

    fn sample(&self, text: &str) -> Option<(u64, Body)> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let own = || Series { device: None, quantity: self.quantity.clone(), unit: self.unit.clone() };
        let body = match words[..] {
            [_] => Body::Clock(ClockSet {
                source: ClockSource::Ntp,
                before: ClockQuality::Synchronised,
                step_ms: 0,
                error_ms: 0,
            }),
            [_, "start"] => Body::Boot(Boot { boot_id: String::new(), version: String::new() }),
            [_, done @ ("ack" | "reset"), rule] => {
                let (rule, source) = (RuleId::new(rule).ok()?, self.device.clone());
                let act = match done {
                    "ack" => Act::Acknowledged { rule, source },
                    _ => Act::Reset { rule, source },
                };
                Body::Audit(Audit { by: Actor::User(0), act, reason: String::new() })
            }
            [_, "bad"] => self.frame(own(), None),
            [_, value] => self.frame(own(), Some(Decimal::parse(value).ok()?)),
            [_, series, unit, value] => {
                self.frame(format!("{series} {unit}").parse().ok()?, Some(Decimal::parse(value).ok()?))
            }
            [_, series, value] => self.frame(series.parse().ok()?, Some(Decimal::parse(value).ok()?)),
            _ => return None,
        };
        Some((time_ms(words[0])?, body))
    }

    fn frame(&self, series: Series, value: Option<Decimal>) -> Body {
        let quality = if value.is_some() { Quality::Good } else { Quality::NotANumber };
        let reading = Reading { quantity: series.quantity, unit: series.unit, value, quality, at_ms: None };
        let link = Link::Serial { port: "test".into(), seal: None };
        let (source, readings) = (series.device.unwrap_or_else(|| self.device.clone()), vec![reading]);
        Body::Frame(Frame { source, link, raw: Vec::new(), readings, codec: None, texts: Vec::new() })
    }
}

impl Scenario {
    fn run(&self, rules: RuleSet) -> Tried {
        let mut played = Backtest::new(rules);
        self.records.iter().for_each(|record| played.take(record));
        let happened = played.outcome().added.into_iter();
        let expected = |(stamp, step): StepAt| {
            (stamp.mono_ms.0, step.rule, step.to.as_str(), step.suppression == Some(Suppression::ByDesign))
        };
        let happened: Vec<Expected> = happened.map(expected).collect();
        Tried {
            name: self.name.clone(),
            missing: left(&self.expected, &happened),
            unexpected: left(&happened, &self.expected),
        }
    }
}

/// What the one has and the other has not, each as often as it stands there.
fn left(of: &[Expected], others: &[Expected]) -> Vec<String> {
    let mut others = others.to_vec();
    let mut left = Vec::new();
    for one in of {
        match others.iter().position(|other| other == one) {
            Some(at) => drop(others.swap_remove(at)),
            None => {
                let hidden = if one.3 { " suppressed" } else { "" };
                left.push(format!("{} {} {}{hidden}", time(one.0), one.1, one.2));
            }
        }
    }
    left
}

fn expectation(text: &str) -> Option<Expected> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (at, rule, state, is_suppressed) = match words[..] {
        [at, rule, state] => (at, rule, state, false),
        [at, rule, state, "suppressed"] => (at, rule, state, true),
        _ => return None,
    };
    let state = STATES.map(AlarmState::as_str).into_iter().find(|known| *known == state)?;
    Some((time_ms(at)?, RuleId::new(rule).ok()?, state, is_suppressed))
}

/// `16s`, `5min` or `2h`.
fn time_ms(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit_ms = match &text[digits.len()..] {
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit_ms)
}

pub(crate) fn time(at_ms: u64) -> String {
    match at_ms {
        0 => "0s".to_owned(),
        ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{}min", ms / 60_000),
        ms => format!("{}s", ms / 1_000),
    }
}

fn stamp(at_ms: u64) -> Stamp {
    let wall_ms = UnixMs(BEGAN_MS.saturating_add_unsigned(at_ms));
    Stamp { boot: BootNo(0), mono_ms: MonoMs(at_ms), wall_ms, clock: ClockQuality::Synchronised }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Shipped beside the example of rules that they test.
    const EXAMPLE: &str = include_str!("../../../config/rules.test.toml");
    const RULES: &str = include_str!("../../../config/rules.toml");

    #[test]
    fn the_shipped_tests_pass_with_the_shipped_rules_and_fail_with_others() {
        let tests = Scenarios::from_toml(EXAMPLE).unwrap();
        let tried = tests.run(&RuleSet::from_toml(RULES).unwrap());
        assert!(tried.len() >= 4 && tried.iter().all(Tried::passed), "{tried:#?}");
        let others = RuleSet::from_toml(&RULES.replace("high = 80", "high = 800")).unwrap();
        assert!(!tests.run(&others).iter().all(Tried::passed));
    }

    /// Of each kind of outfall, rules and what tests them.
    const EXAMPLES: [(&str, &str); 7] = [
        (
            include_str!("../../../config/rules.d/expression.toml"),
            include_str!("../../../config/rules.d/expression.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/first-alarm.toml"),
            include_str!("../../../config/rules.d/first-alarm.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/any-outfall.toml"),
            include_str!("../../../config/rules.d/any-outfall.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/stormwater.toml"),
            include_str!("../../../config/rules.d/stormwater.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/steady-flow.toml"),
            include_str!("../../../config/rules.d/steady-flow.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/receiving-water.toml"),
            include_str!("../../../config/rules.d/receiving-water.test.toml"),
        ),
        (
            include_str!("../../../config/rules.d/treatment-plant.toml"),
            include_str!("../../../config/rules.d/treatment-plant.test.toml"),
        ),
    ];

    #[test]
    fn the_examples_for_each_outfall_pass_their_tests_and_show_every_kind() {
        let mut measures = std::collections::BTreeSet::new();
        for (rules, tests) in EXAMPLES {
            let rules = RuleSet::from_toml(rules).unwrap();
            measures.extend(rules.iter().map(|rule| rule.basis.measure()));
            let tried = Scenarios::from_toml(tests).unwrap().run(&rules);
            assert!(tried.len() >= 2 && tried.iter().all(Tried::passed), "{tried:#?}");
        }
        assert_eq!(measures, record::Measure::ALL.iter().copied().collect());
    }

    fn check(test: &str, expected: Expect) {
        let head = "[[test]]\nname = \"t\"\ndevice = \"cod-1\"\nquantity = \"cod\"\nunit = \"mg/L\"\n";
        let shown = match Scenarios::from_toml(&format!("{head}{test}")) {
            Err(error) => error.to_string(),
            Ok(tests) => format!("{:?}", tests.run(&RuleSet::from_toml(RULES).unwrap())),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_file_has_so_many_tests_of_so_many_samples() {
        let file = |tests: usize, samples: usize| {
            let head = "name = \"t\"\ndevice = \"cod-1\"\nquantity = \"cod\"\nunit = \"mg/L\"\nexpect = []";
            let test = |samples: usize| format!("[[test]]\n{head}\nsamples = [{}]\n", "\"0s 1\",".repeat(samples));
            Scenarios::from_toml(&(test(1).repeat(tests - 1) + &test(samples))).map(|read| read.0.len())
        };
        assert_eq!(file(TESTS_MAX, SAMPLES_MAX), Ok(TESTS_MAX));
        assert_eq!(file(TESTS_MAX + 1, 1), Err(ScenarioError::TooMany));
        assert_eq!(file(1, SAMPLES_MAX + 1), Err(ScenarioError::TooMany));
    }

    #[test]
    fn what_differs_is_told_and_bad_lines_are_named() {
        check(
            "samples = [\"0s 85\", \"10s 86\", \"1min 70\"]\nexpect = [\"10s cod-high unacknowledged\", \"2h cod-high normal\"]",
            expect![[
                r#"[Tried { name: "t", missing: ["2h cod-high normal"], unexpected: ["1min cod-high returned_unacknowledged"] }]"#
            ]],
        );
        check(
            "samples = [\"85\"]\nexpect = []",
            expect![
                "test `t`: `85` is no sample: write `16s 83.5`, `16s DEVICE/QUANTITY 0.2`, `16s bad`, `16s start`, `16s`, `1min ack RULE`, or `1min reset RULE`, in the order of time"
            ],
        );
        check(
            "samples = [\"5s 1\", \"4s 1\"]\nexpect = []",
            expect![
                "test `t`: `4s 1` is no sample: write `16s 83.5`, `16s DEVICE/QUANTITY 0.2`, `16s bad`, `16s start`, `16s`, `1min ack RULE`, or `1min reset RULE`, in the order of time"
            ],
        );
        check(
            "samples = [\"1d 1\"]\nexpect = []",
            expect![
                "test `t`: `1d 1` is no sample: write `16s 83.5`, `16s DEVICE/QUANTITY 0.2`, `16s bad`, `16s start`, `16s`, `1min ack RULE`, or `1min reset RULE`, in the order of time"
            ],
        );
        check(
            "samples = []\nexpect = [\"1s cod-high on\"]",
            expect![
                "test `t`: `1s cod-high on` is no expectation: write `16s RULE STATE`, where STATE is normal, unacknowledged, acknowledged, returned_unacknowledged, and `suppressed` behind it where it is"
            ],
        );
        check(
            "samples = []\nexpect = []\nexpected = []",
            expect![
                "line 8: unknown field `expected`, expected one of `name`, `device`, `quantity`, `unit`, `samples`, `expect`"
            ],
        );
    }
}
