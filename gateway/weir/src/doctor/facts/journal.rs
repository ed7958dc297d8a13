//! What a short look into the databases shows.

use std::collections::{BTreeMap, BTreeSet};

use batch::PublicKey;
use record::UnixMs;

use super::Fact;

/// Of the journal.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct JournalFacts {
    /// The number that the next record will get.
    pub(in crate::doctor) end: u64,
    /// Stamp of the newest record whose clock was set.
    pub(in crate::doctor) newest_known_ms: Option<UnixMs>,
    pub(in crate::doctor) wal_bytes: u64,
    /// Files that were put aside.
    pub(in crate::doctor) quarantine: Fact<Vec<String>>,
    /// The newest signed tree head.
    pub(in crate::doctor) head: Fact<Head>,
    /// Whether the newest whole block of 256 records gives the root that is kept of it; none where there is no such block.
    pub(in crate::doctor) block_holds: Fact<Option<bool>>,
    /// Time between two frames that is usual for a device, from its newest frames. ms.
    pub(in crate::doctor) intervals_ms: BTreeMap<String, u64>,
    /// What a device has measured lately, quantity and unit.
    pub(in crate::doctor) measured: BTreeMap<String, BTreeSet<(String, String)>>,
    /// The key by which the journal believes a platform, and those that it signed for.
    pub(in crate::doctor) platform_keys: BTreeMap<String, Vec<PublicKey>>,
    pub(in crate::doctor) dossiers: BTreeMap<String, DossierFacts>,
}

/// A signed tree head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::doctor) struct Head {
    /// Records under it.
    pub(in crate::doctor) size: u64,
    /// It is signed with a key of this box.
    pub(in crate::doctor) is_ours: bool,
}

/// A dossier in force.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::doctor) struct DossierFacts {
    /// What is to be mended in it, English and Chinese.
    pub(in crate::doctor) defects: Vec<(&'static str, &'static str)>,
    pub(in crate::doctor) chief_missing: bool,
}

/// Of the outbox.
#[derive(Debug, Clone)]
pub(in crate::doctor) struct OutboxFacts {
    pub(in crate::doctor) wal_bytes: u64,
    /// For each platform the time of the oldest record that it lacks, if it lacks one.
    pub(in crate::doctor) waiting_since_ms: BTreeMap<String, UnixMs>,
}
