//! An aggregate is made once, whatever a crash or another configuration does between its time and its record.

use super::*;

#[test]
fn a_window_is_closed_once_though_its_parts_are_kept_for_a_longer_one() {
    let (mut journal, mut fold) = (Journal::default(), Aggregates::new(setup(&["1m", "10m"], 0)));
    journal.append(&mut fold, stamp(MIDNIGHT + 5_000), frame("a", cod("1")));
    for minute in 1..4 {
        journal.pass_time(&mut fold, stamp(MIDNIGHT + minute * MINUTE));
    }
    check(&journal, expect!["a 00 1m: cod 1..1 mean 1 (1+0, 1 of 1)"]);
}

/// The power went between a window's end and its record.
#[test]
fn what_was_not_journaled_is_made_at_the_next_start() {
    let mut journal = played(&setup(&["1m"], 0), &[(5, "a", cod("1")), (61, "a", cod("2"))], 61);
    assert!(matches!(journal.0.pop().unwrap().body, Body::Aggregate(_)));
    journal.restart(setup(&["1m"], 0), 0, stamp(MIDNIGHT + 65_000));
    check(&journal, expect!["a 00 1m: cod 1..1 mean 1 (1+0, 1 of 1)"]);
}

/// Its record came within so many others, or never will.
#[test]
fn an_aggregate_waits_for_its_record_and_not_for_ever() {
    let mut fold = Aggregates::new(setup(&["1m"], 0));
    let mut waiting_after = |seq: u64, at_s: i64| {
        let record = Record { stamp: stamp(MIDNIGHT + at_s * 1_000), body: frame("a", cod("1")) };
        drop(fold.apply(&RecordAt { seq: Seq(seq), record }));
        fold.outstanding().map(|of| (of.from_ms.0 - MIDNIGHT) / MINUTE).collect::<Vec<_>>()
    };
    assert_eq!(waiting_after(0, 5), []);
    assert_eq!(waiting_after(1, 65), [0]);
    assert_eq!(waiting_after(1 + DUE_RECORDS_MAX, 125), [0, 1]);
    assert_eq!(waiting_after(2 + DUE_RECORDS_MAX, 185), [1, 2]);
}

#[test]
fn what_is_confirmed_when_its_time_is_over_is_not_remembered() {
    let made = played(&setup(&["1m"], 0), &[(5, "a", cod("1"))], 60).aggregates().remove(0);
    let mut fold = Aggregates::new(setup(&["1m"], 0));
    let record = |at_s: i64| Record { stamp: stamp(MIDNIGHT + at_s * 1_000), body: Body::Aggregate(made.clone()) };
    drop(fold.apply(&RecordAt { seq: Seq(7), record: record(59) }));
    assert_eq!(fold.early.len(), 1);
    drop(fold.apply(&RecordAt { seq: Seq(8), record: record(60) }));
    assert!(fold.early.is_empty());
}

/// A gateway that now waits longer does not make again what it had journaled.
#[test]
fn another_lateness_doubles_nothing() {
    let frames = [(5, "a", cod("1")), (70, "a", cod("2")), (75, "a", cod("3"))];
    let mut journal = played(&setup(&["1m"], 5), &frames, 75);
    let mut fold = journal.restart(setup(&["1m"], 60), 0, stamp(MIDNIGHT + 80_000));
    journal.pass_time(&mut fold, stamp(MIDNIGHT + 300_000));
    check(
        &journal,
        expect![[r#"
            a 00 1m: cod 1..1 mean 1 (1+0, 1 of 1)
            a 01 1m: cod 2..3 mean 2.5 (2+0, 1 of 1)"#]],
    );
}

/// What was journaled early is remembered until its window is over here too, and no longer.
#[test]
fn another_lateness_doubles_nothing_however_long_it_waits() {
    let mut journal = played(&setup(&["1m", "10m"], 5), &[(5, "a", cod("1")), (490, "a", cod("2"))], 605);
    let mut fold = journal.restart(setup(&["1m", "10m"], 200), 0, stamp(MIDNIGHT + 606_000));
    for second in [630, 700, 799, 800] {
        journal.pass_time(&mut fold, stamp(MIDNIGHT + second * 1_000));
    }
    assert!(fold.early.is_empty());
    check(
        &journal,
        expect![[r#"
            a 00 1m: cod 1..1 mean 1 (1+0, 1 of 1)
            a 08 1m: cod 2..2 mean 2 (1+0, 1 of 1)
            a 00 10m: cod 1..2 mean 1.5 (2+0, 2 of 10)"#]],
    );
}
