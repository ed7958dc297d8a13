//! The items of an exported journal, one after the other, as they stand in CBOR.

use std::io::{self, BufRead, Read};

use record::Seq;
use record::merkle::{Hash, LEAF_BYTES_MAX, Subtree};
use sha2::{Digest, Sha256};

use super::MAGIC;
use crate::CHECKPOINT_BYTES_MAX;

/// Major types (RFC 8949 §3.1).
const UNSIGNED: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;

/// Most bytes of a box's name.
const NAME_BYTES_MAX: u64 = 64;

/// What stands at the top of the file.
pub(super) struct Header {
    pub(super) version: u64,
    /// As it stands there.
    pub(super) name: Vec<u8>,
    pub(super) key: [u8; 32],
}

/// What follows it.
pub(super) enum Item<'b> {
    Record { seq: Seq, bytes: &'b [u8], leaf: Hash },
    Pruned { seq: Seq, level: u8, root: Hash },
    Checkpoint(&'b [u8]),
    End { size: Seq, sha256: Hash },
}

/// Why there is no item.
pub(super) enum Broken {
    /// The file could not be read.
    Read(io::Error),
    /// It ends within what could have become an item.
    Cut,
    /// No item begins so.
    Form(&'static str),
}

/// The items of a file. One at a time is in memory.
pub(super) struct Items<R> {
    input: R,
    /// The bytes of the newest item.
    raw: Vec<u8>,
    /// Over all items before the newest one.
    digest: Sha256,
}

impl<R: BufRead> Items<R> {
    pub(super) fn new(input: R) -> Items<R> {
        Items { input, raw: Vec::new(), digest: Sha256::new() }
    }

    /// SHA-256 over all items before the newest one.
    pub(super) fn digest(&self) -> Hash {
        Hash(self.digest.clone().finalize().into())
    }

    /// Whether the file ends here.
    pub(super) fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.input.fill_buf()?.is_empty())
    }

    pub(super) fn header(&mut self) -> Result<Header, Broken> {
        let wrong = || Broken::Form("no header");
        if self.head()? != (ARRAY, 4) || self.head()? != (TEXT, MAGIC.len() as u64) {
            return Err(wrong());
        }
        if self.fill(MAGIC.len())? != MAGIC.as_bytes() {
            return Err(wrong());
        }
        let version = self.unsigned()?;
        let name = match self.head()? {
            (TEXT, len @ 1..=NAME_BYTES_MAX) => self.fill_long(len)?.to_vec(),
            _ => return Err(wrong()),
        };
        Ok(Header { version, name, key: self.hash()?.0 })
    }

    /// The next item behind the header; `None` where the file ends.
    pub(super) fn next(&mut self) -> Result<Option<Item<'_>>, Broken> {
        self.digest.update(&self.raw);
        self.raw.clear();
        if self.at_end().map_err(Broken::Read)? {
            return Ok(None);
        }
        let item = match self.head()? {
            (ARRAY, 3) => self.record_or_pruned()?,
            (BYTES, len) if (1..=CHECKPOINT_BYTES_MAX as u64).contains(&len) => Item::Checkpoint(self.fill_long(len)?),
            (ARRAY, 2) => Item::End { size: Seq(self.unsigned()?), sha256: self.hash()? },
            _ => return Err(Broken::Form("neither a record, nor a pruned subtree, a checkpoint or the end")),
        };
        Ok(Some(item))
    }

    fn record_or_pruned(&mut self) -> Result<Item<'_>, Broken> {
        let seq = Seq(self.unsigned()?);
        match self.head()? {
            (UNSIGNED, level) if level <= Subtree::LEVEL_MAX.into() => {
                // Not above 63, as just seen.
                let level = u8::try_from(level).unwrap_or(Subtree::LEVEL_MAX);
                Ok(Item::Pruned { seq, level, root: self.hash()? })
            }
            (BYTES, len) if (1..=LEAF_BYTES_MAX as u64).contains(&len) => {
                let from = self.raw.len();
                let to = from + self.fill_long(len)?.len();
                let leaf = self.hash()?;
                Ok(Item::Record { seq, bytes: &self.raw[from..to], leaf })
            }
            _ => Err(Broken::Form("neither bytes of a record nor the level of a subtree")),
        }
    }

    fn unsigned(&mut self) -> Result<u64, Broken> {
        match self.head()? {
            (UNSIGNED, value) => Ok(value),
            _ => Err(Broken::Form("no number where one belongs")),
        }
    }

    fn hash(&mut self) -> Result<Hash, Broken> {
        if self.head()? != (BYTES, 32) {
            return Err(Broken::Form("no hash where one belongs"));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(self.fill(32)?);
        Ok(Hash(hash))
    }

    /// The head of a CBOR item: major type and argument, which must have its shortest form.
    fn head(&mut self) -> Result<(u8, u64), Broken> {
        let first = self.fill(1)?[0];
        let (major, short) = (first >> 5, first & 0x1f);
        let width = match short {
            0..24 => return Ok((major, short.into())),
            24..28 => 1usize << (short - 24),
            _ => return Err(Broken::Form("an item without a length")),
        };
        let value = self.fill(width)?.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte));
        // What the next shorter form holds.
        let below = if width == 1 { 24 } else { 1 << (4 * width) };
        if value < below { Err(Broken::Form("a number in more bytes than it needs")) } else { Ok((major, value)) }
    }

    /// The next few bytes.
    fn fill(&mut self, count: usize) -> Result<&[u8], Broken> {
        let from = self.raw.len();
        self.raw.resize(from + count, 0);
        self.input.read_exact(&mut self.raw[from..]).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::Cut,
            _ => Broken::Read(error),
        })?;
        Ok(&self.raw[from..])
    }

    /// The next bytes, many perhaps: memory is taken as they come, because their number is only a claim before.
    fn fill_long(&mut self, count: u64) -> Result<&[u8], Broken> {
        let from = self.raw.len();
        let read = (&mut self.input).take(count).read_to_end(&mut self.raw).map_err(Broken::Read)?;
        if read as u64 == count { Ok(&self.raw[from..]) } else { Err(Broken::Cut) }
    }
}
