//! A data frame from the air.

use ::lorawan::fcnt::{self, Counters, Judged};
use ::lorawan::mac::{self, AnswerContext, GpsTime, MacState};
use ::lorawan::{MicContext, SessionKeys, Uplink, UplinkError};
use record::{ClockQuality, Reason, SourceId, Stamp};

use super::downlink::Ask;
use super::{Ingest, REACKNOWLEDGEMENTS_MAX, disabled, lora_link, without_payload};
use crate::session::lorawan::{Activated, StoredKeys};
use crate::strangers::StrangerId;
use crate::{
    Activation, Arrival, CommandStep, DEV_ADDR_DEVICES_MAX, DecodedPayload, Device, DeviceLink, DeviceTable, Judgement,
    LoraArrival, LorawanDevice, Payload, Remark, Ruling, Undecoded, Verdict,
};

/// A device is told the time only by a clock that is synchronised, or cannot be further off than this since it was.
const TIME_ERROR_MS_MAX: u32 = 500;

/// A session that a frame may be of.
pub(super) struct Candidate<'a> {
    pub(super) device: &'a Device,
    pub(super) lorawan: &'a LorawanDevice,
    pub(super) session: Activated,
    pub(super) keys: SessionKeys,
    /// Of a join whose accept may have been lost.
    pending: bool,
}

impl Ingest {
    pub(super) fn judge_uplink(&mut self, heard: LoraArrival, now: Stamp) -> Judgement {
        let uplink = match Uplink::parse(&heard.phy) {
            Ok(uplink) => uplink,
            Err(error) => {
                let why = match error {
                    UplinkError::Join | UplinkError::Downlink | UplinkError::Proprietary => Reason::UnsupportedType,
                    _ => Reason::Malformed,
                };
                return self.refuse(None, lora_link(&heard, 0, 0, None), heard.phy, why, error.to_string(), now).into();
            }
        };
        let dev_addr = uplink.dev_addr();
        let link = |f_cnt| lora_link(&heard, dev_addr.to_u32(), f_cnt, uplink.f_port());
        let as_sent = link(u32::from(uplink.f_cnt_low()));
        let devices = self.devices.clone();
        let candidates = self.candidates(&devices, &uplink);
        if let (true, Some(device)) =
            (candidates.is_empty(), self.joined.get(&dev_addr).and_then(|names| names.first()))
        {
            let detail = format!("{dev_addr}: the device has joined again since, this session is over");
            return self.refuse(Some(device.clone()), as_sent, heard.phy, Reason::Replayed, detail, now).into();
        }
        if candidates.is_empty() {
            let detail =
                format!("no device has DevAddr {dev_addr} · try: if it is yours, weir device add; else leave it");
            let id = StrangerId::Speaking(dev_addr);
            return self.refuse_stranger(id, as_sent, heard.phy, Reason::UnknownDevAddr, detail, now).into();
        }
        let only = (candidates.len() == 1).then(|| candidates[0].device.name.clone());
        let Some((candidate, judged)) = self.prove(candidates, &uplink, &heard) else {
            self.strangers.note(StrangerId::Unproved(dev_addr), Some(heard.gateway), now);
            let detail =
                format!("{dev_addr}: the MIC does not verify · try: compare the keys in keys.toml with the device's");
            return self.refuse(only, as_sent, heard.phy, Reason::BadMic, detail, now).into();
        };
        let source = Some(candidate.device.name.clone());
        if !candidate.device.enabled {
            return self.refuse(source, as_sent, heard.phy, Reason::Disabled, disabled(candidate.device), now).into();
        }
        match judged {
            Judged::New { f_cnt } => self.take_new(candidate, &uplink, f_cnt, false, heard, now),
            Judged::Reset { f_cnt } if candidate.lorawan.counter_reset => {
                self.take_new(candidate, &uplink, f_cnt, true, heard, now)
            }
            Judged::Retransmission { f_cnt } => self.answer_again(candidate, &uplink, f_cnt, &heard, now).into(),
            refused => {
                let (why, f_cnt, detail) = refusal(refused, &uplink);
                self.refuse(source, link(f_cnt), heard.phy, why, detail, now).into()
            }
        }
    }

    /// The first session whose keys a frame was made with.
    pub(super) fn prove<'a>(
        &self,
        candidates: Vec<Candidate<'a>>,
        uplink: &Uplink,
        heard: &LoraArrival,
    ) -> Option<(Candidate<'a>, Judged)> {
        candidates.into_iter().find_map(|candidate| {
            let context = self.mic_context(heard, &candidate)?;
            match fcnt::judge(uplink, &candidate.keys, &candidate.session.counters(), context) {
                Judged::BadMic => None,
                judged => Some((candidate, judged)),
            }
        })
    }

    /// Every session that uses this address, at most [`DEV_ADDR_DEVICES_MAX`].
    pub(super) fn candidates<'a>(&self, devices: &'a DeviceTable, uplink: &Uplink) -> Vec<Candidate<'a>> {
        let dev_addr = uplink.dev_addr();
        let joined = self.joined.get(&dev_addr).into_iter().flatten().filter_map(|name| devices.by_name(name));
        let mut candidates = Vec::new();
        for device in devices.by_dev_addr(dev_addr).chain(joined) {
            let DeviceLink::Lorawan(lorawan) = &device.link else { continue };
            let state = self.lorawan_state(&device.name);
            match &lorawan.activation {
                Activation::Abp { dev_addr: own, keys } if *own == dev_addr => {
                    let stored = StoredKeys::personalised(keys);
                    let before = state.active.filter(|active| active.keys == stored && active.dev_addr == dev_addr);
                    let session = before.unwrap_or_else(|| {
                        Activated::new(dev_addr, stored, MacState::personalised(self.network.region))
                    });
                    candidates.push(Candidate { device, lorawan, session, keys: keys.clone(), pending: false });
                }
                Activation::Abp { .. } => {}
                Activation::Otaa { .. } => {
                    for (session, pending) in [(state.active, false), (state.pending, true)] {
                        let Some(session) = session.filter(|session| session.dev_addr == dev_addr) else { continue };
                        let StoredKeys::Joined(keys) = session.keys.clone() else { continue };
                        candidates.push(Candidate { device, lorawan, session, keys, pending });
                    }
                }
            }
        }
        candidates.truncate(DEV_ADDR_DEVICES_MAX);
        candidates
    }

    fn mic_context(&self, heard: &LoraArrival, candidate: &Candidate<'_>) -> Option<MicContext> {
        if !candidate.keys.is_v1_1() {
            return Some(MicContext::default());
        }
        let conf_f_cnt = candidate.session.conf_f_cnt;
        MicContext::heard(self.network.region, heard.frequency_hz, heard.data_rate, conf_f_cnt)
    }

    /// A frame that is authentic and new, or begins its counter anew as its device may.
    fn take_new(
        &mut self,
        candidate: Candidate<'_>,
        uplink: &Uplink,
        f_cnt: u32,
        reset: bool,
        mut heard: LoraArrival,
        now: Stamp,
    ) -> Judgement {
        let Candidate { device, lorawan, mut session, keys, pending } = candidate;
        let payload = Payload { bytes: uplink.decrypt(&keys, f_cnt), f_port: uplink.f_port() };
        let content = DecodedPayload::of(heard.decoded.take(), &payload);
        // Without a payload, or with MAC commands in its place, there is nothing to decode.
        if content.is_none() && !payload.bytes.is_empty() && payload.f_port != Some(0) {
            return Undecoded::new(&device.name, Arrival::Lora(heard), payload).into();
        }
        session.took(Counters::after(uplink, f_cnt), f_cnt);
        let commands = mac::parse(&uplink.mac_commands(&keys, f_cnt)).commands;
        let dr = ::lorawan::tx_dr(self.network.region, heard.data_rate);
        let now_ms = u64::try_from(now.wall_ms.0).unwrap_or_default();
        let learned = session.mac.heard(self.network.region, dr, heard.snr_ddb, &commands, now_ms);
        let mut remarks: Vec<Remark> = learned.into_iter().map(Remark::Mac).collect();
        remarks.extend(reset.then_some(Remark::CounterReset));
        let mut steps = Vec::new();
        self.settle_awaited(&device.name, uplink.ack(), &mut session, &mut steps, &mut remarks);
        let ask = Ask {
            ack: uplink.confirmed().then_some(f_cnt),
            heard_wanted: uplink.adr_ack_req(),
            answers: mac::answer(&commands, &keys, &answer_context(&heard, now)),
            adr: uplink.adr(),
        };
        let downlink = self.answer(device, lorawan, &keys, &mut session, ask, now_ms, &mut steps);
        let mut state = self.lorawan_state(&device.name);
        if pending {
            state.activate(session);
        } else {
            state.active = Some(session);
        }
        self.put_lorawan(device, state);
        let link = lora_link(&heard, uplink.dev_addr().to_u32(), f_cnt, uplink.f_port());
        let mut verdict = match content {
            Some(content) => self.decoded(device, link, heard.phy, content),
            None => without_payload(device, link, heard.phy),
        };
        if let Ruling::Accepted { remarks: told, .. } = &mut verdict.ruling {
            told.append(&mut remarks);
        }
        Verdict { plain: Some(payload.bytes), downlink, session_changed: true, commands: steps, ..verdict }.into()
    }

    /// A command was acknowledged, or was sent as often as commands are.
    fn settle_awaited(
        &mut self,
        device: &SourceId,
        acknowledged: bool,
        session: &mut Activated,
        steps: &mut Vec<CommandStep>,
        remarks: &mut Vec<Remark>,
    ) {
        let Some(id) = session.awaiting.take() else { return };
        let sent = self.commands.next(device).filter(|command| command.id == id).map(|command| command.sent);
        let given_up = sent.is_some_and(|sent| sent >= crate::COMMAND_ATTEMPTS_MAX);
        if acknowledged || given_up {
            self.commands.done(device, id);
            steps.push(CommandStep::Done(id));
            remarks.extend((!acknowledged).then_some(Remark::CommandGivenUp));
        }
    }

    /// The last frame again: its answer was not heard. What it asked for is answered again, a few times.
    fn answer_again(
        &mut self,
        candidate: Candidate<'_>,
        uplink: &Uplink,
        f_cnt: u32,
        heard: &LoraArrival,
        now: Stamp,
    ) -> Verdict {
        let Candidate { device, mut session, keys, .. } = candidate;
        let commands = mac::parse(&uplink.mac_commands(&keys, f_cnt)).commands;
        let answers = mac::answer(&commands, &keys, &answer_context(heard, now));
        let ack = uplink.confirmed().then_some(f_cnt);
        let plain = Verdict::plain(Some(device.name.clone()), Ruling::Duplicate);
        let wanted = ack.is_some() || !answers.is_empty();
        if !wanted || session.reacknowledged >= REACKNOWLEDGEMENTS_MAX {
            return plain;
        }
        let Some(downlink) = self.repeat(&keys, &mut session, ack, &answers) else { return plain };
        session.reacknowledged += 1;
        let mut state = self.lorawan_state(&device.name);
        state.active = Some(session);
        self.put_lorawan(device, state);
        Verdict { downlink: Some(downlink), session_changed: true, ..plain }
    }
}

/// What LinkCheckAns and DeviceTimeAns say. The time is that of the end of the frame.
fn answer_context(heard: &LoraArrival, now: Stamp) -> AnswerContext {
    let trusted = match now.clock {
        ClockQuality::Synchronised => true,
        ClockQuality::Holdover { error_ms } => error_ms <= TIME_ERROR_MS_MAX,
        ClockQuality::Unset => false,
    };
    let waited_ms = now.mono_ms.0.saturating_sub(heard.received_at.0);
    let ended_ms = u64::try_from(now.wall_ms.0).ok().and_then(|now_ms| now_ms.checked_sub(waited_ms));
    AnswerContext {
        snr_ddb: heard.snr_ddb,
        data_rate: heard.data_rate,
        gateways: u8::try_from(heard.others.len() + 1).unwrap_or(u8::MAX),
        time: ended_ms.filter(|_| trusted).and_then(GpsTime::from_unix_ms),
    }
}

fn refusal(judged: Judged, uplink: &Uplink) -> (Reason, u32, String) {
    let address = uplink.dev_addr();
    match judged {
        Judged::Forked { f_cnt } => {
            let detail = format!(
                "{address}: other bytes under the stored FCnt {f_cnt}: somebody else has its keys · try: give the device new keys"
            );
            (Reason::Forked, f_cnt, detail)
        }
        Judged::Replayed { f_cnt } => (Reason::Replayed, f_cnt, format!("{address}: FCnt {f_cnt} was used before")),
        Judged::Reset { f_cnt } => {
            let detail = format!(
                "{address}: FCnt went back to {f_cnt} · try: give the device new keys; else weir device reset-counter \
                 once, or counter_reset = true if replays are no danger"
            );
            (Reason::CounterReset, f_cnt, detail)
        }
        Judged::BadMic | Judged::New { .. } | Judged::Retransmission { .. } => {
            (Reason::BadMic, u32::from(uplink.f_cnt_low()), format!("{address}: the MIC does not verify"))
        }
    }
}
