//! A disk whose power can be cut at any moment of the past, and that fails when it is told to: a FUSE file system held
//! in memory. Its mount needs `/dev/fuse`, and the right to mount or `fusermount3`.
//!
//! ```text
//! weir gateway, weir sync ──► Mount (live files, faults) ──► Log: each change, and what the outside had seen by then
//!                                                              │ replayed to a moment, by a seed
//!                                                              └─► Platter ──► Image: what such a disk may hold
//! ```
//! Record once, cut everywhere: a cut costs a few ms, and any of them repeats by its seed.
//!
//! **A disk here** keeps what was synced. Of what was not, any part may be there: whole blocks of 512 or 4096 bytes, old or
//! new each by chance. Names follow one of two laws, [`Law::Ordered`] or [`Law::Posix`].
//!
//! **Not modelled:** a disk that spoils bytes beside those it writes, and one that reorders a block after its sync.

mod chance;
mod cut;
mod fault;
mod image;
mod log;
mod mount;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption};

pub use chance::Chance;
pub use cut::{Law, Platter};
pub use fault::Trouble;
pub use image::Image;
pub use log::{Change, Entry, Log};

use fault::Fault;
use mount::Mount;
use tree::Tree;

/// What [`Mount`] and its owner share.
struct Shared {
    tree: Tree,
    log: Log,
    fault: Option<Fault>,
    /// How long a sync takes; on cards 2 to 50 ms, and on some now and then more than a second.
    sync: Duration,
    /// What is said to be free; writes succeed either way.
    free_blocks: u64,
}

/// The mounted disk. Dropping it unmounts it.
pub struct Disk {
    path: PathBuf,
    shared: Arc<Mutex<Shared>>,
    session: Option<BackgroundSession>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Disk {
    /// Two requests at one time: a sync that takes its time must not delay the readers.
    const THREADS: usize = 2;

    /// How long a sync takes, unless it is told otherwise.
    pub const SYNC: Duration = Duration::from_millis(1);

    /// Mounts an empty one at a folder, which must exist.
    pub fn mount(path: &Path) -> Disk {
        let shared = Shared {
            tree: Tree::new(),
            log: Log::default(),
            fault: None,
            sync: Disk::SYNC,
            free_blocks: mount::BLOCKS,
        };
        let shared = Arc::new(Mutex::new(shared));
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("weir-disk".into()), MountOption::NoSuid, MountOption::NoDev];
        config.n_threads = Some(Disk::THREADS);
        let session = fuser::spawn_mount(Mount::new(shared.clone()), path, &config).unwrap_or_else(|error| {
            panic!("cannot mount {}: {error} · try: tests/run tools, ls -l /dev/fuse", path.display())
        });
        Disk { path: path.into(), shared, session: Some(session) }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// From now on each change notes how many bytes these files have: what the outside has seen by then.
    pub fn witness(&self, files: Vec<PathBuf>) {
        self.lock().log.witness(files);
    }

    /// Names what is going on, for the changes to come.
    pub fn step(&self, step: &'static str) {
        self.lock().log.step(step);
    }

    /// What is there now counts as synced: it was there before the story began.
    pub fn settle(&self) {
        self.lock().log.push(Change::Settle, "");
    }

    /// A copy of everything that happened.
    pub fn log(&self) -> Log {
        self.lock().log.clone()
    }

    /// From now on each sync takes so long.
    pub fn slow(&self, sync: Duration) {
        self.lock().sync = sync;
    }

    /// From now on it says that so many of its 1,000 parts are free.
    pub fn leave_free(&self, permille: u64) {
        self.lock().free_blocks = mount::BLOCKS * permille / 1_000;
    }

    /// From now on changes below a folder fail.
    pub fn fail(&self, below: &str, trouble: Trouble) {
        self.fail_after(0, below, trouble);
    }

    /// The same once this many changes were let through.
    pub fn fail_after(&self, changes: u64, below: &str, trouble: Trouble) {
        self.lock().fault = Some(Fault::new(changes, below, trouble));
    }

    /// Ends the trouble; how many changes it refused.
    pub fn heal(&self) -> u64 {
        self.lock().fault.take().map_or(0, |fault| fault.refused())
    }

    /// How many changes were refused since the trouble began.
    pub fn refused(&self) -> u64 {
        self.lock().fault.as_ref().map_or(0, Fault::refused)
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Whoever still has a file open here keeps the mount busy; it goes with the last of them.
        if let Some(session) = self.session.take() {
            drop(session);
        }
    }
}
