//! `weir config`, as typed.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use versions::VersionId;

use super::shown::Shown;
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
        /// gateway.toml, sync.toml, platform.toml, page.toml, devices.toml, keys.toml, rules.toml or rules.d, or a dossier,
        /// outfall.toml. A file is checked with its drop-ins, and a drop-in with its file.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// The kept versions of gateway.toml, devices.toml, rules.toml and sync.toml: when, by whom and why. That of the rules is
    /// the text of rules.toml and of all files in rules.d behind it, those of gateway.toml and sync.toml have the values of their
    /// drop-ins in their places.
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
    /// What counts of gateway.toml, sync.toml, page.toml and platform.toml with their drop-ins, and from which file and line
    /// each value came; or the text of a kept version.
    ///
    /// Drop-ins are the *.toml in a folder beside a file, as gateway.toml.d: by the order of their names each counts over the file and
    /// those before it, key by key. Tables are merged, and so are entries such as [[destination]] that have one name; any other
    /// value is replaced. Secrets are cut out, but not of a kept version.
    Show {
        /// gateway, sync, page or platform; or a version, as in devices-3.
        #[arg(id = "of", value_name = "WHICH")]
        which: Option<Shown>,
        /// One JSON object instead of text for people.
        #[arg(long)]
        json: bool,
    },
    /// From a kept version to the file as it stands; without one, what is not in force yet of all four files.
    Diff {
        /// As in devices-3.
        #[arg(id = "of", value_name = "VERSION")]
        version: Option<VersionId>,
    },
    /// Put a text in the place of gateway.toml, devices.toml, rules.toml or sync.toml: checked, journaled, written at once or
    /// not at all; the former one is kept. Files in rules.d and drop-ins stay as they are, count over it, and are changed by hand.
    Apply {
        /// The new text, in a file whose name says what it is, as in new-devices.toml.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Why; it is journaled, and every platform reads it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Put a kept version back, as `apply` does. It has what drop-ins said, so their folder is set aside as gateway.toml.d.aside,
    /// and what runs is this version. One of the rules has all of them, so rules.d must be empty for it.
    Rollback {
        /// As in devices-3.
        #[arg(id = "of", value_name = "VERSION")]
        version: VersionId,
        /// Why; it is journaled, and every platform reads it.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}
