//! What is counted of a gateway. All counters only rise while the gateway is in the table.

use serde::Serialize;

use super::Refusal;
use crate::gwmp::{CrcStatus, PushData, TxError, TxOutcome};
use crate::region::Window;

/// The counters of one gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GatewayCounters {
    /// PUSH_DATA.
    pub push: u64,
    /// PULL_DATA.
    pub pull: u64,
    /// Frames that went on to the MAC layer: CRC right, or not stated.
    pub rx: u64,
    /// Of these, frames whose CRC status was not stated.
    pub crc_absent: u64,
    /// Frames with a wrong CRC.
    pub crc_bad: u64,
    /// Frames without CRC.
    pub crc_none: u64,
    /// `rxpk` objects and whole datagrams that could not be read.
    pub malformed: u64,
    /// Datagrams in its name from another address while it was alive.
    pub address_refused: u64,
    /// Its datagrams beyond its rate.
    pub too_fast: u64,
    /// How often its counter began anew: the forwarder restarted.
    pub restarts: u64,
    /// Downlinks handed to it.
    pub tx_sent: u64,
    /// Of these, for RX1.
    pub tx_rx1: u64,
    /// Of these, for RX2.
    pub tx_rx2: u64,
    /// Of these, for class C devices at once.
    pub tx_immediate: u64,
    /// Downlinks it queued.
    pub tx_queued: u64,
    /// Downlinks it refused, by [`TxError::index`].
    pub tx_refused: [u64; TxError::ALL.len()],
    /// Downlinks of which it never said anything.
    pub tx_timed_out: u64,
    /// Downlinks that were pending when it restarted.
    pub tx_dropped: u64,
    /// TX_ACK for no downlink of ours, or too late.
    pub tx_ack_unmatched: u64,
    /// Ways of a downlink through it that were passed over because it never sent a PULL_DATA. This and the next three
    /// count ways, not downlinks: another gateway or window may have served.
    pub no_path: u64,
    /// The same because 32 downlinks of it had no TX_ACK yet.
    pub queue_full: u64,
    /// The same because it sends another downlink at that time.
    pub on_air: u64,
    /// The same because its time on air in that sub-band is used up.
    pub duty_cycle: u64,
}

impl GatewayCounters {
    pub(super) fn count(&mut self, push: &PushData) {
        self.push += 1;
        self.malformed += push.skipped.len() as u64;
        for rxpk in &push.rxpk {
            match rxpk.crc {
                CrcStatus::Ok => self.rx += 1,
                CrcStatus::Absent => {
                    self.rx += 1;
                    self.crc_absent += 1;
                }
                CrcStatus::Bad => self.crc_bad += 1,
                CrcStatus::None => self.crc_none += 1,
            }
        }
    }

    pub(super) fn count_sent(&mut self, window: Option<Window>) {
        self.tx_sent += 1;
        match window {
            Some(Window::Rx1) => self.tx_rx1 += 1,
            Some(Window::Rx2) => self.tx_rx2 += 1,
            None => self.tx_immediate += 1,
        }
    }

    pub(super) fn count_outcome(&mut self, outcome: TxOutcome) {
        match outcome {
            TxOutcome::Queued | TxOutcome::QueuedAtOtherPower { .. } => self.tx_queued += 1,
            TxOutcome::Refused(error) => self.tx_refused[error.index()] += 1,
        }
    }
}

/// Datagrams that were not listened to, and gateways that were forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RefusedCounters {
    /// From outside the allowed networks.
    pub foreign_network: u64,
    /// Of an EUI that is not in the allow-list.
    pub not_allowed: u64,
    /// In the name of a gateway that is alive elsewhere.
    pub address_changed: u64,
    /// Beyond their gateway's rate.
    pub too_fast: u64,
    /// Of an EUI for which the table had no room.
    pub table_full: u64,
    /// Silent gateways that made room for another, with their counters.
    pub forgotten: u64,
}

impl RefusedCounters {
    pub(super) fn count(&mut self, refusal: &Refusal) {
        *self.of_mut(refusal) += 1;
    }

    /// How many datagrams were refused for the same reason.
    pub fn of(mut self, refusal: &Refusal) -> u64 {
        *self.of_mut(refusal)
    }

    fn of_mut(&mut self, refusal: &Refusal) -> &mut u64 {
        match refusal {
            Refusal::ForeignNetwork { .. } => &mut self.foreign_network,
            Refusal::NotAllowed { .. } => &mut self.not_allowed,
            Refusal::AddressChanged { .. } => &mut self.address_changed,
            Refusal::TooFast { .. } => &mut self.too_fast,
            Refusal::TableFull { .. } => &mut self.table_full,
        }
    }
}
