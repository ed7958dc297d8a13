//! How one key takes the place of another without a gap: signed statements that stand by themselves.
//!
//! ```text
//! KeyChange    old key signs ( new key signs ( whose, old, new, number, when, why ) )     a box or a platform changes its key
//! Succession   platform signs ( box, former key, key, when )                              another machine took a box's place
//! Revocation   platform signs ( box, key, from when, why )                                a key proves nothing from then on
//! ```
//! A change is signed twice, one envelope inside the other: the new key's signature shows that whoever asks has it, and
//! nobody can name a key that is another's; the old one's shows that it was asked by whom the old one belongs to. Each is a
//! COSE_Sign1 of its own kind, so that any COSE library verifies them one after the other.

mod lineage;
mod revocation;
mod succession;
#[cfg(test)]
mod tests;

use minicbor::{Decode, Decoder, Encode, decode};
use record::{ClockQuality, UnixMs};
use serde::Serialize;

pub use lineage::{Heir, Lineage, Voucher, platform_keys};
pub use revocation::Revocation;
pub use succession::Succession;

use crate::{Artifact, BoxId, OpenError, PlatformId, PublicKey, SigningKey, payload};

/// Most bytes of a statement about keys: a reason of the longest form, in two envelopes, needs some 1,500.
pub const STATEMENT_BYTES_MAX: usize = record::Act::STATEMENT_BYTES_MAX;
/// Longest reason, in bytes.
const REASON_BYTES_MAX: usize = record::Audit::TEXT_BYTES_MAX;

/// Whose key it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// A box's, which signs batches and tree heads.
    #[n(0)]
    Box(#[n(0)] BoxId),
    /// A platform's, which signs receipts.
    #[n(1)]
    Platform(#[n(0)] PlatformId),
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Whose::Box(name) => write!(f, "box {name}"),
            Whose::Platform(name) => write!(f, "platform {name}"),
        }
    }
}

/// A key's word that another one takes its place.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct KeyChange {
    /// Of whom.
    #[n(0)]
    pub whose: Whose,
    /// Signed until now.
    #[n(1)]
    pub old: PublicKey,
    /// Signs from now on.
    #[n(2)]
    pub new: PublicKey,
    /// The first change of this name is 1.
    #[n(3)]
    pub number: u32,
    /// When, by the clock of whose key it is.
    #[n(4)]
    pub at_ms: UnixMs,
    /// What that clock was worth; a platform says nothing of its own.
    #[n(5)]
    pub clock: Option<ClockQuality>,
    /// Why, in words.
    #[n(6)]
    #[cbor(decode_with = "bounded")]
    pub reason: String,
}

/// What the old key signs: what the new one has signed.
#[derive(Encode, Decode)]
#[cbor(array)]
struct Accepted {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    by_new: Vec<u8>,
}

impl KeyChange {
    /// Most changes of one name that are followed.
    pub const CHANGES_MAX: usize = 64;

    /// The signed bytes; the same for the same statement and keys. The keys are those that it names.
    pub fn sign(&self, old: &SigningKey, new: &SigningKey) -> Vec<u8> {
        debug_assert!(old.public() == self.old && new.public() == self.new);
        let by_new = crate::envelope::sign(Artifact::NewKey, payload::encode(self), new);
        crate::envelope::sign(Artifact::KeyChange, payload::encode(&Accepted { by_new }), old)
    }

    /// Reads a statement that both keys it names have signed. Whether its old key is one to believe is for the caller.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, a signature is missing, or it is not in its one form.
    pub fn open(bytes: &[u8]) -> Result<KeyChange, OpenError> {
        let Accepted { by_new } =
            payload::decode(Artifact::KeyChange, crate::envelope::unverified(Artifact::KeyChange, bytes)?)?;
        let inner = crate::envelope::unverified(Artifact::NewKey, &by_new)?;
        let claimed: KeyChange = payload::decode(Artifact::NewKey, inner)?;
        let KeyChange { old, new, .. } = claimed;
        if old == new {
            return Err(OpenError::Envelope { artifact: Artifact::KeyChange, why: "it changes a key into itself" });
        }
        crate::envelope::open(Artifact::NewKey, &by_new, |kid| (kid == new.id()).then_some(new))?;
        crate::envelope::open(Artifact::KeyChange, bytes, |kid| (kid == old.id()).then_some(old))?;
        Ok(claimed)
    }
}

fn bounded<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let text = d.str()?;
    if text.len() > REASON_BYTES_MAX {
        return Err(decode::Error::message("a reason has at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

/// A statement that a key takes the place of another, of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyStatement {
    /// By the key that goes.
    Change(KeyChange),
    /// By a platform, of a box whose key was lost.
    Succession {
        /// What it says.
        says: Succession,
        /// The signed bytes: whose key they must be verified with is not in them.
        cose: Vec<u8>,
    },
}

impl KeyStatement {
    /// Reads either kind. A change has been verified then, by the keys that it names; a succession has not.
    ///
    /// # Errors
    /// [`OpenError`] if it is neither.
    pub fn read(cose: &[u8]) -> Result<KeyStatement, OpenError> {
        match crate::envelope::outline(Artifact::KeyChange, cose) {
            Err(OpenError::WrongArtifact { .. }) => {
                let says = Succession::claimed(cose)?;
                Ok(KeyStatement::Succession { says, cose: cose.to_vec() })
            }
            Err(error) => Err(error),
            Ok(_) => KeyChange::open(cose).map(KeyStatement::Change),
        }
    }

    /// Of whom.
    pub fn whose(&self) -> Whose {
        match self {
            KeyStatement::Change(change) => change.whose.clone(),
            KeyStatement::Succession { says, .. } => Whose::Box(says.box_id.clone()),
        }
    }

    /// The key that goes, and the one that comes.
    pub fn keys(&self) -> (PublicKey, PublicKey) {
        match self {
            KeyStatement::Change(change) => (change.old, change.new),
            KeyStatement::Succession { says, .. } => (says.former, says.key),
        }
    }

    /// When, by the clock of who signed.
    pub fn at_ms(&self) -> UnixMs {
        match self {
            KeyStatement::Change(change) => change.at_ms,
            KeyStatement::Succession { says, .. } => says.at_ms,
        }
    }
}
