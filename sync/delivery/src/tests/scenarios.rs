//! What a technician would tell of a link, and what leaves then.

use batch::{BatchId, Lane};
use expect_test::expect;
use record::{MonoMs, Seq, SeqRange, SeqRanges};

use super::script::check;
use crate::destination::Restored;
use crate::{Action, Config, Destination, Input, RestoredBatch};

#[test]
fn lesson_v9_a_lone_record_leaves_within_its_deadline_with_no_other_traffic() {
    check(
        "",
        "0 journal 1 | 5000 ok a",
        expect![[r#"
        1000 cut live 0 as a
        1000 send a within 31000
        5000 advance a
        next: nothing, covered: [0-0]
    "#]],
    );
}

#[test]
fn a_full_live_batch_does_not_linger() {
    check(
        "live_window=10",
        "0 journal 7 | 2000",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        0 cut live 3-5 as b
        0 send b within 31000
        next: 33000, covered: []
    "#]],
    );
}

#[test]
fn an_alarm_leaves_at_once_and_before_everything() {
    check(
        "",
        "0 journal 3 | 100 journal 6 alarm 5",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        100 cut alarm 5 as b
        100 send b within 31000
        next: 1100, covered: []
    "#]],
    );
}

#[test]
fn an_alarm_overtakes_what_nobody_has_begun_to_send() {
    let ranges = |first, last| SeqRange::new(Seq(first), Seq(last)).into_iter().collect::<SeqRanges>();
    let id = BatchId([1; 32]);
    let batch = RestoredBatch { id, lane: Lane::Live, ranges: ranges(0, 2), bytes_len: 1 };
    let restored = Restored { outstanding: vec![batch], ..Restored::default() };
    let mut core = Destination::new(Config::default(), 1, restored);
    core.handle(MonoMs(0), Input::Journaled { end: Seq(4), alarms: Vec::new() });
    core.handle(MonoMs(0), Input::Journaled { end: Seq(5), alarms: vec![Seq(4)] });
    assert_eq!(core.poll(), Some(Action::Cut { lane: Lane::Alarm, ranges: ranges(4, 4), bytes_max: 8_192 }));
    assert_eq!((core.poll(), core.counters().sent), (None, 0));
    let alarm = BatchId([2; 32]);
    core.handle(
        MonoMs(0),
        Input::Cut { lane: Lane::Alarm, id: alarm, ranges: ranges(4, 4), bytes_len: 1, content_len: 1 },
    );
    let sent = std::iter::from_fn(|| core.poll()).map(|action| match action {
        Action::Send { id, .. } => id,
        other => panic!("{other:?}"),
    });
    assert_eq!(sent.collect::<Vec<_>>(), [alarm, id]);
}

#[test]
fn an_alarm_overtakes_a_month_of_backlog() {
    check(
        "",
        "0 journal 100 alarm 50 | 500 journal 101 alarm 100 | 600 ok c | 600 ok a",
        expect![[r#"
            0 cut alarm 50 as a
            0 send a within 31000
            0 cut live 96-98 as b
            0 cut backlog 0-2 as c
            0 send b within 31000
            0 send c within 31000
            0 cut backlog 3-5 as d
            500 cut alarm 100 as e
            500 send e within 31000
            600 advance c
            600 advance a
            next: 1000, covered: [0-2, 50-50]
        "#]],
    );
}

#[test]
fn live_leaves_while_the_backlog_drains() {
    check(
        "run=2",
        "0 journal 12 | 500 ok a | 1000 | 1200 ok b | 1300 journal 20 | 1400 ok c | 1500 ok d | 1600 ok e | 1700 ok f",
        expect![[r#"
            0 cut live 8-10 as a
            0 cut backlog 0-2 as b
            0 send a within 31000
            0 send b within 31000
            0 cut backlog 3-5 as c
            500 advance a
            1000 cut live 11 as d
            1000 send d within 31000
            1200 advance b
            1400 advance c
            1400 cut live 16-18 as e
            1500 advance d
            1500 send e within 31000
            1500 cut backlog 6-7,12 as f
            1600 advance e
            1600 send f within 31000
            1600 cut backlog 13-15 as g
            1700 advance f
            1700 send g within 6642
            next: 2400, covered: [0-12, 16-18]
        "#]],
    );
}

#[test]
fn the_next_of_the_backlog_is_cut_while_one_is_under_way_and_waits_for_its_place() {
    check(
        "",
        "0 journal 20 | 100 ok a | 200 fail b broken | 250 journal 21 | 9000 ok b",
        expect![[r#"
            0 cut live 16-18 as a
            0 cut backlog 0-2 as b
            0 send a within 31000
            0 send b within 31000
            0 cut backlog 3-5 as c
            100 advance a
            666 send b within 31000
            666 cut backlog 6-8 as d
            666 send c within 31000
            1000 cut live 19-20 as e
            1000 send e within 31000
            9000 advance b
            9000 cut backlog 9-11 as f
            next: 33666, covered: [0-2, 16-18]
        "#]],
    );
}

#[test]
fn a_window_of_one_is_for_live_batches_first_and_nothing_is_cut_ahead() {
    check(
        "window=1",
        "0 journal 12 | 100 ok a | 200 journal 13 | 1500 ok b",
        expect![[r#"
            0 cut live 8-10 as a
            0 send a within 31000
            100 advance a
            100 cut backlog 0-2 as b
            100 send b within 31000
            1500 advance b
            1500 cut live 11-12 as c
            1500 send c within 31000
            next: 34500, covered: [0-2, 8-10]
        "#]],
    );
}

#[test]
fn an_alarm_also_tries_a_dead_link_and_all_go_when_it_returns() {
    check(
        "",
        "0 journal 3 | 1010 fail a unreachable | 1020 journal 4 alarm 3 | 1030 fail b unreachable | 1040 up",
        expect![[r#"
            0 cut live 0-2 as a
            0 send a within 31000
            1020 cut alarm 3 as b
            1020 send b within 31000
            1040 send b within 31000
            1040 send a within 31000
            next: 34040, covered: []
        "#]],
    );
}

#[test]
fn one_answer_frees_what_waits_for_the_link() {
    check(
        "live_window=20",
        "0 journal 6 | 10 fail a broken | 20 fail b overloaded 20000 | 30 journal 7 alarm 6 | 40 ok c",
        expect![[r#"
            0 cut live 0-2 as a
            0 send a within 31000
            0 cut live 3-5 as b
            0 send b within 31000
            30 cut alarm 6 as c
            30 send c within 31000
            40 advance c
            40 send a within 31000
            next: 20020, covered: [6-6]
        "#]],
    );
}

#[test]
fn a_destination_may_ask_for_patience_but_not_for_ever() {
    check(
        "",
        "0 journal 3 | 1100 fail a overloaded 3600000 | 40000",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        31100 send a within 31000
        next: 64100, covered: []
    "#]],
    );
}

#[test]
fn a_box_that_is_not_enrolled_asks_seldom() {
    check(
        "",
        "0 journal 3 | 1100 fail a not_enrolled | 32000",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        30634 send a within 31000
        next: 63634, covered: []
    "#]],
    );
}

#[test]
fn silence_is_a_failure_found_without_the_shell() {
    check(
        "timeout=3000",
        "0 journal 3 | 20000",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 4000
        6466 send a within 4000
        12986 send a within 4000
        19577 send a within 4000
        next: 25577, covered: []
    "#]],
    );
}

#[test]
fn a_short_receipt_is_no_acknowledgement() {
    check(
        "",
        "0 journal 3 | 1100 short a | 2000 ok a",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        1566 send a within 31000
        2000 advance a
        next: nothing, covered: [0-2]
    "#]],
    );
}

#[test]
fn a_refused_batch_is_halved_until_the_odd_record_stands_alone() {
    check(
        "",
        "0 journal 3 | 1100 refuse a | 1150 ok b | 1200 journal 5 | 1250 refuse c | 1300 refuse d | 1350 ok e | 2300 ok f",
        expect![[r#"
            0 cut live 0-2 as a
            0 send a within 31000
            1100 split a: row 1 is odd
            1100 cut live 0 as b
            1100 send b within 31000
            1100 cut live 1-2 as c
            1150 advance b
            1150 send c within 31000
            1250 split c: row 1 is odd
            1250 cut live 1 as d
            1250 send d within 31000
            1250 cut live 2 as e
            1250 send e within 31000
            1300 park d: row 1 is odd
            1350 advance e
            2200 cut live 3-4 as f
            2200 send f within 11799
            2300 advance f
            next: nothing, covered: [0-0, 2-4]
        "#]],
    );
}

#[test]
fn halves_of_alarms_go_before_everything_else() {
    check(
        "alarm_window=1",
        "0 journal 6 alarm 1,3,5 | 50 journal 9 | 100 refuse a | 200 ok e",
        expect![[r#"
            0 cut alarm 1,3,5 as a
            0 send a within 31000
            0 cut backlog 0 as b
            0 send b within 31000
            50 cut live 6-8 as c
            50 send c within 31000
            50 cut backlog 2,4 as d
            100 split a: row 1 is odd
            100 cut alarm 1 as e
            100 send e within 31000
            200 advance e
            200 cut alarm 3,5 as f
            200 send f within 31000
            next: 33000, covered: [1-1]
        "#]],
    );
}

#[test]
fn a_parked_batch_is_sent_again_as_it_was_when_somebody_says_so() {
    check(
        "",
        "0 journal 2 alarm 1 | 100 refuse a | 150 retry a | 200 refuse a | 210 gone 1-1 | 300 retry a | 400 ok a",
        expect![[r#"
            0 cut alarm 1 as a
            0 send a within 31000
            100 park a: row 1 is odd
            150 send a within 31000
            200 park a: row 1 is odd
            300 send a within 31000
            400 advance a
            next: 1000, covered: [1-1]
        "#]],
    );
}

/// What is given up is settled: nothing has it again, and there is room for what is refused next. A batch that is not
/// parked cannot be given up.
#[test]
fn what_is_given_up_is_never_sent_again_and_makes_room() {
    check(
        "records=1 live_window=9 parked=1 window=1",
        "0 journal 2 | 100 drop a | 100 refuse a | 200 refuse b | 300 drop a | 400 refuse b | 500 drop b | 600 gone 0-1 | 90000",
        expect![[r#"
            0 cut live 0 as a
            0 send a within 31000
            100 park a: row 1 is odd
            100 cut live 1 as b
            100 send b within 31000
            300 send b within 31000
            400 park b: row 1 is odd
            next: nothing, covered: []
        "#]],
    );
}

#[test]
fn a_platform_that_refuses_everything_is_asked_seldom() {
    let mut core = Destination::new(Config::default(), 1, Restored::default());
    core.handle(MonoMs(0), Input::Journaled { end: Seq(40_000), alarms: Vec::new() });
    let (mut cuts, mut now, mut waited) = (0u8, MonoMs(0), 0);
    for _ in 0..200 {
        let Some(action) = core.poll() else {
            let due = core.next_timeout().expect("it goes on");
            waited += due.0 - now.0;
            now = due;
            core.handle(now, Input::Tick);
            continue;
        };
        match action {
            Action::Cut { lane, ranges, .. } => {
                cuts = cuts.wrapping_add(1);
                core.handle(now, Input::Cut { lane, id: BatchId([cuts; 32]), ranges, bytes_len: 1, content_len: 1 });
            }
            Action::Send { id, .. } => core.handle(now, Input::Refused { id, why: "no".into() }),
            Action::Split { .. } | Action::Park { .. } => {}
            Action::Advance { .. } | Action::Hedge { .. } | Action::Note { .. } => {
                panic!("nothing was acknowledged, and nothing is limited")
            }
        }
    }
    let refused = core.counters().refused;
    assert!(waited > (refused - 40) * 5_000, "{refused} refusals in {waited} ms");
}

#[test]
fn a_full_disk_delays_the_cut_and_not_the_core() {
    check(
        "",
        "0 nocut | 0 journal 5 alarm 4 | 3000 cut | 9000",
        expect![[r#"
        0 cannot cut alarm 4
        466 cannot cut alarm 4
        986 cannot cut alarm 4
        1577 cannot cut alarm 4
        1813 cannot cut alarm 4
        2575 cannot cut alarm 4
        4624 cut alarm 4 as a
        4624 send a within 31000
        4624 cut live 1-3 as b
        4624 cut backlog 0 as c
        4624 send b within 31000
        4624 send c within 31000
        next: 37624, covered: []
    "#]],
    );
}

#[test]
fn what_is_gone_from_the_journal_is_neither_cut_nor_waited_for() {
    check(
        "",
        "0 gone 0-4 | 0 journal 12 alarm 2,9 | 10 ok a | 20 gone 7-10 | 30 ok b | 1500 ok c",
        expect![[r#"
        0 cut alarm 9 as a
        0 send a within 31000
        0 cut live 8,10-11 as b
        0 cut backlog 5-7 as c
        0 send b within 31000
        0 send c within 31000
        10 advance a
        30 advance b
        1500 advance c
        next: nothing, covered: [5-11]
    "#]],
    );
}

#[test]
fn a_record_that_goes_while_its_cut_fails_is_not_asked_for_again() {
    check(
        "",
        "0 nocut | 0 journal 3 alarm 1 | 100 gone 0-1 | 200 cut | 2000",
        expect![[r#"
        0 cannot cut alarm 1
        1000 cut live 2 as a
        1000 send a within 31000
        next: 34000, covered: []
    "#]],
    );
}

#[test]
fn a_batch_whose_records_go_is_still_sent_and_acknowledged() {
    check(
        "",
        "0 journal 3 | 1000 gone 0-1 | 1100 fail a broken | 9000 ok a",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        1566 send a within 31000
        9000 advance a
        next: nothing, covered: [0-2]
    "#]],
    );
}

#[test]
fn late_and_repeated_answers_are_harmless() {
    check(
        "",
        "0 journal 3 | 1100 ok a | 1200 ok a | 1300 fail a faulty | 1400 refuse a",
        expect![[r#"
        0 cut live 0-2 as a
        0 send a within 31000
        1100 advance a
        next: nothing, covered: [0-2]
    "#]],
    );
}

/// Five batches of two kilobytes, each answered after 200 ms: then the core knows how long answers take.
const QUICK: &str = "0 journal 1 | 200 ok a | 1000 journal 2 | 1200 ok b | 2000 journal 3 | 2200 ok c | 3000 journal 4 | \
                     3200 ok d | 4000 journal 5 | 4200 ok e";

#[test]
fn an_answer_later_than_nearly_all_is_asked_for_once_more_and_then_given_up_soon() {
    check(
        "records=1 live_window=9",
        &format!("{QUICK} | 5000 journal 6 | 20000"),
        expect![[r#"
        0 cut live 0 as a
        0 send a within 31000
        200 advance a
        1000 cut live 1 as b
        1000 send b within 31000
        1200 advance b
        2000 cut live 2 as c
        2000 send c within 31000
        2200 advance c
        3000 cut live 3 as d
        3000 send d within 31000
        3200 advance d
        4000 cut live 4 as e
        4000 send e within 31000
        4200 advance e
        5000 cut live 5 as f
        5000 send f within 5000
        6000 hedge f within 4000
        12466 send f within 5232
        13466 hedge f within 4232
        next: 20218, covered: [0-4]
    "#]],
    );
}

#[test]
fn a_large_batch_is_not_sent_beside_itself() {
    check(
        "records=1 live_window=9",
        &format!("{QUICK} | 4900 bytes 5000 | 5000 journal 6 | 9000"),
        expect![[r#"
        0 cut live 0 as a
        0 send a within 31000
        200 advance a
        1000 cut live 1 as b
        1000 send b within 31000
        1200 advance b
        2000 cut live 2 as c
        2000 send c within 31000
        2200 advance c
        3000 cut live 3 as d
        3000 send d within 31000
        3200 advance d
        4000 cut live 4 as e
        4000 send e within 31000
        4200 advance e
        5000 cut live 5 as f
        5000 send f within 5000
        next: 12000, covered: [0-4]
    "#]],
    );
}

#[test]
fn what_is_refused_beyond_what_may_be_put_aside_is_asked_again_seldom_until_there_is_room() {
    check(
        "records=1 live_window=9 parked=1",
        "0 journal 2 | 10 refuse a | 20 refuse b | 40000 refuse b | 50000 retry a | 50010 ok a | 50020 refuse b",
        expect![[r#"
            0 cut live 0 as a
            0 send a within 31000
            0 cut live 1 as b
            0 send b within 31000
            10 park a: row 1 is odd
            29554 send b within 31000
            50000 send a within 31000
            50010 advance a
            50020 park b: row 1 is odd
            next: nothing, covered: [0-0]
        "#]],
    );
}
