//! What travels between the sockets and the committer.

use std::collections::BTreeMap;

use lorawan::Eui64;
use lorawan::gwmp::Rxpk;
use record::{MonoMs, SourceId};

/// Frames that may wait for the committer, per field side (B1). At 500 frames/s that is two seconds of a stuck disk;
/// beyond it MQTT clients are held back by TCP and radio frames are shed and counted.
pub(crate) const QUEUE_FRAMES_MAX: usize = 1_024;

/// A frame from the air, on its way to the committer.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) gateway: Eui64,
    pub(crate) rxpk: Rxpk,
    pub(crate) received_at: MonoMs,
}

/// What to send back for a frame that is durable now.
#[derive(Debug)]
pub(crate) struct Confirmation {
    /// The uplink it answers, for its windows.
    pub(crate) heard: Heard,
    /// PHYPayload.
    pub(crate) phy: Vec<u8>,
}

/// What the sockets had to let go since the last transaction, by device; bounded by the device table.
pub(crate) type Lost = BTreeMap<Option<SourceId>, LostCounts>;

/// Frames that came to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LostCounts {
    /// A queue was full, or the transaction could not be stored.
    pub(crate) shed: u64,
    /// Refused by the edge: a topic of another device, a retained message.
    pub(crate) rejected: u64,
}

impl LostCounts {
    pub(crate) fn add(&mut self, more: LostCounts) {
        self.shed += more.shed;
        self.rejected += more.rejected;
    }

    /// What was added since `before`.
    pub(crate) fn since(self, before: LostCounts) -> LostCounts {
        let LostCounts { shed, rejected } = before;
        LostCounts { shed: self.shed.saturating_sub(shed), rejected: self.rejected.saturating_sub(rejected) }
    }
}
