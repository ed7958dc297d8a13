//! Whether what alarms switch can be switched, and has bottles.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unseen};
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "relays.lines",
        title: words("lines of relays can be switched", "继电器线路可用"),
        cause: words(
            "the chip or line is another one, somebody else holds it, or the service may not open it",
            "芯片或线路不符、被其他程序占用，或服务无权打开",
        ),
        cure: words(
            "compare chip and line with gpioinfo; a box with relays needs the drop-in of the unit",
            "用 gpioinfo 核对芯片和线路；使用继电器须安装服务的附加配置",
        ),
        command: "gpioinfo; ls -l /dev/gpiochip*; systemctl cat weir-gateway",
        look: lines,
    },
    Check {
        id: "relays.bottles",
        title: words("samplers have empty bottles", "采样器有空瓶"),
        cause: words("every bottle was used since somebody put them in", "自上次换瓶以来所有瓶已用完"),
        cure: words("take the bottles out, put empty ones in, and say so", "取走样品，换上空瓶并登记"),
        command: "weir sampler refill {} --reason TEXT",
        look: bottles,
    },
];

fn lines(facts: &Facts, lang: Lang) -> Looked {
    let relays = &facts.gateway.as_ref()?.status.relays;
    if relays.is_empty() {
        return Err(NONE);
    }
    let closed = relays.iter().filter(|relay| relay.enabled && !relay.open);
    let told = closed.map(|relay| Trouble::fault(&relay.name, relay.error.as_deref().unwrap_or("-")));
    let count = relays.len();
    Ok(Seen::unless(told, say!(lang, "{count} relays", "{count} 个继电器")))
}

fn bottles(facts: &Facts, lang: Lang) -> Looked {
    let relays = facts.gateway.as_ref()?.status.relays.iter();
    let samplers: Vec<_> = relays.filter_map(|relay| Some((&relay.name, relay.sampler?))).collect();
    if samplers.is_empty() {
        return Err(NONE);
    }
    let told = samplers.iter().filter(|(_, sampler)| sampler.used >= sampler.bottles).map(|(name, sampler)| {
        let (used, bottles) = (sampler.used, sampler.bottles);
        Trouble::warning(*name, say!(lang, "{used} of {bottles} used", "已用 {used}/{bottles}"))
    });
    let left: u32 = samplers.iter().map(|(_, sampler)| u32::from(sampler.bottles.saturating_sub(sampler.used))).sum();
    Ok(Seen::unless(told, say!(lang, "{left} left", "余 {left}")))
}

const NONE: Unseen = Unseen::Absent(words("no relay is configured", "未配置继电器"));
