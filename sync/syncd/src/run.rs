//! The daemon from start to stop.

use std::sync::Arc;
use std::time::Duration;

use batch::{BatchId, BatchIdError, BoxId, SigningKey};
use control::ControlError;
use control::chain;
use journal::{Outbox, Reader, StoreError};
use record::{MonoMs, Seq};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinSet};

use crate::best_time;
use crate::clock::mono_ms;
use crate::destination::{Board, Decided, Decision, Driver, Expected, Signals, restore};
use crate::files::{FileThread, FileThreadEnded, Files, open};
use crate::link::{self, LinkWatch};
use crate::notify::{self, Channels, NotifyConfig};
use crate::status::{Request, Status};
use crate::{BestTime, ChannelError, DestinationConfig, Instead, NotifyConfigError, SyncConfig, TlsError, Transport};

/// The journal is asked this often whether it grew; see the crate's head.
const JOURNAL_POLL: Duration = Duration::from_millis(100);
/// How often it is asked for the time, which is carried on in between.
const TIME_POLL: Duration = Duration::from_secs(10);
/// What the kernel calls this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// The gateway's files are looked for this often.
const START_POLL: Duration = Duration::from_millis(250);
/// What is missing at the start is said again after this long.
const START_REMINDER_MS: u64 = 60_000;

/// Orders of technicians that may wait for one destination.
const ORDERS_MAX: usize = 4;

/// Why the daemon could not start, or ended otherwise than by being stopped.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// A destination cannot be reached safely with these settings.
    #[error("destination `{name}` cannot be set up")]
    Destination {
        /// Its name.
        name: String,
        /// The cause.
        source: TlsError,
    },
    /// The outbox cannot be opened or read.
    #[error("failed to open the outbox")]
    Outbox(#[source] StoreError),
    /// The control socket cannot be opened.
    #[error("failed to open the control socket")]
    Control(#[source] ControlError),
    /// The system gave no randomness for the backoff.
    #[error("failed to get randomness from the kernel · try: start again")]
    Random(#[source] getrandom::Error),
    /// The system gave no thread.
    #[error("failed to start a thread · try: check limits with systemctl show weir-sync -p TasksMax")]
    Thread(#[source] std::io::Error),
    /// A part broke.
    #[error("a part of the daemon broke · try: report the log as a bug; the service starts again")]
    Task(#[source] JoinError),
    /// The file thread broke.
    #[error(transparent)]
    FileThread(#[from] FileThreadEnded),
}

/// What the control socket can see.
enum Phase {
    /// Something of the gateway's is missing.
    Waiting(String),
    /// At work.
    Running { box_id: BoxId, end: watch::Receiver<Seq>, destinations: Vec<Shown>, notify: Option<ShownNotify> },
}

struct Shown {
    config: DestinationConfig,
    board: watch::Receiver<Board>,
    link_up: Arc<Notify>,
    orders: mpsc::Sender<Decision>,
}

/// The task that tells people.
struct ShownNotify {
    board: watch::Receiver<notify::View>,
    link_up: Arc<Notify>,
    orders: mpsc::Sender<notify::TestOrder>,
}

/// Why nobody is told of alarms. Data go on to platforms all the same.
#[derive(Debug, thiserror::Error)]
enum LadderError {
    /// Whom to tell is not clear.
    #[error("nobody is told of alarms")]
    Notify(#[source] Box<NotifyConfigError>),
    /// A channel cannot be used.
    #[error("nobody is told of alarms")]
    Channel(#[source] Box<ChannelError>),
}

/// Whom to tell, and by what.
type Ladder = (Arc<NotifyConfig>, Channels);

/// Serves all destinations until `shutdown` is ready, on the current tokio runtime. While journal or key are missing
/// it says so and waits for the gateway.
///
/// # Errors
/// [`SyncError`] by cause; what can heal by itself is not among them.
pub async fn run(config: SyncConfig, shutdown: impl Future<Output = ()> + Send) -> Result<(), SyncError> {
    if let Some(Instead { version, refused }) = &config.instead {
        log::error!(
            instead:% = version, refused = refused.as_str();
            "sync.toml is refused: its last version that worked is in force · try: weir config check, weir config diff"
        );
    }
    let time = BestTime::default();
    let destinations = transports(&config, &time)?;
    let (ladder, notify_refused) = match ladder(&config, &time) {
        Ok(ladder) => (ladder, None),
        Err(error) => {
            log::error!(error = chain(&error).as_str(); "notify.toml is refused · try: weir config check /etc/weir/notify.toml");
            (None, Some(chain(&error)))
        }
    };
    if destinations.is_empty() {
        log::warn!("no destination is enabled: nothing will be delivered; add a [[destination]] to sync.toml");
    }
    let path = config.outbox_path();
    let outbox = tokio::task::spawn_blocking(move || Outbox::open(&path)).await.map_err(SyncError::Task)?;
    let outbox = outbox.map_err(SyncError::Outbox)?;
    let (phase, shown) = watch::channel(Phase::Waiting("the gateway's files".into()));
    let beginning = Beginning { started: mono_ms(), instead: config.instead.clone(), notify_refused };
    let answer = move |_, request: Value| answer(request, shown.clone(), beginning.clone());
    let mut control = JoinSet::new();
    control.spawn(control::serve_async(&config.socket_path(), answer).map_err(SyncError::Control)?);
    log::info!(socket:% = config.socket_path().display(), destinations = destinations.len(); "sync started");
    let ended = deliver(config, (destinations, ladder, time), outbox, &phase, shutdown).await;
    // Waited for: whoever starts next at this socket must not find the old listener still answering.
    control.shutdown().await;
    log::info!("sync stopped");
    ended
}

/// From the gateway's files to the last task's end, with the outbox closed.
async fn deliver(
    config: SyncConfig,
    (destinations, ladder, time): (Vec<(DestinationConfig, Transport)>, Option<Ladder>, BestTime),
    outbox: Outbox,
    phase: &watch::Sender<Phase>,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), SyncError> {
    tokio::pin!(shutdown);
    let (key, reader, box_id) = tokio::select! {
        () = &mut shutdown => return Ok(()),
        opened = wait_for_gateway(&config, phase) => opened?,
    };
    log::info!(box_id:%, key:% = key.public(); "journal and key found");
    let files = Files::new(reader, outbox, key, box_id.clone()).following(config.key_path());
    let (files, thread) = FileThread::start(files).map_err(SyncError::Thread)?;
    look_at_the_time(&files, &time).await?;
    let gateway = config.gateway_socket_path();
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let (end_sender, end) = watch::channel(Seq(0));
    let mut running = Vec::new();
    for (config, transport) in destinations {
        let link_up = Arc::new(Notify::new());
        let (end, link_up, time, stop) = (end.clone(), link_up.clone(), time.clone(), stopped.clone());
        let signals = Signals { end, link_up: link_up.clone(), time, stop, gateway: gateway.clone() };
        let name = config.name.to_string();
        let filter = config.filter.clone();
        let restored = files.run(move |files| {
            files.set_filter(&name, filter)?;
            files.forsake(&name)?;
            restore(&files.outbox, &name)
        });
        let restored = restored.await?.map_err(SyncError::Outbox)?;
        let pinned = config.key;
        let keys = files.run(move |files| files.platform_keys(pinned)).await?;
        let seed = getrandom::u64().map_err(SyncError::Random)?;
        let (orders, ordered) = mpsc::channel(ORDERS_MAX);
        let expected = Expected { keys, box_id: box_id.clone() };
        let (driver, board) =
            Driver::new(config.clone(), transport, expected, files.clone(), seed, restored, (signals, ordered));
        tasks.spawn(driver.run());
        running.push(Shown { config, board, link_up, orders });
    }
    let notify = match ladder {
        None => None,
        Some(ladder) => {
            let link_up = Arc::new(Notify::new());
            let (end, time, stop) = (end.clone(), time.clone(), stopped.clone());
            let signals = Signals { end, link_up: link_up.clone(), time, stop, gateway };
            let (orders, ordered) = mpsc::channel(ORDERS_MAX);
            let boot = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
            let names = (box_id.to_string().into(), boot.trim().into());
            let seed = getrandom::u64().map_err(SyncError::Random)?;
            let started = notify::Task::start(ladder, names, files.clone(), seed, (signals, ordered)).await?;
            let (task, board) = started.map_err(SyncError::Outbox)?;
            tasks.spawn(task.run());
            Some(ShownNotify { board, link_up, orders })
        }
    };
    tasks.spawn(watch_time(files.clone(), time, stopped.clone()));
    tasks.spawn(watch_journal(files, end_sender, stopped.clone()));
    // People first: what they are told is small, and waits for nothing.
    let links = notify.iter().map(|shown| &shown.link_up).chain(running.iter().map(|shown| &shown.link_up));
    tasks.spawn(watch_links(links.cloned().collect(), stopped));
    phase.send_replace(Phase::Running { box_id, end, destinations: running, notify });
    let ended = tokio::select! {
        () = &mut shutdown => Ok(()),
        Some(ended) = tasks.join_next() => flat(ended),
    };
    stop.send_replace(true);
    // Each task ends after the job it waits for; the thread ends with the last of them and closes the outbox.
    while let Some(task) = tasks.join_next().await {
        flat(task)?;
    }
    tokio::task::spawn_blocking(move || thread.join()).await.map_err(SyncError::Task)?.map_err(|_| FileThreadEnded)?;
    ended
}

fn flat(ended: Result<Result<(), FileThreadEnded>, JoinError>) -> Result<(), SyncError> {
    Ok(ended.map_err(SyncError::Task)??)
}

pub(crate) fn transports(
    config: &SyncConfig,
    time: &BestTime,
) -> Result<Vec<(DestinationConfig, Transport)>, SyncError> {
    let enabled = config.destinations.iter().filter(|destination| destination.enabled);
    let transport = |destination: &DestinationConfig| match Transport::new(destination, time.clone()) {
        Ok(transport) => Ok((destination.clone(), transport)),
        Err(source) => Err(SyncError::Destination { name: destination.name.to_string(), source }),
    };
    enabled.map(transport).collect()
}

fn ladder(config: &SyncConfig, time: &BestTime) -> Result<Option<Ladder>, LadderError> {
    let Some(file) = &config.notify_file else { return Ok(None) };
    let ladder = NotifyConfig::load(file).map_err(|error| LadderError::Notify(Box::new(error)))?;
    let channels = Channels::open(&ladder.channels, time).map_err(|error| LadderError::Channel(Box::new(error)))?;
    Ok(Some((Arc::new(ladder), channels)))
}

async fn wait_for_gateway(
    config: &SyncConfig,
    phase: &watch::Sender<Phase>,
) -> Result<(SigningKey, Reader, BoxId), SyncError> {
    let mut said: Option<(String, MonoMs)> = None;
    loop {
        let (key, journal) = (config.key_path(), config.journal_path());
        let opened = tokio::task::spawn_blocking(move || open(&key, &journal)).await.map_err(SyncError::Task)?;
        let missing = match opened {
            Ok(opened) => return Ok(opened),
            Err(missing) => missing,
        };
        let now = mono_ms();
        let is_news = said.as_ref().is_none_or(|(what, at)| *what != missing || now.0 - at.0 >= START_REMINDER_MS);
        if is_news {
            log::warn!(missing = missing.as_str(); "waiting for the gateway");
            phase.send_replace(Phase::Waiting(missing.clone()));
            said = Some((missing, now));
        }
        tokio::time::sleep(START_POLL).await;
    }
}

/// Looks what the gateway knows of the time.
async fn look_at_the_time(files: &FileThread, time: &BestTime) -> Result<(), FileThreadEnded> {
    let (boot_id, at) = (std::fs::read_to_string(BOOT_ID).unwrap_or_default(), mono_ms());
    match files.run(move |files| best_time::read(&files.reader, boot_id.trim(), at)).await? {
        Ok(known) => time.tell(known, at),
        Err(error) => log::debug!(error = chain(&error).as_str(); "the journal does not tell the time"),
    }
    Ok(())
}

async fn watch_time(files: FileThread, time: BestTime, mut stop: watch::Receiver<bool>) -> Result<(), FileThreadEnded> {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(TIME_POLL) => {}
        }
        look_at_the_time(&files, &time).await?;
    }
}

/// Tells all destinations when a link is back. Without the kernel's word the backoff finds out.
async fn watch_links(destinations: Vec<Arc<Notify>>, mut stop: watch::Receiver<bool>) -> Result<(), FileThreadEnded> {
    let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
    match LinkWatch::open() {
        Ok(links) => link::watch(links, || destinations.iter().for_each(|link_up| link_up.notify_one()), stopped).await,
        Err(error) => {
            log::warn!(error:% = error, next = "allow AF_NETLINK, as the shipped weir-sync.service does";
                "the kernel does not tell when a link is back; the backoff finds out");
            stopped.await;
        }
    }
    Ok(())
}

/// Tells all destinations how far the journal goes.
async fn watch_journal(
    files: FileThread,
    end: watch::Sender<Seq>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), FileThreadEnded> {
    let mut failures: u64 = 0;
    loop {
        match files.run(|files| files.reader.position()).await? {
            Ok(position) => {
                failures = 0;
                end.send_if_modified(|end| std::mem::replace(end, position.end) != position.end);
            }
            Err(error) => {
                failures += 1;
                if failures.is_power_of_two() {
                    log::error!(failures, error = chain(&error).as_str(); "failed to read the journal, tried again");
                }
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(JOURNAL_POLL) => {}
        }
    }
}

/// What a start found, for the status.
#[derive(Clone)]
struct Beginning {
    started: MonoMs,
    instead: Option<Instead>,
    notify_refused: Option<String>,
}

async fn answer(request: Value, shown: watch::Receiver<Phase>, beginning: Beginning) -> Result<Value, String> {
    let request: Request = serde_json::from_value(request).map_err(|error| {
        format!(
            "unknown request ({error}) · known: {{\"do\":\"status\"}}, {{\"do\":\"link_up\"}}, {{\"do\":\"retry\",…}}, {{\"do\":\"drop\",…}}, {{\"do\":\"notify\"}}, {{\"do\":\"notify_test\",…}}"
        )
    })?;
    if let Request::NotifyTest { target } = request {
        return test(&target, &shown).await;
    }
    let (destination, what) = match (request, &*shown.borrow()) {
        (Request::Status, phase) => {
            return serde_json::to_value(status(phase, beginning))
                .map(|status| json!({ "status": status }))
                .map_err(|error| format!("failed to write the status as JSON: {error} · try: report this as a bug"));
        }
        (Request::Notify, Phase::Running { notify, .. }) => {
            let view = notify.as_ref().ok_or_else(nobody)?.board.borrow().clone();
            return serde_json::to_value(view)
                .map(|view| json!({ "notify": view }))
                .map_err(|error| format!("failed to write it as JSON: {error} · try: report this as a bug"));
        }
        (Request::NotifyTest { .. }, _) => return Err(nobody()),
        (_, Phase::Waiting(missing)) => return Err(format!("not yet: {missing}")),
        (Request::LinkUp, Phase::Running { destinations, notify, .. }) => {
            notify.iter().for_each(|shown| shown.link_up.notify_one());
            destinations.iter().for_each(|shown| shown.link_up.notify_one());
            return Ok(json!({}));
        }
        (Request::Retry { destination, batch }, _) => {
            (destination, Decided::Retry { id: batch.as_deref().map(batch_id).transpose()? })
        }
        (Request::Drop { destination, batch, audits }, _) => {
            (destination, Decided::Drop { id: batch_id(&batch)?, audits })
        }
    };
    let orders = orders(&shown.borrow(), &destination)?;
    let stopping = |_| "the upload daemon is stopping · try: the same again".to_owned();
    let (answer, answered) = oneshot::channel();
    orders.send(Decision { what, answer }).await.map_err(|_| stopping(()))?;
    let count = answered.await.map_err(|_| stopping(()))??;
    Ok(json!({ "batches": count }))
}

fn nobody() -> String {
    "nobody is told of alarms · try: notify_file in sync.toml, see /usr/share/doc/weir/examples/notify.toml".to_owned()
}

/// Has each channel of a level, or one, told that this is a test.
async fn test(target: &str, shown: &watch::Receiver<Phase>) -> Result<Value, String> {
    let target = ::notify::Name::try_from(target.to_owned()).map_err(|error| error.to_string())?;
    let orders = match &*shown.borrow() {
        Phase::Waiting(missing) => return Err(format!("not yet: {missing}")),
        Phase::Running { notify, .. } => notify.as_ref().ok_or_else(nobody)?.orders.clone(),
    };
    let stopping = |_| "the upload daemon is stopping · try: the same again".to_owned();
    let (answer, answered) = oneshot::channel();
    orders.send(notify::TestOrder { target, answer }).await.map_err(|_| stopping(()))?;
    let tested = answered.await.map_err(|_| stopping(()))??;
    Ok(json!({ "tested": tested }))
}

fn batch_id(hex: &str) -> Result<BatchId, String> {
    hex.parse().map_err(|error: BatchIdError| error.to_string())
}

/// The way to the task of a destination.
fn orders(phase: &Phase, destination: &str) -> Result<mpsc::Sender<Decision>, String> {
    let shown = match phase {
        Phase::Waiting(_) => None,
        Phase::Running { destinations, .. } => {
            destinations.iter().find(|shown| shown.config.name.as_str() == destination)
        }
    };
    let unknown = || format!("there is no platform `{destination}` · try: weir status");
    Ok(shown.ok_or_else(unknown)?.orders.clone())
}

fn status(phase: &Phase, Beginning { started, instead, notify_refused }: Beginning) -> Status {
    let now = mono_ms();
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_ms: now.0.saturating_sub(started.0),
        config_instead: instead.map(|Instead { version, refused }| (version.to_string(), refused)),
        waiting_for: None,
        box_id: None,
        journal_end: 0,
        destinations: Vec::new(),
        notify: None,
        notify_refused,
    };
    match phase {
        Phase::Waiting(missing) => Status { waiting_for: Some(missing.clone()), ..status },
        Phase::Running { box_id, end, destinations, notify } => Status {
            box_id: Some(box_id.to_string()),
            journal_end: end.borrow().0,
            destinations: destinations.iter().map(|shown| shown.board.borrow().status(&shown.config, now)).collect(),
            notify: notify.as_ref().map(|shown| notify::View { episodes: Vec::new(), ..shown.board.borrow().clone() }),
            ..status
        },
    }
}
