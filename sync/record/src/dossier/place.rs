//! Where an outfall is, and what it discharges into.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::{Deserialize, Deserializer, Serialize};

use super::terms::terms;
use super::words::{Few, Words};
use crate::Decimal;

terms! {
    /// What coordinates refer to. The two differ by some centimetres. GCJ-02, by which Chinese map services show places, is
    /// refused: it is shifted by some hundreds of metres.
    Datum {
        0 Cgcs2000 "CGCS2000" "CGCS2000" "2000国家大地坐标系" alias "cgcs2000",
        1 Wgs84 "WGS-84" "WGS-84" "WGS-84坐标系" alias "WGS84",
    }
}

/// A point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Degrees east, -180 to 180.
    #[n(0)]
    #[cbor(decode_with = "east")]
    #[serde(deserialize_with = "longitude_of")]
    pub longitude: Decimal,
    /// Degrees north, -90 to 90.
    #[n(1)]
    #[cbor(decode_with = "north")]
    #[serde(deserialize_with = "latitude_of")]
    pub latitude: Decimal,
    /// What they refer to.
    #[n(2)]
    #[serde(deserialize_with = "datum_of")]
    pub datum: Datum,
}

fn within(degrees: Decimal, max: i64) -> Result<Decimal, String> {
    if Decimal::from(-max) <= degrees && degrees <= Decimal::from(max) {
        return Ok(degrees);
    }
    Err(format!("{degrees} is not within -{max} to {max} degrees"))
}

fn east<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Decimal, decode::Error> {
    within(Decimal::decode(d, ctx)?, 180).map_err(decode::Error::message)
}

fn north<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Decimal, decode::Error> {
    within(Decimal::decode(d, ctx)?, 90).map_err(decode::Error::message)
}

fn longitude_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    within(Decimal::deserialize(deserializer)?, 180).map_err(serde::de::Error::custom)
}

fn latitude_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    within(Decimal::deserialize(deserializer)?, 90).map_err(serde::de::Error::custom)
}

fn datum_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Datum, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.to_ascii_uppercase().replace(['-', ' '], "") == "GCJ02" {
        return Err(serde::de::Error::custom(
            "GCJ-02 is shifted by some hundreds of metres and cannot be undone exactly: give the position in CGCS2000 or WGS-84",
        ));
    }
    Datum::deserialize(serde::de::value::StringDeserializer::<D::Error>::new(text))
}

/// The administrative place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// Code of the division by GB/T 2260, six digits.
    #[n(0)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub division: Option<Words<12>>,
    /// Province, city and county.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub county: Option<Words<200>>,
    /// Town or street, and village.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub town: Option<Words<200>>,
    /// How to find it.
    #[n(3)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Words<300>>,
}

terms! {
    /// Classes of surface water, GB 3838-2002.
    WaterClass {
        0 I "I" "class I" "Ⅰ类" alias "Ⅰ",
        1 II "II" "class II" "Ⅱ类" alias "Ⅱ",
        2 III "III" "class III" "Ⅲ类" alias "Ⅲ",
        3 IV "IV" "class IV" "Ⅳ类" alias "Ⅳ",
        4 V "V" "class V" "Ⅴ类" alias "Ⅴ",
    }
}

/// The water that receives the discharge (受纳水体).
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct ReceivingWater {
    /// Its name.
    #[n(0)]
    pub name: Words<200>,
    /// River system (所属水系) and basin (流域).
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basin: Option<Words<200>>,
    /// Whether it is a key river or lake (重点河湖).
    #[n(2)]
    #[serde(default)]
    pub key_water: bool,
    /// Whether it is a lake, or a river that flows into one (入湖河流).
    #[n(3)]
    #[serde(default)]
    pub lake: bool,
    /// The water functional zone (水功能区), of which the second level counts where there is one.
    #[n(4)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functional_zone: Option<Zone>,
    /// The zone of water environment functions (水环境功能区).
    #[n(5)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_zone: Option<Zone>,
    /// Sections that are assessed (国控、省控、市控断面).
    #[n(6)]
    #[serde(skip_serializing_if = "Few::is_empty", default)]
    pub sections: Few<Words<200>, 8>,
}

/// A zone with what its water has to attain.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[cbor(array)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its name.
    #[n(0)]
    pub name: Words<200>,
    /// The target of its water quality.
    #[n(1)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<WaterClass>,
    /// Whether it is attained; none: not known.
    #[n(2)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attained: Option<bool>,
}
