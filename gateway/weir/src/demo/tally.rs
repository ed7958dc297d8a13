//! Who has what: every message that a sensor sent against what the journal and each platform hold. Pure.
//!
//! A store is wrong in three ways: a message is *missing* that it owes, a message is there twice (*doubled*), or what
//! stands under a message's number is not what was sent (*altered*; also a message that nobody sent).

use std::collections::BTreeMap;

use super::logbook::count;

/// A message as its sensor remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// Quantity and value, in order.
    pub(crate) readings: Vec<(String, String)>,
    /// The bytes.
    pub(crate) raw: Vec<u8>,
    /// Whether the box promised to have it.
    pub(crate) acknowledged: bool,
}

/// A message as a store has it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    /// Which one, by its own word; `None` if it says nothing readable.
    pub(crate) n: Option<u64>,
    /// Quantity and value, in order.
    pub(crate) readings: Vec<(String, String)>,
    /// The bytes, where the store keeps them.
    pub(crate) raw: Option<Vec<u8>>,
}

/// What one store holds of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    /// Messages of those that were sent, each counted once.
    pub(crate) held: u64,
    /// Messages that it owes and does not have.
    pub(crate) missing: u64,
    /// Copies beyond the first.
    pub(crate) doubled: u64,
    /// Messages that say something else than what was sent, or that nobody sent.
    pub(crate) altered: u64,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceTally {
    /// Messages sent.
    pub(crate) sent: u64,
    /// Messages acknowledged.
    pub(crate) acknowledged: u64,
    /// The journal, which owes what was acknowledged.
    pub(crate) journal: Holding,
    /// The platforms, which owe what was acknowledged and what is in the journal.
    pub(crate) platforms: Vec<Holding>,
}

impl Holding {
    /// Whether every promise about this store is kept.
    pub(crate) fn is_whole(&self) -> bool {
        (self.missing, self.doubled, self.altered) == (0, 0, 0)
    }

    /// Both together.
    pub(crate) fn plus(self, other: Holding) -> Holding {
        Holding {
            held: self.held + other.held,
            missing: self.missing + other.missing,
            doubled: self.doubled + other.doubled,
            altered: self.altered + other.altered,
        }
    }
}

impl SourceTally {
    /// Compares what one sensor sent with what is stored of it.
    pub(crate) fn of(sent: &[Sent], journal: &[Stored], platforms: &[Vec<Stored>]) -> SourceTally {
        let in_journal = copies(sent.len(), journal);
        let owed_to_journal: Vec<bool> = sent.iter().map(|message| message.acknowledged).collect();
        let journaled = |place: usize| in_journal.contains_key(&place);
        let owed: Vec<bool> =
            owed_to_journal.iter().enumerate().map(|(place, owed)| *owed || journaled(place)).collect();
        SourceTally {
            sent: count(sent.len()),
            acknowledged: count(owed_to_journal.iter().filter(|owed| **owed).count()),
            journal: holding(sent, journal, &owed_to_journal),
            platforms: platforms.iter().map(|stored| holding(sent, stored, &owed)).collect(),
        }
    }

    /// Messages that every platform has.
    pub(crate) fn delivered(&self) -> u64 {
        self.platforms.iter().map(|holding| holding.held).min().unwrap_or(0)
    }

    /// All stores together.
    pub(crate) fn all(&self) -> Holding {
        self.platforms.iter().fold(self.journal, |sum, holding| sum.plus(*holding))
    }
}

/// How often each message is there, by its place in what was sent.
fn copies(sent: usize, stored: &[Stored]) -> BTreeMap<usize, u64> {
    let mut copies = BTreeMap::new();
    for place in stored.iter().filter_map(|message| place(message, sent)) {
        *copies.entry(place).or_default() += 1;
    }
    copies
}

/// The place of a message in what was sent; none if nobody sent it.
fn place(message: &Stored, sent: usize) -> Option<usize> {
    let place = usize::try_from(message.n?).ok()?.checked_sub(1)?;
    (place < sent).then_some(place)
}

fn holding(sent: &[Sent], stored: &[Stored], owed: &[bool]) -> Holding {
    let copies = copies(sent.len(), stored);
    let is_altered = |message: &&Stored| match place(message, sent.len()).and_then(|place| sent.get(place)) {
        Some(original) => {
            message.readings != original.readings || message.raw.as_ref().is_some_and(|raw| *raw != original.raw)
        }
        None => true,
    };
    Holding {
        held: count(copies.len()),
        missing: count(owed.iter().enumerate().filter(|(place, owed)| **owed && !copies.contains_key(place)).count()),
        doubled: copies.values().map(|times| times - 1).sum(),
        altered: count(stored.iter().filter(is_altered).count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(n: u64) -> Vec<u8> {
        [&[7], &n.to_be_bytes()[..]].concat()
    }

    fn readings(n: u64) -> Vec<(String, String)> {
        vec![("n".into(), n.to_string()), ("cod".into(), format!("4{n}.5"))]
    }

    /// Four messages; the last was not acknowledged.
    fn sent() -> Vec<Sent> {
        (1..=4).map(|n| Sent { readings: readings(n), raw: raw(n), acknowledged: n < 4 }).collect()
    }

    fn journal(numbers: &[u64]) -> Vec<Stored> {
        let stored = |n: &u64| Stored { n: Some(*n), readings: readings(*n), raw: Some(raw(*n)) };
        numbers.iter().map(stored).collect()
    }

    fn platform(numbers: &[u64]) -> Vec<Stored> {
        journal(numbers).into_iter().map(|message| Stored { raw: None, ..message }).collect()
    }

    fn check(journal: &[Stored], platforms: &[Vec<Stored>], expected: &str) -> bool {
        let tally = SourceTally::of(&sent(), journal, platforms);
        let show = |h: &Holding| format!("{}-{}+{}~{}", h.held, h.missing, h.doubled, h.altered);
        let stores: Vec<String> = std::iter::once(&tally.journal).chain(&tally.platforms).map(show).collect();
        assert_eq!(format!("{}/{} {}", tally.acknowledged, tally.sent, stores.join(" ")), expected);
        tally.all().is_whole()
    }

    #[test]
    fn all_is_well_with_and_without_the_unacknowledged_one() {
        assert!(check(
            &journal(&[1, 2, 3]),
            &[platform(&[3, 1, 2]), platform(&[1, 2, 3])],
            "3/4 3-0+0~0 3-0+0~0 3-0+0~0"
        ));
        let all = [1, 2, 3, 4];
        assert!(check(&journal(&all), &[platform(&all), platform(&all)], "3/4 4-0+0~0 4-0+0~0 4-0+0~0"));
    }

    #[test]
    fn a_lost_message_is_seen_wherever_it_is_lost() {
        let whole = || platform(&[1, 2, 3]);
        assert!(!check(&journal(&[1, 3]), &[whole(), whole()], "3/4 2-1+0~0 3-0+0~0 3-0+0~0"));
        assert!(!check(&journal(&[1, 2, 3]), &[platform(&[1, 2]), whole()], "3/4 3-0+0~0 2-1+0~0 3-0+0~0"));
        // In the journal, though never acknowledged: the platforms owe it.
        assert!(!check(&journal(&[1, 2, 3, 4]), &[whole(), platform(&[1, 2, 3, 4])], "3/4 4-0+0~0 3-1+0~0 4-0+0~0"));
        assert!(!check(&[], &[], "3/4 0-3+0~0"));
    }

    #[test]
    fn a_doubled_message_is_seen_wherever_it_is_doubled() {
        let whole = || platform(&[1, 2, 3]);
        assert!(!check(&journal(&[1, 2, 2, 3]), &[whole(), whole()], "3/4 3-0+1~0 3-0+0~0 3-0+0~0"));
        assert!(!check(&journal(&[1, 2, 3]), &[whole(), platform(&[1, 1, 1, 2, 3])], "3/4 3-0+0~0 3-0+0~0 3-0+2~0"));
    }

    #[test]
    fn a_changed_digit_a_changed_byte_and_a_stranger_are_seen() {
        let mut changed = platform(&[1, 2, 3]);
        changed[1].readings[1].1 = "42.50".into();
        assert!(!check(&journal(&[1, 2, 3]), &[changed], "3/4 3-0+0~0 3-0+0~1"));
        let mut damaged = journal(&[1, 2, 3]);
        damaged[0].raw = Some(raw(9));
        assert!(!check(&damaged, &[platform(&[1, 2, 3])], "3/4 3-0+0~1 3-0+0~0"));
        assert!(!check(&journal(&[1, 2, 3]), &[platform(&[1, 2, 3, 5])], "3/4 3-0+0~0 3-0+0~1"));
        let nameless = vec![Stored { n: None, readings: Vec::new(), raw: None }];
        assert!(!check(&journal(&[1, 2, 3]), &[[platform(&[1, 2, 3]), nameless].concat()], "3/4 3-0+0~0 3-0+0~1"));
    }
}
