//! A far end that verifies, stores and receipts as the reference platform does, and the ways in which it is no good.

use std::collections::{BTreeMap, BTreeSet};

use batch::{Batch, BatchId, BoxId, Command, Order, PlatformId, PublicKey, Receipt, Row, SigningKey, TreeHead};
use record::{Act, Actor, Audit, Body, Seq, SeqRange, SeqRanges, UnixMs};

use crate::filter::{extended, is_within};
use crate::invariants::{Checked, violation};
use crate::seed::Chance;

/// How a platform behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Stores, and does not answer.
    Silent,
    /// Does not even store.
    Deaf,
    /// Has no room: 503.
    Overloaded,
    /// Somebody took the box off the list: 403.
    Estranged,
    /// 500.
    Faulty,
    /// 200 without having stored anything: an empty body, somebody else's signature, another batch's receipt.
    Lying,
    /// Answers after seconds, sometimes after the box gave up.
    Slow,
}

impl Mood {
    /// What it is counted as; none for a good one.
    pub(crate) fn name(self) -> Option<&'static str> {
        Some(match self {
            Mood::Well => return None,
            Mood::Silent => "platform silent",
            Mood::Deaf => "platform deaf",
            Mood::Overloaded => "platform overloaded",
            Mood::Estranged => "platform estranged",
            Mood::Faulty => "platform faulty",
            Mood::Lying => "platform lying",
            Mood::Slow => "platform slow",
        })
    }

    pub(crate) const BAD: [Mood; 7] =
        [Mood::Silent, Mood::Deaf, Mood::Overloaded, Mood::Estranged, Mood::Faulty, Mood::Lying, Mood::Slow];
}

/// An answer on its way back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) after_ms: u64,
}

/// One platform.
#[derive(Debug)]
pub(crate) struct Platform {
    pub(crate) key: SigningKey,
    pub(crate) mood: Mood,
    /// Of so many records it refuses one for its content; 0 for none.
    pub(crate) poison_in: u64,
    name: PlatformId,
    enrolled: (BoxId, PublicKey),
    holds: SeqRanges,
    rows: BTreeMap<Seq, (Row, BatchId)>,
    receipts: BTreeMap<BatchId, Vec<u8>>,
    /// Every tree head that a batch brought, and the sizes from which a proof led on.
    heads: BTreeMap<u64, TreeHead>,
    pub(crate) continued: BTreeSet<u64>,
    refused: BTreeSet<BatchId>,
    /// Batches that the box sent in halves because they never got through, for all it knew.
    pub(crate) divided: BTreeSet<BatchId>,
    /// The records of all batches that it gave a receipt for.
    receipted: SeqRanges,
    /// What it ordered to be sent once more.
    resent: SeqRanges,
    /// Numbers that batches left out, and batches that left out readings.
    pub(crate) left_out: SeqRanges,
    pub(crate) cut: u64,
    chance: Chance,
}

impl Platform {
    pub(crate) fn new(name: &str, seed: u8, enrolled: (BoxId, PublicKey), chance: Chance) -> Platform {
        Platform {
            key: SigningKey::from_seed(&[seed; 32]),
            mood: Mood::Well,
            poison_in: 0,
            name: PlatformId::new(name).expect("a platform's name"),
            enrolled,
            holds: SeqRanges::new(),
            rows: BTreeMap::new(),
            receipts: BTreeMap::new(),
            heads: BTreeMap::new(),
            continued: BTreeSet::new(),
            refused: BTreeSet::new(),
            divided: BTreeSet::new(),
            receipted: SeqRanges::new(),
            resent: SeqRanges::new(),
            left_out: SeqRanges::new(),
            cut: 0,
            chance,
        }
    }

    /// What it has said under its signature that it holds.
    pub(crate) fn receipted(&self) -> &SeqRanges {
        &self.receipted
    }

    /// Every record it holds, with its batch.
    pub(crate) fn rows(&self) -> &BTreeMap<Seq, (Row, BatchId)> {
        &self.rows
    }

    /// What the box journals of its order to send records once more.
    pub(crate) fn command(&mut self, at_ms: u64, records: SeqRange) -> Body {
        self.resent.insert(records);
        let order = Order::Resend { records: [records].into_iter().collect() };
        let name = order.as_str().to_owned();
        let command = Command {
            platform: self.name.clone(),
            box_id: self.enrolled.0.clone(),
            number: at_ms,
            issued_ms: UnixMs(0),
            until_ms: UnixMs(i64::MAX),
            order,
            reason: String::new(),
        };
        let command = command.sign(&self.key).expect("a small one");
        let act = Act::Commanded { number: at_ms, order: name, command, refused: None };
        Body::Audit(Audit { by: Actor::Platform(self.name.to_string()), act, reason: String::new() })
    }

    /// Takes a request; `None` for silence. `bytes` came whole, but nothing else is believed.
    pub(crate) fn put(&mut self, id: BatchId, bytes: &[u8], at_ms: u64) -> Result<Option<Reply>, crate::Violation> {
        let after_ms = match self.mood {
            Mood::Slow => self.chance.between(2_000, 60_000),
            _ => self.chance.between(1, 30),
        };
        let reply = |status: u16, body: &[u8]| Ok(Some(Reply { status, body: body.to_vec(), after_ms }));
        match self.mood {
            Mood::Deaf => return Ok(None),
            Mood::Overloaded => return reply(503, b""),
            Mood::Estranged => return reply(403, b""),
            Mood::Faulty => return reply(500, b"<html>oops</html>"),
            Mood::Lying => {
                let lie = self.lie(id);
                return reply(200, &lie);
            }
            Mood::Well | Mood::Silent | Mood::Slow => {}
        }
        let answer = self.take(id, bytes, at_ms)?;
        if self.mood == Mood::Silent {
            return Ok(None);
        }
        match answer {
            Ok(receipt) => reply(201, &receipt),
            Err(why) => reply(422, format!(r#"{{"code":"content","message":"{why}"}}"#).as_bytes()),
        }
    }

    /// The signed receipt, or why the content is refused.
    fn take(&mut self, id: BatchId, bytes: &[u8], at_ms: u64) -> Checked<Result<Vec<u8>, String>> {
        if let Some(receipt) = self.receipts.get(&id) {
            return Ok(Ok(receipt.clone()));
        }
        let (box_id, key) = &self.enrolled;
        let opened = Batch::open(bytes, Some(&id), |kid| (kid == key.id()).then_some(*key));
        let batch = match opened {
            Ok(batch) if batch.box_id == *box_id => batch,
            Ok(batch) => return Ok(Err(format!("box {}", batch.box_id))),
            Err(error) => return violation("D2", format!("{id} arrived as something else: {error}")),
        };
        let is_poison = |row: &Row| self.poison_in > 0 && (row.seq.0 * 7 + 3).is_multiple_of(self.poison_in);
        if let Some(row) = batch.rows.iter().find(|row| is_poison(row)) {
            self.refused.insert(id);
            return Ok(Err(format!("record {} is odd", row.seq)));
        }
        for proof in &batch.proofs {
            let Some(older) = self.heads.get(&proof.size) else { continue };
            if let Err(error) = proof.verify(older, &batch.head) {
                return violation(
                    "J1",
                    format!("{id} continues the tree of {} records otherwise: {error}", proof.size),
                );
            }
            self.continued.insert(proof.size);
        }
        self.heads.insert(batch.head.size, batch.head);
        batch.filtered.left_out.iter().for_each(|range| self.left_out.insert(range));
        self.cut += u64::from(!batch.filtered.quantities.is_empty());
        for row in batch.rows {
            if let Some((known, first)) = self.rows.get(&row.seq) {
                // It had come through after all, or comes now behind its halves: the same record is kept once.
                if *known == row && (self.divided.contains(first) || self.divided.contains(&id)) {
                    continue;
                }
                // It was ordered again: the same, or what a filter leaves of it now.
                if self.resent.contains(row.seq) && is_within(&row, known) {
                    continue;
                }
                // Or it lacked readings that its filter lets through now.
                if let Some(sum) = extended(known, &row) {
                    let first = *first;
                    self.rows.insert(row.seq, (sum, first));
                    continue;
                }
                return violation("D3", format!("record {} came in {id}, and before in {first}", row.seq));
            }
            self.rows.insert(row.seq, (row, id));
        }
        for range in batch.ranges.iter() {
            self.holds.insert(range);
            self.receipted.insert(range);
        }
        let receipt = Receipt {
            platform: self.name.clone(),
            box_id: batch.box_id,
            batch: id,
            holds: self.holds.clone(),
            head: batch.head,
            received_ms: UnixMs(i64::try_from(at_ms).unwrap_or(i64::MAX)),
            command: None,
            left_out: SeqRanges::new(),
        };
        let signed = receipt.sign(&self.key);
        self.receipts.insert(id, signed.clone());
        Ok(Ok(signed))
    }

    fn lie(&mut self, id: BatchId) -> Vec<u8> {
        match self.chance.between(0, 3) {
            0 => Vec::new(),
            1 => self.receipts.iter().find(|(of, _)| **of != id).map(|(_, other)| other.clone()).unwrap_or_default(),
            _ => {
                let everything = record::SeqRange { first: Seq(0), last: Seq(u64::MAX - 1) };
                let forged = Receipt {
                    platform: self.name.clone(),
                    box_id: self.enrolled.0.clone(),
                    batch: id,
                    holds: [everything].into_iter().collect(),
                    head: TreeHead { size: 0, root: record::merkle::Hash([0; 32]) },
                    received_ms: UnixMs(0),
                    command: None,
                    left_out: SeqRanges::new(),
                };
                forged.sign(&SigningKey::from_seed(&[99; 32]))
            }
        }
    }
}
