//! Giving up what a destination refused: only by an order that stands in the journal.

use batch::BatchId;
use journal::StoreError;
use record::{Act, Body, Seq, SeqRange, SeqRanges};

use super::Files;

/// An order is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// Why a parked batch was not given up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DropError {
    /// Nothing of that name is parked.
    #[error("batch {id} is not parked for `{destination}` · try: weir sync parked")]
    NotParked {
        /// The batch.
        id: BatchId,
        /// The destination.
        destination: String,
    },
    /// The journal has no order to give up these.
    #[error("the journal has no order to give up record {missing} · try: weir sync drop … --reason TEXT")]
    NotOrdered {
        /// The first of them.
        missing: Seq,
    },
    /// Journal or outbox do not work.
    #[error("failed to give up a parked batch")]
    Store(#[source] StoreError),
}

impl Files {
    /// Gives up a parked batch whose records all are named by these orders; returns the records.
    ///
    /// # Errors
    /// [`DropError`]; then it stays parked.
    pub(crate) fn drop_parked(
        &mut self,
        destination: &str,
        id: BatchId,
        audits: &[Seq],
    ) -> Result<SeqRanges, DropError> {
        let parked = self.outbox.parked_batches(destination).map_err(DropError::Store)?;
        let parked = parked.into_iter().find(|parked| parked.batch.id == id.0);
        let not_parked = || DropError::NotParked { id, destination: destination.to_owned() };
        let ranges = parked.ok_or_else(not_parked)?.batch.ranges;
        let ordered = self.ordered(destination, audits).map_err(DropError::Store)?;
        if let Some(missing) = ranges.iter().find_map(|range| ordered.missing_in(range).bounds()) {
            return Err(DropError::NotOrdered { missing: missing.first });
        }
        self.outbox.drop_parked(destination, &id.0).map_err(DropError::Store)?;
        Ok(ranges)
    }

    /// What these records of the journal order to give up for this destination.
    fn ordered(&self, destination: &str, audits: &[Seq]) -> Result<SeqRanges, StoreError> {
        let mut ordered = SeqRanges::new();
        for seq in audits {
            let found = self.reader.read(SeqRange { first: *seq, last: *seq }, ONE_RECORD)?.pop();
            let Some(Body::Audit(audit)) = found.map(|at| at.record.body) else { continue };
            if let Act::Dropped { platform, records } = audit.act
                && platform == destination
            {
                ordered.insert(records);
            }
        }
        Ok(ordered)
    }
}
