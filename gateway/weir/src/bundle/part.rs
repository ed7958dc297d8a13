//! The parts of a bundle, and which of them become shorter until the whole keeps its bound: a slow link carries 200 kB in half a
//! minute, and mail takes it.

use std::io;

use super::archive::{self, Member};
use super::seal::{BOX, SEAL};

/// Most bytes of a bundle.
pub(super) const BUNDLE_BYTES_MAX: usize = 200_000;
/// Most times that something is cut: each halves a part.
const CUTS_MAX: usize = 64;
/// A part is not cut to fewer lines than this, but for want of any other.
const LINES_MIN: usize = 20;

/// Which end of a part is kept when it is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// It is never cut: half of it says nothing.
    All,
    /// The newest lines stand at the end.
    End,
    /// What matters most stands at the beginning.
    Beginning,
}

/// A part before it is packed.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) text: String,
    pub(super) keep: Keep,
}

/// A bundle that keeps its bound.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) file: Vec<u8>,
    /// Parts that were cut.
    pub(super) cut: Vec<String>,
    /// Why it is not signed, if it is not.
    pub(super) unsigned: Option<String>,
}

/// Cuts the longest part until the bundle keeps its bound, then has it sealed by `seal`, which gives the seal or why there is none.
///
/// # Errors
/// If it cannot be packed.
pub(super) fn within(
    mut parts: Vec<Part>,
    seal: impl FnOnce(&[Member]) -> Result<Vec<u8>, String>,
) -> io::Result<Bundle> {
    let mut cut: Vec<String> = Vec::new();
    // A seal has some bytes for each part.
    let room = BUNDLE_BYTES_MAX - (parts.len() + 1) * 200;
    for _ in 0..CUTS_MAX {
        if archive::pack(&members(&parts, &cut))?.len() <= room {
            break;
        }
        let longest = parts.iter_mut().filter(|part| part.keep != Keep::All).max_by_key(|part| part.text.len());
        let Some(part) = longest.filter(|part| !part.text.is_empty()) else { break };
        part.halve();
        if !cut.contains(&part.name) {
            cut.push(part.name.clone());
        }
    }
    let mut members = members(&parts, &cut);
    let unsigned = match seal(&members) {
        Ok(cose) => {
            members.push((SEAL.to_owned(), cose));
            None
        }
        Err(why) => Some(why),
    };
    let file = archive::pack(&members)?;
    match file.len() > BUNDLE_BYTES_MAX {
        true => Err(io::Error::other(format!("its parts that cannot be cut need {} bytes", file.len()))),
        false => Ok(Bundle { file, cut, unsigned }),
    }
}

/// What is packed; the first part tells what was cut.
fn members(parts: &[Part], cut: &[String]) -> Vec<Member> {
    let mut members: Vec<Member> =
        parts.iter().map(|part| (part.name.clone(), part.text.clone().into_bytes())).collect();
    for (_, bytes) in members.iter_mut().filter(|(name, _)| name == BOX) {
        if let Ok(mut told) = serde_json::from_slice::<serde_json::Value>(bytes) {
            told["cut"] = serde_json::json!(cut);
            *bytes = told.to_string().into_bytes();
        }
    }
    members
}

impl Part {
    /// A part that is never cut.
    pub(super) fn whole(name: &str, text: impl Into<String>) -> Part {
        Part { name: name.into(), text: text.into(), keep: Keep::All }
    }

    fn halve(&mut self) {
        let lines: Vec<&str> = self.text.lines().collect();
        if lines.len() < LINES_MIN {
            self.text = String::new();
            return;
        }
        let half = lines.len() / 2;
        let kept = if self.keep == Keep::End { &lines[half..] } else { &lines[..half] };
        self.text = format!("{}\n", kept.join("\n"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines that no packing makes small.
    fn noise(lines: u64) -> String {
        let mut state = 7_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state
        };
        (0..lines).map(|n| format!("{n} {:016x}{:016x}\n", next(), next())).collect()
    }

    fn part(name: &str, text: String, keep: Keep) -> Part {
        Part { name: name.into(), text, keep }
    }

    fn text_of(bundle: &Bundle, name: &str) -> String {
        let members = archive::unpack(&bundle.file).unwrap();
        String::from_utf8(members.into_iter().find(|(other, _)| other == name).unwrap().1).unwrap()
    }

    #[test]
    fn a_bundle_of_a_large_box_keeps_its_bound() {
        let parts = vec![
            Part::whole(BOX, "{\"box\":\"outfall-1\"}"),
            part("log.txt", noise(60_000), Keep::End),
            part("devices.jsonl", noise(40_000), Keep::Beginning),
            part("small.txt", "as it was\n".into(), Keep::End),
        ];
        let bundle = within(parts, |_| Ok(vec![7; 900])).unwrap();
        assert!(
            bundle.file.len() <= BUNDLE_BYTES_MAX && bundle.file.len() > BUNDLE_BYTES_MAX / 4,
            "{}",
            bundle.file.len()
        );
        assert!(text_of(&bundle, "log.txt").lines().last().unwrap().starts_with("59999 "), "the newest lines are kept");
        assert!(text_of(&bundle, "devices.jsonl").starts_with("0 "), "the first lines are kept");
        assert_eq!(text_of(&bundle, "small.txt"), "as it was\n");
        assert_eq!(text_of(&bundle, BOX), r#"{"box":"outfall-1","cut":["log.txt","devices.jsonl"]}"#);
    }

    #[test]
    fn what_cannot_be_cut_is_not_made() {
        let parts = vec![part("doctor.json", noise(60_000), Keep::All)];
        assert!(within(parts, |_| Ok(Vec::new())).is_err());
    }

    #[test]
    fn one_long_line_goes_as_a_whole() {
        let parts = vec![part("line", noise(20_000).replace('\n', " "), Keep::End)];
        let bundle = within(parts, |_| Err("nobody signs".into())).unwrap();
        assert_eq!((text_of(&bundle, "line"), bundle.unsigned.as_deref()), (String::new(), Some("nobody signs")));
    }
}
