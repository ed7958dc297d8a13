//! One serial port: open it, read frames from it, write acknowledgements to it, open it again.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::serial::{Damage, Decoder, Event, Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_serial::{SerialPortBuilderExt, SerialStream};

use crate::config;
use crate::job::{Lost, SerialFrame};
use crate::status::SerialStatus;

/// Bytes of one read: a second at 9,600 baud.
const READ_BYTES_MAX: usize = 1_024;
/// Acknowledgements that may wait for the line: each takes 40 ms at 9,600 baud and longer in the air, so that later ones
/// come when their device has long repeated its frame.
const ACKNOWLEDGEMENTS_MAX: usize = 64;
/// A line that does not take a frame within this time is stuck; the device repeats.
const WRITE_MS_MAX: u64 = 2_000;
/// At stop: how long acknowledgements of frames already handed over may take.
const SETTLE_MS: u64 = 2_000;
/// How long to wait before a port that is gone is opened again: at first, and at most. An adapter that is plugged in again
/// is back within the latter.
const BACKOFF_MS: u64 = 500;
const BACKOFF_MS_MAX: u64 = 10_000;
/// A port that was open for so long was well, and begins with a short wait again.
const WELL_MS: u64 = 60_000;

/// A port, whether its adapter is there or not.
pub(super) struct Port {
    name: Arc<str>,
    path: PathBuf,
    baud: u32,
    /// None once it stops.
    intake: Option<Intake>,
    lost: Arc<Mutex<Lost>>,
    status: Arc<Mutex<SerialStatus>>,
    acknowledgements: Receiver<Vec<u8>>,
}

/// Where frames go, and what goes with them.
struct Intake {
    frames: Sender<SerialFrame>,
    acknowledge: Sender<Vec<u8>>,
}

/// Why an open port is no longer served.
enum Ended {
    Stopped,
    Gone(io::Error),
}

impl Port {
    pub(super) fn new(config: &config::Serial, frames: Sender<SerialFrame>, lost: Arc<Mutex<Lost>>) -> Port {
        let status = SerialStatus {
            name: config.name.clone(),
            path: config.path.display().to_string(),
            ..SerialStatus::default()
        };
        let (acknowledge, acknowledgements) = mpsc::channel(ACKNOWLEDGEMENTS_MAX);
        Port {
            name: config.name.as_str().into(),
            path: config.path.clone(),
            baud: config.baud,
            intake: Some(Intake { frames, acknowledge }),
            lost,
            status: Arc::new(Mutex::new(status)),
            acknowledgements,
        }
    }

    pub(super) fn status(&self) -> Arc<Mutex<SerialStatus>> {
        self.status.clone()
    }

    /// Serves until `stop` turns true; then takes no more frames, and acknowledges those already handed over.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut backoff_ms = BACKOFF_MS;
        loop {
            // Frames of a port that was gone are stored all the same; nobody was there to be told.
            while self.acknowledgements.try_recv().is_ok() {
                self.lock().unacknowledged += 1;
            }
            match self.open() {
                Ok(mut stream) => {
                    let opened = Instant::now();
                    match self.serve(&mut stream, &mut stop).await {
                        Ended::Stopped => return self.settle(stream).await,
                        Ended::Gone(error) => self.note_gone(&error),
                    }
                    if opened.elapsed() >= Duration::from_millis(WELL_MS) {
                        backoff_ms = BACKOFF_MS;
                    }
                }
                Err(error) => self.note_failed(&error),
            }
            tokio::select! {
                () = stopped(&mut stop) => return,
                () = sleep(Duration::from_millis(backoff_ms)) => {}
            }
            backoff_ms = BACKOFF_MS_MAX.min(backoff_ms * 2);
        }
    }

    fn open(&self) -> Result<SerialStream, tokio_serial::Error> {
        let stream = tokio_serial::new(self.path.to_string_lossy(), self.baud).open_native_async()?;
        let mut status = self.lock();
        status.open = true;
        status.error = None;
        status.opened += 1;
        log::info!(port:% = self.name, path:% = self.path.display(), baud = self.baud; "serial port open");
        Ok(stream)
    }

    /// A failure that goes on is logged ever less.
    fn note_failed(&self, error: &tokio_serial::Error) {
        let mut status = self.lock();
        status.failures += 1;
        let count = status.failures;
        let text = format!("{error} · try: ls -l {}, and plug the adapter in", self.path.display());
        if status.error.as_ref() != Some(&text) || count.is_power_of_two() {
            log::warn!(port:% = self.name, error = text.as_str(), count; "serial port does not open, trying again");
        }
        status.error = Some(text);
    }

    fn note_gone(&self, error: &io::Error) {
        let mut status = self.lock();
        status.open = false;
        let text = format!("{error} · try: see whether the adapter is plugged in");
        log::warn!(port:% = self.name, error = text.as_str(); "serial port is gone, trying again");
        status.error = Some(text);
    }

    async fn serve(&mut self, stream: &mut SerialStream, stop: &mut watch::Receiver<bool>) -> Ended {
        let mut decoder = Decoder::default();
        let mut bytes = [0; READ_BYTES_MAX];
        let ended = loop {
            tokio::select! {
                biased;
                () = stopped(stop) => break Ended::Stopped,
                Some(envelope) = self.acknowledgements.recv() => {
                    if let Err(error) = self.acknowledge(stream, &envelope).await {
                        break Ended::Gone(error);
                    }
                }
                read = stream.read(&mut bytes) => match read {
                    Ok(0) => break Ended::Gone(io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => decoder.push(&bytes[..count]).into_iter().for_each(|event| self.take(event)),
                    Err(error) => break Ended::Gone(error),
                },
            }
        };
        decoder.reset().into_iter().for_each(|event| self.take(event));
        ended
    }

    fn take(&self, event: Event) {
        let mut status = self.lock();
        let frame = match event {
            Event::Frame(frame) => frame,
            Event::Damaged { damage, .. } => {
                match damage {
                    Damage::Noise => status.noise += 1,
                    Damage::Length => status.incomplete += 1,
                    Damage::TooLong => status.too_long += 1,
                }
                return;
            }
        };
        let confirmed = match frame.kind {
            Kind::Frame => false,
            Kind::ConfirmedFrame => true,
            // Our own, heard back through a repeater or a second module.
            Kind::Acknowledgement => {
                status.echoes += 1;
                return;
            }
        };
        status.frames += 1;
        status.crc_differs += u64::from(!frame.crc_agrees);
        drop(status);
        let frame =
            |acknowledge| SerialFrame { port: self.name.clone(), confirmed, envelope: frame.envelope, acknowledge };
        let handed = self
            .intake
            .as_ref()
            .is_some_and(|intake| intake.frames.try_send(frame(intake.acknowledge.clone())).is_ok());
        if !handed {
            // Whose it was is known only after judging, so it is shed without a name; its device repeats it.
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.entry(None).or_default().shed += 1;
        }
    }

    /// # Errors
    /// If the port is gone. A line that takes nothing is not gone: that acknowledgement is left out and counted.
    async fn acknowledge(&self, stream: &mut SerialStream, envelope: &[u8]) -> io::Result<()> {
        let Ok(line) = ::serial::encode(Kind::Acknowledgement, envelope) else {
            log::error!(port:% = self.name, bytes = envelope.len(); "acknowledgement fits in no frame");
            return Ok(());
        };
        let written = timeout(Duration::from_millis(WRITE_MS_MAX), stream.write_all(&line)).await;
        match &written {
            Ok(Ok(())) => self.lock().acknowledged += 1,
            Ok(Err(_)) | Err(_) => self.lock().unacknowledged += 1,
        }
        written.unwrap_or(Ok(()))
    }

    /// Takes no more frames, and writes what the committer still confirms.
    async fn settle(mut self, mut stream: SerialStream) {
        self.intake = None;
        let rest = async {
            while let Some(envelope) = self.acknowledgements.recv().await {
                self.acknowledge(&mut stream, &envelope).await?;
            }
            Ok::<(), io::Error>(())
        };
        if !matches!(timeout(Duration::from_millis(SETTLE_MS), rest).await, Ok(Ok(()))) {
            log::warn!(port:% = self.name; "stopped before every serial frame was acknowledged, their devices repeat them");
        }
    }

    fn lock(&self) -> MutexGuard<'_, SerialStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the daemon itself is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}
