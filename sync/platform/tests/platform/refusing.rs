//! What is not taken: each with its code, counted, and without a trace in the tables.

use batch::{BatchId, BoxId, Content, SigningKey};
use record::merkle::Hash;
use record::{Detection, Manual, Outfall, Seq, SeqRange};

use crate::world::{
    Answer, BOX, World, aggregated, batch, box_key, checkpoint, config, entered, head, others, readings, registered,
    seal, sealed, told,
};

fn check(answer: &Answer, status: u16, code: &str) {
    assert_eq!(answer.refusal(), (status, code.to_owned()));
}

/// Checks a refusal, and that it left nothing behind and was counted.
async fn check_refused(world: &World, id: &BatchId, body: Vec<u8>, status: u16, code: &str) {
    let before = world.dump();
    let refused = |status: serde_json::Value| status["refused"][code].as_u64().unwrap_or(0);
    let counted = refused(world.get("/v1/status").await.json());
    check(&world.put_bytes(id, body).await, status, code);
    assert_eq!(world.dump(), before, "{code}");
    assert_eq!(refused(world.get("/v1/status").await.json()), counted + 1);
}

#[tokio::test]
async fn a_changed_batch() {
    let world = World::new().await;
    let stored = sealed(0..3);
    let receipt = world.put(&stored).await;
    let mut changed = stored.bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    check_refused(&world, &stored.id, changed.clone(), 409, "id_reused").await;
    check_refused(&world, &sealed(3..5).id, changed.clone(), 400, "id_mismatch").await;
    check_refused(&world, &BatchId::of(&changed), changed, 403, "bad_signature").await;
    assert_eq!(world.put(&stored).await.bytes, receipt.bytes);
}

#[tokio::test]
async fn strangers() {
    let world = World::new().await;
    let other = SigningKey::from_seed(&[2; 32]);
    let by_other = batch(vec![readings(0, "1")]).seal(&other).unwrap();
    check_refused(&world, &by_other.id, by_other.bytes, 403, "unknown_key").await;
    let good = sealed(0..1);
    check(&world.put_at(&format!("/v1/boxes/outfall-9/batches/{}", good.id), good.bytes).await, 403, "unknown_box");
    let mut foreign = batch(vec![readings(0, "1")]);
    foreign.box_id = BoxId::new("outfall-9").unwrap();
    let foreign = seal(&foreign);
    check_refused(&world, &foreign.id, foreign.bytes, 403, "box_mismatch").await;
}

#[tokio::test]
async fn bytes_that_are_no_batch() {
    let world = World::new().await;
    let good = sealed(0..5);
    let cut = good.bytes[..good.bytes.len() / 2].to_vec();
    check_refused(&world, &good.id, cut.clone(), 400, "id_mismatch").await;
    check_refused(&world, &BatchId::of(&cut), cut, 400, "malformed").await;
    check_refused(&world, &BatchId::of(b""), Vec::new(), 400, "malformed").await;
    let receipt = checkpoint(3, &box_key());
    check_refused(&world, &BatchId::of(&receipt), receipt, 415, "wrong_type").await;
    check(&world.put_at(&format!("/v1/boxes/{BOX}/batches/XYZ"), good.bytes).await, 400, "bad_id");
}

#[tokio::test]
async fn a_body_larger_than_allowed() {
    let world = World::with("body_bytes_max = 4096").await;
    let large = vec![7; 4097];
    check_refused(&world, &BatchId::of(&large), large, 413, "too_large").await;
    let huge = vec![7; 3 << 20];
    check_refused(&world, &BatchId::of(&huge), huge, 413, "too_large").await;
}

#[tokio::test]
async fn a_body_without_an_announced_length() {
    let world = World::with("body_bytes_max = 4096").await;
    let pem = std::fs::read(world.running.state_dir().tls_cert()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
        roots.add(Result::unwrap(certificate)).unwrap();
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let address = world.running.local_addr();
    let exchange = move || {
        use std::io::{Read, Write};
        let name = rustls::pki_types::ServerName::from(address.ip());
        let mut tls = rustls::ClientConnection::new(config.into(), name).unwrap();
        let mut tcp = std::net::TcpStream::connect(address).unwrap();
        let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
        let path = format!("/v1/boxes/{BOX}/batches/{}", "0".repeat(64));
        write!(stream, "PUT {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..5 {
            write!(stream, "400\r\n{}\r\n", "x".repeat(0x400)).unwrap();
        }
        write!(stream, "0\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        // A server that closes without TLS's goodbye is an error only after the answer.
        drop(stream.read_to_end(&mut answer));
        String::from_utf8(answer).unwrap()
    };
    let answer = tokio::task::spawn_blocking(exchange).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("too_large"), "{answer}");
}

#[tokio::test]
async fn another_record_under_a_stored_number() {
    let world = World::new().await;
    let kinds = [others(5), told(10), registered(15), vec![aggregated(17)], entered(18)].concat();
    world.put(&sealed(0..5)).await;
    world.put(&seal(&batch(kinds.clone()))).await;
    let mut forged = vec![vec![readings(4, "40.126"), readings(5, "1")], vec![readings(6, "1")]];
    for (at, row) in kinds.into_iter().enumerate() {
        let mut row = row;
        match &mut row.content {
            Content::Boot(boot) => boot.version.push('x'),
            Content::Rejected { raw_sha256, .. } => raw_sha256[0] ^= 1,
            Content::Alarm(alarm) => alarm.cause.0 += 1,
            Content::Codec(codec) => codec.text.push('x'),
            Content::Clock(set) => set.step_ms += 1,
            Content::Gap(gap) => gap.ranges.insert(SeqRange { first: Seq(4), last: Seq(4) }),
            Content::Audit(audit) => audit.reason.push('x'),
            Content::Outfall(Outfall::Dossier(version)) => version.dossier.flood_safety ^= true,
            Content::Outfall(Outfall::Devices(standing)) => drop(standing.devices.pop()),
            Content::Redecoded(redecoded) => redecoded.texts[0].text.push('x'),
            Content::Aggregate(aggregate) => aggregate.values[1].good += 1,
            Content::Manual(Manual::Sample(sample)) => sample.values[1].detection = Detection::Found,
            Content::Manual(Manual::Patrol(patrol)) => patrol.state = None,
            Content::Readings { .. } => unreachable!("others() has none, {at}"),
        }
        forged.push(vec![row]);
    }
    let mut late = readings(3, "40.125");
    late.stamp.mono_ms.0 += 1;
    forged.push(vec![late]);
    for rows in forged {
        let mut forged = batch(rows);
        forged.head = head(100);
        let forged = seal(&forged);
        check_refused(&world, &forged.id, forged.bytes, 409, "conflict").await;
    }
}

#[tokio::test]
async fn a_second_history() {
    let world = World::new().await;
    world.put(&sealed(0..5)).await;
    let mut forked = batch(vec![readings(5, "1")]);
    forked.head = head(5);
    forked.head.root = Hash([99; 32]);
    let forked = seal(&forked);
    check_refused(&world, &forked.id, forked.bytes, 409, "fork").await;
    // The same root for that size is no fork, and a checkpoint counts as much as a batch's head.
    let mut honest = batch(vec![readings(5, "1")]);
    honest.checkpoints = vec![checkpoint(5, &box_key())];
    assert_eq!(world.put(&seal(&honest)).await.status, 201);
    let mut two_faced = batch(vec![readings(6, "1")]);
    two_faced.checkpoints = vec![checkpoint(7, &box_key())];
    two_faced.head.root = Hash([98; 32]);
    let two_faced = seal(&two_faced);
    check_refused(&world, &two_faced.id, two_faced.bytes, 409, "fork").await;
}

#[tokio::test]
async fn a_checkpoint_by_another_key() {
    let world = World::new().await;
    let mut with_foreign = batch(vec![readings(0, "1")]);
    with_foreign.checkpoints = vec![checkpoint(1, &SigningKey::from_seed(&[2; 32]))];
    let sealed = seal(&with_foreign);
    check_refused(&world, &sealed.id, sealed.bytes, 400, "bad_checkpoint").await;
}

#[tokio::test]
async fn a_number_that_no_database_holds() {
    let world = World::new().await;
    let mut far = batch(vec![readings(0, "1")]);
    far.rows[0].stamp.mono_ms.0 = u64::MAX;
    let far = seal(&far);
    check_refused(&world, &far.id, far.bytes, 400, "malformed").await;
}

#[tokio::test]
async fn a_full_store_keeps_what_it_has_and_goes_on() {
    let world = World::with("store_bytes_max = 1048576").await;
    let first = sealed(0..10);
    let receipt = world.put(&first).await;
    let wide = sealed(10..20_000);
    let before = world.dump();
    let answer = world.put(&wide).await;
    check(&answer, 507, "store_full");
    assert_eq!(answer.retry_after.as_deref(), Some("300"));
    assert_eq!(world.dump(), before);
    assert_eq!(world.put(&first).await.bytes, receipt.bytes);
    assert_eq!(world.put(&sealed(10..20)).await.status, 201);
}

#[tokio::test]
async fn a_place_to_start_that_is_taken_or_closed() {
    use platform::{Platform, StartError};
    let world = World::new().await;
    let mut taken = config(world.folder.path(), "");
    taken.listen = world.running.local_addr();
    let error = Platform::start(taken).await.unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }) && error.to_string().contains("ss -ltnp"), "{error}");
    let error = Platform::start(config(world.folder.path(), "")).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(matches!(error, StartError::Store(_)) && cause.contains("in use by another platform"), "{cause}");
    let file = world.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut closed = config(world.folder.path(), "");
    closed.state_dir = file.join("state");
    let error = Platform::start(closed).await.unwrap_err();
    assert!(matches!(error, StartError::StateDir { .. }) && error.to_string().contains("chown"), "{error}");
}
