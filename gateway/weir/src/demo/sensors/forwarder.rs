//! The LoRa gateway: a packet forwarder between the air, which is a channel here, and the box, over real UDP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use lorawan::gwmp::forwarder::{FromServer, parse, pull_data, push_data, tx_ack};
use lorawan::gwmp::{CrcStatus, DATAGRAM_BYTES_MAX, Rxpk, Token, TxAck, TxError, TxOutcome, Txpk};
use lorawan::{DataRate, Eui64, LoraDataRate, SpreadingFactor};
use tokio::net::UdpSocket;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{interval, sleep_until};

/// Its identity.
pub(crate) const EUI: Eui64 = Eui64([0x00, 0x16, 0xc0, 0xde, 0x00, 0x00, 0x00, 0x01]);
/// How often PULL_DATA keeps the way for downlinks open. Real ones take 5 to 10 s; after the box was killed, nothing can
/// be acknowledged until the next one.
const PULL: Duration = Duration::from_millis(500);
/// The uplink channels that every device of EU868 has, Hz.
const UPLINK_HZ: [u32; 3] = [868_100_000, 868_300_000, 868_500_000];
/// A downlink that comes further ahead than this is refused, as the real counter would have to (µs).
const AHEAD_US_MAX: u32 = 512_000_000;

/// A frame that a device sends.
pub(crate) type Uplink = Vec<u8>;
/// A frame that every device near the gateway hears.
pub(crate) type Downlink = Vec<u8>;

/// The forwarder with its two sockets.
#[derive(Debug)]
pub(crate) struct Forwarder {
    push: UdpSocket,
    pull: UdpSocket,
    uplinks: mpsc::Receiver<Uplink>,
    air: broadcast::Sender<Downlink>,
    started: Instant,
    token: u16,
}

impl Forwarder {
    /// Opens both sockets towards the box. Frames come in by `uplinks`; what it sends is heard on `air`.
    pub(crate) async fn open(
        to: SocketAddr,
        uplinks: mpsc::Receiver<Uplink>,
        air: broadcast::Sender<Downlink>,
    ) -> io::Result<Forwarder> {
        let socket = || async {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            socket.connect(to).await?;
            io::Result::Ok(socket)
        };
        let (push, pull) = (socket().await?, socket().await?);
        Ok(Forwarder { push, pull, uplinks, air, started: Instant::now(), token: 0 })
    }

    /// Forwards until the devices are gone. A box that is not there makes sends fail; a radio does not care.
    pub(crate) async fn run(mut self) {
        let mut keep_open = interval(PULL);
        let (mut seen, mut told) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; DATAGRAM_BYTES_MAX]);
        loop {
            tokio::select! {
                phy = self.uplinks.recv() => match phy {
                    Some(phy) => self.forward(phy).await,
                    None => return,
                },
                _ = keep_open.tick() => {
                    let datagram = pull_data(self.next_token(), EUI);
                    let _ = self.pull.send(&datagram).await;
                }
                // PUSH_ACK says nothing that a radio could act on.
                _ = self.push.recv(&mut seen) => {}
                length = self.pull.recv(&mut told) => if let Ok(length) = length
                    && let Some(FromServer::PullResp(token, txpk)) = parse(&told[..length])
                {
                    let outcome = self.transmit(txpk);
                    let _ = self.pull.send(&tx_ack(TxAck { token, eui: EUI, outcome })).await;
                },
            }
        }
    }

    async fn forward(&mut self, phy: Uplink) {
        let channel = usize::from(self.token) % UPLINK_HZ.len();
        let rxpk = Rxpk {
            phy,
            tmst_us: self.counter_us(),
            time: None,
            gps_ms: None,
            frequency_hz: UPLINK_HZ[channel],
            channel: u8::try_from(channel).ok(),
            rf_chain: Some(0),
            crc: CrcStatus::Ok,
            data_rate: DataRate::Lora(LoraDataRate::bw125(SpreadingFactor::Sf7)),
            coding_rate: Some("4/5".to_owned()),
            rssi_dbm: Some(-71),
            snr_ddb: Some(92),
        };
        let datagram = push_data(self.next_token(), EUI, &[rxpk], None);
        let _ = self.push.send(&datagram).await;
    }

    /// Sends into the air when the counter reaches the time that was asked for.
    fn transmit(&self, txpk: Txpk) -> TxOutcome {
        // What is to be sent at once is as far ahead as now.
        let ahead_us = txpk.tmst_us().map_or(0, |tmst_us| tmst_us.wrapping_sub(self.counter_us()));
        if ahead_us > AHEAD_US_MAX {
            // Already past: the same as far ahead on a counter that wraps.
            return TxOutcome::Refused(TxError::TooLate);
        }
        let (air, at) = (self.air.clone(), tokio::time::Instant::now() + Duration::from_micros(ahead_us.into()));
        tokio::spawn(async move {
            sleep_until(at).await;
            // Nobody listens: devices come and go.
            let _ = air.send(txpk.phy);
        });
        TxOutcome::Queued
    }

    /// The gateway's counter: µs since its start, wrapping.
    fn counter_us(&self) -> u32 {
        let wrapped = self.started.elapsed().as_micros() & u128::from(u32::MAX);
        u32::try_from(wrapped).unwrap_or(0)
    }

    fn next_token(&mut self) -> Token {
        self.token = self.token.wrapping_add(1);
        Token(self.token.to_be_bytes())
    }
}
