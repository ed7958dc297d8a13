//! CONNECT: who is let in, and what the others are told.

use mqtt::{STRANGERS_MAX, StrangerName, Unknown};

use crate::client::{Client, Connect, packet, string};
use crate::world::{World, limits};

/// Sends `connect` and returns the answer, which must be followed by the end of the stream.
async fn refused(world: &World, level: u8, connect: &[u8]) -> Vec<u8> {
    let mut client = Client::dial(world.address, level).await;
    client.send(connect).await;
    let answer = client.next().await.unwrap_or_default();
    assert_eq!(client.next().await, None);
    answer
}

async fn check(connect: impl Fn(u8) -> Connect<'static>, v4: u8, v5: u8, counted: &str) {
    let world = World::start(limits()).await;
    for _ in 0..2 {
        assert_eq!(refused(&world, 4, &connect(4).bytes()).await, [0x20, 2, 0, v4]);
        let answer = refused(&world, 5, &connect(5).bytes()).await;
        assert_eq!((answer[0], answer[2], answer[3], answer[5]), (0x20, 0, v5, 0x1F), "{answer:02x?}");
    }
    let counters = world.end().await;
    let counts: Vec<_> = counters.totals().filter(|(name, n)| *name == counted && *n == 4).collect();
    assert_eq!(counts, [(counters.totals().find(|(name, _)| *name == counted).unwrap().0, 4)]);
}

#[tokio::test]
async fn a_wrong_password() {
    check(|level| Connect { password: Some("guess"), ..Connect::new(level, "a") }, 5, 0x86, "bad_password").await;
    check(|level| Connect { password: None, ..Connect::new(level, "a") }, 5, 0x86, "bad_password").await;
}

#[tokio::test]
async fn an_unknown_device() {
    check(|level| Connect::new(level, "x1"), 5, 0x86, "unknown_device").await;
}

#[tokio::test]
async fn a_client_id_of_somebody_else() {
    check(|level| Connect { user: Some("b"), ..Connect::new(level, "a") }, 5, 0x87, "client_id_mismatch").await;
    check(|level| Connect { user: None, ..Connect::new(level, "a") }, 5, 0x87, "client_id_mismatch").await;
}

#[tokio::test]
async fn a_client_id_that_would_poison_the_stock_listener() {
    check(|level| Connect::new(level, "a+b"), 5, 0x85, "client_id_invalid").await;
    check(|level| Connect::new(level, "@watch"), 5, 0x85, "client_id_invalid").await;
    check(|level| Connect::new(level, ""), 2, 0x85, "client_id_invalid").await;
}

#[tokio::test]
async fn who_is_not_let_in_is_remembered_by_name_and_cause() {
    let world = World::start(limits()).await;
    let long = "n".repeat(200);
    let tries = [
        Connect::new(4, "x1"),
        Connect::new(5, "x1"),
        Connect { user: None, ..Connect::new(4, "x1") },
        Connect { password: Some("guess"), ..Connect::new(4, "a") },
        Connect { user: Some("b"), ..Connect::new(5, "a") },
        Connect { user: Some("root\u{1b}[2J"), ..Connect::new(4, "a+b") },
        Connect::new(4, &long),
        Connect { will: Some(("d/b/up", false)), ..Connect::new(4, "a") },
    ];
    for connect in &tries {
        refused(&world, connect.level, &connect.bytes()).await;
    }
    let listed: Vec<_> =
        world.edge.strangers().into_iter().map(|stranger| (stranger.name, stranger.connects)).collect();
    let known = |client_id: &str, user: Option<&str>, why, connects| {
        (StrangerName { client_id: client_id.into(), user: user.map(str::to_owned), why }, connects)
    };
    let cut = &long[..64];
    let expected = [
        known("a", Some("a"), Unknown::Secret, 1),
        known("a", Some("b"), Unknown::Identity, 1),
        known("a+b", Some("root\u{fffd}[2J"), Unknown::ClientId, 1),
        known(cut, Some(cut), Unknown::ClientId, 1),
        known("x1", None, Unknown::Device, 1),
        known("x1", Some("x1"), Unknown::Device, 2),
    ];
    assert_eq!(listed, expected, "a will that is refused is a known device's");
    for n in 0..STRANGERS_MAX {
        refused(&world, 4, &Connect::new(4, &format!("x-{n}")).bytes()).await;
    }
    let listed = world.edge.strangers();
    assert_eq!(listed.len(), STRANGERS_MAX);
    assert!(listed.iter().all(|stranger| stranger.name.client_id.starts_with("x-")), "the oldest made room");
    world.end().await;
}

#[tokio::test]
async fn a_will_for_somebody_else_or_retained() {
    let will = |will| move |level| Connect { will: Some(will), ..Connect::new(level, "a") };
    check(will(("d/b/up", false)), 5, 0x87, "will_refused").await;
    check(will(("é/up", false)), 5, 0x87, "will_refused").await;
    check(will(("d/a/up", true)), 5, 0x9A, "will_refused").await;
}

#[tokio::test]
async fn an_authentication_method() {
    let world = World::start(limits()).await;
    let connect = Connect { properties: b"\x15\x00\x05SCRAM", ..Connect::new(5, "a") };
    assert_eq!(refused(&world, 5, &connect.bytes()).await[3], 0x8C);
    assert_eq!(world.end().await.auth_method_refused, 1);
}

#[tokio::test]
async fn another_protocol_level() {
    let world = World::start(limits()).await;
    let answer = refused(&world, 5, &Connect::new(6, "a").bytes()).await;
    assert_eq!((answer[0], answer[2], answer[3]), (0x20, 0, 0x84));
    assert_eq!(refused(&world, 4, &Connect::new(3, "a").bytes()).await, [0x20, 2, 0, 1]);
    assert_eq!(refused(&world, 4, &Connect::new(0x84, "a").bytes()).await, [0x20, 2, 0, 1], "a bridge");
    let mut old = string("MQIsdp");
    old.extend([3, 2, 0, 60]);
    old.extend(string("a"));
    assert_eq!(refused(&world, 4, &packet(0x10, &old)).await, [0x20, 2, 0, 1]);
    assert_eq!(world.end().await.level_refused, 4);
}

#[tokio::test]
async fn what_is_no_connect() {
    let world = World::start(limits()).await;
    let mut reserved = Connect::new(4, "a").bytes();
    reserved[9] |= 1;
    let mut cut = Connect::new(4, "a").bytes();
    cut.truncate(cut.len() - 3);
    cut[1] -= 3;
    let bad: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        &reserved,
        &cut,
        &[0x10, 0],
    ];
    for bytes in bad {
        assert_eq!(refused(&world, 4, bytes).await, b"", "{bytes:02x?}");
    }
    let mut lying = Connect::new(5, "a").bytes();
    lying[12] = 0x7F;
    assert_eq!(refused(&world, 5, &lying).await[3], 0x81, "a property length beyond the packet");
    assert_eq!(refused(&world, 4, &[0x10, 0x80, 0x80, 0x10]).await, b"", "256 KiB announced");
    let counters = world.end().await;
    assert_eq!((counters.malformed, counters.oversize), (7, 1));
}

#[tokio::test]
async fn what_mqtt_5_is_told() {
    let world = World::start(limits()).await;
    let mut client = Client::dial(world.address, 5).await;
    client.send(&Connect { keep_alive: 0, will: Some(("d/a/up", false)), ..Connect::new(5, "a") }.bytes()).await;
    let expected = [
        0x20, 29, 0, 0, 26, 0x11, 0, 0, 0, 0, 0x21, 0, 64, 0x25, 0, 0x27, 0, 1, 0, 0, 0x22, 0, 0, 0x28, 0, 0x29, 0,
        0x2A, 0, 0x13, 0x09, 0x60,
    ];
    let answer = client.packet().await;
    assert_eq!(answer[5..], expected[5..], "{answer:02x?}");
    assert_eq!((usize::from(answer[1]), usize::from(answer[4])), (answer.len() - 2, answer.len() - 5));
    drop(client);
    world.until("the will is due", |c| c.wills_due == 1).await;
    assert_eq!(world.end().await.wills_declared, 1);
}
