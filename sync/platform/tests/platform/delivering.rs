//! What is taken: once, whole, with one receipt.

use record::{Seq, SeqRange};
use reqwest::StatusCode;

use crate::world::{World, batch, box_key, checkpoint, count, others, readings, seal, sealed, told};

#[tokio::test]
async fn a_batch_is_stored_and_receipted() {
    let world = World::new().await;
    let sealed = sealed(0..3);
    let answer = world.put(&sealed).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let receipt = world.receipt(&answer);
    assert_eq!((receipt.platform.as_str(), receipt.box_id.as_str(), receipt.batch), ("city", "outfall-1", sealed.id));
    assert_eq!(receipt.holds.iter().collect::<Vec<_>>(), [SeqRange { first: Seq(0), last: Seq(2) }]);
    assert_eq!(receipt.head, crate::world::head(3));
    assert_eq!((count(&world, "record"), count(&world, "reading")), (3, 6));
}

#[tokio::test]
async fn the_same_batch_again_changes_nothing_and_gets_the_same_receipt() {
    let world = World::new().await;
    let mut first = batch(others(0));
    first.checkpoints = vec![checkpoint(5, &box_key())];
    let first = seal(&first);
    let answer = world.put(&first).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    // Later batches widen the coverage; the old receipt must stay what it was.
    assert_eq!(world.put(&sealed(5..9)).await.status, StatusCode::CREATED);
    let before = world.dump();
    let again = world.put(&first).await;
    assert_eq!((again.status, &again.bytes), (StatusCode::OK, &answer.bytes));
    assert_eq!(world.dump(), before);
    assert_eq!(world.get("/v1/status").await.json()["repeated"], 1);
}

#[tokio::test]
async fn eight_at_once_are_one_batch_with_one_receipt() {
    let world = std::sync::Arc::new(World::new().await);
    let sealed = sealed(0..50);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (world, sealed) = (std::sync::Arc::clone(&world), sealed.clone());
        tasks.spawn(async move { world.put(&sealed).await });
    }
    let answers = tasks.join_all().await;
    assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes), "equal receipts");
    let stored = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
    let repeated = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!((stored, repeated), (1, 7));
    assert_eq!((count(&world, "batch"), count(&world, "record"), count(&world, "reading")), (1, 50, 100));
}

#[tokio::test]
async fn many_batches_at_once_all_arrive() {
    let world = std::sync::Arc::new(World::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for nth in 0..20 {
        let world = std::sync::Arc::clone(&world);
        tasks.spawn(async move { world.put(&sealed(nth * 10..nth * 10 + 10)).await.status });
    }
    assert!(tasks.join_all().await.into_iter().all(|status| status == StatusCode::CREATED));
    let coverage = world.get("/v1/boxes/outfall-1/coverage").await.json();
    assert_eq!(coverage["holds"], serde_json::json!([{ "first": 0, "last": 199 }]));
    assert_eq!(count(&world, "record"), 200);
}

#[tokio::test]
async fn a_record_in_two_batches_is_stored_once() {
    let world = World::new().await;
    let rows = [readings(0, "1.50"), readings(1, "2"), readings(2, "3")];
    let kinds = [others(3), told(8)].concat();
    let all: Vec<_> = rows.iter().chain(&kinds).cloned().collect();
    world.put(&seal(&batch(all.clone()))).await;
    // The alarm lane and the backlog lane may both carry a record, cut otherwise.
    let again = world.put(&seal(&batch(all[1..].to_vec()))).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!(count(&world, "record"), 13);
    let boxes = world.get("/v1/boxes").await.json();
    assert_eq!((&boxes[0]["records"], &boxes[0]["doubled"], &boxes[0]["batches"]), (&13.into(), &12.into(), &2.into()));
}

#[tokio::test]
async fn coverage_merges_as_gaps_close() {
    let world = World::new().await;
    for (seqs, ranges) in [(10..12, 1), (0..2, 2), (20..22, 3), (2..10, 2), (12..20, 1)] {
        let answer = world.put(&sealed(seqs)).await;
        let receipt = world.receipt(&answer);
        assert_eq!(receipt.holds.iter().len(), ranges);
        assert_eq!(count(&world, "coverage"), ranges);
    }
}
