//! The UDP socket of the LoRa side: acknowledge, parse, merge, hand to the committer; send what is to go to devices.

mod downlinks;
mod socket;
mod view;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lorawan::gateways::{Admission, Admitted, Refusal};
use lorawan::gwmp::{Header, Packet};
use lorawan::{Dedupe, Gateways, Region};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::activation::Activated;
use crate::clock::mono_ms;
use crate::config;
use crate::error::StartError;
use crate::job::{Downlink, Heard, Lost, Report};
use crate::tallies::{GatewayTallies, Outcome};
pub(crate) use view::{LoraView, status};

/// The largest UDP payload.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// After a receive error that is none of a datagram's own, the loop rests instead of spinning.
const RECEIVE_PAUSE_MS: u64 = 10;
/// At stop: how long answers to frames already handed over may take; after RX2, 2 s, nobody listens any more.
const SETTLE_MS: u64 = 2_000;
/// Pending TX_ACKs are looked over at least this often.
const TICK_MS: u64 = 1_000;

/// All that is known of the LoRa side, behind one lock that is held for microseconds.
struct Radio {
    gateways: Gateways<Option<Report>>,
    dedupe: Dedupe,
    /// Datagrams that are no GWMP at all.
    not_gwmp: u64,
}

/// The LoRa side between its socket and the committer.
struct LoraSide {
    socket: UdpSocket,
    region: Region,
    radio: Arc<Mutex<Radio>>,
    /// None once it stops.
    frames: Option<Sender<Heard>>,
    downlinks: Receiver<Downlink>,
    lost: Arc<Mutex<Lost>>,
    tallies: GatewayTallies,
}

impl LoraSide {
    /// Serves until `stop` turns true; then takes no more frames, and answers those already handed over. What nobody
    /// read by then stays in the socket, which is systemd's as well.
    async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut datagram = vec![0; DATAGRAM_BYTES_MAX];
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        loop {
            let merged = self.merged();
            // What is rare comes first, or a flood of datagrams would keep it waiting.
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                _ = tick.tick() => self.expire(),
                Some(downlink) = self.downlinks.recv() => self.transmit(downlink).await,
                () = merged => self.hand_over_due(mono_ms().0),
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
        self.hand_over_due(u64::MAX);
        self.frames = None;
        let rest = async {
            while let Some(downlink) = self.downlinks.recv().await {
                self.transmit(downlink).await;
            }
        };
        if tokio::time::timeout(Duration::from_millis(SETTLE_MS), rest).await.is_err() {
            log::warn!("stopped before every LoRaWAN frame was answered, their devices repeat them");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Radio> {
        lock(&self.radio)
    }

    async fn take(&self, datagram: &[u8], from: SocketAddr) {
        let now_ms = mono_ms().0;
        let header = match Header::parse(datagram) {
            Ok(header) => header,
            Err(error) => {
                self.lock().not_gwmp += 1;
                log::debug!(from:% = from, error:% = error; "datagram is not GWMP");
                return;
            }
        };
        let admitted = self.lock().gateways.admit(now_ms, from, &header);
        match admitted {
            Ok(Admitted::Known) => {}
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
                let mut radio = self.lock();
                let receptions = radio.gateways.heard(now_ms, push);
                let online = radio.gateways.online(now_ms);
                for reception in receptions {
                    let (gateway, let_go) = (reception.gateway, radio.dedupe.counters().let_go());
                    self.tallies.receive(gateway, |eui| radio.gateways.contains(eui));
                    if let Some(heard) = radio.dedupe.take(now_ms, reception, online) {
                        self.hand_over(heard);
                    }
                    if radio.dedupe.counters().let_go() > let_go {
                        self.tallies.settle_one(gateway, Outcome::Duplicate);
                    }
                }
            }
            Ok(Packet::TxAck(ack)) => self.tx_ack(&ack, now_ms).await,
            Ok(Packet::PullData { .. }) => {}
            Err(error) => {
                self.lock().gateways.unreadable(header.eui);
                log::debug!(gateway:% = header.eui, error:% = error; "datagram refused");
            }
        }
    }

    /// Anybody can send refused datagrams, so the log takes the first of a kind and then ever fewer.
    fn log_refusal(&self, from: SocketAddr, refusal: Refusal) {
        let count = self.lock().gateways.refused().of(&refusal);
        if !count.is_power_of_two() {
            return;
        }
        match refusal {
            // Somebody must find out who that is.
            Refusal::AddressChanged { .. } => log::error!(from:% = from, error:% = refusal, count; "gateway refused"),
            _ => log::warn!(from:% = from, error:% = refusal, count; "gateway refused"),
        }
    }

    /// Resolves when an uplink has waited long enough for its copies.
    fn merged(&self) -> impl Future<Output = ()> + use<> {
        let due_ms = self.lock().dedupe.next_timeout_ms();
        let wait = due_ms.map(|due_ms| Duration::from_millis(due_ms.saturating_sub(mono_ms().0)));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }

    fn hand_over_due(&self, now_ms: u64) {
        let mut radio = self.lock();
        while let Some(heard) = radio.dedupe.due(now_ms) {
            self.hand_over(heard);
        }
    }

    fn hand_over(&self, heard: Heard) {
        let refused = match &self.frames {
            Some(frames) => frames.try_send(heard).err().map(TrySendError::into_inner),
            None => Some(heard),
        };
        if let Some(heard) = refused {
            self.tallies.settle(&heard, Outcome::Shed);
            // Which device it was is known only after judging, so it is shed without a name.
            let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
            lost.entry(None).or_default().shed += 1;
        }
    }

    async fn send(&self, datagram: &[u8], to: SocketAddr) {
        if let Err(error) = self.socket.send_to(datagram, to).await {
            log::debug!(to:% = to, error:% = error; "datagram is not sent");
        }
    }
}

fn lock(radio: &Mutex<Radio>) -> MutexGuard<'_, Radio> {
    radio.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Takes systemd's port for packet forwarders, or opens one.
///
/// # Errors
/// [`StartError::Gwmp`] if it cannot be opened, [`StartError::OpenGwmp`] if it is open to everybody.
pub(crate) async fn start(
    config: &config::Gwmp,
    activated: &mut Activated,
    frames: Sender<Heard>,
    downlinks: Receiver<Downlink>,
    (lost, tallies): (&Arc<Mutex<Lost>>, &GatewayTallies),
    stopping: watch::Receiver<bool>,
) -> Result<RunningLora, StartError> {
    let socket = socket::open(config, activated).await?;
    let listen = socket.local_addr().map_err(|source| StartError::Gwmp { listen: config.listen, source })?;
    let admission = Admission {
        gateways: (!config.gateways.is_empty()).then(|| config.gateways.iter().copied().collect()),
        networks: (!config.networks.is_empty()).then(|| config.networks.clone()),
        datagrams_per_s_max: config.datagrams_per_s_max,
    };
    // The boot clock differs at each start, so tokens of an earlier run are not taken for ours.
    let [low, high, ..] = mono_ms().0.to_le_bytes();
    let gateways = Gateways::new(config.region, admission, u16::from_le_bytes([low, high]));
    let radio = Arc::new(Mutex::new(Radio { gateways, dedupe: Dedupe::new(config.merge_ms), not_gwmp: 0 }));
    let side = LoraSide {
        socket,
        region: config.region,
        radio: radio.clone(),
        frames: Some(frames),
        downlinks,
        lost: lost.clone(),
        tallies: tallies.clone(),
    };
    let task = tokio::spawn(side.run(stopping));
    Ok(RunningLora { task, view: LoraView { radio, tallies: tallies.clone(), listen } })
}

#[cfg(test)]
mod tests;
