//! Alarms that somebody set aside for a while (ISA-18.2: shelved), so that a broken sensor does not hide what matters. They go on
//! being judged, journaled and delivered.

use std::collections::BTreeMap;

use journal::{Reader, StoreError};
use record::{Act, RuleId, Seq, SeqRange, SourceId, UnixMs};

/// Longest time: whoever comes tomorrow looks at it again.
pub const SHELVED_HOURS_MAX: u32 = 24;
/// Most at a time: a shelf that holds everything is no shelf.
pub const SHELVED_MAX: usize = 32;

/// What is set aside, and until when by the box's clock. Read from the orders in the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shelf(BTreeMap<(RuleId, SourceId), UnixMs>);

impl Shelf {
    pub(super) fn restore(reader: &Reader) -> Result<Shelf, StoreError> {
        let mut shelf = Shelf::default();
        if let Some(last) = reader.position()?.end.0.checked_sub(1) {
            reader.audits(SeqRange { first: Seq(0), last: Seq(last) }, |_, audit| shelf.take(&audit.act))?;
        }
        Ok(shelf)
    }

    pub(super) fn take(&mut self, act: &Act) {
        let Act::Shelved { rule, source, until_ms } = act else { return };
        let alarm = (rule.clone(), source.clone());
        match until_ms {
            Some(until) => drop(self.0.insert(alarm, *until)),
            None => drop(self.0.remove(&alarm)),
        }
    }

    /// Until when an alarm is set aside, if it is now.
    pub fn until(&self, rule: &RuleId, source: &SourceId, now: UnixMs) -> Option<UnixMs> {
        self.0.get(&(rule.clone(), source.clone())).copied().filter(|until| now < *until)
    }

    /// How many are set aside now.
    pub fn count(&self, now: UnixMs) -> usize {
        self.0.values().filter(|until| now < **until).count()
    }
}
