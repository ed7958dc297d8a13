//! The edge's dealings with rumqttd's router: it fans messages out to subscribed devices and decides nothing.
//!
//! What its source (0.20.0) demands of us, each a way to end its only thread otherwise:
//! - `Ready` for a link that is already gone panics. So a link's last event is the `Disconnect` of its drop guard, the
//!   router never ends a link by itself (it sees no acknowledgement and no publish of a client), and no link is opened
//!   while another of the same id lives (`sessions`).
//! - A topic whose first character is not ASCII panics, hence [`routable`].
//! - It remembers each link id for ever: ids are device names, of which the device table has few. It remembers each
//!   filter, and each topic that a filter with wildcards matched: filters are those of the device table, and topics are
//!   counted.
//! - A link costs it some 150 kB of queues: devices that never subscribe get none.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{
    self, Disconnect, DisconnectReasonCode, Packet, QoS, RetainForwardRule, Subscribe, Unsubscribe,
};
use rumqttd::{Broker, Config, Notification, RouterConfig};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::filter::matches;
use crate::limits::ROUTER_CONNECTIONS;
use crate::{EdgeError, Filter};

/// Link ids of our own; `@` is in no device's name, so no device can displace them.
const WATCHDOG: &str = "@watch";
const PUBLISHER: &str = "@edge";

/// The router answers a request for a link in microseconds. If it does not answer at all it is dead, and the daemon ends.
const OPEN_WITHIN: Duration = Duration::from_secs(5);

/// Messages the router forwards to one link in one go (rumqttd's own queue length).
const OUTGOING_PACKETS_MAX: u64 = 200;
/// The router keeps 4 segments of 64 KiB for each topic that was ever subscribed to: 50 devices then cost 12.5 MiB at
/// worst. A subscriber that falls further behind loses copies; nothing durable depends on them.
const SEGMENT_BYTES: usize = 64 * 1024;
const SEGMENTS: usize = 4;
/// Topics within sets that are published to: an event topic for each of 2,000 devices, twice over, of 128 bytes each.
const TOPICS_MAX: usize = 4_096;

/// What became of a message for the subscribers of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routed {
    /// No device is subscribed to the topic now; nothing was sent.
    NoSubscriber,
    /// On its way to this many devices.
    To {
        /// Subscribed devices.
        subscribers: usize,
    },
    /// The router's queue is full, or it has seen as many topics as it may; nothing was sent.
    Busy,
}

/// The router and our own links to it.
pub(crate) struct Router {
    broker: Arc<Broker>,
    /// The publisher's link; its receiving half only has to stay alive.
    publisher: Mutex<(LinkTx, LinkRx)>,
    subscribers: Mutex<Subscribers>,
    /// Topics that were published to subscribers of a set: the router remembers each of them for ever.
    topics: Mutex<HashSet<String>>,
    /// Opening a link blocks a thread for a round trip through the router: one at a time.
    opening: tokio::sync::Mutex<()>,
}

/// Subscribed devices by filter. A filter without any is absent.
#[derive(Debug, Default)]
struct Subscribers {
    exact: HashMap<Arc<str>, usize>,
    /// Filters with wildcards: few, one or two for each kind of integration.
    sets: HashMap<Arc<str>, usize>,
}

impl Subscribers {
    fn of_sets(&self, topic: &str) -> usize {
        self.sets.iter().filter(|(set, _)| matches(set, topic)).map(|(_, count)| count).sum()
    }

    fn of(&mut self, filter: &Filter) -> &mut HashMap<Arc<str>, usize> {
        if filter.is_exact() { &mut self.exact } else { &mut self.sets }
    }

    fn note(&mut self, filter: &Filter) {
        *self.of(filter).entry(Arc::clone(filter.text())).or_default() += 1;
    }

    fn forget(&mut self, filter: &Filter) {
        let counts = self.of(filter);
        if let Some(count) = counts.get_mut(filter.text()) {
            *count -= 1;
            if *count == 0 {
                counts.remove(filter.text());
            }
        }
    }
}

/// True for a topic that the router may see: exact, printable ASCII without spaces, not of the server's own `$` tree.
pub(crate) fn routable(topic: &str) -> bool {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'+' && b != b'#';
    !topic.is_empty() && !topic.starts_with('$') && topic.bytes().all(plain)
}

/// Locks; a panic elsewhere cannot leave these maps half-changed, so a poisoned lock is as good as any.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Router {
    /// Starts the router's thread and our two links. The receiver turns true when the router has died.
    pub(crate) fn start() -> Result<(Self, watch::Receiver<bool>), EdgeError> {
        let router = RouterConfig {
            max_connections: ROUTER_CONNECTIONS,
            max_outgoing_packet_count: OUTGOING_PACKETS_MAX,
            max_segment_size: SEGMENT_BYTES,
            max_segment_count: SEGMENTS,
            ..RouterConfig::default()
        };
        let broker = Arc::new(Broker::new(Config { router, ..Config::default() }));
        let watchdog = broker.link(WATCHDOG).map_err(|_| EdgeError::RouterStart)?;
        let publisher = broker.link(PUBLISHER).map_err(|_| EdgeError::RouterStart)?;
        let (died, has_died) = watch::channel(false);
        tokio::spawn(watch_router(watchdog, died));
        let router = Self {
            broker,
            publisher: Mutex::new(publisher),
            subscribers: Mutex::default(),
            topics: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        };
        Ok((router, has_died))
    }

    /// Opens the link of a device. The caller holds the device's place: no other link of this name lives.
    pub(crate) async fn open(self: &Arc<Self>, name: &Arc<str>) -> Option<DeviceLink> {
        let _one_at_a_time = self.opening.lock().await;
        let (broker, id) = (Arc::clone(&self.broker), Arc::clone(name));
        let (done, opened) = oneshot::channel();
        // A thread of its own, which nobody waits for: a router that dies with the request in its queue never answers it.
        let ask = move || drop(done.send(broker.link(&id).ok()));
        thread::Builder::new().name("router-link".into()).spawn(ask).ok()?;
        let (tx, rx) = timeout(OPEN_WITHIN, opened).await.ok()?.ok()??;
        Some(DeviceLink { tx, rx, filters: Vec::new(), router: Arc::clone(self) })
    }

    /// How many devices are subscribed to this topic.
    pub(crate) fn subscribers(&self, topic: &str) -> usize {
        let subscribers = lock(&self.subscribers);
        subscribers.exact.get(topic).copied().unwrap_or(0) + subscribers.of_sets(topic)
    }

    /// True if one more topic of a set may be published to.
    fn has_room_for(&self, topic: &str) -> bool {
        if lock(&self.subscribers).of_sets(topic) == 0 {
            return true;
        }
        let mut topics = lock(&self.topics);
        topics.contains(topic) || (topics.len() < TOPICS_MAX && topics.insert(topic.to_owned()))
    }

    /// Publishes to whoever is subscribed, at QoS 0 and without properties (a property kills an MQTT 3.1.1 session).
    pub(crate) fn publish(&self, topic: &str, payload: Bytes) -> Routed {
        let subscribers = self.subscribers(topic);
        if subscribers == 0 {
            return Routed::NoSubscriber;
        }
        if !self.has_room_for(topic) {
            return Routed::Busy;
        }
        let tx = &mut lock(&self.publisher).0;
        if tx.try_publish(topic.to_owned(), payload).is_ok() {
            return Routed::To { subscribers };
        }
        // The failed call leaves its packet in the link's buffer.
        tx.buffer().pop_back();
        Routed::Busy
    }
}

/// Ends when the router does: only a live link notices its death.
async fn watch_router((_tx, mut rx): (LinkTx, LinkRx), died: watch::Sender<bool>) {
    while let Ok(notification) = rx.next().await {
        if matches!(notification, Some(Notification::Unschedule)) && rx.ready().is_err() {
            break;
        }
    }
    let _ = died.send(true);
}

/// The link of one subscribed device. Dropping it takes it out of the router.
pub(crate) struct DeviceLink {
    tx: LinkTx,
    rx: LinkRx,
    /// Subscribed filters, at most the device's own.
    filters: Vec<Filter>,
    router: Arc<Router>,
}

/// The router is gone.
#[derive(Debug)]
pub(crate) struct LinkLost;

impl DeviceLink {
    /// Subscribes, unless it is done. The router always sends at QoS 0: packet identifiers and redelivery are the
    /// connection's matter.
    pub(crate) fn subscribe(&mut self, filter: &Filter) -> Result<(), LinkLost> {
        if self.filters.contains(filter) {
            return Ok(());
        }
        let wanted = protocol::Filter {
            path: filter.as_str().to_owned(),
            qos: QoS::AtMostOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        send_now(&mut self.tx, Packet::Subscribe(Subscribe { pkid: 0, filters: vec![wanted] }, None))?;
        self.filters.push(filter.clone());
        lock(&self.router.subscribers).note(filter);
        Ok(())
    }

    /// Unsubscribes, if it was subscribed.
    pub(crate) fn unsubscribe(&mut self, filter: &Filter) -> Result<(), LinkLost> {
        let Some(at) = self.filters.iter().position(|known| known == filter) else { return Ok(()) };
        self.filters.swap_remove(at);
        lock(&self.router.subscribers).forget(filter);
        let unsubscribe = Unsubscribe { pkid: 0, filters: vec![filter.as_str().to_owned()] };
        send_now(&mut self.tx, Packet::Unsubscribe(unsubscribe, None))
    }

    /// The next message for the device. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(Arc<str>, Bytes), LinkLost> {
        loop {
            match self.rx.next().await.map_err(|_| LinkLost)? {
                Some(Notification::Unschedule) => self.rx.ready().map_err(|_| LinkLost)?,
                Some(Notification::Forward(forward)) => {
                    let (topic, payload) = (forward.publish.topic, forward.publish.payload);
                    // Only plain topics were published.
                    let Ok(topic) = std::str::from_utf8(&topic) else { continue };
                    if let Some(own) = self.filters.iter().find(|own| own.matches(topic)) {
                        let topic = if own.is_exact() { Arc::clone(own.text()) } else { topic.into() };
                        return Ok((topic, payload));
                    }
                }
                Some(Notification::Disconnect(..)) => return Err(LinkLost),
                // Its answers to our own SUBSCRIBE and UNSUBSCRIBE.
                Some(_) | None => {}
            }
        }
    }
}

impl Drop for DeviceLink {
    fn drop(&mut self) {
        let mut subscribers = lock(&self.router.subscribers);
        self.filters.iter().for_each(|filter| subscribers.forget(filter));
        drop(subscribers);
        let disconnect = Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection };
        // Fails only if the router is dead, and then there is nothing to leave.
        let _ = send_now(&mut self.tx, Packet::Disconnect(disconnect, None));
    }
}

/// Sends one packet to the router. `LinkTx::send` is async in name only: it waits for room in the router's queue by
/// blocking, for microseconds, because the router never waits for anybody. So one poll completes it.
fn send_now(tx: &mut LinkTx, packet: Packet) -> Result<(), LinkLost> {
    match pin!(tx.send(packet)).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(Ok(_)) => Ok(()),
        std::task::Poll::Ready(Err(_)) | std::task::Poll::Pending => Err(LinkLost),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn only_plain_topics_are_routable() {
        for topic in ["d/a/up", "a", "d/a$b/up", "/"] {
            assert!(routable(topic), "{topic}");
        }
        for topic in ["", "é/up", "d/é", "d/+/up", "#", "$SYS/a", "$share/g/a", "a b", "a\0"] {
            assert!(!routable(topic), "{topic}");
        }
    }

    #[tokio::test]
    async fn the_watchdog_notices_the_death_of_the_router() {
        let (router, mut died) = Router::start().unwrap();
        let (mut tx, rx) = router.broker.link("a").unwrap();
        // The trap that drop guards and places avoid: `Ready` for a link that is gone.
        let disconnect = Disconnect { reason_code: DisconnectReasonCode::NormalDisconnection };
        send_now(&mut tx, Packet::Disconnect(disconnect, None)).unwrap();
        assert!(!*died.borrow());
        rx.ready().unwrap();
        timeout(PATIENCE, died.wait_for(|died| *died)).await.unwrap().unwrap();
        assert!(Arc::new(router).open(&"b".into()).await.is_none(), "and no link hangs");
    }

    #[tokio::test]
    async fn a_dropped_link_counts_no_subscriber() {
        let router = Arc::new(Router::start().unwrap().0);
        let [topic, other, set] = ["d/a/down", "d/a/other", "e/+/up"].map(|text| Filter::new(text).unwrap());
        for _ in 0..3 {
            let mut link = router.open(&"a".into()).await.unwrap();
            link.subscribe(&topic).unwrap();
            link.subscribe(&topic).unwrap();
            link.subscribe(&other).unwrap();
            link.subscribe(&set).unwrap();
            link.unsubscribe(&other).unwrap();
            link.unsubscribe(&other).unwrap();
            let counted = ["d/a/down", "d/a/other", "e/1/up", "e/1/down"].map(|topic| router.subscribers(topic));
            assert_eq!(counted, [1, 0, 1, 0]);
            for (to, payload) in [("d/a/down", "1"), ("e/1/up", "2"), ("e/2/up", "3")] {
                assert_eq!(router.publish(to, payload.into()), Routed::To { subscribers: 1 });
                let got = timeout(PATIENCE, link.next()).await.unwrap().unwrap();
                assert_eq!(got, (to.into(), payload.into()));
            }
            drop(link);
            assert_eq!(router.publish("d/a/down", "2".into()), Routed::NoSubscriber);
        }
        assert!(lock(&router.subscribers).exact.is_empty() && lock(&router.subscribers).sets.is_empty());
    }

    #[tokio::test]
    async fn topics_of_a_set_are_bounded() {
        let router = Arc::new(Router::start().unwrap().0);
        let mut link = router.open(&"a".into()).await.unwrap();
        link.subscribe(&Filter::new("e/+").unwrap()).unwrap();
        link.subscribe(&Filter::new("d/a").unwrap()).unwrap();
        let mut topics = (0..TOPICS_MAX).map(|n| format!("e/{n}"));
        assert!(topics.all(|topic| router.has_room_for(&topic)));
        assert_eq!(router.publish("e/one-more", "1".into()), Routed::Busy);
        assert!(router.has_room_for("e/7") && router.has_room_for("d/a"), "those it knows, and exact ones");
    }
}
