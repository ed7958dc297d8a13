//! The platform as a running thing: bind, serve, stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use batch::PublicKey;
use identity::IdentityError;
use tokio::task::JoinHandle;

use crate::accept::{Bounded, log_failures};
use crate::config::Config;
use crate::enrolment::{EnrolmentError, Enrolments};
use crate::rotation::{self, RotationError};
use crate::state_dir::StateDir;
use crate::store::{OpenError, Store};
use crate::tls::TlsError;
use crate::{http, tls};

/// How long requests under way may take when the platform stops.
const STOP_GRACE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request; also how long an idle connection is kept, so that a box
/// that cuts a batch a minute pays for one handshake only.
const HEAD_READ: Duration = Duration::from_secs(150);

/// Why the platform does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be made.
    #[error(
        "failed to create state_dir `{path}`; create it and give it to the user of this service (chown), or set another"
    )]
    StateDir {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// No signing key.
    #[error("failed to get the signing key")]
    Key(#[source] IdentityError),
    /// What it signed about its keys cannot be read.
    #[error("failed to read how the signing key changed")]
    Changes(#[source] RotationError),
    /// No TLS.
    #[error("failed to set up TLS")]
    Tls(#[source] TlsError),
    /// What is known of boxes that were let in cannot be read.
    #[error("failed to read which boxes are enrolled")]
    Enrolments(#[source] EnrolmentError),
    /// No database.
    #[error("failed to open the store")]
    Store(#[source] OpenError),
    /// The address is taken, or not this machine's.
    #[error("failed to listen on {listen}; see who has the port with `ss -ltnp`, or change `listen` in platform.toml")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Why a running platform ended otherwise than by being stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The server's socket failed.
    #[error("the server ended; start it again")]
    Serve(#[source] io::Error),
    /// The server's task panicked.
    #[error("the server broke; start it again and report its log as a bug")]
    Task(#[source] tokio::task::JoinError),
}

/// The reference platform.
#[derive(Debug)]
pub struct Platform;

/// A platform that listens. Dropping it stops listening at once; [`Running::stop`] lets requests finish.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    key: PublicKey,
    state: StateDir,
    store: Arc<Store>,
    handle: Handle<SocketAddr>,
    serving: Option<JoinHandle<io::Result<()>>>,
}

impl Platform {
    /// Makes what is missing in the folder (keys, certificate, database), binds and serves, on the current runtime.
    ///
    /// # Errors
    /// [`StartError`] by cause, each with its cure.
    pub async fn start(config: Config) -> Result<Running, StartError> {
        let state = StateDir::new(&config.state_dir);
        state.create().map_err(|source| StartError::StateDir { path: config.state_dir.clone(), source })?;
        identity::settle(&state.key()).map_err(StartError::Key)?;
        let changes = rotation::changes(&state).map_err(StartError::Changes)?;
        let key = identity::load_or_create(&state.key()).map_err(StartError::Key)?;
        let public = key.public();
        let tls = tls::server_config(&config, &state).map_err(StartError::Tls)?;
        // Before the database: a second platform by mistake stops here and touches nothing.
        let refused = |source| StartError::Listen { listen: config.listen, source };
        let listener = TcpListener::bind(config.listen).map_err(refused)?;
        let local_addr = listener.local_addr().map_err(refused)?;
        let server = axum_server::from_tcp(listener).map_err(refused)?;
        let again = identity::load_or_create(&state.key()).map_err(StartError::Key)?;
        let certificate = tls::pinned(&config, &state).map_err(StartError::Tls)?;
        let cosigner = identity::load_or_create(&state.key()).map_err(StartError::Key)?;
        let enrolments = Enrolments::open(&config, &state, again, certificate).map_err(StartError::Enrolments)?;
        let boxes = enrolments.boxes();
        let store = Store::open(&state.database(), config.store_bytes_max, &boxes, config.name.clone(), key)
            .map_err(StartError::Store)?;
        let store = Arc::new(store);
        let handle = Handle::new();
        let bounded = Bounded::new(handle.clone());
        let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(tls)).acceptor(bounded);
        let mut server = server.acceptor(acceptor).accept_error_handler(log_failures());
        server.http_builder().http1().header_read_timeout(HEAD_READ);
        let router = http::router(&config, (cosigner, changes), Arc::new(enrolments), Arc::clone(&store));
        let server = server.http1_only().first_request_timeout(HEAD_READ).handle(handle.clone());
        let serving = tokio::spawn(server.serve(router.into_make_service()));
        log::info!(listen:% = local_addr, boxes = boxes.len(), key:% = public; "platform listens");
        if boxes.is_empty() {
            log::warn!(
                "no box is enrolled: weir platform invite BOX, or add a [[box]] with the lines of `weir identity`"
            );
        }
        if config.read_token.is_none() {
            log::warn!("reading needs no token: set read_token unless this port is closed to others");
        }
        Ok(Running { local_addr, key: public, state, store, handle, serving: Some(serving) })
    }
}

impl Running {
    /// Where it listens; with port 0 in the configuration, the port that was taken.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The key that its receipts are signed with.
    pub fn public_key(&self) -> PublicKey {
        self.key
    }

    /// Its folder.
    pub fn state_dir(&self) -> &StateDir {
        &self.state
    }

    /// Waits until it ends by itself, which it should not: for a `select` beside the signals.
    ///
    /// # Errors
    /// [`StopError`], what ended it.
    pub async fn ended(&mut self) -> Result<(), StopError> {
        match &mut self.serving {
            Some(serving) => {
                let ended = serving.await;
                self.serving = None;
                ended.map_err(StopError::Task)?.map_err(StopError::Serve)
            }
            None => Ok(()),
        }
    }

    /// Takes no more, lets requests under way finish for up to ten seconds, and closes the database.
    ///
    /// # Errors
    /// [`StopError`] if the server had failed before; the database is closed all the same.
    pub async fn stop(mut self) -> Result<(), StopError> {
        self.handle.graceful_shutdown(Some(STOP_GRACE));
        let ended = self.ended().await;
        self.store.close().await;
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}
