//! The self-test: a true frame by a true port, from a client that is let in for this one frame.
//!
//! Whoever asks for it over the control socket gets a password that is good once and for a minute, connects as
//! [`SELF_TEST`] and publishes. The frame goes the way of all others, through the edge's own login, its queues and the
//! committer's transaction, and is acknowledged behind the commit; but the record that comes of it is an order of the user
//! who asked (`self_tested`), never a frame: no reading, rule, mean or tally has it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use ingest::SELF_TEST;
use mqtt::{Device, Filter};
use record::{Actor, MonoMs};
use zeroize::Zeroizing;

/// How long the password is good, in ms: long enough for a technician's slow box, too short to be kept.
pub(crate) const TICKET_MS: u64 = 60_000;

/// Bytes of its randomness.
const PASSWORD_BYTES: usize = 16;

/// Where the test frame is published.
pub(crate) const TOPIC: &str = "d/weir-self-test/up";

/// The one test that may be under way (B1); a new one takes the place of the last.
#[derive(Default)]
pub(crate) struct SelfTest(Mutex<Option<Ticket>>);

struct Ticket {
    password: Zeroizing<String>,
    by: Actor,
    reason: String,
    until: MonoMs,
}

impl fmt::Debug for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfTest").finish_non_exhaustive()
    }
}

impl SelfTest {
    /// Lets one client in from now on; gives its password.
    ///
    /// # Errors
    /// Without the kernel's randomness there is no password.
    pub(crate) fn open(&self, by: Actor, reason: String, now: MonoMs) -> Result<String, getrandom::Error> {
        let mut random = [0; PASSWORD_BYTES];
        getrandom::fill(&mut random)?;
        let password = hex::encode(random);
        let until = MonoMs(now.0.saturating_add(TICKET_MS));
        let ticket = Ticket { password: Zeroizing::new(password.clone()), by, reason, until };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        Ok(password)
    }

    /// The client, if this is its password.
    pub(crate) fn admit(&self, given: &[u8], now: MonoMs) -> Option<Device> {
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ticket = open.as_ref().filter(|ticket| now < ticket.until)?;
        is_equal(ticket.password.as_bytes(), given).then(|| Device {
            name: SELF_TEST.into(),
            publish: Filter::new(TOPIC).into_iter().collect(),
            command: None,
            subscribe: Vec::new(),
        })
    }

    /// Who asked for the test whose frame is there, and why. Nobody is let in by that password again.
    pub(crate) fn take(&self, now: MonoMs) -> Option<(Actor, String)> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.filter(|ticket| now < ticket.until).map(|ticket| (ticket.by, ticket.reason))
    }
}

/// In a time that does not depend on where they differ.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_good_once_and_for_a_minute() {
        let (test, at) = (SelfTest::default(), |ms| MonoMs(1_000 + ms));
        assert!(test.admit(b"", at(0)).is_none() && test.take(at(0)).is_none(), "nobody asked");
        let open = || test.open(Actor::User(7), "repaired".into(), at(0)).unwrap();
        let first = open();
        let second = open();
        assert!(test.admit(first.as_bytes(), at(0)).is_none(), "the newest alone");
        let device = test.admit(second.as_bytes(), at(TICKET_MS - 1)).expect("the password is good");
        assert_eq!((device.name.as_ref(), device.publish.len()), (SELF_TEST, 1));
        assert!(test.admit(&second.as_bytes()[1..], at(0)).is_none());
        assert!(test.admit(second.as_bytes(), at(TICKET_MS)).is_none(), "too late");
        assert_eq!(test.take(at(0)), Some((Actor::User(7), "repaired".into())));
        assert!(test.take(at(0)).is_none() && test.admit(second.as_bytes(), at(0)).is_none(), "once");
        open();
        assert!(test.take(at(TICKET_MS)).is_none());
    }
}
