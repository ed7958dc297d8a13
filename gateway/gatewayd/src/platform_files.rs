//! Which configuration files count at a start: those of the box, or those that a platform ordered in their place.
//!
//! ```text
//! files of the box ──┐
//! kept of a platform ┼─► in_force ─► the configuration, and what was found ─► committer: journals it
//! on trial ──────────┘
//! ```
//! Files on trial are tried by one start. Whatever ends it, a crash, a program that hangs, a technician, or nothing at all in
//! time, the start after it has those before again. The texts stand in the journal; the box's own files are never written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use batch::OrderedFile;
use control::chain;
use journal::Reader;
use layers::Layered;
use record::ConfigFile;
use record::merkle::{Hash, leaf_hash};

use crate::committer::{Platforms, ordered_files};
use crate::config::{ConfigError, GatewayConfig, Loaded, parse_gateway};

/// Files that a platform may order. Rules are ordered alone, `sync.toml` says who the platforms are, and keys are secret.
const ORDERABLE: [ConfigFile; 2] = [ConfigFile::Gateway, ConfigFile::Devices];

/// Texts by their file.
pub(crate) type Texts = BTreeMap<ConfigFile, String>;

/// What the configuration was made of.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// `gateway.toml`.
    pub(crate) path: PathBuf,
    /// What is in force.
    pub(crate) texts: Texts,
    /// Of the box's own files: whether somebody changes them later.
    pub(crate) own: BTreeMap<ConfigFile, Hash>,
    /// How files on trial start; none if there are no such.
    pub(crate) trial: Option<Attempt>,
    /// Why files of a platform that were kept do not count any more.
    pub(crate) superseded: Option<String>,
}

impl Origin {
    /// Whether what is in force must prove itself.
    pub fn is_trial(&self) -> bool {
        self.trial == Some(Attempt::Begins)
    }
}

/// What a start does with files on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// They are in force for this start.
    Begins,
    /// They are not, because of this.
    Failed(String),
}

/// Why files are no configuration for this box.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OrderedFilesError {
    /// None, one twice, or one that is not a platform's to order.
    #[error("a platform orders gateway.toml, devices.toml or both, each once")]
    Which,
    /// Refused, as it would be from a file.
    #[error("the configuration with these files is refused")]
    Refused(#[source] ConfigError),
    /// It would change what is the technician's alone.
    #[error("`{0}` of gateway.toml is for the box's technician to change, by hand")]
    Fixed(&'static str),
}

/// The configuration that counts, given the one by the box's own files. A journal that cannot be read now has no say; the
/// daemon opens it next, and tells what is wrong with it.
pub fn in_force(path: &Path, own: Loaded) -> Loaded {
    let platforms = Reader::open(&own.config.journal_path()).and_then(|reader| {
        let platforms = Platforms::open(&reader)?;
        let tried = platforms.files_trial.as_ref().map(|trial| match trial.begun {
            true => Err("the gateway was started again".to_owned()),
            false => ordered_files(&reader, trial.command),
        });
        Ok((platforms, tried))
    });
    let (platforms, tried) = platforms.unwrap_or_default();
    choose(path, own, &platforms, tried)
}

fn choose(path: &Path, own: Loaded, platforms: &Platforms, tried: Option<Result<Vec<OrderedFile>, String>>) -> Loaded {
    let texts: Texts = own.texts.iter().map(|(place, text)| (place.file, text.clone())).collect();
    let hashes = texts.iter().map(|(file, text)| (*file, leaf_hash(text.as_bytes())));
    let mut origin = Origin { path: path.to_owned(), own: hashes.collect(), ..Origin::default() };
    let mut kept = None;
    if let Some(files) = platforms.files.as_ref().map(|kept| &kept.files) {
        let is_unchanged = files.iter().all(|kept| origin.own.get(&kept.file) == Some(&kept.replaced));
        let files = files.iter().map(|kept| OrderedFile { file: kept.file, toml: kept.toml.clone() });
        match with(path, &texts, files).map_err(|error| chain(&error)) {
            _ if !is_unchanged => origin.superseded = Some("a file was changed by hand".into()),
            Err(why) => origin.superseded = Some(why),
            Ok(loaded) => kept = Some(loaded),
        }
    }
    let before = kept.unwrap_or_else(|| own.clone());
    let mut chosen = before.clone();
    if let Some(tried) = tried {
        let texts = before.texts.iter().map(|(place, text)| (place.file, text.clone())).collect();
        let loaded = tried.and_then(|files| with(path, &texts, files).map_err(|error| chain(&error)));
        origin.trial = Some(match loaded {
            Ok(loaded) => {
                chosen = loaded;
                Attempt::Begins
            }
            Err(why) => Attempt::Failed(why),
        });
    }
    origin.texts = chosen.texts.iter().map(|(place, text)| (place.file, text.clone())).collect();
    chosen.config.instead = own.config.instead;
    chosen.config.origin = origin;
    chosen
}

/// Checks files that a platform orders against those in force.
///
/// # Errors
/// [`OrderedFilesError`].
pub(crate) fn check(origin: &Origin, files: &[OrderedFile]) -> Result<(), OrderedFilesError> {
    let is_once = |file: &OrderedFile| files.iter().filter(|other| other.file == file.file).count() == 1;
    if files.is_empty() || !files.iter().all(|file| ORDERABLE.contains(&file.file) && is_once(file)) {
        return Err(OrderedFilesError::Which);
    }
    with(&origin.path, &origin.texts, files.iter().cloned()).map(drop)
}

/// The configuration with these files, if a platform may order it of this box. No file that it names is looked into before.
fn with(path: &Path, texts: &Texts, files: impl IntoIterator<Item = OrderedFile>) -> Result<Loaded, OrderedFilesError> {
    let mut with = texts.clone();
    with.extend(files.into_iter().map(|OrderedFile { file, toml }| (file, toml)));
    let gateway = |texts: &Texts| {
        let text = texts.get(&ConfigFile::Gateway).cloned().unwrap_or_default();
        parse_gateway(&Layered::alone(path, text)).map_err(OrderedFilesError::Refused)
    };
    let (new, old) = (gateway(&with)?, gateway(texts)?);
    let fixed = [
        ("box", new.box_id == old.box_id),
        ("state_dir", new.state_dir == old.state_dir),
        ("run_dir", new.run_dir == old.run_dir),
        ("devices", new.devices == old.devices),
        ("keys", new.keys == old.keys),
        ("rules", new.rules == old.rules),
        ("rules_dir", new.rules_dir == old.rules_dir),
        ("commands", new.commands == old.commands),
        // What is wired to a line is known on the site alone.
        ("relay", new.relay == old.relay),
    ];
    match fixed.iter().find(|(_, is_same)| !is_same) {
        Some((key, _)) => Err(OrderedFilesError::Fixed(key)),
        None => GatewayConfig::load_with(path, &with).map_err(OrderedFilesError::Refused),
    }
}
