//! One login: whose it is, and what becomes of a line.

use std::io::{self, Write, stdin};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::inbox::{Inbox, InboxError};
use super::line::split;
use super::prompt;
use super::refusal::Refusal;
use super::verdict::{Granted, Verdict, built, judge};
use super::{Places, environment};
use crate::bundle;
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line};
use crate::status;

/// This program, also after another version took its place.
const PROGRAM: &str = "/proc/self/exe";
/// Where a box has it.
const STATE_DIR: &str = "/var/lib/weir";
/// Characters of a line that are logged.
const LOGGED_CHARACTERS_MAX: usize = 300;
/// Characters of what sshd says of the account and where it is.
const WHO_CHARACTERS_MAX: usize = 64;

/// How a verb is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// In the place of this process: signals and the exit status are the client's own.
    Instead,
    /// Beside it, and waited for.
    Beside,
}

/// A login.
#[derive(Debug)]
pub(super) struct Session {
    places: Places,
    pub(super) lang: Lang,
    pub(super) command: clap::Command,
    account: String,
    address: String,
    home: PathBuf,
}

impl Session {
    /// Of the account that sshd names.
    pub(super) fn new(places: Places, lang: Lang) -> Session {
        let told = |name: &str| std::env::var(name).unwrap_or_default();
        let short = |text: &str| text.chars().take(WHO_CHARACTERS_MAX).filter(|letter| !letter.is_control()).collect();
        Session {
            places,
            lang,
            command: built(lang),
            account: short(&told("USER")),
            address: short(told("SSH_CONNECTION").split(' ').next().unwrap_or_default()),
            home: PathBuf::from(told("HOME")),
        }
    }

    /// Does what a line says, or says why not.
    ///
    /// # Errors
    /// [`CommandError`], where this program cannot be started again, or nothing be written.
    pub(super) fn perform(&self, text: &str, how: How) -> Result<Exit, CommandError> {
        let words = match split(text) {
            Ok(words) => words,
            Err(error) => return self.refuse(text, &error.into()),
        };
        let words = if words.first().is_some_and(|word| word == "weir") { &words[1..] } else { &words[..] };
        let ended = match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["help"] => return prompt::help(self),
            ["put", name] => {
                self.inbox().and_then(|inbox| inbox.put(name, stdin().lock())).map(|bytes| format!("{name}  {bytes} B"))
            }
            ["get", name] => return self.get(text, name),
            ["files"] => return self.list(text),
            ["remove", name] => self.inbox().and_then(|inbox| inbox.remove(name)).map(|()| (*name).to_owned()),
            _ => return self.verb(text, words, how),
        };
        match ended {
            Ok(told) => {
                self.log(text);
                self.say(&told)
            }
            Err(error) => self.refuse(text, &error.into()),
        }
    }

    /// What became of an upgrade that nobody here asked for, as far as it matters still.
    pub(super) fn news(&self) -> Vec<String> {
        let state_dir = self.places.state_dir.as_deref().unwrap_or(Path::new(STATE_DIR));
        let (wrong, notes) = status::last_upgrade(state_dir, self.lang);
        [wrong, notes].concat().iter().map(|text| self.lang.told(text)).collect()
    }

    fn inbox(&self) -> Result<Inbox, InboxError> {
        Inbox::open(&self.home)
    }

    fn get(&self, text: &str, name: &str) -> Result<Exit, CommandError> {
        match self.inbox().and_then(|inbox| inbox.read(name)) {
            Ok(mut file) => {
                self.log(text);
                let mut out = output::stdout();
                io::copy(&mut file, &mut out).and_then(|_| out.flush()).map_err(CommandError::output)?;
                Ok(Exit::Good)
            }
            Err(error) => self.refuse(text, &error.into()),
        }
    }

    fn list(&self, text: &str) -> Result<Exit, CommandError> {
        match self.inbox().and_then(|inbox| inbox.files()) {
            Ok(files) => {
                self.log(text);
                let rows: Vec<Vec<String>> =
                    files.into_iter().map(|(name, bytes)| vec![name, format!("{bytes} B")]).collect();
                let mut out = output::stdout();
                output::table(&mut out, &rows)?;
                out.flush().map_err(CommandError::output)?;
                Ok(Exit::Good)
            }
            Err(error) => self.refuse(text, &error.into()),
        }
    }

    /// A verb of Weir's.
    fn verb(&self, text: &str, words: &[String], how: How) -> Result<Exit, CommandError> {
        match judge(&self.command, words, &self.places) {
            Ok(Verdict::Granted(granted)) => match self.prepare(&granted) {
                Ok(()) => {
                    self.log(text);
                    self.start(&granted, words, how)
                }
                Err(error) => self.refuse(text, &error.into()),
            },
            Ok(Verdict::Said(said)) => {
                if said.use_stderr() {
                    self.log_refusal(text, "no verb of Weir's");
                } else {
                    self.log(text);
                }
                said.print().map_err(CommandError::output)?;
                Ok(if said.use_stderr() { Exit::Usage } else { Exit::Good })
            }
            Err(refusal) => self.refuse(text, &refusal),
        }
    }

    /// Looks at every file that the verb will, and has plain names mean those of the inbox.
    fn prepare(&self, granted: &Granted) -> Result<(), InboxError> {
        if granted.files.is_empty() && granted.new_files.is_empty() && granted.verb != BUNDLE {
            return Ok(());
        }
        let inbox = self.inbox()?;
        granted.files.iter().try_for_each(|name| inbox.read(name).map(drop))?;
        granted.new_files.iter().try_for_each(|name| inbox.make_room(name))?;
        inbox.enter()
    }

    fn start(&self, granted: &Granted, words: &[String], how: How) -> Result<Exit, CommandError> {
        let is_sent = granted.verb == BUNDLE && granted.files.is_empty() && granted.new_files.is_empty();
        let mut command = Command::new(PROGRAM);
        command.arg0("weir");
        environment::give(&mut command);
        for (option, place) in [("--state-dir", &self.places.state_dir), ("--run-dir", &self.places.run_dir)] {
            if let Some(place) = place {
                command.arg(option).arg(place);
            }
        }
        command.args(words).args(&granted.places);
        log::logger().flush();
        match how {
            _ if is_sent && !io::IsTerminal::is_terminal(&io::stdout()) => self.send(command),
            How::Instead => Err(CommandError::Again(command.exec())),
            How::Beside => {
                let status = command.status().map_err(CommandError::Again)?;
                Ok(status.code().map_or(Exit::Failed, Exit::of))
            }
        }
    }

    /// The bundle itself, where no file was named and somebody takes it: it stands in the inbox for that moment only.
    fn send(&self, mut command: Command) -> Result<Exit, CommandError> {
        let name = format!("bundle-{}.tar.gz", std::process::id());
        let status = command.arg(&name).stdout(Stdio::from(io::stderr())).status().map_err(CommandError::Again)?;
        let exit = status.code().map_or(Exit::Failed, Exit::of);
        match self.inbox().and_then(|inbox| Ok((inbox.read(&name)?, inbox.remove(&name)?))) {
            Ok((mut file, ())) => {
                let mut out = output::stdout();
                io::copy(&mut file, &mut out).and_then(|_| out.flush()).map_err(CommandError::output)?;
                Ok(exit)
            }
            // It has said why there is none.
            Err(_) => Ok(exit),
        }
    }

    fn say(&self, text: &str) -> Result<Exit, CommandError> {
        let mut out = output::stdout();
        line(&mut out, text)?;
        out.flush().map_err(CommandError::output)?;
        Ok(Exit::Good)
    }

    /// Says why a line is not carried out.
    ///
    /// # Errors
    /// None that is not the output's.
    pub(super) fn refuse(&self, text: &str, refusal: &Refusal) -> Result<Exit, CommandError> {
        self.log_refusal(text, &refusal.told(Lang::En));
        let mut out = io::stderr().lock();
        writeln!(out, "weir: {}", refusal.told(self.lang)).map_err(CommandError::output)?;
        Ok(Exit::Failed)
    }

    fn log(&self, text: &str) {
        let (account, address, command) = (&self.account, &self.address, logged(text));
        log::info!(account, address, command; "login carries out a command");
    }

    fn log_refusal(&self, text: &str, why: &str) {
        let (account, address, command, why) = (&self.account, &self.address, logged(text), logged(why));
        log::warn!(account, address, command, why; "login refuses a command");
    }
}

const BUNDLE: &str = "bundle";

/// A line as the log may have it: short, without control characters, and without what looks like a secret.
fn logged(text: &str) -> String {
    let shown = text.chars().take(LOGGED_CHARACTERS_MAX);
    let clear: String = shown.map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect();
    bundle::redacted(&clear)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_has_neither_secrets_nor_lines_without_end() {
        assert_eq!(logged("status\n\u{1b}[2J"), "status\u{fffd}\u{fffd}[2J");
        assert_eq!(logged(&"x y ".repeat(1_000)).chars().count(), LOGGED_CHARACTERS_MAX);
        let told = logged("device add x --app-key 000102030405060708090a0b0c0d0e0f password=hunter22");
        assert!(!told.contains("0a0b0c") && !told.contains("hunter22"), "{told}");
    }
}
