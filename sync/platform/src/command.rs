//! What this platform orders of boxes: files `commands/BOX/NUMBER.cose`, made by `weir platform order` beside the running
//! platform, which sends each in receipts until the box's own record of it has come.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use batch::{BoxId, COMMAND_BYTES_MAX, Command, CommandTooLarge, Order};
use identity::IdentityError;
use record::UnixMs;

use crate::config::Config;
use crate::owned_file::{FileError, write};
use crate::state_dir::{PUBLIC, StateDir};
use crate::store::StoreError;

/// Most commands of one box that are kept; the oldest go first, and stay in the box's journal.
pub const COMMANDS_MAX: usize = 1_000;
/// Longest time that a command is good.
pub const COMMAND_HOURS_MAX: u32 = 30 * 24;
const HOUR_MS: i64 = 3_600_000;
/// A command that was sent and has no record yet goes with a receipt again after this time.
const AGAIN: Duration = Duration::from_secs(30);

/// Why there is no command.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The platform's key cannot be read.
    #[error("the platform's key cannot be read · try: weir platform run once, then this as the platform's user")]
    Key(#[source] IdentityError),
    /// Too large.
    #[error(transparent)]
    TooLarge(CommandTooLarge),
    /// The folder cannot be read.
    #[error("failed to read `{path}` · try: ls -ld, as the user of the platform")]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error(transparent)]
    Write(FileError),
}

/// A command as it lies there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    /// What it says.
    pub command: Command,
    /// As it was signed.
    pub bytes: Vec<u8>,
}

/// Orders something of a box: it goes with the box's next receipts.
///
/// # Errors
/// [`CommandError`] by cause.
pub fn order(
    config: &Config,
    box_id: &BoxId,
    order: Order,
    reason: &str,
    hours: u32,
    now: UnixMs,
) -> Result<Command, CommandError> {
    let state = StateDir::new(&config.state_dir);
    let key = identity::load(&state.key()).map_err(CommandError::Key)?;
    let folder = folder(&state, box_id);
    let numbers = numbers(&folder)?;
    let newest = numbers.last().copied().unwrap_or(0);
    let command = Command {
        platform: config.name.clone(),
        box_id: box_id.clone(),
        number: u64::try_from(now.0).unwrap_or(0).max(newest.saturating_add(1)),
        issued_ms: now,
        until_ms: UnixMs(now.0.saturating_add(i64::from(hours.min(COMMAND_HOURS_MAX)) * HOUR_MS)),
        order,
        reason: reason.to_owned(),
    };
    let bytes = command.sign(&key).map_err(CommandError::TooLarge)?;
    let too_many = (numbers.len() + 1).saturating_sub(COMMANDS_MAX);
    for old in numbers.iter().take(too_many) {
        let path = file(&folder, *old);
        fs::remove_file(&path).map_err(|source| CommandError::Read { path, source })?;
    }
    write(&file(&folder, command.number), &bytes, PUBLIC).map_err(CommandError::Write)?;
    Ok(command)
}

/// The commands of a box that are kept, the oldest first.
///
/// # Errors
/// [`CommandError::Read`].
pub fn ordered(config: &Config, box_id: &BoxId) -> Result<Vec<Ordered>, CommandError> {
    let folder = folder(&StateDir::new(&config.state_dir), box_id);
    let read = |number: &u64| read(&file(&folder, *number)).transpose();
    numbers(&folder)?.iter().filter_map(read).collect()
}

/// What waits for boxes, as it goes with receipts.
#[derive(Debug)]
pub(crate) struct Commands {
    state: StateDir,
    boxes: Mutex<HashMap<BoxId, Waiting>>,
}

/// Of one box.
#[derive(Debug, Default)]
struct Waiting {
    /// The oldest that has no record.
    next: Option<Ordered>,
    sent: Option<Instant>,
    /// No command up to this number is waited for.
    answered: u64,
}

impl Commands {
    pub(crate) fn new(state: &StateDir) -> Commands {
        Commands { state: state.clone(), boxes: Mutex::default() }
    }

    /// What is to go with the next receipt of an enrolled box. `is_answered` tells whether the box's record of a command has
    /// come; it is asked only where commands lie.
    pub(crate) fn next(
        &self,
        box_id: &BoxId,
        is_answered: impl Fn(&[u8]) -> Result<bool, StoreError>,
    ) -> Option<Vec<u8>> {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = boxes.entry(box_id.clone()).or_default();
        if let Err(why) = waiting.look(&folder(&self.state, box_id), is_answered) {
            log::warn!(box_id:%, why = why.as_str(); "commands are not looked at, no receipt has them");
        }
        let is_due = waiting.sent.is_none_or(|sent| sent.elapsed() >= AGAIN);
        let next = waiting.next.as_ref().filter(|_| is_due)?;
        waiting.sent = Some(Instant::now());
        Some(next.bytes.clone())
    }
}

impl Waiting {
    /// Looks for the oldest command without a record.
    fn look(&mut self, folder: &Path, is_answered: impl Fn(&[u8]) -> Result<bool, StoreError>) -> Result<(), String> {
        let before = self.next.take();
        for number in numbers(folder).map_err(|error| error.to_string())? {
            if number <= self.answered {
                continue;
            }
            let Some(ordered) = read(&file(folder, number)).map_err(|error| error.to_string())? else { continue };
            if !is_answered(&ordered.bytes).map_err(|error| error.to_string())? {
                if before.as_ref() != Some(&ordered) {
                    self.sent = None;
                }
                self.next = Some(ordered);
                return Ok(());
            }
            self.answered = number;
        }
        Ok(())
    }
}

fn folder(state: &StateDir, box_id: &BoxId) -> PathBuf {
    state.path().join("commands").join(box_id.as_str())
}

fn file(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number}.cose"))
}

/// The numbers of what lies there, ascending.
fn numbers(folder: &Path) -> Result<Vec<u64>, CommandError> {
    let failed = |source| CommandError::Read { path: folder.into(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut numbers = Vec::new();
    for entry in entries.take(2 * COMMANDS_MAX) {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".cose")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A command; none if the file is none, as while it is taken away.
fn read(path: &Path) -> Result<Option<Ordered>, CommandError> {
    let failed = |source| CommandError::Read { path: path.into(), source };
    let mut bytes = Vec::new();
    let bound = u64::try_from(COMMAND_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => drop(opened.map_err(failed)?.take(bound).read_to_end(&mut bytes).map_err(failed)?),
    }
    Ok(Command::claimed(&bytes).ok().map(|command| Ordered { command, bytes }))
}
