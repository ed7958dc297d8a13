//! The long-running verbs: load, start, wait for a signal, stop.

mod supervised;

use std::path::Path;

use serde_json::json;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::logging;

/// Two threads serve a Raspberry Pi's sockets; the committer and the router have their own.
const WORKERS: usize = 2;
/// Stacks of worker threads, in bytes: futures are small, and 200 clients must fit beside them in 32 MiB.
const STACK_BYTES: usize = 1024 * 1024;

/// `weir gateway run`
pub(crate) fn gateway(path: &Path) -> Result<Exit, CommandError> {
    logging::start();
    let own = gatewayd::GatewayConfig::load_or_last_good(path).map_err(CommandError::GatewayConfig)?;
    let gatewayd::Loaded { config, texts } = gatewayd::in_force(path, own);
    let runtime = runtime(WORKERS)?;
    let stop = stop_signal(&runtime)?;
    if !config.origin.is_trial() {
        let probe = json!({"do": "probe"});
        supervised::keep_once_it_works(
            config.socket_path(),
            probe,
            config.versions_path(),
            texts.into(),
            config.socket_path(),
        )?;
    }
    supervised::watch(config.socket_path(), json!({"do": "probe"}))?;
    runtime.block_on(gatewayd::run(config, stop)).map_err(CommandError::Gateway)?;
    Ok(Exit::Good)
}

/// `weir sync run`
pub(crate) fn sync(path: &Path) -> Result<Exit, CommandError> {
    logging::start();
    let syncd::Loaded { config, text } =
        syncd::SyncConfig::load_or_last_good(path).map_err(CommandError::SyncConfig)?;
    let runtime = runtime(WORKERS)?;
    let stop = stop_signal(&runtime)?;
    let gateway = config.gateway_socket_path();
    supervised::keep_once_it_works(
        config.socket_path(),
        json!({"do": "status"}),
        config.versions_path(),
        vec![text],
        gateway,
    )?;
    supervised::watch(config.socket_path(), json!({"do": "status"}))?;
    let ended = runtime.block_on(syncd::run(config, stop)).map_err(CommandError::Sync);
    // A program or a modem that is waited for must not hold the stop: whom it told is in doubt then, as after a kill.
    runtime.shutdown_background();
    ended?;
    Ok(Exit::Good)
}

/// `weir page run`
pub(crate) fn page(path: &Path) -> Result<Exit, CommandError> {
    logging::start();
    let config = page::Config::load(path).map_err(CommandError::PageConfig)?;
    let runtime = runtime(WORKERS)?;
    let stop = stop_signal(&runtime)?;
    let listen = config.listen;
    // A whole page, made as for a reader: what hangs is started again.
    supervised::watch_by(move || page::answers(listen))?;
    runtime.block_on(page::run(config, stop)).map_err(CommandError::Page)?;
    Ok(Exit::Good)
}

/// `weir platform run`
pub(crate) fn platform(path: &Path) -> Result<Exit, CommandError> {
    logging::start();
    let config = platform::Config::load(path).map_err(CommandError::PlatformConfig)?;
    let runtime = runtime(WORKERS)?;
    let stop = stop_signal(&runtime)?;
    runtime.block_on(async {
        let mut running = platform::Platform::start(config).await.map_err(CommandError::PlatformStart)?;
        tokio::select! {
            () = stop => running.stop().await,
            ended = running.ended() => ended,
        }
        .map_err(CommandError::PlatformStop)
    })?;
    Ok(Exit::Good)
}

fn runtime(workers: usize) -> Result<Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .map_err(CommandError::Runtime)
}

/// Resolves at the first SIGTERM or SIGINT.
fn stop_signal(runtime: &Runtime) -> Result<impl Future<Output = ()> + use<>, CommandError> {
    let _entered = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(CommandError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(CommandError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        log::info!("stopping");
        supervised::stopping();
    })
}
