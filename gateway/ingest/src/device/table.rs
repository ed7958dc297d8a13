//! Every device that may send: `devices.toml` and `keys.toml`, checked once, looked up on every frame.

mod check;
mod error;

use std::collections::{BTreeMap, BTreeSet};

use ::lorawan::{DevAddr, DevEui};
use record::{CodecId, CodecText, OutfallCode, SourceId, UnixMs};
use serde::Deserialize;
use toml::Spanned;

use super::chirpstack::{ChirpstackDevice, ChirpstackPayload};
use super::integration::{INTEGRATIONS_MAX, Integration, IntegrationKind, IntegrationSection};
use super::keys::{DeviceKeys, Keys, UnusedKeys};
use super::lorawan::{Activation, LorawanSection};
use super::mqtt::MqttSection;
use super::sampling::SamplingSection;
use super::serial::SerialSection;
use super::{Device, DeviceLink};
use crate::{Codec, Content, ContentError, DecodeError, Scripts};
pub use check::Finding;
pub use error::{DeviceTableError, DevicesError};

/// Most devices of one box: 60 are heard well by one LoRa gateway and 200 clients are a large site; the rest is room.
pub const DEVICES_MAX: usize = 2_000;

/// Most devices that may share one DevAddr: each costs a MIC for every frame from there.
pub const DEV_ADDR_DEVICES_MAX: usize = 16;

/// The MQTT client that `weir self-test` lets in for one frame: no device and no integration has this name.
pub const SELF_TEST: &str = "weir-self-test";

/// The devices of a box by name and by whatever they call themselves.
#[derive(Debug, Clone, Default)]
pub struct DeviceTable {
    devices: Vec<Device>,
    by_name: BTreeMap<SourceId, usize>,
    by_topic: BTreeMap<String, usize>,
    /// Every topic in use, for either direction.
    topics: BTreeSet<String>,
    by_dev_addr: BTreeMap<DevAddr, Vec<usize>>,
    by_dev_eui: BTreeMap<DevEui, usize>,
    by_serial_id: BTreeMap<u16, usize>,
    by_chirpstack: BTreeMap<DevEui, usize>,
    integrations: BTreeMap<SourceId, Integration>,
    unused_keys: Vec<UnusedKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    device: Vec<Spanned<Section>>,
    #[serde(default)]
    integration: Vec<Spanned<IntegrationSection>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: SourceId,
    #[serde(default = "enabled")]
    enabled: bool,
    outfall: Option<OutfallCode>,
    mqtt: Option<MqttSection>,
    lorawan: Option<LorawanSection>,
    serial: Option<SerialSection>,
    chirpstack: Option<ChirpstackDevice>,
    sampling: Option<SamplingSection>,
    codec: Codec,
}

fn enabled() -> bool {
    true
}

impl DeviceTable {
    /// Reads and checks the texts of `devices.toml` and `keys.toml`. `scripts` are the texts of the JavaScript codecs by
    /// the file name that `devices.toml` gives them.
    ///
    /// # Errors
    /// [`DeviceTableError`] for the first fault, with the file and its line.
    pub fn from_toml(
        devices: &str,
        keys: &str,
        scripts: &BTreeMap<String, String>,
    ) -> Result<DeviceTable, DeviceTableError> {
        let mut keys = Keys::parse(keys).map_err(DeviceTableError::Keys)?;
        let mut table = DeviceTable::read(devices, &mut keys, scripts).map_err(DeviceTableError::Devices)?;
        let names = table.by_name.keys().chain(table.integrations.keys()).cloned().collect();
        table.unused_keys = keys.finish(&names).map_err(DeviceTableError::Keys)?;
        Ok(table)
    }

    fn read(text: &str, keys: &mut Keys, scripts: &BTreeMap<String, String>) -> Result<DeviceTable, DevicesError> {
        let file: File = toml::from_str(text).map_err(|error| DevicesError::Toml {
            line: line_of(text, error.span().map_or(text.len(), |span| span.start)),
            // Not the error's own Display: it prints the line, and somebody may have put a key here.
            why: error.message().to_owned(),
        })?;
        if file.device.len() > DEVICES_MAX {
            return Err(DevicesError::TooMany { count: file.device.len() });
        }
        let mut table = DeviceTable::default();
        let texts = codec_texts(text);
        let mut scripts = Scripts::new(scripts);
        for (section, codec_text) in file.device.into_iter().zip(texts) {
            let line = line_of(text, section.span().start);
            let section = section.into_inner();
            if section.name.as_str() == SELF_TEST {
                return Err(DevicesError::Reserved { line });
            }
            if table.by_name.contains_key(&section.name) {
                return Err(DevicesError::DuplicateName { line, device: section.name });
            }
            let mut none = DeviceKeys::default();
            let keys = keys.of(&section.name).unwrap_or(&mut none);
            table.insert(line, device(line, section, keys, codec_text, &mut scripts)?)?;
        }
        for section in file.integration {
            let line = line_of(text, section.span().start);
            table.integrate(line, section.into_inner(), keys)?;
        }
        Ok(table)
    }

    fn integrate(&mut self, line: usize, section: IntegrationSection, keys: &mut Keys) -> Result<(), DevicesError> {
        let name = section.name.clone();
        if name.as_str() == SELF_TEST {
            return Err(DevicesError::Reserved { line });
        }
        if self.by_name.contains_key(&name) || self.integrations.contains_key(&name) {
            return Err(DevicesError::DuplicateName { line, device: name });
        }
        if self.integrations.len() == INTEGRATIONS_MAX {
            return Err(DevicesError::TooManyIntegrations { line });
        }
        if section.kind == IntegrationKind::Chirpstack && self.chirpstack().is_some() {
            return Err(DevicesError::SecondChirpstack { line, integration: name });
        }
        let mut none = DeviceKeys::default();
        match section.into_integration(keys.of(&name).unwrap_or(&mut none)) {
            Ok(integration) => drop(self.integrations.insert(name, integration)),
            Err(source) => return Err(DevicesError::Integration { line, integration: name, source }),
        }
        Ok(())
    }

    /// The files of JavaScript codecs that a device table names: what `scripts` of [`DeviceTable::from_toml`] must have.
    /// None of a table that cannot be read, which is refused there.
    pub fn script_files(devices: &str) -> BTreeSet<String> {
        let file = toml::from_str::<File>(devices).map(|file| file.device).unwrap_or_default();
        let codecs = file.into_iter().map(|section| section.into_inner().codec);
        let file = |codec| match codec {
            Codec::Javascript(javascript) => Some(javascript.file().to_owned()),
            _ => None,
        };
        codecs.filter_map(file).collect()
    }

    /// The devices in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Device> + '_ {
        self.devices.iter()
    }

    /// The devices of each outfall, by name.
    pub fn by_outfall(&self) -> BTreeMap<&OutfallCode, BTreeSet<&SourceId>> {
        let mut all: BTreeMap<&OutfallCode, BTreeSet<&SourceId>> = BTreeMap::new();
        for device in &self.devices {
            if let Some(code) = &device.outfall {
                all.entry(code).or_default().insert(&device.name);
            }
        }
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.devices.len()
    }

    /// Whether nobody may send.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
    }

    /// The MQTT clients that are no devices, by name.
    pub fn integrations(&self) -> impl Iterator<Item = &Integration> + '_ {
        self.integrations.values()
    }

    /// The integration of this name.
    pub fn integration(&self, name: &SourceId) -> Option<&Integration> {
        self.integrations.get(name)
    }

    /// The ChirpStack that serves the devices with `[device.chirpstack]`.
    pub fn chirpstack(&self) -> Option<&Integration> {
        self.integrations.values().find(|integration| integration.kind == IntegrationKind::Chirpstack)
    }

    /// Keys that no device has, by line: of no harm, and worth a look.
    pub fn unused_keys(&self) -> &[UnusedKeys] {
        &self.unused_keys
    }

    /// The device of this name.
    pub fn by_name(&self, name: &SourceId) -> Option<&Device> {
        self.at(self.by_name.get(name))
    }

    /// What is in a payload of an MQTT device that came at `now`: its envelope opened, its readings decoded. The content
    /// of a device that the table does not have is an error.
    pub fn open(&self, device: &SourceId, payload: &[u8], now: UnixMs) -> Content {
        match self.by_name(device).map(|device| (device, &device.link)) {
            Some((device, DeviceLink::Mqtt(mqtt))) => mqtt.open(&device.name, &device.codec, payload, now),
            _ => Content { seal: None, decoded: Err(ContentError::Decode(DecodeError::UnknownDevice)) },
        }
    }

    /// Every address of a personalised device.
    pub(crate) fn dev_addrs(&self) -> impl Iterator<Item = DevAddr> + '_ {
        self.by_dev_addr.keys().copied()
    }

    /// The device that publishes to this MQTT topic.
    pub fn by_topic(&self, topic: &str) -> Option<&Device> {
        self.at(self.by_topic.get(topic))
    }

    /// The devices personalised with this address (ABP), at most [`DEV_ADDR_DEVICES_MAX`]. Only the MIC says whose a
    /// frame is. Devices that joined are found by their sessions.
    pub fn by_dev_addr(&self, dev_addr: DevAddr) -> impl Iterator<Item = &Device> + '_ {
        self.by_dev_addr.get(&dev_addr).into_iter().flatten().map(|place| &self.devices[*place])
    }

    /// The device that joins with this DevEUI.
    pub fn by_dev_eui(&self, dev_eui: DevEui) -> Option<&Device> {
        self.at(self.by_dev_eui.get(&dev_eui))
    }

    /// The device with this id behind a serial port.
    pub fn by_serial_id(&self, id: u16) -> Option<&Device> {
        self.at(self.by_serial_id.get(&id))
    }

    /// The device of this DevEUI that a ChirpStack serves.
    pub fn by_chirpstack(&self, dev_eui: DevEui) -> Option<&Device> {
        self.at(self.by_chirpstack.get(&dev_eui))
    }

    fn at(&self, place: Option<&usize>) -> Option<&Device> {
        place.map(|place| &self.devices[*place])
    }

    fn insert(&mut self, line: usize, device: Device) -> Result<(), DevicesError> {
        let place = self.devices.len();
        let name = device.name.clone();
        self.by_name.insert(name.clone(), place);
        let duplicate = |id: String, other: usize| {
            let other = self.devices[other].name.clone();
            Err(DevicesError::DuplicateId { line, device: name.clone(), id, other })
        };
        match &device.link {
            DeviceLink::Mqtt(mqtt) => {
                for topic in mqtt.topics.iter().chain([&mqtt.command_topic]) {
                    if !self.topics.insert(topic.clone()) {
                        return Err(DevicesError::DuplicateTopic { line, device: name, topic: topic.clone() });
                    }
                }
                self.by_topic.extend(mqtt.topics.iter().map(|topic| (topic.clone(), place)));
            }
            DeviceLink::Lorawan(lorawan) => match lorawan.activation {
                Activation::Otaa { dev_eui, .. } => {
                    if let Some(other) = self.by_dev_eui.insert(dev_eui, place) {
                        return duplicate(format!("dev_eui {dev_eui}"), other);
                    }
                }
                Activation::Abp { dev_addr, .. } => {
                    let sharing = self.by_dev_addr.entry(dev_addr).or_default();
                    if sharing.len() == DEV_ADDR_DEVICES_MAX {
                        return Err(DevicesError::CrowdedDevAddr { line, device: name, dev_addr });
                    }
                    sharing.push(place);
                }
            },
            DeviceLink::Serial(serial) => {
                if let Some(other) = self.by_serial_id.insert(serial.id, place) {
                    return duplicate(format!("[device.serial] id {}", serial.id), other);
                }
            }
            DeviceLink::Chirpstack(ChirpstackDevice { dev_eui, .. }) => {
                if let Some(other) = self.by_chirpstack.insert(*dev_eui, place) {
                    return duplicate(format!("[device.chirpstack] dev_eui {dev_eui}"), other);
                }
            }
        }
        self.devices.push(device);
        Ok(())
    }
}

/// Each device's `[device.codec]` as canonical JSON: keys in order, no spaces. The text has been read before.
fn codec_texts(text: &str) -> impl Iterator<Item = String> {
    let devices = toml::from_str::<toml::Table>(text).ok().and_then(|mut file| file.remove("device"));
    let devices = match devices {
        Some(toml::Value::Array(devices)) => devices,
        _ => Vec::new(),
    };
    let json = |device: toml::Value| {
        let codec = device.get("codec").and_then(|codec| serde_json::to_value(codec).ok());
        codec.unwrap_or_default().to_string()
    };
    devices.into_iter().map(json)
}

/// The line of a byte of a text, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|b| *b == b'\n').count()
}

/// A section with everything that does not depend on other sections checked.
fn device(
    line: usize,
    section: Section,
    keys: &mut DeviceKeys,
    codec_text: String,
    scripts: &mut Scripts<'_>,
) -> Result<Device, DevicesError> {
    let Section { name, enabled, outfall, mqtt, lorawan, serial, chirpstack, sampling, mut codec } = section;
    let link = match (mqtt, lorawan, serial, chirpstack) {
        (Some(mqtt), None, None, None) => match mqtt.into_device(&name, keys) {
            Ok(mqtt) => DeviceLink::Mqtt(mqtt),
            Err(source) => return Err(DevicesError::Mqtt { line, device: name, source }),
        },
        (None, Some(lorawan), None, None) => match lorawan.into_device(keys) {
            Ok(lorawan) => DeviceLink::Lorawan(lorawan),
            Err(source) => return Err(DevicesError::Lorawan { line, device: name, source }),
        },
        (None, None, Some(serial), None) => match serial.into_device(keys) {
            Ok(serial) => DeviceLink::Serial(serial),
            Err(source) => return Err(DevicesError::Serial { line, device: name, source }),
        },
        (None, None, None, Some(chirpstack)) => {
            let is_json = matches!(codec, Codec::Json(_) | Codec::SenmlJson(_));
            if chirpstack.payload == ChirpstackPayload::Object && !is_json {
                return Err(DevicesError::ObjectCodec { line, device: name });
            }
            DeviceLink::Chirpstack(chirpstack)
        }
        (None, None, None, None) => return Err(DevicesError::Links { line, device: name, found: "none" }),
        _ => return Err(DevicesError::Links { line, device: name, found: "several" }),
    };
    let sampling = match sampling.map(|section| section.into_sampling_of(&link)).transpose() {
        Ok(sampling) => sampling,
        Err(source) => return Err(DevicesError::Sampling { line, device: name, source }),
    };
    match codec.validate().and_then(|()| codec.load(scripts)) {
        Ok(()) => {
            // The section is one line, so it is clear where the script begins.
            let codec_text = codec.script().map_or(codec_text.clone(), |script| format!("{codec_text}\n{script}"));
            let codec_text = CodecText { id: CodecId::of(&codec_text), text: codec_text };
            Ok(Device { name, enabled, outfall, link, codec, sampling, codec_text })
        }
        Err(source) => Err(DevicesError::Codec { line, device: name, source }),
    }
}

#[cfg(test)]
mod tests;
