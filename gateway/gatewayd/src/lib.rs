//! The field daemon: everything that listens to the field and writes the journal.
//!
//! ```text
//! MQTT clients ──► mqtt::Edge ──Submission──┐                          ┌─► Reply (PUBACK, PUBREC)
//!                                           ├─► committer (one thread) ┤   only after COMMIT (A1)
//! LoRa gateways ─► gwmp task ────Heard──────┘   judge, store, settle   └─► Confirmation ─► PULL_RESP
//!                                                     │
//! `weir status` ◄── control socket ◄── Board ◄────────┘
//! ```
//! **In:** sockets, the clock, three configuration files. **Out:** the journal, acknowledgements, a status.
//!
//! **Deliberately does not know:** that platforms exist. It needs no network beyond its own sockets, and nothing that
//! happens in the upload daemon can stop it; their only contact is the journal's file.
//!
//! Invariants kept here: **A1**, **A2** (`committer.rs`), **A3** (tallies in the same transaction), **R1** (alarms are
//! stored with their frame), **R2** (`restore` is how a restart and a failed commit both recover), **T1** (`clock.rs`),
//! **B1** (`job.rs`).

mod board;
mod clock;
mod committer;
pub mod config;
mod directory;
mod error;
mod gwmp;
mod job;
pub mod status;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lorawan::Gateways;
use lorawan::schedule::Answer;
use mqtt::{Edge, Limits};
use record::{MonoMs, SourceId};
use serde_json::{Value, json};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};

pub use config::{ConfigError, GatewayConfig};
pub use error::StartError;
pub use mqtt::EdgeError;

use board::Board;
use clock::{mono_ms, wall_ms};
use committer::{Committer, Parts};
use job::{Heard, Lost, QUEUE_FRAMES_MAX};
use status::{ClockStatus, MqttStatus, Status};

/// The exit status that asks the supervisor for a restart (`EX_SOFTWARE`).
pub const EXIT_RESTART: i32 = 70;

/// What the edge let go is counted into the journal this often.
const CONSERVE_EVERY_MS: u64 = 1_000;

/// Runs until `stop` resolves, or until a part of it cannot go on.
///
/// # Errors
/// [`StartError`] when something cannot be opened, or when the router or the committer dies.
pub async fn run(config: GatewayConfig, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    let key = identity::load_or_create(&config.key_path()).map_err(StartError::Identity)?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(StartError::BootId)?;
    let board = Arc::new(Mutex::new(Board::new(&config.devices)));
    let lost: Arc<Mutex<Lost>> = Arc::default();
    let (submissions, submitted) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (frames, heard) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (confirmations, confirmed) = mpsc::channel(QUEUE_FRAMES_MAX);
    let parts = Parts {
        box_id: config.file.box_id.clone(),
        key,
        journal_path: config.journal_path(),
        devices: config.devices.clone(),
        rules: config.rules.clone(),
        commit: config.file.commit,
        checkpoint: config.file.checkpoint,
        evidence: config.file.evidence,
        boot_id: boot_id.trim().to_owned(),
        board: board.clone(),
        lost: lost.clone(),
        confirmations,
    };
    let mut committer = start_committer(parts, submitted, heard)?;

    let edge = match config.file.mqtt.enabled {
        true => Some(Arc::new(start_edge(&config, submissions).await?)),
        false => {
            drop(submissions);
            None
        }
    };
    let (stop_lora, stopping) = watch::channel(false);
    let lora = start_lora(&config, frames, confirmed, &lost, stopping).await?;
    let conserving = edge.as_ref().map(|edge| tokio::spawn(conserve(edge.clone(), lost.clone())));
    let view = View {
        config: config.clone(),
        board,
        edge: edge.clone(),
        lora: lora.as_ref().map(|l| l.view.clone()),
        started: mono_ms(),
    };
    let serving =
        control::serve(&config.socket_path(), move |request| view.answer(request)).map_err(StartError::Control)?;
    let serving = tokio::spawn(serving);
    log::info!(
        box_id:% = config.file.box_id, mqtt:? = edge.as_ref().map(|edge| edge.local_addr()),
        gwmp:? = lora.as_ref().map(|lora| lora.view.listen); "gateway ready"
    );

    let failed = async {
        match &edge {
            Some(edge) => StartError::Mqtt(edge.failed().await),
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        () = stop => Ok(()),
        error = failed => Err(error),
        _ = &mut committer.ended => Err(StartError::CommitterDied),
    };

    serving.abort();
    let _ = serving.await;
    if let Some(conserving) = conserving {
        conserving.abort();
        let _ = conserving.await;
    }
    // The edge first, while the committer still settles what it has; then the queues close and the committer ends.
    if let Some(edge) = edge.and_then(Arc::into_inner) {
        edge.stop().await;
    }
    let _ = stop_lora.send(true);
    if let Some(lora) = lora {
        let _ = lora.task.await;
    }
    if ended.is_ok() {
        let _ = committer.ended.await;
        let _ = committer.thread.join();
    }
    ended
}

struct RunningCommitter {
    thread: JoinHandle<()>,
    ended: oneshot::Receiver<()>,
}

/// Opens the journal here, so that a start that cannot work says so; then gives it its thread.
fn start_committer(
    parts: Parts,
    submitted: mpsc::Receiver<mqtt::Submission>,
    heard: mpsc::Receiver<Heard>,
) -> Result<RunningCommitter, StartError> {
    let committer = Committer::open(parts)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
    let (alive, ended) = oneshot::channel::<()>();
    let work = move || {
        // Dropped when the thread ends, also by a panic: the daemon then ends too and is started anew.
        let _alive = alive;
        runtime.block_on(committer.run(submitted, heard));
    };
    let thread = std::thread::Builder::new().name("committer".into()).spawn(work).map_err(StartError::Thread)?;
    Ok(RunningCommitter { thread, ended })
}

async fn start_edge(config: &GatewayConfig, submissions: mpsc::Sender<mqtt::Submission>) -> Result<Edge, StartError> {
    let limits = Limits {
        connections_max: config.file.mqtt.connections_max,
        packet_bytes_max: config.file.mqtt.packet_bytes_max,
        ..Limits::default()
    };
    let directory = Arc::new(directory::Devices(config.devices.clone()));
    Edge::start(config.file.mqtt.listen, limits, directory, submissions).await.map_err(StartError::Mqtt)
}

struct RunningLora {
    task: tokio::task::JoinHandle<()>,
    view: LoraView,
}

/// What status needs of the LoRa side.
#[derive(Clone)]
struct LoraView {
    gateways: Arc<Mutex<Gateways<Answer>>>,
    not_gwmp: Arc<AtomicU64>,
    listen: SocketAddr,
}

async fn start_lora(
    config: &GatewayConfig,
    frames: mpsc::Sender<Heard>,
    confirmations: mpsc::Receiver<job::Confirmation>,
    lost: &Arc<Mutex<Lost>>,
    stopping: watch::Receiver<bool>,
) -> Result<Option<RunningLora>, StartError> {
    let gwmp = &config.file.gwmp;
    if !gwmp.enabled {
        return Ok(None);
    }
    let failed = |source| StartError::Gwmp { listen: gwmp.listen, source };
    let socket = UdpSocket::bind(gwmp.listen).await.map_err(failed)?;
    let listen = socket.local_addr().map_err(failed)?;
    let allowed = (!gwmp.gateways.is_empty()).then(|| gwmp.gateways.iter().copied().collect());
    // The boot clock differs at each start, so tokens of an earlier run are not taken for ours.
    let [low, high, ..] = mono_ms().0.to_le_bytes();
    let gateways = Arc::new(Mutex::new(Gateways::new(allowed, u16::from_le_bytes([low, high]))));
    let not_gwmp: Arc<AtomicU64> = Arc::default();
    let side = gwmp::LoraSide {
        socket,
        region: gwmp.region,
        gateways: gateways.clone(),
        frames,
        confirmations,
        lost: lost.clone(),
        not_gwmp: not_gwmp.clone(),
    };
    let task = tokio::spawn(side.run(stopping));
    Ok(Some(RunningLora { task, view: LoraView { gateways, not_gwmp, listen } }))
}

/// Carries what the edge shed or refused, by device, into the tallies that the journal keeps (A3).
async fn conserve(edge: Arc<Edge>, lost: Arc<Mutex<Lost>>) {
    let mut before: BTreeMap<SourceId, (u64, u64)> = BTreeMap::new();
    loop {
        tokio::time::sleep(Duration::from_millis(CONSERVE_EVERY_MS)).await;
        for device in edge.counters().devices {
            let Ok(source) = SourceId::new(&device.name) else { continue };
            let (shed, refused) = before.entry(source.clone()).or_default();
            if (device.shed, device.refused) == (*shed, *refused) {
                continue;
            }
            let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = lost.entry(Some(source)).or_default();
            counts.shed += device.shed - *shed;
            counts.rejected += device.refused - *refused;
            (*shed, *refused) = (device.shed, device.refused);
        }
    }
}

/// What the control socket sees.
struct View {
    config: GatewayConfig,
    board: Arc<Mutex<Board>>,
    edge: Option<Arc<Edge>>,
    lora: Option<LoraView>,
    started: MonoMs,
}

impl View {
    fn answer(&self, request: &Value) -> Result<Value, String> {
        match request.get("do").and_then(Value::as_str) {
            Some("status") => Ok(json!({ "status": self.status() })),
            _ => Err("the gateway knows {\"do\":\"status\"}".into()),
        }
    }

    fn status(&self) -> Status {
        let now = mono_ms();
        let mut clock = clock::Clock::new(record::BootNo(0), None);
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        let counters = |edge: &Arc<Edge>| {
            let counted = edge.counters();
            let sessions = [("connections_now", counted.connections_now), ("sessions_now", counted.sessions_now)];
            let all = sessions.into_iter().chain(counted.totals());
            all.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
        };
        Status {
            box_id: self.config.file.box_id.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime_ms: now.0.saturating_sub(self.started.0),
            clock: ClockStatus { wall_ms: wall_ms().0, state: clock.stamp().clock.as_str().into() },
            journal: board.journal.clone(),
            devices: board.show_devices(now),
            alarms: board.alarms.clone(),
            mqtt: self
                .edge
                .as_ref()
                .map(|edge| MqttStatus { listen: edge.local_addr().to_string(), counters: counters(edge) }),
            gwmp: self.lora.as_ref().map(|lora| gwmp::status(&lora.gateways, &lora.not_gwmp, lora.listen)),
        }
    }
}
