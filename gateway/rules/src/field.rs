//! What is known of the field beside the readings that are judged: newest values, slices of series, and where devices stand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use record::dossier::{LifeCycle, OutfallClass};
use record::{BootNo, Decimal, MonoMs, OutfallCode, Quantity, Seq, SourceId, Stamp, Unit, UnixMs, elapsed_ms};

use crate::basis::{Basis, MINUTE_MS, TEN_MINUTES_MS};
use crate::expression::{self, Fact};
use crate::schedule::UtcOffset;
use crate::slices::Slices;
use crate::{Condition, Devices, Rule, Series};

/// Most series with slices, and most with a newest value. A series of a week has some 150 kB.
pub const SERIES_MAX: usize = 2_000;
/// A device that says it measured so much later than the box heard it has a wrong clock.
pub(crate) const AHEAD_MS_MAX: i64 = 300_000;

type Key = (SourceId, Quantity, Unit);
/// In the order of [`Fact::ALL`].
type Facts = Arc<[Option<expression::Value>]>;

/// One good reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'v> {
    pub(crate) source: &'v SourceId,
    pub(crate) quantity: &'v Quantity,
    pub(crate) unit: &'v Unit,
    pub(crate) value: Decimal,
    /// When the device says it measured.
    pub(crate) at_ms: Option<UnixMs>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Field {
    wanted: BTreeMap<Quantity, Vec<Wanted>>,
    newest: BTreeMap<Key, (Stamp, Decimal)>,
    slices: BTreeMap<(i64, Key), Slices>,
    outfalls: BTreeMap<OutfallCode, (OutfallClass, LifeCycle)>,
    /// What expressions may ask of each outfall.
    facts: BTreeMap<OutfallCode, Facts>,
    stands: BTreeMap<SourceId, OutfallCode>,
    /// Readings that came for no slice any more, or that had no room.
    pub(crate) refused: u64,
}

/// A series that some rule looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    devices: Devices,
    unit: Unit,
    /// Length of its slices and how long they are kept; none: only its newest value is.
    slices: Option<(i64, i64)>,
}

impl Field {
    /// Of what these rules look at.
    pub(crate) fn new(rules: &[Rule]) -> Field {
        let mut field = Field::default();
        for rule in rules {
            let judged =
                |slices| rule.unit.clone().map(|unit| (rule.quantity.clone(), rule.devices.clone(), unit, slices));
            let beside = |series: &Series, slices| {
                let devices = series.device.clone().map(|device| Devices::Named(BTreeSet::from([device])));
                let devices = devices.unwrap_or_else(|| rule.devices.clone());
                (series.quantity.clone(), devices, series.unit.clone(), slices)
            };
            let span = |window: &crate::Window| Some((window.slice_ms(), 2 * window.ms + window.late_ms));
            let mut wanted = Vec::new();
            match &rule.basis {
                Basis::Mean { window, .. } | Basis::Load { window, .. } => {
                    wanted.extend(judged(span(window)));
                    wanted.extend(rule.basis.beside().into_iter().map(|series| beside(series, span(window))));
                }
                Basis::Surge { baseline_ms, .. } => wanted.extend(judged(Some((TEN_MINUTES_MS, *baseline_ms)))),
                Basis::DryWeather(dry) => {
                    wanted.push(beside(&dry.rain, Some((TEN_MINUTES_MS, dry.dry_ms + TEN_MINUTES_MS))));
                    wanted.extend(rule.basis.beside().into_iter().map(|series| beside(series, None)));
                }
                Basis::Expression(formula) => {
                    for (_, input) in &formula.inputs {
                        let slices = input.window().map(|(slice_ms, ms)| (slice_ms, ms + slice_ms));
                        wanted.extend(input.series().map(|series| beside(series, slices)));
                    }
                }
                _ => wanted.extend(rule.basis.beside().into_iter().map(|series| beside(series, None))),
            }
            let conditions = rule.suppress_while.iter().filter_map(Condition::series);
            wanted.extend(conditions.map(|series| beside(series, None)));
            for (quantity, devices, unit, slices) in wanted {
                field.wanted.entry(quantity).or_default().push(Wanted { devices, unit, slices });
            }
        }
        field
    }

    /// Takes a good reading into whatever looks at its series.
    pub(crate) fn take(&mut self, value: Value<'_>, seq: Seq, stamp: &Stamp) {
        let Some(wanted) = self.wanted.get(value.quantity) else { return };
        let wanted: Vec<Option<(i64, i64)>> = wanted
            .iter()
            .filter(|wanted| wanted.unit == *value.unit && wanted.devices.covers(value.source))
            .map(|wanted| wanted.slices)
            .collect();
        if wanted.is_empty() {
            return;
        }
        let key = (value.source.clone(), value.quantity.clone(), value.unit.clone());
        if wanted.contains(&None) {
            if self.newest.len() < SERIES_MAX || self.newest.contains_key(&key) {
                self.newest.insert(key.clone(), (*stamp, value.value));
            } else {
                self.refused = self.refused.saturating_add(1);
            }
        }
        let Some(at_ms) = measured_ms(value.at_ms, stamp) else { return };
        for slice_ms in [MINUTE_MS, TEN_MINUTES_MS] {
            let keep_ms = wanted.iter().flatten().filter(|(ms, _)| *ms == slice_ms).map(|(_, keep)| *keep).max();
            let Some(keep_ms) = keep_ms else { continue };
            let start = at_ms.div_euclid(slice_ms) * slice_ms;
            let place = (slice_ms, key.clone());
            let is_old = start < stamp.wall_ms.0.saturating_sub(keep_ms);
            if is_old || (!self.slices.contains_key(&place) && self.slices.len() >= SERIES_MAX) {
                self.refused = self.refused.saturating_add(1);
                continue;
            }
            let kept_from = stamp.wall_ms.0.saturating_sub(keep_ms).saturating_sub(slice_ms);
            self.slices.entry(place).or_default().add(start, value.value, seq, kept_from);
        }
    }

    /// The newest value of a series beside a device, unless it is older than this.
    pub(crate) fn newest(&self, series: &Series, judged: &SourceId, now: &Stamp, fresh_ms: u64) -> Option<Decimal> {
        let device = series.device_beside(judged).clone();
        let (stamp, value) = self.newest.get(&(device, series.quantity.clone(), series.unit.clone()))?;
        elapsed_ms(stamp, now).is_some_and(|ms| ms <= fresh_ms).then_some(*value)
    }

    /// The slices of a series.
    pub(crate) fn slices(&self, slice_ms: i64, device: &SourceId, quantity: &Quantity, unit: &Unit) -> Option<&Slices> {
        self.slices.get(&(slice_ms, (device.clone(), quantity.clone(), unit.clone())))
    }

    /// Takes what an outfall's record tells.
    pub(crate) fn take_outfall(&mut self, outfall: &record::Outfall) {
        match outfall {
            record::Outfall::Dossier(version) => {
                let dossier = &version.dossier;
                self.outfalls.insert(dossier.code.clone(), (dossier.class, dossier.state));
                self.facts.insert(dossier.code.clone(), Fact::of(dossier));
            }
            record::Outfall::Devices(standing) => {
                self.stands.retain(|_, code| *code != standing.outfall);
                let here = standing.devices.iter().map(|device| (device.clone(), standing.outfall.clone()));
                self.stands.extend(here);
            }
        }
    }

    /// The class and the state of the outfall where a device stands.
    pub(crate) fn outfall_of(&self, device: &SourceId) -> Option<(OutfallClass, LifeCycle)> {
        self.outfalls.get(self.stands.get(device)?).copied()
    }

    /// What expressions may ask of the outfall where a device stands.
    pub(crate) fn facts_of(&self, device: &SourceId) -> Option<Facts> {
        self.facts.get(self.stands.get(device)?).cloned()
    }

    /// Whether both know the same of what came from a boot and time on; `wall_from`: the same in wall time.
    pub(crate) fn knows_as(&self, other: &Field, from: (BootNo, MonoMs), wall_from: i64) -> bool {
        let newest = |field: &Field| -> BTreeMap<Key, (Stamp, Decimal)> {
            let seen = field.newest.iter().filter(|(_, (stamp, _))| (stamp.boot, stamp.mono_ms) >= from);
            seen.map(|(key, newest)| (key.clone(), *newest)).collect()
        };
        let slices = |field: &Field| -> BTreeMap<(i64, Key), Slices> {
            let seen = field.slices.iter().map(|(key, slices)| (key.clone(), slices.since(wall_from)));
            seen.filter(|(_, slices)| !slices.is_empty()).collect()
        };
        (&self.outfalls, &self.stands) == (&other.outfalls, &other.stands)
            && newest(self) == newest(other)
            && slices(self) == slices(other)
    }
}

/// When a reading was measured, as far as that can be believed; none while the box does not know the time.
pub(crate) fn measured_ms(said: Option<UnixMs>, stamp: &Stamp) -> Option<i64> {
    UtcOffset::BEIJING.local_ms(stamp)?;
    let heard = stamp.wall_ms.0;
    Some(said.map(|at| at.0).filter(|at| *at <= heard.saturating_add(AHEAD_MS_MAX)).unwrap_or(heard))
}

#[cfg(test)]
mod tests {
    use record::ClockQuality;

    use super::*;
    use crate::RuleSet;

    const RULES: &str = "[[rule]]\nid = \"r\"\nkind = \"disagreement\"\ndevices = [\"*\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
        with = \"cod\"\nhigh = 1\n[[rule]]\nid = \"m\"\nkind = \"mean\"\ndevices = [\"*\"]\nquantity = \"tp\"\nunit = \"mg/L\"\n\
        high = 1\nwindow = \"10min\"\n[[rule]]\nid = \"n\"\nkind = \"disagreement\"\ndevices = [\"d0\"]\nquantity = \"level\"\nunit = \"m\"\n\
        with = \"b/level\"\nhigh = 1\n";

    const NOW: Stamp = Stamp {
        boot: BootNo(0),
        mono_ms: MonoMs(1_000_000),
        wall_ms: UnixMs(1_767_196_800_000),
        clock: ClockQuality::Synchronised,
    };

    fn take(field: &mut Field, device: &str, quantity: &str, unit: &str) {
        let (source, quantity, unit) =
            (SourceId::new(device).unwrap(), Quantity::new(quantity).unwrap(), Unit::new(unit).unwrap());
        let value = Value { source: &source, quantity: &quantity, unit: &unit, value: Decimal::from(1), at_ms: None };
        field.take(value, Seq(0), &NOW);
    }

    #[test]
    fn only_what_some_rule_looks_at_is_kept() {
        let mut field = Field::new(&RuleSet::from_toml(RULES).unwrap().into_rules());
        for (device, quantity, unit, kept) in [
            ("d0", "cod", "ug/L", 0),
            ("d0", "level", "m", 0),
            ("d0", "flow", "m3/h", 0),
            ("b", "level", "mm", 0),
            ("b", "level", "m", 1),
            ("d0", "cod", "mg/L", 2),
        ] {
            take(&mut field, device, quantity, unit);
            assert_eq!(field.newest.len(), kept, "{device} {quantity} {unit}");
        }
        assert_eq!((field.slices.len(), field.refused), (0, 0));
    }

    #[test]
    fn series_are_bounded_and_those_that_are_there_go_on() {
        let mut field = Field::new(&RuleSet::from_toml(RULES).unwrap().into_rules());
        for (quantity, refused_before) in [("cod", 0), ("tp", 2)] {
            for nth in 0..SERIES_MAX + 2 {
                take(&mut field, &format!("d{nth}"), quantity, "mg/L");
            }
            take(&mut field, "d0", quantity, "mg/L");
            assert_eq!(field.refused, refused_before + 2, "{quantity}");
        }
        assert_eq!((field.newest.len(), field.slices.len()), (SERIES_MAX, SERIES_MAX));
    }

    #[test]
    fn fields_know_the_same_of_what_both_have_seen() {
        let field = |taken: &[(&str, &str)]| {
            let mut field = Field::new(&RuleSet::from_toml(RULES).unwrap().into_rules());
            taken.iter().for_each(|(device, quantity)| take(&mut field, device, quantity, "mg/L"));
            field
        };
        let (seen, unseen) = ((NOW.boot, NOW.mono_ms), (NOW.boot, MonoMs(NOW.mono_ms.0 + 1)));
        let wall = NOW.wall_ms.0;
        let knows = |one: &Field, other: &Field| {
            [(seen, wall), (unseen, wall), (seen, i64::MAX), (unseen, i64::MAX)]
                .map(|(from, wall_from)| one.knows_as(other, from, wall_from))
        };
        let (none, newest, slices) = (field(&[]), field(&[("a", "cod")]), field(&[("a", "tp")]));
        assert_eq!(knows(&newest, &newest.clone()), [true; 4]);
        assert_eq!(knows(&newest, &none), [false, true, false, true]);
        assert_eq!(knows(&slices, &none), [false, false, true, true]);
        let mut stands = none.clone();
        stands.stands.insert(SourceId::new("a").unwrap(), OutfallCode::new("B-2").unwrap());
        assert_eq!(knows(&stands, &none), [false; 4]);
    }
}
