//! The box's key takes the place of its old one, and the journal says of each key which one it took the place of.
//!
//! The statements lie beside the key, where they are kept before anybody is told (`identity`); the journal has a record of
//! each, for whoever has only that. A record that is not there, because of a kill, a full disk, a backup that was put back or
//! retention, is written again: a statement proves itself, whatever its number.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use batch::{KeyChange, KeyStatement, Succession, Whose};
use identity::{IdentityError, Rotation, keep_statement, statements, statements_of};
use journal::{Reader, StoreError};
use record::{Act, Actor, Audit, Seq, SeqRange};
use serde_json::{Value, json};

use super::{Committer, Draft};

impl Committer {
    /// Makes a new key that the old one signs for, takes it, and journals that. The key has changed when this returns, also
    /// where the record is not stored: it is written again then.
    pub(super) fn rotate_key(&mut self, by: Actor, reason: String, draft: &mut Draft) -> Result<Value, String> {
        if reason.is_empty() {
            return Err("a change of the key needs a reason · try: weir identity rotate --reason TEXT".into());
        }
        let failed = |error: &dyn std::error::Error| control::chain(error);
        let folder = statements_of(&self.parts.key_path);
        let known = statements(&folder).map_err(|error| failed(&error))?;
        let whose = Whose::Box(self.parts.box_id.clone());
        let is_ours =
            |statement: &KeyStatement| matches!(statement, KeyStatement::Change(change) if change.whose == whose);
        let changes = known.iter().filter(|(_, statement)| is_ours(statement)).count();
        if changes >= KeyChange::CHANGES_MAX {
            return Err(format!(
                "the key was changed {changes} times, no more changes are followed · try: weir identity enroll by a new code"
            ));
        }
        let (cose, change) = self.change_key(whose, changes, &reason).map_err(|error| failed(&error))?;
        log::warn!(former:% = change.old, key:% = change.new, number = change.number, reason = reason.as_str(); "the box's key changed");
        self.sign_soon = true;
        let seq = self.tell_key(by, cose, reason, draft);
        Ok(json!({ "seq": seq, "former": change.old, "key": change.new, "number": change.number }))
    }

    fn change_key(
        &mut self,
        whose: Whose,
        changes: usize,
        reason: &str,
    ) -> Result<(Vec<u8>, KeyChange), IdentityError> {
        let rotation = Rotation::prepare(&self.parts.key_path)?;
        let (old, new, stamp) = (rotation.old.public(), rotation.new.public(), self.stamp());
        let number = u32::try_from(changes).unwrap_or(u32::MAX).saturating_add(1);
        let (at_ms, clock, reason) = (stamp.wall_ms, Some(stamp.clock), reason.to_owned());
        let change = KeyChange { whose, old, new, number, at_ms, clock, reason };
        let cose = rotation.decide(&change)?;
        // Until the record is stored it has to be looked for, and the key as well if the next step fails.
        self.keys_untold = true;
        self.parts.key = rotation.adopt()?;
        Ok((cose, change))
    }

    fn tell_key(&mut self, by: Actor, statement: Vec<u8>, reason: String, draft: &mut Draft) -> Seq {
        let (seq, stamp) = (self.next_seq(draft), self.stamp());
        self.journal_audit(Audit { by, act: Act::KeyChanged { statement }, reason }, stamp, draft);
        seq
    }

    /// Whether a statement that somebody hands over may be journaled: one about this box or a platform, that is not journaled
    /// yet. Whose word it is shows itself to who reads it; the box's own key is changed by [`Committer::rotate_key`] alone.
    pub(super) fn check_statement(&self, cose: &[u8]) -> Result<(), String> {
        let read = KeyStatement::read(cose).map_err(|error| control::chain(&error))?;
        match &read {
            KeyStatement::Change(KeyChange { whose: Whose::Platform(_), .. }) => Ok(()),
            KeyStatement::Succession { says: Succession { box_id, .. }, .. } if *box_id == self.parts.box_id => Ok(()),
            // Of the machine whose place this one took, from a platform that knew it.
            KeyStatement::Change(KeyChange { whose: Whose::Box(of), new, .. })
                if *of == self.parts.box_id && *new != self.parts.key.public() =>
            {
                Ok(())
            }
            _ => {
                Err("this statement is about another box, or about this one's own key · try: weir identity rotate"
                    .into())
            }
        }
    }

    /// The number of the record that has this statement, if there is one.
    pub(super) fn told_key(&self, cose: &[u8]) -> Result<Option<Seq>, StoreError> {
        Ok(journaled(&self.parts.journal_path)?.into_iter().find(|(_, known)| known == cose).map(|(seq, _)| seq))
    }

    /// Keeps a statement that is about to be journaled beside the key.
    pub(super) fn keep_key_statement(&self, cose: &[u8]) -> Result<(), String> {
        let folder = statements_of(&self.parts.key_path);
        keep_statement(&folder, cose)
            .map_err(|error| format!("failed to keep a statement about keys: {error} · try: df -h"))
    }

    /// Journals the statements of which no record tells. What keeps it from that is no reason to stop: it is tried again.
    pub(super) fn tell_keys(&mut self, draft: &mut Draft) {
        // First the key itself: an old one must not sign for a tree that has the record of its end.
        let path = &self.parts.key_path;
        match identity::settle(path).and_then(|()| identity::load(path)) {
            Ok(key) => self.parts.key = key,
            Err(error) => {
                return log::warn!(error = control::chain(&error).as_str(); "the key cannot be looked at again");
            }
        }
        let folder = statements_of(path);
        let kept = statements(&folder).map_err(|error| error.to_string());
        let told = kept.and_then(|kept| match kept.is_empty() {
            true => Ok((kept, BTreeSet::new())),
            false => journaled(&self.parts.journal_path)
                .map(|told| (kept, told.into_iter().map(|(_, cose)| cose).collect()))
                .map_err(|error| control::chain(&error)),
        });
        let (kept, told) = match told {
            Ok(told) => told,
            Err(why) => {
                return log::warn!(folder:% = folder.display(), error = why.as_str(); "statements about keys are not journaled yet");
            }
        };
        let owner = std::fs::metadata(&self.parts.key_path).map(|facts| facts.uid()).unwrap_or_default();
        for (cose, statement) in kept.into_iter().filter(|(cose, _)| !told.contains(cose)) {
            let reason = match statement {
                KeyStatement::Change(change) => change.reason,
                KeyStatement::Succession { .. } => String::new(),
            };
            log::info!(reason = reason.as_str(); "a change of a key is journaled, of which no record told");
            self.tell_key(Actor::User(owner), cose, reason, draft);
        }
        self.keys_untold = false;
    }
}

/// Statements about keys that the journal has, by the number of their record.
fn journaled(path: &std::path::Path) -> Result<Vec<(Seq, Vec<u8>)>, StoreError> {
    let reader = Reader::open(path)?;
    let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    reader.audits(SeqRange { first: Seq(0), last }, |seq, audit| {
        if let Act::KeyChanged { statement } = audit.act {
            found.push((seq, statement));
        }
    })?;
    Ok(found)
}
