//! What becomes a record of an outfall: a version of its dossier, and which devices stand there.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::Serialize;

use crate::dossier::{Dossier, OutfallCode};
use crate::{Actor, Audit, Seq, SourceId, UnixMs};

/// Something about an outfall changed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[serde(rename_all = "snake_case", tag = "tells")]
pub enum Outfall {
    /// It has this dossier from now on.
    #[n(0)]
    Dossier(#[n(0)] Box<DossierVersion>),
    /// These devices stand there from now on.
    #[n(1)]
    Devices(#[n(0)] Standing),
}

impl Outfall {
    /// Of which outfall.
    pub fn code(&self) -> &OutfallCode {
        match self {
            Outfall::Dossier(version) => &version.dossier.code,
            Outfall::Devices(standing) => &standing.outfall,
        }
    }

    /// Whether texts and lists keep their bounds. Those of a dossier do by their types.
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Outfall::Dossier(version) => version.reason.len() <= Audit::TEXT_BYTES_MAX,
            Outfall::Devices(standing) => standing.devices.len() <= Standing::DEVICES_MAX,
        }
    }
}

/// A whole dossier, with who made it so and why.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct DossierVersion {
    /// 1 for the first of its outfall, then one more with each change.
    #[n(0)]
    pub version: u32,
    /// Who.
    #[n(1)]
    pub by: Actor,
    /// Why, in that one's words: at most [`Audit::TEXT_BYTES_MAX`].
    #[n(2)]
    #[cbor(decode_with = "bounded_reason")]
    pub reason: String,
    /// What is in it.
    #[n(3)]
    pub dossier: Dossier,
    /// Where this version was told first, if its record was taken away since and this one tells it again.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

/// The record that told something first, and when that was by the box's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Told {
    /// Its number.
    #[n(0)]
    pub seq: Seq,
    /// Its wall time.
    #[n(1)]
    pub wall_ms: UnixMs,
}

/// Which devices stand at an outfall, by the device table: those, and no others.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize)]
#[cbor(array)]
pub struct Standing {
    /// The outfall.
    #[n(0)]
    pub outfall: OutfallCode,
    /// The devices, ascending: at most [`Standing::DEVICES_MAX`].
    #[n(1)]
    #[cbor(decode_with = "ascending")]
    pub devices: Vec<SourceId>,
    /// Since when, if the record that told it first was taken away and this one tells it again.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
}

impl Standing {
    /// Most devices at one outfall: all of a box.
    pub const DEVICES_MAX: usize = 2_000;
}

fn bounded_reason<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let text = d.str()?;
    if text.len() > Audit::TEXT_BYTES_MAX {
        return Err(decode::Error::message("the reason of a dossier's version has at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

fn ascending<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Vec<SourceId>, decode::Error> {
    let len = d.array()?.and_then(|len| usize::try_from(len).ok()).filter(|len| *len <= Standing::DEVICES_MAX);
    let len = len.ok_or_else(|| decode::Error::message("at most 2000 devices stand at an outfall"))?;
    let devices: Vec<SourceId> = (0..len).map(|_| SourceId::decode(d, ctx)).collect::<Result<_, _>>()?;
    if !devices.is_sorted_by(|one, other| one < other) {
        return Err(decode::Error::message("the devices at an outfall are not ascending"));
    }
    Ok(devices)
}
