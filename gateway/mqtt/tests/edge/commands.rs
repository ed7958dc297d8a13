//! Messages down to subscribed devices.

use mqtt::Routed;

use crate::client::{Client, Connect, packet, publish, string, subscribe, unsubscribe};
use crate::world::{World, limits};

#[tokio::test]
async fn a_command_reaches_the_device() {
    for level in [4, 5] {
        for qos in [0, 1, 2] {
            let world = World::start(limits()).await;
            let mut client = Client::connect(world.address, level, "a").await;
            assert_eq!(world.edge.publish("d/a/down", "early".into()), Routed::NoSubscriber);
            client.send(&subscribe(level, 3, "d/a/down", qos)).await;
            let granted = qos.min(1);
            let suback = client.packet().await;
            assert_eq!((suback[0], suback.last()), (0x90, Some(&granted)), "QoS 2 is granted as 1");
            assert_eq!(world.edge.publish("d/a/down", "open".into()), Routed::To { subscribers: 1 });
            assert_eq!(client.packet().await, publish(level, granted << 1, 1, "d/a/down", b"open"));
            if granted == 1 {
                client.send(&[0x40, 2, 0, 1]).await;
                world.until("the command is acknowledged", |c| c.acked_down == 1).await;
            }
            client.send(&unsubscribe(level, 4, "d/a/down")).await;
            assert_eq!(client.packet().await[0], 0xB0);
            assert_eq!(world.edge.publish("d/a/down", "late".into()), Routed::NoSubscriber);
            assert!(client.silent().await);
            world.end().await;
        }
    }
}

#[tokio::test]
async fn more_commands_than_the_router_forwards_at_once() {
    let world = World::start(limits()).await;
    let mut client = Client::connect(world.address, 4, "a").await;
    client.send(&subscribe(4, 1, "d/a/down", 1)).await;
    client.packet().await;
    // Above 200 the router unschedules the link until it is told to go on.
    for n in 0..500u16 {
        while world.edge.publish("d/a/down", n.to_be_bytes().to_vec().into()) == Routed::Busy {
            tokio::task::yield_now().await;
        }
    }
    for n in 0..500u16 {
        let bytes = client.packet().await;
        assert_eq!(bytes[bytes.len() - 2..], n.to_be_bytes(), "in order, none missing");
        client.send(&[0x40, 2, bytes[12], bytes[13]]).await;
    }
    assert_eq!(world.end().await.sent_down, 500);
}

#[tokio::test]
async fn a_device_that_acknowledges_nothing_gets_a_window() {
    let world = World::start(limits()).await;
    let mut client = Client::dial(world.address, 5).await;
    client.send(&Connect { properties: &[0x21, 0, 2, 0x27, 0, 0, 0, 64], ..Connect::new(5, "a") }.bytes()).await;
    client.packet().await;
    client.send(&subscribe(5, 1, "d/a/down", 1)).await;
    client.packet().await;
    world.edge.publish("d/a/down", vec![0; 100].into());
    for payload in ["1", "2", "3"] {
        world.edge.publish("d/a/down", payload.into());
    }
    for id in [1, 2] {
        assert_eq!(client.packet().await, publish(5, 2, id, "d/a/down", id.to_string().as_bytes()));
    }
    assert!(client.silent().await, "its Receive Maximum is 2");
    client.send(&[0x40, 2, 0, 2]).await;
    assert_eq!(client.packet().await, publish(5, 2, 3, "d/a/down", b"3"));
    assert_eq!(world.end().await.down_oversize, 1, "its Maximum Packet Size is 64");
}

#[tokio::test]
async fn a_stored_publish_is_copied_to_subscribers_without_its_properties() {
    // Row 6: in the stock router a user property ends the session of an MQTT 3.1.1 subscriber.
    let world = World::start(limits()).await;
    let mut old = Client::connect(world.address, 4, "a").await;
    old.send(&subscribe(4, 1, "shared", 0)).await;
    old.packet().await;
    let mut new = Client::connect(world.address, 5, "b").await;
    for (id, payload) in [(5, "12"), (6, "evidence"), (7, "again")] {
        let mut body = string("shared");
        body.extend([0, id, 7, 0x26, 0, 1, b'k', 0, 1, b'v']);
        body.extend(payload.bytes());
        new.send(&packet(0x32, &body)).await;
        assert_eq!(new.packet().await[3], id);
    }
    assert_eq!(old.packet().await, publish(4, 0, 0, "shared", b"12"));
    assert!(old.silent().await, "neither evidence nor a repeat is copied");
    assert_eq!(world.end().await.routed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_does_not_outlive_its_session() {
    let world = World::start(limits()).await;
    for _ in 0..5 {
        let mut old = Client::connect(world.address, 4, "a").await;
        old.send(&subscribe(4, 1, "d/a/down", 1)).await;
        old.packet().await;
        // The window of 16 is full and the router has unscheduled the link when the next connection takes over.
        for _ in 0..300 {
            while world.edge.publish("d/a/down", "old".into()) == Routed::Busy {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(old.packet().await, publish(4, 2, 1, "d/a/down", b"old"));
        let mut new = Client::connect(world.address, 4, "a").await;
        new.send(&subscribe(4, 1, "d/a/down", 1)).await;
        new.packet().await;
        world.edge.publish("d/a/down", "new".into());
        assert_eq!(new.packet().await, publish(4, 2, 1, "d/a/down", b"new"));
    }
    world.end().await;
}
