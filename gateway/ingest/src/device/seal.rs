//! The key of a device's own envelope around each frame.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

/// Bytes of an HMAC-SHA-256 key and of an Ed25519 public key.
const KEY_BYTES: usize = 32;

/// What opens a device's envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealKey {
    /// `mac_key`: COSE_Mac0 with HMAC-SHA-256. The device has the same key.
    Mac(MacKey),
    /// `ed25519`: COSE_Sign1. Only the device has the private half.
    Ed25519(Ed25519Key),
}

/// Whether a device's frames must carry an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SealPolicy {
    /// Frames carry none; what looks like one is payload.
    #[default]
    None,
    /// A frame may carry one, and then it must be right.
    Optional,
    /// A frame without one is refused.
    Required,
}

/// A 256-bit HMAC key: read from 64 hex digits, never printed, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct MacKey(Zeroizing<[u8; KEY_BYTES]>);

/// An Ed25519 public key: 64 hex digits. No secret, but it stands beside those.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub struct Ed25519Key([u8; KEY_BYTES]);

/// Why a value is no key. The value is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key is not a text of 64 hex digits: write each of its 32 bytes as two digits, in quotes")]
pub struct SealKeyError;

impl MacKey {
    /// Takes the bytes of a key.
    pub fn new(bytes: [u8; KEY_BYTES]) -> MacKey {
        MacKey(Zeroizing::new(bytes))
    }

    /// The bytes, for the one who computes the MAC.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Ed25519Key {
    /// Takes the bytes of a public key.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Ed25519Key {
        Ed25519Key(bytes)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl TryFrom<toml::Value> for MacKey {
    type Error = SealKeyError;
    fn try_from(value: toml::Value) -> Result<MacKey, SealKeyError> {
        parse(value).map(MacKey)
    }
}

impl TryFrom<toml::Value> for Ed25519Key {
    type Error = SealKeyError;
    fn try_from(value: toml::Value) -> Result<Ed25519Key, SealKeyError> {
        parse(value).map(|bytes| Ed25519Key(*bytes))
    }
}

fn parse(value: toml::Value) -> Result<Zeroizing<[u8; KEY_BYTES]>, SealKeyError> {
    let toml::Value::String(text) = value else { return Err(SealKeyError) };
    let text = Zeroizing::new(text);
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    hex::decode_to_slice(text.as_bytes(), bytes.as_mut_slice()).map_err(|_| SealKeyError)?;
    Ok(bytes)
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl fmt::Debug for Ed25519Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Key({})", hex::encode(self.0))
    }
}
