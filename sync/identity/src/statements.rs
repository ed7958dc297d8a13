//! Signed statements about keys, kept beside the key: which key took the place of which. They are public, and whoever reads
//! them verifies them.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use batch::{KeyStatement, STATEMENT_BYTES_MAX};

use crate::write_bytes;

/// Most of them that are read: a change a month for twenty years, of the box and of its platforms.
pub const STATEMENTS_MAX: usize = 256;

/// The statements in this folder, in the order in which they were put there; none if it is not there. What is no statement is
/// passed over.
///
/// # Errors
/// If the folder or a file cannot be read.
pub fn statements(folder: &Path) -> io::Result<Vec<(Vec<u8>, KeyStatement)>> {
    let mut found = Vec::new();
    for path in paths(folder)?.iter().take(STATEMENTS_MAX) {
        let fits = fs::metadata(path)?.len() <= STATEMENT_BYTES_MAX as u64;
        let cose = if fits { fs::read(path)? } else { Vec::new() };
        found.extend(KeyStatement::read(&cose).ok().map(|statement| (cose, statement)));
    }
    Ok(found)
}

/// Puts a statement into this folder, behind those that are there, unless it is there; durable when this returns.
///
/// # Errors
/// If it cannot be written, or there are [`STATEMENTS_MAX`].
pub fn keep_statement(folder: &Path, cose: &[u8]) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    let there = paths(folder)?;
    for path in &there {
        if fs::read(path)? == cose {
            return Ok(());
        }
    }
    if there.len() >= STATEMENTS_MAX {
        return Err(io::Error::other(format!("{STATEMENTS_MAX} statements about keys are kept, no more are")));
    }
    let newest = there.last().and_then(|path| path.file_stem()?.to_str()?.parse().ok()).unwrap_or(0u32);
    write_bytes(&folder.join(format!("{:06}.cose", newest.saturating_add(1))), cose, 0o644)
}

fn paths(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "cose"));
    paths.sort();
    Ok(paths)
}
