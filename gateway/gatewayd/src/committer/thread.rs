//! The committer's own thread: SQLite blocks, so it has no place among the sockets. Its decoders start with it.

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use super::decoders::{DECODED_FRAMES_MAX, Decoders};
use super::intake::Intake;
use super::{Committer, Kept, Parts};
use crate::clock::Clock;
use crate::decoding::Published;
use crate::error::StartError;
use crate::job::{Heard, SerialFrame};
use crate::order::Ordered;

/// A committer at work.
pub(crate) struct RunningCommitter {
    thread: JoinHandle<()>,
    /// Closed when the thread ends, also by a panic.
    alive: watch::Receiver<()>,
    pub(crate) clock: Arc<Mutex<Clock>>,
    /// For the edge; taken by whoever starts it.
    pub(crate) kept: Kept,
}

impl RunningCommitter {
    /// Opens the journal here, so that a start that cannot work says so; then gives the committer its thread.
    pub(crate) fn start(
        parts: Parts,
        submitted: mpsc::Receiver<Published>,
        heard: mpsc::Receiver<Heard>,
        serial: mpsc::Receiver<SerialFrame>,
        orders: mpsc::Receiver<Ordered>,
    ) -> Result<RunningCommitter, StartError> {
        let (decoders, jobs) = Decoders::new();
        let devices = parts.devices.clone();
        let committer = Committer::open(parts, decoders)?;
        let (done, decoded) = mpsc::channel(DECODED_FRAMES_MAX);
        jobs.spawn(&devices, &done)?;
        let intake = Intake::new(submitted, heard, serial, orders, decoded);
        let (clock, kept) = (committer.clock(), committer.kept()?);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
        let (life, alive) = watch::channel(());
        let work = move || {
            let _life = life;
            runtime.block_on(committer.run(intake));
        };
        let thread = std::thread::Builder::new().name("committer".into()).spawn(work).map_err(StartError::Thread)?;
        Ok(RunningCommitter { thread, alive, clock, kept })
    }

    /// Waits until the committer has ended: its queues are closed and empty, or it cannot go on. Cancel safe.
    pub(crate) async fn ended(&mut self) {
        // Nothing is ever sent; an error is the end.
        let _ = self.alive.changed().await;
    }

    /// Waits until the thread is gone and with it the journal's lock.
    pub(crate) async fn join(mut self) {
        self.ended().await;
        if self.thread.join().is_err() {
            log::error!("the committer panicked");
        }
    }
}
