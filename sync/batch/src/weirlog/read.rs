//! Reading what is in an exported journal, once it is known to be whole.

use std::io::{self, BufRead};

use record::Seq;
use record::merkle::Hash;

use super::item::{Broken, Item, Items};

/// A part of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry<'b> {
    /// A record.
    Record {
        /// Its number.
        seq: Seq,
        /// Its canonical bytes.
        bytes: &'b [u8],
    },
    /// The root of records that are not in the file.
    Pruned {
        /// The number of the first.
        seq: Seq,
        /// They are `2^level`.
        level: u8,
        /// The root of their subtree.
        root: Hash,
    },
    /// A signed tree head over all before it.
    Head(&'b [u8]),
}

/// Hands every entry to `each`, in order. It judges nothing: the file must be one that [`verify`](super::verify) found
/// whole, else what is read ends where the first item is none.
///
/// # Errors
/// When the file cannot be read.
pub fn read(input: impl BufRead, mut each: impl FnMut(Entry<'_>)) -> io::Result<()> {
    let mut items = Items::new(input);
    match items.header() {
        Ok(_) => {}
        Err(Broken::Read(error)) => return Err(error),
        Err(Broken::Cut | Broken::Form(_)) => return Ok(()),
    }
    loop {
        match items.next() {
            Ok(Some(Item::Record { seq, bytes, .. })) => each(Entry::Record { seq, bytes }),
            Ok(Some(Item::Pruned { seq, level, root })) => each(Entry::Pruned { seq, level, root }),
            Ok(Some(Item::Checkpoint(cose))) => each(Entry::Head(cose)),
            Err(Broken::Read(error)) => return Err(error),
            Ok(Some(Item::End { .. }) | None) | Err(Broken::Cut | Broken::Form(_)) => return Ok(()),
        }
    }
}
