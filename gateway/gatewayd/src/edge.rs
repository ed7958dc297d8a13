//! The MQTT edge as this daemon runs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ingest::{REDELIVERIES_MAX, SELF_TEST};
use mqtt::{Edge, EdgeError, EdgeParts, Limits, Listener, SessionChange, Submission, Tls};
use record::SourceId;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::activation::Activated;
use crate::commands::{EdgeCommand, deliver};
use crate::committer::{Kept, UplinkEvent};
use crate::config::GatewayConfig;
use crate::directory::Devices;
use crate::error::StartError;
use crate::job::{Lost, LostCounts};
use crate::order::{Order, Ordered};
use crate::self_test::SelfTest;

/// What the edge let go is counted into the journal this often.
const CONSERVE_EVERY: Duration = Duration::from_secs(1);

/// Between two looks whether the edge is ours alone.
const STOP_PAUSE: Duration = Duration::from_millis(1);

/// The name of the edge's plain socket, if systemd opens it.
const SOCKET_NAME: &str = "mqtt";

/// Sessions and events that may wait: each of them holds back one connection, and nobody else.
const WAITING_MAX: usize = 64;

/// The edge's ways to and from the committer.
pub(crate) struct EdgeWays {
    pub(crate) submissions: mpsc::Sender<Submission>,
    pub(crate) orders: mpsc::Sender<Ordered>,
    pub(crate) commands: mpsc::Receiver<EdgeCommand>,
    pub(crate) events: mpsc::Receiver<UplinkEvent>,
    /// What the journal kept of sessions and commands.
    pub(crate) kept: Kept,
    /// Whom it lets in for a self-test.
    pub(crate) self_test: Arc<SelfTest>,
}

pub(crate) async fn start(
    config: &GatewayConfig,
    activated: &mut Activated,
    ways: EdgeWays,
) -> Result<Arc<Edge>, StartError> {
    let EdgeWays { submissions, orders, commands, events: told, kept, self_test } = ways;
    let Kept { sessions: stored, commands: pending } = kept;
    let mqtt = &config.file.mqtt;
    let limits = Limits {
        connections_max: mqtt.connections_max,
        packet_bytes_max: mqtt.packet_bytes_max,
        packets_per_second_max: mqtt.packets_per_second_max,
        bytes_per_second_max: mqtt.bytes_per_second_max,
        session_expiry_max: Duration::from_secs(3_600 * mqtt.session_hours_max),
        // Every frame that a client may send again is still remembered.
        window_frames_max: REDELIVERIES_MAX,
        ..Limits::default()
    };
    let plain = match activated.tcp(SOCKET_NAME).map_err(EdgeError::Inherit).map_err(StartError::Mqtt)? {
        Some(socket) => Listener::from_std(socket),
        None => Listener::bind(mqtt.listen).await,
    };
    let mut listeners = vec![plain.map_err(StartError::Mqtt)?];
    if mqtt.tls.enabled {
        let tls = Tls::load(&mqtt.tls.files()).map_err(StartError::MqttTls)?;
        listeners.push(Listener::bind(mqtt.tls.listen).await.map_err(StartError::Mqtt)?.with_tls(tls));
    }
    let devices = Devices::new(config.devices.clone(), config.file.chirpstack.clone(), self_test);
    let directory = Arc::new(devices.map_err(StartError::Random)?);
    let (changes, changed) = mpsc::channel(WAITING_MAX);
    tokio::spawn(keep(changed, orders.clone()));
    let (events, happened) = mpsc::channel(WAITING_MAX);
    let parts = EdgeParts { listeners, limits, directory, submissions, changes, events, stored };
    let edge = Arc::new(Edge::start(parts).map_err(StartError::Mqtt)?);
    tokio::spawn(deliver(Arc::downgrade(&edge), pending, commands, happened, orders));
    tokio::spawn(tell(Arc::downgrade(&edge), told));
    Ok(edge)
}

/// Publishes what the box tells of its own uplinks, for whoever reads it now.
async fn tell(edge: Weak<Edge>, mut events: mpsc::Receiver<UplinkEvent>) {
    while let Some(UplinkEvent { topic, json }) = events.recv().await {
        let Some(edge) = edge.upgrade() else { return };
        edge.publish(&topic, json.into());
    }
}

/// Has the journal keep the sessions of clients that ask for it: a client that is told of one finds it after a restart.
async fn keep(mut changes: mpsc::Receiver<SessionChange>, orders: mpsc::Sender<Ordered>) {
    while let Some(SessionChange { device, state, reply }) = changes.recv().await {
        // Only names of the table come this far, and the client of a self-test, of which nothing is remembered. A reply that
        // is dropped says "not kept".
        let Some(device) = SourceId::new(&device).ok().filter(|device| device.as_str() != SELF_TEST) else { continue };
        let (answer, answered) = oneshot::channel();
        // One after the other into the queue, so that the newest state is the last one stored.
        if orders.send(Ordered { order: Order::KeepSession { device, state }, answer }).await.is_err() {
            return;
        }
        // As many wait here as connections wait for it.
        tokio::spawn(async move {
            if matches!(answered.await, Ok(Ok(_))) {
                reply.stored();
            }
        });
    }
}

/// Stops the edge. Everybody else holds it weakly, for one look at a time, so it is soon ours alone.
pub(crate) async fn stop(mut edge: Arc<Edge>) {
    loop {
        match Arc::try_unwrap(edge) {
            Ok(edge) => return edge.stop().await,
            Err(shared) => edge = shared,
        }
        sleep(STOP_PAUSE).await;
    }
}

/// Carries what the edge shed or refused, by device, into the tallies that the journal keeps (A3), a last time when
/// `stop` turns true.
pub(crate) async fn conserve(edge: Weak<Edge>, lost: Arc<Mutex<Lost>>, mut stop: watch::Receiver<bool>) {
    let mut before: BTreeMap<SourceId, LostCounts> = BTreeMap::new();
    loop {
        let stopping = timeout(CONSERVE_EVERY, stop.wait_for(|stop| *stop)).await.is_ok();
        let Some(edge) = edge.upgrade() else { return };
        for device in edge.counters().devices {
            // The client of a self-test is no source of data.
            let source = SourceId::new(&device.name).ok().filter(|source| source.as_str() != SELF_TEST);
            let Some(source) = source else { continue };
            let now = LostCounts { shed: device.shed, rejected: device.refused };
            let then = before.insert(source.clone(), now).unwrap_or_default();
            if now != then {
                let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                lost.entry(Some(source)).or_default().add(now.since(then));
            }
        }
        if stopping {
            return;
        }
    }
}
