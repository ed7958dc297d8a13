//! What a destination gets: which devices, which outfalls, which quantities, single readings or aggregates of them, and whether
//! it hears of refused frames. Pure.
//!
//! Alarms, boots, clocks, gaps, codecs and orders always go. A frame goes with the readings of the quantities that were named,
//! and not at all if it has none of them; a frame that was decoded again always goes, for it takes the place of readings that
//! the destination may have.
//!
//! What people entered by hand goes whole, whatever devices and quantities are named: it is of none of these devices. Where
//! outfalls are named, what is of another one stays.
//!
//! With `series = "aggregates"` no frame goes, nor what one was decoded to again; with `"readings"` no aggregate. An aggregate
//! goes as its device and its own outfall do, with the values of the quantities that were named.
//!
//! Where outfalls are named, a frame goes if its device stood at one of them when it came: what a device measures belongs to
//! its outfall, and stays there when it is moved. One that was decoded again goes where the frame went. Of what is told of
//! outfalls (dossiers, and which devices stand there) only what concerns these goes. Where a device stood that the journal
//! does not tell any more, its frames are withheld.

use std::collections::BTreeSet;

use batch::Content;
use journal::Standings;
use record::{Aggregate, OutfallCode, Period, Quantity, Seq, SourceId};
use serde::{Deserialize, Serialize};

/// Which records a destination gets. By default all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Records of these devices alone.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    pub devices: Option<BTreeSet<SourceId>>,
    /// Records of these devices are withheld.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    pub except_devices: Option<BTreeSet<SourceId>>,
    /// Records of devices that stood at one of these outfalls then, and what is told of these, alone.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    pub outfalls: Option<BTreeSet<OutfallCode>>,
    /// Readings of these quantities alone.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    pub quantities: Option<BTreeSet<Quantity>>,
    /// Single readings, aggregates of them, or both.
    #[serde(skip_serializing_if = "Series::is_both")]
    pub series: Series,
    /// Aggregates over these periods alone.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    pub periods: Option<BTreeSet<Period>>,
    /// Whether it hears of refused frames.
    pub refused: bool,
}

/// Which series of data a destination gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Series {
    /// Frames with their readings.
    Readings,
    /// What readings came to over times of the clock.
    Aggregates,
    /// Both.
    #[default]
    Both,
}

impl Series {
    fn is_both(&self) -> bool {
        *self == Series::Both
    }

    /// Whether frames go.
    pub fn has_readings(self) -> bool {
        self != Series::Aggregates
    }

    /// Whether aggregates go.
    pub fn has_aggregates(self) -> bool {
        self != Series::Readings
    }
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            devices: None,
            except_devices: None,
            outfalls: None,
            quantities: None,
            series: Series::Both,
            periods: None,
            refused: true,
        }
    }
}

/// What of a record goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// Nothing.
    Nothing,
    /// It, with the readings of these quantities alone.
    Of(&'a BTreeSet<Quantity>),
    /// All of it.
    Whole,
}

impl Filter {
    /// Whether it withholds nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Filter::default()
    }

    /// On one line, for the outbox.
    pub(crate) fn to_line(&self) -> String {
        // Sets of names have no value that JSON lacks.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From such a line. What a newer program wrote is not understood: nobody knows what went by it.
    pub(crate) fn from_line(line: &str) -> Option<Filter> {
        serde_json::from_str(line).ok()
    }

    /// Whether all that it lets through passes the other one as well, as far as their names tell: wherever devices stand.
    pub(crate) fn is_within(&self, other: &Filter) -> bool {
        let within =
            |set: &Option<BTreeSet<SourceId>>, device: &SourceId| set.as_ref().is_none_or(|set| set.contains(device));
        let devices = match (&self.devices, &other.devices) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(_)) => {
                own.iter().filter(|device| self.takes(device)).all(|device| within(&other.devices, device))
            }
        };
        let excepted = other.except_devices.iter().flatten().all(|device| !self.takes(device));
        let (outfalls, quantities) =
            (is_subset(&self.outfalls, &other.outfalls), is_subset(&self.quantities, &other.quantities));
        // Of what it lets through nothing may be withheld there.
        let readings = other.series.has_readings() || !self.series.has_readings();
        let aggregates = !self.series.has_aggregates()
            || (other.series.has_aggregates() && is_subset(&self.periods, &other.periods));
        let series = readings && aggregates;
        devices && excepted && outfalls && quantities && series && (other.refused || !self.refused)
    }

    fn takes(&self, device: &SourceId) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(device))
            && !self.except_devices.as_ref().is_some_and(|devices| devices.contains(device))
    }

    /// Whether records of this device go that came as number `at`.
    fn takes_then(&self, device: &SourceId, at: Seq, standings: &Standings) -> bool {
        let stood = |outfalls: &BTreeSet<OutfallCode>| outfalls.iter().any(|code| standings.stood(device, code, at));
        self.takes(device) && self.outfalls.as_ref().is_none_or(stood)
    }

    /// Whether this goes; of the quantities that were named it has some then.
    fn takes_aggregate(&self, aggregate: &Aggregate) -> bool {
        let of_outfall = self
            .outfalls
            .as_ref()
            .is_none_or(|named| aggregate.outfall.as_ref().is_some_and(|outfall| named.contains(outfall)));
        let of_period = self.periods.as_ref().is_none_or(|named| named.contains(&aggregate.period));
        let of_quantity = self
            .quantities
            .as_ref()
            .is_none_or(|named| aggregate.values.iter().any(|value| named.contains(&value.quantity)));
        self.series.has_aggregates() && self.takes(&aggregate.source) && of_outfall && of_period && of_quantity
    }

    /// What goes of what concerns an outfall alone.
    fn part_of_outfall(&self, code: &OutfallCode) -> Part<'_> {
        match &self.outfalls {
            Some(named) if !named.contains(code) => Part::Nothing,
            _ => Part::Whole,
        }
    }

    /// What of record `at` goes, where devices stood like that.
    pub(crate) fn part(&self, at: Seq, content: &Content, standings: &Standings) -> Part<'_> {
        let takes = |device: &SourceId, at: Seq| self.takes_then(device, at, standings);
        match content {
            Content::Rejected { source, .. } => {
                let takes_strangers = self.devices.is_none() && self.outfalls.is_none();
                let takes = source.as_ref().map_or(takes_strangers, |source| takes(source, at));
                if self.refused && takes { Part::Whole } else { Part::Nothing }
            }
            Content::Readings { .. } | Content::Redecoded(_) if !self.series.has_readings() => Part::Nothing,
            Content::Aggregate(aggregate) if !self.takes_aggregate(aggregate) => Part::Nothing,
            Content::Aggregate(aggregate) => match &self.quantities {
                Some(named) if !aggregate.values.iter().all(|value| named.contains(&value.quantity)) => Part::Of(named),
                _ => Part::Whole,
            },
            Content::Readings { source, .. } if !takes(source, at) => Part::Nothing,
            Content::Redecoded(redecoded) if !takes(&redecoded.source, redecoded.of) => Part::Nothing,
            Content::Outfall(outfall) => self.part_of_outfall(outfall.code()),
            Content::Manual(manual) => self.part_of_outfall(&manual.entry().outfall),
            Content::Readings { readings, .. } => match &self.quantities {
                None => Part::Whole,
                Some(named)
                    if readings.iter().all(|reading| named.contains(&reading.quantity)) && !readings.is_empty() =>
                {
                    Part::Whole
                }
                Some(named) if readings.iter().any(|reading| named.contains(&reading.quantity)) => Part::Of(named),
                Some(_) => Part::Nothing,
            },
            Content::Redecoded(_) => self.quantities.as_ref().map_or(Part::Whole, Part::Of),
            Content::Boot(_) | Content::Alarm(_) | Content::Codec(_) => Part::Whole,
            Content::Clock(_) | Content::Gap(_) | Content::Audit(_) => Part::Whole,
        }
    }
}

impl Part<'_> {
    /// Whether it has something that all of `earlier` together have not.
    pub(crate) fn adds(self, content: &Content, earlier: &[Part<'_>]) -> bool {
        let has = |part: &Part<'_>, quantity: &Quantity| match part {
            Part::Nothing => false,
            Part::Of(named) => named.contains(quantity),
            Part::Whole => true,
        };
        if self == Part::Nothing || earlier.contains(&Part::Whole) {
            return false;
        }
        let new = |quantity: &Quantity| has(&self, quantity) && !earlier.iter().any(|part| has(part, quantity));
        let has_new = match content {
            Content::Aggregate(aggregate) => aggregate.values.iter().any(|value| new(&value.quantity)),
            _ => content.decoded().is_some_and(|of| of.readings.iter().any(|reading| new(&reading.quantity))),
        };
        earlier.iter().all(|part| *part == Part::Nothing) || has_new
    }

    /// Takes out what does not go.
    pub(crate) fn cut(self, content: &mut Content) {
        let Part::Of(named) = self else { return };
        if let Content::Readings { readings, texts, .. } = content {
            readings.retain(|reading| named.contains(&reading.quantity));
            texts.retain(|text| named.contains(&text.quantity));
        } else if let Content::Redecoded(redecoded) = content {
            redecoded.readings.retain(|reading| named.contains(&reading.quantity));
            redecoded.texts.retain(|text| named.contains(&text.quantity));
        } else if let Content::Aggregate(aggregate) = content {
            aggregate.values.retain(|value| named.contains(&value.quantity));
        }
    }
}

/// Whether one names no more than the other; none names all.
fn is_subset<T: Ord>(own: &Option<BTreeSet<T>>, other: &Option<BTreeSet<T>>) -> bool {
    match (own, other) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(own), Some(others)) => own.is_subset(others),
    }
}

fn named<'de, D: serde::Deserializer<'de>, T: Deserialize<'de> + Ord>(
    from: D,
) -> Result<Option<BTreeSet<T>>, D::Error> {
    let names = BTreeSet::deserialize(from)?;
    if names.is_empty() {
        return Err(serde::de::Error::custom("name one at least, or leave the line out"));
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests;
