//! Frames on their way to devices, and the word of gateways about them.

use lorawan::gateways::{Acknowledged, NotSent, SendError};
use lorawan::gwmp::TxAck;
use lorawan::schedule;

use super::LoraSide;
use crate::clock::mono_ms;
use crate::job::{Downlink, Report, When};

impl LoraSide {
    pub(super) async fn transmit(&self, downlink: Downlink) {
        let now_ms = mono_ms().0;
        let Downlink { phy, when, report } = downlink;
        let plan = match when {
            When::Answer { heard, windows } => schedule::answer(&heard, windows, self.region, phy),
            When::Immediate { gateways, settings } => {
                let gateways = if gateways.is_empty() { self.lock().gateways.reachable(now_ms) } else { gateways };
                schedule::immediate(now_ms, &gateways, &settings, self.region, phy)
            }
        };
        let sent = self.lock().gateways.send(now_ms, plan, report);
        match sent {
            Ok(outgoing) => self.send(&outgoing.datagram, outgoing.to).await,
            Err(not_sent) => tell(not_sent),
        }
    }

    pub(super) async fn tx_ack(&self, ack: &TxAck, now_ms: u64) {
        let acknowledged = self.lock().gateways.acknowledged(now_ms, ack);
        match acknowledged {
            Acknowledged::Queued { value: Some(report), .. } => report.tell(Ok(())),
            Acknowledged::Queued { value: None, .. } | Acknowledged::Unmatched => {}
            Acknowledged::Again(outgoing) => self.send(&outgoing.datagram, outgoing.to).await,
            Acknowledged::NotSent(not_sent) => tell(not_sent),
        }
    }

    /// Tells of downlinks of which their gateway never will.
    pub(super) fn expire(&self) {
        let expired = self.lock().gateways.expire(mono_ms().0);
        expired.into_iter().for_each(tell);
    }
}

fn tell(not_sent: NotSent<Option<Report>>) {
    let NotSent { value, why } = not_sent;
    match why {
        // As often as the disk is slow or the radio busy; the gateway's counters tell how often.
        SendError::TooLate | SendError::OnAir { .. } => log::debug!(error:% = why; "downlink is not sent"),
        _ => log::warn!(error:% = why; "downlink is not sent"),
    }
    if let Some(report) = value {
        report.tell(Err(why));
    }
}
