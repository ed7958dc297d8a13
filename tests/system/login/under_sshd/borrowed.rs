//! What these tests need of the machine itself, and give back: an account, sshd's folder, the place of journald's socket.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use system_tests::Answer;

const GROUP: &str = "weir-technicians";
/// A fixed name, so that what a killed run left is found by the next.
const ACCOUNT: &str = "weir-login-test";
const JOURNAL: &str = "/run/systemd/journal/socket";

/// One test at a time on the whole machine, also of another run: the account, its group and journald's socket are there once.
pub(super) fn turn() -> File {
    let folder = File::open("/etc/ssh").unwrap_or_else(|error| panic!("/etc/ssh: {error} · try: tests/run tools"));
    folder.lock().unwrap();
    folder
}

/// Whether a command goes well.
fn does(command: &[&str]) -> bool {
    Answer::of(Command::new(command[0]).args(&command[1..])).code == Some(0)
}

/// Does what only root may.
pub(super) fn root(command: &[&str]) {
    Answer::of(Command::new(command[0]).args(&command[1..])).exits(0);
}

/// An account of the technicians' group that is taken away again.
pub(super) struct Account {
    is_group_ours: bool,
}

impl Account {
    pub(super) const NAME: &str = ACCOUNT;

    pub(super) fn make() -> Account {
        let is_group_ours = !does(&["getent", "group", GROUP]);
        let account = Account { is_group_ours };
        if does(&["id", ACCOUNT]) {
            account.remove();
        }
        if is_group_ours {
            root(&["groupadd", "--system", GROUP]);
        }
        let options = ["--create-home", "--user-group", "--shell", "/bin/sh", "--password", "*", "--groups", GROUP];
        root(&[&["useradd"][..], &options, &[ACCOUNT]].concat());
        account
    }

    pub(super) fn home(&self) -> PathBuf {
        Path::new("/home").join(ACCOUNT)
    }

    /// Makes files the account's own.
    pub(super) fn own(&self, path: &Path) {
        root(&["chown", "-Rh", &format!("{ACCOUNT}:{ACCOUNT}"), path.to_str().unwrap()]);
    }

    /// With all that runs as it, which a failed test may have left.
    fn remove(&self) -> bool {
        for _ in 0..50 {
            does(&["pkill", "-KILL", "-u", ACCOUNT]);
            if does(&["userdel", "--remove", ACCOUNT]) {
                return true;
            }
            thread::sleep(Duration::from_millis(100));
        }
        false
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let is_removed = self.remove() && (!self.is_group_ours || does(&["groupdel", GROUP]));
        assert!(is_removed || thread::panicking(), "{ACCOUNT} or {GROUP} is left · try: userdel --remove {ACCOUNT}");
    }
}

/// A folder; as much of its path as was not there before is taken away again, from its end.
pub(super) struct Folder(Vec<&'static Path>);

impl Folder {
    /// Where sshd locks its unprivileged half in; Debian's unit makes it, and nothing does where no unit runs.
    pub(super) fn of_sshd() -> Folder {
        Folder::make(Path::new("/run/sshd"))
    }

    fn make(path: &'static Path) -> Folder {
        let made = path.ancestors().take_while(|above| !above.exists()).collect();
        fs::create_dir_all(path).unwrap();
        Folder(made)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for path in &self.0 {
            let removed = fs::remove_dir(path);
            assert!(removed.is_ok() || thread::panicking(), "{}: {removed:?}", path.display());
        }
    }
}

/// What is logged to journald: by itself, or by a listener in its place, where none runs, as in containers.
pub(super) struct Journal {
    heard: Option<Arc<Mutex<String>>>,
    _folder: Folder,
}

impl Journal {
    pub(super) fn listen() -> Journal {
        let folder = Folder::make(Path::new(JOURNAL).parent().unwrap());
        if UnixDatagram::unbound().unwrap().connect(JOURNAL).is_ok() {
            return Journal { heard: None, _folder: folder };
        }
        // One that a killed test left.
        let _ = fs::remove_file(JOURNAL);
        let listener = UnixDatagram::bind(JOURNAL).unwrap();
        fs::set_permissions(JOURNAL, fs::Permissions::from_mode(0o666)).unwrap();
        let heard = Arc::<Mutex<String>>::default();
        let into = Arc::downgrade(&heard);
        listener.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // A socket holds some ten datagrams, and then all who log wait.
        thread::spawn(move || {
            let mut datagram = vec![0; 65_536];
            while let Some(into) = into.upgrade() {
                if let Ok(length) = listener.recv(&mut datagram) {
                    into.lock().unwrap().push_str(&format!("{}\n", String::from_utf8_lossy(&datagram[..length])));
                }
            }
        });
        Journal { heard: Some(heard), _folder: folder }
    }

    /// What the login logged until now.
    pub(super) fn logged(&self) -> String {
        match &self.heard {
            Some(heard) => heard.lock().unwrap().clone(),
            None => {
                let journalctl = ["--quiet", "--output=export", "--identifier=weir-login", "--since=-10min"];
                Answer::of(Command::new("journalctl").args(journalctl)).exits(0).out
            }
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.heard.is_some() {
            let removed = fs::remove_file(JOURNAL);
            assert!(removed.is_ok() || thread::panicking(), "{JOURNAL}: {removed:?}");
        }
    }
}
