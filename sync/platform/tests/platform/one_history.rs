//! Proofs that each batch continues the ones before it: what is proven, what is not, and what is refused.

use batch::{Batch, BoxId, Checkpoint, Continuation, CosignedCheckpoint, Sealed, TreeHead};
use platform::store::{Archive, StoreError};
use platform::{Comparison, compare};
use record::Seq;
use record::merkle::{ConsistencyProof, Frontier, Hash, Subtree, leaf_hash};

use crate::world::{Answer, BOX, World, batch, box_key, readings, seal, stamp};

/// A box's tree: the leaves of its records, which may be those of another life from a number on.
struct Tree {
    leaves: Vec<Hash>,
}

impl Tree {
    /// With this many records.
    fn new(size: u64) -> Tree {
        Tree { leaves: (0..size).map(|seq| leaf_hash(&seq.to_be_bytes())).collect() }
    }

    /// The same up to a number, and another one from there on.
    fn forked(size: u64, from: usize) -> Tree {
        let mut tree = Tree::new(size);
        tree.leaves[from..].iter_mut().for_each(|leaf| *leaf = leaf_hash(&leaf.0));
        tree
    }

    fn frontier(leaves: &[Hash]) -> Frontier {
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        frontier
    }

    fn head(&self, size: u64) -> TreeHead {
        TreeHead { size, root: Tree::frontier(&self.leaves[..usize::try_from(size).unwrap()]).root() }
    }

    fn proof(&self, older: u64, newer: u64) -> Continuation {
        let node = |of: Subtree| -> Result<Hash, ()> {
            let [first, end] = [of.first(), of.last().next()].map(|Seq(seq)| usize::try_from(seq).unwrap());
            Ok(Tree::frontier(&self.leaves[first..end]).root())
        };
        Continuation { size: older, proof: ConsistencyProof::generate(older..newer, node).unwrap() }
    }

    /// The batch of one record, cut when the tree had this size, that continues these sizes.
    fn batch(&self, seq: u64, size: u64, olds: &[u64]) -> Batch {
        let mut batch = batch(vec![readings(seq, "1")]);
        batch.head = self.head(size);
        batch.proofs = olds.iter().map(|older| self.proof(*older, size)).collect();
        batch
    }

    fn sealed(&self, seq: u64, size: u64, olds: &[u64]) -> Sealed {
        seal(&self.batch(seq, size, olds))
    }

    fn checkpoint(&self, size: u64) -> Vec<u8> {
        Checkpoint { box_id: batch(vec![readings(0, "1")]).box_id, head: self.head(size), stamp: stamp(size) }
            .sign(&box_key())
    }
}

/// How far the box is proven: size, since when, heads that are not.
async fn proven(world: &World) -> (Option<u64>, Option<u64>, u64) {
    let boxes = world.get("/v1/boxes").await.json();
    let one = &boxes[0];
    (one["proven_size"].as_u64(), one["proven_since"].as_u64(), one["unproven"].as_u64().unwrap())
}

fn refused(answer: &Answer) -> (u16, String) {
    answer.refusal()
}

#[tokio::test]
async fn each_batch_that_continues_the_ones_before_it_is_proven() {
    let (world, tree) = (World::new().await, Tree::new(100));
    world.put(&tree.sealed(0, 5, &[])).await;
    assert_eq!(proven(&world).await, (None, None, 0), "one head continues nothing");
    // Two on their way at once, both from what had a receipt; the later one comes first.
    world.put(&tree.sealed(2, 20, &[5])).await;
    assert_eq!(proven(&world).await, (Some(20), Some(5), 0));
    world.put(&tree.sealed(1, 9, &[5])).await;
    assert_eq!(proven(&world).await, (Some(20), Some(5), 1), "whether 20 continues 9 is not known yet");
    // Small batches bring theirs later, a checkpoint with itself.
    world.put(&tree.sealed(3, 30, &[])).await;
    let mut last = tree.batch(4, 77, &[9, 20, 30, 64]);
    last.checkpoints = vec![tree.checkpoint(64)];
    let last = seal(&last);
    let receipt = world.put(&last).await;
    assert_eq!(proven(&world).await, (Some(77), Some(5), 0));
    assert_eq!(world.put(&last).await.bytes, receipt.bytes, "again");
    let world = world.restart().await;
    assert_eq!(proven(&world).await, (Some(77), Some(5), 0));
}

#[tokio::test]
async fn a_second_history_cannot_be_proven() {
    let world = World::new().await;
    let (tree, other) = (Tree::new(100), Tree::forked(100, 10));
    world.put(&tree.sealed(0, 8, &[])).await;
    world.put(&tree.sealed(1, 20, &[8])).await;
    // No proof leads from this life's tree to the other one's, whatever its hashes are.
    let mut two_faced = other.batch(2, 40, &[8, 20]);
    let forged = seal(&two_faced);
    let before = world.dump();
    assert_eq!(refused(&world.put(&forged).await), (409, "inconsistent".into()));
    two_faced.proofs = vec![tree.proof(8, 40), tree.proof(20, 40)];
    assert_eq!(refused(&world.put(&seal(&two_faced)).await), (409, "inconsistent".into()));
    assert_eq!(world.dump(), before, "nothing of it is stored");
    let counted = world.get("/v1/status").await.json();
    assert_eq!(counted["refused"]["inconsistent"], 2);
    // What comes without a proof, or with one that passes over the first life, is taken, and seen for ever.
    world.put(&other.sealed(2, 40, &[8])).await;
    assert_eq!(proven(&world).await, (Some(40), Some(8), 1));
    world.put(&other.sealed(3, 60, &[40])).await;
    assert_eq!(proven(&world).await, (Some(60), Some(8), 1));
}

#[tokio::test]
async fn what_is_not_held_can_prove_nothing_and_is_no_fault() {
    let (world, tree) = (World::new().await, Tree::new(100));
    // This platform lost its store: the box proves from a receipt that nobody here knows of.
    assert_eq!(world.put(&tree.sealed(0, 30, &[20])).await.status, 201);
    assert_eq!(proven(&world).await, (None, None, 0));
    assert_eq!(world.put(&tree.sealed(1, 40, &[20, 30])).await.status, 201);
    assert_eq!(proven(&world).await, (Some(40), Some(30), 0));
    // A restored box, whose numbers jumped ahead, has nothing to prove from: its own proofs begin anew.
    let restored = Tree::forked(100, 35);
    world.put(&restored.sealed(70, 80, &[])).await;
    world.put(&restored.sealed(71, 90, &[80])).await;
    assert_eq!(proven(&world).await, (Some(90), Some(80), 1), "the end of its first life");
}

impl Tree {
    /// A batch that brings the checkpoint of this size along, and proves it.
    async fn show(&self, world: &World, seq: u64, size: u64, olds: &[u64], checkpoint: u64) {
        let mut batch = self.batch(seq, size, olds);
        batch.checkpoints = vec![self.checkpoint(checkpoint)];
        assert_eq!(world.put(&seal(&batch)).await.status, 201);
    }
}

async fn note(world: &World, query: &str) -> CosignedCheckpoint {
    let answer = world.get(&format!("/v1/boxes/{BOX}/checkpoint{query}")).await;
    let text = String::from_utf8(answer.bytes).unwrap();
    CosignedCheckpoint::verify(&text, &world.running.public_key()).expect(&text)
}

#[tokio::test]
async fn the_newest_checkpoint_that_is_proven_is_cosigned() {
    let (world, tree) = (World::new().await, Tree::new(100));
    let path = format!("/v1/boxes/{BOX}/checkpoint");
    assert_eq!(refused(&world.get(&path).await), (404, "not_found".into()));
    tree.show(&world, 0, 20, &[], 16).await;
    assert_eq!(refused(&world.get(&path).await), (404, "not_found".into()), "held, and not proven");
    tree.show(&world, 1, 40, &[16, 20, 32], 32).await;
    tree.show(&world, 2, 60, &[], 50).await;
    let newest = note(&world, "").await;
    assert_eq!((newest.head, newest.since), (tree.head(32), None));
    assert_eq!((newest.platform.as_str(), newest.box_id.as_str()), ("city", BOX));
    assert_eq!(note(&world, "?size=16").await.head, tree.head(16));
    assert_eq!(refused(&world.get(&format!("{path}?size=20")).await), (404, "not_found".into()), "no checkpoint");
    assert_eq!(refused(&world.get(&format!("{path}?size=x")).await), (400, "bad_query".into()));
    // The same note again: nobody can collect two about one tree.
    assert_eq!(world.get(&path).await, world.get(&path).await);
    // After a break the log has another name.
    let restored = Tree::forked(100, 35);
    restored.show(&world, 80, 90, &[85], 85).await;
    assert_eq!((note(&world, "").await.head, note(&world, "").await.since), (restored.head(85), Some(85)));
    assert_eq!(note(&world, "?size=32").await.since, None);
}

#[tokio::test]
async fn platforms_that_compare_notes_see_two_histories() {
    let (world, tree, other) = (World::new().await, Tree::new(100), Tree::forked(100, 35));
    tree.show(&world, 0, 20, &[16], 16).await;
    tree.show(&world, 1, 40, &[20, 32], 32).await;
    tree.show(&world, 2, 60, &[32, 40, 48], 48).await;
    let archive = Archive::new(&world.running.state_dir().database());
    let box_id = BoxId::new(BOX).unwrap();
    // The other platform holds these checkpoints of this tree.
    let compared = |theirs: &Tree, sizes: &[u64]| {
        let newest = theirs.head(*sizes.last().unwrap());
        let ask = |size: u64| Ok::<_, StoreError>(sizes.contains(&size).then(|| theirs.head(size)));
        compare(&archive, &box_id, &newest, Some(ask)).unwrap()
    };
    assert_eq!(compared(&tree, &[16, 32, 48]), Comparison::Same { size: 48 });
    assert_eq!(compared(&tree, &[16, 32]), Comparison::Same { size: 32 }, "it is behind");
    assert_eq!(compared(&tree, &[16, 32, 48, 64]), Comparison::Same { size: 48 }, "it is ahead");
    let batches = world.get(&format!("/v1/boxes/{BOX}/batches")).await.json();
    let (here, there) = (tree.head(48).root, other.head(48).root);
    let fork = Comparison::Fork { size: 48, here, batch: batches["items"][2]["id"].as_str().unwrap().into(), there };
    assert_eq!(compared(&other, &[16, 32, 48]), fork);
    assert_eq!(compared(&other, &[16, 32, 48, 64]), fork, "whichever is newest");
    // Whoever chooses other sizes for the second history is seen by that.
    assert_eq!(compared(&other, &[16, 32, 47]), Comparison::Apart { common: Some(32), here: 48, there: 47 });
    assert_eq!(compared(&other, &[47]), Comparison::Apart { common: None, here: 48, there: 47 });
    let nobody = None::<fn(u64) -> Result<Option<TreeHead>, StoreError>>;
    let alone = compare(&archive, &box_id, &tree.head(64), nobody).unwrap();
    assert_eq!(alone, Comparison::Incomparable { here: Some(48), there: 64 });
}

/// Every bit of every hash counts.
#[tokio::test]
async fn a_damaged_proof_is_refused() {
    let (world, tree) = (World::new().await, Tree::new(100));
    world.put(&tree.sealed(0, 23, &[])).await;
    let hashes = tree.proof(23, 87).proof.path.len();
    for (nth, bit) in (0..hashes).zip([0, 77, 255].into_iter().cycle()) {
        let mut damaged = tree.batch(1, 87, &[23]);
        damaged.proofs[0].proof.path[nth].0[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(refused(&world.put(&seal(&damaged)).await), (409, "inconsistent".into()), "hash {nth}");
    }
    let mut short = tree.batch(1, 87, &[23]);
    short.proofs[0].proof.path.pop();
    assert_eq!(refused(&world.put(&seal(&short)).await), (409, "inconsistent".into()));
    assert_eq!(world.put(&tree.sealed(1, 87, &[23])).await.status, 201);
}
