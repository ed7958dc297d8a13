//! Serial ports with transparent LoRa modules: each has a task of its own that outlives its adapter.

mod port;

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config;
use crate::job::{Lost, SerialFrame};
use crate::status::SerialStatus;
use port::Port;

/// The serial ports at work.
#[derive(Default)]
pub(crate) struct RunningSerial {
    tasks: Vec<JoinHandle<()>>,
    pub(crate) view: Vec<Arc<Mutex<SerialStatus>>>,
}

impl RunningSerial {
    /// Waits until frames that were handed over are answered, after the ports were told to stop.
    pub(crate) async fn ended(self) {
        for task in self.tasks {
            // A port that panicked has nothing more to answer.
            let _ = task.await;
        }
    }
}

/// Starts a task for each port. A port that cannot be opened is no reason not to start: its adapter may be plugged in
/// tomorrow.
pub(crate) fn start(
    ports: &[config::Serial],
    frames: &Sender<SerialFrame>,
    lost: &Arc<Mutex<Lost>>,
    stopping: &watch::Receiver<bool>,
) -> RunningSerial {
    let mut running = RunningSerial::default();
    for config in ports.iter().filter(|port| port.enabled) {
        let port = Port::new(config, frames.clone(), lost.clone());
        running.view.push(port.status());
        running.tasks.push(tokio::spawn(port.run(stopping.clone())));
    }
    running
}

/// What is known of each port.
pub(crate) fn status(view: &[Arc<Mutex<SerialStatus>>]) -> Vec<SerialStatus> {
    view.iter().map(|port| port.lock().unwrap_or_else(PoisonError::into_inner).clone()).collect()
}

#[cfg(test)]
mod tests;
