//! Publishes of the device: in, to the committer, and acknowledged.

use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::OwnedPermit;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, sleep_until};

use super::Session;
use crate::answer::{self, NOT_AUTHORIZED, PAYLOAD_FORMAT_INVALID, PUBACK, PUBREC};
use crate::close::Close;
use crate::packet::{Level, Publish};
use crate::submission::{Settled, Ticket};
use crate::{Outcome, Reply, Submission};

/// Room in the queue, in bytes and frames.
pub(super) type Room = (OwnedSemaphorePermit, OwnedPermit<Submission>);

/// Nobody takes publishes any more.
struct QueueGone;

type Reservation = dyn Future<Output = Result<Room, QueueGone>> + Send;

/// Identifiers of QoS 2 remembered until their PUBREL: as many as a client may have in flight at the largest window.
const UNRELEASED_MAX: usize = 64;

/// A publish that found the queue full, and its place in the line for room. Made only then: the common path allocates
/// nothing.
pub(super) struct Waiting {
    submission: Submission,
    reservation: Pin<Box<Reservation>>,
    /// QoS 0: shed then.
    until: Option<Instant>,
}

/// Waits for room in the queue; none once a QoS 0 publish has waited long enough. Never ends if nothing waits.
pub(super) async fn room(waiting: &mut Option<Waiting>) -> Option<Result<Room, Close>> {
    let Some(waiting) = waiting else { return std::future::pending().await };
    let shed = async {
        match waiting.until {
            Some(until) => sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        room = &mut waiting.reservation => Some(room.map_err(|QueueGone| Close::ShuttingDown)),
        () = shed => None,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// A publish of the device.
    pub(super) fn receive(&mut self, publish: Publish) -> Result<(), Close> {
        let counters = &self.shared.counters;
        counters.received.count();
        self.totals.received.count();
        match publish.qos {
            0 => counters.publishes_qos0.count(),
            1 => counters.publishes_qos1.count(),
            _ => counters.publishes_qos2.count(),
        };
        let refused = match self.client.device.may_publish(&publish.topic, self.shared.limits.topic_bytes_max) {
            _ if publish.retain => Close::Retain,
            _ if publish.topic_alias => Close::TopicAlias,
            None => Close::ForeignTopic,
            Some(topic) => return self.submit(topic, publish),
        };
        counters.refused.count();
        self.totals.refused.count();
        if self.client.level == Level::V5 && publish.qos > 0 {
            self.acknowledge_with(publish.qos, publish.packet_id, NOT_AUTHORIZED, refused.told().map(|(_, why)| why));
        }
        Err(refused)
    }

    fn submit(&mut self, topic: Arc<str>, publish: Publish) -> Result<(), Close> {
        let Publish { qos, packet_id, dup, payload, .. } = publish;
        let copy =
            (self.shared.router.subscribers(&topic) > 0).then(|| Box::new((Arc::clone(&topic), payload.clone())));
        let ticket = Ticket { qos, packet_id, payload_bytes: payload.len(), copy };
        self.unsettled_frames += 1;
        self.unsettled_bytes += payload.len();
        // What was answered with PUBREC and not released is the same message, whether the client says so or not.
        let dup = dup || (qos == 2 && self.exchanges.unreleased.contains(&packet_id));
        let payload_bytes = payload.len();
        let mut submission = Submission {
            device: Arc::clone(&self.client.device.name),
            topic,
            payload,
            qos,
            packet_id: (qos > 0).then_some(packet_id),
            dup,
            will: false,
            level: self.client.level.number(),
            reply: Reply::new(self.settle.clone(), ticket),
        };
        let Some(bytes) = self.shared.try_reserve_bytes(payload_bytes) else {
            self.wait_for_room(submission);
            return Ok(());
        };
        submission.reply.hold(bytes);
        match self.shared.submissions.try_send(submission) {
            Ok(()) => self.count_submitted(),
            Err(TrySendError::Full(submission)) => self.wait_for_room(submission),
            Err(TrySendError::Closed(submission)) => {
                self.shed(submission);
                return Err(Close::ShuttingDown);
            }
        }
        Ok(())
    }

    fn count_submitted(&self) {
        self.shared.counters.submitted.count();
        self.totals.submitted.count();
    }

    fn wait_for_room(&mut self, mut submission: Submission) {
        self.shared.counters.queue_full.count();
        submission.reply.let_go();
        let (sender, bytes) = (self.shared.submissions.clone(), self.shared.reserve_bytes(submission.payload.len()));
        let reservation = async {
            let bytes = bytes.await.map_err(|_| QueueGone)?;
            Ok((bytes, sender.reserve_owned().await.map_err(|_| QueueGone)?))
        };
        self.waiting = Some(Waiting {
            until: (submission.qos == 0).then(|| Instant::now() + self.shared.limits.shed_wait),
            submission,
            reservation: Box::pin(reservation),
        });
    }

    /// There is room for the publish that waited.
    pub(super) fn submit_waiting(&mut self, (bytes, slot): Room) {
        if let Some(mut waiting) = self.waiting.take() {
            waiting.submission.reply.hold(bytes);
            slot.send(waiting.submission);
            self.count_submitted();
        }
    }

    /// Lets the waiting publish go, if there is one. It was not acknowledged.
    pub(super) fn abandon_waiting(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            self.shed(waiting.submission);
        }
    }

    fn shed(&mut self, submission: Submission) {
        self.unsettled_frames -= 1;
        self.unsettled_bytes -= submission.payload.len();
        submission.reply.withdraw();
        self.totals.shed.count();
        let count = self.shared.counters.shed.count();
        if count.is_power_of_two() {
            log::warn!(device:% = submission.device, count; "mqtt publish shed, the committer is behind");
        }
    }

    /// Acknowledges what settled. Ends the session if a publish that must be acknowledged was not stored.
    pub(super) fn settle(&mut self, batch: &mut Vec<Settled>) -> Result<(), Close> {
        for Settled { ticket, outcome } in batch.drain(..) {
            self.unsettled_frames -= 1;
            self.unsettled_bytes -= ticket.payload_bytes;
            match outcome {
                Outcome::Stored => {
                    self.acknowledge(&ticket);
                    if let Some(copy) = ticket.copy {
                        let (topic, payload) = *copy;
                        self.shared.counters.routed(self.shared.router.publish(&topic, payload));
                    }
                }
                Outcome::Duplicate | Outcome::Discarded => self.acknowledge(&ticket),
                Outcome::Refused { reason } if ticket.qos > 0 => {
                    self.shared.counters.acks_refused.count();
                    self.acknowledge_with(ticket.qos, ticket.packet_id, PAYLOAD_FORMAT_INVALID, Some(&reason));
                }
                Outcome::Refused { .. } => {}
                Outcome::Failed => {
                    self.shared.counters.not_stored.count();
                    if ticket.qos > 0 {
                        return Err(Close::NotStored);
                    }
                }
            }
        }
        Ok(())
    }

    fn acknowledge(&mut self, ticket: &Ticket) {
        let (first, counter) = match ticket.qos {
            0 => return,
            1 => (PUBACK, &self.shared.counters.acks_qos1),
            _ => (PUBREC, &self.shared.counters.acks_qos2),
        };
        counter.count();
        if ticket.qos == 2 {
            self.remember_unreleased(ticket.packet_id);
        }
        answer::acknowledge(&mut self.wire.output, first, ticket.packet_id);
    }

    /// Acknowledges with a reason code; MQTT 3.1.1 has none, its acknowledgement only stops the repeats.
    fn acknowledge_with(&mut self, qos: u8, packet_id: u16, code: u8, reason: Option<&str>) {
        let first = if qos == 1 { PUBACK } else { PUBREC };
        let out = &mut self.wire.output;
        match self.client.level {
            Level::V4 => {
                answer::acknowledge(out, first, packet_id);
                if qos == 2 {
                    self.remember_unreleased(packet_id);
                }
            }
            Level::V5 => {
                let reason = reason.filter(|r| self.client.problem_info && self.down.fits(r.len() + 16));
                answer::acknowledge_with(out, first, packet_id, code, reason);
            }
        }
    }

    /// The client sends PUBREL for this next; until then the identifier means this message.
    fn remember_unreleased(&mut self, packet_id: u16) {
        let unreleased = &mut self.exchanges.unreleased;
        if !unreleased.contains(&packet_id) {
            if unreleased.len() == UNRELEASED_MAX {
                unreleased.pop_front();
            }
            unreleased.push_back(packet_id);
        }
    }
}
