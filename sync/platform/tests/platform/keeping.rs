//! What survives: restarts, power cuts, and the way out of the database.

use std::fs;

use batch::{Batch, BatchId, Checkpoint, Receipt};
use platform::export::{Exported, write_artifacts};
use platform::{Platform, StateDir};

use crate::world::{World, batch, box_key, checkpoint, config, dump, entered, public_key, readings, seal, sealed};

#[tokio::test]
async fn all_is_there_after_a_restart() {
    let world = World::new().await;
    let (first, key) = (sealed(0..5), world.running.public_key());
    let receipt = world.put(&first).await;
    let before = world.dump();
    let world = world.restart().await;
    assert_eq!(world.running.public_key(), key);
    assert_eq!(world.dump(), before);
    let again = world.put(&first).await;
    assert_eq!((again.status.as_u16(), again.bytes), (200, receipt.bytes));
}

/// The files as they are at the moment the receipt is out are what a power cut would leave, but for what the disk
/// itself holds back.
#[tokio::test]
async fn what_was_receipted_is_there_after_a_crash() {
    let world = World::new().await;
    let crashed = tempfile::tempdir().unwrap();
    fs::create_dir(crashed.path().join("state")).unwrap();
    let mut receipts = Vec::new();
    for nth in 0..5 {
        let sealed = sealed(nth * 10..nth * 10 + 10);
        receipts.push((sealed.clone(), world.put(&sealed).await.bytes));
    }
    for entry in fs::read_dir(world.running.state_dir().path()).unwrap() {
        let from = entry.unwrap().path();
        // The shared memory is rebuilt from the log, as after a reboot.
        if from.extension().is_none_or(|extension| extension != "db-shm") {
            fs::copy(&from, crashed.path().join("state").join(from.file_name().unwrap())).unwrap();
        }
    }
    let before = world.dump();
    let running = Platform::start(config(crashed.path(), "")).await.unwrap();
    assert_eq!(dump(&running.state_dir().database()), before);
    let survivor = World { running, client: world.client.clone(), folder: crashed };
    for (sealed, receipt) in receipts {
        let again = survivor.put(&sealed).await;
        assert_eq!((again.status.as_u16(), again.bytes), (200, receipt));
    }
}

#[tokio::test]
async fn a_database_of_another_version_is_left_alone() {
    let world = World::new().await;
    let (state, folder) = (world.running.state_dir().clone(), world.folder);
    world.running.stop().await.unwrap();
    let db = rusqlite::Connection::open(state.database()).unwrap();
    db.pragma_update(None, "user_version", 10).unwrap();
    drop(db);
    let error = Platform::start(config(folder.path(), "")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("schema version 10"), "{cause}");
}

#[tokio::test]
async fn artifacts_verify_outside() {
    let world = World::new().await;
    let mut first = batch(vec![readings(0, "1"), readings(1, "2")]);
    first.checkpoints = vec![checkpoint(1, &box_key()), checkpoint(2, &box_key())];
    let (first, second) = (seal(&first), sealed(2..4));
    world.put(&first).await;
    world.put(&second).await;
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(world.running.state_dir().path());
    let exported = write_artifacts(&state, dir.path()).unwrap();
    assert_eq!(exported, Exported { batches: 2, checkpoints: 2 });
    // Also when nobody has it open.
    world.running.stop().await.unwrap();
    assert_eq!(write_artifacts(&state, dir.path()).unwrap(), exported);
    let (platform, of_box) =
        (public_key(&dir.path().join("platform.pub")), public_key(&dir.path().join("boxes/outfall-1.pub")));
    assert_eq!(of_box, box_key().public());
    for id in [first.id, second.id] {
        let bytes = fs::read(dir.path().join(format!("batches/{id}.cose"))).unwrap();
        assert_eq!(BatchId::of(&bytes), id);
        Batch::open(&bytes, Some(&id), |_| Some(of_box)).unwrap();
        let receipt = fs::read(dir.path().join(format!("receipts/{id}.cose"))).unwrap();
        assert_eq!(Receipt::verify(&receipt, &platform).unwrap().batch, id);
    }
    for size in 1..=2 {
        let bytes = fs::read(dir.path().join(format!("checkpoints/{size}-outfall-1-0.cose"))).unwrap();
        assert_eq!(Checkpoint::verify(&bytes, &of_box).unwrap().head.size, size);
    }
}

#[tokio::test]
async fn secrets_are_secret() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new().await;
    let state = world.running.state_dir();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(state.key()), mode(state.tls_key()), mode(state.database())), (0o600, 0o600, 0o640));
    assert_eq!(public_key(&state.public_key()), world.running.public_key());
}

/// A database that an earlier version wrote is brought up to date, with all that it has.
#[tokio::test]
async fn a_database_of_the_version_before_is_brought_up_to_date() {
    let world = World::new().await;
    assert_eq!(world.put(&sealed(0..3)).await.status, 201);
    let (state, folder) = (world.running.state_dir().clone(), world.folder);
    world.running.stop().await.unwrap();
    let db = rusqlite::Connection::open(state.database()).unwrap();
    db.execute_batch("DROP TABLE manual; DROP TABLE manual_value").unwrap();
    db.pragma_update(None, "user_version", 8).unwrap();
    drop(db);
    let running = Platform::start(config(folder.path(), "")).await.unwrap();
    let world = World { running, client: world.client, folder };
    assert_eq!(world.put(&seal(&batch(entered(3)))).await.status, 201);
    let page = world.get("/v1/boxes/outfall-1/manual").await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(world.get("/v1/boxes").await.json()[0]["records"], 6);
}
