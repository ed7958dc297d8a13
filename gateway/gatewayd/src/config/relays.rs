//! `[[relay]]`: lines of GPIO chips that alarms switch, and what is behind them.

use ingest::DeviceTable;
use layers::Layered;
use record::{Priority, RelayId, SourceId};
use relay::{
    BLINK_MS_MAX, BLINK_MS_MIN, BOTTLES_MAX, Blink, COOL_DOWN_S_MAX, ON_MS_MAX, ON_MS_MIN, Purpose, RELAYS_MAX,
    Sampler, Signal,
};
use rules::RuleSet;
use serde::Deserialize;

use super::ConfigError;

/// A relay.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// What rules, records and status call it.
    pub name: RelayId,
    /// `sampler` or `signal`, and nothing that moves water.
    #[serde(rename = "use")]
    pub purpose: Purpose,
    /// The chip: its name (`gpiochip0`), label (`pinctrl-bcm2711`) or path; none: the one that has a line of this name.
    pub chip: Option<String>,
    /// The line: its number on the chip, or its name (`GPIO17`).
    pub line: LineName,
    /// The relay is on while the line is low.
    #[serde(default)]
    pub active_low: bool,
    /// Whether it is used at all.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// Of a sampler: milliseconds that its relay is on.
    pub on_ms: Option<u32>,
    /// Of a sampler: least seconds between two samples.
    pub cool_down_s: Option<u32>,
    /// Of a sampler: bottles, when all are empty.
    pub bottles: Option<u16>,
    /// Of a sampler: the devices whose alarms it serves; none named: all.
    #[serde(default)]
    pub devices: Vec<SourceId>,
    /// Of a signal: the least urgent alarm that it is for.
    pub priority: Option<Priority>,
    /// Of a signal: how it blinks.
    pub blink: Option<Blink>,
    /// Of a signal: seconds after which it is off, seen or not.
    pub for_s: Option<u32>,
}

/// Which line of a chip.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write the number of a line, or its name as gpioinfo shows it")]
pub enum LineName {
    /// By its number.
    Offset(u32),
    /// By its name.
    Name(String),
}

/// What a contact of a sampler needs.
const ON_MS: u32 = 1_000;
/// An event is over, or goes on.
const COOL_DOWN_S: u32 = 900;
/// The usual carousel.
const BOTTLES: u16 = 24;
/// Longest time of a signal, in seconds: a week.
const FOR_S_MAX: u32 = 604_800;

fn default_enabled() -> bool {
    true
}

impl std::fmt::Display for LineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LineName::Offset(offset) => write!(f, "{offset}"),
            LineName::Name(name) => f.write_str(name),
        }
    }
}

impl Relay {
    /// The sampler behind it.
    pub fn sampler(&self) -> Option<Sampler> {
        (self.purpose == Purpose::Sampler).then(|| Sampler {
            id: self.name.clone(),
            on_ms: self.on_ms.unwrap_or(ON_MS),
            cool_down_s: self.cool_down_s.unwrap_or(COOL_DOWN_S),
            bottles: self.bottles.unwrap_or(BOTTLES),
        })
    }

    /// The light or siren behind it.
    pub fn signal(&self) -> Option<Signal> {
        (self.purpose == Purpose::Signal).then(|| Signal {
            id: self.name.clone(),
            priority: self.priority.unwrap_or(Priority::High),
            blink: self.blink,
            for_s: self.for_s.unwrap_or(0),
        })
    }

    /// Whether it retains samples for alarms of this device.
    pub fn serves(&self, device: &SourceId) -> bool {
        self.devices.is_empty() || self.devices.contains(device)
    }

    /// Where its line is, in words.
    pub fn place(&self) -> String {
        let chip = self.chip.as_deref().unwrap_or("*");
        format!("{chip}:{}", self.line)
    }

    /// A key that a relay of this use does not have.
    fn stray_key(&self) -> Option<&'static str> {
        let of_sampler = [
            ("on_ms", self.on_ms.is_some()),
            ("cool_down_s", self.cool_down_s.is_some()),
            ("bottles", self.bottles.is_some()),
            ("devices", !self.devices.is_empty()),
        ];
        let of_signal =
            [("priority", self.priority.is_some()), ("blink", self.blink.is_some()), ("for_s", self.for_s.is_some())];
        let mut stray = match self.purpose {
            Purpose::Sampler => of_signal.iter(),
            Purpose::Signal => of_sampler.iter(),
        };
        stray.find(|(_, is_there)| *is_there).map(|(key, _)| *key)
    }
}

/// Checks all relays.
pub(super) fn check(relays: &[Relay], typed: &Layered) -> Result<(), ConfigError> {
    let [count, most] = [relays.len(), RELAYS_MAX].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
    if count > most {
        return Err(ConfigError::Range { at: typed.spot("relay"), key: "relay", value: count, low: 0, high: most });
    }
    for (at, relay) in relays.iter().enumerate() {
        let within = |key: &'static str, value: u64, low: u64, high: u64| {
            let fits = (low..=high).contains(&value);
            let spot = || typed.spot_in("relay", at, key.trim_start_matches("relay."));
            fits.then_some(()).ok_or_else(|| ConfigError::Range { at: spot(), key, value, low, high })
        };
        let refuse = |relay: &Relay, why: &str| {
            let at = typed.spot_in("relay", at, "name");
            Err(ConfigError::Relay { at, name: relay.name.clone(), why: why.to_owned() })
        };
        if let Some(key) = relay.stray_key() {
            return refuse(relay, &format!("`{key}` is no key of this use"));
        }
        if relay.chip.is_none() && matches!(relay.line, LineName::Offset(_)) {
            return refuse(relay, "a line by its number needs its `chip`, as gpiodetect shows it");
        }
        for other in &relays[..at] {
            if other.name == relay.name {
                return refuse(relay, "another relay has this name");
            }
            if (&other.chip, &other.line) == (&relay.chip, &relay.line) {
                return refuse(relay, "another relay has this line");
            }
        }
        within("relay.on_ms", relay.on_ms.unwrap_or(ON_MS).into(), ON_MS_MIN.into(), ON_MS_MAX.into())?;
        within("relay.cool_down_s", relay.cool_down_s.unwrap_or(0).into(), 0, COOL_DOWN_S_MAX.into())?;
        within("relay.bottles", relay.bottles.unwrap_or(BOTTLES).into(), 1, BOTTLES_MAX.into())?;
        within("relay.for_s", relay.for_s.unwrap_or(0).into(), 0, FOR_S_MAX.into())?;
        for ms in relay.blink.iter().flat_map(|blink| [blink.on_ms, blink.off_ms]) {
            within("relay.blink", ms.into(), BLINK_MS_MIN.into(), BLINK_MS_MAX.into())?;
        }
    }
    Ok(())
}

/// Checks what relays, devices and rules say of each other. `typed` is what the relays were read from.
pub(crate) fn agree(
    relays: &[Relay],
    devices: &DeviceTable,
    rules: &RuleSet,
    typed: &Layered,
) -> Result<(), ConfigError> {
    for (at, relay) in relays.iter().enumerate() {
        if let Some(device) = relay.devices.iter().find(|device| devices.by_name(device).is_none()) {
            let why = format!("there is no device `{device}` in the device table");
            return Err(ConfigError::Relay {
                at: typed.spot_in("relay", at, "devices"),
                name: relay.name.clone(),
                why,
            });
        }
    }
    match unknown_sampler(relays, rules) {
        Some((rule, sampler)) => Err(ConfigError::NoSampler { path: typed.main().to_owned(), rule, sampler }),
        None => Ok(()),
    }
}

/// A rule that wants a sample of what is no sampler, and its name.
pub(crate) fn unknown_sampler(relays: &[Relay], rules: &RuleSet) -> Option<(record::RuleId, RelayId)> {
    let is_sampler = |id: &RelayId| relays.iter().any(|one| one.name == *id && one.purpose == Purpose::Sampler);
    let mut wanted = rules.iter().flat_map(|rule| rule.sample.iter().map(move |sampler| (rule, sampler)));
    wanted.find(|(_, sampler)| !is_sampler(sampler)).map(|(rule, sampler)| (rule.id.clone(), sampler.clone()))
}
