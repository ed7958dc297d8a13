//! Rules as they stand on the disk: `rules.toml`, and a folder with one file for each concern.

use std::fs;
use std::path::{Path, PathBuf};

use rules::{FILES_MAX, RuleSet, RulesFile, joined};

use super::files::{FILE_BYTES_MAX, read};
use super::{ConfigError, gateway_file};

/// What ends a file with tests of rules, which are no rules.
const TESTS: &str = ".test.toml";

/// Rules, and the text that says the same: that of all files behind one another.
#[derive(Debug, Clone)]
pub struct Rules {
    /// As meant.
    pub set: RuleSet,
    /// As typed.
    pub text: String,
}

/// Where the rules of a box are.
#[derive(Debug, Clone)]
pub struct RulesPlace {
    /// `rules.toml`.
    pub main: PathBuf,
    /// The folder with more of them, which need not be there.
    pub folder: PathBuf,
}

impl RulesPlace {
    /// As this `gateway.toml` says.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::TooLong`], [`ConfigError::Parse`].
    pub fn of(gateway: &Path) -> Result<RulesPlace, ConfigError> {
        let file = gateway_file(gateway)?;
        let beside = |name: &Path| gateway.parent().unwrap_or(Path::new(".")).join(name);
        Ok(RulesPlace { main: beside(&file.rules), folder: beside(&file.rules_dir) })
    }

    /// Where they are installed.
    pub fn installed() -> RulesPlace {
        let etc = Path::new("/etc/weir");
        RulesPlace { main: etc.join("rules.toml"), folder: etc.join("rules.d") }
    }

    /// Reads and checks all of them together.
    ///
    /// # Errors
    /// [`ConfigError`] for the first fault, with its file.
    pub fn load(&self) -> Result<Rules, ConfigError> {
        self.load_with(read(&self.main)?)
    }

    /// The same with this text in the place of what stands in `rules.toml`.
    ///
    /// # Errors
    /// As [`RulesPlace::load`].
    pub fn load_with(&self, main: String) -> Result<Rules, ConfigError> {
        let mut files = vec![file(&self.main, main)];
        for path in self.others()? {
            files.push(file(&path, read(&path)?));
        }
        of_files(&self.folder, &files)
    }

    /// The files of the folder, by name.
    ///
    /// # Errors
    /// [`ConfigError::Read`], [`ConfigError::RulesFileName`], [`ConfigError::TooManyRulesFiles`].
    pub fn others(&self) -> Result<Vec<PathBuf>, ConfigError> {
        match self.folder.exists() {
            true => files_in(&self.folder, |name| !name.ends_with(TESTS)),
            false => Ok(Vec::new()),
        }
    }
}

/// Reads and checks the rules of these files and folders together, in this order.
///
/// # Errors
/// [`ConfigError`] for the first fault, with its file.
pub fn load_rules(paths: &[PathBuf]) -> Result<Rules, ConfigError> {
    let mut files = Vec::new();
    for path in paths {
        let found = if path.is_dir() { files_in(path, |name| !name.ends_with(TESTS))? } else { vec![path.clone()] };
        for path in found {
            files.push(file(&path, read(&path)?));
        }
    }
    of_files(paths.first().map_or(Path::new("."), PathBuf::as_path), &files)
}

/// Files with tests of rules: this one, or all of a folder.
///
/// # Errors
/// [`ConfigError::Read`], [`ConfigError::RulesFileName`], [`ConfigError::TooManyRulesFiles`].
pub fn rules_tests(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if path.is_dir() { files_in(path, |name| name.ends_with(TESTS)) } else { Ok(vec![path.to_owned()]) }
}

/// A text that is all of the rules.
pub(super) fn parse(main: &Path, text: &str) -> Result<Rules, ConfigError> {
    of_files(main, &[file(main, text.to_owned())])
}

fn of_files(whose: &Path, files: &[RulesFile]) -> Result<Rules, ConfigError> {
    let bytes: usize = files.iter().map(|file| file.text.len()).sum();
    if files.len() > FILES_MAX {
        return Err(ConfigError::TooManyRulesFiles { path: whose.into(), count: files.len() });
    }
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > FILE_BYTES_MAX) {
        return Err(ConfigError::TooLong { path: whose.into() });
    }
    let set = RuleSet::from_files(files).map_err(ConfigError::Rules)?;
    Ok(Rules { set, text: joined(files) })
}

fn file(path: &Path, text: String) -> RulesFile {
    RulesFile { name: path.display().to_string(), text }
}

/// The `*.toml` of a folder, by name. What an editor hides there is none.
fn files_in(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: folder.into(), source };
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let shown = name.to_string_lossy();
        if !shown.ends_with(".toml") || shown.starts_with('.') || !is_wanted(&shown) {
            continue;
        }
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        if !shown.bytes().all(legal) {
            return Err(ConfigError::RulesFileName { path: folder.into(), name: shown.into_owned() });
        }
        names.push(shown.into_owned());
        if names.len() > FILES_MAX {
            return Err(ConfigError::TooManyRulesFiles { path: folder.into(), count: names.len() });
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}
