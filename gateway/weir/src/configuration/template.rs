//! `weir config template`: the annotated files that ship, out of the program itself, for a box where nobody has them at hand.

use std::io::Write;

use clap::ValueEnum;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::output;

/// A file that ships. Each explains its keys in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// The field daemon.
    Gateway,
    /// The device table.
    Devices,
    /// The devices' secrets.
    Keys,
    /// What raises alarms.
    Rules,
    /// Tests of rules.
    RulesTest,
    /// The upload daemon.
    Sync,
    /// Who is told of alarms.
    Notify,
    /// The dossier of an outfall.
    Outfall,
    /// Answers for `weir setup`, one file for many boxes.
    Setup,
    /// The read-only page.
    Page,
    /// How long a new version of the package may take to prove itself.
    Upgrade,
    /// The reference platform.
    Platform,
}

impl Template {
    pub(super) fn text(self) -> &'static str {
        match self {
            Template::Gateway => include_str!("../../../../config/gateway.toml"),
            Template::Devices => include_str!("../../../../config/devices.toml"),
            Template::Keys => include_str!("../../../../config/keys.toml"),
            Template::Rules => include_str!("../../../../config/rules.toml"),
            Template::RulesTest => include_str!("../../../../config/rules.test.toml"),
            Template::Sync => include_str!("../../../../config/sync.toml"),
            Template::Notify => include_str!("../../../../config/notify.toml"),
            Template::Outfall => include_str!("../../../../config/outfall.toml"),
            Template::Setup => include_str!("../../../../config/setup.toml"),
            Template::Page => include_str!("../../../../config/page.toml"),
            Template::Upgrade => include_str!("../../../../config/upgrade.toml"),
            Template::Platform => include_str!("../../../../config/platform.toml"),
        }
    }
}

/// Prints one.
pub(super) fn print(template: Template) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    write!(out, "{}", template.text()).and_then(|()| out.flush()).map_err(CommandError::output)?;
    Ok(Exit::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_in_both_languages_what_its_keys_are() {
        for template in Template::value_variants() {
            let comments: Vec<&str> = template.text().lines().filter(|line| line.starts_with('#')).collect();
            let is_chinese = |line: &&&str| line.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter));
            let chinese = comments.iter().filter(is_chinese).count();
            assert!(chinese > 0 && chinese < comments.len(), "{template:?}: {chinese} of {}", comments.len());
            assert!(toml::from_str::<toml::Table>(template.text()).is_ok(), "{template:?}");
        }
    }
}
