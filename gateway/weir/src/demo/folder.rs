//! The folder the demo works in.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::DemoError;

/// Longest path of a Unix socket, in bytes, that every system takes (`sun_path` less its end).
const SOCKET_PATH_BYTES_MAX: usize = 100;

/// A folder of our own; a temporary one is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Where the control sockets are, if `path` is too long for them.
    run: Option<Box<Folder>>,
    temporary: bool,
}

impl Folder {
    /// Makes the folder that was asked for, which must be empty if it is there, or a temporary one.
    pub(crate) fn make(asked: Option<&Path>) -> Result<Folder, DemoError> {
        let Some(path) = asked else { return Folder::temporary() };
        let failed = |source| DemoError::Folder { path: path.into(), source };
        fs::create_dir_all(path).map_err(failed)?;
        if fs::read_dir(path).map_err(failed)?.next().is_some() {
            return Err(DemoError::NotEmpty(path.into()));
        }
        let path = path.canonicalize().map_err(failed)?;
        let long = path.join("run/gateway.sock").as_os_str().len() > SOCKET_PATH_BYTES_MAX;
        let run = long.then(Folder::temporary).transpose()?.map(Box::new);
        Ok(Folder { path, run, temporary: false })
    }

    fn temporary() -> Result<Folder, DemoError> {
        let number = getrandom::u64().map_err(DemoError::Random)?;
        let path = std::env::temp_dir().join(format!("weir-demo-{number:016x}"));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.map_err(|source| DemoError::Folder { path: path.clone(), source })?;
        Ok(Folder { path, run: None, temporary: true })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the control sockets are.
    pub(crate) fn run_dir(&self) -> PathBuf {
        self.run.as_ref().map_or_else(|| self.path.join("run"), |run| run.path.clone())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            eprintln!("weir: failed to remove `{}`: {error} · try: rm -r it", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_temporary_folder_goes_and_a_named_one_stays() {
        let folder = Folder::make(None).unwrap();
        let path = folder.path().to_owned();
        fs::write(path.join("x"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
        let parent = tempfile::tempdir().unwrap();
        let named = parent.path().join("a/b");
        drop(Folder::make(Some(&named)).unwrap());
        assert!(named.exists());
    }

    #[test]
    fn what_is_there_already_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        fs::write(parent.path().join("precious"), "x").unwrap();
        assert!(matches!(Folder::make(Some(parent.path())), Err(DemoError::NotEmpty(_))));
        assert!(parent.path().join("precious").exists());
        let file = parent.path().join("precious");
        assert!(matches!(Folder::make(Some(&file)), Err(DemoError::Folder { .. })));
    }

    #[test]
    fn sockets_fit_whatever_the_folder_is_called() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::make(Some(&parent.path().join("x".repeat(120)))).unwrap();
        let run = folder.run_dir();
        assert!(run.join("gateway.sock").as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
        drop(folder);
        assert!(!run.exists());
    }
}
