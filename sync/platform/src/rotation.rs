//! The platform's own key takes the place of its old one.
//!
//! Made beside the running platform, like an invitation, and taken at its next start (`identity::settle`): until then the old key
//! signs. Boxes that find a receipt by a key that they do not know ask `/v1/key` for the statements, and believe what their
//! pinned key has signed for.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;

use batch::{KeyChange, KeyStatement, Whose};
use identity::{IdentityError, Rotation, statements, statements_of};
use record::UnixMs;

use crate::config::Config;
use crate::state_dir::StateDir;

/// Why the platform keeps its key.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// The reason is missing or too long.
    #[error("a change of the key needs a reason of at most {max} bytes · try: --reason \"…\"", max = record::Audit::TEXT_BYTES_MAX)]
    Reason,
    /// The last one was not taken yet.
    #[error("a change of the key waits already for the platform's next start · try: restart the platform")]
    Waits,
    /// More changes than boxes follow.
    #[error(
        "the key was changed {0} times, boxes follow no more changes · try: another name of the platform, and invitations"
    )]
    TooMany(usize),
    /// The key.
    #[error("failed to change the key · try: as the user of the platform, after its first start")]
    Key(#[source] IdentityError),
    /// A file could not be read, written or given away.
    #[error("failed to read or write `{path}` · try: df -h, ls -ld, as the user of the platform")]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// Makes the new key and has the old one sign for it; the platform takes it at its next start.
///
/// # Errors
/// [`RotationError`] by cause; nothing has changed then.
pub fn rotate(config: &Config, now: UnixMs, reason: &str) -> Result<KeyChange, RotationError> {
    if reason.is_empty() || reason.len() > record::Audit::TEXT_BYTES_MAX {
        return Err(RotationError::Reason);
    }
    let path = StateDir::new(&config.state_dir).key();
    let folder = statements_of(&path);
    let failed = |path: PathBuf| move |source| RotationError::File { path, source };
    let known = statements(&folder).map_err(failed(folder.clone()))?;
    let current = identity::load(&path).map_err(RotationError::Key)?.public();
    if known.iter().any(|(_, statement)| statement.keys().0 == current) {
        return Err(RotationError::Waits);
    }
    if known.len() >= KeyChange::CHANGES_MAX {
        return Err(RotationError::TooMany(known.len()));
    }
    let rotation = Rotation::prepare(&path).map_err(RotationError::Key)?;
    let change = KeyChange {
        whose: Whose::Platform(config.name.clone()),
        old: rotation.old.public(),
        new: rotation.new.public(),
        number: u32::try_from(known.len()).unwrap_or(u32::MAX).saturating_add(1),
        at_ms: now,
        clock: None,
        reason: reason.to_owned(),
    };
    // Readable by the platform's user before it counts.
    give(&path, &path.with_extension("next")).map_err(failed(path.with_extension("next")))?;
    rotation.decide(&change).map_err(RotationError::Key)?;
    let written = fs::read_dir(&folder).map_err(failed(folder.clone()))?.flatten().map(|entry| entry.path());
    for path_of in written.chain([folder.clone()]) {
        give(&path, &path_of).map_err(failed(path_of.clone()))?;
    }
    Ok(change)
}

/// The statements of this platform's keys, in hex, the oldest first.
pub(crate) fn changes(state: &StateDir) -> Result<Vec<String>, RotationError> {
    let folder = statements_of(&state.key());
    let kept = statements(&folder).map_err(|source| RotationError::File { path: folder, source })?;
    let is_change = |statement: &KeyStatement| matches!(statement, KeyStatement::Change(_));
    Ok(kept.iter().filter(|(_, statement)| is_change(statement)).map(|(cose, _)| hex::encode(cose)).collect())
}

/// To whom the key belongs, whoever does it.
fn give(like: &std::path::Path, path: &std::path::Path) -> io::Result<()> {
    let (owner, facts) = (fs::metadata(like)?, fs::metadata(path)?);
    if (facts.uid(), facts.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    chown(path, Some(owner.uid()), Some(owner.gid()))
}
