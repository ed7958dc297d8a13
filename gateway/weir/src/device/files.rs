//! `devices.toml` and `keys.toml` on disk, changed without touching what a person wrote around the change.

use std::path::{Path, PathBuf};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use crate::toml_file::{TomlFile, TomlFileError};

/// A new keys file is readable by its owner alone.
const KEYS_MODE: u32 = 0o600;
/// A new device table holds no secret.
const DEVICES_MODE: u32 = 0o640;

/// Why the files could not be changed. Neither holds half a change afterwards.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// One of them cannot be read or written, or is no TOML.
    #[error(transparent)]
    File(#[from] TomlFileError),
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
}

/// Both files, read whole.
pub(crate) struct DeviceFiles {
    devices: TomlFile,
    keys: TomlFile,
}

impl DeviceFiles {
    /// Reads both; a file that is not there yet is an empty one.
    ///
    /// # Errors
    /// [`FilesError::File`], [`FilesError::NotAList`].
    pub(crate) fn open(devices: &Path, keys: &Path) -> Result<DeviceFiles, FilesError> {
        let files =
            DeviceFiles { devices: TomlFile::read(devices, DEVICES_MODE)?, keys: TomlFile::read(keys, KEYS_MODE)? };
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

    /// The names of all devices.
    pub(crate) fn names(&self) -> Vec<String> {
        let devices = self.devices.document.get("device").and_then(Item::as_array_of_tables).into_iter().flatten();
        devices.filter_map(|table| table.get("name").and_then(Item::as_str)).map(str::to_owned).collect()
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
    /// [`FilesError::File`].
    pub(crate) fn save(&self, change: Change) -> Result<(), FilesError> {
        let order = match change {
            Change::Adds => [&self.keys, &self.devices],
            Change::Removes => [&self.devices, &self.keys],
        };
        Ok(order.into_iter().try_for_each(TomlFile::write)?)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

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
