//! A session: one authenticated device, until its connection ends.
//!
//! One loop. It parses while the window is open, sends what there is to say in one write, then waits for the first of:
//! takeover, stop, settled publishes, room in the queue, a command or message for the device, bytes, the end of a pause,
//! silence.

mod command;
mod publish;
mod subscribe;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use crate::answer;
use crate::close::Close;
use crate::counters::DeviceTotals;
use crate::edge::{Shared, stopped};
use crate::handshake::{Admitted, session_expiry_s_max, welcome};
use crate::kept::{Exchanges, Opened};
use crate::packet::{self, Level, Packet};
use crate::session_state::SessionState;
use crate::sessions::Place;
use crate::submission::Settled;
use crate::will;
use crate::wire::Wire;

use publish::Waiting;
use subscribe::Down;

/// The state of a session. Field order matters: the router link goes before the place that guards its name.
pub(crate) struct Session<S> {
    down: Down,
    place: Place,
    wire: Wire<S>,
    shared: Arc<Shared>,
    stopping: watch::Receiver<bool>,
    totals: Arc<DeviceTotals>,
    client: Admitted,
    /// It goes on from an earlier connection.
    resumed: bool,
    state: SessionState,
    exchanges: Exchanges,
    /// Where replies go, and come from.
    settle: mpsc::UnboundedSender<Settled>,
    settled: mpsc::UnboundedReceiver<Settled>,
    /// Publishes submitted or waiting, and not settled.
    unsettled_frames: usize,
    unsettled_bytes: usize,
    /// A publish that found the queue full; nothing is parsed meanwhile.
    waiting: Option<Waiting>,
    /// The window was closed when the socket was last looked at.
    window_was_full: bool,
    /// The device is ahead of its rate until then.
    pause: Option<Instant>,
    /// When the client was last heard, or last could have been.
    heard: Instant,
    silence_max: Duration,
    /// Fires at the earliest moment at which the client can have been silent too long.
    silence: Pin<Box<Sleep>>,
}

/// What a client wrote before it connected again is in this machine's buffers; the runtime needs a moment to notice. The new
/// connection waits for so long.
const LAST_WORDS: Duration = Duration::from_millis(20);

/// What a session waits for.
enum Event {
    TakenOver,
    Stop,
    Settled,
    Room(Result<publish::Room, Close>),
    NoRoom,
    Command(crate::Command),
    Down(Result<subscribe::Message, crate::router::LinkLost>),
    Read(std::io::Result<usize>),
    Resume,
    Silence,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    /// Lets the client in.
    pub(crate) fn start(
        mut wire: Wire<S>,
        client: Admitted,
        opened: Opened,
        place: Place,
        shared: Arc<Shared>,
    ) -> Self {
        let Opened { present, state, exchanges } = opened;
        welcome(&client, present, state.expiry_s, &shared.limits, &mut wire.output);
        let heard = Instant::now();
        let silence_max = client.silence_max(&shared.limits);
        shared.counters.connected.count();
        if present {
            shared.counters.sessions_resumed.count();
        }
        if client.will.is_some() {
            shared.counters.wills_declared.count();
        }
        let (settle, settled) = mpsc::unbounded_channel();
        Self {
            down: Down::new(&client),
            place,
            wire,
            stopping: shared.stopping.clone(),
            totals: shared.sessions.totals(&client.device.name),
            client,
            resumed: present,
            state,
            exchanges,
            settle,
            settled,
            unsettled_frames: 0,
            unsettled_bytes: 0,
            waiting: None,
            window_was_full: false,
            pause: None,
            heard,
            silence_max,
            silence: Box::pin(sleep_until(heard + silence_max)),
            shared,
        }
    }

    /// Serves until the connection ends. Returns the stream with our last words in its output; the device's place is
    /// free by then.
    pub(crate) async fn run(mut self) -> (Close, Wire<S>) {
        let close = match self.serve().await {
            Ok(never) => match never {},
            Err(close) => close,
        };
        if close == Close::ShuttingDown {
            self.settle_rest().await;
        }
        self.abandon_waiting();
        self.leave(close).await;
        if let Some((code, reason)) = close.told()
            && self.client.level == Level::V5
        {
            let reason = self.down.fits(reason.len() + 16).then_some(reason);
            answer::disconnect(&mut self.wire.output, code, reason);
        }
        (close, self.wire)
    }

    /// Gives the session back for the next connection, and sees to the will.
    async fn leave(&mut self, close: Close) {
        let name = &self.client.device.name;
        self.place.listen(false);
        if let Close::Goodbye { expiry_s: Some(expiry_s), .. } = close {
            let before = self.state.encode();
            self.state.expiry_s = expiry_s.min(session_expiry_s_max(&self.shared.limits));
            let after = self.state.encode();
            if after != before && self.shared.kept.store(name, after).await.is_err() {
                self.shared.counters.sessions_not_stored.count();
            }
            self.shared.kept.note(name, &self.state);
        }
        let due = !matches!(close, Close::Goodbye { send_will: false, .. } | Close::ShuttingDown);
        let (mut now, mut later) = (None, None);
        if let Some((will, delay)) = self.client.will.take().filter(|_| due) {
            self.shared.counters.wills_due.count();
            match delay.is_zero() || self.state.expiry_s == 0 {
                true => now = Some(will),
                false => later = Some((will, delay)),
            }
        }
        self.shared.kept.leave(name, std::mem::take(&mut self.exchanges), later);
        if let Some(will) = now {
            will::submit(&self.shared, will).await;
        }
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Close> {
        let mut batch = Vec::new();
        if self.resumed {
            self.resume().await?;
        }
        loop {
            self.take_packets().await?;
            self.flush().await?;
            match self.next_event(&mut batch).await {
                Event::TakenOver => {
                    self.take_what_came().await?;
                    return Err(Close::TakenOver);
                }
                Event::Stop => return Err(Close::ShuttingDown),
                Event::Settled => self.settle(&mut batch)?,
                Event::Room(permit) => self.submit_waiting(permit?),
                Event::NoRoom => self.abandon_waiting(),
                Event::Command(command) => self.send_command(&command).await?,
                Event::Down(message) => self.send_down(&message.map_err(|_| Close::Router)?),
                Event::Read(Ok(0) | Err(_)) => return Err(Close::Hangup),
                Event::Read(Ok(_)) => self.heard = Instant::now(),
                Event::Resume => self.pause = None,
                Event::Silence => self.check_silence()?,
            }
        }
    }

    async fn next_event(&mut self, batch: &mut Vec<Settled>) -> Event {
        let reading = self.may_parse();
        let window = self.shared.limits.window_frames_max.into();
        tokio::select! {
            biased;
            _ = &mut self.place.taken_over => Event::TakenOver,
            () = stopped(&mut self.stopping) => Event::Stop,
            _ = self.settled.recv_many(batch, window) => Event::Settled,
            room = publish::room(&mut self.waiting) => match room {
                Some(permit) => Event::Room(permit),
                None => Event::NoRoom,
            },
            Some(command) = self.place.commands.recv(), if self.down.has_room() => Event::Command(command),
            message = self.down.next() => Event::Down(message),
            () = pause(self.pause), if self.pause.is_some() => Event::Resume,
            read = self.wire.read(), if reading => Event::Read(read),
            () = &mut self.silence => Event::Silence,
        }
    }

    /// Parses and handles what was received, as far as the window allows.
    async fn take_packets(&mut self) -> Result<(), Close> {
        while self.may_parse() {
            let packet_bytes_max = self.shared.limits.packet_bytes_max;
            let before = self.wire.input.len();
            let Some(packet) = packet::take(self.client.level, &mut self.wire.input, packet_bytes_max)? else { break };
            self.charge(before - self.wire.input.len());
            match packet {
                Packet::Publish(publish) => self.receive(publish)?,
                Packet::PubAck(id, code) => self.acknowledged(id, code).await?,
                Packet::PubRel(id) => {
                    // Stored before its PUBREC, perhaps on an earlier connection: there is nothing left to find.
                    self.exchanges.unreleased.retain(|&unreleased| unreleased != id);
                    answer::acknowledge(&mut self.wire.output, answer::PUBCOMP, id);
                    self.shared.counters.releases.count();
                }
                Packet::Subscribe(id, filters, with_id) => self.subscribe(id, &filters, with_id).await?,
                Packet::Unsubscribe(id, filters) => self.unsubscribe(id, &filters).await?,
                Packet::PingReq => answer::ping_response(&mut self.wire.output),
                // A session that was to end with its connection cannot be kept after all (MQTT 5 §3.14.2.2.2).
                Packet::Disconnect { expiry_s: Some(1..), .. } if self.state.expiry_s == 0 => {
                    return Err(Close::Protocol);
                }
                Packet::Disconnect { send_will, expiry_s } => return Err(Close::Goodbye { send_will, expiry_s }),
            }
        }
        let full = self.waiting.is_none() && self.pause.is_none() && !self.may_parse();
        if full && !self.window_was_full {
            self.shared.counters.window_full.count();
        }
        self.window_was_full = full;
        Ok(())
    }

    /// Charges a packet to the device; ahead of its rate it is not read for a while.
    fn charge(&mut self, packet_bytes: usize) {
        let now = Instant::now();
        self.place.pace.charge(now, packet_bytes, &self.shared.limits);
        self.pause = self.place.pace.pause(now);
        if self.pause.is_some() {
            self.shared.counters.paced.count();
        }
    }

    /// True while another packet may be taken: below the window in frames and bytes, none waits for the queue, and the
    /// device is not ahead of its rate.
    fn may_parse(&self) -> bool {
        let limits = &self.shared.limits;
        self.waiting.is_none()
            && self.pause.is_none()
            && self.unsettled_frames < limits.window_frames_max.into()
            && self.unsettled_bytes < limits.window_bytes_max
    }

    /// Sends the output; all of it in one write unless the client is slow.
    async fn flush(&mut self) -> Result<(), Close> {
        if self.wire.output.is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            flushed = timeout(self.shared.limits.write_stall_max, self.wire.flush()) => match flushed {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) => Err(Close::Hangup),
                Err(_) => Err(Close::WriteStalled),
            },
            _ = &mut self.place.taken_over => Err(Close::TakenOver),
        }
    }

    /// Takes what the client wrote before it connected again: nobody sends a publish of QoS 0 twice.
    async fn take_what_came(&mut self) -> Result<(), Close> {
        let until = Instant::now() + LAST_WORDS;
        while self.may_parse() {
            match timeout_at(until, self.wire.read()).await {
                Ok(Ok(1..)) => self.take_packets().await?,
                _ => break,
            }
        }
        Ok(())
    }

    /// The silence timer has fired. While we do not read, the client's silence is our doing.
    fn check_silence(&mut self) -> Result<(), Close> {
        let now = Instant::now();
        if !self.may_parse() {
            self.heard = now;
        } else if now >= self.heard + self.silence_max {
            return Err(Close::Idle);
        }
        self.silence.as_mut().reset(self.heard + self.silence_max);
        Ok(())
    }

    /// At stop: waits for what was submitted, and acknowledges it.
    async fn settle_rest(&mut self) {
        self.abandon_waiting();
        let until = Instant::now() + self.shared.limits.settle_wait;
        let mut batch = Vec::new();
        while self.unsettled_frames > 0 {
            tokio::select! {
                _ = self.settled.recv_many(&mut batch, 64) => {}
                () = sleep_until(until) => return,
            }
            if self.settle(&mut batch).is_err() {
                return;
            }
        }
    }
}

/// Waits for the end of a pause.
async fn pause(until: Option<Instant>) {
    if let Some(until) = until {
        sleep_until(until).await;
    }
}
