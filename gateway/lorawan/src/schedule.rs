//! When an answer leaves: in the first receive window that can still be met.
//!
//! A class A device listens 1 s (RX1) and 2 s (RX2) after the end of its uplink, and nobody hears an answer at any
//! other time. The commit comes first (A1), so the first window may be gone by then; after the second one the answer
//! is dropped and the device repeats its frame.

use crate::gwmp::{Rxpk, TxError, Txpk};
use crate::region::{Region, Window};

/// From the end of the uplink to RX1 (RP002-1.0.4, RECEIVE_DELAY1), s. RX2 is one second later.
const RX1_DELAY_S: u32 = 1;

/// How long before a window a downlink must leave us, ms: the forwarder needs 42.5, the rest is for the way and for
/// the time the uplink took to reach us.
const LEAD_MS: u64 = 100;

/// A downlink that is ready to be sent, and what to try if the gateway cannot take it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The window in which the device hears it.
    pub window: Window,
    /// What to send.
    pub txpk: Txpk,
    /// The same frame for RX2, while this is for RX1.
    rx2: Option<Slot>,
}

/// A frame for one window.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    window: Window,
    txpk: Txpk,
    /// Monotonic ms at which the window opens.
    opens_ms: u64,
}

/// Schedules `phy` as the answer to `uplink`, which arrived at `received_at_ms`; both times are of the same monotonic
/// clock, in ms. None if no window can be met any more, or the plan's airtime limit forbids both: send nothing then.
///
/// `phy` is at most 255 bytes; a longer one is never sent.
pub fn answer(uplink: &Rxpk, received_at_ms: u64, now_ms: u64, region: Region, phy: &[u8]) -> Option<Answer> {
    let slot = |window| slot(uplink, received_at_ms, region, phy, window).filter(|slot| slot.is_open(now_ms));
    let rx2 = slot(Window::Rx2);
    match slot(Window::Rx1) {
        Some(rx1) => Some(Answer { window: rx1.window, txpk: rx1.txpk, rx2 }),
        None => rx2.map(|rx2| Answer { window: rx2.window, txpk: rx2.txpk, rx2: None }),
    }
}

impl Answer {
    /// What to send after the gateway refused this with `error`: the same frame in RX2, once, if it was for RX1, the
    /// time was the matter, and RX2 can still be met.
    pub fn retry(self, error: TxError, now_ms: u64) -> Option<Answer> {
        use TxError::{CollisionBeacon, CollisionPacket, TooEarly, TooLate};
        if !matches!(error, TooLate | TooEarly | CollisionPacket | CollisionBeacon) {
            return None;
        }
        let rx2 = self.rx2.filter(|rx2| rx2.is_open(now_ms))?;
        Some(Answer { window: rx2.window, txpk: rx2.txpk, rx2: None })
    }
}

impl Slot {
    fn is_open(&self, now_ms: u64) -> bool {
        now_ms.saturating_add(LEAD_MS) < self.opens_ms
    }
}

fn slot(uplink: &Rxpk, received_at_ms: u64, region: Region, phy: &[u8], window: Window) -> Option<Slot> {
    let downlink = region.downlink(window, uplink.frequency_hz, uplink.data_rate)?;
    if !region.allows(downlink.data_rate, u8::try_from(phy.len()).ok()?) {
        return None;
    }
    let delay_s = match window {
        Window::Rx1 => RX1_DELAY_S,
        Window::Rx2 => RX1_DELAY_S + 1,
    };
    let txpk = Txpk {
        tmst_us: uplink.tmst_us.wrapping_add(1_000_000 * delay_s),
        frequency_hz: downlink.frequency_hz,
        power_dbm: downlink.power_dbm,
        data_rate: downlink.data_rate,
        phy: phy.to_vec(),
    };
    Some(Slot { window, txpk, opens_ms: received_at_ms.saturating_add(1000 * u64::from(delay_s)) })
}

#[cfg(test)]
mod tests;
