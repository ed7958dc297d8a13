//! What happened, in order: for people its end, for comparing worlds a hash of all of it.

use std::collections::VecDeque;
use std::fmt::{Arguments, Display, Formatter};

/// Lines kept of a world, enough to see what led to a failure.
const LINES_MAX: usize = 120;

/// The story of one world.
#[derive(Debug)]
pub(crate) struct Trace {
    hash: u64,
    lines: VecDeque<String>,
}

impl Trace {
    pub(crate) fn new() -> Trace {
        Trace { hash: 0xcbf2_9ce4_8422_2325, lines: VecDeque::with_capacity(LINES_MAX) }
    }

    /// `at_ms` of the world's time.
    pub(crate) fn tell(&mut self, at_ms: u64, what: Arguments<'_>) {
        let line = format!("{at_ms:>8} {what}");
        for byte in line.bytes() {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Equal for equal stories (FNV-1a, 64 bits).
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }
}

impl Display for Trace {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
