//! Waiting for what another process does, with an end.

use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, at most `seconds`; then fails with `what` was awaited.
pub fn until<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within {seconds} s");
        sleep(LOOK_EVERY);
    }
}
