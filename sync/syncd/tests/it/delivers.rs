//! Against the reference platform.

use std::path::Path;

use batch::{Receipt, SigningKey};
use platform::Running;
use record::{Seq, SeqRange};
use serde_json::json;

use crate::bench::{Bench, Daemon, alarm, boot, commit, entry, frame, free_port, one_of};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_platform_down_delays_neither_the_other_nor_an_alarm_and_all_arrives_once() {
    let bench = Bench::new();
    let key = bench.key();
    let city = bench.platform("city", 0, key.public()).await;
    // The province's certificate and key exist, but it is not there yet.
    let province = bench.platform("province", 0, key.public()).await;
    let (province_key, province_port) = (province.public_key(), free_port());
    province.stop().await.unwrap();
    let destinations = [
        entry("city", city.local_addr().port(), &bench.path("city/tls.crt"), city.public_key()),
        entry("province", province_port, &bench.path("province/tls.crt"), province_key),
    ];
    let daemon = Daemon::start(bench.config(&destinations.concat()));
    bench.until("it waits for the journal", |status| status.waiting_for.is_some()).await;

    let mut journal = bench.journal();
    commit(&mut journal, &key, std::iter::once(boot()).chain((1..2_500).map(frame)).collect());
    bench
        .until("the city has the backlog", |status| one_of(status, "city").is_some_and(|city| city.covered == 2_500))
        .await;
    commit(&mut journal, &key, vec![alarm(2_499)]);
    bench
        .until("the city has the alarm", |status| one_of(status, "city").is_some_and(|city| city.covered == 2_501))
        .await;
    let down = bench.until("the province is missed", |status| {
        one_of(status, "province").is_some_and(|province| province.last_error.is_some() && province.outstanding > 0)
    });
    let down = down.await;
    let province = one_of(&down, "province").unwrap();
    assert_eq!((province.covered, province.last_error.as_ref().unwrap().kind.as_str()), (0, "unreachable"));

    // A restart forgets nothing: the batches of before are in the outbox, and are sent again as they were.
    let before: Vec<[u8; 32]> = bench.outbox().batches("province").unwrap().iter().map(|batch| batch.id).collect();
    assert!(!before.is_empty());
    daemon.stop().await;
    let daemon = Daemon::start(bench.config(&destinations.concat()));
    let province = bench.platform("province", province_port, key.public()).await;
    let done = bench.until("the province has all", |status| {
        one_of(status, "province").is_some_and(|province| province.covered == 2_501)
    });
    let done = done.await;
    assert!(done.destinations.iter().all(|destination| destination.missing == 0 && destination.outstanding == 0));
    assert!(done.destinations.iter().all(|destination| destination.delivered.records == 2_501), "{done:#?}");
    daemon.stop().await;

    let all = SeqRange { first: Seq(0), last: Seq(2_500) };
    for (name, key) in [("city", city.public_key()), ("province", province.public_key())] {
        let (mut receipts, mut ids) = (Vec::new(), Vec::new());
        let claimed = bench.outbox().claims(name, |receipt| {
            ids.push(receipt.id);
            receipts.push(Receipt::verify(&receipt.cose, &key).unwrap());
        });
        let most = receipts.iter().map(|receipt| receipt.holds.len()).max();
        assert_eq!(most, Some(2_501), "{name}");
        assert_eq!(claimed.unwrap().iter().collect::<Vec<_>>(), [all], "{name}");
        assert_eq!(bench.outbox().checkpoints_sent(name).unwrap(), 2_501, "{name}: the newest tree head travelled");
        if name == "province" {
            assert!(
                before.iter().all(|id| ids.contains(id)),
                "D2: the batches of before the restart arrived as they were"
            );
        }
    }
    city.stop().await.unwrap();
    province.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_daemon_leaves_its_socket_and_files_to_the_next() {
    let bench = Bench::new();
    for round in 0..100 {
        let daemon = Daemon::start(bench.config(""));
        bench.until(&format!("round {round} answers"), |status| status.waiting_for.is_some()).await;
        daemon.stop().await;
    }
}

/// A destination that fails for `kind`, whose coverage stays empty, and which says what to do.
async fn fails_as(kind: &str, setup: impl AsyncFn(&Bench) -> (Running, String), cure: &str) {
    let bench = Bench::new();
    let key = bench.key();
    commit(&mut bench.journal(), &key, vec![boot(), frame(1)]);
    let (platform, destination) = setup(&bench).await;
    let daemon = Daemon::start(bench.config(&destination));
    let counter = format!("failed_{kind}");
    let status = bench.until(kind, |status| {
        status.destinations.first().is_some_and(|shown| shown.counters.get(&counter).is_some_and(|count| *count >= 2))
    });
    let status = status.await;
    let shown = one_of(&status, "city").unwrap();
    let error = shown.last_error.as_ref().unwrap();
    assert_eq!((shown.covered, shown.delivered.receipts, error.kind.as_str()), (0, 0, kind));
    assert!(error.cure.contains(cure), "{error:?}");
    assert!(bench.outbox().coverage("city").unwrap().is_empty());
    daemon.stop().await;
    platform.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_signed_with_another_key_is_never_believed() {
    let setup = async |bench: &Bench| {
        let city = bench.platform("city", 0, bench.key().public()).await;
        let pinned = SigningKey::from_seed(&[9; 32]).public();
        let text = entry("city", city.local_addr().port(), &bench.path("city/tls.crt"), pinned);
        (city, text)
    };
    fails_as("receipt_unverified", setup, "compare key in sync.toml").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_not_pinned_is_not_trusted() {
    let setup = async |bench: &Bench| {
        let city = bench.platform("city", 0, bench.key().public()).await;
        let other = bench.platform("other", 0, bench.key().public()).await;
        other.stop().await.unwrap();
        let text = entry("city", city.local_addr().port(), &bench.path("other/tls.crt"), city.public_key());
        (city, text)
    };
    fails_as("untrusted", setup, "ca_file").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_is_not_enrolled_keeps_asking() {
    let setup = async |bench: &Bench| {
        let city = bench.platform("city", 0, SigningKey::from_seed(&[3; 32]).public()).await;
        let text = entry("city", city.local_addr().port(), &bench.path("city/tls.crt"), city.public_key());
        (city, text)
    };
    fails_as("not_enrolled", setup, "weir identity").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_answered_or_refused_with_what_is_known() {
    let bench = Bench::new();
    let daemon = Daemon::start(bench.config(""));
    bench.until("it answers", |status| status.waiting_for.is_some()).await;
    let socket = bench.path("run/sync.sock");
    let asked = tokio::task::spawn_blocking(move || {
        [json!({"do": "link_up"}), json!({"do": "dance"}), json!({}), json!(7)]
            .map(|request| control::ask(&socket, &request).unwrap_err().to_string())
    });
    let [not_yet, dance, nothing, number] = asked.await.unwrap();
    assert!(not_yet.contains("not yet"), "{not_yet}");
    for refused in [dance, nothing, number] {
        assert!(refused.contains("unknown request") && refused.contains("status"), "{refused}");
    }
    let second = syncd::run(bench.config(""), std::future::pending()).await.unwrap_err();
    assert!(matches!(second, syncd::SyncError::Outbox(_)), "one writer a file: {second:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_missing_or_empty_ca_file_stops_the_start_with_its_name() {
    let bench = Bench::new();
    let key = SigningKey::from_seed(&[1; 32]).public();
    for text in [None, Some("no certificate")] {
        if let Some(text) = text {
            std::fs::write(bench.path("ca.pem"), text).unwrap();
        }
        let config = bench.config(&entry("city", 1, Path::new("ca.pem"), key));
        let error = syncd::run(config, std::future::pending()).await.unwrap_err();
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(error.to_string().contains("`city`") && source.contains("ca.pem"), "{error}: {source}");
    }
}
