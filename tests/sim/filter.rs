//! What a destination is to get, by a model of its own: what comes of it is compared with what the box made of it.

use std::collections::BTreeSet;

use batch::{Content, Row};
use record::{Body, Outfall, OutfallCode, Quantity, Reading, Record, RecordAt, Seq, SourceId};

use crate::seed::Chance;

/// A filter, in names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Names {
    devices: Option<&'static [&'static str]>,
    except: Option<&'static [&'static str]>,
    outfalls: Option<&'static [&'static str]>,
    quantities: Option<&'static [&'static str]>,
    refused: bool,
}

const ALL: Names = Names { devices: None, except: None, outfalls: None, quantities: None, refused: true };
/// What technicians may write.
const FILTERS: [Names; 9] = [
    ALL,
    Names { devices: Some(&["cod-1"]), ..ALL },
    Names { except: Some(&["cod-1", "level-2"]), refused: false, ..ALL },
    Names { quantities: Some(&["cod", "temperature"]), ..ALL },
    Names { quantities: Some(&["ph"]), ..ALL },
    Names { devices: Some(&["cod-1", "level-1"]), quantities: Some(&["cod"]), ..ALL },
    Names { outfalls: Some(&["A-1"]), ..ALL },
    Names { outfalls: Some(&["A-1", "B-2"]), ..ALL },
    Names { outfalls: Some(&["B-2"]), except: Some(&["level-1"]), quantities: Some(&["cod", "temperature_1"]), ..ALL },
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
        let Names { devices, except, outfalls, quantities, refused } = self.used.last().copied().unwrap_or(ALL);
        let sources = |names: &[&str]| names.iter().map(|name| SourceId::new(name).expect("a name")).collect();
        let quantities = quantities
            .map(|names| names.iter().map(|name| Quantity::new(name).expect("a quantity")).collect::<BTreeSet<_>>());
        let outfalls = outfalls
            .map(|codes| codes.iter().map(|code| OutfallCode::new(code).expect("a code")).collect::<BTreeSet<_>>());
        let (devices, except_devices) = (devices.map(sources), except.map(sources));
        syncd::Filter { devices, except_devices, outfalls, quantities, refused }
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
            Body::Frame(_) => self.quantities.is_none() || !part.is_empty(),
            _ => true,
        };
        (of_device && passes).then_some(part)
    }
}

/// What two batches brought of one frame, if they agree and the second has something that the first has not.
pub(crate) fn extended(known: &Row, more: &Row) -> Option<Row> {
    let (of_known, of_more) = (known.content.decoded()?, more.content.decoded()?);
    let has = |readings: &[Reading], quantity: &Quantity| readings.iter().any(|reading| reading.quantity == *quantity);
    let both = |readings: &[Reading], others: &[Reading]| {
        readings.iter().filter(|reading| has(others, &reading.quantity)).cloned().collect::<Vec<_>>()
    };
    let agree = both(of_known.readings, of_more.readings) == both(of_more.readings, of_known.readings);
    let fresh: Vec<Reading> =
        of_more.readings.iter().filter(|reading| !has(of_known.readings, &reading.quantity)).cloned().collect();
    if !agree || fresh.is_empty() {
        return None;
    }
    let mut sum = known.clone();
    if let Content::Readings { readings, .. } = &mut sum.content {
        readings.extend(fresh);
    }
    Some(sum)
}

/// Whether a row says nothing of a frame that the known one does not say as well, in whatever order.
pub(crate) fn is_within(row: &Row, known: &Row) -> bool {
    let (Some(of_row), Some(of_known)) = (row.content.decoded(), known.content.decoded()) else { return row == known };
    let of = |readings: &[Reading], quantity: &Quantity| {
        readings.iter().filter(|reading| reading.quantity == *quantity).cloned().collect::<Vec<_>>()
    };
    let agrees = |reading: &Reading| of(of_row.readings, &reading.quantity) == of(of_known.readings, &reading.quantity);
    (row.seq, row.stamp) == (known.seq, known.stamp) && of_row.readings.iter().all(agrees)
}

/// Whether a platform's row is this record's with the readings of these quantities, in whatever order they came.
pub(crate) fn is_part(row: &Row, seq: Seq, record: &Record, quantities: &BTreeSet<Quantity>) -> bool {
    let whole = Row::from(&RecordAt { seq, record: record.clone() });
    let (Some(held), Some(all)) = (row.content.decoded(), whole.content.decoded()) else { return *row == whole };
    let in_order = |readings: &[Reading]| {
        let mut readings: Vec<Reading> =
            readings.iter().filter(|reading| quantities.contains(&reading.quantity)).cloned().collect();
        readings.sort_by(|one, other| one.quantity.cmp(&other.quantity));
        readings
    };
    let only = held.readings.iter().all(|reading| quantities.contains(&reading.quantity));
    only && row.stamp == whole.stamp && held.source == all.source && in_order(held.readings) == in_order(all.readings)
}
