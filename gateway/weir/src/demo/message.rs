//! What the demo's sensors say: a daily wave with a little noise, all of it computed from a seed and the message's
//! number, so that anyone can tell afterwards what a message should have said.

use record::Decimal;

/// Samples of a day, one every five minutes.
const DAY: u64 = 288;
/// The quantity that carries a message's number.
pub(crate) const NUMBER: &str = "n";

/// What flows out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Water {
    /// As every day.
    Usual,
    /// Somebody discharges: COD is over its limit.
    Discharge,
}

/// What kind of instrument speaks, and how it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instrument {
    /// COD and pH as JSON.
    Cod,
    /// Flow and water temperature as JSON.
    Flow,
    /// Ammonia and conductivity as a SenML pack.
    Station,
    /// Level and battery as Cayenne LPP.
    Level,
}

/// The readings of one message, in the order in which they are written; the first is its number.
pub(crate) type Readings = Vec<(&'static str, Decimal)>;

impl Instrument {
    /// The readings of message `n`.
    pub(crate) fn readings(self, seed: u64, n: u64, water: Water) -> Readings {
        let wave = |salt, low, high| wave(seed.wrapping_add(salt), n, low, high);
        let mut readings = vec![(NUMBER, number(n))];
        readings.extend(match (self, water) {
            (Instrument::Cod, Water::Usual) => {
                [("cod", tenths(wave(1, 320, 460))), ("ph", hundredths(wave(2, 680, 760)))]
            }
            (Instrument::Cod, Water::Discharge) => {
                [("cod", tenths(wave(1, 960, 1_180))), ("ph", hundredths(wave(2, 600, 640)))]
            }
            (Instrument::Flow, _) => {
                [("flow", tenths(wave(3, 900, 4_200))), ("water_temperature", tenths(wave(4, 140, 210)))]
            }
            (Instrument::Station, _) => {
                [("nh3_n", hundredths(wave(5, 80, 420))), ("conductivity", tenths(wave(6, 5_200, 8_900)))]
            }
            (Instrument::Level, _) => {
                [("level", thousandths(wave(7, 400, 1_900))), ("battery_voltage", hundredths(wave(8, 355, 365)))]
            }
        });
        readings
    }

    /// The bytes that the sensor sends for these readings.
    pub(crate) fn encode(self, readings: &Readings) -> Vec<u8> {
        match self {
            Instrument::Cod | Instrument::Flow => {
                let fields: Vec<String> = readings.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(",")).into_bytes()
            }
            Instrument::Station => {
                let unit = |name: &str| match name {
                    "nh3_n" => "mg/L",
                    "conductivity" => "uS/cm",
                    _ => "count",
                };
                let record = |(name, value): &(&str, Decimal)| {
                    format!("{{\"n\":\"{name}\",\"u\":\"{}\",\"v\":{value}}}", unit(name))
                };
                let records: Vec<String> = readings.iter().map(record).collect();
                let first = records.join(",").replacen('{', "{\"bn\":\"urn:dev:weir-demo:\",", 1);
                format!("[{first}]").into_bytes()
            }
            Instrument::Level => readings.iter().flat_map(|(name, value)| lpp(name, *value)).collect(),
        }
    }
}

/// One channel of Cayenne LPP; `settings` maps the same channels back.
fn lpp(name: &str, value: Decimal) -> Vec<u8> {
    let at = |exponent| value.mantissa_at(exponent).unwrap_or(0);
    let (channel, kind, raw, bytes) = match name {
        "level" => (1, 130, at(-3), 4),
        "battery_voltage" => (2, 116, at(-2), 2),
        _ => (0, 100, at(0), 4),
    };
    let all = raw.to_be_bytes();
    [&[channel, kind], &all[all.len() - bytes..]].concat()
}

/// A value between `low` and `high`: a parabolic day and one in twenty of noise.
fn wave(seed: u64, n: u64, low: i64, high: i64) -> i64 {
    let half = i64::try_from(DAY / 2).unwrap_or(1);
    let phase = i64::try_from((seed.wrapping_add(n)) % DAY).unwrap_or(0);
    let x = phase % half;
    // 0 to half²/4 and back in each half of the day, once above and once below the middle.
    let bow = x * (half - x) * 4;
    let swing = (high - low) * 9 / 20;
    let swung = swing * bow / (half * half) * if phase < half { 1 } else { -1 };
    let noise_max = ((high - low) / 20).max(1);
    let noise = i64::try_from(scatter(seed ^ n) % 1_000_003).unwrap_or(0) % (2 * noise_max + 1) - noise_max;
    ((low + high) / 2 + swung + noise).clamp(low, high)
}

/// SplitMix64's finisher: neighbouring numbers give unlike ones.
fn scatter(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn number(n: u64) -> Decimal {
    Decimal::from(i64::try_from(n).unwrap_or(i64::MAX))
}

fn tenths(value: i64) -> Decimal {
    scaled(value, -1)
}

fn hundredths(value: i64) -> Decimal {
    scaled(value, -2)
}

fn thousandths(value: i64) -> Decimal {
    scaled(value, -3)
}

/// Four digits always fit.
fn scaled(value: i64, exponent: i32) -> Decimal {
    Decimal::new(value, exponent).unwrap_or(Decimal::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(instrument: Instrument, water: Water, expected: Expect) {
        let bytes = instrument.encode(&instrument.readings(7, 41, water));
        expected.assert_eq(&String::from_utf8(bytes).unwrap_or_else(|binary| hex::encode(binary.into_bytes())));
    }

    #[test]
    fn messages_are_pinned() {
        check(Instrument::Cod, Water::Usual, expect![[r#"{"n":41,"cod":44.6,"ph":7.53}"#]]);
        check(Instrument::Cod, Water::Discharge, expect![[r#"{"n":41,"cod":115.3,"ph":6.34}"#]]);
        check(Instrument::Flow, Water::Usual, expect![[r#"{"n":41,"flow":385.9,"water_temperature":20.5}"#]]);
        check(
            Instrument::Station,
            Water::Usual,
            expect![[
                r#"[{"bn":"urn:dev:weir-demo:","n":"n","u":"count","v":41},{"n":"nh3_n","u":"mg/L","v":4.02},{"n":"conductivity","u":"uS/cm","v":877}]"#
            ]],
        );
        check(Instrument::Level, Water::Usual, expect!["0064000000290182000007340274016c"]);
    }

    #[test]
    fn only_a_discharge_passes_the_limit() {
        let cod = |n, water| Instrument::Cod.readings(3, n, water)[1].1;
        for n in 0..2 * DAY {
            assert!(cod(n, Water::Usual) < Decimal::from(75));
            assert!(cod(n, Water::Discharge) > Decimal::from(80));
        }
    }
}
