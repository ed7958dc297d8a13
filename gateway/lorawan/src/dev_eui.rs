//! The identity of an end-device.

/// DevEUI (LoRaWAN 1.0.4 §6.1.1.2): one device in the world; printed on its case.
///
/// Held and shown most significant byte first, as labels print it; in the air it travels least significant byte first.
/// In a join-request it is a claim until the MIC has verified.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevEui(pub [u8; 8]);

crate::hex_text::hex_text!(DevEui, 8);
crate::hex_text::cbor_bytes!(DevEui, 8);
