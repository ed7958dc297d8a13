//! A dead man's switch for the rules of a platform.
//!
//! ```text
//! command ─► on trial ──► receipt of that platform, over the command's own record, in time ──► kept
//!                 ├─────► nothing in time, or a flood of alarms ──────────────────────────────► those before
//!                 └─────► this daemon is started again ───────────────────────────────────────► those before
//! ```
//! On trial they are in memory alone: whatever goes wrong with them, a restart ends it. Kept ones are a state of the journal
//! and count until somebody changes `rules.toml`, which then is newer.

use std::time::Duration;

use batch::Receipt;
use control::chain;
use journal::{Reader, Transaction};
use record::{Act, Actor, Audit, Body, MonoMs, Seq, Settlement};
use rules::RuleSet;
use serde_json::{Value, json};

use super::platforms::{KeptRules, OnTrial, rules_text};
use super::{Committer, Draft};
use crate::board::RulesNote;
use crate::clock::mono_ms;
use crate::error::StartError;
use crate::ledger::read_one;

/// More transitions of alarms than this in a trial are a flood: a station has some tens a day.
const ALARMS_MAX: usize = 200;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Rules that must prove themselves.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    command: Seq,
    platform: String,
    rules: RuleSet,
    /// Those before them.
    before: RuleSet,
    until: MonoMs,
    limit_s: u64,
    /// Transitions since it began.
    alarms: usize,
}

/// What a stored transaction does to a trial.
#[derive(Debug)]
pub(super) enum Step {
    Begin(Trial),
    Keep,
    RollBack,
}

impl Trial {
    pub(super) fn new(command: Seq, platform: &str, rules: RuleSet, limit_s: u64) -> Trial {
        let until = MonoMs(mono_ms().0.saturating_add(limit_s.saturating_mul(1_000)));
        let before = RuleSet::default();
        Trial { command, platform: platform.to_owned(), rules, before, until, limit_s, alarms: 0 }
    }

    /// When to look at it again, if nothing else happens: a disk that does not take its end is not asked all the time.
    pub(super) fn rest(&self) -> Duration {
        Duration::from_millis(self.until.0.saturating_sub(mono_ms().0)).max(LOOK_AGAIN)
    }

    /// Why it failed, if it did.
    fn failure(&self) -> Option<String> {
        if self.alarms > ALARMS_MAX {
            return Some(format!("more than {ALARMS_MAX} alarms came and went under them"));
        }
        let is_over = self.until <= mono_ms();
        is_over.then(|| format!("no receipt of {} in {} s", self.platform, self.limit_s))
    }
}

impl Committer {
    /// Has a trial begin once its command is stored.
    pub(super) fn begin_trial(&mut self, trial: Trial, draft: &mut Draft) {
        self.platforms.trial = Some(OnTrial { command: trial.command, platform: trial.platform.clone() });
        self.keep_platforms(draft);
        draft.trial = Some(Step::Begin(trial));
    }

    /// Ends a trial that failed.
    pub(super) fn end_trial_if_due(&mut self, draft: &mut Draft) {
        let Some(trial) = &self.trial else { return };
        let Some(why) = trial.failure() else { return };
        let command = trial.command;
        self.platforms.trial = None;
        self.journal_settlement(command, Settlement::RolledBack, why, draft);
        draft.trial = Some(Step::RollBack);
    }

    /// Takes a platform's receipt as the proof that the box delivers under its rules.
    pub(super) fn prove(&mut self, platform: &str, receipt: &[u8], draft: &mut Draft) -> Result<Value, String> {
        let nothing = || format!("no rules of platform `{platform}` are on trial");
        let trial = self.trial.as_ref().filter(|trial| trial.platform == platform && draft.trial.is_none());
        let trial = trial.filter(|trial| trial.failure().is_none()).ok_or_else(nothing)?;
        let key = self.platforms.key(platform).ok_or_else(nothing)?;
        let receipt = Receipt::verify(receipt, &key).map_err(|error| chain(&error))?;
        if receipt.box_id != self.parts.box_id || !receipt.has(trial.command) {
            return Err(format!("the receipt does not hold record {}, the command", trial.command));
        }
        let command = trial.command;
        let reader = Reader::open(&self.parts.journal_path).map_err(|error| chain(&error))?;
        let toml = text_of(&reader, command)?;
        self.platforms.trial = None;
        let (platform, replaced) = (platform.to_owned(), self.parts.rules_hash);
        self.platforms.rules = Some(KeptRules { command, platform, replaced, toml });
        self.journal_settlement(command, Settlement::Kept, String::new(), draft);
        draft.trial = Some(Step::Keep);
        Ok(json!({ "kept": command }))
    }

    /// At the start: rules on trial did not prove themselves, and kept ones count unless `rules.toml` is newer.
    pub(super) fn settle_platform_rules(&mut self) -> Result<(), StartError> {
        let mut draft = Draft::default();
        if let Some(OnTrial { command, .. }) = self.platforms.trial.take() {
            self.journal_settlement(
                command,
                Settlement::RolledBack,
                "the gateway was started again".into(),
                &mut draft,
            );
        }
        if let Some(kept) = &self.platforms.rules
            && self.platforms.rules_instead_of(self.parts.rules_hash).is_none()
        {
            let command = kept.command;
            let why = match kept.replaced == self.parts.rules_hash {
                true => "this version of the program does not read them",
                false => "rules.toml was changed by hand",
            };
            self.platforms.rules = None;
            self.journal_settlement(command, Settlement::Superseded, why.into(), &mut draft);
        }
        if !draft.transaction.is_empty() {
            self.journal.commit(&draft.transaction).map_err(StartError::Journal)?;
        }
        self.note_rules();
        Ok(())
    }

    fn journal_settlement(&mut self, command: Seq, outcome: Settlement, why: String, draft: &mut Draft) {
        log::warn!(command:% = command, outcome = outcome.as_str(), why = why.as_str(); "rules of a platform are settled");
        let audit = Audit { by: Actor::Box, act: Act::Settled { command, outcome }, reason: why };
        let stamp = self.stamp();
        self.journal_audit(audit, stamp, draft);
        self.keep_platforms(draft);
    }

    /// Counts what rules on trial raise.
    pub(super) fn count_alarms(&mut self, transaction: &Transaction) {
        let Some(trial) = &mut self.trial else { return };
        let is_alarm = |record: &&record::Record| matches!(record.body, Body::Alarm(_));
        trial.alarms = trial.alarms.saturating_add(transaction.records.iter().filter(is_alarm).count());
    }

    /// Does what a transaction that is stored now does to a trial.
    ///
    /// # Errors
    /// [`StartError::Journal`] if the journal cannot be read back.
    pub(super) fn step_trial(&mut self, step: Step) -> Result<(), StartError> {
        match step {
            Step::Begin(mut trial) => {
                trial.before = std::mem::replace(&mut self.rules, trial.rules.clone());
                self.trial = Some(trial);
                self.judge_anew()?;
            }
            Step::Keep => self.trial = None,
            Step::RollBack => {
                let Some(trial) = self.trial.take() else { return Ok(()) };
                self.rules = trial.before;
                self.judge_anew()?;
            }
        }
        self.note_rules();
        Ok(())
    }

    /// Other rules are in force: exactly what a restart does (R2).
    fn judge_anew(&mut self) -> Result<(), StartError> {
        let reader = Reader::open(&self.parts.journal_path).map_err(StartError::Journal)?;
        self.restore_again(&reader)?;
        self.journal_outstanding()?;
        self.board().alarms(self.restored.engine.alarms(), &self.restored.shelf);
        Ok(())
    }

    fn note_rules(&self) {
        let on_trial = self.trial.as_ref().map(|Trial { platform, command, until, .. }| RulesNote {
            platform: platform.clone(),
            command: *command,
            until: Some(*until),
        });
        let kept = self.platforms.rules.as_ref().map(|KeptRules { platform, command, .. }| RulesNote {
            platform: platform.clone(),
            command: *command,
            until: None,
        });
        self.board().rules = on_trial.or(kept);
    }
}

fn text_of(reader: &Reader, command: Seq) -> Result<String, String> {
    let found = read_one(reader, command).map_err(|error| chain(&error))?;
    let text = found.and_then(|at| match at.record.body {
        Body::Audit(Audit { act: Act::Commanded { command, .. }, .. }) => rules_text(&command),
        _ => None,
    });
    text.ok_or_else(|| format!("record {command} has no rules any more"))
}
