//! Which records go into a file: those of the time and devices that were asked for, and what explains them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use batch::Asked;
use evidence::{RECORDS_BYTES_MAX, RECORDS_MAX, moment};
use journal::Reader;
use record::{Body, BootNo, CodecId, Entry, Kind, Outfall, OutfallCode, RecordAt, Seq, SeqRange, SourceId, TimeLine};

use super::EvidenceError;
use super::window::read_one;
use crate::export::PAGE_BYTES;

/// Every clock record before `end`: some four a day.
pub(super) fn clocks(reader: &Reader, end: Seq) -> Result<Vec<RecordAt>, EvidenceError> {
    marked(reader, Kind::Clock, end)
}

fn marked(reader: &Reader, kind: Kind, end: Seq) -> Result<Vec<RecordAt>, EvidenceError> {
    let Some(last) = end.0.checked_sub(1).map(Seq) else { return Ok(Vec::new()) };
    let marks = reader.marks(kind, SeqRange { first: Seq(0), last }).map_err(EvidenceError::Store)?;
    marks.into_iter().filter_map(|seq| read_one(reader, seq).transpose()).collect()
}

/// Records as they are chosen, by number, in their canonical bytes.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) records: BTreeMap<Seq, Vec<u8>>,
    bytes: usize,
    boots: BTreeSet<BootNo>,
    codecs: BTreeSet<CodecId>,
    /// Records that others refer to.
    referred: BTreeSet<Seq>,
}

impl Choice {
    /// Chooses among the records before `end`; those about keys tell who signed, and are always among them.
    pub(super) fn new(
        reader: &Reader,
        (asked, outfalls): (&Asked, &[OutfallCode]),
        clocks: &[RecordAt],
        times: &TimeLine,
        (end, keys): (Seq, &[Seq]),
    ) -> Result<Choice, EvidenceError> {
        let mut choice = Choice::default();
        let mut range: Option<SeqRange> = None;
        for_each(reader, end, |at| {
            let made = moment(&at, times.time(&at.record.stamp));
            if asked.from_ms <= made && made < asked.to_ms && is_of(asked, &at) {
                let first = range.map_or(at.seq, |range| range.first);
                range = SeqRange::new(first, at.seq);
                choice.add(&at)?;
            }
            Ok(())
        })?;
        let entered = choice.enter(reader, asked, outfalls, end)?;
        let SeqRange { first, last } = range.or(entered).ok_or(EvidenceError::Nothing)?;
        for at in asked.alarm.into_iter().chain(choice.referred.clone()) {
            choice.add_one(reader, at, end)?;
        }
        // The neighbours show that the time was not cut shorter than what was asked for.
        for at in first.0.checked_sub(1).map(Seq).into_iter().chain([last.next()]) {
            choice.add_one(reader, at, end)?;
        }
        for at in keys {
            choice.add_one(reader, *at, end)?;
        }
        choice.explain(reader, SeqRange { first, last }, clocks, end)?;
        choice.register(reader, SeqRange { first, last }, &asked.sources, end)?;
        Ok(choice)
    }

    /// What people entered by hand of that time: of these outfalls, or else of those where the devices ever stood. Each comes with
    /// what it replaces and what replaces it, whenever that was entered. Gives the numbers from the first to the last.
    fn enter(
        &mut self,
        reader: &Reader,
        asked: &Asked,
        outfalls: &[OutfallCode],
        end: Seq,
    ) -> Result<Option<SeqRange>, EvidenceError> {
        let of: BTreeSet<OutfallCode> = match outfalls {
            [] => stood(reader, &asked.sources, end)?,
            named => named.iter().cloned().collect(),
        };
        let is_all = asked.sources.is_empty() && outfalls.is_empty();
        let mut entries: Vec<(RecordAt, Entry)> = Vec::new();
        for at in marked(reader, Kind::Manual, end)? {
            if let Body::Manual(manual) = &at.record.body
                && (is_all || of.contains(&manual.entry().outfall))
            {
                let entry = manual.entry().clone();
                entries.push((at, entry));
            }
        }
        let is_then = |entry: &Entry| asked.from_ms <= entry.at_ms && entry.at_ms < asked.to_ms;
        let mut wanted: BTreeSet<Seq> =
            entries.iter().filter(|(_, entry)| is_then(entry)).map(|(at, _)| at.seq).collect();
        // Each replaces one at most and is replaced once at most: back along the chain, then forth.
        let replaced = |entry: &Entry| entry.replaces.as_ref().map(|replaced| replaced.seq);
        for (at, entry) in entries.iter().rev() {
            if wanted.contains(&at.seq) {
                wanted.extend(replaced(entry));
            }
        }
        for (at, entry) in &entries {
            if replaced(entry).is_some_and(|seq| wanted.contains(&seq)) {
                wanted.insert(at.seq);
            }
        }
        for (at, _) in entries.iter().filter(|(at, _)| wanted.contains(&at.seq)) {
            self.add(at)?;
        }
        Ok(wanted.first().zip(wanted.last()).and_then(|(first, last)| SeqRange::new(*first, *last)))
    }

    /// What tells how readings were decoded, when records were made, and what is gone.
    fn explain(
        &mut self,
        reader: &Reader,
        range: SeqRange,
        clocks: &[RecordAt],
        end: Seq,
    ) -> Result<(), EvidenceError> {
        let told = reader.codecs().map_err(EvidenceError::Store)?;
        for seq in self.codecs.clone().iter().filter_map(|codec| told.get(codec)) {
            self.add_one(reader, *seq, end)?;
        }
        let own = self.boots.clone();
        for at in marked(reader, Kind::Boot, end)?.iter().filter(|at| own.contains(&at.record.stamp.boot)) {
            self.add(at)?;
        }
        let told: BTreeSet<BootNo> = clocks.iter().map(|at| at.record.stamp.boot).collect();
        let near = near(&own, &told);
        for at in clocks.iter().filter(|at| near.contains(&at.record.stamp.boot)) {
            self.add(at)?;
        }
        for at in marked(reader, Kind::Gap, end)? {
            if let Body::Gap(gap) = &at.record.body
                && gap.ranges.iter().any(|gone| gone.first <= range.last && range.first <= gone.last)
            {
                self.add(&at)?;
            }
        }
        Ok(())
    }

    /// The dossiers that were in force when it began, of the outfalls at which the devices stood, and the word that they did.
    /// What changed meanwhile is chosen already.
    fn register(
        &mut self,
        reader: &Reader,
        range: SeqRange,
        sources: &[SourceId],
        end: Seq,
    ) -> Result<(), EvidenceError> {
        let mut dossiers: BTreeMap<OutfallCode, RecordAt> = BTreeMap::new();
        let mut standing: BTreeMap<OutfallCode, RecordAt> = BTreeMap::new();
        for at in marked(reader, Kind::Outfall, end)? {
            let Body::Outfall(outfall) = &at.record.body else { continue };
            let (code, newest) = match outfall {
                Outfall::Dossier(version) => (version.dossier.code.clone(), &mut dossiers),
                Outfall::Devices(standing_at) => (standing_at.outfall.clone(), &mut standing),
            };
            // Where it was registered later than that, the first word of it is the nearest.
            if at.seq <= range.first || !newest.contains_key(&code) {
                newest.insert(code, at);
            }
        }
        for (code, at) in standing {
            let Body::Outfall(Outfall::Devices(of)) = &at.record.body else { continue };
            if sources.is_empty() || of.devices.iter().any(|device| sources.contains(device)) {
                self.add(&at)?;
                dossiers.get(&code).map_or(Ok(()), |dossier| self.add(dossier))?;
            }
        }
        Ok(())
    }

    fn add_one(&mut self, reader: &Reader, seq: Seq, end: Seq) -> Result<(), EvidenceError> {
        if seq >= end {
            return Ok(());
        }
        read_one(reader, seq)?.map_or(Ok(()), |at| self.add(&at))
    }

    fn add(&mut self, at: &RecordAt) -> Result<(), EvidenceError> {
        let bytes = at.record.to_canonical();
        if self.records.contains_key(&at.seq) {
            return Ok(());
        }
        self.bytes += bytes.len();
        self.records.insert(at.seq, bytes);
        if self.records.len() > RECORDS_MAX || self.bytes > RECORDS_BYTES_MAX {
            return Err(EvidenceError::TooMuch);
        }
        self.boots.insert(at.record.stamp.boot);
        match &at.record.body {
            Body::Frame(frame) => self.codecs.extend(frame.codec),
            Body::Redecoded(redecoded) => {
                self.codecs.insert(redecoded.codec);
                self.referred.insert(redecoded.of);
            }
            Body::Alarm(alarm) => _ = self.referred.insert(alarm.cause),
            Body::Boot(_) | Body::Rejected(_) | Body::Codec(_) | Body::Clock(_) => {}
            Body::Gap(_) | Body::Audit(_) | Body::Outfall(_) | Body::Aggregate(_) | Body::Manual(_) => {}
        }
        Ok(())
    }
}

/// These boots, and for each its neighbours that were told the time: a boot that never was lies between them.
fn near(own: &BTreeSet<BootNo>, told: &BTreeSet<BootNo>) -> BTreeSet<BootNo> {
    let mut near = own.clone();
    for boot in own {
        near.extend(told.range(..boot).next_back());
        near.extend(told.range((Bound::Excluded(boot), Bound::Unbounded)).next());
    }
    near
}

/// The outfalls at which any of these devices ever stood.
fn stood(reader: &Reader, sources: &[SourceId], end: Seq) -> Result<BTreeSet<OutfallCode>, EvidenceError> {
    let mut outfalls = BTreeSet::new();
    for at in marked(reader, Kind::Outfall, end)? {
        if let Body::Outfall(Outfall::Devices(standing)) = at.record.body
            && standing.devices.iter().any(|device| sources.contains(device))
        {
            outfalls.insert(standing.outfall);
        }
    }
    Ok(outfalls)
}

/// Whether it is about a device that was asked for; what is about none always is, but for what was entered of an outfall.
fn is_of(asked: &Asked, at: &RecordAt) -> bool {
    let body = &at.record.body;
    let is_of_none = !matches!(body, Body::Rejected(_) | Body::Manual(_)) && body.source().is_none();
    asked.sources.is_empty() || is_of_none || body.source().is_some_and(|source| asked.sources.contains(source))
}

/// Hands over every record before `end`, a page in memory.
pub(super) fn for_each(
    reader: &Reader,
    end: Seq,
    mut each: impl FnMut(RecordAt) -> Result<(), EvidenceError>,
) -> Result<(), EvidenceError> {
    let mut next = Seq(0);
    while let Some(range) = SeqRange::new(next, Seq(end.0.saturating_sub(1))).filter(|_| next < end) {
        let records = reader.read(range, PAGE_BYTES).map_err(EvidenceError::Store)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        records.into_iter().try_for_each(&mut each)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::{Journal, Transaction};
    use record::{
        AlarmState, AlarmTransition, Boot, ClockQuality, ClockSet, ClockSource, CodecText, Decimal, Frame, LimitSide,
        Link, MonoMs, Quantity, Record, RuleId, SourceId, Stamp, UnixMs,
    };

    const BEGAN_MS: i64 = 1_800_000_000_000;

    fn frame(source: &str) -> Body {
        Body::Frame(Frame {
            source: SourceId::new(source).unwrap(),
            link: Link::Serial { port: "p".into(), seal: None },
            raw: vec![1],
            readings: vec![],
            codec: Some(CodecId::of("x")),
            texts: vec![],
        })
    }

    fn alarm(cause: u64) -> Body {
        Body::Alarm(AlarmTransition {
            rule: RuleId::new("high").unwrap(),
            source: SourceId::new("a").unwrap(),
            quantity: Quantity::new("cod").unwrap(),
            from: AlarmState::Normal,
            to: AlarmState::Unacknowledged,
            limit: Decimal::from(1),
            side: LimitSide::High,
            value: None,
            cause: Seq(cause),
            grounds: None,
            suppression: None,
        })
    }

    /// What is chosen of ten records, a second apart, the last boot from 7 on.
    fn chosen(sources: &[&str], from_s: i64, to_s: i64) -> Result<Vec<u64>, EvidenceError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        let mut journal = Journal::open(&path, "box-1").unwrap();
        let boot = || Body::Boot(Boot { boot_id: "b".into(), version: "1".into() });
        let set = || {
            Body::Clock(ClockSet { source: ClockSource::Ntp, before: ClockQuality::Unset, step_ms: 0, error_ms: 10 })
        };
        let codec = Body::Codec(CodecText { id: CodecId::of("x"), text: "x".into() });
        let bodies = [boot(), set(), codec, frame("a"), frame("b"), frame("a"), alarm(3), boot(), set(), frame("b")];
        let records = (0u32..).zip(bodies).map(|(seq, body)| {
            let wall_ms = UnixMs(BEGAN_MS + 1_000 * i64::from(seq));
            let (boot, mono_ms) = (BootNo(u32::from(seq >= 7)), MonoMs(1_000 * u64::from(seq)));
            Record { stamp: Stamp { boot, mono_ms, wall_ms, clock: ClockQuality::Synchronised }, body }
        });
        journal.commit(&Transaction { records: records.collect::<Vec<Record>>(), ..Transaction::default() }).unwrap();
        let reader = Reader::open(&path).unwrap();
        let clocks = clocks(&reader, Seq(10))?;
        let asked = Asked {
            sources: sources.iter().map(|name| SourceId::new(name).unwrap()).collect(),
            from_ms: UnixMs(BEGAN_MS + 1_000 * from_s),
            to_ms: UnixMs(BEGAN_MS + 1_000 * to_s),
            ..Asked::default()
        };
        let choice = Choice::new(&reader, (&asked, &[][..]), &clocks, &TimeLine::new(), (Seq(10), &[]))?;
        Ok(choice.records.keys().map(|seq| seq.0).collect())
    }

    #[test]
    fn what_explains_a_record_comes_with_it() {
        // The neighbours, the codec, the boot, its clock, and that of the boot beside it.
        assert_eq!(chosen(&[], 5, 6).unwrap(), [0, 1, 2, 4, 5, 6, 8]);
        assert_eq!(chosen(&["a"], 4, 6).unwrap(), [0, 1, 2, 4, 5, 6, 8], "4 is of another device, and a neighbour");
        assert_eq!(chosen(&[], 6, 7).unwrap(), [0, 1, 2, 3, 5, 6, 7, 8], "an alarm brings its cause");
        assert_eq!(chosen(&[], 0, 60).unwrap(), (0..10).collect::<Vec<_>>());
        assert!(matches!(chosen(&["a"], 9, 60), Err(EvidenceError::Nothing)));
        assert!(matches!(chosen(&[], 60, 90), Err(EvidenceError::Nothing)));
    }
}
