//! What is told of an outfall, in words.

use record::{Outfall, SourceId};

use super::audit::actor;
use crate::lang::Lang;

/// Which version of its dossier, by whom and why; or which devices stand there.
pub(super) fn show(outfall: &Outfall, lang: Lang) -> String {
    match outfall {
        Outfall::Dossier(version) => {
            let (code, name, by) = (&version.dossier.code, &version.dossier.name, actor(&version.by, lang));
            let (number, state) = (version.version, version.dossier.state);
            let again = match (version.told, lang) {
                (None, _) => String::new(),
                (Some(told), Lang::En) => format!(" · told again, first in record {}", told.seq),
                (Some(told), Lang::Zh) => format!(" · 重新记录，首见于记录 {}", told.seq),
            };
            match lang {
                Lang::En => format!(
                    "DOSSIER {code} version {number} by {by}: {name}, {} · reason: {}{again}",
                    state.english(),
                    version.reason
                ),
                Lang::Zh => format!(
                    "排污口档案 {code} 第 {number} 版 {by}：{name}，{} · 理由：{}{again}",
                    state.chinese(),
                    version.reason
                ),
            }
        }
        Outfall::Devices(standing) => {
            let names: Vec<&str> = standing.devices.iter().map(SourceId::as_str).collect();
            match (names.is_empty(), lang) {
                (true, Lang::En) => format!("OUTFALL {}: no device stands there any more", standing.outfall),
                (true, Lang::Zh) => format!("排污口 {}：已无监测设备", standing.outfall),
                (false, Lang::En) => format!("OUTFALL {}: its devices are {}", standing.outfall, names.join(", ")),
                (false, Lang::Zh) => format!("排污口 {}：监测设备 {}", standing.outfall, names.join("、")),
            }
        }
    }
}
