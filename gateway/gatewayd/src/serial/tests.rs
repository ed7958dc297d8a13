//! A port over pseudo-terminals: the far end is what a module's radio hands to its UART.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::serial::{Kind, encode};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_serial::{SerialPort, SerialStream};

use super::{RunningSerial, start, status};
use crate::config::Serial;
use crate::job::{Lost, SerialFrame};
use crate::status::SerialStatus;

/// Longer than any busy machine takes, shorter than a person waits.
const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    folder: TempDir,
    frames: Receiver<SerialFrame>,
    lost: Arc<Mutex<Lost>>,
    running: RunningSerial,
    stop: watch::Sender<bool>,
}

impl Bench {
    /// One port whose adapter is not plugged in yet, and a committer that takes up to `room` frames.
    fn new(room: usize) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let (sender, frames) = mpsc::channel(room);
        let (stop, stopping) = watch::channel(false);
        let lost = Arc::default();
        let port = Serial { name: "lora-1".into(), path: folder.path().join("port"), baud: 9_600, enabled: true };
        let running = start(&[port], &sender, &lost, &stopping);
        Bench { folder, frames, lost, running, stop }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("port")
    }

    /// Plugs an adapter in; gives the far end.
    fn plug_in(&self) -> SerialStream {
        let (far, near) = SerialStream::pair().unwrap();
        let name = near.name().unwrap();
        drop(near);
        symlink(name, self.path()).unwrap();
        far
    }

    fn unplug(&self, far: SerialStream) {
        std::fs::remove_file(self.path()).unwrap();
        drop(far);
    }

    async fn until(&self, what: &str, reached: impl Fn(&SerialStatus) -> bool) {
        let look = async {
            while !reached(&status(&self.running.view)[0]) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(PATIENCE, look).await.is_ok(), "{what}: {:#?}", status(&self.running.view)[0]);
    }

    async fn frame(&mut self) -> SerialFrame {
        timeout(PATIENCE, self.frames.recv()).await.expect("a frame in time").expect("the port runs")
    }
}

/// Reads as many bytes as expected.
async fn reads(far: &mut SerialStream, expected: &[u8]) {
    let mut bytes = vec![0; expected.len()];
    timeout(PATIENCE, far.read_exact(&mut bytes)).await.expect("bytes in time").unwrap();
    assert_eq!(bytes, expected);
}

#[tokio::test]
async fn frames_come_in_and_acknowledgements_go_out() {
    let mut bench = Bench::new(8);
    let mut far = bench.plug_in();
    bench.until("open", |status| status.open).await;
    let mut line = b"noise\0".to_vec();
    line.extend(encode(Kind::ConfirmedFrame, b"one").unwrap());
    line.extend(&encode(Kind::Frame, b"half").unwrap()[..5]);
    line.extend(encode(Kind::Frame, b"two").unwrap());
    line.extend(encode(Kind::Acknowledgement, b"echo").unwrap());
    far.write_all(&line).await.unwrap();

    let one = bench.frame().await;
    assert_eq!((&*one.port, one.confirmed, one.envelope.as_slice()), ("lora-1", true, &b"one"[..]));
    let two = bench.frame().await;
    assert_eq!((two.confirmed, two.envelope.as_slice()), (false, &b"two"[..]));
    one.acknowledge.try_send(b"stored".to_vec()).unwrap();
    reads(&mut far, &encode(Kind::Acknowledgement, b"stored").unwrap()).await;
    bench.until("all is counted", |status| status.acknowledged == 1 && status.echoes == 1).await;
    let counted = &status(&bench.running.view)[0];
    assert_eq!((counted.frames, counted.noise, counted.incomplete), (2, 1, 1));
}

#[tokio::test]
async fn an_adapter_may_vanish_and_return() {
    let mut bench = Bench::new(8);
    bench.until("not there", |status| status.failures > 0 && status.error.is_some()).await;
    let mut far = bench.plug_in();
    bench.until("open", |status| status.open && status.error.is_none()).await;
    far.write_all(&encode(Kind::Frame, b"cut").unwrap()[..4]).await.unwrap();
    bench.unplug(far);
    bench.until("gone", |status| !status.open && status.error.is_some()).await;
    let mut far = bench.plug_in();
    bench.until("open again", |status| status.opened == 2 && status.open).await;
    far.write_all(&encode(Kind::Frame, b"whole").unwrap()).await.unwrap();
    assert_eq!(bench.frame().await.envelope, b"whole");
}

#[tokio::test]
async fn what_the_committer_cannot_take_is_shed_and_counted() {
    let mut bench = Bench::new(1);
    let mut far = bench.plug_in();
    bench.until("open", |status| status.open).await;
    for text in [b"one", b"two", b"six"] {
        far.write_all(&encode(Kind::ConfirmedFrame, text).unwrap()).await.unwrap();
    }
    bench.until("all read", |status| status.frames == 3).await;
    assert_eq!(bench.frame().await.envelope, b"one");
    let shed = || bench.lost.lock().unwrap().get(&None).map_or(0, |lost| lost.shed);
    timeout(PATIENCE, async {
        while shed() < 2 {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("two are shed");
}

#[tokio::test]
async fn a_stop_still_acknowledges_what_was_handed_over() {
    let mut bench = Bench::new(8);
    let mut far = bench.plug_in();
    bench.until("open", |status| status.open).await;
    far.write_all(&encode(Kind::ConfirmedFrame, b"one").unwrap()).await.unwrap();
    let one = bench.frame().await;
    bench.stop.send(true).unwrap();
    // It takes nothing more: the committer's queue is closed.
    assert!(timeout(PATIENCE, bench.frames.recv()).await.expect("closed in time").is_none());
    one.acknowledge.try_send(b"stored".to_vec()).unwrap();
    drop(one);
    reads(&mut far, &encode(Kind::Acknowledgement, b"stored").unwrap()).await;
    timeout(PATIENCE, bench.running.ended()).await.expect("ends when the last one is answered");
}
