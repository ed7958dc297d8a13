//! An edge with devices `a` to `z`, a committer, and a bystander who must not notice anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mqtt::{CountersSnapshot, Device, Directory, Edge, Limits, Outcome, Refusal, Submission};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::{Client, PATIENCE};

/// Every name without `x` is a device with the password `secret`. All may use `shared` both ways; `é/up` is a topic
/// that the edge must not take even from the device table.
pub(crate) struct Table;

impl Directory for Table {
    fn authenticate(&self, id: &str, _user: Option<&str>, password: Option<&[u8]>) -> Result<Device, Refusal> {
        assert_ne!(id, "panic", "a fault of ours");
        if id.contains('x') {
            return Err(Refusal::UnknownDevice);
        }
        if password != Some(b"secret") {
            return Err(Refusal::BadPassword);
        }
        let publish = vec![format!("d/{id}/up").into(), "shared".into(), "é/up".into()];
        Ok(Device { name: id.into(), publish, subscribe: vec![format!("d/{id}/down").into(), "shared".into()] })
    }
}

/// Short enough for tests, long enough for a busy machine.
pub(crate) fn limits() -> Limits {
    Limits { shed_wait: Duration::from_millis(20), ..Limits::default() }
}

pub(crate) async fn edge(limits: Limits, queue: usize) -> (Edge, mpsc::Receiver<Submission>) {
    let (tx, rx) = mpsc::channel(queue);
    let edge = Edge::start("127.0.0.1:0".parse().unwrap(), limits, Arc::new(Table), tx).await.unwrap();
    (edge, rx)
}

/// A committer on a plain thread: the payload says what becomes of it.
pub(crate) fn commit(mut submissions: mpsc::Receiver<Submission>) {
    std::thread::spawn(move || {
        while let Some(submission) = submissions.blocking_recv() {
            let outcome = match &submission.payload[..] {
                b"again" => Outcome::Duplicate,
                b"evidence" => Outcome::Refused { reason: "no number at /level".into() },
                b"fail" => Outcome::Failed,
                b"drop" => continue,
                _ => Outcome::Stored,
            };
            submission.reply.settle(outcome);
        }
    });
}

pub(crate) struct World {
    pub(crate) edge: Edge,
    pub(crate) address: SocketAddr,
    stop: Arc<AtomicBool>,
    bystander: JoinHandle<u32>,
}

impl World {
    /// Starts an edge with a committer, and a bystander that publishes at QoS 1, one at a time.
    pub(crate) async fn start(limits: Limits) -> Self {
        let (edge, submissions) = edge(limits, 1024).await;
        commit(submissions);
        let address = edge.local_addr();
        let stop = Arc::new(AtomicBool::new(false));
        let mut client = Client::connect(address, 4, "bystander").await;
        let stopped = Arc::clone(&stop);
        let bystander = tokio::spawn(async move {
            for id in 1.. {
                client.publish(0b0010, id, "d/bystander/up", b"21.5").await;
                assert_eq!(client.packet().await, [0x40, 2, (id >> 8) as u8, id as u8], "the bystander's ack");
                if stopped.load(Ordering::Relaxed) {
                    return u32::from(id);
                }
                sleep(Duration::from_millis(2)).await;
            }
            0
        });
        Self { edge, address, stop, bystander }
    }

    pub(crate) fn counters(&self) -> CountersSnapshot {
        self.edge.counters()
    }

    /// Waits until the counters are as expected.
    pub(crate) async fn until(&self, what: &str, expected: impl Fn(&CountersSnapshot) -> bool) {
        let wait = async {
            while !expected(&self.counters()) {
                sleep(Duration::from_millis(2)).await;
            }
        };
        let Ok(()) = timeout(PATIENCE, wait).await else { panic!("{what}: {:#?}", self.counters()) };
    }

    /// Ends the world: the bystander must have been served to the end, the router must live, the sums must be right.
    pub(crate) async fn end(self) -> CountersSnapshot {
        let seen = self.counters().acks_qos1;
        self.until("the bystander is served after all this", |c| c.acks_qos1 > seen).await;
        self.stop.store(true, Ordering::Relaxed);
        let published = timeout(PATIENCE, self.bystander).await.unwrap().unwrap();
        let counters = self.edge.counters();
        let it = counters.devices.iter().find(|d| &*d.name == "bystander").unwrap();
        assert_eq!((it.received, it.submitted), (published.into(), published.into()));
        for d in &counters.devices {
            assert_eq!(d.received, d.submitted + d.shed + d.refused, "A3 of {}", d.name);
        }
        assert_eq!(counters.panicked, 0);
        assert!(timeout(Duration::from_millis(1), self.edge.failed()).await.is_err(), "the router lives");
        counters
    }
}
