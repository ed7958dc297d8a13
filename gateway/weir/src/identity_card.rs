//! `weir identity`: what a platform must be told to enrol this box, and which keys it had; `weir identity rotate`.

use std::path::Path;

use batch::{KeyStatement, PublicKey};
use journal::Reader;
use serde_json::{Value, json};

use crate::cli::RotateArgs;
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
    let history: Vec<KeyStatement> = history(state_dir)?.into_iter().map(|(_, statement)| statement).collect();
    let mut out = output::stdout();
    let text = match json {
        true => json!({
            "box": box_id, "key": key.to_string(), "key_id": key.id().to_string(),
            "history": history.iter().map(facts).collect::<Vec<_>>(),
        })
        .to_string(),
        false => format!(
            "# {}\n[[box]]\nid = \"{box_id}\"\nkey = \"{key}\"\n{}",
            lang.pick(
                "Enrol this box: put these lines into the platform's platform.toml.",
                "登记本站：把以下几行写入平台的 platform.toml。"
            ),
            shown(&history, lang),
        ),
    };
    output::line(&mut out, text.trim_end())?;
    std::io::Write::flush(&mut out).map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// Has the gateway change the box's key, and says what is to be done then: nothing.
pub(crate) fn rotate(args: &RotateArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let request = json!({"do": "rotate_key", "reason": args.reason});
    let answer = control::ask(&run_dir.join("gateway.sock"), &request).map_err(CommandError::Control)?;
    let mut out = output::stdout();
    let text = match args.json {
        true => json!({
            "seq": answer["seq"], "number": answer["number"], "former": answer["former"], "key": answer["key"],
        })
        .to_string(),
        false => format!(
            "{} {} · {} {}\n{}",
            lang.pick("the box signs with another key now:", "本站已更换密钥："),
            answer["key"].as_str().unwrap_or_default(),
            lang.pick("journaled as record", "记录编号"),
            answer["seq"],
            lang.pick(
                "The old key has signed for it; the platforms learn it by that, with the next batch. Nothing else is to be done.",
                "旧密钥已为新密钥签名；平台在下次上传时自动获知，无需其他操作。"
            ),
        ),
    };
    output::line(&mut out, &text)?;
    std::io::Write::flush(&mut out).map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// What was signed about the keys of this box and its platforms, in the order in which it became known.
pub(crate) fn history(state_dir: &Path) -> Result<Vec<(Vec<u8>, KeyStatement)>, CommandError> {
    let path = identity::statements_of(&state_dir.join("identity/box.key"));
    identity::statements(&path).map_err(|source| CommandError::Keys { path, source })
}

fn facts(statement: &KeyStatement) -> Value {
    let (former, key) = statement.keys();
    let (by, number, reason) = match statement {
        KeyStatement::Change(change) => (json!("former"), Some(change.number), Some(change.reason.as_str())),
        KeyStatement::Succession { says, .. } => (json!({"platform": says.platform}), None, None),
    };
    json!({
        "whose": statement.whose(), "former": former, "key": key, "at_ms": statement.at_ms(), "by": by, "number": number,
        "reason": reason,
    })
}

/// One line for each change, as comments of TOML.
fn shown(history: &[KeyStatement], lang: Lang) -> String {
    if history.is_empty() {
        return String::new();
    }
    let mut text = format!("\n# {}\n", lang.pick("Keys that took the place of others:", "密钥更换记录："));
    for statement in history {
        let ((former, key), at) = (statement.keys(), output::time(statement.at_ms()));
        let why = match statement {
            KeyStatement::Change(change) => {
                let signed = lang.pick("signed by the former key", "由旧密钥签名");
                format!("{signed} · {}", change.reason)
            }
            KeyStatement::Succession { says, .. } => {
                format!("{} {}", lang.pick("by the word of platform", "由平台准许："), says.platform)
            }
        };
        // A reason is one line.
        let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        text.push_str(&format!("# {at}  {}  {former} → {key}  {why}\n", statement.whose()));
    }
    text
}

/// The box's public key, which anyone may read.
pub(crate) fn public_key(state_dir: &Path) -> Result<PublicKey, CommandError> {
    let path = state_dir.join("identity/box.pub");
    let text =
        std::fs::read_to_string(&path).map_err(|source| CommandError::NoIdentity { path: path.clone(), source })?;
    text.trim().parse().map_err(|source| CommandError::BadIdentity { path, source })
}
