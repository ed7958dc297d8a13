//! `upgrade.toml`: how long a new version may take. Without the file the defaults count.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use super::error::UpgradeError;

/// Where a box has it.
pub(super) const PATH: &str = "/etc/weir/upgrade.toml";
/// A daemon on a slow card needs a minute; an hour without data is too much.
const DEADLINE_S: std::ops::RangeInclusive<u32> = 60..=3_600;
/// So much of the deadline a version must be well without a break.
const HOLD_PART: u32 = 5;

/// What is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Settings {
    /// Whether a version that does not prove itself is taken back. If not, it is told, and nothing else.
    pub(super) rollback: bool,
    /// A new version may take so long until it is well. Seconds.
    pub(super) deadline_s: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { rollback: true, deadline_s: 300 }
    }
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// [`UpgradeError`]: it cannot be read, has another key or value, or a deadline that is none.
    pub(crate) fn load(path: &Path) -> Result<Settings, UpgradeError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Settings::default()),
            Err(source) => return Err(UpgradeError::ReadSettings { path: path.into(), source }),
        };
        let settings: Settings =
            toml::from_str(&text).map_err(|source| UpgradeError::Settings { path: path.into(), source })?;
        match DEADLINE_S.contains(&settings.deadline_s) {
            true => Ok(settings),
            false => Err(UpgradeError::Deadline { path: path.into(), deadline_s: settings.deadline_s }),
        }
    }

    pub(super) fn deadline(self) -> Duration {
        Duration::from_secs(self.deadline_s.into())
    }

    /// How long it must be well: one that ends again and again is well in between.
    pub(super) fn hold(self) -> Duration {
        self.deadline() / HOLD_PART
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ships_is_what_counts_without_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("upgrade.toml");
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        fs::write(&path, include_str!("../../../../config/upgrade.toml")).unwrap();
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("upgrade.toml");
        for (text, told) in [
            ("deadline_s = 59", "60 to 3600"),
            ("deadline_s = 3601", "60 to 3600"),
            ("\nwait = 3", "line 2"),
            ("rollback = 1", "line 1"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Settings::load(&path).unwrap_err();
            let all = control::chain(&error);
            assert!(all.contains(told) && all.contains("upgrade.toml"), "{text}: {all}");
        }
    }
}
