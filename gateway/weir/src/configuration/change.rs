//! Another text in the place of a configuration file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gatewayd::GatewayConfig;
use record::{Act, ConfigFile, Configuring, Seq};
use versions::{How, Version, VersionId, Versions, replace, sha256};

use super::error::ConfigurationError;
use super::kept::Kept;
use crate::error::CommandError;
use crate::{audit, check};

/// Rights of a file that was not there: as the package has them.
const MODE_IF_NEW: u32 = 0o640;

/// What is to change, and why.
pub(super) struct Change<'a> {
    pub(super) file: ConfigFile,
    pub(super) text: &'a str,
    pub(super) how: Configuring,
    pub(super) reason: &'a str,
}

/// What came of it.
pub(super) struct Changed {
    pub(super) version: VersionId,
    pub(super) seq: Seq,
    /// Where what stood there is, if no daemon would have taken it.
    pub(super) put_aside: Option<PathBuf>,
}

impl Change<'_> {
    /// Checks the text as the daemon will, keeps what stands there, has the gateway journal it, and only then writes.
    ///
    /// # Errors
    /// [`ConfigurationError`]; the file is as before then.
    pub(super) fn carry_out(&self, kept: &Kept, run_dir: &Path) -> Result<Changed, CommandError> {
        let Change { file, text, how, reason } = *self;
        if reason.trim().is_empty() {
            return Err(ConfigurationError::NoReason.into());
        }
        let (path, folder, now_ms) =
            (kept.place(file).path, kept.folder(file), jiff::Timestamp::now().as_millisecond());
        if file == ConfigFile::Rules && how == Configuring::RolledBack && kept.has_more_rules() {
            return Err(ConfigurationError::RulesBeside { folder: kept.rules().folder }.into());
        }
        let before = kept.own_text(file)?;
        if before.as_deref() == Some(text) {
            return Err(ConfigurationError::Same { path }.into());
        }
        let refused = |why| ConfigurationError::Refused { file, why };
        let whole = |own: &str| kept.whole(file, own.to_owned()).map_err(|error| control::chain(&error));
        let new = whole(text).map_err(refused)?;
        check_text(file, &new, kept, &path).map_err(refused)?;
        let keep = |version: Version, text: &str| {
            Versions::keep(&folder, version, text).map_err(|error| CommandError::from(ConfigurationError::from(error)))
        };
        let mut put_aside = None;
        if let Some(own) = &before {
            match whole(own).ok().filter(|before| check_text(file, before, kept, &path).is_ok()) {
                Some(before) => drop(keep(Version::found(file, now_ms, &before), &before)?),
                // It was never in force, and may hold what is kept nowhere: a key in the wrong file is refused, too.
                None => put_aside = Some(put_beside(&path, own)?),
            }
        }
        let seq = audit::order(run_dir, &Act::Configured { file, sha256: sha256(&new), how }, reason)?;
        replace(&path, text.as_bytes(), MODE_IF_NEW).map_err(|source| ConfigurationError::Write {
            path,
            seq,
            source,
        })?;
        let how = match how {
            Configuring::Applied => How::Applied,
            Configuring::RolledBack => How::RolledBack,
        };
        let by = Some(rustix::process::getuid().as_raw());
        let version = Version { by, how, reason: reason.trim().to_owned(), ..Version::found(file, now_ms, &new) };
        Ok(Changed { version: keep(version, &new)?, seq, put_aside })
    }
}

/// Whether the daemon of a file would start with this text, beside the other files as they are, or as they count today.
fn check_text(file: ConfigFile, text: &str, kept: &Kept, path: &Path) -> Result<(), String> {
    match file {
        ConfigFile::Gateway | ConfigFile::Devices | ConfigFile::Rules => {
            let mut texts = kept.instead_of_refused();
            texts.insert(file, text.to_owned());
            GatewayConfig::load_with(&kept.gateway_toml(), &texts).map(drop).map_err(|error| control::chain(&error))
        }
        ConfigFile::Sync => check::sync_text(path, text),
    }
}

/// Leaves a text beside the file, for whoever wrote it.
fn put_beside(path: &Path, text: &str) -> Result<PathBuf, ConfigurationError> {
    let aside = path.with_extension("toml.refused");
    let failed = |source| ConfigurationError::PutAside { path: aside.clone(), source };
    let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    replace(&aside, text.as_bytes(), mode).map_err(failed)?;
    Ok(aside)
}
