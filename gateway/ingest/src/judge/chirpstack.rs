//! An `up` event of a ChirpStack beside the box: verified there, not here.

use ::chirpstack::Up;
use ::lorawan::DevEui;
use envelope::{FrameDigest, Novelty, ReplayWindow};
use record::{Frame, Link, Reason, Stamp};

use super::{Ingest, decoded, disabled};
use crate::session::{ChirpstackState, Session};
use crate::strangers::StrangerId;
use crate::{Remark, Ruling, Verdict};

impl Ingest {
    pub(super) fn judge_chirpstack(&mut self, up: Up, raw: Vec<u8>, now: Stamp) -> Verdict {
        let Up { dev_eui, dev_addr, f_cnt, f_port, payload, heard_by, frequency_hz, .. } = up;
        let link = Link::Chirpstack { dev_eui, dev_addr, f_cnt, f_port, frequency_hz, heard_by };
        let devices = self.devices.clone();
        let Some(device) = devices.by_chirpstack(DevEui(dev_eui.0)) else {
            let detail = format!("no device has [device.chirpstack] dev_eui {dev_eui} · try: weir device add");
            let id = StrangerId::Joining { dev_eui: DevEui(dev_eui.0), join_eui: ::lorawan::JoinEui::default() };
            return self.refuse_stranger(id, link, raw, Reason::UnknownDevEui, detail, now);
        };
        let source = device.name.clone();
        if !device.enabled {
            return self.refuse(Some(source), link, raw, Reason::Disabled, disabled(device), now);
        }
        // The event as a whole differs each time it is delivered; what the device sent does not.
        let digest = FrameDigest::of(&payload);
        let before = match self.sessions.get(&source) {
            Some(Session::Chirpstack(state)) if state.dev_addr == dev_addr => Some(state.window.clone()),
            _ => None,
        };
        let mut window = before.unwrap_or_default();
        let reset = match window.admit(f_cnt.into(), digest) {
            Novelty::Duplicate => return Verdict::plain(Some(source), Ruling::Duplicate),
            Novelty::New => false,
            // ChirpStack decides what is fresh: it let the counter begin anew.
            Novelty::Forked | Novelty::Replayed => {
                window = ReplayWindow::default();
                window.admit(f_cnt.into(), digest);
                true
            }
        };
        self.put(&source, Session::Chirpstack(ChirpstackState { dev_addr, window }));
        let mut verdict = if payload.is_empty() {
            let frame =
                Frame { source: source.clone(), link, raw, readings: Vec::new(), codec: None, texts: Vec::new() };
            Verdict::plain(Some(source), Ruling::Accepted { frame, remarks: Vec::new() })
        } else {
            decoded(device, link, raw, device.codec.decode(&payload, now.wall_ms, Some(f_port)))
        };
        if let (true, Ruling::Accepted { remarks, .. }) = (reset, &mut verdict.ruling) {
            remarks.push(Remark::CounterReset);
        }
        Verdict { session_changed: true, ..verdict }
    }
}
