//! Whether two platforms were shown one history of a box: the tree heads of one against those of the other.

use batch::{BoxId, TreeHead};
use record::merkle::Hash;

use crate::store::{Archive, StoreError};

/// Most checkpoints of this platform that the other one is asked for, the newest first: a day of hourly ones.
const ASKED_MAX: usize = 24;

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Both hold the same root for this size: one history up to there.
    Same {
        /// Records of that tree.
        size: u64,
    },
    /// Two roots for one size, both signed by the box: two histories.
    Fork {
        /// Records of both trees.
        size: u64,
        /// The root that is held here.
        here: Hash,
        /// The batch that brought it, in which the box signed it.
        batch: String,
        /// The root that the other platform cosigned.
        there: Hash,
    },
    /// The newest checkpoint of neither is held by the other. A box sends all of its checkpoints to every platform, in
    /// their order: an honest one never looks like this for long.
    Apart {
        /// The largest size that both hold, with the same root.
        common: Option<u64>,
        /// The newest checkpoint here.
        here: u64,
        /// The newest there.
        there: u64,
    },
    /// Nothing to compare: no checkpoint is proven here, or the other platform was not asked for another one.
    Incomparable {
        /// The newest checkpoint here.
        here: Option<u64>,
        /// The one there.
        there: u64,
    },
}

/// Compares what is held here with the newest checkpoint of another platform. `ask` gives that platform's checkpoint of a
/// size, if it has one; without it only the one that is known is compared.
///
/// # Errors
/// [`StoreError`] where this platform's database cannot be read; what `ask` said.
pub fn compare<E: From<StoreError>>(
    archive: &Archive,
    box_id: &BoxId,
    newest: &TreeHead,
    ask: Option<impl FnMut(u64) -> Result<Option<TreeHead>, E>>,
) -> Result<Comparison, E> {
    if let Some(told) = at(archive, box_id, newest)? {
        return Ok(told);
    }
    let ours = archive.proven_sizes(box_id, ASKED_MAX)?;
    let (Some(here), Some(mut ask)) = (ours.first().copied(), ask) else {
        return Ok(Comparison::Incomparable { here: ours.first().copied(), there: newest.size });
    };
    for size in ours {
        let Some(theirs) = ask(size)?.filter(|theirs| theirs.size == size) else { continue };
        match at(archive, box_id, &theirs)? {
            // The other one is ahead, and has all that is held here.
            Some(Comparison::Same { size }) if size == here => return Ok(Comparison::Same { size }),
            Some(Comparison::Same { size }) => {
                return Ok(Comparison::Apart { common: Some(size), here, there: newest.size });
            }
            Some(fork) => return Ok(fork),
            None => {}
        }
    }
    Ok(Comparison::Apart { common: None, here, there: newest.size })
}

/// One size; none if that is not held here.
fn at(archive: &Archive, box_id: &BoxId, theirs: &TreeHead) -> Result<Option<Comparison>, StoreError> {
    let held = archive.head(box_id, theirs.size)?;
    let TreeHead { size, root: there } = *theirs;
    Ok(held.map(|held| match held.root == there {
        true => Comparison::Same { size },
        false => Comparison::Fork { size, here: held.root, batch: held.batch, there },
    }))
}
