//! Which frames of a device were decoded anew before: an order that is given twice is carried out once.

use record::{CodecId, Redecoded, Seq, SeqRange};

/// Records that are worked through at one time: two bits of each take 4 MiB. Most journals have fewer; of a longer one
/// all that follows is looked through once more for each further part. Few in tests, which so have several parts.
const SPAN_RECORDS_MAX: u64 = if cfg!(test) { 64 } else { 16 * 1024 * 1024 };

/// Part of history, and what later records say of the frames in it.
#[derive(Debug)]
pub(super) struct Anew {
    span: SeqRange,
    /// They were decoded anew.
    ever: Vec<u64>,
    /// The last time by the codec of today.
    by_today: Vec<u64>,
}

impl Anew {
    /// The part of `history` that can be worked through at one time. Nothing is known of its frames yet.
    pub(super) fn of(history: SeqRange) -> Anew {
        let last = history.first.0.saturating_add(SPAN_RECORDS_MAX - 1);
        let span = SeqRange { first: history.first, last: history.last.min(Seq(last)) };
        Anew { span, ever: Vec::new(), by_today: Vec::new() }
    }

    /// The first record of the part.
    pub(super) fn first(&self) -> Seq {
        self.span.first
    }

    /// The last record of the part.
    pub(super) fn last(&self) -> Seq {
        self.span.last
    }

    /// Takes note of a repeated decoding, in the order in which they were made.
    pub(super) fn note(&mut self, redecoded: &Redecoded, today: CodecId) {
        let Some((word, bit)) = self.place(redecoded.of) else { return };
        if self.ever.len() <= word {
            self.ever.resize(word + 1, 0);
            self.by_today.resize(word + 1, 0);
        }
        self.ever[word] |= bit;
        match redecoded.codec == today {
            true => self.by_today[word] |= bit,
            false => self.by_today[word] &= !bit,
        }
    }

    /// Whether what stands for this frame, which `codec` decoded at first, is what the codec of today says.
    pub(super) fn is_current(&self, of: Seq, codec: Option<CodecId>, today: CodecId) -> bool {
        let Some((word, bit)) = self.place(of) else { return false };
        let is_set = |bits: &[u64]| bits.get(word).is_some_and(|bits| bits & bit != 0);
        if is_set(&self.ever) { is_set(&self.by_today) } else { codec == Some(today) }
    }

    fn place(&self, of: Seq) -> Option<(usize, u64)> {
        let at = of.0.checked_sub(self.span.first.0).filter(|_| of <= self.span.last)?;
        Some((usize::try_from(at / 64).ok()?, 1 << (at % 64)))
    }
}

#[cfg(test)]
mod tests {
    use record::SourceId;

    use super::*;

    fn redecoded(of: u64, codec: CodecId) -> Redecoded {
        let source = SourceId::new("flow-1").unwrap();
        Redecoded { source, of: Seq(of), codec, readings: Vec::new(), texts: Vec::new() }
    }

    #[test]
    fn the_last_decoding_counts() {
        let [old, today] = ["old", "today"].map(CodecId::of);
        let mut anew = Anew::of(SeqRange { first: Seq(100), last: Seq(150) });
        for (of, codec) in [(100, today), (110, old), (120, today), (120, old), (130, old), (130, today), (7, today)] {
            anew.note(&redecoded(of, codec), today);
        }
        let current = |codec| move |of| (of, codec);
        let are = |of: [(u64, Option<CodecId>); 6]| of.map(|(of, codec)| anew.is_current(Seq(of), codec, today));
        assert_eq!(are([100, 110, 120, 130, 101, 7].map(current(Some(old)))), [true, false, false, true, false, false]);
        assert_eq!(
            are([100, 110, 120, 130, 101, 7].map(current(Some(today)))),
            [true, false, false, true, true, false]
        );
        assert!(!anew.is_current(Seq(101), None, today));
    }

    #[test]
    fn a_part_of_a_long_history_takes_no_more_memory_than_its_bound() {
        let today = CodecId::of("today");
        let mut anew = Anew::of(SeqRange { first: Seq(1), last: Seq(u64::MAX) });
        let last = anew.last();
        assert_eq!(last, Seq(SPAN_RECORDS_MAX));
        for of in [u64::MAX, last.0 + 1, last.0] {
            anew.note(&redecoded(of, today), today);
        }
        assert_eq!([anew.ever.len(), anew.by_today.len()], [usize::try_from(SPAN_RECORDS_MAX / 64).unwrap(); 2]);
        assert!(anew.is_current(last, None, today) && !anew.is_current(last.next(), Some(today), today));
    }
}
