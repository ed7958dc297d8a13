//! The identity of a packet forwarder.

/// An EUI-64, held and shown most significant byte first, as 16 hex digits.
///
/// GWMP carries it in this order. It is a claim, not a proof: anybody who can send UDP can write it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eui64(pub [u8; 8]);

crate::hex_text::hex_text!(Eui64, 8);
