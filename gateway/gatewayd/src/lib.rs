//! The field daemon: everything that listens to the field and writes the journal.
//!
//! ```text
//! MQTT clients ──► mqtt::Edge ─► decoding ─Published─┐                          ┌─► Reply (PUBACK, PUBREC)
//!                                                    ├─► committer (one thread) ┤   only after COMMIT (A1)
//! LoRa gateways ─► gwmp task ────────────Heard───────┤   judge, store, settle   ├─► Downlink ─► PULL_RESP
//! LoRa modules ──► serial ports ─────SerialFrame─────┘       │     ▲     │       └─► acknowledgement on the line
//!                                               new, undecoded     │     │
//!                                                            ▼     │     │
//!                                            decoders (two threads): codecs, history
//!                                                                        │
//! `weir status` ◄── control socket ◄── Board ◄───────────────────────────┘
//!
//! committer, behind the commit ─► relays (one thread) ─► GPIO lines: samplers, lights, sirens
//! ```
//! **Codecs never run on the committer's thread**, for one that works up to its limit would keep every acknowledgement
//! waiting. A frame is judged first: who sent it, is it new. If its payload is still to be decoded, judging has changed
//! nothing and the frame goes to a decoder ([`ingest::Judgement::Undecoded`]); decoded, it is judged again from the
//! beginning, by what is stored then, and committed. Meanwhile later frames of its device wait behind it, all others
//! overtake, and nothing is owed to anybody: a SIGKILL in between loses what was never acknowledged. Of the two decoders
//! one takes only what is known to be quick. Publishes for declarative codecs need no session and microseconds: they are
//! decoded on their way to the committer.
//!
//! **In:** sockets, the clock, three configuration files. **Out:** the journal, acknowledgements, a status.
//!
//! **Deliberately does not know:** where platforms are and what they hold. It needs no network beyond its own sockets, and
//! nothing that happens in the upload daemon can stop it; their contact is the journal's file, and the control socket,
//! where that daemon brings what a platform signed. Of platforms it knows the keys that the journal believes.
//!
//! Invariants kept here: **A1**, **A2** (`committer.rs`), **A3** (tallies in the same transaction; what could not be
//! stored counts as shed), **R1** (alarms are stored with their frame), **R2** (`restore` is how a restart and a failed
//! commit both recover), **T1** (`clock.rs`), **B1** (`job.rs`, `config.rs`).

mod activation;
mod board;
mod clock;
mod commands;
mod committer;
pub mod config;
mod decoding;
mod directory;
mod edge;
mod error;
mod field;
mod gwmp;
mod job;
mod keeper;
pub mod ledger;
mod manual;
mod order;
mod platform_files;
mod registration;
mod relays;
mod self_test;
mod serial;
pub mod status;
mod strangers;
mod tallies;
pub mod upkeep;
mod view;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use journal::TableSize;
use tokio::sync::{Notify, mpsc};

pub use clock::{Clock, Discipline, Rtc, SavedTime, discipline};
pub use config::{ConfigError, GatewayConfig, Instead, Loaded};
pub use error::StartError;
pub use mqtt::EdgeError;
pub use platform_files::{Origin, in_force};
pub use relays::{LineError, switch_off};

use activation::Activated;
use board::Board;
use commands::COMMANDS_MAX;
use committer::{EVENTS_MAX, Parts, RunningCommitter};
use decoding::{DECODE_FRAMES_MAX, broken, decode};
use field::{Field, Queues};
use job::{Lost, QUEUE_FRAMES_MAX};
use keeper::RunningKeeper;
use order::ORDERS_MAX;
use relays::RunningRelays;
use self_test::SelfTest;
use tallies::GatewayTallies;

/// Runs until `stop` resolves, or until a part of it cannot go on. What was received by then is stored and answered
/// before this returns.
///
/// # Errors
/// [`StartError`] when something cannot be opened, or when the router or the committer dies.
pub async fn run(config: GatewayConfig, stop: impl Future<Output = ()>) -> Result<(), StartError> {
    for Instead { version, refused } in &config.instead {
        log::error!(
            instead:% = version, refused = refused.as_str();
            "the configuration is refused: its last version that worked is in force · try: weir config check, weir config diff"
        );
    }
    let (orders, ordered) = mpsc::channel(ORDERS_MAX);
    // Whatever a crash left on is off before anything that may take its time.
    let relays = RunningRelays::start(&config.file.relay, orders.downgrade())?;
    let mut activated = Activated::from_env();
    // A change of the key that was interrupted ends before anything is signed.
    identity::settle(&config.key_path()).map_err(StartError::Identity)?;
    let key = identity::load_or_create(&config.key_path()).map_err(StartError::Identity)?;
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_err(StartError::BootId)?;
    let board = Arc::new(Mutex::new(Board::new(&config.devices)));
    {
        let mut board = board.lock().unwrap_or_else(PoisonError::into_inner);
        board.instead = config.instead.clone();
        let rules = config.origin.texts.get(&record::ConfigFile::Rules);
        board.rules_sha256 = rules.map(|text| hex::encode(versions::sha256(text))).unwrap_or_default();
    }
    let lost: Arc<Mutex<Lost>> = Arc::default();
    let scarce: Arc<AtomicBool> = Arc::default();
    let anew: Arc<Notify> = Arc::default();
    let tallies = GatewayTallies::default();
    let self_test = config.file.mqtt.enabled.then(Arc::<SelfTest>::default);
    let (submissions, submitted) = mpsc::channel(DECODE_FRAMES_MAX);
    let (decoded, published) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (frames, heard) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (serial, read) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (downlinks, answers) = mpsc::channel(QUEUE_FRAMES_MAX);
    let (commands, commanded) = mpsc::channel(COMMANDS_MAX);
    let (events, told) = mpsc::channel(EVENTS_MAX);
    let parts = Parts {
        box_id: config.file.box_id.clone(),
        key,
        key_path: config.key_path(),
        journal_path: config.journal_path(),
        outbox_path: config.outbox_path(),
        devices: config.devices.clone(),
        network: config.network(),
        rules: config.rules.clone(),
        rules_hash: config.rules_hash,
        rules_place: config.rules_place.clone(),
        versions_path: config.versions_path(),
        commands_allowed: config.file.commands.clone(),
        origin: config.origin.clone(),
        anew: anew.clone(),
        commit: config.file.commit,
        checkpoint: config.file.checkpoint,
        evidence: config.file.evidence,
        aggregation: config.file.aggregates.clone(),
        code_patterns: config.file.outfalls.code_patterns.clone(),
        tables: TableSize::of_budget(config.file.journal.bytes_max),
        journal_bytes_max: config.file.journal.bytes_max,
        boot_id: boot_id.trim().to_owned(),
        board: board.clone(),
        lost: lost.clone(),
        tallies: tallies.clone(),
        self_test: self_test.clone(),
        scarce: scarce.clone(),
        downlinks,
        commands,
        chirpstack: config.file.chirpstack.clone(),
        events,
        relays: relays.relays(),
        relays_configured: config.file.relay.clone(),
        ask_clock: clock::discipline,
    };
    let mut committer = RunningCommitter::start(parts, published, heard, read, ordered)?;
    // Ends when the edge has gone, and closes the committer's queue by that.
    let event_topic = config.file.chirpstack.event_topic.clone();
    let reading = decode(submitted, decoded, config.devices.clone(), event_topic, committer.clock.clone());
    let mut decoding = tokio::spawn(reading);
    let kept = std::mem::take(&mut committer.kept);
    let keeper = RunningKeeper::start(&config, orders.clone(), board.clone(), committer.clock.clone(), scarce)?;
    let (downlinks, commands, events) = (answers, commanded, told);
    let lines = relays.relays().board();
    let queues = Queues {
        submissions,
        frames,
        serial,
        orders,
        downlinks,
        commands,
        events,
        kept,
        lines,
        lost,
        tallies,
        self_test,
    };
    let ended = match Field::start(&config, &mut activated, queues, board, committer.clock.clone()).await {
        Err(error) => Err(error),
        Ok(field) => {
            let ended = tokio::select! {
                () = stop => Ok(()),
                error = field.failed() => Err(error),
                () = committer.ended() => Err(StartError::CommitterDied),
                () = relays.failed() => Err(StartError::RelaysHang),
                () = broken(&mut decoding) => Err(StartError::DecodingDied),
                () = anew.notified() => Err(StartError::OtherFiles),
            };
            field.stop().await;
            ended
        }
    };
    relays.stop().await;
    keeper.stop().await;
    // Every sender of its queues is gone, so it stores what is left and ends.
    committer.join().await;
    ended
}
