//! A PUBLISH of an authenticated client.

use envelope::{Novelty, ReplayWindow};
use record::{Link, Reason, SourceId, Stamp};

use super::{Ingest, disabled, rejected};
use crate::session::Session;
use crate::{Arrival, Content, ContentError, DecodeError, Judgement, Payload, Ruling, Undecoded, Verdict};

impl Ingest {
    pub(super) fn judge_mqtt(
        &mut self,
        source: SourceId,
        mut link: Link,
        dup: bool,
        raw: Vec<u8>,
        content: Option<Content>,
        now: Stamp,
    ) -> Judgement {
        if dup && self.redelivery.knows(&source, &link, &raw) {
            return Verdict::plain(Some(source), Ruling::Duplicate).into();
        }
        let devices = self.devices.clone();
        let Some(device) = devices.by_name(&source) else {
            let detail = DecodeError::UnknownDevice.to_string();
            return self.refuse(Some(source), link, raw, Reason::Undecodable, detail, now).into();
        };
        if !device.enabled {
            return self.refuse(Some(source), link, raw, Reason::Disabled, disabled(device), now).into();
        }
        let Some(content) = content else {
            let payload = Payload { bytes: raw.clone(), f_port: None };
            let arrival = Arrival::Mqtt { device: source.clone(), link, dup, payload: raw, content: None };
            return Undecoded::new(&source, arrival, payload).into();
        };
        let mut session_changed = false;
        if let (Link::Mqtt { seal, .. }, Some(sealed)) = (&mut link, &content.seal) {
            *seal = Some(sealed.seal);
            let mut window = self.window(&source);
            match window.admit(sealed.seal.counter, sealed.digest) {
                Novelty::New => {
                    self.put(&source, Session::Sealed(window));
                    session_changed = true;
                }
                Novelty::Duplicate => return Verdict::plain(Some(source), Ruling::Duplicate).into(),
                refused => {
                    let (why, detail) = old(refused, sealed.seal.counter);
                    return self.refuse(Some(source), link, raw, why, detail, now).into();
                }
            }
        }
        self.redelivery.remember(&source, &link, &raw);
        let verdict = match content.decoded {
            Ok(read) => self.decoded(device, link, raw, Ok(read)),
            Err(ContentError::Decode(error)) => self.decoded(device, link, raw, Err(error)),
            // The client is authentic, and would send for ever what is not stored.
            Err(ContentError::Seal(error)) => {
                rejected(Some(source), link, raw, Reason::BadSeal, error.to_string(), true)
            }
        };
        Verdict { session_changed, ..verdict }.into()
    }

    /// The replay window of a device's envelopes.
    pub(super) fn window(&self, source: &SourceId) -> ReplayWindow {
        match self.sessions.get(source) {
            Some(Session::Sealed(window)) => window.clone(),
            _ => ReplayWindow::default(),
        }
    }
}

/// Why a frame that verifies is not new.
pub(super) fn old(novelty: Novelty, counter: u64) -> (Reason, String) {
    match novelty {
        Novelty::Forked => (
            Reason::Forked,
            format!(
                "other bytes under the counter {counter} that was used before · try: keep the counter over restarts of \
                 the device; weir device reset-counter"
            ),
        ),
        Novelty::Replayed | Novelty::New | Novelty::Duplicate => (
            Reason::Replayed,
            format!(
                "counter {counter} is older than the last {} · try: keep the counter over restarts of the device; \
                 weir device reset-counter",
                ReplayWindow::COUNTERS
            ),
        ),
    }
}
