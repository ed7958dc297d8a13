//! The account's inbox: the one folder, `weir` in its home, in which verbs find the files that they read and leave those that they
//! make. Names are plain, links are not followed, and it holds a bounded number of files and bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, renameat, statat, unlinkat};
use rustix::io::Errno;
use rustix::process::{fchdir, geteuid, getpid};

use crate::lang::Lang;

/// The folder, in the home of the account.
pub(super) const FOLDER: &str = "weir";
/// Files in it.
pub(super) const FILES_MAX: usize = 100;
/// Bytes of a file that is put there.
pub(super) const PUT_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes in it before one more is made: some files of evidence.
pub(super) const BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of a name.
const NAME_BYTES_MAX: usize = 100;
/// Nobody else reads what is there.
const FOLDER_MODE: Mode = Mode::RWXU;
const FILE_MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Why a file is not read, made or taken away.
#[derive(Debug)]
pub(super) enum InboxError {
    /// Not a name of a file, but a way to one.
    Name(String),
    /// The folder is no folder of the account's alone.
    Folder,
    /// It is not there.
    Absent(String),
    /// A link, a pipe, or somebody else's.
    Odd(String),
    /// More than [`PUT_BYTES_MAX`].
    TooLong,
    /// [`FILES_MAX`] or [`BYTES_MAX`] is reached.
    Full,
    /// The system's.
    System(&'static str, io::Error),
}

impl InboxError {
    /// For who typed it.
    pub(super) fn told(&self, lang: Lang) -> String {
        match (self, lang) {
            (InboxError::Name(name), Lang::En) => {
                format!("`{name}` is no plain name of a file in ~/{FOLDER} · try: letters, digits, `-`, `_` and `.`")
            }
            (InboxError::Name(name), Lang::Zh) => {
                format!("`{name}` 不是 ~/{FOLDER} 中的文件名 · 请只用文字、数字、`-`、`_` 和 `.`")
            }
            (InboxError::Folder, Lang::En) => {
                format!(
                    "~/{FOLDER} is not a folder of this account alone · ask the administrator to run: ls -ld ~/{FOLDER}"
                )
            }
            (InboxError::Folder, Lang::Zh) => {
                format!("~/{FOLDER} 不是仅属于此账户的文件夹 · 请管理员执行：ls -ld ~/{FOLDER}")
            }
            (InboxError::Absent(name), Lang::En) => {
                format!("there is no `{name}` in ~/{FOLDER} · try: files, or ssh HOST put {name} < {name}")
            }
            (InboxError::Absent(name), Lang::Zh) => {
                format!("~/{FOLDER} 中没有 `{name}` · 请执行：files，或 ssh HOST put {name} < {name}")
            }
            (InboxError::Odd(name), Lang::En) => {
                format!("`{name}` is no ordinary file of this account · try: remove {name}")
            }
            (InboxError::Odd(name), Lang::Zh) => format!("`{name}` 不是此账户的普通文件 · 请执行：remove {name}"),
            (InboxError::TooLong, Lang::En) => format!("it has more than {PUT_BYTES_MAX} bytes, and was not kept"),
            (InboxError::TooLong, Lang::Zh) => format!("超过 {PUT_BYTES_MAX} 字节，未保存"),
            (InboxError::Full, Lang::En) => {
                format!("~/{FOLDER} has {FILES_MAX} files or {BYTES_MAX} bytes · try: files, remove NAME")
            }
            (InboxError::Full, Lang::Zh) => {
                format!("~/{FOLDER} 已满（{FILES_MAX} 个文件或 {BYTES_MAX} 字节）· 请执行：files，remove NAME")
            }
            (InboxError::System(what, why), Lang::En) => format!("failed to {what} in ~/{FOLDER}: {why} · try: files"),
            (InboxError::System(what, why), Lang::Zh) => {
                format!("~/{FOLDER} 操作失败（{what}）：{why} · 请执行：files")
            }
        }
    }
}

fn failed(what: &'static str) -> impl Fn(Errno) -> InboxError {
    move |error| InboxError::System(what, error.into())
}

/// The folder, open.
#[derive(Debug)]
pub(super) struct Inbox(OwnedFd);

impl Inbox {
    /// Opens it, and makes it where it is not there yet.
    ///
    /// # Errors
    /// [`InboxError::Folder`], [`InboxError::System`].
    pub(super) fn open(home: &Path) -> Result<Inbox, InboxError> {
        let path = home.join(FOLDER);
        match mkdirat(CWD, &path, FOLDER_MODE) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(failed("make the folder")(error)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(CWD, &path, flags, Mode::empty()).map_err(|_| InboxError::Folder)?;
        let stat = fstat(&folder).map_err(failed("look"))?;
        let others = Mode::from_raw_mode(stat.st_mode) & (Mode::WGRP | Mode::WOTH);
        if stat.st_uid != geteuid().as_raw() || !others.is_empty() {
            return Err(InboxError::Folder);
        }
        Ok(Inbox(folder))
    }

    /// From now on a plain name is that of a file here, also for what this program starts.
    ///
    /// # Errors
    /// [`InboxError::System`].
    pub(super) fn enter(&self) -> Result<(), InboxError> {
        fchdir(&self.0).map_err(failed("enter"))
    }

    /// Opens a file, and what is anything else not.
    ///
    /// # Errors
    /// [`InboxError::Name`], [`InboxError::Absent`], [`InboxError::Odd`].
    pub(super) fn read(&self, name: &str) -> Result<File, InboxError> {
        check_name(name)?;
        // A pipe would wait for whoever writes to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.0, name, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT => InboxError::Absent(name.to_owned()),
            _ => InboxError::Odd(name.to_owned()),
        })?;
        let stat = fstat(&file).map_err(failed("look"))?;
        // A second name of a file is how another folder's could come here.
        let is_own = stat.st_uid == geteuid().as_raw() && stat.st_nlink == 1;
        if !is_own || FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(InboxError::Odd(name.to_owned()));
        }
        Ok(file.into())
    }

    /// Whether one more file may be made, under this name.
    ///
    /// # Errors
    /// [`InboxError::Name`], [`InboxError::Full`], [`InboxError::System`].
    pub(super) fn make_room(&self, name: &str) -> Result<(), InboxError> {
        check_name(name)?;
        let files = self.files()?;
        let bytes: u64 = files.iter().map(|(_, bytes)| *bytes).sum();
        if files.len() >= FILES_MAX || bytes >= BYTES_MAX { Err(InboxError::Full) } else { Ok(()) }
    }

    /// Names and bytes of what is there, also of what was left half written; [`FILES_MAX`] and one at most.
    ///
    /// # Errors
    /// [`InboxError::System`].
    pub(super) fn files(&self) -> Result<Vec<(String, u64)>, InboxError> {
        let mut files = Vec::new();
        for entry in Dir::read_from(&self.0).map_err(failed("list"))? {
            let entry = entry.map_err(failed("list"))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name == "." || name == ".." {
                continue;
            }
            let stat = statat(&self.0, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
            files.push((name, stat.map_or(0, |stat| bytes_of(&stat))));
            if files.len() > FILES_MAX {
                break;
            }
        }
        files.sort();
        Ok(files)
    }

    /// Takes a file in, whole or not at all, in the place of one of that name.
    ///
    /// # Errors
    /// [`InboxError`].
    pub(super) fn put(&self, name: &str, from: impl Read) -> Result<u64, InboxError> {
        self.make_room(name)?;
        let beside = format!(".put-{}", getpid().as_raw_nonzero());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.0, &beside, flags, FILE_MODE).map_err(failed("write"))?;
        let taken = take(from, File::from(file));
        let kept =
            taken.and_then(|bytes| renameat(&self.0, &beside, &self.0, name).map_err(failed("write")).map(|()| bytes));
        if kept.is_err() {
            // What came in part is no file.
            let _ = unlinkat(&self.0, &beside, AtFlags::empty());
        }
        kept
    }

    /// Takes a file away, or a link, and never what it leads to.
    ///
    /// # Errors
    /// [`InboxError::Name`], [`InboxError::Absent`], [`InboxError::System`].
    pub(super) fn remove(&self, name: &str) -> Result<(), InboxError> {
        check_name(name)?;
        unlinkat(&self.0, name, AtFlags::empty()).map_err(|error| match error {
            Errno::NOENT => InboxError::Absent(name.to_owned()),
            error => failed("remove")(error),
        })
    }
}

fn bytes_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

fn take(from: impl Read, mut file: File) -> Result<u64, InboxError> {
    let write = |error| InboxError::System("write", error);
    let bytes = io::copy(&mut from.take(PUT_BYTES_MAX + 1), &mut file).map_err(write)?;
    if bytes > PUT_BYTES_MAX {
        return Err(InboxError::TooLong);
    }
    file.flush().and_then(|()| file.sync_all()).map_err(write)?;
    Ok(bytes)
}

/// Letters and digits of any script, `-`, `_` and `.`, and neither of the last first: no way to another folder, no hidden file, and
/// nothing that could be read as an option.
fn check_name(name: &str) -> Result<(), InboxError> {
    let is_plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '-');
    let is_begun = name.starts_with(|first: char| first.is_alphanumeric() || first == '_');
    if is_begun && name.len() <= NAME_BYTES_MAX && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(InboxError::Name(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn files_come_and_go_by_plain_names() {
        let home = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(home.path()).unwrap();
        assert_eq!(inbox.put("rules.toml", &b"one"[..]).unwrap(), 3);
        assert_eq!(inbox.put("rules.toml", &b"other"[..]).unwrap(), 5);
        assert_eq!(inbox.put("规则.toml", &b""[..]).unwrap(), 0);
        let mut text = String::new();
        Inbox::open(home.path()).unwrap().read("rules.toml").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "other");
        assert_eq!(inbox.files().unwrap(), [("rules.toml".to_owned(), 5), ("规则.toml".to_owned(), 0)]);
        inbox.remove("rules.toml").unwrap();
        assert!(matches!(inbox.read("rules.toml"), Err(InboxError::Absent(_))));
        for name in ["", ".", "..", "../x", "/etc/shadow", "a/b", ".x", "-x", "a b", "a\0b", "a\n", &"x".repeat(101)] {
            assert!(matches!(inbox.put(name, &b"x"[..]), Err(InboxError::Name(_))), "{name:?}");
            assert!(matches!(inbox.read(name), Err(InboxError::Name(_))), "{name:?}");
            assert!(matches!(inbox.remove(name), Err(InboxError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn links_and_pipes_are_no_files() {
        let home = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(home.path()).unwrap();
        let path = |name: &str| home.path().join(FOLDER).join(name);
        let secret = home.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        symlink(&secret, path("soft")).unwrap();
        fs::hard_link(&secret, path("hard")).unwrap();
        fs::create_dir(path("folder")).unwrap();
        rustix::fs::mknodat(CWD, path("pipe"), FileType::Fifo, FILE_MODE, 0).unwrap();
        for name in ["soft", "hard", "folder", "pipe"] {
            assert!(matches!(inbox.read(name), Err(InboxError::Odd(_))), "{name}");
        }
        inbox.put("soft", &b"new"[..]).unwrap();
        inbox.remove("hard").unwrap();
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret", "neither written nor removed");
        assert_eq!(fs::read_to_string(path("soft")).unwrap(), "new");
    }

    #[test]
    fn it_holds_so_much_and_no_more() {
        let home = tempfile::tempdir().unwrap();
        let inbox = Inbox::open(home.path()).unwrap();
        assert!(matches!(inbox.put("long", io::repeat(b'x')), Err(InboxError::TooLong)));
        assert_eq!(inbox.files().unwrap(), [], "nothing is left of it");
        assert_eq!(inbox.put("most", io::repeat(b'x').take(PUT_BYTES_MAX)).unwrap(), PUT_BYTES_MAX);
        for at in 1..FILES_MAX {
            inbox.put(&format!("f{at}"), &b""[..]).unwrap();
        }
        assert!(matches!(inbox.put("more", &b""[..]), Err(InboxError::Full)));
        assert!(matches!(inbox.make_room("more"), Err(InboxError::Full)));
        let large = fs::File::create(home.path().join(FOLDER).join("f1")).unwrap();
        inbox.remove("f2").unwrap();
        inbox.make_room("more").unwrap();
        large.set_len(BYTES_MAX).unwrap();
        assert!(matches!(inbox.make_room("more"), Err(InboxError::Full)));
    }

    #[test]
    fn a_folder_of_others_is_none() {
        let home = tempfile::tempdir().unwrap();
        symlink("/tmp", home.path().join(FOLDER)).unwrap();
        assert!(matches!(Inbox::open(home.path()), Err(InboxError::Folder)));
        fs::remove_file(home.path().join(FOLDER)).unwrap();
        drop(Inbox::open(home.path()).unwrap());
        let mode = fs::metadata(home.path().join(FOLDER)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::set_permissions(home.path().join(FOLDER), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(Inbox::open(home.path()), Err(InboxError::Folder)));
    }
}
