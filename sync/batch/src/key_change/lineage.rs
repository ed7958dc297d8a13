//! Which keys follow from one that is known, by statements that need no belief in who hands them over.

use std::collections::BTreeMap;

use record::{Seq, UnixMs};
use serde::Serialize;

use super::{KeyChange, KeyStatement, Succession, Whose};
use crate::{KeyId, PlatformId, PublicKey};

/// Whose word joins a key to those that were known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voucher {
    /// The caller's: it is the key that was known at first.
    Given,
    /// That of the key before or after it.
    Neighbour,
    /// A platform's.
    Platform(PlatformId),
}

/// A key, and how it came to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Heir {
    /// The key.
    pub key: PublicKey,
    /// Who vouches for it; none: nobody whose word can be verified, and it is not believed.
    pub by: Option<Voucher>,
    /// The record after which it does not sign any more: another one took its place there.
    pub ended_at: Option<Seq>,
}

/// The keys of one name, by statements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lineage {
    whose: Whose,
    heirs: Vec<Heir>,
    statements: Vec<(Option<Seq>, KeyStatement)>,
}

impl Lineage {
    /// Begins with one known key.
    pub fn new(whose: Whose, known: PublicKey) -> Lineage {
        let heirs = vec![Heir { key: known, by: Some(Voucher::Given), ended_at: None }];
        Lineage { whose, heirs, statements: Vec::new() }
    }

    /// Of whom.
    pub fn whose(&self) -> &Whose {
        &self.whose
    }

    /// Takes a statement in, with the number of the record that has it, if it is from a journal; what is about another name,
    /// or beyond [`KeyChange::CHANGES_MAX`], is passed over. Its order among others says nothing.
    pub fn take(&mut self, at: Option<Seq>, statement: KeyStatement) {
        if statement.whose() == self.whose && self.statements.len() < 2 * KeyChange::CHANGES_MAX {
            self.statements.push((at, statement));
        }
    }

    /// Follows the statements, forward and back: who has a key that is believed says which one it took the place of, too.
    /// A succession is believed by the platform's keys among `platforms`; a change that a key of `revoked` says it made at that
    /// time or later is nobody's word.
    #[must_use]
    pub fn followed(
        mut self,
        platforms: &BTreeMap<PlatformId, Vec<PublicKey>>,
        revoked: &[(PublicKey, UnixMs)],
    ) -> Lineage {
        for (_, statement) in &self.statements {
            let (former, key) = statement.keys();
            for key in [former, key] {
                if !self.heirs.iter().any(|heir| heir.key == key) {
                    self.heirs.push(Heir { key, by: None, ended_at: None });
                }
            }
        }
        let joins: Vec<(PublicKey, PublicKey, Voucher)> =
            self.statements.iter().filter_map(|(_, statement)| joined(statement, platforms, revoked)).collect();
        // Each turn joins a key at least, or is the last one.
        for _ in 0..self.heirs.len() {
            for (former, key, voucher) in &joins {
                match (self.is_believed(former), self.is_believed(key)) {
                    (true, false) => self.join(key, voucher),
                    (false, true) => self.join(former, voucher),
                    _ => {}
                }
            }
        }
        let believed: Vec<(Option<Seq>, PublicKey)> = self
            .statements
            .iter()
            .filter(|(_, statement)| joined(statement, platforms, revoked).is_some())
            .map(|(at, statement)| (*at, statement.keys().0))
            .collect();
        for (at, former) in believed {
            let heir = self.heirs.iter_mut().find(|heir| heir.key == former);
            for (heir, at) in heir.into_iter().zip(at) {
                heir.ended_at = Some(heir.ended_at.map_or(at, |ended| ended.min(at)));
            }
        }
        self
    }

    /// All keys, the known one first; those that nobody vouches for are among them.
    pub fn heirs(&self) -> &[Heir] {
        &self.heirs
    }

    /// The statements that were taken in.
    pub fn statements(&self) -> impl Iterator<Item = &(Option<Seq>, KeyStatement)> {
        self.statements.iter()
    }

    /// The key of this name, believed or not.
    pub fn heir(&self, id: KeyId) -> Option<&Heir> {
        self.heirs.iter().find(|heir| heir.key.id() == id)
    }

    /// The keys that are believed.
    pub fn believed(&self) -> impl Iterator<Item = &PublicKey> {
        self.heirs.iter().filter(|heir| heir.by.is_some()).map(|heir| &heir.key)
    }

    /// The key that signs now: from the known one on, as far as statements of change lead.
    pub fn newest(&self) -> PublicKey {
        let mut newest = self.heirs[0].key;
        for _ in 0..self.heirs.len() {
            let next = self
                .statements
                .iter()
                .map(|(_, statement)| statement.keys())
                .find(|(former, key)| *former == newest && self.is_believed(key));
            match next {
                Some((_, key)) => newest = key,
                None => break,
            }
        }
        newest
    }

    fn is_believed(&self, key: &PublicKey) -> bool {
        self.heirs.iter().any(|heir| heir.key == *key && heir.by.is_some())
    }

    fn join(&mut self, key: &PublicKey, voucher: &Voucher) {
        if let Some(heir) = self.heirs.iter_mut().find(|heir| heir.key == *key) {
            heir.by = Some(voucher.clone());
        }
    }
}

/// The keys of a platform whose key is pinned, whatever the platform is called: that one first, then those that these statements
/// join to it. What took the pinned one's place comes behind it, in order.
pub fn platform_keys(pinned: PublicKey, statements: &[KeyStatement]) -> Vec<PublicKey> {
    let mut keys = vec![pinned];
    for whose in statements.iter().map(KeyStatement::whose).filter(|whose| matches!(whose, Whose::Platform(_))) {
        let mut lineage = Lineage::new(whose, pinned);
        statements.iter().for_each(|statement| lineage.take(None, statement.clone()));
        let lineage = lineage.followed(&BTreeMap::new(), &[]);
        keys.extend(lineage.believed().filter(|key| **key != pinned).copied());
    }
    let mut seen = Vec::new();
    keys.retain(|key| {
        !seen.contains(key) && {
            seen.push(*key);
            true
        }
    });
    keys
}

/// The two keys that a statement joins, if it can be verified.
fn joined(
    statement: &KeyStatement,
    platforms: &BTreeMap<PlatformId, Vec<PublicKey>>,
    revoked: &[(PublicKey, UnixMs)],
) -> Option<(PublicKey, PublicKey, Voucher)> {
    match statement {
        KeyStatement::Change(change)
            if revoked.iter().any(|(key, from)| *key == change.old && change.at_ms >= *from) =>
        {
            None
        }
        KeyStatement::Change(KeyChange { old, new, .. }) => Some((*old, *new, Voucher::Neighbour)),
        KeyStatement::Succession { says, cose } => {
            let Succession { platform, former, key, .. } = says;
            let keys = platforms.get(platform)?;
            let verified = keys.iter().any(|known| Succession::verify(cose, known).is_ok());
            verified.then(|| (*former, *key, Voucher::Platform(platform.clone())))
        }
    }
}
