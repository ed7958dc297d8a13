//! What happens to clocks in the field, each as a story.

use expect_test::{Expect, expect};
use record::{Body, TimeLine, TrueTime};

use super::{DAY_MS, World};

/// Steps between `|`: `boot -3d` `reboot 1h -3d` `rtc 1h 0s` `restart` `sync 20` `coast` `lose` `refuse` `hand 2h` `leap`;
/// a time alone passes, and a record is made. Shown is each record's claim with its distance from the truth.
fn check(story: &str, expected: Expect) -> World {
    let mut steps = story.split('|').map(str::trim);
    let boot = steps.next().and_then(|first| first.strip_prefix("boot ")).expect("a story begins with a boot");
    let mut world = World::boot(ms(boot), 100);
    let mut shown = String::new();
    for step in steps {
        let words: Vec<&str> = step.split(' ').collect();
        match words[..] {
            [how @ ("reboot" | "rtc"), off, wrong] => {
                world.reboot(ms(off).unsigned_abs(), ms(wrong), how == "rtc");
                shown += &record(&mut world, how);
            }
            ["restart"] => {
                world.restart();
                shown += &record(&mut world, step);
            }
            ["sync", error] => world.steer(0, error.parse().unwrap()),
            ["coast"] => world.coast(),
            ["lose"] => world.lose(),
            ["refuse"] => world.refuse(),
            ["hand", by] => world.hand(ms(by)),
            ["leap"] => world.leap(),
            [passed] => {
                world.pass(ms(passed).unsigned_abs());
                shown += &record(&mut world, passed);
            }
            _ => panic!("{step}"),
        }
    }
    world.check();
    expected.assert_eq(&shown);
    world
}

fn record(world: &mut World, passed: &str) -> String {
    let (stamp, news) = world.record();
    let off_ms = stamp.wall_ms.0 - world.truth().0;
    let news = news.map_or_else(String::new, |set| {
        let (source, before) = (set.source.as_str(), set.before.as_str());
        format!("; CLOCK by {source}, was {before}, step {} ms, ±{} ms", set.step_ms, set.error_ms)
    });
    format!("{passed}: {:?} off {off_ms} ms{news}\n", stamp.clock)
}

fn ms(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic()).unwrap());
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "h" => 3_600_000,
        "d" => DAY_MS.cast_signed(),
        _ => panic!("{text}"),
    };
    number.parse::<i64>().unwrap() * unit_ms
}

/// What a reader of the whole journal says of each record that is none about a clock.
fn corrected(world: &World) -> Vec<TrueTime> {
    let mut line = TimeLine::new();
    world.journal.iter().for_each(|(record, _)| line.take(record));
    let records = world.journal.iter().filter(|(record, _)| !matches!(record.body, Body::Clock(_)));
    records.map(|(record, _)| line.time(&record.stamp)).collect()
}

#[test]
fn a_boot_at_1970_is_told_the_time_after_two_days() {
    let world = check(
        "boot -20789d | 5s | 1d | 1d | sync 20 | 5s | 1h",
        expect![[r#"
        5s: Unset off -1728005000 ms
        1d: Unset off -1727996360 ms
        1d: Unset off -1727987720 ms
        5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 1727987720 ms, ±40 ms
        1h: Synchronised off 0 ms
    "#]],
    );
    let errors: Vec<u64> = corrected(&world).iter().map(|time| time.known().unwrap().1).collect();
    assert!(errors[0] < 90_000, "two days at 500 ppm: {errors:?}");
}

#[test]
fn three_days_back() {
    check(
        "boot -3d | 5s | sync 20 | 1h | reboot 1h -3d | 5s | 1h | sync 20 | 5s",
        expect![[r#"
            5s: Unset off -259200000 ms
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 259200000 ms, ±40 ms
            reboot: Unset off -3600000 ms
            5s: Unset off -3600000 ms
            1h: Unset off -3599640 ms
            5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 3599640 ms, ±40 ms
        "#]],
    );
}

/// The floor must not lock the box into the future.
#[test]
fn ten_years_ahead_until_a_server_takes_it_back() {
    check(
        "boot 3650d | 5s | sync 20 | 1h | 1h | reboot 1h 0s | 5s | sync 20 | 5s",
        expect![[r#"
            5s: Unset off 315360000000 ms
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step -315360000000 ms, ±40 ms
            1h: Synchronised off 0 ms
            reboot: Unset off 0 ms
            5s: Unset off 0 ms
            5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        "#]],
    );
}

#[test]
fn ten_years_ahead_and_a_boot_without_a_network_then() {
    check(
        "boot 3650d | 5s | reboot 1h -3d | 5s | 1h | sync 20 | 5s | reboot 1h -3d | 5s",
        expect![[r#"
            5s: Unset off 315360000000 ms
            reboot: Unset off 315356400000 ms
            5s: Unset off 315356400000 ms
            1h: Unset off 315356400360 ms
            5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step -315356400360 ms, ±40 ms
            reboot: Unset off -3600000 ms
            5s: Unset off -3600000 ms
        "#]],
    );
}

#[test]
fn a_hand_on_the_clock_is_noticed_at_once() {
    check(
        "boot 0s | sync 20 | 5s | hand 72h | 100ms | 1h | sync 20 | 100ms",
        expect![[r#"
        5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        100ms: Unset off 259200000 ms
        1h: Unset off 259200360 ms
        100ms: Synchronised off 0 ms; CLOCK by ntp, was unset, step -259200360 ms, ±40 ms
    "#]],
    );
    check(
        "boot 0s | sync 20 | 5s | hand -72h | 100ms | 1h | hand 1h | 100ms | sync 20 | 100ms",
        expect![[r#"
        5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        100ms: Unset off 0 ms
        1h: Unset off 360 ms
        100ms: Unset off 360 ms
        100ms: Synchronised off 0 ms; CLOCK by ntp, was unset, step -360 ms, ±40 ms
    "#]],
    );
}

#[test]
fn a_source_that_corrects_itself_is_followed() {
    check(
        "boot 0s | sync 1500 | 1h | sync 20 | 5s | 100ms",
        expect![[r#"
        1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±1520 ms
        5s: Synchronised off 0 ms
        100ms: Synchronised off 0 ms
    "#]],
    );
}

#[test]
fn holdover_grows_until_the_source_is_back() {
    check(
        "boot 0s | sync 20 | 1h | coast | 1h | 1h | 7h | 2d | sync 20 | 5s",
        expect![[r#"
        1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        1h: Synchronised off 360 ms
        1h: Holdover { error_ms: 3661 } off 720 ms
        7h: Holdover { error_ms: 16263 } off 3240 ms
        2d: Holdover { error_ms: 102671 } off 20520 ms
        5s: Synchronised off 0 ms; CLOCK by ntp, was holdover, step -20520 ms, ±40 ms
    "#]],
    );
    check(
        "boot 0s | sync 20 | 1h | lose | 1h | 2d | restart | 5s | sync 20 | 5s",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            1h: Holdover { error_ms: 1861 } off 360 ms
            2d: Holdover { error_ms: 88269 } off 17640 ms
            restart: Holdover { error_ms: 88269 } off 17640 ms
            5s: Holdover { error_ms: 88272 } off 17640 ms
            5s: Synchronised off 0 ms; CLOCK by ntp, was holdover, step -17640 ms, ±40 ms
        "#]],
    );
}

#[test]
fn a_kernel_that_refuses_to_tell_is_no_source() {
    check(
        "boot 0s | refuse | 5s | 1h",
        expect![[r#"
        5s: Unset off 0 ms
        1h: Unset off 360 ms
    "#]],
    );
    check(
        "boot 0s | sync 20 | 5s | refuse | 5s | 1h",
        expect![[r#"
        5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        5s: Holdover { error_ms: 63 } off 0 ms
        1h: Holdover { error_ms: 1863 } off 360 ms
    "#]],
    );
}

#[test]
fn a_leap_second_is_ambiguous_while_it_lasts() {
    check(
        "boot 0s | sync 20 | 5s | leap | 100ms | 800ms | 5s | 1h",
        expect![[r#"
        5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        100ms: Synchronised off 0 ms; CLOCK by ntp, was synchronised, step -1000 ms, ±1040 ms
        800ms: Synchronised off 0 ms
        5s: Synchronised off 0 ms
        1h: Synchronised off 0 ms
    "#]],
    );
}

#[test]
fn two_boots_without_time_lie_between_their_neighbours() {
    let world = check(
        "boot 0s | sync 20 | 1h | reboot 1h -3d | 5s | 1h | reboot 1h -20789d | 5s | reboot 1h 0s | sync 20 | 5s",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            reboot: Unset off -3600000 ms
            5s: Unset off -3600000 ms
            1h: Unset off -3599640 ms
            reboot: Unset off -7199640 ms
            5s: Unset off -7199640 ms
            reboot: Unset off 0 ms
            5s: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
        "#]],
    );
    let unknown: Vec<TrueTime> = corrected(&world).into_iter().filter(|time| time.known().is_none()).collect();
    assert_eq!(unknown.len(), 5);
    let bounded = |time: &TrueTime| matches!(time, TrueTime::Unknown { not_before_ms: Some(from), not_after_ms: Some(to) } if from < to);
    assert!(unknown.iter().all(bounded), "{unknown:?}");
}

#[test]
fn a_real_time_clock_goes_on_from_what_was_known_and_no_further() {
    check(
        "boot 0s | sync 20 | 1h | rtc 72h 5s | 5s | 1h",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            rtc: Holdover { error_ms: 28981 } off 5000 ms; CLOCK by rtc, was unset, step 0 ms, ±28981 ms
            5s: Holdover { error_ms: 28984 } off 5000 ms
            1h: Holdover { error_ms: 30784 } off 5360 ms
        "#]],
    );
    check(
        "boot 0s | sync 20 | 1h | rtc 72h -20789d | 5s",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            rtc: Unset off -259200000 ms
            5s: Unset off -259200000 ms
        "#]],
    );
    check(
        "boot 0s | sync 20 | 1h | rtc 72h 3650d | 5s",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            rtc: Unset off 315360000000 ms
            5s: Unset off 315360000000 ms
        "#]],
    );
    check(
        "boot 0s | 1h | rtc 72h 0s | 5s",
        expect![[r#"
            1h: Unset off 360 ms
            rtc: Unset off 0 ms
            5s: Unset off 0 ms
        "#]],
    );
    check(
        "boot 0s | sync 20 | 1h | hand 24h | 1h | rtc 1h 24h | 5s",
        expect![[r#"
            1h: Synchronised off 0 ms; CLOCK by ntp, was unset, step 0 ms, ±40 ms
            1h: Unset off 86400360 ms
            rtc: Unset off 86400000 ms
            5s: Unset off 86400000 ms
        "#]],
    );
}
