//! An MQTT sensor.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Orders;
use crate::demo::logbook::Logbook;
use crate::demo::message::Instrument;
use crate::mqtt_wire::{Answer, Level, Memory, Outgoing, Wire};

/// Publishes that may be without their acknowledgement.
const WINDOW: usize = 8;
/// Between two attempts to connect.
const RECONNECT: Duration = Duration::from_millis(100);

/// Who the sensor is and how it speaks.
#[derive(Debug)]
pub(crate) struct MqttSensor {
    /// Its name, which is its user name too.
    pub(crate) name: &'static str,
    /// Its password.
    pub(crate) password: String,
    /// The box.
    pub(crate) to: SocketAddr,
    /// MQTT 3.1.1 or 5.
    pub(crate) level: Level,
    /// 1 or 2.
    pub(crate) qos: u8,
    /// What it measures.
    pub(crate) instrument: Instrument,
    /// Of its wave.
    pub(crate) seed: u64,
    /// Where it notes what it did.
    pub(crate) logbook: Logbook,
    /// What the script wants.
    pub(crate) orders: watch::Receiver<Orders>,
}

/// A message that is not settled, in the order of sending.
#[derive(Debug)]
struct Unsettled {
    n: u64,
    packet_id: u16,
    payload: Vec<u8>,
    /// PUBREC has come: the box has it, and only PUBREL and PUBCOMP are left.
    received: bool,
}

/// A sensor with its memory, which outlives connections.
#[derive(Debug)]
struct Speaker {
    sensor: MqttSensor,
    topic: String,
    unsettled: VecDeque<Unsettled>,
    due: Instant,
}

impl MqttSensor {
    /// Speaks until the orders end.
    pub(crate) async fn run(self) {
        let topic = format!("d/{}/up", self.name);
        let mut speaker = Speaker { sensor: self, topic, unsettled: VecDeque::new(), due: Instant::now() };
        // A connection that ends otherwise than by order is made anew: the box was killed, or it stops.
        while speaker.connection().await.is_err() {
            if speaker.sensor.orders.has_changed().is_err() {
                return;
            }
            sleep(RECONNECT).await;
        }
    }
}

impl Speaker {
    /// One connection: first what is unsettled again, then new messages. `Ok` when the orders have ended.
    async fn connection(&mut self) -> io::Result<()> {
        let MqttSensor { to, level, name, password, .. } = &self.sensor;
        let mut wire = Wire::connect(*to, *level, (name, password), Memory::Session).await?;
        self.repeat(&mut wire)?;
        loop {
            wire.flush().await?;
            let every = self.sensor.orders.borrow_and_update().every;
            let may_speak = every.is_some() && self.unsettled.len() < WINDOW;
            tokio::select! {
                answer = wire.read() => self.take(answer?, &mut wire)?,
                () = sleep_until(self.due), if may_speak => self.speak(&mut wire, every.unwrap_or_default())?,
                changed = self.sensor.orders.changed() => if changed.is_err() {
                    wire.goodbye().await;
                    return Ok(());
                },
            }
        }
    }

    fn repeat(&mut self, wire: &mut Wire) -> io::Result<()> {
        for unsettled in &self.unsettled {
            let Unsettled { packet_id, payload, .. } = unsettled;
            if unsettled.received {
                wire.release(*packet_id)?;
                continue;
            }
            self.sensor.logbook.lock().repeated += 1;
            let (topic, qos) = (self.topic.as_str(), self.sensor.qos);
            wire.publish(&Outgoing { topic, qos, packet_id: *packet_id, dup: true, payload })?;
        }
        Ok(())
    }

    fn speak(&mut self, wire: &mut Wire, every: Duration) -> io::Result<()> {
        let MqttSensor { instrument, seed, logbook, qos, .. } = &self.sensor;
        let water = self.sensor.orders.borrow().water;
        let n = logbook.next();
        let readings = instrument.readings(*seed, n, water);
        let payload = instrument.encode(&readings);
        // Not 0, and not one that is unsettled: the window is far smaller than the numbers there are.
        let packet_id = u16::try_from(n % 65_535).unwrap_or(0) + 1;
        // Noted before it is sent: it may be stored although the connection breaks now.
        logbook.send(readings, payload.clone());
        wire.publish(&Outgoing { topic: &self.topic, qos: *qos, packet_id, dup: false, payload: &payload })?;
        self.unsettled.push_back(Unsettled { n, packet_id, payload, received: false });
        self.due = Instant::now() + every;
        Ok(())
    }

    fn take(&mut self, answer: Answer, wire: &mut Wire) -> io::Result<()> {
        match answer {
            Answer::Acknowledged { packet_id, taken } => self.settle(packet_id, taken),
            Answer::Received { packet_id, taken: false } => self.settle(packet_id, false),
            Answer::Received { packet_id, taken: true } => {
                if let Some(unsettled) = self.unsettled.iter_mut().find(|one| one.packet_id == packet_id) {
                    unsettled.received = true;
                    self.sensor.logbook.acknowledge(unsettled.n);
                }
                wire.release(packet_id)?;
            }
            Answer::Completed { packet_id } => self.unsettled.retain(|one| one.packet_id != packet_id),
            Answer::Gone { code } => {
                return Err(io::Error::other(format!("the box says goodbye with code {code:#04x}")));
            }
            Answer::LetIn | Answer::Other => {}
        }
        Ok(())
    }

    fn settle(&mut self, packet_id: u16, good: bool) {
        let Some(place) = self.unsettled.iter().position(|one| one.packet_id == packet_id) else { return };
        let Some(settled) = self.unsettled.remove(place) else { return };
        match good {
            true => self.sensor.logbook.acknowledge(settled.n),
            false => self.sensor.logbook.lock().refused += 1,
        }
    }
}
