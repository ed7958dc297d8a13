//! An edge with devices `a` to `z`, a committer, and a bystander who must not notice anything.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mqtt::{
    CountersSnapshot, Credentials, Device, Directory, Edge, EdgeParts, Event, Filter, Limits, Listener, Outcome, Proof,
    Refusal, SessionChange, Submission,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::{Client, PATIENCE};

/// Every name without `x` is a device with the password `secret`; that of `slow` is a hash, which takes a while, and
/// whoever has a certificate needs none. All may use `shared` both ways, but `server` and `reader`, which have sets of
/// topics: one publishes `e/+/up` and takes commands on `e/+/do`, the other reads `e/+/up`.
pub(crate) struct Table;

impl Directory for Table {
    fn authenticate(&self, id: &str, credentials: Credentials<'_>) -> Result<Proof, Refusal> {
        assert_ne!(id, "panic", "a fault of ours");
        if id.contains('x') {
            return Err(Refusal::UnknownDevice);
        }
        let right = match credentials {
            Credentials::Certificate => true,
            Credentials::Login { password, .. } => password == Some(b"secret"),
        };
        let verdict = if right { Ok(device(id)) } else { Err(Refusal::BadPassword) };
        if id.starts_with("slow") {
            let costly = move || {
                std::thread::sleep(Duration::from_millis(50));
                verdict
            };
            return Ok(Proof::Costly(Box::new(costly)));
        }
        verdict.map(Proof::Given)
    }
}

fn device(id: &str) -> Device {
    let of = |kind: &str| format!("d/{id}/{kind}");
    let (publish, command, subscribe) = match id {
        "server" => (vec!["e/+/up".to_owned()], "e/+/do".to_owned(), vec![]),
        "reader" => (vec![], of("do"), vec!["e/+/up".to_owned()]),
        _ => (vec![of("up"), "shared".into()], of("do"), vec![of("down"), "shared".into()]),
    };
    let filters = |texts: Vec<String>| texts.iter().map(|text| filter(text)).collect();
    Device {
        name: id.into(),
        publish: filters(publish),
        command: Some(filter(&command)),
        subscribe: filters(subscribe),
    }
}

fn filter(text: &str) -> Filter {
    Filter::new(text).unwrap()
}

/// Short enough for tests, long enough for a busy machine.
pub(crate) fn limits() -> Limits {
    Limits { shed_wait: Duration::from_millis(20), ..Limits::default() }
}

pub(crate) async fn edge(limits: Limits, queue: usize) -> (Edge, mpsc::Receiver<Submission>) {
    let (parts, submissions, changes, _) = parts(limits, queue).await;
    tokio::spawn(remember(changes));
    (Edge::start(parts).unwrap(), submissions)
}

pub(crate) type Parts = (EdgeParts, mpsc::Receiver<Submission>, mpsc::Receiver<SessionChange>, mpsc::Receiver<Event>);

/// An edge on a port of the kernel's choice, and the far ends of its channels.
pub(crate) async fn parts(limits: Limits, queue: usize) -> Parts {
    let (submissions, submitted) = mpsc::channel(queue);
    let (changes, changed) = mpsc::channel(8);
    let (events, happened) = mpsc::channel(8);
    let listeners = vec![Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap()];
    let directory = Arc::new(Table);
    let parts = EdgeParts { listeners, limits, directory, submissions, changes, events, stored: Vec::new() };
    (parts, submitted, changed, happened)
}

/// Every session is stored at once.
pub(crate) async fn remember(mut changes: mpsc::Receiver<SessionChange>) {
    while let Some(change) = changes.recv().await {
        change.reply.stored();
    }
}

/// A committer on a plain thread: the payload says what becomes of it.
pub(crate) fn commit(mut submissions: mpsc::Receiver<Submission>) {
    std::thread::spawn(move || {
        while let Some(submission) = submissions.blocking_recv() {
            let outcome = match &submission.payload[..] {
                b"again" => Outcome::Duplicate,
                b"discarded" => Outcome::Discarded,
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
