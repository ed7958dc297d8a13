//! `weir self-test`: one test frame, from the sensors' own port to the receipts of all platforms.
//!
//! The gateway lets one client in for it and journals the frame as an order of whoever asked (`self_tested`): marked as a test
//! wherever it appears, and no reading.

mod frame;
mod receipts;
mod told;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use record::{Seq, TestPort};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
pub(crate) use frame::newest;
pub(crate) use receipts::holds;
use receipts::{Outcome, Upload};
pub(crate) use told::{complaints, facts, rows};

/// `weir self-test`
#[derive(Debug, Args)]
pub(crate) struct SelfTestArgs {
    /// Why, as in "modem replaced". It is journaled, and every platform reads it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// So many seconds are waited for the platforms' receipts, 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    wait: u64,
    /// One JSON object instead of text for people.
    #[arg(long)]
    json: bool,
}

/// Why nothing was tested.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SelfTestError {
    /// No random numbers.
    #[error("the kernel gives no random numbers · try: again in a minute")]
    Random(#[source] getrandom::Error),
    /// The gateway's answer has no password.
    #[error("the gateway let nobody in for the test: {0} · try: weir --version, sudo systemctl restart weir-gateway")]
    Answer(String),
    /// The sensors' port.
    #[error("the test frame was not acknowledged on MQTT port {address} · try: weir doctor, weir status")]
    Port {
        /// Where.
        address: SocketAddr,
        /// The cause.
        source: io::Error,
    },
    /// It was acknowledged, and is not there.
    #[error("the test frame was acknowledged, and is not in the journal · try: weir verify, weir bundle")]
    NotJournaled,
}

/// What a self-test came to.
#[derive(Debug)]
pub(crate) struct Tested {
    /// The record.
    pub(crate) seq: Seq,
    /// How the frame came in.
    pub(crate) port: TestPort,
    /// Until it was acknowledged.
    pub(crate) stored_in: Duration,
    /// Where it went from there.
    pub(crate) upload: Upload,
}

impl Tested {
    /// Whether every platform has given its receipt, and there is one.
    pub(crate) fn is_well(&self) -> bool {
        match &self.upload {
            Upload::Platforms(all) => {
                !all.is_empty() && all.iter().all(|platform| matches!(platform.outcome, Outcome::Receipt(_)))
            }
            Upload::Silent(_) => false,
        }
    }
}

/// Tests, and says what came of it.
pub(crate) fn run(args: &SelfTestArgs, dirs: (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let tested = test(&args.reason, Duration::from_secs(args.wait), dirs)?;
    told::print(&tested, args.json, lang)?;
    Ok(if tested.is_well() { Exit::Good } else { Exit::NotWell })
}

/// Sends the frame, and looks no further than the journal.
pub(crate) fn store(reason: &str, (state_dir, run_dir): (&Path, &Path)) -> Result<Seq, CommandError> {
    frame::send(reason, state_dir, run_dir).map(|(seq, ..)| seq)
}

/// Sends the frame and waits for the receipts.
pub(crate) fn test(reason: &str, patience: Duration, dirs: (&Path, &Path)) -> Result<Tested, CommandError> {
    let (state_dir, run_dir) = dirs;
    let (seq, port, stored_in) = frame::send(reason, state_dir, run_dir)?;
    let upload = receipts::wait(seq, patience, state_dir, run_dir)?;
    Ok(Tested { seq, port, stored_in, upload })
}
