//! The listener: accepts, bounds, starts one task a connection, stops.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::connection::{FAREWELL_MAX, serve, serve_tls};
use crate::counters::Counters;
use crate::kept::KeptSessions;
use crate::router::{Router, routable};
use crate::sessions::Sessions;
use crate::strangers::Strangers;
use crate::verify::Verifier;
use crate::will::look_after;
use crate::{
    COMMAND_BYTES_MAX, Command, CountersSnapshot, Directory, EdgeError, Event, Handed, Limits, Listener, Routed,
    SessionChange, StoredSession, Stranger, Submission, Tls,
};

/// Pause after a failed accept: out of file descriptors, a loop without it would eat a core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What every connection shares.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) directory: Arc<dyn Directory>,
    pub(crate) submissions: mpsc::Sender<Submission>,
    /// One permit a payload byte that may still wait for its transaction.
    queue_bytes: Arc<Semaphore>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) counters: Counters,
    pub(crate) strangers: Strangers,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) kept: KeptSessions,
    pub(crate) verifier: Verifier,
    pub(crate) router: Arc<Router>,
    /// Turns true when the edge stops.
    pub(crate) stopping: watch::Receiver<bool>,
}

impl Shared {
    /// Waits for room for a payload, first come, first served. The error is never met: nobody closes the semaphore.
    pub(crate) fn reserve_bytes(
        &self,
        bytes: usize,
    ) -> impl Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send + use<> {
        // No packet is longer than the queue, which `Limits` sees to.
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.queue_bytes).acquire_many_owned(permits)
    }

    /// Room for a payload if there is some now.
    pub(crate) fn try_reserve_bytes(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.queue_bytes).try_acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX)).ok()
    }
}

/// What the edge is made of.
pub struct EdgeParts {
    /// Where clients come in; at least one.
    pub listeners: Vec<Listener>,
    /// Its bounds.
    pub limits: Limits,
    /// Who may connect.
    pub directory: Arc<dyn Directory>,
    /// Where publishes go, in order for each connection.
    pub submissions: mpsc::Sender<Submission>,
    /// Where sessions go that must be durable. A client that wants its session kept waits for the reply.
    pub changes: mpsc::Sender<SessionChange>,
    /// Where the fate of commands is told. A full channel holds the device's connection back; if nobody receives,
    /// events are dropped.
    pub events: mpsc::Sender<Event>,
    /// The sessions that were stored before the restart.
    pub stored: Vec<StoredSession>,
}

impl fmt::Debug for EdgeParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EdgeParts")
            .field("listeners", &self.listeners)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// The running edge. Dropping it without [`Edge::stop`] cuts every connection.
pub struct Edge {
    shared: Arc<Shared>,
    local_addrs: Vec<SocketAddr>,
    connections: Arc<Semaphore>,
    router_died: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
    accepting: JoinSet<()>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("local_addrs", &self.local_addrs).finish_non_exhaustive()
    }
}

impl Edge {
    /// Starts the router and serves the listeners.
    ///
    /// Needs a tokio runtime with time and io enabled.
    ///
    /// # Errors
    /// [`EdgeError::Limit`] if a limit is out of range; [`EdgeError::NoListener`] without a listener;
    /// [`EdgeError::RouterStart`] if the router does not start.
    pub fn start(parts: EdgeParts) -> Result<Self, EdgeError> {
        let EdgeParts { listeners, limits, directory, submissions, changes, events, stored } = parts;
        limits.check()?;
        let local_addrs: Vec<SocketAddr> = listeners.iter().map(Listener::local_addr).collect();
        if local_addrs.is_empty() {
            return Err(EdgeError::NoListener);
        }
        let (router, router_died) = Router::start()?;
        let (stop, stopping) = watch::channel(false);
        let connections = Arc::new(Semaphore::new(limits.connections_max));
        let shared = Arc::new(Shared {
            queue_bytes: Arc::new(Semaphore::new(limits.queue_bytes_max)),
            kept: KeptSessions::new(stored, changes, &limits),
            limits,
            directory,
            submissions,
            events,
            counters: Counters::default(),
            strangers: Strangers::default(),
            sessions: Arc::default(),
            verifier: Verifier::default(),
            router: Arc::new(router),
            stopping: stopping.clone(),
        });
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener, Arc::clone(&shared), Arc::clone(&connections)));
        }
        accepting.spawn(look_after(Arc::clone(&shared), stopping));
        Ok(Self { shared, local_addrs, connections, router_died, stop, accepting })
    }

    /// The address of the first listener; with port 0 asked for, the port that was given.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addrs[0]
    }

    /// The addresses listened on, in the order of [`EdgeParts::listeners`].
    #[must_use]
    pub fn local_addrs(&self) -> &[SocketAddr] {
        &self.local_addrs
    }

    /// Sends a command to one device, at QoS 1 if the command and the device's subscription say so. What becomes of it,
    /// the events tell ([`EdgeParts::events`]); a command that is on its way to the device already is not sent twice.
    pub fn send(&self, device: &str, command: Command) -> Handed {
        if command.payload.len() > COMMAND_BYTES_MAX {
            return Handed::TooLong;
        }
        self.shared.sessions.send(device, command)
    }

    /// All counters now.
    #[must_use]
    pub fn counters(&self) -> CountersSnapshot {
        let mut snapshot = self.shared.counters.snapshot();
        let open = self.shared.limits.connections_max.saturating_sub(self.connections.available_permits());
        snapshot.connections_now = open as u64;
        snapshot.sessions_now = self.shared.sessions.len() as u64;
        snapshot.sessions_kept = self.shared.kept.len() as u64;
        snapshot.devices = self.shared.sessions.devices();
        snapshot
    }

    /// Who tried to connect since the start and was not let in, for want of a name or a secret; at most
    /// [`STRANGERS_MAX`](crate::STRANGERS_MAX).
    #[must_use]
    pub fn strangers(&self) -> Vec<Stranger> {
        self.shared.strangers.list()
    }

    /// Sends a message to the devices subscribed to `topic` now; at QoS 1 if they asked for it.
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
        let accepting = async { while self.accepting.join_next().await.is_some() {} };
        if timeout(bound, accepting).await.is_err() {
            log::warn!("mqtt connections cut at stop");
        }
    }
}

/// Accepts until the edge stops, then waits for the connections' tasks.
async fn accept(listener: Listener, shared: Arc<Shared>, connections: Arc<Semaphore>) {
    let Listener { socket, tls, .. } = listener;
    let mut tasks = JoinSet::new();
    let mut stopping = shared.stopping.clone();
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => break,
            Some(ended) = tasks.join_next() => count_panic(&shared, &ended),
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => admit(&mut tasks, stream, peer, tls.as_ref(), &shared, &connections),
                Err(error) => {
                    shared.counters.accept_failed.count();
                    log::warn!(error:display; "failed to accept an mqtt connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(socket);
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
    tls: Option<&Tls>,
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
    let (shared, tls) = (Arc::clone(shared), tls.cloned());
    tasks.spawn(async move {
        match tls {
            Some(tls) => serve_tls(&tls, stream, peer, shared).await,
            None => serve(stream, None, peer, shared).await,
        }
        drop(permit);
    });
}
