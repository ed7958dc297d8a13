//! One value of one quantity.

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::{Decimal, Quality, Quantity, Unit, UnixMs};

/// One measured value. Without a value it says why ([`Quality`]); it is never a zero in disguise.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Reading {
    /// What was measured.
    #[n(0)]
    pub quantity: Quantity,
    /// In what.
    #[n(1)]
    pub unit: Unit,
    /// The value; `None` for [`Quality::NotANumber`] and [`Quality::Missing`], else `Some`.
    #[n(2)]
    pub value: Option<Decimal>,
    /// How far it can be believed.
    #[n(3)]
    pub quality: Quality,
    /// When the device says it measured, if it says so.
    #[n(4)]
    pub at_ms: Option<UnixMs>,
}
