//! The two threads that run codecs, so that the committer's never does.
//!
//! Codecs come from strangers: each run may work up to its limit, most of a second on a small box. The **prompt** thread
//! takes what is known to be quick: declarative codecs, and scripts whose last run ended in order. The **patient** one
//! takes scripts that have not shown it yet or failed last time, and history that is decoded again. So a script that
//! loops on every frame never stands before the frame of another device that waits for its receive window.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ingest::{Arrival, Codec, DEVICES_MAX, DecodeError, DeviceTable, Reopened, Undecoded};
use record::{Redecoded, SourceId, UnixMs};
use tokio::sync::mpsc;

use super::waiting::Sender;
use crate::error::StartError;

/// Jobs of one thread (B1): one frame of each device and one piece of history, so that there is always room.
const JOBS_MAX: usize = DEVICES_MAX + 1;

/// Results that wait for the committer; a thread that has one more waits with it.
pub(super) const DECODED_FRAMES_MAX: usize = 256;

/// What a decoder has to do.
#[derive(Debug)]
pub(super) enum Job {
    /// A frame, as it came at `at`.
    Frame { undecoded: Box<Undecoded>, sender: Sender, at: UnixMs },
    /// A piece of history, by a codec that keeps its own count of failures.
    History { codec: Arc<Codec>, frames: Vec<Reopened> },
}

/// What a decoder has done.
#[derive(Debug)]
pub(super) enum Decoded {
    /// A frame, to be judged again.
    Frame { device: SourceId, arrival: Box<Arrival>, sender: Sender },
    /// A piece of history, by the codec of its order.
    History { codec: Arc<Codec>, outcomes: Vec<Result<Redecoded, DecodeError>> },
    /// It broke. What it had is not answered, so the daemon must end and be started anew.
    Broken,
}

/// The ways to the decoders. Once it is gone, they end.
#[derive(Debug)]
pub(super) struct Decoders {
    prompt: mpsc::Sender<Job>,
    patient: mpsc::Sender<Job>,
}

/// The ways out of them, for whoever runs the jobs.
#[derive(Debug)]
pub(super) struct Jobs {
    pub(super) prompt: mpsc::Receiver<Job>,
    pub(super) patient: mpsc::Receiver<Job>,
}

impl Decoders {
    /// Both ends of the ways.
    pub(super) fn new() -> (Decoders, Jobs) {
        let (prompt, prompt_jobs) = mpsc::channel(JOBS_MAX);
        let (patient, patient_jobs) = mpsc::channel(JOBS_MAX);
        (Decoders { prompt, patient }, Jobs { prompt: prompt_jobs, patient: patient_jobs })
    }

    /// Hands a job over, and says whether it will be done promptly.
    ///
    /// # Errors
    /// [`StartError::DecodingDied`] if nobody takes it.
    pub(super) fn hand_over(&self, job: Job, devices: &DeviceTable) -> Result<bool, StartError> {
        let prompt = match &job {
            Job::Frame { undecoded, .. } => {
                devices.by_name(undecoded.device()).is_none_or(|device| device.codec.is_quick())
            }
            Job::History { .. } => false,
        };
        let way = if prompt { &self.prompt } else { &self.patient };
        way.try_send(job).map_err(|_| StartError::DecodingDied)?;
        Ok(prompt)
    }
}

impl Jobs {
    /// Gives each kind of job its thread.
    ///
    /// # Errors
    /// [`StartError::Thread`].
    pub(super) fn spawn(self, devices: &Arc<DeviceTable>, done: &mpsc::Sender<Decoded>) -> Result<(), StartError> {
        for (name, mut jobs) in [("decoder", self.prompt), ("patient-decoder", self.patient)] {
            let (devices, done) = (devices.clone(), done.clone());
            let work = move || {
                while let Some(job) = jobs.blocking_recv() {
                    // A panic is a defect of ours; unnoticed it would keep a device waiting for ever.
                    let decoded = catch_unwind(AssertUnwindSafe(|| job.run(&devices))).unwrap_or(Decoded::Broken);
                    if done.blocking_send(decoded).is_err() {
                        return;
                    }
                }
            };
            std::thread::Builder::new().name(name.into()).spawn(work).map_err(StartError::Thread)?;
        }
        Ok(())
    }
}

impl Job {
    pub(super) fn run(self, devices: &DeviceTable) -> Decoded {
        match self {
            Job::Frame { undecoded, sender, at } => {
                let device = undecoded.device().clone();
                Decoded::Frame { device, arrival: Box::new(undecoded.decode(devices, at)), sender }
            }
            Job::History { codec, frames } => {
                let outcomes = frames.into_iter().map(|frame| frame.decode(&codec)).collect();
                Decoded::History { codec, outcomes }
            }
        }
    }
}
