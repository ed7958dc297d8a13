//! What the journal's Merkle tree was.

use minicbor::{Decode, Encode};
use record::merkle::Hash;
use serde::Serialize;

/// The size and root of the journal's tree at one moment (RFC 9162 §4.10 without the log's own fields).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct TreeHead {
    /// How many records it covers: numbers `0..size`.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl<C> Encode<C> for TreeHead {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u64(self.size)?.bytes(&self.root.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for TreeHead {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Err(minicbor::decode::Error::message("a tree head is [size, root]"));
        }
        let size = d.u64()?;
        let root =
            <[u8; 32]>::try_from(d.bytes()?).map_err(|_| minicbor::decode::Error::message("a root has 32 bytes"))?;
        Ok(TreeHead { size, root: Hash(root) })
    }
}
