//! A technician's orders, each in the transaction that stores what it changes.

use batch::{Asked, EvidenceSeal, MemberDigest};
use chirpstack::{Down, Topic};
use ingest::{Command, DeviceLink, Stranger, StrangerId, export_sessions, import_sessions};
use journal::{COMMANDS_PER_DEVICE_MAX, CommandChange, CommandId, SegmentChange, Stage, salvage};
use record::{GatewayEui, SourceId};
use serde_json::{Value, json};

use super::{Committer, Draft};
use crate::clock::mono_ms;
use crate::commands::EdgeCommand;
use crate::error::StartError;
use crate::job::{Downlink, When};
use crate::ledger::change;
use crate::order::{self, Order, Ordered};

/// A page of an export ends with the session that fills it: 2,000 sessions with all their DevNonces (18 MiB) pass the
/// control socket in lines of half its bound, and never stand in memory together.
const EXPORT_PAGE_BYTES: usize = 240 * 1024;

/// Longest command over LoRaWAN, in bytes (RP002-1.0.4, N without repeater); slow data rates carry less.
const COMMAND_BYTES_MAX: usize = 242;

impl Committer {
    /// Does what is ordered; the answer leaves when the transaction is durable.
    pub(super) fn obey(&mut self, ordered: Ordered, draft: &mut Draft) {
        let Ordered { order, answer } = ordered;
        let done = match order {
            Order::FlushNonces { device } => self.flush_nonces(&device, draft),
            Order::ResetCounter { device } => self.reset_counter(&device, draft),
            Order::ExportSessions { after } => self.export(after.as_ref()),
            Order::ImportSessions { sessions, jump } => self.import(&sessions, jump, draft),
            Order::Send { device, payload, f_port, confirmed } => self.queue(device, payload, f_port, confirmed, draft),
            Order::Probe => Ok(json!({})),
            Order::SelfTest { by, reason, frame } => self.self_test(by, reason, frame, draft),
            Order::Strangers => Ok(json!({ "strangers": self.strangers() })),
            Order::SealEvidence { asked, report_version, members } => {
                self.seal_evidence(asked, report_version, members)
            }
            Order::Audit(audit) => self.audit(audit, draft),
            Order::Register(registration) => self.register(registration, draft),
            Order::Enter(entering) => self.enter(*entering, draft),
            Order::Command { platform, command } => self.command(&platform, command, draft),
            Order::Found { file, sha256 } => Ok(self.tell_found(file, sha256, draft)),
            Order::ReloadRules(why) => self.reload_rules(why, draft),
            Order::Prove { platform, receipt } => self.prove(&platform, &receipt, draft),
            Order::Sample { device, period_s } => self.sample(&device, period_s, draft),
            Order::TakeSample { sampler, by, reason } => self.take_sample(&sampler, by, reason, draft),
            Order::PulseDone { relay, done } => self.pulse_done(&relay, done, draft),
            Order::RotateKey { by, reason } => self.rotate_key(by, reason, draft),
            Order::KeepSession { device, state } => {
                self.restored.rows.entry(Some(device.clone())).or_default().client = state;
                draft.touched.insert(Some(device));
                Ok(json!({}))
            }
            Order::Keep { changes, .. } if self.is_pinned(&changes) => Err("pinned meanwhile".into()),
            Order::Keep { gaps, changes } => {
                self.tell_gaps(gaps, &mut draft.transaction);
                let takes_away = |change: &SegmentChange| {
                    matches!(change, SegmentChange::Reduced { .. } | SegmentChange::Condemned { to: Stage::Gone, .. })
                };
                let taken_away = changes.iter().any(takes_away);
                draft.transaction.segments.extend(changes);
                if taken_away {
                    self.tell_again(draft);
                }
                Ok(json!({}))
            }
            Order::GiveUp => {
                self.damaged = true;
                let marked = salvage::mark(&self.parts.journal_path);
                marked.map(|()| json!({})).map_err(|error| control::chain(&StartError::Mark(error)))
            }
            Order::CommandDone { id } => {
                draft.transaction.commands.push(CommandChange::Done(CommandId(id)));
                Ok(json!({}))
            }
            Order::Redecode { device, from, to } => return self.queue_history(device, from, to, answer, draft),
        };
        draft.answers.push((answer, done));
    }

    /// Signs that the box was asked for evidence and that the file has these parts, and nothing else.
    fn seal_evidence(&self, asked: Asked, report_version: u32, members: Vec<MemberDigest>) -> Result<Value, String> {
        let (box_id, stamp, parts) = (self.parts.box_id.clone(), self.stamp(), members.len());
        let seal = EvidenceSeal { box_id, asked, report_version, members, stamp };
        let cose = seal.sign(&self.parts.key).map_err(|error| error.to_string())?;
        let EvidenceSeal { asked, .. } = seal;
        log::info!(
            from_ms = asked.from_ms.0, to_ms = asked.to_ms.0, reason = asked.reason.as_str(), parts; "evidence sealed"
        );
        Ok(json!({ "seal": hex::encode(cose) }))
    }

    fn flush_nonces(&mut self, device: &SourceId, draft: &mut Draft) -> Result<Value, String> {
        self.restored.ingest.flush_nonces(device).map_err(|error| error.to_string())?;
        self.store_session(device, draft);
        Ok(json!({}))
    }

    fn reset_counter(&mut self, device: &SourceId, draft: &mut Draft) -> Result<Value, String> {
        let highest = self.restored.ingest.reset_counter(device).map_err(|error| error.to_string())?;
        self.store_session(device, draft);
        log::warn!(source:% = device, highest:? = highest; "frame counter forgotten, its old frames can be replayed");
        Ok(json!({ "highest": highest }))
    }

    /// A page of sessions, an export by itself, and the name after which the next page begins, if there is one.
    fn export(&self, after: Option<&SourceId>) -> Result<Value, String> {
        let rows = self.restored.rows.iter();
        let sessions = rows.filter_map(|(source, row)| Some((source.as_ref()?, row.session.as_slice())));
        let mut rest = sessions.filter(|(source, session)| !session.is_empty() && Some(*source) > after).peekable();
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some((source, session)) = rest.next_if(|_| bytes < EXPORT_PAGE_BYTES) {
            bytes += session.len();
            page.push((source, session));
        }
        let next = rest.peek().and(page.last()).map(|(source, _)| source.as_str());
        let export = export_sessions(page.iter().copied()).map_err(|error| control::chain(&error))?;
        Ok(json!({ "sessions": hex::encode(export.as_slice()), "count": page.len(), "next": next }))
    }

    fn import(&mut self, sessions: &[u8], jump: u16, draft: &mut Draft) -> Result<Value, String> {
        let rows = import_sessions(sessions, jump).map_err(|error| control::chain(&error))?;
        if let Some(unknown) = rows.keys().find(|device| self.parts.devices.by_name(device).is_none()) {
            return Err(format!(
                "device `{unknown}` is not in the device table · try: weir device add, then import again"
            ));
        }
        for (device, session) in &rows {
            self.restored.ingest.take_over(device, session).map_err(|error| control::chain(&error))?;
            self.store_session(device, draft);
        }
        Ok(json!({ "count": rows.len() }))
    }

    pub(super) fn queue(
        &mut self,
        device: SourceId,
        payload: Vec<u8>,
        f_port: u8,
        confirmed: bool,
        draft: &mut Draft,
    ) -> Result<Value, String> {
        let known = self.parts.devices.by_name(&device);
        match known.map(|known| &known.link) {
            Some(DeviceLink::Lorawan(_)) => {}
            Some(DeviceLink::Mqtt(_)) => return self.queue_mqtt(device, payload, draft),
            Some(DeviceLink::Chirpstack(_)) => {
                return self.queue_chirpstack(device, payload, f_port, confirmed, draft);
            }
            Some(other @ DeviceLink::Serial(_)) => {
                return Err(format!("device `{device}` is on {}: it takes no commands", other.as_str()));
            }
            None => return Err(format!("there is no device `{device}` · try: weir device list")),
        }
        fits_lorawan(&payload)?;
        if self.restored.ingest.commands_waiting(&device) >= COMMANDS_PER_DEVICE_MAX {
            return Err(too_many(&device));
        }
        let id = self.next_command(draft)?;
        draft.transaction.commands.push(CommandChange::Queue(journal::Command {
            id: CommandId(id),
            device: device.clone(),
            payload: payload.clone(),
            f_port: Some(f_port),
            confirmed,
            created: self.stamp(),
        }));
        self.restored.ingest.queue(device.clone(), Command { id, payload, f_port, confirmed, sent: 0 });
        if let Some(push) = self.restored.ingest.push(&device) {
            draft.transaction.commands.push(change(&push.step));
            self.store_session(&device, draft);
            let when = When::Immediate { gateways: Vec::new(), settings: push.rx };
            draft.pushes.push(Downlink { phy: push.phy, when, report: None });
        }
        Ok(json!({ "id": id }))
    }

    /// Queues a command for an MQTT device, which gets it when it listens.
    fn queue_mqtt(&mut self, device: SourceId, payload: Vec<u8>, draft: &mut Draft) -> Result<Value, String> {
        if payload.len() > journal::COMMAND_BYTES_MAX {
            return Err(format!(
                "{} bytes are more than a command may have: send at most {}",
                payload.len(),
                journal::COMMAND_BYTES_MAX
            ));
        }
        let id = self.queue_for_edge(device, payload, None, true, draft)?;
        Ok(json!({ "id": id }))
    }

    /// Queues a command for a device that ChirpStack serves, which gets it when it listens.
    fn queue_chirpstack(
        &mut self,
        device: SourceId,
        payload: Vec<u8>,
        f_port: u8,
        confirmed: bool,
        draft: &mut Draft,
    ) -> Result<Value, String> {
        fits_lorawan(&payload)?;
        let id = self.queue_for_edge(device, payload, Some(f_port), confirmed, draft)?;
        Ok(json!({ "id": id, "via": "chirpstack" }))
    }

    /// Stores a command that an MQTT client gets, and hands it over once that is durable.
    fn queue_for_edge(
        &mut self,
        device: SourceId,
        payload: Vec<u8>,
        f_port: Option<u8>,
        confirmed: bool,
        draft: &mut Draft,
    ) -> Result<u64, String> {
        let stored = self.journal.commands().map_err(|error| control::chain(&error))?;
        let stored = stored.iter().filter(|stored| stored.command.device == device).count();
        let is_of_device =
            |change: &&CommandChange| matches!(change, CommandChange::Queue(command) if command.device == device);
        let drafted = draft.transaction.commands.iter().filter(is_of_device).count();
        if stored + drafted >= COMMANDS_PER_DEVICE_MAX {
            return Err(too_many(&device));
        }
        let id = self.next_command(draft)?;
        let created = self.stamp();
        let command = journal::Command { id: CommandId(id), device, payload, f_port, confirmed, created };
        let for_edge = self.for_edge(command.clone())?;
        draft.transaction.commands.push(CommandChange::Queue(command));
        draft.commands.push(for_edge);
        Ok(id)
    }

    /// A command as its MQTT client gets it: the device itself, or the ChirpStack that serves it.
    ///
    /// # Errors
    /// Why nobody can be given it now, in words.
    pub(super) fn for_edge(&self, command: journal::Command) -> Result<EdgeCommand, String> {
        let journal::Command { id, device, payload, f_port, confirmed, created } = command;
        let known = self.parts.devices.by_name(&device);
        let chirpstack = match known.map(|known| &known.link) {
            Some(DeviceLink::Mqtt(_)) => return Ok(EdgeCommand { client: device, topic: None, id: id.0, payload }),
            Some(DeviceLink::Chirpstack(chirpstack)) => chirpstack,
            _ => return Err(format!("device `{device}` takes no commands over MQTT")),
        };
        let Some(server) = self.parts.devices.chirpstack() else {
            return Err(format!(
                "no [[integration]] is a ChirpStack, so nobody can send to `{device}` · try: add one to devices.toml"
            ));
        };
        let Some(application_id) = self.restored.ingest.application_id(&device) else {
            return Err(format!(
                "ChirpStack has told nothing of `{device}` yet, so its application is not known · try: again after its \
                 first frame"
            ));
        };
        let dev_eui = GatewayEui(chirpstack.dev_eui.0);
        let topic = self.parts.chirpstack.command_topic.topic(Topic { application_id, dev_eui, kind: "down" });
        // A journal that begins anew counts commands anew; what ChirpStack has of the old one stays another.
        let name = format!("{}/{}/{}", self.parts.box_id, id.0, created.wall_ms.0);
        let f_port = f_port.unwrap_or(order::F_PORT);
        let down = Down { id: name.as_bytes(), dev_eui, confirmed, f_port, payload: &payload };
        let payload = down.to_json().into_bytes();
        Ok(EdgeCommand { client: server.name.clone(), topic: Some(topic), id: id.0, payload })
    }

    /// The number of the next command, those of this transaction counted.
    fn next_command(&self, draft: &Draft) -> Result<u64, String> {
        let queued =
            draft.transaction.commands.iter().filter(|change| matches!(change, CommandChange::Queue(_))).count();
        let next = self.journal.next_command().map_err(|error| control::chain(&error))?.0;
        Ok(next.saturating_add(u64::try_from(queued).unwrap_or(u64::MAX)))
    }

    fn store_session(&mut self, device: &SourceId, draft: &mut Draft) {
        let row = self.restored.rows.entry(Some(device.clone())).or_default();
        row.session = self.restored.ingest.session(device);
        draft.touched.insert(Some(device.clone()));
    }

    fn strangers(&self) -> Vec<Value> {
        let now = mono_ms();
        let show = |stranger: &Stranger| {
            let wrong_key =
                "compare its keys in keys.toml with the device's; if none of yours is silent, it is a stranger's";
            let (kind, address, cure) = match stranger.id {
                StrangerId::Joining { dev_eui, join_eui } if self.parts.devices.by_dev_eui(dev_eui).is_some() => (
                    "join, other JoinEUI",
                    format!("{dev_eui} {join_eui}"),
                    "if it is yours: correct join_eui in devices.toml; else leave it",
                ),
                StrangerId::Joining { dev_eui, join_eui } => (
                    "join",
                    format!("{dev_eui} {join_eui}"),
                    "if it is yours: weir device add with its dev_eui, join_eui and app_key; else leave it",
                ),
                StrangerId::Speaking(dev_addr) if stranger.foreign => {
                    ("foreign network", dev_addr.to_string(), "another network's device: leave it")
                }
                StrangerId::Speaking(dev_addr) => {
                    ("data", dev_addr.to_string(), "if it is yours: weir device add, or let it join again")
                }
                StrangerId::Serial(id) => ("serial", id.to_string(), "if it is yours: weir device add with this id"),
                StrangerId::UnprovedJoin { dev_eui, join_eui } => {
                    ("join, wrong key", format!("{dev_eui} {join_eui}"), wrong_key)
                }
                StrangerId::Unproved(dev_addr) => ("data, wrong key", dev_addr.to_string(), wrong_key),
                StrangerId::UnprovedSerial(id) => ("serial, wrong key", id.to_string(), wrong_key),
                StrangerId::Chirpstack(dev_eui) => (
                    "chirpstack",
                    dev_eui.to_string(),
                    "if it is yours: weir device add --link chirpstack with this dev_eui",
                ),
            };
            json!({
                "kind": kind, "address": address, "frames": stranger.frames, "cure": cure,
                "gateway": stranger.gateway.map(|gateway| gateway.to_string()),
                "seen_ms_ago": now.0.saturating_sub(stranger.last.mono_ms.0),
            })
        };
        self.restored.ingest.strangers().map(show).collect()
    }
}

fn fits_lorawan(payload: &[u8]) -> Result<(), String> {
    match payload.len() {
        ..=COMMAND_BYTES_MAX => Ok(()),
        bytes => Err(format!("{bytes} bytes do not fit a LoRaWAN frame: send at most {COMMAND_BYTES_MAX}")),
    }
}

fn too_many(device: &SourceId) -> String {
    format!("{COMMANDS_PER_DEVICE_MAX} commands wait for `{device}` already · try: weir device show {device}")
}
