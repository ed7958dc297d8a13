//! Records around a grave alarm are pinned, once its time is over: nothing but a person's word takes them away then.
//!
//! ```text
//! alarm raised ─► Window, a state stored with the alarm ─► its time is over ─► Act::Pinned by the box, and no Window
//! ```
//! Alarms within one another's time are one window and one pin: many alarms of one night do not use up the pins.

use journal::{PINS_BY_BOX_MAX, Reader, StoreError};
use minicbor::{Decode, Encode};
use record::{Act, Actor, Audit, Body, Seq, SeqRange, Stamp};
use rules::Keep;

use super::{Committer, Draft};

/// Where the journal keeps it.
const STATE: &str = "evidence_window";
/// A window that alarms make longer and longer is pinned in parts of this length.
const WINDOW_MS_MAX: i64 = 24 * 3_600_000;
/// Alarms that the reason of a pin names; of more it says how many.
const ALARMS_NAMED_MAX: usize = 32;

/// A time whose records are to be pinned. Times are those of stamps.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(super) struct Window {
    #[n(0)]
    first_ms: i64,
    #[n(1)]
    until_ms: i64,
    /// The first alarms in it.
    #[n(2)]
    alarms: Vec<Seq>,
    #[n(3)]
    alarm_count: u64,
}

impl Window {
    /// As it was stored.
    pub(super) fn restore(reader: &Reader) -> Result<Option<Window>, StoreError> {
        Ok(reader.states()?.get(STATE).and_then(|bytes| minicbor::decode(bytes).ok()))
    }

    fn of(seq: Seq, stamp: &Stamp, keep: Keep) -> Window {
        let ms = |seconds: u32| i64::from(seconds) * 1_000;
        let raised = stamp.wall_ms.0;
        let (first_ms, until_ms) = (raised.saturating_sub(ms(keep.before_s)), raised.saturating_add(ms(keep.after_s)));
        Window { first_ms, until_ms, alarms: vec![seq], alarm_count: 1 }
    }

    fn join(&mut self, other: Window) {
        self.first_ms = self.first_ms.min(other.first_ms);
        self.until_ms = self.until_ms.max(other.until_ms).min(self.first_ms.saturating_add(WINDOW_MS_MAX));
        self.alarm_count = self.alarm_count.saturating_add(other.alarm_count);
        self.alarms.extend(other.alarms);
        self.alarms.truncate(ALARMS_NAMED_MAX);
    }

    fn reason(&self) -> String {
        let named: Vec<String> = self.alarms.iter().map(Seq::to_string).collect();
        let more = self.alarm_count.saturating_sub(u64::try_from(named.len()).unwrap_or(u64::MAX));
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("alarms {}{more}", named.join(", "))
    }
}

impl Committer {
    /// Opens or widens the window for the alarms of a draft.
    pub(super) fn open_evidence_window(&mut self, draft: &mut Draft) {
        let (end, mut window) = (self.journal.end(), self.window.clone());
        for (record, seq) in draft.transaction.records.iter().zip(end.0..) {
            let Body::Alarm(alarm) = &record.body else { continue };
            let rule = self.rules.iter().find(|rule| rule.id == alarm.rule);
            let Some(keep) =
                rule.and_then(|rule| rule.keep).filter(|_| !alarm.from.is_active() && alarm.to.is_active())
            else {
                continue;
            };
            let around = Window::of(Seq(seq), &record.stamp, keep);
            match &mut window {
                Some(window) => window.join(around),
                None => window = Some(around),
            }
        }
        if window != self.window {
            self.set_window(window, draft);
        }
    }

    /// Pins what a window has, when its time is over.
    pub(super) fn pin_if_due(&mut self, now: &Stamp, draft: &mut Draft) {
        let Some(window) = self.window.take_if(|window| window.until_ms <= now.wall_ms.0) else { return };
        match self.range_of(&window) {
            Ok(Some(records)) => {
                let audit = Audit { by: Actor::Box, act: Act::Pinned { records }, reason: window.reason() };
                log::info!(first:% = records.first, last:% = records.last, reason = audit.reason.as_str(); "records around alarms are pinned");
                self.journal_audit(audit, *now, draft);
            }
            Ok(None) => {}
            Err(why) => {
                let reason = window.reason();
                log::error!(why = why.as_str(), reason = reason.as_str(); "records around alarms are not pinned");
            }
        }
        self.set_window(None, draft);
    }

    /// The records of its time, if there are any, and room for a pin.
    fn range_of(&mut self, window: &Window) -> Result<Option<SeqRange>, String> {
        let end = self.journal.end();
        let first = Reader::open(&self.parts.journal_path).and_then(|reader| reader.first_at(end, window.first_ms));
        let first = first.map_err(|error| control::chain(&error))?;
        let Some(records) = end.0.checked_sub(1).and_then(|last| SeqRange::new(first, Seq(last))) else {
            return Ok(None);
        };
        self.check_room(records, PINS_BY_BOX_MAX)?;
        Ok(Some(records))
    }

    fn set_window(&mut self, window: Option<Window>, draft: &mut Draft) {
        // Nothing is no window.
        let bytes = window.as_ref().and_then(|window| minicbor::to_vec(window).ok()).unwrap_or_default();
        draft.transaction.states.insert(STATE.to_owned(), bytes);
        self.window = window;
    }
}
