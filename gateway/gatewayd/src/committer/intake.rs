//! The queues of the committer, and what was taken out of them for the next transaction.

use std::time::Duration;

use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, timeout, timeout_at};

use super::decoders::Decoded;
use crate::decoding::Published;
use crate::job::{Heard, SerialFrame};
use crate::order::Ordered;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gathering {
    /// From now on until then frames of MQTT wait for company. What comes by radio or serial, was decoded or ordered ends the
    /// wait: a receive window is closing, or somebody sits at a keyboard.
    pub(crate) linger: Duration,
    /// With so many frames that wait is over as well.
    pub(crate) enough: usize,
    /// Most frames of one transaction.
    pub(crate) rows_max: usize,
    /// How long to wait for the first frame.
    pub(crate) idle: Duration,
    /// Frames are with the decoders: the end is not before they are back.
    pub(crate) decoding: bool,
}

/// Frames on their way to judgement.
#[derive(Debug)]
pub(crate) struct Intake {
    mqtt: Queue<Published>,
    lora: Queue<Heard>,
    serial: Queue<SerialFrame>,
    orders: Queue<Ordered>,
    decoded: Queue<Decoded>,
    /// The last group, and whether it waited for company as long as it might.
    gathered: (usize, bool),
}

/// What was gathered, to be drained.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    pub(crate) published: &'a mut Vec<Published>,
    pub(crate) heard: &'a mut Vec<Heard>,
    pub(crate) serial: &'a mut Vec<SerialFrame>,
    pub(crate) orders: &'a mut Vec<Ordered>,
    pub(crate) decoded: &'a mut Vec<Decoded>,
}

/// A queue, and what was taken out of it.
#[derive(Debug)]
struct Queue<T> {
    receiver: Receiver<T>,
    /// False once every sender has gone and the queue is empty.
    open: bool,
    taken: Vec<T>,
}

impl<T> Queue<T> {
    fn new(receiver: Receiver<T>) -> Queue<T> {
        Queue { receiver, open: true, taken: Vec::new() }
    }

    /// Waits until something is there, and takes at most `room` of it. Cancel safe.
    async fn take(&mut self, room: usize) -> usize {
        let count = self.receiver.recv_many(&mut self.taken, room).await;
        self.open = count > 0;
        count
    }

    /// Takes what is there, at most `room` more.
    fn take_waiting(&mut self, room: usize) {
        let full = self.taken.len() + room;
        while self.taken.len() < full
            && let Ok(frame) = self.receiver.try_recv()
        {
            self.taken.push(frame);
        }
    }
}

impl Intake {
    pub(crate) fn new(
        mqtt: Receiver<Published>,
        lora: Receiver<Heard>,
        serial: Receiver<SerialFrame>,
        orders: Receiver<Ordered>,
        decoded: Receiver<Decoded>,
    ) -> Intake {
        let (mqtt, lora, serial) = (Queue::new(mqtt), Queue::new(lora), Queue::new(serial));
        Intake { mqtt, lora, serial, orders: Queue::new(orders), decoded: Queue::new(decoded), gathered: (0, false) }
    }

    /// What was gathered, to be drained.
    pub(crate) fn taken(&mut self) -> Taken<'_> {
        Taken {
            published: &mut self.mqtt.taken,
            heard: &mut self.lora.taken,
            serial: &mut self.serial.taken,
            orders: &mut self.orders.taken,
            decoded: &mut self.decoded.taken,
        }
    }

    /// How many frames the last group has, and whether it waited for company as long as it might.
    pub(crate) fn gathered(&self) -> (usize, bool) {
        self.gathered
    }

    fn count(&self) -> usize {
        self.mqtt.taken.len() + self.urgent()
    }

    fn urgent(&self) -> usize {
        self.lora.taken.len() + self.serial.taken.len() + self.orders.taken.len() + self.decoded.taken.len()
    }

    /// Waits until the decoders have given back so many more frames, but not longer than `wait`.
    pub(crate) async fn gather_decoded(&mut self, count: usize, wait: Duration) {
        let until = Instant::now() + wait;
        let full = self.decoded.taken.len() + count;
        while self.decoded.taken.len() < full {
            self.decoded.take_waiting(full - self.decoded.taken.len());
            let room = full - self.decoded.taken.len();
            if room > 0 && timeout_at(until, self.decoded.take(room)).await.is_err() {
                return;
            }
        }
    }

    /// Waits for the first frame, at most `idle`, then takes what is waiting. `false` once every queue is closed and
    /// empty.
    pub(crate) async fn gather(&mut self, wait: Gathering) -> bool {
        let until = Instant::now() + wait.linger;
        self.gathered = (0, false);
        match timeout(wait.idle, self.next(wait.rows_max, wait.decoding)).await {
            Err(_) => return true,
            Ok(false) => return false,
            Ok(true) => {}
        }
        loop {
            self.decoded.take_waiting(wait.rows_max.saturating_sub(self.count()));
            self.lora.take_waiting(wait.rows_max.saturating_sub(self.count()));
            self.serial.take_waiting(wait.rows_max.saturating_sub(self.count()));
            self.mqtt.take_waiting(wait.rows_max.saturating_sub(self.count()));
            let count = self.count();
            let room = wait.rows_max.saturating_sub(count);
            self.gathered = (count, false);
            // A timer of no time at all would still cost a millisecond.
            if room == 0 || count >= wait.enough || self.urgent() > 0 || Instant::now() >= until {
                return true;
            }
            if !matches!(timeout_at(until, self.next(room, false)).await, Ok(true)) {
                self.gathered = (self.count(), true);
                return true;
            }
        }
    }

    /// Waits for at least one frame or order; radio first, because its receive windows close. `false` once every side of
    /// the field is closed and nothing of it is `decoding`: a technician who still holds the control socket keeps nobody
    /// from ending.
    async fn next(&mut self, room: usize, decoding: bool) -> bool {
        while self.lora.open || self.serial.open || self.mqtt.open || (decoding && self.decoded.open) {
            let count = tokio::select! {
                biased;
                count = self.decoded.take(room), if self.decoded.open => count,
                count = self.lora.take(room), if self.lora.open => count,
                count = self.serial.take(room), if self.serial.open => count,
                count = self.orders.take(room), if self.orders.open => count,
                count = self.mqtt.take(room), if self.mqtt.open => count,
                else => return false,
            };
            if count > 0 {
                return true;
            }
        }
        false
    }
}
