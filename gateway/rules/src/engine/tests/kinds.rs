//! Each kind of rule, in the words of a technician's test.

use expect_test::{Expect, expect};
use record::dossier::{LifeCycle, OutfallClass};
use record::{Body, Outfall, Record, RecordAt, Seq, SourceId, Standing};

use crate::scenario::time;
use crate::{Backtest, RuleSet, Scenarios};

/// A rule for `cod` of `a` in mg/L, of this kind and with these keys.
pub(super) fn rules(kind: &str, keys: &str) -> RuleSet {
    let head = "[[rule]]\nid = \"r\"\ndevices = [\"a\"]\nquantity = \"cod\"\nunit = \"mg/L\"";
    RuleSet::from_toml(&format!("{head}\nkind = \"{kind}\"\n{keys}\n")).unwrap()
}

/// The records of samples of that device, one a word, with `|` between them.
pub(super) fn records(samples: &str) -> Vec<RecordAt> {
    let samples: Vec<String> = samples.split('|').map(|sample| format!("{:?}", sample.trim())).collect();
    let head = "[[test]]\nname = \"t\"\ndevice = \"a\"\nquantity = \"cod\"\nunit = \"mg/L\"\nexpect = []";
    let tests = Scenarios::from_toml(&format!("{head}\nsamples = [{}]\n", samples.join(", "))).unwrap();
    tests.0[0].records.clone()
}

pub(super) fn play(rules: RuleSet, records: &[RecordAt]) -> String {
    let mut backtest = Backtest::new(rules);
    records.iter().for_each(|at| backtest.take(at));
    let step = |(stamp, step): &crate::StepAt| {
        let value = step.value.map_or("a person".to_owned(), |value| value.to_string());
        format!("{} {} ({value} of {})\n", time(stamp.mono_ms.0), step.to.as_str(), step.limit)
    };
    backtest.outcome().added.iter().map(step).collect()
}

fn check(kind: &str, keys: &str, samples: &str, expected: Expect) {
    expected.assert_eq(play(rules(kind, keys), &records(samples)).trim_end());
}

/// `0` every so many minutes: `each(10, 0, 60, "1.5")`.
fn each(every_min: u32, from_min: u32, to_min: u32, what: &str) -> String {
    let samples = (from_min..to_min).step_by(every_min as usize).map(|minute| format!("{minute}min {what}"));
    samples.collect::<Vec<_>>().join(" | ")
}

#[test]
fn an_off_delay_keeps_an_alarm_that_is_back_only_for_a_moment() {
    check(
        "limit",
        "high = 80\ndeadband = 2\noff_delay_s = 60",
        "0s 81 | 10s 70 | 60s 79 | 70s 70 | 100s 71 | 130s 70 | 140s 81",
        expect![[r#"
            0s unacknowledged (81 of 80)
            130s returned_unacknowledged (70 of 80)
            140s unacknowledged (81 of 80)"#]],
    );
}

#[test]
fn cold_water_has_its_own_limit_and_unknown_water_the_milder_one() {
    let keys = "high = 8\ncold = { temperature = \"a/water_temperature\", at = 12, high = 15, fresh_s = 600 }";
    check(
        "limit",
        keys,
        "0s 10 | 1s 16 | 2s 1 | 1min a/water_temperature 12.1 | 2min 10 | 3min 8 | 4min a/water_temperature 12 | 5min 10 | 6min 16 | 7min 15 | 20min 10",
        expect![[r#"
            1s unacknowledged (16 of 15)
            2s returned_unacknowledged (1 of 15)
            2min unacknowledged (10 of 8)
            3min returned_unacknowledged (8 of 8)
            6min unacknowledged (16 of 15)
            7min returned_unacknowledged (15 of 15)"#]],
    );
}

#[test]
fn of_two_lower_limits_the_lower_one_is_milder() {
    let keys = "low = 6\ncold = { temperature = \"a/water_temperature\", at = 12, low = 4 }";
    check("limit", keys, "0s 5 | 1s 3.9", expect!["1s unacknowledged (3.9 of 4)"]);
    let keys = "low = 4\ncold = { temperature = \"a/water_temperature\", at = 12, low = 6 }";
    check("limit", keys, "0s 5 | 1s 3.9", expect!["1s unacknowledged (3.9 of 4)"]);
}

#[test]
fn outside_its_hours_a_rule_finds_nothing_wrong() {
    check(
        "limit",
        "high = 80\nhours = \"22:00-06:00\"",
        "1h 81 | 5h 82 | 6h 83 | 12h 84 | 21h 85 | 22h 86",
        expect![[r#"
            1h unacknowledged (81 of 80)
            6h returned_unacknowledged (83 of 80)
            22h unacknowledged (86 of 80)"#]],
    );
}

#[test]
fn a_change_is_one_from_the_lowest_or_highest_of_its_time() {
    check(
        "change",
        "rise = 20\nwithin_s = 600",
        "0min 50 | 2min 40 | 4min 55 | 5min 61 | 9min 62 | 12min 62 | 13min 70 | 20min 70.5 | 30min 95 | 41min 96",
        expect![[r#"
            5min unacknowledged (21 of 20)
            13min returned_unacknowledged (15 of 20)
            30min unacknowledged (24.5 of 20)
            41min returned_unacknowledged (0 of 20)"#]],
    );
    check(
        "change",
        "fall = 5\nwithin_s = 60",
        "0s 10 | 30s 12 | 60s 7 | 90s 6.9 | 91s 6.9",
        expect!["90s unacknowledged (5.1 of 5)\n91s returned_unacknowledged (0.1 of 5)"],
    );
    check("change", "fall = 5\nwithin_s = 60", "0s 12 | 60s 6.9", expect!["1min unacknowledged (5.1 of 5)"]);
}

#[test]
fn a_mean_is_judged_when_its_time_is_over_and_only_if_enough_of_it_was_seen() {
    let keys = "high = 50\nwindow = \"1h\"";
    // Two readings in the first ten minutes count as one slice.
    let hour = format!("{} | {}", "60min 90 | 61min 30", each(10, 70, 120, "48.02"));
    check(
        "mean",
        keys,
        &format!("0min 10 | {hour} | 121min 0 | 122min 0 | 180min 0"),
        expect!["122min unacknowledged (50.0167 of 50)"],
    );
    // Three slices of six are too few, and the hour in which the first record came is never judged.
    check("mean", keys, "0min 99 | 30min 99 | 60min 99 | 75min 99 | 100min 99 | 122min 1 | 182min", expect![""]);
    check(
        "mean",
        &format!("{keys}\nshare_min_percent = 50"),
        "0min 99 | 60min 99 | 75min 99 | 100min 99 | 122min",
        expect!["122min unacknowledged (99 of 50)"],
    );
    // What cannot be believed is in no mean.
    check("mean", keys, &format!("0s 1 | {} | {} | 122min", each(10, 60, 120, "50"), "119min bad"), expect![""]);
}

#[test]
fn a_day_begins_at_midnight_of_the_local_clock() {
    let day = format!("0s 1 | {} | 2882min", each(60, 1440, 2880, "a/cod 51"));
    check(
        "mean",
        "high = 50\nwindow = \"24h\"\nshare_min_percent = 10\ntier = \"exceedance\"",
        &day,
        expect!["2882min unacknowledged (51 of 50)"],
    );
}

#[test]
fn a_flow_weighted_mean_is_that_of_the_water_that_left() {
    let flows = "60min a/flow 100 | 60min 80 | 70min a/flow 0 | 70min 10 | 80min a/flow 100 | 80min 20 | 90min 99";
    // (80 * 100 + 10 * 0 + 20 * 100) / 200; the slice without a flow does not count.
    check(
        "mean",
        "high = 49\nwindow = \"1h\"\nweighted_by = \"flow\"\nshare_min_percent = 50",
        &format!("0s 1 | {flows} | 122min"),
        expect!["122min unacknowledged (50 of 49)"],
    );
    let still = "60min a/flow 0 | 60min 80 | 70min a/flow 0 | 70min 90 | 80min a/flow 0 | 80min 95";
    check(
        "mean",
        "high = 49\nwindow = \"1h\"\nweighted_by = \"flow\"\nshare_min_percent = 50",
        &format!("0s 1 | {still} | 122min"),
        expect![""],
    );
}

#[test]
fn a_load_is_what_left_in_kilograms() {
    // 40.1 mg/L in 17.5 L/s for an hour are 2.5263 kg (HJ 212-2017 C.17 has the same volume, 63 m3).
    let hour = format!("0s 1 | {} | {}", each(10, 60, 120, "a/flow 63"), each(10, 60, 120, "40.1"));
    let mut samples: Vec<&str> = hour.split('|').map(str::trim).collect();
    samples.sort_by_key(|sample| sample.split(['m', 's']).next().unwrap().parse::<u32>().unwrap());
    check(
        "load",
        "high = 2.5\nwindow = \"1h\"\nflow = \"flow\"",
        &format!("{} | 122min", samples.join(" | ")),
        expect!["122min unacknowledged (2.5263 of 2.5)"],
    );
}

#[test]
fn a_load_is_the_same_in_every_unit() {
    let concentrations = [
        ("g/L", "0.0401"),
        ("mg/L", "40.1"),
        ("g/m3", "40.1"),
        ("ug/L", "40100"),
        ("mg/m3", "40100"),
        ("ng/L", "40100000"),
    ];
    let flows = [
        ("m3/s", "0.0175"),
        ("m3/min", "1.05"),
        ("m3/h", "63"),
        ("m3/d", "1512"),
        ("L/s", "17.5"),
        ("L/min", "1050"),
        ("L/h", "63000"),
    ];
    let pairs = concentrations.iter().flat_map(|one| flows.iter().map(move |other| (one, other)));
    for ((unit, cod), (flow_unit, flow)) in pairs {
        let head =
            "[[rule]]\nid = \"r\"\ndevices = [\"a\"]\nquantity = \"cod\"\nkind = \"load\"\nwindow = \"1h\"\nhigh = 2.5";
        let rules = RuleSet::from_toml(&format!("{head}\nunit = \"{unit}\"\nflow = \"flow {flow_unit}\"\n")).unwrap();
        let slice = |minute: u32| format!("{minute}min a/flow {flow_unit} {flow} | {minute}min a/cod {unit} {cod}");
        let hour = (60..120).step_by(10).map(slice).collect::<Vec<_>>().join(" | ");
        let found = play(rules, &records(&format!("0s 1 | {hour} | 122min")));
        assert_eq!(found, "122min unacknowledged (2.5263 of 2.5)\n", "{unit} {flow_unit}");
    }
}

#[test]
fn silence_is_noticed_when_time_passes_and_does_not_count_while_nobody_listened() {
    check(
        "silence",
        "for_s = 600",
        "0min 1 | 9min 1 | 18min | 19min | 25min | 26min bad",
        expect![[r#"
            19min unacknowledged (600 of 600)
            26min returned_unacknowledged (0 of 600)"#]],
    );
    check(
        "silence",
        "for_s = 600",
        "0min 1 | 9min start | 18min | 19min",
        expect!["19min unacknowledged (600 of 600)"],
    );
    check(
        "silence",
        "for_s = 600",
        "0min 1 | 60min start | 69min 1",
        expect!["1h unacknowledged (600 of 600)\n69min returned_unacknowledged (0 of 600)"],
    );
}

#[test]
fn a_sensor_that_repeats_itself_is_stuck() {
    check(
        "stuck",
        "for_s = 600\nband = 0.1",
        "0min 5 | 5min 5.1 | 9min 5.05 | 10min 5.1 | 11min 5.11 | 12min 5 | 13min 4.9",
        expect![[r#"
            10min unacknowledged (600 of 600)
            11min returned_unacknowledged (0 of 600)"#]],
    );
    check("stuck", "for_s = 600", "0min 5 | 10min 5", expect![""]);
}

#[test]
fn doubtful_readings_in_a_row_are_one_alarm() {
    check(
        "implausible",
        "readings = 3",
        "0s bad | 1s bad | 2s 1 | 3s bad | 4s bad | 5s bad | 6s bad | 7s 1",
        expect![[r#"
            5s unacknowledged (3 of 3)
            7s returned_unacknowledged (0 of 3)"#]],
    );
}

#[test]
fn two_sensors_disagree_only_while_both_are_heard() {
    check(
        "disagreement",
        "with = \"b/cod\"\nhigh = 10\ndeadband = 2\nfresh_s = 60",
        "0s 99 | 10s b/cod 50 | 20s 60 | 30s 39.9 | 40s 41 | 50s 58 | 90s 99",
        expect![[r#"
            30s unacknowledged (10.1 of 10)
            50s returned_unacknowledged (8 of 10)"#]],
    );
}

#[test]
fn who_exceeds_often_is_unstable_until_enough_is_good() {
    check(
        "unstable",
        "high = 50\ntimes = 3\nwithin_s = 3600\nrelax_after = 3",
        "0min 51 | 10min 40 | 20min 52 | 50min 53 | 51min 40 | 52min 40 | 53min 60 | 54min 40 | 55min 40 | 56min 40",
        expect![[r#"
            50min unacknowledged (3 of 3)
            56min returned_unacknowledged (4 of 3)"#]],
    );
}

const DRY: &str = "high = 2\nrain = \"rain-1/rain\"\ndry_h = 48\neffective = 1\nmelt = { temperature = \"t-1/air_temperature\", above = 0, months = [1] }\nbackflow = { level = \"river/level\", from = 3 }";

/// So many hours of readings of rain, frost and a low river; then these samples.
fn weather(hours: u32, then: &str) -> String {
    let each = |hour: u32| format!("{hour}h rain-1/rain 0 | {hour}h t-1/air_temperature -5 | {hour}h river/level 1");
    format!("{} | {then}", (0..=hours).map(each).collect::<Vec<_>>().join(" | "))
}

#[test]
fn a_discharge_in_dry_weather_is_found_and_nobody_is_accused_without_knowing() {
    check("dry_weather", DRY, &weather(48, "48h 5"), expect!["48h unacknowledged (5 of 2)"]);
    check("dry_weather", DRY, &weather(20, "20h 5"), expect![""]);
    check("dry_weather", DRY, &weather(48, "48h rain-1/rain 1 | 48h 5"), expect![""]);
    check("dry_weather", DRY, &weather(48, "48h t-1/air_temperature 0.1 | 48h 5"), expect![""]);
    check(
        "dry_weather",
        DRY,
        &weather(48, "48h t-1/air_temperature 0 | 48h 5"),
        expect!["48h unacknowledged (5 of 2)"],
    );
    check("dry_weather", DRY, &weather(48, "48h river/level 3 | 48h 5"), expect![""]);
    // Each of the three must be as new as the reading.
    let news = ["rain-1/rain 0", "t-1/air_temperature -5", "river/level 1"];
    for missing in 0..3 {
        let told = (0..3).filter(|nth| *nth != missing).map(|nth| format!("50h {} | ", news[nth])).collect::<String>();
        check("dry_weather", DRY, &weather(48, &format!("{told}50h 5")), expect![""]);
    }
    let told = news.map(|news| format!("50h {news} | ")).concat();
    check("dry_weather", DRY, &weather(48, &format!("{told}50h 5")), expect!["50h unacknowledged (5 of 2)"]);
    check("dry_weather", DRY, &weather(48, "48h 2"), expect![""]);
    // Rain ends it, not knowing does not.
    check(
        "dry_weather",
        DRY,
        &weather(48, "48h 5 | 51h 5 | 51h rain-1/rain 4 | 51h t-1/air_temperature -1 | 51h river/level 1 | 51h 5"),
        expect![[r#"
            48h unacknowledged (5 of 2)
            51h returned_unacknowledged (5 of 2)"#]],
    );
}

#[test]
fn a_gauge_that_tells_a_total_is_wet_when_it_grows_or_begins_anew() {
    let dry = DRY.replace("dry_h", "rain_is = \"total\"\ndry_h");
    let totals = |last: &str| weather(48, &format!("{last} | 48h 5")).replace("rain-1/rain 0 ", "rain-1/rain 812.4 ");
    check("dry_weather", &dry, &totals("48h rain-1/rain 812.4"), expect!["48h unacknowledged (5 of 2)"]);
    check("dry_weather", &dry, &totals("48h rain-1/rain 813.4"), expect![""]);
    check("dry_weather", &dry, &totals("48h rain-1/rain 0.0"), expect![""]);
}

#[test]
fn a_surge_is_above_what_is_usual_outside_of_its_hours() {
    let day = each(10, 6 * 60, 22 * 60, "4");
    check(
        "surge",
        "high = 5\ntimes = 3\nbaseline_h = 24\nhours = \"22:00-06:00\"",
        &format!("{day} | 1320min 11 | 1330min 12.1 | 1340min 12"),
        expect![[r#"
            1330min unacknowledged (12.1 of 12)
            1340min returned_unacknowledged (12 of 12)"#]],
    );
    // What is usual is not known yet.
    check("surge", "high = 5\ntimes = 3\nbaseline_h = 24\nhours = \"22:00-06:00\"", "1320min 99", expect![""]);
}

/// What a record tells of an outfall, before the samples.
fn told(outfall: Outfall) -> RecordAt {
    let stamp = records("0s")[0].record.stamp;
    RecordAt { seq: Seq(0), record: Record { stamp, body: Body::Outfall(outfall) } }
}

/// The example's dossier, changed, and that `a` stands there.
pub(super) fn standing_at(change: impl FnOnce(&mut record::Dossier)) -> Vec<RecordAt> {
    let mut dossier: record::Dossier = toml::from_str(include_str!("../../../../../config/outfall.toml")).unwrap();
    change(&mut dossier);
    let outfall = dossier.code.clone();
    let version =
        record::DossierVersion { version: 1, by: record::Actor::User(0), reason: String::new(), dossier, told: None };
    let standing = Standing { outfall, devices: vec![SourceId::new("a").unwrap()], told: None };
    vec![told(Outfall::Dossier(Box::new(version))), told(Outfall::Devices(standing))]
}

#[test]
fn only_storm_water_has_to_be_dry() {
    let play = |class: OutfallClass| {
        let mut all = standing_at(|dossier| dossier.class = class);
        all.extend(records(&weather(48, "48h 5")));
        play(rules("dry_weather", DRY), &all)
    };
    assert_eq!(play(OutfallClass::UrbanStormwater), "48h unacknowledged (5 of 2)\n");
    assert_eq!(play(OutfallClass::UrbanTreatmentPlant), "");
}

#[test]
fn a_closed_outfall_that_discharges_is_a_rebound() {
    let play = |told: &[RecordAt]| {
        let all: Vec<RecordAt> = told.iter().cloned().chain(records("0s 5 | 1s 0")).collect();
        play(rules("rebound", "high = 0.5"), &all)
    };
    let abolished = standing_at(|dossier| dossier.state = LifeCycle::Abolished);
    assert_eq!(play(&abolished), "0s unacknowledged (5 of 0.5)\n1s returned_unacknowledged (0 of 0.5)\n");
    assert_eq!(play(&standing_at(|dossier| dossier.state = LifeCycle::InUse)), "");
    assert_eq!(play(&abolished[..1]), "", "nobody knows where it stands");
    assert_eq!(play(&abolished[1..]), "", "nobody knows what it is");
}

#[test]
fn an_expression_judges_by_what_is_known_and_by_nothing_else() {
    let keys = "expr = \"value > 50.0 && flow > 2.0 * usual && !gate\"\nfresh_s = 600\non_delay_s = 60\n\
                inputs = { flow = \"a/flow\", usual = { of = \"a/flow\", window_s = 1800, stat = \"mean\" }, gate = { alarm = \"gate\" } }\n\
                [[rule]]\nid = \"gate\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"level\"\nunit = \"m\"\nhigh = 1";
    check(
        "expr",
        keys,
        "0s 80 | 1s a/flow 1 | 2s 80 | 1min a/flow 1 | 2min a/flow 8 | 3min 80 | 4min 80 | 14min 40 | 15min a/flow 8 | \
         16min a/level 2 | 17min 80 | 18min a/level 0 | 60min a/flow 1 | 61min a/flow 9 | 62min bad | 63min 51 | 64min 51",
        expect![[r#"
            4min unacknowledged (1 of 0)
            16min unacknowledged (2 of 1)
            17min returned_unacknowledged (0 of 0)
            18min returned_unacknowledged (0 of 1)"#]],
    );
    // Nobody stands at an outfall: what is asked of one is not known.
    let asks = "expr = \"value > 1.0 && outfall.state == 'in_use' && outfall.flood_safety == outfall.flood_safety\"";
    check("expr", asks, "0s 5", expect![[""]]);
    let play = |told: &[RecordAt]| {
        let all: Vec<RecordAt> = told.iter().cloned().chain(records("0s 5 | 1s 0")).collect();
        play(rules("expr", asks), &all)
    };
    let in_use = play(&standing_at(|dossier| dossier.state = LifeCycle::InUse));
    assert_eq!(in_use, "0s unacknowledged (1 of 0)\n1s returned_unacknowledged (0 of 0)\n");
    assert_eq!(play(&standing_at(|dossier| dossier.state = LifeCycle::Merged)), "");
}

#[test]
fn an_expression_without_an_answer_is_counted_and_finds_nothing() {
    let mut engine =
        crate::Engine::new(rules("expr", "expr = \"value / other > 1.0\"\ninputs = { other = \"a/flow\" }"));
    let found: Vec<_> = records("0s 5 | 1s a/flow 0 | 2s 5 | 3s 6 | 4s a/flow 1 | 5s 7")
        .iter()
        .map(|at| engine.apply(at).len())
        .collect();
    assert_eq!(found, [0, 0, 0, 0, 0, 1]);
    let faults: Vec<_> = engine.expression_faults().map(|fault| (fault.readings, fault.why.to_string())).collect();
    assert_eq!(faults, [(2, "a division by zero".to_owned())]);
    let now = records("6s")[0].record.stamp;
    let (rule, source) = (record::RuleId::new("r").unwrap(), SourceId::new("a").unwrap());
    assert_eq!(engine.inputs(&rule, &source, &now), [("other".to_owned(), Some("1".to_owned()))]);
}
