//! A frame between its judgement and its answer.

use chirpstack::News;
use ingest::{Arrival, Downlink, LoraArrival, Remark, Ruling, Verdict};
use mqtt::{Outcome, Reply};
use record::{Body, GatewayEui, MonoMs, Reason, Reception, SourceId};
use tokio::sync::mpsc;

use crate::decoding::{Published, Read};
use crate::job::{Heard, SerialFrame};

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
    Accepted { remarks: Vec<Remark> },
    Duplicate,
    Rejected { why: Reason, detail: String, kept: bool },
    Told { device: Option<SourceId>, news: News },
}

/// Who is answered, and how.
#[derive(Debug)]
pub(crate) enum Answer {
    Mqtt(Reply),
    Chirpstack(Reply),
    /// With what to send, if the frame asked for something.
    Lora(Heard, Option<Downlink>),
    /// With the acknowledgement's envelope, if the frame asked for one.
    Serial(Option<(mpsc::Sender<Vec<u8>>, Vec<u8>)>),
}

/// Who handed a frame in.
#[derive(Debug)]
pub(super) enum Sender {
    Mqtt(Reply),
    Chirpstack(Reply),
    Lora(Heard),
    Serial(mpsc::Sender<Vec<u8>>),
}

impl Sender {
    pub(super) fn answer(self, downlink: Option<Downlink>, acknowledgement: Option<Vec<u8>>) -> Answer {
        match self {
            Sender::Mqtt(reply) => Answer::Mqtt(reply),
            Sender::Chirpstack(reply) => Answer::Chirpstack(reply),
            Sender::Lora(heard) => Answer::Lora(heard, downlink),
            Sender::Serial(port) => Answer::Serial(acknowledgement.map(|envelope| (port, envelope))),
        }
    }
}

/// Parts a verdict: what becomes a record, and what stays to be told.
pub(super) fn part(verdict: Verdict, sender: Sender) -> (Option<Body>, Waiting) {
    let (body, judged) = match verdict.ruling {
        Ruling::Accepted { frame, remarks } => (Some(Body::Frame(frame)), Judged::Accepted { remarks }),
        Ruling::Duplicate => (None, Judged::Duplicate),
        Ruling::Told { device, news } => (None, Judged::Told { device, news }),
        Ruling::Rejected { why, detail, evidence } => {
            let kept = evidence.is_some();
            (evidence.map(Body::Rejected), Judged::Rejected { why, detail, kept })
        }
    };
    (body, Waiting { source: verdict.source, judged, answer: sender.answer(verdict.downlink, verdict.acknowledgement) })
}

impl Judged {
    /// What an MQTT client is told once the transaction is durable.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Judged::Accepted { .. } | Judged::Told { .. } => Outcome::Stored,
            Judged::Duplicate => Outcome::Duplicate,
            Judged::Rejected { detail, kept: true, .. } => Outcome::Refused { reason: detail.clone() },
            // Not kept, so not acknowledged (A2).
            Judged::Rejected { kept: false, .. } => Outcome::Failed,
        }
    }

    /// What a ChirpStack is told. It is not the author of what it passes on, and would send a refused event for ever:
    /// one that is refused is acknowledged, once its count, and its evidence within the budget, are durable.
    pub(super) fn outcome_of_event(&self) -> Outcome {
        match self {
            Judged::Rejected { .. } => Outcome::Discarded,
            judged => judged.outcome(),
        }
    }
}

/// What a publish is to the committer.
#[expect(
    clippy::large_enum_variant,
    reason = "it lives from one line to the next, and a box for each frame would cost more"
)]
pub(super) enum FromMqtt {
    /// To be judged.
    Frame(Arrival, Sender),
    /// Of the client of a self-test.
    Test(Vec<u8>, Reply),
}

pub(super) fn from_mqtt(published: Published) -> FromMqtt {
    let Published { client, link, dup, payload, read, reply } = published;
    match read {
        Read::Test => FromMqtt::Test(payload, reply),
        Read::Frame(content) => {
            FromMqtt::Frame(Arrival::Mqtt { device: client, link, dup, payload, content }, Sender::Mqtt(reply))
        }
        Read::Event { application_id, event } => {
            let decoded = None;
            let arrival =
                Arrival::Chirpstack { integration: client, link, application_id, event, raw: payload, decoded };
            FromMqtt::Frame(arrival, Sender::Chirpstack(reply))
        }
    }
}

pub(super) fn from_lora(mut heard: Heard) -> (Arrival, Sender) {
    let other = |reception: &lorawan::Reception| Reception {
        gateway: GatewayEui(reception.gateway.0),
        rssi_dbm: reception.rxpk.rssi_dbm,
        snr_ddb: reception.rxpk.snr_ddb,
        tmst_us: reception.rxpk.tmst_us,
    };
    let others = heard.others.iter().map(other).collect();
    let best = &mut heard.best;
    let arrival = LoraArrival {
        gateway: GatewayEui(best.gateway.0),
        others,
        frequency_hz: best.rxpk.frequency_hz,
        data_rate: best.rxpk.data_rate,
        rssi_dbm: best.rxpk.rssi_dbm,
        snr_ddb: best.rxpk.snr_ddb,
        tmst_us: best.rxpk.tmst_us,
        received_at: MonoMs(best.received_ms),
        // The answer is scheduled by time and frequency alone.
        phy: std::mem::take(&mut best.rxpk.phy),
        decoded: None,
    };
    (Arrival::Lora(arrival), Sender::Lora(heard))
}

pub(super) fn from_serial(frame: SerialFrame) -> (Arrival, Sender) {
    let SerialFrame { port, confirmed, envelope, acknowledge } = frame;
    (Arrival::Serial { port: port.to_string(), confirmed, envelope, decoded: None }, Sender::Serial(acknowledge))
}
