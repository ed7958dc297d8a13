//! The identity of a network.

/// NetID (LoRaWAN Backend Interfaces, TS002 §13.1): 24 bits, shown most significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetId(pub [u8; 3]);

crate::hex_text::hex_text!(NetId, 3);
crate::hex_text::cbor_bytes!(NetId, 3);

impl NetId {
    /// 000000, for private networks; its DevAddrs are 00000000 to 01ffffff.
    pub const PRIVATE_0: NetId = NetId([0, 0, 0]);
    /// 000001, for private networks; its DevAddrs are 02000000 to 03ffffff.
    pub const PRIVATE_1: NetId = NetId([0, 0, 1]);

    pub(crate) fn to_lrwn(self) -> lrwn::NetID {
        lrwn::NetID::from_be_bytes(self.0)
    }

    /// The DevAddrs of this network: the first of them, and how many bits count within it (TS002 §13.2).
    pub(crate) fn dev_addrs(self) -> (u32, u32) {
        // NetID type: bits of the type prefix and of NwkID in a DevAddr.
        let (prefix_bits, nwk_id_bits) =
            [(1, 6), (2, 6), (3, 9), (4, 11), (5, 12), (6, 13), (7, 15), (8, 17)][usize::from(self.0[0] >> 5)];
        let mut first = lrwn::DevAddr::from_be_bytes([0; 4]);
        first.set_dev_addr_prefix(self.to_lrwn().dev_addr_prefix());
        (u32::from_be_bytes(first.to_be_bytes()), 32 - prefix_bits - nwk_id_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// TS002 §13.2, table 14.
    #[test]
    fn the_address_space_of_each_type() {
        let check = |net_id: &str, first: u32, bits: u32| {
            let net_id: NetId = net_id.parse().unwrap();
            assert_eq!(net_id.dev_addrs(), (first, bits), "{net_id}");
        };
        check("000000", 0x0000_0000, 25);
        check("000001", 0x0200_0000, 25);
        check("000013", 0x2600_0000, 25);
        check("20003f", 0xbf00_0000, 24);
        check("4001ff", 0xdff0_0000, 20);
        check("c00035", 0xfc00_d400, 10);
        check("e0ffff", 0xfe7f_ff80, 7);
    }
}
