//! Floods: too fast, too much, too many passwords. A bystander publishes all the while and must not notice.

use std::time::{Duration, Instant};

use mqtt::{Limits, Outcome};
use tokio::time::timeout;

use crate::client::{Client, Connect, PATIENCE};
use crate::world::{World, edge, limits};

#[tokio::test]
async fn a_device_ahead_of_its_rate_is_held_back_and_loses_nothing() {
    let world = World::start(Limits { packets_per_second_max: 500, ..limits() }).await;
    let start = Instant::now();
    let mut client = Client::connect(world.address, 4, "a").await;
    for id in 1..=900u16 {
        client.publish(0b0010, id, "d/a/up", b"1").await;
        // The rate is the device's, not the connection's.
        if id == 450 {
            for id in 1..=450u16 {
                assert_eq!(client.packet().await, [0x40, 2, (id >> 8) as u8, id as u8]);
            }
            client = Client::connect(world.address, 4, "a").await;
        }
    }
    for id in 451..=900u16 {
        assert_eq!(client.packet().await, [0x40, 2, (id >> 8) as u8, id as u8]);
    }
    assert!(start.elapsed() >= Duration::from_millis(700), "one second's worth at once, the rest at 500/s");
    let counters = world.end().await;
    assert!(counters.paced > 0);
    assert_eq!(counters.shed, 0);
}

#[tokio::test]
async fn the_queue_counts_bytes() {
    let limits = Limits { packet_bytes_max: 1_000, queue_bytes_max: 1_500, ..limits() };
    let (edge, mut submissions) = edge(limits, 100).await;
    let mut one = Client::connect(edge.local_addr(), 4, "a").await;
    let mut two = Client::connect(edge.local_addr(), 4, "b").await;
    one.publish(2, 1, "d/a/up", &[7; 900]).await;
    let first = submissions.recv().await.unwrap();
    two.publish(2, 1, "d/b/up", &[7; 900]).await;
    assert!(timeout(Duration::from_millis(60), submissions.recv()).await.is_err(), "the second waits for the first");
    first.reply.settle(Outcome::Stored);
    let second = timeout(PATIENCE, submissions.recv()).await.unwrap().unwrap();
    assert_eq!(&*second.device, "b");
    second.reply.settle(Outcome::Stored);
    assert_eq!((one.packet().await, two.packet().await), (vec![0x40, 2, 0, 1], vec![0x40, 2, 0, 1]));
}

#[tokio::test]
async fn wrong_passwords_delay_nobody() {
    let world = World::start(limits()).await;
    let mut attackers = Vec::new();
    for n in 0..200 {
        let mut client = Client::dial(world.address, 5).await;
        let name = format!("slow{n}");
        client.send(&Connect { password: Some("guess"), ..Connect::new(5, &name) }.bytes()).await;
        attackers.push(client);
    }
    // One whose proof costs nothing passes them all.
    let mut quick = Client::connect(world.address, 5, "a").await;
    quick.publish(2, 1, "d/a/up", b"1").await;
    assert_eq!(quick.packet().await, [0x40, 2, 0, 1]);
    let mut told = [0; 2];
    for mut client in attackers {
        match client.next().await.as_deref() {
            Some([0x20, _, 0, 0x86, ..]) => told[0] += 1,
            Some([0x20, _, 0, 0x89, ..]) => told[1] += 1,
            None => told[0] += 0,
            other => panic!("{other:02x?}"),
        }
    }
    assert!(told[0] > 0 && told[1] > 0, "some are refused, the others told to come again: {told:?}");
    Client::connect(world.address, 5, "slow").await;
    let counters = world.end().await;
    assert!(counters.proof_busy >= told[1]);
}
