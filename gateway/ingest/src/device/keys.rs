//! `keys.toml`: every secret of every device, by device name, in a file of its own.

use std::collections::{BTreeMap, BTreeSet};

use ::lorawan::Key128;
use record::SourceId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use zeroize::Zeroizing;

use super::password::Password;
use super::seal::{Ed25519Key, MacKey, SealKey};
use super::table::line_of;
use crate::nearest::nearest;

/// Names without a device that are compared with those of the devices.
const NEAREST_MAX: usize = 16;

/// The keys of one device as they stand in the file. Whoever needs one takes it; what is left belongs to no one.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceKeys {
    pub(super) password: Option<Password>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) app_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) nwk_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) nwk_s_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) app_s_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) f_nwk_s_int_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) s_nwk_s_int_key: Option<Key128>,
    #[serde(default, deserialize_with = "key128")]
    pub(super) nwk_s_enc_key: Option<Key128>,
    pub(super) mac_key: Option<MacKey>,
    pub(super) ed25519: Option<Ed25519Key>,
}

/// By way of a value, because serde's own words for a wrong type repeat it.
fn key128<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Key128>, D::Error> {
    let toml::Value::String(text) = toml::Value::deserialize(deserializer)? else {
        return Err(D::Error::custom("the key is not a text: put it in quotes"));
    };
    Zeroizing::new(text).parse().map(Some).map_err(D::Error::custom)
}

/// A key that a device needs and keys.toml does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("keys.toml has no {0} for it: add it below the device's name")]
pub struct MissingKey(pub(super) &'static str);

/// Why a text is no `keys.toml`. Lines count from 1; secrets are never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// Not TOML, an unknown key, or a value of the wrong form.
    #[error("line {line}: {why}")]
    Toml {
        /// Where.
        line: usize,
        /// What is wrong, by key.
        why: String,
    },
    /// A key that the device cannot use: mostly one typed for another device, or for the other way to activate.
    #[error("line {line}: device `{device}` does not use {key}: compare its entry in devices.toml, or remove the key")]
    Unused {
        /// Of the name.
        line: usize,
        /// The name.
        device: SourceId,
        /// The key.
        key: &'static str,
    },
}

/// Keys under a name that devices.toml does not have: of a device that is being added or was removed, for the two files
/// are written one after the other and the power may fail between; else of a misspelt one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "keys.toml, line {line}: devices.toml has no device `{device}`: did you mean {nearest}? Else remove these keys"
)]
pub struct UnusedKeys {
    /// Of the name, from 1.
    pub line: usize,
    /// The name.
    pub device: SourceId,
    /// The nearest ones there are.
    pub nearest: String,
}

/// Refuses a value outside of any device: serde's own words for it would repeat the value.
fn outside(text: &str) -> Result<(), KeysError> {
    // What is no TOML at all is told of by whoever reads it next.
    let file: BTreeMap<Spanned<String>, toml::Value> = toml::from_str(text).unwrap_or_default();
    let Some((name, _)) = file.iter().find(|(_, value)| !value.is_table()) else { return Ok(()) };
    let why =
        format!("`{}` stands outside of any device: write it below the device's name, as [cod-1]", name.get_ref());
    Err(KeysError::Toml { line: line_of(text, name.span().start), why })
}

/// The name of the key whose value begins at this byte; none of a password, whose errors name it.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let line = text.get(..at)?.rsplit('\n').next()?;
    let key = line.split('=').next()?.trim();
    let is_key = key.ends_with("_key") || key == "ed25519";
    (line.contains('=') && is_key && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .then_some(key)
}

/// The whole file.
pub(super) struct Keys {
    by_name: BTreeMap<SourceId, (usize, DeviceKeys)>,
}

impl Keys {
    pub(super) fn parse(text: &str) -> Result<Keys, KeysError> {
        outside(text)?;
        let file: BTreeMap<Spanned<SourceId>, DeviceKeys> = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(text.len(), |span| span.start);
            // Not the error's own Display: it prints the line, and the line holds a key.
            let why = match key_before(text, at) {
                Some(key) => format!("`{key}`: {}", error.message()),
                None => error.message().to_owned(),
            };
            KeysError::Toml { line: line_of(text, at), why }
        })?;
        let placed = |(name, keys): (Spanned<SourceId>, DeviceKeys)| {
            let line = line_of(text, name.span().start);
            (name.into_inner(), (line, keys))
        };
        Ok(Keys { by_name: file.into_iter().map(placed).collect() })
    }

    /// The keys of a device, to be taken from.
    pub(super) fn of(&mut self, device: &SourceId) -> Option<&mut DeviceKeys> {
        self.by_name.get_mut(device).map(|(_, keys)| keys)
    }

    /// Lists names without a device, by line.
    ///
    /// # Errors
    /// [`KeysError::Unused`] for a key of a device that nobody took.
    pub(super) fn finish(self, names: &BTreeSet<SourceId>) -> Result<Vec<UnusedKeys>, KeysError> {
        let mut unused = Vec::new();
        for (device, (line, keys)) in self.by_name {
            if !names.contains(&device) {
                // The nearest are looked for among all devices: not for every line of a file of strangers.
                let nearest = match unused.len() < NEAREST_MAX && !names.is_empty() {
                    true => nearest(device.as_str(), names.iter().map(SourceId::as_str)),
                    false => "another name".to_owned(),
                };
                unused.push(UnusedKeys { line, device, nearest });
                continue;
            }
            if let Some(key) = keys.left() {
                return Err(KeysError::Unused { line, device, key });
            }
        }
        unused.sort_by_key(|keys| keys.line);
        Ok(unused)
    }
}

impl DeviceKeys {
    /// What opens the device's envelope: exactly one of the two.
    pub(super) fn seal_key(&mut self) -> Result<SealKey, MissingKey> {
        match (self.mac_key.take(), self.ed25519.take()) {
            (Some(mac_key), None) => Ok(SealKey::Mac(mac_key)),
            (None, Some(public)) => Ok(SealKey::Ed25519(public)),
            (None, None) => Err(MissingKey("`mac_key` and no `ed25519`")),
            (mac_key, public) => {
                (self.mac_key, self.ed25519) = (None, public);
                mac_key.map(SealKey::Mac).ok_or(MissingKey("`mac_key`"))
            }
        }
    }

    /// The first key that is still there.
    fn left(&self) -> Option<&'static str> {
        let DeviceKeys {
            password,
            app_key,
            nwk_key,
            nwk_s_key,
            app_s_key,
            f_nwk_s_int_key,
            s_nwk_s_int_key,
            nwk_s_enc_key,
            mac_key,
            ed25519,
        } = self;
        let all = [
            ("`password`", password.is_some()),
            ("`app_key`", app_key.is_some()),
            ("`nwk_key`", nwk_key.is_some()),
            ("`nwk_s_key`", nwk_s_key.is_some()),
            ("`app_s_key`", app_s_key.is_some()),
            ("`f_nwk_s_int_key`", f_nwk_s_int_key.is_some()),
            ("`s_nwk_s_int_key`", s_nwk_s_int_key.is_some()),
            ("`nwk_s_enc_key`", nwk_s_enc_key.is_some()),
            ("`mac_key`", mac_key.is_some()),
            ("`ed25519`", ed25519.is_some()),
        ];
        all.into_iter().find(|(_, there)| *there).map(|(key, _)| key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_outside_of_any_device_is_not_repeated() {
        let error = Keys::parse("[cod-1]\npassword = \"river-otter-7\"\n").err();
        assert_eq!(error, None);
        let error = Keys::parse("\npassword = \"river-otter-7\"\n").err().unwrap().to_string();
        assert_eq!(
            error,
            "line 2: `password` stands outside of any device: write it below the device's name, as [cod-1]"
        );
    }
}
