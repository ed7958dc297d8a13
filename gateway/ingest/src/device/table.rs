//! Every device that may send: `devices.toml`, checked once, looked up on every frame.

use std::collections::{BTreeMap, BTreeSet};

use lorawan::DevAddr;
use record::{SourceId, UnixMs};
use serde::Deserialize;
use toml::Spanned;

use super::{Device, DeviceLink, LorawanSection, MqttSection, TopicError};
use crate::{Codec, CodecError, DecodeError, Decoded};

/// Most devices of one box: 60 are heard well by one LoRa gateway and 200 clients are a large site; the rest is room.
pub const DEVICES_MAX: usize = 2_000;

/// The devices of a box by name, MQTT topic and DevAddr.
#[derive(Debug, Clone, Default)]
pub struct DeviceTable {
    devices: Vec<Device>,
    by_name: BTreeMap<SourceId, usize>,
    by_topic: BTreeMap<String, usize>,
    /// Every topic in use, for either direction.
    topics: BTreeSet<String>,
    by_dev_addr: BTreeMap<DevAddr, usize>,
}

/// Why a text is no [`DeviceTable`]. Lines count from 1; secrets are never repeated. Correct the file and check it
/// again with `weir config check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTableError {
    /// Not TOML, an unknown or missing key, or a value of the wrong form.
    #[error("line {line}: {why}")]
    Toml {
        /// Where.
        line: usize,
        /// What is wrong, by key.
        why: String,
    },
    /// Beyond [`DEVICES_MAX`].
    #[error("{count} devices are more than the {DEVICES_MAX} of one box: split them over two boxes")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Neither or both ways to send.
    #[error("line {line}: device `{device}` has {found}: give it exactly one of [device.mqtt] and [device.lorawan]")]
    Links {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// `both` or `neither`.
        found: &'static str,
    },
    /// A topic that no device may have.
    #[error("line {line}: device `{device}`, [device.mqtt]")]
    Topic {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// What is wrong with it.
        #[source]
        source: TopicError,
    },
    /// A codec that cannot work.
    #[error("line {line}: device `{device}`, [device.codec]")]
    Codec {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// What is wrong with it.
        #[source]
        source: CodecError,
    },
    /// Two devices of one name.
    #[error("line {line}: device `{device}` stands twice: give each its own name")]
    DuplicateName {
        /// Of the second.
        line: usize,
        /// The name.
        device: SourceId,
    },
    /// A topic belongs to one device, for one direction; else one could speak as the other.
    #[error("line {line}: device `{device}`: topic `{topic}` is already in use: give each device topics of its own")]
    DuplicateTopic {
        /// Of the second.
        line: usize,
        /// The second device.
        device: SourceId,
        /// The topic.
        topic: String,
    },
    /// LoRaWAN allows two devices of one address, told apart by their MIC; this table does not yet.
    #[error(
        "line {line}: device `{device}`: DevAddr {dev_addr} belongs to `{other}`: personalise it with another address"
    )]
    DuplicateDevAddr {
        /// Of the second.
        line: usize,
        /// The second device.
        device: SourceId,
        /// The address.
        dev_addr: DevAddr,
        /// The first device.
        other: SourceId,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    device: Vec<Spanned<Section>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: SourceId,
    mqtt: Option<MqttSection>,
    lorawan: Option<LorawanSection>,
    codec: Codec,
}

impl DeviceTable {
    /// Reads and checks the text of `devices.toml`.
    ///
    /// # Errors
    /// [`DeviceTableError`] for the first fault, with its line.
    pub fn from_toml(text: &str) -> Result<DeviceTable, DeviceTableError> {
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|b| *b == b'\n').count();
        let file: File = toml::from_str(text).map_err(|error| DeviceTableError::Toml {
            line: line_of(error.span().map_or(text.len(), |span| span.start)),
            // Not the error's own Display: it prints the line, and the line may hold a key.
            why: error.message().to_owned(),
        })?;
        if file.device.len() > DEVICES_MAX {
            return Err(DeviceTableError::TooMany { count: file.device.len() });
        }
        let mut table = DeviceTable::default();
        for section in file.device {
            let line = line_of(section.span().start);
            table.insert(line, device(line, section.into_inner())?)?;
        }
        Ok(table)
    }

    /// The devices in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Device> + '_ {
        self.devices.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nobody may send.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// The device of this name.
    pub fn by_name(&self, name: &SourceId) -> Option<&Device> {
        self.by_name.get(name).map(|place| &self.devices[*place])
    }

    /// Reads the payload of an MQTT device that came at `now`, as its codec says.
    ///
    /// # Errors
    /// [`DecodeError`], also for a device that the table does not have.
    pub fn decode(&self, device: &SourceId, payload: &[u8], now: UnixMs) -> Result<Decoded, DecodeError> {
        self.by_name(device).ok_or(DecodeError::UnknownDevice)?.codec.decode(payload, now, None)
    }

    /// The device that publishes to this MQTT topic.
    pub fn by_topic(&self, topic: &str) -> Option<&Device> {
        self.by_topic.get(topic).map(|place| &self.devices[*place])
    }

    /// The device of this LoRaWAN address. Only its MIC says that a frame is really its own.
    pub fn by_dev_addr(&self, dev_addr: DevAddr) -> Option<&Device> {
        self.by_dev_addr.get(&dev_addr).map(|place| &self.devices[*place])
    }

    fn insert(&mut self, line: usize, device: Device) -> Result<(), DeviceTableError> {
        let place = self.devices.len();
        let name = device.name.clone();
        if self.by_name.insert(name.clone(), place).is_some() {
            return Err(DeviceTableError::DuplicateName { line, device: name });
        }
        match &device.link {
            DeviceLink::Mqtt(mqtt) => {
                for topic in [&mqtt.topic, &mqtt.command_topic] {
                    if !self.topics.insert(topic.clone()) {
                        return Err(DeviceTableError::DuplicateTopic { line, device: name, topic: topic.clone() });
                    }
                }
                self.by_topic.insert(mqtt.topic.clone(), place);
            }
            DeviceLink::Lorawan(lorawan) => {
                let dev_addr = lorawan.dev_addr;
                if let Some(other) = self.by_dev_addr.insert(dev_addr, place) {
                    let other = self.devices[other].name.clone();
                    return Err(DeviceTableError::DuplicateDevAddr { line, device: name, dev_addr, other });
                }
            }
        }
        self.devices.push(device);
        Ok(())
    }
}

/// A section with everything that does not depend on other sections checked.
fn device(line: usize, section: Section) -> Result<Device, DeviceTableError> {
    let Section { name, mqtt, lorawan, codec } = section;
    let link = match (mqtt, lorawan) {
        (Some(mqtt), None) => match mqtt.into_device(&name) {
            Ok(mqtt) => DeviceLink::Mqtt(mqtt),
            Err(source) => return Err(DeviceTableError::Topic { line, device: name, source }),
        },
        (None, Some(lorawan)) => DeviceLink::Lorawan(lorawan.into()),
        (Some(_), Some(_)) => return Err(DeviceTableError::Links { line, device: name, found: "both" }),
        (None, None) => return Err(DeviceTableError::Links { line, device: name, found: "neither" }),
    };
    match codec.validate() {
        Ok(()) => Ok(Device { name, link, codec }),
        Err(source) => Err(DeviceTableError::Codec { line, device: name, source }),
    }
}

#[cfg(test)]
mod tests;
