//! A disk that takes nothing (A1, A2).

use std::sync::atomic::Ordering;

use record::SourceId;

use super::bench::{Bench, Sensor, WARM, flow, heard};
use crate::ledger::Ledger;

const COD: &[u8] = br#"{"cod":40.1}"#;

#[tokio::test]
async fn nobody_is_acknowledged_and_the_next_frame_is_stored() {
    let mut bench = Bench::new();
    let mut sensor = Sensor::connect().await;
    let first = sensor.publish(1, false, COD).await;

    let stuck = bench.stuck_disk();
    bench.take(vec![first], vec![heard(0, WARM)], Vec::new());
    drop(stuck);

    assert!(sensor.read(4).await.is_empty(), "no PUBACK: the connection is closed");
    assert!(bench.confirmed.try_recv().is_err(), "no downlink");
    assert_eq!(bench.kinds(), "boot codec codec", "nothing of it is stored");
    let failing = bench.board.lock().unwrap().journal.clone();
    assert_eq!((failing.commits, failing.commits_failed), (0, 1));
    assert!(failing.failing.unwrap().contains("df -h"), "says what to do next");

    // What is believed now is what a restart would believe.
    let restarted =
        Ledger::restore(&bench.committer.parts.setup(bench.committer.rules.clone()), &bench.reader()).unwrap();
    let believed = &bench.committer.restored;
    assert_eq!(believed.rows, restarted.rows);
    assert!(rules::invariant::r2_restart_changes_nothing(&restarted.engine, &believed.engine, Default::default()));
    assert!(
        believed.engine.alarms(&bench.committer.stamp()).is_empty(),
        "the alarm of the lost frame is not believed (R1)"
    );
    assert_eq!(believed.ingest.session(&flow()), restarted.ingest.session(&flow()));

    sensor.reconnect().await;
    let again = sensor.publish(1, true, COD).await;
    bench.take(vec![again], vec![heard(0, WARM)], Vec::new());
    assert_eq!(sensor.read(4).await, [0x40, 2, 0, 1], "PUBACK: it was never stored, so it is no duplicate");
    assert!(bench.confirmed.try_recv().is_ok());
    assert_eq!(bench.kinds(), "boot codec codec frame frame alarm");
    assert_eq!(bench.board.lock().unwrap().journal.failing, None);
}

#[tokio::test]
async fn what_was_let_go_is_counted_once_the_disk_is_back() {
    let mut bench = Bench::new();
    let none: Option<SourceId> = None;
    bench.lost.lock().unwrap().entry(none).or_default().shed = 5;
    let stuck = bench.stuck_disk();
    bench.apply([heard(0, WARM), heard(1, WARM)]);
    drop(stuck);
    assert_eq!(bench.tally(None).shed, 0);
    bench.apply([heard(1, WARM)]);
    assert_eq!(bench.tally(None).shed, 5, "the sockets' count survived the failure");
    let tally = bench.tally(Some("flow-1"));
    assert_eq!((tally.accepted, tally.shed), (1, 2), "received three, stored one (A3)");
    let heard_by = bench.heard_by();
    assert_eq!((heard_by.accepted, heard_by.shed), (1, 2), "their gateway has the same to tell");
}

#[tokio::test]
async fn a_checkpoint_that_is_not_stored_is_signed_later() {
    let mut bench = Bench::new();
    let stuck = bench.stuck_disk();
    bench.committer.sign_checkpoint();
    bench.committer.checkpoint_if_due();
    drop(stuck);
    assert!(bench.reader().checkpoints_after(0, 10).unwrap().is_empty());
    bench.committer.sign_checkpoint();
    assert_eq!(bench.reader().checkpoints_after(0, 10).unwrap().len(), 1);
}

#[tokio::test]
async fn the_last_of_the_disk_is_for_devices_that_a_rule_minds() {
    let rule = "[[rule]]\nid = \"warm\"\nkind = \"limit\"\ndevices = [\"flow-1\"]\nquantity = \"temperature_1\"\n\
                unit = \"Cel\"\nhigh = 20\n";
    let mut bench = Bench::new();
    bench.committer.parts.rules = rules::RuleSet::from_toml(rule).unwrap();
    let mut sensor = Sensor::connect().await;
    bench.committer.parts.scarce.store(true, Ordering::Relaxed);
    let routine = sensor.publish(1, false, COD).await;
    bench.take(vec![routine], vec![heard(0, WARM)], Vec::new());
    assert!(sensor.read(4).await.is_empty(), "no PUBACK: the device keeps its frame");
    assert!(bench.kinds().ends_with("frame alarm"), "{}", bench.kinds());
    let tally = bench.tally(Some("cod-1"));
    assert_eq!((tally.accepted, tally.shed), (0, 1), "counted (A3)");

    bench.committer.parts.scarce.store(false, Ordering::Relaxed);
    sensor.reconnect().await;
    let again = sensor.publish(1, true, COD).await;
    bench.take(vec![again], Vec::new(), Vec::new());
    assert_eq!(sensor.read(4).await, [0x40, 2, 0, 1], "and it is taken when there is room");
}
