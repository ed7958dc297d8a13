//! The test frame: in by the port of the sensors, and found again in the journal.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use journal::Reader;
use record::{Act, Seq, SeqRange, TestPort};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::SelfTestError;
use crate::error::CommandError;
use crate::mqtt_wire::{Answer, Level, Memory, Outgoing, Wire};

/// Bytes that make this frame another one than all before.
const TOKEN_BYTES: usize = 16;
/// Longest time until the frame is acknowledged: a card that collects its garbage takes seconds.
const ACKNOWLEDGED: Duration = Duration::from_secs(20);
/// Its packet identifier; there is one packet.
const PACKET_ID: u16 = 1;

/// What the gateway says to who wants to test.
#[derive(Deserialize)]
struct LetIn {
    client: String,
    password: String,
    topic: String,
}

/// Sends a frame; gives its record, how it came in, and how long it took to be acknowledged.
pub(super) fn send(reason: &str, state_dir: &Path, run_dir: &Path) -> Result<(Seq, TestPort, Duration), CommandError> {
    let mut token = [0; TOKEN_BYTES];
    getrandom::fill(&mut token).map_err(SelfTestError::Random)?;
    let frame = format!("weir self-test {}", hex::encode(token)).into_bytes();
    let socket = run_dir.join("gateway.sock");
    let status = control::ask(&socket, &json!({ "do": "status" })).map_err(CommandError::Control)?;
    let first = Seq(status["status"]["journal"]["records"].as_u64().unwrap_or_default());
    let request = json!({ "do": "self_test", "frame": hex::encode(&frame), "reason": reason });
    let begun = Instant::now();
    let answer = control::ask(&socket, &request).map_err(CommandError::Control)?;
    if let Some(seq) = answer["seq"].as_u64() {
        return Ok((Seq(seq), TestPort::Control, begun.elapsed()));
    }
    let no_answer = |why: String| CommandError::from(SelfTestError::Answer(why));
    let let_in: LetIn = serde_json::from_value(answer).map_err(|error| no_answer(error.to_string()))?;
    let address = address(&status["status"]["mqtt"]["listen"]).ok_or_else(|| no_answer("it names no port".into()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let published = runtime.block_on(async { timeout(ACKNOWLEDGED, publish(address, &let_in, &frame)).await });
    let stored_in = begun.elapsed();
    let published = published.map_err(io::Error::from).and_then(|published| published);
    // Whatever the connection said: what counts is the journal.
    match (find(state_dir, first, &frame), published) {
        (Ok(Some(seq)), _) => Ok((seq, TestPort::Mqtt, stored_in)),
        (_, Err(source)) => Err(SelfTestError::Port { address, source }.into()),
        (Ok(None), Ok(())) => Err(SelfTestError::NotJournaled.into()),
        (Err(error), Ok(())) => Err(error),
    }
}

/// Where the edge listens, as a client on this machine reaches it.
fn address(listen: &Value) -> Option<SocketAddr> {
    let mut address: SocketAddr = listen.as_str()?.parse().ok()?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    Some(address)
}

async fn publish(to: SocketAddr, let_in: &LetIn, frame: &[u8]) -> io::Result<()> {
    let mut wire = Wire::connect(to, Level::V4, (&let_in.client, &let_in.password), Memory::Nothing).await?;
    wire.publish(&Outgoing { topic: &let_in.topic, qos: 1, packet_id: PACKET_ID, dup: false, payload: frame })?;
    wire.flush().await?;
    loop {
        match wire.read().await? {
            Answer::Acknowledged { packet_id: PACKET_ID, taken: true } => break,
            Answer::Gone { code } => return Err(io::Error::other(format!("the gateway hung up: {code}"))),
            _ => {}
        }
    }
    wire.goodbye().await;
    Ok(())
}

/// The record of this frame, from `first` on.
fn find(state_dir: &Path, first: Seq, frame: &[u8]) -> Result<Option<Seq>, CommandError> {
    let mut found = None;
    each(state_dir, first, |seq, bytes| {
        if bytes == frame {
            found = Some(seq);
        }
    })?;
    Ok(found)
}

/// The newest self-test in the journal.
pub(crate) fn newest(state_dir: &Path) -> Result<Option<Seq>, CommandError> {
    let mut newest = None;
    each(state_dir, Seq(0), |seq, _| newest = Some(seq))?;
    Ok(newest)
}

fn each(state_dir: &Path, first: Seq, mut each: impl FnMut(Seq, &[u8])) -> Result<(), CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let end = reader.position().map_err(CommandError::Store)?.end;
    let Some(last) = end.0.checked_sub(1).map(Seq).filter(|last| first <= *last) else { return Ok(()) };
    let audits = reader.audits(SeqRange { first, last }, |seq, audit| {
        if let Act::SelfTested { frame, .. } = &audit.act {
            each(seq, frame);
        }
    });
    audits.map_err(CommandError::Store)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_of_this_machine_reaches_what_listens_everywhere() {
        let check = |listen: &str, expected: Option<&str>| {
            let found = address(&Value::from(listen)).map(|address| address.to_string());
            assert_eq!(found.as_deref(), expected, "{listen}");
        };
        check("0.0.0.0:1883", Some("127.0.0.1:1883"));
        check("[::]:1883", Some("[::1]:1883"));
        check("10.0.0.7:1884", Some("10.0.0.7:1884"));
        check("disabled", None);
    }
}
