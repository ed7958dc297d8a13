//! Clients that speak for many devices: sets of topics, and nothing else.

use mqtt::{Command, CommandId, Event, Handed};

use crate::client::{Client, PATIENCE, publish, subscribe, unsubscribe};
use crate::world::{World, commit, limits, parts, remember};

#[tokio::test]
async fn a_server_publishes_to_its_set_and_is_told_only_that_it_was_taken() {
    let long = format!("e/{}/up", "7".repeat(128));
    for level in [4, 5] {
        let world = World::start(limits()).await;
        let mut server = Client::connect(world.address, level, "server").await;
        for (id, payload) in [(1, "12"), (2, "again"), (3, "discarded")] {
            server.send(&publish(level, 2, id, "e/7/up", payload.as_bytes())).await;
            assert_eq!(server.packet().await, [0x40, 2, 0, id as u8], "level {level} {payload}");
        }
        for topic in ["e/7/down", "e/up", "e/7/up/x", "d/server/up", "e/é/up", "e/a b/up", "e/+/up", "e/#/up", &long] {
            let before = world.counters().foreign_topic;
            let mut server = Client::connect(world.address, level, "server").await;
            server.send(&publish(level, 0, 0, topic, b"1")).await;
            server.closed(0x87).await;
            world.until(topic, |c| c.foreign_topic == before + 1).await;
        }
        world.end().await;
    }
}

#[tokio::test]
async fn a_reader_gets_of_its_set_what_it_asks_for() {
    let world = World::start(limits()).await;
    for (filter, got) in
        [("e/+/up", &["e/1/up", "e/2/up"][..]), ("e/2/up", &["e/2/up"]), ("e/#", &["e/1/up", "e/2/up"])]
    {
        let mut reader = Client::connect(world.address, 4, "reader").await;
        reader.send(&subscribe(4, 1, filter, 1)).await;
        assert_eq!(reader.packet().await, [0x90, 3, 0, 1, 1]);
        let mut server = Client::connect(world.address, 4, "server").await;
        for topic in ["e/1/up", "e/2/up"] {
            server.send(&publish(4, 2, 9, topic, b"42")).await;
            server.packet().await;
        }
        for (id, topic) in (1..).zip(got) {
            assert_eq!(reader.packet().await, publish(4, 2, id, topic, b"42"), "{filter}");
            reader.send(&[0x40, 2, 0, id as u8]).await;
        }
        assert!(reader.silent().await, "{filter}");
        reader.send(&unsubscribe(4, 2, filter)).await;
        assert_eq!(reader.packet().await[0], 0xB0);
        server.send(&publish(4, 2, 9, "e/2/up", b"43")).await;
        server.packet().await;
        assert!(reader.silent().await, "{filter}");
    }
    let mut reader = Client::connect(world.address, 5, "reader").await;
    reader.send(&publish(5, 2, 1, "e/1/up", b"1")).await;
    assert_eq!(reader.packet().await[4], 0x87, "it only reads");
    reader.closed(0x87).await;
    for filter in ["#", "+/1/up", "e/+/do", "d/bystander/up", "$SYS/#"] {
        let before = world.counters().subscribe_refused;
        let mut reader = Client::connect(world.address, 4, "reader").await;
        reader.send(&subscribe(4, 1, filter, 0)).await;
        assert_eq!(reader.packet().await, [0x90, 3, 0, 1, 0x80], "{filter}");
        reader.closed(0).await;
        world.until(filter, |c| c.subscribe_refused == before + 1).await;
    }
    world.end().await;
}

#[tokio::test]
async fn more_filters_than_a_session_holds_are_refused() {
    let world = World::start(limits()).await;
    let mut reader = Client::connect(world.address, 5, "reader").await;
    for n in 0..8 {
        reader.send(&subscribe(5, 1, &format!("e/{n}/up"), 0)).await;
        assert_eq!(reader.packet().await.last(), Some(&0));
    }
    reader.send(&subscribe(5, 1, "e/8/up", 0)).await;
    assert_eq!(reader.packet().await.last(), Some(&0x97), "quota exceeded");
    reader.closed(0x87).await;
    world.end().await;
}

#[tokio::test]
async fn commands_for_the_devices_of_a_server_have_topics_of_their_own() {
    let (parts, submissions, changes, mut events) = parts(limits(), 8).await;
    tokio::spawn(remember(changes));
    commit(submissions);
    let edge = mqtt::Edge::start(parts).unwrap();
    let command =
        |id, topic: &str| Command { id: CommandId(id), topic: Some(topic.into()), payload: "open".into(), qos: 1 };
    assert_eq!(edge.send("server", command(1, "e/1/do")), Handed::NotListening);
    let mut server = Client::connect(edge.local_addr(), 5, "server").await;
    server.send(&subscribe(5, 1, "$share/all/e/+/do", 1)).await;
    assert_eq!(server.packet().await.last(), Some(&1), "alone in its share");
    let listening = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    assert_eq!(listening, Some(Event::Listening { device: "server".into() }));
    assert_eq!(edge.send("server", command(1, "e/1/do")), Handed::Over);
    assert_eq!(server.packet().await, publish(5, 2, 1, "e/1/do", b"open"));
    server.send(&[0x40, 2, 0, 1]).await;
    let delivered = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap();
    assert_eq!(delivered, Some(Event::Delivered { device: "server".into(), id: CommandId(1) }));
    edge.send("server", command(2, "d/a/do"));
    assert!(server.silent().await, "a topic of somebody else");
    edge.stop().await;
}
