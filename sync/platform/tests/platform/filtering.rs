//! A box that keeps something from this platform: what it leaves out is not missing, and may come after all.

use batch::{Batch, Content, Filtered, Row};
use record::{Quantity, Seq, SeqRange, SeqRanges};
use serde_json::json;

use crate::world::{BOX, World, aggregated, batch, count, others, readings, seal};

fn ranges(spans: &[(u64, u64)]) -> SeqRanges {
    spans.iter().map(|(first, last)| SeqRange { first: Seq(*first), last: Seq(*last) }).collect()
}

/// A batch of these rows that tells of all numbers before `end`.
fn leaving_out(rows: Vec<Row>, first: u64, end: u64) -> Batch {
    let mut all = batch((first..end).map(|seq| readings(seq, "1")).collect());
    let kept: SeqRanges = rows.iter().map(|row| SeqRange { first: row.seq, last: row.seq }).collect();
    all.filtered.left_out =
        all.ranges.iter().flat_map(|range| kept.missing_in(range).iter().collect::<Vec<_>>()).collect();
    Batch { rows, ..all }
}

/// The row without the readings of other quantities.
fn only(quantity: &str, mut row: Row) -> Row {
    if let Content::Readings { readings, .. } = &mut row.content {
        readings.retain(|reading| reading.quantity.as_str() == quantity);
    } else if let Content::Aggregate(aggregate) = &mut row.content {
        aggregate.values.retain(|value| value.quantity.as_str() == quantity);
    }
    row
}

fn of(quantity: &str, rows: Vec<Row>) -> Batch {
    let quantities = [Quantity::new(quantity).unwrap()].into();
    let rows = rows.into_iter().map(|row| only(quantity, row)).collect();
    Batch { filtered: Filtered { quantities, ..Filtered::default() }, ..batch(rows) }
}

async fn of_box(world: &World) -> [u64; 4] {
    let boxes = world.get("/v1/boxes").await.json();
    ["records", "withheld", "doubled", "readings"].map(|key| boxes[0][key].as_u64().unwrap())
}

#[tokio::test]
async fn what_is_left_out_is_covered_and_counted_and_never_called_held() {
    let world = World::new().await;
    let answer = world.put(&seal(&leaving_out(vec![readings(2, "1"), readings(3, "1")], 0, 6))).await;
    assert_eq!(answer.status.as_u16(), 201);
    let receipt = world.receipt(&answer);
    assert_eq!((&receipt.holds, &receipt.left_out), (&ranges(&[(0, 5)]), &ranges(&[(0, 5)])));
    let receipt = world.receipt(&world.put(&seal(&batch(vec![readings(6, "1")]))).await);
    assert_eq!([5, 6].map(|seq| receipt.has(Seq(seq))), [false, true]);
    // Nothing but numbers.
    let receipt = world.receipt(&world.put(&seal(&leaving_out(Vec::new(), 7, 9))).await);
    assert_eq!(receipt.holds, ranges(&[(0, 8)]));
    assert_eq!(of_box(&world).await, [3, 6, 0, 6]);
    let coverage = world.get(&format!("/v1/boxes/{BOX}/coverage")).await.json();
    let expected = json!({"box": BOX, "records": 3, "withheld": 6, "holds": [{"first": 0, "last": 8}]});
    assert_eq!(coverage, expected);
}

#[tokio::test]
async fn what_was_left_out_comes_after_all_and_only_once() {
    let world = World::new().await;
    world.put(&seal(&leaving_out(vec![readings(1, "1")], 0, 4))).await;
    // The rest, and a record that is here is left out this time.
    let answer = world.put(&seal(&leaving_out([0, 2, 3].map(|seq| readings(seq, "1")).into(), 0, 4))).await;
    assert_eq!((answer.status.as_u16(), of_box(&world).await), (201, [4, 0, 0, 8]));
    let receipt = world.receipt(&answer);
    assert!(receipt.left_out.is_empty() && receipt.has(Seq(1)) && receipt.has(Seq(3)));
    assert_eq!(count(&world, "left_out"), 0);
    // Again, whole: the same records, and one that differs.
    let again = world.put(&seal(&batch((0..4).map(|seq| readings(seq, "1")).chain(others(4)).collect()))).await;
    assert_eq!((again.status.as_u16(), of_box(&world).await[2]), (201, 4));
    let other = world.put(&seal(&leaving_out(vec![readings(1, "2")], 0, 4))).await;
    assert_eq!(
        (other.status.as_u16(), other.json()["code"].as_str().unwrap().to_owned()),
        (409, "conflict".to_owned())
    );
}

#[tokio::test]
async fn readings_that_were_left_out_are_added_to_their_frame() {
    let world = World::new().await;
    assert_eq!(world.put(&seal(&of("cod", vec![readings(0, "1"), readings(1, "2")]))).await.status.as_u16(), 201);
    assert_eq!(of_box(&world).await, [2, 0, 0, 2]);
    // A frame that was cut is extended by what it lacked, and agrees on what it had.
    assert_eq!(world.put(&seal(&of("flow", vec![readings(0, "1")]))).await.status.as_u16(), 201);
    assert_eq!(world.put(&seal(&batch(vec![readings(1, "2")]))).await.status.as_u16(), 201);
    assert_eq!(of_box(&world).await, [2, 0, 0, 4]);
    let answer = world.get(&format!("/v1/boxes/{BOX}/readings?format=jsonl")).await;
    let lines = String::from_utf8(answer.bytes).unwrap();
    let told: Vec<String> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| format!("{} {} {}", line["seq"], line["idx"], line["quantity"].as_str().unwrap()))
        .collect();
    assert_eq!(told, ["0 0 cod", "0 1 flow", "1 0 cod", "1 1 flow"]);
    // What came before comes again, in part or whole: the same.
    for same in [of("cod", vec![readings(1, "2")]), batch(vec![readings(0, "1")])] {
        assert_eq!(world.put(&seal(&same)).await.status.as_u16(), 201);
    }
    assert_eq!(of_box(&world).await, [2, 0, 2, 4]);
    // Another value, and a quantity more in a frame that came whole: another history.
    assert_eq!(world.put(&seal(&batch(vec![readings(5, "1")]))).await.status.as_u16(), 201);
    let mut less = readings(6, "1");
    less = only("cod", less);
    assert_eq!(world.put(&seal(&batch(vec![less]))).await.status.as_u16(), 201);
    for other in
        [of("cod", vec![readings(0, "9")]), batch(vec![readings(6, "1")]), batch(vec![only("cod", readings(5, "1"))])]
    {
        assert_eq!(world.put(&seal(&other)).await.json()["code"], "conflict");
    }
}

/// The same of an aggregate's values.
#[tokio::test]
async fn values_that_were_left_out_are_added_to_their_aggregate() {
    let world = World::new().await;
    let put = async |batch: &Batch| world.put(&seal(batch)).await;
    assert_eq!(put(&of("flow", vec![aggregated(0)])).await.status.as_u16(), 201);
    assert_eq!(put(&of("cod", vec![aggregated(0)])).await.status.as_u16(), 201);
    let page = world.get(&format!("/v1/boxes/{BOX}/aggregates")).await.json();
    let values = page["items"][0]["values"].as_array().unwrap();
    assert_eq!(values.iter().map(|value| value["quantity"].as_str().unwrap()).collect::<Vec<_>>(), ["flow", "cod"]);
    assert_eq!(put(&batch(vec![aggregated(0)])).await.status.as_u16(), 201);
    assert_eq!(of_box(&world).await, [1, 0, 1, 0]);
    let mut other = aggregated(0);
    if let Content::Aggregate(aggregate) = &mut other.content {
        aggregate.values[1].good = 9;
    }
    assert_eq!(put(&batch(vec![other])).await.json()["code"], "conflict");
}
