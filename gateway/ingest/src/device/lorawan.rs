//! `[device.lorawan]`: a LoRaWAN end-device that this box serves itself.

use ::lorawan::{DevAddr, DevEui, JoinEui, MacVersion, RootKeys, SessionKeys, SessionKeys11};
use serde::Deserialize;

use super::keys::{DeviceKeys, MissingKey};

/// A LoRaWAN end-device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LorawanDevice {
    /// The LoRaWAN version of its data sheet.
    pub version: MacVersion,
    /// How it comes to its session.
    pub activation: Activation,
    /// When it listens.
    pub class: Class,
    /// The box may choose its data rate and power (ADR).
    pub adr: bool,
    /// A frame counter that starts again at 0 is accepted. Whoever recorded its first frames can then send them again.
    pub counter_reset: bool,
}

/// How a device comes to its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// Over the air: it joins.
    Otaa {
        /// DevEUI.
        dev_eui: DevEui,
        /// JoinEUI (AppEUI in 1.0); a join-request with another one is refused.
        join_eui: JoinEui,
        /// AppKey, or NwkKey and AppKey.
        keys: RootKeys,
    },
    /// By personalisation: address and session keys are written into it.
    Abp {
        /// Its address in the air.
        dev_addr: DevAddr,
        /// Its session keys.
        keys: SessionKeys,
    },
}

/// When a device listens (LoRaWAN 1.0.4 §3, §16).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Class {
    /// Twice after each of its frames.
    #[default]
    A,
    /// Always; it is not on a battery.
    C,
}

/// Why a `[device.lorawan]` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LorawanDeviceError {
    /// `dev_eui` and `dev_addr`, or neither.
    #[error(
        "it has {0} of `dev_eui` and `dev_addr`: write `dev_eui` if it joins (OTAA), `dev_addr` if it does not (ABP)"
    )]
    Activation(&'static str),
    /// `join_eui` without a join.
    #[error("`join_eui` belongs to a device that joins: write `dev_eui` beside it, or remove it")]
    JoinEui,
    /// `counter_reset` of a device that joins.
    #[error("`counter_reset` is for devices without a join (ABP): a device that joins gets new counters by joining")]
    CounterReset,
    /// A key is not in keys.toml.
    #[error(transparent)]
    Key(MissingKey),
}

/// `[device.lorawan]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LorawanSection {
    /// Most sensors on sale are of this version, and it forgives most.
    #[serde(default = "default_version")]
    version: MacVersion,
    dev_eui: Option<DevEui>,
    join_eui: Option<JoinEui>,
    dev_addr: Option<DevAddr>,
    #[serde(default)]
    class: Class,
    #[serde(default)]
    adr: bool,
    #[serde(default)]
    counter_reset: bool,
}

fn default_version() -> MacVersion {
    MacVersion::V1_0_3
}

impl LorawanSection {
    pub(super) fn into_device(self, keys: &mut DeviceKeys) -> Result<LorawanDevice, LorawanDeviceError> {
        let LorawanSection { version, dev_eui, join_eui, dev_addr, class, adr, counter_reset } = self;
        let activation = match (dev_eui, dev_addr) {
            (Some(_), Some(_)) => return Err(LorawanDeviceError::Activation("both")),
            (None, None) => return Err(LorawanDeviceError::Activation("neither")),
            (Some(_), None) if counter_reset => return Err(LorawanDeviceError::CounterReset),
            (None, Some(_)) if join_eui.is_some() => return Err(LorawanDeviceError::JoinEui),
            (Some(dev_eui), None) => {
                let keys = root_keys(version, keys).map_err(LorawanDeviceError::Key)?;
                Activation::Otaa { dev_eui, join_eui: join_eui.unwrap_or_default(), keys }
            }
            (None, Some(dev_addr)) => {
                let keys = session_keys(version, keys).map_err(LorawanDeviceError::Key)?;
                Activation::Abp { dev_addr, keys }
            }
        };
        Ok(LorawanDevice { version, activation, class, adr, counter_reset })
    }
}

fn root_keys(version: MacVersion, keys: &mut DeviceKeys) -> Result<RootKeys, MissingKey> {
    let app_key = keys.app_key.take().ok_or(MissingKey("`app_key`"))?;
    match version {
        MacVersion::V1_1 => {
            Ok(RootKeys::V1_1 { nwk_key: keys.nwk_key.take().ok_or(MissingKey("`nwk_key`"))?, app_key })
        }
        MacVersion::V1_0_2 | MacVersion::V1_0_3 | MacVersion::V1_0_4 => Ok(RootKeys::V1_0 { app_key }),
    }
}

fn session_keys(version: MacVersion, keys: &mut DeviceKeys) -> Result<SessionKeys, MissingKey> {
    let app_s_key = keys.app_s_key.take().ok_or(MissingKey("`app_s_key`"))?;
    match version {
        MacVersion::V1_1 => Ok(SessionKeys::v1_1(SessionKeys11 {
            f_nwk_s_int_key: keys.f_nwk_s_int_key.take().ok_or(MissingKey("`f_nwk_s_int_key`"))?,
            s_nwk_s_int_key: keys.s_nwk_s_int_key.take().ok_or(MissingKey("`s_nwk_s_int_key`"))?,
            nwk_s_enc_key: keys.nwk_s_enc_key.take().ok_or(MissingKey("`nwk_s_enc_key`"))?,
            app_s_key,
        })),
        MacVersion::V1_0_2 | MacVersion::V1_0_3 | MacVersion::V1_0_4 => {
            Ok(SessionKeys::v1_0(keys.nwk_s_key.take().ok_or(MissingKey("`nwk_s_key`"))?, app_s_key))
        }
    }
}
