//! The files of a package, laid out as they will lie on the box.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::error::{PackageError, file};

/// A folder that becomes a package. Rights are given, never the umask's.
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// An empty one, in the place of what was there.
    pub(crate) fn new(root: PathBuf) -> Result<Tree, PackageError> {
        if root.exists() {
            fs::remove_dir_all(&root).map_err(file("remove", &root))?;
        }
        fs::create_dir_all(&root).map_err(file("make", &root))?;
        Ok(Tree { root })
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The place of a file, with its folders.
    pub(crate) fn place(&self, path: &str) -> Result<PathBuf, PackageError> {
        let place = self.root.join(path);
        let folder = place.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(file("make", folder))?;
        Ok(place)
    }

    /// A file with this text.
    pub(crate) fn put(&self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), PackageError> {
        let place = self.place(path)?;
        fs::write(&place, bytes).map_err(file("write", &place))?;
        fs::set_permissions(&place, Permissions::from_mode(mode)).map_err(file("change", &place))
    }

    /// A copy, readable by all.
    pub(crate) fn copy(&self, from: &Path, path: &str) -> Result<(), PackageError> {
        self.put(path, 0o644, &fs::read(from).map_err(file("read", from))?)
    }

    /// A copy of every file of a folder, and of those in it.
    pub(crate) fn copy_all(&self, from: &Path, path: &str) -> Result<(), PackageError> {
        for entry in from.read_dir().map_err(file("list", from))? {
            let entry = entry.map_err(file("list", from))?.path();
            let name = entry.file_name().unwrap_or_default().to_string_lossy();
            match entry.is_dir() {
                true => self.copy_all(&entry, &format!("{path}/{name}"))?,
                false => self.copy(&entry, &format!("{path}/{name}"))?,
            }
        }
        Ok(())
    }

    /// A file compressed as Debian wants its documents: as small as gzip can, and without a name or time in it.
    pub(crate) fn put_gzipped(&self, path: &str, bytes: &[u8]) -> Result<(), PackageError> {
        let place = self.place(path)?;
        let out = File::create(&place).map_err(file("write", &place))?;
        let program = || "gzip".to_owned();
        let mut gzip = Command::new("gzip")
            .args(["--best", "--no-name"])
            .stdin(Stdio::piped())
            .stdout(out)
            .spawn()
            .map_err(|source| PackageError::Start { program: program(), source })?;
        if let Some(mut input) = gzip.stdin.take() {
            input.write_all(bytes).map_err(file("compress", &place))?;
        }
        let status = gzip.wait().map_err(file("compress", &place))?;
        if !status.success() {
            return Err(PackageError::Ended { program: program(), status });
        }
        fs::set_permissions(&place, Permissions::from_mode(0o644)).map_err(file("change", &place))
    }

    /// Every file below a folder of it, by name.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>, PackageError> {
        let mut found = Vec::new();
        walk(&self.root, &mut found)?;
        found.retain(|path| path.is_file());
        found.sort();
        Ok(found)
    }

    /// Gives every folder its rights, and everything this time (seconds since 1970).
    pub(crate) fn settle(&self, epoch: u64) -> Result<(), PackageError> {
        let mut found = vec![self.root.clone()];
        walk(&self.root, &mut found)?;
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
        for path in found {
            if path.is_dir() {
                fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(file("change", &path))?;
            }
            let opened = File::open(&path).map_err(file("open", &path))?;
            opened.set_modified(time).map_err(file("give a time to", &path))?;
        }
        Ok(())
    }
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), PackageError> {
    for entry in folder.read_dir().map_err(file("list", folder))? {
        let path = entry.map_err(file("list", folder))?.path();
        if path.is_dir() {
            walk(&path, found)?;
        }
        found.push(path);
    }
    Ok(())
}
