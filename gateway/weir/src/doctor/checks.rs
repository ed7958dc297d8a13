//! Every check, by subject: from the power supply to the platforms.

mod alarms;
mod board;
mod certificates;
mod clock;
mod config;
mod daemons;
mod devices;
mod files;
mod journal;
mod outfalls;
mod platforms;
mod ports;
mod power;
mod radio;
mod relays;
mod rules;
mod services;
mod storage;

use super::check::{Check, Finding};
use super::facts::Facts;
use crate::lang::Lang;

/// In the order in which one looks at a box: what others need comes first.
const SUBJECTS: [&[Check]; 18] = [
    power::CHECKS,
    board::CHECKS,
    storage::CHECKS,
    files::CHECKS,
    config::CHECKS,
    services::CHECKS,
    daemons::CHECKS,
    ports::CHECKS,
    clock::CHECKS,
    journal::CHECKS,
    radio::CHECKS,
    devices::CHECKS,
    outfalls::CHECKS,
    rules::CHECKS,
    alarms::CHECKS,
    relays::CHECKS,
    platforms::CHECKS,
    certificates::CHECKS,
];

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Check> {
    SUBJECTS.into_iter().flatten()
}

/// What they find.
pub(super) fn examine(facts: &Facts, lang: Lang) -> Vec<Finding> {
    all().flat_map(|check| check.findings(facts, lang)).collect()
}

#[cfg(test)]
mod tests;
