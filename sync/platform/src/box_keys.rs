//! The keys of boxes: which one signs now, which ones it took the place of, and which ones prove nothing any more.
//!
//! A box has one key that a person or a code let in. From there signed statements lead on (`keys/BOX/*.cose`): a box that
//! changes its key is believed by them, without anybody. A key that is revoked has a file `revoked/BOX/KEYID.cose`, made by
//! `weir platform revoke` beside the running platform: it is looked for with every batch, so that it counts at once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use batch::{
    BoxId, KeyChange, KeyId, KeyStatement, Lineage, OpenError, PublicKey, Revocation, STATEMENT_BYTES_MAX, Whose,
};
use identity::{IdentityError, keep_statement, statements};
use record::UnixMs;

use crate::config::Config;
use crate::owned_file::{self, FileError};
use crate::state_dir::{PUBLIC, StateDir};

/// Most revocations of one box that are listed.
const REVOCATIONS_MAX: usize = 256;

/// Why a key is not changed or not revoked.
#[derive(Debug, thiserror::Error)]
pub enum BoxKeyError {
    /// No such statement.
    #[error("this is no change of a key that both keys have signed")]
    Statement(#[source] OpenError),
    /// It is about somebody else.
    #[error("the statement is about {0}")]
    OtherName(Whose),
    /// Nobody here knows the key that goes, nor the one that comes.
    #[error("neither of the keys that the statement names is known here for box `{box_id}`: {former} and {key}")]
    Unknown {
        /// The box.
        box_id: BoxId,
        /// The key that goes.
        former: KeyId,
        /// The one that comes.
        key: KeyId,
    },
    /// The key handed over to another one before.
    #[error("key {former} of box `{box_id}` has handed over to {heir} already: one of the two was not the box")]
    Succeeded {
        /// The box.
        box_id: BoxId,
        /// The key that goes.
        former: KeyId,
        /// Whom it handed over to.
        heir: KeyId,
    },
    /// Nobody believes this key any more.
    #[error("key {key} of box `{box_id}` is revoked: {reason}")]
    Revoked {
        /// The box.
        box_id: BoxId,
        /// Which.
        key: KeyId,
        /// Why.
        reason: String,
    },
    /// More changes than are followed.
    #[error("box `{0}` changed its key too often, no more changes are followed · try: weir platform invite {0}")]
    TooMany(BoxId),
    /// It lies in the future.
    #[error("{0} is not yet: a key is revoked from a time on that has come")]
    Future(UnixMs),
    /// The reason is missing or too long.
    #[error("a revocation needs a reason of at most {max} bytes · try: --reason \"…\"", max = record::Audit::TEXT_BYTES_MAX)]
    Reason,
    /// The platform's own key.
    #[error("the platform's key cannot be read · try: as the user of the platform, after its first start")]
    Key(#[source] IdentityError),
    /// A file could not be read or written.
    #[error("failed to {doing} `{path}` · try: df -h, ls -ld, as the user of the platform")]
    File {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

/// The keys of a box that follow from the one that was let in, with the statements that say so.
pub(crate) fn lineage(state: &StateDir, box_id: &BoxId, known: PublicKey) -> Result<Lineage, BoxKeyError> {
    let mut lineage = Lineage::new(Whose::Box(box_id.clone()), known);
    for (_, statement) in kept(state, box_id)? {
        lineage.take(None, statement);
    }
    // By the boxes' own word alone: a machine that another one took the place of is not let in by the platform's.
    Ok(lineage.followed(&BTreeMap::new(), &[]))
}

/// All statements about the keys of a box, with their bytes, in the order in which they came.
pub(crate) fn kept(state: &StateDir, box_id: &BoxId) -> Result<Vec<(Vec<u8>, KeyStatement)>, BoxKeyError> {
    let folder = state.box_keys(box_id);
    statements(&folder).map_err(|source| BoxKeyError::File { doing: "read", path: folder, source })
}

/// Keeps a statement, durably.
pub(crate) fn keep(state: &StateDir, box_id: &BoxId, cose: &[u8]) -> Result<(), BoxKeyError> {
    let folder = state.box_keys(box_id);
    keep_statement(&folder, cose).map_err(|source| BoxKeyError::File { doing: "write", path: folder, source })
}

/// Whether a box's statement is one to follow, from the keys that are known of it. What changes nothing is well, too.
pub(crate) fn judge(
    state: &StateDir,
    lineage: &Lineage,
    box_id: &BoxId,
    cose: &[u8],
) -> Result<KeyChange, BoxKeyError> {
    let change = KeyChange::open(cose).map_err(BoxKeyError::Statement)?;
    if change.whose != Whose::Box(box_id.clone()) {
        return Err(BoxKeyError::OtherName(change.whose));
    }
    let (former, key) = (change.old.id(), change.new.id());
    let is_believed = |key: &PublicKey| lineage.believed().any(|known| known == key);
    if !is_believed(&change.old) && !is_believed(&change.new) {
        return Err(BoxKeyError::Unknown { box_id: box_id.clone(), former, key });
    }
    for key in [change.old, change.new] {
        if let Some(Revocation { reason, .. }) = revocation(state, box_id, key.id())? {
            return Err(BoxKeyError::Revoked { box_id: box_id.clone(), key: key.id(), reason });
        }
    }
    let heir = lineage.statements().map(|(_, statement)| statement.keys()).find(|(old, _)| *old == change.old);
    if let Some((_, heir)) = heir.filter(|(_, heir)| *heir != change.new) {
        return Err(BoxKeyError::Succeeded { box_id: box_id.clone(), former, heir: heir.id() });
    }
    if heir.is_none() && lineage.statements().count() >= KeyChange::CHANGES_MAX {
        return Err(BoxKeyError::TooMany(box_id.clone()));
    }
    Ok(change)
}

/// The revocation of a key, if there is one.
pub(crate) fn revocation(state: &StateDir, box_id: &BoxId, key: KeyId) -> Result<Option<Revocation>, BoxKeyError> {
    let path = state.revocations(box_id).join(format!("{key}.cose"));
    Ok(read_revocation(&path)?.map(|(_, revocation)| revocation))
}

/// All revocations of a box, with their signed bytes.
pub(crate) fn revocations(state: &StateDir, box_id: &BoxId) -> Result<Vec<(Vec<u8>, Revocation)>, BoxKeyError> {
    let folder = state.revocations(box_id);
    let failed = |source| BoxKeyError::File { doing: "read", path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>().map_err(failed)?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "cose"));
    paths.sort();
    paths.iter().take(REVOCATIONS_MAX).filter_map(|path| read_revocation(path).transpose()).collect()
}

fn read_revocation(path: &Path) -> Result<Option<(Vec<u8>, Revocation)>, BoxKeyError> {
    let failed = |source| BoxKeyError::File { doing: "read", path: path.into(), source };
    let bytes = match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(failed)?,
    };
    // A file that says nothing must not let a stolen key in again.
    let damaged = |error: OpenError| failed(io::Error::other(error.to_string()));
    let bytes = if bytes.len() <= STATEMENT_BYTES_MAX { bytes } else { Vec::new() };
    Revocation::claimed(&bytes).map(|revocation| Some((bytes, revocation))).map_err(damaged)
}

/// Makes and keeps the revocation of a key, beside the running platform, for which it counts at once; gives it and its signed
/// bytes. One that is there already stays, unless the new one begins earlier.
///
/// # Errors
/// [`BoxKeyError`] by cause.
pub fn revoke(
    config: &Config,
    box_id: &BoxId,
    key: PublicKey,
    from_ms: UnixMs,
    now: UnixMs,
    reason: &str,
) -> Result<(Revocation, Vec<u8>), BoxKeyError> {
    if reason.is_empty() || reason.len() > record::Audit::TEXT_BYTES_MAX {
        return Err(BoxKeyError::Reason);
    }
    if from_ms > now {
        return Err(BoxKeyError::Future(from_ms));
    }
    let state = StateDir::new(&config.state_dir);
    let path = state.revocations(box_id).join(format!("{}.cose", key.id()));
    if let Some((cose, known)) = read_revocation(&path)?.filter(|(_, known)| known.from_ms <= from_ms) {
        return Ok((known, cose));
    }
    let signing = identity::load(&state.key()).map_err(BoxKeyError::Key)?;
    let (platform, box_id) = (config.name.clone(), box_id.clone());
    let says = Revocation { platform, box_id, key, from_ms, made_ms: now, reason: reason.to_owned() };
    let cose = says.sign(&signing);
    let failed = |FileError { doing, path, source }| BoxKeyError::File { doing, path, source };
    owned_file::write(&path, &cose, PUBLIC).map_err(failed)?;
    Ok((says, cose))
}
