//! Why versions cannot be kept or read.

use std::io;
use std::path::PathBuf;

use record::ConfigFile;

use crate::index::TEXT_BYTES_MAX;
use crate::version::VersionId;

/// Why not. What was kept before stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum VersionsError {
    /// The folder or a file in it cannot be read.
    #[error("failed to read the kept versions in `{path}` · try: sudo, or ls -ld {path}")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The index is none.
    #[error(
        "`{path}` is no index of kept versions · try: move it away; the files in force are kept again at the next start"
    )]
    Index {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: serde_json::Error,
    },
    /// A text is another one than was kept.
    #[error("the text of {version} is not what was kept · try: another version, by weir config history")]
    Altered {
        /// Which.
        version: VersionId,
    },
    /// The folder cannot be written.
    #[error("failed to keep a version in `{path}` · try: sudo, df -h, or ls -ld {path}")]
    Write {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Such a text is no version.
    #[error("{file} has {bytes} bytes, versions are kept of files up to {TEXT_BYTES_MAX} bytes")]
    TooLong {
        /// Of this file.
        file: ConfigFile,
        /// Its length.
        bytes: usize,
    },
}
