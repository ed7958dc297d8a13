//! SMS as a channel: the message to each number of the people, once.
//!
//! A modem that is slow goes on sending after nobody waits any more, so what is in doubt is asked for before anything more is
//! handed to it: else every try would queue another one behind.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use notify::sms::{Served, number, parts, text};
use notify::text::Worded;
use notify::{Message, Outcome};

use super::modem::{Handed, Modem, ModemError, find};

/// After this long what the modem was handed and did not confirm counts as failed: four SMS in a network that takes a minute for each.
const UNDERWAY_MAX: Duration = Duration::from_secs(240);

/// The channel.
#[derive(Debug, Default)]
pub(super) struct Sms {
    /// The modem's IMEI, where it must be one of several.
    modem: Option<String>,
    progress: Mutex<Progress>,
}

/// How far the newest message is.
#[derive(Debug, Default)]
struct Progress {
    served: Served,
    /// A number, and what the modem was handed for it and has not answered for.
    in_doubt: Option<(String, Handed, Instant)>,
}

/// What is sent, and how patiently.
struct Text<'a> {
    text: &'a str,
    timeout: Duration,
    /// It is an alarm's, no test.
    is_kept: bool,
}

impl Sms {
    /// By the modem with this IMEI, or by any.
    pub(super) fn by(modem: Option<String>) -> Sms {
        Sms { modem, ..Sms::default() }
    }

    /// Sends to all who do not have it; without a message it is a test. `timeout` is for each SMS that a text takes. It blocks.
    pub(super) fn deliver(&self, worded: &Worded, message: Option<&Message>, timeout: Duration) -> Outcome {
        let mut numbers: Vec<String> = worded.people.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            let why = "nobody of the level has a `mobile` · try: weir notify test LEVEL";
            return Outcome::Failed { why: why.to_owned() };
        }
        let modem = match find(self.modem.as_deref()) {
            Ok(modem) => modem,
            Err(error) => return Outcome::Failed { why: error.to_string() },
        };
        if self.is_still_sending(&modem) {
            return Outcome::InDoubt { why: "the modem is still sending to one number".to_owned() };
        }
        let text = text(worded);
        let timeout = timeout * u32::try_from(parts(&text)).unwrap_or(1);
        let missing =
            message.map_or_else(|| numbers.clone(), |message| self.progress().served.missing(message, &numbers));
        let text = Text { text: &text, timeout, is_kept: message.is_some() };
        match self.send(&modem, &missing, &text) {
            Ok(()) => Outcome::Delivered,
            Err((failed, error)) => {
                let why = format!("{failed} of {} numbers: {error}", numbers.len());
                if matches!(error, ModemError::Late(_)) { Outcome::InDoubt { why } } else { Outcome::Failed { why } }
            }
        }
    }

    /// What came of the number in doubt. What the modem does not know any more stays missing.
    fn is_still_sending(&self, modem: &Modem) -> bool {
        let mut progress = self.progress();
        let Some((number, handed, since)) = progress.in_doubt.take() else { return false };
        match modem.has_left(&handed) {
            Ok(true) => progress.served.has(number),
            Ok(false) if since.elapsed() < UNDERWAY_MAX => {
                progress.in_doubt = Some((number, handed, since));
                return true;
            }
            Ok(false) | Err(_) => {}
        }
        modem.forget(&handed);
        false
    }

    /// How many of these numbers do not have it, and why the last one does not.
    fn send(&self, modem: &Modem, missing: &[String], text: &Text<'_>) -> Result<(), (usize, ModemError)> {
        let mut refused = None;
        let mut failed = 0;
        for (nth, number) in missing.iter().enumerate() {
            let handed = match modem.hand(number, text.text) {
                Ok(handed) => handed,
                Err(error) => return Err((missing.len() - nth + failed, error)),
            };
            match modem.send(&handed, text.timeout) {
                Ok(()) if text.is_kept => self.progress().served.has(number.clone()),
                Ok(()) => {}
                Err(error @ ModemError::Late(_)) => {
                    self.progress().in_doubt = Some((number.clone(), handed, Instant::now()));
                    return Err((missing.len() - nth + failed, error));
                }
                Err(error) => {
                    failed += 1;
                    refused = Some(error);
                }
            }
            modem.forget(&handed);
        }
        refused.map_or(Ok(()), |error| Err((failed, error)))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
