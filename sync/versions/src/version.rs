//! One version of one file.

use std::fmt::{self, Display};
use std::str::FromStr;

use record::ConfigFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 of a text.
pub fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// Which version: `devices-3` is the third that was kept of `devices.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId {
    /// Of which file.
    pub file: ConfigFile,
    /// 1, 2, 3, ... of this file.
    pub number: u64,
}

/// Why a text names no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no version: write FILE-NUMBER, as in devices-3 · try: weir config history")]
pub struct VersionIdError(String);

impl Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.file.as_str(), self.number)
    }
}

impl FromStr for VersionId {
    type Err = VersionIdError;

    fn from_str(text: &str) -> Result<VersionId, VersionIdError> {
        let parsed = text.rsplit_once('-').and_then(|(name, number)| {
            let file = ConfigFile::ALL.into_iter().find(|file| file.as_str() == name)?;
            Some(VersionId { file, number: number.parse().ok()? })
        });
        parsed.ok_or_else(|| VersionIdError(text.chars().take(64).collect()))
    }
}

/// How a text came to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A daemon started with it, and nobody had said that it would.
    Found,
    /// It was put there as a new one.
    Applied,
    /// It was put there again.
    RolledBack,
}

/// A text, and how it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    /// Of which file.
    pub file: ConfigFile,
    /// 1, 2, 3, ... of this file.
    pub number: u64,
    /// SHA-256 of the text.
    #[serde(serialize_with = "as_hex", deserialize_with = "from_hex")]
    pub sha256: [u8; 32],
    /// Its length.
    pub bytes: u64,
    /// When it was kept, by the box's wall clock: milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// The number of the user who put it there; none if nobody said so.
    pub by: Option<u32>,
    /// Why, in that one's words.
    pub reason: String,
    /// How it came to be in force.
    pub how: How,
}

impl Version {
    /// What it is called.
    pub fn id(&self) -> VersionId {
        VersionId { file: self.file, number: self.number }
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}

fn from_hex<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&text, &mut bytes).map_err(|_| serde::de::Error::custom("it is not 64 hex digits"))?;
    Ok(bytes)
}
