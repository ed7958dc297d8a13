//! Commands for MQTT devices: kept in the journal, sent while the device listens, done with when it has acknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use mqtt::{Command, CommandId, Edge, Event, Handed};
use record::SourceId;
use tokio::sync::{mpsc, oneshot};

use crate::order::{Order, Ordered};

/// Commands on their way from the committer to the edge; one more waits in the journal for the next start.
pub(crate) const COMMANDS_MAX: usize = 1_024;

/// MQTT's quality of service of a command: once at least.
const QOS: u8 = 1;

/// A command that is durable and not yet acknowledged by its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EdgeCommand {
    /// The MQTT client that gets it: the device, or the ChirpStack that serves it.
    pub(crate) client: SourceId,
    /// The device's topic there; none: the client's only one.
    pub(crate) topic: Option<String>,
    pub(crate) id: u64,
    pub(crate) payload: Vec<u8>,
}

/// What waits for each client, oldest first; bounded by the journal's own bound for a device.
type Waiting = BTreeMap<Arc<str>, BTreeMap<u64, Pending>>;

struct Pending {
    topic: Option<Arc<str>>,
    payload: Bytes,
    /// Given to the connection that listens now. Its acknowledgement may be on its way to us already, so it is not given
    /// again before the device listens anew.
    handed: bool,
}

/// Sends commands and reports what has become of them, until the committer or the edge has gone.
pub(crate) async fn deliver(
    edge: Weak<Edge>,
    stored: Vec<EdgeCommand>,
    mut queued: mpsc::Receiver<EdgeCommand>,
    mut events: mpsc::Receiver<Event>,
    orders: mpsc::Sender<Ordered>,
) {
    let mut waiting = Waiting::new();
    stored.into_iter().for_each(|command| drop(note(&mut waiting, command)));
    loop {
        let (device, news) = tokio::select! {
            command = queued.recv() => match command {
                Some(command) => (note(&mut waiting, command), News::Queued),
                None => return,
            },
            event = events.recv() => match event {
                Some(event) => news(event),
                None => return,
            },
        };
        match news {
            News::Queued => {}
            News::Listens => {
                waiting.get_mut(&device).into_iter().flatten().for_each(|(_, pending)| pending.handed = false)
            }
            News::Ended(id) => {
                forget(&mut waiting, &device, id);
                done(&orders, id).await;
            }
        }
        let Some(edge) = edge.upgrade() else { return };
        for id in hand_over(&edge, &device, &mut waiting) {
            forget(&mut waiting, &device, id);
            done(&orders, id).await;
        }
    }
}

fn note(waiting: &mut Waiting, command: EdgeCommand) -> Arc<str> {
    let EdgeCommand { client, topic, id, payload } = command;
    let client: Arc<str> = client.as_str().into();
    let pending = Pending { topic: topic.map(Into::into), payload: payload.into(), handed: false };
    waiting.entry(client.clone()).or_default().insert(id, pending);
    client
}

fn forget(waiting: &mut Waiting, device: &Arc<str>, id: u64) {
    if let Some(commands) = waiting.get_mut(device) {
        commands.remove(&id);
        if commands.is_empty() {
            waiting.remove(device);
        }
    }
}

/// What is new of a device.
enum News {
    /// A command for it.
    Queued,
    /// It has subscribed, or come back to its session.
    Listens,
    /// It has this command, or never will.
    Ended(u64),
}

fn news(event: Event) -> (Arc<str>, News) {
    match event {
        Event::Listening { device } => (device, News::Listens),
        Event::Delivered { device, id } | Event::Unconfirmed { device, id } => (device, News::Ended(id.0)),
        Event::Refused { device, id, code } => {
            log::warn!(device = &*device, command = id.0, code; "the device refused a command");
            (device, News::Ended(id.0))
        }
        Event::Oversize { device, id } => {
            log::warn!(device = &*device, command = id.0; "a command is larger than the device takes and is given up");
            (device, News::Ended(id.0))
        }
    }
}

/// Hands over what waits for a device, oldest first; returns what never can be sent.
fn hand_over(edge: &Edge, device: &Arc<str>, waiting: &mut Waiting) -> Vec<u64> {
    let mut never = Vec::new();
    let commands = waiting.get_mut(device).into_iter().flatten();
    for (id, pending) in commands.filter(|(_, pending)| !pending.handed) {
        let (topic, payload) = (pending.topic.clone(), pending.payload.clone());
        match edge.send(device, Command { id: CommandId(*id), topic, payload, qos: QOS }) {
            Handed::Over => pending.handed = true,
            Handed::TooLong => never.push(*id),
            // The next event of the device brings us here again.
            Handed::NotListening | Handed::Busy => break,
        }
    }
    never
}

/// Has the journal forget a command. If it cannot, the device gets the command again after the next start.
async fn done(orders: &mpsc::Sender<Ordered>, id: u64) {
    let (answer, _) = oneshot::channel();
    // A closed queue is a daemon that stops.
    let _ = orders.send(Ordered { order: Order::CommandDone { id }, answer }).await;
}
