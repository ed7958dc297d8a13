//! What an envelope is for.

/// What an envelope is for. It is part of what is sealed, so that nothing can pass for something else that the same key
/// sealed: an acknowledgement sent back to the box is no frame of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A device's frame.
    Frame,
    /// A device's frame that asks for an acknowledgement (serial links; MQTT has its own).
    ConfirmedFrame,
    /// The box's word that such a frame is stored.
    Acknowledgement,
}

impl Purpose {
    /// The external data (RFC 9052 §4.3): the device's name; with `/confirmed` or `/ack` behind it for the other two. A
    /// device's name has no `/`.
    pub(crate) fn external_aad(self, device: &str) -> String {
        match self {
            Purpose::Frame => device.to_owned(),
            Purpose::ConfirmedFrame => format!("{device}/confirmed"),
            Purpose::Acknowledgement => format!("{device}/ack"),
        }
    }
}
