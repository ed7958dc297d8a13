//! The folder of a file's drop-ins.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::LayersError;

/// Most of them: a site has a handful.
pub const DROP_INS_MAX: usize = 64;
/// What ends the name of a folder of drop-ins.
const ENDING: &str = ".d";
/// Most folders that stay beside each other when they were set aside.
const ASIDE_MAX: usize = 100;

/// `gateway.toml.d` beside `gateway.toml`.
pub fn folder_of(main: &Path) -> PathBuf {
    with_ending(main, ENDING)
}

/// The file over which a drop-in counts, or all those of a folder: `gateway.toml` for `gateway.toml.d/50-site.toml` and for
/// `gateway.toml.d`.
pub fn main_of(path: &Path) -> Option<PathBuf> {
    let of = |folder: &Path| {
        let name = folder.file_name()?.to_str()?.strip_suffix(ENDING)?;
        name.ends_with(".toml").then(|| folder.with_file_name(name))
    };
    of(path).or_else(|| path.parent().and_then(of))
}

/// The drop-ins of a file, by name. What does not end in `.toml`, or is hidden, is none: editors and dpkg leave such files.
///
/// # Errors
/// [`LayersError::Read`], [`LayersError::Name`], [`LayersError::TooMany`].
pub fn drop_ins(main: &Path) -> Result<Vec<PathBuf>, LayersError> {
    let folder = folder_of(main);
    let failed = |source| LayersError::Read { path: folder.clone(), source };
    let listed = match fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in listed {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".toml") || name.starts_with('.') {
            continue;
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')) {
            return Err(LayersError::Name { folder, name });
        }
        names.push(name);
        if names.len() > DROP_INS_MAX {
            return Err(LayersError::TooMany { folder });
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Has a file stand alone: its folder of drop-ins gets another name, at once or not at all. Gives that, if there was one.
///
/// # Errors
/// The system's; nothing is changed then.
pub fn set_aside(main: &Path) -> io::Result<Option<PathBuf>> {
    let folder = folder_of(main);
    if !folder.exists() {
        return Ok(None);
    }
    let names = (1..=ASIDE_MAX).map(|nth| match nth {
        1 => with_ending(&folder, ".aside"),
        _ => with_ending(&folder, &format!(".aside-{nth}")),
    });
    let free = names.into_iter().find(|aside| !aside.exists());
    let aside =
        free.ok_or_else(|| io::Error::other(format!("{ASIDE_MAX} of them were set aside before: rm -r some")))?;
    fs::rename(&folder, &aside)?;
    let beside = main.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(beside)?.sync_all()?;
    Ok(Some(aside))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_by_name_and_leftovers_are_none() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("gateway.toml");
        assert_eq!(drop_ins(&main).unwrap(), [] as [PathBuf; 0]);
        let folder = folder_of(&main);
        assert!(folder.ends_with("gateway.toml.d"));
        fs::create_dir(&folder).unwrap();
        for name in ["50-b.toml", "10-a.toml", ".20-x.toml", "30-y.toml~", "40-z.toml.dpkg-new", "README"] {
            fs::write(folder.join(name), "").unwrap();
        }
        assert_eq!(drop_ins(&main).unwrap(), ["10-a.toml", "50-b.toml"].map(|name| folder.join(name)));
        (0..DROP_INS_MAX).for_each(|n| fs::write(folder.join(format!("{n}.toml")), "").unwrap());
        assert!(matches!(drop_ins(&main), Err(LayersError::TooMany { .. })));
        fs::remove_dir_all(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("two words.toml"), "").unwrap();
        assert!(drop_ins(&main).unwrap_err().to_string().contains("two words"));
    }

    #[test]
    fn whose_a_drop_in_is() {
        let of = |path: &str| main_of(Path::new(path)).map(|main| main.display().to_string());
        assert_eq!(of("/etc/weir/sync.toml.d/50-x.toml"), Some("/etc/weir/sync.toml".into()));
        assert_eq!(of("/etc/weir/sync.toml.d"), Some("/etc/weir/sync.toml".into()));
        assert_eq!(of("sync.toml.d/50-x.toml"), Some("sync.toml".into()));
        for path in ["/etc/weir/sync.toml", "/etc/weir/rules.d/50-x.toml", "/etc/weir/rules.d", "sync.toml", ""] {
            assert_eq!(of(path), None, "{path}");
        }
    }

    #[test]
    fn a_folder_is_set_aside_whole_and_never_over_another_one() {
        let dir = tempfile::tempdir().unwrap();
        let main = dir.path().join("sync.toml");
        assert_eq!(set_aside(&main).unwrap(), None);
        for (nth, name) in ["sync.toml.d.aside", "sync.toml.d.aside-2"].into_iter().enumerate() {
            fs::create_dir(folder_of(&main)).unwrap();
            fs::write(folder_of(&main).join("1.toml"), nth.to_string()).unwrap();
            assert_eq!(set_aside(&main).unwrap(), Some(dir.path().join(name)));
            assert!(!folder_of(&main).exists());
            assert_eq!(fs::read_to_string(dir.path().join(name).join("1.toml")).unwrap(), nth.to_string());
        }
    }
}
