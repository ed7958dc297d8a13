//! `[device.mqtt]`: an MQTT client.

use record::SourceId;
use serde::Deserialize;

use super::keys::{DeviceKeys, MissingKey};
use super::password::Password;
use super::seal::{SealKey, SealPolicy};
use super::topic::{TOPICS_MAX, TopicError, topic};

/// An MQTT client. Its user name and client id are the device's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MqttDevice {
    /// What it proves itself with; none only if it has a certificate.
    pub password: Option<Password>,
    /// It must come over TLS with a client certificate whose CN is its name.
    pub certificate: bool,
    /// The only topics it may publish to; 1 to 16.
    pub topics: Vec<String>,
    /// The only topic it may subscribe to.
    pub command_topic: String,
    /// Whether its frames carry an envelope of their own.
    pub seal: SealPolicy,
    /// What opens that envelope; none exactly if `seal` is [`SealPolicy::None`].
    pub seal_key: Option<SealKey>,
}

/// `[device.mqtt]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MqttSection {
    #[serde(default)]
    certificate: bool,
    topic: Option<String>,
    topics: Option<Vec<String>>,
    command_topic: Option<String>,
    #[serde(default)]
    seal: SealPolicy,
}

/// Why a `[device.mqtt]` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MqttDeviceError {
    /// A topic that no device may have.
    #[error(transparent)]
    Topic(TopicError),
    /// No password, or nothing to open the envelope with.
    #[error(transparent)]
    Key(MissingKey),
}

impl MqttSection {
    pub(super) fn into_device(self, name: &SourceId, keys: &mut DeviceKeys) -> Result<MqttDevice, MqttDeviceError> {
        let topics = match (self.topic, self.topics) {
            (Some(_), Some(_)) => return Err(MqttDeviceError::Topic(TopicError::Both)),
            (Some(one), None) => vec![one],
            (None, Some(many)) if many.is_empty() || many.len() > TOPICS_MAX => {
                return Err(MqttDeviceError::Topic(TopicError::Count(many.len())));
            }
            (None, Some(many)) => many,
            (None, None) => vec![format!("d/{name}/up")],
        };
        let topics = topics.into_iter().map(topic).collect::<Result<_, _>>().map_err(MqttDeviceError::Topic)?;
        let command_topic =
            topic(self.command_topic.unwrap_or_else(|| format!("d/{name}/down"))).map_err(MqttDeviceError::Topic)?;
        let password = match keys.password.take() {
            None if !self.certificate => return Err(MqttDeviceError::Key(MissingKey("`password`"))),
            password => password,
        };
        let seal_key = match self.seal {
            SealPolicy::None => None,
            SealPolicy::Optional | SealPolicy::Required => Some(keys.seal_key().map_err(MqttDeviceError::Key)?),
        };
        Ok(MqttDevice { password, certificate: self.certificate, topics, command_topic, seal: self.seal, seal_key })
    }
}
