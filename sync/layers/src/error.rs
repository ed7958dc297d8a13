//! Why there is no one text, or why it says nothing to its reader.

use std::io;
use std::path::PathBuf;

use crate::folder::DROP_INS_MAX;

/// Why not. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum LayersError {
    /// A file or a folder cannot be read.
    #[error("failed to read configuration `{path}` · try: ls -ld {path}")]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// More than any configuration has.
    #[error(
        "configuration `{path}` goes beyond {bytes_max} bytes, the most for a file and its drop-ins: is it the right file?"
    )]
    TooLong {
        /// The file with which it does.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
    /// A text is no TOML, or not what its reader takes.
    #[error("configuration `{path}` is refused · try: correct the line below, then weir config check {path}")]
    Refused {
        /// The file in which it stands.
        path: PathBuf,
        /// Line and cause.
        source: Box<Fault>,
    },
    /// A folder has more than a site needs.
    #[error("folder `{folder}` has more than {DROP_INS_MAX} drop-ins · try: join some")]
    TooMany {
        /// The folder.
        folder: PathBuf,
    },
    /// A name that cannot be shown everywhere as it is.
    #[error(
        "folder `{folder}`: no drop-in is read from a file called {name:?} · try: a name of A-Z a-z 0-9 _ . - for it"
    )]
    Name {
        /// The folder.
        folder: PathBuf,
        /// The file.
        name: String,
    },
}

/// What is wrong in a line.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Of a file that is read alone.
    #[error(transparent)]
    Alone(toml::de::Error),
    /// Of one that is read together with others.
    #[error("TOML error in line {line}\n{shown}\n{why}", shown = shown(*line, text))]
    Among {
        /// Where in its file, from 1.
        line: usize,
        /// The line.
        text: String,
        /// What.
        why: String,
    },
}

/// A line as TOML's reader shows one.
fn shown(line: usize, text: &str) -> String {
    let gutter = " ".repeat(line.to_string().len());
    format!("{gutter} |\n{line} | {text}\n{gutter} |")
}
