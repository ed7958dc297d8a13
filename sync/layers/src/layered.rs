//! A file and its drop-ins, read together.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::compose::{Malformed, compose};
use crate::error::{Fault, LayersError};
use crate::folder::{drop_ins, folder_of};
use crate::origin::{KeyPath, Origin, Origins, Spot, Step, walk};
use crate::tree::{Kind, Lines, NAME, tree};

/// One text out of several files.
#[derive(Debug, Clone)]
pub struct Layered {
    /// What counts.
    text: String,
    /// The files, the main one first.
    layers: Vec<Layer>,
    /// Empty where there is one file.
    origins: Origins,
}

#[derive(Debug, Clone)]
struct Layer {
    path: PathBuf,
    text: String,
}

/// A value that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Its whole key, as `mqtt.listen` or `destination[city].url`.
    pub key: String,
    /// The names on the way to it, its own last.
    pub names: Vec<String>,
    /// What it is.
    pub value: toml::Value,
    /// The file in which it stands.
    pub path: PathBuf,
    /// The line there, from 1.
    pub line: usize,
}

impl Layered {
    /// Reads a file and its drop-ins, which together have at most so many bytes.
    ///
    /// # Errors
    /// [`LayersError`]; for a text that is no TOML only if there are drop-ins: who reads it says so otherwise.
    pub fn read(main: &Path, bytes_max: u64) -> Result<Layered, LayersError> {
        Layered::with_main(main, read(main, bytes_max)?, bytes_max)
    }

    /// The same with this text in the place of what stands in the main file.
    ///
    /// # Errors
    /// As [`Layered::read`].
    pub fn with_main(main: &Path, text: String, bytes_max: u64) -> Result<Layered, LayersError> {
        let mut layered = Layered::alone(main, text);
        let paths = drop_ins(main)?;
        if paths.is_empty() {
            return Ok(layered);
        }
        let too_long = |path: &Path| LayersError::TooLong { path: path.to_owned(), bytes_max };
        let mut left = bytes_max.checked_sub(length(&layered.text)).ok_or_else(|| too_long(main))?;
        for path in paths {
            let text = read(&path, bytes_max)?;
            left = left.checked_sub(length(&text)).ok_or_else(|| too_long(&path))?;
            layered.layers.push(Layer { path, text });
        }
        layered.compose()
    }

    /// A text that is all there is, as if it stood in this file.
    pub fn alone(main: &Path, text: String) -> Layered {
        let layers = vec![Layer { path: main.to_owned(), text: text.clone() }];
        Layered { text, layers, origins: Origins::default() }
    }

    fn compose(mut self) -> Result<Layered, LayersError> {
        let Some((main, others)) = self.layers.split_first() else { return Ok(self) };
        let folder = folder_of(&main.path);
        let name = |path: &Path| {
            let of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            format!("{}/{}", of(&folder), of(path))
        };
        let names: Vec<String> = others.iter().map(|other| name(&other.path)).collect();
        let texts: Vec<(&str, &str)> =
            names.iter().zip(others).map(|(name, other)| (name.as_str(), other.text.as_str())).collect();
        let composed = compose(&main.text, &texts).map_err(|Malformed { nth, source }| {
            let Some(Layer { path, text }) = self.layers.get(nth) else { unreachable!("it is one of these") };
            // The parser that reads all the others says it in its words.
            let fault = match toml::from_str::<toml::Table>(text) {
                Err(error) => Fault::Alone(error),
                Ok(_) => among(text, source.span(), source.message()),
            };
            LayersError::Refused { path: path.clone(), source: Box::new(fault) }
        })?;
        self.text = composed.text;
        self.origins = composed.origins;
        Ok(self)
    }

    /// All of it, as somebody would have typed it; each value of a drop-in says where it stood.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same for good.
    pub fn into_text(self) -> String {
        self.text
    }

    /// The main file.
    pub fn main(&self) -> &Path {
        self.layers.first().map_or(Path::new(""), |layer| layer.path.as_path())
    }

    /// The files that count over the main one.
    pub fn drop_ins(&self) -> impl Iterator<Item = &Path> + '_ {
        self.layers.iter().skip(1).map(|layer| layer.path.as_path())
    }

    /// What it says.
    ///
    /// # Errors
    /// [`LayersError::Refused`] with the file and line that whoever typed it has to look at.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, LayersError> {
        toml::from_str(&self.text).map_err(|error| {
            let (nth, fault) = self.placed(error);
            let path = self.layers.get(nth).map(|layer| layer.path.clone()).unwrap_or_default();
            LayersError::Refused { path, source: Box::new(fault) }
        })
    }

    fn placed(&self, error: toml::de::Error) -> (usize, Fault) {
        if self.layers.len() < 2 {
            return (0, Fault::Alone(error));
        }
        let span = error.span().filter(|span| !span.is_empty()).unwrap_or_default();
        let origin = self.origin_at(&span).unwrap_or(Origin { layer: 0, line: 1 });
        let text = self.layers.get(origin.layer).map_or("", |layer| layer.text.as_str());
        let shown = text.lines().nth(origin.line.saturating_sub(1)).unwrap_or_default();
        (origin.layer, Fault::Among { line: origin.line, text: shown.to_owned(), why: error.message().to_owned() })
    }

    /// Of the smallest thing in whose place these bytes of the whole are.
    fn origin_at(&self, span: &Range<usize>) -> Option<Origin> {
        let mut found: Option<(Range<usize>, KeyPath)> = None;
        walk(&tree(&self.text).ok()?, &mut Vec::new(), &mut |path, node| {
            let is_smaller = found.as_ref().is_none_or(|(range, _)| node.range.len() <= range.len());
            if !span.is_empty() && node.range.contains(&span.start) && is_smaller {
                found = Some((node.range.clone(), path.to_vec()));
            }
        });
        let (range, path) = found?;
        let origin = self.origins.get(&path)?;
        // A value over several lines has them there as well.
        let lines = Lines::of(&self.text);
        let below = lines.line(span.start).saturating_sub(lines.line(range.start));
        Some(Origin { line: origin.line.saturating_add(below), ..origin })
    }

    /// Where a key stands, as `commit.linger_ms`; where it has its default, the main file.
    pub fn spot(&self, key: &str) -> Spot {
        self.spot_of(&steps(key))
    }

    /// The same of a key in an entry of a list, the first of which is 0.
    pub fn spot_in(&self, list: &str, nth: usize, key: &str) -> Spot {
        let entry = [steps(list), vec![Step::Entry(nth)]].concat();
        let path = [entry.clone(), steps(key)].concat();
        if self.origins.get(&path).is_some() { self.spot_of(&path) } else { self.spot_of(&entry) }
    }

    fn spot_of(&self, path: &[Step]) -> Spot {
        let origin = self.origins.get(path).filter(|origin| origin.layer > 0);
        let nth = origin.map_or(0, |origin| origin.layer);
        let path = self.layers.get(nth).map(|layer| layer.path.clone()).unwrap_or_default();
        Spot { path, line: origin.map(|origin| origin.line) }
    }

    /// Every value that counts, in the order of the whole.
    ///
    /// # Errors
    /// [`LayersError::Refused`] if it is no TOML.
    pub fn settings(&self) -> Result<Vec<Setting>, LayersError> {
        let whole: toml::Value = self.parse::<toml::Table>()?.into();
        let keys = tree(&self.text).unwrap_or_default();
        let origins = if self.layers.len() > 1 { self.origins.clone() } else { Origins::of(&self.text, &keys) };
        let mut settings = Vec::new();
        walk(&keys, &mut Vec::new(), &mut |path, node| {
            let is_empty_table = matches!(&node.kind, Kind::Table(keys) if keys.is_empty());
            if !(is_empty_table || matches!(node.kind, Kind::Value(_))) {
                return;
            }
            let (Some(value), Some(origin)) = (value_at(&whole, path), origins.get(path)) else { return };
            let Some(layer) = self.layers.get(origin.layer) else { return };
            let names = path.iter().filter_map(|step| match step {
                Step::Key(key) => Some(key.clone()),
                Step::Entry(_) => None,
            });
            settings.push(Setting {
                key: shown(&whole, path),
                names: names.collect(),
                value: value.clone(),
                path: layer.path.clone(),
                line: origin.line,
            });
        });
        Ok(settings)
    }
}

/// The texts of the files that can be read, the one that would win first: for who looks for a key where they are refused.
pub fn readable(main: &Path, bytes_max: u64) -> Vec<String> {
    let paths = drop_ins(main).unwrap_or_default();
    let paths = paths.iter().rev().map(PathBuf::as_path).chain([main]);
    paths.filter_map(|path| read(path, bytes_max).ok()).collect()
}

fn read(path: &Path, bytes_max: u64) -> Result<String, LayersError> {
    let failed = |source| LayersError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    // Not by the size that the file claims: a device claims none and never ends.
    let taken = File::open(path).map_err(failed)?.take(bytes_max.saturating_add(1)).read_to_string(&mut text);
    taken.map_err(failed)?;
    let fits = length(&text) <= bytes_max;
    fits.then_some(text).ok_or_else(|| LayersError::TooLong { path: path.to_owned(), bytes_max })
}

fn length(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn among(text: &str, span: Option<Range<usize>>, why: &str) -> Fault {
    let line = Lines::of(text).line(span.map_or(0, |span| span.start));
    let shown = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
    Fault::Among { line, text: shown.to_owned(), why: why.to_owned() }
}

fn steps(key: &str) -> KeyPath {
    key.split('.').map(|part| Step::Key(part.to_owned())).collect()
}

fn value_at<'v>(whole: &'v toml::Value, path: &[Step]) -> Option<&'v toml::Value> {
    path.iter().try_fold(whole, |value, step| match step {
        Step::Key(key) => value.get(key),
        Step::Entry(nth) => value.get(*nth),
    })
}

/// A key as people write it; an entry by its name, or by its number from 1.
fn shown(whole: &toml::Value, path: &[Step]) -> String {
    let mut text = String::new();
    for (nth, step) in path.iter().enumerate() {
        match step {
            Step::Key(key) => {
                let is_bare = !key.is_empty()
                    && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
                let dot = if nth == 0 { "" } else { "." };
                text +=
                    &if is_bare { format!("{dot}{key}") } else { format!("{dot}{}", toml::Value::from(key.as_str())) };
            }
            Step::Entry(at) => {
                let entry = path.get(..=nth).and_then(|path| value_at(whole, path));
                let name = entry.and_then(|entry| entry.get(NAME)).and_then(toml::Value::as_str);
                text += &name.map_or_else(|| format!("[{}]", at + 1), |name| format!("[{name}]"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests;
