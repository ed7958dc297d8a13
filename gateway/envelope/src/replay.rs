//! Whether a frame is new.

use std::collections::VecDeque;
use std::fmt;

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use sha2::{Digest, Sha256};

/// The first 8 bytes of SHA-256 over an envelope: tells a retransmission from other bytes under the same counter. Only
/// who holds the device's key could look for two envelopes with one digest, and would only hide its own frame by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameDigest([u8; FrameDigest::BYTES]);

impl FrameDigest {
    const BYTES: usize = 8;

    /// The digest of a whole envelope.
    pub fn of(envelope: &[u8]) -> FrameDigest {
        let whole: [u8; 32] = Sha256::digest(envelope).into();
        let mut first = [0; FrameDigest::BYTES];
        first.copy_from_slice(&whole[..FrameDigest::BYTES]);
        FrameDigest(first)
    }
}

impl fmt::Debug for FrameDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// What a frame is to the frames before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Novelty {
    /// Not seen before: it is remembered now.
    New,
    /// The same bytes again: a retransmission.
    Duplicate,
    /// Other bytes under a counter that was used: the device lost count, or two hold its key.
    Forked,
    /// Older than the window, so that nobody can tell.
    Replayed,
}

/// The newest counters of a device with what was sent under them.
///
/// Stored in the transaction of each frame it admits. Forgotten with it if the transaction fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayWindow {
    /// Counter and digest, highest counter first; all within [`ReplayWindow::COUNTERS`] of the first.
    seen: VecDeque<(u64, FrameDigest)>,
}

impl ReplayWindow {
    /// How many counters, up to the highest one that was seen, the window reaches over: a radio link reorders little,
    /// and the whole of it takes 530 bytes in the journal.
    pub const COUNTERS: u64 = 64;

    /// The highest counter that was admitted.
    pub fn highest(&self) -> Option<u64> {
        self.seen.front().map(|(counter, _)| *counter)
    }

    /// Takes in a frame that [`crate::Envelope::open`] proved. Only [`Novelty::New`] changes the window. The first frame
    /// of a device may have any counter.
    pub fn admit(&mut self, counter: u64, digest: FrameDigest) -> Novelty {
        if self.highest().is_some_and(|highest| highest.saturating_sub(counter) >= Self::COUNTERS) {
            return Novelty::Replayed;
        }
        // Highest first, so the search runs over reversed order.
        match self.seen.binary_search_by(|(seen, _)| counter.cmp(seen)) {
            Ok(at) if self.seen.get(at).is_some_and(|(_, stored)| *stored == digest) => Novelty::Duplicate,
            Ok(_) => Novelty::Forked,
            Err(at) => {
                self.seen.insert(at, (counter, digest));
                let highest = self.highest().unwrap_or(counter);
                while self.seen.back().is_some_and(|(last, _)| highest - last >= Self::COUNTERS) {
                    self.seen.pop_back();
                }
                Novelty::New
            }
        }
    }

    /// Takes in what another window of the same device has seen: that of another box.
    pub fn absorb(&mut self, other: &ReplayWindow) {
        for (counter, digest) in &other.seen {
            self.admit(*counter, *digest);
        }
    }

    /// Bit n stands for the counter n below the highest.
    fn bits(&self) -> u64 {
        let highest = self.highest().unwrap_or_default();
        self.seen.iter().fold(0, |bits, (counter, _)| bits | 1 << (highest - counter))
    }
}

/// `[highest counter, bits, digests from the highest counter down]`.
impl<C> Encode<C> for ReplayWindow {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), EncodeError<W::Error>> {
        let digests: Vec<u8> = self.seen.iter().flat_map(|(_, digest)| digest.0).collect();
        e.array(3)?.u64(self.highest().unwrap_or_default())?.u64(self.bits())?.bytes(&digests)?;
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for ReplayWindow {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<ReplayWindow, DecodeError> {
        let wrong = || DecodeError::message("no replay window");
        if d.array()? != Some(3) {
            return Err(wrong());
        }
        let (highest, bits, digests) = (d.u64()?, d.u64()?, d.bytes()?);
        let below: Vec<u64> = (0..Self::COUNTERS).filter(|below| bits >> below & 1 == 1).collect();
        let (digests, rest) = digests.as_chunks::<{ FrameDigest::BYTES }>();
        // The highest counter is itself one that was seen.
        if !rest.is_empty() || digests.len() != below.len() || (bits != 0 && bits & 1 == 0) {
            return Err(wrong());
        }
        let seen = below.iter().zip(digests).map(|(below, digest)| {
            let counter = highest.checked_sub(*below).ok_or_else(wrong)?;
            Ok((counter, FrameDigest(*digest)))
        });
        Ok(ReplayWindow { seen: seen.collect::<Result<_, DecodeError>>()? })
    }
}
