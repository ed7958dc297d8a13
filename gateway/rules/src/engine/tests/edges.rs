//! Where one judgement ends and the next begins: the last share, hour, amount and time at which a rule still says the same.

use expect_test::{Expect, expect};

use super::kinds::{play, records, rules};

fn check(kind: &str, keys: &str, samples: &[String], expected: Expect) {
    expected.assert_eq(play(rules(kind, keys), &records(&samples.join(" | "))).trim_end());
}

/// A gauge's word in each of these hours, and a discharge at an hour and a minute.
fn gauged(hours: impl IntoIterator<Item = u32>, rain: &str, at_min: u32) -> Vec<String> {
    let told = hours.into_iter().map(|hour| format!("{hour}h rain-1/rain {rain}"));
    told.chain([format!("{at_min}min 5")]).collect()
}

const DRY: &str = "high = 2\nrain = \"rain-1/rain\"\ndry_h = 8\neffective = 1";

#[test]
fn three_hours_in_four_must_tell_that_it_was_dry() {
    // Six of eight, and the one under way may be among them.
    check("dry_weather", DRY, &gauged([0, 1, 2, 3, 4, 8], "0", 480), expect!["8h unacknowledged (5 of 2)"]);
    check("dry_weather", DRY, &gauged([1, 2, 3, 4, 8], "0", 480), expect![""]);
    // Hours count, not readings.
    let often = [60, 120, 180, 240, 480].into_iter().flat_map(|hour| (hour..hour + 50).step_by(10));
    let often = often.map(|minute| format!("{minute}min rain-1/rain 0")).chain(["520min 5".into()]);
    check("dry_weather", DRY, &often.collect::<Vec<_>>(), expect![""]);
}

#[test]
fn rain_counts_for_as_long_as_it_must_have_been_dry() {
    let rained = |mm: &str, at_min: u32| [vec![format!("0min rain-1/rain {mm}")], gauged(1..9, "0", at_min)].concat();
    check("dry_weather", DRY, &rained("1", 480), expect![""]);
    check("dry_weather", DRY, &rained("0.9", 480), expect!["8h unacknowledged (5 of 2)"]);
    check("dry_weather", DRY, &rained("1", 489), expect![""]);
    check("dry_weather", DRY, &rained("1", 490), expect!["490min unacknowledged (5 of 2)"]);
    // What fell little by little fell.
    check("dry_weather", DRY, &gauged(0..9, "0.2", 480), expect![""]);
    check("dry_weather", DRY, &gauged(0..9, "0.1", 480), expect!["8h unacknowledged (5 of 2)"]);
}

#[test]
fn snow_melts_in_its_months_alone() {
    let melt = |months: &str| {
        format!("{DRY}\nmelt = {{ temperature = \"t-1/air_temperature\", above = 0, months = [{months}] }}")
    };
    let warm =
        [gauged(0..9, "0", 479)[..9].to_vec(), vec!["480min t-1/air_temperature 5".into(), "480min 5".into()]].concat();
    check("dry_weather", &melt("1"), &warm, expect![""]);
    check("dry_weather", &melt("2, 12"), &warm, expect!["8h unacknowledged (5 of 2)"]);
}
