//! Stamps, and what the journal tells and keeps of the clock (T1).

use std::sync::{MutexGuard, PoisonError};

use control::chain;
use journal::Transaction;
use record::{Body, ClockSet, Record, Stamp};

use super::{Committer, Draft};
use crate::clock::{Clock, STATE, mono_ms};

impl Committer {
    /// Now.
    pub(super) fn stamp(&self) -> Stamp {
        self.locked_clock().stamp()
    }

    /// Now. If the time became known or was set, that is told in front of whatever gets this stamp.
    pub(super) fn stamp_into(&mut self, draft: &mut Draft) -> Stamp {
        let (stamp, news) = {
            let mut clock = self.locked_clock();
            let stamp = clock.stamp();
            (stamp, clock.news(&stamp))
        };
        if let Some(set) = news.filter(|_| draft.clock.is_none()) {
            log::info!(source = set.source.as_str(), step_ms = set.step_ms, error_ms = set.error_ms; "clock is set");
            self.append(Record { stamp, body: Body::Clock(set.clone()) }, &mut draft.transaction);
            draft.clock = Some(set);
        }
        stamp
    }

    /// Puts the time for the next boot into a transaction, if it is due.
    pub(super) fn save_clock(&self, transaction: &mut Transaction) {
        if let Some(saved) = self.locked_clock().to_save(mono_ms()) {
            transaction.states.insert(STATE.to_owned(), saved.to_bytes());
        }
    }

    /// Stores the time for the next boot, at the end.
    pub(super) fn keep_clock(&mut self) {
        let mut transaction = Transaction::default();
        let saved = self.locked_clock().saved(mono_ms());
        transaction.states.insert(STATE.to_owned(), saved.to_bytes());
        if let Err(error) = self.journal.commit(&transaction) {
            log::warn!(error = chain(&error).as_str(); "the time is not saved for the next boot");
        }
    }

    fn locked_clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a transaction said of the clock is durable.
    pub(super) fn note_clock(&self, told: Option<&ClockSet>, transaction: &Transaction) {
        let (mut clock, now) = (self.locked_clock(), mono_ms());
        if let Some(told) = told {
            clock.told(told, now);
        }
        if transaction.states.contains_key(STATE) {
            clock.was_saved(now);
        }
    }
}
