//! An `up` event of a ChirpStack beside the box: verified there, not here.

use ::chirpstack::{Event, Up};
use ::lorawan::DevEui;
use envelope::{FrameDigest, Novelty, ReplayWindow};
use record::{Link, Reason, SourceId, Stamp};

use super::{Ingest, disabled, without_payload};
use crate::session::{ChirpstackState, Session};
use crate::strangers::StrangerId;
use crate::{Arrival, DecodeError, Decoded, DeviceLink, Judgement, Remark, Ruling, Undecoded, Verdict};

/// How an event came.
pub(super) struct Delivery {
    pub(super) integration: SourceId,
    pub(super) link: Link,
    pub(super) application_id: String,
}

impl Ingest {
    pub(super) fn judge_chirpstack(
        &mut self,
        up: Box<Up>,
        delivery: Delivery,
        raw: Vec<u8>,
        read: Option<Result<Option<Decoded>, DecodeError>>,
        now: Stamp,
    ) -> Judgement {
        let Up { dev_eui, dev_addr, f_cnt, f_port, frequency_hz, .. } = *up;
        let link = Link::Chirpstack { dev_eui, dev_addr, f_cnt, f_port, frequency_hz, heard_by: up.heard_by.clone() };
        let devices = self.devices.clone();
        let found = devices.by_chirpstack(DevEui(dev_eui.0)).map(|device| (device, &device.link));
        let Some((device, DeviceLink::Chirpstack(_))) = found else {
            let detail = format!("no device has [device.chirpstack] dev_eui {dev_eui} · try: weir device add");
            let id = StrangerId::Chirpstack(DevEui(dev_eui.0));
            return self.refuse_stranger(id, link, raw, Reason::UnknownDevEui, detail, now).into();
        };
        let source = device.name.clone();
        if !device.enabled {
            return self.refuse(Some(source), link, raw, Reason::Disabled, disabled(device), now).into();
        }
        let before = match self.sessions.get(&source) {
            Some(Session::Chirpstack(state)) if state.dev_addr == dev_addr => Some(state.window.clone()),
            _ => None,
        };
        let mut window = before.unwrap_or_default();
        // The event as a whole differs each time it is published anew; what the device sent does not. One that is only
        // delivered again is the same to the byte, however old its counter or session is by now.
        let digest = FrameDigest::of(up.payload.as_bytes());
        let novelty = match self.redelivery.knows(&source, &link, &raw) {
            true => Novelty::Duplicate,
            false => window.admit(f_cnt.into(), digest),
        };
        let reset = match novelty {
            Novelty::Duplicate => return Verdict::plain(Some(source), Ruling::Duplicate).into(),
            Novelty::New => false,
            // ChirpStack decides what is fresh: it let the counter begin anew.
            Novelty::Forked | Novelty::Replayed => {
                window = ReplayWindow::default();
                window.admit(f_cnt.into(), digest);
                true
            }
        };
        let Some(read) = read else {
            let Delivery { integration, link, application_id } = delivery;
            let event = Ok(Event::Up(up));
            let arrival = Arrival::Chirpstack { integration, link, application_id, event, raw, decoded: None };
            return Undecoded::event(&source, arrival).into();
        };
        let application_id = delivery.application_id;
        self.put(&source, Session::Chirpstack(ChirpstackState { dev_addr, window, application_id }));
        self.redelivery.remember(&source, &link, &raw);
        let mut verdict = match read {
            Ok(None) => without_payload(device, link, raw),
            Ok(Some(content)) => self.decoded(device, link, raw, Ok(content)),
            Err(error) => self.decoded(device, link, raw, Err(error)),
        };
        if let (true, Ruling::Accepted { remarks, .. }) = (reset, &mut verdict.ruling) {
            remarks.push(Remark::CounterReset);
        }
        Verdict { session_changed: true, ..verdict }.into()
    }

    /// The application that ChirpStack has a device in; none if it was not heard through ChirpStack yet.
    pub fn application_id(&self, device: &SourceId) -> Option<&str> {
        match self.sessions.get(device) {
            Some(Session::Chirpstack(state)) => Some(&state.application_id),
            _ => None,
        }
    }
}
