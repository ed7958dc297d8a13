use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use crate::{FrameDigest, Novelty, ReplayWindow};

/// Frames as `counter` or `counter text`, and what each is.
fn check(frames: &str, answer: Expect) {
    let mut window = ReplayWindow::default();
    let judged = frames.split(" | ").map(|frame| {
        let counter = frame.split(' ').next().unwrap().parse().unwrap();
        format!("{:?}", window.admit(counter, FrameDigest::of(frame.as_bytes())))
    });
    answer.assert_eq(&judged.collect::<Vec<_>>().join(" | "));
}

#[test]
fn each_counter_once() {
    check("5 | 6 | 6 | 6 other | 5", expect!["New | New | Duplicate | Forked | Duplicate"]);
    check("100 | 98 | 99 | 98", expect!["New | New | New | Duplicate"]);
    // 64 counters up to the highest: 137 is the last one of 200 that can be told.
    check("200 | 137 | 136 | 137 | 201 | 137", expect!["New | New | Replayed | Duplicate | New | Replayed"]);
    check(
        "0 | 0 | 18446744073709551615 | 18446744073709551615 | 0",
        expect!["New | Duplicate | New | Duplicate | Replayed"],
    );
}

#[test]
fn two_windows_of_one_device_become_one() {
    let window = |counters: &[u64]| {
        let mut window = ReplayWindow::default();
        for counter in counters {
            window.admit(*counter, FrameDigest::of(&counter.to_be_bytes()));
        }
        window
    };
    for (own, other) in [(&[5, 7][..], &[6, 90][..]), (&[6, 90], &[5, 7]), (&[], &[90, 30, 6]), (&[90, 30], &[])] {
        let mut both = window(own);
        both.absorb(&window(other));
        let all: Vec<u64> = own.iter().chain(other).copied().collect();
        assert_eq!(both, window(&all), "{own:?} {other:?}");
    }
}

fn stored(window: &ReplayWindow) -> Vec<u8> {
    minicbor::to_vec(window).unwrap()
}

#[test]
fn a_full_window_is_small_and_bad_bytes_are_none() {
    let mut window = ReplayWindow::default();
    for counter in 1 << 40..(1 << 40) + 200 {
        assert_eq!(window.admit(counter, FrameDigest::of(b"")), Novelty::New);
    }
    assert_eq!(stored(&window).len(), 534);
    for bad in ["8300", "830000", "8300004100", "83000141", "8301024800000000000000 00", "83000348000000000000000048"] {
        let bytes = hex::decode(bad.replace(' ', "")).unwrap();
        assert!(minicbor::decode::<ReplayWindow>(&bytes).is_err(), "{bad}");
    }
    // Counter 0 with one below it.
    let mut below_zero = hex::decode("83000350").unwrap();
    below_zero.extend([0; 16]);
    assert!(minicbor::decode::<ReplayWindow>(&below_zero).is_err());
}

proptest! {
    /// As one would do it with unlimited memory; stored and read back at every step.
    #[test]
    fn as_a_plain_model(frames in prop::collection::vec((0_u64..200, 0_u8..3), 0..300)) {
        let (mut window, mut model) = (ReplayWindow::default(), BTreeMap::new());
        for (counter, text) in frames {
            let digest = FrameDigest::of(&[text]);
            let highest = model.keys().next_back().copied().unwrap_or(counter);
            let expected = match model.get(&counter) {
                _ if counter + 64 <= highest => Novelty::Replayed,
                None => Novelty::New,
                Some(seen) if *seen == digest => Novelty::Duplicate,
                Some(_) => Novelty::Forked,
            };
            if expected == Novelty::New {
                model.insert(counter, digest);
            }
            prop_assert_eq!(window.admit(counter, digest), expected);
            prop_assert_eq!(window.highest(), model.keys().next_back().copied());
            window = minicbor::decode(&stored(&window)).unwrap();
        }
    }

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(window) = minicbor::decode::<ReplayWindow>(&bytes) {
            prop_assert_eq!(minicbor::decode::<ReplayWindow>(&stored(&window)).unwrap(), window);
        }
    }
}
