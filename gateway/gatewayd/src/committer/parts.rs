//! What a committer is started with.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use batch::{BoxId, SigningKey};
use ingest::{DeviceTable, Network};
use journal::TableSize;
use record::merkle::Hash;
use rules::{Aggregation, RuleSet};
use tokio::sync::{Notify, mpsc};

use super::uplink_events::UplinkEvent;
use crate::board::Board;
use crate::clock::Ask;
use crate::commands::EdgeCommand;
use crate::config::{CheckpointEvery, Chirpstack, CodePattern, Commands, Commit, Evidence, Relay, RulesPlace};
use crate::job::{Downlink, Lost};
use crate::ledger::Setup;
use crate::platform_files::Origin;
use crate::relays::Relays;
use crate::self_test::SelfTest;
use crate::tallies::GatewayTallies;

/// What the committer is made of.
pub(crate) struct Parts {
    pub(crate) box_id: BoxId,
    pub(crate) key: SigningKey,
    /// Where it is, and the statements about keys beside it.
    pub(crate) key_path: PathBuf,
    pub(crate) journal_path: PathBuf,
    pub(crate) outbox_path: PathBuf,
    pub(crate) devices: Arc<DeviceTable>,
    pub(crate) network: Network,
    /// Those of rules.toml.
    pub(crate) rules: RuleSet,
    /// Of the text of rules.toml.
    pub(crate) rules_hash: Hash,
    /// Where they are, to be read again.
    pub(crate) rules_place: RulesPlace,
    /// Where the texts are kept by which the daemon works.
    pub(crate) versions_path: PathBuf,
    /// What platforms may order.
    pub(crate) commands_allowed: Commands,
    /// What the configuration was made of.
    pub(crate) origin: Origin,
    /// Told once other configuration files are to be in force, for which the daemon has to start anew.
    pub(crate) anew: Arc<Notify>,
    pub(crate) commit: Commit,
    pub(crate) checkpoint: CheckpointEvery,
    pub(crate) evidence: Evidence,
    /// Which aggregates are made of readings.
    pub(crate) aggregation: Aggregation,
    /// How the codes of outfalls are formed.
    pub(crate) code_patterns: Vec<CodePattern>,
    pub(crate) tables: TableSize,
    /// What the journal may have of the disk; pins get a part of it.
    pub(crate) journal_bytes_max: u64,
    pub(crate) boot_id: String,
    pub(crate) board: Arc<Mutex<Board>>,
    pub(crate) lost: Arc<Mutex<Lost>>,
    pub(crate) tallies: GatewayTallies,
    /// Whom the edge lets in for a self-test; none where there is no edge.
    pub(crate) self_test: Option<Arc<SelfTest>>,
    /// The disk is full, and the keeper has given up its reserve.
    pub(crate) scarce: Arc<AtomicBool>,
    pub(crate) downlinks: mpsc::Sender<Downlink>,
    pub(crate) commands: mpsc::Sender<EdgeCommand>,
    pub(crate) chirpstack: Chirpstack,
    pub(crate) events: mpsc::Sender<UplinkEvent>,
    /// The way to the lines of samplers and signals.
    pub(crate) relays: Relays,
    /// What is behind them.
    pub(crate) relays_configured: Vec<Relay>,
    /// Who says whether the clock is good.
    pub(crate) ask_clock: Ask,
}

impl Parts {
    /// With these rules in force.
    pub(super) fn setup(&self, rules: RuleSet) -> Setup {
        Setup {
            devices: self.devices.clone(),
            network: self.network,
            rules,
            aggregation: self.aggregation.clone(),
            evidence_bytes_per_hour_max: self.evidence.bytes_per_hour_max,
        }
    }
}
