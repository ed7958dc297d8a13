//! A LoRa device of class A: a confirmed frame, its two receive windows, and the same frame again until it is acknowledged.

use std::time::Duration;

use lorawan::end_device::{DataUp, acknowledged, data_up};
use lorawan::{DevAddr, Key128, SessionKeys};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::Orders;
use super::forwarder::{Downlink, Uplink};
use crate::demo::devices::Session;
use crate::demo::logbook::Logbook;
use crate::demo::message::Instrument;

/// The port of its measurements.
const F_PORT: u8 = 2;
/// RX2 opens 2 s after the frame and a downlink at SF12 takes 1 s; a device that heard nothing by then repeats.
const WINDOWS_CLOSE: Duration = Duration::from_millis(2_500);

/// Who the device is.
#[derive(Debug)]
pub(crate) struct LoraSensor {
    /// Address and keys.
    pub(crate) session: Session,
    /// What it measures.
    pub(crate) instrument: Instrument,
    /// Of its wave.
    pub(crate) seed: u64,
    /// Where it notes what it did.
    pub(crate) logbook: Logbook,
    /// What the script wants.
    pub(crate) orders: watch::Receiver<Orders>,
    /// Towards the gateway.
    pub(crate) up: mpsc::Sender<Uplink>,
    /// From the gateway.
    pub(crate) down: broadcast::Receiver<Downlink>,
}

impl LoraSensor {
    /// Speaks until the orders end.
    pub(crate) async fn run(mut self) {
        let Session { dev_addr, nwk_s_key, app_s_key } = self.session.clone();
        let (dev_addr, keys) =
            (DevAddr::from_u32(dev_addr), SessionKeys::v1_0(Key128::new(nwk_s_key), Key128::new(app_s_key)));
        let (mut f_cnt, mut f_cnt_down) = (0, 0);
        loop {
            if self.orders.wait_for(|orders| orders.every.is_some()).await.is_err() {
                return;
            }
            let n = self.logbook.next();
            let readings = self.instrument.readings(self.seed, n, self.orders.borrow().water);
            let payload = self.instrument.encode(&readings);
            let frame =
                DataUp { dev_addr, confirmed: true, f_cnt, f_port: F_PORT, payload: &payload, ..DataUp::default() };
            let phy = data_up(frame, &keys);
            self.logbook.send(readings, phy.clone());
            loop {
                if self.up.send(phy.clone()).await.is_err() {
                    return;
                }
                if let Some(used) = self.listen(dev_addr, &keys, f_cnt_down).await {
                    f_cnt_down = used + 1;
                    break;
                }
                if self.orders.has_changed().is_err() {
                    return;
                }
                self.logbook.lock().repeated += 1;
            }
            self.logbook.acknowledge(n);
            f_cnt += 1;
        }
    }

    /// Both receive windows: the counter of a downlink that acknowledges and whose MIC verifies.
    async fn listen(&mut self, dev_addr: DevAddr, keys: &SessionKeys, f_cnt_down_next: u32) -> Option<u32> {
        let close = Instant::now() + WINDOWS_CLOSE;
        loop {
            match timeout_at(close, self.down.recv()).await {
                Ok(Ok(phy)) => {
                    if let Some(f_cnt) = acknowledged(&phy, dev_addr, keys, f_cnt_down_next) {
                        return Some(f_cnt);
                    }
                }
                // Frames of others were missed; one for us comes again.
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
                Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return None,
            }
        }
    }
}
