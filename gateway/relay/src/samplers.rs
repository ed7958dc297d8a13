//! Which sample is taken, and which is not.

use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use record::{Act, RelayId, SampleStep, Seq, Stamp, elapsed_ms};

use crate::Done;

/// Shortest and longest pulse, in milliseconds: a contact that a sampler sees, and a small pump that fills a bottle.
pub const ON_MS_MIN: u32 = 50;
/// See [`ON_MS_MIN`].
pub const ON_MS_MAX: u32 = 600_000;
/// Longest cool-down, in seconds: a week.
pub const COOL_DOWN_S_MAX: u32 = 604_800;
/// Most bottles of a sampler.
pub const BOTTLES_MAX: u16 = 1_000;
/// Most samplers whose bottles are remembered, those that are no longer configured among them.
pub const KNOWN_MAX: usize = 64;

/// A sampler, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampler {
    /// Its name.
    pub id: RelayId,
    /// How long its relay is on, [`ON_MS_MIN`] to [`ON_MS_MAX`].
    pub on_ms: u32,
    /// Least time between two samples, 0 to [`COOL_DOWN_S_MAX`].
    pub cool_down_s: u32,
    /// How many bottles it has when it is full, 1 to [`BOTTLES_MAX`].
    pub bottles: u16,
}

/// What to do with a line, once the act behind it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Whose line.
    pub id: RelayId,
    /// How long it is on.
    pub on_ms: u32,
}

/// Who asks for a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// An alarm, raised by this record; somebody may have set it aside.
    Alarm {
        /// The record.
        seq: Seq,
        /// Set aside.
        is_shelved: bool,
    },
    /// A person at the box, or a platform that the box obeys.
    Somebody,
}

/// What a technician sees of a sampler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// Bottles that are used.
    pub used: u16,
    /// Of so many.
    pub bottles: u16,
    /// Milliseconds until it takes another one.
    pub cooling_ms: u64,
    /// It is at work.
    pub is_taking: bool,
}

/// All samplers of the box, and what the journal says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samplers {
    setups: BTreeMap<RelayId, Sampler>,
    known: BTreeMap<RelayId, Known>,
}

/// What the journal says of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Known {
    #[n(0)]
    used: u16,
    /// As somebody filled it last; none: as configured.
    #[n(1)]
    bottles: Option<u16>,
    /// When the last sample was begun, or ended.
    #[n(2)]
    last: Option<Stamp>,
    #[n(3)]
    taking: Option<Taking>,
}

/// A sample whose end is not journaled yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct Taking {
    #[n(0)]
    bottle: u16,
    #[n(1)]
    bottles: u16,
    #[n(2)]
    alarm: Option<Seq>,
}

impl Samplers {
    /// These samplers; what is known of them is in `stored`, as [`Samplers::to_bytes`] gave it.
    pub fn new(setups: impl IntoIterator<Item = Sampler>, stored: Option<&[u8]>) -> Samplers {
        let setups = setups.into_iter().map(|setup| (setup.id.clone(), setup)).collect();
        let known = stored.and_then(|bytes| minicbor::decode(bytes).ok()).unwrap_or_default();
        Samplers { setups, known }
    }

    /// What is known of them, to be stored in the transaction of the act that changed it.
    pub fn to_bytes(&self) -> Vec<u8> {
        match minicbor::to_vec(&self.known) {
            Ok(bytes) => bytes,
            Err(never) => unreachable!("encoding into memory failed: {never}"),
        }
    }

    /// What is to be journaled when a sample is asked for: that it begins, or why there is none. `is_ready`: the line can be
    /// switched.
    pub fn take(&self, id: &RelayId, asked: Asked, is_ready: bool, now: &Stamp) -> Act {
        let View { used, bottles, cooling_ms, is_taking } = self.view(id, now).unwrap_or(View::NONE);
        let (alarm, is_shelved) = match asked {
            Asked::Alarm { seq, is_shelved } => (Some(seq), is_shelved),
            Asked::Somebody => (None, false),
        };
        let step = match () {
            () if !self.setups.contains_key(id) || !is_ready => SampleStep::Unavailable,
            () if is_shelved => SampleStep::Shelved,
            () if is_taking => SampleStep::Busy,
            () if cooling_ms > 0 => SampleStep::CoolingDown,
            () if used >= bottles => SampleStep::NoBottle,
            () => SampleStep::Started,
        };
        let bottle = used.saturating_add(u16::from(step == SampleStep::Started));
        Act::Sampled { sampler: id.clone(), step, bottle, bottles, alarm }
    }

    /// What to do with a line now that this act is durable.
    pub fn pulse(&self, act: &Act) -> Option<Pulse> {
        let Act::Sampled { sampler, step: SampleStep::Started, .. } = act else { return None };
        let setup = self.setups.get(sampler)?;
        Some(Pulse { id: sampler.clone(), on_ms: setup.on_ms.min(ON_MS_MAX) })
    }

    /// What is to be journaled when a line has had its pulse, or not; none if it was asked to have none.
    pub fn done(&self, id: &RelayId, done: Done) -> Option<Act> {
        let step = match done {
            Done::Taken => SampleStep::Taken,
            Done::NotSwitched => SampleStep::Failed,
            Done::Uncertain => SampleStep::Uncertain,
        };
        self.ended(id, step)
    }

    /// What is to be journaled at a start: a sample that has no end yet was cut short, and nobody knows how much of it there
    /// is.
    pub fn outstanding(&self) -> Vec<Act> {
        self.known.keys().filter_map(|id| self.ended(id, SampleStep::Uncertain)).collect()
    }

    fn ended(&self, id: &RelayId, step: SampleStep) -> Option<Act> {
        let Taking { bottle, bottles, alarm } = self.known.get(id)?.taking?;
        Some(Act::Sampled { sampler: id.clone(), step, bottle, bottles, alarm })
    }

    /// Takes note of a journaled act; whether that changes anything.
    pub fn apply(&mut self, act: &Act, at: Stamp) -> bool {
        match act {
            Act::Sampled { step, .. } if step.is_refusal() => return false,
            Act::Sampled { sampler, step, bottle, bottles, alarm } => {
                let known = self.known.entry(sampler.clone()).or_default();
                let (used, taking) = match step {
                    SampleStep::Started => {
                        (*bottle, Some(Taking { bottle: *bottle, bottles: *bottles, alarm: *alarm }))
                    }
                    SampleStep::Failed => (bottle.saturating_sub(1), None),
                    _ => (*bottle, None),
                };
                let last = (*step != SampleStep::Failed).then_some(at);
                *known = Known { used, taking, last, bottles: known.bottles };
            }
            Act::Refilled { sampler, bottles } => {
                let known = self.known.entry(sampler.clone()).or_default();
                *known = Known { used: 0, bottles: Some(*bottles), last: known.last, taking: known.taking };
            }
            _ => return false,
        }
        let setups = &self.setups;
        if self.known.len() > KNOWN_MAX {
            self.known.retain(|id, _| setups.contains_key(id));
        }
        true
    }

    /// How many bottles this one has when it is full; none if there is no such sampler.
    pub fn bottles(&self, id: &RelayId) -> Option<u16> {
        self.setups.get(id).map(|setup| setup.bottles)
    }

    /// How it stands with one of them.
    pub fn view(&self, id: &RelayId, now: &Stamp) -> Option<View> {
        let setup = self.setups.get(id)?;
        let Some(known) = self.known.get(id) else { return Some(View { bottles: setup.bottles, ..View::NONE }) };
        let cool_down_ms = u64::from(setup.cool_down_s) * 1_000;
        let cooling_ms = known.last.map_or(0, |last| cool_down_ms.saturating_sub(passed_ms(&last, now)));
        let bottles = known.bottles.unwrap_or(setup.bottles);
        Some(View { used: known.used, bottles, cooling_ms, is_taking: known.taking.is_some() })
    }
}

impl View {
    /// Nothing is known.
    const NONE: View = View { used: 0, bottles: 0, cooling_ms: 0, is_taking: false };
}

/// Milliseconds that surely passed. Of another boot at least this boot's own time has.
fn passed_ms(last: &Stamp, now: &Stamp) -> u64 {
    let since_boot = if last.boot == now.boot { 0 } else { now.mono_ms.0 };
    elapsed_ms(last, now).unwrap_or(0).max(since_boot)
}

#[cfg(test)]
mod tests;
