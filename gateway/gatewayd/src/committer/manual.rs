//! What people enter by hand, journaled in the name of whoever typed it. It is a record like all others and no reading: no rule
//! and no aggregate hears of it.

use ingest::nearest;
use record::dossier::{Day, LifeCycle};
use record::{
    Body, ClockQuality, Detection, Dossier, Entry, Manual, ManualSample, ManualValue, Patrol, Quantity, Record, Stamp,
    Unit, UnixMs,
};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::manual::{Entering, TypedValue, What};

/// How far an entry may lie ahead of the box's clock: nobody's watch is exact.
const AHEAD_MS_MAX: i64 = 5 * 60_000;
/// How far back it may lie: so long original records of monitoring are kept (排污许可管理条例, article 21).
const YEARS_BACK_MAX: i64 = 5;
const DAY_MS: i64 = 86_400_000;
/// Beijing is that far ahead of UTC; permits and registers count days by it.
const BEIJING_MS: i64 = 8 * 3_600_000;

impl Committer {
    /// Journals an entry; answers with its number and what stands there.
    pub(super) fn enter(&mut self, entering: Entering, draft: &mut Draft) -> Result<Value, String> {
        let stamp = self.stamp();
        let Entering { entry, what } = entering;
        let code = &entry.outfall;
        let unknown = || {
            format!("outfall {code} has no dossier · try: weir outfall list, or weir outfall add FILE --reason TEXT")
        };
        let dossier = &self.restored.register.dossier(code).ok_or_else(unknown)?.dossier;
        let option = if matches!(what, What::Sample { .. }) { "--taken" } else { "--at" };
        check_time(&entry, dossier, &stamp, option)?;
        let manual = match what {
            What::Sample { values, laboratory, number, note } => {
                let values = values.into_iter().map(|value| with_unit(value, dossier)).collect::<Result<_, _>>()?;
                Manual::Sample(Box::new(ManualSample { entry, values, laboratory, number, note }))
            }
            What::Patrol { finding, state } => Manual::Patrol(Box::new(Patrol { entry, finding, state })),
        };
        let verb = if matches!(manual, Manual::Sample(_)) { "manual" } else { "patrol" };
        let refused = |error| format!("{error} · try: weir {verb} list --outfall {}", manual.entry().outfall);
        self.restored.manual.check(&manual).map_err(refused)?;
        let seq = self.next_seq(draft);
        let Entry { outfall, by, replaces, .. } = manual.entry();
        let replaced = replaces.as_ref().map(|replaced| replaced.seq.0);
        log::info!(seq:% = seq, outfall:% = outfall, what = manual.as_str(), by:? = by, replaces:? = replaced; "manual entry journaled");
        let answer = json!({ "seq": seq, "manual": manual });
        self.append(Record { stamp, body: Body::Manual(manual) }, &mut draft.transaction);
        Ok(answer)
    }
}

/// Whether it can have been then, as far as the box knows the time.
fn check_time(entry: &Entry, dossier: &Dossier, now: &Stamp, option: &str) -> Result<(), String> {
    let (at, shown) = (entry.at_ms.0, shown(entry.at_ms));
    let error_ms = match now.clock {
        ClockQuality::Synchronised => Some(0),
        ClockQuality::Holdover { error_ms } => Some(i64::from(error_ms)),
        // Nobody told the box the time: it is behind, and cannot say what is to come.
        ClockQuality::Unset => None,
    };
    if error_ms.is_some_and(|error_ms| at > now.wall_ms.0.saturating_add(error_ms).saturating_add(AHEAD_MS_MAX)) {
        let clock = self::shown(now.wall_ms);
        return Err(format!(
            "{shown} is in the future: the box's clock says {clock} · try: {option} with the time it was"
        ));
    }
    if at < now.wall_ms.0.saturating_sub(YEARS_BACK_MAX * 366 * DAY_MS) {
        return Err(format!("{shown} is more than {YEARS_BACK_MAX} years ago · try: {option} with the time it was"));
    }
    if let (LifeCycle::InUse, Some(since), Some(day)) = (dossier.state, dossier.state_since, day(entry.at_ms))
        && day < since
    {
        return Err(format!(
            "{shown} is before outfall {code} was there: its dossier says in use since {since} · try: weir outfall show {code}",
            code = dossier.code
        ));
    }
    Ok(())
}

/// The day in Beijing, as registers count them.
fn day(at: UnixMs) -> Option<Day> {
    Day::of(at.0.saturating_add(BEIJING_MS).div_euclid(DAY_MS))
}

/// Beijing time, to the minute.
fn shown(at: UnixMs) -> String {
    let minute = at.0.saturating_add(BEIJING_MS).rem_euclid(DAY_MS) / 60_000;
    day(at).map_or_else(|| format!("{at} ms"), |day| format!("{day} {:02}:{:02} (UTC+8)", minute / 60, minute % 60))
}

/// With the unit that is registered for its quantity: by the registry, else by a limit of the dossier.
fn with_unit(typed: TypedValue, dossier: &Dossier) -> Result<ManualValue, String> {
    let TypedValue { quantity, value, detection, unit, method } = typed;
    let registered = registered(&quantity, dossier)?;
    if let Some(unit) = unit.filter(|unit| *unit != registered) {
        let sign = if detection == Detection::BelowLimit { "<" } else { "" };
        return Err(format!(
            "{quantity} is entered in {registered}, not in {unit} · try: convert it, --value '{quantity}={sign}…'"
        ));
    }
    Ok(ManualValue { quantity, unit: registered, value, detection, method })
}

fn registered(quantity: &Quantity, dossier: &Dossier) -> Result<Unit, String> {
    let limits = || dossier.limit_sets.iter().flat_map(|set| set.limits.iter());
    let usual = Quantity::registry().iter().find(|(name, _)| *name == quantity.as_str());
    if let Some(unit) = usual.and_then(|(_, unit)| Unit::new(unit).ok()) {
        return Ok(unit);
    }
    if let Some(limit) = limits().find(|limit| limit.item == *quantity) {
        return Ok(limit.unit.clone());
    }
    let known = Quantity::registry().iter().map(|(name, _)| *name).chain(limits().map(|limit| limit.item.as_str()));
    Err(format!(
        "{quantity} is neither registered nor limited by the dossier of {} · try: {}",
        dossier.code,
        nearest(quantity.as_str(), known)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_beijing() {
        let midnight = 1_777_824_000_000;
        assert_eq!(shown(UnixMs(midnight - 1)), "2026-05-03 23:59 (UTC+8)");
        assert_eq!(shown(UnixMs(midnight)), "2026-05-04 00:00 (UTC+8)");
        assert_eq!(shown(UnixMs(i64::MAX)), format!("{} ms", i64::MAX));
    }
}
