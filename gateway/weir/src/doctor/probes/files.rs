//! Rights and owners of what the box keeps.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::doctor::facts::{Duty, Fact, FileFacts, Places, Setup, Unseen, Upload, WatchedFile};

/// Set-group-id: the package gave this folder to a group on purpose, and what is made in it follows.
const SET_GROUP_ID: u32 = 0o2000;

/// A file, its duty, the widest rights, and whose it is where the package made it.
type Watched = (PathBuf, Duty, u32, (&'static str, &'static str));

/// Looks at those of this box.
pub(super) fn look(places: &Places, upload: Option<&Upload>, setup: Option<&Setup>) -> Vec<WatchedFile> {
    let names = Names::read();
    let is_packaged = names.has_user("weir") && names.has_user("weir-sync");
    let watched = watched(places, upload, setup).into_iter();
    watched
        .map(|(path, duty, widest, owner)| WatchedFile {
            found: facts(&path, &names),
            belongs_to: is_packaged.then_some(owner),
            path,
            duty,
            widest,
        })
        .collect()
}

fn watched(places: &Places, upload: Option<&Upload>, setup: Option<&Setup>) -> Vec<Watched> {
    let (gateway, sync) = (("weir", "weir"), ("weir-sync", "weir"));
    let at = |path: &str| places.state_dir.join(path);
    let mut all = vec![
        (places.state_dir.clone(), Duty::State, 0o750, gateway),
        (at("journal"), Duty::State, 0o750, gateway),
        (at("outbox"), Duty::State, 0o750, sync),
        (at("identity"), Duty::State, 0o755, ("weir", "weir-sync")),
        (places.run_dir.join("gateway.sock"), Duty::State, 0o660, gateway),
        (places.run_dir.join("sync.sock"), Duty::State, 0o660, sync),
    ];
    let databases = [("journal/journal.db", gateway), ("outbox/outbox.db", sync)];
    for (name, owner) in databases {
        all.extend(["", "-wal", "-shm"].map(|end| (at(&format!("{name}{end}")), Duty::State, 0o640, owner)));
    }
    let is_shared = fs::metadata(at("identity")).is_ok_and(|found| found.mode() & SET_GROUP_ID != 0);
    let key_mode = if is_shared { 0o640 } else { 0o600 };
    all.push((at("identity/box.key"), Duty::Secret, key_mode, ("weir", "weir-sync")));
    let keys = setup.map(|setup| setup.keys.clone());
    let keys = keys.unwrap_or_else(|| places.config.with_file_name("keys.toml"));
    all.push((keys, Duty::Secret, 0o600, gateway));
    let tls = setup.and_then(|setup| setup.mqtt_tls.as_ref());
    all.extend(tls.map(|tls| (tls.key.clone(), Duty::Secret, 0o640, ("root", "weir"))));
    let client_keys = upload.iter().flat_map(|upload| &upload.destinations).filter_map(|one| one.client_key.clone());
    all.extend(client_keys.map(|key| (key, Duty::Secret, 0o640, ("root", "weir"))));
    all
}

fn facts(path: &Path, names: &Names) -> Fact<FileFacts> {
    let found = fs::metadata(path).map_err(|error| Unseen::of(&error, &path.display().to_string()))?;
    let (user, group) = (names.user(found.uid()), names.group(found.gid()));
    Ok(FileFacts { mode: found.mode() & 0o7777, user, group })
}

/// Names of users and groups, as the files of the system have them.
struct Names {
    users: String,
    groups: String,
}

impl Names {
    fn read() -> Names {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Names { users: text("/etc/passwd"), groups: text("/etc/group") }
    }

    fn has_user(&self, name: &str) -> bool {
        self.users.lines().any(|line| line.split(':').next() == Some(name))
    }

    fn user(&self, id: u32) -> String {
        name_of(&self.users, id)
    }

    fn group(&self, id: u32) -> String {
        name_of(&self.groups, id)
    }
}

/// `name:x:id:…`
fn name_of(table: &str, id: u32) -> String {
    let id = id.to_string();
    let of_line = |line: &str| {
        let mut words = line.split(':');
        let (name, number) = (words.next()?, words.nth(1)?);
        (number == id).then(|| name.to_owned())
    };
    table.lines().find_map(of_line).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_system() {
        let names =
            Names { users: "root:x:0:0:\nweir:x:990:985:\n".into(), groups: "root:x:0:\nweir:x:985:a\n".into() };
        assert_eq!((names.user(990), names.user(7), names.group(985)), ("weir".into(), "7".into(), "weir".into()));
        assert!(names.has_user("weir") && !names.has_user("wei"));
    }
}
