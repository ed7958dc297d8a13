//! Everything that listens: the MQTT edge, the LoRa side, the control socket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use control::Uid;
use mqtt::{Edge, Submission};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::activation::Activated;
use crate::board::Board;
use crate::clock::{Clock, mono_ms};
use crate::commands::EdgeCommand;
use crate::committer::{Kept, UplinkEvent};
use crate::config::GatewayConfig;
use crate::edge::{self, EdgeWays};
use crate::error::StartError;
use crate::gwmp::{self, RunningLora};
use crate::job::{Downlink, Heard, Lost, SerialFrame};
use crate::order::{Order, Ordered};
use crate::relays;
use crate::self_test::SelfTest;
use crate::serial::{self, RunningSerial};
use crate::tallies::GatewayTallies;
use crate::view::View;

/// The ways to and from the committer.
pub(crate) struct Queues {
    pub(crate) submissions: mpsc::Sender<Submission>,
    pub(crate) frames: mpsc::Sender<Heard>,
    pub(crate) serial: mpsc::Sender<SerialFrame>,
    pub(crate) orders: mpsc::Sender<Ordered>,
    pub(crate) downlinks: mpsc::Receiver<Downlink>,
    pub(crate) commands: mpsc::Receiver<EdgeCommand>,
    pub(crate) events: mpsc::Receiver<UplinkEvent>,
    /// What the journal keeps for the edge.
    pub(crate) kept: Kept,
    /// What is known of the lines of relays.
    pub(crate) lines: relays::Board,
    pub(crate) lost: Arc<Mutex<Lost>>,
    pub(crate) tallies: GatewayTallies,
    /// Whom the edge lets in for a self-test.
    pub(crate) self_test: Option<Arc<SelfTest>>,
}

/// The daemon's sockets.
pub(crate) struct Field {
    edge: Option<Arc<Edge>>,
    conserving: Option<JoinHandle<()>>,
    lora: Option<RunningLora>,
    serial: RunningSerial,
    serving: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Field {
    /// Opens every socket that is configured.
    ///
    /// # Errors
    /// [`StartError`] by the socket that cannot be opened; those opened before it are closed again.
    pub(crate) async fn start(
        config: &GatewayConfig,
        activated: &mut Activated,
        queues: Queues,
        board: Arc<Mutex<Board>>,
        clock: Arc<Mutex<Clock>>,
    ) -> Result<Field, StartError> {
        let Queues {
            submissions,
            frames,
            serial,
            orders,
            downlinks,
            commands,
            events,
            kept,
            lines,
            lost,
            tallies,
            self_test,
        } = queues;
        let edge = match self_test {
            Some(self_test) => {
                let ways = EdgeWays { submissions, orders: orders.clone(), commands, events, kept, self_test };
                Some(edge::start(config, activated, ways).await?)
            }
            None => None,
        };
        let (stop, stopping) = watch::channel(false);
        let lora = match config.file.gwmp.enabled {
            true => {
                let (config, counts) = (&config.file.gwmp, (&lost, &tallies));
                Some(gwmp::start(config, activated, frames, downlinks, counts, stopping.clone()).await?)
            }
            false => None,
        };
        let serial = serial::start(&config.file.serial, &serial, &lost, &stopping);
        let view = Arc::new(View {
            config: config.clone(),
            board,
            clock,
            edge: edge.as_ref().map(Arc::downgrade),
            lora: lora.as_ref().map(|lora| lora.view.clone()),
            serial: serial.view.clone(),
            lines,
            started: mono_ms(),
        });
        let serving = control::serve_async(&config.socket_path(), move |uid, request| {
            answer(view.clone(), orders.clone(), uid, request)
        })
        .map_err(StartError::Control)?;
        let serving = tokio::spawn(serving);
        let conserving = edge.as_ref().map(|edge| tokio::spawn(edge::conserve(Arc::downgrade(edge), lost, stopping)));
        log::info!(
            box_id:% = config.file.box_id, mqtt = shown(edge.as_ref().map(|edge| edge.local_addr())).as_str(),
            gwmp = shown(lora.as_ref().map(|lora| lora.view.listen)).as_str(); "gateway ready"
        );
        Ok(Field { edge, conserving, lora, serial, serving, stop })
    }

    /// Waits until a socket cannot go on. Cancel safe.
    pub(crate) async fn failed(&self) -> StartError {
        match &self.edge {
            Some(edge) => StartError::Mqtt(edge.failed().await),
            None => std::future::pending().await,
        }
    }

    /// Takes nothing more, while the committer still settles what it has; then closes its queues.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        self.serving.abort();
        let _ = self.serving.await;
        if let Some(conserving) = self.conserving {
            let _ = conserving.await;
        }
        if let Some(edge) = self.edge {
            edge::stop(edge).await;
        }
        if let Some(lora) = self.lora {
            let _ = lora.task.await;
        }
        self.serial.ended().await;
    }
}

/// Answers a request: what the committer must do waits for it, the rest is looked up.
async fn answer(view: Arc<View>, orders: mpsc::Sender<Ordered>, uid: Uid, request: Value) -> Result<Value, String> {
    let Some(order) = Order::parse(&request, uid) else { return view.answer(&request) };
    let strangers = matches!(order, Ok(Order::Strangers));
    let (answer, answered) = oneshot::channel();
    let stopping = |_| "the gateway is stopping · try: systemctl status weir-gateway".to_owned();
    orders.send(Ordered { order: order?, answer }).await.map_err(|_| stopping(()))?;
    let done = answered.await.map_err(|_| stopping(()))?;
    if strangers { done.map(|known| view.with_mqtt_strangers(known)) } else { done }
}

/// An address as a log field.
fn shown(listen: Option<SocketAddr>) -> String {
    listen.map_or_else(|| "disabled".into(), |listen| listen.to_string())
}
