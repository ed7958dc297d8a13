//! What ever happened, by variant.

use crate::Transient;

/// Counts since this core was made; they only grow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Batches cut.
    pub cut: u64,
    /// Cuts that the shell could not do.
    pub not_cut: u64,
    /// Batches sent, each try counted.
    pub sent: u64,
    /// Second tries beside the first.
    pub hedged: u64,
    /// Batches acknowledged.
    pub acked: u64,
    /// Batches refused: halved, or of one record and parked.
    pub refused: u64,
    /// Batches halved because the link does not carry them.
    pub divided: u64,
    /// Records parked.
    pub parked: u64,
    failed: [u64; Transient::ALL.len()],
}

impl Counters {
    /// Tries that failed for this cause.
    pub fn failed(&self, why: Transient) -> u64 {
        Transient::ALL.iter().zip(self.failed).find(|(cause, _)| **cause == why).map_or(0, |(_, count)| count)
    }

    pub(crate) fn count_failed(&mut self, why: Transient) {
        for (cause, count) in Transient::ALL.iter().zip(&mut self.failed) {
            *count += u64::from(*cause == why);
        }
    }
}
