//! `weir device test-codec`: a codec in a process of its own, behind limits that the kernel holds.
//!
//! The engine ends codecs by its own limits (`script`). A mistake in the engine is what this is for: whatever it does, the
//! command ends within [`WALL_MS_MAX`] and [`MEMORY_BYTES_MAX`], with a named cause and a status that is not 0.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit};

use super::args::CodecArgs;
use super::error::DeviceError;
use super::test;
use crate::exit::Exit;
use crate::lang::Lang;

/// From start to end, in milliseconds: what is promised is a second, and the command itself takes some of it.
const WALL_MS_MAX: u64 = 950;
/// Processor time, in seconds: the least that the kernel counts.
const CPU_SECONDS_MAX: u64 = 1;
/// All that the process may map, in bytes: the program itself takes some 30 MB of it.
const MEMORY_BYTES_MAX: u64 = 96_000_000;
/// Bytes of an answer that are read: the largest result, as JSON with each byte escaped, and its warnings.
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

/// Runs a codec on a payload in another process, and says what became of it.
pub(super) fn run(codec: &CodecArgs, lang: Lang) -> Result<Exit, DeviceError> {
    let CodecArgs { file, hex, f_port, json } = codec;
    let program = std::env::current_exe().map_err(DeviceError::Fence)?;
    let mut command = Command::new(program);
    command.args(["--lang", lang.pick("en", "zh"), "device", "run-codec", "--within", &std::process::id().to_string()]);
    command.args(["--fport", &f_port.to_string()]).args(json.then_some("--json"));
    command.arg("--").arg(file).arg(hex).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(DeviceError::Fence)?;
    let answer = answer(&mut child);
    if answer.is_none() {
        // It may end at this moment, which is as well.
        let _ = child.kill();
    }
    let status = child.wait().map_err(DeviceError::Fence)?;
    match (answer, ended(status)) {
        (Some(answer), Ended::Itself(exit)) => {
            test::say(&answer)?;
            Ok(exit)
        }
        (None, _) | (_, Ended::Late) => {
            let text = format!("the codec did not end within {WALL_MS_MAX} ms on this box");
            test::fail("timed_out", &text, *json, lang)
        }
        (_, Ended::Broken(how)) => {
            let text =
                format!("the codec broke the engine ({how}) · try: another codec for this device, never this one");
            test::fail("crashed", &text, *json, lang)
        }
    }
}

/// What the process printed, once it has closed its output; none if it takes too long.
fn answer(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (told, telling) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes);
        // Nobody waits for what comes too late.
        let _ = told.send(read.map(|_| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default());
    });
    telling.recv_timeout(Duration::from_millis(WALL_MS_MAX)).ok()
}

enum Ended {
    Itself(Exit),
    Late,
    Broken(String),
}

fn ended(status: ExitStatus) -> Ended {
    let is = |signal: i32, which: Signal| signal == which.as_raw();
    match (status.code(), status.signal()) {
        (Some(0), _) => Ended::Itself(Exit::Good),
        (Some(1), _) => Ended::Itself(Exit::NotWell),
        // It has said why on standard error.
        (Some(3), _) => Ended::Itself(Exit::Failed),
        (_, Some(signal)) if is(signal, Signal::XCPU) || is(signal, Signal::KILL) => Ended::Late,
        (_, Some(signal)) => Ended::Broken(format!("signal {signal}")),
        (code, None) => Ended::Broken(format!("status {}", code.unwrap_or_default())),
    }
}

/// The other process: gives up what it may not have, then runs the codec. It ends with the process `within`, its parent.
pub(super) fn enter(codec: &CodecArgs, within: u32, lang: Lang) -> Result<Exit, DeviceError> {
    let limits = [(Resource::As, MEMORY_BYTES_MAX), (Resource::Cpu, CPU_SECONDS_MAX), (Resource::Core, 0)];
    for (resource, most) in limits {
        let limit = Rlimit { current: Some(most), maximum: Some(most) };
        setrlimit(resource, limit).map_err(|error| DeviceError::Fence(error.into()))?;
    }
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(|error| DeviceError::Fence(error.into()))?;
    // The signal comes of a death from here on: a parent that died before is no parent any more.
    if getppid().is_none_or(|parent| u32::try_from(parent.as_raw_pid()) != Ok(within)) {
        return Err(DeviceError::Unattended { within });
    }
    test::script(codec, lang)
}
