//! Comma-separated values (RFC 4180): one reading a mapped column and row.

mod rows;

use std::borrow::Cow;

use record::{Decimal, Quantity, Unit, UnixMs};
use serde::Deserialize;

use super::device_time::TimeFormat;
use super::document::shorten;
use super::mapping::MappingError;
use super::measured::{Found, Scaling, Target, quantity, require_known};
use super::plain::NotTextError;
use super::written::Written;
use super::{CodecError, DecodeError, Decoded, READINGS_MAX, Warning};
pub use rows::CsvError;

/// `kind = "csv"`. A row that lacks a column, or has no number in it, loses that reading and not the frame.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// One for each reading of a row.
    pub columns: Vec<CsvColumn>,
    /// What stands between cells: one ASCII character; a comma if absent.
    #[serde(default = "comma")]
    pub separator: char,
    /// Whether the first row names the columns.
    #[serde(default)]
    pub header: bool,
    /// Whether numbers are written `7,30`.
    #[serde(default)]
    pub decimal_comma: bool,
    /// The device's own time, if it sends one in each row.
    #[serde(default)]
    pub time: Option<CsvTime>,
}

/// One column and what it measures: `value = number × scale + offset`, exact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvColumn {
    /// Its number from 0, or its name in the header line.
    pub column: Column,
    /// What it measures.
    #[serde(deserialize_with = "quantity")]
    pub quantity: Quantity,
    /// In what, after scale and offset.
    pub unit: Unit,
    /// Factor; 1 if absent.
    #[serde(default)]
    pub scale: Option<Decimal>,
    /// Summand after the factor; 0 if absent.
    #[serde(default)]
    pub offset: Option<Decimal>,
    /// Least plausible value, in `unit`.
    #[serde(default)]
    pub min: Option<Decimal>,
    /// Greatest plausible value, in `unit`.
    #[serde(default)]
    pub max: Option<Decimal>,
    /// What stands behind the number, such as its unit.
    #[serde(default)]
    pub suffix: Option<String>,
    /// Whether an absent or empty cell gives no reading at all.
    #[serde(default)]
    pub optional: bool,
}

/// Which column.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// By its place, from 0.
    Index(u8),
    /// By its name in the header line.
    Name(String),
}

/// Where a row's own time stands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvTime {
    /// The column.
    pub column: Column,
    /// How it is written.
    pub format: TimeFormat,
}

fn comma() -> char {
    ','
}

impl Csv {
    pub(super) fn decode(&self, payload: &[u8]) -> Result<Decoded, DecodeError> {
        let text = NotTextError::text(payload)?;
        let separator = u8::try_from(self.separator).unwrap_or(b',');
        let rows = rows::rows(text, separator, READINGS_MAX)?;
        let (names, values) = match rows.split_first() {
            Some((names, values)) if self.header => (names.as_slice(), values),
            _ => (&[][..], rows.as_slice()),
        };
        if values.is_empty() {
            return Err(CsvError::Empty.into());
        }
        let places = self.columns.iter().map(|column| column.column.place(names)).collect::<Result<Vec<_>, _>>()?;
        let time = match &self.time {
            Some(time) => Some((time.column.place(names)?, time.format)),
            None => None,
        };
        let mut decoded = Decoded::default();
        let mut present = 0;
        for row in values {
            let at_ms = time.and_then(|(place, format)| {
                read_time(cell(row, place), format).map_err(|warning| decoded.warnings.push(warning)).ok()
            });
            for (column, place) in self.columns.iter().zip(&places) {
                let cell = cell(row, *place);
                present += usize::from(cell.is_some());
                column.measure(cell, self.decimal_comma, at_ms, &mut decoded);
            }
            if decoded.readings.len() > READINGS_MAX {
                return Err(DecodeError::TooManyReadings);
            }
        }
        if present == 0 || decoded.readings.is_empty() {
            return Err(MappingError::NothingMapped { paths: self.first_columns() }.into());
        }
        Ok(decoded)
    }

    /// Three columns are enough to recognise the mapping by.
    fn first_columns(&self) -> String {
        let columns: Vec<String> = self.columns.iter().take(3).map(|column| column.column.shown()).collect();
        columns.join(", ")
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        if self.columns.is_empty() {
            return Err(CodecError::Empty { key: "columns", entry: "{ column, quantity, unit }" });
        }
        if self.columns.len() > READINGS_MAX {
            return Err(CodecError::TooMany { key: "columns", count: self.columns.len() });
        }
        let taken = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "\"\r\n.+-".contains(c);
        if taken(self.separator) || (self.decimal_comma && self.separator == ',') {
            return Err(CodecError::Separator { separator: self.separator });
        }
        for (place, column) in self.columns.iter().enumerate() {
            let key = format!("columns[{place}]");
            require_known(&column.unit, &key)?;
            column.target().scaling.validate(&key)?;
            self.require_header(&column.column, &key)?;
            if self.columns[..place].iter().any(|earlier| earlier.quantity == column.quantity) {
                return Err(CodecError::DuplicateQuantity { key, quantity: column.quantity.to_string() });
            }
        }
        self.time.as_ref().map_or(Ok(()), |time| self.require_header(&time.column, "time"))
    }

    /// Names only mean something if a header line says them.
    fn require_header(&self, column: &Column, key: &str) -> Result<(), CodecError> {
        match column {
            Column::Name(name) if !self.header => {
                Err(CodecError::NoHeader { key: key.to_owned(), column: name.clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Column {
    /// Its place in each row; `None` if the header line lacks it.
    fn place(&self, names: &[Cow<'_, str>]) -> Result<Option<usize>, CsvError> {
        let name = match self {
            Column::Index(place) => return Ok(Some(usize::from(*place))),
            Column::Name(name) => name,
        };
        let mut places = names.iter().enumerate().filter(|(_, cell)| cell.trim_ascii() == name);
        match (places.next(), places.next()) {
            (_, Some(_)) => Err(CsvError::DuplicateColumn { name: shorten(name) }),
            (first, None) => Ok(first.map(|(place, _)| place)),
        }
    }

    fn shown(&self) -> String {
        match self {
            Column::Index(place) => place.to_string(),
            Column::Name(name) => shorten(name),
        }
    }
}

fn cell<'r>(row: &'r [Cow<'_, str>], place: Option<usize>) -> Option<&'r str> {
    row.get(place?).map(|cell| &**cell)
}

fn read_time(cell: Option<&str>, format: TimeFormat) -> Result<UnixMs, Warning> {
    let cell = cell.ok_or(Warning::DeviceTime { found: None })?.trim_ascii();
    format.parse(cell).ok_or_else(|| Warning::DeviceTime { found: Some(shorten(cell)) })
}

impl CsvColumn {
    fn measure(&self, cell: Option<&str>, decimal_comma: bool, at_ms: Option<UnixMs>, decoded: &mut Decoded) {
        let written = Written { decimal_comma, suffix: self.suffix.as_deref() };
        let found = match cell {
            None if self.optional => return,
            Some(cell) if self.optional && cell.trim_ascii().is_empty() => return,
            None => Found::Nothing,
            Some(cell) => written.read(cell),
        };
        decoded.measure(&self.target(), found, at_ms);
    }

    fn target(&self) -> Target<'_> {
        let scaling = Scaling { scale: self.scale, offset: self.offset, min: self.min, max: self.max };
        Target { quantity: &self.quantity, unit: &self.unit, scaling }
    }
}

#[cfg(test)]
mod tests;
