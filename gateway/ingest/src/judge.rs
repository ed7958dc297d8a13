//! The verdict on a frame: who sent it, is it new, what does it say (design §3.2).

mod chirpstack;
mod downlink;
mod join;
mod mqtt;
mod redecode;
mod sender;
mod serial;
mod sessions;
mod uplink;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ::chirpstack::Event;
use ::lorawan::{DevAddr, DevEui, JoinRequest};
use record::{Body, Frame, Link, OutfallCode, Reason, Record, Rejected, SourceId, Stamp, TextValue};

use crate::command::Commands;
use crate::evidence::EvidenceBudget;
use crate::redelivery::Redelivery;
use crate::session::Session;
use crate::strangers::{StrangerId, Strangers};
use crate::{
    Arrival, Device, DeviceTable, EventFault, Judgement, LoraArrival, Network, Remark, Ruling, Verdict, Warning,
};
use chirpstack::Delivery;
pub use downlink::Push;
pub use redecode::{RedecodeError, Reopened};
pub use sessions::{CounterError, FlushError, LinkQuality};

/// How often one stored frame is acknowledged again; then the device's receiver is deaf and we save our airtime.
const REACKNOWLEDGEMENTS_MAX: u8 = 8;

/// Devices with their sessions: all that judging needs to remember.
///
/// After a transaction that failed, make a new one from what is stored: this one already believes the frames.
#[derive(Debug)]
pub struct Ingest {
    devices: Arc<DeviceTable>,
    network: Network,
    sessions: HashMap<SourceId, Session>,
    /// Devices that joined, by the addresses of their sessions.
    joined: BTreeMap<DevAddr, Vec<SourceId>>,
    commands: Commands,
    redelivery: Redelivery,
    budget: EvidenceBudget,
    strangers: Strangers,
    /// Outfalls that have a dossier.
    outfalls: BTreeSet<OutfallCode>,
}

impl Ingest {
    /// Takes note of a stored record, oldest first: how a restart knows which MQTT frames it stored, and how much of
    /// its evidence budget is used up.
    pub fn remember(&mut self, record: &Record) {
        match &record.body {
            Body::Frame(frame) => self.redelivery.remember(&frame.source, &frame.link, &frame.raw),
            Body::Rejected(rejected) => match (&rejected.source, rejected.why) {
                (Some(source), Reason::Undecodable | Reason::BadSeal | Reason::UnknownOutfall) => {
                    self.redelivery.remember(source, &rejected.link, &rejected.raw);
                }
                // What no proof came with was paid for when it was stored.
                _ => {
                    self.budget.spend(rejected.raw.len(), record.stamp.mono_ms);
                }
            },
            Body::Boot(_) | Body::Alarm(_) | Body::Codec(_) | Body::Redecoded(_) => {}
            Body::Clock(_) | Body::Gap(_) | Body::Audit(_) | Body::Outfall(_) | Body::Aggregate(_) => {}
            Body::Manual(_) => {}
        }
    }

    /// Judges one frame that came in at `now`. No codec runs here: one whose payload nobody has decoded yet comes back
    /// as [`Judgement::Undecoded`], with nothing changed.
    pub fn judge(&mut self, arrival: Arrival, now: Stamp) -> Judgement {
        match arrival {
            Arrival::Mqtt { device, link, dup, payload, content } => {
                self.judge_mqtt(device, link, dup, payload, content, now)
            }
            Arrival::Lora(heard) if matches!(heard.phy.first().map(|mhdr| mhdr >> 5), Some(0 | 6)) => {
                match JoinRequest::parse(&heard.phy) {
                    Ok(request) => self.judge_join(&request, heard, now).into(),
                    Err(error) => {
                        let why = match error {
                            ::lorawan::JoinError::Rejoin(_) => Reason::UnsupportedType,
                            _ => Reason::Malformed,
                        };
                        self.refuse(None, lora_link(&heard, 0, 0, None), heard.phy, why, error.to_string(), now).into()
                    }
                }
            }
            Arrival::Lora(heard) => self.judge_uplink(heard, now),
            Arrival::Serial { port, confirmed, envelope, decoded } => {
                self.judge_serial(port, confirmed, envelope, decoded, now)
            }
            Arrival::Chirpstack { integration, link, application_id, event, raw, decoded } => match event {
                Ok(Event::Up(up)) => {
                    let delivery = Delivery { integration, link, application_id };
                    self.judge_chirpstack(up, delivery, raw, decoded, now)
                }
                Ok(Event::News(dev_eui, news)) => {
                    let device = self.devices.by_chirpstack(DevEui(dev_eui.0)).map(|device| device.name.clone());
                    Verdict::plain(Some(integration), Ruling::Told { device, news }).into()
                }
                Err(EventFault { why, detail }) => self.refuse(Some(integration), link, raw, why, detail, now).into(),
            },
        }
    }

    /// Takes note that this outfall has a dossier: data of the devices there are taken from now on.
    pub fn know_outfall(&mut self, code: &OutfallCode) {
        self.outfalls.insert(code.clone());
    }

    /// An authentic, new frame as its codec reads it. One that cannot be read is always kept: what is not stored is not
    /// acknowledged (A2), and its device would send it for ever. So is one from an outfall without a dossier.
    fn decoded(
        &self,
        device: &Device,
        link: Link,
        raw: Vec<u8>,
        content: Result<crate::Decoded, crate::DecodeError>,
    ) -> Verdict {
        let source = device.name.clone();
        if let Some(code) = device.outfall.as_ref().filter(|code| !self.outfalls.contains(*code)) {
            let detail = without_dossier(device, code);
            return rejected(Some(source), link, raw, Reason::UnknownOutfall, detail, true);
        }
        match content {
            Ok(decoded) => {
                let texts = texts(&decoded);
                let codec = Some(device.codec_text.id);
                let frame = Frame { source: source.clone(), link, raw, readings: decoded.readings, codec, texts };
                let remarks = decoded.warnings.into_iter().map(Remark::Decoding).collect();
                Verdict::plain(Some(source), Ruling::Accepted { frame, remarks })
            }
            Err(error) => rejected(Some(source), link, raw, Reason::Undecodable, error.to_string(), true),
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
        let kept = self.budget.spend(raw.len(), now.mono_ms);
        rejected(source, link, raw, why, detail, kept)
    }

    /// Refuses a frame of a device that is in no table, and remembers that it was heard.
    fn refuse_stranger(
        &mut self,
        id: StrangerId,
        link: Link,
        raw: Vec<u8>,
        why: Reason,
        detail: String,
        now: Stamp,
    ) -> Verdict {
        let gateway = match &link {
            Link::Lora { gateway, .. } | Link::Join { gateway, .. } => Some(*gateway),
            _ => None,
        };
        self.strangers.note(id, gateway, now);
        self.refuse(None, link, raw, why, detail, now)
    }
}

/// The words for a device that is switched off.
fn disabled(device: &Device) -> String {
    format!("device `{}` is disabled in devices.toml · try: enabled = true", device.name)
}

/// A refusal, with its evidence if it is to be kept.
fn rejected(source: Option<SourceId>, link: Link, raw: Vec<u8>, why: Reason, detail: String, kept: bool) -> Verdict {
    let evidence = kept.then(|| Rejected { source: source.clone(), link, raw, why, detail: detail.clone() });
    Verdict::plain(source, Ruling::Rejected { why, detail, evidence })
}

/// The words for a device at an outfall that nobody registered.
fn without_dossier(device: &Device, code: &OutfallCode) -> String {
    format!(
        "device `{}` stands at outfall {code}, which has no dossier · try: weir outfall add FILE --reason TEXT",
        device.name
    )
}

/// An authentic, new frame that carries nothing for a codec.
fn without_payload(device: &Device, link: Link, raw: Vec<u8>) -> Verdict {
    let source = device.name.clone();
    let frame = Frame { source: source.clone(), link, raw, readings: Vec::new(), codec: None, texts: Vec::new() };
    Verdict::plain(Some(source), Ruling::Accepted { frame, remarks: Vec::new() })
}

/// What stood where numbers belong.
fn texts(decoded: &crate::Decoded) -> Vec<TextValue> {
    let text = |warning: &Warning| match warning {
        Warning::NotANumber { quantity, found } => Some(TextValue::new(quantity.clone(), found)),
        _ => None,
    };
    decoded.warnings.iter().filter_map(text).collect()
}

/// The link of a data frame.
fn lora_link(heard: &LoraArrival, dev_addr: u32, f_cnt: u32, f_port: Option<u8>) -> Link {
    Link::Lora {
        gateway: heard.gateway,
        dev_addr,
        f_cnt,
        f_port,
        frequency_hz: heard.frequency_hz,
        data_rate: heard.data_rate.to_string(),
        rssi_dbm: heard.rssi_dbm,
        snr_ddb: heard.snr_ddb,
        tmst_us: heard.tmst_us,
        others: heard.others.clone(),
    }
}

#[cfg(test)]
mod tests;
