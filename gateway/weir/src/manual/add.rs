//! Having the gateway journal what a person found.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use record::Quantity;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{EntryArgs, ManualError, PatrolArgs, SampleArgs};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// Of a file, read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Enters a sample.
pub(super) fn sample(args: &SampleArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let is_entered = |quantity: &Quantity| args.value.iter().any(|value| value.quantity == *quantity);
    if let Some((quantity, _)) = args.method.iter().find(|(quantity, _)| !is_entered(quantity)) {
        return Err(ManualError::MethodOfNothing(quantity.clone()).into());
    }
    let values = args.value.iter().map(|of| {
        let method = args.method.iter().find(|(quantity, _)| *quantity == of.quantity).map(|(_, method)| method);
        let detection = if of.is_below { "below_limit" } else { "found" };
        json!({
            "quantity": of.quantity, "value": of.value.to_string(), "detection": detection, "unit": of.unit,
            "method": method,
        })
    });
    let request = json!({
        "do": "enter", "what": "sample", "at_ms": args.taken.as_millisecond(), "values": values.collect::<Vec<_>>(),
        "laboratory": args.lab, "number": args.number, "note": args.note,
    });
    enter(request, &args.entry, run_dir, lang)
}

/// Enters a patrol.
pub(super) fn patrol(args: &PatrolArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let request = json!({
        "do": "enter", "what": "patrol", "at_ms": args.at.as_millisecond(), "finding": args.finding, "state": args.state,
    });
    enter(request, &args.entry, run_dir, lang)
}

fn enter(mut request: Value, entry: &EntryArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let EntryArgs { outfall, by, file, replaces, reason, json } = entry;
    let files = file.iter().map(|path| attached(path)).collect::<Result<Vec<_>, _>>()?;
    request["outfall"] = json!(outfall);
    request["person"] = json!(by);
    request["files"] = json!(files);
    request["replaces"] = json!(replaces);
    request["reason"] = json!(reason);
    let answer: Value = control::ask(&run_dir.join("gateway.sock"), &request).map_err(CommandError::Control)?;
    let mut out = output::stdout();
    if *json {
        line(&mut out, &json!({ "seq": answer["seq"], "manual": answer["manual"] }).to_string())?;
    } else {
        line(&mut out, &told(&answer, lang))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// What stands in the journal now, so that whoever typed it reads it once more.
fn told(answer: &Value, lang: Lang) -> String {
    let (seq, manual) = (&answer["seq"], &answer["manual"]);
    let text = |of: &Value| of.as_str().unwrap_or("?").to_owned();
    let value = |of: &Value| {
        let sign = if of["detection"] == "below_limit" { "<" } else { "" };
        format!("{} {sign}{} {}", text(&of["quantity"]), text(&of["value"]), text(&of["unit"]))
    };
    let values: Vec<String> = manual["values"].as_array().into_iter().flatten().map(value).collect();
    let found = if values.is_empty() { text(&manual["finding"]) } else { values.join(lang.pick(", ", "，")) };
    let outfall = text(&manual["entry"]["outfall"]);
    let replaced = match (manual["entry"]["replaces"]["seq"].as_u64(), lang) {
        (None, _) => String::new(),
        (Some(seq), Lang::En) => format!(", in place of record {seq}"),
        (Some(seq), Lang::Zh) => format!("，取代记录 {seq}"),
    };
    match lang {
        Lang::En => format!("outfall {outfall}: journaled as record {seq}{replaced}: {found}"),
        Lang::Zh => format!("排污口 {outfall}：已录入，记录号 {seq}{replaced}：{found}"),
    }
}

/// The name and digest of a file, whatever its size.
fn attached(path: &Path) -> Result<Value, CommandError> {
    let failed = |source| CommandError::Read { path: path.to_owned(), source };
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| ManualError::NoName(path.to_owned()))?;
    let mut file = File::open(path).map_err(failed)?;
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
    loop {
        let read = file.read(&mut chunk).map_err(failed)?;
        match chunk.get(..read) {
            None | Some([]) => break,
            Some(bytes) => digest.update(bytes),
        }
    }
    Ok(json!({ "name": name, "sha256": hex::encode(digest.finalize()) }))
}
