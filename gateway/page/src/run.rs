//! The page as a running thing: bind, read, answer, stop.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::http::{App, Doorkeeper, router, url};
use crate::watch::watch;
use crate::{Config, Known};

/// How long answers under way may take when the page stops.
const STOP_SECONDS_MAX: u64 = 3;

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The address is taken, or not this machine's.
    #[error("failed to listen on {listen} · try: ss -ltnp, ip -brief address, or another `listen` in page.toml")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nobody reads the journal.
    #[error("failed to start the thread that reads `{journal}` · try: systemctl show weir-page -p TasksMax")]
    Watch {
        /// The journal.
        journal: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The server's socket failed.
    #[error("the page's server ended · try: systemctl restart weir-page")]
    Serve(#[source] io::Error),
}

/// Answers until `stop`. It writes nothing and asks no daemon for anything but its status.
///
/// # Errors
/// [`PageError`] by cause. A journal that is not there, or daemons that do not answer, are none: the page says so.
pub async fn run(config: Config, stop: impl Future<Output = ()>) -> Result<(), PageError> {
    let refused = |source| PageError::Listen { listen: config.listen, source };
    let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let known = Arc::new(Mutex::new(Known::default()));
    let (journal, shared) = (config.state_dir.join("journal/journal.db"), Arc::clone(&known));
    let (stopping, stopped) = mpsc::channel();
    let work = {
        let journal = journal.clone();
        move || watch(&journal, &shared, &stopped)
    };
    thread::Builder::new()
        .name("weir-page-read".into())
        .spawn(work)
        .map_err(|source| PageError::Watch { journal, source })?;
    let config = Arc::new(config);
    let app = Arc::new(App::new(Arc::clone(&config), known));
    let (quit, quitting) = tokio::sync::oneshot::channel::<()>();
    let server = axum::serve(Doorkeeper::new(listener, config), router(app))
        .with_graceful_shutdown(async move { quitting.await.unwrap_or_default() });
    log::info!(url = url(address).as_str(); "page listens");
    let mut serving = tokio::spawn(async move { server.await });
    let ended = tokio::select! {
        () = stop => {
            let _ = quit.send(());
            let patience = Duration::from_secs(STOP_SECONDS_MAX);
            tokio::time::timeout(patience, &mut serving).await.unwrap_or(Ok(Ok(())))
        }
        ended = &mut serving => ended,
    };
    drop(stopping);
    ended.unwrap_or_else(|died| Err(io::Error::other(died))).map_err(PageError::Serve)
}
