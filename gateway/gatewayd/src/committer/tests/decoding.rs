//! Codecs run beside the committer. In these tests nobody runs them but the test itself, so whatever is stored before
//! it does was stored without one.

use ingest::CODEC_FAILURES_MAX;
use serde_json::json;

use super::bench::{Bench, Sensor, WARM, heard, heard_slow, slow_table, table_with};
use crate::committer::lanes::LANE_FRAMES_MAX;

/// Ends at once, as the codec of `slow-1` sees it.
const QUICK: &[u8] = &[1];
/// Never ends.
const SLOW: &[u8] = &[0];

fn kinds(bench: &Bench) -> String {
    bench.kinds().replace("codec ", "").replace("boot ", "")
}

#[tokio::test]
async fn without_decoders_no_payload_is_read_and_nothing_is_believed() {
    let mut bench = Bench::of(slow_table());
    let mut sensor = Sensor::connect_as("slow-2", "river-otter-8").await;
    let published = vec![sensor.publish(1, false, QUICK).await];
    let before = bench.records().len();
    let frames = vec![heard(0, WARM), heard_slow(0, QUICK)];
    let mut draft = bench.begin(published, frames, Vec::new());
    assert_eq!(draft.prompt, 1, "a declarative codec is known to be quick, a script not before its first run");
    assert!(draft.transaction.is_empty() && draft.waiting.is_empty(), "and none of them ran here");
    while bench.decode(&mut draft) {}
    bench.committer.finish(draft).unwrap();
    assert_eq!(bench.records().len(), before + 4, "three frames, and the alarm of one");
    assert_eq!(sensor.read(4).await, [0x40, 2, 0, 1], "PUBACK");
    let again = bench.begin(Vec::new(), vec![heard_slow(1, QUICK)], Vec::new());
    assert_eq!(again.prompt, 1, "the script has shown that it is quick");
}

#[test]
fn others_overtake_a_slow_codec_and_its_own_device_keeps_its_order() {
    let mut bench = Bench::of(slow_table());
    // The slow device's frame stays with the decoders for three transactions of the other.
    let mut slow = bench.begin(Vec::new(), vec![heard_slow(0, SLOW)], Vec::new());
    assert_eq!(bench.jobs.patient.len(), 1);
    // Its next frame and a copy of it wait, and so does one that would need no codec.
    let own = [heard_slow(1, QUICK), heard_slow(1, QUICK), heard_slow(2, &[])];
    for (f_cnt, own) in (0..).zip(own) {
        let mut draft = bench.begin(Vec::new(), vec![own, heard(f_cnt, WARM)], Vec::new());
        assert!(bench.decode_promptly(&mut draft));
        bench.committer.finish(draft).unwrap();
        assert!(bench.confirmed.try_recv().is_ok(), "acknowledged at once");
    }
    assert_eq!(bench.tally(Some("flow-1")).accepted, 3);
    assert_eq!(bench.tally(Some("slow-1")).accepted, 0);
    while bench.decode(&mut slow) {}
    bench.committer.finish(slow).unwrap();
    let tally = bench.tally(Some("slow-1"));
    assert_eq!((tally.rejected, tally.accepted, tally.duplicate), (1, 2, 1), "each was received, and came to its own");
    let heard_by = bench.heard_by();
    assert_eq!((heard_by.rejected, heard_by.accepted, heard_by.duplicate), (1, 2 + 3, 1), "and three of the other");
    let answers = std::iter::from_fn(|| bench.confirmed.try_recv().ok()).count();
    assert_eq!(answers, 4, "undecodable is stored as well, and so acknowledged");
    assert!(kinds(&bench).ends_with("rejected frame frame"), "in their order: {}", kinds(&bench));
}

#[test]
fn what_a_restart_interrupts_is_judged_as_if_it_had_never_come() {
    let mut bench = Bench::of(slow_table());
    drop(bench.begin(Vec::new(), vec![heard_slow(0, QUICK)], Vec::new()));
    bench = bench.reopen("boot-b");
    assert_eq!(bench.tally(Some("slow-1")).accepted, 0);
    bench.apply([heard_slow(0, QUICK), heard_slow(0, QUICK)]);
    let tally = bench.tally(Some("slow-1"));
    assert_eq!((tally.accepted, tally.duplicate), (1, 1));
    assert_eq!(std::iter::from_fn(|| bench.confirmed.try_recv().ok()).count(), 2);
}

#[test]
fn a_commit_that_fails_takes_nothing_from_what_is_being_decoded() {
    let mut bench = Bench::of(slow_table());
    let mut slow = bench.begin(Vec::new(), vec![heard_slow(0, QUICK)], Vec::new());
    let stuck = bench.stuck_disk();
    let mut failing = bench.begin(Vec::new(), vec![heard(0, WARM)], Vec::new());
    assert!(bench.decode_promptly(&mut failing));
    bench.committer.finish(failing).unwrap();
    drop(stuck);
    while bench.decode(&mut slow) {}
    bench.committer.finish(slow).unwrap();
    assert_eq!(bench.tally(Some("slow-1")).accepted, 1);
    assert_eq!(bench.tally(Some("flow-1")).shed, 1);
}

#[test]
fn more_than_a_lane_holds_is_shed_and_counted() {
    let mut bench = Bench::of(slow_table());
    let frames = 1 + u32::try_from(LANE_FRAMES_MAX).unwrap() + 3;
    bench.apply((0..frames).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    let tally = bench.tally(Some("slow-1"));
    assert_eq!((tally.accepted, tally.shed), (u64::from(frames) - 3, 3), "received = accepted + shed (A3)");
    assert_eq!((bench.heard_by().accepted, bench.heard_by().shed), (tally.accepted, tally.shed));
}

#[test]
fn history_is_decoded_beside_the_committer_and_stops_no_codec_that_serves_new_frames() {
    let mut bench = Bench::of(slow_table());
    bench.apply((0..12).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    // A codec that works for new frames only: they are longer.
    let script = "function decodeUplink(input) { while (input.bytes.length === 1); return { data: { level: 8 } }; }";
    bench = bench.reopen_with(table_with(script));
    let before = bench.records().len();
    let answer = bench.order(&json!({"do": "redecode", "device": "slow-1"})).unwrap();
    assert_eq!(answer, json!({"redecoded": 0, "failed": 12, "unreadable": 0}), "stopped after ten");
    bench.apply([heard_slow(12, &[1, 1])]);
    assert_eq!(bench.tally(Some("slow-1")).accepted, 13, "new frames have a count of their own");
    assert_eq!(bench.records().len(), before + 1);
    bench = bench.reopen_with(table_with("function decodeUplink(input) { return { data: { level: 9 } }; }"));
    let answer = bench.order(&json!({"do": "redecode", "device": "slow-1"})).unwrap();
    assert_eq!(answer, json!({"redecoded": 13, "failed": 0, "unreadable": 0}));
    assert_eq!(bench.kinds().matches("redecoded").count(), 13);
}

#[test]
fn a_codec_that_was_stopped_is_tried_again_after_a_restart() {
    let mut bench = Bench::of(slow_table());
    bench.apply((0..CODEC_FAILURES_MAX).map(|f_cnt| heard_slow(f_cnt, SLOW)));
    bench.apply([heard_slow(CODEC_FAILURES_MAX, QUICK)]);
    assert_eq!(bench.tally(Some("slow-1")).accepted, 0, "stopped");
    bench = bench.reopen_with(slow_table());
    bench.apply([heard_slow(CODEC_FAILURES_MAX + 1, QUICK)]);
    assert_eq!(bench.tally(Some("slow-1")).accepted, 1);
}

#[test]
fn an_order_whose_history_is_not_stored_says_so() {
    let mut bench = Bench::of(slow_table());
    bench.apply([heard_slow(0, QUICK)]);
    bench = bench.reopen_with(table_with("function decodeUplink(input) { return { data: { level: 9 } }; }"));
    let stuck = bench.stuck_disk();
    let refused = bench.order(&json!({"do": "redecode", "device": "slow-1"})).unwrap_err();
    assert!(refused.contains("nothing has changed"), "{refused}");
    drop(stuck);
    assert!(bench.order(&json!({"do": "redecode", "device": "slow-1"})).is_ok(), "and it can be ordered again");
    assert_eq!(bench.kinds().matches("redecoded").count(), 1);
}
