//! A frame between its judgement and its answer.

use ingest::{Arrival, Ruling, Verdict};
use mqtt::{Outcome, Reply};
use record::{Body, GatewayEui, Reason, SourceId};

use crate::decoding::Published;
use crate::job::Heard;

/// What is left of a frame while its record is on its way to the disk.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) source: Option<SourceId>,
    pub(crate) judged: Judged,
    pub(crate) answer: Answer,
}

/// What a frame was, without the record that was made of it.
#[derive(Debug)]
pub(crate) enum Judged {
    Accepted { warnings: usize },
    Duplicate,
    Rejected { why: Reason, detail: String, kept: bool },
}

/// Who is answered, and how.
#[derive(Debug)]
pub(crate) enum Answer {
    Mqtt(Reply),
    /// With the PHYPayload to send, if the frame asked for one.
    Lora(Option<(Heard, Vec<u8>)>),
}

/// Who handed a frame in.
#[derive(Debug)]
pub(super) enum Sender {
    Mqtt(Reply),
    Lora(Heard),
}

impl Sender {
    pub(super) fn answer(self, downlink: Option<Vec<u8>>) -> Answer {
        match self {
            Sender::Mqtt(reply) => Answer::Mqtt(reply),
            Sender::Lora(heard) => Answer::Lora(downlink.map(|phy| (heard, phy))),
        }
    }
}

/// Parts a verdict: what becomes a record, and what stays to be told.
pub(super) fn part(verdict: Verdict, sender: Sender) -> (Option<Body>, Waiting) {
    let (body, judged) = match verdict.ruling {
        Ruling::Accepted { frame, warnings } => {
            (Some(Body::Frame(frame)), Judged::Accepted { warnings: warnings.len() })
        }
        Ruling::Duplicate => (None, Judged::Duplicate),
        Ruling::Rejected { why, detail, evidence } => {
            let kept = evidence.is_some();
            (evidence.map(Body::Rejected), Judged::Rejected { why, detail, kept })
        }
    };
    (body, Waiting { source: verdict.source, judged, answer: sender.answer(verdict.downlink) })
}

impl Judged {
    /// What an MQTT client is told once the transaction is durable.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Judged::Accepted { .. } => Outcome::Stored,
            Judged::Duplicate => Outcome::Duplicate,
            Judged::Rejected { detail, kept: true, .. } => Outcome::Refused { reason: detail.clone() },
            // Not kept, so not acknowledged (A2).
            Judged::Rejected { kept: false, .. } => Outcome::Failed,
        }
    }
}

pub(super) fn from_mqtt(published: Published) -> (Arrival, Sender) {
    let Published { device, link, dup, payload, decoded, reply } = published;
    (Arrival::Mqtt { device, link, dup, payload, decoded }, Sender::Mqtt(reply))
}

pub(super) fn from_lora(mut heard: Heard) -> (Arrival, Sender) {
    let best = &mut heard.best;
    let arrival = Arrival::Lora {
        gateway: GatewayEui(best.gateway.0),
        frequency_hz: best.rxpk.frequency_hz,
        data_rate: best.rxpk.data_rate.to_string(),
        rssi_dbm: best.rxpk.rssi_dbm,
        snr_ddb: best.rxpk.snr_ddb,
        tmst_us: best.rxpk.tmst_us,
        // The answer is scheduled by time and frequency alone.
        phy: std::mem::take(&mut best.rxpk.phy),
    };
    (arrival, Sender::Lora(heard))
}
