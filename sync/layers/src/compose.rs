//! Merging: what stands later wins, key by key, and says where it stood.

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, TomlError, Value};

use crate::origin::{KeyPath, Origin, Origins, Step};
use crate::tree::{Kind, Lines, NAME, Node, tree};

/// One text, and where its values came from.
#[derive(Debug, Clone)]
pub(crate) struct Composed {
    pub(crate) text: String,
    pub(crate) origins: Origins,
}

/// A text that is no TOML: which, 0 for the main one.
pub(crate) struct Malformed {
    pub(crate) nth: usize,
    pub(crate) source: TomlError,
}

/// `main` with what the drop-ins, each by the name that it has in comments and its text, set in it.
pub(crate) fn compose(main: &str, drop_ins: &[(&str, &str)]) -> Result<Composed, Malformed> {
    let failed = |nth| move |source| Malformed { nth, source };
    let mut origins = Origins::of(main, &tree(main).map_err(failed(0))?);
    let mut whole: DocumentMut = main.parse().map_err(failed(0))?;
    for (before, (name, text)) in drop_ins.iter().enumerate() {
        let keys = tree(text).map_err(failed(before + 1))?;
        let mut layer = Layer { nth: before + 1, name, text, lines: Lines::of(text), origins: &mut origins };
        layer.merge(whole.as_table_mut(), &mut Vec::new(), &keys);
    }
    Ok(Composed { text: whole.to_string(), origins })
}

/// A drop-in.
struct Layer<'a> {
    nth: usize,
    name: &'a str,
    text: &'a str,
    lines: Lines,
    origins: &'a mut Origins,
}

impl Layer<'_> {
    fn merge(&mut self, into: &mut Table, path: &mut KeyPath, keys: &[(String, Node)]) {
        for (key, node) in keys {
            path.push(Step::Key(key.clone()));
            match &node.kind {
                Kind::Value(bytes) => {
                    let value = self.text.get(bytes.clone()).map(str::parse::<Value>).and_then(Result::ok);
                    if let Some(value) = value {
                        set_value(into, key, value, &format!("  # {}:{}", self.name, self.line(node)));
                        self.own(path, node);
                    }
                }
                Kind::Table(keys) => {
                    let (table, is_new) = table_at(into, key);
                    if is_new {
                        self.own(path, node);
                        // A heading of its own only where nothing below has one.
                        table.set_implicit(!keys.is_empty() && keys.iter().all(|(_, node)| has_heading(node)));
                    }
                    self.merge(table, path, keys);
                }
                Kind::Entries(entries) => {
                    let (list, is_new) = list_at(into, key);
                    if is_new {
                        self.own(path, node);
                    }
                    self.merge_entries(list, path, entries);
                }
            }
            path.pop();
        }
    }

    /// Merged into those that earlier files have; two of one name in this file are two, which whoever reads them refuses.
    fn merge_entries(&mut self, into: &mut ArrayOfTables, path: &mut KeyPath, entries: &[Node]) {
        let known = into.len();
        for entry in entries {
            let Kind::Table(keys) = &entry.kind else { continue };
            let name = entry.name(self.text);
            let is_it = |table: &Table| name.is_some() && table.get(NAME).and_then(Item::as_str) == name.as_deref();
            let same = into.iter().take(known).position(is_it);
            path.push(Step::Entry(same.unwrap_or(into.len())));
            match same.and_then(|nth| into.get_mut(nth)) {
                Some(table) => self.merge(table, path, keys),
                None => {
                    self.own(path, entry);
                    let mut table = Table::new();
                    self.merge(&mut table, path, keys);
                    into.push(table);
                }
            }
            path.pop();
        }
    }

    fn own(&mut self, path: &[Step], node: &Node) {
        self.origins.set(path, Origin { layer: self.nth, line: self.line(node) });
    }

    fn line(&self, node: &Node) -> usize {
        self.lines.line(node.range.start)
    }
}

fn has_heading(node: &Node) -> bool {
    !matches!(node.kind, Kind::Value(_))
}

/// Puts a value where one was, below the comment that explains it, or behind the others.
fn set_value(into: &mut Table, key: &str, mut value: Value, comment: &str) {
    value.decor_mut().set_prefix(" ");
    value.decor_mut().set_suffix(comment);
    match into.get_mut(key) {
        Some(there) if there.is_value() => *there = Item::Value(value),
        _ => {
            into.remove(key);
            into.insert(key, Item::Value(value));
        }
    }
}

/// The table of a key, and whether it was none before.
fn table_at<'t>(into: &'t mut Table, key: &str) -> (&'t mut Table, bool) {
    let is_new = !into.get(key).is_some_and(Item::is_table_like);
    if !into.get(key).is_some_and(Item::is_table) {
        // A key with the form of a value's is no heading: it is made anew.
        let table = into.remove(key).filter(|_| !is_new).and_then(|item| item.into_table().ok());
        into.insert(key, Item::Table(table.unwrap_or_default()));
    }
    match into.get_mut(key) {
        Some(Item::Table(table)) => (table, is_new),
        _ => unreachable!("it was made one"),
    }
}

/// The list of tables of a key, and whether it was none before.
fn list_at<'t>(into: &'t mut Table, key: &str) -> (&'t mut ArrayOfTables, bool) {
    let is_list = |item: &Item| item.is_array_of_tables() || item.as_array().is_some_and(is_of_tables);
    let is_new = !into.get(key).is_some_and(is_list);
    if !into.get(key).is_some_and(Item::is_array_of_tables) {
        let list = into.remove(key).filter(|_| !is_new).and_then(|item| item.into_array_of_tables().ok());
        into.insert(key, Item::ArrayOfTables(list.unwrap_or_default()));
    }
    match into.get_mut(key) {
        Some(Item::ArrayOfTables(list)) => (list, is_new),
        _ => unreachable!("it was made one"),
    }
}

fn is_of_tables(all: &toml_edit::Array) -> bool {
    !all.is_empty() && all.iter().all(Value::is_inline_table)
}

#[cfg(test)]
mod tests;
