//! The rows that stand on the leaf pages of a database, found without its trees (pure).
//!
//! A damaged page costs the rows on it and no others, also where the page above it is the damaged one. Pages that are free
//! again keep old rows; whether those count is up to the caller.
//!
//! Source: "Database File Format" of sqlite.org, §1.6 (b-tree pages), §1.7 (overflow), §2.1 (record format).

use super::pages::Pages;

/// The type byte of a leaf page of a table.
const TABLE_LEAF: u8 = 0x0d;
/// The file's header on page 1.
const FILE_HEADER_BYTES: usize = 100;
/// Longest row that is believed: nothing of ours is near it.
const ROW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most columns of our tables, and then some.
const COLUMNS_MAX: usize = 16;

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// Also the place of an `INTEGER PRIMARY KEY`, whose value is the row's number.
    Null,
    /// A number.
    Integer(i64),
    /// UTF-8.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The row's number.
    pub(crate) id: i64,
    /// Its columns.
    pub(crate) columns: Vec<Value>,
}

/// Hands every row of every leaf page to `each`; the newest image of a page comes last.
pub(crate) fn carve(pages: &Pages<'_>, mut each: impl FnMut(Row)) {
    for (page, image) in pages.images() {
        let header = if page == 1 { FILE_HEADER_BYTES } else { 0 };
        if image.get(header) != Some(&TABLE_LEAF) {
            continue;
        }
        let Some(count) = be16(image, header + 3) else { continue };
        for cell in 0..usize::from(count) {
            let Some(at) = be16(image, header + 8 + 2 * cell) else { break };
            if let Some(row) = row(pages, image, usize::from(at)) {
                each(row);
            }
        }
    }
}

fn row(pages: &Pages<'_>, image: &[u8], at: usize) -> Option<Row> {
    let (length, used) = varint(image.get(at..)?)?;
    let (id, more) = varint(image.get(at + used..)?)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= ROW_BYTES_MAX)?;
    let payload = payload(pages, image.get(at + used + more..)?, length)?;
    Some(Row { id: id.cast_signed(), columns: columns(&payload)? })
}

/// The bytes of a row, those that overflowed its page included.
fn payload(pages: &Pages<'_>, cell: &[u8], length: usize) -> Option<Vec<u8>> {
    let usable = pages.page_bytes();
    let local_max = usable - 35;
    if length <= local_max {
        return cell.get(..length).map(<[u8]>::to_vec);
    }
    let local_min = (usable - 12) * 32 / 255 - 23;
    let fitting = local_min + (length - local_min) % (usable - 4);
    let local = if fitting <= local_max { fitting } else { local_min };
    let mut bytes = cell.get(..local)?.to_vec();
    let mut next = be32(cell, local)?;
    while bytes.len() < length {
        let page = pages.newest(next)?;
        next = be32(page, 0)?;
        let rest = length - bytes.len();
        bytes.extend_from_slice(page.get(4..4 + rest.min(usable - 4))?);
    }
    Some(bytes)
}

fn columns(payload: &[u8]) -> Option<Vec<Value>> {
    let (header, mut at) = varint(payload)?;
    let header = usize::try_from(header).ok().filter(|header| *header <= payload.len())?;
    let mut body = header;
    let mut columns = Vec::new();
    while at < header {
        let (kind, used) = varint(payload.get(at..header)?)?;
        at += used;
        let length = match kind {
            0 | 8 | 9 => 0,
            1..=4 => usize::try_from(kind).ok()?,
            5 => 6,
            6 => 8,
            kind if kind >= 12 => usize::try_from((kind - 12) / 2).ok()?,
            // Floating point is in no table of ours; 10 and 11 are reserved.
            _ => return None,
        };
        let bytes = payload.get(body..body.checked_add(length)?)?;
        body += length;
        columns.push(match kind {
            0 => Value::Null,
            8 => Value::Integer(0),
            9 => Value::Integer(1),
            1..=6 => Value::Integer(integer(bytes)),
            kind if kind % 2 == 0 => Value::Blob(bytes.to_vec()),
            _ => Value::Text(String::from_utf8(bytes.to_vec()).ok()?),
        });
        if columns.len() > COLUMNS_MAX {
            return None;
        }
    }
    (body == payload.len()).then_some(columns)
}

/// Big-endian, two's complement, 1 to 8 bytes.
fn integer(bytes: &[u8]) -> i64 {
    let sign = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| number << 8 | i64::from(*byte))
}

/// §1.6: up to nine bytes, seven bits each, the ninth has eight.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut number = 0u64;
    for (at, byte) in bytes.iter().take(9).enumerate() {
        if at == 8 {
            return Some((number << 8 | u64::from(*byte), 9));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, at + 1));
        }
    }
    None
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).map(|word| u16::from_be_bytes([word[0], word[1]]))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).map(|word| u32::from_be_bytes([word[0], word[1], word[2], word[3]]))
}
