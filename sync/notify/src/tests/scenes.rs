//! Scenes on the ladder.

use expect_test::expect;

use super::stage::check;

#[test]
fn an_alarm_climbs_until_somebody_has_seen_it_and_all_who_were_told_hear_its_end() {
    check(
        |_| {},
        "0 raise 1 | 1 ok v | 1 ok common | 61 ok t | 61 ok common | 100 ack 1 | 900 over 1 | 901 ok v | 901 ok common | 901 ok t | 2000 end",
        expect![[r#"
            0 common ← alarm 1 (village, unacknowledged)
            0 v ← alarm 1 (village, unacknowledged)
            1 journal ← first told by v
            61 common ← alarm 1 (town, unacknowledged, told 1 before)
            61 t ← alarm 1 (town, unacknowledged)
            61 journal ← escalated to town
            900 common ← clear 1 (town, normal, told 1 before)
            900 t ← clear 1 (town, normal)
            900 v ← clear 1 (village, normal)
            2000 waiting: 0, over: 1
        "#]],
    );
}

#[test]
fn a_critical_one_begins_higher_and_the_top_is_told_again_so_often_a_day() {
    check(
        |ladder| ladder.repeats_a_day_max = 2,
        "0 raise 1 critical | 1 ok t | 1 ok common | 121 ok c | 721 ok c | 1321 ok c | 9000 end",
        expect![[r#"
            0 common ← alarm 1 (town, unacknowledged)
            0 t ← alarm 1 (town, unacknowledged)
            1 journal ← first told by t
            121 c ← alarm 1 (city, unacknowledged)
            121 journal ← escalated to city
            721 c ← alarm 1 (city, unacknowledged, told 1 before)
            1321 c ← alarm 1 (city, unacknowledged, told 2 before)
            9000 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn who_cannot_be_reached_is_tried_again_and_the_next_level_does_not_wait_for_it() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1 | 1 fail v | 3 fail v | 8 lost v | 62 ok t | 62 ok common | 70 ok v | 71 ack 1 | 5000 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            1 v ← alarm 1 (village, unacknowledged)
            4 v ← alarm 1 (village, unacknowledged)
            9 v ← alarm 1 (village, unacknowledged, may be repeated)
            60 common ← alarm 1 (town, unacknowledged)
            60 t ← alarm 1 (town, unacknowledged)
            60 journal ← escalated to town
            62 journal ← first told by t
            5000 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn nobody_reached_at_the_top_is_evidence() {
    check(
        |ladder| ladder.levels.truncate(1),
        "0 raise 1 | 600 fail v | 600 fail common | 700 end",
        expect![[r#"
            0 common ← alarm 1 (village, unacknowledged)
            0 v ← alarm 1 (village, unacknowledged)
            600 journal ← nobody reached
            600 v ← alarm 1 (village, unacknowledged, told 1 before)
            600 common ← alarm 1 (village, unacknowledged, told 1 before)
            700 waiting: 2, over: 0
        "#]],
    );
}

#[test]
fn after_a_crash_nobody_is_forgotten_and_what_may_have_arrived_is_said_to_be_repeated() {
    check(
        |_| {},
        "0 raise 1 | 1 ok v | 2 crash | 3 ok common | 61 ok t | 61 ok common | 70 boot | 70 ok v | 121 ok c | 122 end",
        expect![[r#"
            0 common ← alarm 1 (village, unacknowledged)
            0 v ← alarm 1 (village, unacknowledged)
            1 journal ← first told by v
            2 common ← alarm 1 (village, unacknowledged, may be repeated)
            61 common ← alarm 1 (town, unacknowledged, told 1 before)
            61 t ← alarm 1 (town, unacknowledged)
            61 journal ← escalated to town
            121 c ← alarm 1 (city, unacknowledged)
            121 journal ← escalated to city
            122 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn in_quiet_hours_low_ones_wait_and_urgent_ones_do_not() {
    check(
        |_| {},
        "0 clock 23:00 | 1 raise 1 low | 2 raise 2 | 3 ok v | 3 ok common | 4 ack 2 | 500 clock 06:00 | 501 ok v | 501 ok common | 502 ack 1 | 600 end",
        expect![[r#"
            2 common ← alarm 2 (village, unacknowledged)
            2 v ← alarm 2 (village, unacknowledged)
            3 journal ← first told by v
            500 common ← alarm 1 (village, unacknowledged)
            500 v ← alarm 1 (village, unacknowledged)
            501 journal ← first told by v
            600 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn a_flood_is_gathered_in_one_message_with_its_count() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1..30 | 1 ok v | 2 ok v | 3 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            1 v ← alarm 2 (village, unacknowledged), alarm 3 (village, unacknowledged) + 27
            1 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            2 journal ← first told by v
            3 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn what_waited_for_the_link_leaves_with_it_the_oldest_first() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 3 | 1 fail v | 1 raise 1 | 2 raise 2 | 30 link | 31 ok v | 32 ok v | 33 ok v | 34 end",
        expect![[r#"
            0 v ← alarm 3 (village, unacknowledged)
            1 v ← alarm 3 (village, unacknowledged)
            31 v ← alarm 1 (village, unacknowledged)
            31 journal ← first told by v
            32 v ← alarm 2 (village, unacknowledged)
            32 journal ← first told by v
            33 journal ← first told by v
            34 waiting: 0, over: 0
        "#]],
    );
}

#[test]
fn what_comes_back_and_goes_again_is_told_so() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1 | 1 ok v | 10 back 1 | 11 ok v | 20 again 1 | 21 ok v | 30 back 1 | 31 ok v | 40 ack 1 | 41 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            1 journal ← first told by v
            10 v ← clear 1 (village, returned_unacknowledged)
            20 v ← alarm 1 (village, unacknowledged)
            30 v ← clear 1 (village, returned_unacknowledged)
            41 waiting: 0, over: 1
        "#]],
    );
}

#[test]
fn what_was_acknowledged_before_it_could_be_told_is_not_told() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1 | 0 fail v | 0 ack 1 | 100 over 1 | 2000 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            2000 waiting: 0, over: 1
        "#]],
    );
}

#[test]
fn an_alarm_whose_rule_is_gone_ends() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1..2 | 1 ok v | 2 ok v | 30 standing 2 | 31 ok v | 32 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            1 v ← alarm 2 (village, unacknowledged)
            1 journal ← first told by v
            2 journal ← first told by v
            30 v ← clear 1 (village, normal)
            32 waiting: 0, over: 1
        "#]],
    );
}

#[test]
fn who_sets_an_alarm_aside_ends_the_climb_until_it_is_back() {
    check(
        |ladder| ladder.levels[0].channels.truncate(1),
        "0 raise 1 | 1 ok v | 30 shelved 1 | 900 shelved | 960 ok t | 960 ok common | 961 end",
        expect![[r#"
            0 v ← alarm 1 (village, unacknowledged)
            1 journal ← first told by v
            960 common ← alarm 1 (town, unacknowledged)
            960 t ← alarm 1 (town, unacknowledged)
            960 journal ← escalated to town
            961 waiting: 0, over: 0
        "#]],
    );
}
