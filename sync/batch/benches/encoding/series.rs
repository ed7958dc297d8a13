//! What sensors at an outfall say, by a fixed seed.

use batch::{Content, Row};
use record::{
    BootNo, ClockQuality, CodecId, Decimal, MonoMs, Quality, Quantity, Reading, Seq, SourceId, Stamp, Unit, UnixMs,
};

/// Name, unit, digits behind the point, mean, daily amplitude and noise in units of the last digit, analyser.
pub(crate) const QUANTITIES: [(&str, &str, i32, f64, f64, f64, bool); 8] = [
    ("cod", "mg/L", -1, 420.0, 90.0, 3.0, true),
    ("nh3_n", "mg/L", -2, 231.0, 60.0, 2.0, true),
    ("tp", "mg/L", -3, 312.0, 50.0, 2.0, true),
    ("ph", "[pH]", -2, 721.0, 12.0, 0.7, false),
    ("water_temperature", "Cel", -1, 183.0, 21.0, 0.8, false),
    ("conductivity", "uS/cm", 0, 812.0, 70.0, 2.5, false),
    ("turbidity", "{NTU}", -1, 234.0, 80.0, 5.0, false),
    ("flow", "m3/h", -1, 3125.0, 900.0, 5.0, false),
];
const START_MS: i64 = 1_777_888_800_000;
const SEQ_FIRST: u64 = 1_000_000;

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

/// One after the other, once a minute each, for ever.
pub(crate) struct Series {
    random: Random,
    is_held: bool,
    sensors: usize,
    frame: u64,
    drift: Vec<[f64; QUANTITIES.len()]>,
    shown: Vec<[i64; QUANTITIES.len()]>,
}

impl Series {
    /// Of so many sensors. Held: analysers repeat an hourly value, the others a value until it has moved.
    pub(crate) fn new(sensors: usize, is_held: bool) -> Series {
        let (drift, shown) = (vec![[0.0; QUANTITIES.len()]; sensors], vec![[0; QUANTITIES.len()]; sensors]);
        Series { random: Random(20_260_504), is_held, sensors, frame: 0, drift, shown }
    }
}

impl Iterator for Series {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let (minute, sensor) = ((self.frame as usize) / self.sensors, (self.frame as usize) % self.sensors);
        let slot_ms = 60_000.0 / self.sensors as f64;
        let jitter_ms = self.random.unit() * slot_ms / 6.0;
        let at = (minute as f64 * 60_000.0 + (sensor as f64 + 0.5) * slot_ms + jitter_ms) as i64;
        let mut readings = Vec::new();
        for (place, (name, unit, exponent, mean, amplitude, noise, analyser)) in QUANTITIES.into_iter().enumerate() {
            self.drift[sensor][place] += self.random.normal() * 0.05 * noise;
            let day = (minute as f64 / 1440.0 + sensor as f64 / 37.0) * std::f64::consts::TAU;
            let true_value = mean * (1.0 + sensor as f64 / 20.0) + amplitude * day.sin() + self.drift[sensor][place];
            let value = (true_value + self.random.normal() * noise).round() as i64;
            let last = &mut self.shown[sensor][place];
            let due = if analyser { minute % 60 == sensor % 60 } else { (value - *last).abs() >= 3 };
            if !self.is_held || due || minute == 0 {
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
        // Sensors of one model: one codec.
        let codec = Some(CodecId::of("the codec of this model"));
        let content = Content::Readings { source, codec, readings, texts: Vec::new() };
        let seq = Seq(SEQ_FIRST + self.frame);
        self.frame += 1;
        Some(Row { seq, stamp, content })
    }
}
