//! Frames from the air.

use expect_test::{Expect, expect};
use lorawan::DevAddr;
use lorawan::end_device::{DataUp, data_up};

use super::bench::{Bench, WARM, heard, keys, show, uplink};

fn check(frames: impl IntoIterator<Item = Vec<u8>>, expected: Expect) {
    let mut bench = Bench::new();
    let shown: Vec<String> = frames.into_iter().map(|phy| show(&bench.judge(heard(phy)))).collect();
    expected.assert_eq(&shown.join("\n"));
}

#[test]
fn only_a_confirmed_frame_is_acknowledged_each_with_the_next_counter() {
    check(
        [uplink(0, true, WARM), uplink(1, false, WARM), uplink(2, true, WARM), uplink(70_000, true, WARM)],
        expect![[r#"
            accepted flow-1 #0 temperature_1 27.2 Cel · ack 0
            accepted flow-1 #1 temperature_1 27.2 Cel
            accepted flow-1 #2 temperature_1 27.2 Cel · ack 1
            accepted flow-1 #70000 temperature_1 27.2 Cel · ack 2"#]],
    );
}

#[test]
fn a_retransmission_is_acknowledged_eight_times_and_stored_never() {
    check(
        std::iter::repeat_n(uplink(5, true, WARM), 10),
        expect![[r#"
        accepted flow-1 #5 temperature_1 27.2 Cel · ack 0
        duplicate flow-1 · ack 1
        duplicate flow-1 · ack 2
        duplicate flow-1 · ack 3
        duplicate flow-1 · ack 4
        duplicate flow-1 · ack 5
        duplicate flow-1 · ack 6
        duplicate flow-1 · ack 7
        duplicate flow-1 · ack 8
        duplicate flow-1"#]],
    );
}

#[test]
fn a_new_frame_renews_the_acknowledgements() {
    let mut bench = Bench::new();
    let mut last = |f_cnt| {
        let verdicts: Vec<_> = (0..12).map(|_| bench.judge(heard(uplink(f_cnt, true, WARM)))).collect();
        verdicts.iter().filter(|verdict| verdict.downlink.is_some()).count()
    };
    assert_eq!((last(5), last(6)), (9, 9), "the first one and eight more");
}

#[test]
fn an_unconfirmed_copy_changes_nothing() {
    let mut bench = Bench::new();
    bench.judge(heard(uplink(5, false, WARM)));
    let copy = bench.judge(heard(uplink(5, false, WARM)));
    assert_eq!((show(&copy).as_str(), copy.session_changed), ("duplicate flow-1", false));
}

#[test]
fn old_frames_are_refused_by_their_kind() {
    check(
        [uplink(100, true, WARM), uplink(99, true, WARM), uplink(0, true, WARM)],
        expect![[r#"
            accepted flow-1 #100 temperature_1 27.2 Cel · ack 0
            replayed flow-1 kept: 26010001: FCnt 99 was used before
            counter_reset flow-1 kept: 26010001: FCnt went back to 0 · try: give the device new keys; else weir device reset-counter once, or counter_reset = true if replays are no danger"#]],
    );
    check(
        [uplink(100, true, WARM), uplink(100, true, &[1, 103, 1, 17])],
        expect![[r#"
            accepted flow-1 #100 temperature_1 27.2 Cel · ack 0
            forked flow-1 kept: 26010001: other bytes under the stored FCnt 100: somebody else has its keys · try: give the device new keys"#]],
    );
}

#[test]
fn what_proves_nothing_is_refused_with_its_reason() {
    let mut forged = uplink(1, true, WARM);
    *forged.last_mut().unwrap() ^= 1;
    check(
        [forged],
        expect![
            "bad_mic flow-1 kept: 26010001: the MIC does not verify · try: compare the keys in keys.toml with the device's"
        ],
    );
    let stranger = DataUp {
        dev_addr: DevAddr::from_u32(7),
        confirmed: true,
        f_cnt: 1,
        f_port: 2,
        payload: WARM,
        ..DataUp::default()
    };
    check(
        [data_up(stranger, &keys())],
        expect![
            "unknown_dev_addr ? kept: no device has DevAddr 00000007 · try: if it is yours, weir device add; else leave it"
        ],
    );
    let mut other_form = uplink(1, true, WARM);
    other_form[0] |= 0b100;
    check(
        [other_form, Vec::new(), vec![0x40; 300]],
        expect![[r#"
        malformed ? kept: frame is not in canonical form: a reserved bit is set; refuse it, the MIC would not cover it
        malformed ? kept: frame of 0 bytes is shorter than the 12 bytes of a data frame: refuse it
        malformed ? counted: frame of 300 bytes is longer than the 255 bytes a radio can send: refuse it"#]],
    );
    let mut join = vec![0; 23];
    join[1] = 1;
    check(
        [join, vec![0xe0; 12], vec![0x60; 12]],
        expect![[r#"
        unknown_dev_eui ? kept: no device has DevEUI 0000000000000000 (JoinEUI 0000000000000001) · try: if it is yours, weir device add; else leave it
        unsupported_type ? kept: frame has a proprietary format: ignore it
        unsupported_type ? kept: frame is a downlink of another network: ignore it"#]],
    );
}

#[test]
fn an_undecodable_frame_is_kept_and_acknowledged_because_it_will_never_be_better() {
    check(
        [uplink(0, true, &[1, 103, 1]), uplink(0, true, &[1, 103, 1]), uplink(1, true, b"")],
        expect![[r#"
            undecodable flow-1 kept: byte 2: type 103 (temperature) needs 2 bytes and 1 are left: the frame was cut · ack 0
            duplicate flow-1 · ack 1
            accepted flow-1 #1 · ack 2"#]],
    );
}

#[test]
fn evidence_of_strangers_is_bounded_and_theirs_alone() {
    let mut bench = Bench::new();
    let noise = || heard(vec![0x40; 30]);
    let kept = |bench: &mut Bench| {
        let verdicts: Vec<String> = (0..10).map(|_| show(&bench.judge(noise()))).collect();
        verdicts.iter().filter(|shown| shown.contains("kept")).count()
    };
    assert_eq!(kept(&mut bench), 3);
    bench.restart();
    assert_eq!(kept(&mut bench), 0, "a restart brings no new budget");
    bench.wait(1_200_000);
    assert_eq!(kept(&mut bench), 1, "a third of an hour, a third of it");
    let undecodable = show(&bench.judge(heard(uplink(0, true, &[1, 103, 1]))));
    assert!(undecodable.starts_with("undecodable flow-1 kept"), "{undecodable}");
}
