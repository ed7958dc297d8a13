//! `weir rules test`: tests of rules, played.

use std::io::Write;
use std::path::Path;

use ::rules::{Scenarios, Tried};
use control::chain;
use serde_json::json;

use super::{RulesError, TestArgs, in_force};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};

/// Plays them. [`Exit::NotWell`] if one fails.
pub(super) fn run(args: &TestArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let paths = gatewayd::config::rules_tests(&args.tests).map_err(|error| RulesError::Rules(chain(&error)))?;
    let rules = in_force::rules(&args.rules, dirs)?;
    let mut tried = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|source| RulesError::Read { path: path.clone(), source })?;
        let tests = Scenarios::from_toml(&text).map_err(|source| RulesError::Tests { path, source })?;
        tried.extend(tests.run(&rules));
    }
    let failed = tried.iter().filter(|tried| !tried.passed()).count();
    let mut out = output::stdout();
    if args.output.json {
        let shown: Vec<_> = tried
            .iter()
            .map(|tried| {
                json!({ "name": tried.name, "passed": tried.passed(), "missing": tried.missing,
                    "unexpected": tried.unexpected })
            })
            .collect();
        line(&mut out, &json!({ "tests": shown, "failed": failed }).to_string())?;
    } else {
        tried.iter().try_for_each(|tried| show(&mut out, tried, lang))?;
        let text = lang.pick("tests, failed", "项测试，未通过");
        line(&mut out, &format!("{} {text} {failed}", tried.len()))?;
    }
    out.flush().map_err(CommandError::output)?;
    Ok(if failed == 0 { Exit::Good } else { Exit::NotWell })
}

fn show(out: &mut impl Write, tried: &Tried, lang: Lang) -> Result<(), CommandError> {
    let verdict = if tried.passed() { lang.pick("ok     ", "通过  ") } else { lang.pick("FAILED ", "未通过") };
    line(out, &format!("{verdict} {}", tried.name))?;
    for (what, steps) in [
        (lang.pick("did not happen", "应有而未发生"), &tried.missing),
        (lang.pick("happened, not expected", "不应有而发生"), &tried.unexpected),
    ] {
        steps.iter().try_for_each(|step| line(out, &format!("        {what}: {step}")))?;
    }
    Ok(())
}
