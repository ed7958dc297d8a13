//! Which DevNonces of a device are used up.

use minicbor::{Decode, Encode};

use crate::MacVersion;

/// Bytes of a set with a bit for each DevNonce: the largest stored form.
pub const DEV_NONCES_BYTES_MAX: usize = 65_536 / 8;

/// From this many ranges on, the stored form is a bit for each nonce.
const RANGES_MAX: usize = DEV_NONCES_BYTES_MAX / 4;

/// The DevNonces that one device, by JoinEUI and DevEUI, must not use again. Changed in the transaction of the session
/// that the join opens.
///
/// A nonce that is used again is a replayed join-request: it would end the running session, and give the same session
/// keys with counters at zero, were JoinNonce ever repeated too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevNonces(Policy);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Policy {
    /// 1.0.2, 1.0.3: random numbers, so all used ones are kept: ranges, ascending, neither touching nor overlapping.
    Used(Vec<(u16, u16)>),
    /// 1.0.4, 1.1: a counter; the highest one used.
    Rising(Option<u16>),
}

/// Why a DevNonce is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DevNonceError {
    /// Used before: somebody replays a join-request, or the device has a poor source of randomness.
    #[error(
        "DevNonce {dev_nonce} was used before: a replay, unless the device was reset · try: weir device flush-nonces"
    )]
    Used {
        /// The nonce.
        dev_nonce: u16,
    },
    /// Not above the highest one: a replay, or the device lost its counter.
    #[error(
        "DevNonce {dev_nonce} is not above {highest}, the last one: a replay, unless the device lost its counter \
         · try: weir device flush-nonces"
    )]
    NotRising {
        /// The nonce.
        dev_nonce: u16,
        /// The highest one used.
        highest: u16,
    },
}

impl DevNonces {
    /// None used yet, under the rule of `version`.
    pub fn new(version: MacVersion) -> DevNonces {
        DevNonces(if version.dev_nonce_counts() { Policy::Rising(None) } else { Policy::Used(Vec::new()) })
    }

    /// Uses up `dev_nonce`.
    ///
    /// # Errors
    /// [`DevNonceError`] if it must not be used; nothing has changed then.
    pub fn take(&mut self, dev_nonce: u16) -> Result<(), DevNonceError> {
        match &mut self.0 {
            Policy::Used(ranges) => insert(ranges, dev_nonce),
            Policy::Rising(highest) => match *highest {
                Some(highest) if dev_nonce <= highest => Err(DevNonceError::NotRising { dev_nonce, highest }),
                _ => {
                    *highest = Some(dev_nonce);
                    Ok(())
                }
            },
        }
    }

    /// The same device under another version, after an edit of its description: what was used stays used.
    pub fn under(self, version: MacVersion) -> DevNonces {
        DevNonces(self.0.counting(version.dev_nonce_counts()))
    }

    /// Takes for used what `other` holds for used as well: the same device on another box.
    pub fn absorb(&mut self, other: &DevNonces) {
        match (&mut self.0, other.0.clone()) {
            (Policy::Used(own), other) => {
                let Policy::Used(more) = other.counting(false) else { return };
                unite(own, more);
            }
            (Policy::Rising(own), other) => {
                let Policy::Rising(highest) = other.counting(true) else { return };
                *own = (*own).max(highest);
            }
        }
    }

    /// Forgets all: a technician's answer to a device that was reset. Old join-requests can be replayed afterwards.
    pub fn flush(&mut self) {
        match &mut self.0 {
            Policy::Used(ranges) => ranges.clear(),
            Policy::Rising(highest) => *highest = None,
        }
    }
}

impl Policy {
    /// What is used, under the rule of devices that count or of those that do not.
    fn counting(self, counts: bool) -> Policy {
        match (self, counts) {
            (Policy::Used(ranges), true) => Policy::Rising(ranges.last().map(|(_, last)| *last)),
            (Policy::Rising(highest), false) => Policy::Used(highest.map(|highest| (0, highest)).into_iter().collect()),
            (policy, _) => policy,
        }
    }
}

/// Adds `more` to `ranges`, joining those that touch or overlap.
fn unite(ranges: &mut Vec<(u16, u16)>, more: Vec<(u16, u16)>) {
    ranges.extend(more);
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (first, last) in ranges.drain(..) {
        match joined.last_mut().filter(|(_, end)| u32::from(first) <= u32::from(*end) + 1) {
            Some((_, end)) => *end = last.max(*end),
            None => joined.push((first, last)),
        }
    }
    *ranges = joined;
}

/// Adds `dev_nonce`, joining the ranges that it touches.
fn insert(ranges: &mut Vec<(u16, u16)>, dev_nonce: u16) -> Result<(), DevNonceError> {
    // The first range that does not end below the nonce.
    let at = ranges.partition_point(|(_, last)| *last < dev_nonce);
    if ranges.get(at).is_some_and(|(first, _)| *first <= dev_nonce) {
        return Err(DevNonceError::Used { dev_nonce });
    }
    let before = at.checked_sub(1).filter(|before| ranges[*before].1 + 1 == dev_nonce);
    let after = ranges.get(at).is_some_and(|(first, _)| *first == dev_nonce + 1);
    match (before, after) {
        (Some(before), true) => {
            ranges[before].1 = ranges[at].1;
            ranges.remove(at);
        }
        (Some(before), false) => ranges[before].1 = dev_nonce,
        (None, true) => ranges[at].0 = dev_nonce,
        (None, false) => ranges.insert(at, (dev_nonce, dev_nonce)),
    }
    Ok(())
}

/// The stored form.
#[derive(Encode, Decode)]
enum Stored {
    /// First and last of each range, two bytes each, big-endian; or, for [`RANGES_MAX`] ranges and more, one bit for
    /// each nonce, the lowest in bit 0 of the first byte.
    #[n(0)]
    Used(#[cbor(n(0), with = "minicbor::bytes")] Vec<u8>),
    #[n(1)]
    Rising(#[n(0)] Option<u16>),
}

impl<C> Encode<C> for DevNonces {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        ctx: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let stored = match &self.0 {
            Policy::Used(ranges) if ranges.len() < RANGES_MAX => Stored::Used(
                ranges.iter().flat_map(|(first, last)| [first.to_be_bytes(), last.to_be_bytes()]).flatten().collect(),
            ),
            Policy::Used(ranges) => {
                let mut bits = vec![0; DEV_NONCES_BYTES_MAX];
                for nonce in ranges.iter().flat_map(|(first, last)| *first..=*last) {
                    bits[usize::from(nonce / 8)] |= 1 << (nonce % 8);
                }
                Stored::Used(bits)
            }
            Policy::Rising(highest) => Stored::Rising(*highest),
        };
        stored.encode(e, ctx)
    }
}

impl<'b, C> Decode<'b, C> for DevNonces {
    fn decode(d: &mut minicbor::Decoder<'b>, ctx: &mut C) -> Result<DevNonces, minicbor::decode::Error> {
        let bytes = match Stored::decode(d, ctx)? {
            Stored::Rising(highest) => return Ok(DevNonces(Policy::Rising(highest))),
            Stored::Used(bytes) => bytes,
        };
        let mut ranges: Vec<(u16, u16)> = Vec::new();
        if bytes.len() == DEV_NONCES_BYTES_MAX {
            for nonce in (0..=u16::MAX).filter(|nonce| bytes[usize::from(nonce / 8)] & 1 << (nonce % 8) != 0) {
                match ranges.last_mut().filter(|(_, last)| last.checked_add(1) == Some(nonce)) {
                    Some((_, last)) => *last = nonce,
                    None => ranges.push((nonce, nonce)),
                }
            }
            return Ok(DevNonces(Policy::Used(ranges)));
        }
        let (chunks, rest) = bytes.as_chunks::<4>();
        for &[a, b, c, d] in chunks {
            let (first, last) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
            let apart = ranges.last().is_none_or(|(_, before)| u32::from(*before) + 1 < u32::from(first));
            if last < first || !apart {
                return Err(minicbor::decode::Error::message("the DevNonces are not in ascending, separate ranges"));
            }
            ranges.push((first, last));
        }
        match rest {
            [] if ranges.len() < RANGES_MAX => Ok(DevNonces(Policy::Used(ranges))),
            _ => Err(minicbor::decode::Error::message("the DevNonces have the wrong length")),
        }
    }
}

#[cfg(test)]
mod tests;
