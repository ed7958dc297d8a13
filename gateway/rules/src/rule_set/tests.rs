//! What stands in the file, and what is wrong with it.

mod bounds;

use super::*;
use expect_test::{Expect, expect};
use std::error::Error;

/// The annotated example that is shipped.
const EXAMPLE: &str = include_str!("../../../../config/rules.toml");

const RULE: &str = "\n[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\nhigh = 80\n";

fn check(text: &str, expected: Expect) {
    let shown = match RuleSet::from_toml(text) {
        Ok(rules) => format!("{:?}", rules.0),
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            causes.fold(error.to_string(), |shown, cause| format!("{shown}: {cause}"))
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_shipped_example_is_a_rule_set() {
    let rules = RuleSet::from_toml(EXAMPLE).unwrap();
    let ids: Vec<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["cod-high", "ph-low", "battery-low"]);
}

#[test]
fn defaults_are_the_plainest_rule() {
    check("", expect!["[]"]);
    check(
        RULE,
        expect![[
            r#"[Rule { id: "cod-high", devices: Every, quantity: "cod", unit: Some("mg/L"), basis: Reading { cold: None }, during: None, limit: Limit { side: High, setpoint: 80, reset: 80, on_delay_ms: 0, off_delay_ms: 0 }, limit_unit: "mg/L", priority: Medium, tier: Warning, latched: false, suppress_while: [], sampling: None, sample: [], keep: None }]"#
        ]],
    );
    check(
        &RULE
            .replace("high = 80", "low = 6.5\ndeadband = 0.2\non_delay_s = 10\npriority = \"high\"")
            .replace("\"*\"", "\"b\", \"a\""),
        expect![[
            r#"[Rule { id: "cod-high", devices: Named({"a", "b"}), quantity: "cod", unit: Some("mg/L"), basis: Reading { cold: None }, during: None, limit: Limit { side: Low, setpoint: 6.5, reset: 6.7, on_delay_ms: 10000, off_delay_ms: 0 }, limit_unit: "mg/L", priority: High, tier: Warning, latched: false, suppress_while: [], sampling: None, sample: [], keep: Some(Keep { before_s: 3600, after_s: 3600 }) }]"#
        ]],
    );
}

#[test]
fn faults_name_line_and_key() {
    check(
        &format!("{RULE}hihg = 1\n"),
        expect![
            "line 9: unknown key `hihg` of a rule of kind `limit`: it has `id`, `kind`, `devices`, `quantity`, `unit`, `priority`, `tier`, `hours`, `weekdays`, `holidays`, `latched`, `suppress_while`, `sampling`, `sample`, `keep`, `high`, `low`, `deadband`, `on_delay_s`, `off_delay_s`, `cold`"
        ],
    );
    check(
        &RULE.replace("\"limit\"", "\"average\""),
        expect![
            "line 4: unknown variant `average`, expected one of `limit`, `change`, `mean`, `load`, `silence`, `stuck`, `implausible`, `disagreement`, `unstable`, `dry_weather`, `surge`, `rebound`, `expr`"
        ],
    );
    check(&RULE.replace("id = \"cod-high\"\n", ""), expect!["line 2: missing field `id`"]);
    check(
        &RULE.replace("unit = \"mg/L\"\n", ""),
        expect!["line 2: rule `cod-high`: it has no `unit`: `cod` usually comes in `mg/L`"],
    );
    check(
        &RULE.replace("mg/L", "mg/l"),
        expect!["line 2: rule `cod-high`: unit `mg/l` is not known: `cod` usually comes in `mg/L`"],
    );
    check(
        &RULE.replace("cod\"\n", "cod_x\"\n").replace("mg/L", "mg/l"),
        expect!["line 2: rule `cod-high`: unit `mg/l` is not known: write it as UCUM does (mg/L, m3/h, uS/cm, Cel)"],
    );
    check(
        &RULE.replace("high = 80", ""),
        expect!["line 2: rule `cod-high`: it has neither of `high` and `low`: write one; for both, write two rules"],
    );
    check(
        &format!("{RULE}low = 1\n"),
        expect!["line 2: rule `cod-high`: it has both of `high` and `low`: write one; for both, write two rules"],
    );
    check(
        &format!("{RULE}deadband = -1\n"),
        expect!["line 2: rule `cod-high`: deadband -1 is below 0: write how far the value must come back, as 2"],
    );
    check(
        &format!("{RULE}deadband = 1e-30\n"),
        expect![
            "line 2: rule `cod-high`: limit 80 and deadband 0.000000000000000000000000000001 cannot be added exactly: use fewer digits"
        ],
    );
    check(
        &format!("{RULE}on_delay_s = 86401\n"),
        expect![
            "line 2: rule `cod-high`: on_delay_s 86401 is more than 86400 (one day): use a shorter delay, or a mean"
        ],
    );
    check(&RULE.replace("80", "\"80 mg/L\""), expect!["line 8: `80 mg/L` is not a decimal number"]);
    check(&RULE.replace("80", "nan"), expect!["line 8: `NaN` is not a decimal number"]);
    check(
        &RULE.replace("\"*\"", ""),
        expect![[
            r#"line 2: rule `cod-high`: `devices` is empty, or has `*` beside names: name devices, or write ["*"] for every one"#
        ]],
    );
    check(
        &RULE.replace("\"*\"", "\"*\", \"a\""),
        expect![[
            r#"line 2: rule `cod-high`: `devices` is empty, or has `*` beside names: name devices, or write ["*"] for every one"#
        ]],
    );
    check(
        &RULE.replace("\"*\"", "\"a b\""),
        expect!["line 2: rule `cod-high`: `devices`: `a b` is not a device name: use 1 to 64 of A-Z a-z 0-9 _ . -"],
    );
    check(
        &format!("{RULE}{RULE}"),
        expect!["line 10: rule `cod-high` stands twice, first at line 2: give each its own id"],
    );
    let many: String = (0..257).map(|n| RULE.replace("cod-high", &format!("r{n}"))).collect();
    check(&many, expect!["257 rules are more than the 256 of one box: join rules by naming several devices in one"]);
}

#[test]
fn an_expression_says_what_it_lacks() {
    let told = |keys: &str| match RuleSet::from_toml(&of_kind("expr", keys)) {
        Ok(_) => "fine".to_owned(),
        Err(error) => error.source().map_or(error.to_string(), |why| format!("{error}: {why}")),
    };
    let shown: String = [
        "expr = \"value > 1.0\"",
        "expr = \"value > 1.0 && flow\"\ninputs = { flow = \"a/flow\" }",
        "expr = \"value > \"",
        "expr = \"value > 1.0\"\ninputs = { in = \"a/flow\" }",
        "expr = \"value > 1.0\"\ninputs = { x = 5 }",
        "expr = \"value > 1.0\"\ninputs = { x = { of = \"a/flow\", window_s = 61, stat = \"mean\" } }",
        "expr = \"value > 1.0\"\ninputs = { x = { alarm = \"other\" } }",
        "expr = \"x\"\ninputs = { x = { alarm = \"r\" } }",
        "expr = \"value > 1.0\"\nhigh = 5",
        "expr = \"value > 1.0\"\non_delay_s = 86401",
        "expr = \"value > 1.0\"\ntier = \"exceedance\"",
    ]
    .map(|keys| format!("{}\n", told(keys)))
    .concat();
    expect![[r#"
        fine
        line 1: rule `r`: in the expression, `&&` cannot be had of bool and double
        line 1: rule `r`: the expression is not understood at line 1, column 9: it ends where a value is missing: write one behind `>`
        line 1: rule `r`: `in` is no name of an input: use a lower-case letter, then up to 39 of a-z 0-9 _, and no word of CEL
        line 8: an input is "DEVICE/QUANTITY", or { of = "DEVICE/QUANTITY", window_s = 3600, stat = "mean" } (or min, max, sum, count), or { alarm = "RULE", device = "DEVICE" }
        line 1: rule `r`: window_s 61 is no whole number of minutes, or from 3600 on of ten minutes
        line 1: rule `r`: it looks at the alarm of rule `other`, which is not there: write the id of a rule of this set
        line 1: rule `r`: it looks at its own alarm by way of `r`: no rule may hang on itself
        line 8: unknown key `high` of a rule of kind `expr`: it has `id`, `kind`, `devices`, `quantity`, `unit`, `priority`, `tier`, `hours`, `weekdays`, `holidays`, `latched`, `suppress_while`, `sampling`, `sample`, `keep`, `expr`, `inputs`, `fresh_s`, `on_delay_s`, `off_delay_s`
        line 1: rule `r`: on_delay_s 86401 is more than 86400 (one day): use a shorter delay, or a mean
        line 1: rule `r`: tier `exceedance` is for a mean of 24h, or for pH: whether a discharge exceeds its limit is judged by the daily mean (GB 18918-2002 4.1.4), and a single value above it is a `warning`
    "#]]
    .assert_eq(&shown);
}

#[test]
fn a_condition_names_what_there_is_and_hides_no_emergency() {
    let rule = |id: &str, more: &str| format!("{}{more}\n", RULE.replace("cod-high", id));
    let looks = |more: &str| rule("a", &format!("suppress_while = [{more}]")) + &rule("b", "");
    let sound = RuleSet::from_toml(&looks("{ alarm = \"b\" }, { value = \"pump-1/level\", below = 1, fresh_s = 60 }"));
    assert_eq!(sound.unwrap().iter().map(|rule| rule.suppress_while.len()).collect::<Vec<_>>(), [2, 0]);
    check(
        &looks("{ alarm = \"c\" }"),
        expect![
            "line 2: rule `a`: it looks at the alarm of rule `c`, which is not there: write the id of a rule of this set"
        ],
    );
    check(
        &looks("{ alarm = \"a\" }"),
        expect!["line 2: rule `a`: it looks at its own alarm by way of `a`: no rule may hang on itself"],
    );
    check(
        &looks("{ value = \"level\" }"),
        expect!["line 2: rule `a`: it has neither of `above` and `below`: write one; for both, write two rules"],
    );
    check(
        &looks("{ above = 1 }"),
        expect![[
            r#"line 2: rule `a`: a condition of `suppress_while` is { alarm = "RULE" }, for another device { alarm = "RULE", device = "DEVICE" }, or { value = "DEVICE/QUANTITY", above = 1 } with `above` or `below`, and `fresh_s` if need be"#
        ]],
    );
    check(
        &looks("{ alarm = \"b\", above = 1 }"),
        expect![[
            r#"line 2: rule `a`: a condition of `suppress_while` is { alarm = "RULE" }, for another device { alarm = "RULE", device = "DEVICE" }, or { value = "DEVICE/QUANTITY", above = 1 } with `above` or `below`, and `fresh_s` if need be"#
        ]],
    );
    check(
        &looks(&"{ alarm = \"b\" },".repeat(9)),
        expect!["line 2: rule `a`: `suppress_while` has 9 conditions, and 8 are the most"],
    );
    check(
        &looks("{ alarm = \"b\" }").replacen("high = 80", "high = 80\ntier = \"emergency\"", 1),
        expect![
            "line 2: rule `a`: an alarm of tier `emergency` is always shown: leave `suppress_while` out, or use a lower tier"
        ],
    );
    let named = rule("b", "").replace("[\"*\"]", "[\"d-1\"]");
    check(
        &(rule("a", "suppress_while = [{ alarm = \"b\" }]") + &named),
        expect![
            "line 2: rule `a`: it looks at the alarm of rule `b` for every device, which that rule does not judge: name one of its devices"
        ],
    );
    check(
        &(rule("a", "suppress_while = [{ alarm = \"b\", device = \"d-2\" }]") + &named),
        expect![
            "line 2: rule `a`: it looks at the alarm of rule `b` for `d-2`, which that rule does not judge: name one of its devices"
        ],
    );
    let circle = rule("a", "suppress_while = [{ alarm = \"b\" }]") + &rule("b", "suppress_while = [{ alarm = \"c\" }]");
    check(
        &(circle + &rule("c", "suppress_while = [{ alarm = \"a\" }]")),
        expect!["line 2: rule `a`: it looks at its own alarm by way of `a`, `b`, `c`: no rule may hang on itself"],
    );
}

#[test]
fn samplers_are_named_once_each() {
    let sample = |keys: &str| match RuleSet::from_toml(&format!("{RULE}{keys}\n")) {
        Ok(rules) => rules.iter().flat_map(|rule| &rule.sample).map(|id| id.to_string()).collect::<Vec<_>>().join(" "),
        Err(error) => {
            let causes = std::iter::successors(error.source(), |cause| (*cause).source());
            causes.fold(error.to_string(), |shown, cause| format!("{shown}: {cause}"))
        }
    };
    assert_eq!(sample(""), "");
    assert_eq!(sample("sample = \"east\""), "east");
    assert_eq!(sample("sample = [\"west\", \"east\", \"west\"]"), "east west");
    let bad = sample("sample = \"no spaces\"");
    assert!(bad.contains("line 9") && bad.contains("name a sampler"), "{bad}");
    let many: Vec<String> = (0..17).map(|n| format!("\"s{n}\"")).collect();
    let many = sample(&format!("sample = [{}]", many.join(", ")));
    assert!(many.contains("17 samplers") && many.contains("at most 16"), "{many}");
}

/// Who writes only weekends, or only holidays, wants no alarm on a working day.
#[test]
fn hours_weekdays_and_holidays_are_a_schedule_each_alone() {
    let is_always = |keys: &str| {
        let rules = RuleSet::from_toml(&format!("{RULE}{keys}\n")).unwrap();
        rules.iter().all(|rule| rule.during.is_none())
    };
    assert!(is_always(""));
    for keys in ["hours = \"22:00-06:00\"", "weekdays = [\"sat\", \"sun\"]", "holidays = [\"2026-10-01\"]"] {
        assert!(!is_always(keys), "{keys}");
    }
}

/// A rule of this kind with these keys of its own.
fn of_kind(kind: &str, keys: &str) -> String {
    format!("[[rule]]\nid = \"r\"\nkind = \"{kind}\"\ndevices = [\"a\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n{keys}\n")
}

#[test]
fn each_kind_says_what_it_lacks() {
    let faults = [
        ("limit", "high = 1\ncold = { temperature = \"water_temperature\", at = 12, low = 2 }"),
        ("limit", "high = 1\ncold = { temperature = \"odour\", at = 12, high = 2 }"),
        ("limit", "high = 1\ntier = \"exceedance\""),
        ("limit", "high = 1\nhours = \"22-06\""),
        ("limit", "high = 1\nsampling = { alarm_s = 600, normal_s = 600 }"),
        ("limit", "high = 1\nkeep = { before_s = 86401, after_s = 0 }"),
        ("change", "rise = 1"),
        ("change", "rise = 1\nfall = 1\nwithin_s = 60"),
        ("change", "fall = -1\nwithin_s = 60"),
        ("change", "rise = 1\nwithin_s = 0"),
        ("change", "high = 1\nwithin_s = 60"),
        ("mean", "high = 1\nwindow = \"3h\""),
        ("mean", "high = 1\nwindow = \"1h\"\nshare_min_percent = 0"),
        ("mean", "high = 1\nwindow = \"1h\"\nhours = \"22:00-06:00\""),
        ("mean", "high = 1\nwindow = \"8h\"\ntier = \"exceedance\""),
        ("mean", "high = 1\nwindow = \"1h\"\non_delay_s = 60"),
        ("load", "high = 1\nwindow = \"1h\"\nflow = \"flow\"\noff_delay_s = 60"),
        ("unstable", "high = 1\ntimes = 3\nwithin_s = 60\nrelax_after = 1\non_delay_s = 1"),
        ("load", "high = 1\nwindow = \"1h\"\nflow = \"flow-1/level\""),
        ("silence", "for_s = 604801"),
        ("stuck", "for_s = 60\nband = -1"),
        ("implausible", "readings = 1025"),
        ("disagreement", "with = \"b c/cod\"\nhigh = 1"),
        ("unstable", "high = 1\ntimes = 0\nwithin_s = 60\nrelax_after = 1"),
        ("dry_weather", "high = 1\nrain = \"rain-1/rain\"\ndry_h = 169\neffective = 1"),
        ("dry_weather", "high = 1\nrain = \"rain-1/rain\"\ndry_h = 48\neffective = 0"),
        (
            "dry_weather",
            "high = 1\nrain = \"rain-1/rain\"\ndry_h = 48\neffective = 1\nmelt = { temperature = \"t-1/air_temperature\", above = 0, months = [13] }",
        ),
        ("surge", "high = 1\ntimes = 3\nbaseline_h = 24"),
        ("surge", "low = 1\ntimes = 3\nbaseline_h = 24\nhours = \"22:00-06:00\""),
        ("rebound", "high = 1\nstates = [\"gone\"]"),
    ];
    let shown = |(kind, keys): &(&str, &str)| {
        let error = RuleSet::from_toml(&of_kind(kind, keys)).unwrap_err();
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        let text = causes.fold(error.to_string(), |shown, cause| format!("{shown}: {cause}"));
        format!("{kind}: {text}\n")
    };
    let all: String = faults.iter().map(shown).collect();
    expect![[r#"
        limit: line 1: rule `r`: it has both of `high` and `low`: write one; for both, write two rules
        limit: line 8: the quantity of `odour` has no usual unit, or this unit is not known: write it behind, as in `flow-1/flow L/s`
        limit: line 1: rule `r`: tier `exceedance` is for a mean of 24h, or for pH: whether a discharge exceeds its limit is judged by the daily mean (GB 18918-2002 4.1.4), and a single value above it is a `warning`
        limit: line 8: `22-06` are no hours: write 22:00-06:00
        limit: line 1: rule `r`: sampling of 600 s in an alarm and of 600 s else is no faster then, or slower than once a day
        limit: line 1: rule `r`: keep of 86401 s before and 0 s after is more than 86400 s (one day)
        change: line 1: missing field `within_s`
        change: line 1: rule `r`: it has both of `rise` and `fall`: write one; for both, write two rules
        change: line 1: rule `r`: fall -1 is not above 0
        change: line 1: rule `r`: within_s 0 is 0, or more than 604800 (a week)
        change: line 7: unknown key `high` of a rule of kind `change`: it has `id`, `kind`, `devices`, `quantity`, `unit`, `priority`, `tier`, `hours`, `weekdays`, `holidays`, `latched`, `suppress_while`, `sampling`, `sample`, `keep`, `rise`, `fall`, `within_s`
        mean: line 8: unknown variant `3h`, expected one of `10min`, `30min`, `1h`, `2h`, `4h`, `8h`, `24h`
        mean: line 1: rule `r`: share_min_percent 0 is not 1 to 100
        mean: line 1: rule `r`: `mean` has no hours, weekdays or holidays
        mean: line 1: rule `r`: tier `exceedance` is for a mean of 24h, or for pH: whether a discharge exceeds its limit is judged by the daily mean (GB 18918-2002 4.1.4), and a single value above it is a `warning`
        mean: line 1: rule `r`: `mean` has no on_delay_s or off_delay_s: it looks back over a time of its own
        load: line 1: rule `r`: `load` has no on_delay_s or off_delay_s: it looks back over a time of its own
        unstable: line 1: rule `r`: `unstable` has no on_delay_s or off_delay_s: it looks back over a time of its own
        load: line 1: rule `r`: no load can be made of `mg/L` and `m`: write a concentration as mg/L, a flow as m3/h
        silence: line 1: rule `r`: for_s 604801 is 0, or more than 604800 (a week)
        stuck: line 1: rule `r`: band -1 is below 0: write how far readings may be apart and still be the same, as 0.01
        implausible: line 1: rule `r`: readings 1025 is 0, or more than 1024
        disagreement: line 7: the quantity of `b c/cod` has no usual unit, or this unit is not known: write it behind, as in `flow-1/flow L/s`
        unstable: line 1: rule `r`: times 0 is 0, or more than 1024
        dry_weather: line 1: rule `r`: dry_h 169 is 0, or more than 168 (a week)
        dry_weather: line 1: rule `r`: effective 0 is not above 0
        dry_weather: line 1: rule `r`: month 13 is not 1 to 12
        surge: line 1: rule `r`: it has no `hours`, `weekdays` or `holidays`: a surge is one against all other hours
        surge: line 1: rule `r`: it has no `high`, or has `low`: a surge is upwards, and `high` is the least that counts as one
        rebound: line 8: unknown variant `gone`, expected one of `planned`, `拟设置`, `in_use`, `在用`, `suspended`, `停用`, `remediating`, `整治中`, `remediated`, `整治完成`, `merged`, `合并`, `清理合并`, `abolished`, `依法取缔`, `取缔`
    "#]]
    .assert_eq(&all);
}

#[test]
fn every_kind_can_be_written() {
    let kinds = [
        (
            "limit",
            "high = 8\ncold = { temperature = \"water_temperature\", at = 12, high = 15 }\nhours = \"22:00-06:00\"\nweekdays = [\"sat\"]\nholidays = [\"2026-10-01\"]",
        ),
        ("change", "rise = 20\nwithin_s = 600"),
        ("mean", "high = 50\nwindow = \"24h\"\nweighted_by = \"flow-1/flow L/s\"\ntier = \"exceedance\""),
        ("load", "high = 12.5\nwindow = \"24h\"\nflow = \"flow\""),
        ("silence", "for_s = 900"),
        ("stuck", "for_s = 7200\nband = 0.01"),
        ("implausible", "readings = 5"),
        ("disagreement", "with = \"cod-2/cod\"\nhigh = 10\non_delay_s = 60"),
        ("unstable", "high = 50\ntimes = 3\nwithin_s = 86400\nrelax_after = 24"),
        (
            "dry_weather",
            "high = 0.5\nrain = \"rain-1/rain\"\nrain_is = \"total\"\ndry_h = 48\neffective = 1\nbackflow = { level = \"river-1/level\", from = 2.5 }",
        ),
        ("surge", "high = 5\ntimes = 3\nbaseline_h = 24\nhours = \"22:00-06:00\""),
        ("rebound", "high = 0.1\nstates = [\"abolished\", \"remediated\"]"),
    ];
    for (kind, keys) in kinds {
        let rules = RuleSet::from_toml(&of_kind(kind, keys)).unwrap();
        let rule = rules.iter().next().unwrap();
        assert_eq!(rule.grounds().is_none(), kind == "limit", "{kind}");
    }
}
