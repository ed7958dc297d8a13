//! What platforms command: believed by their signature, journaled, and carried out or refused.

use batch::{Command, OpenError, Order, PublicKey, UnknownCommand};
use control::chain;
use record::{Act, Actor, Audit, Body, ClockQuality, MonoMs, Record, Seq, SourceId, Stamp};
use rules::RuleSet;
use serde_json::{Value, json};

use super::samples::why_none;
use super::trial::Trial;
use super::{Committer, Draft};
use crate::clock::mono_ms;
use crate::config::unknown_sampler;
use crate::platform_files;

/// Most commands an hour, of all platforms: each is a record of up to 32 kB.
const COMMANDS_PER_HOUR_MAX: usize = 60;
const HOUR_MS: u64 = 3_600_000;

/// What a command asks of the transaction that journals it.
enum Doing {
    /// Nothing: the upload daemon does it, once it finds the command in the journal.
    Nothing,
    /// To try these rules.
    Try(RuleSet),
    /// To start anew with the files of the command.
    StartAnew,
    /// To journal that a sample is retained, or why none is; the first is carried out once it is durable.
    Retain(Act),
}

impl Committer {
    /// Journals what a platform commands, with what becomes of it. `repeated` says that it is journaled already.
    ///
    /// # Errors
    /// Why it is not even journaled: nobody believes it, or there were too many.
    pub(super) fn command(&mut self, platform: &str, bytes: Vec<u8>, draft: &mut Draft) -> Result<Value, String> {
        let no_key = || {
            format!(
                "the journal has no key of platform `{platform}`, so it commands nothing · try: weir identity enroll URL CODE, \
                 or weir identity pin {platform} KEY"
            )
        };
        let key = self.platforms.key(platform).ok_or_else(no_key)?;
        let command = match Command::verify(&bytes, &key) {
            Ok(command) => command,
            Err(error @ OpenError::Payload { .. }) => return self.refuse_unknown(platform, bytes, &key, &error, draft),
            Err(error) => return Err(chain(&error)),
        };
        if command.box_id != self.parts.box_id {
            return Err(format!("the command is for box {}", command.box_id));
        }
        if command.number <= self.platforms.newest(platform) {
            return Ok(json!({ "repeated": true }));
        }
        self.count_command()?;
        let (number, order, reason) = (command.number, command.order.as_str().to_owned(), command.reason.clone());
        let (refused, doing) = match self.carry_out(platform, command, draft) {
            Ok(Doing::Retain(act)) => (why_none(&act), Doing::Retain(act)),
            Ok(doing) => (None, doing),
            Err(why) => (Some(why.chars().take(REFUSAL_CHARS_MAX).collect::<String>()), Doing::Nothing),
        };
        let seq = self.next_seq(draft);
        log::warn!(
            seq:% = seq, platform, number, order = order.as_str(), refused = refused.as_deref().unwrap_or("no"),
            reason = reason.as_str(); "a platform commands"
        );
        let is_tried = matches!(doing, Doing::Try(_) | Doing::StartAnew);
        let answer = json!({ "seq": seq, "refused": refused, "trial": is_tried });
        let act = Act::Commanded { number, order, command: bytes, refused };
        let stamp = self.stamp();
        let by = Actor::Platform(platform.to_owned());
        self.journal_audit(Audit { by: by.clone(), act, reason: reason.clone() }, stamp, draft);
        match doing {
            Doing::Nothing => {}
            Doing::Retain(act) => self.sampled(Audit { by, act, reason }, draft),
            Doing::Try(rules) => {
                self.begin_trial(Trial::of_rules(seq, platform, rules, self.parts.commands_allowed.trial_s), draft);
            }
            Doing::StartAnew => self.try_files_anew(seq, platform, draft),
        }
        Ok(answer)
    }

    /// Journals that a platform orders what this box does not know, so that nobody believes it done. Whatever it is: no order
    /// that a box knows moves water.
    fn refuse_unknown(
        &mut self,
        platform: &str,
        bytes: Vec<u8>,
        key: &PublicKey,
        unreadable: &OpenError,
        draft: &mut Draft,
    ) -> Result<Value, String> {
        let unknown = UnknownCommand::verify(&bytes, key).map_err(|_| chain(unreadable))?;
        if unknown.box_id != self.parts.box_id {
            return Err(format!("the command is for box {}", unknown.box_id));
        }
        if unknown.number <= self.platforms.newest(platform) {
            return Ok(json!({ "repeated": true }));
        }
        self.count_command()?;
        let UnknownCommand { number, kind, reason, .. } = unknown;
        let (seq, stamp) = (self.next_seq(draft), self.stamp());
        log::warn!(seq:% = seq, platform, number, kind, reason = reason.as_str(); "a platform commands what this box does not know");
        let refused = Some(NO_SUCH_ORDER.to_owned());
        let act = Act::Commanded { number, order: format!("unknown {kind}"), command: bytes, refused: refused.clone() };
        self.journal_audit(Audit { by: Actor::Platform(platform.to_owned()), act, reason }, stamp, draft);
        Ok(json!({ "seq": seq, "refused": refused, "trial": false }))
    }

    /// Appends an order, and keeps what it says of platforms.
    pub(super) fn journal_audit(&mut self, audit: Audit, stamp: Stamp, draft: &mut Draft) {
        self.note_sample(&audit.act, stamp, draft);
        if self.platforms.note(&audit) {
            self.keep_platforms(draft);
        }
        self.append(Record { stamp, body: Body::Audit(audit) }, &mut draft.transaction);
    }

    /// Puts what is known of platforms into the transaction.
    pub(super) fn keep_platforms(&self, draft: &mut Draft) {
        draft.transaction.states.insert(super::platforms::STATE.to_owned(), self.platforms.to_bytes());
    }

    /// The number of the next record of a transaction.
    pub(super) fn next_seq(&self, draft: &Draft) -> Seq {
        let ahead = u64::try_from(draft.transaction.records.len()).unwrap_or(u64::MAX);
        Seq(self.journal.end().0.saturating_add(ahead))
    }

    fn count_command(&mut self) -> Result<(), String> {
        let now = mono_ms();
        let is_recent = |at: &MonoMs| now.0.saturating_sub(at.0) < HOUR_MS;
        self.commanded.retain(is_recent);
        if self.commanded.len() >= COMMANDS_PER_HOUR_MAX {
            return Err(format!("{COMMANDS_PER_HOUR_MAX} commands came within an hour, later ones wait"));
        }
        self.commanded.push(now);
        Ok(())
    }

    /// Does what is commanded, or says why it is refused.
    fn carry_out(&mut self, platform: &str, command: Command, draft: &mut Draft) -> Result<Doing, String> {
        let now = self.stamp();
        if now.clock != ClockQuality::Unset && command.until_ms < now.wall_ms {
            return Err("it came after its time".into());
        }
        let allowed = &self.parts.commands_allowed;
        let is_allowed = match command.order {
            Order::Resend { .. } => allowed.resend,
            Order::Sampling { .. } => allowed.sampling.iter().any(|one| one.as_str() == platform),
            Order::Rules { .. } => allowed.rules.iter().any(|one| one.as_str() == platform),
            Order::Configuration { .. } => allowed.configuration.iter().any(|one| one.as_str() == platform),
            Order::RetainedSample { .. } => allowed.retained_sample.iter().any(|one| one.as_str() == platform),
        };
        if !is_allowed {
            return Err(format!("[commands] of this box's gateway.toml does not allow {platform} that"));
        }
        match command.order {
            Order::Resend { .. } => Ok(Doing::Nothing),
            Order::Sampling { device, period_s } => self.sample(&device, period_s, draft).map(|_| Doing::Nothing),
            Order::RetainedSample { sampler } => self.sample_wanted(&sampler).map(Doing::Retain),
            Order::Rules { .. } | Order::Configuration { .. } if self.trial.is_some() || draft.trial.is_some() => {
                Err("other rules or files are on trial: order them when those are settled".into())
            }
            Order::Configuration { files } => {
                let checked = platform_files::check(&self.parts.origin, &files);
                checked.map(|()| Doing::StartAnew).map_err(|error| chain(&error))
            }
            Order::Rules { toml } => {
                let rules = RuleSet::from_toml(&toml).map_err(|error| chain(&error))?;
                match unknown_sampler(&self.parts.relays_configured, &rules) {
                    Some((rule, sampler)) => Err(format!("rule {rule}: this box has no sampler {sampler}")),
                    None => Ok(Doing::Try(rules)),
                }
            }
        }
    }

    /// Tells a device to measure so often.
    pub(super) fn sample(&mut self, device: &SourceId, period_s: u32, draft: &mut Draft) -> Result<Value, String> {
        let devices = self.parts.devices.clone();
        let known =
            devices.by_name(device).ok_or_else(|| format!("there is no device `{device}` · try: weir device list"))?;
        let no_way = || {
            format!(
                "devices.toml does not say how device `{device}` is told its period · try: add [device.sampling] to it"
            )
        };
        let sampling = known.sampling.as_ref().ok_or_else(no_way)?;
        let payload = sampling.command(period_s).map_err(|error| format!("device `{device}`: {error}"))?;
        self.queue(device.clone(), payload, sampling.f_port, sampling.confirmed, draft)
    }
}

/// Why an order is refused that this box does not know.
const NO_SUCH_ORDER: &str = "this box knows no such order: it obeys resend, sampling, rules, files and retained samples; nothing it \
                             obeys moves a gate, valve or pump, so that no storm-water outlet is closed by it";

/// Longest reason of a refusal that is journaled: below an audit's bound in any script.
pub(super) const REFUSAL_CHARS_MAX: usize = Audit::TEXT_BYTES_MAX / 4;
