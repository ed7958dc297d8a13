//! Wills become frames of their device.

use tokio::time::timeout;

use crate::client::{Client, Connect, PATIENCE};
use crate::world::{edge, limits};

async fn with_will(edge: &mqtt::Edge, level: u8) -> Client {
    let mut client = Client::dial(edge.local_addr(), level).await;
    client.send(&Connect { will: Some(("d/a/up", false)), ..Connect::new(level, "a") }.bytes()).await;
    client.packet().await;
    client
}

#[tokio::test]
async fn a_lost_connection_delivers_the_will() {
    for level in [4, 5] {
        let (edge, mut submissions) = edge(limits(), 8).await;
        drop(with_will(&edge, level).await);
        let will = timeout(PATIENCE, submissions.recv()).await.unwrap().unwrap();
        assert_eq!((&*will.device, &*will.topic, &will.payload[..]), ("a", "d/a/up", &b"gone"[..]));
        assert_eq!((will.will, will.qos, will.packet_id, will.level), (true, 0, None, level));
        let mut foreign = with_will(&edge, level).await;
        foreign.publish(0, 0, "d/b/up", b"1").await;
        assert!(timeout(PATIENCE, submissions.recv()).await.unwrap().unwrap().will, "an end by our doing counts too");
        let counters = edge.counters();
        let device = &counters.devices[0];
        assert_eq!((device.received, device.submitted, device.refused), (3, 2, 1), "A3");
    }
}

#[tokio::test]
async fn neither_a_goodbye_nor_our_stop_delivers_it() {
    let (edge, mut submissions) = edge(limits(), 8).await;
    let mut client = with_will(&edge, 4).await;
    client.send(&[0xE0, 0]).await;
    assert_eq!(client.next().await, None);
    let _client = with_will(&edge, 5).await;
    edge.stop().await;
    assert!(submissions.recv().await.is_none(), "the edge is gone and sent nothing");
}
