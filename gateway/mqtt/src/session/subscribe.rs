//! The way down: subscriptions, and messages for the device.

use std::sync::Arc;

use bytes::Bytes;
use rumqttd::protocol::{SubscribeReasonCode, UnsubAckReason};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use crate::answer::{self, Sending};
use crate::close::Close;
use crate::command::CommandId;
use crate::handshake::Admitted;
use crate::packet::{Level, qos};
use crate::router::{DeviceLink, LinkLost};
use crate::session_state::SessionState;
use crate::{Event, Filter};

/// Messages to one device that may wait for its PUBACK; then the router's queue for it waits, which is bounded too.
pub(super) const UNACKNOWLEDGED_MAX: usize = 16;

/// Topic and payload.
pub(super) type Message = (Arc<str>, Bytes);

/// What flows to the device.
pub(super) struct Down {
    /// Opened by the first subscription.
    link: Option<DeviceLink>,
    /// Packet identifiers sent and not acknowledged, fewer than the window.
    pub(super) unacknowledged: Vec<u16>,
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

    /// True if the client takes another message at QoS 1.
    pub(super) fn has_room(&self) -> bool {
        self.unacknowledged.len() < self.window
    }

    /// The next message; waits for ever without a subscription, or while the window is full. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Message, LinkLost> {
        match &mut self.link {
            Some(link) if self.unacknowledged.len() < self.window => link.next().await,
            _ => std::future::pending().await,
        }
    }

    /// A packet identifier that is not in use; `reserved` are those of earlier connections. There are more of them than
    /// both together.
    pub(super) fn take_id(&mut self, reserved: &[(u16, CommandId)]) -> u16 {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let is_reserved = reserved.iter().any(|(id, _)| *id == self.last_id);
            if !is_reserved && !self.unacknowledged.contains(&self.last_id) {
                self.unacknowledged.push(self.last_id);
                return self.last_id;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// SUBSCRIBE: all filters must be of the device's own topics; QoS 2 is granted as 1 (§3.8.4).
    pub(super) async fn subscribe(&mut self, id: u16, filters: &[(String, u8)], with_id: bool) -> Result<(), Close> {
        if with_id {
            return Err(Close::SubscriptionId);
        }
        let level = self.client.level;
        let before = self.state.clone();
        let (topic_bytes_max, device) = (self.shared.limits.topic_bytes_max, &self.client.device);
        let own = |filter: &str| filter.len() <= topic_bytes_max && device.may_subscribe(filter);
        let codes = filters.iter().map(|(filter, asked)| match own(filter) {
            false => refusal(level, filter),
            true if self.state.subscribe(filter, (*asked).min(1)) => SubscribeReasonCode::Success(qos((*asked).min(1))),
            true => too_many(level),
        });
        let codes: Vec<_> = codes.collect();
        if codes.iter().any(|code| !matches!(code, SubscribeReasonCode::Success(_))) {
            self.state = before;
            answer::suback(&mut self.wire.output, level, id, codes);
            return Err(Close::Subscribe);
        }
        self.keep(&before).await?;
        answer::suback(&mut self.wire.output, level, id, codes);
        self.route_subscriptions().await?;
        self.listen(before.subscriptions != self.state.subscriptions).await
    }

    /// Goes on with the subscriptions of an earlier connection.
    pub(super) async fn resume(&mut self) -> Result<(), Close> {
        self.route_subscriptions().await?;
        self.listen(true).await
    }

    /// Makes changed subscriptions of a kept session durable, before the client is told.
    async fn keep(&mut self, before: &SessionState) -> Result<(), Close> {
        if self.state == *before || self.state.expiry_s == 0 {
            return Ok(());
        }
        let name = &self.client.device.name;
        let stored = tokio::select! {
            biased;
            stored = self.shared.kept.store(name, self.state.encode()) => stored,
            _ = &mut self.place.taken_over => return Err(Close::TakenOver),
        };
        if stored.is_err() {
            self.shared.counters.sessions_not_stored.count();
            return Err(Close::NotStored);
        }
        self.shared.kept.note(name, &self.state);
        Ok(())
    }

    /// Tells the router of the device's topics of which some are subscribed to. Commands do not come through it.
    ///
    /// It is told of the device's own filters, not of those that the client made up, because it never forgets one; which
    /// messages of them the client asked for is looked up for each.
    async fn route_subscriptions(&mut self) -> Result<(), Close> {
        let device = &self.client.device;
        let asked = |own: &Filter| self.state.subscriptions.iter().any(|(filter, _)| own.grants(filter));
        let (wanted, unwanted): (Vec<&Filter>, Vec<&Filter>) = device.subscribe.iter().partition(|own| asked(own));
        if !wanted.is_empty() && self.down.link.is_none() {
            self.down.link = Some(self.shared.router.open(&device.name).await.ok_or(Close::Router)?);
        }
        if let Some(link) = &mut self.down.link {
            wanted.into_iter().try_for_each(|own| link.subscribe(own)).map_err(|_| Close::Router)?;
            unwanted.into_iter().try_for_each(|own| link.unsubscribe(own)).map_err(|_| Close::Router)?;
        }
        Ok(())
    }

    /// Takes commands if the device listens for them; `news`: and says so.
    async fn listen(&mut self, news: bool) -> Result<(), Close> {
        let command = self.client.device.command.as_ref();
        let listens = command.is_some_and(|own| self.state.subscriptions.iter().any(|(filter, _)| own.grants(filter)));
        self.place.listen(listens);
        if listens && news {
            self.tell(Event::Listening { device: Arc::clone(&self.client.device.name) }).await?;
        }
        Ok(())
    }

    /// UNSUBSCRIBE: always answered; a filter that was not subscribed has a reason of its own in MQTT 5.
    pub(super) async fn unsubscribe(&mut self, id: u16, filters: &[String]) -> Result<(), Close> {
        let before = self.state.clone();
        let mut reasons = Vec::with_capacity(filters.len());
        for filter in filters {
            let was = self.state.unsubscribe(filter);
            reasons.push(if was { UnsubAckReason::Success } else { UnsubAckReason::NoSubscriptionExisted });
        }
        self.keep(&before).await?;
        self.route_subscriptions().await?;
        answer::unsuback(&mut self.wire.output, self.client.level, id, reasons);
        self.listen(false).await
    }

    /// Sends a message to the device at the QoS granted, if it asked for it.
    pub(super) fn send_down(&mut self, (topic, payload): &Message) {
        let Some(granted) = self.state.granted(topic) else { return };
        let level = self.client.level;
        let with_id = granted > 0;
        // The fixed header has at most 5 bytes.
        if !self.down.fits(5 + answer::publish_body_bytes(level, with_id, topic, payload)) {
            self.shared.counters.down_oversize.count();
            return;
        }
        let sending = match with_id {
            true => Sending::First(self.down.take_id(&self.exchanges.in_flight)),
            false => Sending::Once,
        };
        answer::publish(&mut self.wire.output, level, sending, topic, payload);
        self.shared.counters.sent_down.count();
    }
}

/// A session has room for so many filters.
fn too_many(level: Level) -> SubscribeReasonCode {
    match level {
        Level::V4 => SubscribeReasonCode::Failure,
        Level::V5 => SubscribeReasonCode::QuotaExceeded,
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
