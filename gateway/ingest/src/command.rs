//! Commands on their way down to LoRaWAN devices.

use std::collections::{HashMap, VecDeque};

use record::SourceId;

/// How often a confirmed command is sent before it is given up: as often as devices repeat their own frames.
pub const COMMAND_ATTEMPTS_MAX: u32 = 8;

/// A command that waits for its device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its name in the journal.
    pub id: u64,
    /// In plain text.
    pub payload: Vec<u8>,
    /// 1 to 223.
    pub f_port: u8,
    /// Whether the device must acknowledge it.
    pub confirmed: bool,
    /// How often it was sent.
    pub sent: u32,
}

/// What became of a command with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStep {
    /// It is sent once more.
    Sent(u64),
    /// It needs no acknowledgement, was acknowledged, or is given up.
    Done(u64),
}

/// The commands of all devices, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    waiting: HashMap<SourceId, VecDeque<Command>>,
}

impl Commands {
    pub(crate) fn queue(&mut self, device: SourceId, command: Command) {
        self.waiting.entry(device).or_default().push_back(command);
    }

    /// How many wait.
    pub(crate) fn len(&self, device: &SourceId) -> usize {
        self.waiting.get(device).map_or(0, VecDeque::len)
    }

    /// The next one to send.
    pub(crate) fn next(&self, device: &SourceId) -> Option<&Command> {
        self.waiting.get(device)?.front()
    }

    /// Notes that the next one is sent, which ends it unless it must be acknowledged.
    pub(crate) fn sent(&mut self, device: &SourceId) -> Option<CommandStep> {
        let command = self.waiting.get_mut(device)?.front_mut()?;
        command.sent = command.sent.saturating_add(1);
        let (id, confirmed) = (command.id, command.confirmed);
        if confirmed {
            return Some(CommandStep::Sent(id));
        }
        self.done(device, id);
        Some(CommandStep::Done(id))
    }

    /// Forgets a command.
    pub(crate) fn done(&mut self, device: &SourceId, id: u64) {
        if let Some(waiting) = self.waiting.get_mut(device) {
            waiting.retain(|command| command.id != id);
        }
    }
}
