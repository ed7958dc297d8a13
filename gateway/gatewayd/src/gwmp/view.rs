//! The LoRa side as status shows it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use lorawan::gateways::GatewayStatus;
use lorawan::gwmp::TxError;
use serde_json::json;

use super::Radio;
use crate::clock::mono_ms;
use crate::status::{AddressConflict, GatewayView, GwmpStatus};
use crate::tallies::{GatewayTallies, GatewayTally};

/// What status needs of the LoRa side.
#[derive(Clone)]
pub(crate) struct LoraView {
    pub(super) radio: Arc<Mutex<Radio>>,
    pub(super) tallies: GatewayTallies,
    pub(crate) listen: SocketAddr,
}

/// The LoRa side for status.
pub(crate) fn status(view: &LoraView) -> GwmpStatus {
    let now_ms = mono_ms().0;
    let radio = view.radio.lock().unwrap_or_else(PoisonError::into_inner);
    let named =
        |gateway: GatewayStatus<'_>| (gateway.eui.to_string(), show(now_ms, &gateway, view.tallies.of(gateway.eui)));
    GwmpStatus {
        listen: view.listen.to_string(),
        gateways: radio.gateways.status(now_ms).map(named).collect(),
        refused: json!({ "not_gwmp": radio.not_gwmp, "gateways": radio.gateways.refused() }),
        merged: json!(radio.dedupe.counters()),
    }
}

fn show(now_ms: u64, gateway: &GatewayStatus<'_>, tally: GatewayTally) -> GatewayView {
    let counters = &gateway.counters;
    let refused = TxError::ALL.map(|error| (error.code().to_owned(), counters.tx_refused[error.index()]));
    let ours = [
        ("no_path", counters.no_path),
        ("queue_full", counters.queue_full),
        ("on_air", counters.on_air),
        ("duty_cycle", counters.duty_cycle),
        ("no_tx_ack", counters.tx_timed_out),
        ("restarted", counters.tx_dropped),
    ]
    .map(|(cause, count)| (cause.to_owned(), count));
    GatewayView {
        online: gateway.online,
        address: gateway.address.to_string(),
        seen_ms_ago: gateway.seen_ms_ago,
        pull_ms_ago: gateway.pull_ms_ago,
        crc_ok: counters.rx,
        crc_bad: counters.crc_bad,
        received: tally.received,
        accepted: tally.accepted,
        duplicate: tally.duplicate,
        rejected: tally.rejected,
        shed: tally.shed,
        duty_percent: gateway.duty.iter().map(|duty| (duty.sub_band.name.to_owned(), tenths(duty.percent()))).collect(),
        tx_refused: refused.into_iter().chain(ours).filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>(),
        address_conflict: gateway.conflict.map(|conflict| AddressConflict {
            from: conflict.from.to_string(),
            ms_ago: now_ms.saturating_sub(conflict.at_ms),
            datagrams: counters.address_refused,
        }),
        hints: gateway.hints.iter().map(ToString::to_string).collect(),
        stat: gateway.stat.map(|stat| json!(stat)),
        counters: json!(counters),
    }
}

/// More digits than anybody reads.
fn tenths(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}
