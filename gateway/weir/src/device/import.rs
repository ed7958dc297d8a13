//! `weir device import`: many devices from a spreadsheet, all or none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use toml_edit::{Table, value};

use super::args::LinkKind;
use super::section::{KEYS, Section};

/// Columns beside the keys.
const COLUMNS: [&str; 11] =
    ["name", "link", "codec", "topic", "version", "class", "adr", "dev_eui", "join_eui", "dev_addr", "id"];
/// Most devices of one file; a box has fewer.
const ROWS_MAX: usize = 2_000;

/// Why a file of devices is refused. Lines count from 1, the heading is line 1; no cell is repeated, it may be a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ImportError {
    /// Cannot be read.
    #[error("failed to read `{path}` · try: check the path")]
    Open {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: csv::Error,
    },
    /// Not CSV.
    #[error("`{path}`, line {line}: not a row of CSV · try: save it as CSV (UTF-8), with a comma between cells")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
    },
    /// A column nobody knows.
    #[error("`{path}`: column `{column}` is not known · known: {}, {}", COLUMNS.join(", "), KEYS.join(", "))]
    Column {
        /// The file.
        path: PathBuf,
        /// Its heading.
        column: String,
    },
    /// A column that every device needs.
    #[error("`{path}`, line {line}: `{column}` is empty · try: fill it in for every device")]
    Missing {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// Not a way to send.
    #[error("`{path}`, line {line}: `link` is none of mqtt, lorawan, serial, chirpstack")]
    Link {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
    },
    /// Not a number.
    #[error("`{path}`, line {line}: `id` is not a number from 0 to 65535")]
    Id {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
    },
    /// Neither yes nor no.
    #[error("`{path}`, line {line}: `adr` is none of true, false, yes, no, 1, 0")]
    Adr {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u64,
    },
    /// Beyond [`ROWS_MAX`].
    #[error("`{path}` has more than {ROWS_MAX} devices: split them over two boxes")]
    TooMany {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the devices of a file.
pub(super) fn read(path: &Path) -> Result<Vec<Section>, ImportError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_path(path)
        .map_err(|source| ImportError::Open { path: path.into(), source })?;
    let headings = reader.headers().map_err(|_| ImportError::Csv { path: path.into(), line: 1 })?.clone();
    let headings: Vec<&str> = headings.iter().map(|heading| heading.trim_start_matches('\u{feff}')).collect();
    for column in &headings {
        if !COLUMNS.contains(column) && !KEYS.contains(column) {
            return Err(ImportError::Column { path: path.into(), column: (*column).to_owned() });
        }
    }
    let mut sections = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let line = u64::try_from(row).unwrap_or(u64::MAX).saturating_add(2);
        let record = record.map_err(|_| ImportError::Csv { path: path.into(), line })?;
        let cells: BTreeMap<&str, &str> =
            headings.iter().copied().zip(record.iter()).filter(|(_, cell)| !cell.is_empty()).collect();
        if sections.len() == ROWS_MAX {
            return Err(ImportError::TooMany { path: path.into() });
        }
        sections.push(section(path, line, &cells)?);
    }
    Ok(sections)
}

fn section(path: &Path, line: u64, cells: &BTreeMap<&str, &str>) -> Result<Section, ImportError> {
    let needed = |column: &'static str| {
        cells.get(column).copied().ok_or_else(|| ImportError::Missing { path: path.into(), line, column })
    };
    let link = LinkKind::from_str(needed("link")?, true).map_err(|_| ImportError::Link { path: path.into(), line })?;
    let mut settings = Vec::new();
    for column in ["version", "class", "dev_eui", "join_eui", "dev_addr", "topic"] {
        settings.extend(cells.get(column).map(|cell| (column, value(*cell))));
    }
    if let Some(id) = cells.get("id") {
        let id: u16 = id.parse().map_err(|_| ImportError::Id { path: path.into(), line })?;
        settings.push(("id", value(i64::from(id))));
    }
    if let Some(adr) = cells.get("adr") {
        // Spreadsheets write TRUE.
        let adr = match adr.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => true,
            "false" | "no" | "0" => false,
            _ => return Err(ImportError::Adr { path: path.into(), line }),
        };
        settings.push(("adr", value(adr)));
    }
    let mut keys = Table::new();
    for key in KEYS {
        if let Some(cell) = cells.get(key) {
            keys.insert(key, value(*cell));
        }
    }
    Ok(Section { name: needed("name")?.to_owned(), link, settings, codec: needed("codec")?.to_owned(), keys })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Vec<Section>, ImportError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("devices.csv");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[test]
    fn a_spreadsheet_with_a_byte_order_mark_and_empty_cells() {
        let text = "\u{feff}name,link,dev_eui,app_key,codec\n\
                    level-1, lorawan ,0011223344556677,000102030405060708090a0b0c0d0e0f,codecs/level.toml\n\
                    cod-1,mqtt,,,=level-1\n";
        let sections = read_text(text).unwrap();
        assert_eq!(sections.len(), 2);
        assert_eq!((sections[0].link, sections[0].settings.len(), sections[0].keys.len()), (LinkKind::Lorawan, 1, 1));
        assert_eq!(
            (sections[1].link, sections[1].settings.len(), sections[1].codec.as_str()),
            (LinkKind::Mqtt, 0, "=level-1")
        );
    }

    #[test]
    fn faults_name_their_line_and_never_a_key() {
        let check = |text: &str, expected: &str| {
            let error = read_text(text).err().unwrap().to_string();
            assert!(error.contains(expected) && !error.contains("5ec4e7"), "{error}");
        };
        check("name,link,codec,appkey\na,mqtt,c,5ec4e7\n", "`appkey`");
        check("name,link,codec\na,mqtt,c\nb,lora,c\n", "line 3");
        check("name,link,codec\na,mqtt,\n", "`codec`");
        check("name,link,codec\na,mqtt\n", "line 2");
        check("name,link\na,mqtt\n", "`codec`");
        check("name,link,codec,adr\na,lorawan,c,maybe\n", "`adr`");
    }
}
