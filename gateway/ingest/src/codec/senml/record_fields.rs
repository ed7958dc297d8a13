//! The labels of one SenML record (RFC 8428 §4.1, §4.2, table 1), checked for type, not yet resolved.

use record::{Decimal, Quality, Reading};

use super::{Node, SenmlError, VERSION, Value, shorten};

/// What one record states itself.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) base_name: Option<String>,
    pub(super) base_time: Option<Decimal>,
    pub(super) base_unit: Option<String>,
    pub(super) base_value: Option<Decimal>,
    pub(super) name: Option<String>,
    pub(super) time: Option<Decimal>,
    pub(super) unit: Option<String>,
    pub(super) measured: Option<Measured>,
    /// Whether there is an `s`.
    pub(super) sum: bool,
}

/// The one value of a record.
pub(super) enum Measured {
    /// `v`.
    Number(Decimal),
    /// `vb`.
    Bool(bool),
    /// `vs` or `vd`, which are no measurements; `v` as `NaN` (which §4.3 does not have, but a broken probe sends beside
    /// four sound values), or beyond what a [`Decimal`] keeps. Shortened for a message.
    NotANumber(String),
}

impl Fields {
    /// # Errors
    /// [`SenmlError`] for a label of the wrong type, a version beyond 10, two values, or a label that must be
    /// understood. Other unknown labels are ignored (§4.4).
    pub(super) fn read(record: usize, node: &Node<'_>) -> Result<Fields, SenmlError> {
        let Value::Object(members) = &node.value else {
            return Err(SenmlError::NotARecord { record, at: node.at });
        };
        let mut fields = Fields::default();
        for (label, member) in members {
            let at = Place { record, node: member };
            match &**label {
                "bn" => fields.base_name = Some(at.text("bn")?),
                "bt" => fields.base_time = Some(at.time("bt")?),
                "bu" => fields.base_unit = Some(at.text("bu")?),
                "bv" => fields.base_value = Some(at.number("bv")?.ok_or(at.wrong("bv", "a number of 18 digits"))?),
                "bs" => drop(at.number("bs")?),
                "bver" => at.version()?,
                "n" => fields.name = Some(at.text("n")?),
                "u" => fields.unit = Some(at.text("u")?),
                "t" => fields.time = Some(at.time("t")?),
                "ut" => drop(at.number("ut")?),
                "s" => fields.sum = at.number("s").map(|_| true)?,
                "v" => fields.measure(record, at.measured()?)?,
                "vb" => fields.measure(record, Measured::Bool(at.bool("vb")?))?,
                "vs" => fields.measure(record, at.text("vs").map(|text| Measured::NotANumber(shorten(&text)))?)?,
                "vd" => fields.measure(record, Measured::NotANumber(at.data()?))?,
                extension if extension.ends_with('_') => {
                    return Err(SenmlError::MustUnderstand { record, label: shorten(extension) });
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    /// What stood there instead of the value that the resolved reading lacks.
    pub(super) fn not_a_number(&self, reading: &Reading) -> Option<String> {
        match &self.measured {
            Some(Measured::NotANumber(found)) => Some(found.clone()),
            Some(Measured::Number(number)) if reading.quality == Quality::NotANumber => Some(number.to_string()),
            _ => None,
        }
    }

    fn measure(&mut self, record: usize, measured: Measured) -> Result<(), SenmlError> {
        match self.measured.replace(measured) {
            None => Ok(()),
            Some(_) => Err(SenmlError::SeveralValues { record }),
        }
    }
}

/// One member's value and the record it belongs to.
struct Place<'n, 'a> {
    record: usize,
    node: &'n Node<'a>,
}

impl Place<'_, '_> {
    fn wrong(&self, label: &'static str, expected: &'static str) -> SenmlError {
        SenmlError::WrongType { record: self.record, at: self.node.at, label, expected }
    }

    fn text(&self, label: &'static str) -> Result<String, SenmlError> {
        match &self.node.value {
            Value::Text(text) => Ok(text.to_string()),
            _ => Err(self.wrong(label, "a text")),
        }
    }

    /// `v`.
    fn measured(&self) -> Result<Measured, SenmlError> {
        match &self.node.value {
            Value::Number(number) => {
                Ok(Decimal::parse(number).map_or_else(|_| Measured::NotANumber(shorten(number)), Measured::Number))
            }
            Value::NotFinite(word) => Ok(Measured::NotANumber(shorten(word))),
            _ => Err(self.wrong("v", "a number")),
        }
    }

    /// `vd`: base64 text in JSON, bytes in CBOR.
    fn data(&self) -> Result<String, SenmlError> {
        match &self.node.value {
            Value::Text(_) | Value::Bytes(_) => Ok(self.node.value.shown()),
            _ => Err(self.wrong("vd", "data")),
        }
    }

    /// A number; `None` inside if it is one, but beyond what a [`Decimal`] keeps.
    fn number(&self, label: &'static str) -> Result<Option<Decimal>, SenmlError> {
        match &self.node.value {
            Value::Number(number) => Ok(Decimal::parse(number).ok()),
            _ => Err(self.wrong(label, "a number")),
        }
    }

    fn time(&self, label: &'static str) -> Result<Decimal, SenmlError> {
        self.number(label)?.ok_or(SenmlError::Time { record: self.record })
    }

    fn bool(&self, label: &'static str) -> Result<bool, SenmlError> {
        match self.node.value {
            Value::Bool(bool) => Ok(bool),
            _ => Err(self.wrong(label, "true or false")),
        }
    }

    fn version(&self) -> Result<(), SenmlError> {
        let version = self.number("bver")?;
        let known = (1..=VERSION).any(|known| version == Some(Decimal::from(known)));
        let written = version.map_or_else(|| "out of range".to_owned(), |version| version.to_string());
        if known { Ok(()) } else { Err(SenmlError::Version { record: self.record, version: written }) }
    }
}
