//! What became of the frames that each LoRa gateway heard (A3).
//!
//! Of a device the journal tells that, for ever; of a gateway the daemon does, since its start: a frame that two of them
//! heard is one frame of its device, and counts for both.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lorawan::Eui64;
use lorawan::gateways::GATEWAYS_MAX;

use crate::committer::waiting::Judged;
use crate::job::Heard;

/// Frames of one gateway: `received = accepted + duplicate + rejected + shed`, once none is under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GatewayTally {
    pub(crate) received: u64,
    pub(crate) accepted: u64,
    /// Heard before: by this gateway, or by another whose copy had gone on.
    pub(crate) duplicate: u64,
    pub(crate) rejected: u64,
    pub(crate) shed: u64,
}

/// What a frame came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Duplicate,
    Rejected,
    Shed,
}

/// The tallies of all gateways, for the side that hears and the one that judges; a lock that is held for microseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct GatewayTallies(Arc<Mutex<BTreeMap<Eui64, GatewayTally>>>);

impl From<&Judged> for Outcome {
    fn from(judged: &Judged) -> Outcome {
        match judged {
            Judged::Accepted { .. } | Judged::Told { .. } => Outcome::Accepted,
            Judged::Duplicate => Outcome::Duplicate,
            Judged::Rejected { .. } => Outcome::Rejected,
        }
    }
}

impl GatewayTallies {
    /// Counts a frame that a gateway handed in. `is_known` tells which gateways are still in their table: the others
    /// make room.
    pub(crate) fn receive(&self, gateway: Eui64, is_known: impl Fn(Eui64) -> bool) {
        let mut tallies = self.lock();
        if tallies.len() >= GATEWAYS_MAX && !tallies.contains_key(&gateway) {
            tallies.retain(|eui, _| is_known(*eui));
        }
        tallies.entry(gateway).or_default().received += 1;
    }

    /// Counts what a frame came to, for everybody who heard it.
    pub(crate) fn settle(&self, heard: &Heard, outcome: Outcome) {
        for reception in heard.receptions() {
            self.settle_one(reception.gateway, outcome);
        }
    }

    /// The same for one gateway alone.
    pub(crate) fn settle_one(&self, gateway: Eui64, outcome: Outcome) {
        // A gateway that made room meanwhile has no tally any more.
        let mut tallies = self.lock();
        let Some(tally) = tallies.get_mut(&gateway) else { return };
        match outcome {
            Outcome::Accepted => tally.accepted += 1,
            Outcome::Duplicate => tally.duplicate += 1,
            Outcome::Rejected => tally.rejected += 1,
            Outcome::Shed => tally.shed += 1,
        }
    }

    /// Those of one gateway.
    pub(crate) fn of(&self, gateway: Eui64) -> GatewayTally {
        self.lock().get(&gateway).copied().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Eui64, GatewayTally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
