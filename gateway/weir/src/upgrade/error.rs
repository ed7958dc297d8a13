//! Why nothing came of an order about an upgrade.

use std::io;
use std::path::PathBuf;

/// Why not. Unless it says otherwise, the versions are as they were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    /// Nothing was upgraded.
    #[error("no upgrade was judged on this box yet · try: apt list --installed weir")]
    NoneYet,
    /// There is no trial to end.
    #[error("version {to} is not on trial · try: weir upgrade")]
    NotOnTrial {
        /// The last one that was.
        to: String,
    },
    /// It is the installed one.
    #[error("version {version} is installed already · try: weir upgrade")]
    IsThere {
        /// Which.
        version: String,
    },
    /// There is no package to go back to.
    #[error("the package of version {version} is not kept · try: sudo apt install weir={version}")]
    NothingKept {
        /// Which.
        version: String,
    },
    /// A reason that says nothing, or a book.
    #[error("a decision needs a reason of 1 to {bytes_max} bytes · try: --reason TEXT")]
    NoReason {
        /// Its bound.
        bytes_max: usize,
    },
    /// `upgrade.toml` cannot be read.
    #[error("failed to read `{path}` · try: ls -l {path}")]
    ReadSettings {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// `upgrade.toml` says what it must not.
    #[error("`{path}` is refused · try: correct the line below, then weir config check {path}")]
    Settings {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause.
        source: toml::de::Error,
    },
    /// A deadline that is none.
    #[error("`{path}`: deadline_s = {deadline_s}, and 60 to 3600 seconds are possible · try: 300")]
    Deadline {
        /// The file.
        path: PathBuf,
        /// What it says.
        deadline_s: u32,
    },
    /// What is known of the last upgrade is no JSON of ours.
    #[error("`{path}` does not say what became of the last upgrade · try: sudo rm {path}")]
    State {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A file of the kept version.
    #[error("failed to {doing} `{path}` · try: sudo, df -h")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A program of the system is not there, or does not run.
    #[error("failed to start `{program}` · try: sudo, or apt install --reinstall dpkg systemd")]
    Start {
        /// Its name.
        program: &'static str,
        /// The cause.
        source: io::Error,
    },
    /// A program of the system did not do it.
    #[error("`{program} {words}` failed: {said} · try: sudo {program} {words}")]
    Ended {
        /// Its name.
        program: &'static str,
        /// What it was told.
        words: String,
        /// The end of what it said.
        said: String,
    },
}
