//! Rules that were changed in their files, put in force while everything goes on: no connection is lost, no start is needed.
//!
//! ```text
//! order ─► files read and checked ─► record: these rules, by whom, why ─► COMMIT ─► judged anew, as a start does (R2)
//!              └─ refused: nothing changes, the answer says why
//! ```

use control::chain;
use journal::Reader;
use layers::Layered;
use record::merkle::{Hash, leaf_hash};
use record::{Act, Audit, Body, ConfigFile, Configuring, Seq, Settlement};
use rules::RuleSet;
use serde_json::{Value, json};
use versions::{Place, Versions, sha256};

use super::trial::{Step, Tried};
use super::{Committer, Draft};
use crate::clock::wall_ms;
use crate::config::agree;
use crate::error::StartError;
use crate::ledger::read_one;
use crate::order::Reload;

/// Rules that are about to be in force, and their text.
#[derive(Debug)]
pub(super) struct Reloaded {
    rules: RuleSet,
    hash: Hash,
    text: String,
}

impl Committer {
    /// Reads the files of rules anew, and has them count once this transaction is durable.
    pub(super) fn reload_rules(&mut self, why: Reload, draft: &mut Draft) -> Result<Value, String> {
        if draft.trial.is_some() {
            return Err("the rules change at this very moment · try: again".into());
        }
        if let Some(platform) = self.trial.as_ref().and_then(|trial| trial.platform_of_rules()) {
            return Err(format!(
                "rules of platform `{platform}` are on trial · try: again once weir status shows none"
            ));
        }
        let loaded = self.parts.rules_place.load().map_err(|error| chain(&error))?;
        let (relays, devices) = (&self.parts.relays_configured, &self.parts.devices);
        agree(relays, devices, &loaded.set, &Layered::alone(&self.parts.origin.path, String::new()))
            .map_err(|error| chain(&error))?;
        let (count, hash) = (loaded.set.iter().len(), leaf_hash(loaded.text.as_bytes()));
        let of = self.platforms.rules.as_ref().map(|kept| kept.platform.clone());
        if hash == self.parts.rules_hash {
            // Files that were refused at the start may be again as they were when they worked.
            self.none_instead();
            return Ok(json!({ "changed": false, "rules": count, "platform": of }));
        }
        let seq = self.tell_reload(why, &loaded.text, draft)?;
        if let Some(kept) = self.platforms.rules.take() {
            let why = "rules.toml was changed by hand".to_owned();
            self.journal_settlement(kept.command, Settlement::Superseded, why, draft);
        }
        draft.trial = Some(Step::Reload(Reloaded { rules: loaded.set, hash, text: loaded.text }));
        Ok(json!({ "changed": true, "rules": count, "seq": seq }))
    }

    fn tell_reload(&mut self, why: Reload, text: &str, draft: &mut Draft) -> Result<Seq, String> {
        let act = Act::Configured { file: ConfigFile::Rules, sha256: sha256(text), how: Configuring::Applied };
        match why {
            Reload::Told { by, reason } => {
                if reason.is_empty() {
                    return Err("other rules need a reason · try: weir rules reload --reason TEXT".into());
                }
                let seq = self.next_seq(draft);
                let stamp = self.stamp();
                self.journal_audit(Audit { by, act, reason }, stamp, draft);
                Ok(seq)
            }
            Reload::After(seq) => {
                let reader = Reader::open(&self.parts.journal_path).map_err(|error| chain(&error))?;
                let told = read_one(&reader, seq).map_err(|error| chain(&error))?;
                let is_it = told.is_some_and(|at| match at.record.body {
                    Body::Audit(Audit { act: Act::Configured { file, sha256: told, .. }, .. }) => {
                        file == ConfigFile::Rules && told == sha256(text)
                    }
                    _ => false,
                });
                is_it.then_some(seq).ok_or_else(|| {
                    format!(
                        "record {seq} tells of other rules than the files have · try: weir rules reload --reason TEXT"
                    )
                })
            }
        }
    }

    /// What a stored transaction has put in force.
    ///
    /// # Errors
    /// [`StartError::Journal`] if the journal cannot be read back.
    pub(super) fn adopt_rules(&mut self, reloaded: Reloaded) -> Result<(), StartError> {
        let Reloaded { rules, hash, text } = reloaded;
        log::info!(rules = rules.iter().len(); "other rules are in force");
        (self.parts.rules, self.parts.rules_hash) = (rules.clone(), hash);
        self.parts.origin.own.insert(ConfigFile::Rules, hash);
        self.parts.origin.texts.insert(ConfigFile::Rules, text.clone());
        self.rules = rules;
        self.none_instead();
        self.board().rules_sha256 = hex::encode(sha256(&text));
        self.judge_anew()?;
        // Where the next start finds them, should the files be refused then.
        let place = Place { file: ConfigFile::Rules, path: self.parts.rules_place.main.clone() };
        if let Err(error) = Versions::worked(&self.parts.versions_path, wall_ms().0, &[(place, text)]) {
            log::warn!(error = chain(&error).as_str(); "the rules in force are not kept");
        }
        Ok(())
    }

    /// The files themselves count from now on.
    fn none_instead(&self) {
        self.board().instead.retain(|instead| instead.version.file != ConfigFile::Rules);
    }
}

impl super::Trial {
    /// Whose rules are tried; none if other files are.
    fn platform_of_rules(&self) -> Option<&str> {
        matches!(self.tried, Tried::Rules { .. }).then_some(self.platform())
    }
}
