//! Sessions begin, are taken over, fall silent and end; the edge starts and stops.

use std::time::{Duration, Instant};

use mqtt::{Edge, EdgeError, Limits, Listener, Outcome, Routed};

use crate::client::{Client, Connect, publish, subscribe};
use crate::world::{World, commit, edge, limits, parts};

#[tokio::test]
async fn the_newer_connection_takes_over() {
    for level in [4, 5] {
        let world = World::start(limits()).await;
        let mut old = Client::connect(world.address, level, "a").await;
        old.send(&subscribe(level, 1, "d/a/down", 1)).await;
        old.packet().await;
        for _ in 0..20 {
            let mut new = Client::connect(world.address, level, "a").await;
            old.closed(0x8E).await;
            new.send(&subscribe(level, 1, "d/a/down", 1)).await;
            new.packet().await;
            assert_eq!(world.edge.publish("d/a/down", "hello".into()), Routed::To { subscribers: 1 });
            assert_eq!(new.packet().await, publish(level, 2, 1, "d/a/down", b"hello"));
            old = new;
        }
        old.publish(2, 1, "d/a/up", b"1").await;
        assert_eq!(old.packet().await, [0x40, 2, 0, 1]);
        let counters = world.end().await;
        assert_eq!((counters.takeover, counters.router), (20, 0));
    }
}

#[tokio::test]
async fn what_was_written_before_a_takeover_is_taken() {
    const ROUNDS: u64 = 100;
    let world = World::start(limits()).await;
    let mut old = Client::connect(world.address, 4, "a").await;
    for _ in 0..ROUNDS {
        let mut new = Client::dial(world.address, 4).await;
        // Both are there when the edge looks: the publish, and the connection that takes over.
        old.publish(0, 0, "d/a/up", b"1").await;
        new.send(&Connect::new(4, "a").bytes()).await;
        new.packet().await;
        old = new;
    }
    world.until("each publish of QoS 0 is taken", |c| c.publishes_qos0 == ROUNDS).await;
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_one_device() {
    let world = World::start(limits()).await;
    let mut tasks = Vec::new();
    for _ in 0..40 {
        let address = world.address;
        tasks.push(tokio::spawn(async move {
            let mut client = Client::dial(address, 4).await;
            client.send(&Connect::new(4, "a").bytes()).await;
            client.send(&subscribe(4, 1, "d/a/down", 1)).await;
            while client.next().await.is_some() {}
        }));
    }
    world.until("all but one were taken over", |c| c.connected == 41 && c.takeover == 39).await;
    assert_eq!(world.counters().sessions_now, 2);
    for task in &tasks {
        task.abort();
    }
    world.until("the last is gone", |c| c.sessions_now == 1).await;
    world.end().await;
}

#[tokio::test]
async fn silence_ends_a_session() {
    let idle_max = Duration::from_millis(400);
    let world = World::start(Limits { idle_max, ..limits() }).await;
    let address = world.address;
    let served = |name, level, keep_alive, allowed: Duration| async move {
        let start = Instant::now();
        let mut client = Client::dial(address, level).await;
        client.send(&Connect { keep_alive, ..Connect::new(level, name) }.bytes()).await;
        client.packet().await;
        tokio::time::sleep(allowed / 2).await;
        client.send(&[0xC0, 0]).await;
        assert_eq!(client.packet().await, [0xD0, 0]);
        client.closed(0x8D).await;
        assert!(start.elapsed() >= allowed * 3 / 2, "the ping counts: {:?}", start.elapsed());
    };
    let one_and_a_half = Duration::from_millis(1_500);
    tokio::join!(
        served("a", 4, 1, one_and_a_half),
        served("b", 5, 1, one_and_a_half),
        served("c", 4, 0, idle_max),
        served("d", 5, 0, idle_max),
    );
    assert_eq!(world.end().await.idle, 4);
}

#[tokio::test]
async fn a_goodbye_is_no_failure() {
    let world = World::start(limits()).await;
    for (level, bytes, due) in
        [(4, &[0xE0, 0][..], 0), (5, &[0xE0, 0], 0), (5, &[0xE0, 1, 4], 1), (5, &[0xE0, 2, 0, 0], 1)]
    {
        let mut client = Client::dial(world.address, level).await;
        client.send(&Connect { will: Some(("d/a/up", false)), ..Connect::new(level, "a") }.bytes()).await;
        client.packet().await;
        client.publish(0, 0, "d/a/up", b"last words").await;
        client.send(bytes).await;
        assert_eq!(client.next().await, None);
        assert_eq!(world.counters().wills_due, due);
    }
    let counters = world.end().await;
    assert_eq!((counters.publishes_qos0, counters.malformed), (4, 0), "what was sent before the goodbye counts");
}

#[tokio::test]
async fn stop_acknowledges_what_was_submitted() {
    for level in [4, 5] {
        let (edge, mut submissions) = edge(limits(), 8).await;
        let address = edge.local_addr();
        let mut client = Client::connect(address, level, "a").await;
        client.publish(2, 6, "d/a/up", b"1").await;
        let submission = submissions.recv().await.unwrap();
        let stopping = tokio::spawn(edge.stop());
        assert!(client.silent().await);
        submission.reply.settle(Outcome::Stored);
        assert_eq!(client.packet().await, [0x40, 2, 0, 6]);
        client.closed(0x8B).await;
        stopping.await.unwrap();
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is closed");
    }
}

#[tokio::test]
async fn a_stuck_committer_does_not_hold_the_stop() {
    let settle_wait = Duration::from_millis(50);
    let (edge, mut submissions) = edge(Limits { settle_wait, ..limits() }, 8).await;
    let mut client = Client::connect(edge.local_addr(), 5, "a").await;
    client.publish(2, 6, "d/a/up", b"1").await;
    let _held = submissions.recv().await.unwrap();
    let stopping = tokio::spawn(edge.stop());
    client.closed(0x8B).await;
    stopping.await.unwrap();
}

#[tokio::test]
async fn a_panic_ends_one_connection() {
    let (edge, submissions) = edge(limits(), 8).await;
    commit(submissions);
    let mut other = Client::connect(edge.local_addr(), 5, "a").await;
    let mut client = Client::dial(edge.local_addr(), 4).await;
    client.send(&Connect::new(4, "panic").bytes()).await;
    assert_eq!(client.next().await, None);
    other.publish(2, 1, "d/a/up", b"1").await;
    assert_eq!(other.packet().await, [0x40, 2, 0, 1]);
    let counters = edge.counters();
    assert_eq!((counters.panicked, counters.connections_now), (1, 1), "its slot is free again");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let (edge, _submissions) = edge(limits(), 1).await;
    let error = Listener::bind(edge.local_addr()).await.unwrap_err();
    assert!(matches!(error, EdgeError::AddressInUse { .. }));
    let text = error.to_string();
    assert!(text.contains(&edge.local_addr().to_string()) && text.contains("ss -ltnp"), "{text}");
}

#[tokio::test]
async fn a_limit_out_of_range_is_named() {
    let bad = Limits { connections_max: 5_000, ..limits() };
    let error = Edge::start(parts(bad, 1).await.0).unwrap_err();
    assert_eq!(error.to_string(), "MQTT limit connections_max is 5000; set it from 1 to 1000");
}
