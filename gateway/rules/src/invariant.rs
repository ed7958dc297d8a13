//! The invariants of rules as predicates: one definition for the engine, its tests and the simulation.

use record::{AlarmState, AlarmTransition, BootNo, MonoMs};

use crate::Engine;

/// **R1**: a transition begins where the one before it ended, and ISA-18.2 knows its step.
pub fn r1_legal(before: AlarmState, step: &AlarmTransition) -> bool {
    step.from == before && step.from.may_become(step.to)
}

/// **R2**: rules that were restarted judge whatever comes as rules that saw the same records without a restart. Only a run
/// of samples that began before the frames that were read back, `from` this boot and time on, may count anew.
pub fn r2_restart_changes_nothing(restarted: &Engine, unbroken: &Engine, from: (BootNo, MonoMs)) -> bool {
    restarted.judges_as(unbroken, from)
}
