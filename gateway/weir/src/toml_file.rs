//! A TOML file that a person wrote, changed without touching what stands around the change.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
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
        let failed = |source| TomlFileError::Write { path: self.path.clone(), source };
        let unfinished = self.path.with_extension("toml.new");
        let written = self.write_beside(&unfinished);
        if written.is_err() {
            // What is left of it would only be in the way; the error that matters is the first one.
            let _ = fs::remove_file(&unfinished);
        }
        written.map_err(failed)
    }

    fn write_beside(&self, unfinished: &Path) -> io::Result<()> {
        let before = match fs::metadata(&self.path) {
            Ok(facts) => Some(facts),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let mode = before.as_ref().map_or(self.mode_if_new, |facts| facts.permissions().mode() & 0o777);
        // Nobody may have prepared a file or a link of this name.
        let _ = fs::remove_file(unfinished);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(unfinished)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        if let Some(facts) = before {
            fchown(&file, Some(facts.uid()), Some(facts.gid()))?;
        }
        file.write_all(self.document.to_string().as_bytes())?;
        file.sync_all()?;
        fs::rename(unfinished, &self.path)?;
        File::open(folder_of(&self.path))?.sync_all()
    }
}

/// Where a file stands; the parent of a bare name is the empty path, which cannot be opened.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_stands_in_the_folder_where_one_is() {
        for (path, folder) in [("sync.toml", "."), ("etc/sync.toml", "etc"), ("/sync.toml", "/")] {
            assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
        }
    }
}
