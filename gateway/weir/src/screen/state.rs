//! What is shown, and what an event makes of it. Pure.

use std::collections::VecDeque;

use gatewayd::status::{AlarmStatus, Status as Gateway};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use syncd::status::Status as Sync;

use super::trends::Trends;
use crate::lang::Lang;

/// New records that are remembered, a line each.
pub(super) const LIVE_LINES_MAX: usize = 200;
/// Longest reason that can be typed here, in characters; the verb takes longer ones.
const REASON_CHARS_MAX: usize = 200;
/// What a page key moves by.
const PAGE_LINES: isize = 10;

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    Key(KeyEvent),
    /// The terminal has another size.
    Resized,
    /// Both daemons were asked.
    Told(Box<Told>),
    /// Records that are new in the journal.
    Records(Vec<NewRecord>),
    /// What an action came to, or why it did not.
    Done(String),
    /// What the checks say.
    Checked(Vec<String>),
}

/// What both daemons say, with what follows from it in words.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) gateway: Result<Gateway, String>,
    pub(super) sync: Result<Sync, String>,
    pub(super) wrong: Vec<String>,
    pub(super) notes: Vec<String>,
}

/// A record in a line, and what its frame measured: device, quantity and value.
#[derive(Debug)]
pub(super) struct NewRecord {
    pub(super) line: String,
    pub(super) values: Vec<(String, String, f64)>,
}

/// What the shell must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Leave,
    /// Ask both daemons now.
    Ask,
    Acknowledge {
        rule: String,
        source: String,
        reason: String,
    },
    /// Run `weir doctor`.
    Check,
}

/// One of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Now,
    Devices,
    Alarms,
    Platforms,
    Live,
    Checks,
}

impl View {
    /// In the order of their keys, 1 to 6.
    pub(super) const ALL: [View; 6] =
        [View::Now, View::Devices, View::Alarms, View::Platforms, View::Live, View::Checks];

    pub(super) fn title(self, lang: Lang) -> &'static str {
        match self {
            View::Now => lang.pick("Now", "总览"),
            View::Devices => lang.pick("Devices", "设备"),
            View::Alarms => lang.pick("Alarms", "报警"),
            View::Platforms => lang.pick("Platforms", "平台"),
            View::Live => lang.pick("Live", "实时"),
            View::Checks => lang.pick("Checks", "自检"),
        }
    }
}

/// An alarm that is being acknowledged.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) rule: String,
    pub(super) source: String,
    pub(super) reason: String,
}

/// All of it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) lang: Lang,
    /// The terminal shows more than ASCII.
    pub(super) unicode: bool,
    pub(super) view: View,
    /// None before the first answer.
    pub(super) told: Option<Told>,
    pub(super) trends: Trends,
    pub(super) live: VecDeque<String>,
    /// None before they were run; empty while they run.
    pub(super) checks: Option<Vec<String>>,
    /// The line that is looked at, or the first one that is shown.
    pub(super) cursor: usize,
    pub(super) asking: Option<Asking>,
    /// What the last action came to.
    pub(super) done: Option<String>,
}

impl State {
    pub(super) fn new(lang: Lang, unicode: bool) -> State {
        State {
            lang,
            unicode,
            view: View::Now,
            told: None,
            trends: Trends::default(),
            live: VecDeque::new(),
            checks: None,
            cursor: 0,
            asking: None,
            done: None,
        }
    }

    pub(super) fn apply(&mut self, event: Event) -> Option<Action> {
        match event {
            Event::Key(key) => return self.press(key),
            Event::Resized => {}
            Event::Told(told) => self.told = Some(*told),
            Event::Records(records) => {
                for NewRecord { line, values } in records {
                    if self.live.len() == LIVE_LINES_MAX {
                        self.live.pop_front();
                    }
                    self.live.push_back(line);
                    values.into_iter().for_each(|(device, quantity, value)| self.trends.note(device, quantity, value));
                }
            }
            Event::Done(what) => {
                self.done = Some(what);
                return Some(Action::Ask);
            }
            Event::Checked(lines) => self.checks = Some(lines),
        }
        None
    }

    fn press(&mut self, key: KeyEvent) -> Option<Action> {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Some(Action::Leave);
        }
        self.done = None;
        if self.asking.is_some() {
            return self.type_reason(key.code);
        }
        match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Some(Action::Leave),
            KeyCode::Char('r') => return Some(Action::Ask),
            KeyCode::Char('d') => return self.check(),
            KeyCode::Char('t') => self.turn_to(View::Live),
            KeyCode::Char('a') => self.ask_reason(),
            KeyCode::Char(digit) => {
                let nth = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
                nth.and_then(|nth| View::ALL.get(nth)).into_iter().for_each(|view| self.turn_to(*view));
            }
            KeyCode::Tab | KeyCode::Right => self.turn_by(1),
            KeyCode::BackTab | KeyCode::Left => self.turn_by(View::ALL.len() - 1),
            KeyCode::Down => self.scroll(1),
            KeyCode::Up => self.scroll(-1),
            KeyCode::PageDown => self.scroll(PAGE_LINES),
            KeyCode::PageUp => self.scroll(-PAGE_LINES),
            _ => {}
        }
        None
    }

    fn turn_to(&mut self, view: View) {
        (self.view, self.cursor) = (view, 0);
    }

    fn turn_by(&mut self, by: usize) {
        let at = View::ALL.iter().position(|view| *view == self.view).unwrap_or(0);
        self.turn_to(View::ALL[(at + by) % View::ALL.len()]);
    }

    /// Down the page; new records stand at the bottom of theirs, from where the cursor goes up.
    fn scroll(&mut self, lines: isize) {
        let lines = if self.view == View::Live { -lines } else { lines };
        self.cursor = self.cursor.saturating_add_signed(lines).min(self.lines().saturating_sub(1));
    }

    fn check(&mut self) -> Option<Action> {
        self.turn_to(View::Checks);
        let is_running = self.checks.as_ref().is_some_and(Vec::is_empty);
        (!is_running).then(|| {
            self.checks = Some(Vec::new());
            Action::Check
        })
    }

    /// On the page of alarms the one under the cursor; elsewhere the first that nobody has seen, which that page shows then.
    fn ask_reason(&mut self) {
        let waits = |alarm: &&AlarmStatus| alarm.state.ends_with("unacknowledged");
        let at = match self.view {
            View::Alarms => Some(self.cursor),
            _ => self.alarms().iter().position(|alarm| waits(&alarm)),
        };
        let named = at.and_then(|at| Some((at, self.alarms().get(at).filter(waits)?)));
        let named = named.map(|(at, alarm)| (at, alarm.rule.clone(), alarm.source.clone()));
        match named {
            Some((at, rule, source)) => {
                self.turn_to(View::Alarms);
                self.cursor = at;
                self.asking = Some(Asking { rule, source, reason: String::new() });
            }
            None => {
                self.done = Some(self.lang.pick("no alarm here waits to be seen", "此处没有待确认的报警").to_owned())
            }
        }
    }

    fn type_reason(&mut self, key: KeyCode) -> Option<Action> {
        let asking = self.asking.as_mut()?;
        match key {
            KeyCode::Esc => self.asking = None,
            KeyCode::Backspace => drop(asking.reason.pop()),
            KeyCode::Char(typed) if asking.reason.chars().count() < REASON_CHARS_MAX => asking.reason.push(typed),
            KeyCode::Enter => {
                let Asking { rule, source, reason } = self.asking.take()?;
                return Some(Action::Acknowledge { rule, source, reason });
            }
            _ => {}
        }
        None
    }

    pub(super) fn alarms(&self) -> &[AlarmStatus] {
        self.gateway().map_or(&[], |gateway| &gateway.alarms)
    }

    pub(super) fn gateway(&self) -> Option<&Gateway> {
        self.told.as_ref()?.gateway.as_ref().ok()
    }

    pub(super) fn sync(&self) -> Option<&Sync> {
        self.told.as_ref()?.sync.as_ref().ok()
    }

    /// How far the cursor goes on this page.
    fn lines(&self) -> usize {
        match self.view {
            View::Now => self.told.as_ref().map_or(0, |told| told.wrong.len() + told.notes.len()),
            View::Devices => self.gateway().map_or(0, |gateway| gateway.devices.len()),
            View::Alarms => self.alarms().len(),
            View::Platforms => self.sync().map_or(0, |sync| sync.destinations.len()),
            View::Live => self.live.len(),
            View::Checks => self.checks.as_ref().map_or(0, Vec::len),
        }
    }
}
