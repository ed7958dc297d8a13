//! What the readings of each device come to over times of the clock, for whoever wants no single readings.
//!
//! ```text
//! frames ─► parts (a minute, or ten) of each device, outfall, quantity and unit ─► window over, and late_s more ─► Aggregate
//! ```
//! A fold like [`Engine`](crate::Engine): fed every record of the journal once, in order, it finds what is to be journaled; its
//! own records confirm that it was. What it finds depends on the records alone, so that a restart finds the same (**R2**).
//!
//! - Windows begin with the local clock and are half open. A reading counts by when the device measured, if it says so and its
//!   clock is not ahead, else by when it came; never while the box did not know the time.
//! - A window is closed [`Aggregation::late_s`] after its end. What comes later is counted as refused and changes nothing: of
//!   each device, outfall, period and window there is one aggregate at most. What is decoded again changes none either.
//! - A device that is moved belongs to its outfall at the time: a window has one aggregate for each outfall.
//! - Where no reading came there is none; where too few did, their count says so, and the reader judges.
//! - A window that began before the first record that was read back is not made: nobody knows what it had before.

mod part;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use record::{
    Aggregate, AggregateValue, Body, Decimal, Frame, OutfallCode, Period, Quality, Quantity, RecordAt, Seq, SourceId,
    Stamp, Statistics, Unit, UnixMs,
};
use serde::Deserialize;

use crate::exact::Exact;
use crate::field::{AHEAD_MS_MAX, SERIES_MAX, measured_ms};
use crate::mean::{RESULT_DIGITS, flow_unit};
use crate::schedule::UtcOffset;
use part::Part;

/// Most periods.
pub const PERIODS_MAX: usize = 8;
/// Longest wait for what comes late: an hour.
pub const LATE_S_MAX: u32 = 3_600;
/// Most aggregates that wait for their record, some 20 MB; those beyond are counted as refused.
const DUE_MAX: usize = 20_000;
/// How many records later an aggregate's own record must have come: the writer journals it right behind what closed its window.
const DUE_RECORDS_MAX: u64 = 4_096;
/// Digits behind the point of a volume in m3: a millilitre.
const VOLUME_EXPONENT: i32 = -6;

/// `[aggregates]` of `gateway.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Aggregation {
    /// Over which periods; none: no aggregate is made.
    pub periods: BTreeSet<Period>,
    /// By which clock windows begin.
    pub utc_offset: UtcOffset,
    /// Windows are closed so many seconds after their end, 0 to [`LATE_S_MAX`].
    pub late_s: u32,
}

impl Default for Aggregation {
    fn default() -> Aggregation {
        Aggregation { periods: BTreeSet::new(), utc_offset: UtcOffset::BEIJING, late_s: 120 }
    }
}

impl Aggregation {
    /// How far back the records of windows that are open may be, in milliseconds; 0 where none is made.
    pub fn reach_ms(&self) -> u64 {
        let longest = self.periods.last().map_or(0, |period| period.ms() + self.late_ms() + AHEAD_MS_MAX);
        u64::try_from(longest).unwrap_or(0)
    }

    fn late_ms(&self) -> i64 {
        i64::from(self.late_s) * 1_000
    }

    /// When the window or part of this length begins in which a time lies.
    fn start(&self, ms: i64, at: i64) -> i64 {
        let local = self.utc_offset.to_local(at).unwrap_or(at);
        at.saturating_sub(local.rem_euclid(ms))
    }
}

/// A device at an outfall, or at none.
type Place = (SourceId, Option<OutfallCode>);
/// A quantity in a unit.
type Series = (Quantity, Unit);
/// Parts by when they begin.
type Parts = BTreeMap<i64, Part>;
/// Of an aggregate there is one: end of the window, period, device, outfall.
type Key = (i64, Period, SourceId, Option<OutfallCode>);

/// The fold. See the head of this module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregates {
    setup: Aggregation,
    /// By the length of the parts.
    open: BTreeMap<(i64, Place), BTreeMap<Series, Parts>>,
    series: usize,
    stands: BTreeMap<SourceId, OutfallCode>,
    /// Windows that began earlier were not seen whole.
    whole_from: Option<i64>,
    /// Windows that end by then are closed.
    closed_to: i64,
    /// Journaled before they were closed here: by a gateway that waited less.
    early: BTreeSet<Key>,
    due: VecDeque<(Seq, Aggregate)>,
    newest: Seq,
    refused: u64,
}

impl Aggregates {
    /// Nothing was read.
    pub fn new(setup: Aggregation) -> Aggregates {
        Aggregates {
            setup,
            open: BTreeMap::new(),
            series: 0,
            stands: BTreeMap::new(),
            whole_from: None,
            closed_to: i64::MIN,
            early: BTreeSet::new(),
            due: VecDeque::new(),
            newest: Seq(0),
            refused: 0,
        }
    }

    /// Whether any is ever made.
    pub fn is_on(&self) -> bool {
        !self.setup.periods.is_empty()
    }

    /// Takes the next record of the journal; returns what is to be journaled behind it, in order. While the journal is read back
    /// ignore that, and ask [`Aggregates::outstanding`] afterwards. Records of outfalls may come from long before the others.
    pub fn apply(&mut self, record: &RecordAt) -> Vec<Aggregate> {
        if !self.is_on() {
            return Vec::new();
        }
        let RecordAt { seq, record } = record;
        self.newest = *seq;
        match &record.body {
            Body::Outfall(record::Outfall::Devices(standing)) => {
                self.stands.retain(|_, code| *code != standing.outfall);
                let here = standing.devices.iter().map(|device| (device.clone(), standing.outfall.clone()));
                self.stands.extend(here);
                return Vec::new();
            }
            // Read back from long before the frames, like those of outfalls.
            Body::Outfall(_) | Body::Alarm(_) => return Vec::new(),
            _ => {}
        }
        self.begin(*seq, &record.stamp);
        let made = self.tick(&record.stamp);
        match &record.body {
            Body::Frame(frame) => self.take(frame, &record.stamp),
            Body::Aggregate(aggregate) => self.confirm(aggregate),
            _ => {}
        }
        made
    }

    /// The time is `now`: what that closes, to be journaled in this order.
    pub fn tick(&mut self, now: &Stamp) -> Vec<Aggregate> {
        let Some(now_ms) = measured_ms(None, now).filter(|_| self.is_on()) else { return Vec::new() };
        let from = self.closed_to;
        let to = from.max(now_ms.saturating_sub(self.setup.late_ms()));
        self.closed_to = to;
        let goes_on = |period: &Period| self.setup.start(period.ms(), from) == self.setup.start(period.ms(), to);
        if self.setup.periods.iter().all(goes_on) {
            return Vec::new();
        }
        let mut made: Vec<(Key, Aggregate)> = Vec::new();
        for period in &self.setup.periods {
            for ((part_ms, place), series) in &self.open {
                if *part_ms == period.part_ms() {
                    self.close(*period, place, series, (from, to), &mut made);
                }
            }
        }
        self.forget_closed();
        made.sort_by(|(one, _), (other, _)| one.cmp(other));
        made.retain(|(key, _)| !self.early.contains(key));
        self.early.retain(|(end, ..)| *end > to);
        let made: Vec<Aggregate> = made.into_iter().map(|(_, aggregate)| aggregate).collect();
        self.wait_for(&made);
        made
    }

    /// What was found while reading back and has no record: a start journals it.
    pub fn outstanding(&self) -> impl Iterator<Item = &Aggregate> + '_ {
        self.due.iter().map(|(_, aggregate)| aggregate)
    }

    /// Readings that came for no open window any more or found no room, and aggregates that had none.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The first record with a known time tells from when on windows are seen whole; the first of all leaves none out.
    fn begin(&mut self, seq: Seq, stamp: &Stamp) {
        if self.whole_from.is_some() {
            return;
        }
        self.whole_from = match measured_ms(None, stamp) {
            _ if seq == Seq(0) => Some(i64::MIN),
            Some(at) => Some(at.saturating_add(AHEAD_MS_MAX)),
            None => None,
        };
    }

    fn take(&mut self, frame: &Frame, stamp: &Stamp) {
        let place = (frame.source.clone(), self.stands.get(&frame.source).cloned());
        let lengths: BTreeSet<i64> = self.setup.periods.iter().map(|period| period.part_ms()).collect();
        for reading in &frame.readings {
            let Some(at) = measured_ms(reading.at_ms, stamp) else { continue };
            let good = reading.value.filter(|_| reading.quality == Quality::Good);
            for part_ms in &lengths {
                let is_open = |period: &Period| {
                    let end = self.setup.start(period.ms(), at).saturating_add(period.ms());
                    period.part_ms() == *part_ms && end > self.closed_to
                };
                let start = self.setup.start(*part_ms, at);
                let part = match self.setup.periods.iter().any(is_open) {
                    true => self.part((*part_ms, place.clone()), (&reading.quantity, &reading.unit), start),
                    false => None,
                };
                match part {
                    Some(part) => part.add(good),
                    None => self.refused = self.refused.saturating_add(1),
                }
            }
        }
    }

    /// The part in which a reading belongs; none if there is no room for another series.
    fn part(&mut self, place: (i64, Place), series: (&Quantity, &Unit), start: i64) -> Option<&mut Part> {
        let series = (series.0.clone(), series.1.clone());
        let of_place = self.open.get(&place);
        if !of_place.is_some_and(|of_place| of_place.contains_key(&series)) {
            let is_full = of_place.is_some_and(|of_place| of_place.len() >= Aggregate::VALUES_MAX);
            if is_full || self.series >= SERIES_MAX {
                return None;
            }
            self.series += 1;
        }
        Some(self.open.entry(place).or_default().entry(series).or_default().entry(start).or_default())
    }

    /// The windows of a device that end after `from` and by `to`.
    fn close(
        &self,
        period: Period,
        place: &Place,
        series: &BTreeMap<Series, Parts>,
        (from, to): (i64, i64),
        made: &mut Vec<(Key, Aggregate)>,
    ) {
        let mut windows: BTreeMap<i64, Vec<AggregateValue>> = BTreeMap::new();
        for ((quantity, unit), parts) in series {
            let by_window = |at: &i64| self.setup.start(period.ms(), *at);
            let starts: BTreeSet<i64> = parts.keys().map(by_window).collect();
            for start in starts {
                let end = start.saturating_add(period.ms());
                if from < end && end <= to && self.whole_from.is_some_and(|whole_from| whole_from <= start) {
                    let within = parts.range(start..end).map(|(_, part)| part);
                    windows.entry(start).or_default().push(value(period, quantity, unit, within));
                }
            }
        }
        let (source, outfall) = place;
        made.extend(windows.into_iter().map(|(start, values)| {
            let key = (start.saturating_add(period.ms()), period, source.clone(), outfall.clone());
            let (source, outfall) = (source.clone(), outfall.clone());
            (key, Aggregate { source, outfall, from_ms: UnixMs(start), period, values })
        }));
    }

    /// Lets go of parts that belong to no open window.
    fn forget_closed(&mut self) {
        for ((part_ms, _), series) in &mut self.open {
            let of_length = self.setup.periods.iter().filter(|period| period.part_ms() == *part_ms);
            let kept_from = of_length.map(|period| self.setup.start(period.ms(), self.closed_to)).min();
            let kept_from = kept_from.unwrap_or(i64::MAX);
            series.retain(|_, parts| {
                *parts = parts.split_off(&kept_from);
                !parts.is_empty()
            });
        }
        self.open.retain(|_, series| !series.is_empty());
        self.series = self.open.values().map(BTreeMap::len).sum();
    }

    fn wait_for(&mut self, made: &[Aggregate]) {
        while self.due.front().is_some_and(|(at, _)| self.newest.0.saturating_sub(at.0) > DUE_RECORDS_MAX) {
            self.due.pop_front();
        }
        for aggregate in made {
            if self.due.len() >= DUE_MAX {
                self.refused = self.refused.saturating_add(1);
                continue;
            }
            self.due.push_back((self.newest, aggregate.clone()));
        }
    }

    fn confirm(&mut self, aggregate: &Aggregate) {
        let Aggregate { source, outfall, from_ms, period, .. } = aggregate;
        let is_it = |other: &Aggregate| {
            (&other.source, &other.outfall, &other.from_ms, &other.period) == (source, outfall, from_ms, period)
        };
        if let Some(at) = self.due.iter().position(|(_, due)| is_it(due)) {
            self.due.remove(at);
        } else if aggregate.to_ms().0 > self.closed_to {
            self.early.insert((aggregate.to_ms().0, *period, source.clone(), outfall.clone()));
        }
    }
}

/// What the parts of a window come to.
fn value<'p>(
    period: Period,
    quantity: &Quantity,
    unit: &Unit,
    parts: impl Iterator<Item = &'p Part>,
) -> AggregateValue {
    let (mut good, mut doubtful, mut with_good) = (0u32, 0u32, 0u32);
    let mut lows: Option<(Decimal, Decimal)> = None;
    let mut sum = Some(Exact::default());
    let mut exponent = 0;
    for part in parts {
        good = good.saturating_add(part.good());
        doubtful = doubtful.saturating_add(part.doubtful);
        let Some((low, high)) = part.ends() else { continue };
        with_good += 1;
        lows = Some(lows.map_or((low, high), |(least, most)| (least.min(low), most.max(high))));
        exponent = exponent.min(part.exponent());
        sum = sum.and_then(|sum| sum.plus(part.mean()?));
    }
    let statistics = lows.zip(sum).and_then(|((min, max), sum)| {
        let mean = sum.over(Exact::from(with_good), exponent - RESULT_DIGITS)?.to_decimal()?;
        Some(Statistics { min, mean, max, volume_m3: volume(sum, period, unit) })
    });
    let (quantity, unit) = (quantity.clone(), unit.clone());
    AggregateValue { quantity, unit, good, doubtful, parts: with_good, statistics }
}

/// What passed in the parts of which these are the sums of the means, if the unit is one of a flow.
fn volume(sum: Exact, period: Period, unit: &Unit) -> Option<Decimal> {
    let (m3, per_ms) = flow_unit(unit.as_str())?;
    let part_ms = Exact::from(u32::try_from(period.part_ms()).ok()?);
    sum.times(m3)?.times(part_ms)?.over(Exact::from(per_ms), VOLUME_EXPONENT)?.to_decimal()
}

#[cfg(test)]
mod tests;
