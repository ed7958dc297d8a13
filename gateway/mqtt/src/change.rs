//! Sessions to be kept: what the edge hands to the committer before it promises a client to remember.

use std::sync::Arc;

use tokio::sync::oneshot;

/// A session that must be durable before its client is told so.
#[derive(Debug)]
pub struct SessionChange {
    /// Whose session.
    pub device: Arc<str>,
    /// The session from now on, to be given back in [`StoredSession::state`] at the next start; empty: there is none any
    /// more. At most [`SESSION_BYTES_MAX`](crate::SESSION_BYTES_MAX) bytes.
    pub state: Vec<u8>,
    /// Where to tell that it is durable.
    pub reply: SessionReply,
}

/// The way back to the connection that waits. Dropping it means that the session was not stored.
#[derive(Debug)]
pub struct SessionReply(pub(crate) oneshot::Sender<()>);

impl SessionReply {
    /// The change is durable. Never blocks, may be called from any thread.
    pub fn stored(self) {
        // A closed channel is a connection that has ended, or a change for which nobody waits.
        let _ = self.0.send(());
    }
}

/// A session as it was stored before the restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSession {
    /// Whose session.
    pub device: Arc<str>,
    /// The bytes of the last [`SessionChange::state`].
    pub state: Vec<u8>,
}
