//! The listener: accepts, bounds, starts one task a connection, stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::connection::{FAREWELL_MAX, serve};
use crate::counters::Counters;
use crate::router::{Router, routable};
use crate::sessions::Sessions;
use crate::{CountersSnapshot, Directory, EdgeError, Limits, Routed, Submission};

/// Pause after a failed accept: out of file descriptors, a loop without it would eat a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) submissions: mpsc::Sender<Submission>,
    pub(crate) counters: Counters,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) router: Arc<Router>,
    /// Turns true when the edge stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The running edge. Dropping it without [`Edge::stop`] cuts every connection.
pub struct Edge {
    shared: Arc<Shared>,
    local_addr: SocketAddr,
    connections: Arc<Semaphore>,
    router_died: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

impl Edge {
    /// Listens on `listen` and starts the router. Publishes go to `submissions`, in order for each connection.
    ///
    /// Needs a tokio runtime with time and io enabled.
    ///
    /// # Errors
    /// [`EdgeError::AddressInUse`], [`EdgeError::BindDenied`], [`EdgeError::Bind`] if the address cannot be listened
    /// on; [`EdgeError::Limit`] if a limit is out of range; [`EdgeError::RouterStart`] if the router does not start.
    pub async fn start(
        listen: SocketAddr,
        limits: Limits,
        directory: Arc<dyn Directory>,
        submissions: mpsc::Sender<Submission>,
    ) -> Result<Self, EdgeError> {
        limits.check()?;
        let bind = |source| EdgeError::bind(listen, source);
        let listener = TcpListener::bind(listen).await.map_err(bind)?;
        let local_addr = listener.local_addr().map_err(bind)?;
        let (router, router_died) = Router::start()?;
        let (stop, stopping) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(limits.connections_max));
        let shared = Arc::new(Shared {
            limits,
            directory,
            submissions,
            counters: Counters::default(),
            sessions: Arc::default(),
            router: Arc::new(router),
            stopping,
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared), Arc::clone(&connections)));
        Ok(Self { shared, local_addr, connections, router_died, stop, accepting })
    }

    /// The address listened on; with port 0 asked for, the port that was given.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// All counters now.
    #[must_use]
    pub fn counters(&self) -> CountersSnapshot {
        let mut snapshot = self.shared.counters.snapshot();
        let open = self.shared.limits.connections_max.saturating_sub(self.connections.available_permits());
        snapshot.connections_now = open as u64;
        snapshot.sessions_now = self.shared.sessions.len() as u64;
        snapshot.devices = self.shared.sessions.devices();
        snapshot
    }

    /// Sends a message (a command) to the devices subscribed to `topic` now; at QoS 1 if they asked for it.
    pub fn publish(&self, topic: &str, payload: bytes::Bytes) -> Routed {
        if !routable(topic) {
            return Routed::NoSubscriber;
        }
        let routed = self.shared.router.publish(topic, payload);
        self.shared.counters.routed(routed);
        routed
    }

    /// Waits until the edge cannot go on: [`EdgeError::RouterDied`]. Cancel safe; the daemon ends with exit code 70.
    pub async fn failed(&self) -> EdgeError {
        // An error means that the watching task itself is gone, which is no better.
        let _ = self.router_died.clone().wait_for(|died| *died).await;
        EdgeError::RouterDied
    }

    /// Closes the listener, lets submitted publishes settle within [`Limits::settle_wait`], says goodbye (MQTT 5: 0x8B)
    /// and closes every connection. The committer must still be running.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        let limits = &self.shared.limits;
        let bound = limits.settle_wait + limits.write_stall_max + 2 * FAREWELL_MAX;
        if timeout(bound, &mut self.accepting).await.is_err() {
            log::warn!("mqtt connections cut at stop");
            self.accepting.abort();
        }
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts until the edge stops, then waits for the connections' tasks.
async fn accept(listener: TcpListener, shared: Arc<Shared>, connections: Arc<Semaphore>) {
    let mut tasks = JoinSet::new();
    let mut stopping = shared.stopping.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => break,
            Some(ended) = tasks.join_next() => count_panic(&shared, &ended),
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => admit(&mut tasks, stream, peer, &shared, &connections),
                Err(error) => {
                    shared.counters.accept_failed.count();
                    log::warn!(error:display; "failed to accept an mqtt connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while let Some(ended) = tasks.join_next().await {
        count_panic(&shared, &ended);
    }
}

/// Waits until the edge stops, or its handle is gone.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn count_panic(shared: &Shared, ended: &Result<(), tokio::task::JoinError>) {
    if ended.is_err() {
        shared.counters.panicked.count();
        log::error!("an mqtt connection's task panicked");
    }
}

/// Starts the connection's task if there is room.
fn admit(
    tasks: &mut JoinSet<()>,
    stream: TcpStream,
    peer: SocketAddr,
    shared: &Arc<Shared>,
    connections: &Arc<Semaphore>,
) {
    shared.counters.accepted.count();
    let Ok(permit) = Arc::clone(connections).try_acquire_owned() else {
        let count = shared.counters.connections_full.count();
        if count.is_power_of_two() {
            log::warn!(peer:display, count; "mqtt connection refused, connections_max reached");
        }
        return;
    };
    // Acknowledgements are small and must not wait for more of them; a socket that refuses the option still works.
    let _ = stream.set_nodelay(true);
    let shared = Arc::clone(shared);
    tasks.spawn(async move {
        serve(stream, peer, shared).await;
        drop(permit);
    });
}
