//! Why a box could not be set up.

use std::io;
use std::path::PathBuf;

use batch::BoxId;

use super::answers::AnswersError;

/// By operation; each ends with what to type. What was done before it stays, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The file of answers.
    #[error("the answers cannot be used, nothing was changed")]
    Answers(#[from] AnswersError),
    /// Nobody can answer.
    #[error(
        "there is no terminal to ask at · try: weir setup --answers FILE, and weir config template setup for such a file"
    )]
    NoTerminal,
    /// Who was asked is gone.
    #[error("nobody answers any more, nothing was changed · try: sudo weir setup")]
    NoAnswer,
    /// The terminal.
    #[error("failed to ask at the terminal · try: weir setup --answers FILE")]
    Terminal(#[source] io::Error),
    /// Not understood so often that it is no slip.
    #[error("`{question}` was answered {tries} times in a form that it cannot have · try: weir setup --answers FILE")]
    TooManyTries {
        /// What was asked.
        question: String,
        /// So often.
        tries: usize,
    },
    /// The journal has another name.
    #[error(
        "this box is called {is}, and its journal for good: it cannot become {wanted} · try: weir setup with {is}, or on an \
         empty box"
    )]
    Name {
        /// The journal's.
        is: BoxId,
        /// The answer's.
        wanted: BoxId,
    },
    /// A drop-in has another name.
    #[error(
        "{at}: this box is called {is} there, over what would be written, and nothing was changed · try: take that line out, or weir setup with {is}, not {wanted}"
    )]
    NameOver {
        /// Where.
        at: layers::Spot,
        /// What it says.
        is: BoxId,
        /// The answer's.
        wanted: BoxId,
    },
    /// A platform that the box does not know, and no code for it.
    #[error("there is no code for {url} · try: the platform's operator types weir platform invite {name}")]
    NoCode {
        /// The platform.
        url: String,
        /// The box.
        name: BoxId,
    },
    /// `gateway.toml`.
    #[error("the box's name was not written")]
    File(#[from] crate::toml_file::TomlFileError),
    /// The example devices cannot be taken out.
    #[error("failed to write `{path}` · try: sudo, df -h")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// systemctl is not there.
    #[error("failed to start systemctl · try: ls -l /usr/bin/systemctl")]
    Systemctl(#[source] io::Error),
    /// It did not do it.
    #[error("systemctl {doing} {unit} failed: {said} · try: sudo, systemctl status {unit}, journalctl -u {unit}")]
    Unit {
        /// The verb.
        doing: String,
        /// The unit.
        unit: &'static str,
        /// Its last words.
        said: String,
    },
    /// A daemon does not answer, or not as it should.
    #[error("{unit} did not answer as it should within {seconds} s: {lacks} · try: {next}, then weir setup again")]
    NotHealthy {
        /// The unit.
        unit: &'static str,
        /// So long was waited.
        seconds: u64,
        /// What was missing the last time.
        lacks: String,
        /// What to look at.
        next: String,
    },
}
