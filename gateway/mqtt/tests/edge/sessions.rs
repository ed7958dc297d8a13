//! Sessions that outlive their connection, and commands that survive it.

use std::time::Duration;

use mqtt::{Command, CommandId, Edge, Event, Handed, Limits, StoredSession};
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;

use crate::client::{Client, Connect, PATIENCE, packet, publish, string, subscribe, unsubscribe};
use crate::world::{commit, limits, parts, remember};

/// Connects for a session of 60 s that may be there already, and says whether it was.
async fn connect(edge: &Edge, level: u8) -> (Client, bool) {
    let mut client = Client::dial(edge.local_addr(), level).await;
    let properties: &[u8] = if level == 5 { &[0x11, 0, 0, 0, 60] } else { &[] };
    client.send(&Connect { clean: false, properties, ..Connect::new(level, "a") }.bytes()).await;
    let connack = client.packet().await;
    assert_eq!((connack[0], connack[3]), (0x20, 0), "{connack:02x?}");
    (client, connack[2] == 1)
}

async fn next(events: &mut Receiver<Event>) -> Event {
    timeout(PATIENCE, events.recv()).await.unwrap().unwrap()
}

fn listening() -> Event {
    Event::Listening { device: "a".into() }
}

fn command(id: u64, payload: bytes::Bytes, qos: u8) -> Command {
    Command { id: CommandId(id), topic: None, payload, qos }
}

fn delivered(id: u64) -> Event {
    Event::Delivered { device: "a".into(), id: CommandId(id) }
}

#[tokio::test]
async fn a_session_waits_for_its_device() {
    for level in [4, 5] {
        let (parts, submissions, changes, mut events) = parts(limits(), 8).await;
        commit(submissions);
        tokio::spawn(remember(changes));
        let edge = Edge::start(parts).unwrap();
        let (mut client, present) = connect(&edge, level).await;
        assert!(!present);
        client.send(&subscribe(level, 1, "d/a/do", 1)).await;
        client.packet().await;
        assert_eq!(next(&mut events).await, listening());
        assert_eq!(edge.send("a", command(7, "open".into(), 1)), Handed::Over);
        assert_eq!(client.packet().await, publish(level, 2, 1, "d/a/do", b"open"));
        assert_eq!(edge.send("a", command(7, "open".into(), 1)), Handed::Over, "and is not sent twice");
        assert!(client.silent().await);
        drop(client);
        let (mut client, present) = connect(&edge, level).await;
        assert!(present, "MQTT {level}");
        assert_eq!(next(&mut events).await, listening(), "without subscribing again");
        edge.send("a", command(8, "next".into(), 1));
        edge.send("a", command(7, "open".into(), 1));
        assert_eq!(client.packet().await, publish(level, 2, 2, "d/a/do", b"next"), "1 means the open one");
        assert_eq!(client.packet().await, publish(level, 0b1010, 1, "d/a/do", b"open"), "DUP");
        client.send(&[0x40, 2, 0, 1]).await;
        assert_eq!(next(&mut events).await, delivered(7));
        client.send(&[0x40, 2, 0, 2]).await;
        assert_eq!(next(&mut events).await, delivered(8));
        client.send(&unsubscribe(level, 3, "d/a/do")).await;
        client.packet().await;
        assert_eq!(edge.send("a", command(9, "late".into(), 1)), Handed::NotListening);
        let mut clean = Client::connect(edge.local_addr(), level, "a").await;
        assert_eq!(edge.counters().sessions_kept, 0, "a clean start ends it");
        clean.send(&[0xE0, 0]).await;
        assert!(!connect(&edge, level).await.1);
    }
}

#[tokio::test]
async fn a_session_is_stored_before_it_is_promised() {
    let (parts, _submissions, mut changes, _events) = parts(limits(), 8).await;
    let edge = Edge::start(parts).unwrap();
    let mut client = Client::dial(edge.local_addr(), 4).await;
    client.send(&Connect { clean: false, ..Connect::new(4, "a") }.bytes()).await;
    let change = changes.recv().await.unwrap();
    assert!(client.silent().await, "no CONNACK before it is stored");
    let kept_s = 7 * 24 * 3_600_u32;
    assert_eq!((&*change.device, &change.state[1..]), ("a", &[&kept_s.to_be_bytes()[..], &[0]].concat()[..]));
    change.reply.stored();
    assert_eq!(client.packet().await, [0x20, 2, 0, 0]);
    client.send(&subscribe(4, 1, "d/a/do", 1)).await;
    let change = changes.recv().await.unwrap();
    assert!(client.silent().await, "no SUBACK before it is stored");
    let state = change.state.clone();
    change.reply.stored();
    assert_eq!(client.packet().await, [0x90, 3, 0, 1, 1]);
    client.send(&unsubscribe(4, 2, "d/a/do")).await;
    drop(changes.recv().await.unwrap());
    client.closed(0).await;
    let mut other = Client::dial(edge.local_addr(), 5).await;
    other.send(&Connect { properties: &[0x11, 0, 0, 0, 9], ..Connect::new(5, "b") }.bytes()).await;
    drop(changes.recv().await.unwrap());
    assert_eq!(other.packet().await[3], 0x88, "it could not be stored");
    assert_eq!(edge.counters().sessions_not_stored, 2);
    edge.stop().await;
    check_restart(state).await;
}

/// After a restart of the daemon the session is there, and its subscription works.
async fn check_restart(state: Vec<u8>) {
    let (mut parts, _submissions, changes, mut events) = parts(limits(), 8).await;
    parts.stored = vec![
        StoredSession { device: "a".into(), state },
        StoredSession { device: "b".into(), state: b"of another age".to_vec() },
    ];
    tokio::spawn(remember(changes));
    let edge = Edge::start(parts).unwrap();
    let (mut client, present) = connect(&edge, 4).await;
    assert!(present);
    assert_eq!(next(&mut events).await, listening());
    edge.send("a", command(1, "go".into(), 0));
    assert_eq!(client.packet().await, publish(4, 0, 0, "d/a/do", b"go"));
    assert_eq!(next(&mut events).await, Event::Unconfirmed { device: "a".into(), id: CommandId(1) });
}

#[tokio::test]
async fn a_session_lapses() {
    let limits = Limits { session_expiry_max: Duration::from_secs(1), ..limits() };
    let (parts, _submissions, mut changes, _events) = parts(limits, 8).await;
    let edge = Edge::start(parts).unwrap();
    let mut client = Client::dial(edge.local_addr(), 5).await;
    client
        .send(&Connect { clean: false, properties: &[0x11, 0xFF, 0xFF, 0xFF, 0xFF], ..Connect::new(5, "a") }.bytes())
        .await;
    changes.recv().await.unwrap().reply.stored();
    assert_eq!(client.packet().await[5..10], [0x11, 0, 0, 0, 1], "what was granted");
    drop(client);
    let gone = timeout(PATIENCE, changes.recv()).await.unwrap().unwrap();
    assert_eq!((&*gone.device, &gone.state[..]), ("a", &b""[..]));
    assert_eq!(edge.counters().sessions_kept, 0);
}

#[tokio::test]
async fn a_disconnect_changes_the_expiry() {
    let (parts, _submissions, mut changes, _events) = parts(limits(), 8).await;
    let edge = Edge::start(parts).unwrap();
    let mut client = Client::dial(edge.local_addr(), 5).await;
    client.send(&Connect { properties: &[0x11, 0, 0, 0, 60], ..Connect::new(5, "a") }.bytes()).await;
    changes.recv().await.unwrap().reply.stored();
    client.packet().await;
    client.send(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 0]).await;
    let change = changes.recv().await.unwrap();
    assert!(change.state.is_empty());
    change.reply.stored();
    let mut zero = Client::connect(edge.local_addr(), 5, "b").await;
    zero.send(&[0xE0, 7, 0, 5, 0x11, 0, 0, 0, 9]).await;
    zero.closed(0x82).await;
    let mut lying = Client::connect(edge.local_addr(), 5, "c").await;
    lying.send(&[0xE0, 6, 0, 5, 0x11, 0, 0, 0]).await;
    lying.closed(0x81).await;
}

#[tokio::test]
async fn a_command_that_the_device_refuses_or_cannot_take() {
    let (parts, _submissions, changes, mut events) = parts(limits(), 8).await;
    tokio::spawn(remember(changes));
    let edge = Edge::start(parts).unwrap();
    let mut client = Client::dial(edge.local_addr(), 5).await;
    client.send(&Connect { properties: &[0x27, 0, 0, 0, 64], ..Connect::new(5, "a") }.bytes()).await;
    client.packet().await;
    client.send(&subscribe(5, 1, "d/a/do", 1)).await;
    client.packet().await;
    assert_eq!(next(&mut events).await, listening());
    assert_eq!(edge.send("a", command(1, vec![0; 5_000].into(), 1)), Handed::TooLong);
    assert_eq!(edge.send("nobody", command(1, "x".into(), 1)), Handed::NotListening);
    edge.send("a", command(2, vec![0; 100].into(), 1));
    assert_eq!(next(&mut events).await, Event::Oversize { device: "a".into(), id: CommandId(2) });
    edge.send("a", command(3, "no".into(), 1));
    assert_eq!(client.packet().await[0], 0x32);
    client.send(&[0x40, 4, 0, 1, 0x83, 0]).await;
    assert_eq!(next(&mut events).await, Event::Refused { device: "a".into(), id: CommandId(3), code: 0x83 });
}

#[tokio::test]
async fn an_unreleased_publish_is_the_same_message() {
    let (parts, mut submissions, changes, _events) = parts(limits(), 8).await;
    tokio::spawn(remember(changes));
    let edge = Edge::start(parts).unwrap();
    let (mut client, _) = connect(&edge, 4).await;
    client.publish(4, 9, "d/a/up", b"21.5").await;
    let first = submissions.recv().await.unwrap();
    assert!(!first.dup);
    first.reply.settle(mqtt::Outcome::Stored);
    assert_eq!(client.packet().await, [0x50, 2, 0, 9]);
    drop(client);
    let (mut client, present) = connect(&edge, 4).await;
    assert!(present);
    client.publish(4, 9, "d/a/up", b"21.5").await;
    let again = submissions.recv().await.unwrap();
    assert!(again.dup, "whether the client says so or not");
    again.reply.settle(mqtt::Outcome::Duplicate);
    assert_eq!(client.packet().await, [0x50, 2, 0, 9]);
    client.send(&[0x62, 2, 0, 9]).await;
    assert_eq!(client.packet().await, [0x70, 2, 0, 9]);
    client.publish(4, 9, "d/a/up", b"21.5").await;
    assert!(!submissions.recv().await.unwrap().dup, "released, the identifier is free");
}

#[tokio::test]
async fn a_will_of_a_kept_session_waits_for_its_device() {
    let (parts, mut submissions, changes, _events) = parts(limits(), 8).await;
    tokio::spawn(remember(changes));
    let edge = Edge::start(parts).unwrap();
    // Will Delay Interval 1 s, Session Expiry Interval 60 s.
    let mut body = string("MQTT");
    body.extend([5, 0xC4 | 0x02, 0, 60, 5, 0x11, 0, 0, 0, 60]);
    body.extend(string("a"));
    body.extend([5, 0x18, 0, 0, 0, 1]);
    for text in ["d/a/up", "gone", "a", "secret"] {
        body.extend(string(text));
    }
    let mut client = Client::dial(edge.local_addr(), 5).await;
    client.send(&packet(0x10, &body)).await;
    assert_eq!(client.packet().await[3], 0);
    drop(client);
    let will = timeout(PATIENCE, submissions.recv()).await.unwrap().unwrap();
    assert!(will.will && &will.payload[..] == b"gone");
}
