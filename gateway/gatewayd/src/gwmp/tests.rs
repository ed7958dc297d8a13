//! The LoRa side on a real socket, with simulated forwarders on one end and the test as committer on the other.

use std::net::SocketAddr;
use std::time::Duration;

use lorawan::gateways::SendError;
use lorawan::gwmp::forwarder::{FromServer, parse, pull_data, push_data, tx_ack};
use lorawan::gwmp::{CrcStatus, Rxpk, Token, TxAck, TxError, TxOutcome, TxTime, Txpk};
use lorawan::schedule::Windows;
use lorawan::{DataRate, Eui64, RxSettings};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;
use crate::job::{Fate, When};
use crate::status::GwmpStatus;
use crate::tallies::GatewayTally;

/// Longer than anything here takes; only a failure waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The LoRa side, and both ends of its queues.
struct Site {
    running: RunningLora,
    heard: Receiver<Heard>,
    downlinks: Option<Sender<Downlink>>,
    stop: watch::Sender<bool>,
}

impl Site {
    async fn start() -> Site {
        let config = config::Gwmp { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..config::Gwmp::default() };
        let (frames, heard) = mpsc::channel(16);
        let (downlinks, answers) = mpsc::channel(16);
        let (stop, stopping) = watch::channel(false);
        let counts = (&Arc::default(), &GatewayTallies::default());
        let running = start(&config, &mut Activated::from_env(), frames, answers, counts, stopping).await.unwrap();
        Site { running, heard, downlinks: Some(downlinks), stop }
    }

    async fn heard(&mut self) -> Heard {
        timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap()
    }

    async fn send(&self, downlink: Downlink) {
        self.downlinks.as_ref().unwrap().send(downlink).await.unwrap();
    }

    fn view(&self) -> GwmpStatus {
        status(&self.running.view)
    }
}

/// A gateway: its up and its down socket.
struct Forwarder {
    eui: Eui64,
    up: UdpSocket,
    down: UdpSocket,
}

impl Forwarder {
    async fn start(n: u8, site: &Site) -> Forwarder {
        let bind = || UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0)));
        let forwarder = Forwarder { eui: Eui64([n; 8]), up: bind().await.unwrap(), down: bind().await.unwrap() };
        forwarder.up.connect(site.running.view.listen).await.unwrap();
        forwarder.down.connect(site.running.view.listen).await.unwrap();
        forwarder.down.send(&pull_data(Token([n, 0]), forwarder.eui)).await.unwrap();
        assert_eq!(receive(&forwarder.down).await, FromServer::PullAck(Token([n, 0])));
        forwarder
    }

    async fn push(&self, phy: &[u8], tmst_us: u32, snr_ddb: i16) {
        let rxpk = Rxpk {
            phy: phy.to_vec(),
            tmst_us,
            time: None,
            gps_ms: None,
            frequency_hz: 868_100_000,
            channel: Some(0),
            rf_chain: Some(0),
            crc: CrcStatus::Ok,
            data_rate: DataRate::Lora("SF7BW125".parse().unwrap()),
            coding_rate: Some("4/5".into()),
            rssi_dbm: Some(-42),
            snr_ddb: Some(snr_ddb),
        };
        self.up.send(&push_data(Token([9, 9]), self.eui, &[rxpk], None)).await.unwrap();
        assert_eq!(receive(&self.up).await, FromServer::PushAck(Token([9, 9])));
    }

    /// The next downlink, answered with this outcome.
    async fn told(&self, outcome: TxOutcome) -> Txpk {
        let FromServer::PullResp(token, txpk) = receive(&self.down).await else { panic!("a PULL_RESP") };
        self.down.send(&tx_ack(TxAck { token, eui: self.eui, outcome })).await.unwrap();
        txpk
    }
}

async fn receive(socket: &UdpSocket) -> FromServer {
    let mut bytes = [0; 2_048];
    let length = timeout(PATIENCE, socket.recv(&mut bytes)).await.unwrap().unwrap();
    parse(&bytes[..length]).unwrap()
}

/// A slow machine must not turn RX1 into RX2.
fn slow() -> Windows {
    Windows::Data(RxSettings::standard(Region::Eu868).with_rx1_delay_s(15).unwrap())
}

#[tokio::test]
async fn two_gateways_hear_one_uplink_and_the_better_one_answers() {
    let mut site = Site::start().await;
    let (near, far) = (Forwarder::start(1, &site).await, Forwarder::start(2, &site).await);
    far.push(b"frame", 70_000_000, -50).await;
    near.push(b"frame", 4_294_000_000, 90).await;
    let heard = site.heard().await;
    assert_eq!(heard.receptions().map(|one| one.gateway).collect::<Vec<_>>(), [near.eui, far.eui]);
    assert_eq!(heard.best.rxpk.phy, b"frame");
    site.send(Downlink::answer(heard, slow(), vec![0x60; 12])).await;
    let rx1 = near.told(TxOutcome::Refused(TxError::TooLate)).await;
    assert_eq!(rx1.time, TxTime::Counter { tmst_us: 4_294_000_000u32.wrapping_add(15_000_000) });
    let elsewhere = far.told(TxOutcome::Refused(TxError::CollisionPacket)).await;
    assert_eq!(elsewhere.time, TxTime::Counter { tmst_us: 85_000_000 });
    let rx2 = near.told(TxOutcome::Queued).await;
    assert_eq!((rx2.frequency_hz, rx2.phy), (869_525_000, vec![0x60; 12]));
    let view = site.view();
    assert_eq!(view.merged["merged"], 1);
    let near = &view.gateways[&near.eui.to_string()];
    assert_eq!((near.online, near.crc_ok, near.tx_refused["TOO_LATE"]), (true, 1, 1));
    assert!(near.duty_percent["868.0-868.6"] >= 50.0, "{:?}", near.duty_percent);
}

#[tokio::test]
async fn each_gateway_counts_what_came_of_its_receptions() {
    let mut site = Site::start().await;
    let gateways = [Forwarder::start(1, &site).await, Forwarder::start(2, &site).await];
    let tally = |site: &Site, n: usize| site.running.view.tallies.of(gateways[n].eui);
    let under_way = GatewayTally { received: 1, ..GatewayTally::default() };
    gateways[0].push(b"frame", 0, 0).await;
    site.heard().await;
    // Nobody waits for it any more.
    gateways[1].push(b"frame", 0, 0).await;
    assert_eq!([tally(&site, 0), tally(&site, 1)], [under_way, GatewayTally { duplicate: 1, ..under_way }]);
    // The queue of the committer holds 16.
    for n in 0..17_u32 {
        gateways[0].push(&n.to_be_bytes(), 0, 0).await;
    }
    let all_went_on = async {
        while tally(&site, 0).shed == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, all_went_on).await.unwrap();
    assert_eq!(tally(&site, 0), GatewayTally { received: 18, shed: 1, ..GatewayTally::default() });
}

#[tokio::test]
async fn whoever_asked_is_told_what_became_of_it() {
    let mut site = Site::start().await;
    let gateway = Forwarder::start(1, &site).await;
    let (to, mut fates) = mpsc::channel(4);
    let at_once = |ticket, phy_bytes| Downlink {
        phy: vec![0x60; phy_bytes],
        when: When::Immediate { gateways: Vec::new(), settings: RxSettings::standard(Region::Eu868) },
        report: Some(Report { ticket, to: to.clone() }),
    };
    site.send(at_once(1, 20)).await;
    assert_eq!(gateway.told(TxOutcome::Queued).await.time, TxTime::Immediate);
    assert_eq!(timeout(PATIENCE, fates.recv()).await.unwrap(), Some(Fate { ticket: 1, sent: Ok(()) }));
    site.send(at_once(2, 300)).await;
    let forbidden = Fate { ticket: 2, sent: Err(SendError::Forbidden) };
    assert_eq!(timeout(PATIENCE, fates.recv()).await.unwrap(), Some(forbidden));
    gateway.push(b"frame", 0, 0).await;
    let heard = site.heard().await;
    let report = Some(Report { ticket: 3, to });
    site.send(Downlink { phy: vec![0x60; 12], when: When::Answer { heard, windows: slow() }, report }).await;
    gateway.told(TxOutcome::Refused(TxError::TxFreq)).await;
    let refused = SendError::Refused { eui: gateway.eui, error: TxError::TxFreq };
    assert_eq!(timeout(PATIENCE, fates.recv()).await.unwrap(), Some(Fate { ticket: 3, sent: Err(refused) }));
}

#[tokio::test]
async fn stopping_hands_over_what_waits_for_copies_and_answers_it() {
    let mut site = Site::start().await;
    let (one, _other) = (Forwarder::start(1, &site).await, Forwarder::start(2, &site).await);
    one.push(b"frame", 0, 0).await;
    site.stop.send(true).unwrap();
    let heard = site.heard().await;
    assert!(timeout(PATIENCE, site.heard.recv()).await.unwrap().is_none(), "it takes no more");
    site.send(Downlink::answer(heard, slow(), vec![0x60; 12])).await;
    one.told(TxOutcome::Queued).await;
    site.downlinks = None;
    timeout(PATIENCE, site.running.task).await.unwrap().unwrap();
}
