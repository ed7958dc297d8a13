//! The same proofs that `weir verify` looks at: the journal's tree against every head that was signed for it, and every
//! receipt against the platform's key.

use std::collections::BTreeMap;

use batch::{BoxId, Checkpoint, PublicKey, Receipt};
use journal::{Outbox, Reader};
use platform::store::{Archive, StoreError};

use super::error::DemoError;
use super::logbook::count;
use super::script::Reason;
use super::world::World;

/// Checkpoints and batches read at once.
const PAGE: usize = 1_000;

/// How much was proved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Proved {
    /// Signed tree heads that equal the tree.
    pub(crate) checkpoints: u64,
    /// Heads in batches at the platforms that equal the tree.
    pub(crate) heads: u64,
    /// Receipts whose signature holds.
    pub(crate) receipts: u64,
}

/// A head that somebody claims, and who.
type Claims = BTreeMap<u64, Vec<(String, &'static str)>>;

/// Recomputes the tree and compares; what does not hold becomes a reason.
pub(crate) fn look(world: &World, reader: &Reader, reasons: &mut Vec<Reason>) -> Result<Proved, DemoError> {
    let mut proved = Proved::default();
    let mut claims = Claims::new();
    for stored in reader.checkpoints_after(0, usize::MAX).map_err(DemoError::Store)? {
        match Checkpoint::verify(&stored.cose, &world.box_key) {
            Ok(checkpoint) => {
                let claim = (checkpoint.head.root.to_string(), "checkpoint");
                claims.entry(checkpoint.head.size).or_default().push(claim);
                proved.checkpoints += 1;
            }
            Err(error) => reasons.push(Reason::new(
                format!("the checkpoint of {} records is not signed by the box: {error}", stored.size),
                format!("{} 条记录处的检查点签名无效：{error}", stored.size),
            )),
        }
    }
    for platform in &world.platforms {
        let archive = Archive::new(&platform.state.database());
        let heads = heads(&archive, &world.box_id);
        let heads = heads.map_err(|source| DemoError::Platform { platform: platform.name, source })?;
        proved.heads += count(heads.len());
        for (size, root) in heads {
            claims.entry(size).or_default().push((root, platform.name));
        }
    }
    compare(reader, &claims, reasons);
    let outbox = Outbox::open_read_only(&world.outbox()).map_err(DemoError::Store)?;
    for platform in &world.platforms {
        proved.receipts += receipts(&outbox, platform.name, &platform.key, reasons)?;
    }
    Ok(proved)
}

/// Every head that came with a batch.
fn heads(archive: &Archive, box_id: &BoxId) -> Result<Vec<(u64, String)>, StoreError> {
    let (mut heads, mut after) = (Vec::new(), None);
    loop {
        let page = archive.batches(box_id, after, PAGE)?;
        heads.extend(page.items.into_iter().map(|batch| (batch.head_size, batch.head_root)));
        after = page.next;
        if after.is_none() {
            return Ok(heads);
        }
    }
}

fn compare(reader: &Reader, claims: &Claims, reasons: &mut Vec<Reason>) {
    let mut unmet: BTreeMap<u64, &Vec<(String, &'static str)>> =
        claims.iter().map(|(size, all)| (*size, all)).collect();
    let mut differ = Vec::new();
    let recomputed = reader.recompute(|at, root| {
        let size = at.seq.0 + 1;
        let Some(claimed) = unmet.remove(&size) else { return };
        let root = root.to_string();
        let others = claimed.iter().filter(|(claim, _)| *claim != root);
        differ.extend(others.map(|(_, who)| (*who, size)));
    });
    if let Err(error) = recomputed {
        let error = control::chain(&error);
        reasons.push(Reason::new(format!("the journal does not hold: {error}"), format!("记录库校验失败：{error}")));
    }
    let beyond = unmet.into_iter().flat_map(|(size, claimed)| claimed.iter().map(move |(_, who)| (*who, size)));
    for (who, size) in differ.into_iter().chain(beyond) {
        reasons.push(Reason::new(
            format!("a signed tree head ({who}, {size} records) is not the journal's"),
            format!("签名的树头（{who}，{size} 条记录）与记录库不符"),
        ));
    }
}

fn receipts(
    outbox: &Outbox,
    platform: &'static str,
    key: &PublicKey,
    reasons: &mut Vec<Reason>,
) -> Result<u64, DemoError> {
    let mut proved = 0;
    let each = |receipt: journal::ReceiptAt| match Receipt::verify(&receipt.cose, key) {
        Ok(_) => proved += 1,
        Err(error) => reasons.push(Reason::new(
            format!("a receipt of {platform} is not signed by it: {error}"),
            format!("{platform} 的一份回执签名无效：{error}"),
        )),
    };
    outbox.receipts(platform, each).map_err(DemoError::Store)?;
    Ok(proved)
}
