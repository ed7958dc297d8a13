//! Configuration files that a platform orders: from the command to the start that tries them, and what becomes of them.
//!
//! ```text
//! command ─► journaled, to be tried ─► the daemon ends ─► start with them ─┬─► receipt over the record of that start, and
//!                                                                          │   devices heard as before ─► kept
//!                                                                          ├─► nothing of that in time ─► the daemon ends
//!                                                                          └─► it ends whatever way ─► start with those before
//! ```

use batch::OrderedFile;
use control::chain;
use journal::Reader;
use record::{Act, Audit, Body, Seq, Settlement};

use super::platforms::{FilesOnTrial, KeptFile, KeptFiles, files_of};
use super::trial::{Step, Tried};
use super::{Committer, Draft};
use crate::clock::mono_ms;
use crate::error::StartError;
use crate::ledger::read_one;
use crate::platform_files::Attempt;

impl Committer {
    /// Has the daemon start anew with the files of this command, once that is stored.
    pub(super) fn try_files_anew(&mut self, command: Seq, platform: &str, draft: &mut Draft) {
        let within_ms = self.parts.commands_allowed.trial_s.saturating_mul(1_000);
        let heard = self.accepted.is_some_and(|at| mono_ms().0.saturating_sub(at.0) <= within_ms);
        let platform = platform.to_owned();
        self.platforms.files_trial = Some(FilesOnTrial { command, platform, heard, begun: false });
        self.keep_platforms(draft);
        draft.trial = Some(Step::StartAnew);
    }

    /// At the start: begins the trial that this start is, ends one that it is not, and tells of kept files that count no more.
    pub(super) fn settle_platform_files(&mut self) -> Result<(), StartError> {
        let mut draft = Draft::default();
        let superseded = self.parts.origin.superseded.take();
        if let Some((kept, why)) = self.platforms.files.as_ref().zip(superseded) {
            let command = kept.command;
            self.platforms.files = None;
            self.journal_settlement(command, Settlement::Superseded, why, &mut draft);
        }
        match (self.platforms.files_trial.take(), self.parts.origin.trial.clone()) {
            (None, _) => {}
            (Some(trial), Some(Attempt::Begins)) => {
                let started = Seq(self.journal.end().0.saturating_sub(1));
                let tried = Tried::Files { started, deaf: trial.heard };
                self.trial =
                    Some(super::Trial::new(trial.command, &trial.platform, tried, self.parts.commands_allowed.trial_s));
                log::warn!(command:% = trial.command, platform = trial.platform.as_str(); "files of a platform are on trial");
                self.platforms.files_trial = Some(FilesOnTrial { begun: true, ..trial });
                self.keep_platforms(&mut draft);
            }
            (Some(trial), attempt) => {
                let why = match attempt {
                    Some(Attempt::Failed(why)) => why,
                    _ => "the journal could not be read in time".to_owned(),
                };
                let why = why.chars().take(super::commanded::REFUSAL_CHARS_MAX).collect();
                self.journal_settlement(trial.command, Settlement::RolledBack, why, &mut draft);
            }
        }
        if !draft.transaction.is_empty() {
            self.journal.commit(&draft.transaction).map_err(StartError::Journal)?;
        }
        self.note_rules();
        Ok(())
    }

    /// The files that proved themselves, with those kept before that they leave as they are.
    pub(super) fn keep_files(&mut self, command: Seq, platform: &str, ordered: Vec<OrderedFile>) {
        let own = &self.parts.origin.own;
        let new = ordered
            .into_iter()
            .filter_map(|OrderedFile { file, toml }| Some(KeptFile { file, replaced: *own.get(&file)?, toml }));
        let mut files: Vec<KeptFile> = new.collect();
        let before = self.platforms.files.take().map_or_else(Vec::new, |kept| kept.files);
        let others = before.into_iter().filter(|kept| !files.iter().any(|new| new.file == kept.file));
        let others: Vec<KeptFile> = others.collect();
        files.extend(others);
        self.platforms.files_trial = None;
        self.platforms.files = Some(KeptFiles { command, platform: platform.to_owned(), files });
    }
}

/// The files that the command in this record orders.
///
/// # Errors
/// In words: the record cannot be read, or has none.
pub(crate) fn ordered_files(reader: &Reader, command: Seq) -> Result<Vec<OrderedFile>, String> {
    let found = read_one(reader, command).map_err(|error| chain(&error))?;
    let files = found.and_then(|at| match at.record.body {
        Body::Audit(Audit { act: Act::Commanded { command, .. }, .. }) => files_of(&command),
        _ => None,
    });
    files.ok_or_else(|| format!("record {command} has no files any more"))
}
