//! Having the gateway journal new versions of dossiers.

use std::io::Write;
use std::path::Path;

use record::Dossier;
use serde_json::{Value, json};

use super::form::{Form, FormError};
use super::{ChangeArgs, EditArgs, ImportArgs, OutfallError};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// Most bytes of dossiers in one order: the control socket takes lines of 1 MiB.
const ORDER_BYTES_MAX: usize = 1_000_000;

/// Registers one outfall.
pub(super) fn add(args: &ChangeArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let dossier = one(&args.file)?;
    let request = json!({ "do": "register", "how": "add", "dossiers": [dossier], "reason": args.reason });
    order(&request, run_dir, args.json, lang)
}

/// Gives one another dossier.
pub(super) fn edit(args: &EditArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let ChangeArgs { file, reason, json } = &args.change;
    let dossier = one(file)?;
    let request =
        json!({ "do": "register", "how": "edit", "dossiers": [dossier], "version": args.based_on, "reason": reason });
    order(&request, run_dir, *json, lang)
}

/// Adds or edits many.
pub(super) fn import(args: &ImportArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let form = Form::of(&args.file, args.format).map_err(OutfallError::from)?;
    let dossiers = form.read(&args.file).map_err(OutfallError::from)?;
    let request = json!({ "do": "register", "how": "import", "dossiers": dossiers, "reason": args.reason });
    order(&request, run_dir, args.json, lang)
}

/// The dossier in a file that has one.
pub(crate) fn one(path: &Path) -> Result<Dossier, CommandError> {
    let form = Form::of(path, None).map_err(OutfallError::from)?;
    let mut dossiers = form.read(path).map_err(OutfallError::from)?;
    match (dossiers.pop(), dossiers.len()) {
        (Some(dossier), 0) => Ok(dossier),
        (_, others) => Err(OutfallError::from(FormError::Many { path: path.to_owned(), count: others + 1 }).into()),
    }
}

/// Registers an outfall that nobody has registered.
pub(crate) fn register(dossier: &Dossier, reason: &str, run_dir: &Path) -> Result<(), CommandError> {
    let request = json!({ "do": "register", "how": "add", "dossiers": [dossier], "reason": reason });
    ask(&request, run_dir).map(drop)
}

fn ask(request: &Value, run_dir: &Path) -> Result<Value, CommandError> {
    let bytes = request.to_string().len();
    if bytes > ORDER_BYTES_MAX {
        return Err(OutfallError::Long(bytes).into());
    }
    control::ask(&run_dir.join("gateway.sock"), request).map_err(CommandError::Control)
}

fn order(request: &Value, run_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let answer = ask(request, run_dir)?;
    let mut out = output::stdout();
    if json {
        let shown = json!({ "versions": answer["versions"], "unchanged": answer["unchanged"] });
        line(&mut out, &shown.to_string())?;
    } else {
        for version in answer["versions"].as_array().into_iter().flatten() {
            let (code, number, seq) =
                (version["outfall"].as_str().unwrap_or("?"), &version["version"], &version["seq"]);
            let text = match lang {
                Lang::En => format!("outfall {code}: version {number}, journaled as record {seq}"),
                Lang::Zh => format!("排污口 {code}：第 {number} 版，记录号 {seq}"),
            };
            line(&mut out, &text)?;
        }
        let unchanged = answer["unchanged"].as_array().map_or(0, Vec::len);
        if unchanged > 0 {
            let text = match lang {
                Lang::En => format!("{unchanged} are as they were"),
                Lang::Zh => format!("{unchanged} 个无变化"),
            };
            line(&mut out, &text)?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
