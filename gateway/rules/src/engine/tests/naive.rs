//! Windows a second time, as one would write them who keeps every reading and counts anew each time.

use proptest::prelude::*;
use record::{AlarmState, Body, Decimal, RecordAt};

use super::kinds::{records, rules};
use crate::{Backtest, RuleSet};

/// When each reading of `a`'s `cod`, or of its flow, came, in seconds, and what it said in hundredths.
type Readings = Vec<(u64, i64)>;

fn readings() -> impl Strategy<Value = Readings> {
    prop::collection::vec((0u64..400, 0i64..10_000), 1..80).prop_map(|steps| {
        let mut now = 0;
        steps
            .into_iter()
            .map(|(seconds, value)| {
                now += seconds;
                (now, value)
            })
            .collect()
    })
}

fn hundredths(value: i64) -> Decimal {
    Decimal::new(value, -2).unwrap()
}

/// What the engine found, as value and whether it went up.
fn found(rules: RuleSet, records: &[RecordAt]) -> Vec<(u64, Decimal, bool)> {
    let mut backtest = Backtest::new(rules);
    records.iter().for_each(|at| backtest.take(at));
    let steps = backtest.outcome().added;
    steps
        .into_iter()
        .map(|(stamp, step)| (stamp.mono_ms.0 / 1_000, step.value.unwrap(), step.to == AlarmState::Unacknowledged))
        .collect()
}

/// The same of a series of values, each with its time: above the limit it goes up, at it or below down.
fn crossings(values: Vec<(u64, Decimal)>, limit: Decimal) -> Vec<(u64, Decimal, bool)> {
    let mut is_up = false;
    let mut crossings = Vec::new();
    for (at, value) in values {
        if (value > limit) != is_up {
            is_up = !is_up;
            crossings.push((at, value, is_up));
        }
    }
    crossings
}

fn story(readings: &Readings) -> Vec<RecordAt> {
    let samples: Vec<String> = readings.iter().map(|(at, value)| format!("{at}s {}", hundredths(*value))).collect();
    records(&samples.join(" | "))
}

/// `sum / count` at 10^exponent, half to even, in integers of hundredths.
fn rounded(sum: i128, count: i128, digits: u32) -> i128 {
    let scaled = sum * 10i128.pow(digits);
    let (whole, rest) = (scaled.div_euclid(count), scaled.rem_euclid(count));
    match (rest * 2).cmp(&count) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Equal => whole + whole % 2,
        std::cmp::Ordering::Greater => whole + 1,
    }
}

proptest! {
    #[test]
    fn a_change_is_that_of_all_readings_within_the_time(readings in readings()) {
        for (key, sign) in [("rise", 1i64), ("fall", -1)] {
            let naive = |nth: usize| {
                let (now, value) = readings[nth];
                let within = readings[..=nth].iter().filter(|(at, _)| now - at <= 900);
                let extreme = within.map(|(_, other)| sign * other).min().unwrap();
                (now, hundredths(sign * value - extreme))
            };
            let values = (0..readings.len()).map(naive).collect();
            let rules = rules("change", &format!("{key} = 40\nwithin_s = 900"));
            prop_assert_eq!(found(rules, &story(&readings)), crossings(values, Decimal::from(40)));
        }
    }

    #[test]
    fn a_mean_is_that_of_the_means_of_its_minutes(readings in readings()) {
        // The finest reading says how many digits a mean has; make it a hundredth everywhere.
        let readings: Readings = readings.into_iter().map(|(at, value)| (at, value / 10 * 10 + 1)).collect();
        let end = readings.last().unwrap().0 + 1_000;
        let begun = readings[0].0 / 600 + 1;
        let mut values = Vec::new();
        for window in begun..=(end - 120) / 600 - 1 {
            let minute = |minute: u64| -> Option<i128> {
                let from = window * 600 + minute * 60;
                let here: Vec<i128> = readings.iter().filter(|(at, _)| (from..from + 60).contains(at)).map(|(_, value)| i128::from(*value)).collect();
                (!here.is_empty()).then(|| rounded(here.iter().sum(), i128::try_from(here.len()).unwrap(), 6))
            };
            let minutes: Vec<i128> = (0..10).filter_map(minute).collect();
            if minutes.len() >= 2 {
                // Six digits finer than hundredths, back to two finer.
                let count = i128::try_from(minutes.len()).unwrap();
                let mean = rounded(minutes.iter().sum(), count * 10_000, 0);
                values.push((window, Decimal::new(i64::try_from(mean).unwrap(), -4).unwrap()));
            }
        }
        let mut story = story(&readings);
        story.extend(records(&format!("{end}s")));
        let rules = rules("mean", "high = 50\nwindow = \"10min\"\nshare_min_percent = 20");
        let of_window = |found: Vec<(u64, Decimal, bool)>| found.into_iter().map(|(_, value, up)| (value, up)).collect::<Vec<_>>();
        prop_assert_eq!(of_window(found(rules, &story)), of_window(crossings(values, Decimal::from(50))));
    }

    #[test]
    fn exceedances_are_counted_within_the_time(readings in readings()) {
        let naive = |nth: usize| {
            let now = readings[nth].0;
            readings[..=nth].iter().filter(|(at, value)| *value > 5_000 && now - at <= 900).count() >= 3
        };
        let mut is_up = false;
        let mut expected = Vec::new();
        for nth in 0..readings.len() {
            let good = readings[..=nth].iter().rev().take_while(|(_, value)| *value <= 5_000).count() >= 2;
            if (!is_up && naive(nth) && !good) || (is_up && good) {
                is_up = !is_up;
                expected.push((readings[nth].0, is_up));
            }
        }
        let rules = rules("unstable", "high = 50\ntimes = 3\nwithin_s = 900\nrelax_after = 2");
        let found: Vec<(u64, bool)> = found(rules, &story(&readings)).into_iter().map(|(at, _, up)| (at, up)).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn what_comes_in_another_order_within_the_bound_changes_no_mean(readings in readings(), jitter in prop::collection::vec(0u64..100, 80)) {
        let end = readings.last().unwrap().0 + 2_000;
        let told = |order: &[usize], late: &dyn Fn(usize) -> u64| {
            let mut story: Vec<RecordAt> = records("0s 1");
            for nth in order {
                let (at, value) = readings[*nth];
                // It says when it measured, and is heard later.
                let mut heard = records(&format!("{}s {}", at + late(*nth), hundredths(value)));
                let measured = records(&format!("{at}s 1"))[0].record.stamp.wall_ms;
                if let Body::Frame(frame) = &mut heard[0].record.body {
                    frame.readings[0].at_ms = Some(measured);
                }
                story.extend(heard);
            }
            story.extend(records(&format!("{end}s")));
            let rules = rules("mean", "high = 50\nwindow = \"10min\"\nshare_min_percent = 10");
            found(rules, &story).into_iter().map(|(_, value, up)| (value, up)).collect::<Vec<_>>()
        };
        let straight: Vec<usize> = (0..readings.len()).collect();
        let mut shuffled = straight.clone();
        shuffled.sort_by_key(|nth| readings[*nth].0 + jitter[*nth]);
        prop_assert_eq!(told(&shuffled, &|nth| jitter[nth]), told(&straight, &|_| 0));
    }
}
