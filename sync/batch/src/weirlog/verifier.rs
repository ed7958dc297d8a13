//! Verifying an exported journal, with nothing but public keys.

use std::io::{self, BufRead};

use record::Seq;
use record::merkle::{Frontier, Hash, leaf_hash};
use serde::Serialize;

use super::VERSION;
use super::beliefs::Beliefs;
use super::fault::Fault;
use super::item::{Broken, Header, Item, Items};
use crate::{Artifact, BoxId, Checkpoint, Heir, Lineage, PublicKey, Whose};

/// What an exported journal proves.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verdict {
    /// The box, as the file names it.
    #[serde(rename = "box")]
    pub box_id: Option<BoxId>,
    /// The key that its tree heads were verified with: the given one, else the one that the file names.
    pub key: Option<PublicKey>,
    /// Numbers of records that the file has an entry for, from 0.
    pub size: u64,
    /// Records in it.
    pub records: u64,
    /// Numbers whose records were taken away before it was written; their subtrees' roots are in it.
    pub gone: u64,
    /// Records whose bytes do not fit their leaf hash.
    pub altered: u64,
    /// Signed tree heads that fit.
    pub checkpoints: u64,
    /// The box's keys, the given one first, as the statements in the file lead from one to the other; those that nobody
    /// vouches for are among them.
    pub keys: Vec<Heir>,
    /// Signed tree heads that were passed over, because nobody vouches for the key.
    pub unvouched: u64,
    /// Signed tree heads that were passed over, because the key was revoked before.
    pub revoked: u64,
    /// The newest of them: it proves every record below its size, but the altered ones.
    pub proven: Option<Checkpoint>,
    /// The first thing that is wrong, in the order of the file.
    #[serde(skip)]
    pub first_bad: Option<Fault>,
}

impl Verdict {
    /// Whether the file is whole and each of its records is proven.
    pub fn holds(&self) -> bool {
        self.first_bad.is_none()
    }

    /// How many numbers the newest fitting tree head covers.
    pub fn proven_size(&self) -> u64 {
        self.proven.as_ref().map_or(0, |checkpoint| checkpoint.head.size)
    }

    fn fault(&mut self, fault: Fault) {
        self.first_bad.get_or_insert(fault);
    }
}

/// Verifies a whole file.
///
/// # Errors
/// When it cannot be read; whatever is wrong with what is in it is part of the verdict.
pub fn verify(input: impl BufRead, key: Option<PublicKey>) -> io::Result<Verdict> {
    verify_by(input, &Beliefs::of(key))
}

/// Verifies a whole file by more than one key: those that [`Beliefs::read`] found in the same file.
///
/// # Errors
/// When it cannot be read.
pub fn verify_by(input: impl BufRead, beliefs: &Beliefs) -> io::Result<Verdict> {
    let mut verifier = Verifier::new(input, beliefs);
    while verifier.step()? {}
    Ok(verifier.into_verdict())
}

/// Verifies a file entry by entry, with the memory of one record.
pub struct Verifier<R> {
    items: Items<R>,
    beliefs: Beliefs,
    /// The box and its keys, once the header was read.
    signer: Option<(BoxId, Lineage)>,
    /// The tree over the leaf hashes that stand in the file.
    stored: Frontier,
    /// The tree over the hashes of the records themselves, while it is another one.
    recomputed: Option<Frontier>,
    /// Size of the newest tree head, fitting or not.
    head_size: Option<u64>,
    verdict: Verdict,
}

impl<R: BufRead> Verifier<R> {
    /// Begins. Without a key, the one that the file names is taken: then the file proves itself, but not whose it is.
    pub fn new(input: R, beliefs: &Beliefs) -> Verifier<R> {
        let (stored, verdict, beliefs) = (Frontier::new(), Verdict::default(), beliefs.clone());
        let items = Items::new(input);
        Verifier { items, beliefs, signer: None, stored, recomputed: None, head_size: None, verdict }
    }

    /// What is known so far.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// What is known so far, for good.
    pub fn into_verdict(self) -> Verdict {
        self.verdict
    }

    /// Takes the next item; `false` once there is nothing more to read or to understand.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn step(&mut self) -> io::Result<bool> {
        let Some((box_id, lineage)) = &self.signer else { return self.header() };
        let at = Seq(self.stored.size());
        let item = match self.items.next() {
            Ok(Some(item)) => item,
            Ok(None) | Err(Broken::Cut) => return self.stop(Fault::Cut { at }),
            Err(Broken::Form(why)) => return self.stop(Fault::Unreadable { at, why }),
            Err(Broken::Read(error)) => return Err(error),
        };
        match item {
            Item::Record { seq, .. } | Item::Pruned { seq, .. } if seq > at => {
                self.stop(Fault::Missing { at, found: seq })
            }
            Item::Record { seq, .. } | Item::Pruned { seq, .. } if seq < at => {
                self.stop(Fault::OutOfOrder { at, found: seq })
            }
            Item::Record { bytes, leaf, .. } => {
                let own = leaf_hash(bytes);
                self.record(at, own, leaf);
                Ok(true)
            }
            Item::Pruned { level, root, .. } => self.pruned(at, level, root),
            Item::Checkpoint(cose) => {
                match judge(cose, box_id, lineage, at.0, self.head_size) {
                    Ok(None) => self.verdict.unvouched += 1,
                    Ok(Some((key, head)))
                        if self.beliefs.revoked_from(box_id, &key).is_some_and(|from| head.stamp.wall_ms >= from) =>
                    {
                        self.verdict.revoked += 1;
                    }
                    Ok(Some((_, head))) => self.checkpoint(at.0, Ok(head)),
                    Err(why) => self.checkpoint(at.0, Err(why)),
                }
                Ok(true)
            }
            Item::End { size, sha256 } => self.end(at, size, sha256),
        }
    }

    fn header(&mut self) -> io::Result<bool> {
        let Header { version, name, key } = match self.items.header() {
            Ok(header) => header,
            Err(Broken::Read(error)) => return Err(error),
            Err(Broken::Cut | Broken::Form(_)) => return self.stop(Fault::NoHeader),
        };
        if version != VERSION {
            return self.stop(Fault::Version { found: version });
        }
        let box_id = str::from_utf8(&name).ok().and_then(|name| BoxId::new(name).ok());
        let (Some(box_id), Ok(key)) = (box_id, PublicKey::from_bytes(&key)) else {
            return self.stop(Fault::NoHeader);
        };
        let (given, whose) = (self.beliefs.given, Whose::Box(box_id.clone()));
        let lineage = self.beliefs.lineage.clone().filter(|lineage| *lineage.whose() == whose);
        let lineage = lineage.unwrap_or_else(|| Lineage::new(whose, given.unwrap_or(key)));
        if !lineage.heirs().iter().any(|heir| heir.key == key) {
            self.verdict.fault(Fault::OtherKey);
        }
        (self.verdict.box_id, self.verdict.key) = (Some(box_id.clone()), Some(given.unwrap_or(key)));
        self.verdict.keys = lineage.heirs().to_vec();
        self.signer = Some((box_id, lineage));
        Ok(true)
    }

    fn record(&mut self, at: Seq, own: Hash, leaf: Hash) {
        if own != leaf {
            self.verdict.altered += 1;
            self.verdict.fault(Fault::Altered { at });
            self.recomputed.get_or_insert_with(|| self.stored.clone());
        }
        self.stored.push(leaf);
        if let Some(recomputed) = &mut self.recomputed {
            recomputed.push(own);
        }
        self.verdict.records += 1;
        self.verdict.size = self.stored.size();
    }

    fn pruned(&mut self, at: Seq, level: u8, root: Hash) -> io::Result<bool> {
        let appended = [Some(&mut self.stored), self.recomputed.as_mut()].into_iter().flatten();
        if appended.map(|tree| tree.append_subtree(level, root)).any(|appended| appended.is_err()) {
            return self.stop(Fault::Unreadable { at, why: "no subtree of that size begins there" });
        }
        self.verdict.gone += self.stored.size() - at.0;
        self.verdict.size = self.stored.size();
        Ok(true)
    }

    fn checkpoint(&mut self, size: u64, checkpoint: Result<Checkpoint, &'static str>) {
        let checkpoint = match checkpoint {
            Ok(checkpoint) => checkpoint,
            Err(why) => return self.verdict.fault(Fault::Checkpoint { size, why }),
        };
        self.head_size = Some(size);
        let signed = checkpoint.head.root;
        if self.stored.root() == signed {
            // The hashes are those that were signed, so an altered record is known for one, and no other was.
            self.recomputed = None;
        } else if let Some(records) = self.recomputed.take_if(|tree| tree.root() == signed) {
            // The records are those that were signed; a hash beside one of them is not.
            self.stored = records;
        } else {
            let first = Seq(self.verdict.proven_size());
            return self.verdict.fault(Fault::Unproven { first, end: Seq(size) });
        }
        self.verdict.checkpoints += 1;
        self.verdict.proven = Some(checkpoint);
    }

    fn end(&mut self, at: Seq, size: Seq, sha256: Hash) -> io::Result<bool> {
        if size > at {
            self.verdict.fault(Fault::Missing { at, found: size });
        } else if size < at {
            self.verdict.fault(Fault::End { why: "it tells of fewer records" });
        } else if self.items.digest() != sha256 {
            self.verdict.fault(Fault::End { why: "bytes before it were changed, added or taken out" });
        } else if !self.items.at_end()? {
            self.verdict.fault(Fault::End { why: "more bytes follow" });
        } else if self.verdict.proven_size() < at.0 {
            self.verdict.fault(Fault::Unsigned { first: Seq(self.verdict.proven_size()) });
        }
        Ok(false)
    }

    /// Behind this nothing can be told.
    fn stop(&mut self, fault: Fault) -> io::Result<bool> {
        self.verdict.fault(fault);
        Ok(false)
    }
}

/// The checkpoint in these bytes with the key that signed it, if it is this box's word about the first `size` records, and the
/// first such one. None if nobody vouches for the key, which the file only names.
fn judge(
    cose: &[u8],
    box_id: &BoxId,
    lineage: &Lineage,
    size: u64,
    before: Option<u64>,
) -> Result<Option<(PublicKey, Checkpoint)>, &'static str> {
    let not_signed = "it is not signed with the box's key";
    let outline = crate::envelope::outline(Artifact::Checkpoint, cose).map_err(|_| not_signed)?;
    let Heir { key, by, ended_at } = lineage.heir(outline.kid).ok_or(not_signed)?;
    let checkpoint = Checkpoint::verify(cose, key).map_err(|_| not_signed)?;
    if by.is_none() {
        return Ok(None);
    }
    if checkpoint.box_id != *box_id {
        return Err("it is of another box");
    }
    if checkpoint.head.size != size || before == Some(size) {
        return Err("it belongs elsewhere");
    }
    if ended_at.is_some_and(|ended| size > ended.0) {
        return Err("its key had handed over to another one before");
    }
    Ok(Some((*key, checkpoint)))
}
