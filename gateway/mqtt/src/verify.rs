//! Costly proofs beside the async workers: few at a time, few in the line, one a device.
//!
//! Whoever floods the edge with wrong passwords gets no more of the machine than [`Verifier::new`] grants; connected
//! devices, and those whose proof is [`Proof::Given`](crate::Proof::Given), do not come through here.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::directory::CostlyProof;
use crate::router::lock;
use crate::{Device, Refusal};

/// Proofs computed or waiting, of all devices. One of 20 ms each: the last waits less than the client for its CONNACK.
const WAITING_MAX: usize = 64;

/// The line of costly proofs.
#[derive(Debug)]
pub(crate) struct Verifier {
    line: Semaphore,
    running: Arc<Semaphore>,
    /// Devices in the line: a flood of wrong passwords for one takes one place.
    devices: Mutex<HashSet<String>>,
}

/// Why a proof was not computed, or what it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// The line is full, or the device is in it already.
    Busy,
    /// The proof says no.
    Refused(Refusal),
}

impl Default for Verifier {
    /// Half the cores, at most two: each may take 64 MiB while it runs.
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::new((cores / 2).clamp(1, 2))
    }
}

impl Verifier {
    fn new(running_max: usize) -> Self {
        let running = Arc::new(Semaphore::new(running_max));
        Self { line: Semaphore::new(WAITING_MAX), running, devices: Mutex::default() }
    }

    /// Computes the proof of a client. Cancelled, it leaves the line; a proof that has begun ends by itself, and counts
    /// until then.
    pub(crate) async fn prove(&self, client_id: &str, proof: CostlyProof) -> Result<Device, Unproven> {
        let _place = self.line.try_acquire().map_err(|_| Unproven::Busy)?;
        let _turn = Turn::take(&self.devices, client_id).ok_or(Unproven::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| Unproven::Busy)?;
        let computed = spawn_blocking(move || {
            let _running = running;
            proof()
        });
        // A proof that panicked proves nothing.
        computed.await.map_err(|_| Unproven::Busy)?.map_err(Unproven::Refused)
    }
}

/// The one place of a device in the line.
struct Turn<'a> {
    devices: &'a Mutex<HashSet<String>>,
    device: &'a str,
}

impl<'a> Turn<'a> {
    fn take(devices: &'a Mutex<HashSet<String>>, device: &'a str) -> Option<Self> {
        let is_first = lock(devices).insert(device.to_owned());
        // Not `then_some`: a turn that was not taken must not be dropped.
        if is_first { Some(Self { devices, device }) } else { None }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        lock(self.devices).remove(self.device);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::task::yield_now;

    use super::*;

    fn device() -> Device {
        Device { name: "a".into(), publish: Vec::new(), command: None, subscribe: Vec::new() }
    }

    #[tokio::test]
    async fn one_proof_a_device_and_few_in_all() {
        let verifier = Arc::new(Verifier::new(1));
        let (open, gate) = mpsc::channel::<()>();
        let held = tokio::spawn({
            let verifier = Arc::clone(&verifier);
            async move {
                verifier
                    .prove("slow", Box::new(move || gate.recv().map(|()| device()).map_err(|_| Refusal::BadPassword)))
                    .await
            }
        });
        while verifier.running.available_permits() > 0 {
            yield_now().await;
        }
        assert_eq!(verifier.prove("slow", Box::new(|| Ok(device()))).await, Err(Unproven::Busy));
        let mut waiting = Vec::new();
        for n in 1..WAITING_MAX {
            let verifier = Arc::clone(&verifier);
            let one = async move { verifier.prove(&format!("d{n}"), Box::new(|| Err(Refusal::BadPassword))).await };
            waiting.push(tokio::spawn(one));
        }
        while verifier.line.available_permits() > 0 {
            yield_now().await;
        }
        assert_eq!(verifier.prove("other", Box::new(|| Ok(device()))).await, Err(Unproven::Busy));
        open.send(()).unwrap();
        assert_eq!(held.await.unwrap(), Ok(device()));
        for one in waiting {
            assert_eq!(one.await.unwrap(), Err(Unproven::Refused(Refusal::BadPassword)));
        }
        assert_eq!(verifier.prove("slow", Box::new(|| Ok(device()))).await, Ok(device()));
        assert!(lock(&verifier.devices).is_empty());
    }
}
