//! What went wrong, in Chinese: sentences that errors made in English, found again by the templates that made them.
//!
//! An error's text is written once, in its `#[error("…")]`, by crates that know nothing of languages. Files beside this one
//! have the pairs, a file for each crate: `en` is the template as it stands in the source, `zh` has its holes by name. A test
//! says which template has no pair, and which pair no template. What has none stays English: a sentence that is understood
//! by half is better than none.
//!
//! Only people are told in Chinese: answers in JSON, logs of the daemons, and what one daemon tells the other stay English,
//! because programs read them.

mod template;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::LazyLock;

use template::{Filling, SIGNS, TRY, Template};

/// A longer text is no sentence of an error's, but what somebody else said.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// A sentence stands in a hole of a sentence, or behind it, so often at most.
const DEPTH_MAX: usize = 8;
/// So many places where a sentence may begin are tried within a text that is none as a whole.
const BEGINNINGS_MAX: usize = 8;
/// Letters of a template with holes, at least: one with fewer would be found in everything.
const LETTERS_MIN: usize = 2;

/// A file of pairs for each crate, as its folder is called; `words` has what stands in holes, and `foreign` what others say:
/// the system, the readers of TOML and of the command line.
const FILES: [(&str, &str); 24] = [
    ("weir", include_str!("translation/weir.zh.txt")),
    ("ingest", include_str!("translation/ingest.zh.txt")),
    ("gatewayd", include_str!("translation/gatewayd.zh.txt")),
    ("rules", include_str!("translation/rules.zh.txt")),
    ("lorawan", include_str!("translation/lorawan.zh.txt")),
    ("chirpstack", include_str!("translation/chirpstack.zh.txt")),
    ("mqtt", include_str!("translation/mqtt.zh.txt")),
    ("script", include_str!("translation/script.zh.txt")),
    ("envelope", include_str!("translation/envelope.zh.txt")),
    ("serial", include_str!("translation/serial.zh.txt")),
    ("relay", include_str!("translation/relay.zh.txt")),
    ("page", include_str!("translation/page.zh.txt")),
    ("syncd", include_str!("translation/syncd.zh.txt")),
    ("platform", include_str!("translation/platform.zh.txt")),
    ("batch", include_str!("translation/batch.zh.txt")),
    ("record", include_str!("translation/record.zh.txt")),
    ("journal", include_str!("translation/journal.zh.txt")),
    ("evidence", include_str!("translation/evidence.zh.txt")),
    ("notify", include_str!("translation/notify.zh.txt")),
    ("control", include_str!("translation/control.zh.txt")),
    ("identity", include_str!("translation/identity.zh.txt")),
    ("layers", include_str!("translation/layers.zh.txt")),
    ("versions", include_str!("translation/versions.zh.txt")),
    ("words", include_str!("translation/words.zh.txt")),
];
const FOREIGN: &str = include_str!("translation/foreign.zh.txt");

/// A template in both languages.
struct Pair {
    english: Template,
    chinese: Template,
}

/// Those that begin with a text before those that begin with a hole, and of each the ones with the most text first: the first
/// that fits is the one that made the sentence.
static PAIRS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let texts = FILES.iter().map(|(_, text)| *text).chain([FOREIGN]).flat_map(pairs);
    let parsed = texts.filter_map(|(english, chinese)| {
        let (english, chinese) = (Template::parse(&unfolded(english))?, Template::parse(&unfolded(chinese))?);
        (english.letters() >= LETTERS_MIN || english.is_whole()).then_some(Pair { english, chinese })
    });
    let mut all: Vec<Pair> = parsed.collect();
    all.sort_by_key(|pair| (pair.english.begins_with_hole(), Reverse(pair.english.literal_bytes())));
    all
});

/// The pairs of lines, `en` and `zh`, of such a file.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    std::iter::from_fn(move || Some((lines.next()?.strip_prefix("en ")?, lines.next()?.strip_prefix("zh ")?)))
}

/// Ends of lines within a template.
fn unfolded(text: &str) -> String {
    text.replace('⏎', "\n")
}

/// The text in Chinese, as far as its sentences are known.
pub(crate) fn chinese(english: &str) -> Cow<'_, str> {
    translated(english, 0).map_or(Cow::Borrowed(english), Cow::Owned)
}

fn translated(text: &str, depth: usize) -> Option<String> {
    if depth == DEPTH_MAX || text.len() > TEXT_BYTES_MAX {
        return None;
    }
    sentence(text, depth).or_else(|| lines(text, depth)).or_else(|| tail(text, depth))
}

/// A text that one template made, and what follows it.
fn sentence(text: &str, depth: usize) -> Option<String> {
    // Of several lines each is a sentence of its own, except where the template has them.
    let is_one_line = !text.contains('\n');
    let mut fitting = PAIRS.iter().filter(|pair| is_one_line || pair.english.has_lines());
    let (pair, mut found) = fitting.find_map(|pair| Some((pair, pair.english.find(text)?)))?;
    // What stands in quotes is a name, and stays one.
    let said = |hole: &Filling<'_>| if hole.is_quoted { None } else { translated(hole.text, depth + 1) };
    let mut known: Vec<Option<String>> = found.holes.iter().map(said).collect();
    if let (Some(last), Some(None)) = (found.holes.last_mut(), known.last())
        && pair.english.ends_with_hole()
        && let Some((what, command)) = last.text.split_once(TRY.english)
    {
        // What to do is no part of what is wrong.
        (last.text, found.rest) = (what, Some((&TRY, command)));
        known.pop();
        known.push(translated(what, depth + 1));
    }
    let mut told = pair.chinese.filled(|name| {
        let (hole, known) = found.holes.iter().zip(&known).find(|(hole, _)| hole.name == name)?;
        Some(known.clone().unwrap_or_else(|| hole.text.to_owned()))
    });
    if let Some((sign, rest)) = found.rest {
        told += sign.chinese;
        told += &translated(rest, depth + 1).unwrap_or_else(|| rest.to_owned());
    }
    Some(told)
}

/// A text of several lines, as a reader of TOML or of the command line has it: each line for itself.
fn lines(text: &str, depth: usize) -> Option<String> {
    if !text.contains('\n') {
        return None;
    }
    let mut is_known = false;
    let told = text.split('\n').map(|line| {
        let said = line.trim_start();
        let known = translated(said, depth + 1);
        is_known |= known.is_some();
        format!("{}{}", &line[..line.len() - said.len()], known.unwrap_or_else(|| said.to_owned()))
    });
    let told: Vec<String> = told.collect();
    is_known.then(|| told.join("\n"))
}

/// A sentence behind something that is none, as behind the name of a file or a Chinese word.
fn tail(text: &str, depth: usize) -> Option<String> {
    let signs = SIGNS.iter().flat_map(|sign| [(sign.english, sign.chinese), (sign.chinese, sign.chinese)]);
    let beginnings =
        signs.flat_map(|(sign, told)| text.match_indices(sign).map(move |(at, _)| (at, at + sign.len(), told)));
    let mut beginnings: Vec<(usize, usize, &str)> = beginnings.collect();
    // In the order of the text, and of two signs at one place the longer.
    beginnings.sort_by_key(|(at, from, _)| (*at, Reverse(*from)));
    beginnings.dedup();
    beginnings.into_iter().take(BEGINNINGS_MAX).find_map(|(at, from, sign)| {
        let told = sentence(&text[from..], depth + 1)?;
        Some(format!("{}{sign}{told}", &text[..at]))
    })
}

#[cfg(test)]
mod sources;
#[cfg(test)]
mod tests;
