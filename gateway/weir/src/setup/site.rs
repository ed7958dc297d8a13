//! The box as it is: what stands in its files and journal, and what its daemons say.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use batch::BoxId;
use gatewayd::status::Status as GatewayStatus;
use serde::de::DeserializeOwned;
use serde_json::json;
use syncd::status::Status as SyncStatus;
use syncd::{DestinationConfig, SyncConfig};

use super::error::SetupError;
use super::units::{GATEWAY, SYNC, Units};
use crate::enroll::own_name;
use crate::error::CommandError;

/// Longest wait for one answer of a daemon.
const ANSWER: Duration = Duration::from_secs(3);
/// Between two looks whether a daemon is well.
const LOOK: Duration = Duration::from_millis(200);

/// Where everything of the box is.
pub(super) struct Site<'a> {
    pub(super) config_dir: &'a Path,
    pub(super) state_dir: &'a Path,
    pub(super) run_dir: &'a Path,
    pub(super) units: Units,
    /// How long a daemon may take until it is well, and platforms until they give their receipts.
    pub(super) patience: Duration,
}

impl Site<'_> {
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.config_dir.join(name)
    }

    /// Whether a gateway ever ran here.
    pub(super) fn has_journal(&self) -> bool {
        self.state_dir.join("journal/journal.db").exists()
    }

    /// The journal's name, which nothing changes any more.
    pub(super) fn name(&self) -> Result<Option<BoxId>, CommandError> {
        self.has_journal().then(|| own_name(self.state_dir)).transpose()
    }

    /// The platforms of sync.toml that are served.
    pub(super) fn destinations(&self) -> Result<Vec<DestinationConfig>, CommandError> {
        let path = self.file("sync.toml");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let config = SyncConfig::load(&path).map_err(CommandError::SyncConfig)?;
        Ok(config.destinations.into_iter().filter(|destination| destination.enabled).collect())
    }

    /// What the gateway lacks to be well, with these devices in its table; none if it is.
    pub(super) fn gateway_lacks(&self, devices: &[String]) -> Option<String> {
        let status: GatewayStatus = match self.ask("gateway.sock") {
            Ok(status) => status,
            Err(why) => return Some(why),
        };
        if let Some(device) = devices.iter().find(|device| !status.devices.contains_key(*device)) {
            return Some(format!("it does not know device {device} yet"));
        }
        let probed = control::ask_within(&self.run_dir.join("gateway.sock"), &json!({ "do": "probe" }), ANSWER);
        probed.err().map(|error| control::chain(&error))
    }

    /// The same of the upload daemon, with these platforms.
    pub(super) fn upload_lacks(&self, platforms: &[String]) -> Option<String> {
        let status: SyncStatus = match self.ask("sync.sock") {
            Ok(status) => status,
            Err(why) => return Some(why),
        };
        if let Some(wait) = status.waiting_for {
            return Some(wait);
        }
        let lacks = |name: &&String| !status.destinations.iter().any(|known| known.name == **name);
        platforms.iter().find(lacks).map(|name| format!("it does not know platform {name} yet"))
    }

    fn ask<T: DeserializeOwned>(&self, socket: &str) -> Result<T, String> {
        let answer = control::ask_within(&self.run_dir.join(socket), &json!({ "do": "status" }), ANSWER);
        let mut answer = answer.map_err(|error| control::chain(&error))?;
        serde_json::from_value(answer["status"].take()).map_err(|error| error.to_string())
    }

    /// Starts a daemon, anew if it runs and lacks something, and waits until it is well.
    pub(super) fn start(
        &self,
        unit: &'static str,
        lacks: impl Fn() -> Option<String>,
        mut note: impl FnMut(&str) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let (config, verb) = match unit {
            SYNC => (self.file("sync.toml"), "sync"),
            _ => (self.file("gateway.toml"), "gateway"),
        };
        let by_hand = format!("weir {verb} run --config {}", config.display());
        match self.units {
            Units::ByHand => note(&by_hand)?,
            Units::Systemd => {
                self.units.enable(unit)?;
                if lacks().is_some() {
                    self.units.restart(unit)?;
                }
            }
        }
        let begun = Instant::now();
        while let Some(lacks) = lacks() {
            if begun.elapsed() >= self.patience {
                let next = match self.units {
                    Units::ByHand => by_hand,
                    Units::Systemd => format!("systemctl status {unit}, weir doctor"),
                };
                return Err(SetupError::NotHealthy { unit, seconds: self.patience.as_secs(), lacks, next }.into());
            }
            sleep(LOOK);
        }
        Ok(())
    }

    pub(super) fn starts_gateway(&self) -> bool {
        self.units.is_enabled(GATEWAY)
    }

    pub(super) fn starts_upload(&self) -> bool {
        self.units.is_enabled(SYNC)
    }
}
