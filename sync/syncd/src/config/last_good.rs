//! A daemon whose `sync.toml` is refused goes on with the one by which it worked last, and says so.

use std::path::{Path, PathBuf};

use control::chain;
use record::ConfigFile;
use versions::{Place, VersionId, Versions};

use super::{ConfigError, FILE_BYTES_MAX, SyncConfig, layered, state_dir_default};
use crate::BestTime;
use crate::run::transports;

/// Where the kept versions are, below `state_dir`.
const FOLDER: &str = "outbox/config";

/// The folder of the kept versions of `sync.toml`.
pub fn versions_in(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

/// What counts in the place of a file that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The version by which the daemon worked last.
    pub version: VersionId,
    /// Why the file as it stands is refused.
    pub refused: String,
}

/// A configuration, and the text that it was read from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// As meant.
    pub config: SyncConfig,
    /// As typed, that of drop-ins with it.
    pub text: (Place, String),
}

impl SyncConfig {
    /// Reads and checks a file; one that is refused, or whose certificates are, in the version by which the daemon worked last.
    ///
    /// # Errors
    /// As [`SyncConfig::load`], if nothing that is kept helps. Certificates that are refused are left to [`crate::run()`].
    pub fn load_or_last_good(path: &Path) -> Result<Loaded, ConfigError> {
        let place = Place { file: ConfigFile::Sync, path: path.to_owned() };
        let found = layered(path).and_then(|typed| Ok((SyncConfig::of(&typed)?, typed.into_text())));
        let why = match &found {
            Ok((config, _)) => transports(config, &BestTime::default()).err().map(|error| chain(&error)),
            Err(refused) => Some(chain(refused)),
        };
        let instead = why.and_then(|refused| {
            let (version, text) = worked_last(&place)?;
            let config = SyncConfig::parse(&text, path).ok()?;
            transports(&config, &BestTime::default()).ok()?;
            Some((SyncConfig { instead: Some(Instead { version, refused }), ..config }, text))
        });
        let (config, text) = instead.map_or(found, Ok)?;
        Ok(Loaded { config, text: (place, text) })
    }
}

/// What is kept beside this very file, as long as it or a drop-in says where.
fn worked_last(place: &Place) -> Option<(VersionId, String)> {
    let named = layers::readable(&place.path, FILE_BYTES_MAX);
    let state_dirs = named.iter().filter_map(|text| versions::state_dir(text)).chain([state_dir_default()]);
    let beside = |state_dir: PathBuf| place.path.parent().unwrap_or(Path::new("")).join(state_dir);
    state_dirs.into_iter().find_map(|state_dir| kept_in(&versions_in(&beside(state_dir)), place))
}

fn kept_in(folder: &Path, place: &Place) -> Option<(VersionId, String)> {
    let kept = Versions::open(folder).and_then(|versions| {
        let version = versions.good(place);
        version.map(|version| Ok((version.id(), versions.text(version)?))).transpose()
    });
    kept.unwrap_or_else(|error| {
        log::warn!(error = chain(&error).as_str(); "the kept versions of the configuration cannot be read");
        None
    })
}
