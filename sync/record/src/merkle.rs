//! The Merkle tree over all records (RFC 9162 §2.1.1): SHA-256, leaves prefixed `00`, nodes `01`.
//!
//! Only its right edge is kept: the [`Frontier`] has one hash for each set bit of the size, at most 64, so that
//! appending and naming the root cost no memory that grows with the journal.

use std::fmt;

use sha2::{Digest, Sha256};

/// A SHA-256 hash; shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// `SHA-256(00 | entry)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(entry).finalize().into())
}

/// `SHA-256(01 | left | right)`.
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    Hash(Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0).finalize().into())
}

/// The right edge of a tree: roots of its perfect subtrees, largest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// A tree of `size` leaves from the concatenated roots of [`Frontier::to_bytes`]; `None` if their number does
    /// not fit the size.
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Frontier> {
        let (roots, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && u32::try_from(roots.len()).ok()? == size.count_ones();
        fits.then(|| Frontier { size, roots: roots.iter().copied().map(Hash).collect() })
    }

    /// The roots, largest subtree first, 32 bytes each.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.iter().flat_map(|hash| hash.0).collect()
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            // One root per set bit, so a trailing one always has its root.
            if let Some(left) = self.roots.pop() {
                hash = node_hash(left, hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root (RFC 9162 §2.1.1); for the empty tree the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut smaller = self.roots.iter().rev().copied();
        match smaller.next() {
            None => Hash(Sha256::digest([]).into()),
            Some(last) => smaller.fold(last, |right, left| node_hash(left, right)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ct_merkle::mem_backed_tree::MemoryBackedTree;

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Frontier::new().root().to_string(), expected);
    }

    /// The reference data of certificate-transparency-go (`testonly/reference.go`), the common test of RFC 6962 trees.
    #[test]
    fn agrees_with_the_published_roots() {
        let leaves =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut frontier = Frontier::new();
        for (leaf, root) in leaves.iter().zip(roots) {
            frontier.push(leaf_hash(&hex::decode(leaf).unwrap()));
            assert_eq!(frontier.root().to_string(), root);
        }
    }

    #[test]
    fn agrees_with_another_implementation_at_every_size() {
        let mut frontier = Frontier::new();
        let mut tree = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for size in 1u64..300 {
            let entry = size.to_be_bytes().to_vec();
            frontier.push(leaf_hash(&entry));
            tree.push(entry);
            assert_eq!(frontier.root().0.as_slice(), tree.root().as_bytes().as_slice(), "at {size}");
            let back = Frontier::from_bytes(frontier.size(), &frontier.to_bytes()).unwrap();
            assert_eq!(back, frontier);
        }
        assert!(Frontier::from_bytes(3, &[0; 32]).is_none());
    }
}
