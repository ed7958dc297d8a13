//! Another text in the place of a configuration file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gatewayd::GatewayConfig;
use layers::Layered;
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
    /// Where the folder of drop-ins is that would have counted over it.
    pub(super) drop_ins_aside: Option<PathBuf>,
    /// Drop-ins that do count over it.
    pub(super) over: Vec<PathBuf>,
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
        // A kept version has what drop-ins said, so that none may count over it.
        let stands_alone = how == Configuring::RolledBack && kept.has_drop_ins(file);
        if before.as_deref() == Some(text) && !stands_alone {
            return Err(ConfigurationError::Same { path }.into());
        }
        let refused = |why| ConfigurationError::Refused { file, why };
        let new = if stands_alone { text.to_owned() } else { kept.whole(file, text.to_owned()).map_err(refused)? };
        check_text(file, if stands_alone { Text::Whole(text) } else { Text::Own(text) }, kept, &path)
            .map_err(refused)?;
        let keep = |version: Version, text: &str| {
            Versions::keep(&folder, version, text).map_err(|error| CommandError::from(ConfigurationError::from(error)))
        };
        let mut put_aside = None;
        if let Some(own) = &before {
            match accepted(file, own, kept, &path, stands_alone) {
                Some(before) => drop(keep(Version::found(file, now_ms, &before), &before)?),
                // It was never in force, and may hold what is kept nowhere: a key in the wrong file is refused, too.
                None => put_aside = Some(put_beside(&path, own)?),
            }
        }
        let seq = audit::order(run_dir, &Act::Configured { file, sha256: sha256(&new), how }, reason)?;
        let failed = |path: &Path, source| ConfigurationError::Write { path: path.to_owned(), seq, source };
        // Before the file: who is cut off between them types the same again.
        let aside = if stands_alone { layers::set_aside(&path) } else { Ok(None) };
        let drop_ins_aside = aside.map_err(|source| failed(&layers::folder_of(&path), source))?;
        replace(&path, text.as_bytes(), MODE_IF_NEW).map_err(|source| failed(&path, source))?;
        let over = if kept.has_drop_ins(file) { layers::drop_ins(&path).unwrap_or_default() } else { Vec::new() };
        let how = match how {
            Configuring::Applied => How::Applied,
            Configuring::RolledBack => How::RolledBack,
        };
        let by = Some(rustix::process::getuid().as_raw());
        let version = Version { by, how, reason: reason.trim().to_owned(), ..Version::found(file, now_ms, &new) };
        Ok(Changed { version: keep(version, &new)?, seq, put_aside, drop_ins_aside, over })
    }
}

/// What stands in a file, with what counts over it, or without that where it is at fault and goes; none if it is refused.
fn accepted(file: ConfigFile, own: &str, kept: &Kept, path: &Path, stands_alone: bool) -> Option<String> {
    let whole = kept.whole(file, own.to_owned()).ok();
    let whole = whole.filter(|_| check_text(file, Text::Own(own), kept, path).is_ok());
    whole.or_else(|| {
        let is_well = stands_alone && check_text(file, Text::Whole(own), kept, path).is_ok();
        is_well.then(|| own.to_owned())
    })
}

/// A text for a file.
#[derive(Clone, Copy)]
enum Text<'a> {
    /// Beside which others count, as before.
    Own(&'a str),
    /// That will be all.
    Whole(&'a str),
}

/// Whether the daemon of a file would start with this text, beside the other files as they are, or as they count today.
fn check_text(file: ConfigFile, text: Text<'_>, kept: &Kept, path: &Path) -> Result<(), String> {
    let chained = |error: gatewayd::ConfigError| control::chain(&error);
    match (file, text) {
        (ConfigFile::Gateway, _) => {
            let typed = match text {
                Text::Own(own) => gatewayd::config::layered_with(path, own.to_owned()).map_err(chained)?,
                Text::Whole(text) => Layered::alone(path, text.to_owned()),
            };
            GatewayConfig::load_layered(path, typed, &kept.instead_of_refused()).map(drop).map_err(chained)
        }
        (ConfigFile::Devices | ConfigFile::Rules, Text::Own(own) | Text::Whole(own)) => {
            let mut texts = kept.instead_of_refused();
            texts.insert(file, kept.whole(file, own.to_owned())?);
            GatewayConfig::load_with(&kept.gateway_toml(), &texts).map(drop).map_err(chained)
        }
        (ConfigFile::Sync, Text::Own(own)) => {
            let typed = syncd::layered_with(path, own.to_owned()).map_err(|error| control::chain(&error))?;
            check::sync_text(&typed)
        }
        (ConfigFile::Sync, Text::Whole(text)) => check::sync_text(&Layered::alone(path, text.to_owned())),
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
