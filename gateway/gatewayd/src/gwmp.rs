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
use tokio::task::JoinHandle;

use crate::clock::mono_ms;
use crate::config;
use crate::error::StartError;
use crate::job::{Confirmation, Heard, Lost};
use crate::status::{GatewayView, GwmpStatus};

/// The largest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// After a receive error that is none of a datagram's own, the loop rests instead of spinning.
const RECEIVE_PAUSE_MS: u64 = 10;
/// At stop: how long answers to frames already handed over may take; after RX2, 2 s, nobody listens any more.
const SETTLE_MS: u64 = 2_000;
/// Pending TX_ACKs are looked over at least this often.
const TICK_MS: u64 = 1_000;

/// The LoRa side between its socket and the committer.
struct LoraSide {
    socket: UdpSocket,
    region: Region,
    gateways: Arc<Mutex<Gateways<Answer>>>,
    /// None once it stops.
    frames: Option<Sender<Heard>>,
    confirmations: Receiver<Confirmation>,
    lost: Arc<Mutex<Lost>>,
    /// Datagrams that are no GWMP at all.
    not_gwmp: Arc<AtomicU64>,
}

impl LoraSide {
    /// Serves until `stop` turns true; then takes no more frames, and answers those already handed over.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        loop {
            // What is rare comes first, or a flood of datagrams would keep it waiting.
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                _ = tick.tick() => drop(self.lock().expire(mono_ms().0)),
                Some(confirmation) = self.confirmations.recv() => self.confirm(confirmation).await,
                received = self.socket.recv_from(&mut datagram) => match received {
                    Ok((length, from)) => self.take(&datagram[..length], from).await,
                    // Mostly an ICMP answer to an earlier datagram: the gateway is gone, the socket is fine.
                    Err(error) => {
                        log::debug!(error:% = error; "gateway socket");
                        tokio::time::sleep(Duration::from_millis(RECEIVE_PAUSE_MS)).await;
                    }
                },
            }
        }
        self.frames = None;
        let rest = async {
            while let Some(confirmation) = self.confirmations.recv().await {
                self.confirm(confirmation).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(SETTLE_MS), rest).await.is_err() {
            log::warn!("stopped before every LoRaWAN frame was answered, their devices repeat them");
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
                self.log_refusal(from, refusal);
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

    /// Anybody can send refused datagrams, so the log takes the first and then ever fewer.
    fn log_refusal(&self, from: SocketAddr, refusal: lorawan::gateways::Refusal) {
        let refused = self.lock().refused();
        let count = refused.not_allowed.saturating_add(refused.table_full);
        if count.is_power_of_two() {
            log::warn!(from:% = from, error:% = refusal, count; "gateway refused");
        }
    }

    fn hand_over(&self, heard: Heard) {
        if self.frames.as_ref().is_none_or(|frames| frames.try_send(heard).is_err()) {
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

/// The LoRa side at work.
pub(crate) struct RunningLora {
    pub(crate) task: JoinHandle<()>,
    pub(crate) view: LoraView,
}

/// What status needs of the LoRa side.
#[derive(Clone)]
pub(crate) struct LoraView {
    gateways: Arc<Mutex<Gateways<Answer>>>,
    not_gwmp: Arc<AtomicU64>,
    pub(crate) listen: SocketAddr,
}

/// Opens the port for packet forwarders.
///
/// # Errors
/// [`StartError::Gwmp`] if it cannot be opened.
pub(crate) async fn start(
    config: &config::Gwmp,
    frames: Sender<Heard>,
    confirmations: Receiver<Confirmation>,
    lost: &Arc<Mutex<Lost>>,
    stopping: watch::Receiver<bool>,
) -> Result<RunningLora, StartError> {
    let failed = |source| StartError::Gwmp { listen: config.listen, source };
    let socket = UdpSocket::bind(config.listen).await.map_err(failed)?;
    let listen = socket.local_addr().map_err(failed)?;
    let allowed = (!config.gateways.is_empty()).then(|| config.gateways.iter().copied().collect());
    // The boot clock differs at each start, so tokens of an earlier run are not taken for ours.
    let [low, high, ..] = mono_ms().0.to_le_bytes();
    let gateways = Arc::new(Mutex::new(Gateways::new(allowed, u16::from_le_bytes([low, high]))));
    let not_gwmp: Arc<AtomicU64> = Arc::default();
    let side = LoraSide {
        socket,
        region: config.region,
        gateways: gateways.clone(),
        frames: Some(frames),
        confirmations,
        lost: lost.clone(),
        not_gwmp: not_gwmp.clone(),
    };
    let task = tokio::spawn(side.run(stopping));
    Ok(RunningLora { task, view: LoraView { gateways, not_gwmp, listen } })
}

/// The LoRa side for status.
pub(crate) fn status(view: &LoraView) -> GwmpStatus {
    let LoraView { gateways, not_gwmp, listen } = view;
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
