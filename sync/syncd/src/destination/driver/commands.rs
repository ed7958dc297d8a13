//! What the platform commands: handed to the gateway, which believes, journals and allows it; done once it is journaled.

use std::path::PathBuf;

use batch::BatchId;
use control::chain;
use delivery::Input;
use record::{Seq, SeqRanges};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Driver;
use crate::clock::mono_ms;
use crate::files::{FileThreadEnded, Obeyed};

/// The way to the gateway, with what is on it: one thing at a time. The platform says again what was not answered.
#[derive(Debug)]
pub(super) struct Commands {
    gateway: PathBuf,
    asking: JoinSet<Result<Value, String>>,
    /// What came with the receipt that is just being stored.
    pub(super) came: Option<Came>,
    /// The record with rules or files of this platform that are on trial.
    trial: Option<Seq>,
    /// Commands may stand in the journal that are not carried out.
    pub(super) unobeyed: bool,
    failures: u64,
}

/// A receipt that may have to be shown to the gateway.
#[derive(Debug)]
pub(super) struct Came {
    pub(super) batch: BatchId,
    pub(super) command: Option<Vec<u8>>,
    pub(super) holds: SeqRanges,
}

impl Commands {
    pub(super) fn new(gateway: PathBuf) -> Commands {
        Commands { gateway, asking: JoinSet::new(), came: None, trial: None, unobeyed: true, failures: 0 }
    }

    /// Waits for the gateway's answer, if it was asked anything. Cancel safe.
    pub(super) async fn answer(&mut self) -> Option<Result<Value, String>> {
        let answered = self.asking.join_next().await?;
        Some(answered.unwrap_or_else(|broke| Err(broke.to_string())))
    }

    fn ask(&mut self, request: Value) {
        let gateway = self.gateway.clone();
        self.asking.spawn_blocking(move || control::ask(&gateway, &request).map_err(|error| chain(&error)));
    }
}

impl Driver {
    /// A receipt is stored: hands over the command that came with it, or shows that the box delivers under the rules on
    /// trial.
    pub(super) fn heed(&mut self, id: BatchId, receipt: &[u8]) {
        let Some(Came { command, holds, .. }) = self.commands.came.take_if(|came| came.batch == id) else { return };
        if !self.commands.asking.is_empty() {
            return;
        }
        let platform = &*self.name;
        if let Some(command) = command {
            log::info!(destination:% = self.name; "a command came, handed to the gateway");
            self.commands.ask(json!({ "do": "command", "platform": platform, "command": hex::encode(command) }));
        } else if self.commands.trial.is_some_and(|trial| holds.contains(trial)) {
            self.commands.ask(json!({ "do": "prove", "platform": platform, "receipt": hex::encode(receipt) }));
        }
    }

    /// The gateway has answered: what it journaled is done.
    pub(super) async fn heeded(&mut self, answer: Result<Value, String>) -> Result<(), FileThreadEnded> {
        match answer {
            Ok(_) => self.told.command_error = None,
            Err(why) => {
                // The platform repeats its command, and so would the log.
                if self.told.command_error.as_ref() != Some(&why) {
                    log::error!(destination:% = self.name, why = why.as_str(); "the gateway does not take a command");
                }
                self.told.command_error = Some(why);
            }
        }
        self.commands.unobeyed = true;
        self.obey_commands().await
    }

    /// Does what the journal has of the platform's commands and is not done yet; where it cannot be read or the outbox does
    /// not take it, the next event brings it here again.
    pub(super) async fn obey_commands(&mut self) -> Result<(), FileThreadEnded> {
        if !self.commands.unobeyed {
            return Ok(());
        }
        let name = self.name.clone();
        match self.files.run(move |files| files.obey(&name)).await? {
            Ok(Obeyed { reopened, trial }) => {
                (self.commands.trial, self.commands.unobeyed, self.commands.failures) = (trial, false, 0);
                if !reopened.is_empty() {
                    self.core.handle(mono_ms(), Input::Reopened { ranges: reopened });
                }
            }
            Err(error) => {
                self.commands.failures += 1;
                if !self.commands.failures.is_power_of_two() {
                    return Ok(());
                }
                log::error!(destination:% = self.name, error = chain(&error).as_str(); "commands in the journal are not done yet");
            }
        }
        Ok(())
    }
}
