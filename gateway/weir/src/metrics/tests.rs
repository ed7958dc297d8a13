//! The names that dashboards rely on.

use std::collections::BTreeSet;

use expect_test::expect;

use super::names::Kind;
use super::*;

#[test]
fn names_say_their_unit_and_kind() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len(), "none stands twice");
    for metric in METRICS {
        let is_name =
            metric.name.starts_with("weir_") && metric.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        assert!(is_name && metric.name.ends_with("_total") == (metric.kind == Kind::Counter), "{}", metric.name);
        assert!(!metric.en.contains('\n') && !metric.zh.is_ascii(), "{}", metric.name);
    }
}

#[test]
fn daemons_that_do_not_answer_are_told_as_well() {
    expect![[r#"
        # HELP weir_up 1 if the daemon answers
        # TYPE weir_up gauge
        weir_up{daemon="gateway"} 0
        weir_up{daemon="sync"} 0
        # HELP weir_wrong How much `weir status` calls wrong
        # TYPE weir_wrong gauge
        weir_wrong 2
    "#]]
    .assert_eq(&text(None, None, 2));
    assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    assert_eq!([0, 7, 1_250].map(seconds), ["0.000", "0.007", "1.250"]);
}
