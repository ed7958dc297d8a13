//! The one thread that writes. Batches that wait together are committed together: one `fdatasync` for all of them.

use std::fs::File;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::accept::{Accepted, Delivery, Signer, accept};
use super::error::{AcceptError, StoreError};
use crate::config::EnrolledBox;

/// Most jobs that wait for the thread. Each may hold a whole batch, so few.
pub(super) const QUEUE_MAX: usize = 16;
/// Most batches in one transaction.
const GROUP_MAX: usize = 16;

/// What the thread is asked.
pub(super) enum Job {
    /// To store a batch.
    Accept(Box<Delivery>, Answer),
    /// To enter a box, which may have another key than before.
    Enrol(EnrolledBox, oneshot::Sender<Result<(), StoreError>>),
    /// To show that it lives and that its database answers.
    Probe(oneshot::Sender<Result<(), StoreError>>),
    /// To end, and to say so when the file is closed.
    Close(oneshot::Sender<()>),
}

type Answer = oneshot::Sender<Result<Accepted, AcceptError>>;

/// What is done at once.
#[derive(Default)]
struct Turn {
    group: Vec<(Box<Delivery>, Answer)>,
    close: Option<oneshot::Sender<()>>,
}

impl Turn {
    fn take(&mut self, job: Job, db: &mut Connection) {
        match job {
            Job::Enrol(entry, answer) => {
                let entered = super::enrol(db, &[entry]).map_err(StoreError::from);
                // Who asked may have gone; asked again, this changes nothing.
                drop(answer.send(entered));
            }
            Job::Accept(delivery, answer) => self.group.push((delivery, answer)),
            Job::Probe(answer) => {
                let probed = db.query_row("SELECT count(*) FROM box", [], |_| Ok(())).map_err(StoreError::from);
                // Who asked may have gone; then nobody needs the answer.
                drop(answer.send(probed));
            }
            Job::Close(answer) => self.close = Some(answer),
        }
    }

    fn is_full(&self) -> bool {
        self.group.len() >= GROUP_MAX || self.close.is_some()
    }
}

/// Runs until it is asked to close or every sender is gone, then folds the write-ahead log into the database. `lock`
/// keeps other writers out for that long.
pub(super) fn run(mut db: Connection, lock: File, signer: &Signer, mut jobs: mpsc::Receiver<Job>) {
    let mut closing = None;
    while closing.is_none()
        && let Some(first) = jobs.blocking_recv()
    {
        let mut turn = Turn::default();
        turn.take(first, &mut db);
        while !turn.is_full()
            && let Ok(next) = jobs.try_recv()
        {
            turn.take(next, &mut db);
        }
        commit(&mut db, signer, turn.group);
        closing = turn.close;
    }
    if let Err(error) = db.pragma_query(None, "wal_checkpoint(TRUNCATE)", |_| Ok(())) {
        // Nothing is lost: the next start reads the log.
        log::warn!("failed to fold the write-ahead log into the database: {error}");
    }
    drop((db, lock));
    if let Some(closing) = closing {
        // Who asked may have stopped waiting.
        let _ = closing.send(());
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
    store_one(db, signer, delivery)?
}

/// One transaction for one batch; refused, it leaves nothing behind. A savepoint in it would cost a copy of every page that
/// changes.
fn store_one(
    db: &mut Connection,
    signer: &Signer,
    delivery: &Delivery,
) -> Result<Result<Accepted, AcceptError>, StoreError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let result = told(accept(&transaction, signer, delivery))?;
    if result.is_ok() {
        transaction.commit()?;
    }
    Ok(result)
}

/// One transaction; a refused batch is rolled back to its own savepoint and leaves nothing behind.
fn store(
    db: &mut Connection,
    signer: &Signer,
    deliveries: &[&Delivery],
) -> Result<Vec<Result<Accepted, AcceptError>>, StoreError> {
    if let [one] = deliveries {
        return Ok(vec![store_one(db, signer, one)?]);
    }
    let mut transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut results = Vec::with_capacity(deliveries.len());
    for delivery in deliveries {
        let savepoint = transaction.savepoint()?;
        let result = told(accept(&savepoint, signer, delivery))?;
        if result.is_ok() {
            savepoint.commit()?;
        } else {
            savepoint.finish()?;
        }
        results.push(result);
    }
    transaction.commit()?;
    Ok(results)
}

/// What the box is told of its batch, apart from what the database cannot do.
fn told(result: Result<Accepted, AcceptError>) -> Result<Result<Accepted, AcceptError>, StoreError> {
    match result {
        Err(AcceptError::Full(error) | AcceptError::Failed(error)) => Err(error),
        told => Ok(told),
    }
}

#[cfg(test)]
mod tests {
    use super::super::accept::Signer;
    use super::super::error::Refused;
    use super::super::{read, schema};
    use super::*;
    use batch::{Batch, BatchId, BoxId, Content, Filtered, Lane, PlatformId, Row, SigningKey, TreeHead};
    use record::merkle::Hash;
    use record::{Boot, BootNo, ClockQuality, MonoMs, Seq, SeqRange, Stamp, UnixMs};

    /// A batch of boot records; `boot_id` makes them alike or different.
    fn delivery(seqs: std::ops::Range<u64>, boot_id: &str) -> Delivery {
        let stamp = Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Unset };
        let boot = || Content::Boot(Boot { boot_id: boot_id.to_owned(), version: String::new() });
        let rows: Vec<Row> = seqs.map(|seq| Row { seq: Seq(seq), stamp, content: boot() }).collect();
        let batch = Batch {
            box_id: BoxId::new("b").unwrap(),
            lane: Lane::Live,
            ranges: rows.iter().map(|row| SeqRange { first: row.seq, last: row.seq }).collect(),
            head: TreeHead { size: 10_000, root: Hash([0; 32]) },
            checkpoints: Vec::new(),
            filtered: Filtered::default(),
            proofs: Vec::new(),
            rows,
        };
        let sealed = batch.seal(&SigningKey::from_seed(&[1; 32])).unwrap();
        let (id, bytes) = (sealed.id, sealed.bytes.into());
        Delivery { id, bytes, batch, checkpoints: Vec::new(), received_ms: UnixMs(1), command: None }
    }

    fn world(bytes_max: u64) -> (tempfile::TempDir, Connection, Signer) {
        let folder = tempfile::tempdir().unwrap();
        let db = schema::open_writer(&folder.path().join("p.db"), bytes_max).unwrap();
        let signer = Signer { platform: PlatformId::new("p").unwrap(), key: SigningKey::from_seed(&[2; 32]) };
        (folder, db, signer)
    }

    fn commit_all(db: &mut Connection, signer: &Signer, group: Vec<Delivery>) -> Vec<Result<Accepted, AcceptError>> {
        let (group, answers): (Vec<_>, Vec<_>) = group
            .into_iter()
            .map(|delivery| {
                let (answer, answered) = oneshot::channel();
                ((Box::new(delivery), answer), answered)
            })
            .unzip();
        commit(db, signer, group);
        answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
    }

    fn held(db: &Connection) -> String {
        format!("{:?}", read::coverage(db, &BoxId::new("b").unwrap()).unwrap())
    }

    #[test]
    fn a_refused_batch_leaves_its_group_alone() {
        let (_folder, mut db, signer) = world(64 << 20);
        let group = vec![delivery(0..3, "a"), delivery(2..5, "other"), delivery(5..7, "a"), delivery(0..3, "a")];
        let answers = commit_all(&mut db, &signer, group);
        assert!(matches!(answers[0], Ok(Accepted::Stored { .. })));
        assert!(matches!(answers[1], Err(AcceptError::Refused(Refused::Conflict { seq: Seq(2) }))));
        assert!(matches!(answers[2], Ok(Accepted::Stored { .. })));
        assert!(matches!(answers[3], Ok(Accepted::Repeated { .. })));
        assert_eq!(held(&db), "SeqRanges([0-2, 5-6])");
        let heads: i64 = db.query_row("SELECT count(*) FROM batch", [], |row| row.get(0)).unwrap();
        assert_eq!(heads, 2);
    }

    #[test]
    fn a_batch_that_does_not_fit_leaves_its_group_alone() {
        let (_folder, mut db, signer) = world(1 << 20);
        let group = vec![delivery(0..3, "a"), delivery(10..9000, &"x".repeat(200)), delivery(3..5, "a")];
        let answers = commit_all(&mut db, &signer, group);
        assert!(matches!(answers[0], Ok(Accepted::Stored { .. })));
        assert!(matches!(answers[1], Err(AcceptError::Full(_))));
        assert!(matches!(answers[2], Ok(Accepted::Stored { .. })));
        assert_eq!(held(&db), "SeqRanges([0-4])");
    }

    #[test]
    fn what_no_receipt_could_name_is_refused_until_the_gaps_close() {
        let (_folder, mut db, signer) = world(64 << 20);
        let mut scattered = delivery(0..1, "a");
        let row = scattered.batch.rows[0].clone();
        scattered.batch.rows = (0..10_001).map(|nth| Row { seq: Seq(nth * 2), ..row.clone() }).collect();
        scattered.batch.ranges =
            scattered.batch.rows.iter().map(|row| SeqRange { first: row.seq, last: row.seq }).collect();
        scattered.id = BatchId([7; 32]);
        let answers = commit_all(&mut db, &signer, vec![scattered]);
        assert!(matches!(answers[0], Err(AcceptError::Scattered { ranges: 10_001, max: 10_000 })));
        assert_eq!(held(&db), "SeqRanges([])");
    }
}
