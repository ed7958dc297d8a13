//! Speed, wear and memory of Weir, each figure beside its yardstick in the same run on the same disk, as a ratio.
//!
//! ```text
//! cargo build --release -p weir
//! cargo bench -p system-tests                        every part
//! cargo bench -p system-tests -- acks wear           only these
//! cargo bench -p system-tests -- --rounds 9 --dir /mnt/card acks
//! ```
//! Parts: `acks`, `alarms`, `uplinks`, `handshakes`, `attacks`, `wear`, `memory`, `start`, `drain` (`--days 30 --link 64` for an outage of a month that
//! drains whole over 64 kbit/s). For a quick look: `--rounds 1 --seconds 1`.
//! What needs no daemon is measured where it lives: bytes per reading on the wire by `cargo bench -p batch`, codec calls
//! by `cargo bench -p script`, hostile datagrams, packets and payloads by `cargo bench -p lorawan`, `mqtt` and `ingest`.
//!
//! Nothing here passes or fails: absolute figures belong to the machine, so each is the median of interleaved rounds
//! and is shown as a ratio to something simple that ran next to it (mosquitto, a loop of `fdatasync`). Weir is measured
//! as its release binary in a process of its own, over real sockets.
#![expect(clippy::print_stdout, reason = "a benchmark prints its tables")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "measured values are far below the limits of their types"
)]

mod acks;
mod alarms;
mod attacks;
mod broker;
mod devices;
mod disk;
mod drain;
mod gateway;
mod handshakes;
mod loop_device;
mod machine;
mod memory;
mod process;
mod publisher;
mod start;
mod stats;
mod uplinks;
mod wear;

use std::io;
use std::path::{Path, PathBuf};

/// How to measure.
#[derive(Debug, Clone)]
struct Plan {
    /// Interleaved rounds; medians are shown.
    rounds: usize,
    /// Seconds of each measurement.
    seconds: u64,
    /// Folder for everything that is written: its disk is the one measured.
    folder: PathBuf,
    /// The program.
    weir: PathBuf,
    /// Length of the outage that drains.
    days: f64,
    /// Over this link alone, in kbit/s, and all of it; without, over several, the slowest a part of it.
    link_kbit_per_s: Option<u64>,
}

type Part = (&'static str, fn(&Plan) -> io::Result<()>);

const PARTS: [Part; 9] = [
    ("acks", acks::run),
    ("alarms", alarms::run),
    ("uplinks", uplinks::run),
    ("handshakes", handshakes::run),
    ("attacks", attacks::run),
    ("wear", wear::run),
    ("memory", memory::run),
    ("start", start::run),
    ("drain", drain::run),
];

fn main() -> io::Result<()> {
    let (plan, parts) = arguments(std::env::args().skip(1))?;
    if !plan.weir.is_file() {
        let message = format!("there is no {}; try: cargo build --release -p weir", plan.weir.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    machine::print(&plan)?;
    for (name, run) in PARTS {
        if parts.is_empty() || parts.iter().any(|part| part == name) {
            println!("\n== {name} (load average {})", machine::load_average()?);
            run(&plan)?;
        }
    }
    println!(
        "\nload average at the end {}; bytes per reading on the wire: cargo bench -p batch",
        machine::load_average()?
    );
    Ok(())
}

fn arguments(given: impl Iterator<Item = String>) -> io::Result<(Plan, Vec<String>)> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidInput, message);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let weir = target.with_file_name("release").join("weir");
    let mut plan = Plan { rounds: 5, seconds: 4, folder: target.into(), weir, days: 1.0, link_kbit_per_s: None };
    let mut parts = Vec::new();
    // Cargo adds `--bench`.
    let mut given = given.filter(|argument| argument != "--bench");
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or_else(|| invalid(format!("{argument} needs a value")));
        match argument.as_str() {
            "--rounds" => plan.rounds = number(&value()?)?.max(1) as usize,
            "--seconds" => plan.seconds = number(&value()?)?.max(1),
            "--dir" => plan.folder = value()?.into(),
            "--weir" => plan.weir = value()?.into(),
            "--days" => plan.days = days(&value()?)?,
            "--link" => plan.link_kbit_per_s = Some(number(&value()?)?.max(1)),
            part if PARTS.iter().any(|(name, _)| *name == part) => parts.push(argument),
            _ => {
                let known = PARTS.map(|(name, _)| name).join(", ");
                return Err(invalid(format!(
                    "unknown argument `{argument}`; parts are {known}; options are --rounds N, --seconds N, --days N, --link KBIT, \
                     --dir DIR, --weir FILE"
                )));
            }
        }
    }
    Ok((plan, parts))
}

fn days(text: &str) -> io::Result<f64> {
    let days = text.parse().ok().filter(|days: &f64| (0.01..=400.0).contains(days));
    days.ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("`{text}` is no number of days, 0.01 to 400"))
    })
}

fn number(text: &str) -> io::Result<u64> {
    text.parse().map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("`{text}` is not a number")))
}
