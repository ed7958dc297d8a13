//! From record numbers to a signed batch in the outbox.

use std::collections::HashMap;

use batch::{Batch, BatchId, Checkpoint, Lane, OpenError, Row, SealError, TreeHead};
use identity::IdentityError;
use journal::{Segment, Stage, StoreError, StoredBatch, StoredCheckpoint};
use record::{RecordAt, SeqRange, SeqRanges};

use super::Files;
use super::continuity::Cutting;
use super::sieve::Sifted;

/// What became of a cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The batch, unless nothing of what was asked for is there.
    pub batch: Option<CutBatch>,
    /// Records among those asked for, and right behind them, that can no longer be read.
    pub gone: SeqRanges,
}

/// A batch that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutBatch {
    /// Its name.
    pub id: BatchId,
    /// The records in it: a leading part of those asked for.
    pub ranges: SeqRanges,
    /// Its size.
    pub bytes_len: u64,
    /// The canonical bytes of its records.
    pub content_len: u64,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What the destination has taken in all.
    pub tally: journal::DestinationTally,
    /// Records of the batch that the destination is to have after all: it was cut by a filter that withheld more.
    pub reopened: SeqRanges,
}

/// Why no batch was cut. All of it is tried again later.
#[derive(Debug, thiserror::Error)]
pub enum CutError {
    /// The journal cannot be read.
    #[error("failed to read the journal for a batch")]
    Journal(#[source] StoreError),
    /// The batch is beyond its bounds.
    #[error("failed to sign a batch")]
    Seal(#[source] SealError),
    /// The key cannot be read.
    #[error("failed to read the box's key")]
    Key(#[source] IdentityError),
    /// The outbox does not take it.
    #[error("failed to store a batch in the outbox")]
    Outbox(#[source] StoreError),
}

/// Which tree heads are on their way, so that two batches do not carry the same ones. Bounded by the batches
/// outstanding; lost in a restart, after which a head may travel twice.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The largest tree size cut for a destination.
    newest: HashMap<String, u64>,
    /// The largest one in a destination's batch; two destinations may get the same batch.
    by_batch: HashMap<(String, BatchId), u64>,
}

impl Files {
    /// Reads, signs and stores a batch for a destination: the leading records of `asked`, one at least, until
    /// `bytes_max` of canonical bytes are reached. What its filter withholds of them is settled with them.
    ///
    /// # Errors
    /// [`CutError`] by cause; nothing is stored then.
    pub fn cut(&mut self, destination: &str, lane: Lane, asked: &SeqRanges, bytes_max: usize) -> Result<Cut, CutError> {
        // Before the records: a head that is older than a record in the batch would not cover it.
        let position = self.reader.position().map_err(CutError::Journal)?;
        self.look_at_the_key().map_err(CutError::Key)?;
        let sifted = if self.sieves.contains_key(destination) {
            self.sift(destination, asked, bytes_max)?
        } else {
            self.whole(asked, bytes_max)?
        };
        let Sifted { rows, ranges, filtered, withheld, content_len, gone } = sifted;
        if ranges.is_empty() {
            return Ok(Cut { batch: None, gone });
        }
        let sent = self.outbox.checkpoints_sent(destination).map_err(CutError::Outbox)?;
        let after = self.carried.newest.get(destination).copied().unwrap_or(0).max(sent);
        let head = TreeHead { size: position.frontier.size(), root: position.frontier.root() };
        // The newest alone: one that the destination gets together with a larger one holds the box to nothing that the larger
        // one does not. One that was signed just now is proven, and travels, with the next batch.
        let sizes = after.saturating_add(1)..=head.size;
        let checkpoint = self.reader.newest_checkpoint(sizes).map_err(CutError::Journal)?;
        let newest = checkpoint.as_ref().map(|checkpoint| checkpoint.size);
        // Those of a machine whose place this one took are believed by nobody who knows this one's key. Those that this one
        // signed with an earlier key are not needed: its tree head is signed anew when the key changes.
        let key = self.key.public();
        let is_ours = |checkpoint: &StoredCheckpoint| match Checkpoint::verify(&checkpoint.cose, &key) {
            Err(OpenError::UnknownKey { .. }) => None,
            verified => Some((checkpoint.cose.clone(), verified.ok().map(|ours| ours.head))),
        };
        let (checkpoint, its_head) = checkpoint.as_ref().and_then(is_ours).unzip();
        let cutting = Cutting { destination, head, checkpoint: its_head.flatten(), content_len };
        let proofs = self.continuity.proofs(&cutting, &self.reader, &self.outbox).map_err(CutError::Outbox)?;
        let checkpoints = checkpoint.into_iter().collect();
        let batch = Batch { box_id: self.box_id.clone(), lane, ranges, head, checkpoints, filtered, proofs, rows };
        let sealed = batch.seal(&self.key).map_err(CutError::Seal)?;
        let content_len = u64::try_from(content_len).unwrap_or(u64::MAX);
        let bytes_len = u64::try_from(sealed.bytes.len()).unwrap_or(u64::MAX);
        let Batch { ranges, filtered, proofs, .. } = batch;
        let (id, filter) = (sealed.id, self.filter_line(destination));
        let (lane, bytes, left_out) = (lane as u8, sealed.bytes, filtered.left_out.len());
        let stored = StoredBatch { id: id.0, lane, ranges: ranges.clone(), bytes, filter, left_out, withheld };
        self.outbox.put_batch(destination, &stored).map_err(CutError::Outbox)?;
        self.continuity.sent(destination, id, &proofs);
        if let Some(size) = newest {
            self.carried.newest.insert(destination.to_owned(), size);
            self.carried.by_batch.insert((destination.to_owned(), id), size);
        }
        Ok(Cut { batch: Some(CutBatch { id, ranges, bytes_len, content_len }), gone })
    }

    /// The leading records of `asked` up to the bound, at least one if one is there, and what is gone before and between
    /// them.
    fn whole(&mut self, asked: &SeqRanges, bytes_max: usize) -> Result<Sifted, CutError> {
        let (mut sifted, mut room) = (Sifted::default(), bytes_max);
        for range in asked.iter() {
            let page = self.page(range, room, &mut sifted.gone)?;
            let bytes: usize = page.iter().map(|at| at.record.to_canonical().len()).sum();
            room = room.saturating_sub(bytes);
            sifted.content_len += bytes;
            let last = page.last().map_or(range.last, |last| last.seq);
            page.iter().for_each(|at| sifted.ranges.insert(SeqRange { first: at.seq, last: at.seq }));
            sifted.rows.extend(page.iter().map(Row::from));
            if room == 0 || last < range.last {
                break;
            }
        }
        if sifted.rows.is_empty() {
            self.gone_behind(&mut sifted.gone)?;
        }
        Ok(sifted)
    }

    /// The leading records of a range up to the bound, and what is gone before and between them.
    pub(super) fn page(
        &mut self,
        range: SeqRange,
        bytes_max: usize,
        gone: &mut SeqRanges,
    ) -> Result<Vec<RecordAt>, CutError> {
        let page = self.reader.read(range, bytes_max).map_err(CutError::Journal)?;
        let last = page.last().map_or(range.last, |last| last.seq);
        let unbroken = u64::try_from(page.len()).is_ok_and(|count| count == last.0 - range.first.0 + 1);
        if page.is_empty() || !unbroken {
            let within = SeqRange { first: range.first, last };
            let missing = self.reader.unreadable(within).map_err(CutError::Journal)?;
            missing.iter().for_each(|range| gone.insert(range));
        }
        Ok(page)
    }

    /// Where what is gone ends with a part of the journal that is gone as a whole, all of that: nobody need ask for it piece
    /// by piece.
    pub(super) fn gone_behind(&self, gone: &mut SeqRanges) -> Result<(), CutError> {
        let Some(last) = gone.bounds().map(|bounds| bounds.last) else { return Ok(()) };
        let segments = self.reader.segments().map_err(CutError::Journal)?;
        let whole = segments
            .iter()
            .filter(|segment| matches!(segment.stage, Stage::Gone | Stage::Void))
            .filter_map(Segment::range);
        if let Some(range) = whole.into_iter().find(|range| range.first <= last && last <= range.last) {
            gone.insert(SeqRange { first: last, last: range.last });
        }
        Ok(())
    }

    /// Stores a verified receipt.
    ///
    /// # Errors
    /// [`StoreError::Write`], [`StoreError::Read`].
    pub fn settle(&mut self, destination: &str, id: BatchId, receipt: &[u8]) -> Result<Settled, StoreError> {
        let batch = (destination.to_owned(), id);
        let checkpoints = self.carried.by_batch.get(&batch).copied().unwrap_or(0);
        let settled = self.outbox.settle(destination, &id.0, receipt, checkpoints)?;
        self.carried.by_batch.remove(&batch);
        self.continuity.settled(destination, id, receipt);
        if let Some(sieve) = self.sieves.get_mut(destination).filter(|sieve| !sieve.resent.is_empty()) {
            sieve.resent = self.outbox.resend(destination)?;
        }
        let reopened = self.reopen(destination, &settled)?;
        Ok(Settled { tally: self.outbox.tally(destination)?, reopened })
    }

    /// Puts a refused batch aside; the tree heads it carried travel again with another one.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn park(&mut self, destination: &str, id: BatchId, reason: &str) -> Result<(), StoreError> {
        self.outbox.park(destination, &id.0, reason)?;
        self.carry_again(destination, id);
        Ok(())
    }

    /// Takes a refused batch away; its records come in smaller ones, and so do the tree heads it carried.
    ///
    /// # Errors
    /// [`StoreError::Write`].
    pub fn split(&mut self, destination: &str, id: BatchId) -> Result<(), StoreError> {
        self.outbox.discard(destination, &id.0)?;
        self.carry_again(destination, id);
        Ok(())
    }

    fn carry_again(&mut self, destination: &str, id: BatchId) {
        self.continuity.given_up(destination, id);
        if self.carried.by_batch.remove(&(destination.to_owned(), id)).is_some() {
            self.carried.newest.remove(destination);
        }
    }
}
