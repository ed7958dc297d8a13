//! Rows to columns.

use std::collections::BTreeMap;

use minicbor::bytes::ByteVec;
use record::{ClockQuality, CodecId, Decimal, Gap, Quality, Quantity, Reading, Seq, SourceId, Unit, UnixMs};

use crate::bits::Predict;
use crate::wire::{
    AggregateRow, Body, Field, GapRow, Group, KIND_AGGREGATE, KIND_AUDIT, KIND_MANUAL, KIND_OUTFALL, List, ManualRow,
    OutfallRow, Proof, QuantityRef, RejectedFrame, SHAPE_FIRST, Shape, Text,
};
use crate::{Batch, Content, Continuation, Decoded, Row, bits, column, entropy};

/// What all frames of a group have in common.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Layout {
    fields: Vec<(Quantity, Unit, HasOwnTime)>,
    /// Whether one device time stands for all readings of a frame.
    shared_time: bool,
    /// Whether the frames were decoded before.
    redecoded: bool,
}

type HasOwnTime = bool;

/// A source, and the codec that decoded its frames.
type ShapeRef<'a> = (&'a SourceId, Option<CodecId>);

/// A group while it is collected: per shape its frames, in the order of their numbers.
struct Frames<'a> {
    layout: Layout,
    by_shape: Vec<(ShapeRef<'a>, Vec<Frame<'a>>)>,
}

struct Frame<'a> {
    row: usize,
    /// Whether it is the first of its shape in its group.
    is_first: bool,
    wall_ms: UnixMs,
    of: Option<Seq>,
    readings: &'a [Reading],
}

/// Arranges a batch in columns.
pub(crate) fn pack(batch: &Batch) -> Body {
    let rows = &batch.rows;
    let groups = collect(rows);
    let kinds = kinds(rows, &groups);
    let mono = by_kind(&kinds).into_iter().map(|(is_first, at)| (is_first, rows[at].stamp.mono_ms.0.cast_signed()));
    let mut body = Body {
        box_id: batch.box_id.clone(),
        lane: batch.lane,
        ranges: List(batch.ranges.iter().collect()),
        head: batch.head,
        kinds: column::encode(kinds.iter().copied()),
        mono: bits::encode(Predict::Slope, mono),
        offset: column::encode(rows.iter().map(|row| row.stamp.wall_ms.0.wrapping_sub_unsigned(row.stamp.mono_ms.0))),
        boot: column::encode(rows.iter().map(|row| i64::from(row.stamp.boot.0))),
        clock: column::encode(rows.iter().map(|row| clock_code(row.stamp.clock))),
        groups: List::some(groups.iter().map(pack_group).collect()),
        alarms: None,
        boots: None,
        rejected: None,
        codecs: None,
        texts: List::some(texts(rows)),
        checkpoints: List::some(batch.checkpoints.iter().map(|bytes| ByteVec::from(bytes.clone())).collect()),
        clocks: None,
        gaps: None,
        audits: None,
        outfalls: None,
        aggregates: None,
        manual: None,
        filtered: batch.filtered.pack(&batch.ranges),
        proofs: List::some(batch.proofs.iter().map(proof).collect()),
    };
    pack_rare(rows, &mut body);
    body
}

fn proof(continuation: &Continuation) -> Proof {
    Proof { size: continuation.size, path: ByteVec::from(continuation.proof.to_bytes()) }
}

/// Sorts the frames by layout and shape, both in the order of their first row.
fn collect(rows: &[Row]) -> Vec<Frames<'_>> {
    let mut groups: Vec<Frames> = Vec::new();
    let mut group_of: BTreeMap<Layout, usize> = BTreeMap::new();
    // The last place of a shape: devices rarely change what they report, so the layout is rarely built.
    let mut last_of: BTreeMap<(ShapeRef, bool), (usize, usize)> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        let Some(Decoded { source, codec, of, readings, .. }) = row.content.decoded() else { continue };
        let shape = (source, codec);
        let mut frame = Frame { row: at, is_first: false, wall_ms: row.stamp.wall_ms, of, readings };
        if let Some((group, place)) = last_of.get(&(shape, of.is_some()))
            && groups[*group].layout.fits(readings)
        {
            groups[*group].by_shape[*place].1.push(frame);
            continue;
        }
        let layout = Layout::of(readings, of.is_some());
        let group = *group_of.entry(layout.clone()).or_insert_with(|| {
            groups.push(Frames { layout, by_shape: Vec::new() });
            groups.len() - 1
        });
        let by_shape = &mut groups[group].by_shape;
        let place = match by_shape.iter().position(|(known, _)| *known == shape) {
            Some(place) => place,
            None => {
                by_shape.push((shape, Vec::new()));
                by_shape.len() - 1
            }
        };
        frame.is_first = by_shape[place].1.is_empty();
        by_shape[place].1.push(frame);
        last_of.insert((shape, of.is_some()), (group, place));
    }
    groups
}

fn kinds(rows: &[Row], groups: &[Frames]) -> Vec<i64> {
    let mut kinds: Vec<i64> = rows
        .iter()
        .map(|row| match row.content {
            Content::Boot(_) => 0,
            Content::Rejected { .. } => 1,
            Content::Alarm(_) => 2,
            Content::Codec(_) => 3,
            Content::Clock(_) => 4,
            Content::Gap(_) => 5,
            Content::Audit(_) => KIND_AUDIT,
            Content::Outfall(_) => KIND_OUTFALL,
            Content::Aggregate(_) => KIND_AGGREGATE,
            Content::Manual(_) => KIND_MANUAL,
            Content::Readings { .. } | Content::Redecoded(_) => SHAPE_FIRST,
        })
        .collect();
    let shapes = groups.iter().flat_map(|group| &group.by_shape);
    for (shape, (_, frames)) in (SHAPE_FIRST..).zip(shapes) {
        frames.iter().for_each(|frame| kinds[frame.row] = shape);
    }
    kinds
}

/// The rows sorted by kind, each with whether it is the first of its kind: a device that sends once a minute is then a
/// series of equal steps.
pub(crate) fn by_kind(kinds: &[i64]) -> Vec<(bool, usize)> {
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by_key(|at| kinds[*at]);
    let is_first = |place: usize| place == 0 || kinds[order[place - 1]] != kinds[order[place]];
    (0..order.len()).map(|place| (is_first(place), order[place])).collect()
}

fn clock_code(clock: ClockQuality) -> i64 {
    match clock {
        ClockQuality::Synchronised => 0,
        ClockQuality::Unset => 1,
        ClockQuality::Holdover { error_ms } => 2 + i64::from(error_ms),
    }
}

/// What stood where numbers belong: so rare that it is no column.
fn texts(rows: &[Row]) -> Vec<Text> {
    let decoded = (0u64..).zip(rows).filter_map(|(row, content)| Some((row, content.content.decoded()?)));
    let texts = decoded.flat_map(|(row, decoded)| decoded.texts.iter().map(move |text| (row, text)));
    texts
        .map(|(row, text)| Text { row, quantity: QuantityRef(text.quantity.clone()), text: text.text.clone() })
        .collect()
}

/// Alarms, boots, codecs, refused frames, clocks, gaps, orders, outfalls, aggregates and manual entries travel row by row: there
/// are few.
fn pack_rare(rows: &[Row], body: &mut Body) {
    let (mut alarms, mut boots, mut refused, mut codecs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut clocks, mut gaps, mut audits, mut outfalls) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut aggregates, mut manual) = (Vec::new(), Vec::new());
    for row in rows {
        match &row.content {
            Content::Readings { .. } | Content::Redecoded(_) => {}
            Content::Codec(codec) => codecs.push(codec.clone()),
            Content::Alarm(alarm) => alarms.push(alarm.clone()),
            Content::Boot(boot) => boots.push(boot.clone()),
            Content::Clock(set) => clocks.push(set.clone()),
            Content::Gap(gap) => gaps.push(gap_row(gap)),
            Content::Audit(audit) => audits.push(audit.clone()),
            Content::Outfall(outfall) => outfalls.push(OutfallRow(outfall.clone())),
            Content::Aggregate(aggregate) => aggregates.push(AggregateRow(aggregate.clone())),
            Content::Manual(entered) => manual.push(ManualRow(entered.clone())),
            Content::Rejected { source, why, detail, raw_len, raw_sha256 } => refused.push(RejectedFrame {
                source: source.clone(),
                why: *why,
                detail: detail.clone(),
                raw_len: *raw_len,
                raw_sha256: *raw_sha256,
            }),
        }
    }
    body.alarms = List::some(alarms);
    body.boots = List::some(boots);
    body.rejected = List::some(refused);
    body.codecs = List::some(codecs);
    body.clocks = List::some(clocks);
    body.gaps = List::some(gaps);
    body.audits = List::some(audits);
    body.outfalls = List::some(outfalls);
    body.aggregates = List::some(aggregates);
    body.manual = List::some(manual);
}

fn gap_row(gap: &Gap) -> GapRow {
    let Gap { why, ranges, frames, rejected, other, bytes } = gap;
    let (why, frames, rejected, other, bytes) = (*why, *frames, *rejected, *other, *bytes);
    GapRow { why, ranges: List(ranges.iter().collect()), frames, rejected, other, bytes }
}

impl Layout {
    fn of(readings: &[Reading], redecoded: bool) -> Layout {
        let shared_time = shares_time(readings);
        let own = |reading: &Reading| !shared_time && reading.at_ms.is_some();
        let field = |reading: &Reading| (reading.quantity.clone(), reading.unit.clone(), own(reading));
        Layout { fields: readings.iter().map(field).collect(), shared_time, redecoded }
    }

    /// Whether this is the layout of these readings, which were decoded before as those of this layout were.
    fn fits(&self, readings: &[Reading]) -> bool {
        self.fields.len() == readings.len()
            && self.shared_time == shares_time(readings)
            && self.fields.iter().zip(readings).all(|((quantity, unit, own), reading)| {
                let has_own = !self.shared_time && reading.at_ms.is_some();
                *quantity == reading.quantity && *unit == reading.unit && *own == has_own
            })
    }
}

fn shares_time(readings: &[Reading]) -> bool {
    readings.first().is_some_and(|first| first.at_ms.is_some() && readings.iter().all(|r| r.at_ms == first.at_ms))
}

fn pack_group(group: &Frames) -> Group {
    let frames: Vec<&Frame> = group.by_shape.iter().flat_map(|(_, frames)| frames).collect();
    let fields = group.layout.fields.iter().enumerate();
    let shape = |(source, codec): &ShapeRef| Shape { source: (*source).clone(), codec: *codec };
    let of = frames.iter().filter_map(|frame| Some((frame.is_first, frame.of?.0.cast_signed())));
    Group {
        shapes: List(group.by_shape.iter().map(|(of_shape, _)| shape(of_shape)).collect()),
        fields: List::some(fields.map(|(place, field)| pack_field(&frames, place, field)).collect()),
        at: group.layout.shared_time.then(|| lags(&frames, 0)),
        of: group.layout.redecoded.then(|| bits::encode(Predict::Slope, of)),
    }
}

/// Device time minus the box's time, for the reading at this place of each frame.
fn lags(frames: &[&Frame], place: usize) -> ByteVec {
    bits::encode(
        Predict::Last,
        frames.iter().map(|frame| {
            let at_ms = frame.readings[place].at_ms.unwrap_or(frame.wall_ms);
            (frame.is_first, at_ms.0.wrapping_sub(frame.wall_ms.0))
        }),
    )
}

fn pack_field(frames: &[&Frame], place: usize, (quantity, unit, own_time): &(Quantity, Unit, HasOwnTime)) -> Field {
    let readings = || frames.iter().map(|frame| &frame.readings[place]);
    let values: Vec<Decimal> = readings().filter_map(|reading| reading.value).collect();
    let is_plain = |reading: &Reading| reading.quality == Quality::Good && reading.value.is_some();
    let quality = |reading: &Reading| 2 * i64::from(reading.quality.code()) + i64::from(reading.value.is_none());
    let usual = quantity.code().and_then(Quantity::from_code).is_some_and(|(_, usual)| usual == unit.as_str());

    let exponent = values.iter().filter(|v| v.mantissa() != 0).map(|v| v.exponent()).min().unwrap_or(0);
    let aligned: Option<Vec<i64>> = values.iter().map(|value| value.mantissa_at(exponent)).collect();
    let apart = aligned.is_none();
    let mantissas = aligned.unwrap_or_else(|| values.iter().map(|value| value.mantissa()).collect());
    let firsts: Vec<bool> = frames.iter().filter(|f| f.readings[place].value.is_some()).map(|f| f.is_first).collect();
    let exponents = || column::encode(values.iter().map(|value| i64::from(value.exponent())));
    let (smoothing, mantissas) = pack_values(&firsts.into_iter().zip(mantissas).collect::<Vec<_>>());
    Field {
        quantity: QuantityRef(quantity.clone()),
        mantissas,
        exponent: if apart { 0 } else { exponent },
        unit: (!usual).then(|| unit.clone()),
        quality: (!readings().all(is_plain)).then(|| column::encode(readings().map(quality))),
        exponents: apart.then(exponents),
        at: own_time.then(|| lags(frames, place)),
        smoothing,
    }
}

/// What telling the smoothing costs: itself, and the empty places before it.
const SMOOTHING_BYTES: usize = 5;

/// The shorter of both columns: a short one has nothing to learn from.
fn pack_values(values: &[(bool, i64)]) -> (Option<u8>, ByteVec) {
    let plain = bits::encode(Predict::Last, values.iter().copied());
    let (smoothing, coded) = entropy::encode(values);
    if coded.len() + SMOOTHING_BYTES < plain.len() { (Some(smoothing), coded) } else { (None, plain) }
}
