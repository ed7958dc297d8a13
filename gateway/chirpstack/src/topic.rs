//! `application/<application id>/device/<DevEUI>/event/<kind>`, ChirpStack's default template.

use record::EndDeviceEui;

/// Longest application id, in bytes; ChirpStack 4 uses a UUID of 36.
const APPLICATION_BYTES_MAX: usize = 64;

/// The topic of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Application id.
    pub application: String,
    /// DevEUI.
    pub dev_eui: EndDeviceEui,
}

/// Why a topic is not that of an `up` event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// Other parts, or in another order.
    #[error(
        "topic is not application/ID/device/DevEUI/event/up: set ChirpStack's event topic template back to its default"
    )]
    Form,
    /// The DevEUI is not 16 hex digits.
    #[error("the topic's DevEUI is not 16 hex digits: set ChirpStack's event topic template back to its default")]
    DevEui,
}

impl Topic {
    /// Reads the topic of an `up` event.
    ///
    /// # Errors
    /// [`TopicError`]. Other kinds (`join`, `status`, `log`, ...) are no uplinks.
    pub fn parse(topic: &str) -> Result<Topic, TopicError> {
        let mut parts = topic.split('/');
        let mut next = || parts.next().ok_or(TopicError::Form);
        let (head, application, device, dev_eui) = (next()?, next()?, next()?, next()?);
        let (event, kind) = (next()?, next()?);
        let is_up = (head, device, event, kind) == ("application", "device", "event", "up");
        let named = !application.is_empty() && application.len() <= APPLICATION_BYTES_MAX;
        if !is_up || !named || parts.next().is_some() {
            return Err(TopicError::Form);
        }
        Ok(Topic { application: application.to_owned(), dev_eui: eui(dev_eui).ok_or(TopicError::DevEui)? })
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "application/{}/device/{}/event/up", self.application, self.dev_eui)
    }
}

/// 16 hex digits of either case.
pub(crate) fn eui(text: &str) -> Option<EndDeviceEui> {
    let mut bytes = [0; 8];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    Some(record::GatewayEui(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_up_events_of_one_device() {
        let text = "application/2f0b8a4c-1d2e-4c6b-9a51-1d0c7d1f2b11/device/0101010101010101/event/up";
        assert_eq!(Topic::parse(text).unwrap().to_string(), text);
        let form =
            ["application/1/device/0101010101010101/event/join", "application//device/0101010101010101/event/up"];
        for text in form {
            assert_eq!(Topic::parse(text), Err(TopicError::Form), "{text}");
        }
        for text in ["application/1/device/0101010101010101/event", "a/b", "", &format!("{text}/x")] {
            assert_eq!(Topic::parse(text), Err(TopicError::Form), "{text}");
        }
        for dev_eui in ["010101010101010", "01010101010101zz", ""] {
            let text = format!("application/1/device/{dev_eui}/event/up");
            assert_eq!(Topic::parse(&text), Err(TopicError::DevEui), "{text}");
        }
    }
}
