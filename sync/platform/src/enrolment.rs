//! Boxes that were let in by a code: the invitations that wait, and the keys that were taken.
//!
//! An invitation is a file `invitations/BOX.toml`, made by `weir platform invite` beside the running platform; a key that was
//! taken is a file `enrolled/BOX.pub`. An invitation that was used stays until its time is over, so that a box whose
//! answer was lost on the way gets it again, and no other key does.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use batch::{BoxId, Enrolled, Enrolment, EnrolmentCode, Lineage, PlatformId, PublicKey, SigningKey, Succession};
use record::UnixMs;
use serde::{Deserialize, Serialize};

use crate::box_keys::{self, BoxKeyError};
use crate::config::{Config, EnrolledBox};
use crate::owned_file::{FileError, write};
use crate::state_dir::{PUBLIC, SECRET, StateDir};

/// Longest time that a code waits.
pub const INVITATION_HOURS_MAX: u32 = 30 * 24;
/// Most boxes that are let in by codes.
pub const ENROLLED_MAX: usize = 10_000;
const HOUR_MS: i64 = 3_600_000;

/// Why there is no invitation, or none was taken.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// The box stands in the configuration, which counts.
    #[error("box `{0}` stands in platform.toml · try: take its [[box]] out, and restart the platform")]
    Configured(BoxId),
    /// The platform has not started yet.
    #[error("the platform has no key yet · try: weir platform run, then this again")]
    NoKey(#[source] io::Error),
    /// Its public key is none.
    #[error("`{path}` is no public key · try: restart the platform, which writes it")]
    BadKey {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: batch::PublicKeyError,
    },
    /// There is no randomness.
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nobody asked this box in, or no more, or it has another code.
    #[error("no code waits for box `{0}`, or it is another one, or its time is over")]
    NotInvited(BoxId),
    /// The code was used with another key.
    #[error("the code of box `{0}` was used with another key")]
    Used(BoxId),
    /// What is known of its keys does not let this one in.
    #[error("the key of box `{box_id}` is not taken")]
    Keys {
        /// The box.
        box_id: BoxId,
        /// The cause.
        source: BoxKeyError,
    },
    /// Too many.
    #[error("{ENROLLED_MAX} boxes are enrolled by codes, no more are")]
    TooMany,
}

/// A code that waits, or that was used.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Invitation {
    /// In hex.
    secret: String,
    expires_ms: i64,
    /// The key that used it.
    key: Option<PublicKey>,
}

/// Makes a code for a box and lets it wait. An earlier one of the same box counts no more.
///
/// # Errors
/// [`EnrolmentError`] by cause.
pub fn invite(config: &Config, box_id: &BoxId, hours: u32, now: UnixMs) -> Result<EnrolmentCode, EnrolmentError> {
    if config.boxes.iter().any(|entry| entry.id == *box_id) {
        return Err(EnrolmentError::Configured(box_id.clone()));
    }
    let state = StateDir::new(&config.state_dir);
    let path = state.public_key();
    let text = fs::read_to_string(&path).map_err(EnrolmentError::NoKey)?;
    let key = text.trim().parse().map_err(|source| EnrolmentError::BadKey { path, source })?;
    let mut secret = [0; EnrolmentCode::SECRET_BYTES];
    getrandom::fill(&mut secret).map_err(EnrolmentError::Random)?;
    let expires_ms = now.0.saturating_add(i64::from(hours.min(INVITATION_HOURS_MAX)) * HOUR_MS);
    let invitation = Invitation { secret: hex::encode(secret), expires_ms, key: None };
    write_invitation(&state, box_id, &invitation)?;
    Ok(EnrolmentCode::new(secret, &key))
}

/// Who may deliver, and who lets boxes in.
pub(crate) struct Enrolments {
    state: StateDir,
    platform: PlatformId,
    signing: SigningKey,
    /// DER, for boxes to pin.
    certificate: Vec<u8>,
    /// Of each box the key that was let in, and those that follow from it.
    keys: RwLock<HashMap<BoxId, Lineage>>,
    configured: BTreeSet<BoxId>,
    /// One box after the other.
    turn: Mutex<()>,
}

impl Enrolments {
    /// Those of the configuration, and those that were let in before; the configuration counts where both name a box.
    pub(crate) fn open(
        config: &Config,
        state: &StateDir,
        signing: SigningKey,
        certificate: Vec<u8>,
    ) -> Result<Enrolments, EnrolmentError> {
        let mut keys = let_in_before(&folder(state, "enrolled"))?;
        keys.extend(config.boxes.iter().map(|entry| (entry.id.clone(), entry.key)));
        let lineage = |(box_id, key): (BoxId, PublicKey)| match box_keys::lineage(state, &box_id, key) {
            Ok(lineage) => Ok((box_id, lineage)),
            Err(source) => Err(EnrolmentError::Keys { box_id, source }),
        };
        let keys = keys.into_iter().map(lineage).collect::<Result<_, _>>()?;
        Ok(Enrolments {
            state: state.clone(),
            platform: config.name.clone(),
            signing,
            certificate,
            keys: RwLock::new(keys),
            configured: config.boxes.iter().map(|entry| entry.id.clone()).collect(),
            turn: Mutex::new(()),
        })
    }

    /// All of them, each with the key that signs now.
    pub(crate) fn boxes(&self) -> Vec<EnrolledBox> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|(id, keys)| EnrolledBox { id: id.clone(), key: keys.newest() }).collect()
    }

    /// The keys of a box that may deliver.
    pub(crate) fn keys(&self, box_id: &BoxId) -> Option<Lineage> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(box_id).cloned()
    }

    /// The folder with what is known of keys.
    pub(crate) fn state(&self) -> &StateDir {
        &self.state
    }

    /// Takes a box's word that another key took its key's place; durable when this returns. Gives the key that signs now.
    pub(crate) fn change_key(&self, box_id: &BoxId, cose: &[u8]) -> Result<EnrolledBox, BoxKeyError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody = || BoxKeyError::OtherName(batch::Whose::Box(box_id.clone()));
        let before = self.keys(box_id).ok_or_else(nobody)?;
        let change = box_keys::judge(&self.state, &before, box_id, cose)?;
        box_keys::keep(&self.state, box_id, cose)?;
        let after = box_keys::lineage(&self.state, box_id, before.heirs()[0].key)?;
        let key = after.newest();
        if before.newest() != key {
            log::info!(box_id:%, former:% = change.old, key:%, reason = change.reason.as_str(); "a box has another key now, by its old one");
        }
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(box_id.clone(), after);
        Ok(EnrolledBox { id: box_id.clone(), key })
    }

    /// Whether a wish has the code that waits for its box. The key is on the disk when this returns; it counts once the
    /// database knows the box too, which [`Enrolments::admit`] is told.
    pub(crate) fn take(&self, wish: &Enrolment, now: UnixMs) -> Result<EnrolledBox, EnrolmentError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let box_id = &wish.box_id;
        if self.configured.contains(box_id) {
            return Err(EnrolmentError::Configured(box_id.clone()));
        }
        let not_invited = || EnrolmentError::NotInvited(box_id.clone());
        let mut invitation = read_invitation(&self.state, box_id)?.ok_or_else(not_invited)?;
        let mut secret = [0; EnrolmentCode::SECRET_BYTES];
        hex::decode_to_slice(&invitation.secret, &mut secret).map_err(|_| not_invited())?;
        let code = EnrolmentCode::new(secret, &self.signing.public());
        if now.0 >= invitation.expires_ms || !wish.proves(&code) {
            return Err(not_invited());
        }
        if invitation.key.is_some_and(|key| key != wish.key) {
            return Err(EnrolmentError::Used(box_id.clone()));
        }
        let known = self.keys.read().unwrap_or_else(PoisonError::into_inner).len();
        let before = self.keys(box_id);
        if before.is_none() && known >= ENROLLED_MAX {
            return Err(EnrolmentError::TooMany);
        }
        let refused = |source| EnrolmentError::Keys { box_id: box_id.clone(), source };
        if let Some(revoked) = box_keys::revocation(&self.state, box_id, wish.key.id()).map_err(refused)? {
            let (box_id, key, reason) = (box_id.clone(), wish.key.id(), revoked.reason);
            return Err(refused(BoxKeyError::Revoked { box_id, key, reason }));
        }
        // First whom the code is for: a power cut after it leaves a box that only has to ask again.
        invitation.key = Some(wish.key);
        write_invitation(&self.state, box_id, &invitation)?;
        let path = folder(&self.state, "enrolled").join(format!("{box_id}.pub"));
        write(&path, wish.key.to_string().as_bytes(), PUBLIC)?;
        if let Some(former) = before.map(|before| before.newest()).filter(|former| *former != wish.key) {
            let (platform, box_id, key) = (self.platform.clone(), box_id.clone(), wish.key);
            let says = Succession { platform, box_id, former, key, at_ms: now };
            box_keys::keep(&self.state, &says.box_id, &says.sign(&self.signing)).map_err(refused)?;
        }
        Ok(EnrolledBox { id: box_id.clone(), key: wish.key })
    }

    /// The key of this box counts from now on, instead of an earlier one; gives the signed answer.
    pub(crate) fn admit(&self, entry: &EnrolledBox, now: UnixMs) -> Result<Vec<u8>, EnrolmentError> {
        let lineage = box_keys::lineage(&self.state, &entry.id, entry.key);
        let lineage = lineage.map_err(|source| EnrolmentError::Keys { box_id: entry.id.clone(), source })?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let before = keys.insert(entry.id.clone(), lineage).map(|before| before.newest());
        match before.filter(|before| *before != entry.key) {
            None => log::info!(box_id:% = entry.id, key:% = entry.key; "a box was enrolled by its code"),
            Some(before) => {
                log::warn!(box_id:% = entry.id, key:% = entry.key, before:%; "a box has another key now, by a code");
            }
        }
        let answer = Enrolled {
            platform: self.platform.clone(),
            key: self.signing.public(),
            box_id: entry.id.clone(),
            box_key: entry.key,
            certificate: self.certificate.clone(),
            enrolled_ms: now,
        };
        Ok(answer.sign(&self.signing))
    }
}

impl std::fmt::Debug for Enrolments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Enrolments").field("state", &self.state).field("signing", &self.signing).finish_non_exhaustive()
    }
}

fn folder(state: &StateDir, name: &str) -> PathBuf {
    state.path().join(name)
}

fn let_in_before(folder: &Path) -> Result<HashMap<BoxId, PublicKey>, EnrolmentError> {
    let failed = |source| FileError { doing: "read", path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashMap::new()),
        entries => entries.map_err(failed)?,
    };
    let mut keys = HashMap::new();
    for entry in entries.take(ENROLLED_MAX) {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".pub"));
        let Some(box_id) = name.and_then(|name| BoxId::new(name).ok()) else { continue };
        let failed = |source| FileError { doing: "read", path: path.clone(), source };
        let key = fs::read_to_string(&path).map_err(failed)?.trim().parse();
        keys.insert(box_id, key.map_err(|source| EnrolmentError::BadKey { path, source })?);
    }
    Ok(keys)
}

fn invitation_path(state: &StateDir, box_id: &BoxId) -> PathBuf {
    folder(state, "invitations").join(format!("{box_id}.toml"))
}

fn read_invitation(state: &StateDir, box_id: &BoxId) -> Result<Option<Invitation>, EnrolmentError> {
    let path = invitation_path(state, box_id);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|source| FileError { doing: "read", path: path.clone(), source })?,
    };
    // What is no invitation invites nobody.
    Ok(toml::from_str(&text).ok())
}

fn write_invitation(state: &StateDir, box_id: &BoxId, invitation: &Invitation) -> Result<(), EnrolmentError> {
    let path = invitation_path(state, box_id);
    let text = toml::to_string(invitation).map_err(io::Error::other);
    let text = text.map_err(|source| FileError { doing: "write", path: path.clone(), source })?;
    Ok(write(&path, text.as_bytes(), SECRET)?)
}
