//! What people entered by hand, in words.

use record::{AttachedFile, Detection, Entry, Manual, ManualValue};

use super::audit::actor;
use crate::lang::Lang;
use crate::output;

/// Hex digits of a digest that are shown.
const DIGEST_SHOWN: usize = 8;

/// What was entered, of when, by whom, and what belongs to it.
pub(super) fn show(manual: &Manual, lang: Lang) -> String {
    let Entry { outfall, at_ms, person, by, files, replaces } = manual.entry();
    let (at, by) = (output::time(*at_ms), actor(by, lang));
    let mut parts = match (manual, lang) {
        (Manual::Sample(sample), Lang::En) => vec![format!(
            "MANUAL sample at {outfall} taken {at} by {person}, typed by {by}: {}",
            values(&sample.values, lang)
        )],
        (Manual::Sample(sample), Lang::Zh) => {
            vec![format!("手工监测 {outfall}，采样 {at} {person}，录入 {by}：{}", values(&sample.values, lang))]
        }
        (Manual::Patrol(patrol), _) => {
            let state = patrol.state.map_or_else(String::new, |state| match lang {
                Lang::En => format!("{}: ", state.english()),
                Lang::Zh => format!("{}：", state.chinese()),
            });
            let finding = &patrol.finding;
            vec![match lang {
                Lang::En => format!("PATROL at {outfall} {at} by {person}, typed by {by}: {state}{finding}"),
                Lang::Zh => format!("巡查 {outfall}，{at} {person}，录入 {by}：{state}{finding}"),
            }]
        }
    };
    if let Manual::Sample(sample) = manual {
        let named = [
            (lang.pick("laboratory", "检测机构"), sample.laboratory.as_ref().map(|words| words.as_str())),
            (lang.pick("number", "样品编号"), sample.number.as_ref().map(|words| words.as_str())),
            (lang.pick("note", "备注"), sample.note.as_ref().map(|words| words.as_str())),
        ];
        parts.extend(named.iter().filter_map(|(name, words)| Some(format!("{name} {}", (*words)?))));
    }
    let file = |file: &AttachedFile| {
        let digest = hex::encode(file.sha256);
        format!("{} {} {}…", lang.pick("file", "文件"), file.name, digest.get(..DIGEST_SHOWN).unwrap_or(&digest))
    };
    parts.extend(files.iter().map(file));
    parts.extend(replaces.iter().map(|of| match lang {
        Lang::En => format!("replaces record {}: {}", of.seq, of.reason),
        Lang::Zh => format!("取代记录 {}：{}", of.seq, of.reason),
    }));
    parts.join(" · ")
}

/// `cod 35.2 mg/L (HJ 828-2017), nh3_n <0.025 mg/L`
pub(crate) fn values(values: &[ManualValue], lang: Lang) -> String {
    let value = |of: &ManualValue| {
        let sign = if of.detection == Detection::BelowLimit { "<" } else { "" };
        let method = of.method.as_ref().map_or_else(String::new, |method| match lang {
            Lang::En => format!(" ({method})"),
            Lang::Zh => format!("（{method}）"),
        });
        format!("{} {sign}{} {}{method}", of.quantity, of.value, of.unit)
    };
    values.iter().map(value).collect::<Vec<_>>().join(lang.pick(", ", "，"))
}
