//! What the edge hands to the committer, and how the committer answers.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedSender;

/// One publish of an authenticated device to one of its own topics, not acknowledged yet.
#[derive(Debug)]
pub struct Submission {
    /// The device that sent it.
    pub device: Arc<str>,
    /// One of the device's own topics.
    pub topic: Arc<str>,
    /// The exact bytes of the application message.
    pub payload: Bytes,
    /// Quality of service of the publish: 0, 1 or 2.
    pub qos: u8,
    /// Packet identifier; none at QoS 0.
    pub packet_id: Option<u16>,
    /// The client may have sent this before: it says so by DUP, or has not released this packet identifier of QoS 2.
    pub dup: bool,
    /// It is the device's will: its connection ended without a goodbye. It has no packet identifier at any QoS, and
    /// nobody waits for the reply.
    pub will: bool,
    /// Protocol level of the connection: 4 is MQTT 3.1.1, 5 is MQTT 5.
    pub level: u8,
    /// Where the outcome goes.
    pub reply: Reply,
}

/// What became of a [`Submission`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its transaction is durable: it is acknowledged.
    Stored,
    /// It was durable before: it is acknowledged again.
    Duplicate,
    /// Stored as evidence, never to be accepted: MQTT 5 is told 0x99 with this reason, MQTT 3.1.1 is acknowledged
    /// (it has no other way to make a device stop sending it).
    Refused {
        /// One sentence for the device's maker.
        reason: String,
    },
    /// Never to be accepted, and counted for ever: acknowledged as if it was stored. For a client that only passes on
    /// what others sent: it cannot mend that, and would take a refusal for a fault of the connection.
    Discarded,
    /// Not stored, nothing is acknowledged: at QoS 1 and 2 the connection is closed (MQTT 5: DISCONNECT 0x97) and the
    /// device sends it again. A PUBACK with 0x97 would end the exchange: clients then forget the publish.
    Failed,
}

/// The way back to the connection that sent a [`Submission`]. Dropping it means [`Outcome::Failed`].
///
/// At most [`Limits::window_frames_max`](crate::Limits::window_frames_max) of one connection exist at a time, which
/// bounds its channel.
#[derive(Debug)]
pub struct Reply {
    back: Option<Pending>,
    /// Its share of [`Limits::queue_bytes_max`](crate::Limits::queue_bytes_max), given back with the outcome: by then
    /// the payload has been used, however long its connection takes to notice.
    room: Option<OwnedSemaphorePermit>,
}

/// A reply that was not given yet.
#[derive(Debug)]
struct Pending {
    to: UnboundedSender<Settled>,
    ticket: Ticket,
}

/// What the connection must know again when a publish settles.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) qos: u8,
    pub(crate) packet_id: u16,
    pub(crate) payload_bytes: usize,
    /// The publish itself, if somebody subscribed to its topic.
    pub(crate) copy: Option<Box<(Arc<str>, Bytes)>>,
}

/// A settled publish on its way back.
#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) ticket: Ticket,
    pub(crate) outcome: Outcome,
}

impl Reply {
    pub(crate) fn new(to: UnboundedSender<Settled>, ticket: Ticket) -> Self {
        Self { back: Some(Pending { to, ticket }), room: None }
    }

    /// For a publish of which nobody wants to know what became.
    pub(crate) fn to_nobody(room: OwnedSemaphorePermit) -> Self {
        Self { back: None, room: Some(room) }
    }

    /// Holds the room of the publish until it is settled.
    pub(crate) fn hold(&mut self, room: OwnedSemaphorePermit) {
        self.room = Some(room);
    }

    /// Gives the room back while the publish waits in the line for the queue.
    pub(crate) fn let_go(&mut self) {
        self.room = None;
    }

    /// Tells the connection. Never blocks, may be called from any thread; a connection that has ended meanwhile does
    /// not matter: its device sends the publish again.
    pub fn settle(mut self, outcome: Outcome) {
        self.send(outcome);
    }

    /// Takes the reply back from a publish that was never submitted.
    pub(crate) fn withdraw(mut self) {
        self.back = None;
    }

    fn send(&mut self, outcome: Outcome) {
        self.room = None;
        if let Some(Pending { to, ticket }) = self.back.take() {
            // A closed channel is a connection that has ended; see `settle`.
            let _ = to.send(Settled { ticket, outcome });
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.send(Outcome::Failed);
    }
}
