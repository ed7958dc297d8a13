//! What a technician decides about batches that the destination refused.

use batch::BatchId;
use delivery::Input;
use record::Seq;
use tokio::sync::oneshot;

use super::{Driver, restored};
use crate::clock::mono_ms;
use crate::files::FileThreadEnded;
use control::chain;

/// A decision, and who waits to hear what came of it.
#[derive(Debug)]
pub(crate) struct Decision {
    pub(crate) what: Decided,
    /// How many batches it met, or why it could not be carried out.
    pub(crate) answer: oneshot::Sender<Result<u64, String>>,
}

/// What is to become of parked batches.
#[derive(Debug)]
pub(crate) enum Decided {
    /// They are sent again: this one; all if none is named.
    Retry { id: Option<BatchId> },
    /// It is given up, as these records of the journal say.
    Drop { id: BatchId, audits: Vec<Seq> },
}

impl Driver {
    /// Carries it out.
    pub(super) async fn decide(&mut self, Decision { what, answer }: Decision) -> Result<(), FileThreadEnded> {
        let answered = match what {
            Decided::Retry { id } => self.retry(id).await?,
            Decided::Drop { id, audits } => self.drop_parked(id, audits).await?,
        };
        // Whoever hung up does not want to know.
        let _ = answer.send(answered);
        Ok(())
    }

    /// Takes parked batches back among those that are sent.
    async fn retry(&mut self, id: Option<BatchId>) -> Result<Result<u64, String>, FileThreadEnded> {
        let name = self.name.clone();
        let unparked = self.files.run(move |files| files.outbox.unpark(&name, id.as_ref().map(|id| &id.0))).await?;
        Ok(unparked.map_err(|error| chain(&error)).map(|batches| {
            let count = u64::try_from(batches.len()).unwrap_or(u64::MAX);
            for batch in batches.into_iter().map(restored) {
                self.core.handle(mono_ms(), Input::Retry { batch });
            }
            count
        }))
    }

    /// Gives up a parked batch, if the journal has the order for all of its records.
    async fn drop_parked(&mut self, id: BatchId, audits: Vec<Seq>) -> Result<Result<u64, String>, FileThreadEnded> {
        let name = self.name.clone();
        let dropped = self.files.run(move |files| files.drop_parked(&name, id, &audits)).await?;
        Ok(dropped.map_err(|error| chain(&error)).map(|ranges| {
            log::warn!(destination:% = self.name, batch:% = id, records = ranges.len(); "refused records given up by order");
            self.core.handle(mono_ms(), Input::Dropped { ranges });
            1
        }))
    }
}
