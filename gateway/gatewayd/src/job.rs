//! What travels between the sockets and the committer.

use std::collections::BTreeMap;
use std::sync::Arc;

use lorawan::gateways::SendError;
use lorawan::schedule::Windows;
use lorawan::{Eui64, RxSettings};
use record::SourceId;
use tokio::sync::mpsc;

/// A frame from the air, on its way to the committer: once, by whichever gateways heard it.
pub(crate) use lorawan::Heard;

/// Frames that may wait for the committer, per field side (B1). At 500 frames/s that is two seconds of a stuck disk;
/// beyond it MQTT clients are held back by TCP and radio frames are shed and counted.
pub(crate) const QUEUE_FRAMES_MAX: usize = 1_024;

/// A frame for a device, durable by now where it must be (A1), on its way to a gateway.
#[derive(Debug)]
pub(crate) struct Downlink {
    /// PHYPayload.
    pub(crate) phy: Vec<u8>,
    pub(crate) when: When,
    /// Who is told what became of it; nobody for a plain acknowledgement, which the device asks for again.
    pub(crate) report: Option<Report>,
}

/// When its device listens.
#[derive(Debug)]
pub(crate) enum When {
    /// After this uplink.
    Answer { heard: Heard, windows: Windows },
    /// Always: class C. Through the first of `gateways` that can, best first; through any that is online if empty.
    Immediate { gateways: Vec<Eui64>, settings: RxSettings },
}

/// Where to tell what became of a downlink.
#[derive(Debug)]
pub(crate) struct Report {
    /// The asker's own number for it.
    pub(crate) ticket: u64,
    pub(crate) to: mpsc::Sender<Fate>,
}

/// What became of a downlink that somebody wanted to know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) ticket: u64,
    /// Sent means that a gateway took it; nobody knows whether the device heard it.
    pub(crate) sent: Result<(), SendError>,
}

impl Downlink {
    /// An answer of which nobody needs to know what became.
    pub(crate) fn answer(heard: Heard, windows: Windows, phy: Vec<u8>) -> Downlink {
        Downlink { phy, when: When::Answer { heard, windows }, report: None }
    }
}

impl Report {
    pub(crate) fn tell(self, sent: Result<(), SendError>) {
        let Report { ticket, to } = self;
        // The asker has as much room as it has tickets; one that is gone needs no answer.
        if to.try_send(Fate { ticket, sent }).is_err() {
            log::debug!(ticket; "nobody waits for the fate of this downlink");
        }
    }
}

/// A frame from a serial port, on its way to the committer.
#[derive(Debug)]
pub(crate) struct SerialFrame {
    /// The port's name.
    pub(crate) port: Arc<str>,
    /// The device asks for an acknowledgement.
    pub(crate) confirmed: bool,
    /// The envelope's bytes.
    pub(crate) envelope: Vec<u8>,
    /// Takes the acknowledgement's envelope once the frame is durable (A1).
    pub(crate) acknowledge: mpsc::Sender<Vec<u8>>,
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
