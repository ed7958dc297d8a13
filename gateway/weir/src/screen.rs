//! Bare `weir`: a full-screen view for a technician on a slow line, and on a terminal without colours.
//!
//! ```text
//! keys ──────────────┐                     ┌─► draw (reads the state, changes nothing)
//! both daemons' word ┼─► Event ─► State ───┤
//! new records ───────┤            apply    └─► Action ─► leave | ask now | acknowledge | run the checks
//! what an action did ┘
//! ```
//! Threads wait and send events; this one applies them, does what the state asks for, and draws. Only what changed on the
//! screen is sent to the terminal, and nothing is drawn between two events.
//!
//! **Deliberately does not know:** how anything is done. It asks the daemons on their control sockets, reads the journal
//! read-only, and acknowledges and checks by the same code as the verbs do.

mod draw;
mod sources;
mod state;
#[cfg(test)]
mod tests;
mod trends;

use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::lang::Lang;
use draw::draw;
use sources::Sources;
use state::{Action, Event, State};

/// Events that may wait: more keys than anybody types while one frame is drawn.
const EVENTS_MAX: usize = 64;

/// Whether there is somebody to look at a screen: a terminal on both sides that can move its cursor.
pub(crate) fn is_possible() -> bool {
    let is_dumb = std::env::var("TERM").is_ok_and(|term| term.is_empty() || term == "dumb");
    stdin().is_terminal() && stdout().is_terminal() && !is_dumb
}

/// Whether the terminal shows more than ASCII, as far as the locale says.
fn is_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
    locale.is_some_and(|locale| locale.to_ascii_lowercase().replace('-', "").ends_with("utf8"))
}

/// Shows it until somebody leaves.
pub(crate) fn run((state_dir, run_dir): (&Path, &Path), lang: Lang) -> Result<Exit, CommandError> {
    let (events, queue) = sync_channel(EVENTS_MAX);
    let sources = Sources::start(state_dir, run_dir, lang, events.clone()).map_err(CommandError::Watch)?;
    let mut terminal = ratatui::try_init().map_err(CommandError::output)?;
    let shown = show(&mut terminal, &sources, &events, &queue, lang);
    ratatui::restore();
    shown
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    sources: &Sources,
    events: &SyncSender<Event>,
    queue: &Receiver<Event>,
    lang: Lang,
) -> Result<Exit, CommandError> {
    let mut state = State::new(lang, is_unicode());
    loop {
        terminal.draw(|frame| draw(frame, &state)).map_err(CommandError::output)?;
        // The senders live as long as their threads, which end with this process.
        let Ok(event) = queue.recv() else { return Ok(Exit::Good) };
        match state.apply(event) {
            None => {}
            Some(Action::Leave) => return Ok(Exit::Good),
            Some(action) => sources.perform(action, events.clone()),
        }
    }
}
