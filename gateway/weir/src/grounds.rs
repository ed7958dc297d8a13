//! What an alarm's value is of, in words.

use record::{Grounds, Measure, Tier};

use crate::lang::Lang;

/// `mean of 1 h`, `1 小时均值`; nothing for a single reading.
pub(crate) fn measure(measure: Measure, span_s: u32, lang: Lang) -> String {
    let words = match lang {
        Lang::En => measure.english(),
        Lang::Zh => measure.chinese(),
    };
    let lasts = matches!(measure, Measure::Silence | Measure::Stuck);
    match (measure, span_s, lang) {
        (Measure::Reading, ..) => String::new(),
        (_, 0, _) => words.to_owned(),
        _ if lasts => words.to_owned(),
        (_, _, Lang::En) => format!("{words} ({})", span(span_s, lang)),
        (_, _, Lang::Zh) => format!("{words}（{}）", span(span_s, lang)),
    }
}

/// The tier, if it says more than that somebody should look.
pub(crate) fn tier(tier: Tier, lang: Lang) -> &'static str {
    match (tier, lang) {
        (Tier::Warning, _) => "",
        (tier, Lang::En) => tier.english(),
        (tier, Lang::Zh) => tier.chinese(),
    }
}

/// Both, each with a space before it; nothing for a single reading that warns.
pub(crate) fn show(grounds: Option<&Grounds>, lang: Lang) -> String {
    let Some(grounds) = grounds else { return String::new() };
    let parts = [measure(grounds.measure, grounds.span_s, lang), tier(grounds.tier, lang).to_owned()];
    parts.iter().filter(|part| !part.is_empty()).map(|part| format!(" {part}")).collect()
}

fn span(seconds: u32, lang: Lang) -> String {
    let (number, unit) = match seconds {
        s if s % 3_600 == 0 => (s / 3_600, lang.pick("h", "小时")),
        s if s % 60 == 0 => (s / 60, lang.pick("min", "分钟")),
        s => (s, lang.pick("s", "秒")),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measure_and_tier_has_words_in_both_languages() {
        for one in Measure::ALL {
            let said = [Lang::En, Lang::Zh].map(|lang| measure(*one, 3_600, lang));
            assert_eq!(said[0] == said[1], *one == Measure::Reading, "{said:?}");
        }
        assert_eq!(measure(Measure::Mean, 86_400, Lang::En), "mean (24 h)");
        assert_eq!(measure(Measure::FlowWeightedMean, 600, Lang::Zh), "流量加权均值（10 分钟）");
        assert_eq!(measure(Measure::Silence, 900, Lang::En), "silence");
        assert_eq!(Tier::ALL.iter().map(|one| tier(*one, Lang::Zh)).collect::<String>(), "关注超标应急");
    }
}
