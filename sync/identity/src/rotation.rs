//! A key that takes the place of another one, in steps of which each can be the last before a power cut.
//!
//! | Step | What is durable then | What a start after it does |
//! |---|---|---|
//! | 1 [`Rotation::prepare`] | the new key, `NAME.next`, beside the old one | throws it away: nobody was told of it |
//! | 2 [`Rotation::decide`] | the statement that both have signed | goes on with step 3 |
//! | 3 [`Rotation::adopt`] | the old public half in `former/`; then `NAME.key` is the new key, the old one is gone | writes `NAME.pub` |
//! | 4 | `NAME.pub` | nothing |
//!
//! Only then is anybody told, so that no statement is ever about a key that could be lost. Whoever signs takes the key from
//! `NAME.key` each time it is asked, or is the one who rotates.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use batch::{KeyChange, KeyStatement, SigningKey};

use crate::{
    IdentityError, create_seed, keep_statement, key_mode, load, remember, statements, sync_names_in, write_whole,
};

/// A rotation of the key in this file.
#[derive(Debug)]
pub struct Rotation {
    path: PathBuf,
    /// Signs until it is done.
    pub old: SigningKey,
    /// Signs then.
    pub new: SigningKey,
}

impl Rotation {
    /// Step 1: makes the new key beside the old one.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn prepare(path: &Path) -> Result<Rotation, IdentityError> {
        let old = load(path)?;
        let next = path.with_extension("next");
        let (new, text) = create_seed(&next)?;
        let mode = key_mode(path.parent().unwrap_or(Path::new(".")));
        let written = mode.and_then(|mode| write_whole(&next, &text, mode));
        written.map_err(|source| IdentityError::Create { path: next.clone(), source })?;
        Ok(Rotation { path: path.into(), old, new })
    }

    /// Step 2: has both keys sign this change, whose keys must be theirs, and keeps it; gives the signed bytes. From here on
    /// the rotation takes place, whatever happens.
    ///
    /// # Errors
    /// [`IdentityError::Create`].
    pub fn decide(&self, change: &KeyChange) -> Result<Vec<u8>, IdentityError> {
        let cose = change.sign(&self.old, &self.new);
        let folder = statements_of(&self.path);
        let failed = |source| IdentityError::Create { path: folder.clone(), source };
        keep_statement(&folder, &cose).map_err(failed)?;
        Ok(cose)
    }

    /// Steps 3 and 4: the new key takes the old one's name; gives it.
    ///
    /// # Errors
    /// [`IdentityError::Create`]; the next start goes on with it.
    pub fn adopt(self) -> Result<SigningKey, IdentityError> {
        let Rotation { path, old, new } = self;
        take_over(&path, &old, &new).map_err(|source| IdentityError::Create { path, source })?;
        Ok(new)
    }
}

/// Ends what a power cut or a kill interrupted: a rotation that was decided is carried out, one that was not is forgotten.
/// Called by who owns the key, before it signs anything. A key that is not there yet is nothing to settle.
///
/// # Errors
/// [`IdentityError`].
pub fn settle(path: &Path) -> Result<(), IdentityError> {
    let current = match load(path) {
        Err(IdentityError::Missing { .. }) => return Ok(()),
        loaded => loaded?,
    };
    let next = path.with_extension("next");
    let failed = |source| IdentityError::Create { path: path.into(), source };
    match load(&next) {
        Err(IdentityError::Missing { .. }) => write_public(path, &current).map_err(failed),
        Ok(new) if is_decided(path, &current, &new).map_err(failed)? => take_over(path, &current, &new).map_err(failed),
        // Half written, or of a rotation that nobody was told of.
        Ok(_) | Err(IdentityError::NotAKey { .. }) => {
            fs::remove_file(&next).map_err(failed)?;
            write_public(path, &current).map_err(failed)
        }
        Err(error) => Err(error),
    }
}

/// Where the statements about this key are: beside it.
pub fn statements_of(path: &Path) -> PathBuf {
    path.with_file_name("statements")
}

fn is_decided(path: &Path, old: &SigningKey, new: &SigningKey) -> io::Result<bool> {
    let is_it = |statement: &KeyStatement| matches!(statement, KeyStatement::Change(change) if change.old == old.public() && change.new == new.public());
    Ok(statements(&statements_of(path))?.iter().any(|(_, statement)| is_it(statement)))
}

fn take_over(path: &Path, old: &SigningKey, new: &SigningKey) -> io::Result<()> {
    remember(&path.with_file_name("former"), &old.public())?;
    fs::rename(path.with_extension("next"), path)?;
    sync_names_in(path.parent().unwrap_or(Path::new(".")))?;
    write_public(path, new)
}

/// The public half, if another one or none stands there.
fn write_public(path: &Path, key: &SigningKey) -> io::Result<()> {
    let (public, line) = (path.with_extension("pub"), key.public().to_string());
    match fs::read_to_string(&public) {
        Ok(text) if text.trim() == line => Ok(()),
        _ => write_whole(&public, &line, 0o644),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use batch::{BoxId, PublicKey, Whose};
    use record::UnixMs;

    fn change(rotation: &Rotation) -> KeyChange {
        KeyChange {
            whose: Whose::Box(BoxId::new("box-1").unwrap()),
            old: rotation.old.public(),
            new: rotation.new.public(),
            number: 1,
            at_ms: UnixMs(1),
            clock: None,
            reason: String::new(),
        }
    }

    /// Does the steps up to one, is killed, and starts again: the key before, the new one, and the one that it has then.
    fn killed_after(step: u8) -> (PublicKey, PublicKey, PublicKey, PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity/box.key");
        let old = crate::load_or_create(&path).unwrap().public();
        let rotation = Rotation::prepare(&path).unwrap();
        let new = rotation.new.public();
        if step >= 2 {
            rotation.decide(&change(&rotation)).unwrap();
        }
        if step >= 3 {
            remember(&path.with_file_name("former"), &old).unwrap();
        }
        if step >= 4 {
            fs::rename(path.with_extension("next"), &path).unwrap();
        }
        if step >= 5 {
            write_public(&path, &rotation.new).unwrap();
        }
        drop(rotation);
        settle(&path).unwrap();
        let now = load(&path).unwrap().public();
        assert_eq!(fs::read_to_string(path.with_extension("pub")).unwrap().trim(), now.to_string(), "step {step}");
        assert!(!path.with_extension("next").exists(), "step {step}");
        (old, new, now, path, folder)
    }

    #[test]
    fn a_kill_after_any_step_leaves_the_old_key_or_the_new_one_and_its_statement() {
        for step in 1..=5 {
            let (old, new, now, path, _folder) = killed_after(step);
            let kept = statements(&statements_of(&path)).unwrap();
            match step {
                1 => assert_eq!((now, kept.len()), (old, 0)),
                _ => {
                    assert_eq!((now, kept.len()), (new, 1), "step {step}");
                    assert_eq!(kept[0].1.keys(), (old, new));
                    assert_eq!(crate::former(&path.with_file_name("former")).unwrap(), [old]);
                }
            }
        }
    }

    #[test]
    fn a_half_written_next_key_is_thrown_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.key");
        let old = crate::load_or_create(&path).unwrap().public();
        write_whole(&path.with_extension("next"), "12ab", 0o600).unwrap();
        settle(&path).unwrap();
        assert_eq!(load(&path).unwrap().public(), old);
        assert!(!path.with_extension("next").exists());
    }

    #[test]
    fn a_key_rotates_again_and_again_and_its_statements_lead_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("box.key");
        let first = crate::load_or_create(&path).unwrap().public();
        for _ in 0..3 {
            let rotation = Rotation::prepare(&path).unwrap();
            rotation.decide(&change(&rotation)).unwrap();
            rotation.adopt().unwrap();
        }
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = statements(&statements_of(&path)).unwrap();
        assert_eq!(kept[0].1.keys().0, first);
        assert!(kept.windows(2).all(|pair| pair[0].1.keys().1 == pair[1].1.keys().0));
        assert_eq!(kept[2].1.keys().1, load(&path).unwrap().public());
        keep_statement(&statements_of(&path), &kept[1].0).unwrap();
        assert_eq!(statements(&statements_of(&path)).unwrap().len(), 3, "what is there is not put there again");
    }
}
