//! Bytes per reading and readings per second of the batch format, beside gzip of JSON rows and SenML-CBOR with zstd,
//! on the same data in the same run: `cargo bench -p batch`.
//!
//! The data are synthetic, by a fixed seed: 10 sensors report 8 quantities each once a minute, ±1 s. *Continuous*:
//! daily wave, slow drift, white noise of 0.7 to 5 units of the last digit. *Held*: the same, but analysers (COD, NH3-N,
//! TP) repeat an hourly value, and the others a value until it has moved by three units of the last digit.
//!
//! The sensors are of one model and have one codec, which costs a batch some 12 bytes; a codec of its own for each sensor
//! costs 8 bytes a sensor and batch, which nothing can compress.
//!
//! The *floor* is the entropy of what is left after the best of three predictions, pooled over the sensors of a
//! quantity, from 1,000,000 readings: the last value (order 1), the line through the last two (order 2) for values;
//! the same for each sensor's times. Reaching it would take a free, perfectly fitted entropy coder and no envelope.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "synthetic values of known size")]

mod floor;
mod series;

use std::io::Write;
use std::time::Instant;

use batch::{Batch, BoxId, Content, Continuation, Filtered, Lane, Row, SigningKey, TreeHead};
use floor::Floor;
use record::merkle::{ConsistencyProof, Subtree, leaf_hash};
use record::{Reading, SeqRange, SourceId};
use series::{QUANTITIES, Series};

const SENSORS: usize = 10;

fn main() {
    let key = SigningKey::from_seed(&[7; 32]);
    println!("bytes/reading; `x` = times smaller than gzip JSON; `/floor` = times the floor; M readings/s of one core");
    println!("data        readings   json.gz  senml.zst  batch    x  /floor   encode  decode");
    for (name, held) in [("continuous", false), ("held", true)] {
        let rows: Vec<Row> = Series::new(SENSORS, held).take(1_000_000 / 8).collect();
        let mut floor = Floor::default();
        rows.iter().for_each(|row| floor.add(row));
        let floor = floor.bytes_per_reading();
        for (frames, batches) in [(13, 200), (125, 50), (1_250, 20)] {
            let batches: Vec<Batch> = rows.chunks(frames).take(batches).map(batch_of).collect();
            let readings = (batches.len() * frames * QUANTITIES.len()) as f64;
            let total = |of: fn(&Batch) -> usize| batches.iter().map(of).sum::<usize>() as f64 / readings;
            let (json, senml) =
                (total(|b| gzip(&json(b))), total(|b| zstd::bulk::compress(&senml(b), 3).unwrap().len()));
            let begin = Instant::now();
            let sealed: Vec<_> = batches.iter().map(|batch| batch.seal(&key).unwrap()).collect();
            let encode = readings / begin.elapsed().as_secs_f64() / 1e6;
            let begin = Instant::now();
            let opened: Vec<_> =
                sealed.iter().map(|s| Batch::open(&s.bytes, Some(&s.id), |_| Some(key.public())).unwrap()).collect();
            let decode = readings / begin.elapsed().as_secs_f64() / 1e6;
            assert_eq!(opened, batches);
            let ours = sealed.iter().map(|s| s.bytes.len()).sum::<usize>() as f64 / readings;
            println!(
                "{name:11} {:8} {json:9.2} {senml:10.2} {ours:6.3} {:4.1} {:7.2} {encode:8.2} {decode:7.2}",
                frames * QUANTITIES.len(),
                json / ours,
                ours / floor
            );
        }
        println!("{name:11} floor {floor:.3}");
    }
    proofs(&key);
}

/// What it costs that batches of a minute prove to continue one another, 40 records apart.
fn proofs(key: &SigningKey) {
    let rows: Vec<Row> = Series::new(SENSORS, false).take(4 * SENSORS).collect();
    let plain = batch_of(&rows);
    let without = plain.seal(key).unwrap().bytes.len();
    // The same leaf everywhere would be packed to nothing.
    let node = |of: Subtree| Ok::<_, ()>(leaf_hash(format!("{of:?}").as_bytes()));
    println!("\nbytes a batch for proofs; records in the tree   with each batch   8 with each 8th");
    for records in [50_000, 1_000_000, 20_000_000] {
        let cost = |heads: u64| {
            let sizes = (0..100).map(|nth| records + nth * records / 100 + nth);
            let bytes = sizes.map(|size| {
                let mut batch = plain.clone();
                batch.head.size = size;
                let olds = (1..=heads).rev().map(|nth| size - 40 * nth);
                let proof = |older| ConsistencyProof::generate(older..size, node).unwrap();
                batch.proofs = olds.map(|size| Continuation { size, proof: proof(size) }).collect();
                batch.seal(key).unwrap().bytes.len() - without
            });
            bytes.sum::<usize>() as f64 / 100.0 / heads as f64
        };
        println!("{records:46} {:17.0} {:17.0}", cost(1), cost(8));
    }
}

fn batch_of(rows: &[Row]) -> Batch {
    Batch {
        box_id: BoxId::new("box-0042").unwrap(),
        lane: Lane::Live,
        ranges: SeqRange::new(rows[0].seq, rows[rows.len() - 1].seq).into_iter().collect(),
        head: TreeHead { size: rows[rows.len() - 1].seq.0 + 1, root: leaf_hash(&rows[0].seq.0.to_be_bytes()) },
        checkpoints: Vec::new(),
        filtered: Filtered::default(),
        proofs: Vec::new(),
        rows: rows.to_vec(),
    }
}

fn frames(rows: &[Row]) -> impl Iterator<Item = (&Row, &SourceId, &Vec<Reading>)> {
    rows.iter().filter_map(|row| match &row.content {
        Content::Readings { source, readings, .. } => Some((row, source, readings)),
        _ => None,
    })
}

/// One object per reading and line.
fn json(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (row, source, readings) in frames(&batch.rows) {
        let time = iso_8601(row.stamp.wall_ms.0);
        for Reading { quantity, unit, value, quality, .. } in readings {
            writeln!(
                bytes,
                r#"{{"seq":{},"device":"{source}","quantity":"{quantity}","unit":"{unit}","value":{},"quality":"{}","time":"{time}"}}"#,
                row.seq,
                value.unwrap(),
                quality.as_str()
            )
            .unwrap();
        }
    }
    bytes
}

/// Civil date of a Unix time (Howard Hinnant's `civil_from_days`, for years after 1970).
fn iso_8601(ms: i64) -> String {
    let (day, in_day) = (ms / 86_400_000 + 719_468, ms % 86_400_000);
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let (hour, minute, second) = (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60);
    format!(
        "{:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
        era * 400 + year + carry,
        in_day % 1_000
    )
}

/// Level 6, by miniz_oxide.
fn gzip(bytes: &[u8]) -> usize {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().len()
}

/// RFC 8428 §6: one record per reading; base name and base time once a frame; values as decimal fractions (tag 4),
/// which is shorter than a double and exact.
fn senml(batch: &Batch) -> Vec<u8> {
    let readings: usize = frames(&batch.rows).map(|(_, _, readings)| readings.len()).sum();
    let mut e = minicbor::Encoder::new(Vec::new());
    e.array(readings as u64).unwrap();
    for (row, source, readings) in frames(&batch.rows) {
        for (place, reading) in readings.iter().enumerate() {
            e.map(if place == 0 { 5 } else { 3 }).unwrap();
            if place == 0 {
                e.i8(-2).unwrap().str(&format!("{source}:")).unwrap();
                e.i8(-3).unwrap().tag(minicbor::data::IanaTag::Decimal).unwrap();
                e.array(2).unwrap().i8(-3).unwrap().i64(row.stamp.wall_ms.0).unwrap();
            }
            let value = reading.value.unwrap();
            e.u8(0).unwrap().str(reading.quantity.as_str()).unwrap().u8(1).unwrap().str(reading.unit.as_str()).unwrap();
            e.u8(2).unwrap().tag(minicbor::data::IanaTag::Decimal).unwrap();
            e.array(2).unwrap().i8(value.exponent()).unwrap().i64(value.mantissa()).unwrap();
        }
    }
    e.into_writer()
}
