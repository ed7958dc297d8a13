//! What is counted of a gateway. All counters only rise while the gateway is in the table.

use serde::Serialize;

use crate::gwmp::{CrcStatus, PushData, TxError, TxOutcome};

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
    /// Downlinks handed to it.
    pub tx_sent: u64,
    /// Downlinks it queued.
    pub tx_queued: u64,
    /// Downlinks it refused, by [`TxError::index`].
    pub tx_refused: [u64; TxError::ALL.len()],
    /// Downlinks of which it never said anything.
    pub tx_timed_out: u64,
    /// TX_ACK for no downlink of ours, or too late.
    pub tx_ack_unmatched: u64,
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

    pub(super) fn count_outcome(&mut self, outcome: TxOutcome) {
        match outcome {
            TxOutcome::Queued | TxOutcome::QueuedAtOtherPower { .. } => self.tx_queued += 1,
            TxOutcome::Refused(error) => self.tx_refused[error.index()] += 1,
        }
    }
}

/// What is counted beside the gateways in the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RefusedCounters {
    /// Datagrams of an EUI that is not in the allow-list.
    pub not_allowed: u64,
    /// Datagrams of an EUI for which the table had no room.
    pub table_full: u64,
    /// Silent gateways that made room for another, with their counters.
    pub forgotten: u64,
}
