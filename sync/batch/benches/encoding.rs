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

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use batch::{Batch, BoxId, Content, Lane, Row, SigningKey, TreeHead};
use record::merkle::leaf_hash;
use record::{
    BootNo, ClockQuality, CodecId, Decimal, MonoMs, Quality, Quantity, Reading, Seq, SeqRange, SourceId, Stamp, Unit,
    UnixMs,
};

/// Name, unit, digits behind the point, mean, daily amplitude and noise in units of the last digit, analyser.
const QUANTITIES: [(&str, &str, i32, f64, f64, f64, bool); 8] = [
    ("cod", "mg/L", -1, 420.0, 90.0, 3.0, true),
    ("nh3_n", "mg/L", -2, 231.0, 60.0, 2.0, true),
    ("tp", "mg/L", -3, 312.0, 50.0, 2.0, true),
    ("ph", "[pH]", -2, 721.0, 12.0, 0.7, false),
    ("water_temperature", "Cel", -1, 183.0, 21.0, 0.8, false),
    ("conductivity", "uS/cm", 0, 812.0, 70.0, 2.5, false),
    ("turbidity", "{NTU}", -1, 234.0, 80.0, 5.0, false),
    ("flow", "m3/h", -1, 3125.0, 900.0, 5.0, false),
];
const SENSORS: usize = 10;
const START_MS: i64 = 1_777_888_800_000;

fn main() {
    let key = SigningKey::from_seed(&[7; 32]);
    println!("bytes/reading; `x` = times smaller than gzip JSON; `/floor` = times the floor; M readings/s of one core");
    println!("data        readings   json.gz  senml.zst  batch    x  /floor   encode  decode");
    for (name, held) in [("continuous", false), ("held", true)] {
        let rows = generate(held, 1_000_000 / 8);
        let floor = floor(&rows);
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
}

/// Splitmix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in -1..1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Nearly normal: the sum of twelve.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() / 2.0
    }
}

fn generate(held: bool, frames: usize) -> Vec<Row> {
    let mut random = Random(20_260_504);
    let mut drift = [[0.0f64; QUANTITIES.len()]; SENSORS];
    let mut shown = [[0i64; QUANTITIES.len()]; SENSORS];
    let mut times = Vec::new();
    for minute in 0..frames.div_ceil(SENSORS) {
        for sensor in 0..SENSORS {
            let at = minute as f64 * 60_000.0 + sensor as f64 * 6_000.0 + 3_000.0 + random.unit() * 1_000.0;
            times.push((at as i64, minute, sensor));
        }
    }
    times.truncate(frames);
    let mut rows = Vec::new();
    for (seq, (at, minute, sensor)) in (0..).zip(times) {
        let mut readings = Vec::new();
        for (place, (name, unit, exponent, mean, amplitude, noise, analyser)) in QUANTITIES.into_iter().enumerate() {
            drift[sensor][place] += random.normal() * 0.05 * noise;
            let day = (minute as f64 / 1440.0 + sensor as f64 / 37.0) * std::f64::consts::TAU;
            let true_value = mean * (1.0 + sensor as f64 / 20.0) + amplitude * day.sin() + drift[sensor][place];
            let value = (true_value + random.normal() * noise).round() as i64;
            let last = &mut shown[sensor][place];
            let due = if analyser { minute % 60 == sensor } else { (value - *last).abs() >= 3 };
            if !held || due || minute == 0 {
                *last = value;
            }
            readings.push(Reading {
                quantity: Quantity::new(name).unwrap(),
                unit: Unit::new(unit).unwrap(),
                value: Decimal::new((*last).max(0), exponent),
                quality: Quality::Good,
                at_ms: None,
            });
        }
        let stamp = Stamp {
            boot: BootNo(4),
            mono_ms: MonoMs(600_000 + at as u64),
            wall_ms: UnixMs(START_MS + at),
            clock: ClockQuality::Synchronised,
        };
        let source = SourceId::new(&format!("outfall-{sensor:02}")).unwrap();
        // Ten sensors of one model: one codec.
        let codec = Some(CodecId::of("the codec of this model"));
        let content = Content::Readings { source, codec, readings, texts: Vec::new() };
        rows.push(Row { seq: Seq(1_000_000 + seq), stamp, content });
    }
    rows
}

fn batch_of(rows: &[Row]) -> Batch {
    Batch {
        box_id: BoxId::new("box-0042").unwrap(),
        lane: Lane::Live,
        ranges: SeqRange::new(rows[0].seq, rows[rows.len() - 1].seq).into_iter().collect(),
        head: TreeHead { size: rows[rows.len() - 1].seq.0 + 1, root: leaf_hash(&rows[0].seq.0.to_be_bytes()) },
        checkpoints: Vec::new(),
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

/// Bytes per reading that no lossless coder of these predictions can go below.
fn floor(rows: &[Row]) -> f64 {
    let mut series: BTreeMap<(&str, &SourceId), Vec<i64>> = BTreeMap::new();
    for (row, source, readings) in frames(rows) {
        series.entry(("time", source)).or_default().push(row.stamp.wall_ms.0);
        for (reading, (name, _, exponent, ..)) in readings.iter().zip(QUANTITIES) {
            let mantissa = reading.value.unwrap().mantissa_at(exponent as i8).unwrap();
            series.entry((name, source)).or_default().push(mantissa);
        }
    }
    let names = QUANTITIES.iter().map(|quantity| quantity.0).chain(["time"]);
    let bits = names.map(|name| {
        let of_name = || series.iter().filter(|((n, _), _)| *n == name).map(|(_, values)| values.as_slice());
        let order_1 = of_name().flat_map(|v| v.windows(2).map(|w| w[1] - w[0]));
        let order_2 = of_name().flat_map(|v| v.windows(3).map(|w| w[2] - 2 * w[1] + w[0]));
        entropy_bits(order_1).min(entropy_bits(order_2))
    });
    bits.sum::<f64>() / 8.0 / (rows.len() * QUANTITIES.len()) as f64
}

/// Shannon entropy of the counts, times their number.
fn entropy_bits(residuals: impl Iterator<Item = i64>) -> f64 {
    let mut counts: BTreeMap<i64, f64> = BTreeMap::new();
    residuals.for_each(|residual| *counts.entry(residual).or_default() += 1.0);
    let total: f64 = counts.values().sum();
    counts.values().map(|count| count * (total / count).log2()).sum()
}
