//! `[commands]`: what platforms may order of this box.

use batch::PlatformId;
use serde::Deserialize;

/// What is obeyed, and of whom. A command is also signed by the key that the journal believes of its platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Commands {
    /// Any platform may have its own data sent once more.
    pub resend: bool,
    /// Platforms that may set how often a device measures.
    pub sampling: Vec<PlatformId>,
    /// Platforms that may put other rules in force, on trial.
    pub rules: Vec<PlatformId>,
    /// Platforms that may put another `gateway.toml` and `devices.toml` in force, on trial.
    pub configuration: Vec<PlatformId>,
    /// Platforms that may have a sample retained.
    pub retained_sample: Vec<PlatformId>,
    /// How long rules and files of a platform have to prove themselves, 10 to 86,400 s: until then the platform's receipt
    /// must show that the box delivers under them.
    pub trial_s: u64,
}

impl Default for Commands {
    fn default() -> Commands {
        Commands {
            resend: true,
            sampling: Vec::new(),
            rules: Vec::new(),
            configuration: Vec::new(),
            retained_sample: Vec::new(),
            trial_s: 900,
        }
    }
}
