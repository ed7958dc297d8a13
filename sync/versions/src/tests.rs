//! Versions that come and go.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use record::ConfigFile;

use super::*;
use crate::index::{Good, Index};

fn origin(file: ConfigFile, at_ms: i64, how: How) -> Version {
    Version { how, by: Some(1_000), reason: "a typing error".into(), ..Version::found(file, at_ms, "") }
}

fn place(folder: &Path, file: ConfigFile) -> Place {
    Place { file, path: folder.join(file.to_string()) }
}

#[test]
fn a_text_comes_back_byte_for_byte_with_who_put_it_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("config");
    assert_eq!(Versions::open(&store).unwrap().iter().count(), 0);
    for (nth, text) in ["a = 1\n", "a = 2\n", "a = 2\n", "a = 1\n"].into_iter().enumerate() {
        Versions::keep(&store, origin(ConfigFile::Rules, nth as i64, How::Applied), text).unwrap();
    }
    Versions::keep(&store, origin(ConfigFile::Gateway, 9, How::RolledBack), "").unwrap();
    let versions = Versions::open(&store).unwrap();
    let ids: Vec<String> = versions.iter().map(|version| version.id().to_string()).collect();
    assert_eq!(ids, ["rules-1", "rules-2", "rules-3", "gateway-1"], "the same text twice is one version");
    let version = versions.get("rules-3".parse().unwrap()).unwrap();
    assert_eq!((version.at_ms, version.by, version.bytes), (3, Some(1_000), 6));
    assert_eq!(versions.text(version).unwrap(), "a = 1\n");
    assert_eq!(fs::read_dir(&store).unwrap().count(), 4, "three texts, and an index");
    for name in ["rules", "rules-", "rule-1", "rules-x", "", "keys-1"] {
        assert!(name.parse::<VersionId>().is_err(), "{name}");
    }
    // A text that somebody changed is not what was kept.
    let path = store.join(format!("{}.toml", hex::encode(version.sha256)));
    fs::write(&path, "a = 3\n").unwrap();
    assert!(matches!(versions.text(version), Err(VersionsError::Altered { .. })));
}

#[test]
fn what_worked_last_is_known_of_this_very_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("config");
    let (rules, devices) = (place(folder.path(), ConfigFile::Rules), place(folder.path(), ConfigFile::Devices));
    let worked = |at_ms, text: &str| {
        let texts = [(rules.clone(), text.to_owned()), (devices.clone(), String::new())];
        Versions::worked(&store, at_ms, &texts).unwrap();
        let versions = Versions::open(&store).unwrap();
        let good = versions.good(&rules).unwrap();
        (good.id().to_string(), versions.text(good).unwrap(), good.at_ms)
    };
    assert_eq!(worked(1, "a = 1\n"), ("rules-1".into(), "a = 1\n".into(), 1));
    assert_eq!(worked(2, "a = 1\n"), ("rules-1".into(), "a = 1\n".into(), 1), "nothing new");
    Versions::keep(&store, origin(ConfigFile::Rules, 3, How::Applied), "a = 2\n").unwrap();
    let versions = Versions::open(&store).unwrap();
    assert_eq!(versions.good(&rules).unwrap().number, 1, "nobody worked by it yet");
    assert_eq!(worked(4, "a = 2\n"), ("rules-2".into(), "a = 2\n".into(), 3), "who put it there stays known");
    let elsewhere = Place { path: "/elsewhere/rules.toml".into(), ..rules.clone() };
    assert_eq!(versions.good(&elsewhere), None, "another box's file");
}

#[test]
fn a_text_beyond_its_bound_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let keep =
        |len: usize| Versions::keep(folder.path(), origin(ConfigFile::Devices, 0, How::Applied), &"x".repeat(len));
    assert!(matches!(keep(TEXT_BYTES_MAX + 1), Err(VersionsError::TooLong { .. })));
    keep(TEXT_BYTES_MAX).unwrap();
}

#[test]
fn a_replaced_file_keeps_its_rights_and_a_failure_leaves_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rules.toml");
    let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    replace(&path, b"a = 1", 0o600).unwrap();
    assert_eq!(mode(), 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    replace(&path, b"a = 2", 0o600).unwrap();
    assert_eq!((mode(), fs::read_to_string(&path).unwrap().as_str()), (0o644, "a = 2"));
    assert!(replace(&folder.path().join("none/rules.toml"), b"a = 3", 0o600).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn a_bare_name_stands_in_the_folder_where_one_is() {
    for (path, folder) in [("sync.toml", "."), ("etc/sync.toml", "etc"), ("/sync.toml", "/")] {
        assert_eq!(folder_of(Path::new(path)), Path::new(folder), "{path}");
    }
}

#[test]
fn the_state_dir_of_a_broken_configuration_is_found() {
    let found = |text: &str| state_dir(text).map(|path| path.display().to_string());
    assert_eq!(found("box = \"a\"\nstate_dir = \"state\"\n[mqtt]\n"), Some("state".into()));
    assert_eq!(found("box = \"a\nstate_dir = \"/srv/weir\" # here\n[[[\n"), Some("/srv/weir".into()));
    assert_eq!(found("box = \"a\"\nstate_dir = 7\n"), None);
    assert_eq!(found(""), None);
}

proptest! {
    /// Whatever comes, both bounds hold; the newest of each file and what worked last stay; what goes is older than what
    /// stays of what may go.
    #[test]
    fn the_bounds_hold_and_the_oldest_go(
        steps in proptest::collection::vec((0..4_usize, any::<u8>(), 1..=TEXT_BYTES_MAX as u64, any::<bool>()), 1..300),
    ) {
        let mut index = Index::default();
        for (at_ms, (file, text, bytes, works)) in steps.into_iter().enumerate() {
            // Of one folder: the upload daemon's one file, or the field daemon's three.
            let file = ConfigFile::ALL[file % 3];
            let bytes = bytes.min(1 + u64::from(text) * TEXT_BYTES_MAX as u64 / 256);
            let sha256 = [text, (bytes % 7) as u8].repeat(16).try_into().unwrap();
            let before = index.clone();
            let number = index.add(Version { sha256, bytes, ..origin(file, at_ms as i64, How::Applied) });
            if works {
                index.good.insert(file, Good { number, path: "x".into() });
            }
            let full = index.clone();
            index.prune();
            prop_assert!(index.versions.len() <= VERSIONS_MAX && index.bytes() <= BYTES_MAX, "{}", index.bytes());
            prop_assert_eq!(index.newest(file).unwrap().number, number);
            for (file, good) in &index.good {
                let id = VersionId { file: *file, number: good.number };
                prop_assert!(index.get(id).is_some(), "{}", id);
            }
            for version in before.versions.iter().filter(|version| version.file != file) {
                let is_newest = before.newest(version.file) == Some(version);
                prop_assert!(!is_newest || index.get(version.id()).is_some(), "{}", version.id());
            }
            let stays = |version: &Version| index.get(version.id()).is_some();
            let gone = full.versions.iter().filter(|version| !stays(version)).map(|version| version.at_ms).max();
            let pinned = |version: &&Version| {
                full.newest(version.file) == Some(*version)
                    || full.good.get(&version.file).is_some_and(|good| good.number == version.number)
            };
            let free = index.versions.iter().filter(|version| !pinned(version)).map(|version| version.at_ms).min();
            prop_assert!(gone.is_none() || free.is_none() || gone < free, "{:?} {:?}", gone, free);
        }
    }
}
