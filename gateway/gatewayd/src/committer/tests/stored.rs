//! What the journal holds afterwards.

use crate::decoding::Published;
use batch::Checkpoint;
use journal::{Journal, Transaction};
use record::{Body, Boot, BootNo, ClockQuality, ClockSource, MonoMs, Record, Stamp, TimeLine, UnixMs};
use tokio::sync::mpsc;

use super::bench::{Bench, COLD, Sensor, WARM, heard, key, noise};
use crate::clock::{Discipline, mono_ms, wall_ms};
use crate::committer::intake::Intake;

#[tokio::test]
async fn an_alarm_is_stored_with_its_frame_before_anyone_sees_it() {
    let mut bench = Bench::new();
    bench.apply([heard(0, WARM), heard(1, COLD)]);
    assert_eq!(bench.kinds(), "boot codec codec frame alarm frame alarm");
    let board = bench.board.lock().unwrap();
    assert_eq!(board.journal.commits, 1, "one transaction");
    let states: Vec<&str> = board.alarms.iter().map(|alarm| alarm.state.as_str()).collect();
    assert_eq!(states.len(), 1, "returned, and nobody acknowledged it yet: {states:?}");
    drop(board);
    let alarms = bench.alarms();
    let bench = bench.reopen("boot-a");
    assert_eq!(bench.alarms(), alarms, "R2");
    assert_eq!(bench.kinds(), "boot codec codec frame alarm frame alarm", "a restart announces nothing anew");
}

#[tokio::test]
async fn every_frame_is_counted_as_one_thing_over_restarts() {
    let mut bench = Bench::new();
    let mut sensor = Sensor::connect().await;
    let mut publishes: Vec<Published> = Vec::new();
    for (id, payload) in [(1, &b"{\"cod\":1}"[..]), (2, b"{")] {
        publishes.push(sensor.publish(id, false, payload).await);
    }
    bench.take(publishes, vec![heard(3, WARM), heard(3, WARM), noise(vec![1, 2])], Vec::new());
    assert_eq!(sensor.read(8).await, [0x40, 2, 0, 1, 0x40, 2, 0, 2], "evidence is acknowledged too");
    bench = bench.reopen("boot-a");
    bench.apply([heard(2, WARM), heard(3, WARM), heard(4, WARM)]);
    bench = bench.reopen("boot-b");
    let again = sensor.publish(1, true, b"{\"cod\":1}").await;
    bench.take(vec![again], Vec::new(), Vec::new());
    let shown = |source| {
        let tally = bench.tally(source);
        (tally.accepted, tally.duplicate, tally.rejected, tally.shed)
    };
    assert_eq!(shown(Some("cod-1")), (1, 1, 1, 0), "received three");
    assert_eq!(shown(Some("flow-1")), (2, 2, 1, 0), "received five");
    assert_eq!(shown(None), (0, 0, 1, 0), "received one");
}

#[tokio::test]
async fn a_boot_is_noted_once() {
    let bench = Bench::new().reopen("boot-a").reopen("boot-b").reopen("boot-b");
    let boots: Vec<(BootNo, Body)> =
        bench.records().into_iter().map(|at| (at.record.stamp.boot, at.record.body)).collect();
    let boots: Vec<_> = boots.into_iter().filter(|(_, body)| matches!(body, Body::Boot(_))).collect();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let boot = |id: &str| Body::Boot(Boot { boot_id: id.into(), version: version.clone() });
    assert_eq!(boots, [(BootNo(0), boot("boot-a")), (BootNo(1), boot("boot-b"))]);
}

#[tokio::test]
async fn a_new_version_is_noted_and_wall_time_never_goes_back() {
    let folder = tempfile::tempdir().unwrap();
    let ahead = UnixMs(wall_ms().0 + 86_400_000);
    let mut journal = Journal::open(&folder.path().join("journal/journal.db"), "outfall-1").unwrap();
    let stamp = Stamp { boot: BootNo(4), mono_ms: MonoMs(0), wall_ms: ahead, clock: ClockQuality::Unset };
    let body = Body::Boot(Boot { boot_id: "boot-a".into(), version: "0.0.1".into() });
    journal.commit(&Transaction { records: vec![Record { stamp, body }], ..Transaction::default() }).unwrap();
    drop(journal);
    let mut bench = Bench::open(folder, "boot-a");
    bench.apply([heard(0, COLD)]);
    assert_eq!(bench.kinds(), "boot boot codec codec frame");
    let stamps: Vec<Stamp> = bench.records().iter().map(|at| at.record.stamp).collect();
    assert!(stamps.iter().all(|stamp| (stamp.boot, stamp.clock) == (BootNo(4), ClockQuality::Unset)), "T1");
    assert!(stamps.is_sorted_by_key(|stamp| stamp.wall_ms), "{stamps:?}");
    // It goes on from there by its monotonic clock.
    let run_on = |stamp: &Stamp| (ahead.0..ahead.0 + 3_600_000).contains(&stamp.wall_ms.0);
    assert!(stamps.iter().all(run_on), "{stamps:?}");
}

/// Rules of silence must not take the time in which nobody listened for that of silent devices.
#[tokio::test]
async fn a_start_after_the_program_was_away_is_noted() {
    let started_after = |away_ms: u64| {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(&folder.path().join("journal/journal.db"), "outfall-1").unwrap();
        let mono_ms = MonoMs(mono_ms().0.checked_sub(away_ms).unwrap());
        let stamp = Stamp { boot: BootNo(0), mono_ms, wall_ms: wall_ms(), clock: ClockQuality::Unset };
        let body = Body::Boot(Boot { boot_id: "boot-a".into(), version: env!("CARGO_PKG_VERSION").into() });
        journal.commit(&Transaction { records: vec![Record { stamp, body }], ..Transaction::default() }).unwrap();
        drop(journal);
        Bench::open(folder, "boot-a").kinds()
    };
    assert_eq!(started_after(0), "boot codec codec");
    assert_eq!(started_after(60_000), "boot boot codec codec");
}

fn disciplined() -> Option<Discipline> {
    Some(Discipline { synchronised: true, error_ms: 12, source: ClockSource::Ntp, leap_second: false })
}

#[tokio::test]
async fn the_time_is_told_in_front_of_the_next_frame_and_corrects_what_came_before() {
    let mut bench = Bench::new();
    bench.apply([heard(0, COLD)]);
    assert_eq!(bench.kinds(), "boot codec codec frame", "nobody told it the time");
    let Bench { folder, committer, .. } = bench;
    drop(committer);
    let mut bench = Bench::asking(folder, "boot-a", disciplined);
    bench.apply([heard(1, COLD)]);
    bench.apply([heard(2, COLD)]);
    assert_eq!(bench.kinds(), "boot codec codec frame clock frame frame", "once");
    let records = bench.records();
    let Body::Clock(set) = &records[4].record.body else { panic!("{records:?}") };
    assert_eq!((set.source, set.before), (ClockSource::Ntp, ClockQuality::Unset));
    assert_eq!(records[4].record.stamp.clock, ClockQuality::Synchronised, "T1");
    let mut line = TimeLine::new();
    line.take(&records[4].record);
    let (at, error_ms) = line.time(&records[3].record.stamp).known().unwrap();
    assert!(at.0.abs_diff(wall_ms().0) < 600_000 && error_ms < 1_000, "{at} ±{error_ms}");
    let view = bench.committer.clock().lock().unwrap().view();
    assert_eq!((view.source, view.stamp.clock), (Some(ClockSource::Ntp), ClockQuality::Synchronised));
}

#[tokio::test]
async fn a_clock_that_could_not_be_told_is_told_with_the_next_transaction() {
    let mut bench = Bench::asking(tempfile::tempdir().unwrap(), "boot-a", disciplined);
    let stuck = bench.stuck_disk();
    bench.apply([heard(0, COLD)]);
    drop(stuck);
    bench.apply([]);
    assert_eq!(bench.kinds(), "boot codec codec clock");
}

#[tokio::test]
async fn what_the_clock_knew_outlives_a_restart_of_the_daemon() {
    let mut bench = Bench::asking(tempfile::tempdir().unwrap(), "boot-a", disciplined);
    bench.apply([heard(0, COLD)]);
    bench.committer.keep_clock();
    let quality = |boot: &str, bench: Bench| {
        let mut bench = bench.reopen(boot);
        bench.apply([heard(1, COLD)]);
        (bench.records().last().unwrap().record.stamp.clock, bench)
    };
    let (held, bench) = quality("boot-a", bench);
    assert!(matches!(held, ClockQuality::Holdover { error_ms } if error_ms < 1_000), "the kernel refuses: {held:?}");
    assert_eq!(quality("boot-b", bench).0, ClockQuality::Unset, "another boot");
}

#[tokio::test]
async fn signed_heads_are_the_journals() {
    let mut bench = Bench::new();
    bench.committer.checkpoint_if_due();
    bench.apply([heard(0, WARM), heard(1, COLD)]);
    bench.committer.sign_checkpoint();
    bench.committer.sign_checkpoint();
    let mut roots = std::collections::BTreeMap::new();
    bench.reader().recompute(|at, root| roots.extend([(at.seq.0 + 1, root)])).unwrap();
    let sizes: Vec<u64> = bench
        .reader()
        .checkpoints_after(0, 10)
        .unwrap()
        .into_iter()
        .map(|stored| {
            let head = Checkpoint::verify(&stored.cose, &key().public()).unwrap().head;
            assert_eq!((head.size, head.root), (stored.size, roots[&stored.size]));
            head.size
        })
        .collect();
    assert_eq!(sizes, [3, 7], "what the start found unsigned, and the whole; the same head is signed once");
}

#[tokio::test]
async fn the_end_of_its_queues_is_the_end_of_the_committer_and_everything_is_signed() {
    let bench = Bench::new();
    let (mqtt, submitted) = mpsc::channel(1);
    let (lora, received) = mpsc::channel(8);
    for f_cnt in 0..3 {
        lora.try_send(heard(f_cnt, COLD)).unwrap();
    }
    drop((mqtt, lora));
    bench.lost.lock().unwrap().entry(None).or_default().shed = 2;
    let Bench { folder, committer, jobs, mut confirmed, .. } = bench;
    let (_held, orders) = mpsc::channel(1);
    let (_, serial) = mpsc::channel(1);
    let (done, decoded) = mpsc::channel(1);
    jobs.spawn(&committer.parts.devices, &done).unwrap();
    // The control socket is still open somewhere: that keeps nobody.
    committer.run(Intake::new(submitted, received, serial, orders, decoded)).await;
    let mut answered = 0;
    while confirmed.try_recv().is_ok() {
        answered += 1;
    }
    assert_eq!(answered, 3);
    let bench = Bench::open(folder, "boot-a");
    assert_eq!(bench.kinds(), "boot codec codec frame frame frame");
    assert_eq!(bench.tally(None).shed, 2);
    assert_eq!(bench.reader().checkpoints_after(0, 10).unwrap().last().unwrap().size, 6);
}
