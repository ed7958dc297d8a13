//! Where one judgement ends and the next begins: the last share, hour, amount and time at which a rule still says the same.

use expect_test::{Expect, expect};
use record::dossier::{LifeCycle, OutfallClass};
use record::{Body, Outfall, OutfallCode, Record, RecordAt, RuleId, SourceId};

use super::kinds::{play, records, rules, standing_at};
use crate::scenario::time;
use crate::{Backtest, Engine, READINGS_MAX, RuleSet};

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

/// What is usual: so much in each of the first slices of a day of which 06:00 to 22:00 is outside of the rule's hours.
fn usual(slices: u32, value: impl Fn(u32) -> String, then: &str) -> Vec<String> {
    let told = (0..slices).map(|nth| format!("{}min {}", 360 + 10 * nth, value(nth)));
    told.chain(then.split(" | ").map(str::to_owned)).collect()
}

#[test]
fn a_surge_is_judged_by_half_of_a_day_where_half_is_enough() {
    let keys = "high = 5\ntimes = 3\nbaseline_h = 24\nshare_min_percent = 50\nhours = \"22:00-06:00\"";
    let four = |_| "4".to_owned();
    check("surge", keys, &usual(48, four, "22h 12.1"), expect!["22h unacknowledged (12.1 of 12)"]);
    check("surge", keys, &usual(47, four, "22h 12.1"), expect![""]);
    // Little is usual: the rule's own limit.
    check(
        "surge",
        &keys.replace("high = 5", "high = 20"),
        &usual(48, four, "22h 12.1 | 1330min 21"),
        expect!["1330min unacknowledged (21 of 20)"],
    );
    // A third more, with two digits more than the readings have.
    let thirds = |nth: u32| if nth.is_multiple_of(3) { "6" } else { "5" }.to_owned();
    check(
        "surge",
        &keys.replace("times = 3", "times = 1"),
        &usual(48, thirds, "22h 5.34"),
        expect!["22h unacknowledged (5.34 of 5.33)"],
    );
    // The ten minutes under way are no part of it, though they began before the hours did.
    let late = usual(96, four, "1322min 999 | 1326min 13");
    check("surge", &keys.replace("22:00", "22:05"), &late, expect!["1326min unacknowledged (13 of 12)"]);
    // The night before is no part of what is usual, nor is what is older than the baseline.
    let nights = usual(96, four, "22h 1 | 23h 1 | 29h 1 | 46h 12.1");
    check("surge", &keys.replace("= 24", "= 48"), &nights, expect!["46h unacknowledged (12.1 of 12)"]);
    check("surge", keys, &nights, expect![""]);
}

/// What is known of each input of an expression of `a` at a time.
fn told(keys: &str, told: &[RecordAt], samples: &str) -> String {
    let mut engine = Engine::new(rules("expr", keys));
    let records = records(samples);
    told.iter().chain(&records).for_each(|at| drop(engine.apply(at)));
    let (rule, source) = (RuleId::new("r").unwrap(), SourceId::new("a").unwrap());
    let inputs = engine.inputs(&rule, &source, &records.last().unwrap().record.stamp);
    inputs.into_iter().map(|(name, value)| format!("{name}={} ", value.unwrap_or("?".into()))).collect()
}

#[test]
fn a_window_ends_with_the_minute_or_the_ten_minutes_under_way() {
    let keys = |window_s: u32| {
        let inputs = ["mean", "min", "max", "sum", "count"]
            .map(|stat| format!("{stat} = {{ of = \"a/flow\", window_s = {window_s}, stat = \"{stat}\" }}"));
        format!("expr = \"value > mean + min + max + sum + count\"\ninputs = {{ {} }}", inputs.join(", "))
    };
    let flows = |times: &[(&str, &str)], end: &str| {
        let told = times.iter().map(|(at, value)| format!("{at} a/flow {value}")).collect::<Vec<_>>();
        format!("{} | {end}", told.join(" | "))
    };
    let minutes = [("0s", "8"), ("60s", "1"), ("90s", "2"), ("120s", "-0.5"), ("130s", "0.01")];
    let two = keys(120);
    assert_eq!(told(&two, &[], &flows(&minutes, "179s")), "count=4 max=2 mean=0.6275 min=-0.5 sum=2.51 ");
    assert_eq!(told(&two, &[], &flows(&minutes, "180s")), "count=2 max=0.01 mean=-0.245 min=-0.5 sum=-0.49 ");
    assert_eq!(told(&two, &[], &flows(&minutes, "300s")), "count=? max=? mean=? min=? sum=? ");
    let hours = [("0min", "8"), ("9min", "1"), ("12min", "3"), ("68min", "4"), ("69min", "3")];
    let hour = keys(3_600);
    assert_eq!(told(&hour, &[], &flows(&hours, "69min")), "count=3 max=4 mean=3.333333 min=3 sum=10 ");
    assert_eq!(told(&hour, &[], &flows(&hours, "70min")), "count=2 max=4 mean=3.5 min=3 sum=7 ");
    // Fifty-nine minutes are made of minutes.
    let short = keys(3_540);
    assert_eq!(told(&short, &[], &flows(&hours, "70min")), "count=3 max=4 mean=3.333333 min=3 sum=10 ");
}

#[test]
fn what_is_asked_of_an_outfall_is_told_with_what_its_dossier_says() {
    let asks = "expr = \"has(outfall.toxic) || gate\"\ninputs = { gate = { alarm = \"gate\" }, flow = \"a/flow\" }\n\
                [[rule]]\nid = \"gate\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"level\"\nunit = \"m\"\nhigh = 1";
    let change = |toxic: Option<bool>, is_lake: bool| {
        standing_at(|dossier| {
            (dossier.class, dossier.state) = (OutfallClass::UrbanStormwater, LifeCycle::Merged);
            (dossier.flood_safety, dossier.water.key_water, dossier.water.lake) = (!is_lake, is_lake, is_lake);
            dossier.discharge.toxic = toxic;
        })
    };
    assert_eq!(
        told(asks, &change(Some(false), true), "0s a/flow 1.50 | 1s a/level 2"),
        "flow=1.5 gate=true outfall.class=urban_stormwater outfall.state=merged outfall.flood_safety=false \
         outfall.key_water=true outfall.lake=true outfall.toxic=false "
    );
    assert_eq!(
        told(asks, &change(None, false), "0s a/level 1"),
        "flow=? gate=false outfall.class=urban_stormwater outfall.state=merged outfall.flood_safety=true \
         outfall.key_water=false outfall.lake=false outfall.toxic=? "
    );
    assert_eq!(
        told(asks, &[], "0s a/level 1"),
        "flow=? gate=false outfall.class=? outfall.state=? outfall.flood_safety=? outfall.key_water=? outfall.lake=? outfall.toxic=? "
    );
}

/// So far back a start reads frames, over such a time an alarm is told, and these series must be heard as well.
#[test]
fn a_rule_reaches_as_far_back_as_it_looks() {
    let window = |window_s: u32| {
        format!(
            "expr = \"value > m\"\nfresh_s = 900\ninputs = {{ m = {{ of = \"a/flow\", window_s = {window_s}, stat = \"mean\" }}, n = \"b/level\" }}"
        )
    };
    let gate =
        "[[rule]]\nid = \"gate\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"level\"\nunit = \"m\"\nhigh = 1";
    let while_gate = format!("high = 1\nsuppress_while = [{{ alarm = \"gate\" }}]\n{gate}");
    for (kind, keys, reach_s, span_s, beside) in [
        ("limit", "high = 1", 0, 0, ""),
        ("limit", "high = 1\non_delay_s = 60\noff_delay_s = 30", 60, 0, ""),
        ("limit", "high = 1\non_delay_s = 30\noff_delay_s = 60", 60, 0, ""),
        (
            "limit",
            "high = 8\ncold = { temperature = \"water_temperature\", at = 12, high = 15, fresh_s = 600 }",
            600,
            0,
            "water_temperature",
        ),
        ("limit", "high = 1\nlatched = true\non_delay_s = 60", 3_600, 0, ""),
        ("limit", "high = 1\nlatched = true\non_delay_s = 7200", 7_200, 0, ""),
        (
            "limit",
            "high = 1\non_delay_s = 60\nsuppress_while = [{ value = \"b/level\", above = 1, fresh_s = 7200 }]",
            7_200,
            0,
            "b/level",
        ),
        ("limit", &while_gate, 0, 0, ""),
        ("change", "rise = 1\nwithin_s = 600", 600, 600, ""),
        ("mean", "high = 1\nwindow = \"1h\"\nweighted_by = \"flow\"", 3_720, 3_600, "flow"),
        ("load", "high = 1\nwindow = \"24h\"\nflow = \"b/flow\"", 86_520, 86_400, "b/flow"),
        ("silence", "for_s = 600", 600, 600, ""),
        ("stuck", "for_s = 601", 601, 601, ""),
        ("implausible", "readings = 3", 0, 0, ""),
        ("disagreement", "with = \"b/cod\"\nhigh = 1\nfresh_s = 60", 60, 0, "b/cod"),
        ("unstable", "high = 1\ntimes = 3\nwithin_s = 3600\nrelax_after = 3", 3_600, 3_600, ""),
        (
            "dry_weather",
            "high = 2\nrain = \"rain-1/rain\"\ndry_h = 48\neffective = 1\nmelt = { temperature = \"t-1/air_temperature\", above = 0, months = [1] }\nbackflow = { level = \"river/level\", from = 3 }",
            48 * 3_600 + 3_600,
            48 * 3_600,
            "rain-1/rain t-1/air_temperature river/level",
        ),
        ("surge", "high = 1\ntimes = 3\nbaseline_h = 24\nhours = \"22:00-06:00\"", 86_400, 86_400, ""),
        ("rebound", "high = 1", 0, 0, ""),
        ("expr", &window(600), 900, 0, "a/flow b/level"),
        ("expr", &format!("off_delay_s = 30\n{}", window(600)), 930, 0, "a/flow b/level"),
        ("expr", &format!("on_delay_s = 60\n{}", window(600)), 960, 0, "a/flow b/level"),
        ("expr", &window(1_800), 1_860, 0, "a/flow b/level"),
        ("expr", &window(3_600), 4_200, 0, "a/flow b/level"),
    ] {
        let rules = rules(kind, keys);
        let rule = rules.iter().next().unwrap();
        let series: Vec<String> = rule.beside().map(ToString::to_string).collect();
        let found = (rule.reach_ms(), rule.basis.span_ms(), rule.basis.span_s(), series.join(" "));
        assert_eq!(found, (reach_s * 1_000, u64::from(span_s) * 1_000, span_s, beside.to_owned()), "{kind} {keys}");
        assert_eq!(rules.reach_ms(), reach_s * 1_000);
        let is_one = kind == "rebound" || kind == "limit" && !keys.contains("cold");
        assert_eq!(rule.basis.looks_at_one_reading(), is_one, "{kind}");
    }
}

#[test]
fn a_value_suppresses_beyond_its_limit_and_not_at_it() {
    let is_suppressed = |condition: &str, level: &str| {
        let keys = format!("high = 80\nsuppress_while = [{{ value = \"a/level\", {condition} }}]");
        let mut backtest = Backtest::new(rules("limit", &keys));
        records(&format!("0s a/level {level} | 1s 81")).iter().for_each(|at| backtest.take(at));
        backtest.outcome().added[0].1.suppression.is_some()
    };
    assert_eq!(["0.9", "1", "1.1"].map(|level| is_suppressed("above = 1", level)), [false, false, true]);
    assert_eq!(["0.9", "1", "1.1"].map(|level| is_suppressed("below = 1", level)), [true, false, false]);
}

/// A rule that latches from now on does not offer to reset what returned while it did not.
#[test]
fn only_an_active_alarm_may_be_reset() {
    let told = |keys: &str, journaled: &[RecordAt]| {
        let mut engine = Engine::new(rules("limit", keys));
        journaled.iter().for_each(|at| drop(engine.apply(at)));
        let alarms = engine.alarms(&journaled.last().unwrap().record.stamp);
        alarms.iter().map(|alarm| (alarm.state.as_str(), alarm.is_cleared)).collect::<Vec<_>>()
    };
    let journal = |keys: &str, samples: &str| {
        let mut engine = Engine::new(rules("limit", keys));
        let mut journal = Vec::new();
        for at in records(samples) {
            let steps = engine.apply(&at);
            let stamp = at.record.stamp;
            journal.push(at);
            for step in steps {
                let at = RecordAt { seq: step.cause, record: Record { stamp, body: Body::Alarm(step) } };
                drop(engine.apply(&at));
                journal.push(at);
            }
        }
        journal
    };
    let (plain, latched) = ("high = 80", "high = 80\nlatched = true");
    assert_eq!(told(plain, &journal(plain, "0s 81 | 1s 70")), [("returned_unacknowledged", false)]);
    assert_eq!(told(latched, &journal(plain, "0s 81 | 1s 70")), [("returned_unacknowledged", false)]);
    assert_eq!(told(latched, &journal(latched, "0s 81")), [("unacknowledged", false)]);
    assert_eq!(told(latched, &journal(latched, "0s 81 | 1s 70")), [("unacknowledged", true)]);
}

/// A mean keeps two of its windows; what comes of before is counted, and in none.
#[test]
fn what_comes_too_late_for_any_mean_is_counted() {
    let mut engine = Engine::new(rules("mean", "high = 1\nwindow = \"1h\""));
    let mut late = |late_s: i64| {
        let mut at = records("602min 5").remove(0);
        let Body::Frame(frame) = &mut at.record.body else { unreachable!() };
        frame.readings[0].at_ms = Some(record::UnixMs(at.record.stamp.wall_ms.0 - late_s * 1_000));
        drop(engine.apply(&at));
        engine.readings_refused()
    };
    assert_eq!([0, 7_319, 7_320, 7_321, 90_000].map(&mut late), [0, 0, 0, 1, 2]);
}

/// So many readings of one device and no more, and a rule that needs just these still finds what it looks for.
#[test]
fn a_rule_remembers_so_many_readings() {
    let each = |count: usize, value: fn(usize) -> usize| {
        (0..count).map(|nth| format!("{nth}s {}", value(nth))).collect::<Vec<_>>()
    };
    let times = format!("high = 0\ntimes = {READINGS_MAX}\nwithin_s = 7200\nrelax_after = 1");
    let last = READINGS_MAX - 1;
    let often = each(READINGS_MAX, |_| 1);
    assert_eq!(
        play(rules("unstable", &times), &records(&often.join(" | "))),
        format!("{last}s unacknowledged ({READINGS_MAX} of {READINGS_MAX})\n")
    );
    assert_eq!(play(rules("unstable", &times), &records(&often[1..].join(" | "))), "");
    let grows = each(2 * READINGS_MAX, |nth| nth).join(" | ");
    let rise = |by: usize| play(rules("change", &format!("rise = {by}.5\nwithin_s = 7200")), &records(&grows));
    assert_eq!(rise(last - 1), format!("{} unacknowledged ({last} of {}.5)\n", time(last as u64 * 1_000), last - 1));
    assert_eq!(rise(last), "");
}

#[test]
fn who_moved_away_is_no_rebound() {
    let told = standing_at(|dossier| dossier.state = LifeCycle::Abolished);
    let mut moved = told.last().unwrap().clone();
    let Body::Outfall(Outfall::Devices(standing)) = &mut moved.record.body else { unreachable!() };
    standing.devices = vec![SourceId::new("b").unwrap()];
    let play = |told: &[RecordAt]| play(rules("rebound", "high = 0.5"), &[told.to_vec(), records("0s 5")].concat());
    assert_eq!(play(&told), "0s unacknowledged (5 of 0.5)\n");
    assert_eq!(play(&[told.clone(), vec![moved.clone()]].concat()), "");
    // What is told of another outfall moves nobody.
    let Body::Outfall(Outfall::Devices(standing)) = &mut moved.record.body else { unreachable!() };
    standing.outfall = OutfallCode::new("B-2").unwrap();
    assert_eq!(play(&[told, vec![moved]].concat()), "0s unacknowledged (5 of 0.5)\n");
}

/// Both sensors are compared in the rule's unit, whatever is usual for the quantity.
#[test]
fn two_sensors_are_compared_in_one_unit() {
    let rule = "[[rule]]\nid = \"r\"\ndevices = [\"a\"]\nquantity = \"cod\"\nunit = \"ug/L\"\nkind = \"disagreement\"\nwith = \"b/cod\"\nhigh = 10\n";
    let found = |samples: &str| play(RuleSet::from_toml(rule).unwrap(), &records(samples));
    assert_eq!(found("0s b/cod ug/L 50 | 1s a/cod ug/L 61"), "1s unacknowledged (11 of 10)\n");
    assert_eq!(found("0s b/cod ug/L 61 | 1s a/cod ug/L 50"), "1s unacknowledged (11 of 10)\n");
    assert_eq!(found("0s b/cod mg/L 50 | 1s a/cod ug/L 61"), "");
}
