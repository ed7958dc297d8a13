//! Writing an exported journal.

use std::io::{self, Write};

use minicbor::{Encoder, encode};
use record::Seq;
use record::merkle::{Hash, LEAF_BYTES_MAX, Node, Subtree, leaf_hash};
use sha2::{Digest, Sha256};

use super::{MAGIC, VERSION};
use crate::{BoxId, CHECKPOINT_BYTES_MAX, PublicKey};

/// Why an exported journal cannot be written. What is in the file so far is a cut one.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file or pipe.
    #[error("failed to write an exported journal")]
    Write(#[source] io::Error),
    /// No journal has such an entry.
    #[error("failed to export record {at}: {why}; report this as a bug")]
    Entry {
        /// Where it would stand.
        at: Seq,
        /// What is wrong.
        why: &'static str,
    },
}

/// Writes a journal, entry after entry. It takes what it is given: whether records and checkpoints fit each other is for
/// [`verify`](super::verify) to say, so that a damaged journal can be exported too.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    next: u64,
    digest: Sha256,
    /// The bytes of one item; kept to be used again.
    item: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins the journal of this box, whose checkpoints are signed with this key.
    ///
    /// # Errors
    /// [`WriteError::Write`].
    pub fn new(out: W, box_id: &BoxId, key: &PublicKey) -> Result<Writer<W>, WriteError> {
        let mut writer = Writer { out, next: 0, digest: Sha256::new(), item: Vec::new() };
        writer.item(|e| e.array(4)?.str(MAGIC)?.u64(VERSION)?.encode(box_id)?.bytes(&key.to_bytes())?.ok())?;
        Ok(writer)
    }

    /// The number of the next record.
    pub fn next(&self) -> Seq {
        Seq(self.next)
    }

    /// Writes the next record, or the root of the next records, which are gone.
    ///
    /// # Errors
    /// [`WriteError`], also if a record has no byte or more than [`LEAF_BYTES_MAX`], or no subtree of the level begins
    /// here.
    pub fn node(&mut self, node: &Node) -> Result<(), WriteError> {
        let seq = self.next();
        let wrong = |why| WriteError::Entry { at: seq, why };
        let leaves = match node {
            Node::Leaf(bytes) => {
                if bytes.is_empty() || bytes.len() > LEAF_BYTES_MAX {
                    return Err(wrong("no record has such a length"));
                }
                let leaf = leaf_hash(bytes);
                self.item(|e| e.array(3)?.encode(seq)?.bytes(bytes)?.encode(leaf)?.ok())?;
                1
            }
            Node::Pruned { level, root } => {
                let subtree = Subtree::new(*level, self.next.checked_shr((*level).into()).unwrap_or(0));
                let subtree = subtree.filter(|subtree| subtree.first() == seq);
                let subtree = subtree.ok_or_else(|| wrong("no subtree of that size begins there"))?;
                self.item(|e| e.array(3)?.encode(seq)?.u8(*level)?.encode(root)?.ok())?;
                subtree.leaves()
            }
        };
        self.next = self.next.checked_add(leaves).ok_or_else(|| wrong("no journal has so many"))?;
        Ok(())
    }

    /// Writes a signed tree head over the records so far.
    ///
    /// # Errors
    /// [`WriteError`], also if it has more bytes than any checkpoint.
    pub fn checkpoint(&mut self, cose: &[u8]) -> Result<(), WriteError> {
        if cose.is_empty() || cose.len() > CHECKPOINT_BYTES_MAX {
            return Err(WriteError::Entry { at: self.next(), why: "no checkpoint has such a length" });
        }
        self.item(|e| e.bytes(cose)?.ok())
    }

    /// Writes the end. A file without it counts as cut.
    ///
    /// # Errors
    /// [`WriteError::Write`].
    pub fn finish(mut self) -> Result<W, WriteError> {
        let (size, sha256) = (self.next, Hash(self.digest.clone().finalize().into()));
        self.item(|e| e.array(2)?.u64(size)?.encode(sha256)?.ok())?;
        self.out.flush().map_err(WriteError::Write)?;
        Ok(self.out)
    }

    fn item<F>(&mut self, encode: F) -> Result<(), WriteError>
    where
        F: FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), encode::Error<std::convert::Infallible>>,
    {
        self.item.clear();
        // Writing to a Vec cannot fail, and no field's encoder refuses a value of its type.
        if let Err(never) = encode(&mut Encoder::new(&mut self.item)) {
            unreachable!("encoding into memory failed: {never}");
        }
        self.digest.update(&self.item);
        self.out.write_all(&self.item).map_err(WriteError::Write)
    }
}

#[cfg(test)]
impl Writer<Vec<u8>> {
    /// The bytes so far.
    pub(super) fn written(&self) -> &[u8] {
        &self.out
    }
}
