//! A way between two parties that may be cut, silent, lossy, or slow, and that repeats and overtakes itself.

use crate::seed::Chance;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    Up,
    /// Nothing gets through, and whoever tries is told at once.
    Cut,
    /// Nothing gets through, and nobody is told.
    HalfOpen,
    /// Carries little, and only at the beginning of each while: what is not through by then is lost, and nobody is told.
    Thin {
        bytes_per_s: u64,
        holds_ms: u64,
        every_ms: u64,
    },
    /// Of what is sent some is lost, some comes twice, and some much later.
    Lossy {
        lost_percent: u64,
        doubled_percent: u64,
        late_percent: u64,
    },
}

impl LinkState {
    /// Five seconds a minute at two kilobytes a second.
    pub(crate) const VILLAGE: LinkState = LinkState::Thin { bytes_per_s: 2_000, holds_ms: 5_000, every_ms: 60_000 };
    /// A radio, or a mobile network at its edge.
    pub(crate) const POOR: LinkState = LinkState::Lossy { lost_percent: 25, doubled_percent: 10, late_percent: 15 };
}

/// Milliseconds that a good link takes.
const DELAY_MS: (u64, u64) = (5, 120);
/// Milliseconds that a late message takes: other messages overtake it, and some answers come after their time-out.
const LATE_MS: (u64, u64) = (1_000, 45_000);

/// One way between two parties.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) state: LinkState,
    chance: Chance,
    /// When the newest message arrives: a stream keeps its order.
    newest_ms: u64,
}

impl Link {
    pub(crate) fn new(chance: Chance) -> Link {
        Link { state: LinkState::Up, chance, newest_ms: 0 }
    }

    /// When what is sent `now`, of so many bytes, arrives: never, once, or twice.
    pub(crate) fn datagram(&mut self, now: u64, bytes_len: usize) -> Vec<u64> {
        let arrival = now + self.chance.between(DELAY_MS.0, DELAY_MS.1);
        match self.state {
            LinkState::Up => vec![arrival],
            LinkState::Cut | LinkState::HalfOpen => Vec::new(),
            LinkState::Thin { bytes_per_s, holds_ms, every_ms } => {
                let took_ms = (bytes_len as u64) * 1_000 / bytes_per_s;
                let is_through = now % every_ms + took_ms < holds_ms;
                is_through.then_some(arrival + took_ms).into_iter().collect()
            }
            LinkState::Lossy { lost_percent, doubled_percent, late_percent } => {
                // Drawn in any case, so that the stream of chance does not depend on what they come to.
                let [lost, doubled, late] =
                    [lost_percent, doubled_percent, late_percent].map(|percent| self.chance.percent(percent));
                let late_ms = self.chance.between(LATE_MS.0, LATE_MS.1);
                match (lost, doubled) {
                    (true, _) => Vec::new(),
                    (false, true) => vec![arrival, now + late_ms],
                    (false, false) => vec![if late { now + late_ms } else { arrival }],
                }
            }
        }
    }

    /// When what is written `now` to a connection arrives, if the connection lives until then.
    pub(crate) fn stream(&mut self, now: u64) -> Option<u64> {
        let arrival = now + self.chance.between(DELAY_MS.0, DELAY_MS.1);
        self.newest_ms = self.newest_ms.max(arrival);
        matches!(self.state, LinkState::Up | LinkState::Lossy { .. } | LinkState::Thin { .. }).then_some(self.newest_ms)
    }
}
