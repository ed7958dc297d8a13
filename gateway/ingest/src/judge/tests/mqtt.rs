//! Frames of authenticated MQTT clients.

use expect_test::{Expect, expect};

use super::bench::{Bench, publish, show};
use crate::{Arrival, REDELIVERIES_MAX};

fn check(arrivals: impl IntoIterator<Item = Arrival>, expected: Expect) {
    let mut bench = Bench::new();
    let shown: Vec<String> = arrivals.into_iter().map(|arrival| show(&bench.judge(arrival))).collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn a_frame_sent_again_is_stored_once() {
    check(
        [publish(Some(7), false, r#"{"cod":40.1}"#), publish(Some(7), true, r#"{"cod":40.1}"#)],
        expect![[r#"
            accepted cod-1 cod 40.1 mg/L
            duplicate cod-1"#]],
    );
}

#[test]
fn equal_readings_sent_on_purpose_are_two_frames() {
    check(
        [publish(Some(7), false, r#"{"cod":40.1}"#), publish(Some(7), false, r#"{"cod":40.1}"#)],
        expect![[r#"
            accepted cod-1 cod 40.1 mg/L
            accepted cod-1 cod 40.1 mg/L"#]],
    );
}

#[test]
fn dup_alone_proves_nothing() {
    check(
        [
            publish(Some(7), true, r#"{"cod":40.1}"#),
            publish(Some(7), true, r#"{"cod":40.2}"#),
            publish(Some(8), true, r#"{"cod":40.1}"#),
            publish(None, true, r#"{"cod":40.1}"#),
            publish(None, true, r#"{"cod":40.1}"#),
        ],
        expect![[r#"
            accepted cod-1 cod 40.1 mg/L
            accepted cod-1 cod 40.2 mg/L
            accepted cod-1 cod 40.1 mg/L
            accepted cod-1 cod 40.1 mg/L
            accepted cod-1 cod 40.1 mg/L"#]],
    );
}

#[test]
fn what_cannot_be_decoded_is_evidence_and_never_a_zero() {
    check(
        [
            publish(Some(1), false, "{\"cod\":"),
            publish(Some(1), true, "{\"cod\":"),
            publish(Some(2), false, r#"{"temp":1}"#),
            publish(Some(3), false, r#"{"cod":"dry"}"#),
            publish(Some(4), false, r#"{"cod":NaN}"#),
        ],
        expect![[r#"
            undecodable cod-1 kept: payload is not JSON at byte 7: EOF while parsing a value
            duplicate cod-1
            undecodable cod-1 kept: none of the mapping's fields is in the payload (/cod): compare `[device.codec]` with what it sends
            accepted cod-1 cod not_a_number mg/L
            accepted cod-1 cod not_a_number mg/L"#]],
    );
}

#[test]
fn every_frame_of_a_full_window_is_recognised() {
    let mut bench = Bench::new();
    let frame = |id, dup| publish(Some(id), dup, r#"{"cod":40.1}"#);
    let verdicts = |bench: &mut Bench, dup| -> Vec<String> {
        (1..=REDELIVERIES_MAX).map(|id| show(&bench.judge(frame(id, dup)))).collect()
    };
    assert!(verdicts(&mut bench, false).iter().all(|shown| shown.starts_with("accepted")));
    bench.restart();
    assert!(verdicts(&mut bench, true).iter().all(|shown| shown.starts_with("duplicate")));
    bench.judge(frame(REDELIVERIES_MAX + 1, false));
    assert!(show(&bench.judge(frame(1, true))).starts_with("accepted"), "what is remembered is bounded (B1)");
}
