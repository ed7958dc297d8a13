//! The UDP socket of the LoRa side: acknowledge, parse, hand to the committer; send what the committer confirms.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lorawan::gwmp::{Header, Packet, TxOutcome};
use lorawan::schedule::{self, Answer};
use lorawan::{Eui64, Gateways, Region};
use record::MonoMs;
use serde_json::json;
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;

use crate::clock::mono_ms;
use crate::job::{Confirmation, Heard, Lost};
use crate::status::{GatewayView, GwmpStatus};

/// The largest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Pending TX_ACKs are looked over at least this often.
const TICK_MS: u64 = 1_000;

/// The LoRa side between its socket and the committer.
pub(crate) struct LoraSide {
    pub(crate) socket: UdpSocket,
    pub(crate) region: Region,
    pub(crate) gateways: Arc<Mutex<Gateways<Answer>>>,
    pub(crate) frames: Sender<Heard>,
    pub(crate) confirmations: Receiver<Confirmation>,
    pub(crate) lost: Arc<Mutex<Lost>>,
    /// Datagrams that are no GWMP at all.
    pub(crate) not_gwmp: Arc<AtomicU64>,
}

impl LoraSide {
    /// Serves until `stop` turns true. Frames already handed over are still answered by then or not at all: their
    /// devices repeat them.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        loop {
            tokio::select! {
                biased;
                Some(confirmation) = self.confirmations.recv() => self.confirm(confirmation).await,
                received = self.socket.recv_from(&mut datagram) => match received {
                    Ok((length, from)) => self.take(&datagram[..length], from).await,
                    // An ICMP answer to an earlier datagram: the gateway is gone, the socket is fine.
                    Err(error) => log::debug!(error:% = error; "gateway socket"),
                },
                _ = tick.tick() => drop(self.lock().expire(mono_ms().0)),
                () = stopped(&mut stop) => return,
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Gateways<Answer>> {
        self.gateways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, datagram: &[u8], from: SocketAddr) {
        let received_at = mono_ms();
        let header = match Header::parse(datagram) {
            Ok(header) => header,
            Err(error) => {
                self.not_gwmp.fetch_add(1, Ordering::Relaxed);
                log::debug!(from:% = from, error:% = error; "datagram is not GWMP");
                return;
            }
        };
        let admitted = self.lock().admit(received_at.0, from, &header);
        match admitted {
            Ok(lorawan::gateways::Admitted::Known) => {}
            Ok(other) => log::info!(gateway:% = header.eui, from:% = from, admitted:? = other; "gateway speaks"),
            Err(refusal) => {
                log::warn!(from:% = from, error:% = refusal; "gateway refused");
                return;
            }
        }
        // First acknowledge, then parse: the forwarder does not receive while it waits for this.
        if let Some(acknowledgement) = header.acknowledgement() {
            self.send(&acknowledgement, from).await;
        }
        match Packet::parse(datagram) {
            Ok(Packet::PushData(push)) => {
                self.lock().heard(received_at.0, &push);
                for rxpk in push.rxpk.into_iter().filter(|rxpk| rxpk.crc.is_usable()) {
                    self.hand_over(Heard { gateway: header.eui, rxpk, received_at });
                }
            }
            Ok(Packet::TxAck(ack)) => self.tx_ack(&ack, received_at).await,
            Ok(Packet::PullData { .. }) => {}
            Err(error) => {
                self.lock().unreadable(header.eui);
                log::debug!(gateway:% = header.eui, error:% = error; "datagram refused");
            }
        }
    }

    fn hand_over(&self, heard: Heard) {
        if self.frames.try_send(heard).is_err() {
            // Which device it was is known only after judging, so it is shed without a name.
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.entry(None).or_default().shed += 1;
        }
    }

    async fn confirm(&self, confirmation: Confirmation) {
        let Confirmation { heard: Heard { gateway, rxpk, received_at }, phy } = confirmation;
        match schedule::answer(&rxpk, received_at.0, mono_ms().0, self.region, &phy) {
            Some(answer) => self.transmit(gateway, answer).await,
            None => log::debug!(gateway:% = gateway; "no receive window is left, the device will repeat its frame"),
        }
    }

    async fn transmit(&self, gateway: Eui64, answer: Answer) {
        let txpk = answer.txpk.clone();
        let outgoing = self.lock().send(mono_ms().0, gateway, &txpk, answer);
        match outgoing {
            Ok(outgoing) => self.send(&outgoing.datagram, outgoing.to).await,
            Err(error) => log::warn!(error:% = error; "downlink is not sent"),
        }
    }

    async fn tx_ack(&self, ack: &lorawan::gwmp::TxAck, now: MonoMs) {
        let pending = self.lock().acknowledged(ack);
        if let (Some(answer), TxOutcome::Refused(error)) = (pending, ack.outcome)
            && let Some(again) = answer.retry(error, now.0)
        {
            self.transmit(ack.eui, again).await;
        }
    }

    async fn send(&self, datagram: &[u8], to: SocketAddr) {
        if let Err(error) = self.socket.send_to(datagram, to).await {
            log::debug!(to:% = to, error:% = error; "datagram is not sent");
        }
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // An error means that the daemon itself is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// The LoRa side for status.
pub(crate) fn status(gateways: &Mutex<Gateways<Answer>>, not_gwmp: &AtomicU64, listen: SocketAddr) -> GwmpStatus {
    let gateways = gateways.lock().unwrap_or_else(PoisonError::into_inner);
    let view = |gateway: lorawan::gateways::GatewayStatus<'_>| {
        (gateway.eui.to_string(), GatewayView { online: gateway.online, counters: json!(gateway.counters) })
    };
    GwmpStatus {
        listen: listen.to_string(),
        gateways: gateways.status(mono_ms().0).map(view).collect(),
        refused: json!({"not_gwmp": not_gwmp.load(Ordering::Relaxed), "gateways": gateways.refused()}),
    }
}
