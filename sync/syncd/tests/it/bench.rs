//! A box's folders with the gateway played by the test, and the daemon on them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use batch::{BoxId, Checkpoint, PublicKey, SigningKey, TreeHead};
use journal::{Journal, Outbox, Transaction};
use platform::{Platform, Running};
use record::{
    AlarmState, AlarmTransition, Body, Boot, BootNo, ClockQuality, Decimal, Frame, LimitSide, Link, MonoMs, Quality,
    Quantity, Reading, Record, RuleId, Seq, SourceId, Stamp, Unit, UnixMs,
};
use serde_json::json;
use syncd::SyncConfig;
use syncd::status::{DestinationStatus, Status};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Debug builds on a loaded machine; a test that passes needs two seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A box's folders, its gateway played by the test.
pub(crate) struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn key(&self) -> SigningKey {
        identity::load_or_create(&self.path("state/identity/box.key")).unwrap()
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::open(&self.path("state/journal/journal.db"), "outfall-7").unwrap()
    }

    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::open_read_only(&self.path("state/outbox/outbox.db")).unwrap()
    }

    /// A platform that has enrolled this key under the box's name.
    pub(crate) async fn platform(&self, name: &str, port: u16, enrolled: PublicKey) -> Running {
        let text = format!(
            "name = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\nstate_dir = \"{name}\"\n\
             [[box]]\nid = \"outfall-7\"\nkey = \"{enrolled}\"\n"
        );
        Platform::start(platform::Config::parse(&text, &self.path("platform.toml")).unwrap()).await.unwrap()
    }

    pub(crate) fn config(&self, destinations: &str) -> SyncConfig {
        let text = format!("state_dir = \"state\"\nrun_dir = \"run\"\n{destinations}");
        SyncConfig::parse(&text, &self.path("sync.toml")).unwrap()
    }

    pub(crate) async fn status(&self) -> Option<Status> {
        let socket = self.path("run/sync.sock");
        let asked = tokio::task::spawn_blocking(move || control::ask(&socket, &json!({"do": "status"})).ok());
        serde_json::from_value(asked.await.unwrap()?["status"].take()).unwrap()
    }

    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Status {
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

pub(crate) struct Daemon {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), syncd::SyncError>>,
}

impl Daemon {
    pub(crate) fn start(config: SyncConfig) -> Daemon {
        let (stop, stopped) = oneshot::channel();
        let shutdown = async move { drop(stopped.await) };
        let run = async move {
            let ended = syncd::run(config, shutdown).await;
            if let Err(error) = &ended {
                // Whoever waits for its status would only see that nobody answers.
                eprintln!("the daemon ended: {}", control::chain(error));
            }
            ended
        };
        Daemon { stop, task: tokio::spawn(run) }
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

pub(crate) fn entry(name: &str, port: u16, ca_file: &Path, key: PublicKey) -> String {
    format!(
        "[[destination]]\nname = \"{name}\"\nurl = \"https://127.0.0.1:{port}\"\nca_file = \"{}\"\nkey = \"{key}\"\n\
         [destination.batch]\nlinger_ms = 50\n[destination.backoff]\nbase_ms = 50\nceiling_ms = 200\n",
        ca_file.display()
    )
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn stamp() -> Stamp {
    let clock = ClockQuality::Synchronised;
    Stamp { boot: BootNo(0), mono_ms: MonoMs(5), wall_ms: UnixMs(1_793_491_200_000), clock }
}

pub(crate) fn frame(value: i64) -> Record {
    let reading = Reading {
        quantity: Quantity::new("cod").unwrap(),
        unit: Unit::new("mg/L").unwrap(),
        value: Some(Decimal::from(value)),
        quality: Quality::Good,
        at_ms: None,
    };
    let link = Link::Mqtt { topic: "d/cod-1/up".into(), qos: 1, packet_id: Some(7), level: 4, seal: None };
    let raw = format!("{{\"cod\":{value}}}").into_bytes();
    let body = Body::Frame(Frame {
        source: SourceId::new("cod-1").unwrap(),
        link,
        raw,
        readings: vec![reading],
        codec: None,
        texts: vec![],
    });
    Record { stamp: stamp(), body }
}

pub(crate) fn alarm(cause: u64) -> Record {
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
        grounds: None,
        suppression: None,
    });
    Record { stamp: stamp(), body }
}

pub(crate) fn boot() -> Record {
    let boot_id = "0b0b0b0b-0000-4000-8000-000000000000".to_owned();
    Record { stamp: stamp(), body: Body::Boot(Boot { boot_id, version: "0.1.0".into() }) }
}

/// Commits records and signs the tree head after them.
pub(crate) fn commit(journal: &mut Journal, key: &SigningKey, records: Vec<Record>) {
    let committed = journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
    let head = TreeHead { size: committed.frontier.size(), root: committed.frontier.root() };
    let checkpoint = Checkpoint { box_id: BoxId::new("outfall-7").unwrap(), head, stamp: stamp() };
    journal.keep_checkpoint(head.size, &checkpoint.sign(key)).unwrap();
}

/// What is shown of one destination.
pub(crate) fn one_of<'a>(status: &'a Status, name: &str) -> Option<&'a DestinationStatus> {
    status.destinations.iter().find(|destination| destination.name == name)
}
