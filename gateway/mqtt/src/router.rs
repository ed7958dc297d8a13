//! The edge's dealings with rumqttd's router: it fans messages out to subscribed devices and decides nothing.
//!
//! What its source (0.20.0) demands of us, each a way to end its only thread otherwise:
//! - `Ready` for a link that is already gone panics. So a link's last event is the `Disconnect` of its drop guard, the
//!   router never ends a link by itself (it sees no acknowledgement and no publish of a client), and no link is opened
//!   while another of the same id lives (`sessions`).
//! - A topic whose first character is not ASCII panics, hence [`routable`].
//! - It remembers each link id for ever: ids are device names, of which the device table has few.
//! - A link costs it some 150 kB of queues: devices that never subscribe get none.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use bytes::Bytes;
use rumqttd::local::{LinkRx, LinkTx};
use rumqttd::protocol::{
    Disconnect, DisconnectReasonCode, Filter, Packet, QoS, RetainForwardRule, Subscribe, Unsubscribe,
};
use rumqttd::{Broker, Config, Notification, RouterConfig};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::EdgeError;
use crate::limits::ROUTER_CONNECTIONS;

/// Link ids of our own; `@` is in no device's name, so no device can displace them.
const WATCHDOG: &str = "@watch";
const PUBLISHER: &str = "@edge";

/// Messages the router forwards to one link in one go (rumqttd's own queue length).
const OUTGOING_PACKETS_MAX: u64 = 200;
/// The router keeps 4 segments of 64 KiB for each topic that was ever subscribed to: 50 devices then cost 12.5 MiB at
/// worst. A subscriber that falls further behind loses copies; nothing durable depends on them.
const SEGMENT_BYTES: usize = 64 * 1024;
const SEGMENTS: usize = 4;

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
    /// The router's queue is full; nothing was sent.
    Busy,
}

/// The router and our own links to it.
pub(crate) struct Router {
    broker: Arc<Broker>,
    /// The publisher's link; its receiving half only has to stay alive.
    publisher: Mutex<(LinkTx, LinkRx)>,
    /// Subscribed devices by topic. A topic without any is absent.
    subscribers: Mutex<HashMap<Arc<str>, usize>>,
    /// Opening a link blocks a thread for a round trip through the router; one at a time needs one thread.
    opening: tokio::sync::Mutex<()>,
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
            opening: tokio::sync::Mutex::default(),
        };
        Ok((router, has_died))
    }

    /// Opens the link of a device. The caller holds the device's place: no other link of this name lives.
    pub(crate) async fn open(self: &Arc<Self>, name: &Arc<str>) -> Option<DeviceLink> {
        let _one_at_a_time = self.opening.lock().await;
        let (broker, id) = (Arc::clone(&self.broker), Arc::clone(name));
        let (tx, rx) = spawn_blocking(move || broker.link(&id).ok()).await.ok()??;
        Some(DeviceLink { tx, rx, topics: Vec::new(), router: Arc::clone(self) })
    }

    /// How many devices are subscribed to this topic.
    pub(crate) fn subscribers(&self, topic: &str) -> usize {
        lock(&self.subscribers).get(topic).copied().unwrap_or(0)
    }

    /// Publishes to whoever is subscribed, at QoS 0 and without properties (a property kills an MQTT 3.1.1 session).
    pub(crate) fn publish(&self, topic: &str, payload: Bytes) -> Routed {
        let subscribers = self.subscribers(topic);
        if subscribers == 0 {
            return Routed::NoSubscriber;
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
    /// Subscribed topics and the QoS granted, at most the device's own topics.
    topics: Vec<(Arc<str>, u8)>,
    router: Arc<Router>,
}

/// The router is gone.
#[derive(Debug)]
pub(crate) struct LinkLost;

impl DeviceLink {
    /// Subscribes, or changes the QoS granted. The router always sends at QoS 0: packet identifiers and redelivery are
    /// the connection's matter.
    pub(crate) fn subscribe(&mut self, topic: &Arc<str>, qos: u8) -> Result<(), LinkLost> {
        if let Some(known) = self.topics.iter_mut().find(|(t, _)| t == topic) {
            known.1 = qos;
            return Ok(());
        }
        let filter = Filter {
            path: topic.to_string(),
            qos: QoS::AtMostOnce,
            nolocal: false,
            preserve_retain: false,
            retain_forward_rule: RetainForwardRule::Never,
        };
        send_now(&mut self.tx, Packet::Subscribe(Subscribe { pkid: 0, filters: vec![filter] }, None))?;
        self.topics.push((Arc::clone(topic), qos));
        *lock(&self.router.subscribers).entry(Arc::clone(topic)).or_default() += 1;
        Ok(())
    }

    /// Unsubscribes; true if it was subscribed.
    pub(crate) fn unsubscribe(&mut self, topic: &str) -> Result<bool, LinkLost> {
        let Some(at) = self.topics.iter().position(|(t, _)| **t == *topic) else { return Ok(false) };
        let (topic, _) = self.topics.swap_remove(at);
        self.forget(&topic);
        let unsubscribe = Unsubscribe { pkid: 0, filters: vec![topic.to_string()] };
        send_now(&mut self.tx, Packet::Unsubscribe(unsubscribe, None))?;
        Ok(true)
    }

    /// The next message for the device, with the QoS granted to it. Cancel safe.
    pub(crate) async fn next(&mut self) -> Result<(Arc<str>, Bytes, u8), LinkLost> {
        loop {
            match self.rx.next().await.map_err(|_| LinkLost)? {
                Some(Notification::Unschedule) => self.rx.ready().map_err(|_| LinkLost)?,
                Some(Notification::Forward(forward)) => {
                    let (topic, payload) = (forward.publish.topic, forward.publish.payload);
                    if let Some((name, qos)) = self.topics.iter().find(|(t, _)| *t.as_bytes() == *topic) {
                        return Ok((Arc::clone(name), payload, *qos));
                    }
                }
                Some(Notification::Disconnect(..)) => return Err(LinkLost),
                // Its answers to our own SUBSCRIBE and UNSUBSCRIBE.
                Some(_) | None => {}
            }
        }
    }

    fn forget(&self, topic: &Arc<str>) {
        let mut subscribers = lock(&self.router.subscribers);
        if let Some(n) = subscribers.get_mut(topic) {
            *n -= 1;
            if *n == 0 {
                subscribers.remove(topic);
            }
        }
    }
}

impl Drop for DeviceLink {
    fn drop(&mut self) {
        for (topic, _) in &self.topics {
            self.forget(topic);
        }
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
    use std::time::Duration;

    use tokio::time::timeout;

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
        let (topic, other): (Arc<str>, Arc<str>) = ("d/a/down".into(), "d/a/other".into());
        for _ in 0..3 {
            let mut link = router.open(&"a".into()).await.unwrap();
            link.subscribe(&topic, 0).unwrap();
            link.subscribe(&topic, 1).unwrap();
            link.subscribe(&other, 0).unwrap();
            assert!(link.unsubscribe(&other).unwrap());
            assert!(!link.unsubscribe(&other).unwrap());
            assert_eq!((router.subscribers(&topic), router.subscribers(&other)), (1, 0));
            assert_eq!(router.publish(&topic, "1".into()), Routed::To { subscribers: 1 });
            let (to, payload, qos) = timeout(PATIENCE, link.next()).await.unwrap().unwrap();
            assert_eq!((to, &payload[..], qos), (Arc::clone(&topic), &b"1"[..], 1));
            drop(link);
            assert_eq!(router.publish(&topic, "2".into()), Routed::NoSubscriber);
        }
        assert!(lock(&router.subscribers).is_empty());
    }
}
