//! The folder: an index, and each text once, under the name of its SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use record::ConfigFile;
use serde::Deserialize;

use crate::error::VersionsError;
use crate::index::{Good, Index, TEXT_BYTES_MAX};
use crate::replace::{folder_of, give_to_owner_of, replace};
use crate::version::{How, Version, VersionId, sha256};

const INDEX: &str = "index.json";
/// Rights of the folder: its group reads it, as it reads the journal.
const FOLDER_MODE: u32 = 0o750;
/// Rights of what is in it.
const FILE_MODE: u32 = 0o640;

/// A configuration file and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which.
    pub file: ConfigFile,
    /// Where.
    pub path: PathBuf,
}

/// The versions in a folder, as they were when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions {
    folder: PathBuf,
    index: Index,
}

impl Versions {
    /// Reads the index. A folder that is not there has no versions.
    ///
    /// # Errors
    /// [`VersionsError::Read`], [`VersionsError::Index`].
    pub fn open(folder: &Path) -> Result<Versions, VersionsError> {
        let path = folder.join(INDEX);
        let index = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|source| VersionsError::Index { path, source })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Index::default(),
            Err(source) => return Err(VersionsError::Read { path, source }),
        };
        Ok(Versions { folder: folder.to_owned(), index })
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Version> + '_ {
        self.index.versions.iter()
    }

    /// This one.
    pub fn get(&self, id: VersionId) -> Option<&Version> {
        self.index.get(id)
    }

    /// The newest one of a file.
    pub fn newest(&self, file: ConfigFile) -> Option<&Version> {
        self.index.newest(file)
    }

    /// The one by which the daemon that reads this very file worked last.
    pub fn good(&self, place: &Place) -> Option<&Version> {
        self.index.good(place.file, &absolute(&place.path))
    }

    /// The one of a file by which its daemon worked last, wherever the file stood.
    pub fn good_of(&self, file: ConfigFile) -> Option<&Version> {
        let number = self.index.good.get(&file)?.number;
        self.get(VersionId { file, number })
    }

    /// Its text.
    ///
    /// # Errors
    /// [`VersionsError::Read`], [`VersionsError::Altered`].
    pub fn text(&self, version: &Version) -> Result<String, VersionsError> {
        let path = text_path(&self.folder, &version.sha256);
        let text = fs::read_to_string(&path).map_err(|source| VersionsError::Read { path, source })?;
        let is_it = sha256(&text) == version.sha256;
        is_it.then_some(text).ok_or_else(|| VersionsError::Altered { version: version.id() })
    }

    /// Keeps a text with how it came to be in force, unless it is the newest one of its file already.
    ///
    /// # Errors
    /// [`VersionsError`] by cause.
    pub fn keep(folder: &Path, origin: Version, text: &str) -> Result<VersionId, VersionsError> {
        let file = origin.file;
        change(folder, &[(file, text)], |index| {
            let number = index.add(Version { sha256: sha256(text), bytes: length(text), ..origin });
            VersionId { file, number }
        })
    }

    /// Keeps the texts by which a daemon works. If one of its files is refused some day, it goes on with that one.
    ///
    /// # Errors
    /// [`VersionsError`] by cause.
    pub fn worked(folder: &Path, at_ms: i64, texts: &[(Place, String)]) -> Result<(), VersionsError> {
        let known = Versions::open(folder)?;
        let is_known = |(place, text): &(Place, String)| {
            let same = |version: &Version| version.sha256 == sha256(text);
            known.newest(place.file).is_some_and(same) && known.good(place).is_some_and(same)
        };
        if texts.iter().all(is_known) {
            return Ok(());
        }
        let kept: Vec<(ConfigFile, &str)> = texts.iter().map(|(place, text)| (place.file, text.as_str())).collect();
        change(folder, &kept, |index| {
            for (place, text) in texts {
                let number = index.add(Version::found(place.file, at_ms, text));
                index.good.insert(place.file, Good { number, path: absolute(&place.path) });
            }
        })
    }
}

impl Version {
    /// A text with which a daemon started, whoever put it there.
    pub fn found(file: ConfigFile, at_ms: i64, text: &str) -> Version {
        let (sha256, bytes) = (sha256(text), length(text));
        Version { file, number: 0, sha256, bytes, at_ms, by: None, reason: String::new(), how: How::Found }
    }
}

/// Changes the index while nobody else does. Texts are there before it names them, and go after it does not any more.
fn change<T>(
    folder: &Path,
    texts: &[(ConfigFile, &str)],
    change: impl FnOnce(&mut Index) -> T,
) -> Result<T, VersionsError> {
    if let Some((file, text)) = texts.iter().find(|(_, text)| text.len() > TEXT_BYTES_MAX) {
        return Err(VersionsError::TooLong { file: *file, bytes: text.len() });
    }
    let failed = |source| VersionsError::Write { path: folder.to_owned(), source };
    let lock = lock(folder).map_err(failed)?;
    let mut index = Versions::open(folder)?.index;
    let changed = change(&mut index);
    index.prune();
    for (_, text) in texts {
        let path = text_path(folder, &sha256(text));
        if !path.exists() {
            replace(&path, text.as_bytes(), FILE_MODE).map_err(failed)?;
        }
    }
    let bytes = serde_json::to_vec_pretty(&index).map_err(|error| failed(error.into()))?;
    replace(&folder.join(INDEX), &bytes, FILE_MODE).map_err(failed)?;
    sweep(folder, &index).map_err(failed)?;
    drop(lock);
    Ok(changed)
}

/// Opens the folder, made if it is not there, for this process alone.
fn lock(folder: &Path) -> io::Result<File> {
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        give_to_owner_of(folder_of(folder), &File::open(folder)?)?;
    }
    let file = File::open(folder)?;
    file.lock()?;
    Ok(file)
}

/// Takes away the texts that no version has any more.
fn sweep(folder: &Path, index: &Index) -> io::Result<()> {
    let named: BTreeSet<PathBuf> = index.versions.iter().map(|version| text_path(folder, &version.sha256)).collect();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && !named.contains(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn text_path(folder: &Path, sha256: &[u8; 32]) -> PathBuf {
    folder.join(hex::encode(sha256)).with_extension("toml")
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

/// The same however it was typed.
fn absolute(path: &Path) -> PathBuf {
    let folder = fs::canonicalize(folder_of(path)).unwrap_or_else(|_| folder_of(path).to_owned());
    path.file_name().map_or_else(|| path.to_owned(), |name| folder.join(name))
}

/// What a configuration says of its `state_dir`, also where nothing else in it can be read: that is where its versions are.
pub fn state_dir(text: &str) -> Option<PathBuf> {
    let named = |text: &str| {
        let mut keys: BTreeMap<String, toml::Value> = toml::from_str(text).ok()?;
        PathBuf::deserialize(keys.remove("state_dir")?).ok()
    };
    named(text).or_else(|| text.lines().find_map(named))
}
