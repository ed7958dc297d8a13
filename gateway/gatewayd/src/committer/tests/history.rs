//! History that is ordered more than once: each frame is decoded anew once for each change of its codec.

use std::collections::BTreeMap;

use record::{Body, CodecId, SourceId};
use serde_json::{Value, json};

use super::bench::{Bench, heard_slow, slow_table, table_with};

const MENDED: &str = "function decodeUplink(input) { return { data: { level: 9 } }; }";
/// Ends at once, as the first codec sees it.
const QUICK: &[u8] = &[1];

fn redecode(bench: &mut Bench, from: u64) -> Value {
    bench.order(&json!({"do": "redecode", "device": "slow-1", "from": from})).unwrap()["redecoded"].clone()
}

fn today(bench: &Bench) -> CodecId {
    bench.committer.parts.devices.by_name(&SourceId::new("slow-1").unwrap()).unwrap().codec_text.id
}

/// How often each frame was decoded anew, and the codec of its last decoding.
fn decodings(bench: &Bench) -> BTreeMap<u64, (usize, CodecId)> {
    let mut decodings = BTreeMap::new();
    for at in bench.records() {
        match at.record.body {
            Body::Frame(frame) => {
                decodings.insert(at.seq.0, (0, frame.codec.unwrap()));
            }
            Body::Redecoded(redecoded) => {
                let (count, last) = decodings.get_mut(&redecoded.of.0).unwrap();
                (*count, *last) = (*count + 1, redecoded.codec);
            }
            _ => {}
        }
    }
    decodings
}

#[test]
fn an_order_that_comes_twice_is_carried_out_once() {
    let mut bench = Bench::of(slow_table());
    bench.apply((0..100).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    bench = bench.reopen_with(table_with(MENDED));
    assert_eq!(redecode(&mut bench, 0), 100);
    let records = bench.records();
    assert_eq!(redecode(&mut bench, 0), 0);
    bench = bench.reopen("boot-b");
    assert_eq!(redecode(&mut bench, 0), 0);
    bench.apply([heard_slow(100, QUICK)]);
    assert_eq!(redecode(&mut bench, 0), 0, "a new frame is read by the codec of today anyhow");
    assert_eq!(bench.records()[..records.len()], records);
    assert_eq!(bench.kinds().matches("redecoded").count(), 100);
    let today = today(&bench);
    assert!(decodings(&bench).values().all(|(_, last)| *last == today));
}

#[test]
fn a_codec_that_comes_back_reads_history_anew_once_more() {
    let mut bench = Bench::of(slow_table());
    bench.apply((0..4).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    let first = today(&bench);
    // Frames of two codecs, and a part of history that was had already.
    bench = bench.reopen_with(table_with(MENDED));
    bench.apply((4..8).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    let seqs: Vec<u64> = decodings(&bench).into_keys().collect();
    assert_eq!(redecode(&mut bench, seqs[2]), 2);
    assert_eq!(redecode(&mut bench, 0), 2, "the two before");
    bench = bench.reopen_with(slow_table());
    assert_eq!(redecode(&mut bench, 0), 8, "all stand under the codec in between");
    assert_eq!(redecode(&mut bench, 0), 0);
    let found = decodings(&bench);
    assert!(found.values().all(|(_, last)| *last == first), "{found:?}");
    assert_eq!(found.values().map(|(count, _)| *count).collect::<Vec<_>>(), [2, 2, 2, 2, 1, 1, 1, 1]);
}

#[test]
fn two_orders_that_wait_at_once_do_the_work_of_one() {
    let mut bench = Bench::of(slow_table());
    bench.apply((0..30).map(|f_cnt| heard_slow(f_cnt, QUICK)));
    bench = bench.reopen_with(table_with(MENDED));
    let order = json!({"do": "redecode", "device": "slow-1"});
    let answers = bench.orders(&[&order, &order]).into_iter().map(|answer| answer.unwrap()["redecoded"].clone());
    assert_eq!(answers.collect::<Vec<_>>(), [30, 0]);
    assert_eq!(bench.kinds().matches("redecoded").count(), 30);
}

#[test]
fn a_device_that_is_not_in_the_table_has_no_history_to_decode() {
    let mut bench = Bench::of(slow_table());
    let refused = bench.order(&json!({"do": "redecode", "device": "slow-3"})).unwrap_err();
    assert_eq!(refused, "there is no device `slow-3` · try: weir device list");
}
