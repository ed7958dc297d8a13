//! `weir identity`: what a platform must be told to enrol this box.

use std::path::Path;

use batch::PublicKey;
use journal::Reader;
use serde_json::json;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;

/// Prints name and public key.
pub(crate) fn run(state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let key = public_key(state_dir)?;
    let box_id = Reader::open(&state_dir.join("journal/journal.db"))
        .and_then(|reader| reader.position())
        .map_err(CommandError::Store)?
        .box_id;
    let mut out = output::stdout();
    let text = match json {
        true => json!({"box": box_id, "key": key.to_string(), "key_id": key.id().to_string()}).to_string(),
        false => format!(
            "# {}\n[[box]]\nid = \"{box_id}\"\nkey = \"{key}\"\n",
            lang.pick(
                "Enrol this box: put these lines into the platform's platform.toml.",
                "登记本站：把以下几行写入平台的 platform.toml。"
            ),
        ),
    };
    output::line(&mut out, text.trim_end())?;
    std::io::Write::flush(&mut out).map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The box's public key, which anyone may read.
pub(crate) fn public_key(state_dir: &Path) -> Result<PublicKey, CommandError> {
    let path = state_dir.join("identity/box.pub");
    let text =
        std::fs::read_to_string(&path).map_err(|source| CommandError::NoIdentity { path: path.clone(), source })?;
    text.trim().parse().map_err(|source| CommandError::BadIdentity { path, source })
}
