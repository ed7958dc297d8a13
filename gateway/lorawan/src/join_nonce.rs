//! The network's half of the randomness of a join.

/// JoinNonce (LoRaWAN 1.0.4 §6.2.6; AppNonce before): 24 bits, counted up for each device and never used twice. It must
/// be durable before the join-accept leaves: a 1.0.4 or 1.1 device refuses one that it has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JoinNonce(u32);

impl JoinNonce {
    /// The first of a device.
    pub const FIRST: JoinNonce = JoinNonce(1);
    const MAX: u32 = 0xff_ffff;

    /// From its number; none above 2²⁴−1.
    pub fn new(number: u32) -> Option<JoinNonce> {
        (number <= JoinNonce::MAX).then_some(JoinNonce(number))
    }

    /// As a number.
    pub fn to_u32(self) -> u32 {
        self.0
    }

    /// The next one; none after 2²⁴−1 joins: the device needs new root keys.
    pub fn next(self) -> Option<JoinNonce> {
        JoinNonce::new(self.0 + 1)
    }
}

impl<C> minicbor::Encode<C> for JoinNonce {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u32(self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for JoinNonce {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<JoinNonce, minicbor::decode::Error> {
        JoinNonce::new(d.u32()?).ok_or_else(|| minicbor::decode::Error::message("JoinNonce has 24 bits"))
    }
}
