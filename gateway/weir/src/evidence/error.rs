//! Why no evidence file was made.

use std::io;
use std::path::PathBuf;

use evidence::{DraftError, RECORDS_BYTES_MAX, RECORDS_MAX};
use record::{OutfallCode, Seq};

/// Why no evidence file was made. None of these leaves a file behind.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EvidenceError {
    /// The journal or the outbox.
    #[error("failed to look into this box's databases · try: again; then weir journal check")]
    Store(#[source] journal::StoreError),
    /// The times.
    #[error("the time ends before it begins · try: --from before --to")]
    Window,
    /// A device's name.
    #[error("{0}")]
    BadName(String),
    /// More devices than are named.
    #[error("{0} devices are named, at most {max} can be · try: without --source, for all", max = batch::EvidenceSeal::SOURCES_MAX)]
    Sources(usize),
    /// Nothing stands there.
    #[error(
        "no device stands at outfall {0} by the journal · try: weir outfall list; outfall = \"{0}\" in devices.toml"
    )]
    NoDevices(OutfallCode),
    /// No such alarm.
    #[error("record {0} is no alarm that can be read · try: weir tail -n 1000 --json")]
    NoAlarm(Seq),
    /// Nothing was recorded then.
    #[error(
        "no record of that time is signed · try: weir export --from … for what there is; or this again in a minute"
    )]
    Nothing,
    /// Nothing was recorded then that is still there.
    #[error("no record of that time is in the journal · try: weir export --from … for what there is")]
    Unrecorded,
    /// Too much was recorded then.
    #[error(
        "more than {RECORDS_MAX} records or {RECORDS_BYTES_MAX} bytes do not go into one file · try: a shorter time, or --source"
    )]
    TooMuch,
    /// The parts do not fit.
    #[error("the file was not made")]
    Draft(#[source] DraftError),
    /// The weirlog.
    #[error("failed to put the records together · try: weir verify")]
    Log(#[source] batch::weirlog::WriteError),
    /// Only the gateway can seal.
    #[error("the file was not made, because only the running gateway can seal it")]
    Seal(#[source] control::AskError),
    /// The gateway is another version.
    #[error(
        "the gateway's seal cannot be read: is it another version? · try: weir --version, systemctl restart weir-gateway"
    )]
    NoSeal,
    /// What was made does not prove itself.
    #[error("what was made does not prove itself: {0} · try: weir verify; and report this as a bug")]
    NotProven(&'static str),
    /// The file.
    #[error("failed to write `{path}` · try: another name; a file that is there is never replaced")]
    Write {
        /// Which.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}
