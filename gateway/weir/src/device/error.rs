//! Why a device verb could not be carried out.

use std::io;
use std::path::PathBuf;

use super::files::FilesError;
use super::import::ImportError;
use super::sealed::SealedError;
use super::section::SectionError;
use crate::error::CommandError;

/// By operation; the chain ends with what to type next.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeviceError {
    /// `gateway.toml` cannot be read.
    #[error("failed to find the device table")]
    Config(#[source] gatewayd::ConfigError),
    /// The table as it would become is refused.
    #[error("the device table would be refused, nothing was written")]
    Refused(#[source] gatewayd::ConfigError),
    /// The table is sound, but the device would not work in the box's channel plan.
    #[error("the device would not work in this box's region, nothing was written")]
    Region(#[source] ingest::Finding),
    /// The two files.
    #[error("failed to read or change the device table")]
    Files(#[from] FilesError),
    /// A new section.
    #[error("failed to put the device together")]
    Section(#[from] SectionError),
    /// A CSV file.
    #[error("failed to import devices, nothing was written")]
    Import(#[from] ImportError),
    /// Export and import of sessions.
    #[error("failed to move sessions")]
    Sealed(#[from] SealedError),
    /// What a file of sessions holds.
    #[error("failed to read the sessions")]
    Sessions(#[source] ingest::TransferError),
    /// The gateway.
    #[error("failed to ask the gateway")]
    Ask(#[source] control::AskError),
    /// The gateway's answer lacks something.
    #[error("the gateway's answer has no `{field}`: is it another version? · try: weir --version, and restart it")]
    Answer {
        /// What.
        field: &'static str,
    },
    /// The kernel gave no randomness for a password.
    #[error("failed to get randomness from the kernel · try: again")]
    Random(#[source] getrandom::Error),
    /// Hashing a new password.
    #[error("failed to hash the new password: {why} · try: give a password with --keys")]
    Hash {
        /// The library's words.
        why: String,
    },
    /// The payload on the command line.
    #[error("the payload is not hex digits, two for each byte · try: weir device test NAME 0167fef0")]
    Hex,
    /// The process of a codec that is tested.
    #[error("failed to run the codec in a process of its own · try: again; ulimit -a")]
    Fence(#[source] io::Error),
    /// The command that started the codec's process is gone.
    #[error("process {within}, for which the codec was to run, is gone · try: weir device test-codec")]
    Unattended {
        /// Its number.
        within: u32,
    },
    /// A file of the command line.
    #[error("failed to read `{path}` · try: check the path and your rights")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file to make.
    #[error("failed to write `{path}` · try: another folder")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Printing.
    #[error(transparent)]
    Output(Box<CommandError>),
}

impl DeviceError {
    /// Takes a failure of standard output.
    pub(crate) fn output(error: CommandError) -> DeviceError {
        DeviceError::Output(Box::new(error))
    }
}

impl From<DeviceError> for CommandError {
    fn from(error: DeviceError) -> CommandError {
        match error {
            DeviceError::Output(error) => *error,
            other => CommandError::Device(Box::new(other)),
        }
    }
}
