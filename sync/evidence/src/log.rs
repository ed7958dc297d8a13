//! The records of an evidence file, read back.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use batch::Checkpoint;
use batch::weirlog::{self, Beliefs, Entry};
use record::merkle::{AppendError, Frontier, Hash};
use record::{Body, CodecId, Manual, Record, RecordAt, Seq, SeqRange, SeqRanges, TimeLine, TrueTime, UnixMs};

/// What stands in a `records.weirlog` that holds.
#[derive(Debug, Default)]
pub(crate) struct Log {
    /// By ascending number.
    pub(crate) records: Vec<RecordAt>,
    /// The size of the tree: numbers from there on are not spoken of.
    pub(crate) size: u64,
    /// What the clock records say of the times of the others.
    times: TimeLine,
    /// The roots of the tree at the sizes that were wanted, as far as an entry ends there.
    roots: BTreeMap<u64, Hash>,
    /// The heads that a key of the box signed, whoever vouches for it; with whether they count.
    pub(crate) heads: Vec<SignedHead>,
}

/// A signed tree head.
#[derive(Debug)]
pub(crate) struct SignedHead {
    /// What was signed.
    pub(crate) head: Checkpoint,
    /// Whether the key is believed, and was not revoked before.
    pub(crate) counts: bool,
}

/// A record that this program cannot read; its bytes may be proven all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Strange(pub(crate) Seq);

impl Log {
    /// Reads the records, the roots at the sizes `wanted`, and the signed heads.
    pub(crate) fn read(weirlog: &[u8], beliefs: &Beliefs, wanted: &BTreeSet<u64>) -> Result<Log, Strange> {
        let mut log = Log::default();
        let (mut tree, mut strange, mut misplaced) = (Frontier::new(), None, None::<AppendError>);
        let read = weirlog::read(weirlog, |entry| {
            match entry {
                Entry::Record { seq, bytes } => {
                    tree.push(record::merkle::leaf_hash(bytes));
                    match Record::from_canonical(bytes) {
                        Ok(record) => log.records.push(RecordAt { seq, record }),
                        Err(_) => _ = strange.get_or_insert(Strange(seq)),
                    }
                }
                Entry::Pruned { level, root, .. } => misplaced = tree.append_subtree(level, root).err(),
                Entry::Head(cose) => log.heads.extend(
                    beliefs.named_head(cose).map(|(_, head)| SignedHead { head, counts: beliefs.head(cose).is_some() }),
                ),
            }
            if wanted.contains(&tree.size()) {
                log.roots.insert(tree.size(), tree.root());
            }
        });
        // Reading from memory does not fail, and nothing is misplaced in a file that holds.
        debug_assert!(read.is_ok() && misplaced.is_none());
        log.size = tree.size();
        let clocks = log.records.iter().filter(|at| matches!(at.record.body, Body::Clock(_)));
        clocks.for_each(|at| log.times.take(&at.record));
        strange.map_or(Ok(log), Err)
    }

    /// The root of the tree over the first `size` records, if it was wanted and the file tells it.
    pub(crate) fn root(&self, size: u64) -> Option<Hash> {
        self.roots.get(&size).copied()
    }

    /// When a record was made, by the clock records of this file.
    pub(crate) fn time(&self, at: &RecordAt) -> TrueTime {
        self.times.time(&at.record.stamp)
    }

    /// Each record with its time.
    pub(crate) fn timed(&self) -> impl Iterator<Item = (&RecordAt, TrueTime)> {
        self.records.iter().map(|at| (at, self.time(at)))
    }

    /// The record with this number, if it is here.
    pub(crate) fn get(&self, seq: Seq) -> Option<&RecordAt> {
        self.records.binary_search_by_key(&seq, |at| at.seq).ok().map(|at| &self.records[at])
    }

    /// The first signed head that covers every record of the file.
    pub(crate) fn covering(&self) -> Option<&Checkpoint> {
        self.all_covering().next().map(|signed| &signed.head)
    }

    /// The first one among those that count.
    pub(crate) fn counting(&self) -> Option<&Checkpoint> {
        self.all_covering().find(|signed| signed.counts).map(|signed| &signed.head)
    }

    fn all_covering(&self) -> impl Iterator<Item = &SignedHead> {
        let end = self.records.last().map_or(0, |last| last.seq.next().0);
        self.heads.iter().filter(move |signed| signed.head.head.size >= end)
    }

    /// The numbers from the first to the last record whose time lies in the window; none if no record's does.
    pub(crate) fn window(&self, window: &Range<UnixMs>) -> Option<SeqRange> {
        let mut inside = self.timed().filter(|(at, time)| window.contains(&moment(at, *time)));
        let (first, _) = inside.next()?;
        SeqRange::new(first.seq, inside.last().map_or(first.seq, |(last, _)| last.seq))
    }

    /// The codecs that decoded what is here, and those among them whose text is not.
    pub(crate) fn codecs(&self) -> (BTreeSet<CodecId>, BTreeSet<CodecId>) {
        let (mut used, mut told) = (BTreeSet::new(), BTreeSet::new());
        for at in &self.records {
            match &at.record.body {
                Body::Frame(frame) => used.extend(frame.codec),
                Body::Redecoded(redecoded) => _ = used.insert(redecoded.codec),
                Body::Codec(codec) if codec.id == CodecId::of(&codec.text) => _ = told.insert(codec.id),
                _ => {}
            }
        }
        let untold = used.difference(&told).copied().collect();
        (used, untold)
    }

    /// How many samples and patrols people entered by hand.
    pub(crate) fn entered(&self) -> (usize, usize) {
        let count = |is: fn(&Manual) -> bool| {
            self.records.iter().filter(|at| matches!(&at.record.body, Body::Manual(manual) if is(manual))).count()
        };
        (count(|manual| matches!(manual, Manual::Sample(_))), count(|manual| matches!(manual, Manual::Patrol(_))))
    }

    /// The numbers whose records are here.
    pub(crate) fn numbers(&self) -> SeqRanges {
        self.records.iter().map(|at| SeqRange { first: at.seq, last: at.seq }).collect()
    }

    /// The numbers that a gap record here tells of.
    pub(crate) fn gone(&self) -> SeqRanges {
        let gaps = self.records.iter().filter_map(|at| match &at.record.body {
            Body::Gap(gap) => Some(&gap.ranges),
            _ => None,
        });
        gaps.flat_map(SeqRanges::iter).collect()
    }
}

/// The moment by which a record is chosen: the time that it really was made, else as it is stamped.
pub fn moment(at: &RecordAt, time: TrueTime) -> UnixMs {
    time.known().map_or(at.record.stamp.wall_ms, |(at_ms, _)| at_ms)
}
