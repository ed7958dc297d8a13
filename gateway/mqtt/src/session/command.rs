//! Commands for the device, and its acknowledgements.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::Session;
use super::subscribe::UNACKNOWLEDGED_MAX;
use crate::answer::{self, Sending};
use crate::close::Close;
use crate::edge::stopped;
use crate::{Command, Event};

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Sends a command, unless it is on its way to the device on this connection already.
    pub(super) async fn send_command(&mut self, command: &Command) -> Result<(), Close> {
        let device = &self.client.device;
        let Some(own) = &device.command else { return Ok(()) };
        let topic = command.topic.as_ref().unwrap_or(own.text());
        let granted = self.state.granted(topic).filter(|_| own.matches(topic));
        // Else it has unsubscribed meanwhile; the command is pending until it listens again.
        let Some(granted) = granted else { return Ok(()) };
        let (name, level, id) = (Arc::clone(&device.name), self.client.level, command.id);
        let qos = command.qos.min(granted);
        // The fixed header has at most 5 bytes.
        if !self.down.fits(5 + answer::publish_body_bytes(level, qos > 0, topic, &command.payload)) {
            self.shared.counters.down_oversize.count();
            return self.tell(Event::Oversize { device: name, id }).await;
        }
        let known = self.exchanges.in_flight.iter().find(|(_, known)| *known == id).map(|(packet_id, _)| *packet_id);
        let sending = match known {
            _ if qos == 0 => Sending::Once,
            Some(packet_id) if self.down.unacknowledged.contains(&packet_id) => return Ok(()),
            Some(packet_id) => {
                self.down.unacknowledged.push(packet_id);
                Sending::Again(packet_id)
            }
            None => {
                let packet_id = self.down.take_id(&self.exchanges.in_flight);
                if self.exchanges.in_flight.len() == IN_FLIGHT_MAX {
                    self.exchanges.in_flight.remove(0);
                }
                self.exchanges.in_flight.push((packet_id, id));
                Sending::First(packet_id)
            }
        };
        answer::publish(&mut self.wire.output, level, sending, topic, &command.payload);
        self.shared.counters.sent_down.count();
        match sending {
            Sending::Once => self.tell(Event::Unconfirmed { device: name, id }).await,
            _ => Ok(()),
        }
    }

    /// PUBACK of the device, perhaps for what an earlier connection sent. One that nobody asked for is a protocol error
    /// (MQTT 5 §4.13).
    pub(super) async fn acknowledged(&mut self, packet_id: u16, code: u8) -> Result<(), Close> {
        let sent = self.down.unacknowledged.iter().position(|&sent| sent == packet_id);
        if let Some(at) = sent {
            self.down.unacknowledged.swap_remove(at);
        }
        let command = self.exchanges.in_flight.iter().position(|(sent, _)| *sent == packet_id);
        let command = command.map(|at| self.exchanges.in_flight.remove(at).1);
        if sent.is_none() && command.is_none() {
            return Err(Close::Protocol);
        }
        self.shared.counters.acked_down.count();
        let Some(id) = command else { return Ok(()) };
        let device = Arc::clone(&self.client.device.name);
        let told = if code < 0x80 { Event::Delivered { device, id } } else { Event::Refused { device, id, code } };
        self.tell(told).await
    }

    /// Tells the owner of the commands. Waits while the channel is full: an event that was let go would be a command
    /// executed twice.
    pub(super) async fn tell(&mut self, event: Event) -> Result<(), Close> {
        tokio::select! {
            biased;
            // Fails if nobody wants to know.
            _ = self.shared.events.send(event) => Ok(()),
            () = stopped(&mut self.stopping) => Err(Close::ShuttingDown),
            _ = &mut self.place.taken_over => Err(Close::TakenOver),
        }
    }
}

/// Commands remembered as sent and not acknowledged: those of this connection, and as many of earlier ones.
const IN_FLIGHT_MAX: usize = 2 * UNACKNOWLEDGED_MAX;
