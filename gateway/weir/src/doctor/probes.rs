//! The probes: each gathers the facts of one subject, all of them at the same time, and none is waited for beyond the bound of
//! all. What does not answer in time, a name server or a card that is dying, is a fact like any other.

mod board;
mod changed;
mod clock;
mod daemons;
mod far_end;
mod files;
mod journal;
mod services;
mod setup;
mod storage;
mod upload;

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use control::chain;
use record::UnixMs;

use super::facts::{Fact, Facts, Places, Unseen};
use crate::upgrade;

/// All probes together. ms.
const ALL_MS_MAX: u64 = 2_600;
/// One file, before what depends on it is begun. ms.
const FILE_MS_MAX: u64 = 500;
/// Where the kernel shows itself.
const ROOT: &str = "/";

/// A look that is under way.
struct Probe<T>(Receiver<Fact<T>>);

impl<T: Send + 'static> Probe<T> {
    /// Begins. A look that never ends does not keep the process from ending.
    fn begin(look: impl FnOnce() -> Fact<T> + Send + 'static) -> Probe<T> {
        let (told, answer) = sync_channel(1);
        let started = thread::Builder::new().spawn(move || {
            // Nobody waits any more: then it was too late.
            let _ = told.send(look());
        });
        // Without a thread the sender is gone, and the wait says so.
        drop(started);
        Probe(answer)
    }

    fn wait(self, until: Instant) -> Fact<T> {
        self.0.recv_timeout(until.saturating_duration_since(Instant::now())).unwrap_or_else(|error| {
            Err(match error {
                RecvTimeoutError::Timeout => Unseen::Late,
                RecvTimeoutError::Disconnected => Unseen::Failed("failed to start a thread · try: ulimit -u".into()),
            })
        })
    }
}

/// Looks at everything.
pub(super) fn gather(places: &Places) -> Facts {
    let (begun, now_ms) = (Instant::now(), UnixMs(jiff::Timestamp::now().as_millisecond()));
    let until = begun + Duration::from_millis(ALL_MS_MAX);
    let upload = of(places, upload::look);
    let setup = of(places, setup::look);
    let changed = of(places, changed::look);
    let page = of(places, changed::page);
    let gateway = of(places, daemons::gateway);
    let sync = of(places, daemons::sync);
    let board = Probe::begin(|| Ok(board::look(Path::new(ROOT))));
    let storage = of(places, |places| Ok(storage::look(Path::new(ROOT), &places.state_dir)));
    let services = Probe::begin(|| services::look(Path::new(ROOT)));
    let ports = Probe::begin(|| daemons::ports(Path::new(ROOT)));
    let upgrade = of(places, |places| upgrade::last(&places.state_dir).map_err(|error| Unseen::Failed(chain(&error))));
    let clock = of(places, |places| Ok(clock::look(Path::new(ROOT), &places.state_dir)));
    let journal = of(places, |places| journal::look(&places.state_dir));
    let files_end = (begun + Duration::from_millis(FILE_MS_MAX)).min(until);
    let (upload, setup) = (upload.wait(files_end), setup.wait(files_end));
    let far_ends = begin_for(&upload, |upload| Ok(far_end::look(&upload)));
    let outbox = {
        let (state_dir, destinations) = (places.state_dir.clone(), upload.clone());
        Probe::begin(move || journal::outbox(&state_dir, &destinations?))
    };
    let certificates = {
        let (upload, setup) = (upload.clone().ok(), setup.clone().ok());
        Probe::begin(move || Ok(upload::certificates(upload.as_ref(), setup.as_ref())))
    };
    let files = {
        let (places, upload, setup) = (places.clone(), upload.clone().ok(), setup.clone().ok());
        Probe::begin(move || Ok(files::look(&places, upload.as_ref(), setup.as_ref())))
    };
    Facts {
        now_ms,
        version: env!("CARGO_PKG_VERSION"),
        places: places.clone(),
        board: board.wait(until),
        storage: storage.wait(until),
        files: files.wait(until),
        clock: clock.wait(until),
        services: services.wait(until),
        upgrade: upgrade.wait(until),
        gateway: gateway.wait(until),
        sync: sync.wait(until),
        ports: ports.wait(until),
        far_ends: far_ends.wait(until),
        certificates: certificates.wait(until),
        journal: journal.wait(until),
        outbox: outbox.wait(until),
        setup,
        upload,
        changed: changed.wait(until),
        page: page.wait(until),
    }
}

fn of<T: Send + 'static>(places: &Places, look: impl FnOnce(&Places) -> Fact<T> + Send + 'static) -> Probe<T> {
    let places = places.clone();
    Probe::begin(move || look(&places))
}

/// A look that needs another fact; without it, it is unseen for the same reason.
fn begin_for<N, T>(needed: &Fact<N>, look: impl FnOnce(N) -> Fact<T> + Send + 'static) -> Probe<T>
where
    N: Clone + Send + 'static,
    T: Send + 'static,
{
    let needed = needed.clone();
    Probe::begin(move || look(needed?))
}
