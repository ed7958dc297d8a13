//! Has the gateway read its rules again.

use std::io::Write;
use std::path::Path;

use record::Seq;
use serde_json::{Value, json};

use super::ReloadArgs;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// `weir rules reload`
pub(super) fn run(args: &ReloadArgs, run_dir: &Path, lang: Lang) -> Result<Exit, CommandError> {
    let answer = ask(run_dir, &json!({ "do": "reload_rules", "reason": args.reason }))?;
    let mut out = output::stdout();
    let text = match args.output.json {
        true => answer.to_string(),
        false => told(&answer, lang),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The same once a record tells of what the files have now.
pub(crate) fn after(run_dir: &Path, configured: Seq) -> Result<(), CommandError> {
    ask(run_dir, &json!({ "do": "reload_rules", "configured": configured })).map(drop)
}

/// Answered once they are in force: whoever is answered next was behind them.
fn ask(run_dir: &Path, order: &Value) -> Result<Value, CommandError> {
    let socket = run_dir.join("gateway.sock");
    let answer = control::ask(&socket, order).map_err(CommandError::Control)?;
    control::ask(&socket, &json!({ "do": "probe" })).map_err(CommandError::Control)?;
    Ok(answer)
}

fn told(answer: &Value, lang: Lang) -> String {
    let rules = &answer["rules"];
    match (&answer["seq"], answer["platform"].as_str(), lang) {
        (Value::Null, Some(platform), Lang::En) => {
            format!("the files are as they were; the rules of platform {platform} are in force · try: weir rules show")
        }
        (Value::Null, Some(platform), Lang::Zh) => {
            format!("文件没有变化；当前执行平台 {platform} 下达的规则 · try: weir rules show")
        }
        (Value::Null, None, Lang::En) => format!("the files are as they were; {rules} rules are in force"),
        (Value::Null, None, Lang::Zh) => format!("文件没有变化，{rules} 条规则照常生效"),
        (seq, _, Lang::En) => format!("{rules} rules are in force now, journaled as record {seq}"),
        (seq, _, Lang::Zh) => format!("{rules} 条规则现已生效（记录 {seq}）"),
    }
}
