//! Whether the journal says what decoded every reading: codecs under their own names, told before they were used, and
//! repeated decodings linked to frames of the same device. Texts and frames of which a gap tells are not asked for.

use std::collections::BTreeSet;

use journal::{Reader, StoreError};
use record::{Body, CodecId, CodecText, Kind, RecordAt, Redecoded, Seq, SeqRange, SeqRanges};

use super::Finding;
use crate::lang::Lang;

/// What was seen of a journal, record after record.
pub(super) struct Codecs<'r> {
    reader: &'r Reader,
    told: BTreeSet<CodecId>,
    /// Records of which a gap tells that they are gone, and the first that may have been the text of a codec.
    gone: SeqRanges,
    texts_gone_from: Option<Seq>,
    /// Readings by a codec whose text is gone, as a gap tells.
    taken: u64,
    /// Texts under a name that is not theirs, and readings by a codec that no earlier record told.
    unexplained: Faults,
    repeated: u64,
    /// Repeated decodings of what is no earlier frame of the device.
    astray: Faults,
}

/// How many records are wrong, and the first of them.
#[derive(Default)]
struct Faults {
    count: u64,
    first: Option<Seq>,
}

impl Faults {
    fn add(&mut self, seq: Seq) {
        self.count += 1;
        self.first.get_or_insert(seq);
    }

    fn show(&self, lang: Lang) -> String {
        match self.first {
            Some(first) => format!(
                " · {} {} · {} {first}",
                lang.pick("wrong:", "错误："),
                self.count,
                lang.pick("first: record", "首个记录")
            ),
            None => String::new(),
        }
    }
}

impl<'r> Codecs<'r> {
    /// # Errors
    /// [`StoreError`] where the gaps cannot be read.
    pub(super) fn new(reader: &'r Reader) -> Result<Codecs<'r>, StoreError> {
        let (mut gone, mut texts_gone_from) = (SeqRanges::new(), None::<Seq>);
        let all = SeqRange { first: Seq(0), last: Seq(i64::MAX.cast_unsigned()) };
        for seq in reader.marks(Kind::Gap, all)? {
            let found = reader.read(SeqRange { first: seq, last: seq }, usize::MAX)?.pop();
            let Some(Body::Gap(gap)) = found.map(|at| at.record.body) else { continue };
            gap.ranges.iter().for_each(|range| gone.insert(range));
            // What the other ranges of one loss held is counted in its first gap.
            if gap.other > 0 || gap.frames + gap.rejected == 0 {
                let first = gap.ranges.bounds().map(|bounds| bounds.first);
                texts_gone_from = [texts_gone_from, first].into_iter().flatten().min();
            }
        }
        let (unexplained, astray) = (Faults::default(), Faults::default());
        Ok(Codecs { reader, told: BTreeSet::new(), gone, texts_gone_from, taken: 0, unexplained, repeated: 0, astray })
    }

    pub(super) fn take(&mut self, at: &RecordAt) {
        let used = match &at.record.body {
            Body::Frame(frame) => frame.codec,
            Body::Redecoded(redecoded) => {
                self.repeated += 1;
                if !(self.is_of_a_frame(at.seq, redecoded) || self.gone.contains(redecoded.of)) {
                    self.astray.add(at.seq);
                }
                Some(redecoded.codec)
            }
            Body::Codec(CodecText { id, text }) => {
                self.told.insert(*id);
                if *id != CodecId::of(text) {
                    self.unexplained.add(at.seq);
                }
                None
            }
            Body::Boot(_) | Body::Rejected(_) | Body::Alarm(_) => None,
            Body::Clock(_)
            | Body::Gap(_)
            | Body::Audit(_)
            | Body::Outfall(_)
            | Body::Aggregate(_)
            | Body::Manual(_) => None,
        };
        if used.is_some_and(|codec| !self.told.contains(&codec)) {
            match self.texts_gone_from.is_some_and(|first| first < at.seq) {
                true => self.taken += 1,
                false => self.unexplained.add(at.seq),
            }
        }
    }

    fn is_of_a_frame(&self, seq: Seq, redecoded: &Redecoded) -> bool {
        let alone = SeqRange { first: redecoded.of, last: redecoded.of };
        let found = self.reader.read(alone, usize::MAX).ok().and_then(|mut found| found.pop());
        let is_frame = |at: RecordAt| matches!(at.record.body, Body::Frame(frame) if frame.source == redecoded.source);
        redecoded.of < seq && found.is_some_and(is_frame)
    }

    /// One statement about codecs, and one about repeated decodings where there are any.
    pub(super) fn findings(&self, lang: Lang) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.taken > 0 {
            let text = lang.pick(
                "decoded by codecs whose text was taken away or lost, as gaps tell",
                "其编解码器文本已被清理或丢失的记录（间断记录已注明）",
            );
            findings.push(Finding { holds: true, what: format!("{text}: {}", self.taken) });
        }
        if !self.told.is_empty() || self.unexplained.count > 0 {
            let text = lang.pick(
                "codecs, each under the name of its text and before what it decoded",
                "编解码器（名称与文本相符，且先于其解码的记录）",
            );
            let what = format!("{text}: {}{}", self.told.len(), self.unexplained.show(lang));
            findings.push(Finding { holds: self.unexplained.count == 0, what });
        }
        if self.repeated > 0 {
            let text = lang.pick(
                "repeated decodings, each of an earlier frame of its device",
                "重新解码（均对应该设备较早的数据帧）",
            );
            let what = format!("{text}: {}{}", self.repeated, self.astray.show(lang));
            findings.push(Finding { holds: self.astray.count == 0, what });
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use journal::{Journal, Transaction};
    use record::{BootNo, ClockQuality, Frame, Gap, GapReason, Link, MonoMs, Record, SourceId, Stamp, UnixMs};

    fn check(bodies: Vec<Body>, expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut journal = Journal::open(&path, "box-1").unwrap();
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
        let records = bodies.into_iter().map(|body| Record { stamp, body }).collect();
        journal.commit(&Transaction { records, ..Transaction::default() }).unwrap();
        let reader = Reader::open(&path).unwrap();
        let mut codecs = Codecs::new(&reader).unwrap();
        reader.recompute(|at, _| codecs.take(at)).unwrap();
        let lines = codecs.findings(Lang::En).into_iter().map(|f| format!("{} {}\n", f.holds, f.what));
        expected.assert_eq(&lines.collect::<String>());
    }

    fn codec(text: &str) -> Body {
        Body::Codec(CodecText { id: CodecId::of(text), text: text.into() })
    }

    fn frame(source: &str, codec: Option<&str>) -> Body {
        Body::Frame(Frame {
            source: SourceId::new(source).unwrap(),
            link: Link::Serial { port: "p".into(), seal: None },
            raw: vec![],
            readings: vec![],
            codec: codec.map(CodecId::of),
            texts: vec![],
        })
    }

    fn anew(source: &str, of: u64, codec: &str) -> Body {
        let (source, codec) = (SourceId::new(source).unwrap(), CodecId::of(codec));
        Body::Redecoded(Redecoded { source, of: Seq(of), codec, readings: vec![], texts: vec![] })
    }

    fn gap(range: [u64; 2], frames: u64, other: u64) -> Body {
        let range = SeqRange { first: Seq(range[0]), last: Seq(range[1]) };
        Body::Gap(Gap {
            why: GapReason::Full,
            ranges: [range].into_iter().collect(),
            frames,
            rejected: 0,
            other,
            bytes: 9,
        })
    }

    #[test]
    fn what_a_gap_tells_of_is_not_asked_for() {
        check(
            vec![frame("a", Some("x")), frame("a", Some("x")), gap([0, 0], 0, 1), codec("x"), frame("a", Some("x"))],
            expect![[r#"
                true decoded by codecs whose text was taken away or lost, as gaps tell: 1
                false codecs, each under the name of its text and before what it decoded: 1 · wrong: 1 · first: record 0
            "#]],
        );
        check(
            vec![gap([0, 0], 1, 0), codec("x"), anew("a", 0, "x"), anew("a", 1, "x"), frame("a", Some("y"))],
            expect![[r#"
                false codecs, each under the name of its text and before what it decoded: 1 · wrong: 1 · first: record 4
                false repeated decodings, each of an earlier frame of its device: 2 · wrong: 1 · first: record 3
            "#]],
        );
    }

    #[test]
    fn what_decoded_every_reading_is_judged() {
        check(vec![frame("a", None)], expect![""]);
        check(
            vec![codec("x"), frame("a", Some("x")), codec("y"), anew("a", 1, "y")],
            expect![[r#"
                true codecs, each under the name of its text and before what it decoded: 2
                true repeated decodings, each of an earlier frame of its device: 1
            "#]],
        );
        check(
            vec![frame("a", Some("x")), codec("x"), Body::Codec(CodecText { id: CodecId([0; 8]), text: "z".into() })],
            expect![[r#"
                false codecs, each under the name of its text and before what it decoded: 2 · wrong: 2 · first: record 0
            "#]],
        );
        check(
            vec![codec("x"), frame("a", Some("x")), anew("b", 1, "x"), anew("a", 0, "x"), anew("a", 9, "x")],
            expect![[r#"
                true codecs, each under the name of its text and before what it decoded: 1
                false repeated decodings, each of an earlier frame of its device: 3 · wrong: 3 · first: record 2
            "#]],
        );
    }
}
