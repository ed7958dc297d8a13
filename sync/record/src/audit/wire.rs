//! Texts and bytes of an entry, bounded where they are read (B1), and as hex digits in JSON.

use minicbor::{Decoder, decode};
use serde::{Deserialize, Deserializer};

use super::{Act, Audit};

pub(super) fn bounded<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<String, decode::Error> {
    let text = d.str()?;
    if text.len() > Audit::TEXT_BYTES_MAX {
        return Err(decode::Error::message("a text of an audit entry has at most 1000 bytes"));
    }
    Ok(text.to_owned())
}

pub(super) fn bounded_option<C>(d: &mut Decoder<'_>, ctx: &mut C) -> Result<Option<String>, decode::Error> {
    match d.datatype()? {
        minicbor::data::Type::Null => d.null().map(|()| None),
        _ => bounded(d, ctx).map(Some),
    }
}

pub(super) fn bounded_command<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Audit::COMMAND_BYTES_MAX {
        return Err(decode::Error::message("a command has at most 32768 bytes"));
    }
    Ok(bytes.to_owned())
}

pub(super) fn bounded_bytes<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Act::STATEMENT_BYTES_MAX {
        return Err(decode::Error::message("a statement about keys has at most 4096 bytes"));
    }
    Ok(bytes.to_vec())
}

pub(super) fn bounded_frame<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Vec<u8>, decode::Error> {
    let bytes = d.bytes()?;
    if bytes.len() > Act::TEST_FRAME_BYTES_MAX {
        return Err(decode::Error::message("a test frame has at most 256 bytes"));
    }
    Ok(bytes.to_vec())
}

pub(super) fn bytes_as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}

pub(super) fn bytes_from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    hex::decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

pub(super) fn as_hex<S: serde::Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&hex::encode(bytes))
}

pub(super) fn from_hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut bytes = [0; 32];
    hex::decode_to_slice(&text, &mut bytes).map_err(|_| serde::de::Error::custom("it is not 64 hex digits"))?;
    Ok(bytes)
}
