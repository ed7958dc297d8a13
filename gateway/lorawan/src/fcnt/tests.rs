use proptest::prelude::*;

use super::*;
use crate::end_device::{DataUp, data_up};
use crate::vectors::{bytes, counted, keys, keys_1_1, keys_of, sent};

/// A device whose last frame had this counter.
fn last(f_cnt: u32) -> Counters {
    Counters::after(&sent(f_cnt, b"the last frame"), f_cnt)
}

fn check(last_f_cnt: Option<u32>, uplink: &Uplink, expected: Judged) {
    let counters = last_f_cnt.map(last).unwrap_or_default();
    assert_eq!(judge(uplink, &keys(), &counters, MicContext::default()), expected, "last {last_f_cnt:?}, {uplink:?}");
}

#[test]
fn counters_of_another_implementation() {
    check(None, &counted(1), Judged::New { f_cnt: 1 });
    check(Some(1), &counted(65_535), Judged::New { f_cnt: 65_535 });
    check(Some(65_535), &counted(65_536), Judged::New { f_cnt: 65_536 });
    check(Some(65_536), &counted(65_537), Judged::New { f_cnt: 65_537 });
    check(Some(65_537), &counted(131_071), Judged::New { f_cnt: 131_071 });
    check(None, &counted(200_000), Judged::New { f_cnt: 200_000 });
}

#[test]
fn a_device_that_counted_on_through_an_outage_is_heard() {
    for gap in [1, 2, 20_000, 65_535, 65_536, 65_537, 100_000, 500_000] {
        for start in [0, 1, 65_534, 65_535, 70_000, 1_000_000] {
            check(Some(start), &sent(start + gap, b"after the gap"), Judged::New { f_cnt: start + gap });
        }
    }
}

#[test]
fn the_search_ahead_is_bounded() {
    let (first, tries) = (101, EPOCHS_AHEAD_MAX);
    let farthest = first + (tries << 16);
    check(Some(100), &sent(farthest, b""), Judged::New { f_cnt: farthest });
    check(Some(100), &sent(farthest + 0x1_0000, b""), Judged::BadMic);
}

#[test]
fn the_last_frame_again() {
    for f_cnt in [0, 65_535, 65_536, 300_000] {
        check(Some(f_cnt), &sent(f_cnt, b"the last frame"), Judged::Retransmission { f_cnt });
        check(Some(f_cnt), &sent(f_cnt, b"something else"), Judged::Forked { f_cnt });
    }
    // The confirmed bit is part of the frame: the same reading sent unconfirmed is another frame.
    let counters = last(9);
    let mut phy = sent(9, b"the last frame").phy().to_vec();
    phy[0] = 0x40;
    assert_eq!(judge(&Uplink::parse(&phy).unwrap(), &keys(), &counters, MicContext::default()), Judged::BadMic);
}

#[test]
fn an_older_frame_is_never_new() {
    check(Some(100), &sent(99, b""), Judged::Replayed { f_cnt: 99 });
    check(Some(100), &sent(85, b""), Judged::Replayed { f_cnt: 85 });
    check(Some(100), &sent(16, b""), Judged::Replayed { f_cnt: 16 });
    check(Some(10), &sent(3, b""), Judged::Replayed { f_cnt: 3 });
    check(Some(200_000), &sent(131_071, b""), Judged::Replayed { f_cnt: 131_071 });
    check(Some(600_000), &sent(600_000 - (8 << 16), b""), Judged::Replayed { f_cnt: 600_000 - (8 << 16) });
    // So old that it is not looked for: refused all the same.
    check(Some(5_000_000), &sent(1_000_000, b""), Judged::BadMic);
}

#[test]
fn a_counter_back_at_the_beginning_is_a_reset_and_refused() {
    check(Some(100), &sent(0, b""), Judged::Reset { f_cnt: 0 });
    check(Some(100), &sent(1, b""), Judged::Reset { f_cnt: 1 });
    check(Some(100), &sent(15, b""), Judged::Reset { f_cnt: 15 });
    check(Some(16), &sent(0, b""), Judged::Reset { f_cnt: 0 });
    check(Some(15), &sent(0, b""), Judged::Replayed { f_cnt: 0 });
    check(Some(5_000_000), &sent(0, b""), Judged::Reset { f_cnt: 0 });
}

#[test]
fn the_last_counter_of_all_is_taken_once() {
    check(Some(u32::MAX - 1), &sent(u32::MAX, b"end"), Judged::New { f_cnt: u32::MAX });
    let counters = Counters::after(&sent(u32::MAX, b"end"), u32::MAX);
    let again = judge(&sent(u32::MAX, b"end"), &keys(), &counters, MicContext::default());
    assert_eq!(again, Judged::Retransmission { f_cnt: u32::MAX });
    assert_eq!(
        judge(&sent(u32::MAX, b"other"), &keys(), &counters, MicContext::default()),
        Judged::Forked { f_cnt: u32::MAX }
    );
    assert_eq!(
        judge(&sent(u32::MAX - 1, b""), &keys(), &counters, MicContext::default()),
        Judged::Replayed { f_cnt: u32::MAX - 1 }
    );
    assert_eq!(judge(&sent(7, b""), &keys(), &counters, MicContext::default()), Judged::Reset { f_cnt: 7 });
}

#[test]
fn other_keys_verify_nothing() {
    let stranger = keys_of(&"02".repeat(16), &"01".repeat(16));
    let frame = Uplink::parse(&bytes("400403020180010001a694642615d6c3b582")).unwrap();
    assert_eq!(judge(&frame, &stranger, &Counters::default(), MicContext::default()), Judged::New { f_cnt: 1 });
    assert_eq!(judge(&frame, &keys(), &Counters::default(), MicContext::default()), Judged::BadMic);
}

proptest! {
    #[test]
    fn candidates_are_those_with_the_same_low_bits(next_up: u32, low: u16) {
        let naive = |range: &mut dyn Iterator<Item = u32>| -> Vec<u32> {
            range.filter(|f_cnt| f_cnt & 0xffff == u32::from(low)).take(1).collect()
        };
        let nearest_ahead = naive(&mut (next_up..=next_up.saturating_add(0xffff)));
        let found: Vec<u32> = ahead(next_up, low).collect();
        prop_assert_eq!(found.first(), nearest_ahead.first());
        prop_assert!(found.iter().all(|f_cnt| *f_cnt >= next_up && f_cnt & 0xffff == u32::from(low)));
        prop_assert!(found.is_sorted() && found.len() <= 9);

        let nearest_behind = naive(&mut (next_up.saturating_sub(0x1_0000)..next_up).rev());
        let found: Vec<u32> = behind(next_up, low).collect();
        prop_assert_eq!(found.first(), nearest_behind.first());
        prop_assert!(found.iter().all(|f_cnt| *f_cnt < next_up && f_cnt & 0xffff == u32::from(low)));
        prop_assert!(found.is_sorted_by(|a, b| a >= b) && found.len() <= 10);
    }

    /// Whatever is sent in whatever order, each frame is new at most once, and counters only rise.
    #[test]
    fn each_frame_is_new_at_most_once(order in prop::collection::vec(0u32..200_000, 1..40)) {
        let mut counters = Counters::default();
        let mut taken = Vec::new();
        for f_cnt in order {
            let frame = sent(f_cnt, b"x");
            let before = counters.next_up;
            match judge(&frame, &keys(), &counters, MicContext::default()) {
                Judged::New { f_cnt: found } => {
                    prop_assert_eq!(found, f_cnt);
                    prop_assert!(found >= before && !taken.contains(&found));
                    taken.push(found);
                    counters = Counters::after(&frame, found);
                }
                Judged::Retransmission { f_cnt: found } => prop_assert_eq!(Some(&found), taken.last()),
                Judged::Replayed { f_cnt: found } | Judged::Reset { f_cnt: found } => {
                    prop_assert_eq!(found, f_cnt);
                    prop_assert!(found < before);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

/// A frame of a 1.1 device with DR5 on channel `tx_ch`.
fn sent_1_1(f_cnt: u32, payload: &[u8], tx_ch: u8) -> (Uplink, MicContext) {
    let context = MicContext { conf_f_cnt: 0, tx_dr: 5, tx_ch };
    let up = DataUp { confirmed: true, f_cnt, f_port: 2, payload, context, ..DataUp::default() };
    (Uplink::parse(&data_up(up, &keys_1_1())).unwrap(), context)
}

#[test]
fn a_1_1_device_is_judged_alike() {
    let (last, _) = sent_1_1(70_000, b"last", 0);
    let counters = Counters::after(&last, 70_000);
    let check = |f_cnt, payload: &[u8], tx_ch, expected| {
        let (uplink, context) = sent_1_1(f_cnt, payload, tx_ch);
        assert_eq!(judge(&uplink, &keys_1_1(), &counters, context), expected, "{f_cnt}");
        let elsewhere = MicContext { tx_ch: tx_ch + 1, ..context };
        assert_eq!(judge(&uplink, &keys_1_1(), &counters, elsewhere), Judged::BadMic, "{f_cnt}, on another channel");
    };
    for gap in [1, 20_000, 100_000] {
        check(70_000 + gap, b"next", 2, Judged::New { f_cnt: 70_000 + gap });
    }
    check(0, b"first", 2, Judged::Reset { f_cnt: 0 });
    check(69_999, b"old", 2, Judged::Replayed { f_cnt: 69_999 });
    // A repetition on another channel has another MIC, and is the same frame.
    check(70_000, b"last", 0, Judged::Retransmission { f_cnt: 70_000 });
    check(70_000, b"last", 2, Judged::Retransmission { f_cnt: 70_000 });
    check(70_000, b"fork", 2, Judged::Forked { f_cnt: 70_000 });
}
