//! A device of the table: who it is, how it proves it, how its payload is read.

pub(crate) mod chirpstack;
pub(crate) mod integration;
pub(crate) mod keys;
pub(crate) mod lorawan;
pub(crate) mod mqtt;
pub(crate) mod password;
pub(crate) mod sampling;
pub(crate) mod seal;
pub(crate) mod serial;
pub(crate) mod table;
pub(crate) mod topic;

use record::{CodecText, OutfallCode, SourceId};

use crate::Codec;
use chirpstack::ChirpstackDevice;
use lorawan::LorawanDevice;
use mqtt::MqttDevice;
use sampling::Sampling;
use serial::SerialDevice;

/// One `[[device]]` with its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, everywhere in the product.
    pub name: SourceId,
    /// Frames of a disabled device are refused and counted; its session stays for the day it is enabled again.
    pub enabled: bool,
    /// The outfall at which it stands; its data are refused as long as that has no dossier.
    pub outfall: Option<OutfallCode>,
    /// The one way it may send on.
    pub link: DeviceLink,
    /// How its payload is read.
    pub codec: Codec,
    /// How it is told to measure more or less often; none if it is not said.
    pub sampling: Option<Sampling>,
    /// The text that decides it, as the journal keeps it.
    pub codec_text: CodecText,
}

/// How a device reaches the box and proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceLink {
    /// `[device.mqtt]`
    Mqtt(MqttDevice),
    /// `[device.lorawan]`
    Lorawan(LorawanDevice),
    /// `[device.serial]`
    Serial(SerialDevice),
    /// `[device.chirpstack]`
    Chirpstack(ChirpstackDevice),
}

impl DeviceLink {
    /// `mqtt`, `lorawan`, `serial` or `chirpstack`.
    pub fn as_str(&self) -> &'static str {
        match self {
            DeviceLink::Mqtt(_) => "mqtt",
            DeviceLink::Lorawan(_) => "lorawan",
            DeviceLink::Serial(_) => "serial",
            DeviceLink::Chirpstack(_) => "chirpstack",
        }
    }
}
