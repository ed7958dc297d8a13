//! What readings came to over a time of the clock, in words.

use record::{Aggregate, AggregateValue};

use crate::lang::Lang;
use crate::output;

/// Which window, and of each quantity mean, extremes and counts.
pub(super) fn show(of: &Aggregate, lang: Lang) -> String {
    let at = of.outfall.as_ref().map_or_else(String::new, |code| match lang {
        Lang::En => format!(" at {code}"),
        Lang::Zh => format!("（{code}）"),
    });
    let values: Vec<String> = of.values.iter().map(|value| self::value(value, of.period.parts(), lang)).collect();
    let (source, period, from, values) = (&of.source, of.period, output::time(of.from_ms), values.join("  "));
    match lang {
        Lang::En => format!("{source}{at}  AGGREGATE {period} from {from}  {values}"),
        Lang::Zh => format!("{source}{at}  统计值 {period} 自 {from}  {values}"),
    }
}

/// `cod mean 40.125 (39.5..41) mg/L, 6 of 7 good, 6/6 parts;`
fn value(value: &AggregateValue, parts_all: u32, lang: Lang) -> String {
    let AggregateValue { quantity, unit, good, doubtful, parts, statistics } = value;
    let all = u64::from(*good) + u64::from(*doubtful);
    let said = match (statistics, lang) {
        (None, Lang::En) => "no mean".to_owned(),
        (None, Lang::Zh) => "无均值".to_owned(),
        (Some(of), Lang::En) => format!("mean {} ({}..{}) {unit}", of.mean, of.min, of.max),
        (Some(of), Lang::Zh) => format!("均值 {}（{}..{}）{unit}", of.mean, of.min, of.max),
    };
    let volume = statistics.and_then(|of| of.volume_m3);
    let volume = volume.map_or_else(String::new, |volume| match lang {
        Lang::En => format!(", {volume} m3"),
        Lang::Zh => format!("，水量 {volume} m3"),
    });
    match lang {
        Lang::En => format!("{quantity} {said}{volume}, {good} of {all} good, {parts}/{parts_all} parts;"),
        Lang::Zh => format!("{quantity} {said}{volume}，有效 {good}/{all}，时段 {parts}/{parts_all}；"),
    }
}
