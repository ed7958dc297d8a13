//! Why two texts are no device table.

use ::lorawan::DevAddr;
use record::SourceId;

use super::{DEV_ADDR_DEVICES_MAX, DEVICES_MAX, SELF_TEST};
use crate::CodecError;
use crate::device::integration::INTEGRATIONS_MAX;
use crate::device::keys::{KeysError, MissingKey};
use crate::device::lorawan::LorawanDeviceError;
use crate::device::mqtt::MqttDeviceError;
use crate::device::sampling::SamplingError;

/// Why two texts are no [`DeviceTable`](super::DeviceTable), by file. Correct it and check it again with
/// `weir config check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTableError {
    /// `devices.toml`, or what it needs from the other.
    #[error(transparent)]
    Devices(DevicesError),
    /// `keys.toml`.
    #[error(transparent)]
    Keys(KeysError),
}

/// Why a text is no `devices.toml`. Lines count from 1; secrets are never repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DevicesError {
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
    /// None or several ways to send.
    #[error(
        "line {line}: device `{device}` has {found} of [device.mqtt], [device.lorawan], [device.serial] and \
         [device.chirpstack]: give it exactly one"
    )]
    Links {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// `none` or `several`.
        found: &'static str,
    },
    /// A `[device.mqtt]` that cannot work.
    #[error("line {line}: device `{device}`, [device.mqtt]")]
    Mqtt {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// What is wrong with it.
        #[source]
        source: MqttDeviceError,
    },
    /// A `[device.lorawan]` that cannot work.
    #[error("line {line}: device `{device}`, [device.lorawan]")]
    Lorawan {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// What is wrong with it.
        #[source]
        source: LorawanDeviceError,
    },
    /// A `[device.serial]` without its key.
    #[error("line {line}: device `{device}`, [device.serial]")]
    Serial {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// The key.
        #[source]
        source: MissingKey,
    },
    /// A `[device.sampling]` that cannot work.
    #[error("line {line}: device `{device}`, [device.sampling]")]
    Sampling {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
        /// What is wrong with it.
        #[source]
        source: SamplingError,
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
    /// The name of the client of a self-test.
    #[error("line {line}: `{SELF_TEST}` is the client of weir self-test: give the device another name")]
    Reserved {
        /// Of the `[[device]]` or `[[integration]]`.
        line: usize,
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
    /// A DevEUI or serial id belongs to one device.
    #[error("line {line}: device `{device}`: {id} is that of `{other}`: compare it with the label of the device")]
    DuplicateId {
        /// Of the second.
        line: usize,
        /// The second device.
        device: SourceId,
        /// What is claimed twice.
        id: String,
        /// The first device.
        other: SourceId,
    },
    /// ChirpStack's `object` is JSON, whatever the device sends.
    #[error(
        "line {line}: device `{device}`: payload = \"object\" is a JSON document: give [device.codec] kind = \"json\", or \
         read the device's own bytes with payload = \"data\""
    )]
    ObjectCodec {
        /// Of the `[[device]]`.
        line: usize,
        /// Its name.
        device: SourceId,
    },
    /// An `[[integration]]` without its password.
    #[error("line {line}: integration `{integration}`")]
    Integration {
        /// Of the `[[integration]]`.
        line: usize,
        /// Its name.
        integration: SourceId,
        /// The key.
        #[source]
        source: MissingKey,
    },
    /// Whoever publishes for a DevEUI must be the one who verified it.
    #[error("line {line}: integration `{integration}` is a second ChirpStack: a box has one")]
    SecondChirpstack {
        /// Of the second.
        line: usize,
        /// The second.
        integration: SourceId,
    },
    /// Beyond [`INTEGRATIONS_MAX`].
    #[error("line {line}: more than {INTEGRATIONS_MAX} integrations: let several programs share one as readers")]
    TooManyIntegrations {
        /// Of the first that is too many.
        line: usize,
    },
    /// More devices of one DevAddr than are tried.
    #[error(
        "line {line}: device `{device}`: {DEV_ADDR_DEVICES_MAX} devices have DevAddr {dev_addr} already: personalise \
         it with another address"
    )]
    CrowdedDevAddr {
        /// Of the last.
        line: usize,
        /// The last device.
        device: SourceId,
        /// The address.
        dev_addr: DevAddr,
    },
}
