//! `devices.toml` and `keys.toml` on disk, changed without touching what a person wrote around the change.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

/// A new keys file is readable by its owner alone.
const KEYS_MODE: u32 = 0o600;
/// A new device table holds no secret.
const DEVICES_MODE: u32 = 0o640;

/// Why the files could not be changed. Neither holds half a change afterwards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// One of them cannot be read.
    #[error("failed to read `{path}` · try: sudo, or --config-dir")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// One of them is not TOML.
    #[error("`{path}` is not TOML, line {line}: {why} · try: weir config check {path}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What, without the line itself, which may hold a key.
        why: String,
    },
    /// `device` is something else than a list of tables.
    #[error("`{path}`: `device` is not a list of [[device]] tables · try: write each device under its own [[device]]")]
    NotAList {
        /// The file.
        path: PathBuf,
    },
    /// A device of this name is there already.
    #[error("device `{name}` is in `{path}` already · try: weir device show {name}, or another name")]
    Exists {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// No device of this name is there.
    #[error("device `{name}` is not in `{path}` · try: weir device list")]
    Missing {
        /// The name.
        name: String,
        /// The file.
        path: PathBuf,
    },
    /// One of them cannot be written.
    #[error("failed to write `{path}` · try: sudo, or free some space; nothing was changed")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Both files, read whole.
pub(crate) struct DeviceFiles {
    devices: Text,
    keys: Text,
}

struct Text {
    path: PathBuf,
    document: DocumentMut,
    mode_if_new: u32,
}

impl DeviceFiles {
    /// Reads both; a file that is not there yet is an empty one.
    ///
    /// # Errors
    /// [`FilesError::Read`], [`FilesError::Toml`], [`FilesError::NotAList`].
    pub(crate) fn open(devices: &Path, keys: &Path) -> Result<DeviceFiles, FilesError> {
        let files = DeviceFiles { devices: Text::read(devices, DEVICES_MODE)?, keys: Text::read(keys, KEYS_MODE)? };
        match files.devices.document.get("device") {
            None | Some(Item::ArrayOfTables(_)) => Ok(files),
            Some(_) => Err(FilesError::NotAList { path: devices.into() }),
        }
    }

    /// The device table's text as it would be written.
    pub(crate) fn devices_text(&self) -> String {
        self.devices.document.to_string()
    }

    /// The keys' text as it would be written.
    pub(crate) fn keys_text(&self) -> String {
        self.keys.document.to_string()
    }

    /// The section of a device.
    ///
    /// # Errors
    /// [`FilesError::Missing`].
    pub(crate) fn device(&mut self, name: &str) -> Result<&mut Table, FilesError> {
        let missing = || FilesError::Missing { name: name.into(), path: self.devices.path.clone() };
        let at = self.place(name).ok_or_else(missing)?;
        let table = list(&mut self.devices.document).get_mut(at);
        table.ok_or_else(|| FilesError::Missing { name: name.into(), path: self.devices.path.clone() })
    }

    /// Appends a device with its keys.
    ///
    /// # Errors
    /// [`FilesError::Exists`].
    pub(crate) fn add(&mut self, name: &str, device: Table, keys: Table) -> Result<(), FilesError> {
        if self.place(name).is_some() {
            return Err(FilesError::Exists { name: name.into(), path: self.devices.path.clone() });
        }
        list(&mut self.devices.document).push(device);
        if !keys.is_empty() {
            self.keys.document.insert(name, Item::Table(keys));
        }
        Ok(())
    }

    /// Takes a device and its keys out. Its records stay in the journal.
    ///
    /// # Errors
    /// [`FilesError::Missing`].
    pub(crate) fn remove(&mut self, name: &str) -> Result<(), FilesError> {
        let missing = || FilesError::Missing { name: name.into(), path: self.devices.path.clone() };
        let at = self.place(name).ok_or_else(missing)?;
        list(&mut self.devices.document).remove(at);
        self.keys.document.remove(name);
        Ok(())
    }

    /// Writes both, each whole or not at all. The keys of a new device are on the disk before the device, those of a
    /// removed one go after it, so that a power cut between leaves a key too many and never a device without its key.
    ///
    /// # Errors
    /// [`FilesError::Write`].
    pub(crate) fn save(&self, change: Change) -> Result<(), FilesError> {
        let order = match change {
            Change::Adds => [&self.keys, &self.devices],
            Change::Removes => [&self.devices, &self.keys],
        };
        order.into_iter().try_for_each(Text::write)
    }

    fn place(&self, name: &str) -> Option<usize> {
        let devices = self.devices.document.get("device")?.as_array_of_tables()?;
        devices.iter().position(|table| table.get("name").and_then(Item::as_str) == Some(name))
    }
}

/// Which file must be on the disk first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Devices come or change.
    Adds,
    /// Devices go.
    Removes,
}

fn list(document: &mut DocumentMut) -> &mut ArrayOfTables {
    let item = document.entry("device").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    if !item.is_array_of_tables() {
        // `open` refuses such a file, so this is the empty one that was just made.
        *item = Item::ArrayOfTables(ArrayOfTables::new());
    }
    match item {
        Item::ArrayOfTables(list) => list,
        _ => unreachable!("it was made an array of tables a line above"),
    }
}

impl Text {
    fn read(path: &Path, mode_if_new: u32) -> Result<Text, FilesError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(FilesError::Read { path: path.into(), source }),
        };
        let document = text.parse().map_err(|error: toml_edit::TomlError| {
            let at = error.span().map_or(text.len(), |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            FilesError::Toml { path: path.into(), line, why: error.message().to_owned() }
        })?;
        Ok(Text { path: path.into(), document, mode_if_new })
    }

    /// Written whole beside the file, synced, and renamed over it; owner and rights stay as they were.
    fn write(&self) -> Result<(), FilesError> {
        let failed = |source| FilesError::Write { path: self.path.clone(), source };
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
        File::open(self.path.parent().unwrap_or(Path::new(".")))?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVICES: &str = "# Station 7\n[[device]]\nname = \"cod-1\" # at the weir\n[device.mqtt]\n\n# the end\n";

    fn device(name: &str) -> Table {
        let mut table = Table::new();
        table.insert("name", toml_edit::value(name));
        table
    }

    fn keys(password: &str) -> Table {
        let mut table = Table::new();
        table.insert("password", toml_edit::value(password));
        table
    }

    #[test]
    fn comments_rights_and_the_other_devices_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (devices, keys_path) = (folder.path().join("devices.toml"), folder.path().join("keys.toml"));
        fs::write(&devices, DEVICES).unwrap();
        fs::set_permissions(&devices, fs::Permissions::from_mode(0o644)).unwrap();
        let mut files = DeviceFiles::open(&devices, &keys_path).unwrap();
        files.add("ph-2", device("ph-2"), keys("river-otter-7")).unwrap();
        assert!(matches!(files.add("cod-1", device("cod-1"), Table::new()), Err(FilesError::Exists { .. })));
        files.save(Change::Adds).unwrap();
        let text = fs::read_to_string(&devices).unwrap();
        assert!(text.starts_with(&DEVICES[..DEVICES.len() - "\n# the end\n".len()]), "{text}");
        assert!(text.contains("# the end") && text.contains("name = \"ph-2\""), "{text}");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&devices), mode(&keys_path)), (0o644, 0o600));
        assert!(fs::read_to_string(&keys_path).unwrap().contains("[ph-2]"));

        let mut files = DeviceFiles::open(&devices, &keys_path).unwrap();
        files.device("cod-1").unwrap().insert("enabled", toml_edit::value(false));
        files.remove("ph-2").unwrap();
        assert!(matches!(files.remove("ph-2"), Err(FilesError::Missing { .. })));
        files.save(Change::Removes).unwrap();
        let text = fs::read_to_string(&devices).unwrap();
        assert!(text.contains("# Station 7") && text.contains("# at the weir") && text.contains("enabled = false"));
        assert!(!text.contains("ph-2") && !fs::read_to_string(&keys_path).unwrap().contains("ph-2"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing unfinished is left");
    }

    #[test]
    fn a_file_that_is_no_table_of_devices_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let (devices, keys_path) = (folder.path().join("devices.toml"), folder.path().join("keys.toml"));
        fs::write(&devices, "device = 3\n").unwrap();
        assert!(matches!(DeviceFiles::open(&devices, &keys_path), Err(FilesError::NotAList { .. })));
        fs::write(&devices, "a = 1\npassword = \"secret\n").unwrap();
        let error = DeviceFiles::open(&devices, &keys_path).err().unwrap().to_string();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}
