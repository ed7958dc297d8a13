//! Proofs, hash for hash those of another implementation, and none that was changed is believed.

use proptest::prelude::*;

use super::*;

const SIZES: u64 = 300;

fn bytes(path: &[Hash]) -> Vec<u8> {
    path.iter().flat_map(|hash| hash.0).collect()
}

fn included(twin: &Twin, leaf: u64) -> InclusionProof {
    InclusionProof::generate(Seq(leaf), twin.head().size, |subtree| twin.node(subtree)).unwrap()
}

fn continued(twin: &Twin, older: u64) -> ConsistencyProof {
    ConsistencyProof::generate(older..twin.head().size, |subtree| twin.node(subtree)).unwrap()
}

#[test]
fn inclusion_proofs_are_those_of_another_implementation_at_every_size() {
    let mut twin = Twin::of(0);
    for size in 1..=SIZES {
        twin.push(size - 1);
        let head = twin.head();
        for leaf in 0..size {
            let proof = included(&twin, leaf);
            let theirs = twin.other.prove_inclusion(usize::try_from(leaf).unwrap());
            assert_eq!(bytes(&proof.path), theirs.as_bytes(), "{leaf} of {size}");
            assert_eq!(proof.verify(Seq(leaf), leaf_hash(&entry(leaf)), &head), Ok(()));
        }
    }
}

#[test]
fn consistency_proofs_are_those_of_another_implementation_at_every_size() {
    let mut twin = Twin::of(0);
    let mut heads: Vec<TreeHead> = Vec::new();
    for size in 1..=SIZES {
        twin.push(size - 1);
        let head = twin.head();
        for older in &heads {
            let proof = continued(&twin, older.size);
            let theirs = twin.other.prove_consistency(usize::try_from(size - older.size).unwrap());
            assert_eq!(bytes(&proof.path), theirs.as_bytes(), "{} to {size}", older.size);
            assert_eq!(proof.verify(older, &head), Ok(()), "{} to {size}", older.size);
        }
        assert_eq!(continued(&twin, size).path, [], "nothing leads from a tree to itself");
        heads.push(head);
    }
}

#[test]
fn a_proof_reads_at_most_two_nodes_for_each_level() {
    let reads = std::cell::Cell::new(0usize);
    let counted = |_: Subtree| {
        reads.set(reads.get() + 1);
        Ok::<_, Infallible>(Hash([1; 32]))
    };
    for size in [1, 2, 3, 255, 256, 257, 10_000_019, (1 << 40) - 1, (1 << 40) + 1, u64::MAX] {
        let levels = usize::try_from(size.ilog2() + 1).unwrap();
        for part in [0, 1, size / 3, size / 2, size.saturating_sub(2), size - 1] {
            let part = part.min(size - 1);
            reads.set(0);
            let proof = InclusionProof::generate(Seq(part), size, counted).unwrap();
            assert!(reads.get() <= 2 * levels && proof.path.len() <= levels, "{part} of {size}: {}", reads.get());
            reads.set(0);
            let proof = ConsistencyProof::generate(part + 1..size, counted).unwrap();
            assert!(reads.get() <= 2 * levels && proof.path.len() <= levels + 1, "{part} to {size}: {}", reads.get());
        }
    }
}

#[test]
fn what_cannot_be_proven_is_said() {
    let twin = Twin::of(5);
    let node = |subtree| twin.node(subtree);
    assert_eq!(InclusionProof::generate(Seq(5), 5, node), Err(ProveError::NoSuchLeaf { leaf: Seq(5), size: 5 }));
    for (older, newer) in [(0, 5), (0, 0), (6, 5)] {
        let proof = ConsistencyProof::generate(older..newer, node);
        assert_eq!(proof, Err(ProveError::NoContinuation { older, newer }));
    }
    assert_eq!(InclusionProof::generate(Seq(0), 5, |_| Err("gone")), Err(ProveError::Node("gone")));
    assert_eq!(ConsistencyProof::generate(3..5, |_| Err("gone")), Err(ProveError::Node("gone")));

    let (head, empty) = (twin.head(), TreeHead { size: 0, root: Frontier::new().root() });
    assert_eq!(included(&twin, 4).verify(Seq(5), leaf_hash(&entry(4)), &head), Err(ProofError::Outside));
    assert_eq!(included(&twin, 0).verify(Seq(0), leaf_hash(&entry(0)), &empty), Err(ProofError::Outside));
    let nothing = ConsistencyProof { path: Vec::new() };
    assert_eq!(nothing.verify(&empty, &head), Err(ProofError::Outside));
    assert_eq!(nothing.verify(&head, &TreeHead { size: 4, ..head }), Err(ProofError::Outside));
    assert_eq!(nothing.verify(&TreeHead { size: 3, ..head }, &head), Err(ProofError::Length { found: 0 }));
    assert_eq!(nothing.verify(&TreeHead { root: Hash([0; 32]), ..head }, &head), Err(ProofError::OtherRoot));
}

/// Each way to change a list of hashes by one step: a bit, one more, one less, two in each other's place.
fn changed(path: &[Hash], at: usize, bit: usize) -> Vec<Vec<Hash>> {
    let mut changed = Vec::new();
    let mut add = |change: &dyn Fn(&mut Vec<Hash>)| {
        let mut other = path.to_vec();
        change(&mut other);
        if other != path {
            changed.push(other);
        }
    };
    add(&|path| path.push(Hash([0; 32])));
    add(&|path| path.insert(at % (path.len() + 1), Hash([0; 32])));
    if !path.is_empty() {
        let at = at % path.len();
        add(&|path| path[at].0[bit / 8 % 32] ^= 1 << (bit % 8));
        add(&|path| path.truncate(path.len() - 1));
        add(&|path| {
            path.remove(at);
        });
        add(&|path| path.swap(0, at));
        add(&|path| path.insert(at, path[at]));
    }
    changed
}

proptest! {
    #[test]
    fn random_larger_trees_agree_and_no_changed_proof_is_believed(
        size in 301u64..2_000, part in any::<u64>(), at in 0usize..64, bit in 0usize..256
    ) {
        let twin = Twin::of(size);
        let head = twin.head();
        let leaf = part % size;
        let hash = leaf_hash(&entry(leaf));
        let proof = included(&twin, leaf);
        let theirs = twin.other.prove_inclusion(usize::try_from(leaf).unwrap());
        prop_assert_eq!(bytes(&proof.path), theirs.as_bytes());
        prop_assert_eq!(proof.verify(Seq(leaf), hash, &head), Ok(()));
        for path in changed(&proof.path, at, bit) {
            let proof = InclusionProof { path };
            prop_assert!(proof.verify(Seq(leaf), hash, &head).is_err());
        }
        let mut other = hash;
        other.0[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(proof.verify(Seq(leaf), other, &head), Err(ProofError::OtherRoot));
        prop_assert!(proof.verify(Seq((leaf + 1) % size), hash, &head).is_err());
        let other_head = TreeHead { root: other, ..head };
        prop_assert!(proof.verify(Seq(leaf), hash, &other_head).is_err());

        let older = Twin::of(1 + part % (size - 1)).head();
        let proof = continued(&twin, older.size);
        let theirs = twin.other.prove_consistency(usize::try_from(size - older.size).unwrap());
        prop_assert_eq!(bytes(&proof.path), theirs.as_bytes());
        prop_assert_eq!(proof.verify(&older, &head), Ok(()));
        for path in changed(&proof.path, at, bit) {
            let proof = ConsistencyProof { path };
            prop_assert!(proof.verify(&older, &head).is_err());
        }
        let other_older = TreeHead { root: other, ..older };
        prop_assert!(proof.verify(&other_older, &head).is_err());
        prop_assert!(proof.verify(&older, &other_head).is_err());
    }

    #[test]
    fn any_proof_is_answered(
        leaf in 0u64..70, sizes in (0u64..70, 0u64..70), path in proptest::collection::vec(any::<[u8; 32]>(), 0..10)
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let heads = [sizes.0, sizes.1].map(|size| TreeHead { size, root: Hash([3; 32]) });
        let proof = InclusionProof { path: path.clone() };
        prop_assert!(proof.verify(Seq(leaf), Hash([0; 32]), &heads[0]).is_err());
        // Two equal heads need no hash; any others need the right ones.
        let proof = ConsistencyProof { path };
        let equal = sizes.0 == sizes.1 && sizes.0 > 0 && proof.path.is_empty();
        prop_assert_eq!(proof.verify(&heads[0], &heads[1]).is_ok(), equal);
    }
}
