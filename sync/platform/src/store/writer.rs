//! The one thread that writes. Batches that wait together are committed together: one `fdatasync` for all of them.

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::accept::{Accepted, Delivery, Signer, accept};
use super::error::{AcceptError, StoreError};

/// Most jobs that wait for the thread. Each may hold a whole batch, so few.
pub(super) const QUEUE_MAX: usize = 16;
/// Most batches in one transaction.
const GROUP_MAX: usize = 16;

/// What the thread is asked.
pub(super) enum Job {
    /// To store a batch.
    Accept(Box<Delivery>, oneshot::Sender<Result<Accepted, AcceptError>>),
    /// To show that it lives and that its database answers.
    Probe(oneshot::Sender<Result<(), StoreError>>),
}

type Answer = oneshot::Sender<Result<Accepted, AcceptError>>;

/// Runs until every sender is gone, then folds the write-ahead log into the database.
pub(super) fn run(mut db: Connection, signer: &Signer, mut jobs: mpsc::Receiver<Job>) {
    while let Some(first) = jobs.blocking_recv() {
        let mut group = Vec::new();
        take(first, &db, &mut group);
        while group.len() < GROUP_MAX
            && let Ok(next) = jobs.try_recv()
        {
            take(next, &db, &mut group);
        }
        commit(&mut db, signer, group);
    }
    if let Err(error) = db.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(())) {
        // Nothing is lost: the next start reads the log.
        log::warn!("failed to fold the write-ahead log into the database: {error}");
    }
}

fn take(job: Job, db: &Connection, group: &mut Vec<(Box<Delivery>, Answer)>) {
    match job {
        Job::Accept(delivery, answer) => group.push((delivery, answer)),
        Job::Probe(answer) => {
            let probed = db.query_row("SELECT count(*) FROM box", [], |_| Ok(())).map_err(StoreError::from);
            // Who asked may have gone; then nobody needs the answer.
            drop(answer.send(probed));
        }
    }
}

/// Answers leave only after the commit: a receipt means "on the disk".
fn commit(db: &mut Connection, signer: &Signer, group: Vec<(Box<Delivery>, Answer)>) {
    let deliveries: Vec<&Delivery> = group.iter().map(|(delivery, _)| delivery.as_ref()).collect();
    let results = match store(db, signer, &deliveries) {
        Ok(results) => results,
        // One batch may be what does not fit; alone, the others still can be stored.
        Err(_) if deliveries.len() > 1 => deliveries.iter().map(|one| store_alone(db, signer, one)).collect(),
        Err(error) => vec![Err(AcceptError::from(error))],
    };
    for ((_, answer), result) in group.into_iter().zip(results) {
        // The client may have gone; it will send the batch again and get this receipt.
        drop(answer.send(result));
    }
}

fn store_alone(db: &mut Connection, signer: &Signer, delivery: &Delivery) -> Result<Accepted, AcceptError> {
    store(db, signer, &[delivery])?.pop().unwrap_or(Err(AcceptError::Closed))
}

/// One transaction; a refused batch is rolled back to its own savepoint and leaves nothing behind.
fn store(
    db: &mut Connection,
    signer: &Signer,
    deliveries: &[&Delivery],
) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError> {
    let mut transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let savepoint = transaction.savepoint()?;
        match accept(&savepoint, signer, delivery) {
            Ok(accepted) => {
                savepoint.commit()?;
                results.push(Ok(accepted));
            }
            Err(AcceptError::Full(error) | AcceptError::Failed(error)) => return Err(error),
            Err(refused) => {
                savepoint.finish()?;
                results.push(Err(refused));
            }
        }
    }
    transaction.commit()?;
    Ok(results)
}
