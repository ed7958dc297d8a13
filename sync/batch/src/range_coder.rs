//! Bits by how likely they are: the range coder of LZMA (I. Pavlov, LZMA specification, 2015) with probabilities of 16 bits, and
//! without its first byte, which is always 0.
//!
//! A model begins with p = 2^15, n = 0, where p / 2^16 is how likely a zero is, taken as 32 at least and 65504 at most:
//!
//! ```text
//! a zero: p += (2^16 - p) / (n + 2);  a one: p -= p / (n + 2), rounded down; then n += 1, 126 at most
//! ```
//! `range` begins as 2^32 - 1; a zero takes the lower `(range >> 16) * p` of it, a one the rest; without a model both take half, a
//! zero the lower; below 2^24 eight bits are shifted out. At the end stands the number in the range that has most zero bits at its
//! end; zero bytes at the end are left out.

use minicbor::bytes::ByteVec;

/// The range is kept above.
const RANGE_MIN: u32 = 1 << 24;

/// How likely a zero is.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    p: u32,
    n: u32,
}

impl Model {
    /// Knows nothing yet.
    pub(crate) const NEW: Model = Model { p: 1 << 15, n: 0 };

    fn zeros(self) -> u32 {
        self.p.clamp(32, 65_504)
    }

    fn learn(&mut self, bit: bool) {
        if bit {
            self.p -= self.p / (self.n + 2);
        } else {
            self.p += ((1 << 16) - self.p) / (self.n + 2);
        }
        self.n = (self.n + 1).min(126);
    }
}

/// Bits in, bytes out.
pub(crate) struct Encoder {
    low: u64,
    range: u32,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Encoder {
        Encoder { low: 0, range: u32::MAX, bytes: Vec::new() }
    }

    pub(crate) fn put(&mut self, model: &mut Model, bit: bool) {
        let zeros = (self.range >> 16) * model.zeros();
        if bit {
            self.low += u64::from(zeros);
            self.range -= zeros;
        } else {
            self.range = zeros;
        }
        model.learn(bit);
        self.shift();
    }

    pub(crate) fn put_raw(&mut self, bit: bool) {
        self.range >>= 1;
        self.low += if bit { u64::from(self.range) } else { 0 };
        self.shift();
    }

    fn shift(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.shift_out();
        }
    }

    fn shift_out(&mut self) {
        self.carry();
        self.bytes.push(self.low.to_le_bytes()[3]);
        self.low = self.low << 8 & 0xffff_ffff;
    }

    /// What grew beyond 32 bits belongs to the bytes before, through all that are full.
    fn carry(&mut self) {
        if self.low > 0xffff_ffff {
            self.low &= 0xffff_ffff;
            for byte in self.bytes.iter_mut().rev() {
                *byte = byte.wrapping_add(1);
                if *byte != 0 {
                    break;
                }
            }
        }
    }

    pub(crate) fn finish(mut self) -> ByteVec {
        let end = self.low + u64::from(self.range) - 1;
        let roundest = (0..=32).rev().map(|bits| end >> bits << bits).find(|number| *number >= self.low);
        self.low = roundest.unwrap_or(self.low);
        (0..4).for_each(|_| self.shift_out());
        let end = self.bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        self.bytes.truncate(end);
        self.bytes.into()
    }
}

/// Bytes in, bits out; behind the last byte stand zeros without end.
pub(crate) struct Decoder<'a> {
    bytes: std::slice::Iter<'a, u8>,
    code: u32,
    range: u32,
}

impl Decoder<'_> {
    pub(crate) fn new(bytes: &[u8]) -> Decoder<'_> {
        let mut decoder = Decoder { bytes: bytes.iter(), code: 0, range: u32::MAX };
        (0..4).for_each(|_| decoder.next());
        decoder
    }

    fn next(&mut self) {
        self.code = self.code << 8 | u32::from(self.bytes.next().copied().unwrap_or(0));
    }

    pub(crate) fn take(&mut self, model: &mut Model) -> bool {
        let zeros = (self.range >> 16) * model.zeros();
        let bit = self.code >= zeros;
        if bit {
            self.code -= zeros;
            self.range -= zeros;
        } else {
            self.range = zeros;
        }
        model.learn(bit);
        self.shift();
        bit
    }

    pub(crate) fn take_raw(&mut self) -> bool {
        self.range >>= 1;
        let bit = self.code >= self.range;
        if bit {
            self.code -= self.range;
        }
        self.shift();
        bit
    }

    fn shift(&mut self) {
        while self.range < RANGE_MIN {
            self.range <<= 8;
            self.next();
        }
    }
}
