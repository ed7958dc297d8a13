//! A frame of a transparent LoRa module.

use envelope::{Envelope, HmacKey, Novelty, Purpose};
use record::{Link, Reason, Stamp};

use super::mqtt::old;
use super::{Ingest, disabled};
use crate::content::open;
use crate::session::Session;
use crate::strangers::StrangerId;
use crate::{Arrival, DecodedPayload, DeviceLink, Judgement, Payload, Ruling, SealKey, Undecoded, Verdict};

impl Ingest {
    pub(super) fn judge_serial(
        &mut self,
        port: String,
        confirmed: bool,
        raw: Vec<u8>,
        read: Option<DecodedPayload>,
        now: Stamp,
    ) -> Judgement {
        let link = |seal| Link::Serial { port: port.clone(), seal };
        let envelope = match Envelope::parse(&raw) {
            Ok(envelope) => envelope,
            Err(error) => {
                let detail = error.to_string();
                return self.refuse(None, link(None), raw, Reason::Malformed, detail, now).into();
            }
        };
        // The kid alone says whose key to try: without one the frame is nobody's, not that of device 0.
        let Some((kid, id)) = envelope.header().kid.and_then(|kid| Some((kid, kid.number()?))) else {
            let detail = match envelope.header().kid {
                Some(kid) => format!("kid {kid} is no device's id"),
                None => "the frame has no kid, so nobody knows whose it is".to_owned(),
            };
            let detail = format!("{detail} · try: state the id of [device.serial], big-endian without leading zeros");
            return self.refuse(None, link(None), raw, Reason::Malformed, detail, now).into();
        };
        let devices = self.devices.clone();
        let found = u16::try_from(id).ok().and_then(|id| devices.by_serial_id(id));
        let Some((device, DeviceLink::Serial(serial))) = found.map(|device| (device, &device.link)) else {
            let detail = format!("no device has [device.serial] id {id} · try: if it is yours, weir device add");
            let id = StrangerId::Serial(id);
            return self.refuse_stranger(id, link(None), raw, Reason::UnknownDevAddr, detail, now).into();
        };
        let source = device.name.clone();
        let purpose = if confirmed { Purpose::ConfirmedFrame } else { Purpose::Frame };
        let (sealed, payload) = match open(&envelope, &SealKey::Mac(serial.mac_key.clone()), &source, purpose) {
            Ok((sealed, payload)) => (sealed, payload.to_vec()),
            Err(error) => {
                self.strangers.note(StrangerId::UnprovedSerial(serial.id), None, now);
                let detail = error.to_string();
                return self.refuse(Some(source), link(None), raw, Reason::BadSeal, detail, now).into();
            }
        };
        let link = link(Some(sealed.seal));
        if !device.enabled {
            return self.refuse(Some(source), link, raw, Reason::Disabled, disabled(device), now).into();
        }
        let acknowledgement = confirmed.then(|| {
            let key = HmacKey::from_bytes(serial.mac_key.as_bytes());
            envelope::acknowledgement(source.as_str(), &key, kid, sealed.seal.counter)
        });
        let mut window = self.window(&source);
        match window.admit(sealed.seal.counter, sealed.digest) {
            Novelty::New => {
                let payload = Payload { bytes: payload, f_port: None };
                let Some(content) = DecodedPayload::of(read, &payload) else {
                    let arrival = Arrival::Serial { port, confirmed, envelope: raw, decoded: None };
                    return Undecoded::new(&source, arrival, payload).into();
                };
                self.put(&source, Session::Sealed(window));
                let verdict = self.decoded(device, link, raw, content);
                Verdict { acknowledgement, session_changed: true, ..verdict }.into()
            }
            Novelty::Duplicate => Verdict { acknowledgement, ..Verdict::plain(Some(source), Ruling::Duplicate) }.into(),
            refused => {
                let (why, detail) = old(refused, sealed.seal.counter);
                self.refuse(Some(source), link, raw, why, detail, now).into()
            }
        }
    }
}
