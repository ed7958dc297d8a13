//! Copies of the journal after a cut: one that was made can be put back, one that was put back never repeats a number,
//! and what was interrupted can be done again.

use std::fs;
use std::path::Path;

use journal::{BackupError, Reader, backup, restore, salvage};
use record::Seq;
use system_tests::config::BOX;

use super::check::Breach;
use super::truth::Truth;

/// A box that was restored goes on beyond this, which no earlier life can have reached.
const LIFE_RECORDS: u64 = 1 << 32;

/// Whether the copies in this folder are as they were promised to be.
pub(crate) fn check(disk: &Path, truth: &Truth, witnessed: &[u64]) -> Result<(), Breach> {
    let (stick, promised) = (disk.join("stick"), truth.copies_promised(witnessed));
    let wrong = |what: String| Breach::Copy(format!("{}: {what}", stick.display()));
    if let Some(records) = promised.last() {
        // The newest that was said to be made, or the next one, which nobody was told of yet; never less.
        let restored = restore(&stick, &disk.join("tried/journal.db")).map_err(|error| wrong(format!("{error:?}")))?;
        if restored.end.0 != *records && truth.copy_after(promised.len()) != Some(restored.end.0) {
            return Err(wrong(format!("{} of {records} records", restored.end)));
        }
    }
    if stick.exists() {
        // Interrupted, it goes on where it was.
        let reader = Reader::open(&disk.join("state/journal/journal.db"))?;
        backup(&reader, &stick, |_| {}).map_err(|error| wrong(format!("cannot be made again: {error:?}")))?;
    }
    for nth in 0.. {
        let elsewhere = disk.join(format!("elsewhere-{nth}"));
        if !elsewhere.exists() {
            return Ok(());
        }
        check_restored(&stick, &elsewhere, truth.restores_promised(witnessed) > nth)?;
    }
    Ok(())
}

/// A box on which a copy was put back, or which was interrupted at that.
fn check_restored(stick: &Path, state: &Path, promised: bool) -> Result<(), Breach> {
    let wrong = |what: String| Breach::Copy(format!("{}: {what}", state.display()));
    let journal = state.join("journal/journal.db");
    if !state.exists() {
        return Ok(());
    }
    if promised && !journal.exists() {
        return Err(wrong("nothing was put back".into()));
    }
    // Somebody starts the gateway on what is there …
    let tried = state.with_extension("tried");
    copy_folder(&state.join("journal"), &tried.join("journal"));
    let (opened, _) = salvage::open(&tried.join("journal/journal.db"), BOX, Seq(0))?;
    if opened.end() > Seq(0) && opened.end().0 < LIFE_RECORDS {
        return Err(wrong(format!("goes on with {}, which was used before", opened.end())));
    }
    // … or puts it back again.
    match restore(stick, &journal) {
        Ok(_) | Err(BackupError::Occupied { .. }) => {}
        Err(error) => return Err(wrong(format!("cannot be put back again: {error:?}"))),
    }
    match salvage::open(&journal, BOX, Seq(0))?.0.end() {
        end if end.0 >= LIFE_RECORDS => Ok(()),
        end => Err(wrong(format!("goes on with {end}, which was used before"))),
    }
}

/// A folder and what is in it; none is as good as an empty one.
fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &to.join(entry.file_name())),
            false => drop(fs::copy(entry.path(), to.join(entry.file_name())).unwrap()),
        }
    }
}
