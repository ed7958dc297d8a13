//! A daemon whose configuration is refused goes on with the one by which it worked last, and says so, instead of leaving a site
//! without its sensors for a typing error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use control::chain;
use record::ConfigFile;
use versions::{Place, VersionId, Versions};

use super::files::FILE_BYTES_MAX;
use super::{ConfigError, GatewayConfig, Loaded, default_state_dir};
use crate::status::InsteadStatus;

/// Where the kept versions are, below `state_dir`.
const FOLDER: &str = "config";
/// What may be refused, the fewest files first: of those that do, the fewest are put aside.
const REFUSED: [&[ConfigFile]; 7] = {
    use ConfigFile::{Devices, Gateway, Rules};
    [
        &[Rules],
        &[Devices],
        &[Gateway],
        &[Devices, Rules],
        &[Gateway, Rules],
        &[Gateway, Devices],
        &[Gateway, Devices, Rules],
    ]
};

/// The folder of the kept versions of `gateway.toml`, `devices.toml` and `rules.toml`.
pub fn versions_in(state_dir: &Path) -> PathBuf {
    state_dir.join(FOLDER)
}

/// What counts in the place of a file that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The version of it by which the daemon worked last.
    pub version: VersionId,
    /// Why the configuration as it stands is refused.
    pub refused: String,
}

impl From<&Instead> for InsteadStatus {
    fn from(instead: &Instead) -> InsteadStatus {
        InsteadStatus { version: instead.version.to_string(), refused: instead.refused.clone() }
    }
}

impl GatewayConfig {
    /// Reads and checks `gateway.toml` and the files it names; where they are refused, with the versions of some of them by
    /// which the daemon worked last. `keys.toml` has none.
    ///
    /// # Errors
    /// As [`GatewayConfig::load`], if nothing that is kept helps.
    pub fn load_or_last_good(path: &Path) -> Result<Loaded, ConfigError> {
        GatewayConfig::load_with(path, &BTreeMap::new()).or_else(|refused| {
            let texts = worked_last(path);
            let why = chain(&refused);
            REFUSED.iter().find_map(|files| instead(path, files, &texts, &why)).ok_or(refused)
        })
    }
}

/// The configuration with these files as they worked last, if that is accepted.
fn instead(
    path: &Path,
    files: &[ConfigFile],
    texts: &BTreeMap<ConfigFile, (VersionId, String)>,
    refused: &str,
) -> Option<Loaded> {
    let kept = |file: &ConfigFile| Some((*file, texts.get(file)?.1.clone()));
    let with = files.iter().map(kept).collect::<Option<BTreeMap<_, _>>>()?;
    let mut loaded = GatewayConfig::load_with(path, &with).ok()?;
    let versions = files.iter().filter_map(|file| Some(texts.get(file)?.0));
    loaded.config.instead = versions.map(|version| Instead { version, refused: refused.to_owned() }).collect();
    Some(loaded)
}

/// What is kept beside this very `gateway.toml`, as long as one of its files says where.
fn worked_last(path: &Path) -> BTreeMap<ConfigFile, (VersionId, String)> {
    let named = layers::readable(path, FILE_BYTES_MAX);
    let state_dirs = named.iter().filter_map(|text| versions::state_dir(text)).chain([default_state_dir()]);
    let beside = |state_dir: PathBuf| path.parent().unwrap_or(Path::new(".")).join(state_dir);
    let found = state_dirs.map(|state_dir| kept_in(&versions_in(&beside(state_dir)), path));
    found.into_iter().find(|texts| !texts.is_empty()).unwrap_or_default()
}

fn kept_in(folder: &Path, path: &Path) -> BTreeMap<ConfigFile, (VersionId, String)> {
    let texts = Versions::open(folder).and_then(|versions| {
        let place = Place { file: ConfigFile::Gateway, path: path.to_owned() };
        if versions.good(&place).is_none() {
            // Nobody worked yet, or that was another box.
            return Ok(BTreeMap::new());
        }
        let files = [ConfigFile::Gateway, ConfigFile::Devices, ConfigFile::Rules];
        let good = files.into_iter().filter_map(|file| Some((file, versions.good_of(file)?)));
        good.map(|(file, version)| Ok((file, (version.id(), versions.text(version)?)))).collect()
    });
    texts.unwrap_or_else(|error| {
        log::warn!(error = chain(&error).as_str(); "the kept versions of the configuration cannot be read");
        BTreeMap::new()
    })
}
