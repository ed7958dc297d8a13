//! Why the demo could not run.

use std::io;
use std::path::PathBuf;

/// Why the demo could not run. That a promise was broken is no error of the demo; the table says it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The folder is not empty.
    #[error("folder `{0}` is not empty, and the demo mixes with nothing · try: weir demo --dir another-folder")]
    NotEmpty(PathBuf),
    /// The folder cannot be made.
    #[error("failed to make folder `{path}` · try: weir demo --dir with a folder that you may write to")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file cannot be written.
    #[error("failed to write `{path}` · try: check owner and free space of its folder (df, ls -ld)")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file that a child makes cannot be read.
    #[error("failed to read `{path}` · try: look into the logs beside it")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// No asynchronous runtime.
    #[error("failed to start the runtime · try: ulimit -n, ulimit -u")]
    Runtime(#[source] io::Error),
    /// Signals.
    #[error("failed to listen for SIGINT, SIGTERM and SIGHUP")]
    Signals(#[source] io::Error),
    /// The executable cannot find itself.
    #[error("failed to find the own executable, of which the demo starts four more · try: is /proc mounted?")]
    OwnExecutable(#[source] io::Error),
    /// A child does not start.
    #[error("failed to start `weir {verb} run` · try: ulimit -u")]
    Spawn {
        /// `gateway`, `sync` or `platform`.
        verb: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A child ended although nobody asked for it.
    #[error("{name} ended by itself ({status}) · its last words:\n{tail}")]
    Ended {
        /// Which.
        name: &'static str,
        /// How.
        status: std::process::ExitStatus,
        /// The end of its log.
        tail: String,
    },
    /// A child does not become ready.
    #[error("{what} was not ready within {seconds} s · try: look into `{log}`, which says:\n{tail}")]
    NotReady {
        /// What was waited for.
        what: &'static str,
        /// For how long.
        seconds: u64,
        /// The child's log.
        log: PathBuf,
        /// Its end.
        tail: String,
    },
    /// No free port, or no socket.
    #[error("failed to open a socket on 127.0.0.1 · try: ip addr show lo, ulimit -n")]
    Socket(#[source] io::Error),
    /// No randomness for keys and passwords.
    #[error("failed to get randomness from the kernel")]
    Random(#[source] getrandom::Error),
    /// The box's key.
    #[error("failed to make the key of the box")]
    Identity(#[source] identity::IdentityError),
    /// A public key file holds none.
    #[error("`{path}` holds no public key · try: report this as a bug")]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: batch::PublicKeyError,
    },
    /// The journal or the outbox cannot be read.
    #[error("failed to look into the databases of the box")]
    Store(#[source] journal::StoreError),
    /// A platform's database cannot be read.
    #[error("failed to look into the database of platform {platform}")]
    Platform {
        /// Whose.
        platform: &'static str,
        /// The cause.
        source: platform::store::StoreError,
    },
    /// The evidence cannot be written as files.
    #[error("failed to write the artifacts of platform {platform}")]
    Artifacts {
        /// Whose.
        platform: &'static str,
        /// The cause.
        source: platform::export::ExportError,
    },
    /// A thread cannot be started.
    #[error("failed to start a thread · try: ulimit -u")]
    Thread(#[source] io::Error),
    /// A text of ours is no name.
    #[error("the demo's own name for its box is refused · try: report this as a bug")]
    BoxName(#[source] batch::IdError),
    /// The output cannot be written.
    #[error("failed to write the output")]
    Output(#[source] io::Error),
    /// Ctrl-C, SIGTERM or SIGHUP.
    #[error("interrupted; all that was started is stopped")]
    Interrupted,
}
