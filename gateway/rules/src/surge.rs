//! What is usual: the mean of a time, outside of the hours in which a rule judges.

use record::{Decimal, Stamp};

use crate::basis::TEN_MINUTES_MS;
use crate::exact::Exact;
use crate::field::{Field, Value};
use crate::memory::Finding;
use crate::{Basis, Rule};

/// Digits that a computed limit has more than the finest reading.
const LIMIT_DIGITS: i32 = 2;

/// A reading against so many times what is usual, and the rule's own limit where that is larger.
pub(crate) fn find(rule: &Rule, reading: Value<'_>, stamp: &Stamp, field: &Field) -> Option<Finding> {
    let usual = usual(rule, reading, stamp, field)?;
    let limit = rule.limit.at(usual.max(rule.limit.setpoint))?;
    Some(Finding::of(&limit, reading.value))
}

fn usual(rule: &Rule, reading: Value<'_>, stamp: &Stamp, field: &Field) -> Option<Decimal> {
    let Basis::Surge { baseline_ms, times, share_min_percent } = &rule.basis else { return None };
    let schedule = rule.during.as_ref()?;
    let to = stamp.wall_ms.0.div_euclid(TEN_MINUTES_MS) * TEN_MINUTES_MS;
    let from = to.checked_sub(*baseline_ms)?;
    let slices = field.slices(TEN_MINUTES_MS, reading.source, reading.quantity, reading.unit)?;
    let (mut due, mut found, mut sum, mut exponent) = (0i64, 0u32, Exact::default(), 0);
    let mut start = from;
    while start < to {
        if !schedule.covers(schedule.offset.to_local(start)?) {
            due += 1;
            if let Some(slice) = slices.at(start) {
                found += 1;
                sum = sum.plus(slice.mean()?)?;
                exponent = exponent.min(slice.exponent());
            }
        }
        start = start.checked_add(TEN_MINUTES_MS)?;
    }
    if i64::from(found) * 100 < due * i64::from(*share_min_percent) {
        return None;
    }
    // Of nothing there is no mean.
    sum.times(Exact::from(*times))?.over(Exact::from(found), exponent - LIMIT_DIGITS)?.to_decimal()
}
