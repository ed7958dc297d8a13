//! A box's signed word that it made an evidence file: what was asked, and what every part of the file is.

use minicbor::{Decode, Encode};
use record::merkle::Hash;
use record::{Seq, SourceId, Stamp, UnixMs};
use serde::{Deserialize, Serialize};

use crate::{Artifact, BoxId, OpenError, PublicKey, SigningKey, payload};

/// Most bytes of a signed seal: [`EvidenceSeal::MEMBERS_MAX`] names of the longest form need some 95 kB.
pub const EVIDENCE_SEAL_BYTES_MAX: usize = 128 * 1024;

/// What somebody wanted evidence of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
pub struct Asked {
    /// Devices; none: all.
    #[n(0)]
    pub sources: Vec<SourceId>,
    /// From this time on.
    #[n(1)]
    pub from_ms: UnixMs,
    /// Before this time.
    #[n(2)]
    pub to_ms: UnixMs,
    /// What for, in the words of who asked.
    #[n(3)]
    pub reason: String,
    /// The alarm around which the times lie, if it is about one.
    #[n(4)]
    pub alarm: Option<Seq>,
}

/// A part of an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MemberDigest {
    /// Its name.
    #[n(0)]
    pub name: String,
    /// SHA-256 over its bytes.
    #[n(1)]
    pub sha256: Hash,
}

/// What is signed. It says that the file is as it was made, not that its report is true: that follows from the records,
/// which the box's tree heads and the platforms' receipts prove by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct EvidenceSeal {
    /// Whose records.
    #[n(0)]
    pub box_id: BoxId,
    /// What was asked.
    #[n(1)]
    pub asked: Asked,
    /// Version of the rule by which the report for people was made of the records.
    #[n(2)]
    pub report_version: u32,
    /// Every other part of the file, in its order.
    #[n(3)]
    pub members: Vec<MemberDigest>,
    /// When it was signed.
    #[n(4)]
    pub stamp: Stamp,
}

/// Why a box does not sign that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} would be {size}, at most {max} are signed; ask for less")]
pub struct SealTooLarge {
    /// Which bound.
    pub what: &'static str,
    /// What was asked.
    pub size: usize,
    /// What is allowed.
    pub max: usize,
}

impl EvidenceSeal {
    /// Most parts of a file.
    pub const MEMBERS_MAX: usize = 512;
    /// Longest name of a part, in bytes: a receipt's, of a platform with the longest name.
    pub const NAME_BYTES_MAX: usize = 143;
    /// Longest reason, in bytes.
    pub const REASON_BYTES_MAX: usize = 1_024;
    /// Most devices that are named.
    pub const SOURCES_MAX: usize = 64;

    /// The signed bytes; the same for the same seal and key. Its bounds are checked, because whoever may ask the box for
    /// a signature says what stands in it.
    ///
    /// # Errors
    /// [`SealTooLarge`].
    pub fn sign(&self, key: &SigningKey) -> Result<Vec<u8>, SealTooLarge> {
        let bounds = [
            ("parts of the file", self.members.len(), EvidenceSeal::MEMBERS_MAX),
            ("bytes of the reason", self.asked.reason.len(), EvidenceSeal::REASON_BYTES_MAX),
            ("devices", self.asked.sources.len(), EvidenceSeal::SOURCES_MAX),
            (
                "bytes of a name",
                self.members.iter().map(|member| member.name.len()).max().unwrap_or(0),
                EvidenceSeal::NAME_BYTES_MAX,
            ),
        ];
        match bounds.into_iter().find(|(_, size, max)| size > max) {
            Some((what, size, max)) => Err(SealTooLarge { what, size, max }),
            None => Ok(crate::envelope::sign(Artifact::Evidence, payload::encode(self), key)),
        }
    }

    /// Reads and believes a seal. Whether the file is the one that it is about is for the caller to compare.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by `key`, or not in its one form.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<EvidenceSeal, OpenError> {
        let payload = crate::envelope::open(Artifact::Evidence, bytes, |kid| (kid == key.id()).then_some(*key))?;
        payload::decode(Artifact::Evidence, &payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Checkpoint;
    use record::{BootNo, ClockQuality, MonoMs};

    fn seal() -> EvidenceSeal {
        let clock = ClockQuality::Synchronised;
        EvidenceSeal {
            box_id: BoxId::new("box-1").unwrap(),
            asked: Asked { reason: "clue 7".into(), ..Asked::default() },
            report_version: 1,
            members: vec![MemberDigest { name: "mimetype".into(), sha256: Hash([7; 32]) }],
            stamp: Stamp { boot: BootNo(0), mono_ms: MonoMs(1), wall_ms: UnixMs(2), clock },
        }
    }

    #[test]
    fn a_seal_is_believed_only_as_what_it_is() {
        let key = SigningKey::from_seed(&[3; 32]);
        let bytes = seal().sign(&key).unwrap();
        assert_eq!(EvidenceSeal::verify(&bytes, &key.public()).unwrap(), seal());
        assert!(matches!(Checkpoint::verify(&bytes, &key.public()), Err(OpenError::WrongArtifact { .. })));
        let other = SigningKey::from_seed(&[4; 32]).public();
        assert!(matches!(EvidenceSeal::verify(&bytes, &other), Err(OpenError::UnknownKey { .. })));
    }

    #[test]
    fn what_is_beyond_a_bound_is_not_signed() {
        let key = SigningKey::from_seed(&[3; 32]);
        let members = |count, name: usize| {
            let member = MemberDigest { name: "x".repeat(name), sha256: Hash([7; 32]) };
            EvidenceSeal { members: vec![member; count], ..seal() }
        };
        let largest = members(EvidenceSeal::MEMBERS_MAX, EvidenceSeal::NAME_BYTES_MAX);
        let bytes = largest.sign(&key).unwrap();
        assert!(bytes.len() < EVIDENCE_SEAL_BYTES_MAX, "{}", bytes.len());
        assert!(EvidenceSeal::verify(&bytes, &key.public()).is_ok());
        let asked = Asked { reason: "x".repeat(EvidenceSeal::REASON_BYTES_MAX + 1), ..Asked::default() };
        for (seal, what) in [
            (members(EvidenceSeal::MEMBERS_MAX + 1, 1), "parts of the file"),
            (members(1, EvidenceSeal::NAME_BYTES_MAX + 1), "bytes of a name"),
            (EvidenceSeal { asked, ..seal() }, "bytes of the reason"),
        ] {
            assert_eq!(seal.sign(&key).unwrap_err().what, what);
        }
    }
}
