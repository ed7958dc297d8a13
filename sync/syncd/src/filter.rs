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
mod tests {
    use record::dossier::{Few, Words};
    use record::{
        Actor, AggregateValue, Body, BootNo, ClockQuality, CodecId, Entry, Manual, MonoMs, Outfall, Patrol, Quality,
        Reading, Record, RecordAt, Redecoded, Stamp, Standing, Unit, UnixMs,
    };

    use super::*;

    /// Records before it: `a` stands at A-1, `b` at B-2; from it on both stand at B-2. `c` never stands at one.
    const MOVED: Seq = Seq(10);
    const BEFORE: Seq = Seq(5);
    const AFTER: Seq = Seq(15);

    fn code(name: &str) -> OutfallCode {
        OutfallCode::new(name).unwrap()
    }

    fn source(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    fn standing(outfall: &str, devices: &[&str]) -> Outfall {
        let devices = devices.iter().map(|name| source(name)).collect();
        Outfall::Devices(Standing { outfall: code(outfall), devices, told: None })
    }

    fn standings() -> Standings {
        let stamp =
            Stamp { boot: BootNo(0), mono_ms: MonoMs(0), wall_ms: UnixMs(0), clock: ClockQuality::Synchronised };
        let mut standings = Standings::default();
        for (seq, outfall, devices) in [
            (Seq(0), "A-1", &["a"][..]),
            (Seq(1), "B-2", &["b"]),
            (Seq(MOVED.0 - 1), "A-1", &[]),
            (MOVED, "B-2", &["a", "b"]),
        ] {
            let body = Body::Outfall(standing(outfall, devices));
            standings.take(&RecordAt { seq, record: Record { stamp, body } });
        }
        standings
    }

    fn rejected(name: Option<&str>) -> Content {
        Content::Rejected {
            source: name.map(source),
            why: record::Reason::BadMic,
            detail: String::new(),
            raw_len: 0,
            raw_sha256: [0; 32],
        }
    }

    /// What of a record goes where devices stood as above.
    fn part<'f>(filter: &'f Filter, at: Seq, content: &Content) -> Part<'f> {
        filter.part(at, content, &standings())
    }

    fn filter(toml: &str) -> Filter {
        toml::from_str(toml).unwrap()
    }

    fn frame(source: &str, quantities: &[&str]) -> Content {
        let reading = |name: &&str| Reading {
            quantity: Quantity::new(name).unwrap(),
            unit: Unit::new("1").unwrap(),
            value: None,
            quality: Quality::Missing,
            at_ms: None,
        };
        let (source, readings) = (self::source(source), quantities.iter().map(reading).collect());
        Content::Readings { source, codec: None, readings, texts: Vec::new() }
    }

    /// What of the frame goes, as its quantities.
    fn goes(filter: &Filter, mut content: Content) -> Option<String> {
        let part = part(filter, BEFORE, &content);
        part.cut(&mut content);
        let decoded = content.decoded().unwrap();
        let names: Vec<&str> = decoded.readings.iter().map(|reading| reading.quantity.as_str()).collect();
        (part != Part::Nothing).then(|| names.join(" "))
    }

    #[test]
    fn a_frame_goes_with_what_was_named() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(goes(&Filter::default(), frame("a", &["cod", "ph"])), some("cod ph"));
        let quantities = filter("quantities = ['cod', 'tn']");
        assert_eq!(goes(&quantities, frame("a", &["ph", "cod"])), some("cod"));
        assert_eq!(goes(&quantities, frame("a", &["tn", "cod"])), some("tn cod"));
        assert_eq!(goes(&quantities, frame("a", &["ph"])), None);
        assert_eq!(goes(&quantities, frame("a", &[])), None);
        assert_eq!(goes(&filter("devices = ['b']"), frame("a", &["cod"])), None);
        assert_eq!(goes(&filter("devices = ['a']"), frame("a", &["cod"])), some("cod"));
        assert_eq!(goes(&filter("except_devices = ['a']"), frame("a", &["cod"])), None);
        assert_eq!(goes(&filter("except_devices = ['b']"), frame("a", &["cod"])), some("cod"));
    }

    fn aggregate(outfall: Option<&str>, period: &str, quantities: &[&str]) -> Content {
        let value = |name: &&str| AggregateValue {
            quantity: Quantity::new(name).unwrap(),
            unit: Unit::new("1").unwrap(),
            good: 0,
            doubtful: 1,
            parts: 0,
            statistics: None,
        };
        let (outfall, values) = (outfall.map(code), quantities.iter().map(value).collect());
        let (source, period) = (source("a"), period.parse().unwrap());
        Content::Aggregate(Aggregate { source, outfall, from_ms: UnixMs(0), period, values })
    }

    #[test]
    fn frames_or_aggregates_go_as_asked() {
        let goes = |toml: &str, content: &Content| part(&filter(toml), AFTER, content) != Part::Nothing;
        let (frame, hour) = (frame("a", &["cod"]), aggregate(Some("A-1"), "1h", &["cod", "ph"]));
        let anew = Redecoded {
            source: source("a"),
            of: BEFORE,
            codec: CodecId([0; 8]),
            readings: Vec::new(),
            texts: Vec::new(),
        };
        let anew = Content::Redecoded(anew);
        assert!(goes("", &frame) && goes("", &hour) && goes("series = 'both'", &anew));
        assert!(!goes("series = 'aggregates'", &frame) && !goes("series = 'aggregates'", &anew));
        assert!(goes("series = 'aggregates'", &hour) && !goes("series = 'readings'", &hour));
        assert!(goes("series = 'readings'", &frame) && goes("periods = ['1h']", &frame));
        assert!(goes("periods = ['1h', '1d']", &hour) && !goes("periods = ['10m']", &hour));
        assert!(!goes("devices = ['b']", &hour) && !goes("except_devices = ['a']", &hour));
        // Its own outfall counts, wherever the device stands when it is made.
        assert!(goes("outfalls = ['A-1']", &hour) && !goes("outfalls = ['B-2']", &hour));
        assert!(!goes("outfalls = ['B-2']", &aggregate(None, "1h", &["cod"])));
        assert!(goes("series = 'aggregates'", &Content::Outfall(standing("A-1", &[]))));
        let mut cut = hour.clone();
        let quantities = filter("quantities = ['ph', 'tn']");
        part(&quantities, AFTER, &hour).cut(&mut cut);
        assert_eq!(cut, aggregate(Some("A-1"), "1h", &["ph"]));
        assert!(!goes("quantities = ['tn']", &hour) && part(&quantities, AFTER, &cut) == Part::Whole);
        for wrong in ["series = 'raw'", "periods = ['7m']", "periods = []", "periods = ['']"] {
            assert!(toml::from_str::<Filter>(wrong).is_err(), "{wrong}");
        }
    }

    fn patrol(outfall: &str) -> Content {
        let entry = Entry {
            outfall: code(outfall),
            at_ms: UnixMs(0),
            person: Words::new("王工").unwrap(),
            by: Actor::User(0),
            files: Few::default(),
            replaces: None,
        };
        Content::Manual(Manual::Patrol(Box::new(Patrol { entry, finding: Words::new("dry").unwrap(), state: None })))
    }

    #[test]
    fn what_people_entered_goes_by_its_outfall() {
        for toml in ["", "devices = ['b']", "quantities = ['ph']", "series = 'aggregates'", "refused = false"] {
            assert_eq!(part(&filter(toml), AFTER, &patrol("A-1")), Part::Whole, "{toml}");
        }
        let outfalls = filter("outfalls = ['A-1']");
        assert_eq!(part(&outfalls, AFTER, &patrol("A-1")), Part::Whole);
        assert_eq!(part(&outfalls, AFTER, &patrol("B-2")), Part::Nothing);
    }

    #[test]
    fn refused_frames_of_strangers_are_of_no_named_device() {
        let goes = |toml: &str, source| part(&filter(toml), BEFORE, &rejected(source)) == Part::Whole;
        assert!(goes("", None) && goes("", Some("a")) && goes("except_devices = ['b']", None));
        assert!(goes("devices = ['a']", Some("a")) && !goes("devices = ['a']", None));
        assert!(!goes("refused = false", Some("a")) && !goes("refused = false", None));
        assert!(goes("outfalls = ['A-1']", Some("a")) && !goes("outfalls = ['A-1']", None));
    }

    #[test]
    fn a_frame_goes_where_its_device_stood_when_it_came() {
        let goes = |toml: &str, at, content: &Content| part(&filter(toml), at, content) == Part::Whole;
        let [a, b, c] = ["a", "b", "c"].map(|name| frame(name, &["cod"]));
        assert!(goes("outfalls = ['A-1']", BEFORE, &a) && !goes("outfalls = ['A-1']", AFTER, &a));
        assert!(!goes("outfalls = ['B-2']", BEFORE, &a) && goes("outfalls = ['B-2']", AFTER, &a));
        assert!(goes("outfalls = ['B-2']", BEFORE, &b) && goes("outfalls = ['A-1', 'B-2']", BEFORE, &a));
        assert!(!goes("outfalls = ['A-1', 'B-2']", BEFORE, &c) && goes("", BEFORE, &c));
        assert!(!goes("outfalls = ['B-2']\nexcept_devices = ['b']", BEFORE, &b));
        // It takes the place of readings that stood at A-1.
        let again = |of| {
            let codec = CodecId([0; 8]);
            Content::Redecoded(Redecoded { source: source("a"), of, codec, readings: Vec::new(), texts: Vec::new() })
        };
        assert!(goes("outfalls = ['A-1']", AFTER, &again(BEFORE)));
        assert!(!goes("outfalls = ['B-2']", AFTER, &again(BEFORE)) && goes("outfalls = ['B-2']", AFTER, &again(AFTER)));
        let told = Content::Outfall(standing("A-1", &[]));
        assert!(goes("outfalls = ['A-1']", AFTER, &told) && !goes("outfalls = ['B-2']", AFTER, &told));
        assert!(goes("devices = ['b']", AFTER, &told));
    }

    #[test]
    fn one_filter_within_another_adds_nothing() {
        let filters = [
            "",
            "refused = false",
            "devices = ['a']",
            "devices = ['a', 'b']",
            "except_devices = ['a']",
            "except_devices = ['a', 'b']",
            "devices = ['a', 'b']\nexcept_devices = ['a']",
            "quantities = ['cod']",
            "quantities = ['cod', 'ph']",
            "quantities = ['ph']\ndevices = ['b']\nrefused = false",
            "outfalls = ['A-1']",
            "outfalls = ['A-1', 'B-2']",
            "outfalls = ['B-2']\ndevices = ['a', 'b']\nexcept_devices = ['b']",
            "outfalls = ['B-2']\nquantities = ['cod']\nrefused = false",
            "series = 'readings'",
            "series = 'aggregates'",
            "series = 'aggregates'\nperiods = ['1h']\nquantities = ['cod']",
            "periods = ['1h', '1d']\noutfalls = ['A-1']",
        ];
        let frames = ["a", "b", "c"]
            .into_iter()
            .flat_map(|source| [&["cod", "ph"][..], &["ph"], &["tn"], &[]].map(|names| frame(source, names)));
        let others = [rejected(None), rejected(Some("a")), rejected(Some("c"))];
        let told = ["A-1", "B-2"].map(|outfall| Content::Outfall(standing(outfall, &[])));
        let made = [(None, "1h"), (Some("A-1"), "1h"), (Some("A-1"), "10m"), (Some("B-2"), "1d")].into_iter();
        let made =
            made.flat_map(|(at, period)| [&["cod", "ph"][..], &["ph"]].map(|names| aggregate(at, period, names)));
        let entered = ["A-1", "B-2"].map(patrol);
        let contents: Vec<Content> = frames.chain(others).chain(told).chain(made).chain(entered).collect();
        let mut within = 0;
        for one in filters.map(filter) {
            assert_eq!(Filter::from_line(&one.to_line()), Some(one.clone()));
            for other in filters.map(filter) {
                let adds = |content: &Content| {
                    [BEFORE, AFTER]
                        .into_iter()
                        .any(|at| part(&one, at, content).adds(content, &[part(&other, at, content)]))
                };
                within += u32::from(one.is_within(&other));
                assert!(!one.is_within(&other) || !contents.iter().any(adds), "{one:?} within {other:?}");
                let same = one == other;
                assert!(!same || one.is_within(&other));
            }
        }
        assert!(within > 40, "{within}");
    }

    #[test]
    fn what_several_filters_let_through_together_need_not_go_again() {
        let content = frame("a", &["cod", "ph"]);
        let [cod, ph, both, nothing] =
            ["quantities = ['cod']", "quantities = ['ph']", "", "devices = ['b']"].map(filter);
        let adds = |new: &Filter, earlier: &[&Filter]| {
            let earlier: Vec<Part<'_>> = earlier.iter().map(|filter| part(filter, BEFORE, &content)).collect();
            part(new, BEFORE, &content).adds(&content, &earlier)
        };
        assert!(adds(&both, &[&cod]) && adds(&ph, &[&cod]) && adds(&cod, &[&nothing]) && adds(&cod, &[]));
        assert!(!adds(&both, &[&cod, &ph]) && !adds(&cod, &[&both]) && !adds(&nothing, &[&cod]));
    }
}
