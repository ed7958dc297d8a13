//! The most that is allowed is allowed, and one more is not; and what a set of rules asks of who feeds it.

use super::{RULE, of_kind};
use crate::expression::INPUTS_MAX;
use crate::rule_set::section::SAMPLERS_MAX;
use crate::suppression::CONDITIONS_MAX;
use crate::{DELAY_S_MAX, RULES_MAX, RuleSet, TEXT_BYTES_MAX};

/// Whether these keys make a rule of this kind, in mg/L.
fn is_rule(kind: &str, keys: &str) -> bool {
    RuleSet::from_toml(&of_kind(kind, keys)).is_ok()
}

#[test]
fn a_box_has_so_many_rules() {
    let rules = |count: usize| (0..count).map(|n| RULE.replace("cod-high", &format!("r{n}"))).collect::<String>();
    assert_eq!(RuleSet::from_toml(&rules(RULES_MAX)).unwrap().iter().len(), RULES_MAX);
    assert!(RuleSet::from_toml(&rules(RULES_MAX + 1)).is_err());
}

#[test]
fn an_expression_has_so_many_inputs_of_such_names() {
    let of = |names: &[String]| {
        let inputs: Vec<String> = names.iter().map(|name| format!("{name} = \"a/flow\"")).collect();
        is_rule("expr", &format!("expr = \"value > 1.0\"\ninputs = {{ {} }}", inputs.join(", ")))
    };
    let many = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>();
    assert!(of(&many(INPUTS_MAX)) && !of(&many(INPUTS_MAX + 1)));
    for (name, is_legal) in [
        ("flow", true),
        ("flow_2", true),
        (&"n".repeat(40), true),
        (&"n".repeat(41), false),
        ("2flow", false),
        ("_flow", false),
        ("fLow", false),
        ("fl-ow", false),
        ("Flow", false),
        ("value", false),
        ("while", false),
    ] {
        assert_eq!(of(&[name.to_owned()]), is_legal, "{name}");
    }
}

#[test]
fn a_window_is_of_whole_minutes_and_from_an_hour_on_of_ten() {
    let of = |window_s: u32| {
        let input = format!("x = {{ of = \"a/flow\", window_s = {window_s}, stat = \"mean\" }}");
        is_rule("expr", &format!("expr = \"value > x\"\ninputs = {{ {input} }}"))
    };
    let legal = [1, 60, 90, 600, 3_540, 3_600, 3_660, 4_200, 604_800, 605_400].map(|window_s| (window_s, of(window_s)));
    assert!(
        legal.iter().all(|(s, is_legal)| *is_legal == [60, 600, 3_540, 3_600, 4_200, 604_800].contains(s)),
        "{legal:?}"
    );
}

#[test]
fn conditions_samplers_and_texts_are_bounded() {
    let conditions = |count: usize| {
        let one = "{ value = \"a/flow\", above = 1 }, ";
        is_rule("limit", &format!("high = 1\nsuppress_while = [{}]", one.repeat(count)))
    };
    assert!(conditions(CONDITIONS_MAX) && !conditions(CONDITIONS_MAX + 1));
    let samplers = |count: usize| {
        let names: Vec<String> = (0..count).map(|n| format!("\"s{n}\"")).collect();
        is_rule("limit", &format!("high = 1\nsample = [{}]", names.join(", ")))
    };
    assert!(samplers(SAMPLERS_MAX) && !samplers(SAMPLERS_MAX + 1));
    let long = |bytes: usize| is_rule("expr", &format!("expr = \"value > 1.0{}\"", " ".repeat(bytes - 11)));
    assert!(long(TEXT_BYTES_MAX) && !long(TEXT_BYTES_MAX + 1));
}

#[test]
fn delays_and_what_is_kept_are_bounded_by_a_day() {
    let (day, more) = (DELAY_S_MAX, DELAY_S_MAX + 1);
    for keys in [
        "on_delay_s = D",
        "off_delay_s = D",
        "sampling = { alarm_s = 60, normal_s = D }",
        "keep = { before_s = D, after_s = 0 }",
        "keep = { before_s = 0, after_s = D }",
    ] {
        let of = |seconds: u32| is_rule("limit", &format!("high = 1\n{}", keys.replace('D', &seconds.to_string())));
        assert!(of(day) && !of(more), "{keys}");
    }
    assert!(!is_rule("limit", "high = 1\nsampling = { alarm_s = 0, normal_s = 60 }"));
    // The device of a value stands before its quantity.
    assert!(!is_rule("limit", "high = 1\nsuppress_while = [{ value = \"a/flow\", above = 1, device = \"a\" }]"));
}

/// A daemon that is told nothing by them needs no timer.
#[test]
fn a_set_says_whether_time_alone_matters_to_it() {
    let gate =
        "[[rule]]\nid = \"gate\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"level\"\nunit = \"m\"\nhigh = 1";
    for (kind, keys, finds, shows) in [
        ("limit", "high = 1", false, false),
        ("stuck", "for_s = 60", false, false),
        ("silence", "for_s = 60", true, false),
        ("mean", "high = 1\nwindow = \"1h\"", true, false),
        ("limit", "high = 1\nlatched = true", true, true),
        ("limit", &format!("high = 1\nsuppress_while = [{{ alarm = \"gate\" }}]\n{gate}"), true, true),
        ("expr", "expr = \"value > 1.0\"", true, true),
    ] {
        let rules = RuleSet::from_toml(&of_kind(kind, keys)).unwrap();
        assert_eq!((rules.watch_time(), rules.change_what_is_shown()), (finds, shows), "{kind} {keys}");
    }
}
