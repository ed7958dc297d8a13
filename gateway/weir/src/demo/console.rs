//! What the demo says while it works.

use std::io::{self, Write};

use super::error::DemoError;
use super::wait::Clock;
use crate::lang::Lang;

/// Progress, in one of two languages; beside a JSON answer it goes to standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    lang: Lang,
    json: bool,
    clock: Clock,
}

impl Console {
    pub(crate) fn new(lang: Lang, json: bool, clock: Clock) -> Console {
        Console { lang, json, clock }
    }

    /// The demo's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    /// Whether the answer is to be one JSON object.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    /// One of two texts.
    pub(crate) fn pick<'a>(&self, english: &'a str, chinese: &'a str) -> &'a str {
        self.lang.pick(english, chinese)
    }

    /// One line of progress with the seconds since the start. Who does not read it does not stop the demo.
    pub(crate) fn say(&self, english: &str, chinese: &str) {
        let ms = self.clock.elapsed().as_millis();
        let line = format!("{:>3}.{} s  {}\n", ms / 1_000, ms % 1_000 / 100, self.pick(english, chinese));
        let _ = match self.json {
            true => io::stderr().lock().write_all(line.as_bytes()),
            false => io::stdout().lock().write_all(line.as_bytes()),
        };
    }

    /// The answer, on standard output.
    pub(crate) fn answer(&self, text: &[u8]) -> Result<(), DemoError> {
        let mut out = io::stdout().lock();
        out.write_all(text).and_then(|()| out.flush()).map_err(DemoError::Output)
    }
}
