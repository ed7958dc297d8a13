//! When, where and through which gateway a downlink can leave: a [`Plan`], best way first.
//!
//! A class A device listens twice after the end of its uplink (RX1, and RX2 a second later), and nobody hears an answer
//! at any other time. The commit comes first (A1), so the first window may be gone by then; after the second one the
//! answer is dropped and the device repeats its frame. A class C device listens on RX2's channel all the time.
//!
//! [`Gateways::send`](crate::Gateways::send) takes the first way of a plan that is open, and keeps the rest for the case
//! that the gateway refuses it.

use std::collections::VecDeque;

use crate::dedupe::{CounterRun, Heard, Reception};
use crate::gwmp::{TxTime, Txpk};
use crate::region::{Downlink, Region, RxSettings, Window};
use crate::{Eui64, airtime_us};

/// From the end of a join-request to RX1 (RP002-1.0.4 §3, JOIN_ACCEPT_DELAY1), s. RX2 is one second later.
pub const JOIN_ACCEPT_DELAY1_S: u8 = 5;

/// How long before a window a downlink must leave us, ms: the forwarder needs 42.5, the rest is for the way and for
/// the time the uplink took to reach us.
pub const LEAD_MS: u64 = 100;

/// Until a forwarder radiates what it shall send at once, ms: the way, and its own queue.
const IMMEDIATE_MS: u64 = 10;

/// Which pair of windows an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Windows {
    /// After a data uplink of a device that was told nothing: the plan's own settings.
    Standard,
    /// After a data uplink: what the device was told in its join-accept or since.
    Data(RxSettings),
    /// After a join-request: 5 s and 6 s, at the plan's default settings (RP002-1.0.4 §3).
    Join,
}

/// The ways in which one frame can be sent, best first. Each is tried at most once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// PHYPayload.
    phy: Vec<u8>,
    pub(crate) ways: VecDeque<Way>,
}

/// One way: a gateway, a time, a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Through which gateway.
    pub gateway: Eui64,
    /// In which window; none for a class C device at once.
    pub window: Option<Window>,
    /// Channel, data rate, power.
    pub channel: Downlink,
    /// By the gateway's counter.
    pub time: TxTime,
    /// To which run of that counter the time belongs; none if sent at once.
    pub(crate) run: Option<CounterRun>,
    /// By our monotonic clock, ms.
    pub starts_ms: u64,
    /// Time on air, µs.
    pub airtime_us: u32,
}

/// The ways to answer `heard` with `phy` (a PHYPayload of at most 255 bytes): RX1 through the best gateway, RX1 through
/// the others, then the same in RX2. Empty if the plan or its law allows none: nothing can be sent then.
pub fn answer(heard: &Heard, windows: Windows, region: Region, phy: Vec<u8>) -> Plan {
    let both = [Window::Rx1, Window::Rx2].into_iter();
    let ways = both
        .flat_map(|window| heard.receptions().map(move |reception| (window, reception)))
        .filter_map(|(window, reception)| in_window(reception, window, windows, region, phy.len()))
        .collect();
    Plan { phy, ways }
}

/// The ways to send `phy` to a class C device at once, on RX2's channel of its `settings`: through each of `gateways`,
/// best first. `now_ms` is monotonic.
pub fn immediate(now_ms: u64, gateways: &[Eui64], settings: &RxSettings, region: Region, phy: Vec<u8>) -> Plan {
    let at_once = |gateway: &Eui64| {
        let channel = region.rx2(settings)?;
        Some(Way {
            gateway: *gateway,
            window: None,
            channel,
            time: TxTime::Immediate,
            run: None,
            starts_ms: now_ms.saturating_add(IMMEDIATE_MS),
            airtime_us: allowed_us(region, &channel, phy.len())?,
        })
    };
    let ways = gateways.iter().filter_map(at_once).collect();
    Plan { phy, ways }
}

impl Plan {
    /// The ways that are left, best first.
    pub fn ways(&self) -> impl Iterator<Item = &Way> {
        self.ways.iter()
    }

    /// The frame in one of the ways.
    pub(crate) fn txpk(&self, way: &Way) -> Txpk {
        Txpk {
            time: way.time,
            frequency_hz: way.channel.frequency_hz,
            power_dbm: way.channel.power_dbm,
            data_rate: way.channel.data_rate,
            phy: self.phy.clone(),
        }
    }
}

impl Way {
    /// Whether there is time enough to reach the gateway.
    pub(crate) fn is_open(&self, now_ms: u64) -> bool {
        self.time == TxTime::Immediate || now_ms.saturating_add(LEAD_MS) < self.starts_ms
    }
}

fn in_window(reception: &Reception, window: Window, windows: Windows, region: Region, phy_bytes: usize) -> Option<Way> {
    let (settings, rx1_delay_s) = match windows {
        Windows::Standard => (RxSettings::standard(region), RxSettings::RX1_DELAY_S),
        Windows::Data(settings) => (settings, settings.rx1_delay_s()),
        Windows::Join => (RxSettings::standard(region), JOIN_ACCEPT_DELAY1_S),
    };
    let rxpk = &reception.rxpk;
    let channel = region.downlink(window, rxpk.frequency_hz, rxpk.data_rate, &settings)?;
    let airtime_us = allowed_us(region, &channel, phy_bytes)?;
    let delay_s = u32::from(rx1_delay_s) + if window == Window::Rx2 { 1 } else { 0 };
    Some(Way {
        gateway: reception.gateway,
        window: Some(window),
        channel,
        time: TxTime::Counter { tmst_us: rxpk.tmst_us.wrapping_add(1_000_000 * delay_s) },
        run: Some(reception.run),
        starts_ms: reception.received_ms.saturating_add(1_000 * u64::from(delay_s)),
        airtime_us,
    })
}

/// Time on air; none if there is no such frame, or the law forbids one so long.
fn allowed_us(region: Region, channel: &Downlink, phy_bytes: usize) -> Option<u32> {
    let phy_bytes = u8::try_from(phy_bytes).ok().filter(|bytes| *bytes > 0)?;
    region.allows(channel.data_rate, phy_bytes).then(|| airtime_us(channel.data_rate, phy_bytes, false))
}

#[cfg(test)]
mod tests;
