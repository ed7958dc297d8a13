//! Whether a request still moves: a connection that nobody answers any more is found long before its time is over.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::clock::mono_ms;

/// So much is handed to the connection at once: on the thinnest link that is served that is two seconds. Bytes.
const PART_BYTES: usize = 4_096;
/// Nothing has to move now: the platform has all and thinks.
const AT_REST: u64 = u64::MAX;
/// No connection has taken a byte.
const NOT_BEGUN: u64 = u64::MAX - 1;

/// When a request must have moved, shared by what carries it.
#[derive(Debug, Clone)]
pub(crate) struct Progress {
    patience: Duration,
    due_ms: Arc<AtomicU64>,
}

impl Progress {
    /// Without a connection, which has a time of its own.
    pub(crate) fn new(patience: Duration) -> Progress {
        Progress { patience, due_ms: Arc::new(AtomicU64::new(NOT_BEGUN)) }
    }

    /// Bytes went or came, and more must follow.
    pub(crate) fn moved(&self) {
        let patience_ms = u64::try_from(self.patience.as_millis()).unwrap_or(AT_REST);
        self.due_ms.store(mono_ms().0.saturating_add(patience_ms), Ordering::Relaxed);
    }

    /// Whether there was a connection for it.
    pub(crate) fn has_begun(&self) -> bool {
        self.due_ms.load(Ordering::Relaxed) != NOT_BEGUN
    }

    fn rests(&self) {
        self.due_ms.store(AT_REST, Ordering::Relaxed);
    }

    /// Ready when something should have moved and did not.
    pub(crate) async fn stalled(&self) {
        loop {
            let wait = match self.due_ms.load(Ordering::Relaxed) {
                AT_REST | NOT_BEGUN => self.patience,
                due_ms => Duration::from_millis(due_ms.saturating_sub(mono_ms().0)),
            };
            if wait.is_zero() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }
}

/// The bytes of a batch in parts, each of which counts as a movement when the connection has room for it.
pub(crate) struct Parts {
    left: Bytes,
    progress: Progress,
}

impl Parts {
    pub(crate) fn new(bytes: Vec<u8>, progress: Progress) -> Parts {
        Parts { left: bytes.into(), progress }
    }
}

impl Body for Parts {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let parts = self.get_mut();
        let part = parts.left.split_to(parts.left.len().min(PART_BYTES));
        if parts.left.is_empty() {
            parts.progress.rests()
        } else {
            parts.progress.moved()
        }
        Poll::Ready((!part.is_empty()).then(|| Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::time::Instant;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);

    async fn part(parts: &mut Parts) -> Option<usize> {
        let frame = poll_fn(|cx| Pin::new(&mut *parts).poll_frame(cx)).await?;
        frame.ok()?.into_data().ok().map(|data| data.len())
    }

    #[tokio::test]
    async fn a_connection_that_takes_no_more_is_found_and_one_that_has_all_is_waited_for() {
        let progress = Progress::new(PATIENCE);
        assert!(!progress.has_begun());
        let mut parts = Parts::new(vec![7; PART_BYTES + 1], progress.clone());
        assert_eq!(parts.size_hint().exact(), Some(4_097));
        assert_eq!(part(&mut parts).await, Some(PART_BYTES));
        assert!(progress.has_begun());
        let began = Instant::now();
        progress.stalled().await;
        assert!(began.elapsed() >= PATIENCE / 2);
        assert_eq!((part(&mut parts).await, part(&mut parts).await), (Some(1), None));
        let stalled = pin!(progress.stalled());
        assert!(tokio::time::timeout(3 * PATIENCE, stalled).await.is_err(), "the platform may think");
    }
}
