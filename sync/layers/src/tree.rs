//! A TOML text as nested keys, with where each stands: however it was written, a table is a table.

use std::ops::Range;

use toml_edit::{Document, InlineTable, Item, Key, Table, TomlError, Value};

/// What a key has, and the bytes of the text to which a fault in it is counted: from the key to the end of the value, or the
/// heading of a table.
pub(crate) struct Node {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

pub(crate) enum Kind {
    /// A value that is replaced whole: its bytes.
    Value(Range<usize>),
    Table(Vec<(String, Node)>),
    /// A list of tables, never empty.
    Entries(Vec<Node>),
}

/// The root of a text.
pub(crate) fn tree(text: &str) -> Result<Vec<(String, Node)>, TomlError> {
    Ok(of_table(Document::parse(text)?.as_table()))
}

/// Where the lines of a text end.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Lines {
        Lines(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// Which one a byte stands in, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.0.partition_point(|end| *end < at)
    }
}

impl Node {
    /// What an entry of a list is called.
    pub(crate) fn name(&self, text: &str) -> Option<String> {
        let Kind::Table(keys) = &self.kind else { return None };
        let (_, node) = keys.iter().find(|(key, _)| key == NAME)?;
        let Kind::Value(bytes) = &node.kind else { return None };
        let value: Value = text.get::<Range<usize>>(bytes.clone()).map(str::parse)?.ok()?;
        value.as_str().map(str::to_owned)
    }
}

/// By which entries of lists of tables are told apart.
pub(crate) const NAME: &str = "name";

fn of_table(table: &Table) -> Vec<(String, Node)> {
    table.iter().map(|(key, item)| (key.to_owned(), of_item(table.key(key), item))).collect()
}

fn of_inline(table: &InlineTable) -> Vec<(String, Node)> {
    table.iter().map(|(key, value)| (key.to_owned(), of_value(table.key(key), value))).collect()
}

fn of_item(key: Option<&Key>, item: &Item) -> Node {
    let entry = |table: &Table| Node { range: table.span().unwrap_or_default(), kind: Kind::Table(of_table(table)) };
    match item {
        Item::Value(value) => of_value(key, value),
        Item::Table(table) => Node { range: range(key, item.span()), kind: Kind::Table(of_table(table)) },
        Item::ArrayOfTables(all) => {
            Node { range: range(key, item.span()), kind: Kind::Entries(all.iter().map(entry).collect()) }
        }
        Item::None => Node { range: range(key, None), kind: Kind::Table(Vec::new()) },
    }
}

fn of_value(key: Option<&Key>, value: &Value) -> Node {
    let bytes = value.span().unwrap_or_default();
    let whole = range(key, Some(bytes.clone()));
    match value {
        Value::InlineTable(table) => Node { range: whole, kind: Kind::Table(of_inline(table)) },
        Value::Array(all) if !all.is_empty() && all.iter().all(Value::is_inline_table) => {
            let entry = |value: &Value| of_value(None, value);
            Node { range: whole, kind: Kind::Entries(all.iter().map(entry).collect()) }
        }
        _ => Node { range: whole, kind: Kind::Value(bytes) },
    }
}

/// From the key on, where it stands before what it has; a heading has it within.
fn range(key: Option<&Key>, item: Option<Range<usize>>) -> Range<usize> {
    match (key.and_then(Key::span), item) {
        (Some(key), Some(item)) => key.start.min(item.start)..item.end,
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => 0..0,
    }
}
