//! Whom a verifier believes about an exported journal: which keys follow from those that he was given, by the statements that
//! stand in the file itself.

use std::collections::BTreeMap;
use std::io::{self, BufRead};

use minicbor::Decoder;
use record::{Act, Audit, Body, Record, Seq, UnixMs};

use super::item::{Broken, Item, Items};
use crate::{BoxId, Checkpoint, KeyChange, KeyStatement, Lineage, OpenError, PlatformId, PublicKey, Revocation, Whose};

/// The number of an order among the bodies of a record.
const AUDIT: u32 = 8;
/// Most statements of a file that are followed.
const STATEMENTS_MAX: usize = 4 * KeyChange::CHANGES_MAX;

/// Whom to believe.
#[derive(Debug, Clone, Default)]
pub struct Beliefs {
    /// The box's keys: from the given one on, else from the one that the file names. None where the file names none.
    pub(super) lineage: Option<Lineage>,
    /// The given key, which the file need not name.
    pub(super) given: Option<PublicKey>,
    /// The platforms' keys: the given ones, and those that follow from them.
    platforms: BTreeMap<PlatformId, Vec<PublicKey>>,
    /// What proves nothing from some time on.
    revoked: Vec<Revocation>,
    /// What the file says of the box's keys.
    statements: Vec<(Seq, KeyStatement)>,
}

impl Beliefs {
    /// Of somebody who has a key of the box, or none.
    pub fn of(key: Option<PublicKey>) -> Beliefs {
        Beliefs { given: key, ..Beliefs::default() }
    }

    /// Reads the statements of a file, none of which has to be believed for standing there: each proves itself.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(
        input: impl BufRead,
        key: Option<PublicKey>,
        platforms: &BTreeMap<PlatformId, PublicKey>,
    ) -> io::Result<Beliefs> {
        let (mut named, mut statements) = (None, Vec::new());
        let mut items = Items::new(input);
        match items.header() {
            Ok(header) => {
                let box_id = str::from_utf8(&header.name).ok().and_then(|name| BoxId::new(name).ok());
                named = box_id.zip(PublicKey::from_bytes(&header.key).ok());
            }
            Err(Broken::Read(error)) => return Err(error),
            Err(Broken::Cut | Broken::Form(_)) => {}
        }
        while named.is_some() && statements.len() < STATEMENTS_MAX {
            match items.next() {
                Ok(Some(Item::Record { seq, bytes, .. })) => {
                    statements.extend(statement(bytes).map(|statement| (seq, statement)));
                }
                Ok(Some(Item::Pruned { .. } | Item::Checkpoint(_))) => {}
                Err(Broken::Read(error)) => return Err(error),
                Ok(Some(Item::End { .. }) | None) | Err(Broken::Cut | Broken::Form(_)) => break,
            }
        }
        let platforms = platforms.iter().map(|(name, key)| (name.clone(), of_platform(name, *key, &statements)));
        let platforms: BTreeMap<PlatformId, Vec<PublicKey>> = platforms.collect();
        let lineage = named.map(|(box_id, in_file)| Lineage::new(Whose::Box(box_id), key.unwrap_or(in_file)));
        let mut beliefs = Beliefs { lineage, given: key, platforms, revoked: Vec::new(), statements };
        beliefs.follow();
        Ok(beliefs)
    }

    /// Which keys follow, from the beginning.
    fn follow(&mut self) {
        let Some((whose, known)) = self.lineage.as_ref().map(|old| (old.whose().clone(), old.heirs()[0].key)) else {
            return;
        };
        let is_ours = |revoked: &&Revocation| Whose::Box(revoked.box_id.clone()) == whose;
        let revoked: Vec<_> =
            self.revoked.iter().filter(is_ours).map(|revoked| (revoked.key, revoked.from_ms)).collect();
        let mut lineage = Lineage::new(whose, known);
        self.statements.iter().for_each(|(seq, statement)| lineage.take(Some(*seq), statement.clone()));
        self.lineage = Some(lineage.followed(&self.platforms, &revoked));
    }

    /// Takes a platform's word that a key proves nothing from some time on.
    ///
    /// # Errors
    /// [`OpenError`]: none, or not by a key that is known of the platform that it names.
    pub fn revoke(&mut self, cose: &[u8]) -> Result<Revocation, OpenError> {
        let claimed = Revocation::claimed(cose)?;
        let keys = self.platforms.get(&claimed.platform).cloned().unwrap_or_default();
        let mut refused = None;
        for key in &keys {
            match Revocation::verify(cose, key) {
                Ok(revocation) => {
                    self.revoked.push(revocation.clone());
                    self.follow();
                    return Ok(revocation);
                }
                Err(error) => refused = Some(error),
            }
        }
        let (artifact, kid) =
            (crate::Artifact::Revocation, crate::envelope::outline(crate::Artifact::Revocation, cose)?.kid);
        Err(refused.unwrap_or(OpenError::UnknownKey { artifact, kid }))
    }

    /// The box's keys.
    pub fn lineage(&self) -> Option<&Lineage> {
        self.lineage.as_ref()
    }

    /// The head in these bytes, if a key signed it that is believed, and was not revoked before.
    pub fn head(&self, cose: &[u8]) -> Option<Checkpoint> {
        let (key, head) = self.signed(cose, true)?;
        let counts = self.revoked_from(&head.box_id, &key).is_none_or(|from| head.stamp.wall_ms < from);
        counts.then_some(head)
    }

    /// The head in these bytes with its key, if that is one that the file names, believed or not.
    pub fn named_head(&self, cose: &[u8]) -> Option<(PublicKey, Checkpoint)> {
        self.signed(cose, false)
    }

    fn signed(&self, cose: &[u8], believed: bool) -> Option<(PublicKey, Checkpoint)> {
        let heirs = self.lineage.as_ref()?.heirs().iter().filter(|heir| !believed || heir.by.is_some());
        heirs.map(|heir| heir.key).find_map(|key| Some((key, Checkpoint::verify(cose, &key).ok()?)))
    }

    /// The keys of a platform that follow from the given one; none if none was given.
    pub fn platform(&self, name: &PlatformId) -> &[PublicKey] {
        self.platforms.get(name).map_or(&[], Vec::as_slice)
    }

    /// The revocations that count.
    pub fn revoked(&self) -> &[Revocation] {
        &self.revoked
    }

    /// From when on what this key signs proves nothing.
    pub fn revoked_from(&self, box_id: &BoxId, key: &PublicKey) -> Option<UnixMs> {
        let of_key = self.revoked.iter().filter(|revoked| revoked.box_id == *box_id && revoked.key == *key);
        of_key.map(|revoked| revoked.from_ms).min()
    }
}

fn of_platform(name: &PlatformId, key: PublicKey, statements: &[(Seq, KeyStatement)]) -> Vec<PublicKey> {
    let mut lineage = Lineage::new(Whose::Platform(name.clone()), key);
    statements.iter().for_each(|(seq, statement)| lineage.take(Some(*seq), statement.clone()));
    lineage.followed(&BTreeMap::new(), &[]).believed().copied().collect()
}

/// The statement about keys in a record, if it has one.
fn statement(record: &[u8]) -> Option<KeyStatement> {
    let mut d = Decoder::new(record);
    let is_audit = (|| {
        d.array()?;
        d.skip()?;
        d.array()?;
        d.u32()
    })();
    if is_audit.ok() != Some(AUDIT) {
        return None;
    }
    match Record::from_canonical(record).ok()?.body {
        Body::Audit(Audit { act: Act::KeyChanged { statement }, .. }) => KeyStatement::read(&statement).ok(),
        _ => None,
    }
}
