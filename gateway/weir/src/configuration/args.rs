//! `weir config`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use versions::VersionId;

use super::template::Template;

/// The configuration verbs.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Where gateway.toml and sync.toml are.
    #[arg(long, global = true, env = "WEIR_CONFIG_DIR", default_value = "/etc/weir", value_name = "DIR")]
    pub(crate) config_dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

/// `weir config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Whether these files would be accepted; without files, gateway.toml and sync.toml.
    Check {
        /// gateway.toml, sync.toml, platform.toml, page.toml, devices.toml, keys.toml, rules.toml or rules.d, or a dossier, outfall.toml.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// The kept versions of gateway.toml, devices.toml, rules.toml and sync.toml: when, by whom and why. That of the rules is
    /// the text of rules.toml and of all files in rules.d behind it.
    History {
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// A file as it ships, with every key explained: `weir config template sync > sync.toml`.
    Template {
        /// Which.
        #[arg(value_name = "FILE")]
        template: Template,
    },
    /// The text of a kept version.
    Show {
        /// As in devices-3.
        #[arg(id = "of", value_name = "VERSION")]
        version: VersionId,
    },
    /// From a kept version to the file as it stands; without one, what is not in force yet of all four files.
    Diff {
        /// As in devices-3.
        #[arg(id = "of", value_name = "VERSION")]
        version: Option<VersionId>,
    },
    /// Put a text in the place of gateway.toml, devices.toml, rules.toml or sync.toml: checked, journaled, written at once or
    /// not at all; the former one is kept. Files in rules.d stay as they are and are changed by hand.
    Apply {
        /// The new text, in a file whose name says what it is, as in new-devices.toml.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why; it is journaled, and every platform reads it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Put a kept version back, as `apply` does. One of the rules has all of them, so rules.d must be empty for it.
    Rollback {
        /// As in devices-3.
        #[arg(id = "of", value_name = "VERSION")]
        version: VersionId,
        /// Why; it is journaled, and every platform reads it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
