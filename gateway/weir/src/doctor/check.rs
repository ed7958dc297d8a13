//! What a check is: a pure question about facts. It answers with what is not well, each with its evidence, or with why it
//! could not be seen.

use serde::Serialize;

use super::facts::{Facts, Unseen};
use crate::lang::Lang;

/// Most findings of one check that are told one by one: two thousand silent devices have one cause.
pub(super) const TROUBLES_MAX: usize = 8;

/// A text with its values, in the language that is asked for.
macro_rules! say {
    ($lang:expr, $en:literal, $zh:literal) => {
        match $lang {
            $crate::lang::Lang::En => format!($en),
            $crate::lang::Lang::Zh => format!($zh),
        }
    };
}
pub(super) use say;

/// One text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) en: &'static str,
    pub(super) zh: &'static str,
}

/// Both languages of one text.
pub(super) const fn words(en: &'static str, zh: &'static str) -> Words {
    Words { en, zh }
}

impl Words {
    /// In this language.
    pub(super) fn told(self, lang: Lang) -> &'static str {
        lang.pick(self.en, self.zh)
    }
}

/// How it is; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Well.
    Ok,
    /// Could not be seen, or there is nothing of the kind here.
    Skipped,
    /// Well, and worth knowing.
    Note,
    /// Not well: it will become worse, or data is not what it should be.
    Warning,
    /// Broken: data is lost, refused or not delivered, or will be soon.
    Fault,
}

impl Verdict {
    /// Whether somebody has to do something.
    pub(super) fn is_well(self) -> bool {
        self < Verdict::Warning
    }
}

/// A check.
#[derive(Debug)]
pub(super) struct Check {
    /// Its stable name, `subject.question`.
    pub(super) id: &'static str,
    /// What it looks at.
    pub(super) title: Words,
    /// What is behind it when it is not well.
    pub(super) cause: Words,
    /// What mends it.
    pub(super) cure: Words,
    /// The command for it; `{}` is what the finding is about.
    pub(super) command: &'static str,
    /// Looks.
    pub(super) look: fn(&Facts, Lang) -> Looked,
}

/// What a look saw.
pub(super) type Looked = Result<Seen, Unseen>;

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    /// The evidence that it is well, if nothing is wrong.
    evidence: String,
    troubles: Vec<Trouble>,
}

/// Something that is not well.
#[derive(Debug)]
pub(super) struct Trouble {
    verdict: Verdict,
    about: String,
    evidence: String,
    /// In the place of the check's.
    command: Option<String>,
}

/// What is printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) verdict: Verdict,
    pub(super) title: &'static str,
    /// The device, platform, file; empty where it is the box.
    pub(super) about: String,
    pub(super) evidence: String,
    pub(super) cause: Option<&'static str>,
    pub(super) cure: Option<&'static str>,
    pub(super) command: Option<String>,
}

impl Seen {
    /// All is well, and why.
    pub(super) fn well(evidence: impl Into<String>) -> Seen {
        Seen { evidence: evidence.into(), troubles: Vec::new() }
    }

    /// What is wrong, else well by this evidence.
    pub(super) fn unless(troubles: impl IntoIterator<Item = Trouble>, evidence: impl Into<String>) -> Seen {
        Seen { evidence: evidence.into(), troubles: troubles.into_iter().collect() }
    }
}

impl Trouble {
    pub(super) fn new(verdict: Verdict, about: impl Into<String>, evidence: impl Into<String>) -> Trouble {
        Trouble { verdict, about: about.into(), evidence: evidence.into(), command: None }
    }

    pub(super) fn note(about: impl Into<String>, evidence: impl Into<String>) -> Trouble {
        Trouble::new(Verdict::Note, about, evidence)
    }

    pub(super) fn warning(about: impl Into<String>, evidence: impl Into<String>) -> Trouble {
        Trouble::new(Verdict::Warning, about, evidence)
    }

    pub(super) fn fault(about: impl Into<String>, evidence: impl Into<String>) -> Trouble {
        Trouble::new(Verdict::Fault, about, evidence)
    }

    /// Another command than the check's.
    pub(super) fn mended_by(self, command: impl Into<String>) -> Trouble {
        Trouble { command: Some(command.into()), ..self }
    }
}

impl Check {
    /// What it finds: one finding where it is well or not seen, else one for each thing that is wrong.
    pub(super) fn findings(&self, facts: &Facts, lang: Lang) -> Vec<Finding> {
        let one = |verdict, evidence| Finding {
            check: self.id,
            verdict,
            title: self.title.told(lang),
            about: String::new(),
            evidence,
            cause: None,
            cure: None,
            command: None,
        };
        let seen = match (self.look)(facts, lang) {
            Ok(seen) => seen,
            Err(unseen) => {
                let command = unseen.command().map(str::to_owned);
                return vec![Finding { command, ..one(Verdict::Skipped, unseen.told(lang)) }];
            }
        };
        if seen.troubles.is_empty() {
            return vec![one(Verdict::Ok, seen.evidence)];
        }
        let untold = seen.troubles.len().saturating_sub(TROUBLES_MAX);
        let told = seen.troubles.into_iter().take(TROUBLES_MAX).map(|trouble| Finding {
            command: Some(trouble.command.unwrap_or_else(|| self.command.replace("{}", &trouble.about))),
            cause: Some(self.cause.told(lang)),
            cure: Some(self.cure.told(lang)),
            about: trouble.about,
            ..one(trouble.verdict, trouble.evidence)
        });
        let mut findings: Vec<Finding> = told.collect();
        if let Some(last) = findings.last_mut().filter(|_| untold > 0) {
            last.evidence.push_str(&say!(lang, " (and {untold} more like this)", "（另有 {untold} 项同类问题）"));
        }
        findings
    }
}
