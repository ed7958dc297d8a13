//! Reads publishes on the runtime's workers, while the committer's thread waits for the disk.
//!
//! Only what is quick for certain: a publish for a script goes on unread, and by way of the committer to its decoders.

use std::sync::{Arc, Mutex, PoisonError};

use chirpstack::{Event, Template};
use ingest::{Content, DeviceTable, EventFault, SELF_TEST};
use mqtt::{Reply, Submission};
use record::{Link, Reason, SourceId, UnixMs};
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::JoinHandle;

use crate::clock::Clock;

/// Publishes decoded without a pause: few, because the worker serves sockets too.
pub(crate) const DECODE_FRAMES_MAX: usize = 64;

/// A publish on its way to the committer.
#[derive(Debug)]
pub(crate) struct Published {
    /// Who sent it.
    pub(crate) client: SourceId,
    pub(crate) link: Link,
    pub(crate) dup: bool,
    pub(crate) payload: Vec<u8>,
    pub(crate) read: Read,
    pub(crate) reply: Reply,
}

/// What is in a publish.
#[derive(Debug)]
pub(crate) enum Read {
    /// Of a device; none if its codec is a script.
    Frame(Option<Content>),
    /// Of the ChirpStack, about a device of this application.
    Event { application_id: String, event: Result<Event, EventFault> },
    /// Of the client of a self-test.
    Test,
}

impl Published {
    /// Reads a submission that came at `now`. `None` for a name that no device can have; the edge authenticates by the
    /// table, so nobody gets here with one.
    pub(crate) fn read(
        submission: Submission,
        devices: &DeviceTable,
        events: &Template,
        now: UnixMs,
    ) -> Option<Published> {
        let Submission { device, topic, payload, qos, packet_id, dup, level, reply, will: _ } = submission;
        let client = SourceId::new(&device).ok()?;
        let link = Link::Mqtt { topic: topic.to_string(), qos, packet_id, level, seal: None };
        let script = devices.by_name(&client).is_some_and(|device| device.codec.script().is_some());
        let read = match devices.integration(&client) {
            _ if client.as_str() == SELF_TEST => Read::Test,
            Some(_) => read_event(events, &topic, &payload),
            None => Read::Frame((!script).then(|| devices.open(&client, &payload, now))),
        };
        Some(Published { client, link, dup, payload: payload.into(), read, reply })
    }
}

fn read_event(events: &Template, topic: &str, payload: &[u8]) -> Read {
    let Some(topic) = events.read(topic) else {
        let detail = "the topic names no application or no DevEUI of 16 hex digits · try: event_topic in [chirpstack] as \
                      it stands in ChirpStack's configuration";
        let fault = EventFault { why: Reason::Malformed, detail: detail.into() };
        return Read::Event { application_id: String::new(), event: Err(fault) };
    };
    let event = Event::parse(topic, payload).map_err(EventFault::from);
    Read::Event { application_id: topic.application_id.to_owned(), event }
}

/// Reads and passes on, in order, until the edge has gone.
pub(crate) async fn decode(
    mut submitted: Receiver<Submission>,
    published: Sender<Published>,
    devices: Arc<DeviceTable>,
    events: Template,
    clock: Arc<Mutex<Clock>>,
) {
    let mut taken = Vec::with_capacity(DECODE_FRAMES_MAX);
    while submitted.recv_many(&mut taken, DECODE_FRAMES_MAX).await > 0 {
        let now = clock.lock().unwrap_or_else(PoisonError::into_inner).stamp().wall_ms;
        for submission in taken.drain(..) {
            let Some(read) = Published::read(submission, &devices, &events, now) else { continue };
            if published.send(read).await.is_err() {
                return;
            }
        }
    }
}

/// Waits until decoding has panicked; for ever if it ends in order, as it does without an edge. Without it publishes
/// would be taken and never answered, so the daemon must end and be started anew. Cancel safe.
pub(crate) async fn broken(decoding: &mut JoinHandle<()>) {
    if decoding.await.is_ok() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_noticed_and_an_orderly_end_is_none() {
        let mut panicking = tokio::spawn(async { panic!("a codec") });
        broken(&mut panicking).await;
        let mut ending = tokio::spawn(async {});
        let waited = tokio::time::timeout(std::time::Duration::from_secs(60), broken(&mut ending)).await;
        assert!(waited.is_err());
    }
}
