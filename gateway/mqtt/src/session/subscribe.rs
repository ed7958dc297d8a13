//! The way down: subscriptions, and messages for the device.

use std::sync::Arc;

use bytes::Bytes;
use rumqttd::protocol::{SubscribeReasonCode, UnsubAckReason};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use crate::answer;
use crate::close::Close;
use crate::handshake::Admitted;
use crate::packet::{Level, qos};
use crate::router::{DeviceLink, LinkLost};

/// Messages to one device that may wait for its PUBACK; then the router's queue for it waits, which is bounded too.
const UNACKNOWLEDGED_MAX: usize = 16;

/// Topic, payload, and the QoS granted to the subscription.
pub(super) type Message = (Arc<str>, Bytes, u8);

/// What flows to the device.
pub(super) struct Down {
    /// Opened by the first subscription.
    link: Option<DeviceLink>,
    /// Packet identifiers sent and not acknowledged, fewer than the window.
    unacknowledged: Vec<u16>,
    last_id: u16,
    window: usize,
    /// The client's Maximum Packet Size.
    packet_bytes_max: usize,
}

impl Down {
    pub(super) fn new(client: &Admitted) -> Self {
        Self {
            link: None,
            unacknowledged: Vec::new(),
            last_id: 0,
            window: usize::from(client.receive_max).clamp(1, UNACKNOWLEDGED_MAX),
            packet_bytes_max: client.packet_bytes_max,
        }
    }

    /// True if the client takes packets of this size.
    pub(super) fn fits(&self, packet_bytes: usize) -> bool {
        packet_bytes <= self.packet_bytes_max
    }

    /// The next message; waits for ever without a subscription, or while the window is full. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Message, LinkLost> {
        match &mut self.link {
            Some(link) if self.unacknowledged.len() < self.window => link.next().await,
            _ => std::future::pending().await,
        }
    }

    /// A packet identifier that is not in use. There are more of them than the window is long.
    fn take_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            if !self.unacknowledged.contains(&self.last_id) {
                self.unacknowledged.push(self.last_id);
                return self.last_id;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// SUBSCRIBE: all filters must be the device's own topics; QoS 2 is granted as 1 (§3.8.4).
    pub(super) async fn subscribe(&mut self, id: u16, filters: &[(String, u8)], with_id: bool) -> Result<(), Close> {
        if with_id {
            return Err(Close::SubscriptionId);
        }
        let own = |filter: &str| self.client.device.subscribe.iter().find(|t| ***t == *filter).cloned();
        let wanted: Vec<_> = filters.iter().map(|(filter, asked)| (own(filter), filter, (*asked).min(1))).collect();
        let level = self.client.level;
        let codes = wanted.iter().map(|(own, filter, granted)| match own {
            Some(_) => SubscribeReasonCode::Success(qos(*granted)),
            None => refusal(level, filter),
        });
        answer::suback(&mut self.wire.output, level, id, codes.collect());
        if wanted.iter().any(|(own, ..)| own.is_none()) {
            return Err(Close::Subscribe);
        }
        if self.down.link.is_none() {
            self.down.link = Some(self.shared.router.open(&self.client.device.name).await.ok_or(Close::Router)?);
        }
        for (own, _, granted) in &wanted {
            if let (Some(link), Some(topic)) = (&mut self.down.link, own) {
                link.subscribe(topic, *granted).map_err(|_| Close::Router)?;
            }
        }
        Ok(())
    }

    /// UNSUBSCRIBE: always answered; a filter that was not subscribed has a reason of its own in MQTT 5.
    pub(super) fn unsubscribe(&mut self, id: u16, filters: &[String]) -> Result<(), Close> {
        let mut reasons = Vec::with_capacity(filters.len());
        for filter in filters {
            let was = match &mut self.down.link {
                Some(link) => link.unsubscribe(filter).map_err(|_| Close::Router)?,
                None => false,
            };
            reasons.push(if was { UnsubAckReason::Success } else { UnsubAckReason::NoSubscriptionExisted });
        }
        answer::unsuback(&mut self.wire.output, self.client.level, id, reasons);
        Ok(())
    }

    /// Sends a message to the device at the QoS granted.
    pub(super) fn send_down(&mut self, (topic, payload, granted): &Message) {
        let level = self.client.level;
        let with_id = *granted > 0;
        // The fixed header has at most 5 bytes.
        if !self.down.fits(5 + answer::publish_body_bytes(level, with_id, topic, payload)) {
            self.shared.counters.down_oversize.count();
            return;
        }
        let id = with_id.then(|| self.down.take_id());
        answer::publish(&mut self.wire.output, level, id, topic, payload);
        self.shared.counters.sent_down.count();
    }

    /// PUBACK of the device. One that we did not ask for is a protocol error (§4.13).
    pub(super) fn acknowledged(&mut self, id: u16) -> Result<(), Close> {
        let unacknowledged = &mut self.down.unacknowledged;
        let at = unacknowledged.iter().position(|&sent| sent == id).ok_or(Close::Protocol)?;
        unacknowledged.swap_remove(at);
        self.shared.counters.acked_down.count();
        Ok(())
    }
}

/// Why a filter is not granted. MQTT 3.1.1 knows one code.
fn refusal(level: Level, filter: &str) -> SubscribeReasonCode {
    match level {
        Level::V4 => SubscribeReasonCode::Failure,
        Level::V5 if filter.starts_with("$share/") => SubscribeReasonCode::SharedSubscriptionsNotSupported,
        Level::V5 if filter.contains(['+', '#']) => SubscribeReasonCode::WildcardSubscriptionsNotSupported,
        Level::V5 => SubscribeReasonCode::NotAuthorized,
    }
}
