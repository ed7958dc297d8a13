//! A device of the table: who it is, how it proves it, how its payload is read.

pub(crate) mod password;
pub(crate) mod table;

use lorawan::{DevAddr, SessionKeys};
use record::SourceId;
use serde::Deserialize;

use crate::Codec;
use password::Password;

/// Longest topic, in bytes: it is kept with every frame.
const TOPIC_BYTES_MAX: usize = 128;

/// One `[[device]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, everywhere in the product.
    pub name: SourceId,
    /// The one way it may send on.
    pub link: DeviceLink,
    /// How its payload is read.
    pub codec: Codec,
}

/// How a device reaches the box and proves itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceLink {
    /// `[device.mqtt]`
    Mqtt(MqttDevice),
    /// `[device.lorawan]`
    Lorawan(LorawanDevice),
}

/// An MQTT client. Its user name is the device's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttDevice {
    /// What it proves itself with.
    pub password: Password,
    /// The only topic it may publish to.
    pub topic: String,
    /// The only topic it may subscribe to.
    pub command_topic: String,
}

/// A LoRaWAN 1.0.x device activated by personalisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LorawanDevice {
    /// Its address in the air.
    pub dev_addr: DevAddr,
    /// Its session keys.
    pub keys: SessionKeys,
}

/// Why a text is no topic for a device (MQTT 5.0 §4.7).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Empty or beyond 128 bytes.
    #[error("topic `{0}` is empty or longer than {TOPIC_BYTES_MAX} bytes: use one as `d/cod-1/up`")]
    Length(String),
    /// Wildcards name many topics; a device has one.
    #[error("topic `{0}` has a wildcard (`+` or `#`): write the device's exact topic")]
    Wildcard(String),
    /// `$` topics belong to the broker (§4.7.2), NUL to nobody (§4.7.3).
    #[error("topic `{0}` begins with `$` or holds a control character: use one as `d/cod-1/up`")]
    Reserved(String),
}

/// Takes the topic if a device may have it.
fn topic(text: String) -> Result<String, TopicError> {
    if text.is_empty() || text.len() > TOPIC_BYTES_MAX {
        return Err(TopicError::Length(text.chars().take(TOPIC_BYTES_MAX).collect()));
    }
    if text.contains(['+', '#']) {
        return Err(TopicError::Wildcard(text));
    }
    if text.starts_with('$') || text.chars().any(char::is_control) {
        return Err(TopicError::Reserved(text.escape_debug().to_string()));
    }
    Ok(text)
}

/// `[device.mqtt]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MqttSection {
    password: Password,
    topic: Option<String>,
    command_topic: Option<String>,
}

impl MqttSection {
    fn into_device(self, name: &SourceId) -> Result<MqttDevice, TopicError> {
        Ok(MqttDevice {
            password: self.password,
            topic: topic(self.topic.unwrap_or_else(|| format!("d/{name}/up")))?,
            command_topic: topic(self.command_topic.unwrap_or_else(|| format!("d/{name}/down")))?,
        })
    }
}

/// `[device.lorawan]` as it stands in the file. The keys stand beside the address, so that a sheet of ABP data can be
/// copied as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LorawanSection {
    dev_addr: DevAddr,
    nwk_s_key: lorawan::Key128,
    app_s_key: lorawan::Key128,
}

impl From<LorawanSection> for LorawanDevice {
    fn from(section: LorawanSection) -> LorawanDevice {
        let keys = SessionKeys { nwk_s_key: section.nwk_s_key, app_s_key: section.app_s_key };
        LorawanDevice { dev_addr: section.dev_addr, keys }
    }
}
