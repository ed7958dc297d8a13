//! The prompt of a login with a terminal: a line, what it says, and the next.

use std::io::{self, BufRead, Read, Write, stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use super::allowed::ALLOWED;
use super::inbox::{FILES_MAX, FOLDER, PUT_BYTES_MAX};
use super::line::{LINE_BYTES_MAX, LineError};
use super::session::{How, Session};
use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, line, pad};

const PROMPT: &str = "weir> ";
/// Columns for the words of a verb.
const VERB_COLUMNS: usize = 18;

/// Reads lines until somebody leaves.
///
/// # Errors
/// [`CommandError`], where the terminal is gone, or no signal can be waited for.
pub(super) fn run(session: &Session) -> Result<Exit, CommandError> {
    let is_asking = Arc::new(AtomicBool::new(false));
    outlive_signals(is_asking.clone())?;
    let welcome = session.lang.pick(
        "Weir. An empty line shows the screen; help, exit",
        "Weir 网关。直接回车进入全屏界面；help 帮助，exit 退出",
    );
    say(&format!("{welcome}\n"))?;
    session.news().iter().try_for_each(|news| say(&format!("! {news}\n")))?;
    loop {
        say(PROMPT)?;
        is_asking.store(true, Ordering::SeqCst);
        let read = read_line();
        is_asking.store(false, Ordering::SeqCst);
        let Some(text) = read.map_err(CommandError::output)? else {
            say("\n")?;
            return Ok(Exit::Good);
        };
        if text.len() > LINE_BYTES_MAX {
            session.refuse(&String::from_utf8_lossy(&text), &LineError::TooLong.into())?;
            continue;
        }
        let Ok(text) = String::from_utf8(text) else {
            session.refuse("", &LineError::NotText.into())?;
            continue;
        };
        match text.trim() {
            "exit" | "quit" | "logout" => return Ok(Exit::Good),
            "screen" => session.perform("", How::Beside)?,
            text => session.perform(text, How::Beside)?,
        };
    }
}

/// One line without its end; none at the end of the terminal. Of a longer one as much as shows that it is too long.
fn read_line() -> io::Result<Option<Vec<u8>>> {
    let mut input = stdin().lock();
    let mut text = Vec::new();
    let bytes_max = u64::try_from(LINE_BYTES_MAX + 2).unwrap_or(u64::MAX);
    input.by_ref().take(bytes_max).read_until(b'\n', &mut text)?;
    if text.is_empty() {
        return Ok(None);
    }
    if text.last() == Some(&b'\n') {
        text.pop();
    } else if text.len() > LINE_BYTES_MAX {
        input.skip_until(b'\n')?;
    }
    Ok(Some(text))
}

/// Ctrl-C and Ctrl-\ end what runs and not the login; at the prompt they begin a new line. What is started here has the signals' usual
/// effects.
fn outlive_signals(is_asking: Arc<AtomicBool>) -> Result<(), CommandError> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(CommandError::Runtime)?;
    let within = runtime.enter();
    let mut interrupts = signal(SignalKind::interrupt()).map_err(CommandError::Signals)?;
    let mut quits = signal(SignalKind::quit()).map_err(CommandError::Signals)?;
    drop(within);
    let wait = async move {
        loop {
            tokio::select! {
                Some(()) = interrupts.recv() => {}
                Some(()) = quits.recv() => {}
                else => return,
            }
            let shown = if is_asking.load(Ordering::SeqCst) { format!("\n{PROMPT}") } else { "\n".to_owned() };
            // A terminal that is gone is seen by who reads from it.
            let _ = say(&shown);
        }
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(wait)).map_err(CommandError::Watch)?;
    Ok(())
}

fn say(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(CommandError::output)
}

/// What there is in this login.
///
/// # Errors
/// None that is not the output's.
pub(super) fn help(session: &Session) -> Result<Exit, CommandError> {
    let mut out = output::stdout();
    for allowed in ALLOWED.iter().filter(|allowed| !allowed.verb.is_empty()) {
        line(&mut out, format!("  {} {}", pad(allowed.verb, VERB_COLUMNS), about(session, allowed.verb)).trim_end())?;
    }
    let own = match session.lang {
        Lang::En => [
            ("put NAME", format!("take a file of at most {PUT_BYTES_MAX} bytes: ssh HOST put NAME < FILE")),
            ("get NAME", "give it back: ssh HOST get NAME > FILE".to_owned()),
            (
                "files",
                format!("what is in ~/{FOLDER}, at most {FILES_MAX} files; verbs read and make files there only"),
            ),
            ("remove NAME", "take a file away".to_owned()),
            ("screen, exit", "the screen on a terminal; leave".to_owned()),
            (
                "VERB --help",
                "what a verb takes; quote texts twice: ssh HOST \"alarm ack … --reason 'pump cleaned'\"".to_owned(),
            ),
        ],
        Lang::Zh => [
            ("put NAME", format!("上传文件，至多 {PUT_BYTES_MAX} 字节：ssh HOST put NAME < FILE")),
            ("get NAME", "下载文件：ssh HOST get NAME > FILE".to_owned()),
            ("files", format!("列出 ~/{FOLDER} 中的文件，至多 {FILES_MAX} 个；各命令只读写其中的文件")),
            ("remove NAME", "删除文件".to_owned()),
            ("screen, exit", "全屏界面（需终端）；退出".to_owned()),
            ("VERB --help", "命令的用法；文字需两层引号：ssh HOST \"alarm ack … --reason '已清理水泵'\"".to_owned()),
        ],
    };
    own.iter().try_for_each(|(verb, what)| line(&mut out, &format!("  {} {what}", pad(verb, VERB_COLUMNS))))?;
    out.flush().map_err(CommandError::output)?;
    Ok(Exit::Good)
}

/// The first words of the verb's own help.
fn about(session: &Session, verb: &str) -> String {
    let found = verb.split(' ').try_fold(&session.command, |above, word| above.find_subcommand(word));
    found.and_then(clap::Command::get_about).map(ToString::to_string).unwrap_or_default()
}
