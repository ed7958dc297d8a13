//! Which records nobody may take away: those that somebody pinned and nobody has released.

use std::collections::BTreeMap;

use record::{Act, Seq, SeqRange};

use crate::database::StoreError;
use crate::reader::Reader;

/// Most pins at a time.
pub const PINS_MAX: usize = 256;
/// Of those, most that the box itself may come to have made when it pins one more: the rest is for people.
pub const PINS_BY_BOX_MAX: usize = PINS_MAX - 64;

/// The pins of a journal, by the number of the record that pinned. Read from the orders in the journal itself, so that there
/// is no second truth: a backup, a salvage and another machine know them too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// The first order that was not looked at yet.
    next: Seq,
    pinned: BTreeMap<Seq, SeqRange>,
}

impl Pins {
    /// Takes in what was ordered since the last time.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let Some(last) = reader.position()?.end.0.checked_sub(1).map(Seq) else { return Ok(()) };
        let Some(new) = SeqRange::new(self.next, last) else { return Ok(()) };
        reader.audits(new, |seq, audit| match audit.act {
            Act::Pinned { records } => drop(self.pinned.insert(seq, records)),
            Act::Released { pin } => drop(self.pinned.remove(&pin)),
            _ => {}
        })?;
        self.next = last.next();
        Ok(())
    }

    /// The pins, the oldest first: the record that pinned, and what it pinned.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Seq, SeqRange)> + '_ {
        self.pinned.iter().map(|(seq, records)| (*seq, *records))
    }

    /// Whether some of these records are pinned, or the word of a pin is among them: it goes with what it holds.
    pub fn hold(&self, records: SeqRange) -> bool {
        let within = |seq: Seq| records.first <= seq && seq <= records.last;
        self.iter().any(|(seq, pinned)| within(seq) || (pinned.first <= records.last && records.first <= pinned.last))
    }
}
