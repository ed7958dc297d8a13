//! Wills: the last words of a device whose connection ends without a goodbye (MQTT 3.1.1 §3.1.2.5, MQTT 5 §3.1.2.5).
//!
//! A will goes the way of every publish of its device, as a frame on one of the device's own topics, marked
//! [`Submission::will`]. It is never given to the router. When the edge stops no will is due: the box went, not the
//! device (the specification lets a server that shuts down defer them).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::edge::{Shared, stopped};
use crate::{Reply, Submission};

/// How often delays and expiries are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// What is to be published for a device that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Will {
    pub(crate) device: Arc<str>,
    pub(crate) topic: Arc<str>,
    pub(crate) payload: Bytes,
    pub(crate) qos: u8,
    pub(crate) level: u8,
}

/// Submits a will as a frame of its device. Nobody waits for it: if the queue stays full it is shed and counted.
pub(crate) async fn submit(shared: &Shared, will: Will) {
    let Will { device, topic, payload, qos, level } = will;
    let totals = shared.sessions.totals(&device);
    shared.counters.received.count();
    totals.received.count();
    let room = async {
        let bytes = shared.reserve_bytes(payload.len()).await.ok()?;
        Some((bytes, shared.submissions.reserve().await.ok()?))
    };
    let Ok(Some((bytes, slot))) = timeout(shared.limits.shed_wait, room).await else {
        shared.counters.shed.count();
        totals.shed.count();
        return;
    };
    let reply = Reply::to_nobody(bytes);
    slot.send(Submission { device, topic, payload, qos, packet_id: None, dup: false, will: true, level, reply });
    shared.counters.submitted.count();
    totals.submitted.count();
}

/// Looks after sessions without a connection until the edge stops.
pub(crate) async fn look_after(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopped(&mut stopping) => return,
            _ = ticks.tick() => {}
        }
        for will in shared.kept.sweep(Instant::now()) {
            submit(&shared, will).await;
        }
    }
}
