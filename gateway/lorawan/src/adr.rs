//! Adaptive data rate: the fastest data rate, then the lowest power, at which a device is still well heard.
//!
//! Semtech's recommended algorithm (as The Things Network and ChirpStack use it): the best SNR of the last 20 uplinks,
//! less what the data rate needs, less a margin, in steps of 3 dB. It never lowers a data rate: a device that is not
//! heard any more does so itself (ADRACKReq).

use minicbor::{Decode, Encode};

use crate::mac::demodulation_floor_ddb;
use crate::{DataRate, Region};

/// Uplinks that are looked back on.
pub const ADR_UPLINKS: usize = 20;

/// What must remain above the demodulation floor, tenths of a dB: for the fading that 20 uplinks do not show.
const MARGIN_DDB: i16 = 100;

/// What one step, a data rate up or 2 dB of power down, costs, tenths of a dB.
const STEP_DDB: i16 = 30;

/// Fastest data rate with 125 kHz, in both plans: SF7.
const DR_MAX: u8 = 5;

/// The lowest power, in steps of 2 dB below the maximum, in both plans (RP002-1.0.4 §2.4.4, §2.11.4).
const TX_POWER_MAX: u8 = 7;

/// SNR of the last uplinks, tenths of a dB.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct AdrHistory(#[n(0)] Vec<i16>);

/// Data rate and power of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdrRate {
    /// Data rate.
    pub dr: u8,
    /// Power, in steps of 2 dB below the maximum.
    pub tx_power: u8,
}

impl AdrHistory {
    /// Adds the SNR of an uplink, the best of all gateways.
    pub fn push(&mut self, snr_ddb: i16) {
        if self.0.len() >= ADR_UPLINKS {
            self.0.drain(..=self.0.len() - ADR_UPLINKS);
        }
        self.0.push(snr_ddb);
    }

    /// Forgets: the device sends in another way from now on.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What to ask of a device that sends with `now`; none if that is right, or if too few uplinks were heard. A data
    /// rate below the plan's lowest lawful one is raised at once.
    pub fn better(&self, region: Region, now: AdrRate) -> Option<AdrRate> {
        let dr_min = match region {
            Region::Eu868 => 0,
            // At DR0 (SF12) not even an empty frame fits the one second that a transmission may last.
            Region::Cn470 => 1,
        };
        if now.dr < dr_min {
            return Some(AdrRate { dr: dr_min, tx_power: 0 });
        }
        let best = *self.0.iter().max().filter(|_| self.0.len() >= ADR_UPLINKS)?;
        let floor = demodulation_floor_ddb(DataRate::Lora(region.data_rate(now.dr)?))?;
        let mut steps = best.saturating_sub(floor).saturating_sub(MARGIN_DDB).div_euclid(STEP_DDB);
        let mut rate = now;
        while steps > 0 && rate.dr < DR_MAX {
            rate.dr += 1;
            steps -= 1;
        }
        while steps > 0 && rate.tx_power < TX_POWER_MAX {
            rate.tx_power += 1;
            steps -= 1;
        }
        while steps < 0 && rate.tx_power > 0 {
            rate.tx_power -= 1;
            steps += 1;
        }
        (rate != now).then_some(rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(region: Region, snr_db: i16, now: (u8, u8), expected: Option<(u8, u8)>) {
        let mut history = AdrHistory::default();
        for uplink in 0..ADR_UPLINKS {
            let enough = history.better(region, AdrRate { dr: 3, tx_power: 0 });
            assert_eq!(enough, None, "after {uplink}");
            history.push(if uplink == 7 { snr_db * 10 } else { snr_db * 10 - 60 });
        }
        let better = history.better(region, AdrRate { dr: now.0, tx_power: now.1 });
        assert_eq!(better.map(|rate| (rate.dr, rate.tx_power)), expected, "{snr_db} dB at {now:?}");
    }

    /// By hand: SF12 needs −20 dB, SF7 −7.5 dB; 10 dB of margin; 3 dB a step.
    #[test]
    fn data_rate_first_then_power() {
        check(Region::Eu868, -10, (0, 0), None);
        check(Region::Eu868, -7, (0, 0), Some((1, 0)));
        check(Region::Eu868, 5, (0, 0), Some((5, 0)));
        check(Region::Eu868, 9, (0, 0), Some((5, 1)));
        check(Region::Eu868, 9, (5, 0), Some((5, 2)));
        check(Region::Eu868, 60, (5, 0), Some((5, 7)));
        check(Region::Eu868, 60, (5, 7), None);
        check(Region::Cn470, 60, (2, 0), Some((5, 7)));
    }

    #[test]
    fn power_comes_back_but_no_data_rate_goes() {
        check(Region::Eu868, 1, (5, 3), Some((5, 2)));
        check(Region::Eu868, -5, (5, 3), Some((5, 0)));
        check(Region::Eu868, -20, (5, 0), None);
    }

    #[test]
    fn what_the_law_forbids_is_left_at_once() {
        let rate = AdrHistory::default().better(Region::Cn470, AdrRate { dr: 0, tx_power: 3 });
        assert_eq!(rate, Some(AdrRate { dr: 1, tx_power: 0 }));
    }

    #[test]
    fn only_the_last_uplinks_count() {
        let mut history = AdrHistory::default();
        history.push(200);
        (0..ADR_UPLINKS).for_each(|_| history.push(-200));
        assert_eq!(history.0.len(), ADR_UPLINKS);
        assert_eq!(history.better(Region::Eu868, AdrRate { dr: 0, tx_power: 0 }), None);
        history.clear();
        assert_eq!(history, AdrHistory::default());
    }
}
