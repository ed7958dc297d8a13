//! Where the configuration files and their kept versions are.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use control::chain;
use gatewayd::GatewayConfig;
use gatewayd::config::RulesPlace;
use record::ConfigFile;
use versions::{Place, TEXT_BYTES_MAX, Version, VersionId, Versions};

use super::error::ConfigurationError;

/// The files of a box, and both folders of their versions.
pub(super) struct Kept {
    config_dir: PathBuf,
    state_dir: PathBuf,
}

impl Kept {
    pub(super) fn new(config_dir: &Path, state_dir: &Path) -> Kept {
        Kept { config_dir: config_dir.to_owned(), state_dir: state_dir.to_owned() }
    }

    pub(super) fn gateway_toml(&self) -> PathBuf {
        self.config_dir.join("gateway.toml")
    }

    /// The folder of a file's versions.
    pub(super) fn folder(&self, file: ConfigFile) -> PathBuf {
        match file {
            ConfigFile::Gateway | ConfigFile::Devices | ConfigFile::Rules => {
                gatewayd::config::versions_in(&self.state_dir)
            }
            ConfigFile::Sync => syncd::versions_in(&self.state_dir),
        }
    }

    pub(super) fn versions(&self, file: ConfigFile) -> Result<Versions, ConfigurationError> {
        Ok(Versions::open(&self.folder(file))?)
    }

    /// Where a file stands: gateway.toml names the device table and the rules.
    pub(super) fn place(&self, file: ConfigFile) -> Place {
        let named = GatewayConfig::load_or_last_good(&self.gateway_toml()).ok();
        let named =
            named.and_then(|loaded| loaded.texts.into_iter().map(|(place, _)| place).find(|at| at.file == file));
        named.unwrap_or_else(|| Place { file, path: self.config_dir.join(file.to_string()) })
    }

    /// Texts that count in the place of files that are refused: two that are broken can be mended one after the other.
    pub(super) fn instead_of_refused(&self) -> BTreeMap<ConfigFile, String> {
        let Ok(loaded) = GatewayConfig::load_or_last_good(&self.gateway_toml()) else { return BTreeMap::new() };
        let counts = |file| loaded.config.instead.iter().any(|instead| instead.version.file == file);
        let texts = loaded.texts.into_iter().map(|(place, text)| (place.file, text));
        texts.filter(|(file, _)| counts(*file)).collect()
    }

    /// Where a file and what counts over it stand.
    pub(super) fn shown_place(&self, file: ConfigFile) -> String {
        let path = self.place(file).path;
        let folder = layers::folder_of(&path);
        match self.has_drop_ins(file) {
            true => format!("{} + {}", path.display(), folder.file_name().unwrap_or_default().display()),
            false => path.display().to_string(),
        }
    }

    /// The text as it counts, which of the rules is that of all their files, and of others has what drop-ins say; none where there
    /// is no file. What is refused is only what stands in its own file.
    pub(super) fn text(&self, file: ConfigFile) -> Result<Option<String>, ConfigurationError> {
        let Some(own) = self.own_text(file)? else { return Ok(None) };
        Ok(Some(self.whole(file, own.clone()).unwrap_or(own)))
    }

    /// What the text of a file comes to, together with the others that count with it.
    pub(super) fn whole(&self, file: ConfigFile, own: String) -> Result<String, String> {
        let path = self.place(file).path;
        match file {
            ConfigFile::Rules => self.rules().load_with(own).map(|rules| rules.text).map_err(|error| chain(&error)),
            ConfigFile::Gateway => gatewayd::config::layered_with(&path, own)
                .map(layers::Layered::into_text)
                .map_err(|error| chain(&error)),
            ConfigFile::Sync => {
                syncd::layered_with(&path, own).map(layers::Layered::into_text).map_err(|error| chain(&error))
            }
            ConfigFile::Devices => Ok(own),
        }
    }

    /// Whether drop-ins count over a file, or would if they could be read.
    pub(super) fn has_drop_ins(&self, file: ConfigFile) -> bool {
        matches!(file, ConfigFile::Gateway | ConfigFile::Sync)
            && layers::drop_ins(&self.place(file).path).map_or(true, |found| !found.is_empty())
    }

    /// Whether other files of rules count beside rules.toml.
    pub(super) fn has_more_rules(&self) -> bool {
        self.rules().others().is_ok_and(|others| !others.is_empty())
    }

    /// Where gateway.toml says that they are, as far as it can be read.
    pub(super) fn rules(&self) -> RulesPlace {
        let place = RulesPlace::of(&self.gateway_toml());
        place.unwrap_or_else(|_| RulesPlace {
            main: self.place(ConfigFile::Rules).path,
            folder: self.config_dir.join("rules.d"),
        })
    }

    /// What stands in the file itself; none where there is none.
    pub(super) fn own_text(&self, file: ConfigFile) -> Result<Option<String>, ConfigurationError> {
        let path = self.place(file).path;
        match read(&path) {
            Err(ConfigurationError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            read => read.map(Some),
        }
    }

    /// A version with its text.
    pub(super) fn version(&self, id: VersionId) -> Result<(Version, String), ConfigurationError> {
        let versions = self.versions(id.file)?;
        let version = versions.get(id).ok_or(ConfigurationError::Unknown(id))?;
        Ok((version.clone(), versions.text(version)?))
    }
}

/// A text of which versions may be kept.
pub(super) fn read(path: &Path) -> Result<String, ConfigurationError> {
    let failed = |source| ConfigurationError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    // Not by the size that the file claims: a device claims none and never ends. One byte more is refused when it is kept.
    let bound = u64::try_from(TEXT_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).map_err(failed)?.take(bound).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}
