//! Alarms are no fault of the box; that nobody sees them is one.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;
use crate::output::age;
use crate::status::is_note;

/// An alarm should have been seen by somebody after this. ms.
const UNSEEN_MS_MAX: u64 = 24 * 3_600_000;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "alarms.standing",
        title: words("alarms that stand", "持续中的报警"),
        cause: words("the water is beyond a limit", "水质超出限值"),
        cure: words("see which, and tell those who answer for it", "查看并通知责任单位"),
        command: "weir alarm list",
        look: standing,
    },
    Check {
        id: "alarms.unseen",
        title: words("alarms that nobody has acknowledged", "长时间未确认的报警"),
        cause: words("nobody looks at this box's alarms", "无人查看本站报警"),
        cure: words("see to it, and acknowledge it with what you know", "处理后确认并写明情况"),
        command: "weir alarm ack {} --reason \"…\"",
        look: unseen,
    },
];

fn standing(facts: &Facts, _: Lang) -> Looked {
    let alarms = &facts.gateway.as_ref()?.status.alarms;
    let standing = alarms.iter().filter(|alarm| !is_note(alarm));
    let troubles = standing.map(|alarm| {
        let value = alarm.value.as_deref().unwrap_or("-");
        let (rule, source, quantity, unit) = (&alarm.rule, &alarm.source, &alarm.quantity, &alarm.unit);
        Trouble::note(format!("{rule} {source}"), format!("{rule} {source}: {quantity} {value} {unit}"))
    });
    Ok(Seen::unless(troubles, "0"))
}

fn unseen(facts: &Facts, lang: Lang) -> Looked {
    let gateway = facts.gateway.as_ref()?;
    let now_ms = gateway.status.clock.wall_ms;
    let troubles = gateway
        .status
        .alarms
        .iter()
        .filter(|alarm| alarm.state != "acknowledged")
        .filter(|alarm| alarm.shelved_until_ms.is_none() && alarm.suppression.is_none())
        .filter_map(|alarm| {
            // Since when is not known where nobody knows the time of that boot.
            alarm.since_error_ms?;
            let since_ms = u64::try_from(now_ms.saturating_sub(alarm.since_ms)).ok()?;
            let (rule, source, since) = (&alarm.rule, &alarm.source, age(since_ms));
            let evidence = say!(lang, "{rule} {source}: for {since}", "{rule} {source}：已 {since}");
            (since_ms > UNSEEN_MS_MAX).then(|| Trouble::warning(format!("{rule} {source}"), evidence))
        });
    Ok(Seen::unless(troubles, gateway.status.alarms.len().to_string()))
}
