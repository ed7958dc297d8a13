//! What the box was doing when the power went.

use std::fmt;

use system_tests::disk::Entry;

/// What a change of the disk belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The box has no journal yet.
    FirstStart,
    /// A transaction of the journal.
    Commit,
    /// The WAL goes into the database.
    Checkpoint,
    /// Records go from a hot table into a file.
    Seal,
    /// The gateway starts again after SIGKILL or SIGTERM.
    Restart,
    /// `weir device add`.
    ConfigWrite,
    /// A batch or a receipt.
    Outbox,
    /// A journal of an older program gets the tables of today.
    Migration,
    /// `weir backup`.
    Backup,
    /// `weir restore`.
    Restore,
    /// The database is put aside and made anew of what can be read.
    Salvage,
    /// What is sealed is thinned and dropped.
    Retention,
}

impl Phase {
    /// What happens in the story.
    pub(crate) const STORY: [Phase; 7] = [
        Phase::FirstStart,
        Phase::Commit,
        Phase::Checkpoint,
        Phase::Seal,
        Phase::Restart,
        Phase::ConfigWrite,
        Phase::Outbox,
    ];
    /// What happens in the story of upkeep.
    pub(crate) const UPKEEP: [Phase; 8] = [
        Phase::Migration,
        Phase::Commit,
        Phase::Checkpoint,
        Phase::Seal,
        Phase::Backup,
        Phase::Restore,
        Phase::Salvage,
        Phase::Retention,
    ];

    /// That of a change; none of one that says nothing: SQLite's shared memory, what was there before the story.
    pub(crate) fn of(entry: &Entry) -> Option<Phase> {
        let path = entry.path.as_str();
        if entry.step.is_empty() || path.is_empty() || path.ends_with("-shm") || path.ends_with(".lock") {
            return None;
        }
        if path.starts_with("devices.toml") || path.starts_with("keys.toml") {
            return Some(Phase::ConfigWrite);
        }
        Some(match entry.step {
            "first start" => Phase::FirstStart,
            "restart" => Phase::Restart,
            "migration" => Phase::Migration,
            "backup" if path.starts_with("stick/") => Phase::Backup,
            "restore" if path.starts_with("elsewhere-") => Phase::Restore,
            "salvage" => Phase::Salvage,
            "retention" => Phase::Retention,
            _ if path.starts_with("state/journal/blocks") => Phase::Seal,
            _ if path.starts_with("state/outbox") => Phase::Outbox,
            _ if path.ends_with("-wal") => Phase::Commit,
            _ => Phase::Checkpoint,
        })
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::FirstStart => "first start",
            Phase::Commit => "commit",
            Phase::Checkpoint => "checkpoint",
            Phase::Seal => "seal",
            Phase::Restart => "restart",
            Phase::ConfigWrite => "config write",
            Phase::Outbox => "outbox",
            Phase::Migration => "migration",
            Phase::Backup => "backup",
            Phase::Restore => "restore",
            Phase::Salvage => "salvage",
            Phase::Retention => "retention",
        })
    }
}
