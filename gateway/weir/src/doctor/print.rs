//! Findings for people: what is wrong first, with what to type; everything else only if asked for.

use std::io::Write;

use super::check::{Check, Finding, Verdict, say};
use crate::error::CommandError;
use crate::lang::Lang;
use crate::output::{line, table};

/// What is not well, then what is worth knowing; with `all` also what is well and what could not be seen.
pub(super) fn findings(out: &mut impl Write, findings: &[Finding], all: bool, lang: Lang) -> Result<(), CommandError> {
    for verdict in [Verdict::Fault, Verdict::Warning, Verdict::Note] {
        for finding in findings.iter().filter(|finding| finding.verdict == verdict) {
            explained(out, finding, lang)?;
        }
    }
    for verdict in [Verdict::Skipped, Verdict::Ok] {
        for finding in findings.iter().filter(|finding| all && finding.verdict == verdict) {
            let Finding { title, evidence, check, .. } = finding;
            let evidence = lang.told(evidence);
            let command = finding.command.as_ref().map(|command| format!(" · try: {command}")).unwrap_or_default();
            line(out, &format!("{} {title}: {evidence} [{check}]{command}", mark(verdict)))?;
        }
    }
    summary(out, findings, all, lang)
}

/// `!!` broken, `!` not well, `·` worth knowing, `-` not seen, `✓` well.
fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fault => "!!",
        Verdict::Warning => "!",
        Verdict::Note => "·",
        Verdict::Skipped => "-",
        Verdict::Ok => "✓",
    }
}

fn explained(out: &mut impl Write, finding: &Finding, lang: Lang) -> Result<(), CommandError> {
    let Finding { check, verdict, title, evidence, cause, cure, command, .. } = finding;
    line(out, &format!("{} {title}: {} [{check}]", mark(*verdict), lang.told(evidence)))?;
    if let (Some(cause), Some(cure), Some(command)) = (cause, cure, command) {
        line(out, &format!("   {}: {cause}", lang.pick("cause", "原因")))?;
        line(out, &format!("   {}: {cure}", lang.pick("cure", "处理")))?;
        line(out, &format!("   try: {command}"))?;
    }
    Ok(())
}

fn summary(out: &mut impl Write, findings: &[Finding], all: bool, lang: Lang) -> Result<(), CommandError> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (faults, warnings, notes) = (count(Verdict::Fault), count(Verdict::Warning), count(Verdict::Note));
    let (well, unseen) = (count(Verdict::Ok), count(Verdict::Skipped));
    let more = if all { "" } else { " · try: weir doctor --all" };
    line(
        out,
        &say!(
            lang,
            "{faults} broken, {warnings} not well, {notes} worth knowing, {well} well, {unseen} not seen{more}",
            "故障 {faults} 项，异常 {warnings} 项，提示 {notes} 项，正常 {well} 项，未检查 {unseen} 项{more}"
        ),
    )?;
    // What this user may not see is named once.
    let denied = findings.iter().find(|finding| finding.command.as_deref() == Some("sudo weir doctor"));
    match denied {
        Some(finding) => {
            let why = &finding.evidence;
            line(
                out,
                &say!(
                    lang,
                    "not everything could be seen: {why} · try: sudo weir doctor",
                    "部分内容无法查看：{why} · try: sudo weir doctor"
                ),
            )
        }
        None => Ok(()),
    }
}

/// Every check, and what it looks at.
pub(super) fn list<'c>(
    out: &mut impl Write,
    checks: impl Iterator<Item = &'c Check>,
    lang: Lang,
) -> Result<(), CommandError> {
    let rows: Vec<Vec<String>> =
        checks.map(|check| vec![check.id.to_owned(), check.title.told(lang).to_owned()]).collect();
    table(out, &rows)
}
