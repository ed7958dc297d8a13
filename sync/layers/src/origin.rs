//! Where values came from.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::PathBuf;

use crate::tree::{Kind, Lines, Node};

/// One step on the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Key(String),
    /// Of a list of tables, from 0.
    Entry(usize),
}

/// The way from the root to a value.
pub(crate) type KeyPath = Vec<Step>;

/// Which text, from 0 for the main one, and the line in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) layer: usize,
    pub(crate) line: usize,
}

/// Of every table and value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origins(BTreeMap<KeyPath, Origin>);

/// Where somebody has to look: a file, and in a drop-in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; none if it is not known better.
    pub line: Option<usize>,
}

impl Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match self.line {
            Some(line) => write!(f, "`{path}`, line {line}"),
            None => write!(f, "`{path}`"),
        }
    }
}

impl Origins {
    /// Of a text alone.
    pub(crate) fn of(text: &str, root: &[(String, Node)]) -> Origins {
        let (mut origins, lines) = (Origins::default(), Lines::of(text));
        walk(root, &mut Vec::new(), &mut |path, node| {
            origins.set(path, Origin { layer: 0, line: lines.line(node.range.start) });
        });
        origins
    }

    /// Says where this came from now.
    pub(crate) fn set(&mut self, path: &[Step], origin: Origin) {
        self.0.insert(path.to_vec(), origin);
    }

    /// Where this came from.
    pub(crate) fn get(&self, path: &[Step]) -> Option<Origin> {
        self.0.get(path).copied()
    }
}

/// Calls `visit` for every node, tables before what is in them.
pub(crate) fn walk(keys: &[(String, Node)], path: &mut KeyPath, visit: &mut impl FnMut(&[Step], &Node)) {
    for (key, node) in keys {
        path.push(Step::Key(key.clone()));
        visit(path, node);
        match &node.kind {
            Kind::Value(_) => {}
            Kind::Table(keys) => walk(keys, path, visit),
            Kind::Entries(all) => {
                for (nth, entry) in all.iter().enumerate() {
                    path.push(Step::Entry(nth));
                    visit(path, entry);
                    if let Kind::Table(keys) = &entry.kind {
                        walk(keys, path, visit);
                    }
                    path.pop();
                }
            }
        }
        path.pop();
    }
}
