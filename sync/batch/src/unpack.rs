//! Columns to rows. The columns were signed by a known key, but they are not trusted to fit each other.

use minicbor::bytes::ByteVec;
use record::merkle::ConsistencyProof;
use record::{
    AlarmTransition, Audit, Boot, BootNo, ClockQuality, ClockSet, CodecText, Decimal, Gap, MonoMs, Quality, Quantity,
    Reading, Redecoded, Seq, SeqRange, SeqRanges, Stamp, TextValue, Unit, UnixMs,
};

use crate::batch::check_proofs;
use crate::bits::Predict;
use crate::pack::by_kind;
use crate::wire::{
    AggregateRow, Body, Field, GapRow, Group, KIND_AGGREGATE, KIND_AUDIT, KIND_MANUAL, KIND_OUTFALL, List, ManualRow,
    OutfallRow, Proof, RejectedFrame, SHAPE_FIRST, Shape, Text,
};
use crate::{
    Batch, Content, Continuation, Filtered, Inconsistency, READINGS_MAX, ROWS_MAX, Row, bits, column, entropy,
};

const fn wrong(column: &'static str, why: &'static str) -> Inconsistency {
    Inconsistency::Column { column, why }
}

/// Rebuilds the batch.
pub(crate) fn unpack(mut body: Body) -> Result<Batch, Inconsistency> {
    let ranges: SeqRanges = body.ranges.0.iter().copied().collect();
    if !ranges.iter().eq(body.ranges.0.iter().copied()) {
        return Err(Inconsistency::Ranges);
    }
    if ranges.len() > ROWS_MAX as u64 {
        return Err(wrong("ranges", "they have more numbers than a batch may have rows"));
    }
    let filtered = Filtered::unpack(body.filtered.take(), &ranges)?;
    let with_rows = filtered.rows(&ranges);
    let count = usize::try_from(with_rows.len()).unwrap_or(ROWS_MAX);
    let kinds = column::decode("kinds", &body.kinds, count)?;
    let stamps = stamps(&body, &kinds)?;

    let groups = list(body.groups.take());
    let shapes: Vec<Shape> = groups.iter().flat_map(|group| &group.shapes.0).cloned().collect();
    let mut decoded = vec![Decoded::default(); count];
    for frames in frames(groups, &kinds)? {
        frames.unpack(&stamps, &mut decoded)?;
    }
    unpack_texts(list(body.texts.take()), &kinds, &mut decoded)?;
    let mut rare = Rare {
        boots: list(body.boots).into_iter(),
        rejected: list(body.rejected).into_iter(),
        alarms: list(body.alarms).into_iter(),
        codecs: list(body.codecs).into_iter(),
        clocks: list(body.clocks).into_iter(),
        gaps: list(body.gaps).into_iter(),
        audits: list(body.audits).into_iter(),
        outfalls: list(body.outfalls).into_iter(),
        aggregates: list(body.aggregates).into_iter(),
        manual: list(body.manual).into_iter(),
    };
    let seqs = with_rows.iter().flat_map(|SeqRange { first, last }| (first.0..=last.0).map(Seq));
    let mut rows = Vec::with_capacity(count);
    for ((seq, stamp), (kind, decoded)) in seqs.zip(stamps).zip(kinds.into_iter().zip(decoded)) {
        let content = match shape(kind).map(|shape| shapes.get(shape)) {
            None => rare.next(kind)?,
            Some(shape) => decoded.content(shape.ok_or(wrong("kinds", "a number that no shape has"))?.clone())?,
        };
        rows.push(Row { seq, stamp, content });
    }
    rare.must_be_empty()?;
    let checkpoints = list(body.checkpoints).into_iter().map(Vec::from).collect();
    let proofs = continuations(list(body.proofs))?;
    check_proofs(&body.head, &proofs)?;
    Ok(Batch { box_id: body.box_id, lane: body.lane, ranges, head: body.head, checkpoints, filtered, proofs, rows })
}

fn continuations(proofs: Vec<Proof>) -> Result<Vec<Continuation>, Inconsistency> {
    if proofs.len() > Continuation::PER_BATCH_MAX {
        return Err(wrong("proofs", "more than a batch may have"));
    }
    let continuation = |Proof { size, path }: Proof| {
        let proof = ConsistencyProof::from_bytes(&path).ok_or(wrong("proofs", "a path that is no list of hashes"))?;
        Ok(Continuation { size, proof })
    };
    proofs.into_iter().map(continuation).collect()
}

/// A list that is left out is empty.
fn list<T>(list: Option<List<T>>) -> Vec<T> {
    list.map_or_else(Vec::new, |list| list.0)
}

/// The number of the shape, if rows of this kind are frames.
fn shape(kind: i64) -> Option<usize> {
    usize::try_from(kind.checked_sub(SHAPE_FIRST)?).ok()
}

/// A frame's row while it is filled.
#[derive(Clone, Default)]
struct Decoded {
    of: Option<Seq>,
    readings: Vec<Reading>,
    texts: Vec<TextValue>,
}

impl Decoded {
    fn content(self, shape: Shape) -> Result<Content, Inconsistency> {
        let (Shape { source, codec }, Decoded { of, readings, texts }) = (shape, self);
        let Some(of) = of else { return Ok(Content::Readings { source, codec, readings, texts }) };
        let codec = codec.ok_or(wrong("shapes", "decoded anew by no codec"))?;
        Ok(Content::Redecoded(Redecoded { source, of, codec, readings, texts }))
    }
}

/// Adds the texts to their rows.
fn unpack_texts(texts: Vec<Text>, kinds: &[i64], decoded: &mut [Decoded]) -> Result<(), Inconsistency> {
    if !texts.is_sorted_by_key(|text| text.row) {
        return Err(wrong("texts", "not by ascending row"));
    }
    for Text { row, quantity, text } in texts {
        let row = usize::try_from(row).ok().filter(|row| kinds.get(*row).is_some_and(|kind| shape(*kind).is_some()));
        let row = row.ok_or(wrong("texts", "for a row that is no frame"))?;
        decoded[row].texts.push(TextValue { quantity: quantity.0, text });
    }
    Ok(())
}

/// What travels row by row.
struct Rare {
    boots: std::vec::IntoIter<Boot>,
    rejected: std::vec::IntoIter<RejectedFrame>,
    alarms: std::vec::IntoIter<AlarmTransition>,
    codecs: std::vec::IntoIter<CodecText>,
    clocks: std::vec::IntoIter<ClockSet>,
    gaps: std::vec::IntoIter<GapRow>,
    audits: std::vec::IntoIter<Audit>,
    outfalls: std::vec::IntoIter<OutfallRow>,
    aggregates: std::vec::IntoIter<AggregateRow>,
    manual: std::vec::IntoIter<ManualRow>,
}

impl Rare {
    fn next(&mut self, kind: i64) -> Result<Content, Inconsistency> {
        match kind {
            0 => self.boots.next().map(Content::Boot).ok_or(wrong("boots", "fewer than rows of that kind")),
            1 => {
                let frame = self.rejected.next().ok_or(wrong("rejected", "fewer than rows of that kind"))?;
                let RejectedFrame { source, why, detail, raw_len, raw_sha256 } = frame;
                Ok(Content::Rejected { source, why, detail, raw_len, raw_sha256 })
            }
            2 => {
                let alarm = self.alarms.next().ok_or(wrong("alarms", "fewer than rows of that kind"))?;
                let all_normalised = [Some(alarm.limit), alarm.value].into_iter().flatten().all(is_normalised);
                all_normalised.then_some(Content::Alarm(alarm)).ok_or(wrong("alarms", "a decimal is not normalised"))
            }
            3 => self.codecs.next().map(Content::Codec).ok_or(wrong("codecs", "fewer than rows of that kind")),
            4 => self.clocks.next().map(Content::Clock).ok_or(wrong("clocks", "fewer than rows of that kind")),
            5 => gap(self.gaps.next().ok_or(wrong("gaps", "fewer than rows of that kind"))?).map(Content::Gap),
            KIND_AUDIT => self.audits.next().map(Content::Audit).ok_or(wrong("audits", "fewer than rows of that kind")),
            KIND_OUTFALL => {
                let row = self.outfalls.next().ok_or(wrong("outfalls", "fewer than rows of that kind"))?;
                Ok(Content::Outfall(row.0))
            }
            KIND_AGGREGATE => {
                let row = self.aggregates.next().ok_or(wrong("aggregates", "fewer than rows of that kind"))?;
                Ok(Content::Aggregate(row.0))
            }
            KIND_MANUAL => {
                let row = self.manual.next().ok_or(wrong("manual", "fewer than rows of that kind"))?;
                Ok(Content::Manual(row.0))
            }
            _ => Err(wrong("kinds", "a number below -4")),
        }
    }

    fn must_be_empty(self) -> Result<(), Inconsistency> {
        let few = self.boots.len() + self.rejected.len() + self.alarms.len() + self.codecs.len();
        let more = self.clocks.len() + self.gaps.len() + self.audits.len();
        match few + more + self.outfalls.len() + self.aggregates.len() + self.manual.len() {
            0 => Ok(()),
            _ => Err(wrong(
                "boots, rejected, alarms, codecs, clocks, gaps, audits, outfalls, aggregates, manual",
                "more than rows of that kind",
            )),
        }
    }
}

fn gap(row: GapRow) -> Result<Gap, Inconsistency> {
    let GapRow { why, ranges: spans, frames, rejected, other, bytes } = row;
    if spans.0.len() > Gap::RANGES_MAX {
        return Err(wrong("gaps", "more ranges than one gap may have"));
    }
    let ranges: SeqRanges = spans.0.iter().copied().collect();
    let in_order = ranges.iter().eq(spans.0);
    in_order.then_some(Gap { why, ranges, frames, rejected, other, bytes }).ok_or(wrong("gaps", "ranges not apart"))
}

fn is_normalised(decimal: Decimal) -> bool {
    Decimal::new(decimal.mantissa(), i32::from(decimal.exponent())) == Some(decimal)
}

fn stamps(body: &Body, kinds: &[i64]) -> Result<Vec<Stamp>, Inconsistency> {
    let count = kinds.len();
    let (firsts, order): (Vec<bool>, Vec<usize>) = by_kind(kinds).into_iter().unzip();
    let mut mono = vec![0; count];
    let by_kind = bits::decode("mono", Predict::Slope, &body.mono, &firsts)?;
    order.into_iter().zip(by_kind).for_each(|(at, value)| mono[at] = value);
    let offset = column::decode("offset", &body.offset, count)?;
    let boot = column::decode("boot", &body.boot, count)?;
    let clock = column::decode("clock", &body.clock, count)?;
    let stamp = |at: usize| {
        let boot = u32::try_from(boot[at]).map_err(|_| wrong("boot", "a number beyond 32 bits"))?;
        let clock = match clock[at] {
            0 => ClockQuality::Synchronised,
            1 => ClockQuality::Unset,
            code => {
                let error_ms = u32::try_from(code - 2).map_err(|_| wrong("clock", "an error beyond 32 bits"))?;
                ClockQuality::Holdover { error_ms }
            }
        };
        let mono_ms = MonoMs(mono[at].cast_unsigned());
        Ok(Stamp { boot: BootNo(boot), mono_ms, wall_ms: UnixMs(offset[at].wrapping_add_unsigned(mono_ms.0)), clock })
    };
    (0..count).map(stamp).collect()
}

/// A group, and the rows of its frames in the order of its columns.
struct Frames {
    group: Group,
    rows: Vec<usize>,
    /// Which of them are the first of their shape.
    firsts: Vec<bool>,
}

/// Finds the rows of each group.
fn frames(groups: Vec<Group>, kinds: &[i64]) -> Result<Vec<Frames>, Inconsistency> {
    let shapes: usize = groups.iter().map(|group| group.shapes.0.len()).sum();
    let mut rows_of = vec![Vec::new(); shapes];
    for (row, shape) in kinds.iter().enumerate().filter_map(|(row, kind)| Some((row, shape(*kind)?))) {
        rows_of.get_mut(shape).ok_or(wrong("kinds", "a number that no shape has"))?.push(row);
    }
    if rows_of.iter().any(Vec::is_empty) {
        return Err(wrong("groups", "a shape without a frame"));
    }
    let mut rows_of = rows_of.into_iter();
    let with_rows = |group: Group| {
        let of_shapes: Vec<Vec<usize>> = rows_of.by_ref().take(group.shapes.0.len()).collect();
        let firsts = of_shapes.iter().flat_map(|rows| (0..rows.len()).map(|place| place == 0)).collect();
        Frames { group, rows: of_shapes.into_iter().flatten().collect(), firsts }
    };
    let frames: Vec<Frames> = groups.into_iter().map(with_rows).collect();
    // Columns leave out what repeats, so a few bytes can stand for very many readings: count before allocating.
    let readings = frames.iter().map(|frames| frames.rows.len().saturating_mul(frames.fields().len()));
    if readings.fold(0, usize::saturating_add) > READINGS_MAX {
        return Err(wrong("groups", "more readings than a batch may have"));
    }
    Ok(frames)
}

impl Frames {
    fn fields(&self) -> &[Field] {
        self.group.fields.as_ref().map_or(&[], |list| &list.0)
    }

    /// Device times from their difference to the time of the row.
    fn times(&self, column: &ByteVec, stamps: &[Stamp]) -> Result<Vec<UnixMs>, Inconsistency> {
        let lags = bits::decode("at", Predict::Last, column, &self.firsts)?.into_iter().zip(&self.rows);
        Ok(lags.map(|(lag, row)| UnixMs(stamps[*row].wall_ms.0.wrapping_add(lag))).collect())
    }

    /// Adds what these frames say to their rows.
    fn unpack(&self, stamps: &[Stamp], decoded: &mut [Decoded]) -> Result<(), Inconsistency> {
        self.rows.iter().for_each(|row| decoded[*row].readings.reserve_exact(self.fields().len()));
        if let Some(column) = &self.group.of {
            let of = bits::decode("of", Predict::Slope, column, &self.firsts)?;
            self.rows.iter().zip(of).for_each(|(row, of)| decoded[*row].of = Some(Seq(of.cast_unsigned())));
        }
        let shared = self.group.at.as_ref().map(|column| self.times(column, stamps)).transpose()?;
        for field in self.fields() {
            let own = field.at.as_ref().map(|column| self.times(column, stamps)).transpose()?;
            let at = match (&shared, &own) {
                (Some(_), Some(_)) => return Err(wrong("at", "both for the frame and for a reading")),
                (shared, own) => shared.as_ref().or(own.as_ref()),
            };
            let values = values(field, &self.firsts)?;
            let unit = unit(field)?;
            for (place, (row, (value, quality))) in self.rows.iter().zip(values).enumerate() {
                let at_ms = at.map(|times| times[place]);
                let quantity = field.quantity.0.clone();
                decoded[*row].readings.push(Reading { quantity, unit: unit.clone(), value, quality, at_ms });
            }
        }
        Ok(())
    }
}

fn unit(field: &Field) -> Result<Unit, Inconsistency> {
    let usual = || field.quantity.0.code().and_then(Quantity::from_code).map(|(_, usual)| usual);
    match &field.unit {
        Some(unit) => Ok(unit.clone()),
        None => usual().and_then(|usual| Unit::new(usual).ok()).ok_or(wrong("unit", "left out, and no usual one")),
    }
}

/// The values and qualities of one field, one for each frame.
fn values(field: &Field, firsts: &[bool]) -> Result<Vec<(Option<Decimal>, Quality)>, Inconsistency> {
    let qualities = match &field.quality {
        None => vec![(Quality::Good, true); firsts.len()],
        Some(column) => {
            let quality = |code: i64| {
                let quality = u8::try_from(code / 2).ok().and_then(Quality::from_code);
                quality.filter(|_| code >= 0).map(|quality| (quality, code % 2 == 0))
            };
            let codes = column::decode("quality", column, firsts.len())?.into_iter();
            codes.map(|code| quality(code).ok_or(wrong("quality", "an unknown number"))).collect::<Result<_, _>>()?
        }
    };
    let with_value = firsts.iter().zip(&qualities).filter(|(_, (_, present))| *present);
    let firsts: Vec<bool> = with_value.map(|(is_first, _)| *is_first).collect();
    let present = firsts.len();
    let mantissas = match field.smoothing {
        None => bits::decode("mantissas", Predict::Last, &field.mantissas, &firsts)?,
        Some(smoothing) => entropy::decode("mantissas", smoothing, &field.mantissas, &firsts)?,
    };
    let own = field.exponents.as_ref().map(|column| column::decode("exponents", column, present)).transpose()?;
    let decimal = |at: usize| {
        let own = own.as_ref().map_or(0, |exponents| exponents[at]);
        let exponent = own.checked_add(i64::from(field.exponent)).and_then(|exponent| i32::try_from(exponent).ok());
        let exponent = exponent.filter(|exponent| exponent.abs() <= 128);
        exponent.and_then(|exponent| Decimal::new(mantissas[at], exponent)).ok_or(wrong("exponents", "beyond 10^±40"))
    };
    let mut decimals = (0..present).map(decimal);
    let value = |(quality, present): (Quality, bool)| {
        let value = if present { decimals.next().transpose()? } else { None };
        Ok((value, quality))
    };
    qualities.into_iter().map(value).collect()
}
