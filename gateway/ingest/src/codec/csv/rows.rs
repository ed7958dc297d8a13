//! Comma-separated values (RFC 4180) into rows of cells.

use std::borrow::Cow;

/// Why a text is no table. Rows count from 1, as an editor does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsvError {
    /// RFC 4180 §2.5: a quoted cell ends with a quote.
    #[error("row {row}: a quoted cell is not closed: the frame was cut")]
    OpenQuote {
        /// Where the cell begins.
        row: usize,
    },
    /// RFC 4180 §2.5, §2.7: behind the closing quote comes a separator, and a quote within is doubled.
    #[error("row {row}: text stands behind a closing quote: double each quote within a quoted cell")]
    BehindQuote {
        /// Where.
        row: usize,
    },
    /// No row of values.
    #[error("payload has no row of values")]
    Empty,
    /// A mapped name stands twice in the header line.
    #[error("column `{name}` stands twice in the header line, so the frame has two meanings: name each column once")]
    DuplicateColumn {
        /// The name.
        name: String,
    },
    /// More than one frame may have.
    #[error("payload has more than {max} rows: split it into several frames")]
    TooManyRows {
        /// The bound.
        max: usize,
    },
}

/// The cells of each row that is not empty; line ends are CRLF (§2.1) or LF alone.
///
/// # Errors
/// [`CsvError`] for a quote that is not closed or not doubled, and for more than `rows_max` rows.
pub(super) fn rows(text: &str, separator: u8, rows_max: usize) -> Result<Vec<Vec<Cow<'_, str>>>, CsvError> {
    let mut rows = Vec::new();
    let (mut rest, mut row) = (text, 1);
    while !rest.is_empty() {
        let mut cells = Vec::new();
        let started = row;
        loop {
            let (cell, behind) = cell(rest, separator, started)?;
            row += cell.matches('\n').count();
            cells.push(cell);
            rest = behind;
            match rest.bytes().next() {
                Some(next) if next == separator => rest = &rest[1..],
                _ => break,
            }
        }
        rest = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')).unwrap_or(rest);
        row += 1;
        if !matches!(cells.as_slice(), [only] if only.is_empty()) {
            if rows.len() == rows_max {
                return Err(CsvError::TooManyRows { max: rows_max });
            }
            rows.push(cells);
        }
    }
    Ok(rows)
}

/// One cell, and what stands behind it: a separator, a line end or nothing.
fn cell(text: &str, separator: u8, row: usize) -> Result<(Cow<'_, str>, &str), CsvError> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| byte == separator || byte == b'\n').unwrap_or(text.len());
        let (cell, behind) = text.split_at(end);
        // Of CRLF the CR belongs to the line end, alone it is the cell's: so each cell ends before what `rows` takes.
        let cell = cell.strip_suffix('\r').filter(|_| behind.starts_with('\n')).unwrap_or(cell);
        return Ok((Cow::Borrowed(cell), &text[cell.len()..]));
    };
    let mut from = 0;
    loop {
        let quote = from + quoted[from..].find('"').ok_or(CsvError::OpenQuote { row })?;
        let behind = &quoted[quote + 1..];
        if behind.starts_with('"') {
            from = quote + 2;
            continue;
        }
        let ends = behind.is_empty() || behind.starts_with([char::from(separator), '\n']) || behind.starts_with("\r\n");
        if !ends {
            return Err(CsvError::BehindQuote { row });
        }
        let cell = &quoted[..quote];
        let cell = if from == 0 { Cow::Borrowed(cell) } else { Cow::Owned(cell.replace("\"\"", "\"")) };
        return Ok((cell, behind));
    }
}
