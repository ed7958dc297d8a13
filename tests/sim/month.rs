//! Thirty days at ten times the design rate against a card that is full after some of them: the real journal and the
//! real upkeep under a virtual clock, what they take measured on the disk.
//!
//! At scale 1 that is ten frames a second and 512 MiB; `WEIR_SIM_SCALE` divides both, 64 where it is not set, so that
//! the budget is filled as often and a step is as large beside it.

use std::path::Path;

use gatewayd::upkeep::{Host, Limits, Upkeep, UpkeepError};
use journal::{Journal, Reader, Segment, SegmentChange, Stage, TableSize, Transaction};
use record::{
    AlarmState, AlarmTransition, Body, BootNo, ClockQuality, Decimal, Frame, Gap, Kind, LimitSide, Link, MonoMs,
    Quality, Quantity, Reading, Reason, Record, Rejected, RuleId, Seq, SeqRange, SeqRanges, SourceId, Stamp, Unit,
    UnixMs,
};

use crate::disk::Disk;
use crate::number;
use crate::seed::Chance;

/// Where nobody says another one.
const SCALE: u64 = 64;
const DAYS: u64 = 30;
const HOUR_MS: u64 = 3_600_000;
/// Transactions of one hour; the upkeep has a turn after each.
const PARTS: u64 = 4;
/// Ten times the design rate, an hour.
const FRAMES_PER_HOUR: u64 = 36_000;
const BUDGET_BYTES: u64 = 512 * 1024 * 1024;
/// What a file takes of a card is a multiple of this.
const CARD_BLOCK_BYTES: u64 = 4_096;
/// Of twenty stations, two each.
const DEVICES: u64 = 40;
/// In these hours the disk takes nothing.
const FULL_HOURS: std::ops::Range<u64> = 300..330;
/// In these hours others leave the box only three quarters of what it may have.
const SHORT_HOURS: std::ops::Range<u64> = 420..430;

/// What was committed: of each record its kind and the length of its canonical bytes.
type Known = Vec<(Kind, u32)>;

/// The committer of this month, and its clock.
struct Box {
    journal: Journal,
    chance: Chance,
    now_ms: u64,
    known: Known,
    alarms: Vec<(Seq, Record)>,
    /// Most bytes that were on the disk in any step.
    peak_bytes: u64,
    /// What others leave; all of it most of the time.
    room_bytes: u64,
    /// Alarms had to go, and no frame was left then.
    alarms_were_last: bool,
}

impl Host for Box {
    fn now(&self) -> MonoMs {
        MonoMs(self.now_ms)
    }

    fn keep(&mut self, gaps: Vec<Gap>, segments: Vec<SegmentChange>) -> Result<(), UpkeepError> {
        // Before the database follows, when a file stands beside what it takes the place of.
        self.look();
        let goes = |change: &SegmentChange| matches!(change, SegmentChange::Condemned { to: Stage::Gone, .. });
        if segments.iter().any(goes) && !std::mem::replace(&mut self.alarms_were_last, true) {
            let reader = Reader::open(self.journal.path()).expect("the journal");
            let is_frames = |segment: &Segment| matches!(segment.stage, Stage::Whole | Stage::Thinned);
            assert!(!reader.segments().expect("segments").iter().any(is_frames), "alarms go after all frames");
            alarms_are_there(&reader, self);
            each_loss_is_told(&reader, &self.known);
        }
        let records = gaps.into_iter().map(|gap| Record { stamp: self.stamp(), body: Body::Gap(gap) }).collect();
        match self.store(records, segments) {
            true => Ok(()),
            false => Err(UpkeepError::Refused("the disk is full".into())),
        }
    }

    fn disk_short_bytes(&mut self) -> std::io::Result<u64> {
        Ok(self.look().saturating_sub(self.room_bytes))
    }

    fn older_than_ms(&self) -> Option<i64> {
        None
    }

    fn delivered_before(&self) -> Seq {
        Seq(0)
    }
}

impl Box {
    fn new(disk: &Disk, bytes_max: u64) -> Box {
        let journal = Journal::open(&disk.journal(), "outfall-1").expect("a new journal");
        Box {
            journal: journal.with_tables(TableSize::of_budget(bytes_max)),
            chance: Chance::new(30, "month"),
            now_ms: 0,
            known: Vec::new(),
            alarms: Vec::new(),
            peak_bytes: 0,
            room_bytes: u64::MAX,
            alarms_were_last: false,
        }
    }

    /// What the journal takes of the disk, by its files.
    fn look(&mut self) -> u64 {
        let folder = self.journal.path().parent().expect("a folder");
        let bytes = on_disk(folder) + on_disk(&folder.join("blocks"));
        self.peak_bytes = self.peak_bytes.max(bytes);
        bytes
    }

    fn store(&mut self, records: Vec<Record>, segments: Vec<SegmentChange>) -> bool {
        let end = self.journal.end();
        let transaction = Transaction { records, segments, ..Transaction::default() };
        if self.journal.commit(&transaction).is_err() {
            return false;
        }
        for (seq, record) in (end.0..).map(Seq).zip(transaction.records) {
            let len = u32::try_from(record.to_canonical().len()).expect("a small record");
            self.known.push((record.body.kind(), len));
            if record.body.kind() == Kind::Alarm {
                self.alarms.push((seq, record));
            }
        }
        true
    }

    fn stamp(&self) -> Stamp {
        let wall_ms = UnixMs(1_794_700_800_000 + i64::try_from(self.now_ms).expect("a time"));
        Stamp { boot: BootNo(0), mono_ms: MonoMs(self.now_ms), wall_ms, clock: ClockQuality::Synchronised }
    }

    /// What came in a part of an hour: of a hundred frames one is refused, and once an hour an alarm comes or goes.
    fn intake(&mut self, frames: u64, alarm: bool) -> Vec<Record> {
        let mut records: Vec<Record> = (0..frames).map(|nth| self.frame(nth % DEVICES)).collect();
        records.extend(alarm.then(|| Record { stamp: self.stamp(), body: Body::Alarm(self.step()) }));
        records
    }

    fn frame(&mut self, device: u64) -> Record {
        let source = SourceId::new(&format!("station-{device}")).expect("a name");
        let link = Link::Mqtt { topic: format!("d/{source}/up"), qos: 1, packet_id: Some(1), level: 4, seal: None };
        // As good as encrypted: what compresses well would fill the budget more slowly and in smaller steps.
        let raw: Vec<u8> = (0..5).flat_map(|_| self.chance.next().to_be_bytes()).collect();
        let reading = Reading {
            quantity: Quantity::new("cod").expect("a quantity"),
            unit: Unit::new("mg/L").expect("a unit"),
            value: Decimal::new(i64::try_from(self.chance.between(2_000, 9_000)).expect("a value"), -2),
            quality: Quality::Good,
            at_ms: None,
        };
        let body = match self.chance.percent(1) {
            true => Body::Rejected(Rejected {
                source: Some(source),
                link,
                raw,
                why: Reason::Undecodable,
                detail: String::new(),
            }),
            false => Body::Frame(Frame { source, link, raw, readings: vec![reading], codec: None, texts: vec![] }),
        };
        Record { stamp: self.stamp(), body }
    }

    fn step(&self) -> AlarmTransition {
        use AlarmState::{Normal, Unacknowledged};
        let (from, to) =
            if self.alarms.len().is_multiple_of(2) { (Normal, Unacknowledged) } else { (Unacknowledged, Normal) };
        AlarmTransition {
            rule: RuleId::new("cod-high").expect("a name"),
            source: SourceId::new("station-1").expect("a name"),
            quantity: Quantity::new("cod").expect("a quantity"),
            from,
            to,
            limit: Decimal::new(80, 0).expect("a limit"),
            side: LimitSide::High,
            value: None,
            cause: Seq(0),
            grounds: None,
            suppression: None,
        }
    }
}

/// Bytes of the files in a folder, as a card holds them.
fn on_disk(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let files = entries.map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file"));
    files.filter(std::fs::Metadata::is_file).map(|file| file.len().next_multiple_of(CARD_BLOCK_BYTES)).sum()
}

/// All turns until nothing is to be done but checking.
fn keep(upkeep: &mut Upkeep, host: &mut Box) -> Result<(), UpkeepError> {
    while upkeep.turn(host)? {}
    Ok(())
}

/// Every loss is told once, by records that count exactly what is missing (A3 of what was stored).
fn each_loss_is_told(reader: &Reader, known: &Known) {
    let all = SeqRange { first: Seq(0), last: Seq(known.len() as u64 - 1) };
    let mut told = SeqRanges::new();
    for seq in reader.marks(Kind::Gap, all).expect("marks") {
        let found = reader.read(SeqRange { first: seq, last: seq }, 1).expect("a gap").pop().expect("gaps stay");
        let Body::Gap(gap) = found.record.body else { panic!("record {seq} is marked as a gap") };
        let (mut frames, mut rejected, mut other, mut bytes) = (0, 0, 0, 0);
        for seq in gap.ranges.iter().flat_map(|range| range.first.0..=range.last.0).map(Seq) {
            assert!(!told.contains(seq), "the loss of {seq} is told twice");
            let (kind, len) = known[usize::try_from(seq.0).expect("a place")];
            match kind {
                Kind::Frame => frames += 1,
                Kind::Rejected => rejected += 1,
                _ => other += 1,
            }
            bytes += u64::from(len);
        }
        assert_eq!((gap.frames, gap.rejected, gap.other, gap.bytes), (frames, rejected, other, bytes), "gap {seq}");
        gap.ranges.iter().for_each(|range| told.insert(range));
    }
    assert_eq!(reader.unreadable(all).expect("the numbers"), told, "what is missing is what was told");
}

fn alarms_are_there(reader: &Reader, host: &Box) {
    for (seq, alarm) in &host.alarms {
        let found = reader.read(SeqRange { first: *seq, last: *seq }, 1).expect("an alarm").pop();
        assert_eq!(found.map(|found| found.record).as_ref(), Some(alarm), "alarm {seq}");
    }
}

#[test]
fn a_budget_holds_to_one_percent_over_a_month_at_ten_times_the_design_rate() {
    let scale = number("WEIR_SIM_SCALE", SCALE);
    let (disk, bytes_max) = (Disk::new(), BUDGET_BYTES / scale);
    let mut host = Box::new(&disk, bytes_max);
    let reader = || Reader::open(&disk.journal()).expect("the journal");
    let limits = Limits { bytes_max, spared_records: 0 };
    let mut upkeep = Upkeep::new(reader(), limits);
    let (mut full_from, mut refused, mut least, mut most) = (None, 0, u64::MAX, 0);
    for hour in 0..DAYS * 24 {
        host.journal.fill_disk(FULL_HOURS.contains(&hour)).expect("a bound");
        host.room_bytes = if SHORT_HOURS.contains(&hour) { bytes_max / 4 * 3 } else { u64::MAX };
        for part in 0..PARTS {
            host.now_ms = hour * HOUR_MS + part * (HOUR_MS / PARTS);
            let records = host.intake(FRAMES_PER_HOUR / PARTS / scale, part == 0);
            let stored = host.store(records, Vec::new());
            refused += u64::from(!stored);
            assert!(stored || FULL_HOURS.contains(&hour), "hour {hour}: there is room, and intake goes on by itself");
            let kept = keep(&mut upkeep, &mut host);
            assert!(kept.is_ok() || FULL_HOURS.contains(&hour), "hour {hour}: {kept:?}");
        }
        let bytes = host.look();
        if SHORT_HOURS.contains(&hour) {
            assert!(bytes <= host.room_bytes, "hour {hour}: {bytes} of {}", host.room_bytes);
            full_from = None;
            continue;
        }
        if bytes > bytes_max / 100 * 99 {
            full_from = full_from.or(Some(hour));
        }
        if full_from.is_some() {
            (least, most) = (least.min(bytes), most.max(bytes));
        }
    }
    let percent = |bytes: u64| bytes * 10_000 / bytes_max;
    println!(
        "{} records, full again from hour {full_from:?}; once full {} to {}, in any step at most {} in 10,000 of the budget",
        host.known.len(),
        percent(least),
        percent(most),
        percent(host.peak_bytes)
    );
    let stages = reader().segments().expect("segments");
    assert!(percent(least) >= 9_900 && percent(host.peak_bytes) <= 10_100);
    assert!(refused > 0 && full_from.is_some(), "the disk was full for a while, and the budget was reached");
    // At a larger scale an hour has more frames of which it keeps no more, so that a month drops nothing.
    let dropped = [Stage::Remnant].into_iter().filter(|_| scale >= SCALE);
    for stage in [Stage::Whole, Stage::Thinned].into_iter().chain(dropped) {
        assert!(stages.iter().any(|segment| segment.stage == stage), "{stage:?}");
    }
    alarms_are_there(&reader(), &host);
    each_loss_is_told(&reader(), &host.known);
    assert!(!host.alarms_were_last, "alarms stay while there are frames to go");
    everything_goes(&reader(), &mut host);
}

/// Without any room everything goes, what is not a frame last: see [`Box::keep`].
fn everything_goes(reader: &Reader, host: &mut Box) {
    let limits = Limits { bytes_max: 0, spared_records: 0 };
    let mut upkeep = Upkeep::new(Reader::open(reader.path()).expect("the journal"), limits);
    while reader.segments().expect("segments").iter().any(Segment::has_file) {
        upkeep.turn(host).expect("upkeep");
    }
    assert!(host.alarms_were_last);
}
