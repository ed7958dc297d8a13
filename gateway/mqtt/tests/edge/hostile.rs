//! Hostile or merely unlucky clients; a bystander publishes all the while and must not notice.

use std::time::Duration;

use mqtt::Limits;

use crate::client::{Client, Connect, packet, publish, string, subscribe};
use crate::world::{World, limits};

/// An authenticated client of `level` sends `bytes`; its connection ends with `code`, one `counted`.
async fn check(level: u8, bytes: &[u8], code: u8, counted: &str) {
    let world = World::start(limits()).await;
    let mut client = Client::connect(world.address, level, "a").await;
    client.send(bytes).await;
    client.closed(code).await;
    Client::connect(world.address, level, "a").await;
    let counters = world.end().await;
    let count = counters.totals().find(|(name, _)| *name == counted).unwrap().1;
    assert_eq!(count, 1, "{counted}: {counters:#?}");
}

#[tokio::test]
async fn a_topic_that_is_not_ascii() {
    check(4, &publish(4, 0, 0, "é/up", b"1"), 0, "foreign_topic").await;
    check(5, &publish(5, 0, 0, "é/up", b"1"), 0x87, "foreign_topic").await;
}

#[tokio::test]
async fn a_foreign_topic_at_every_qos() {
    for topic in ["d/b/up", "d/a/up/", "D/a/up", "", "$SYS/x", &"t".repeat(1000)] {
        check(4, &publish(4, 2, 1, topic, b"1"), 0, "foreign_topic").await;
    }
    let world = World::start(limits()).await;
    for (flags, ack) in [(2, 0x40), (4, 0x50)] {
        let mut client = Client::connect(world.address, 5, "a").await;
        client.publish(flags, 9, "d/b/up", b"1").await;
        let bytes = client.packet().await;
        assert_eq!((bytes[0], &bytes[2..5]), (ack, &[0, 9, 0x87][..]));
        client.closed(0x87).await;
    }
    let counters = world.end().await;
    assert_eq!((counters.foreign_topic, counters.refused), (2, 2));
}

#[tokio::test]
async fn a_retained_publish() {
    check(4, &publish(4, 1, 0, "d/a/up", b"1"), 0, "retain_refused").await;
    check(5, &publish(5, 1, 0, "d/a/up", b"1"), 0x9A, "retain_refused").await;
}

#[tokio::test]
async fn a_topic_alias() {
    let mut body = string("d/a/up");
    body.extend([3, 0x23, 0, 1, b'1']);
    check(5, &packet(0x30, &body), 0x94, "topic_alias_refused").await;
}

#[tokio::test]
async fn a_foreign_subscription() {
    for (filter, v5) in [("#", 0xA2), ("d/+/down", 0xA2), ("d/b/down", 0x87), ("$share/g/t/#", 0x9E), ("d/a/up", 0x87)]
    {
        let world = World::start(limits()).await;
        let mut old = Client::connect(world.address, 4, "a").await;
        old.send(&subscribe(4, 5, filter, 1)).await;
        assert_eq!(old.packet().await, [0x90, 3, 0, 5, 0x80]);
        old.closed(0).await;
        let mut new = Client::connect(world.address, 5, "b").await;
        new.send(&subscribe(5, 5, filter.replace("d/b/", "d/a/").as_str(), 1)).await;
        assert_eq!(new.packet().await, [0x90, 4, 0, 5, 0, v5]);
        new.closed(0x87).await;
        assert_eq!(world.end().await.subscribe_refused, 2);
    }
}

#[tokio::test]
async fn packets_that_only_a_server_sends() {
    // Row 5 is the UNSUBACK: the codec would panic.
    for bytes in [&[0xB0, 2, 0, 1][..], &[0x20, 2, 0, 0], &[0x90, 3, 0, 1, 0], &[0xD0, 0], &[0x00, 0], &[0xF0, 0]] {
        check(4, bytes, 0, "malformed").await;
        check(5, bytes, 0x81, "malformed").await;
    }
}

#[tokio::test]
async fn packets_at_the_wrong_moment() {
    check(4, &[0x40, 2, 0, 1], 0, "protocol_error").await;
    check(5, &[0x40, 2, 0, 1], 0x82, "protocol_error").await;
    check(5, &[0x50, 2, 0, 1], 0x82, "protocol_error").await;
    check(4, &Connect::new(4, "a").bytes(), 0, "protocol_error").await;
    let mut with_id = vec![0, 1, 2, 0x0B, 5];
    with_id.extend(string("d/a/down"));
    with_id.push(0);
    check(5, &packet(0x82, &with_id), 0xA1, "protocol_error").await;
}

#[tokio::test]
async fn malformed_packets() {
    let lying_topic = [0x32, 4, 0xFF, 0xFF, b'd', b'/'];
    let no_properties = [0x30, 3, 0, 1, b'd'];
    let id_0 = publish(4, 2, 0, "d/a/up", b"1");
    let qos_3 = publish(4, 6, 1, "d/a/up", b"1");
    let dup_at_qos_0 = publish(4, 8, 0, "d/a/up", b"1");
    for bytes in [&lying_topic[..], &id_0, &qos_3, &dup_at_qos_0, &[0x82, 2, 0, 1], &[0xC0, 1, 0], &[0x30, 0]] {
        check(4, bytes, 0, "malformed").await;
    }
    for bytes in [&lying_topic[..], &no_properties, &[0x62, 1, 0], &[0xA2, 3, 0, 1, 0]] {
        check(5, bytes, 0x81, "malformed").await;
    }
}

#[tokio::test]
async fn an_oversize_packet_is_refused_by_its_length() {
    check(4, &[0x30, 0x80, 0x80, 0x04], 0, "oversize").await;
    check(5, &[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95, "oversize").await;
}

#[tokio::test]
async fn the_largest_packet_passes_in_pieces() {
    let world = World::start(limits()).await;
    let mut client = Client::connect(world.address, 4, "a").await;
    let payload = vec![b'p'; 64 * 1024 - 4 - 2 - 6 - 2];
    let bytes = publish(4, 2, 1, "d/a/up", &payload);
    assert_eq!(bytes.len(), 64 * 1024);
    for piece in bytes.chunks(10_000) {
        client.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(client.packet().await, [0x40, 2, 0, 1]);
    for byte in publish(4, 2, 2, "d/a/up", b"byte by byte") {
        client.send(&[byte]).await;
    }
    assert_eq!(client.packet().await, [0x40, 2, 0, 2]);
    world.end().await;
}

#[tokio::test]
async fn qos_2_without_release_is_committed_and_forgotten() {
    let world = World::start(limits()).await;
    let mut client = Client::connect(world.address, 4, "a").await;
    for id in 1..=2_000u16 {
        client.publish(4, id, "d/a/up", &[7; 4_000]).await;
        assert_eq!(client.packet().await, [0x50, 2, (id >> 8) as u8, id as u8]);
    }
    assert_eq!(world.end().await.acks_qos2, 2_000);
}

#[tokio::test]
async fn sixty_silent_sockets() {
    let world = World::start(Limits { connect_timeout: Duration::from_millis(300), ..limits() }).await;
    let mut silent = Vec::new();
    for _ in 0..60 {
        silent.push(Client::dial(world.address, 4).await);
    }
    Client::connect(world.address, 5, "a").await;
    for mut client in silent {
        assert_eq!(client.next().await, None);
    }
    world.until("all are gone", |c| c.connections_now <= 2).await;
    assert_eq!(world.end().await.connect_timeout, 60);
}

#[tokio::test]
async fn connections_above_the_maximum() {
    let world = World::start(Limits { connections_max: 3, ..limits() }).await;
    let one = Client::connect(world.address, 4, "a").await;
    let _two = Client::connect(world.address, 4, "b").await;
    for _ in 0..5 {
        let mut refused = Client::dial(world.address, 4).await;
        refused.send(&Connect::new(4, "c").bytes()).await;
        assert_eq!(refused.next().await, None);
    }
    drop(one);
    world.until("a slot is free", |c| c.connections_now == 2).await;
    Client::connect(world.address, 4, "c").await;
    assert_eq!(world.end().await.connections_full, 5);
}

#[tokio::test]
async fn a_client_that_does_not_read() {
    let stall = Duration::from_millis(200);
    let world = World::start(Limits { write_stall_max: stall, packets_per_second_max: 1_000_000, ..limits() }).await;
    let mut client = Client::connect(world.address, 4, "a").await;
    let pings: Vec<u8> = [0xC0, 0].repeat(32 * 1024);
    let flood = async {
        loop {
            client.send(&pings).await;
            if client.stream.peer_addr().is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = flood => {}
        () = world.until("the stalled client is closed", |c| c.write_stalled == 1) => {}
    }
    world.end().await;
}
