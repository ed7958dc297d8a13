//! Everything that happened to a disk, in order.

use std::fs;
use std::path::PathBuf;

/// A change of the disk. Nodes have numbers; the root's is 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A name for a new, empty node.
    Make {
        /// Of which folder.
        directory: u64,
        /// The name.
        name: String,
        /// The node.
        node: u64,
        /// Whether it is a folder.
        is_directory: bool,
    },
    /// A name goes.
    Remove {
        /// Of which folder.
        directory: u64,
        /// The name.
        name: String,
    },
    /// A node takes another name; who had that name loses it.
    Rename {
        /// Folder and name before.
        from: (u64, String),
        /// Folder and name after.
        to: (u64, String),
        /// The node.
        node: u64,
    },
    /// Bytes of a file.
    Write {
        /// The file.
        node: u64,
        /// Where.
        offset: usize,
        /// What.
        bytes: Vec<u8>,
    },
    /// A file is cut or grows by zeros.
    Resize {
        /// The file.
        node: u64,
        /// Its length.
        size: usize,
    },
    /// `fsync` or `fdatasync` of a file or folder.
    Sync {
        /// Which.
        node: u64,
    },
    /// Everything so far is durable.
    Settle,
}

/// A change and when it happened.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What happened.
    pub change: Change,
    /// To which file, from the disk's root, by its name then.
    pub path: String,
    /// What was going on.
    pub step: &'static str,
    /// Bytes in each of the witnesses' files just before.
    pub witnessed: Vec<u64>,
}

/// All entries.
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: Vec<Entry>,
    witnesses: Vec<PathBuf>,
    step: &'static str,
}

impl Log {
    /// In order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn witness(&mut self, files: Vec<PathBuf>) {
        self.witnesses = files;
    }

    pub(super) fn step(&mut self, step: &'static str) {
        self.step = step;
    }

    pub(super) fn push(&mut self, change: Change, path: &str) {
        let size = |file: &PathBuf| fs::metadata(file).map_or(0, |facts| facts.len());
        let witnessed = self.witnesses.iter().map(size).collect();
        self.entries.push(Entry { change, path: path.into(), step: self.step, witnessed });
    }
}
