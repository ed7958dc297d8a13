//! What charts show: of each device and quantity the last day in quarters of an hour and the last month in four hours, added up
//! reading by reading. Pure: `now` is an argument, and a reading may come in any order.
//!
//! Time is cut by the clock, so that parts of the month never cross midnight in Beijing (UTC+8). A part is kept in the place of
//! its number modulo the number of places: a newer one takes an older one's place, and an older one never a newer one's.

use std::collections::BTreeMap;

use record::{Decimal, Quality, Quantity, SourceId, Unit, UnixMs};

/// Most series: 128 devices with eight quantities each. One takes some 11 kB.
pub const SERIES_MAX: usize = 1_024;
/// A reading from later than this after now is none of the charts': no clock is as wrong as that and good.
pub const AHEAD_MS_MAX: i64 = 5 * 60_000;
/// Places beyond those that are shown: a reading may be a little ahead of now.
const SPARE: usize = 1;

/// How much of the past a chart shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// 24 hours.
    Day,
    /// 31 days.
    Month,
}

impl Span {
    /// The length of a part, in milliseconds.
    pub const fn part_ms(self) -> i64 {
        match self {
            Span::Day => 15 * 60_000,
            Span::Month => 4 * 3_600_000,
        }
    }

    /// How many parts are shown, the one of now included.
    pub const fn parts(self) -> usize {
        match self {
            Span::Day => 96,
            Span::Month => 186,
        }
    }

    /// The number of the part that a moment lies in.
    fn number(self, at: UnixMs) -> i64 {
        at.0.div_euclid(self.part_ms())
    }

    /// When the first part that is shown begins.
    pub fn from(self, now: UnixMs) -> UnixMs {
        let shown = i64::try_from(self.parts()).unwrap_or(i64::MAX);
        UnixMs(self.number(now).saturating_sub(shown - 1).saturating_mul(self.part_ms()))
    }
}

/// What the readings of a part came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Part {
    /// Readings that are good.
    pub good: u32,
    /// Readings that are not, with or without a value; they count here and nowhere else.
    pub doubtful: u32,
    /// Of the good ones.
    sum: f64,
    min: f64,
    max: f64,
}

/// The lowest, the mean and the highest good reading of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// The lowest.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The highest.
    pub max: f64,
}

impl Part {
    /// None without a good reading: a gap.
    pub fn band(&self) -> Option<Band> {
        (self.good > 0).then(|| Band { min: self.min, mean: self.sum / f64::from(self.good), max: self.max })
    }

    fn add(&mut self, value: Option<f64>) {
        let Some(value) = value else {
            self.doubtful = self.doubtful.saturating_add(1);
            return;
        };
        (self.min, self.max) = if self.good == 0 { (value, value) } else { (self.min.min(value), self.max.max(value)) };
        self.good = self.good.saturating_add(1);
        self.sum += value;
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, other: &Part) -> Part {
        if other.good > 0 {
            let ends = (self.min.min(other.min), self.max.max(other.max));
            (self.min, self.max) = if self.good == 0 { (other.min, other.max) } else { ends };
        }
        self.good = self.good.saturating_add(other.good);
        self.doubtful = self.doubtful.saturating_add(other.doubtful);
        self.sum += other.sum;
        self
    }
}

/// The parts of a span, each in the place of its number.
#[derive(Debug, Clone)]
struct Ring {
    span: Span,
    places: Box<[Option<(i64, Part)>]>,
}

impl Ring {
    fn new(span: Span) -> Ring {
        Ring { span, places: vec![None; span.parts() + SPARE].into() }
    }

    fn place(&self, number: i64) -> usize {
        let places = i64::try_from(self.places.len()).unwrap_or(1);
        usize::try_from(number.rem_euclid(places)).unwrap_or(0)
    }

    fn add(&mut self, at: UnixMs, value: Option<f64>) {
        let number = self.span.number(at);
        let place = self.place(number);
        let part = &mut self.places[place];
        match part {
            Some((there, part)) if *there == number => part.add(value),
            Some((there, _)) if *there > number => {}
            _ => part.insert((number, Part::default())).1.add(value),
        }
    }

    fn parts(&self, now: UnixMs) -> Vec<Part> {
        let last = self.span.number(now);
        let shown = i64::try_from(self.span.parts()).unwrap_or(0);
        let part = |number: i64| match &self.places[self.place(number)] {
            Some((there, part)) if *there == number => *part,
            _ => Part::default(),
        };
        (last.saturating_sub(shown - 1)..=last).map(part).collect()
    }
}

/// A reading as it is shown by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    /// When it was made.
    pub at: UnixMs,
    /// What it says; none where the device sent no number.
    pub value: Option<Decimal>,
    /// How far that can be believed.
    pub quality: Quality,
}

/// One quantity of one device in one unit.
#[derive(Debug, Clone)]
pub struct Series {
    day: Ring,
    month: Ring,
    /// The newest reading.
    pub latest: Option<Latest>,
}

impl Series {
    fn new() -> Series {
        Series { day: Ring::new(Span::Day), month: Ring::new(Span::Month), latest: None }
    }

    /// The parts of a span up to now, the oldest first; those without a reading are empty.
    pub fn parts(&self, span: Span, now: UnixMs) -> Vec<Part> {
        match span {
            Span::Day => self.day.parts(now),
            Span::Month => self.month.parts(now),
        }
    }
}

/// What a device measures.
pub type Measured = BTreeMap<(Quantity, Unit), Series>;

/// All series of a box.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    devices: BTreeMap<SourceId, Measured>,
    count: usize,
    /// Readings of series beyond [`SERIES_MAX`].
    pub beyond: u64,
}

impl Tally {
    /// Takes in a reading that was made at `at`.
    pub fn add(&mut self, now: UnixMs, source: &SourceId, reading: &record::Reading, at: UnixMs) {
        if at.0 > now.0.saturating_add(AHEAD_MS_MAX) {
            return;
        }
        let series = match self.devices.get_mut(source).and_then(|all| all.get_mut(&key(reading))) {
            Some(series) => series,
            None if self.count >= SERIES_MAX => {
                self.beyond = self.beyond.saturating_add(1);
                return;
            }
            None => {
                self.count += 1;
                self.devices.entry(source.clone()).or_default().entry(key(reading)).or_insert_with(Series::new)
            }
        };
        let good = (reading.quality == Quality::Good).then_some(reading.value).flatten().and_then(float);
        series.day.add(at, good);
        series.month.add(at, good);
        if series.latest.is_none_or(|latest| latest.at <= at) {
            series.latest = Some(Latest { at, value: reading.value, quality: reading.quality });
        }
    }

    /// What a device measures.
    pub fn device(&self, source: &SourceId) -> Option<&Measured> {
        self.devices.get(source)
    }

    /// The devices that measured something, by name.
    pub fn devices(&self) -> impl Iterator<Item = (&SourceId, &Measured)> {
        self.devices.iter()
    }
}

fn key(reading: &record::Reading) -> (Quantity, Unit) {
    (reading.quantity.clone(), reading.unit.clone())
}

/// As a chart needs it; exact values stand beside it.
fn float(value: Decimal) -> Option<f64> {
    value.to_string().parse().ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use record::Reading;

    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOW: UnixMs = UnixMs(1_796_020_260_000);

    fn reading(value: Option<i64>, quality: Quality) -> Reading {
        let (quantity, unit) = (Quantity::new("cod").unwrap(), Unit::new("mg/L").unwrap());
        Reading { quantity, unit, value: value.map(Decimal::from), quality, at_ms: None }
    }

    fn device(name: &str) -> SourceId {
        SourceId::new(name).unwrap()
    }

    /// Written anew: all readings are kept, and each part looks for its own among them.
    fn naive(readings: &[(i64, Option<i64>)], span: Span, now: UnixMs) -> Vec<(usize, usize, Option<[f64; 3]>)> {
        let part_ms = span.part_ms();
        let end = (now.0 / part_ms + 1) * part_ms;
        let starts = (0..span.parts() as i64).rev().map(|back| end - (back + 1) * part_ms);
        starts
            .map(|start| {
                let here: Vec<Option<i64>> =
                    readings.iter().filter(|(at, _)| (start..start + part_ms).contains(at)).map(|(_, v)| *v).collect();
                let good: Vec<f64> = here.iter().flatten().map(|value| *value as f64).collect();
                let band = good.iter().copied().reduce(f64::min).map(|min| {
                    let max = good.iter().copied().reduce(f64::max).unwrap();
                    [min, good.iter().sum::<f64>() / good.len() as f64, max]
                });
                (good.len(), here.len() - good.len(), band)
            })
            .collect()
    }

    proptest! {
        /// In any order, over more than the spans, while time goes on: as if each part had looked for its own readings.
        #[test]
        fn parts_are_those_of_a_naive_second_count(
            readings in proptest::collection::vec((0..2_000_i64, proptest::option::weighted(0.9, -50..50_i64)), 0..200),
            minute in 0..240_i64,
        ) {
            let now = UnixMs(NOW.0 + minute * 60_000);
            let mut tally = Tally::default();
            // Half an hour apart, some minutes ahead of now included.
            let readings: Vec<(i64, Option<i64>)> =
                readings.into_iter().map(|(at, value)| (now.0 + AHEAD_MS_MAX - at * HOUR_MS / 2, value)).collect();
            let source = device("cod-1");
            for (at, value) in &readings {
                let quality = if value.is_some() { Quality::Good } else { Quality::Missing };
                tally.add(now, &source, &reading(*value, quality), UnixMs(*at));
            }
            for span in [Span::Day, Span::Month] {
                let Some(series) = tally.device(&source).and_then(|all| all.values().next()) else { continue };
                let shown: Vec<_> = series
                    .parts(span, now)
                    .iter()
                    .map(|part| {
                        let band = part.band().map(|band| [band.min, band.mean, band.max]);
                        (part.good as usize, part.doubtful as usize, band)
                    })
                    .collect();
                prop_assert_eq!(shown, naive(&readings, span, now));
            }
        }
    }

    #[test]
    fn what_is_not_good_counts_and_is_in_no_band() {
        let mut tally = Tally::default();
        tally.add(NOW, &device("cod-1"), &reading(Some(9_999), Quality::OutOfRange), NOW);
        tally.add(NOW, &device("cod-1"), &reading(Some(5), Quality::Good), UnixMs(NOW.0 - 1));
        let series = tally.device(&device("cod-1")).unwrap().values().next().unwrap();
        let last = *series.parts(Span::Day, NOW).last().unwrap();
        assert_eq!((last.good, last.doubtful, last.band().unwrap().max), (1, 1, 5.0));
        assert_eq!(series.latest.unwrap().quality, Quality::OutOfRange, "the newest is shown, and how it is");
    }

    #[test]
    fn a_clock_that_is_ahead_hides_nothing() {
        let mut tally = Tally::default();
        let ahead = UnixMs(NOW.0 + AHEAD_MS_MAX + 1);
        tally.add(NOW, &device("cod-1"), &reading(Some(7), Quality::Good), ahead);
        assert!(tally.device(&device("cod-1")).is_none());
    }

    #[test]
    fn series_are_bounded_and_what_is_beyond_is_counted() {
        let mut tally = Tally::default();
        for nth in 0..=SERIES_MAX {
            tally.add(NOW, &device(&format!("d-{nth}")), &reading(Some(1), Quality::Good), NOW);
        }
        assert_eq!((tally.devices().count(), tally.beyond), (SERIES_MAX, 1));
    }

    #[test]
    fn days_of_the_month_begin_at_midnight_in_beijing() {
        let from = Span::Month.from(NOW);
        assert_eq!(crate::wording::clock(from), "16:00");
        assert_eq!((from.0 + 8 * HOUR_MS).rem_euclid(Span::Month.part_ms()), 0);
    }
}
