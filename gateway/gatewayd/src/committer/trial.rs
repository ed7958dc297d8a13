//! A dead man's switch for what a platform puts in force.
//!
//! ```text
//! command ─► on trial ──► receipt of that platform, over the command's own record, in time ──► kept
//!                 ├─────► nothing in time, or a flood of alarms ──────────────────────────────► those before
//!                 └─────► this daemon is started again ───────────────────────────────────────► those before
//! ```
//! Rules on trial are in memory alone: whatever goes wrong with them, a restart ends it. Kept ones are a state of the journal
//! and count until somebody changes `rules.toml`, which then is newer. Configuration files are tried by a start of their own
//! (`files_trial.rs`), and prove themselves as rules do.

use std::time::Duration;

use batch::Receipt;
use control::chain;
use journal::{Reader, Transaction};
use record::{Act, Actor, Audit, Body, MonoMs, Seq, Settlement};
use rules::RuleSet;
use serde_json::{Value, json};

use super::files_trial::ordered_files;
use super::platforms::{KeptRules, OnTrial, rules_text};
use super::reload::Reloaded;
use super::{Committer, Draft};
use crate::board::PlatformNote;
use crate::clock::mono_ms;
use crate::error::StartError;
use crate::ledger::read_one;

/// More transitions of alarms than this in a trial are a flood: a station has some tens a day.
const ALARMS_MAX: usize = 200;
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What must prove itself.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) command: Seq,
    platform: String,
    pub(super) tried: Tried,
    pub(super) until: MonoMs,
    limit_s: u64,
    /// Transitions since it began.
    alarms: usize,
}

/// Whose trial it is.
#[derive(Debug, Clone)]
pub(super) enum Tried {
    /// Rules, and those before them.
    Rules { rules: RuleSet, before: RuleSet },
    /// The files by which the daemon was started.
    Files {
        /// The record of this start: a receipt that holds it was given to a box that works by them.
        started: Seq,
        /// Devices were heard before, and none yet since.
        deaf: bool,
    },
}

/// What a stored transaction does to a trial.
#[derive(Debug)]
pub(super) enum Step {
    Begin(Trial),
    Keep,
    RollBack,
    /// The box's own rules are others.
    Reload(Reloaded),
    /// Other files are to be in force: the daemon starts anew.
    StartAnew,
}

impl Trial {
    pub(super) fn new(command: Seq, platform: &str, tried: Tried, limit_s: u64) -> Trial {
        let until = MonoMs(mono_ms().0.saturating_add(limit_s.saturating_mul(1_000)));
        Trial { command, platform: platform.to_owned(), tried, until, limit_s, alarms: 0 }
    }

    pub(super) fn of_rules(command: Seq, platform: &str, rules: RuleSet, limit_s: u64) -> Trial {
        Trial::new(command, platform, Tried::Rules { rules, before: RuleSet::default() }, limit_s)
    }

    pub(super) fn platform(&self) -> &str {
        &self.platform
    }

    /// How status shows it.
    fn note(&self) -> PlatformNote {
        PlatformNote { platform: self.platform.clone(), command: self.command, until: Some(self.until) }
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
        let Trial { platform, limit_s, .. } = self;
        (self.until <= mono_ms()).then(|| match self.tried {
            Tried::Files { deaf: true, .. } => format!("no device was heard in {limit_s} s, as some were before"),
            _ => format!("no receipt of {platform} in {limit_s} s"),
        })
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
        draft.trial = Some(match trial.tried {
            Tried::Rules { .. } => Step::RollBack,
            Tried::Files { .. } => Step::StartAnew,
        });
        self.platforms.trial = None;
        self.platforms.files_trial = None;
        self.journal_settlement(command, Settlement::RolledBack, why, draft);
    }

    /// Takes a platform's receipt as the proof that the box delivers under what it ordered. One that came too early for that
    /// is no fault: the next one proves it.
    pub(super) fn prove(&mut self, platform: &str, receipt: &[u8], draft: &mut Draft) -> Result<Value, String> {
        let nothing = || format!("nothing of platform `{platform}` is on trial");
        let trial = self.trial.as_ref().filter(|trial| trial.platform == platform && draft.trial.is_none());
        let trial = trial.filter(|trial| trial.failure().is_none()).ok_or_else(nothing)?;
        let key = self.platforms.key(platform).ok_or_else(nothing)?;
        let receipt = Receipt::verify(receipt, &key).map_err(|error| chain(&error))?;
        if receipt.box_id != self.parts.box_id || !receipt.has(trial.command) {
            return Err(format!("the receipt does not hold record {}, the command", trial.command));
        }
        let command = trial.command;
        let reader = Reader::open(&self.parts.journal_path).map_err(|error| chain(&error))?;
        match trial.tried {
            Tried::Rules { .. } => {
                let toml = text_of(&reader, command)?;
                self.platforms.trial = None;
                let (platform, replaced) = (platform.to_owned(), self.parts.rules_hash);
                self.platforms.rules = Some(KeptRules { command, platform, replaced, toml });
            }
            Tried::Files { started, deaf } if deaf || !receipt.has(started) => return Ok(json!({ "kept": null })),
            Tried::Files { .. } => self.keep_files(command, platform, ordered_files(&reader, command)?),
        }
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

    pub(super) fn journal_settlement(&mut self, command: Seq, outcome: Settlement, why: String, draft: &mut Draft) {
        log::warn!(command:% = command, outcome = outcome.as_str(), why = why.as_str(); "what a platform ordered is settled");
        let audit = Audit { by: Actor::Box, act: Act::Settled { command, outcome }, reason: why };
        let stamp = self.stamp();
        self.journal_audit(audit, stamp, draft);
        self.keep_platforms(draft);
    }

    /// Counts what rules on trial raise, and notes that devices are heard.
    pub(super) fn count_for_trial(&mut self, transaction: &Transaction) {
        let is_heard = transaction.records.iter().any(|record| matches!(record.body, Body::Frame(_)));
        self.accepted = if is_heard { Some(mono_ms()) } else { self.accepted };
        let Some(trial) = &mut self.trial else { return };
        let is_alarm = |record: &&record::Record| matches!(record.body, Body::Alarm(_));
        trial.alarms = trial.alarms.saturating_add(transaction.records.iter().filter(is_alarm).count());
        if let Tried::Files { deaf, .. } = &mut trial.tried {
            *deaf &= !is_heard;
        }
    }

    /// Does what a transaction that is stored now does to a trial.
    ///
    /// # Errors
    /// [`StartError::Journal`] if the journal cannot be read back.
    pub(super) fn step_trial(&mut self, step: Step) -> Result<(), StartError> {
        match step {
            Step::Begin(mut trial) => {
                if let Tried::Rules { rules, before } = &mut trial.tried {
                    *before = std::mem::replace(&mut self.rules, rules.clone());
                }
                self.trial = Some(trial);
                self.judge_anew()?;
            }
            Step::Keep => self.trial = None,
            Step::Reload(reloaded) => self.adopt_rules(reloaded)?,
            Step::RollBack => {
                let Some(Trial { tried: Tried::Rules { before, .. }, .. }) = self.trial.take() else { return Ok(()) };
                self.rules = before;
                self.judge_anew()?;
            }
            Step::StartAnew => {
                self.trial = None;
                self.parts.anew.notify_one();
            }
        }
        self.note_rules();
        Ok(())
    }

    /// Other rules are in force: exactly what a restart does (R2).
    pub(super) fn judge_anew(&mut self) -> Result<(), StartError> {
        let reader = Reader::open(&self.parts.journal_path).map_err(StartError::Journal)?;
        self.restore_again(&reader)?;
        self.journal_outstanding()?;
        self.show_alarms();
        Ok(())
    }

    pub(super) fn note_rules(&self) {
        let note = |platform: &String, command| PlatformNote { platform: platform.clone(), command, until: None };
        let kept = self.platforms.rules.as_ref().map(|kept| note(&kept.platform, kept.command));
        let files = self.platforms.files.as_ref().map(|kept| note(&kept.platform, kept.command));
        let (rules_tried, files_tried) = match &self.trial {
            None => (None, None),
            Some(trial) if matches!(trial.tried, Tried::Rules { .. }) => (Some(trial.note()), None),
            Some(trial) => (None, Some(trial.note())),
        };
        let mut board = self.board();
        (board.rules, board.files) = (rules_tried.or(kept), files_tried.or(files));
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
