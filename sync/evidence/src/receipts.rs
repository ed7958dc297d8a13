//! What the platforms' receipts in an evidence file prove about its records.

use std::collections::BTreeMap;

use batch::weirlog::Beliefs;
use batch::{BoxId, OpenError, PlatformId, PublicKey, Receipt};
use record::{Seq, UnixMs};
use serde::Serialize;

use crate::log::Log;
use crate::parts::ReceiptPart;

/// Why a receipt proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptFault {
    /// Its bytes are no receipt.
    #[error("it is no receipt in the one form")]
    Form,
    /// It is not signed with the platform's key.
    #[error("it is not signed with the given key of the platform")]
    Signature,
    /// It is about another box.
    #[error("it is about another box")]
    OtherBox,
    /// Its name in the file is not its own.
    #[error("the file gives it the name of another receipt")]
    Name,
    /// What it says of the tree is not so.
    #[error("the tree that it names is not the tree of the records")]
    Head,
}

/// What one platform's receipts prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipts {
    /// Who received.
    pub platform: PlatformId,
    /// Whether they were verified with a key that the caller gave. Without one they are only what the file says.
    pub key_given: bool,
    /// How many there are.
    pub receipts: usize,
    /// Records of the file.
    pub records: u64,
    /// Of these, the ones that the platform says it holds.
    pub held: u64,
    /// By the platform's clock, when it had received the last of them.
    pub held_before_ms: Option<UnixMs>,
    /// Of the records, those under a tree head that the platform received: they existed, exactly so.
    pub existed: u64,
    /// By the platform's clock, when it had received the head that covers the last of them.
    pub existed_before_ms: Option<UnixMs>,
    /// The first receipt that proves nothing.
    pub fault: Option<(String, ReceiptFault)>,
}

/// The receipts of each platform, by its name.
pub(crate) fn judge(parts: &[ReceiptPart<'_>], beliefs: &Beliefs, box_id: &BoxId, log: &Log) -> Vec<Receipts> {
    let mut by_platform: BTreeMap<&PlatformId, Vec<&ReceiptPart<'_>>> = BTreeMap::new();
    for part in parts {
        by_platform.entry(&part.platform).or_default().push(part);
    }
    by_platform
        .into_iter()
        .map(|(platform, parts)| of_platform(platform, &parts, beliefs.platform(platform), box_id, log))
        .collect()
}

fn of_platform(
    platform: &PlatformId,
    parts: &[&ReceiptPart<'_>],
    keys: &[PublicKey],
    box_id: &BoxId,
    log: &Log,
) -> Receipts {
    let (mut good, mut fault) = (Vec::new(), None);
    for part in parts {
        match judge_one(part, keys, box_id, log) {
            Ok(receipt) => good.push(receipt),
            Err(why) => _ = fault.get_or_insert((part.name.to_owned(), why)),
        }
    }
    good.sort_by_key(|receipt| receipt.received_ms);
    let (held, held_before_ms) = first_covering(log, &good, |receipt, seq| receipt.has(seq));
    let (existed, existed_before_ms) = first_covering(log, &good, |receipt, seq| seq.0 < receipt.head.size);
    let (records, key_given) = (log.records.len() as u64, !keys.is_empty());
    let platform = platform.clone();
    Receipts {
        platform,
        key_given,
        receipts: parts.len(),
        records,
        held,
        held_before_ms,
        existed,
        existed_before_ms,
        fault,
    }
}

fn judge_one(part: &ReceiptPart<'_>, keys: &[PublicKey], box_id: &BoxId, log: &Log) -> Result<Receipt, ReceiptFault> {
    let receipt = Receipt::claimed(part.cose).map_err(|_: OpenError| ReceiptFault::Form)?;
    // By any of its keys: one that another took the place of answered for what it received.
    if !keys.is_empty() && !keys.iter().any(|key| Receipt::verify(part.cose, key).is_ok()) {
        return Err(ReceiptFault::Signature);
    }
    if receipt.box_id != *box_id {
        return Err(ReceiptFault::OtherBox);
    }
    if receipt.platform != part.platform || receipt.batch != part.batch {
        return Err(ReceiptFault::Name);
    }
    let is_ours = log.root(receipt.head.size) == Some(receipt.head.root);
    if is_ours { Ok(receipt) } else { Err(ReceiptFault::Head) }
}

/// How many records some receipt covers, and when the earliest one that covers the last of them was given. `receipts`
/// stand by time.
fn first_covering(log: &Log, receipts: &[Receipt], covers: impl Fn(&Receipt, Seq) -> bool) -> (u64, Option<UnixMs>) {
    let mut open: Vec<Seq> = log.records.iter().map(|at| at.seq).collect();
    let (mut covered, mut last) = (0, None);
    for receipt in receipts {
        let before = open.len();
        open.retain(|seq| !covers(receipt, *seq));
        if open.len() < before {
            covered += (before - open.len()) as u64;
            last = Some(receipt.received_ms);
        }
    }
    (covered, last)
}
