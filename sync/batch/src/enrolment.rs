//! How a box and a platform come to know each other's keys, by a code that a person carries from one to the other.
//!
//! ```text
//! platform: makes a code ──► a person ──► box
//! box:      Enrolment { box, key, proof }, signed by that key          ──► platform: is the proof of a code that waits?
//! box:      is it signed by the key of the code? ◄── Enrolled { …, certificate }, signed by the platform
//! ```
//! The code has a secret, of which only the proof travels, and the beginning of the platform's key's hash: so the box
//! needs to trust no connection, nobody in between can put his own keys or certificate in, and nobody can use the code
//! for a box or key that it was not sent with.

mod code;

use hmac::{Hmac, KeyInit, Mac};
use minicbor::{Decode, Encode};
use record::UnixMs;
use sha2::Sha256;

pub use code::{CodeError, EnrolmentCode};

use crate::{Artifact, BoxId, OpenError, PlatformId, PublicKey, SigningKey, payload};

/// Most bytes of either artifact: a certificate is the largest part.
pub const ENROLMENT_BYTES_MAX: usize = 16 * 1024;

/// A box's wish to be known.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Enrolment {
    /// Its name.
    #[n(0)]
    pub box_id: BoxId,
    /// The key that its batches will be signed with.
    #[n(1)]
    pub key: PublicKey,
    /// That it has the code: HMAC-SHA-256 under the code's secret, over the name's length in one byte, the name, the key.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub proof: [u8; 32],
}

/// A platform's answer.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Enrolled {
    /// Who enrolled.
    #[n(0)]
    pub platform: PlatformId,
    /// The key that its receipts are signed with.
    #[n(1)]
    pub key: PublicKey,
    /// Whom.
    #[n(2)]
    pub box_id: BoxId,
    /// Under which key.
    #[n(3)]
    pub box_key: PublicKey,
    /// The certificate, DER, that its TLS certificate is signed by, or is.
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
    /// When, by the platform's clock.
    #[n(5)]
    pub enrolled_ms: UnixMs,
}

impl Enrolment {
    /// The wish of this box, proven with a code.
    pub fn new(box_id: BoxId, key: PublicKey, code: &EnrolmentCode) -> Enrolment {
        let proof = mac(&box_id, &key, &code.secret).finalize().into_bytes().into();
        Enrolment { box_id, key, proof }
    }

    /// The signed bytes.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Enrolment, payload::encode(self), key)
    }

    /// Reads a wish, signed by the key that it names. Whether it has a code is for [`Enrolment::proves`].
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, not signed by its own key, or not in its one form.
    pub fn open(bytes: &[u8]) -> Result<Enrolment, OpenError> {
        let artifact = Artifact::Enrolment;
        let claimed: Enrolment = payload::decode(artifact, crate::envelope::unverified(artifact, bytes)?)?;
        crate::envelope::open(artifact, bytes, |kid| (kid == claimed.key.id()).then_some(claimed.key))?;
        Ok(claimed)
    }

    /// Whether whoever made this had the code; compared in constant time.
    pub fn proves(&self, code: &EnrolmentCode) -> bool {
        mac(&self.box_id, &self.key, &code.secret).verify_slice(&self.proof).is_ok()
    }
}

impl Enrolled {
    /// The signed bytes.
    pub fn sign(&self, key: &SigningKey) -> Vec<u8> {
        crate::envelope::sign(Artifact::Enrolled, payload::encode(self), key)
    }

    /// Reads an answer and believes it, if the key that it names, and is signed by, is that of the code.
    ///
    /// # Errors
    /// [`OpenError`] if it is another artifact, of another platform than the code's, or not in its one form.
    pub fn verify(bytes: &[u8], code: &EnrolmentCode) -> Result<Enrolled, OpenError> {
        let artifact = Artifact::Enrolled;
        let claimed: Enrolled = payload::decode(artifact, crate::envelope::unverified(artifact, bytes)?)?;
        let is_it = |kid| kid == claimed.key.id() && code.is_of(&claimed.key);
        crate::envelope::open(artifact, bytes, |kid| is_it(kid).then_some(claimed.key))?;
        Ok(claimed)
    }
}

fn mac(box_id: &BoxId, key: &PublicKey, secret: &[u8]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else {
        unreachable!("HMAC takes keys of any length (RFC 2104 §2)")
    };
    let name = box_id.as_str().as_bytes();
    mac.update(&[u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    mac.update(name);
    mac.update(&key.to_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(secret: u8, platform: &SigningKey) -> EnrolmentCode {
        EnrolmentCode::new([secret; EnrolmentCode::SECRET_BYTES], &platform.public())
    }

    #[test]
    fn only_the_code_its_box_and_its_platform_are_believed() {
        let (city, other) = (SigningKey::from_seed(&[1; 32]), SigningKey::from_seed(&[2; 32]));
        let key = SigningKey::from_seed(&[3; 32]);
        let box_id = BoxId::new("outfall-1").unwrap();
        let wish = Enrolment::new(box_id.clone(), key.public(), &code(7, &city));
        let read = Enrolment::open(&wish.sign(&key)).unwrap();
        assert_eq!(read, wish);
        assert!(read.proves(&code(7, &city)) && !read.proves(&code(8, &city)));
        let renamed = Enrolment { box_id: BoxId::new("outfall-2").unwrap(), ..wish.clone() };
        let rekeyed = Enrolment { key: other.public(), ..wish.clone() };
        assert!(!renamed.proves(&code(7, &city)) && !rekeyed.proves(&code(7, &city)));
        assert!(matches!(Enrolment::open(&wish.sign(&other)), Err(OpenError::UnknownKey { .. })), "not its own key");

        let answer = Enrolled {
            platform: PlatformId::new("city").unwrap(),
            key: city.public(),
            box_id,
            box_key: key.public(),
            certificate: vec![0x30, 0],
            enrolled_ms: UnixMs(5),
        };
        let bytes = answer.sign(&city);
        assert_eq!(Enrolled::verify(&bytes, &code(7, &city)).unwrap(), answer);
        assert!(matches!(Enrolled::verify(&bytes, &code(7, &other)), Err(OpenError::UnknownKey { .. })));
        let forged = Enrolled { key: other.public(), ..answer.clone() };
        assert!(Enrolled::verify(&forged.sign(&other), &code(7, &city)).is_err(), "somebody in between");
        assert!(Enrolled::verify(&answer.sign(&other), &code(7, &city)).is_err());
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(Enrolled::verify(&flipped, &code(7, &city)).is_err(), "byte {at}");
        }
    }
}
