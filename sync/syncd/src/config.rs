//! `sync.toml`: text to a validated configuration in one step. Nothing reads the environment or the file later.

mod destination;
mod last_good;
mod within;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use layers::{Fault, Layered, LayersError, Spot};
use serde::Deserialize;

pub(crate) use destination::UtcOffset;
pub use destination::{Backoff, BaseUrl, BatchLimits, Budget, DestinationConfig, Timeouts, Windows};
pub use last_good::{Instead, Loaded, versions_in};
pub use within::Within;

/// Longest file that is read: sixteen destinations need 8 kB.
const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most destinations of one box: each has up to six batches in memory.
const DESTINATIONS_MAX: usize = 16;

/// What the daemon is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SyncConfig {
    /// Folder of journal, identity and outbox. A relative path starts at the folder of the file.
    #[serde(default = "state_dir_default")]
    pub state_dir: PathBuf,
    /// Folder of the control socket `sync.sock`. A relative path starts at the folder of the file.
    #[serde(default = "run_dir_default")]
    pub run_dir: PathBuf,
    /// Whom to tell of alarms: a file of its own, for it names people. None: nobody is told.
    #[serde(default)]
    pub notify_file: Option<PathBuf>,
    /// Who gets the records.
    #[serde(default, rename = "destination")]
    pub destinations: Vec<DestinationConfig>,
    /// The version that counts in the place of a file that is refused.
    #[serde(skip)]
    pub instead: Option<Instead>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read `{path}` · try: give its path with --config, and check that this user may read it")]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The file is no configuration by its size.
    #[error("`{path}` goes beyond {max} bytes, the most that is read · try: check that --config names the right file")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        max: u64,
    },
    /// A key is unknown, missing or has a value that does not fit; the source names line, key and range.
    #[error("`{path}` is not a valid sync configuration · try: correct the line below, then weir config check")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column, key and cause.
        source: Box<Fault>,
    },
    /// Two destinations have one name.
    #[error("{at}: [[destination]] name = \"{name}\" stands there twice · try: give each its own name")]
    NameTwice {
        /// Where the second one is.
        at: Spot,
        /// The name.
        name: String,
    },
    /// More destinations than one box serves.
    #[error("`{path}` has {count} [[destination]] entries, at most {max} are served · try: remove some")]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
        /// The bound.
        max: usize,
    },
    /// The folder of drop-ins.
    #[error(transparent)]
    DropIns(LayersError),
}

impl From<LayersError> for ConfigError {
    fn from(error: LayersError) -> ConfigError {
        match error {
            LayersError::Read { path, source } => ConfigError::Read { path, source },
            LayersError::TooLong { path, bytes_max } => ConfigError::TooLarge { path, max: bytes_max },
            LayersError::Refused { path, source } => ConfigError::Parse { path, source },
            error => ConfigError::DropIns(error),
        }
    }
}

/// Reads `sync.toml` and its drop-ins as one text.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::TooLarge`], [`ConfigError::Parse`], [`ConfigError::DropIns`].
pub fn layered(path: &Path) -> Result<Layered, ConfigError> {
    Ok(Layered::read(path, FILE_BYTES_MAX)?)
}

/// The same with this text in the place of what stands in `sync.toml`.
///
/// # Errors
/// As [`layered`].
pub fn layered_with(path: &Path, main: String) -> Result<Layered, ConfigError> {
    Ok(Layered::with_main(path, main, FILE_BYTES_MAX)?)
}

impl SyncConfig {
    /// Reads and checks a file with its drop-ins.
    ///
    /// # Errors
    /// [`ConfigError`] by cause.
    pub fn load(path: &Path) -> Result<SyncConfig, ConfigError> {
        SyncConfig::of(&layered(path)?)
    }

    /// Checks a text that is all there is; `path` is where it came from, for errors and for relative paths.
    ///
    /// # Errors
    /// As [`SyncConfig::load`], without the reading.
    pub fn parse(text: &str, path: &Path) -> Result<SyncConfig, ConfigError> {
        SyncConfig::of(&Layered::alone(path, text.to_owned()))
    }

    /// Checks what was read.
    ///
    /// # Errors
    /// As [`SyncConfig::load`], without the reading.
    pub fn of(typed: &Layered) -> Result<SyncConfig, ConfigError> {
        let mut config: SyncConfig = typed.parse()?;
        let path = typed.main();
        let count = config.destinations.len();
        if count > DESTINATIONS_MAX {
            return Err(ConfigError::TooMany { path: path.into(), count, max: DESTINATIONS_MAX });
        }
        let mut seen = BTreeSet::new();
        let mut named = config.destinations.iter().enumerate();
        if let Some((nth, twice)) = named.find(|(_, entry)| !seen.insert(entry.name.as_str())) {
            let at = typed.spot_in("destination", nth, "name");
            return Err(ConfigError::NameTwice { at, name: twice.name.to_string() });
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        config.state_dir = folder.join(&config.state_dir);
        config.run_dir = folder.join(&config.run_dir);
        config.notify_file = config.notify_file.map(|file| folder.join(file));
        for destination in &mut config.destinations {
            destination.ca_file = folder.join(&destination.ca_file);
            for file in [&mut destination.client_cert, &mut destination.client_key].into_iter().flatten() {
                *file = folder.join(&*file);
            }
        }
        Ok(config)
    }

    /// The kept versions of this file. They stand in the one folder that this daemon may write.
    pub fn versions_path(&self) -> PathBuf {
        versions_in(&self.state_dir)
    }

    /// The gateway's journal.
    pub fn journal_path(&self) -> PathBuf {
        self.state_dir.join("journal/journal.db")
    }

    /// The outbox, this daemon's own file.
    pub fn outbox_path(&self) -> PathBuf {
        self.state_dir.join("outbox/outbox.db")
    }

    /// The box's key, made by the gateway.
    pub fn key_path(&self) -> PathBuf {
        self.state_dir.join("identity/box.key")
    }

    /// The gateway's control socket: it journals what platforms command, and whose key took the place of a pinned one.
    pub fn gateway_socket_path(&self) -> PathBuf {
        self.run_dir.join("gateway.sock")
    }

    /// The control socket.
    pub fn socket_path(&self) -> PathBuf {
        self.run_dir.join("sync.sock")
    }
}

fn state_dir_default() -> PathBuf {
    PathBuf::from("/var/lib/weir")
}

fn run_dir_default() -> PathBuf {
    PathBuf::from("/run/weir")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn entry(name: &str, more: &str) -> String {
        let url = "https://platform.example";
        format!("[[destination]]\nname = \"{name}\"\nurl = \"{url}\"\nca_file = \"ca.pem\"\nkey = \"{KEY}\"\n{more}\n")
    }

    fn refused(text: &str) -> String {
        let error = SyncConfig::parse(text, Path::new("/etc/weir/sync.toml")).unwrap_err();
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}\n{source}")
    }

    #[test]
    fn the_shipped_example_is_valid_and_states_the_defaults() {
        let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../config/sync.toml"));
        let config = SyncConfig::load(example).unwrap();
        let [first, second] = config.destinations.as_slice() else { panic!("two destinations") };
        let plain = SyncConfig::parse(&entry("x", ""), example).unwrap();
        let plain = &plain.destinations[0];
        assert_eq!(first.delivery(), plain.delivery());
        assert_eq!(first.batch, plain.batch);
        assert_eq!(first.timeouts, plain.timeouts);
        assert_eq!(second.delivery(), plain.delivery());
    }

    #[test]
    fn paths_start_at_the_folder_of_the_file() {
        let text = format!("state_dir = \"state\"\n{}", entry("city", ""));
        let config = SyncConfig::parse(&text, Path::new("/etc/weir/sync.toml")).unwrap();
        assert_eq!(config.journal_path(), Path::new("/etc/weir/state/journal/journal.db"));
        assert_eq!(config.socket_path(), Path::new("/run/weir/sync.sock"));
        assert_eq!(config.destinations[0].ca_file, Path::new("/etc/weir/ca.pem"));
    }

    #[test]
    fn the_defaults_are_those_of_delivery() {
        let config = SyncConfig::parse(&entry("city", ""), Path::new("sync.toml")).unwrap();
        assert_eq!(config.destinations[0].delivery(), delivery::Config::default());
    }

    #[test]
    fn a_wrong_line_is_named_with_its_cure() {
        for (text, line, cause) in [
            (entry("city", "colour = 1"), "line 6", "unknown field `colour`"),
            (entry("city", "[destination.windows]\nroutine = 0"), "line 7", "1 to 64"),
            (entry("city", "[destination.batch]\nbytes_max = 99999999"), "line 7", "4096 to 2097152"),
            (entry("city", "[destination.budget]\nday_mb = 0"), "line 7", "1 to 1000000"),
            (entry("city", "[destination.budget]\nutc_offset_minutes = 900"), "line 7", "-720 to 840"),
            (entry("ci/ty", ""), "line 2", "ci/ty"),
            (entry("city", "").replace("https://", "http://"), "line 3", "https://"),
            (entry("city", "").replace("example", "example/?a=b"), "line 3", "without query"),
            (entry("city", "").replace(KEY, "12"), "line 5", "64 hex digits"),
            ("state_dir = 7\n".to_owned(), "line 1", "string"),
        ] {
            let told = refused(&text);
            assert!(told.contains(line) && told.contains(cause) && told.contains("weir config check"), "{told}");
        }
    }

    #[test]
    fn a_name_stands_once_and_destinations_are_bounded() {
        assert!(refused(&format!("{}{}", entry("city", ""), entry("city", ""))).contains("\"city\""));
        let many: String = (0..=DESTINATIONS_MAX).map(|n| entry(&format!("d{n}"), "")).collect();
        assert!(refused(&many).contains("at most 16"));
    }
}
