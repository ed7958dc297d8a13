//! Checking the checker: clocks that are wrong in known ways must break T1.

use record::{BootNo, ClockQuality, MonoMs, Stamp, UnixMs, invariant};

use super::super::{ASK_EVERY_MS, Clock, Discipline};
use super::{DAY_MS, World};

/// A source steers for an hour; a hand moves the clock by three days; the source comes and goes again.
fn t1_holds(mut stamp: impl FnMut(MonoMs, UnixMs, Option<Discipline>) -> Stamp) -> bool {
    let mut world = World::boot(-DAY_MS.cast_signed(), 200);
    let mut holds = true;
    let mut look = |world: &World| {
        let made = stamp(world.mono(), world.wall(), world.word());
        holds &= invariant::t1_no_false_good_time(&made, world.truth());
    };
    look(&world);
    world.steer(0, 20);
    for passed_ms in [5_000, 3_600_000] {
        world.pass(passed_ms);
        look(&world);
    }
    world.hand(3 * DAY_MS.cast_signed());
    for passed_ms in [100, 5_000] {
        world.pass(passed_ms);
        look(&world);
    }
    world.steer(0, 20);
    world.pass(5_000);
    look(&world);
    world.lose();
    world.pass(4 * DAY_MS);
    look(&world);
    holds
}

#[test]
fn the_clock_keeps_t1() {
    let mut clock = Clock::new(BootNo(0), None);
    assert!(t1_holds(|mono, wall, word| clock.stamp_at(mono, wall, || word)));
}

#[test]
fn a_clock_that_claims_what_it_shows_breaks_t1() {
    assert!(!t1_holds(|mono_ms, wall_ms, _| {
        Stamp { boot: BootNo(0), mono_ms, wall_ms, clock: ClockQuality::Synchronised }
    }));
}

/// Asks every second, and does not see what happens between.
#[test]
fn a_clock_that_overlooks_a_hand_breaks_t1() {
    let mut asked: Option<(MonoMs, ClockQuality)> = None;
    assert!(!t1_holds(|mono_ms, wall_ms, word| {
        let fresh = asked.filter(|(at, _)| mono_ms.0 - at.0 < ASK_EVERY_MS).map(|(_, quality)| quality);
        let clock = fresh.unwrap_or(match word {
            Some(word) if word.synchronised => ClockQuality::Synchronised,
            _ => ClockQuality::Unset,
        });
        asked = Some((mono_ms, clock));
        Stamp { boot: BootNo(0), mono_ms, wall_ms, clock }
    }));
}

/// Believes the kernel's bound, which stops at 16 s and does not know of hands.
#[test]
fn a_clock_that_believes_the_kernels_bound_for_ever_breaks_t1() {
    let mut known = false;
    assert!(!t1_holds(|mono_ms, wall_ms, word| {
        let synchronised = word.is_some_and(|word| word.synchronised);
        known |= synchronised;
        let clock = match (synchronised, known) {
            (true, _) => ClockQuality::Synchronised,
            (false, true) => ClockQuality::Holdover { error_ms: word.map_or(0, |word| word.error_ms) },
            (false, false) => ClockQuality::Unset,
        };
        Stamp { boot: BootNo(0), mono_ms, wall_ms, clock }
    }));
}
