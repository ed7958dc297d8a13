//! `weir demo`: the main job, end to end, in one folder and on loopback.
//!
//! ```text
//!  this process                                   processes of the same executable
//!  ────────────                                   ────────────────────────────────
//!  sensors/mqtt ───────────────── TCP ──────────► weir gateway run ─► journal
//!  sensors/lora (forwarder) ───── UDP ──────────►        ▲               │
//!  script: cut, SIGKILL, alarm, heal                SIGKILL, again  weir sync run
//!  proxy ◄────────────────────── HTTPS ──────────────────────────────────┤
//!    └──────────────────────────────────────────► weir platform run (province)
//!  evidence ─► tally ─► report                    weir platform run (city) ◄─┘
//! ```
//! **In:** nothing but the executable itself; all configuration is made here. **Out:** a table that says whether what
//! was acknowledged is everywhere exactly once, and the exit status that goes with it.
//!
//! The judge is kept apart from the judged: what was sent and acknowledged is counted by the sensors, what was stored is
//! read from the databases afterwards, and `tally` compares both message by message.

mod access;
mod alarm_file;
mod alarm_watch;
mod children;
mod console;
mod devices;
mod error;
mod evidence;
mod folder;
mod logbook;
mod message;
mod proof;
mod proxy;
mod report;
mod script;
mod sensors;
mod settings;
mod tally;
mod verdict;
mod wait;
mod world;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

pub(crate) use error::DemoError;

use crate::exit::Exit;
use crate::lang::Lang;
use console::Console;
use folder::Folder;
use report::Report;
use wait::Clock;
use world::World;

/// Threads for sensors and proxy; the script has the main thread for itself and may wait for files there.
const WORKERS: usize = 2;

/// `weir demo`
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Work in this folder and keep it; without it, a fresh folder that is removed at the end.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Keep the world running afterwards, until interrupted, and write DIR/access.json.
    #[arg(long, requires = "dir")]
    pub(crate) hold: bool,
    /// The final table as one JSON object on standard output; progress goes to standard error.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Runs it.
///
/// # Errors
/// [`DemoError`]: the world could not be built or looked into, or somebody interrupted. A promise that was broken is no
/// error: it is in the table, and the exit is [`Exit::NotWell`].
pub(crate) fn run(args: &DemoArgs, lang: Lang) -> Result<Exit, DemoError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(DemoError::Runtime)?;
    runtime.block_on(async {
        let mut stop = Box::pin(stop_signal()?);
        tokio::select! {
            biased;
            () = &mut stop => Err(DemoError::Interrupted),
            done = play(args, lang) => {
                let (exit, held) = done?;
                if let Some(world) = held {
                    stop.await;
                    // Again, with what outsiders made of it.
                    world.write_artifacts()?;
                    world.end().await;
                }
                Ok(exit)
            }
        }
    })
}

/// From the empty folder to the table. With `--hold` the world is handed out alive.
async fn play(args: &DemoArgs, lang: Lang) -> Result<(Exit, Option<World>), DemoError> {
    let clock = Clock::start();
    let console = Console::new(lang, args.json, clock);
    let folder = Folder::make(args.dir.as_deref())?;
    let mut world = World::start(folder, &console).await?;
    let mut told = script::play(&mut world, &console, clock).await?;
    let alarm_file = alarm_file::leave(&world, &mut told, &console, clock).await?;
    let verdict = verdict::judge(&world, &told, &console, clock)?;
    let is_kept = args.dir.is_some();
    let artifacts = is_kept.then(|| world.write_artifacts()).transpose()?;
    if args.hold {
        access::write_file(&world, &told.sources)?;
    }
    let kept = is_kept.then_some(&world);
    let (artifacts, alarm_file) = (artifacts.as_deref(), alarm_file.as_ref());
    let report = Report { verdict: &verdict, kept, held: args.hold, artifacts, alarm_file };
    report.print(&console)?;
    if args.hold {
        return Ok((verdict.exit(), Some(world)));
    }
    world.end().await;
    Ok((verdict.exit(), None))
}

/// Resolves at the first SIGINT, SIGTERM or SIGHUP.
fn stop_signal() -> Result<impl Future<Output = ()>, DemoError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(DemoError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(DemoError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
