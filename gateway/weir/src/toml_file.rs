//! A TOML file that a person wrote, changed without touching what stands around the change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml_edit::DocumentMut;

/// Why a file could not be changed. It holds no half of a change afterwards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TomlFileError {
    /// It cannot be read.
    #[error("failed to read `{path}` · try: sudo, or another folder")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It is not TOML.
    #[error("`{path}` is not TOML, line {line}: {why} · try: weir config check {path}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What, without the line itself, which may hold a key.
        why: String,
    },
    /// It cannot be written.
    #[error("failed to write `{path}` · try: sudo, or free some space; nothing was changed")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// One file, read whole.
pub(crate) struct TomlFile {
    pub(crate) path: PathBuf,
    pub(crate) document: DocumentMut,
    mode_if_new: u32,
}

impl TomlFile {
    /// Reads it; one that is not there yet is empty, and will be made with this mode.
    ///
    /// # Errors
    /// [`TomlFileError::Read`], [`TomlFileError::Toml`].
    pub(crate) fn read(path: &Path, mode_if_new: u32) -> Result<TomlFile, TomlFileError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(TomlFileError::Read { path: path.into(), source }),
        };
        let document = text.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(text.len(), |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            TomlFileError::Toml { path: path.into(), line, why: error.message().to_owned() }
        })?;
        Ok(TomlFile { path: path.into(), document, mode_if_new })
    }

    /// Written whole beside the file, synced, and renamed over it; owner and rights stay as they were.
    ///
    /// # Errors
    /// [`TomlFileError::Write`].
    pub(crate) fn write(&self) -> Result<(), TomlFileError> {
        let replaced = versions::replace(&self.path, self.document.to_string().as_bytes(), self.mode_if_new);
        replaced.map_err(|source| TomlFileError::Write { path: self.path.clone(), source })
    }
}
