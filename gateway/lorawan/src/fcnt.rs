//! Which frame counter an uplink really has, and whether it is new.
//!
//! Only the low 16 bits of FCntUp travel; the MIC covers all 32. So the counter is found by trying: the first
//! full value whose MIC verifies is the frame's. There is **no** MAX_FCNT_GAP (removed in LoRaWAN 1.0.4): a device
//! that went on counting through our outage must be heard afterwards.

use crate::{MicContext, SessionKeys, Uplink};

/// How many times 65,536 lost frames are bridged beyond the nearest candidate. Each try costs one CMAC and gives
/// a forger 2⁻³²; eight is a year and a half of frames at one every 90 s.
const EPOCHS_AHEAD_MAX: u32 = 8;

/// How far below the expected counter a replay is still named as such; older ones are [`Judged::BadMic`].
/// Either is refused, so this bounds work, not safety.
const EPOCHS_BEHIND_MAX: u32 = 8;

/// A device that lost its counter starts again at 0 or 1; it may take some frames until one is heard.
const RESET_F_CNT_MAX: u32 = 15;

/// A frame this near below the expected one is a late copy (another gateway, a replaying neighbour), no reset.
const LATE_FRAMES_MAX: u32 = 16;

/// What is remembered of a device, and stored in the same transaction as the record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// The smallest FCntUp that is new; 0 for a device never heard.
    pub next_up: u32,
    /// The last frame that was taken; none for a device never heard.
    pub last: Option<LastUplink>,
}

/// The last frame that was taken from a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUplink {
    /// Its full counter.
    pub f_cnt: u32,
    /// Its PHYPayload, to tell a retransmission from a fork; at most 255 bytes.
    pub phy: Vec<u8>,
}

impl Counters {
    /// What to remember once `uplink` was judged [`Judged::New`] with `f_cnt`.
    ///
    /// At 2³²−1 the session is used up: `next_up` stays there, and `last` refuses every repetition of it.
    pub fn after(uplink: &Uplink, f_cnt: u32) -> Counters {
        let last = LastUplink { f_cnt, phy: uplink.phy().to_vec() };
        Counters { next_up: f_cnt.saturating_add(1), last: Some(last) }
    }
}

/// The verdict on an uplink's authenticity and freshness. Only [`Judged::New`] becomes a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Authentic and new. Store it, then answer.
    New {
        /// The full FCntUp.
        f_cnt: u32,
    },
    /// The last frame again: our answer was not heard, or the device repeats each frame (NbTrans). Do not store it; if confirmed, answer again,
    /// at most 8 times a frame (that budget is the caller's).
    Retransmission {
        /// The full FCntUp.
        f_cnt: u32,
    },
    /// Authentic, but other bytes under the counter of the last frame: two senders hold these keys. Refuse, alarm.
    Forked {
        /// The full FCntUp.
        f_cnt: u32,
    },
    /// Authentic, but older than the last frame. Refuse, count.
    Replayed {
        /// The full FCntUp.
        f_cnt: u32,
    },
    /// Authentic with a counter at the very beginning: the device lost its counter and must be provisioned anew
    /// (or somebody replays the session's first frames: the bytes cannot tell). Refuse, alarm; only a device whose
    /// description says that its counter resets is taken, by the caller, with [`Counters::after`].
    Reset {
        /// The full FCntUp.
        f_cnt: u32,
    },
    /// No counter makes the MIC right: not from this device. Refuse, count; another device may share the DevAddr.
    BadMic,
}

/// Finds the full FCntUp of `uplink` and says what it is to a device with these keys and counters. `context` matters in
/// a 1.1 session only.
///
/// In this order; the first full counter whose MIC verifies decides:
/// 1. the last frame's counter, if the low bits agree: [`Judged::Retransmission`] if the bytes before the MIC are equal,
///    else [`Judged::Forked`];
/// 2. the smallest counter ≥ `next_up` with these low bits, then 65,536 more each, 8 times: [`Judged::New`];
/// 3. the largest counter < `next_up` with these low bits, then 65,536 less each, 8 times, then the bare 16 bits:
///    older than the last frame, so never accepted. It is a [`Judged::Reset`] if it is at most 15 and more than 16
///    below `next_up`, else [`Judged::Replayed`].
pub fn judge(uplink: &Uplink, keys: &SessionKeys, counters: &Counters, context: MicContext) -> Judged {
    let verifies = |f_cnt: &u32| uplink.mic_verifies(keys, *f_cnt, context);
    if let Some(last) = counters.last.as_ref().filter(|last| verifies(&last.f_cnt)) {
        let f_cnt = last.f_cnt;
        return if uplink.repeats(&last.phy) { Judged::Retransmission { f_cnt } } else { Judged::Forked { f_cnt } };
    }
    if let Some(f_cnt) = ahead(counters.next_up, uplink.f_cnt_low()).find(verifies) {
        return Judged::New { f_cnt };
    }
    match behind(counters.next_up, uplink.f_cnt_low()).find(verifies) {
        Some(f_cnt) if f_cnt <= RESET_F_CNT_MAX && counters.next_up - f_cnt > LATE_FRAMES_MAX => {
            Judged::Reset { f_cnt }
        }
        Some(f_cnt) => Judged::Replayed { f_cnt },
        None => Judged::BadMic,
    }
}

/// Counters with these low bits from `next_up` on, in rising order.
fn ahead(next_up: u32, low: u16) -> impl Iterator<Item = u32> {
    let distance = u32::from(low).wrapping_sub(next_up) & 0xffff;
    let first = next_up.checked_add(distance);
    (0..=EPOCHS_AHEAD_MAX).filter_map(move |epoch| first?.checked_add(epoch << 16))
}

/// Counters with these low bits below `next_up`, in falling order, the bare low bits last.
fn behind(next_up: u32, low: u16) -> impl Iterator<Item = u32> {
    let low = u32::from(low);
    let distance = next_up.wrapping_sub(1).wrapping_sub(low) & 0xffff;
    let first = next_up.checked_sub(distance + 1);
    let near = (0..=EPOCHS_BEHIND_MAX).filter_map(move |epoch| first?.checked_sub(epoch << 16));
    near.chain(Some(low).filter(|low| *low < next_up))
}

#[cfg(test)]
mod tests;
