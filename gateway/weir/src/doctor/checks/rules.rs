//! Rules that cannot do what they are meant to.

use std::collections::BTreeSet;

use ::rules::{Devices, Rule};
use record::LimitSide;

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "rules.any",
        title: words("there are rules", "报警规则"),
        cause: words("no rule: no alarm will ever be raised", "没有规则，永远不会报警"),
        cure: words("write limits; the example explains each key", "编写限值规则，示例中有各键说明"),
        command: "sudoedit /etc/weir/rules.toml; sudo weir config check",
        look: any,
    },
    Check {
        id: "rules.devices",
        title: words("rules name devices that exist", "规则所指设备存在"),
        cause: words(
            "misspelt, or the device was removed: the rule judges nobody",
            "名称有误或设备已删除，规则不起作用",
        ),
        cure: words("correct the name", "改正名称"),
        command: "sudoedit /etc/weir/rules.toml; weir rules show",
        look: devices,
    },
    Check {
        id: "rules.quantities",
        title: words("rules judge what is measured", "规则因子有数据"),
        cause: words(
            "no device that it covers sends this quantity: it judges nothing",
            "所涵盖设备均不上报该因子，规则不起作用",
        ),
        cure: words("correct the quantity, or the device's codec", "改正因子名称或设备解码配置"),
        command: "sudoedit /etc/weir/rules.toml; weir tail -n 20",
        look: quantities,
    },
    Check {
        id: "rules.units",
        title: words("rules and readings have one unit", "规则与读数单位一致"),
        cause: words("80 ug/L is no 80 mg/L: readings in another unit are not judged", "单位不同的读数不参与判断"),
        cure: words("write the rule in the unit of the readings", "规则改用读数的单位"),
        command: "sudoedit /etc/weir/rules.toml; weir tail -n 20",
        look: units,
    },
    Check {
        id: "rules.limits",
        title: words("limits leave room between them", "限值不矛盾"),
        cause: words(
            "an upper limit is not above a lower one: one of both alarms always stands",
            "上限不高于下限，总有一条报警",
        ),
        cure: words("correct one of both", "改正其中一条"),
        command: "sudoedit /etc/weir/rules.toml; sudo weir config check",
        look: limits,
    },
    Check {
        id: "rules.trial",
        title: words("rules on trial", "试运行的规则"),
        cause: words("a platform has put other rules in force", "平台下达了其他规则"),
        cure: words("see what they are; a change of rules.toml ends them", "查看内容；修改 rules.toml 即可终止"),
        command: "weir rules show",
        look: trial,
    },
];

/// Quantity and unit of everything that a device sends.
type Sent = BTreeSet<(String, String)>;

fn any(facts: &Facts, lang: Lang) -> Looked {
    let count = facts.setup.as_ref()?.rules.iter().len();
    let found = (count == 0).then(|| Trouble::note("", lang.pick("none", "没有")));
    Ok(Seen::unless(found, count.to_string()))
}

/// What is wrong with each rule, if anything is.
fn each(facts: &Facts, judge: impl Fn(&Rule) -> Option<String>) -> Looked {
    let rules = &facts.setup.as_ref()?.rules;
    let troubles = rules.iter().filter_map(|rule| Some(Trouble::warning(rule.id.to_string(), judge(rule)?)));
    Ok(Seen::unless(troubles, rules.iter().len().to_string()))
}

fn covers(rule: &Rule, device: &str) -> bool {
    match &rule.devices {
        Devices::Every => true,
        Devices::Named(names) => names.iter().any(|name| name.as_str() == device),
    }
}

fn devices(facts: &Facts, lang: Lang) -> Looked {
    let known: BTreeSet<&str> = facts.setup.as_ref()?.devices.iter().map(|device| device.name.as_str()).collect();
    each(facts, |rule| {
        let Devices::Named(names) = &rule.devices else { return None };
        let unknown = names.iter().find(|name| !known.contains(name.as_str()))?;
        let id = &rule.id;
        Some(say!(lang, "{id}: there is no device {unknown}", "{id}：没有设备 {unknown}"))
    })
}

/// Of devices that a rule covers, what they measured lately; none as long as one of them was not heard.
fn measured<'f>(facts: &'f Facts, rule: &Rule) -> Option<Vec<&'f Sent>> {
    let (setup, journal) = (facts.setup.as_ref().ok()?, facts.journal.as_ref().ok()?);
    let covered = setup.devices.iter().filter(|device| device.enabled && covers(rule, &device.name));
    let all: Option<Vec<_>> = covered.map(|device| journal.measured.get(&device.name)).collect();
    all.filter(|all| !all.is_empty())
}

fn quantities(facts: &Facts, lang: Lang) -> Looked {
    facts.journal.as_ref()?;
    each(facts, |rule| {
        let (id, what) = (&rule.id, rule.quantity.as_str());
        let is_sent = measured(facts, rule)?.iter().any(|sent| sent.iter().any(|(other, _)| other == what));
        (!is_sent).then(|| say!(lang, "{id}: nobody sends {what}", "{id}：没有设备上报 {what}"))
    })
}

/// Whatever else is not known yet: one device with another unit is enough.
fn units(facts: &Facts, lang: Lang) -> Looked {
    let measured = &facts.journal.as_ref()?.measured;
    each(facts, |rule| {
        let (id, what, wants) = (&rule.id, rule.quantity.as_str(), rule.unit.as_ref()?.as_str());
        let other = |sent: &Sent| {
            let mut units = sent.iter().filter(|(quantity, _)| quantity == what).map(|(_, unit)| unit);
            let first = units.clone().next()?;
            (!units.any(|unit| unit == wants)).then(|| first.clone())
        };
        let covered = measured.iter().filter(|(device, _)| covers(rule, device));
        let (device, unit) = covered.filter_map(|(device, sent)| Some((device, other(sent)?))).next()?;
        Some(say!(
            lang,
            "{id} judges {what} in {wants}, {device} sends it in {unit}",
            "{id} 按 {wants} 判断 {what}，{device} 上报单位为 {unit}"
        ))
    })
}

fn limits(facts: &Facts, lang: Lang) -> Looked {
    let rules = &facts.setup.as_ref()?.rules;
    each(facts, |high| {
        let contradicts = |low: &&Rule| {
            (high.limit.side, low.limit.side) == (LimitSide::High, LimitSide::Low)
                && judge_the_same(high, low)
                && high.limit.setpoint <= low.limit.setpoint
        };
        let low = rules.iter().find(contradicts)?;
        let (a, b, over, under) = (&high.id, &low.id, high.limit.setpoint, low.limit.setpoint);
        Some(say!(lang, "{a} alarms above {over}, {b} below {under}", "{a} 高于 {over} 报警，{b} 低于 {under} 报警"))
    })
}

/// Whether both make the same of the same readings of one device at the same times.
fn judge_the_same(a: &Rule, b: &Rule) -> bool {
    let share_a_device = match (&a.devices, &b.devices) {
        (Devices::Named(a), Devices::Named(b)) => !a.is_disjoint(b),
        _ => true,
    };
    let alike = (&a.quantity, &a.unit, &a.limit_unit, &a.basis, &a.during);
    share_a_device && alike == (&b.quantity, &b.unit, &b.limit_unit, &b.basis, &b.during)
}

fn trial(facts: &Facts, lang: Lang) -> Looked {
    let found = facts.gateway.as_ref()?.status.rules.as_ref().map(|rules| {
        let platform = &rules.platform;
        let evidence = match rules.trial_s {
            Some(rest_s) => {
                say!(lang, "of {platform}, on trial for {rest_s} s more", "{platform} 下达，试运行剩余 {rest_s} 秒")
            }
            None => say!(lang, "of {platform}, kept", "{platform} 下达，已生效"),
        };
        Trouble::note(platform.clone(), evidence)
    });
    Ok(Seen::unless(found, lang.pick("those of rules.toml are in force", "执行 rules.toml 中的规则")))
}
