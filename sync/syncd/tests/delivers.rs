//! The daemon on real files and sockets, against the reference platform.
#![allow(clippy::unwrap_used, reason = "helpers of tests; clippy's allowance covers test functions only")]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batch::{PublicKey, Receipt, SigningKey};
use journal::{Journal, Outbox, Transaction};
use platform::{Platform, Running};
use record::{
    AlarmState, AlarmTransition, Body, Boot, BootNo, ClockQuality, Decimal, Frame, LimitSide, Link, MonoMs, Quality,
    Quantity, Reading, Record, RuleId, Seq, SeqRange, SourceId, Stamp, Unit, UnixMs,
};
use serde_json::json;
use syncd::SyncConfig;
use syncd::status::{DestinationStatus, Status};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Debug builds on a loaded machine; a test that passes needs two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A box's folders, its gateway played by the test.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn key(&self) -> SigningKey {
        identity::load_or_create(&self.path("state/identity/box.key")).unwrap()
    }

    fn journal(&self) -> Journal {
        Journal::open(&self.path("state/journal/journal.db"), "outfall-7").unwrap()
    }

    fn outbox(&self) -> Outbox {
        Outbox::open_read_only(&self.path("state/outbox/outbox.db")).unwrap()
    }

    /// A platform that has enrolled this key under the box's name.
    async fn platform(&self, name: &str, port: u16, enrolled: PublicKey) -> Running {
        let text = format!(
            "name = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\nstate_dir = \"{name}\"\n\
             [[box]]\nid = \"outfall-7\"\nkey = \"{enrolled}\"\n"
        );
        Platform::start(platform::Config::parse(&text, &self.path("platform.toml")).unwrap()).await.unwrap()
    }

    fn config(&self, destinations: &str) -> SyncConfig {
        let text = format!("state_dir = \"state\"\nrun_dir = \"run\"\n{destinations}");
        SyncConfig::parse(&text, &self.path("sync.toml")).unwrap()
    }

    async fn status(&self) -> Option<Status> {
        let socket = self.path("run/sync.sock");
        let asked = tokio::task::spawn_blocking(move || control::ask(&socket, &json!({"do": "status"})).ok());
        serde_json::from_value(asked.await.unwrap()?["status"].take()).unwrap()
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
        let deadline = Instant::now() + PATIENCE;
        let mut last = None;
        while Instant::now() < deadline {
            last = self.status().await;
            match last {
                Some(status) if is_so(&status) => return status,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        panic!("not within {PATIENCE:?}: {what}; last seen: {last:#?}");
    }
}

struct Daemon {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), syncd::SyncError>>,
}

impl Daemon {
    fn start(config: SyncConfig) -> Daemon {
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        Daemon { stop, task: tokio::spawn(syncd::run(config, shutdown)) }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

fn entry(name: &str, port: u16, ca_file: &Path, key: PublicKey) -> String {
    format!(
        "[[destination]]\nname = \"{name}\"\nurl = \"https://127.0.0.1:{port}\"\nca_file = \"{}\"\nkey = \"{key}\"\n\
         [destination.batch]\nlinger_ms = 50\n[destination.backoff]\nbase_ms = 50\nceiling_ms = 200\n",
        ca_file.display()
    )
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn stamp() -> Stamp {
    let clock = ClockQuality::Synchronised;
    Stamp { boot: BootNo(0), mono_ms: MonoMs(5), wall_ms: UnixMs(1_793_491_200_000), clock }
}

fn frame(value: i64) -> Record {
    let reading = Reading {
        quantity: Quantity::new("cod").unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Some(Decimal::from(value)),
        quality: Quality::Good,
        at_ms: None,
    };
    let link = Link::Mqtt { topic: "d/cod-1/up".into(), qos: 1, packet_id: Some(7), level: 4 };
    let raw = format!("{{\"cod\":{value}}}").into_bytes();
    let body = Body::Frame(Frame { source: SourceId::new("cod-1").unwrap(), link, raw, readings: vec![reading] });
    Record { stamp: stamp(), body }
}

fn alarm(cause: u64) -> Record {
    let body = Body::Alarm(AlarmTransition {
        rule: RuleId::new("cod-high").unwrap(),
        source: SourceId::new("cod-1").unwrap(),
        quantity: Quantity::new("cod").unwrap(),
        from: AlarmState::Normal,
        to: AlarmState::Unacknowledged,
        limit: Decimal::from(80),
        side: LimitSide::High,
        value: Some(Decimal::from(99)),
        cause: Seq(cause),
    });
    Record { stamp: stamp(), body }
}

fn boot() -> Record {
    let boot_id = "0b0b0b0b-0000-4000-8000-000000000000".to_owned();
    Record { stamp: stamp(), body: Body::Boot(Boot { boot_id, version: "0.1.0".into() }) }
}

fn commit(journal: &mut Journal, records: Vec<Record>) {
    journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
}

fn one(status: &Status) -> &DestinationStatus {
    &status.destinations[0]
}

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
    commit(&mut journal, std::iter::once(boot()).chain((1..2_500).map(frame)).collect());
    bench
        .until("the city has the backlog", |status| one_of(status, "city").is_some_and(|city| city.covered == 2_500))
        .await;
    commit(&mut journal, vec![alarm(2_499)]);
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
        bench
            .outbox()
            .receipts(name, |receipt| {
                ids.push(receipt.id);
                receipts.push(Receipt::verify(&receipt.cose, &key).unwrap());
            })
            .unwrap();
        let most = receipts.iter().map(|receipt| receipt.holds.len()).max();
        assert_eq!(most, Some(2_501), "{name}");
        assert_eq!(bench.outbox().coverage(name).unwrap().iter().collect::<Vec<_>>(), [all], "{name}");
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

fn one_of<'a>(status: &'a Status, name: &str) -> Option<&'a DestinationStatus> {
    status.destinations.iter().find(|destination| destination.name == name)
}

/// A destination that fails for `kind`, whose coverage stays empty, and which says what to do.
async fn fails_as(kind: &str, setup: impl AsyncFn(&Bench) -> (Running, String), cure: &str) {
    let bench = Bench::new();
    let key = bench.key();
    commit(&mut bench.journal(), vec![boot(), frame(1)]);
    let (platform, destination) = setup(&bench).await;
    drop(key);
    let daemon = Daemon::start(bench.config(&destination));
    let counter = format!("failed_{kind}");
    let status = bench.until(kind, |status| {
        status.destinations.first().is_some_and(|shown| shown.counters.get(&counter).is_some_and(|count| *count >= 2))
    });
    let status = status.await;
    let shown = one(&status);
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
