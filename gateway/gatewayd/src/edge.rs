//! The MQTT edge as this daemon runs it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ingest::REDELIVERIES_MAX;
use mqtt::{Edge, Limits, Submission};
use record::SourceId;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use crate::config::GatewayConfig;
use crate::directory::Devices;
use crate::error::StartError;
use crate::job::{Lost, LostCounts};

/// What the edge let go is counted into the journal this often.
const CONSERVE_EVERY: Duration = Duration::from_secs(1);

/// Between two looks whether the edge is ours alone.
const STOP_PAUSE: Duration = Duration::from_millis(1);

pub(crate) async fn start(config: &GatewayConfig, submissions: mpsc::Sender<Submission>) -> Result<Edge, StartError> {
    let limits = Limits {
        connections_max: config.file.mqtt.connections_max,
        packet_bytes_max: config.file.mqtt.packet_bytes_max,
        // Every frame that a client may send again is still remembered.
        window_frames_max: REDELIVERIES_MAX,
        ..Limits::default()
    };
    let directory = Arc::new(Devices(config.devices.clone()));
    Edge::start(config.file.mqtt.listen, limits, directory, submissions).await.map_err(StartError::Mqtt)
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
            let Ok(source) = SourceId::new(&device.name) else { continue };
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
