//! Check the checkers: a box with one fault each, and the invariant that must name it.

use record::{RecordAt, UnixMs};

use crate::world::{Settings, World};
use crate::{beside, play};

/// What is wrong with a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A stored record reads differently later.
    AltersRecords,
    /// A number is left out.
    SkipsNumbers,
    /// Acknowledges what is judged and not stored yet.
    AcknowledgesEarly,
    /// Acknowledges what the disk did not take.
    AcknowledgesTheUnstored,
    /// Does not count what it had to let go.
    ForgetsWhatItLost,
    /// Takes every 200 for a receipt.
    BelievesEverything,
    /// Starts without the batches that were on their way.
    ForgetsItsOutbox,
    /// Sends everything, whatever its filter says.
    LeaksTheWithheld,
    /// Withholds refused frames that nobody said it should.
    WithholdsTooMuch,
    /// Hears no time-out.
    NeverTriesAgain,
    /// Lets one destination wait while another does not answer.
    WaitsForOthers,
    /// Takes alarms for ordinary records.
    DeafToAlarms,
    /// Shows alarms that it did not store.
    KeepsAlarmsToItself,
    /// Starts with rules that have seen nothing.
    ForgetsItsRules,
    /// Starts with windows in which nothing was measured.
    ForgetsOpenWindows,
    /// Says that its clock is good.
    ClaimsGoodTime,
    /// Lets any number of frames wait.
    QueuesWithoutBound,
    /// Takes records away and does not tell.
    LosesInSilence,
    /// Tells another loss than it has.
    MiscountsLosses,
}

impl Fault {
    /// Whether it shows where a destination has a filter. Others are looked for where none has.
    pub(crate) fn is_of_a_filter(self) -> bool {
        matches!(self, Fault::LeaksTheWithheld | Fault::WithholdsTooMuch)
    }
}

/// What a reader finds instead of what was stored.
pub(crate) fn damage(fault: Option<Fault>, again: bool, page: &mut Vec<RecordAt>) {
    match fault {
        Some(Fault::AltersRecords) if again => {
            for at in page.iter_mut().filter(|at| at.seq.0 % 10 == 7) {
                at.record.stamp.wall_ms = UnixMs(at.record.stamp.wall_ms.0 + 1);
            }
        }
        Some(Fault::SkipsNumbers) => page.retain(|at| at.seq.0 % 30 != 29),
        _ => {}
    }
}

/// Worlds that may pass without showing the fault.
const SEEDS_MAX: u64 = 20;

/// Some world must find the fault, and call it by its name; none may call it by another one.
fn caught(fault: Fault, invariant: &str) {
    caught_by(fault, &[invariant]);
}

/// The same of a fault that several notice, whoever comes first.
fn caught_by(fault: Fault, invariants: &[&str]) {
    for seed in 0..SEEDS_MAX {
        match play(Settings { fault: Some(fault), ..Settings::of(seed) }) {
            Ok(_) => {}
            Err(failed) => {
                let found = failed.violation.invariant;
                assert!(invariants.contains(&found), "{fault:?} is {found}: {}", failed.violation.what);
                return;
            }
        }
    }
    panic!("{fault:?} stayed unseen in {SEEDS_MAX} worlds");
}

#[test]
fn j1_catches_a_journal_that_alters_records() {
    caught(Fault::AltersRecords, "J1");
}

#[test]
fn j2_catches_a_journal_that_leaves_out_a_number() {
    caught(Fault::SkipsNumbers, "J2");
}

#[test]
fn j2_catches_a_keeper_that_loses_in_silence() {
    // Who reads misses a record that nobody told to be gone, and so does who delivers.
    caught_by(Fault::LosesInSilence, &["J2", "D3"]);
}

#[test]
fn j2_catches_a_keeper_that_miscounts_what_it_takes_away() {
    caught(Fault::MiscountsLosses, "J2");
}

#[test]
fn a1_catches_a_gateway_that_acknowledges_early() {
    caught(Fault::AcknowledgesEarly, "A1");
}

#[test]
fn a2_catches_a_gateway_that_acknowledges_what_is_not_stored() {
    caught(Fault::AcknowledgesTheUnstored, "A2");
}

#[test]
fn a3_catches_a_gateway_that_forgets_what_it_lost() {
    caught(Fault::ForgetsWhatItLost, "A3");
}

#[test]
fn d1_catches_a_box_that_believes_everything() {
    caught(Fault::BelievesEverything, "D1");
}

#[test]
fn d2_catches_a_box_that_forgets_its_outbox() {
    caught(Fault::ForgetsItsOutbox, "D2");
}

#[test]
fn d3_catches_a_box_that_never_tries_again() {
    caught(Fault::NeverTriesAgain, "D3");
}

#[test]
fn d3_catches_a_box_that_withholds_too_much() {
    caught(Fault::WithholdsTooMuch, "D3");
}

#[test]
fn d6_catches_a_box_that_sends_what_is_withheld() {
    caught(Fault::LeaksTheWithheld, "D6");
}

#[test]
fn d4_catches_a_box_that_lets_one_platform_wait_for_another() {
    let delayed = |seed| beside(Settings { fault: Some(Fault::WaitsForOthers), ..Settings::of(seed) });
    let found = (0..SEEDS_MAX).find_map(|seed| delayed(seed).err()).expect("the fault stayed unseen");
    assert_eq!(found.violation.invariant, "D4", "{}", found.violation.what);
}

#[test]
fn d5_catches_a_box_that_is_deaf_to_alarms() {
    caught(Fault::DeafToAlarms, "D5");
}

#[test]
fn r1_catches_a_gateway_that_shows_what_it_did_not_store() {
    caught(Fault::KeepsAlarmsToItself, "R1");
}

#[test]
fn r2_catches_a_gateway_that_forgets_its_rules() {
    caught(Fault::ForgetsItsRules, "R2");
}

#[test]
fn r2_catches_a_gateway_that_forgets_open_windows() {
    caught(Fault::ForgetsOpenWindows, "R2");
}

#[test]
fn t1_catches_a_clock_that_claims_to_be_good() {
    caught(Fault::ClaimsGoodTime, "T1");
}

#[test]
fn b1_catches_a_queue_without_bound() {
    caught(Fault::QueuesWithoutBound, "B1");
}

/// A fault must change nothing by itself: without one these worlds are sound.
#[test]
fn a_sound_box_passes_where_the_broken_ones_fail() {
    for seed in 0..3 {
        let passed = World::new(Settings::of(seed)).run();
        assert!(passed.is_ok(), "seed {seed}: {passed:?}");
    }
}
