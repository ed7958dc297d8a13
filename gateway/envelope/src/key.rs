//! The keys of devices. None of them is ever shown.

use std::fmt;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Alg;

/// What the box holds to check a device's envelopes.
#[derive(Clone, PartialEq, Eq)]
pub enum DeviceKey {
    /// The secret that the device has too.
    Hmac(HmacKey),
    /// The public half of the device's signing key.
    Ed25519(PublicKey),
}

impl DeviceKey {
    /// The kind of key, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            DeviceKey::Hmac(_) => "a secret for HMAC",
            DeviceKey::Ed25519(_) => "a public key for Ed25519",
        }
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.kind())
    }
}

/// Why bytes are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No point of the curve, or one of small order, under which signatures prove nothing.
    #[error("these 32 bytes are no usable Ed25519 public key · try: read it from the device again")]
    NotAPublicKey,
}

/// A secret for HMAC-SHA-256, as long as the hash (RFC 2104 §3), wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct HmacKey(Zeroizing<[u8; HmacKey::BYTES]>);

impl HmacKey {
    /// Length in bytes.
    pub const BYTES: usize = 32;

    /// Takes a secret; the caller wipes its own copy.
    pub fn from_bytes(secret: &[u8; HmacKey::BYTES]) -> HmacKey {
        HmacKey(Zeroizing::new(*secret))
    }

    fn keyed(&self, message: &[u8]) -> Hmac<Sha256> {
        match Hmac::<Sha256>::new_from_slice(self.0.as_slice()) {
            Ok(mac) => mac.chain_update(message),
            Err(never) => unreachable!("HMAC takes a key of any length: {never}"),
        }
    }

    /// The tag of `alg`'s length.
    pub(crate) fn tag(&self, alg: Alg, message: &[u8]) -> Vec<u8> {
        let mut tag = self.keyed(message).finalize().into_bytes().to_vec();
        tag.truncate(alg.proof_bytes());
        tag
    }

    /// Compares in constant time; `tag` has the length of its algorithm.
    pub(crate) fn verifies(&self, message: &[u8], tag: &[u8]) -> bool {
        self.keyed(message).verify_truncated_left(tag).is_ok()
    }
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

/// A device's Ed25519 public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks and takes 32 bytes (RFC 8032 §5.1.2).
    ///
    /// # Errors
    /// [`KeyError::NotAPublicKey`] if they name no point of the curve, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).ok().filter(|key| !key.is_weak());
        key.map(PublicKey).ok_or(KeyError::NotAPublicKey)
    }

    /// Whether it signed this; non-canonical signatures and mixed-order points are refused.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.0.as_bytes()))
    }
}

/// A device's Ed25519 private key, for the far end; wiped when it is dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// The key of a 32-byte seed (RFC 8032 §5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> SigningKey {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The half that the box gets.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).to_bytes().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}
