//! What is known of the last upgrade: one small file, written at once or not at all, that a power cut leaves as it was.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::UpgradeError;

/// Longest reason, in bytes: it becomes a part of a record's.
pub(super) const REASON_BYTES_MAX: usize = 500;
/// Everybody may read how the box is.
const MODE: u32 = 0o644;
const NAME: &str = "state.json";

/// The last upgrade, or downgrade: another version than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upgrade {
    /// The version that was there, and is kept.
    pub(crate) from: String,
    /// The version that came.
    pub(crate) to: String,
    /// What worked before, and must work again.
    pub(super) judged: Vec<Daemon>,
    /// Whether a test frame of the box's own was stored before, and so must be stored again.
    pub(super) tested: bool,
    /// When it began. ms since 1970 UTC.
    pub(crate) begun_ms: i64,
    #[serde(flatten)]
    pub(crate) phase: Phase,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "phase")]
pub(crate) enum Phase {
    /// The new version has not proved itself yet.
    Waiting,
    /// The former one is on its way back, whatever happens in between.
    RollingBack {
        why: String,
        /// Who wants it; none: nobody, the trial failed.
        by: Option<u32>,
    },
    /// The new one proved itself.
    Kept { at_ms: i64 },
    /// Somebody ended the trial.
    Accepted { at_ms: i64, by: u32, reason: String },
    /// The former one is back.
    RolledBack { at_ms: i64, why: String, by: Option<u32> },
    /// The new one is not well, and the former cannot take its place.
    Stuck { at_ms: i64, why: String, hinders: String },
}

/// What is judged. The page is not: nothing is lost where it does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Daemon {
    Gateway,
    Sync,
}

impl Upgrade {
    /// Nobody has to know any more: the new version stays.
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Kept { .. } | Phase::Accepted { .. })
    }

    /// Reads it; none where nothing was upgraded yet.
    pub(super) fn load(folder: &Path) -> Result<Option<Upgrade>, UpgradeError> {
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(UpgradeError::File { doing: "read", path, source }),
        };
        serde_json::from_str(&text).map(Some).map_err(|source| UpgradeError::State { path, source })
    }

    /// Writes it; durable afterwards.
    pub(super) fn save(&self, folder: &Path) -> Result<(), UpgradeError> {
        let path = folder.join(NAME);
        let failed = |source| UpgradeError::File { doing: "write", path: path.clone(), source };
        let text = serde_json::to_string(self).map_err(|error| failed(error.into()))?;
        versions::replace(&path, text.as_bytes(), MODE).map_err(failed)
    }

    /// Takes it away: nothing came of it.
    pub(super) fn forget(folder: &Path) -> Result<(), UpgradeError> {
        let path = folder.join(NAME);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(UpgradeError::File { doing: "remove", path, source: error })
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_says_its_phase_where_a_script_finds_it() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Upgrade::load(dir.path()).unwrap(), None);
        let upgrade = Upgrade {
            from: "0.1.0-1".into(),
            to: "0.2.0-1".into(),
            judged: vec![Daemon::Gateway, Daemon::Sync],
            tested: true,
            begun_ms: 7,
            phase: Phase::RollingBack { why: "gateway: silent".into(), by: None },
        };
        upgrade.save(dir.path()).unwrap();
        assert_eq!(Upgrade::load(dir.path()).unwrap(), Some(upgrade));
        // prerm and postinst ask so.
        let text = fs::read_to_string(dir.path().join(NAME)).unwrap();
        assert!(text.contains(r#""phase":"rolling_back""#), "{text}");
        Upgrade::forget(dir.path()).unwrap();
        Upgrade::forget(dir.path()).unwrap();
        assert_eq!(Upgrade::load(dir.path()).unwrap(), None);
        fs::write(dir.path().join(NAME), "{").unwrap();
        assert!(Upgrade::load(dir.path()).is_err());
    }
}
