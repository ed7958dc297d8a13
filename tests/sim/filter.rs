//! What a destination is to get, by a model of its own: what comes of it is compared with what the box made of it.

use std::collections::BTreeSet;

use batch::{Content, Row};
use record::{AggregateValue, Body, Outfall, OutfallCode, Quantity, Reading, Record, RecordAt, Seq, SourceId};
use syncd::Series;

use crate::seed::Chance;

/// A filter, in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Names {
    devices: Option<&'static [&'static str]>,
    except: Option<&'static [&'static str]>,
    outfalls: Option<&'static [&'static str]>,
    quantities: Option<&'static [&'static str]>,
    readings: bool,
    aggregates: bool,
    refused: bool,
}

const ALL: Names = Names {
    devices: None,
    except: None,
    outfalls: None,
    quantities: None,
    readings: true,
    aggregates: true,
    refused: true,
};
/// What technicians may write.
const FILTERS: [Names; 12] = [
    ALL,
    Names { devices: Some(&["cod-1"]), ..ALL },
    Names { except: Some(&["cod-1", "level-2"]), refused: false, ..ALL },
    Names { quantities: Some(&["cod", "temperature"]), ..ALL },
    Names { quantities: Some(&["ph"]), ..ALL },
    Names { devices: Some(&["cod-1", "level-1"]), quantities: Some(&["cod"]), ..ALL },
    Names { outfalls: Some(&["A-1"]), ..ALL },
    Names { outfalls: Some(&["A-1", "B-2"]), ..ALL },
    Names { outfalls: Some(&["B-2"]), except: Some(&["level-1"]), quantities: Some(&["cod", "temperature_1"]), ..ALL },
    Names { readings: false, ..ALL },
    Names { readings: false, outfalls: Some(&["A-1"]), quantities: Some(&["cod"]), ..ALL },
    Names { aggregates: false, except: Some(&["cod-1"]), ..ALL },
];

/// Of a hundred worlds so many have a filter, and of a hundred starts so many another one.
const FILTERED_PERCENT: u64 = 50;
const CHANGED_PERCENT: u64 = 40;

/// Where devices stood through a box's life, as an onlooker heard it: no record is too old to be remembered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Vec<(Seq, OutfallCode, Vec<SourceId>)>);

impl Places {
    pub(crate) fn hear(&mut self, seq: Seq, outfall: &Outfall) {
        if let Outfall::Devices(standing) = outfall {
            self.0.push((seq, standing.outfall.clone(), standing.devices.clone()));
        }
    }

    /// By the newest word about each outfall before record `at`.
    fn stood(&self, device: &SourceId, outfalls: &[&str], at: Seq) -> bool {
        outfalls.iter().any(|outfall| {
            let before = self.0.iter().rev().find(|(seq, code, _)| *seq < at && code.as_str() == *outfall);
            before.is_some_and(|(_, _, devices)| devices.contains(device))
        })
    }
}

/// The filters of a destination through its life, the one in force last.
#[derive(Debug, Clone)]
pub(crate) struct Filters {
    used: Vec<Names>,
    is_filtered: bool,
    chance: Chance,
}

impl Filters {
    pub(crate) fn new(mut chance: Chance, may_filter: bool) -> Filters {
        let is_filtered = chance.percent(FILTERED_PERCENT) && may_filter;
        Filters { used: Vec::new(), is_filtered, chance }
    }

    /// The daemon starts, perhaps with another one. Whether it is.
    pub(crate) fn draw(&mut self) -> bool {
        let changes = self.is_filtered && (self.used.is_empty() || self.chance.percent(CHANGED_PERCENT));
        let names = if changes { *self.chance.pick(&FILTERS) } else { self.used.last().copied().unwrap_or(ALL) };
        let is_another = self.used.last().is_some_and(|last| *last != names);
        self.used.push(names);
        is_another
    }

    /// The one in force, as `sync.toml` has it.
    pub(crate) fn now(&self) -> syncd::Filter {
        let names = self.used.last().copied().unwrap_or(ALL);
        let Names { devices, except, outfalls, quantities, readings, aggregates, refused } = names;
        let sources = |names: &[&str]| names.iter().map(|name| SourceId::new(name).expect("a name")).collect();
        let quantities = quantities
            .map(|names| names.iter().map(|name| Quantity::new(name).expect("a quantity")).collect::<BTreeSet<_>>());
        let outfalls = outfalls
            .map(|codes| codes.iter().map(|code| OutfallCode::new(code).expect("a code")).collect::<BTreeSet<_>>());
        let (devices, except_devices) = (devices.map(sources), except.map(sources));
        let series = match (readings, aggregates) {
            (true, false) => Series::Readings,
            (false, true) => Series::Aggregates,
            _ => Series::Both,
        };
        syncd::Filter { devices, except_devices, outfalls, quantities, series, periods: None, refused }
    }

    /// Whether it lets this record through, in force now.
    pub(crate) fn wants(&self, seq: Seq, record: &Record, places: &Places) -> bool {
        self.used.last().is_none_or(|names| names.part(seq, record, places).is_some())
    }

    /// What a platform may have of a record by all filters there were, and what it must have by the one in force.
    pub(crate) fn parts(&self, seq: Seq, record: &Record, places: &Places) -> [Option<BTreeSet<Quantity>>; 2] {
        let may = self.used.iter().filter_map(|names| names.part(seq, record, places)).reduce(|mut all, part| {
            all.extend(part);
            all
        });
        [may, self.used.last().and_then(|names| names.part(seq, record, places))]
    }
}

impl Names {
    /// The quantities whose readings go; none if the record does not.
    fn part(&self, seq: Seq, record: &Record, places: &Places) -> Option<BTreeSet<Quantity>> {
        let named = |names: Option<&[&str]>, name: &str| names.map(|names| names.contains(&name));
        if let Body::Outfall(outfall) = &record.body {
            return (named(self.outfalls, outfall.code().as_str()) != Some(false)).then(BTreeSet::new);
        }
        if let Body::Aggregate(aggregate) = &record.body {
            let (source, outfall) = (&aggregate.source, aggregate.outfall.as_ref().map(OutfallCode::as_str));
            let goes = |value: &&AggregateValue| named(self.quantities, value.quantity.as_str()) != Some(false);
            let part: BTreeSet<Quantity> =
                aggregate.values.iter().filter(goes).map(|value| value.quantity.clone()).collect();
            let passes = self.aggregates
                && !part.is_empty()
                && named(self.devices, source.as_str()) != Some(false)
                && named(self.except, source.as_str()) != Some(true)
                && self.outfalls.is_none_or(|outfalls| outfall.is_some_and(|outfall| outfalls.contains(&outfall)));
            return passes.then_some(part);
        }
        let came = if let Body::Redecoded(redecoded) = &record.body { redecoded.of } else { seq };
        let readings: &[Reading] = match &record.body {
            Body::Frame(frame) => &frame.readings,
            Body::Redecoded(redecoded) => &redecoded.readings,
            Body::Rejected(_) => &[],
            _ => return Some(BTreeSet::new()),
        };
        let of_device = match record.body.source() {
            Some(source) => {
                named(self.devices, source.as_str()) != Some(false)
                    && named(self.except, source.as_str()) != Some(true)
                    && self.outfalls.is_none_or(|outfalls| places.stood(source, outfalls, came))
            }
            None => self.devices.is_none() && self.outfalls.is_none(),
        };
        let goes = |reading: &&Reading| named(self.quantities, reading.quantity.as_str()) != Some(false);
        let part: BTreeSet<Quantity> = readings.iter().filter(goes).map(|reading| reading.quantity.clone()).collect();
        let passes = match &record.body {
            Body::Rejected(_) => self.refused,
            Body::Frame(_) => self.readings && (self.quantities.is_none() || !part.is_empty()),
            Body::Redecoded(_) => self.readings,
            _ => true,
        };
        (of_device && passes).then_some(part)
    }
}

/// What a row says of quantities, in words: readings, or what they came to; none if it says nothing of any.
fn said(content: &Content) -> Option<Vec<(Quantity, String)>> {
    if let Content::Aggregate(aggregate) = content {
        return Some(aggregate.values.iter().map(|value| (value.quantity.clone(), format!("{value:?}"))).collect());
    }
    let readings = content.decoded()?.readings;
    Some(readings.iter().map(|reading| (reading.quantity.clone(), format!("{reading:?}"))).collect())
}

/// Of which quantities a row says something.
pub(crate) fn quantities(content: &Content) -> BTreeSet<Quantity> {
    said(content).into_iter().flatten().map(|(quantity, _)| quantity).collect()
}

fn of_quantity<'s>(said: &'s [(Quantity, String)], quantity: &Quantity) -> Vec<&'s String> {
    said.iter().filter(|(of, _)| of == quantity).map(|(_, words)| words).collect()
}

/// What two batches brought of one frame or aggregate, if they agree and the second has something that the first has not.
pub(crate) fn extended(known: &Row, more: &Row) -> Option<Row> {
    let (of_known, of_more) = (said(&known.content)?, said(&more.content)?);
    let agrees = |(quantity, _): &(Quantity, String)| {
        let (own, other) = (of_quantity(&of_known, quantity), of_quantity(&of_more, quantity));
        own.is_empty() || own == other
    };
    let has = |quantity: &Quantity| of_known.iter().any(|(of, _)| of == quantity);
    if !of_more.iter().all(agrees) || of_more.iter().all(|(quantity, _)| has(quantity)) {
        return None;
    }
    let mut sum = known.clone();
    match (&mut sum.content, &more.content) {
        (Content::Readings { readings, .. }, Content::Readings { readings: of_more, .. }) => {
            readings.extend(of_more.iter().filter(|reading| !has(&reading.quantity)).cloned());
        }
        (Content::Aggregate(aggregate), Content::Aggregate(of_more)) => {
            aggregate.values.extend(of_more.values.iter().filter(|value| !has(&value.quantity)).cloned());
        }
        _ => {}
    }
    Some(sum)
}

/// Whether a row says nothing of a frame or aggregate that the known one does not say as well, in whatever order.
pub(crate) fn is_within(row: &Row, known: &Row) -> bool {
    let (Some(of_row), Some(of_known)) = (said(&row.content), said(&known.content)) else { return row == known };
    let agrees =
        |(quantity, _): &(Quantity, String)| of_quantity(&of_row, quantity) == of_quantity(&of_known, quantity);
    (row.seq, row.stamp) == (known.seq, known.stamp) && of_row.iter().all(agrees)
}

/// Whether a platform's row is this record's with what it says of these quantities, in whatever order that came.
pub(crate) fn is_part(row: &Row, seq: Seq, record: &Record, quantities: &BTreeSet<Quantity>) -> bool {
    let whole = Row::from(&RecordAt { seq, record: record.clone() });
    let (Some(held), Some(all)) = (said(&row.content), said(&whole.content)) else { return *row == whole };
    let in_order = |said: &[(Quantity, String)]| {
        let mut said: Vec<_> = said.iter().filter(|(quantity, _)| quantities.contains(quantity)).cloned().collect();
        said.sort_by(|(one, _), (other, _)| one.cmp(other));
        said
    };
    let about = |content: &Content| match content {
        Content::Aggregate(of) => Some((of.source.clone(), of.outfall.clone(), Some((of.from_ms, of.period)))),
        _ => content.decoded().map(|of| (of.source.clone(), None, None)),
    };
    held.iter().all(|(quantity, _)| quantities.contains(quantity))
        && row.stamp == whole.stamp
        && about(&row.content) == about(&whole.content)
        && in_order(&held) == in_order(&all)
}
