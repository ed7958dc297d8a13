//! What one sensor has sent, and what of it was acknowledged: the sensor's own word, written as it happens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::message::Readings;

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// What it says.
    pub(crate) readings: Readings,
    /// The bytes that must be in the journal: the MQTT payload or the PHYPayload.
    pub(crate) raw: Vec<u8>,
    /// When it was handed to the socket for the first time.
    pub(crate) sent_at: Instant,
    /// Whether the box has acknowledged it (PUBACK, PUBREC, or a downlink with ACK and a right MIC).
    pub(crate) acknowledged: bool,
}

/// All messages of a sensor; the first has number 1.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) entries: Vec<Entry>,
    /// How often something was sent again.
    pub(crate) repeated: u64,
    /// Times the box said that it cannot take a message.
    pub(crate) refused: u64,
}

/// A log that the sensor writes and the script reads.
#[derive(Debug, Clone, Default)]
pub(crate) struct Logbook(Arc<Mutex<Log>>);

impl Logbook {
    /// The log.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number that the next message has.
    pub(crate) fn next(&self) -> u64 {
        count(self.lock().entries.len()).saturating_add(1)
    }

    /// Notes a message that is sent for the first time.
    pub(crate) fn send(&self, readings: Readings, raw: Vec<u8>) {
        self.lock().entries.push(Entry { readings, raw, sent_at: Instant::now(), acknowledged: false });
    }

    /// Notes an acknowledgement.
    pub(crate) fn acknowledge(&self, n: u64) {
        let Some(place) = usize::try_from(n).ok().and_then(|n| n.checked_sub(1)) else { return };
        if let Some(entry) = self.lock().entries.get_mut(place) {
            entry.acknowledged = true;
        }
    }

    /// Messages sent and messages acknowledged.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let log = self.lock();
        (count(log.entries.len()), count(log.entries.iter().filter(|entry| entry.acknowledged).count()))
    }
}

/// A length as a count.
pub(crate) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
