//! Proofs that each batch continues what its destination has: who keeps the heads sees that they are of one history.
//!
//! A proof from a head that the destination gave a receipt for goes with a later batch, once. Those of several heads share
//! most of their hashes, and compressed together they cost little more than one: a small batch waits for some of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use batch::{BatchId, Continuation, Receipt, TreeHead};
use journal::{Outbox, Reader, StoreError};
use record::merkle::{ConsistencyProof, Hash, ProveError, Subtree};

/// Heads of one destination that wait for their proof. The oldest gives way, and is never proven there.
const HEADS_MAX: usize = 48;
/// With so many waiting even a small batch has proofs: some ten minutes of live ones.
const HEADS_DUE: usize = 8;
/// A batch of so many canonical bytes always has them: there they are some 2 % of what is sent.
const LARGE_BYTES: usize = 64 * 1024;
/// Newest receipts whose heads are proven once more after a start, when nobody knows which of them were.
const RECEIPTS_READ: usize = HEADS_DUE;

/// The heads that wait, by destination.
#[derive(Debug, Default)]
pub(crate) struct Continuity {
    destinations: HashMap<String, Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Root by size.
    heads: BTreeMap<u64, Hash>,
    /// Which of them a batch on its way proves. Bounded by the batches outstanding.
    by_batch: HashMap<BatchId, Vec<u64>>,
}

/// A batch while it is cut.
pub(super) struct Cutting<'a> {
    pub(super) destination: &'a str,
    pub(super) head: TreeHead,
    /// Of the checkpoint that travels in it.
    pub(super) checkpoint: Option<TreeHead>,
    /// Canonical bytes of its records.
    pub(super) content_len: usize,
}

impl Continuity {
    /// What a batch has to carry. A head that the journal does not continue, as after a restored or salvaged one, is given
    /// up: the destination sees that it is not proven.
    ///
    /// # Errors
    /// [`StoreError::Read`] of the outbox.
    pub(super) fn proofs(
        &mut self,
        cutting: &Cutting<'_>,
        reader: &Reader,
        outbox: &Outbox,
    ) -> Result<Vec<Continuation>, StoreError> {
        let Cutting { destination, head, checkpoint, content_len } = cutting;
        let waiting = self.waiting(destination, outbox)?;
        // What a batch on its way proves is proven there, or waits again once that one is given up.
        let under_way: BTreeSet<u64> = waiting.by_batch.values().flatten().copied().collect();
        let due = waiting.heads.keys().filter(|size| !under_way.contains(size)).count();
        if checkpoint.is_none() && *content_len < LARGE_BYTES && due < HEADS_DUE {
            return Ok(Vec::new());
        }
        checkpoint.iter().for_each(|checkpoint| waiting.add(checkpoint));
        let (mut proofs, mut nodes) = (Vec::new(), HashMap::new());
        let wanted = |size: &u64| (1..head.size).contains(size) && !under_way.contains(size);
        for (size, root) in waiting.heads.clone().into_iter().filter(|(size, _)| wanted(size)) {
            match prove(&TreeHead { size, root }, head, reader, &mut nodes) {
                Ok(Some(proof)) => proofs.push(Continuation { size, proof }),
                Ok(None) => {
                    if waiting.heads.remove(&size).is_some() {
                        log::warn!(destination, size, next = "weir verify";
                            "the journal does not continue what has a receipt: the platform will see an unproven history");
                    }
                }
                Err(error) => {
                    log::debug!(destination, size, error = control::chain(&error).as_str(); "no proof for now");
                }
            }
        }
        Ok(proofs)
    }

    /// A batch with these proofs is on its way.
    pub(super) fn sent(&mut self, destination: &str, id: BatchId, proofs: &[Continuation]) {
        if let Some(waiting) = self.destinations.get_mut(destination).filter(|_| !proofs.is_empty()) {
            waiting.by_batch.insert(id, proofs.iter().map(|proof| proof.size).collect());
        }
    }

    /// A batch has its receipt: what it proved waits no more, its own head does.
    pub(super) fn settled(&mut self, destination: &str, id: BatchId, receipt: &[u8]) {
        // Read from the outbox when it is needed first.
        let Some(waiting) = self.destinations.get_mut(destination) else { return };
        for size in waiting.by_batch.remove(&id).into_iter().flatten() {
            waiting.heads.remove(&size);
        }
        waiting.add_receipt(receipt);
    }

    /// A batch will never have one.
    pub(super) fn given_up(&mut self, destination: &str, id: BatchId) {
        self.destinations.get_mut(destination).map(|waiting| waiting.by_batch.remove(&id));
    }

    fn waiting(&mut self, destination: &str, outbox: &Outbox) -> Result<&mut Waiting, StoreError> {
        if !self.destinations.contains_key(destination) {
            let mut waiting = Waiting::default();
            let newest = outbox.newest_receipts(destination, RECEIPTS_READ)?;
            newest.iter().for_each(|receipt| waiting.add_receipt(&receipt.cose));
            self.destinations.insert(destination.to_owned(), waiting);
        }
        Ok(self.destinations.entry(destination.to_owned()).or_default())
    }
}

impl Waiting {
    /// The receipt was verified before it was stored.
    fn add_receipt(&mut self, receipt: &[u8]) {
        if let Ok(Receipt { head, .. }) = Receipt::claimed(receipt) {
            self.add(&head);
        }
    }

    fn add(&mut self, head: &TreeHead) {
        self.heads.insert(head.size, head.root);
        while self.heads.len() > HEADS_MAX {
            self.heads.pop_first();
        }
    }
}

/// The proof, unless this journal has none to give: it goes on from another root, or has lost what leads there.
///
/// # Errors
/// [`StoreError`] where another try may succeed.
fn prove(
    older: &TreeHead,
    newer: &TreeHead,
    reader: &Reader,
    nodes: &mut HashMap<Subtree, Hash>,
) -> Result<Option<ConsistencyProof>, StoreError> {
    let node = |of: Subtree| -> Result<Hash, StoreError> {
        if let Some(known) = nodes.get(&of) {
            return Ok(*known);
        }
        let root = reader.node(of)?;
        nodes.insert(of, root);
        Ok(root)
    };
    match ConsistencyProof::generate(older.size..newer.size, node) {
        // Never an untrue one: a platform takes it for a fork.
        Ok(proof) => Ok(proof.verify(older, newer).is_ok().then_some(proof)),
        Err(ProveError::Node(StoreError::Inconsistent { .. })) => Ok(None),
        Err(ProveError::Node(error)) => Err(error),
        Err(ProveError::NoContinuation { .. } | ProveError::NoSuchLeaf { .. }) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use batch::{Batch, BoxId, Checkpoint, Lane, SigningKey};
    use journal::{Journal, Transaction};
    use record::{Body, Boot, BootNo, ClockQuality, MonoMs, Record, Seq, SeqRange, Stamp, UnixMs};

    use super::*;
    use crate::files::Files;

    /// Commits so many records and signs the tree then.
    fn grow(journal: &mut Journal, key: &SigningKey, count: usize) {
        let clock = ClockQuality::Synchronised;
        let stamp = Stamp { boot: BootNo(1), mono_ms: MonoMs(1), wall_ms: UnixMs(1), clock };
        let body = Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
        let records = vec![Record { stamp, body }; count];
        let committed = journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        let head = TreeHead { size: committed.frontier.size(), root: committed.frontier.root() };
        let checkpoint = Checkpoint { box_id: BoxId::new("box").unwrap(), head, stamp };
        journal.keep_checkpoint(head.size, &checkpoint.sign(key)).unwrap();
    }

    /// Cuts these records; the heads that the batch proves. One checkpoint travels in it.
    fn cut(files: &mut Files, key: &SigningKey, first: u64, last: u64) -> (BatchId, Vec<u64>) {
        let asked = [SeqRange { first: Seq(first), last: Seq(last) }].into_iter().collect();
        let id = files.cut("city", Lane::Backlog, &asked, usize::MAX).unwrap().batch.unwrap().id;
        let bytes = files.outbox.batch_bytes("city", &id.0).unwrap().unwrap();
        let batch = Batch::open(&bytes, Some(&id), |_| Some(key.public())).unwrap();
        assert_eq!(batch.checkpoints.len(), 1);
        (id, batch.proofs.iter().map(|proof| proof.size).collect())
    }

    #[test]
    fn of_the_tree_heads_of_an_outage_the_newest_travels_and_what_a_batch_on_its_way_proves_goes_with_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (path, key) = (folder.path().join("journal/journal.db"), SigningKey::from_seed(&[2; 32]));
        let mut journal = Journal::open(&path, "box").unwrap();
        for _ in 0..3 {
            grow(&mut journal, &key, 10);
        }
        let outbox = Outbox::open(&folder.path().join("outbox/outbox.db")).unwrap();
        let own = SigningKey::from_seed(&[2; 32]);
        let mut files = Files::new(Reader::open(&path).unwrap(), outbox, own, BoxId::new("box").unwrap());
        let (_, proven) = cut(&mut files, &key, 0, 9);
        assert!(proven.is_empty(), "the newest checkpoint is of its own head: {proven:?}");
        grow(&mut journal, &key, 10);
        let (second, proven) = cut(&mut files, &key, 10, 19);
        assert_eq!(proven, [30]);
        grow(&mut journal, &key, 10);
        let (_, proven) = cut(&mut files, &key, 20, 29);
        assert_eq!(proven, [40], "its own checkpoint's head alone is new");
        files.split("city", second).unwrap();
        grow(&mut journal, &key, 10);
        let (_, proven) = cut(&mut files, &key, 10, 19);
        assert_eq!(proven, [30, 50]);
    }
}
