//! Means and loads of a clock's minutes, hour or day (HJ 212-2017 appendix D.1).

use record::{Decimal, Seq, SourceId};

use crate::basis::Window;
use crate::exact::Exact;
use crate::field::Field;
use crate::slices::Slices;
use crate::{Basis, Rule, Series};

/// Digits that a result has more than the finest of its readings. What is compared is what is recorded.
pub(crate) const RESULT_DIGITS: i32 = 2;
/// Digits that a load in kg has behind the point: a milligram.
const LOAD_EXPONENT: i32 = -6;

/// What a time came to, and the newest record with a reading in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Total {
    pub(crate) value: Decimal,
    pub(crate) cause: Seq,
}

/// Of the window that begins at `start`, in UTC milliseconds; none without enough slices, or in a unit that has no mass.
pub(crate) fn total(rule: &Rule, source: &SourceId, start: i64, field: &Field) -> Option<Total> {
    let window = rule.basis.window()?;
    let own = field.slices(window.slice_ms(), source, &rule.quantity, rule.unit.as_ref()?)?;
    let flow = match &rule.basis {
        Basis::Mean { weighted_by: Some(flow), .. } | Basis::Load { flow, .. } => {
            Some(beside(flow, source, window, field)?)
        }
        _ => None,
    };
    let sums = sums(own, flow, window, start)?;
    let value = match &rule.basis {
        Basis::Mean { .. } => sums.weighted.over(sums.weights, sums.exponent - RESULT_DIGITS)?,
        Basis::Load { flow, .. } => load(rule, flow, window, sums.weighted)?,
        _ => return None,
    };
    Some(Total { value: value.to_decimal()?, cause: sums.newest })
}

fn beside<'f>(flow: &Series, source: &SourceId, window: &Window, field: &'f Field) -> Option<&'f Slices> {
    field.slices(window.slice_ms(), flow.device_beside(source), &flow.quantity, &flow.unit)
}

struct Sums {
    weighted: Exact,
    weights: Exact,
    exponent: i32,
    newest: Seq,
}

/// Over the slices that have a reading, and one of flow where that is asked for.
fn sums(own: &Slices, flow: Option<&Slices>, window: &Window, start: i64) -> Option<Sums> {
    let mut sums = Sums { weighted: Exact::default(), weights: Exact::default(), exponent: 0, newest: Seq(0) };
    let mut found = 0i64;
    for (at, slice) in own.within(start, start.checked_add(window.ms)?) {
        let weight = match flow {
            None => Exact::from(1),
            Some(flow) => match flow.at(at) {
                Some(flow) => flow.mean()?,
                None => continue,
            },
        };
        found += 1;
        sums.weighted = sums.weighted.plus(slice.mean()?.times(weight)?)?;
        sums.weights = sums.weights.plus(weight)?;
        sums.exponent = sums.exponent.min(slice.exponent());
        sums.newest = sums.newest.max(slice.newest);
    }
    let due = window.ms / window.slice_ms();
    (found * 100 >= due * i64::from(window.share_min_percent)).then_some(sums)
}

/// `weighted`: the sum over slices of concentration times flow.
fn load(rule: &Rule, flow: &Series, window: &Window, weighted: Exact) -> Option<Exact> {
    let grams = grams_per_m3(rule.unit.as_ref()?.as_str())?;
    let (m3, per_ms) = flow_unit(flow.unit.as_str())?;
    let slice_ms = Exact::from(u32::try_from(window.slice_ms()).ok()?);
    let kilograms = weighted.times(grams)?.times(m3)?.times(slice_ms)?.times(Exact::power(-3))?;
    kilograms.over(Exact::from(per_ms), LOAD_EXPONENT)
}

/// What one of a concentration's unit is in g/m3.
pub(crate) fn grams_per_m3(unit: &str) -> Option<Exact> {
    let exponent = match unit {
        "g/L" => 3,
        "mg/L" | "g/m3" => 0,
        "ug/L" | "mg/m3" => -3,
        "ng/L" => -6,
        _ => return None,
    };
    Some(Exact::power(exponent))
}

/// What one of a flow's unit is: so many m3 in so many milliseconds.
pub(crate) fn flow_unit(unit: &str) -> Option<(Exact, u32)> {
    let (exponent, ms) = match unit {
        "m3/s" => (0, 1_000),
        "m3/min" => (0, 60_000),
        "m3/h" => (0, 3_600_000),
        "m3/d" => (0, 86_400_000),
        "L/s" => (-3, 1_000),
        "L/min" => (-3, 60_000),
        "L/h" => (-3, 3_600_000),
        _ => return None,
    };
    Some((Exact::power(exponent), ms))
}
