//! The identity of a join server.

/// JoinEUI (LoRaWAN 1.0.4 §6.1.1.1; AppEUI before): the join server a device was made for; here it is part of the
/// device's name in the air, and often zero.
///
/// Held and shown most significant byte first; in the air it travels least significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JoinEui(pub [u8; 8]);

crate::hex_text::hex_text!(JoinEui, 8);
crate::hex_text::cbor_bytes!(JoinEui, 8);
