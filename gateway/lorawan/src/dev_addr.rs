//! The address of an end-device in the air.

/// DevAddr (LoRaWAN 1.0.4 §6.1.1): 32 bits, not unique in the world, and never a proof of who sent.
///
/// Held and shown most significant byte first (`26010001`), as every tool prints it; in the air it travels
/// least significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevAddr(pub(crate) [u8; 4]);

crate::hex_text::hex_text!(DevAddr, 4);

impl DevAddr {
    /// From its number; `0x2601_0001` is shown as `26010001`.
    pub fn from_u32(number: u32) -> DevAddr {
        DevAddr(number.to_be_bytes())
    }

    /// As a number.
    pub fn to_u32(self) -> u32 {
        u32::from_be_bytes(self.0)
    }
}

impl From<lrwn::DevAddr> for DevAddr {
    fn from(addr: lrwn::DevAddr) -> DevAddr {
        DevAddr(addr.to_be_bytes())
    }
}

impl From<DevAddr> for lrwn::DevAddr {
    fn from(addr: DevAddr) -> lrwn::DevAddr {
        lrwn::DevAddr::from_be_bytes(addr.0)
    }
}
