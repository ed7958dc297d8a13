//! Why the command failed, printed once, here at the top.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use crate::exit::Exit;
use crate::lang::Lang;

/// Why a verb could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// `gateway.toml` or a file it names.
    #[error("the gateway's configuration is refused")]
    GatewayConfig(#[source] gatewayd::ConfigError),
    /// `sync.toml`.
    #[error("the upload daemon's configuration is refused")]
    SyncConfig(#[source] syncd::ConfigError),
    /// `platform.toml`.
    #[error("the platform's configuration is refused")]
    PlatformConfig(#[source] platform::ConfigError),
    /// `page.toml`.
    #[error("the page's configuration is refused")]
    PageConfig(#[source] page::ConfigError),
    /// The page.
    #[error("the page does not run")]
    Page(#[source] page::PageError),
    /// The field daemon.
    #[error("the gateway does not run")]
    Gateway(#[source] gatewayd::StartError),
    /// The upload daemon.
    #[error("the upload daemon does not run")]
    Sync(#[source] syncd::SyncError),
    /// The platform.
    #[error("the platform did not start")]
    PlatformStart(#[source] platform::StartError),
    /// Rules that were to be tried.
    #[error(transparent)]
    Rules(#[from] crate::rules::RulesError),
    /// The platform.
    #[error("the platform ended")]
    PlatformStop(#[source] platform::StopError),
    /// No asynchronous runtime.
    #[error("failed to start the runtime · try: ulimit -n, ulimit -u")]
    Runtime(#[source] io::Error),
    /// A box and a platform did not come to know each other.
    #[error(transparent)]
    Enroll(#[from] crate::enroll::EnrollError),
    /// A file of numbers.
    #[error(transparent)]
    Metrics(#[from] crate::metrics::MetricsError),
    /// A file of dossiers.
    #[error(transparent)]
    Outfall(#[from] crate::outfall::OutfallError),
    /// A box that is not set up.
    #[error(transparent)]
    Setup(#[from] crate::setup::SetupError),
    /// No self-test.
    #[error("nothing was tested")]
    SelfTest(#[from] crate::self_test::SelfTestError),
    /// A sample or patrol that was not entered.
    #[error(transparent)]
    Manual(#[from] crate::manual::ManualError),
    /// The versions stay as they are.
    #[error(transparent)]
    Upgrade(#[from] crate::upgrade::UpgradeError),
    /// A configuration that stays as it is.
    #[error(transparent)]
    Configuration(#[from] crate::configuration::ConfigurationError),
    /// Nothing was ordered of a box.
    #[error(transparent)]
    PlatformOrder(#[from] crate::order::OrderError),
    /// The platform keeps its key.
    #[error("the platform's key was not changed")]
    PlatformRotation(#[source] platform::RotationError),
    /// A file that should be one.
    #[error("`{path}` is no revocation · try: weir platform revoke … -o FILE")]
    NoRevocation {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: batch::OpenError,
    },
    /// A key goes on being believed.
    #[error("the key was not revoked")]
    Revoke(#[source] platform::BoxKeyError),
    /// Nobody watches over the daemon.
    #[error("failed to start a thread · try: systemctl show weir-gateway -p TasksMax")]
    Watch(#[source] io::Error),
    /// This program did not start once more.
    #[error("failed to start weir again · try: ls -l /usr/bin/weir")]
    Again(#[source] io::Error),
    /// Two platforms' words about a box.
    #[error("nothing was compared")]
    Compare(#[from] crate::compare::CompareError),
    /// Signals.
    #[error("failed to listen for SIGTERM and SIGINT")]
    Signals(#[source] io::Error),
    /// A database.
    #[error("failed to look into this box's databases")]
    Store(#[source] journal::StoreError),
    /// A backup.
    #[error("the backup was not made or not put back")]
    Backup(#[source] journal::BackupError),
    /// The public keys of former machines.
    #[error("failed to read or write the public keys in `{path}` · try: sudo, df -h")]
    Keys {
        /// Their folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// What was put back must belong to the gateway's user.
    #[error("failed to give `{path}` to the owner of its folder · try: sudo")]
    Owner {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The gateway does not answer.
    #[error("the gateway was not told")]
    Control(#[source] control::AskError),
    /// It does not say how it is.
    #[error("the gateway does not say how it is: {0} · try: systemctl status weir-gateway")]
    NoStatus(String),
    /// The gateway answers in another way than it should.
    #[error("the order was not journaled: {0} · try: weir --version, systemctl restart weir-gateway")]
    Order(String),
    /// The upload daemon does not answer.
    #[error("the upload daemon was not told")]
    AskSync(#[source] control::AskError),
    /// Nothing parked, or more than one thing, has a name that begins so.
    #[error("{count} batches parked for `{platform}` have a name that begins with `{prefix}` · try: weir sync parked")]
    Parked {
        /// The platform.
        platform: String,
        /// What was typed.
        prefix: String,
        /// How many.
        count: usize,
    },
    /// The box's public key.
    #[error(
        "there is no identity at `{path}` · try: weir gateway run makes it at its first start; or give --state-dir"
    )]
    NoIdentity {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The box's public key is none.
    #[error("`{path}` holds no public key · try: restore it, or remove it and restart weir-gateway")]
    BadIdentity {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: batch::PublicKeyError,
    },
    /// A device or quantity name.
    #[error("{0}")]
    BadName(String),
    /// A file that was named cannot be read.
    #[error("failed to read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A journal without a signed tree head.
    #[error("no tree head is signed yet, so nothing could be proven · try: weir status, and this again in a minute")]
    NothingSigned,
    /// What stands in the journal cannot be exported.
    #[error("failed to export the journal · try: weir verify")]
    Journal(#[source] batch::weirlog::WriteError),
    /// The output cannot be written.
    #[error("failed to write `{path}`")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Who reads our output has gone (`weir export | head`): not an error.
    #[error("the reader of the output has gone")]
    OutputClosed,
    /// A file that is no evidence file of this program's.
    #[error("`{path}` has more than {max} bytes: no evidence file has", max = evidence::EVIDENCE_BYTES_MAX)]
    EvidenceTooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Evidence.
    #[error("there is no evidence file")]
    Evidence(#[from] crate::evidence::EvidenceError),
    /// A device verb.
    #[error("the device verb was not carried out")]
    Device(#[source] Box<crate::device::DeviceError>),
    /// No bundle was made, or none could be looked at.
    #[error("the bundle was not made, or not verified")]
    Bundle(#[from] crate::bundle::BundleError),
    /// The demo.
    #[error("the demo could not run")]
    Demo(#[source] crate::demo::DemoError),
}

impl CommandError {
    /// The status that tells a supervisor what to do.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            CommandError::GatewayConfig(_)
            | CommandError::SyncConfig(_)
            | CommandError::PlatformConfig(_)
            | CommandError::PageConfig(_)
            | CommandError::Upgrade(
                crate::upgrade::UpgradeError::Settings { .. } | crate::upgrade::UpgradeError::Deadline { .. },
            )
            | CommandError::Configuration(crate::configuration::ConfigurationError::Refused { .. })
            | CommandError::Sync(syncd::SyncError::Destination { .. }) => Exit::Config,
            CommandError::Gateway(
                gatewayd::StartError::Mqtt(gatewayd::EdgeError::RouterDied)
                | gatewayd::StartError::CommitterDied
                | gatewayd::StartError::DecodingDied
                | gatewayd::StartError::OtherFiles,
            ) => Exit::Restart,
            _ => Exit::Failed,
        }
    }

    /// Takes a failure of standard output.
    pub(crate) fn output(error: io::Error) -> CommandError {
        match error.kind() {
            io::ErrorKind::BrokenPipe => CommandError::OutputClosed,
            _ => CommandError::Write { path: "standard output".into(), source: error },
        }
    }
}

/// The whole chain on standard error, one cause a line, so that a long path does not hide the end, which says what to
/// type next.
pub(crate) fn print(error: &CommandError, lang: Lang) {
    eprintln!("weir: {}", lang.told(&error.to_string()));
    let mut source = error.source();
    while let Some(cause) = source {
        eprintln!("  · {}", lang.told(&cause.to_string()));
        source = cause.source();
    }
}
