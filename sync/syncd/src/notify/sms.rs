//! SMS as a channel: the message to each number of the people, once.
//!
//! A modem that is slow goes on sending after nobody waits any more, so what is in doubt is asked for before anything more is
//! handed to it: else every try would queue another one behind.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::sms::{Served, number, parts, text};
use notify::text::Worded;
use notify::{Message, Outcome};

use super::modem::{Handed, ModemError, find};

/// After this long what the modem was handed and did not confirm counts as failed: four SMS in a network that takes a minute for each.
const UNDERWAY_MAX: Duration = Duration::from_secs(240);

/// What sends SMS.
pub(super) trait Radio {
    /// One SMS that it was handed.
    type Handed;

    /// Hands it a text for a number; nothing leaves yet.
    ///
    /// # Errors
    /// [`ModemError`] by cause.
    fn hand(&self, number: &str, text: &str) -> Result<Self::Handed, ModemError>;

    /// Has it sent.
    ///
    /// # Errors
    /// [`ModemError::Late`] where it may leave yet: the modem goes on.
    fn send(&self, handed: &Self::Handed, timeout: Duration) -> Result<(), ModemError>;

    /// Whether it has left. While it is being sent that is not known, and looks as if it had failed.
    ///
    /// # Errors
    /// [`ModemError`] where nobody knows it any more.
    fn has_left(&self, handed: &Self::Handed) -> Result<bool, ModemError>;

    /// Takes it out of the modem's store, which it would fill.
    fn forget(&self, handed: &Self::Handed);
}

/// The channel.
#[derive(Debug, Default)]
pub(super) struct Sms {
    /// The modem's IMEI, where it must be one of several.
    modem: Option<String>,
    /// Held while something is sent: a modem sends one after the other.
    progress: Mutex<Progress<Handed>>,
}

/// How far the newest message is.
#[derive(Debug)]
struct Progress<H> {
    served: Served,
    in_doubt: Option<InDoubt<H>>,
}

/// What the modem was handed and has not answered for.
#[derive(Debug)]
struct InDoubt<H> {
    number: String,
    handed: H,
    since: Instant,
    /// It says an alarm, and is no test.
    is_alarm: bool,
}

impl<H> Default for Progress<H> {
    fn default() -> Progress<H> {
        Progress { served: Served::default(), in_doubt: None }
    }
}

impl Sms {
    /// By the modem with this IMEI, or by any.
    pub(super) fn by(modem: Option<String>) -> Sms {
        Sms { modem, ..Sms::default() }
    }

    /// Sends to all who do not have it; without a message it is a test. `timeout` is for each SMS that a text takes. It blocks.
    pub(super) fn deliver(&self, worded: &Worded, message: Option<&Message>, timeout: Duration) -> Outcome {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match find(self.modem.as_deref()) {
            Ok(modem) => progress.deliver(&modem, worded, message, timeout),
            Err(error) => Outcome::Failed { why: error.to_string() },
        }
    }
}

impl<H> Progress<H> {
    fn deliver(
        &mut self,
        radio: &impl Radio<Handed = H>,
        worded: &Worded,
        message: Option<&Message>,
        timeout: Duration,
    ) -> Outcome {
        let mut numbers: Vec<String> = worded.people.iter().filter_map(number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            let why = "nobody of the level has a `mobile` · try: weir notify test LEVEL";
            return Outcome::Failed { why: why.to_owned() };
        }
        if self.is_still_sending(radio) {
            return Outcome::InDoubt { why: "the modem is still sending to one number".to_owned() };
        }
        let text = text(worded);
        let timeout = timeout * u32::try_from(parts(&text)).unwrap_or(1);
        let missing = message.map_or_else(|| numbers.clone(), |message| self.served.missing(message, &numbers));
        let why = |failed: usize, error| format!("{failed} of {} numbers: {error}", numbers.len());
        let (mut failed, mut refused) = (0, None);
        for (nth, number) in missing.iter().enumerate() {
            let error = match radio.hand(number, &text) {
                Ok(handed) => match radio.send(&handed, timeout) {
                    Err(error @ ModemError::Late(_)) => {
                        let (number, since, is_alarm) = (number.clone(), Instant::now(), message.is_some());
                        self.in_doubt = Some(InDoubt { number, handed, since, is_alarm });
                        return Outcome::InDoubt { why: why(failed + missing.len() - nth, error) };
                    }
                    sent => {
                        radio.forget(&handed);
                        sent.err()
                    }
                },
                // Of this number; anything else is about the modem, and holds for all.
                Err(error @ ModemError::Refused(_)) => Some(error),
                Err(error) => return Outcome::Failed { why: why(failed + missing.len() - nth, error) },
            };
            match error {
                None if message.is_some() => self.served.has(number.clone()),
                None => {}
                Some(error) => {
                    failed += 1;
                    refused = Some(error);
                }
            }
        }
        refused.map_or(Outcome::Delivered, |error| Outcome::Failed { why: why(failed, error) })
    }

    /// What came of the number in doubt. What the modem does not know any more stays missing.
    fn is_still_sending(&mut self, radio: &impl Radio<Handed = H>) -> bool {
        let Some(doubt) = self.in_doubt.take() else { return false };
        match radio.has_left(&doubt.handed) {
            Ok(false) if doubt.since.elapsed() < UNDERWAY_MAX => {
                self.in_doubt = Some(doubt);
                return true;
            }
            // What is known of the newest alarm is nothing that a test has to say.
            Ok(true) if doubt.is_alarm => self.served.has(doubt.number),
            Ok(_) | Err(_) => {}
        }
        radio.forget(&doubt.handed);
        false
    }
}

#[cfg(test)]
mod tests;
