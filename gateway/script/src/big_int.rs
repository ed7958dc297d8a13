//! Whether a source has a `BigInt` literal. One operator on a huge one lasts a second and counts as nothing, so no codec
//! gets any: the prelude takes away what makes them, and this finds those that are written down.
//!
//! Where a `/` begins a regular expression, and so what stands in a text and what does not, only a parser knows. The
//! engine's own is asked: `9n` becomes `9z`, which is as good in a comment, a text or a regular expression, and is an
//! error as a number.

use crate::engine::Engine;
use crate::error::{Fault, ScriptError};

/// Parses with the source, then ends before anything of it runs.
const UNRUN: &str = "throw 0;";

/// Refuses a source with a literal.
pub(crate) fn refuse(source: &str) -> Result<(), ScriptError> {
    let places = places(source);
    if places.is_empty() || parse(&spoilt(source, &places))?.is_ok() {
        return Ok(());
    }
    if let Err(message) = parse(source)? {
        return Err(ScriptError::Syntax { message });
    }
    let (mut good, mut bad) = (0, places.len()); // how many can be spoilt
    while good + 1 < bad {
        let middle = good.midpoint(bad);
        match parse(&spoilt(source, places.get(..middle).unwrap_or_default()))? {
            Ok(()) => good = middle,
            Err(_) => bad = middle,
        }
    }
    let before = places.get(good).and_then(|place| source.get(..*place)).unwrap_or_default();
    Err(ScriptError::BigInt { line: 1 + before.matches('\n').count() })
}

/// Where an `n` ends a word that begins with a digit, in bytes: every literal, and more.
fn places(source: &str) -> Vec<usize> {
    let bytes = source.as_bytes();
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$');
    let mut places = Vec::new();
    let mut first = None;
    for (place, byte) in bytes.iter().enumerate() {
        if !word(byte) {
            first = None;
            continue;
        }
        let begin = *first.get_or_insert(*byte);
        if *byte == b'n' && begin.is_ascii_digit() {
            places.push(place);
        }
    }
    places
}

/// The source with a `z` at these places.
fn spoilt(source: &str, places: &[usize]) -> String {
    let mut text = String::with_capacity(source.len());
    let mut from = 0;
    for place in places {
        text.push_str(source.get(from..*place).unwrap_or_default());
        text.push('z');
        from = place + 1;
    }
    text.push_str(source.get(from..).unwrap_or_default());
    text
}

/// Whether it is JavaScript, else what the engine says. Nothing of it runs.
fn parse(source: &str) -> Result<Result<(), String>, ScriptError> {
    // A first line that names an interpreter is a comment only at the very start.
    let text = match source.strip_prefix("#!") {
        Some(rest) => format!("{UNRUN}//{rest}"),
        None => format!("{UNRUN}{source}"),
    };
    match Engine::new(0).map_err(ScriptError::Load)?.run(&text) {
        Fault::Threw { message } if message == "0" => Ok(Ok(())),
        Fault::Threw { message } => Ok(Err(message)),
        fault => Err(ScriptError::Load(fault)),
    }
}
