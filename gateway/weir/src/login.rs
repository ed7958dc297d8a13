//! `weir login`: what sshd runs for a technician's account in the place of a shell. It does Weir's verbs and nothing else.
//!
//! ```text
//! SSH_ORIGINAL_COMMAND ─┐                ┌─► refused, and said why ─────────────► journald: who, from where, what
//! a line at the prompt ─┴─► words ─► verdict (clap's own reading against one table)
//!                                        └─► this program again, without a shell, with an environment of its own
//! ```
//! Nothing of what the caller sends is trusted: not the words, not the environment. Which files there are for verbs to read and
//! to make is the account's inbox, one folder; where the box's own files are, only who wrote sshd's configuration says.
//!
//! **Deliberately does not know:** what a verb does, and how an option is written; clap reads a line once, and the table says
//! of what it read whether it is for this login.

mod allowed;
mod environment;
mod inbox;
mod line;
mod prompt;
mod refusal;
mod session;
mod verdict;

use std::ffi::OsString;
use std::io::{IsTerminal, stdin, stdout};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::{help, logging};
use line::LineError;
use session::{How, Session};

/// What sshd tells of a command that a client asked for, also of `sftp` and `scp`.
const ASKED: &str = "SSH_ORIGINAL_COMMAND";

/// `weir login`
#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Where gateway.toml and sync.toml are, for all that is typed in this login.
    // No variable sets it: the environment is the caller's.
    #[arg(long, value_name = "DIR", default_value = "/etc/weir")]
    config_dir: PathBuf,
}

/// Where the box's files are, where that is not as installed. Said by whoever wrote sshd's configuration.
#[derive(Debug, Default)]
struct Places {
    state_dir: Option<PathBuf>,
    run_dir: Option<PathBuf>,
    config_dir: Option<PathBuf>,
}

impl Places {
    /// From this program's own command line, and not from variables, which the caller may have set.
    fn typed(args: &LoginArgs, lang: Lang) -> Places {
        let matches = help::command(lang).get_matches();
        let is_typed = |matches: &ArgMatches, id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        let place = |id: &str| matches.get_one::<PathBuf>(id).filter(|_| is_typed(&matches, id)).cloned();
        let is_config_dir = matches.subcommand().is_some_and(|(_, login)| is_typed(login, "config_dir"));
        Places {
            state_dir: place("state_dir"),
            run_dir: place("run_dir"),
            config_dir: is_config_dir.then(|| args.config_dir.clone()),
        }
    }
}

/// Does what the client asked for, else shows a prompt, where there is a terminal.
///
/// # Errors
/// [`CommandError`], where the program itself cannot be started again, or nothing be written.
pub(crate) fn run(args: &LoginArgs, lang: Lang) -> Result<Exit, CommandError> {
    // Standard error is the technician's screen.
    logging::start_in_journal();
    let session = Session::new(Places::typed(args, lang), lang);
    match std::env::var_os(ASKED).map(OsString::into_string) {
        Some(Ok(line)) => session.perform(&line, How::Instead),
        Some(Err(line)) => session.refuse(&line.to_string_lossy(), &LineError::NotText.into()),
        None if stdin().is_terminal() && stdout().is_terminal() => prompt::run(&session),
        None => session.refuse("", &LineError::Empty.into()),
    }
}
