//! `[device.sampling]`: how a device is told to measure more or less often.
//!
//! Makers have no common format, so the file says it: the bytes of the command with one placeholder for the period.
//!
//! | `payload` | a period of 600 s | as in |
//! |---|---|---|
//! | `01{s:u24be}` | `01000258` | Dragino: "set transmit interval time", three bytes, seconds |
//! | `ff03{s:u16le}` | `ff035802` | Milesight: "reporting interval", two bytes, seconds |
//! | `0a{min:u8}` | `0a0a` | a device that counts in minutes |
//!
//! `text = '{"period":{s}}'` is for devices that read text: the period in decimal digits.

use serde::Deserialize;

use super::DeviceLink;

/// Longest command over LoRaWAN (RP002-1.0.4, N without repeater).
const PAYLOAD_BYTES_MAX: usize = 242;
/// FPort of a command that names none: the application's first.
const F_PORT: u8 = 1;
/// The least and the most that a period may be if the file does not say it. Seconds.
const PERIOD_S: (u32, u32) = (10, 86_400);

/// How one device is told its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampling {
    before: Vec<u8>,
    number: Number,
    after: Vec<u8>,
    /// FPort over LoRaWAN.
    pub f_port: u8,
    /// Whether a LoRaWAN device must confirm it.
    pub confirmed: bool,
    period_s_min: u32,
    period_s_max: u32,
}

/// How the period stands in a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Number {
    in_minutes: bool,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Digits,
    BigEndian(usize),
    LittleEndian(usize),
}

/// Why a `[device.sampling]` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SamplingError {
    /// Neither or both.
    #[error("it has {0} of `payload` and `text`: write `payload` for bytes as hex, `text` for text")]
    Forms(&'static str),
    /// No placeholder, or several.
    #[error(
        "`{0}` has not one place for the period: write {{s:u8}}, {{s:u16be}}, {{s:u16le}}, {{s:u24be}}, {{s:u24le}}, \
         {{s:u32be}} or {{s:u32le}} into a payload, {{s}} into a text; {{min…}} for minutes"
    )]
    Placeholder(String),
    /// The rest is no hex.
    #[error("`{0}` is not hex beside the period: write every byte as two digits")]
    Hex(String),
    /// Longer than a command.
    #[error("the command has {0} bytes, at most {PAYLOAD_BYTES_MAX} go over LoRaWAN")]
    TooLong(usize),
    /// Not an FPort of an application.
    #[error("`f_port` is {0}, an application has 1 to 223")]
    FPort(u8),
    /// A device that nobody can send to.
    #[error("nothing can be sent to a device on a serial port: remove it")]
    OneWay,
    /// Bounds that bound nothing, or that the number cannot hold.
    #[error("a period from {0} s to {1} s does not fit: correct `period_s_min` and `period_s_max`")]
    Bounds(u32, u32),
}

/// Why a device is not told a period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeriodError {
    /// Out of the device's bounds.
    #[error("a period of {period_s} s: this device takes {min} to {max} s")]
    Bounds {
        /// As wished.
        period_s: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// The device counts in minutes.
    #[error("a period of {0} s: this device counts in minutes, order a multiple of 60 s")]
    Minutes(u32),
}

/// `[device.sampling]` as it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SamplingSection {
    payload: Option<String>,
    text: Option<String>,
    #[serde(default = "f_port")]
    f_port: u8,
    #[serde(default = "confirmed")]
    confirmed: bool,
    #[serde(default = "period_s_min")]
    period_s_min: u32,
    period_s_max: Option<u32>,
}

fn f_port() -> u8 {
    F_PORT
}

fn confirmed() -> bool {
    true
}

fn period_s_min() -> u32 {
    PERIOD_S.0
}

impl SamplingSection {
    pub(super) fn into_sampling_of(self, link: &DeviceLink) -> Result<Sampling, SamplingError> {
        match link {
            DeviceLink::Serial(_) => Err(SamplingError::OneWay),
            DeviceLink::Mqtt(_) | DeviceLink::Lorawan(_) | DeviceLink::Chirpstack(_) => self.into_sampling(),
        }
    }

    fn into_sampling(self) -> Result<Sampling, SamplingError> {
        let SamplingSection { payload, text, f_port, confirmed, period_s_min, period_s_max } = self;
        let (before, number, after) = match (payload, text) {
            (Some(_), Some(_)) => return Err(SamplingError::Forms("both")),
            (None, None) => return Err(SamplingError::Forms("none")),
            (Some(payload), None) => {
                let (before, number, after) = split(&payload, false)?;
                let hex = |part: &str| hex::decode(part.trim()).map_err(|_| SamplingError::Hex(payload.clone()));
                (hex(before)?, number, hex(after)?)
            }
            (None, Some(text)) => {
                let (before, number, after) = split(&text, true)?;
                (before.as_bytes().to_vec(), number, after.as_bytes().to_vec())
            }
        };
        if !(1..=223).contains(&f_port) {
            return Err(SamplingError::FPort(f_port));
        }
        let period_s_max = period_s_max.unwrap_or(PERIOD_S.1.min(number.period_s_most()));
        let sampling = Sampling { before, number, after, f_port, confirmed, period_s_min, period_s_max };
        let bounds = SamplingError::Bounds(period_s_min, period_s_max);
        if !(1..=period_s_max).contains(&period_s_min) || period_s_max > sampling.number.period_s_most() {
            return Err(bounds);
        }
        let longest = sampling.bytes(period_s_max).len();
        if longest > PAYLOAD_BYTES_MAX {
            return Err(SamplingError::TooLong(longest));
        }
        Ok(sampling)
    }
}

impl Sampling {
    /// The command that tells a period.
    ///
    /// # Errors
    /// [`PeriodError`].
    pub fn command(&self, period_s: u32) -> Result<Vec<u8>, PeriodError> {
        let (min, max) = (self.period_s_min, self.period_s_max);
        if !(min..=max).contains(&period_s) {
            return Err(PeriodError::Bounds { period_s, min, max });
        }
        if self.number.in_minutes && !period_s.is_multiple_of(60) {
            return Err(PeriodError::Minutes(period_s));
        }
        Ok(self.bytes(period_s))
    }

    fn bytes(&self, period_s: u32) -> Vec<u8> {
        [self.before.clone(), self.number.bytes(period_s), self.after.clone()].concat()
    }
}

impl Number {
    fn value(self, period_s: u32) -> u32 {
        if self.in_minutes { period_s / 60 } else { period_s }
    }

    /// The longest period that it can hold.
    fn period_s_most(self) -> u32 {
        let most = match self.form {
            Form::Digits => u32::MAX,
            Form::BigEndian(bytes) | Form::LittleEndian(bytes) => u32::MAX >> (32 - 8 * bytes),
        };
        if self.in_minutes { most.saturating_mul(60) } else { most }
    }

    fn bytes(self, period_s: u32) -> Vec<u8> {
        let value = self.value(period_s);
        match self.form {
            Form::Digits => value.to_string().into_bytes(),
            Form::BigEndian(bytes) => value.to_be_bytes()[4 - bytes..].to_vec(),
            Form::LittleEndian(bytes) => value.to_le_bytes()[..bytes].to_vec(),
        }
    }
}

/// What is before the period, how it stands there, and what is behind it.
fn split(template: &str, is_text: bool) -> Result<(&str, Number, &str), SamplingError> {
    let mut found = None;
    for (in_minutes, name) in [(false, "s"), (true, "min")] {
        let forms: &[(&str, Form)] = match is_text {
            true => &[("", Form::Digits)],
            false => &[
                (":u8", Form::BigEndian(1)),
                (":u16be", Form::BigEndian(2)),
                (":u16le", Form::LittleEndian(2)),
                (":u24be", Form::BigEndian(3)),
                (":u24le", Form::LittleEndian(3)),
                (":u32be", Form::BigEndian(4)),
                (":u32le", Form::LittleEndian(4)),
            ],
        };
        for (suffix, form) in forms {
            let placeholder = format!("{{{name}{suffix}}}");
            for (at, _) in template.match_indices(&placeholder) {
                let number = Number { in_minutes, form: *form };
                if found.replace((&template[..at], number, &template[at + placeholder.len()..])).is_some() {
                    return Err(SamplingError::Placeholder(template.to_owned()));
                }
            }
        }
    }
    found.ok_or_else(|| SamplingError::Placeholder(template.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(toml: &str) -> Result<Sampling, SamplingError> {
        toml::from_str::<SamplingSection>(toml).unwrap().into_sampling()
    }

    #[test]
    fn a_period_stands_where_the_maker_wants_it() {
        let check = |toml: &str, period_s: u32, expected: &[u8]| {
            assert_eq!(section(toml).unwrap().command(period_s).unwrap(), expected, "{toml}");
        };
        check("payload = '01{s:u24be}'", 600, &[1, 0, 2, 0x58]);
        check("payload = 'ff03{s:u16le}'", 600, &[0xff, 3, 0x58, 2]);
        check("payload = '0a{min:u8}ee'", 600, &[0x0a, 10, 0xee]);
        check("payload = '{s:u32be}'", 600, &[0, 0, 2, 0x58]);
        check("payload = '{s:u32le}'", 600, &[0x58, 2, 0, 0]);
        check("payload = '{s:u24le}'", 600, &[0x58, 2, 0]);
        check("text = '{\"period\":{s}}'", 600, b"{\"period\":600}");
        check("text = 'every {min} min'", 600, b"every 10 min");
    }

    #[test]
    fn what_cannot_be_told_is_refused_in_words() {
        let refused = |toml: &str, expected: &str| {
            let told = section(toml).unwrap_err().to_string();
            assert!(told.contains(expected), "{toml}: {told}");
        };
        refused("", "none of `payload` and `text`");
        refused("payload = '01{s:u8}'\ntext = 'x{s}'", "both of");
        refused("payload = '01'", "not one place for the period");
        refused("payload = '01{s:u8}{s:u8}'", "not one place");
        refused("payload = '{s:u16be}{min:u8}'", "not one place");
        refused("payload = '0{s:u16be}'", "is not hex");
        refused("payload = '01{s:u8}'\nperiod_s_max = 256", "from 10 s to 256 s does not fit");
        refused("payload = '01{s:u16be}'\nperiod_s_max = 65536", "does not fit");
        refused("payload = '01{s:u24be}'\nperiod_s_min = 0", "does not fit");
        refused("payload = '01{s:u24be}'\nperiod_s_min = 9\nperiod_s_max = 8", "does not fit");
        refused("payload = '01{s:u24be}'\nf_port = 0", "1 to 223");
        refused(&format!("text = '{}{{s}}'", "x".repeat(240)), "at most 242");
        let minutes = section("payload = '{min:u8}'").unwrap();
        assert_eq!(minutes.command(90), Err(PeriodError::Minutes(90)));
        assert_eq!(minutes.command(9), Err(PeriodError::Bounds { period_s: 9, min: 10, max: 15_300 }));
    }
}
