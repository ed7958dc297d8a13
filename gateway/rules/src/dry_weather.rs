//! Whether it was dry: only then is a discharge of storm water's outfall one that should not be.

use record::{Decimal, SourceId, Stamp};

use crate::Rule;
use crate::basis::{DryWeather, TEN_MINUTES_MS};
use crate::exact::Exact;
use crate::field::{Field, Value};
use crate::limit::Standing;
use crate::memory::Finding;
use crate::schedule::month;

const HOUR_MS: i64 = 3_600_000;

/// What is known of the weather.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Dry,
    Wet,
    /// Rain data are old or have gaps, snow may melt, the river may flow back.
    Unknown,
}

/// Nothing is found where the weather is not known: no accusation, and no acquittal either.
pub(crate) fn find(rule: &Rule, dry: &DryWeather, reading: Value<'_>, stamp: &Stamp, field: &Field) -> Option<Finding> {
    if field.outfall_of(reading.source).is_some_and(|(class, _)| !class.is_stormwater()) {
        return None;
    }
    match weather(dry, reading.source, stamp, field) {
        Weather::Unknown => None,
        Weather::Dry => Some(Finding::of(&rule.limit, reading.value)),
        Weather::Wet => Some(Finding { standing: Standing::Back, ..Finding::of(&rule.limit, reading.value) }),
    }
}

fn weather(dry: &DryWeather, judged: &SourceId, stamp: &Stamp, field: &Field) -> Weather {
    let Some(local_ms) = dry.offset.local_ms(stamp) else { return Weather::Unknown };
    let newest = |series| field.newest(series, judged, stamp, dry.fresh_ms);
    match rained(dry, judged, stamp, field) {
        Some(true) => return Weather::Wet,
        Some(false) if newest(&dry.rain).is_some() => {}
        _ => return Weather::Unknown,
    }
    if let Some(melt) = &dry.melt
        && month(local_ms).is_none_or(|month| melt.months.contains(&month))
        && newest(&melt.temperature).is_none_or(|temperature| temperature > melt.above)
    {
        return Weather::Unknown;
    }
    if let Some(backflow) = &dry.backflow
        && newest(&backflow.level).is_none_or(|level| level >= backflow.from)
    {
        return Weather::Unknown;
    }
    Weather::Dry
}

/// Whether there was effective rain; none if too many hours tell nothing of it.
fn rained(dry: &DryWeather, judged: &SourceId, stamp: &Stamp, field: &Field) -> Option<bool> {
    let to = stamp.wall_ms.0;
    let device = dry.rain.device_beside(judged);
    let slices = field.slices(TEN_MINUTES_MS, device, &dry.rain.quantity, &dry.rain.unit)?;
    let (mut amount, mut hours) = (Exact::default(), Vec::new());
    let (mut lowest, mut highest): (Option<Decimal>, Option<Decimal>) = (None, None);
    // The slice in which the dry time begins counts whole: its rain may have been the last.
    let from = to.saturating_sub(dry.dry_ms);
    let from = from.saturating_sub(from.rem_euclid(TEN_MINUTES_MS));
    for (start, slice) in slices.within(from, to.saturating_add(TEN_MINUTES_MS)) {
        amount = amount.plus(slice.sum()?)?;
        lowest = Some(lowest.map_or(slice.lowest, |lowest| lowest.min(slice.lowest)));
        highest = Some(highest.map_or(slice.highest, |highest| highest.max(slice.highest)));
        hours.push(start.div_euclid(HOUR_MS));
    }
    // A total that began anew looks like rain, which accuses nobody.
    let fell = if dry.is_total { Exact::from(highest?).minus(lowest?.into())? } else { amount };
    if fell.to_decimal()? >= dry.effective {
        return Some(true);
    }
    hours.dedup();
    let told = i64::try_from(hours.len()).ok()?.checked_mul(100)?;
    let due = (dry.dry_ms / HOUR_MS).checked_mul(i64::from(dry.share_min_percent))?;
    (told >= due).then_some(false)
}
