//! How fast a platform stores a backlog, beside SQLite that takes the same readings as plain rows.
//!
//! `cargo bench -p platform -- --batches 40`; each batch has 5,000 records of 8 readings, as a drain has them.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops at the first surprise")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "synthetic values of known size"
)]

#[path = "../../batch/benches/encoding/series.rs"]
mod series;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use batch::{Batch, BatchId, BoxId, Content, Filtered, Lane, PlatformId, Row, SigningKey, TreeHead};
use platform::EnrolledBox;
use platform::store::{Delivery, Store};
use record::merkle::Hash;
use record::{SeqRange, UnixMs};
use rusqlite::{Connection, params};
use series::{QUANTITIES, Series};

const SENSORS: usize = 40;
const RECORDS: usize = 5_000;
/// Beyond any file that is written here.
const BYTES_MAX: u64 = 64 << 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let batches = argument("--batches").unwrap_or(40);
    let folder = tempfile::tempdir().unwrap();
    let (box_id, key) = (BoxId::new("outfall-1").unwrap(), SigningKey::from_seed(&[1; 32]));
    let entry = EnrolledBox { id: box_id.clone(), key: key.public() };
    let (name, signer) = (PlatformId::new("city").unwrap(), SigningKey::from_seed(&[2; 32]));
    let (own, plain) = (folder.path().join("platform.db"), folder.path().join("plain.db"));
    let store = Store::open(&own, BYTES_MAX, &[entry], name, signer).unwrap();
    let mut beside = Plain::open(&plain);
    let mut series = Series::new(SENSORS, false);
    let (mut stored, mut inserted, mut opened, mut slowest) =
        (Duration::ZERO, Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for nth in 0..batches {
        let rows: Vec<Row> = series.by_ref().take(RECORDS).collect();
        inserted += timed(|| beside.insert(&box_id, &rows)).1;
        let (id, bytes) = sealed(&box_id, &key, rows, nth);
        let (batch, took) = timed(|| Batch::open(&bytes, Some(&id), |_| Some(key.public())).unwrap());
        opened += took;
        let delivery =
            Delivery { id, bytes: bytes.into(), batch, checkpoints: Vec::new(), received_ms: UnixMs(1), command: None };
        let began = Instant::now();
        store.accept(delivery).await.unwrap();
        stored += began.elapsed();
        slowest = slowest.max(began.elapsed());
    }
    store.close().await;
    let readings = (batches * RECORDS * QUANTITIES.len()) as f64;
    println!("{readings} readings in {batches} batches of {RECORDS} records");
    println!("{:<34} {:>12} {:>10}", "", "readings/s", "bytes each");
    let line = |what: &str, took: Duration, bytes: u64| {
        println!("{what:<34} {:>12.0} {:>10.1}", readings / took.as_secs_f64(), bytes as f64 / readings);
    };
    line("verified and unpacked", opened, 0);
    line("stored, receipt signed", stored, fs::metadata(&own).unwrap().len());
    line("plain rows, the same indexes", inserted, fs::metadata(&plain).unwrap().len());
    println!(
        "ratio {:.2}; the slowest batch {:.0} ms",
        inserted.as_secs_f64() / stored.as_secs_f64(),
        slowest.as_secs_f64() * 1e3
    );
}

fn sealed(box_id: &BoxId, key: &SigningKey, rows: Vec<Row>, nth: usize) -> (BatchId, Vec<u8>) {
    let ranges = rows.iter().map(|row| SeqRange { first: row.seq, last: row.seq }).collect();
    let head = TreeHead { size: 1 << 40, root: Hash([0; 32]) };
    let (box_id, lane) = (box_id.clone(), Lane::Backlog);
    let batch = Batch {
        box_id,
        lane,
        ranges,
        head,
        checkpoints: Vec::new(),
        filtered: Filtered::default(),
        proofs: Vec::new(),
        rows,
    };
    let sealed = batch.seal(key).unwrap_or_else(|error| panic!("batch {nth}: {error}"));
    (sealed.id, sealed.bytes)
}

/// A table that a bureau's engineer would make for readings: each is found by its number, and by its series.
struct Plain(Connection);

impl Plain {
    fn open(path: &Path) -> Plain {
        let db = Connection::open(path).unwrap();
        db.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE reading (box TEXT NOT NULL, seq INTEGER NOT NULL, idx INTEGER NOT NULL, source TEXT NOT NULL,
                 quantity TEXT NOT NULL, unit TEXT NOT NULL, value TEXT, wall_ms INTEGER NOT NULL,
                 PRIMARY KEY (box, seq, idx)) STRICT, WITHOUT ROWID;
             CREATE INDEX series ON reading (box, source, quantity, seq, idx);",
        )
        .unwrap();
        Plain(db)
    }

    fn insert(&mut self, box_id: &BoxId, rows: &[Row]) {
        let transaction = self.0.transaction().unwrap();
        let mut insert =
            transaction.prepare_cached("INSERT INTO reading VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)").unwrap();
        for row in rows {
            let Content::Readings { source, readings, .. } = &row.content else { continue };
            for (idx, reading) in readings.iter().enumerate() {
                let value = reading.value.map(|value| value.to_string());
                let seq = row.seq.0 as i64;
                let (quantity, unit) = (reading.quantity.as_str(), reading.unit.as_str());
                let idx = idx as i64;
                let columns =
                    params![box_id.as_str(), seq, idx, source.as_str(), quantity, unit, value, row.stamp.wall_ms.0];
                insert.execute(columns).unwrap();
            }
        }
        drop(insert);
        transaction.commit().unwrap();
    }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = work();
    (done, began.elapsed())
}

fn argument(name: &str) -> Option<usize> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    arguments.nth(1)?.parse().ok()
}
