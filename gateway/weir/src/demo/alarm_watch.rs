//! When an alarm reached a platform: its database is asked all the time, on a thread of its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use batch::BoxId;
use platform::store::{AlarmLine, Archive};
use record::AlarmState;

use super::error::DemoError;
use super::settings::RULE;

/// How often the database is asked; so much too late can a latency be stated, never too early.
const POLL: Duration = Duration::from_millis(5);
/// Transitions looked at; the demo makes two, and more of them are not well anyway.
const TRANSITIONS_MAX: usize = 100;

/// A transition that a platform has committed.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// When it was found there.
    pub(crate) at: Instant,
    /// What it says.
    pub(crate) line: AlarmLine,
}

/// Watches one platform until dropped.
#[derive(Debug)]
pub(crate) struct AlarmWatch {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Vec<Seen>>>,
    thread: Option<JoinHandle<()>>,
}

impl AlarmWatch {
    /// Begins to ask.
    pub(crate) fn start(database: &Path, box_id: BoxId) -> Result<AlarmWatch, DemoError> {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<Seen>>>::default());
        let (archive, stopped, noted) = (Archive::new(database), stop.clone(), seen.clone());
        let watch = move || {
            // By number, because transitions travel in batches of their own and may overtake each other.
            let mut known = BTreeSet::new();
            while !stopped.load(Ordering::Relaxed) {
                // A database that cannot be read for a moment is asked again; the verdict misses what never came.
                for line in archive.alarms(&box_id, None, TRANSITIONS_MAX).map(|page| page.items).unwrap_or_default() {
                    if known.insert(line.seq) && line.rule == RULE {
                        let seen = Seen { at: Instant::now(), line };
                        noted.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
                    }
                }
                std::thread::sleep(POLL);
            }
        };
        let thread = std::thread::Builder::new().name("alarm-watch".into()).spawn(watch).map_err(DemoError::Thread)?;
        Ok(AlarmWatch { stop, seen, thread: Some(thread) })
    }

    /// What has come so far, in the order of the journal.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        seen.sort_by_key(|seen| seen.line.seq);
        seen
    }

    /// Whether the alarm has come.
    pub(crate) fn is_raised(&self) -> bool {
        self.has(AlarmState::Unacknowledged)
    }

    /// Whether it has come, and its end.
    pub(crate) fn is_over(&self) -> bool {
        self.is_raised() && self.has(AlarmState::ReturnedUnacknowledged)
    }

    fn has(&self, state: AlarmState) -> bool {
        self.seen().iter().any(|seen| seen.line.to == state.as_str())
    }
}

impl Drop for AlarmWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that is not in `seen`.
            let _ = thread.join();
        }
    }
}
