//! Dossiers for people: one, its history, all of them.

use std::io::Write;
use std::path::Path;

use evidence::dossier::facts;
use journal::{Reader, for_each_outfall};
use record::dossier::Defect;
use record::{Dossier, DossierVersion, Outfall, OutfallCode, Seq, SeqRange, SourceId, UnixMs};
use serde_json::{Value, json};

use super::form::toml_text;
use super::{HistoryArgs, OutfallError, ShowArgs, register, today};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, table};
use crate::tail::actor;

/// A version with the record that told it first, and when.
struct Told {
    seq: Seq,
    at: UnixMs,
    version: DossierVersion,
}

/// Every version of an outfall that the journal has, the oldest first.
fn versions(reader: &Reader, code: &OutfallCode) -> Result<Vec<Told>, CommandError> {
    let mut found: Vec<Told> = Vec::new();
    let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
    for_each_outfall(reader, all, |at, outfall| {
        if let Outfall::Dossier(version) = outfall
            && version.dossier.code == *code
            && found.iter().all(|told| told.version.version != version.version)
        {
            let (seq, at) = version.told.map_or((at.seq, at.record.stamp.wall_ms), |told| (told.seq, told.wall_ms));
            found.push(Told { seq, at, version: (**version).clone() });
        }
    })
    .map_err(CommandError::Store)?;
    found.sort_by_key(|told| told.version.version);
    Ok(found)
}

/// Shows one. What has defects is not well.
pub(super) fn show(args: &ShowArgs, state_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let (reader, register) = register(state_dir)?;
    let all = versions(&reader, &args.code)?;
    let told = match args.number {
        None => all.last().ok_or_else(|| OutfallError::Unknown(args.code.clone()))?,
        Some(version) => all
            .iter()
            .find(|told| told.version.version == version)
            .ok_or_else(|| OutfallError::Version { code: args.code.clone(), version })?,
    };
    let Told { seq, at, version } = told;
    let devices = register.get(&args.code).map_or(&[][..], |known| known.devices());
    let devices: Vec<&str> = devices.iter().map(SourceId::as_str).collect();
    let defects = defects(&version.dossier);
    let mut out = output::stdout();
    if args.toml {
        write!(out, "{}", toml_text(&version.dossier)).map_err(CommandError::output)?;
    } else if args.json {
        let shown = json!({
            "dossier": version.dossier, "version": version.version, "versions": all.len(), "by": version.by,
            "reason": version.reason, "at_ms": at, "seq": seq, "devices": devices,
            "defects": defects.iter().map(|defect| defect.english()).collect::<Vec<_>>(),
        });
        line(&mut out, &shown.to_string())?;
    } else {
        let mut rows: Vec<Vec<String>> = facts(&version.dossier)
            .into_iter()
            .map(|fact| {
                let [english, chinese] = fact.value;
                match lang {
                    Lang::En => vec![fact.english.to_owned(), english],
                    Lang::Zh => vec![fact.chinese.to_owned(), chinese],
                }
            })
            .collect();
        rows.push(vec![lang.pick("devices", "监测设备").into(), devices.join(lang.pick(", ", "、"))]);
        rows.push(vec![lang.pick("version", "版本").into(), origin(told, lang)]);
        rows.extend(defects.iter().map(|defect| {
            vec![lang.pick("to be mended", "待完善").into(), lang.pick(defect.english(), defect.chinese()).into()]
        }));
        table(&mut out, &rows)?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if defects.is_empty() || args.toml { Exit::Good } else { Exit::NotWell })
}

fn defects(dossier: &Dossier) -> Vec<Defect> {
    today().map_or(Vec::new(), |today| dossier.defects(today))
}

fn origin(told: &Told, lang: Lang) -> String {
    let Told { seq, at, version } = told;
    let (by, at) = (actor(&version.by, lang), output::time(*at));
    match lang {
        Lang::En => format!("{} · {at} · by {by} · record {seq} · {}", version.version, version.reason),
        Lang::Zh => format!("{} · {at} · {by} · 记录 {seq} · {}", version.version, version.reason),
    }
}

/// Shows every version.
pub(super) fn history(args: &HistoryArgs, state_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let (reader, _) = register(state_dir)?;
    let all = versions(&reader, &args.code)?;
    if all.is_empty() {
        return Err(OutfallError::Unknown(args.code.clone()).into());
    }
    let mut out = output::stdout();
    let mut before = Value::Null;
    let mut shown = Vec::new();
    for told in &all {
        // A dossier has nothing that JSON lacks.
        let now = serde_json::to_value(&told.version.dossier).unwrap_or_default();
        let mut changed = Vec::new();
        if !before.is_null() {
            differences(&before, &now, "", &mut changed);
        }
        if args.json {
            let version = &told.version;
            shown.push(json!({
                "version": version.version, "by": version.by, "reason": version.reason, "at_ms": told.at,
                "seq": told.seq, "changed": changed, "dossier": version.dossier,
            }));
        } else {
            line(&mut out, &origin(told, lang))?;
            for path in changed {
                line(&mut out, &format!("    {path}: {} → {}", leaf(&before, &path), leaf(&now, &path)))?;
            }
        }
        before = now;
    }
    if args.json {
        line(&mut out, &json!({ "outfall": args.code, "versions": shown }).to_string())?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The paths at which two differ, as `water.functional_zone.target` or `river_chiefs.0.phone`.
fn differences(before: &Value, now: &Value, path: &str, found: &mut Vec<String>) {
    let inner = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (before, now) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                differences(&before[key.as_str()], &now[key.as_str()], &inner(key), found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (at, (one, other)) in one.iter().zip(other).enumerate() {
                differences(one, other, &inner(&at.to_string()), found);
            }
        }
        (one, other) if one == other => {}
        _ => found.push(path.to_owned()),
    }
}

fn leaf(of: &Value, path: &str) -> String {
    match of.pointer(&format!("/{}", path.replace('.', "/"))) {
        None | Some(Value::Null) => "–".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Lists all outfalls. One without a dossier, whose data are refused, is not well.
pub(super) fn list(state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let (_, register) = register(state_dir)?;
    let mut out = output::stdout();
    let (mut shown, mut well) = (Vec::new(), true);
    let heading = match lang {
        Lang::En => ["code", "version", "name", "class", "state", "devices", "to be mended"],
        Lang::Zh => ["编码", "版本", "名称", "分类", "状态", "监测设备", "待完善"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (code, known) in register.iter() {
        let devices: Vec<&str> = known.devices().iter().map(SourceId::as_str).collect();
        let Some(version) = register.dossier(code) else {
            // Devices that are gone leave an outfall that nobody asks for any more.
            if !devices.is_empty() {
                well = false;
                shown.push(json!({ "outfall": code, "version": null, "devices": devices }));
                let none = lang.pick("no dossier: its data are refused", "无档案：数据被拒收");
                let cells = [code.as_str(), "–", none, "", "", &devices.join(","), ""];
                rows.push(cells.map(str::to_owned).to_vec());
            }
            continue;
        };
        let (dossier, defects) = (&version.dossier, defects(&version.dossier).len());
        let (class, state) = match lang {
            Lang::En => (dossier.class.english(), dossier.state.english()),
            Lang::Zh => (dossier.class.chinese(), dossier.state.chinese()),
        };
        shown.push(json!({
            "outfall": code, "version": version.version, "name": dossier.name, "class": dossier.class,
            "state": dossier.state, "devices": devices, "defects": defects,
        }));
        let (number, mended) = (version.version.to_string(), defects.to_string());
        let cells = [code.as_str(), &number, dossier.name.as_str(), class, state, &devices.join(","), &mended];
        rows.push(cells.map(str::to_owned).to_vec());
    }
    match (json, shown.is_empty()) {
        (true, _) => line(&mut out, &json!({ "outfalls": shown }).to_string())?,
        (false, true) => line(
            &mut out,
            lang.pick(
                "no outfall is registered · try: weir outfall add FILE --reason TEXT",
                "尚未登记排污口 · try: weir outfall add FILE --reason TEXT",
            ),
        )?,
        (false, false) => table(&mut out, &rows)?,
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if well { Exit::Good } else { Exit::NotWell })
}
