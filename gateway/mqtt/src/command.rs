//! Commands down: messages to one device that its owner keeps until the device has acknowledged them.

use std::sync::Arc;

use bytes::Bytes;

/// Longest payload of a command, in bytes.
pub const COMMAND_BYTES_MAX: usize = 4 * 1024;

/// Commands that may wait for one connection.
pub(crate) const COMMANDS_WAITING_MAX: usize = 16;

/// Which command it is, to its owner; the edge only hands it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandId(pub u64);

/// A command for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which it is.
    pub id: CommandId,
    /// One of an integration's command topics; none: the device's only one.
    pub topic: Option<Arc<str>>,
    /// At most [`COMMAND_BYTES_MAX`].
    pub payload: Bytes,
    /// 0 or 1; the subscription may lower it.
    pub qos: u8,
}

/// What became of a call of [`Edge::send`](crate::Edge::send).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// Given to the device's connection. Whether the device has it, an [`Event`] tells.
    Over,
    /// The device does not listen now. Send it again when it does ([`Event::Listening`]).
    NotListening,
    /// Too many wait for the device already. Send it again after the next [`Event`] of the device.
    Busy,
    /// The payload is longer than [`COMMAND_BYTES_MAX`]; it never will be sent.
    TooLong,
}

/// What happens to commands. Nothing is reported twice on one connection; over several it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The device has subscribed to its command topic, or is back in a session that has: send what is pending for it,
    /// the oldest first. A command that it has had and not acknowledged in that session is sent with DUP.
    Listening {
        /// The device.
        device: Arc<str>,
    },
    /// The device has acknowledged the command. It may have executed it more than once (QoS 1).
    Delivered {
        /// The device.
        device: Arc<str>,
        /// The command.
        id: CommandId,
    },
    /// The device has acknowledged the command with an error (MQTT 5); it will not be sent again (§4.4).
    Refused {
        /// The device.
        device: Arc<str>,
        /// The command.
        id: CommandId,
        /// Its reason code (MQTT 5 §2.4), 0x80 or above.
        code: u8,
    },
    /// The command was written to a device that asked for QoS 0: nobody will ever know more.
    Unconfirmed {
        /// The device.
        device: Arc<str>,
        /// The command.
        id: CommandId,
    },
    /// The command is larger than the device's Maximum Packet Size; it never can be sent.
    Oversize {
        /// The device.
        device: Arc<str>,
        /// The command.
        id: CommandId,
    },
}
