//! Rules that look at the alarms of others: those are there, judge what is asked of them, and nothing hangs on itself.

use record::{RuleId, SourceId};

use super::RuleError;
use crate::{Devices, Rule};

/// Finds the first rule whose look at another one cannot work, by its place.
pub(super) fn check(rules: &[Rule]) -> Result<(), (usize, RuleError)> {
    for (place, rule) in rules.iter().enumerate() {
        for (other, device) in rule.looks_at() {
            let found = rules.iter().find(|known| known.id == *other);
            let found = found.ok_or_else(|| (place, RuleError::NoSuchRule(other.clone())))?;
            if let Some(device) = unjudged(rule, found, device) {
                return Err((place, RuleError::NotJudged { rule: other.clone(), device }));
            }
        }
        if let Some(circle) = circle(rules, rule) {
            return Err((place, RuleError::Circle(circle)));
        }
    }
    Ok(())
}

/// A device whose alarm is asked for and that the other rule does not judge.
fn unjudged(rule: &Rule, other: &Rule, device: Option<&SourceId>) -> Option<String> {
    match (device, &rule.devices, &other.devices) {
        (_, _, Devices::Every) => None,
        (Some(device), _, judged) => (!judged.covers(device)).then(|| format!("`{device}`")),
        (None, Devices::Every, Devices::Named(_)) => Some("every device".into()),
        (None, Devices::Named(own), judged) => {
            own.iter().find(|name| !judged.covers(name)).map(|name| format!("`{name}`"))
        }
    }
}

/// The way from a rule back to itself.
fn circle(rules: &[Rule], from: &Rule) -> Option<Vec<RuleId>> {
    // At most each rule once, and each with the rule by which it was reached.
    let mut reached: Vec<(&Rule, usize)> = vec![(from, 0)];
    let mut next = 0;
    while let Some((rule, _)) = reached.get(next).copied() {
        for (other, _) in rule.looks_at() {
            if *other == from.id {
                let mut way = Vec::new();
                let mut at = next;
                while at != 0 {
                    way.push(reached[at].0.id.clone());
                    at = reached[at].1;
                }
                way.push(from.id.clone());
                way.reverse();
                return Some(way);
            }
            let known = reached.iter().any(|(rule, _)| rule.id == *other);
            let found = rules.iter().find(|rule| rule.id == *other).filter(|_| !known);
            reached.extend(found.map(|rule| (rule, next)));
        }
        next += 1;
    }
    None
}
