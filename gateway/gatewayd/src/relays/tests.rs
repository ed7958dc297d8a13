//! The thread with wires that do what the test says: pulses, a stop in the middle, lines that are not there, a thread that
//! hangs.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use record::RelayId;
use relay::{Done, Pulse};
use tokio::sync::mpsc;

use super::chip::{Line, LineError, Wiring};
use super::{Command, RunningRelays};
use crate::config::Relay;
use crate::order::{Order, Ordered};

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Wires that note what they are told, in order.
#[derive(Clone, Default)]
struct Wires(Arc<Mutex<Wired>>);

#[derive(Default)]
struct Wired {
    /// `east open`, `east on`, `east off`, `east closed`.
    story: Vec<(String, Instant)>,
    /// There is no such line.
    absent: bool,
    /// Switching fails.
    dead: bool,
    /// Switching does not come back while this can be waited for.
    hanging: Option<Receiver<()>>,
}

struct Wire {
    name: String,
    wires: Wires,
}

impl Wires {
    fn note(&self, what: String) {
        self.0.lock().unwrap().story.push((what, Instant::now()));
    }

    fn story(&self) -> Vec<String> {
        self.0.lock().unwrap().story.iter().map(|(what, _)| what.clone()).collect()
    }

    /// How long it was from one to the next.
    fn between(&self, first: &str, then: &str) -> Duration {
        let story = self.0.lock().unwrap();
        let at = |what: &str| story.story.iter().find(|(told, _)| told == what).unwrap().1;
        at(then) - at(first)
    }

    fn until(&self, what: &str) {
        let began = Instant::now();
        while !self.story().iter().any(|told| told == what) {
            assert!(began.elapsed() < PATIENCE, "{what} of {:?}", self.story());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn change(&self, change: impl FnOnce(&mut Wired)) {
        change(&mut self.0.lock().unwrap());
    }

    /// Switching hangs from now on, until what is returned goes.
    fn hang(&self) -> Sender<()> {
        let (over, hanging) = channel();
        self.change(|wired| wired.hanging = Some(hanging));
        over
    }
}

impl Wiring for Wires {
    type Line = Wire;

    fn open(&self, relay: &Relay) -> Result<Wire, LineError> {
        if self.0.lock().unwrap().absent {
            return Err(LineError::NoLine { line: relay.line.to_string() });
        }
        self.note(format!("{} open", relay.name));
        Ok(Wire { name: relay.name.to_string(), wires: self.clone() })
    }
}

impl Line for Wire {
    fn set(&mut self, on: bool) -> Result<(), LineError> {
        let hanging = self.wires.0.lock().unwrap().hanging.take();
        if let Some(hanging) = hanging {
            let _ = hanging.recv();
        }
        if self.wires.0.lock().unwrap().dead {
            return Err(LineError::NoLine { line: self.name.clone() });
        }
        self.wires.note(format!("{} {}", self.name, if on { "on" } else { "off" }));
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.wires.note(format!("{} closed", self.name));
    }
}

fn east() -> RelayId {
    RelayId::new("east").unwrap()
}

/// One sampler on these wires; the others are its committer.
fn start(wires: &Wires) -> (RunningRelays, mpsc::Sender<Ordered>, mpsc::Receiver<Ordered>) {
    start_as("sampler", wires)
}

fn start_as(purpose: &str, wires: &Wires) -> (RunningRelays, mpsc::Sender<Ordered>, mpsc::Receiver<Ordered>) {
    let relay = format!("name = \"east\"\nuse = \"{purpose}\"\nchip = \"gpiochip0\"\nline = \"GPIO17\"");
    let relay: Relay = toml::from_str(&relay).unwrap();
    let (orders, ordered) = mpsc::channel(16);
    let running = RunningRelays::start_on(&[relay], orders.downgrade(), wires.clone()).unwrap();
    (running, orders, ordered)
}

fn pulse(running: &RunningRelays, on_ms: u32) {
    assert!(running.relays().command(Command::Pulse(Pulse { id: east(), on_ms })));
}

async fn told(ordered: &mut mpsc::Receiver<Ordered>) -> Done {
    match tokio::time::timeout(PATIENCE, ordered.recv()).await.unwrap().unwrap().order {
        Order::PulseDone { relay, done } => {
            assert_eq!(relay, east());
            done
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_pulse_is_as_long_as_it_should_be_and_is_told() {
    let wires = Wires::default();
    let (running, _orders, mut ordered) = start(&wires);
    assert!(running.relays().is_ready(&east()));
    pulse(&running, 200);
    assert_eq!(told(&mut ordered).await, Done::Taken);
    let lasted = wires.between("east on", "east off");
    assert!((Duration::from_millis(190)..Duration::from_secs(2)).contains(&lasted), "{lasted:?}");
    running.stop().await;
    assert_eq!(wires.story(), ["east open", "east on", "east off", "east off", "east closed"]);
}

#[tokio::test]
async fn a_stop_in_the_middle_switches_off_first() {
    let wires = Wires::default();
    let (running, _orders, mut ordered) = start(&wires);
    pulse(&running, 60_000);
    wires.until("east on");
    running.stop().await;
    assert_eq!(wires.story(), ["east open", "east on", "east off", "east closed"]);
    assert_eq!(told(&mut ordered).await, Done::Uncertain);
}

#[tokio::test]
async fn a_line_that_is_not_there_is_said_so_and_is_no_reason_not_to_start() {
    let wires = Wires::default();
    wires.change(|wired| wired.absent = true);
    let (running, _orders, mut ordered) = start(&wires);
    assert!(!running.relays().is_ready(&east()));
    let error = running.relays().board().lock().unwrap()[&east()].error.clone().unwrap();
    assert!(error.contains("GPIO17") && error.contains("gpioinfo"), "{error}");
    wires.change(|wired| wired.absent = false);
    pulse(&running, 100);
    assert_eq!(told(&mut ordered).await, Done::NotSwitched, "it is taken anew, and off");
    assert!(running.relays().is_ready(&east()));
    running.stop().await;
}

#[tokio::test]
async fn a_line_that_cannot_be_switched_off_is_given_back() {
    let wires = Wires::default();
    let (running, _orders, mut ordered) = start(&wires);
    pulse(&running, 100);
    wires.until("east on");
    wires.change(|wired| wired.dead = true);
    assert_eq!(told(&mut ordered).await, Done::Taken, "taken anew, which is off");
    assert_eq!(wires.story(), ["east open", "east on", "east closed", "east open"]);
    wires.change(|wired| wired.dead = false);
    running.stop().await;
}

#[tokio::test]
async fn a_thread_that_hangs_is_found_and_keeps_nobody_waiting() {
    let wires = Wires::default();
    let (running, _orders, _ordered) = start(&wires);
    let over = wires.hang();
    pulse(&running, 100);
    tokio::time::timeout(PATIENCE, running.failed()).await.expect("it is found");
    let began = Instant::now();
    running.stop().await;
    assert!(began.elapsed() < PATIENCE, "the end of the process does not wait for it");
    drop(over);
}

#[tokio::test]
async fn a_thread_at_work_is_not_taken_for_one_that_hangs() {
    let wires = Wires::default();
    let (running, _orders, mut ordered) = start(&wires);
    pulse(&running, 2_000);
    let failed = tokio::time::timeout(Duration::from_millis(2_500), running.failed()).await;
    assert!(failed.is_err());
    assert_eq!(told(&mut ordered).await, Done::Taken);
    running.stop().await;
}

#[test]
fn signals_go_as_they_are_told() {
    let wires = Wires::default();
    let (running, _orders, _ordered) = start_as("signal", &wires);
    for (on, told) in [(true, "east on"), (false, "east off")] {
        assert!(running.relays().command(Command::Signals(BTreeMap::from([(east(), on)]))));
        wires.until(told);
    }
}
