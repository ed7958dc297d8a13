//! Waiting for events, each with its deadline, and all within the demo's own.

use std::time::{Duration, Instant};

/// The demo ends within this, whatever happens.
const WHOLE: Duration = Duration::from_secs(90);
/// Of it, for judging, the table and stopping.
const FOR_THE_END: Duration = Duration::from_secs(10);
/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(20);

/// When the demo began.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub(crate) fn start() -> Clock {
        Clock(Instant::now())
    }

    /// How long ago that was.
    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }

    /// Whether the demo has kept its own time.
    pub(crate) fn in_time(self) -> bool {
        self.elapsed() <= WHOLE
    }

    /// Waits until `ready` gives something, at most `patience` and never beyond what the demo has left.
    pub(crate) async fn until<T>(self, patience: Duration, mut ready: impl FnMut() -> Option<T>) -> Option<T> {
        let left = (WHOLE - FOR_THE_END).saturating_sub(self.elapsed());
        let end = Instant::now() + patience.min(left);
        loop {
            if let Some(found) = ready() {
                return Some(found);
            }
            if Instant::now() >= end {
                return None;
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
