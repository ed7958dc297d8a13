//! What is kept, and what has to go for something new. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use record::ConfigFile;
use serde::{Deserialize, Serialize};

use crate::version::{Version, VersionId};

/// Most versions of one folder.
pub const VERSIONS_MAX: usize = 100;
/// Most bytes of texts in one folder; a text that two versions have counts once.
pub const BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Longest text of a version: those that never go, two of each of three files, have room together.
pub const TEXT_BYTES_MAX: usize = 640 * 1024;

/// The list, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) versions: Vec<Version>,
    /// By which version of each file its daemon worked last, and where that file stands.
    pub(crate) good: BTreeMap<ConfigFile, Good>,
}

/// A version that worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Good {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
}

impl Index {
    pub(crate) fn newest(&self, file: ConfigFile) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.file == file)
    }

    pub(crate) fn get(&self, id: VersionId) -> Option<&Version> {
        self.versions.iter().find(|version| version.id() == id)
    }

    /// The version by which the daemon that reads this very file worked last.
    pub(crate) fn good(&self, file: ConfigFile, path: &Path) -> Option<&Version> {
        let good = self.good.get(&file).filter(|good| good.path == path)?;
        self.get(VersionId { file, number: good.number })
    }

    /// Adds a version with the next number of its file, unless its newest one has the same text; gives that number.
    pub(crate) fn add(&mut self, version: Version) -> u64 {
        let newest = self.newest(version.file);
        if let Some(same) = newest.filter(|newest| newest.sha256 == version.sha256) {
            return same.number;
        }
        let number = newest.map_or(1, |newest| newest.number.saturating_add(1));
        self.versions.push(Version { number, ..version });
        number
    }

    /// Takes away what is too much: the oldest first, and never the newest of a file or the one that worked last.
    pub(crate) fn prune(&mut self) {
        let pinned = |index: &Index, version: &Version| {
            let is_newest = index.newest(version.file).is_some_and(|newest| newest.number == version.number);
            is_newest || index.good.get(&version.file).is_some_and(|good| good.number == version.number)
        };
        while self.versions.len() > VERSIONS_MAX || self.bytes() > BYTES_MAX {
            let Some(oldest) = self.versions.iter().position(|version| !pinned(self, version)) else { return };
            self.versions.remove(oldest);
        }
    }

    /// Bytes of all texts.
    pub(crate) fn bytes(&self) -> u64 {
        let texts: BTreeSet<([u8; 32], u64)> =
            self.versions.iter().map(|version| (version.sha256, version.bytes)).collect();
        texts.iter().map(|(_, bytes)| bytes).sum()
    }
}
