//! What setup says: a line a step, for people or for programs.

use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::error::CommandError;
use crate::lang::Lang;
use crate::output::{self, age, line, pad};
use crate::self_test::{self, Tested};

/// Columns of a step's name, of its facts, and of how it was found; the rest of 80 is for the time.
const TITLE: usize = 12;
const FACTS: usize = 40;
const STATE: usize = 14;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It was done before.
    Already,
    /// It is done now.
    Done,
    /// It would be done.
    Planned,
    /// It is done, and something is not well.
    NotWell,
    /// It could not be done.
    Failed,
}

impl State {
    fn shown(self, lang: Lang) -> &'static str {
        match self {
            State::Already => lang.pick("already there", "此前已完成"),
            State::Done => lang.pick("done", "完成"),
            State::Planned => lang.pick("to be done", "待执行"),
            State::NotWell => lang.pick("NOT WELL", "异常"),
            State::Failed => lang.pick("FAILED", "失败"),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            State::Already => "already",
            State::Done => "done",
            State::Planned => "planned",
            State::NotWell => "not_well",
            State::Failed => "failed",
        }
    }
}

/// Where it is said: at once, because a step may take its time.
pub(super) struct Console {
    json: bool,
    lang: Lang,
}

impl Console {
    pub(super) fn new(json: bool, lang: Lang) -> Console {
        Console { json, lang }
    }

    fn say(&self, text: &str, facts: &Value) -> Result<(), CommandError> {
        let mut out = output::stdout();
        match self.json {
            true => line(&mut out, &facts.to_string())?,
            false => line(&mut out, text)?,
        }
        out.flush().map_err(CommandError::output)
    }

    /// A remark on the step that is under way.
    pub(super) fn note(&self, text: &str) -> Result<(), CommandError> {
        self.say(&self.lang.told(text), &json!({ "note": text }))
    }

    /// What whoever typed has to type elsewhere, where no systemd starts daemons.
    pub(super) fn by_hand(&self, command: &str) -> Result<(), CommandError> {
        let text = self.lang.pick("no systemd here: start it in another terminal", "此处无 systemd：请在另一终端启动");
        self.say(&format!("· {text}: {command}"), &json!({ "start": command }))
    }

    /// The password of a device, this once.
    pub(super) fn password(&self, device: &str, password: &str) -> Result<(), CommandError> {
        let text = self.lang.pick("password (shown only now)", "密码（仅显示这一次）");
        let user = self.lang.pick("MQTT client id and user name", "MQTT 客户端 ID 与用户名");
        let facts = json!({ "device": device, "password": password });
        self.say(&format!("· {user}: {device} · {text}: {password}"), &facts)
    }

    /// What a test came to, row by row.
    pub(super) fn tested(&self, tested: &Tested) -> Result<(), CommandError> {
        if self.json {
            return self.say("", &json!({ "self_test": self_test::facts(tested) }));
        }
        let mut out = output::stdout();
        output::table(&mut out, &self_test::rows(tested, self.lang))?;
        for wrong in self_test::complaints(tested, self.lang) {
            line(&mut out, &format!("! {}", self.lang.told(&wrong)))?;
        }
        out.flush().map_err(CommandError::output)
    }

    /// How a step ended.
    pub(super) fn row(
        &self,
        (title, name): (&str, &str),
        facts: &str,
        state: State,
        took: Duration,
    ) -> Result<(), CommandError> {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (title, state_shown) = (pad(title, TITLE), pad(state.shown(self.lang), STATE));
        let text = format!("{title}  {}  {state_shown}  {}", pad(facts, FACTS), age(ms));
        self.say(&text, &json!({ "step": name, "what": facts, "state": state.as_str(), "ms": ms }))
    }

    /// Why a step could not be done, a cause a line.
    pub(super) fn failed(&self, error: &CommandError) -> Result<(), CommandError> {
        self.note(&format!("! {}", control::chain(error)))
    }

    /// How all of it ended.
    pub(super) fn end(&self, tally: &Tally, took: Duration) -> Result<(), CommandError> {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let Tally { done, planned, failed, already } = *tally;
        let text = match (done + failed, planned, self.lang) {
            (0, 0, Lang::En) => "This box is set up: nothing was to be done.".to_owned(),
            (0, 0, Lang::Zh) => "本机已配置完成，无需操作。".to_owned(),
            (0, _, Lang::En) => {
                format!("{planned} steps to be done, {already} were done already; nothing was changed.")
            }
            (0, _, Lang::Zh) => format!("待执行 {planned} 步，此前已完成 {already} 步；未做任何更改。"),
            (_, _, Lang::En) => {
                format!("{done} steps done, {failed} failed, {already} were done already, {}.", age(ms))
            }
            (_, _, Lang::Zh) => {
                format!("本次完成 {done} 步，失败 {failed} 步，此前已完成 {already} 步，用时 {}。", age(ms))
            }
        };
        let facts = json!({ "done": done, "planned": planned, "failed": failed, "already": already, "ms": ms });
        self.say(&text, &facts)
    }
}

/// How many steps ended in which way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: usize,
    pub(super) planned: usize,
    pub(super) failed: usize,
    pub(super) already: usize,
}
