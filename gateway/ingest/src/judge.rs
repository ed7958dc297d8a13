//! The verdict on a frame: who sent it, is it new, what does it say (design §3.2).

use std::collections::HashMap;
use std::sync::Arc;

use lorawan::Uplink;
use lorawan::fcnt::{Counters, Judged};
use record::{Body, Frame, Link, Reason, Record, Rejected, SourceId, Stamp};

use crate::evidence::EvidenceBudget;
use crate::redelivery::Redelivery;
use crate::session::{LoraSession, SessionError};
use crate::{
    Activation, Arrival, Codec, DecodeError, Decoded, Device, DeviceLink, DeviceTable, LorawanDevice, Ruling, Verdict,
};

/// How often one stored frame is acknowledged again; then the device's receiver is deaf and we save our airtime.
const REACKNOWLEDGEMENTS_MAX: u8 = 8;

/// Devices with their sessions: all that judging needs to remember.
///
/// After a transaction that failed, make a new one from what is stored: this one already believes the frames.
#[derive(Debug)]
pub struct Ingest {
    devices: Arc<DeviceTable>,
    sessions: HashMap<SourceId, LoraSession>,
    redelivery: Redelivery,
    budget: EvidenceBudget,
}

impl Ingest {
    /// Starts with the stored sessions (opaque bytes from [`Ingest::session`], by device).
    ///
    /// # Errors
    /// [`SessionError`] if stored bytes are none that this version wrote.
    pub fn new<'a>(
        devices: Arc<DeviceTable>,
        stored: impl Iterator<Item = (&'a SourceId, &'a [u8])>,
        budget: EvidenceBudget,
    ) -> Result<Ingest, SessionError> {
        let mut sessions = HashMap::new();
        for (source, bytes) in stored.filter(|(_, bytes)| !bytes.is_empty()) {
            sessions.insert(source.clone(), LoraSession::from_bytes(source, bytes)?);
        }
        Ok(Ingest { devices, sessions, redelivery: Redelivery::default(), budget })
    }

    /// Takes note of a stored record, oldest first: how a restart knows which MQTT frames it stored, and how much of
    /// its evidence budget is used up.
    pub fn remember(&mut self, record: &Record) {
        match &record.body {
            Body::Frame(frame) => self.redelivery.remember(&frame.source, &frame.link, &frame.raw),
            Body::Rejected(rejected) => match (&rejected.source, rejected.why) {
                (Some(source), Reason::Undecodable) => self.redelivery.remember(source, &rejected.link, &rejected.raw),
                // What no proof came with was paid for when it was stored.
                _ => {
                    self.budget.spend(rejected.raw.len(), record.stamp.mono_ms);
                }
            },
            Body::Boot(_) | Body::Alarm(_) | Body::Codec(_) | Body::Redecoded(_) => {}
        }
    }

    /// What must be stored of a device's session; empty if it has none.
    pub fn session(&self, source: &SourceId) -> Vec<u8> {
        self.sessions.get(source).map(LoraSession::to_bytes).unwrap_or_default()
    }

    /// Judges one frame that came in at `now`.
    pub fn judge(&mut self, arrival: Arrival, now: Stamp) -> Verdict {
        match arrival {
            Arrival::Mqtt { device, link, dup, payload, decoded } => {
                self.judge_mqtt(device, link, dup, payload, decoded)
            }
            Arrival::Lora { gateway, frequency_hz, data_rate, rssi_dbm, snr_ddb, tmst_us, phy } => {
                let link = |uplink: Option<(&Uplink, u32)>| Link::Lora {
                    gateway,
                    dev_addr: uplink.map_or(0, |(uplink, _)| uplink.dev_addr().to_u32()),
                    f_cnt: uplink.map_or(0, |(_, f_cnt)| f_cnt),
                    f_port: uplink.and_then(|(uplink, _)| uplink.f_port()),
                    frequency_hz,
                    data_rate: data_rate.clone(),
                    rssi_dbm,
                    snr_ddb,
                    tmst_us,
                    others: Vec::new(),
                };
                self.judge_lora(link, phy, now)
            }
        }
    }

    fn judge_mqtt(
        &mut self,
        device: SourceId,
        link: Link,
        dup: bool,
        raw: Vec<u8>,
        decoded: Result<Decoded, DecodeError>,
    ) -> Verdict {
        let verdict = |ruling| Verdict { source: Some(device.clone()), ruling, downlink: None, session_changed: false };
        if dup && self.redelivery.knows(&device, &link, &raw) {
            return verdict(Ruling::Duplicate);
        }
        self.redelivery.remember(&device, &link, &raw);
        verdict(match decoded {
            Ok(decoded) => {
                let frame = Frame {
                    source: device.clone(),
                    link,
                    raw,
                    readings: decoded.readings,
                    codec: None,
                    texts: Vec::new(),
                };
                Ruling::Accepted { frame, warnings: decoded.warnings }
            }
            // An authenticated device's bytes are always kept: what is not stored is not acknowledged (A2), and the
            // device would send it for ever.
            Err(error) => {
                let (why, detail) = (Reason::Undecodable, error.to_string());
                let evidence = Rejected { source: Some(device.clone()), link, raw, why, detail: detail.clone() };
                Ruling::Rejected { why, detail, evidence: Some(evidence) }
            }
        })
    }

    fn judge_lora(&mut self, link: impl Fn(Option<(&Uplink, u32)>) -> Link, phy: Vec<u8>, now: Stamp) -> Verdict {
        let uplink = match Uplink::parse(&phy) {
            Ok(uplink) => uplink,
            Err(error) => {
                let why = match error {
                    lorawan::UplinkError::Join | lorawan::UplinkError::Downlink | lorawan::UplinkError::Proprietary => {
                        Reason::UnsupportedType
                    }
                    _ => Reason::Malformed,
                };
                return self.refuse(None, link(None), phy, why, error.to_string(), now);
            }
        };
        let as_sent = link(Some((&uplink, u32::from(uplink.f_cnt_low()))));
        let devices = self.devices.clone();
        let Some((device, keys)) = devices.by_dev_addr(uplink.dev_addr()).find_map(lora_keys) else {
            let detail =
                format!("no device has DevAddr {} · try: if it is yours, add it to devices.toml", uplink.dev_addr());
            return self.refuse(None, as_sent, phy, Reason::UnknownDevAddr, detail, now);
        };
        let source = device.name.clone();
        let session = self.sessions.entry(source.clone()).or_default();
        match lorawan::fcnt::judge(&uplink, keys, &session.counters, lorawan::MicContext::default()) {
            Judged::New { f_cnt } => {
                session.counters = Counters::after(&uplink, f_cnt);
                session.reacknowledged = 0;
                let downlink = uplink.confirmed().then(|| acknowledge(session, &uplink, keys)).flatten();
                let payload = uplink.decrypt(keys, f_cnt);
                let ruling =
                    decode_lora(&device.codec, &source, link(Some((&uplink, f_cnt))), phy, &payload, &uplink, now);
                Verdict { source: Some(source), ruling, downlink, session_changed: true }
            }
            Judged::Retransmission { .. } => {
                let again = uplink.confirmed() && session.reacknowledged < REACKNOWLEDGEMENTS_MAX;
                let downlink = again.then(|| acknowledge(session, &uplink, keys)).flatten();
                let session_changed = downlink.is_some();
                session.reacknowledged += u8::from(session_changed);
                Verdict { source: Some(source), ruling: Ruling::Duplicate, downlink, session_changed }
            }
            refused => {
                let (why, f_cnt, detail) = refusal(refused, &uplink);
                self.refuse(Some(source), link(Some((&uplink, f_cnt))), phy, why, detail, now)
            }
        }
    }

    /// Refuses a frame that proves nothing about its sender: evidence of it is kept within the budget, or a stranger's
    /// radio could fill the disk.
    fn refuse(
        &mut self,
        source: Option<SourceId>,
        link: Link,
        raw: Vec<u8>,
        why: Reason,
        detail: String,
        now: Stamp,
    ) -> Verdict {
        let evidence = self.budget.spend(raw.len(), now.mono_ms).then(|| Rejected {
            source: source.clone(),
            link,
            raw,
            why,
            detail: detail.clone(),
        });
        let ruling = Ruling::Rejected { why, detail, evidence };
        Verdict { source, ruling, downlink: None, session_changed: false }
    }
}

fn lora_keys(device: &Device) -> Option<(&Device, &lorawan::SessionKeys)> {
    match &device.link {
        DeviceLink::Lorawan(LorawanDevice { activation: Activation::Abp { keys, .. }, .. }) => Some((device, keys)),
        _ => None,
    }
}

/// The acknowledgement with the next FCntDown, which is stored in the transaction of this verdict and so durable before
/// the frame leaves; none once the session's counters are used up.
fn acknowledge(session: &mut LoraSession, uplink: &Uplink, keys: &lorawan::SessionKeys) -> Option<Vec<u8>> {
    let f_cnt_down = session.next_down;
    session.next_down = f_cnt_down.checked_add(1)?;
    let ack = session.counters.last.as_ref().map(|last| last.f_cnt);
    lorawan::DataDown { ack, ..lorawan::DataDown::new(uplink.dev_addr(), f_cnt_down) }.seal(keys).ok()
}

fn decode_lora(
    codec: &Codec,
    source: &SourceId,
    link: Link,
    raw: Vec<u8>,
    payload: &[u8],
    uplink: &Uplink,
    now: Stamp,
) -> Ruling {
    match codec.decode(payload, now.wall_ms, uplink.f_port()) {
        Ok(decoded) => {
            let frame =
                Frame { source: source.clone(), link, raw, readings: decoded.readings, codec: None, texts: Vec::new() };
            Ruling::Accepted { frame, warnings: decoded.warnings }
        }
        Err(error) => {
            let (why, detail) = (Reason::Undecodable, error.to_string());
            let evidence = Rejected { source: Some(source.clone()), link, raw, why, detail: detail.clone() };
            Ruling::Rejected { why, detail, evidence: Some(evidence) }
        }
    }
}

fn refusal(judged: Judged, uplink: &Uplink) -> (Reason, u32, String) {
    let address = uplink.dev_addr();
    match judged {
        Judged::Forked { f_cnt } => {
            let detail = format!(
                "{address}: other bytes under the stored FCnt {f_cnt}: somebody else has its keys · try: give the device new session keys"
            );
            (Reason::Forked, f_cnt, detail)
        }
        Judged::Replayed { f_cnt } => (Reason::Replayed, f_cnt, format!("{address}: FCnt {f_cnt} was used before")),
        Judged::Reset { f_cnt } => {
            let detail = format!("{address}: FCnt went back to {f_cnt} · try: give the device new session keys");
            (Reason::CounterReset, f_cnt, detail)
        }
        Judged::BadMic | Judged::New { .. } | Judged::Retransmission { .. } => {
            let detail = format!("{address}: the MIC does not verify · try: compare nwk_s_key with the device's");
            (Reason::BadMic, u32::from(uplink.f_cnt_low()), detail)
        }
    }
}

#[cfg(test)]
mod tests;
