//! `weir backup` and `weir restore`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use batch::PublicKey;
use journal::{Backup, Reader, backup, restore};
use serde_json::json;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::identity_card::public_key;
use crate::lang::Lang;
use crate::output::{self, line};

/// Where a backup has the public keys of the box, and a box those of the machines before it.
const KEYS: &str = "keys";
pub(crate) const FORMER: &str = "identity/former";
/// Where both have what was signed about keys, one beside the journal, the other beside the keys.
const STATEMENTS: &str = "statements";

/// Copies the journal, and says each file as it is copied.
pub(crate) fn backup_to(to: &Path, state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let reader = Reader::open(&state_dir.join("journal/journal.db")).map_err(CommandError::Store)?;
    let mut out = output::stdout();
    let mut said = Ok(());
    let made = backup(&reader, to, |path| {
        if !json && said.is_ok() {
            said = line(&mut out, &path.display().to_string()).and_then(|()| out.flush().map_err(CommandError::output));
        }
    });
    said?;
    let made = made.map_err(CommandError::Backup)?;
    remember(&keys(state_dir)?, &to.join(KEYS))?;
    keep_statements(&identity::statements_of(&state_dir.join("identity/box.key")), &to.join(STATEMENTS))?;
    say(&made, to, lang.pick("backed up", "已备份"), json)
}

/// Puts a backup back, and gives what was written to the owner of the state folder.
pub(crate) fn restore_from(from: &Path, state_dir: &Path, json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let path = state_dir.join("journal/journal.db");
    let restored = restore(from, &path).map_err(CommandError::Backup)?;
    let former = state_dir.join(FORMER);
    remember(&identity::former(&from.join(KEYS)).map_err(cannot(&from.join(KEYS)))?, &former)?;
    let statements = identity::statements_of(&state_dir.join("identity/box.key"));
    keep_statements(&from.join(STATEMENTS), &statements)?;
    let owner = fs::metadata(state_dir).map_err(|source| CommandError::Owner { path: state_dir.into(), source })?;
    for path in written(state_dir).into_iter().chain(files(&former)).chain(files(&statements)) {
        let given = chown(&path, Some(owner.uid()), Some(owner.gid()));
        given.map_err(|source| CommandError::Owner { path, source })?;
    }
    let text =
        lang.pick("put back; start weir-gateway now, counters jump ahead", "已恢复；请启动 weir-gateway，计数器将前移");
    say(&restored, from, text, json)
}

/// The public keys that this box signs with, and signed with before, where it has any.
fn keys(state_dir: &Path) -> Result<Vec<PublicKey>, CommandError> {
    let former = state_dir.join(FORMER);
    let mut keys = identity::former(&former).map_err(cannot(&former))?;
    keys.extend(public_key(state_dir).ok());
    Ok(keys)
}

fn remember(keys: &[PublicKey], folder: &Path) -> Result<(), CommandError> {
    keys.iter().try_for_each(|key| identity::remember(folder, key)).map_err(cannot(folder))
}

/// In the order in which they were kept.
fn keep_statements(from: &Path, to: &Path) -> Result<(), CommandError> {
    let kept = identity::statements(from).map_err(cannot(from))?;
    kept.iter().try_for_each(|(cose, _)| identity::keep_statement(to, cose)).map_err(cannot(to))
}

fn cannot(folder: &Path) -> impl FnOnce(io::Error) -> CommandError {
    let path = folder.to_owned();
    move |source| CommandError::Keys { path, source }
}

/// A folder that was made here, if it was, and the files in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let own = folder.exists().then(|| folder.to_owned());
    own.into_iter().chain(folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path())).collect()
}

/// The journal's folder and all that is in it.
fn written(state_dir: &Path) -> Vec<PathBuf> {
    let folders = [state_dir.join("journal"), state_dir.join("journal/blocks")];
    let files = folders.iter().flat_map(|folder| folder.read_dir().into_iter().flatten().flatten());
    let files: Vec<PathBuf> = files.map(|entry| entry.path()).collect();
    folders.into_iter().take(1).chain(files).collect()
}

fn say(backup: &Backup, folder: &Path, what: &str, json: bool) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    let text = match json {
        true => json!({"box": backup.box_id, "records": backup.end, "root": backup.root, "folder": folder}).to_string(),
        false => format!("{} {}: {} ({})", backup.box_id, backup.end, what, folder.display()),
    };
    line(&mut out, &text)?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}
