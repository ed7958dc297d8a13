//! Texts, lists and days of a dossier, each with its bound.

use std::fmt;
use std::ops::Deref;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One line of words: 1 to `BYTES_MAX` bytes of UTF-8 (a Chinese character has three) without control characters and without
/// spaces at its ends, so that it fits a cell of a table and a line of a report.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Words<const BYTES_MAX: usize>(String);

/// Why a text is no [`Words`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// Nothing in it.
    #[error("a text is empty: leave it out, or write something")]
    Empty,
    /// Too many bytes.
    #[error("a text has {found} bytes, at most {max} are taken (a Chinese character has 3): `{begin}…`")]
    Long {
        /// What it has.
        found: usize,
        /// What it may have.
        max: usize,
        /// How it begins.
        begin: String,
    },
    /// A line break, a tabulator or the like.
    #[error("a text is to be one line without control characters: `{0}`")]
    Control(String),
}

impl<const BYTES_MAX: usize> Words<BYTES_MAX> {
    /// Checks and takes a text; spaces at its ends are taken off.
    ///
    /// # Errors
    /// [`WordsError`].
    pub fn new(text: &str) -> Result<Self, WordsError> {
        let text = text.trim();
        let begin = || text.chars().take(20).map(|c| if c.is_control() { '␣' } else { c }).collect();
        if text.is_empty() {
            return Err(WordsError::Empty);
        }
        if text.len() > BYTES_MAX {
            return Err(WordsError::Long { found: text.len(), max: BYTES_MAX, begin: begin() });
        }
        if text.chars().any(char::is_control) {
            return Err(WordsError::Control(begin()));
        }
        Ok(Words(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const BYTES_MAX: usize> fmt::Display for Words<BYTES_MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<const BYTES_MAX: usize> fmt::Debug for Words<BYTES_MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl<C, const BYTES_MAX: usize> Encode<C> for Words<BYTES_MAX> {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.0)?.ok()
    }
}

impl<'b, C, const BYTES_MAX: usize> Decode<'b, C> for Words<BYTES_MAX> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let text = d.str()?;
        let words = Words::new(text).map_err(decode::Error::custom)?;
        // Else one text had two spellings, and two leaf hashes.
        if words.0 == text { Ok(words) } else { Err(decode::Error::message("a text begins or ends with a space")) }
    }
}

impl<const BYTES_MAX: usize> Serialize for Words<BYTES_MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, const BYTES_MAX: usize> Deserialize<'de> for Words<BYTES_MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Words::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A list of at most `MAX` entries. An empty one is left out of what is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Few<T, const MAX: usize>(Vec<T>);

/// More entries than a list may have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a list has {found} entries, at most {max} are taken")]
pub struct FewError {
    found: usize,
    max: usize,
}

impl<T, const MAX: usize> Few<T, MAX> {
    /// Takes a list.
    ///
    /// # Errors
    /// [`FewError`] if it has more than `MAX` entries.
    pub fn new(entries: Vec<T>) -> Result<Self, FewError> {
        match entries.len() {
            found if found > MAX => Err(FewError { found, max: MAX }),
            _ => Ok(Few(entries)),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, to be changed in place: their number stays.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }
}

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Few(Vec::new())
    }
}

impl<T, const MAX: usize> Deref for Few<T, MAX> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: fmt::Debug, const MAX: usize> fmt::Debug for Few<T, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<C, T: Encode<C>, const MAX: usize> Encode<C> for Few<T, MAX> {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), encode::Error<W::Error>> {
        if self.0.is_empty() { e.null()?.ok() } else { self.0.encode(e, ctx) }
    }

    fn is_nil(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'b, C, T: Decode<'b, C>, const MAX: usize> Decode<'b, C> for Few<T, MAX> {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, decode::Error> {
        if d.datatype()? == minicbor::data::Type::Null {
            d.null()?;
            return Ok(Few::default());
        }
        let len = d.array()?.and_then(|len| usize::try_from(len).ok()).filter(|len| (1..=MAX).contains(len));
        let len = len.ok_or_else(|| decode::Error::message("a list has no entry, or too many, or no stated length"))?;
        // Not reserved at once: the length is only a claim until the entries are there.
        let entries: Result<Vec<T>, decode::Error> = (0..len).map(|_| T::decode(d, ctx)).collect();
        entries.map(Few)
    }

    fn nil() -> Option<Self> {
        Some(Few::default())
    }
}

impl<T: Serialize, const MAX: usize> Serialize for Few<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Few<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Few::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A day of the civil calendar in Beijing time, `2026-11-29`: what permits and registers state.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

/// Not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no day: write it as 2026-11-29")]
pub struct DayError(String);

impl Day {
    /// Reads `2026-11-29`, from the year 1900 on.
    ///
    /// # Errors
    /// [`DayError`].
    pub fn new(text: &str) -> Result<Day, DayError> {
        let error = || DayError(text.chars().take(20).collect());
        let bytes = text.as_bytes();
        let digits = |at: std::ops::Range<usize>| {
            let part = text.get(at).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
            part.and_then(|part| part.parse::<u16>().ok())
        };
        if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
            return Err(error());
        }
        let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(5..7), digits(8..10)) else {
            return Err(error());
        };
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => 0,
        };
        if year < 1900 || day == 0 || day > days {
            return Err(error());
        }
        let narrow = |number: u16| u8::try_from(number).map_err(|_| error());
        Ok(Day { year, month: narrow(month)?, day: narrow(day)? })
    }

    /// The day so many days after 1970-01-01, from the year 1900 to 9999.
    pub fn of(days_since_1970: i64) -> Option<Day> {
        // Years are counted from March on, so that a leap day is the last of its year; 400 of them have 146,097 days.
        let since_march = days_since_1970.checked_add(719_468)?;
        let (era, of_era) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let year = u16::try_from(year).ok().filter(|year| (1900..=9999).contains(year))?;
        Some(Day { year, month: u8::try_from(month).ok()?, day: u8::try_from(day).ok()? })
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl<C> Encode<C> for Day {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Day {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Day::new(d.str()?).map_err(decode::Error::custom)
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Day::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// From which day to which something holds; both belong to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields, default)]
pub struct Validity {
    /// The first day; none: since ever.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Day>,
    /// The last day; none: until further notice.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Day>,
}

impl Validity {
    /// Without bounds.
    pub fn is_open(&self) -> bool {
        *self == Validity::default()
    }

    /// Whether it holds on that day.
    pub fn holds_on(&self, day: Day) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// Whether it ends before it begins.
    pub fn is_backwards(&self) -> bool {
        matches!((self.from, self.to), (Some(from), Some(to)) if to < from)
    }
}
