//! What people entered by hand, as the journal tells of it: which entries there are, and which of them count no more.

use std::collections::BTreeMap;

use record::{Body, Kind, Manual, OutfallCode, RecordAt, Seq, SeqRange};

use crate::database::StoreError;
use crate::reader::Reader;
use crate::register::{for_each_marked, unread};

/// Most entries that are known at a time, some 100 bytes each; the oldest are forgotten first, and cannot be replaced any more.
/// Ten a day fill five years.
pub const ENTRIES_MAX: usize = 20_000;

/// The entries, by the numbers of their records. Like the register of outfalls they are read from the records themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// The first record that was not looked at yet.
    next: Seq,
    entries: BTreeMap<Seq, Known>,
}

/// What is known of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The outfall.
    pub outfall: OutfallCode,
    /// `sample` or `patrol`.
    pub what: &'static str,
    /// The entry that took its place, if one did.
    pub replaced_by: Option<Seq>,
}

/// Why one entry cannot take the place of another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError {
    /// No entry, or one that is forgotten.
    #[error("record {0} is no manual entry, or an older one than can be replaced")]
    NoEntry(Seq),
    /// Of another kind.
    #[error("record {seq} is a {found}, and a {what} cannot replace it")]
    OtherKind {
        /// The record.
        seq: Seq,
        /// What it is.
        found: &'static str,
        /// What was to replace it.
        what: &'static str,
    },
    /// Of another outfall.
    #[error("record {seq} is of outfall {outfall}")]
    OtherOutfall {
        /// The record.
        seq: Seq,
        /// Of which.
        outfall: OutfallCode,
    },
    /// It was replaced.
    #[error("record {seq} is replaced already, by record {by}: replace that one")]
    ReplacedAlready {
        /// The record.
        seq: Seq,
        /// The one that counts in its place.
        by: Seq,
    },
}

impl Entries {
    /// Takes in what was journaled since the last time.
    ///
    /// # Errors
    /// [`StoreError::Read`], [`StoreError::Archive`].
    pub fn catch_up(&mut self, reader: &Reader) -> Result<(), StoreError> {
        let Some(new) = unread(reader, self.next)? else { return Ok(()) };
        for_each_manual(reader, new, |at, _| self.take(at))?;
        self.next = new.last.next();
        Ok(())
    }

    /// Takes in one record; those of other kinds change nothing.
    pub fn take(&mut self, at: &RecordAt) {
        let Body::Manual(manual) = &at.record.body else { return };
        let entry = manual.entry();
        if let Some(replaced) = &entry.replaces
            && let Some(known) = self.entries.get_mut(&replaced.seq)
        {
            known.replaced_by.get_or_insert(at.seq);
        }
        let known = Known { outfall: entry.outfall.clone(), what: manual.as_str(), replaced_by: None };
        self.entries.insert(at.seq, known);
        if self.entries.len() > ENTRIES_MAX {
            self.entries.pop_first();
        }
    }

    /// What is known of the entry with this number.
    pub fn get(&self, seq: Seq) -> Option<&Known> {
        self.entries.get(&seq)
    }

    /// Whether this may take the place of the entry that it names, if it names one.
    ///
    /// # Errors
    /// [`ReplaceError`].
    pub fn check(&self, manual: &Manual) -> Result<(), ReplaceError> {
        let entry = manual.entry();
        let Some(seq) = entry.replaces.as_ref().map(|replaced| replaced.seq) else { return Ok(()) };
        let known = self.get(seq).ok_or(ReplaceError::NoEntry(seq))?;
        if known.what != manual.as_str() {
            return Err(ReplaceError::OtherKind { seq, found: known.what, what: manual.as_str() });
        }
        if known.outfall != entry.outfall {
            return Err(ReplaceError::OtherOutfall { seq, outfall: known.outfall.clone() });
        }
        known.replaced_by.map_or(Ok(()), |by| Err(ReplaceError::ReplacedAlready { seq, by }))
    }
}

/// Hands each entry among these numbers to `take`, in order.
///
/// # Errors
/// [`StoreError::Read`], [`StoreError::Archive`].
pub fn for_each_manual(
    reader: &Reader,
    records: SeqRange,
    mut take: impl FnMut(&RecordAt, &Manual),
) -> Result<(), StoreError> {
    for_each_marked(reader, Kind::Manual, records, |at| {
        if let Body::Manual(manual) = &at.record.body {
            take(at, manual);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hot::is_marked;
    use record::dossier::{Few, Words};
    use record::{Actor, BootNo, ClockQuality, Entry, MonoMs, Patrol, Record, Replaced, Stamp, UnixMs};

    fn patrol(outfall: &str, replaces: Option<u64>) -> Manual {
        let replaces = replaces.map(|seq| Replaced { seq: Seq(seq), reason: Words::new("typed wrong").unwrap() });
        let entry = Entry {
            outfall: OutfallCode::new(outfall).unwrap(),
            at_ms: UnixMs(0),
            person: Words::new("王工").unwrap(),
            by: Actor::User(0),
            files: Few::default(),
            replaces,
        };
        Manual::Patrol(Box::new(Patrol { entry, finding: Words::new("dry").unwrap(), state: None }))
    }

    fn at(seq: u64, manual: Manual) -> RecordAt {
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
        RecordAt { seq: Seq(seq), record: Record { stamp, body: Body::Manual(manual) } }
    }

    #[test]
    fn an_entry_is_replaced_once_by_one_of_its_outfall() {
        let mut entries = Entries::default();
        entries.take(&at(3, patrol("A-1", None)));
        let check = |entries: &Entries, outfall: &str, seq: u64| entries.check(&patrol(outfall, Some(seq)));
        assert_eq!(check(&entries, "A-1", 4), Err(ReplaceError::NoEntry(Seq(4))));
        let other = ReplaceError::OtherOutfall { seq: Seq(3), outfall: OutfallCode::new("A-1").unwrap() };
        assert_eq!(check(&entries, "B-2", 3), Err(other));
        assert_eq!(check(&entries, "A-1", 3), Ok(()));
        entries.take(&at(5, patrol("A-1", Some(3))));
        let replaced = ReplaceError::ReplacedAlready { seq: Seq(3), by: Seq(5) };
        assert_eq!(check(&entries, "A-1", 3), Err(replaced));
        assert_eq!((check(&entries, "A-1", 5), entries.check(&patrol("A-1", None))), (Ok(()), Ok(())));
    }

    /// Of a segment that is thinned, and of what remains of it, what is marked stays.
    #[test]
    fn an_entry_is_kept_as_long_as_an_alarm() {
        assert_eq!([Kind::Manual, Kind::Alarm, Kind::Frame].map(is_marked), [true, true, false]);
    }

    #[test]
    fn so_many_entries_are_known() {
        let mut entries = Entries::default();
        for seq in 0..=ENTRIES_MAX as u64 {
            entries.take(&at(seq, patrol("A-1", None)));
        }
        assert_eq!(entries.entries.len(), ENTRIES_MAX);
        assert!(entries.get(Seq(0)).is_none() && entries.get(Seq(1)).is_some());
        assert_eq!(entries.check(&patrol("A-1", Some(0))), Err(ReplaceError::NoEntry(Seq(0))));
    }
}
