//! The address of an end-device in the air.

use std::collections::BTreeSet;

use crate::NetId;

/// DevAddr (LoRaWAN 1.0.4 §6.1.1): 32 bits, not unique in the world, and never a proof of who sent.
///
/// Held and shown most significant byte first (`26010001`), as every tool prints it; in the air it travels
/// least significant byte first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DevAddr(pub(crate) [u8; 4]);

crate::hex_text::hex_text!(DevAddr, 4);
crate::hex_text::cbor_bytes!(DevAddr, 4);

impl DevAddr {
    /// An address of `net_id` that is not `in_use`: the one `seed` points at (its low bits, within the network's
    /// address space), else the next free one. The same arguments give the same address; none if all are in use.
    pub fn allocate(net_id: NetId, seed: u32, in_use: &BTreeSet<DevAddr>) -> Option<DevAddr> {
        let (first, bits) = net_id.dev_addrs();
        let mask = (1u32 << bits) - 1;
        // One more candidate than addresses in use: the pigeonhole principle ends the search.
        let candidates = u32::try_from(in_use.len()).unwrap_or(u32::MAX).min(mask);
        (0..=candidates)
            .map(|step| DevAddr::from_u32(first | (seed.wrapping_add(step) & mask)))
            .find(|candidate| !in_use.contains(candidate))
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocated_address_is_free_and_of_the_network() {
        let check = |net_id: NetId, seed, in_use: &[u32], expected: Option<&str>| {
            let in_use = in_use.iter().copied().map(DevAddr::from_u32).collect();
            assert_eq!(DevAddr::allocate(net_id, seed, &in_use).map(|addr| addr.to_string()).as_deref(), expected);
        };
        check(NetId::PRIVATE_0, 5, &[], Some("00000005"));
        check(NetId::PRIVATE_1, 5, &[], Some("02000005"));
        check(NetId::PRIVATE_1, 5, &[0x0200_0005, 0x0200_0006], Some("02000007"));
        check(NetId::PRIVATE_0, u32::MAX, &[0x01ff_ffff], Some("00000000"));
        let smallest = "e00001".parse().unwrap();
        let all: Vec<u32> = (0..128).map(|i| 0xfe00_0080 + i).collect();
        check(smallest, 3, &all[..127], Some("fe0000ff"));
        check(smallest, 3, &all, None);
    }
}
