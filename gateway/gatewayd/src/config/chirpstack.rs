//! `[chirpstack]`: events as a ChirpStack publishes them, in and out.

use std::path::Path;

use ::mqtt::Filter;
use chirpstack::{Template, TemplateError};
use ingest::{DeviceLink, DeviceTable};
use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// Longest application id, in bytes.
const APPLICATION_ID_BYTES_MAX: usize = 64;

/// The topics of a ChirpStack beside the box, and what the box itself tells in its format.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Chirpstack {
    /// Where events are published: `event_topic` of ChirpStack's own configuration.
    #[serde(deserialize_with = "event_topic")]
    pub event_topic: Template,
    /// Where commands are taken: `command_topic` of ChirpStack's own configuration.
    #[serde(deserialize_with = "command_topic")]
    pub command_topic: Template,
    /// Whether uplinks of the box's own LoRaWAN devices are published as `up` events, for readers.
    pub publish: bool,
    /// The application id in their topics.
    pub application_id: String,
}

impl Default for Chirpstack {
    fn default() -> Chirpstack {
        #[expect(clippy::expect_used, reason = "ChirpStack's own defaults")]
        let template = |read: fn(&str) -> Result<Template, TemplateError>, text| read(text).expect("a template");
        Chirpstack {
            event_topic: template(Template::event, "application/{{application_id}}/device/{{dev_eui}}/event/{{event}}"),
            command_topic: template(
                Template::command,
                "application/{{application_id}}/device/{{dev_eui}}/command/{{command}}",
            ),
            publish: false,
            application_id: "weir".into(),
        }
    }
}

impl Chirpstack {
    /// Whether the application id is one level of a topic.
    pub(super) fn has_an_application(&self) -> bool {
        let id = &self.application_id;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        (1..=APPLICATION_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(allowed)
    }
}

impl Chirpstack {
    /// No device's topic is one on which events are believed, or commands are given. `path` is that of gateway.toml.
    pub(super) fn keep_apart(&self, path: &Path, devices: &DeviceTable) -> Result<(), ConfigError> {
        let sets = [&self.event_topic, &self.command_topic].map(|topic| Filter::new(&topic.filter(None)));
        let reserved = |topic: &&String| sets.iter().flatten().any(|set| set.matches(topic));
        for device in devices.iter() {
            let DeviceLink::Mqtt(mqtt) = &device.link else { continue };
            if let Some(topic) = mqtt.topics.iter().chain([&mqtt.command_topic]).find(reserved) {
                let (device, topic) = (device.name.clone(), topic.clone());
                return Err(ConfigError::EventTopic { path: path.into(), device, topic });
            }
        }
        Ok(())
    }
}

fn event_topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    Template::event(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn command_topic<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Template, D::Error> {
    Template::command(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
