//! All rules of a box: the text of `rules.toml`, checked once.

mod error;
mod expr;
mod files;
mod kinds;
mod links;
mod section;

use std::fmt;

use record::RuleId;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use error::RuleError;
pub use files::{FILES_MAX, RulesFile, RulesFileError, joined};

use crate::{Basis, Rule};
use files::line_of;
use section::{Clock, Fault};

/// Most rules of one box: more is a list nobody answers for.
pub const RULES_MAX: usize = 256;

/// Longest delay, in seconds: one day. What must last longer is a mean, not a delay.
pub const DELAY_S_MAX: u32 = 86_400;
/// Longest time that a rule looks back over, in seconds: a week.
pub const SPAN_S_MAX: u32 = 604_800;
/// Longest time that a baseline or dry weather looks back over, in hours: a week.
pub const BASELINE_H_MAX: u32 = 168;

/// The rules in the order of the file; no two have the same id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleSet(Vec<Rule>);

/// Why a text is no [`RuleSet`]. Lines count from 1. Correct the file and check it again with `weir config check`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleSetError {
    /// Not TOML, an unknown or missing key, or a value of the wrong form.
    #[error("line {line}: {why}")]
    Toml {
        /// Where.
        line: usize,
        /// What is wrong, by key.
        why: String,
    },
    /// Beyond [`RULES_MAX`].
    #[error("{count} rules are more than the {RULES_MAX} of one box: join rules by naming several devices in one")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Two rules of one id.
    #[error("line {line}: rule `{rule}` stands twice, first at {first}: give each its own id")]
    Duplicate {
        /// Of the second.
        line: usize,
        /// The id.
        rule: RuleId,
        /// Of the first.
        first: LineAt,
    },
    /// A rule that cannot work.
    #[error("line {line}: rule `{rule}`")]
    Rule {
        /// Of the `[[rule]]`.
        line: usize,
        /// Its id.
        rule: RuleId,
        /// What is wrong with it.
        #[source]
        source: RuleError,
    },
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineAt {
    /// From 1.
    pub line: usize,
    /// Of another file than the one that is spoken of.
    pub file: Option<String>,
}

impl fmt::Display for LineAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        self.file.iter().try_for_each(|file| write!(f, " of `{file}`"))
    }
}

impl RuleSetError {
    fn of_toml(text: &str, error: &toml::de::Error) -> RuleSetError {
        let line = line_of(text, error.span().map_or(text.len(), |span| span.start));
        RuleSetError::Toml { line, why: error.message().to_owned() }
    }
}

impl RuleSet {
    /// Reads and checks the text of `rules.toml`.
    ///
    /// # Errors
    /// [`RuleSetError`] for the first fault, with its line.
    pub fn from_toml(text: &str) -> Result<RuleSet, RuleSetError> {
        let line_of = |at: usize| line_of(text, at);
        let wrong = |error: toml::de::Error| RuleSetError::of_toml(text, &error);
        let mut file = DeTable::parse(text).map_err(wrong)?;
        let whole = file.span();
        let sections = sections(file.get_mut()).map_err(|(at, why)| RuleSetError::Toml { line: line_of(at), why })?;
        let clock: Clock = section::read(std::mem::take(file.get_mut()), whole).map_err(wrong)?;
        if sections.len() > RULES_MAX {
            return Err(RuleSetError::TooMany { count: sections.len() });
        }
        let mut rules: Vec<Rule> = Vec::with_capacity(sections.len());
        let mut lines: Vec<usize> = Vec::with_capacity(sections.len());
        for (table, span) in sections {
            let line = line_of(span.start);
            let rule = section::rule(table, span, clock).map_err(|fault| match fault {
                Fault::Toml(error) => wrong(error),
                Fault::Key { at, why } => RuleSetError::Toml { line: line_of(at), why },
                Fault::Rule(rule, source) => RuleSetError::Rule { line, rule, source },
            })?;
            if let Some(first) = rules.iter().position(|known| known.id == rule.id) {
                let first = LineAt { line: lines[first], file: None };
                return Err(RuleSetError::Duplicate { line, rule: rule.id, first });
            }
            rules.push(rule);
            lines.push(line);
        }
        links::check(&rules).map_err(|(place, source)| RuleSetError::Rule {
            line: lines[place],
            rule: rules[place].id.clone(),
            source,
        })?;
        Ok(RuleSet(rules))
    }

    /// The rules in the order of the file.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Rule> + '_ {
        self.0.iter()
    }

    /// How far back a record can matter to any of them, in milliseconds.
    pub fn reach_ms(&self) -> u64 {
        self.0.iter().map(Rule::reach_ms).max().unwrap_or(0)
    }

    /// Whether any of them finds something by the passing of time alone: [`crate::Engine::tick`].
    pub fn watch_time(&self) -> bool {
        let by_time = |rule: &Rule| rule.basis.window().is_some() || matches!(rule.basis, Basis::Silence { .. });
        self.0.iter().any(by_time) || self.change_what_is_shown()
    }

    /// Whether alarms of any of them are shown otherwise without a step of theirs: [`crate::Engine::alarms`].
    pub fn change_what_is_shown(&self) -> bool {
        let may_fail = |rule: &Rule| matches!(rule.basis, Basis::Expression(_));
        self.0.iter().any(|rule| rule.latched || !rule.suppress_while.is_empty() || may_fail(rule))
    }

    pub(crate) fn into_rules(self) -> Vec<Rule> {
        self.0
    }
}

type Section<'t> = (DeTable<'t>, std::ops::Range<usize>);

/// Takes the `[[rule]]` out of the file; where it is something else, its place and what is wrong.
fn sections<'t>(file: &mut DeTable<'t>) -> Result<Vec<Section<'t>>, (usize, String)> {
    let Some(rules) = file.remove("rule") else { return Ok(Vec::new()) };
    let not_sections = |at: usize| (at, "`rule` is no list of sections: write [[rule]] above each".to_owned());
    let at = rules.span().start;
    let DeValue::Array(rules) = rules.into_inner() else { return Err(not_sections(at)) };
    let section = |rule: Spanned<DeValue<'t>>| match (rule.span(), rule.into_inner()) {
        (span, DeValue::Table(table)) => Ok((table, span)),
        (span, _) => Err(not_sections(span.start)),
    };
    rules.into_iter().map(section).collect()
}

#[cfg(test)]
mod tests;
