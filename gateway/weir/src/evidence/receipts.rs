//! Which receipts go into a file: for each platform the first ones that cover what was chosen.

use std::path::Path;

use batch::{BatchId, BoxId, PlatformId, Receipt};
use evidence::{RECEIPTS_MAX, ReceiptFile};
use journal::{Outbox, Reader, StoreError};
use record::Seq;
use record::merkle::{Frontier, Hash, Subtree};

use super::EvidenceError;

/// A receipt, and the size of the tree that it names.
pub(super) type Sized = (u64, ReceiptFile);

/// Those in the outbox for records among `chosen`, whose tree is that of the first `end` records.
pub(super) fn choose(
    outbox: &Path,
    reader: &Reader,
    box_id: &BoxId,
    chosen: &[Seq],
    end: Seq,
) -> Result<Vec<Sized>, EvidenceError> {
    if !outbox.exists() {
        return Ok(Vec::new());
    }
    let outbox = Outbox::open_read_only(outbox).map_err(EvidenceError::Store)?;
    let names = outbox.destinations().map_err(EvidenceError::Store)?;
    let each_max = RECEIPTS_MAX / names.len().max(1);
    let mut all = Vec::new();
    for name in names {
        let Ok(platform) = PlatformId::new(&name) else { continue };
        all.extend(thin(of_platform(&outbox, &platform, reader, box_id, chosen, end)?, each_max));
    }
    Ok(all)
}

fn of_platform(
    outbox: &Outbox,
    platform: &PlatformId,
    reader: &Reader,
    box_id: &BoxId,
    chosen: &[Seq],
    end: Seq,
) -> Result<Vec<Sized>, EvidenceError> {
    let (mut unheld, mut unseen) = (chosen.to_vec(), chosen.to_vec());
    let (mut taken, mut failed) = (Vec::new(), None);
    let each = |stored: journal::ReceiptAt| {
        let least = unheld.first().into_iter().chain(unseen.first()).min().filter(|_| failed.is_none());
        let (Some(least), Ok(receipt)) = (least, Receipt::claimed(&stored.cose)) else { return };
        let size = receipt.head.size;
        let is_ours = receipt.box_id == *box_id && receipt.platform == *platform;
        // What it holds lies below its head.
        if !is_ours || size <= least.0 || size > end.0 {
            return;
        }
        let adds = unseen.first().is_some_and(|seq| seq.0 < size) || unheld.iter().any(|seq| receipt.has(*seq));
        match adds.then(|| root(reader, size)).transpose() {
            Err(error) => failed = Some(error),
            Ok(known) if known.flatten() == Some(receipt.head.root) => {
                unseen.retain(|seq| seq.0 >= size);
                unheld.retain(|seq| !receipt.has(*seq));
                let batch = BatchId(stored.id);
                taken.push((size, ReceiptFile { platform: platform.clone(), batch, cose: stored.cose }));
            }
            Ok(_) => {}
        }
    };
    outbox.receipts(platform.as_str(), each).map_err(EvidenceError::Store)?;
    failed.map_or(Ok(taken), |error| Err(EvidenceError::Store(error)))
}

/// The root of the tree over the first `size` records; none where so much was taken away that nobody can tell it.
pub(super) fn root(reader: &Reader, size: u64) -> Result<Option<Hash>, StoreError> {
    let mut tree = Frontier::new();
    while let Some(subtree) = Subtree::largest(Seq(tree.size()), Seq(size)) {
        let node = match reader.node(subtree) {
            Ok(node) => node,
            Err(StoreError::Inconsistent { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        if tree.append_subtree(subtree.level(), node).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(tree.root()))
}

/// At most so many, the last one among them: it covers what all do, and those before it tell how early.
fn thin(mut receipts: Vec<Sized>, max: usize) -> Vec<Sized> {
    let (step, count) = (receipts.len().div_ceil(max.max(1)).max(1), receipts.len());
    let mut nth = 0;
    receipts.retain(|_| {
        nth += 1;
        (count - nth).is_multiple_of(step)
    });
    receipts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_receipts_keep_the_last() {
        let receipt = |size| {
            let (platform, batch) = (PlatformId::new("city").unwrap(), BatchId([0; 32]));
            (size, ReceiptFile { platform, batch, cose: Vec::new() })
        };
        for (count, max, left) in [(0, 3, 0), (3, 3, 3), (4, 3, 2), (100, 9, 9), (100, 1, 1)] {
            let thinned = thin((0..count).map(receipt).collect(), max);
            assert_eq!((thinned.len(), thinned.last().map(|(size, _)| *size)), (left, count.checked_sub(1)));
        }
    }
}
