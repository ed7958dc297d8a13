//! Which keys signed the tree heads of this box's journal: its own of today, and those that the journal's statements name.

use std::path::Path;

use batch::{Checkpoint, KeyStatement, OpenError, PublicKey, Whose};
use journal::{Reader, StoreError};
use record::{Act, Audit, Body, Kind, Seq, SeqRange};

use crate::error::CommandError;
use crate::identity_card::public_key;

/// An order is read alone, whatever its size.
const ONE_RECORD: usize = 1;

/// The keys, today's first, each of the others with the first record that names it.
#[derive(Debug, Clone)]
pub(crate) struct Signers {
    keys: Vec<(PublicKey, Option<Seq>)>,
    /// The records with the statements.
    statements: Vec<Seq>,
}

impl Signers {
    /// Reads them.
    pub(crate) fn read(reader: &Reader, state_dir: &Path, box_id: &str) -> Result<Signers, CommandError> {
        let today = public_key(state_dir)?;
        let mut signers = Signers { keys: vec![(today, None)], statements: Vec::new() };
        let is_ours = |statement: &KeyStatement| matches!(statement.whose(), Whose::Box(of) if of.as_str() == box_id);
        for (seq, statement) in statements(reader).map_err(CommandError::Store)? {
            signers.statements.push(seq);
            let (former, key) = statement.keys();
            for key in [former, key].into_iter().filter(|_| is_ours(&statement)) {
                match signers.keys.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, at)) => *at = Some(at.map_or(seq, |at| at.min(seq))),
                    None => signers.keys.push((key, Some(seq))),
                }
            }
        }
        Ok(signers)
    }

    /// Those that a file of the records before `end` can explain: the one of its newest head first, and those that are named
    /// there.
    #[must_use]
    pub(crate) fn before(mut self, end: Seq, newest: PublicKey) -> Signers {
        self.keys.retain(|(key, at)| *key == newest || at.is_some_and(|at| at < end));
        self.keys.sort_by_key(|(key, _)| *key != newest);
        self.statements.retain(|at| *at < end);
        self
    }

    /// The key, and what it signed, if it is one of these.
    pub(crate) fn head(&self, cose: &[u8]) -> Option<(PublicKey, Checkpoint)> {
        self.keys.iter().find_map(|(key, _)| Some((*key, Checkpoint::verify(cose, key).ok()?)))
    }

    /// Whether it is signed with one of these keys, or with what claims to be one of them.
    pub(crate) fn claim(&self, cose: &[u8]) -> bool {
        let is_other = |key| matches!(Checkpoint::verify(cose, key), Err(OpenError::UnknownKey { .. }));
        !self.keys.iter().all(|(key, _)| is_other(key))
    }

    /// The key of the newest head, or today's.
    pub(crate) fn newest(&self) -> PublicKey {
        self.keys[0].0
    }

    /// The others.
    pub(crate) fn former(&self) -> impl Iterator<Item = PublicKey> + '_ {
        self.keys.iter().skip(1).map(|(key, _)| *key)
    }

    /// The records that have the statements.
    pub(crate) fn statements(&self) -> &[Seq] {
        &self.statements
    }
}

/// Every statement about keys in the journal, with the number of its record.
pub(crate) fn statements(reader: &Reader) -> Result<Vec<(Seq, KeyStatement)>, StoreError> {
    let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for seq in reader.marks(Kind::Audit, SeqRange { first: Seq(0), last })? {
        let read = reader.read(SeqRange { first: seq, last: seq }, ONE_RECORD)?.pop();
        let Some(Body::Audit(Audit { act: Act::KeyChanged { statement }, .. })) = read.map(|at| at.record.body) else {
            continue;
        };
        found.extend(KeyStatement::read(&statement).ok().map(|statement| (seq, statement)));
    }
    Ok(found)
}
