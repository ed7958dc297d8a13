//! `weir verify FILE` of an evidence file: what is proven, what is open, what is wrong.

mod words;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use evidence::{EVIDENCE_BYTES_MAX, Finding, Keys, State, Verdict, What};
use serde_json::{Value, json};

use crate::cli::VerifyArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output;
use crate::verify::file::revocations;

/// Whether it is an evidence file, by its first bytes.
pub(super) fn begins(path: &Path) -> Result<bool, CommandError> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(4).read_to_end(&mut first));
    read.map_err(|source| CommandError::Read { path: path.into(), source })?;
    Ok(evidence::begins(&first))
}

/// Verifies the file, and prints one line for each statement.
pub(super) fn run(path: &Path, args: &VerifyArgs, lang: Lang) -> Result<Exit, CommandError> {
    let failed = |source| CommandError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    let longest = u64::try_from(EVIDENCE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path).and_then(|file| file.take(longest).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() > EVIDENCE_BYTES_MAX {
        return Err(CommandError::EvidenceTooLarge { path: path.into() });
    }
    let (platforms, revoked) = (args.platforms.iter().cloned().collect(), revocations(args)?);
    let keys = Keys { box_key: args.key, platforms, revoked };
    let verdict = evidence::verify(&bytes, &keys);
    let mut out = output::stdout();
    if args.json {
        output::line(&mut out, &object(&verdict, lang).to_string())?;
    } else {
        for finding in &verdict.findings {
            let mark = mark(finding.state, lang);
            output::line(&mut out, &format!("{mark}  {}", words::of(&finding.what, finding.state, lang)))?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if verdict.holds() { Exit::Good } else { Exit::NotWell })
}

/// As wide in each language.
fn mark(state: State, lang: Lang) -> &'static str {
    match state {
        State::Proven => lang.pick("ok  ", "通过"),
        State::Open => lang.pick("open", "未定"),
        State::Wrong => lang.pick("FAIL", "失败"),
    }
}

fn object(verdict: &Verdict, lang: Lang) -> Value {
    let finding = |Finding { state, what }: &Finding| {
        json!({
            "word": what.word(), "state": state, "about": what.about(), "facts": facts(what),
            "what": words::of(what, *state, lang),
        })
    };
    let findings: Vec<Value> = verdict.findings.iter().map(finding).collect();
    json!({ "holds": verdict.holds(), "findings": findings })
}

/// What is counted, for programs.
fn facts(what: &What) -> Value {
    match what {
        What::Container { parts, .. } => json!({ "parts": parts }),
        What::Seal { sealed, .. } => json!(sealed),
        What::Key { key, given } => json!({ "key": key, "given": given }),
        What::Keys { keys, unvouched } => json!({ "keys": keys, "unvouched": unvouched }),
        What::Revoked(revoked) => json!(revoked),
        What::Records { box_id, records, covering, .. } => {
            json!({ "box": box_id, "records": records, "signed": covering })
        }
        What::Readings | What::Alarm { .. } => Value::Null,
        What::Report { version } => json!({ "version": version }),
        What::Receipts(receipts) => json!(receipts),
        What::Stated { samples, patrols } => json!({ "samples": samples, "patrols": patrols }),
        What::Codecs { used, untold } => json!({ "used": used, "untold": untold }),
        What::Complete(complete) => json!(complete),
        What::Times(times) => json!(times),
    }
}
