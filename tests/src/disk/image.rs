//! What a disk holds after a cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files and folders by their path from the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Folders, those above others first.
    pub folders: Vec<String>,
    /// Files with their bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Image {
    /// Writes it into an empty folder; nobody but the owner may read it, as the box's key demands.
    pub fn write_to(&self, folder: &Path) {
        for path in &self.folders {
            fs::create_dir(folder.join(path)).unwrap();
        }
        for (path, bytes) in &self.files {
            let path = folder.join(path);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        }
    }
}
