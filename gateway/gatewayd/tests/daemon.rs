//! The whole daemon on real sockets.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends at the first surprise")]

use std::future::Future;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use gatewayd::{GatewayConfig, StartError, run};
use journal::Reader;
use lorawan::end_device::{DataUp, acknowledged, data_up};
use lorawan::gwmp::forwarder::{FromServer, parse, pull_data, push_data};
use lorawan::gwmp::{CrcStatus, Rxpk, Token};
use lorawan::{DataRate, DevAddr, Eui64, SessionKeys};
use record::{Body, Link, Seq, SeqRange};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

const DEVICES: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]

[[device]]
name = "flow-1"
[device.lorawan]
dev_addr = "26010001"
[device.codec]
kind = "cayenne_lpp"
"#;

const KEYS: &str = r#"
[cod-1]
password = "river-otter-7"

[flow-1]
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
"#;

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn patiently<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("within the test's patience")
}

fn folder(mqtt: SocketAddr) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "box = \"outfall-1\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n\
         [mqtt]\nlisten = \"{mqtt}\"\n[gwmp]\nlisten = \"127.0.0.1:0\""
    );
    for (name, text) in [("gateway.toml", config.as_str()), ("devices.toml", DEVICES), ("rules.toml", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let keys = folder.path().join("keys.toml");
    std::fs::write(&keys, KEYS).unwrap();
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    folder
}

fn config(folder: &Path) -> GatewayConfig {
    GatewayConfig::load(&folder.join("gateway.toml")).unwrap()
}

fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

/// A daemon at work.
struct Daemon {
    folder: TempDir,
    running: JoinHandle<Result<(), StartError>>,
    stop: oneshot::Sender<()>,
    mqtt: SocketAddr,
    gwmp: SocketAddr,
}

impl Daemon {
    async fn start() -> Daemon {
        Daemon::start_in(folder(any_port())).await
    }

    async fn start_in(folder: TempDir) -> Daemon {
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(run(config(folder.path()), async {
            let _ = stopped.await;
        }));
        let status = patiently(async {
            loop {
                if let Some(status) = status(folder.path()).await {
                    return status;
                }
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let listen = |side: &str| status[side]["listen"].as_str().unwrap().parse().unwrap();
        Daemon { mqtt: listen("mqtt"), gwmp: listen("gwmp"), folder, running, stop }
    }

    async fn stop(self) -> TempDir {
        self.stop.send(()).unwrap();
        patiently(self.running).await.unwrap().unwrap();
        self.folder
    }
}

async fn status(folder: &Path) -> Option<serde_json::Value> {
    let socket = folder.join("run/gateway.sock");
    let asked = tokio::task::spawn_blocking(move || control::ask(&socket, &json!({"do": "status"})));
    asked.await.unwrap().ok().map(|answer| answer["status"].clone())
}

/// Without what it tells of the clock: on a machine that knows the time there is more than elsewhere.
fn bodies(folder: &Path) -> Vec<Body> {
    let reader = Reader::open(&folder.join("state/journal/journal.db")).unwrap();
    let all = SeqRange { first: Seq(0), last: Seq(1_000_000) };
    let bodies = reader.read(all, usize::MAX).unwrap().into_iter().map(|at| at.record.body);
    bodies.filter(|body| !matches!(body, Body::Clock(_))).collect()
}

fn packet_ids(folder: &Path) -> Vec<u16> {
    let id = |body: &Body| match body {
        Body::Frame(frame) => match frame.link {
            Link::Mqtt { packet_id, .. } => packet_id,
            _ => None,
        },
        _ => None,
    };
    bodies(folder).iter().filter_map(id).collect()
}

async fn log_in(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut connect = b"\x10\x00\x00\x04MQTT\x04\xc2\x00\x3c\x00\x05cod-1\x00\x05cod-1\x00\x0driver-otter-7".to_vec();
    connect[1] = u8::try_from(connect.len() - 2).unwrap();
    stream.write_all(&connect).await.unwrap();
    let mut answer = [0; 4];
    patiently(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [0x20, 2, 0, 0], "CONNACK");
    stream
}

/// A QoS 1 PUBLISH of `cod-1`.
fn publish(id: u16) -> Vec<u8> {
    let mut packet = b"\x32\x00\x00\x0ad/cod-1/up".to_vec();
    packet.extend(id.to_be_bytes());
    packet.extend(b"{\"cod\":40.1}");
    packet[1] = u8::try_from(packet.len() - 2).unwrap();
    packet
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_is_acknowledged_once_it_is_in_the_journal() {
    let daemon = Daemon::start().await;
    let mut stream = log_in(daemon.mqtt).await;
    stream.write_all(&publish(7)).await.unwrap();
    let mut answer = [0; 4];
    patiently(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [0x40, 2, 0, 7], "PUBACK");
    assert_eq!(packet_ids(daemon.folder.path()), [7]);
    // What is shown follows what is acknowledged by a moment.
    let device = patiently(async {
        loop {
            let device = status(daemon.folder.path()).await.unwrap()["devices"]["cod-1"].clone();
            if device["accepted"] == 1 {
                return device;
            }
            tokio::task::yield_now().await;
        }
    });
    assert_eq!(device.await["readings"], json!(["cod 40.1 mg/L"]));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_uplink_is_answered_once_it_is_in_the_journal() {
    let daemon = Daemon::start().await;
    let (eui, dev_addr) = (Eui64([1; 8]), DevAddr::from_u32(0x2601_0001));
    let key = |hex: &str| hex.parse().unwrap();
    let keys = SessionKeys::v1_0(key("44024241ed4ce9a68c6a8bc055233fd3"), key("ec925802ae430ca77fd3dd73cb2cc588"));
    let (up, down) = (UdpSocket::bind(any_port()).await.unwrap(), UdpSocket::bind(any_port()).await.unwrap());
    let mut bytes = [0; 2_048];

    down.send_to(&pull_data(Token([0, 1]), eui), daemon.gwmp).await.unwrap();
    let length = patiently(down.recv(&mut bytes)).await.unwrap();
    assert_eq!(parse(&bytes[..length]), Some(FromServer::PullAck(Token([0, 1]))));

    let frame =
        DataUp { dev_addr, confirmed: true, f_cnt: 3, f_port: 2, payload: &[1, 103, 1, 16], ..DataUp::default() };
    let rxpk = Rxpk {
        phy: data_up(frame, &keys),
        tmst_us: 5_000_000,
        time: None,
        gps_ms: None,
        frequency_hz: 868_100_000,
        channel: Some(0),
        rf_chain: Some(0),
        crc: CrcStatus::Ok,
        data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
        coding_rate: Some("4/5".into()),
        rssi_dbm: Some(-42),
        snr_ddb: Some(55),
    };
    up.send_to(&push_data(Token([0, 2]), eui, &[rxpk], None), daemon.gwmp).await.unwrap();
    let length = patiently(up.recv(&mut bytes)).await.unwrap();
    assert_eq!(parse(&bytes[..length]), Some(FromServer::PushAck(Token([0, 2]))));

    let length = patiently(down.recv(&mut bytes)).await.unwrap();
    let Some(FromServer::PullResp(_, txpk)) = parse(&bytes[..length]) else { panic!("a PULL_RESP") };
    let stored = bodies(daemon.folder.path());
    let (frame, before) = stored.split_last().unwrap();
    assert!(matches!(before, [Body::Boot(_), Body::Codec(_), Body::Codec(_)]), "{stored:?}");
    assert!(matches!(frame, Body::Frame(_)), "{stored:?}");
    assert_eq!(acknowledged(&txpk.phy, dev_addr, &keys, 0), Some(0));
    assert!([Some(6_000_000), Some(7_000_000)].contains(&txpk.tmst_us()), "RX1, or RX2 on a slow machine");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_settles_what_was_received_and_frees_everything() {
    let daemon = Daemon::start().await;
    let mut stream = log_in(daemon.mqtt).await;
    for id in 1..=200 {
        stream.write_all(&publish(id)).await.unwrap();
    }
    let mut answers = vec![0; 4];
    patiently(stream.read_exact(&mut answers)).await.unwrap();
    // Somebody who talks to the control socket, and says nothing, does not keep the daemon.
    let _talker = tokio::net::UnixStream::connect(daemon.folder.path().join("run/gateway.sock")).await.unwrap();
    let folder = daemon.stop().await;
    // Closed with our bytes unread is a reset, which is an end as well.
    let mut rest = Vec::new();
    let _ = patiently(stream.read_to_end(&mut rest)).await;
    answers.extend(rest);
    let acknowledged: Vec<u16> =
        answers.chunks_exact(4).map(|puback| u16::from_be_bytes([puback[2], puback[3]])).collect();
    let stored = packet_ids(folder.path());
    assert!(stored.starts_with(&acknowledged), "acknowledged {acknowledged:?}, stored {stored:?}");
    let reader = Reader::open(&folder.path().join("state/journal/journal.db")).unwrap();
    let signed = reader.checkpoints_after(0, 100).unwrap().pop().unwrap().size;
    assert_eq!(signed, reader.position().unwrap().end.0, "everything is signed");
    drop(reader);
    Daemon::start_in(folder).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_named_and_nothing_stays_behind() {
    let taken = TcpListener::bind(any_port()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = folder(address);
    let error = patiently(run(config(folder.path()), std::future::pending())).await.unwrap_err();
    assert_eq!(error.to_string(), "the MQTT edge does not run");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(&address.to_string()) && cause.contains("in use"), "{cause}");
    drop(taken);
    // The journal's lock is free again: another start in the same process works.
    Daemon::start_in(folder).await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_udp_port_is_named() {
    let taken = UdpSocket::bind(any_port()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = folder(any_port());
    let mut config = config(folder.path());
    config.file.gwmp.listen = address;
    let error = patiently(run(config, std::future::pending())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("failed to open UDP {address} for LoRa gateways · try: ss -ulpn, or another `gwmp.listen`")
    );
}
