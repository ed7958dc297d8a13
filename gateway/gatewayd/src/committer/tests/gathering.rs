//! What becomes one transaction.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::bench::{COLD, Sensor, heard};
use crate::committer::decoders::Decoded;
use crate::committer::intake::{Gathering, Intake};
use crate::decoding::Published;

fn wait(linger_ms: u64, rows_max: usize) -> Gathering {
    let (linger, idle) = (Duration::from_millis(linger_ms), Duration::from_secs(60));
    Gathering { linger, enough: usize::MAX, rows_max, idle, decoding: false }
}

#[tokio::test]
async fn takes_what_is_waiting_up_to_its_bound() {
    // The MQTT side is switched off: the radio is served all the same.
    let (_, submitted) = mpsc::channel::<Published>(1);
    let (lora, received) = mpsc::channel(8);
    (0..5).for_each(|f_cnt| lora.try_send(heard(f_cnt, COLD)).unwrap());
    let mut intake = Intake::new(submitted, received, mpsc::channel(1).1, mpsc::channel(1).1, mpsc::channel(1).1);
    let mut sizes = Vec::new();
    for _ in 0..3 {
        assert!(intake.gather(wait(0, 2)).await);
        sizes.push(intake.taken().heard.drain(..).count());
    }
    assert_eq!(sizes, [2, 2, 1]);
    drop(lora);
    assert!(!intake.gather(wait(0, 2)).await, "both are closed");
}

/// Four frames of a sensor, 8 ms apart from now on.
async fn frames() -> mpsc::Receiver<Published> {
    let mut sensor = Sensor::connect().await;
    let mut frames = Vec::new();
    for id in 1..=4 {
        frames.push(sensor.publish(id, false, b"7").await);
    }
    let (mqtt, submitted) = mpsc::channel(8);
    // All that is real has been; from here on it is the clock of the test.
    tokio::time::pause();
    tokio::spawn(async move {
        let _connected = sensor;
        for frame in frames {
            mqtt.send(frame).await.unwrap();
            sleep(Duration::from_millis(8)).await;
        }
    });
    submitted
}

#[tokio::test]
async fn frames_of_mqtt_wait_for_company_on_one_side_too() {
    let (_, received) = mpsc::channel(1);
    let mut intake = Intake::new(frames().await, received, mpsc::channel(1).1, mpsc::channel(1).1, mpsc::channel(1).1);
    assert!(intake.gather(wait(20, 100)).await);
    assert_eq!(intake.taken().published.drain(..).count(), 3, "at 0, 8 and 16 ms, not the one at 24");
    assert_eq!(intake.gathered(), (3, true));
    assert!(intake.gather(wait(0, 100)).await);
    assert_eq!((intake.taken().published.drain(..).count(), intake.gathered()), (1, (1, false)));
}

#[tokio::test]
async fn nobody_waits_once_all_are_there() {
    let (_, received) = mpsc::channel(1);
    let mut intake = Intake::new(frames().await, received, mpsc::channel(1).1, mpsc::channel(1).1, mpsc::channel(1).1);
    let begun = tokio::time::Instant::now();
    assert!(intake.gather(Gathering { enough: 2, ..wait(1_000, 100) }).await);
    assert_eq!((intake.taken().published.len(), intake.gathered()), (2, (2, false)));
    assert!(begun.elapsed() < Duration::from_millis(16), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_radio_frame_ends_the_wait() {
    let (lora, received) = mpsc::channel(8);
    let mut intake = Intake::new(frames().await, received, mpsc::channel(1).1, mpsc::channel(1).1, mpsc::channel(1).1);
    let begun = tokio::time::Instant::now();
    tokio::spawn(async move {
        sleep(Duration::from_millis(12)).await;
        lora.send(heard(0, COLD)).await.unwrap();
    });
    assert!(intake.gather(wait(1_000, 100)).await);
    let taken = intake.taken();
    assert_eq!((taken.published.len(), taken.heard.len()), (2, 1));
    assert!(begun.elapsed() < Duration::from_millis(16), "not the second it might wait: {:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn looks_up_when_nothing_comes() {
    let (_mqtt, submitted) = mpsc::channel::<Published>(1);
    let (_, received) = mpsc::channel(1);
    let mut intake = Intake::new(submitted, received, mpsc::channel(1).1, mpsc::channel(1).1, mpsc::channel(1).1);
    assert!(intake.gather(wait(0, 2)).await, "idle is no end, also with one side closed");
    assert!(intake.taken().published.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_being_decoded_keeps_the_end_away() {
    let (_, submitted) = mpsc::channel::<Published>(1);
    let (_, received) = mpsc::channel(1);
    let (done, decoded) = mpsc::channel(1);
    let mut intake = Intake::new(submitted, received, mpsc::channel(1).1, mpsc::channel(1).1, decoded);
    let decoding = Gathering { decoding: true, ..wait(0, 2) };
    assert!(intake.gather(decoding).await, "every side is closed, but a frame is still out");
    done.send(Decoded::Broken).await.unwrap();
    assert!(intake.gather(decoding).await);
    assert_eq!(intake.taken().decoded.drain(..).count(), 1);
    assert!(!intake.gather(wait(0, 2)).await, "all are back");
}

#[tokio::test(start_paused = true)]
async fn a_transaction_waits_for_quick_codecs_and_for_slow_ones_not_long() {
    let (_mqtt, submitted) = mpsc::channel::<Published>(1);
    let (_, received) = mpsc::channel(1);
    let (done, decoded) = mpsc::channel(2);
    let mut intake = Intake::new(submitted, received, mpsc::channel(1).1, mpsc::channel(1).1, decoded);
    let begun = tokio::time::Instant::now();
    intake.gather_decoded(0, Duration::from_millis(2)).await;
    done.send(Decoded::Broken).await.unwrap();
    intake.gather_decoded(1, Duration::from_millis(2)).await;
    assert_eq!(begun.elapsed(), Duration::ZERO, "nothing to wait for, and what is there already");
    intake.gather_decoded(2, Duration::from_millis(2)).await;
    assert_eq!(begun.elapsed(), Duration::from_millis(2));
    assert_eq!(intake.taken().decoded.drain(..).count(), 1);
}
