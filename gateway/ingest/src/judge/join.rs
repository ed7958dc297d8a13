//! A device asks to be admitted (LoRaWAN 1.0.4 §6.2, 1.1 §6.2).

use std::collections::BTreeSet;

use ::lorawan::mac::MacState;
use ::lorawan::schedule::Windows;
use ::lorawan::{DevAddr, DevEui, DevNonces, JoinAccept, JoinNonce, JoinRequest, RootKeys};
use record::{Frame, GatewayEui, Link, Reason, Stamp};
use sha2::{Digest, Sha256};

use super::{Ingest, REACKNOWLEDGEMENTS_MAX, disabled};
use crate::session::lorawan::{Activated, LastJoin, LorawanState, StoredKeys};
use crate::strangers::StrangerId;
use crate::{Activation, Device, DeviceLink, Downlink, LoraArrival, LorawanDevice, Ruling, Verdict};

/// Within this time the same request is the same request, heard again or sent again; later it is a replay. RX2 of a join
/// is over after 6 s.
const SAME_JOIN_MS: u64 = 10_000;

impl Ingest {
    pub(super) fn judge_join(&mut self, request: &JoinRequest, heard: LoraArrival, now: Stamp) -> Verdict {
        let link = |dev_addr| join_link(request, &heard, dev_addr);
        let (dev_eui, join_eui) = (request.dev_eui(), request.join_eui());
        let devices = self.devices.clone();
        let Some((device, lorawan, own_join_eui, keys)) = devices.by_dev_eui(dev_eui).and_then(joining) else {
            let detail = format!(
                "no device has DevEUI {dev_eui} (JoinEUI {join_eui}) · try: if it is yours, weir device add; else leave it"
            );
            let id = StrangerId::Joining { dev_eui, join_eui };
            return self.refuse_stranger(id, link(None), heard.phy, Reason::UnknownDevEui, detail, now);
        };
        let source = Some(device.name.clone());
        if join_eui != own_join_eui {
            self.strangers.note(StrangerId::Joining { dev_eui, join_eui }, Some(heard.gateway), now);
            let detail = format!("{dev_eui} joins with JoinEUI {join_eui} · try: join_eui = \"{join_eui}\"");
            return self.refuse(source, link(None), heard.phy, Reason::UnknownDevEui, detail, now);
        }
        if !request.verify(keys) {
            self.strangers.note(StrangerId::UnprovedJoin { dev_eui, join_eui }, Some(heard.gateway), now);
            let detail = format!("{dev_eui}: the MIC does not verify · try: compare its root key with the device's");
            return self.refuse(source, link(None), heard.phy, Reason::BadMic, detail, now);
        }
        if !device.enabled {
            return self.refuse(source, link(None), heard.phy, Reason::Disabled, disabled(device), now);
        }
        let mut state = self.lorawan_state(&device.name);
        if let Some(again) = same_join(&mut state, &heard.phy, now) {
            let session_changed = again.is_some();
            self.put_lorawan(device, state);
            let plain = Verdict::plain(source, Ruling::Duplicate);
            return Verdict { downlink: again, session_changed, ..plain };
        }
        let nonces = state.nonces.take().unwrap_or_else(|| DevNonces::new(lorawan.version));
        let mut nonces = nonces.under(lorawan.version);
        if let Err(error) = nonces.take(request.dev_nonce()) {
            return self.refuse(source, link(None), heard.phy, Reason::NonceReused, error.to_string(), now);
        }
        state.nonces = Some(nonces);
        let join_nonce = state.join_nonce.map_or(Some(JoinNonce::FIRST), JoinNonce::next);
        let dev_addr = join_nonce.and_then(|join_nonce| self.allocate(dev_eui, join_nonce));
        let (Some(join_nonce), Some(dev_addr)) = (join_nonce, dev_addr) else {
            let detail = format!("{dev_eui}: no JoinNonce or DevAddr is left · try: give the device new root keys");
            return self.refuse(source, link(None), heard.phy, Reason::NonceReused, detail, now);
        };
        let (net_id, rx, cf_list) = (self.network.net_id, self.network.rx, self.network.cf_list());
        let accept = request.accept(keys, &JoinAccept { join_nonce, net_id, dev_addr, rx, cf_list });
        let mac = MacState::joined(self.network.region, rx, cf_list);
        state.join_nonce = Some(join_nonce);
        state.pending = Some(Activated::new(dev_addr, StoredKeys::Joined(accept.keys), mac));
        state.last_join = Some(LastJoin {
            request: heard.phy.clone(),
            accept: accept.phy.clone(),
            boot: now.boot,
            at: now.mono_ms,
            repeated: 0,
        });
        self.put_lorawan(device, state);
        let link = link(Some(dev_addr.to_u32()));
        let frame = Frame {
            source: device.name.clone(),
            link,
            raw: heard.phy,
            readings: Vec::new(),
            codec: None,
            texts: Vec::new(),
        };
        let plain = Verdict::plain(source, Ruling::Accepted { frame, remarks: Vec::new() });
        let downlink = Some(Downlink { phy: accept.phy, windows: Windows::Join });
        Verdict { downlink, session_changed: true, ..plain }
    }

    /// An address that no frame of a session still known comes from.
    fn allocate(&self, dev_eui: DevEui, join_nonce: JoinNonce) -> Option<DevAddr> {
        let personalised = self.devices.dev_addrs();
        let in_use: BTreeSet<DevAddr> = personalised.chain(self.joined.keys().copied()).collect();
        let digest = Sha256::new()
            .chain_update(self.network.dev_addr_seed.to_be_bytes())
            .chain_update(dev_eui.0)
            .chain_update(join_nonce.to_u32().to_be_bytes())
            .finalize();
        let seed = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
        DevAddr::allocate(self.network.net_id, seed, &in_use)
    }
}

fn joining(device: &Device) -> Option<(&Device, &LorawanDevice, ::lorawan::JoinEui, &RootKeys)> {
    let DeviceLink::Lorawan(lorawan) = &device.link else { return None };
    match &lorawan.activation {
        Activation::Otaa { join_eui, keys, .. } => Some((device, lorawan, *join_eui, keys)),
        Activation::Abp { .. } => None,
    }
}

/// If this is the last request again: the same accept, unless it was sent often enough.
fn same_join(state: &mut LorawanState, phy: &[u8], now: Stamp) -> Option<Option<Downlink>> {
    let last = state.last_join.as_mut().filter(|last| last.request == phy && last.boot == now.boot)?;
    if now.mono_ms.0.saturating_sub(last.at.0) > SAME_JOIN_MS {
        return None;
    }
    let again = last.repeated < REACKNOWLEDGEMENTS_MAX;
    last.repeated += u8::from(again);
    Some(again.then(|| Downlink { phy: last.accept.clone(), windows: Windows::Join }))
}

fn join_link(request: &JoinRequest, heard: &LoraArrival, dev_addr: Option<u32>) -> Link {
    Link::Join {
        gateway: heard.gateway,
        dev_eui: GatewayEui(request.dev_eui().0),
        join_eui: GatewayEui(request.join_eui().0),
        dev_nonce: request.dev_nonce(),
        frequency_hz: heard.frequency_hz,
        data_rate: heard.data_rate.to_string(),
        rssi_dbm: heard.rssi_dbm,
        snr_ddb: heard.snr_ddb,
        dev_addr,
    }
}
