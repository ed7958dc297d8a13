//! What the readings of one device came to over a time of the clock.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::Serialize;

use crate::{Decimal, OutfallCode, Period, Quantity, SourceId, Unit, UnixMs};

/// One device over one window of the clock: from `from_ms` on, before `from_ms` and its period. Only good readings count, by
/// when they were measured, as far as that can be believed; what came after the window was closed does not, nor what was
/// decoded again. There is one of each device, outfall, period and window, and none where no reading came.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Aggregate {
    /// The device.
    #[n(0)]
    pub source: SourceId,
    /// The outfall at which it stood when the readings came, if it stood at one.
    #[n(1)]
    pub outfall: Option<OutfallCode>,
    /// When the window begins (`DataTime` of HJ 212).
    #[n(2)]
    pub from_ms: UnixMs,
    /// How long it is.
    #[n(3)]
    pub period: Period,
    /// Of each quantity and unit, ascending: 1 to [`Aggregate::VALUES_MAX`].
    #[n(4)]
    #[cbor(decode_with = "bounded")]
    pub values: Vec<AggregateValue>,
}

/// What one quantity came to.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct AggregateValue {
    /// What was measured.
    #[n(0)]
    pub quantity: Quantity,
    /// In what.
    #[n(1)]
    pub unit: Unit,
    /// Good readings.
    #[n(2)]
    pub good: u32,
    /// Readings that are not good: out of range, without a value, ... They count here and nowhere else.
    #[n(3)]
    pub doubtful: u32,
    /// Parts of the window with a good reading, of [`Period::parts`].
    #[n(4)]
    pub parts: u32,
    /// Of the good ones; none without one, or where a sum does not fit.
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statistics: Option<Statistics>,
}

/// `Min`, `Avg`, `Max` and `Cou` of HJ 212-2017 table 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Statistics {
    /// The lowest good reading.
    #[n(0)]
    pub min: Decimal,
    /// The arithmetic mean of the means of the parts that have a good reading (HJ 212-2017 appendix D.1), so that a time in
    /// which the device measured more often has no more weight. Two digits more than the finest reading, rounded half to even.
    #[n(1)]
    pub mean: Decimal,
    /// The highest good reading.
    #[n(2)]
    pub max: Decimal,
    /// Of a flow, the volume in m3 that passed in the parts that have a good reading: the mean of each times its length,
    /// rounded half to even to a millilitre.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volume_m3: Option<Decimal>,
}

impl Aggregate {
    /// Most values: a frame with more quantities is not known.
    pub const VALUES_MAX: usize = 128;

    /// When the window ends, which does not belong to it. Saturates beyond all calendars.
    pub fn to_ms(&self) -> UnixMs {
        UnixMs(self.from_ms.0.saturating_add(self.period.ms()))
    }

    /// Whether it has 1 to [`Aggregate::VALUES_MAX`] values in their order, with statistics only where something was good.
    pub fn is_bounded(&self) -> bool {
        is_bounded(&self.values)
    }
}

impl AggregateValue {
    fn is_sound(&self) -> bool {
        self.statistics.is_none() || (self.good > 0 && self.parts > 0)
    }
}

fn is_bounded(values: &[AggregateValue]) -> bool {
    (1..=Aggregate::VALUES_MAX).contains(&values.len())
        && values.iter().all(AggregateValue::is_sound)
        && values.is_sorted_by(|one, next| (&one.quantity, &one.unit) < (&next.quantity, &next.unit))
}

fn bounded<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<AggregateValue>, decode::Error> {
    let len = d.array()?.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= Aggregate::VALUES_MAX);
    let len = len.ok_or_else(|| decode::Error::message("an aggregate has at most 128 values"))?;
    let values: Vec<AggregateValue> = (0..len).map(|_| AggregateValue::decode(d, ctx)).collect::<Result<_, _>>()?;
    if !is_bounded(&values) {
        return Err(decode::Error::message("the values of an aggregate are none, not ascending, or made of nothing"));
    }
    Ok(values)
}
