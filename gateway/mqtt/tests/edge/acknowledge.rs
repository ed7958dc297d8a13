//! A1, A2: acknowledgement after commit, and only then.

use std::time::Duration;

use mqtt::Outcome;
use tokio::time::timeout;

use crate::client::{Client, PATIENCE};
use crate::world::{World, edge, limits};

const WAITS: Duration = Duration::from_millis(60);

#[tokio::test]
async fn an_ack_leaves_only_after_the_outcome() {
    for level in [4, 5] {
        for (flags, ack) in [(0b0010, 0x40), (0b0100, 0x50)] {
            let (edge, mut submissions) = edge(limits(), 8).await;
            let mut client = Client::connect(edge.local_addr(), level, "a").await;
            client.publish(flags, 7, "d/a/up", b"\x00\xff raw").await;
            let submission = submissions.recv().await.unwrap();
            assert_eq!((&*submission.device, &*submission.topic), ("a", "d/a/up"));
            assert_eq!(&submission.payload[..], b"\x00\xff raw");
            assert_eq!((submission.qos, submission.packet_id), (flags >> 1, Some(7)));
            assert_eq!((submission.dup, submission.level), (false, level));
            assert!(client.silent().await, "nothing before the outcome");
            submission.reply.settle(Outcome::Stored);
            assert_eq!(client.packet().await, [ack, 2, 0, 7]);
            if flags == 0b0100 {
                client.send(&[0x62, 2, 0, 7]).await;
                assert_eq!(client.packet().await, [0x70, 2, 0, 7]);
            }
        }
    }
}

#[tokio::test]
async fn qos_0_is_submitted_and_never_answered() {
    for level in [4, 5] {
        let (edge, mut submissions) = edge(limits(), 8).await;
        let mut client = Client::connect(edge.local_addr(), level, "a").await;
        for outcome in [Outcome::Stored, Outcome::Failed] {
            client.publish(0, 0, "d/a/up", b"1").await;
            let submission = submissions.recv().await.unwrap();
            assert_eq!((submission.qos, submission.packet_id), (0, None));
            submission.reply.settle(outcome);
        }
        assert!(client.silent().await);
        client.send(&[0xC0, 0]).await;
        assert_eq!(client.packet().await, [0xD0, 0], "still served");
    }
}

#[tokio::test]
async fn what_is_not_stored_is_not_acknowledged() {
    for payload in [&b"fail"[..], b"drop"] {
        for (level, flags) in [(4, 0b0010), (4, 0b0100), (5, 0b0010), (5, 0b0100)] {
            let world = World::start(limits()).await;
            let mut client = Client::connect(world.address, level, "a").await;
            client.publish(flags, 1, "d/a/up", payload).await;
            client.closed(0x97).await;
            let counters = world.end().await;
            assert_eq!((counters.not_stored, counters.acks_qos2, counters.acks_refused), (1, 0, 0));
        }
    }
}

#[tokio::test]
async fn a_repeat_is_acknowledged_again() {
    for level in [4, 5] {
        let world = World::start(limits()).await;
        let mut client = Client::connect(world.address, level, "a").await;
        client.publish(0b1010, 9, "d/a/up", b"again").await;
        assert_eq!(client.packet().await, [0x40, 2, 0, 9]);
        client.publish(0b1100, 10, "d/a/up", b"again").await;
        assert_eq!(client.packet().await, [0x50, 2, 0, 10]);
        world.end().await;
    }
}

#[tokio::test]
async fn evidence_is_acknowledged_with_its_reason() {
    let world = World::start(limits()).await;
    let mut old = Client::connect(world.address, 4, "a").await;
    old.publish(0b0010, 1, "d/a/up", b"evidence").await;
    assert_eq!(old.packet().await, [0x40, 2, 0, 1], "MQTT 3.1.1 would repeat it for ever");
    let mut new = Client::connect(world.address, 5, "b").await;
    for (flags, ack) in [(0b0010, 0x40), (0b0100, 0x50)] {
        new.publish(flags, 1, "d/b/up", b"evidence").await;
        let mut expected = vec![ack, 26, 0, 1, 0x99, 22, 0x1F, 0, 19];
        expected.extend(b"no number at /level");
        assert_eq!(new.packet().await, expected);
    }
    new.publish(0b0010, 2, "d/b/up", b"12.5").await;
    assert_eq!(new.packet().await, [0x40, 2, 0, 2], "the session goes on");
    assert_eq!(world.end().await.acks_refused, 3);
}

#[tokio::test]
async fn the_window_stops_the_reading() {
    let (edge, mut submissions) = edge(mqtt::Limits { window_frames_max: 4, ..limits() }, 100).await;
    let mut client = Client::connect(edge.local_addr(), 4, "a").await;
    for id in 1..=10 {
        client.publish(0b0010, id, "d/a/up", b"1").await;
    }
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(submissions.recv().await.unwrap());
    }
    assert!(timeout(WAITS, submissions.recv()).await.is_err(), "the fifth waits");
    assert_eq!(edge.counters().window_full, 1);
    for submission in held {
        submission.reply.settle(Outcome::Stored);
    }
    for id in 1..=10 {
        if id > 4 {
            submissions.recv().await.unwrap().reply.settle(Outcome::Stored);
        }
        assert_eq!(client.packet().await, [0x40, 2, 0, id]);
    }
}

#[tokio::test]
async fn the_window_counts_bytes_too() {
    let (edge, mut submissions) = edge(mqtt::Limits { window_bytes_max: 1000, ..limits() }, 100).await;
    let mut client = Client::connect(edge.local_addr(), 5, "a").await;
    for id in 1..=3 {
        client.publish(0b0010, id, "d/a/up", &[7; 600]).await;
    }
    let first = submissions.recv().await.unwrap();
    let _second = submissions.recv().await.unwrap();
    assert!(timeout(WAITS, submissions.recv()).await.is_err(), "the third waits");
    first.reply.settle(Outcome::Stored);
    assert_eq!(client.packet().await, [0x40, 2, 0, 1]);
    assert_eq!(submissions.recv().await.unwrap().packet_id, Some(3));
}

#[tokio::test]
async fn a_full_queue_holds_qos_1_back_and_sheds_qos_0() {
    let (edge, mut submissions) = edge(limits(), 1).await;
    let mut careful = Client::connect(edge.local_addr(), 4, "a").await;
    for id in 1..=3 {
        careful.publish(0b0010, id, "d/a/up", b"1").await;
    }
    let full = async {
        while edge.counters().queue_full < 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, full).await.unwrap();
    let mut careless = Client::connect(edge.local_addr(), 4, "b").await;
    careless.publish(0, 0, "d/b/up", b"1").await;
    careless.send(&[0xC0, 0]).await;
    assert_eq!(careless.packet().await, [0xD0, 0], "answered once the publish is shed");
    assert_eq!(edge.counters().shed, 1);
    for id in 1..=3 {
        submissions.recv().await.unwrap().reply.settle(Outcome::Stored);
        assert_eq!(careful.packet().await, [0x40, 2, 0, id], "late, and not lost");
    }
    let counters = edge.counters();
    assert_eq!((counters.received, counters.submitted, counters.shed), (4, 3, 1), "A3");
    let by_device: Vec<_> = counters.devices.iter().map(|d| (&*d.name, d.received, d.submitted, d.shed)).collect();
    assert_eq!(by_device, [("a", 3, 3, 0), ("b", 1, 0, 1)]);
}

#[tokio::test]
async fn a_publish_that_waits_when_its_session_ends_is_shed() {
    let (edge, _submissions) = edge(limits(), 1).await;
    let mut old = Client::connect(edge.local_addr(), 5, "a").await;
    old.publish(0b0010, 1, "d/a/up", b"1").await;
    old.publish(0b0010, 2, "d/a/up", b"2").await;
    let full = async {
        while edge.counters().queue_full < 1 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, full).await.unwrap();
    Client::connect(edge.local_addr(), 5, "a").await;
    old.closed(0x8E).await;
    let counters = edge.counters();
    let device = &counters.devices[0];
    assert_eq!((device.received, device.submitted, device.shed, device.refused), (2, 1, 1, 0), "A3");
    assert_eq!(counters.acks_qos1, 0, "A2");
}

#[tokio::test]
async fn a_release_of_an_earlier_connection_completes() {
    for level in [4, 5] {
        let world = World::start(limits()).await;
        let mut client = Client::connect(world.address, level, "a").await;
        client.publish(0b0100, 77, "d/a/up", b"1").await;
        assert_eq!(client.packet().await, [0x50, 2, 0, 77]);
        drop(client);
        let mut again = Client::connect(world.address, level, "a").await;
        again.send(&[0x62, 2, 0, 77]).await;
        assert_eq!(again.packet().await, [0x70, 2, 0, 77]);
        assert_eq!(world.end().await.releases, 1);
    }
}
