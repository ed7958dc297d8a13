//! What a gateway's status reports say about its radio and its way to us.

use std::fmt;

use crate::gwmp::Stat;

/// Weight of the newest report in what is usual: about an hour of reports, one every 30 s.
const USUAL_WEIGHT: f64 = 1.0 / 128.0;
/// Weight of the newest report in what is recent: about two minutes.
const RECENT_WEIGHT: f64 = 1.0 / 4.0;
/// Frames that a share must rest on, or it says nothing.
const FRAMES_MIN: f64 = 20.0;
/// A share of right CRCs below this part of the usual one is a fall.
const FALL: f64 = 0.5;
/// PUSH_ACKs of ours that should reach the gateway, percent.
const ACKR_MIN: f64 = 90.0;

/// What a technician should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// It hears frames and forwards none: its forwarder is configured to drop them (`forward_crc_*`).
    CrcConfiguration,
    /// Far fewer of the frames it hears are whole than usual: interference, or the antenna.
    ReceptionFalling {
        /// Right CRCs of all frames lately, percent.
        recent_percent: u8,
        /// The same over the last hour, percent.
        usual_percent: u8,
    },
    /// Our PUSH_ACKs do not reach it: the way back is lossy, or a firewall drops them.
    AcknowledgementsLost {
        /// `ackr` of its last report, percent.
        percent: u8,
    },
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::CrcConfiguration => {
                f.write_str("hears frames but forwards none: check forward_crc_valid in its global_conf.json")
            }
            Hint::ReceptionFalling { recent_percent, usual_percent } => write!(
                f,
                "only {recent_percent} % of the frames it hears are whole, usually {usual_percent} %: check the antenna, \
                 look for interference"
            ),
            Hint::AcknowledgementsLost { percent } => {
                write!(f, "only {percent} % of our answers reach it: check the network between it and this box")
            }
        }
    }
}

/// A weighted share of right CRCs.
#[derive(Debug, Clone, Copy, Default)]
struct Share {
    ok: f64,
    all: f64,
}

/// What is remembered of the reports.
#[derive(Debug, Default)]
pub(super) struct Health {
    recent: Share,
    usual: Share,
    last: Option<Stat>,
}

impl Health {
    pub(super) fn report(&mut self, stat: Stat) {
        if let (Some(ok), Some(all)) = (stat.rxok, stat.rxnb) {
            self.recent.add(ok, all, RECENT_WEIGHT);
            self.usual.add(ok, all, USUAL_WEIGHT);
        }
        self.last = Some(stat);
    }

    pub(super) fn last(&self) -> Option<&Stat> {
        self.last.as_ref()
    }

    /// What the reports up to now point at, most certain first.
    pub(super) fn hints(&self) -> Vec<Hint> {
        let Some(last) = &self.last else { return Vec::new() };
        let drops_all = last.rxok.is_some_and(|ok| ok > 0) && last.rxfw == Some(0);
        let fallen = match (self.recent.value(RECENT_WEIGHT), self.usual.value(USUAL_WEIGHT)) {
            (Some(recent), Some(usual)) if recent < usual * FALL => Some(Hint::ReceptionFalling {
                recent_percent: percent(recent * 100.0),
                usual_percent: percent(usual * 100.0),
            }),
            _ => None,
        };
        // A forwarder that sent nothing to be acknowledged writes 0.
        let unheard = last.ackr.filter(|ackr| *ackr > 0.0 && *ackr < ACKR_MIN);
        let unheard = unheard.map(|ackr| Hint::AcknowledgementsLost { percent: percent(ackr) });
        drops_all.then_some(Hint::CrcConfiguration).into_iter().chain(fallen).chain(unheard).collect()
    }
}

impl Share {
    fn add(&mut self, ok: u32, all: u32, weight: f64) {
        self.ok = self.ok * (1.0 - weight) + f64::from(ok.min(all));
        self.all = self.all * (1.0 - weight) + f64::from(all);
    }

    /// None while it rests on too few frames; the sums tend to `1 / weight` reports' worth.
    fn value(self, weight: f64) -> Option<f64> {
        let enough = FRAMES_MIN * (RECENT_WEIGHT / weight).min(4.0);
        (self.all >= enough).then(|| self.ok / self.all)
    }
}

/// Clamped, because it comes from outside.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=100; NaN becomes 0")]
fn percent(value: f64) -> u8 {
    value.clamp(0.0, 100.0).round() as u8
}
