//! The two languages of what people read.

use std::error::Error;

use clap::ValueEnum;

use crate::translation;

/// English or Chinese.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// English.
    En,
    /// 中文。
    Zh,
}

impl Lang {
    /// As asked for, else as `LC_ALL`, `LC_MESSAGES` or `LANG` say, else English.
    pub(crate) fn choose(asked: Option<Lang>) -> Lang {
        let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| {
            let value = std::env::var(name).ok()?;
            (!value.is_empty()).then_some(value)
        });
        asked.unwrap_or(match locale {
            Some(locale) if locale.starts_with("zh") => Lang::Zh,
            _ => Lang::En,
        })
    }

    /// What an error, a daemon or the system said in English, for people.
    pub(crate) fn told(self, english: &str) -> String {
        match self {
            Lang::En => english.to_owned(),
            Lang::Zh => translation::chinese(english).into_owned(),
        }
    }

    /// An error and all its causes in one line, for people.
    pub(crate) fn chain(self, error: &dyn Error) -> String {
        let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
        causes.map(|cause| self.told(&cause.to_string())).collect::<Vec<_>>().join(self.pick(": ", "："))
    }

    /// One of two texts.
    pub(crate) fn pick<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Lang::En => english,
            Lang::Zh => chinese,
        }
    }
}
