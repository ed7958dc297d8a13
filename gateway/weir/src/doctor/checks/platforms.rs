//! The way to the platforms, and what they hold.

use syncd::status::DestinationStatus;

use super::super::check::{Check, Looked, Seen, Trouble, Verdict, say, words};
use super::super::facts::Facts;
use crate::check::filter::lacking;
use crate::lang::Lang;
use crate::output::{age, time};

/// Who has records to deliver should have had a receipt within this. ms.
const RECEIPT_MS_MAX: u64 = 3_600_000;
/// A record should not wait longer than this. ms.
const WAITING_MS_MAX: i64 = 6 * 3_600_000;
/// Of a metered link's budget so much may be used before it is worth knowing, percent.
const BUDGET_PERCENT_MAX: u64 = 90;
/// Of the room for parked records, percent.
const PARKED_PERCENT_MAX: u64 = 80;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "platforms.any",
        title: words("there is a platform", "已配置平台"),
        cause: words("nothing is delivered to anybody", "数据不会上传"),
        cure: words("introduce the box to a platform by its code", "用平台提供的登记码登记本站"),
        command: "sudo weir identity enroll https://PLATFORM/ CODE",
        look: any,
    },
    Check {
        id: "platforms.name",
        title: words("names of platforms", "平台域名解析"),
        cause: words("no network, no name server, or a misspelt url", "无网络、无域名服务器或 url 有误"),
        cure: words(
            "see whether any name is found, then correct url in sync.toml",
            "测试域名解析，再核对 sync.toml 中的 url",
        ),
        command: "getent hosts {}; ip route; resolvectl status",
        look: name,
    },
    Check {
        id: "platforms.connect",
        title: words("connection to platforms", "平台连接"),
        cause: words("no route, a firewall, or the platform is down", "无路由、防火墙拦截或平台停机"),
        cure: words("see where it ends, then ask its operator", "查看中断位置，然后联系平台运维"),
        command: "curl -v --max-time 5 telnet://{}",
        look: connect,
    },
    Check {
        id: "platforms.keys",
        title: words("keys of platforms", "平台公钥"),
        cause: words(
            "sync.toml and the journal believe different keys: receipts or commands are not taken",
            "sync.toml 与日志登记的公钥不一致，回执或指令不被采信",
        ),
        cure: words("ask the operator for the key, and pin that one", "向平台运维核实公钥后登记"),
        command: "sudo weir identity pin {} --reason \"told by its operator\"",
        look: keys,
    },
    Check {
        id: "platforms.errors",
        title: words("platforms take batches", "平台接收批次"),
        cause: words("the last batch was not taken; it is tried again by itself", "最近一次上传失败，将自动重试"),
        cure: words("do what it says", "按提示处理"),
        command: "weir status",
        look: errors,
    },
    Check {
        id: "platforms.receipts",
        title: words("receipts come", "平台回执"),
        cause: words("records wait, and no receipt came for long", "有待传记录但长时间没有回执"),
        cure: words("see the errors of this platform", "查看该平台的错误"),
        command: "weir status; journalctl -u weir-sync -n 20",
        look: receipts,
    },
    Check {
        id: "platforms.backlog",
        title: words("oldest record that waits", "最早的待传记录"),
        cause: words("the link carries less than comes, or was down for long", "链路速度不足或中断过久"),
        cure: words(
            "see whether it shrinks; if not, a filter or a better link",
            "观察是否减少；否则设置过滤或改善链路",
        ),
        command: "weir status",
        look: backlog,
    },
    Check {
        id: "platforms.parked",
        title: words("parked records", "被拒收的记录"),
        cause: words("the platform refused what is in them", "平台拒收其内容"),
        cure: words("read what it said; once it takes them, send them again", "查看答复；平台可接收后重发"),
        command: "weir sync parked; weir sync retry {}",
        look: parked,
    },
    Check {
        id: "platforms.refused",
        title: words("refused batches", "被拒收的批次"),
        cause: words("the platform refused batches since the daemon started", "服务启动以来平台曾拒收批次"),
        cure: words("read what it said", "查看平台答复"),
        command: "weir sync parked",
        look: refused,
    },
    Check {
        id: "platforms.budget",
        title: words("data of the metered link", "流量预算"),
        cause: words(
            "the budget of day or month is nearly used up: backlog waits",
            "当日或当月流量将尽，积压数据暂缓上传",
        ),
        cure: words("raise it, or send less by a filter", "提高预算，或用过滤减少上传"),
        command: "sudoedit /etc/weir/sync.toml && sudo systemctl restart weir-sync",
        look: budget,
    },
    Check {
        id: "platforms.aggregates",
        title: words("aggregates for platforms", "平台所需统计值"),
        cause: words("a platform waits for means that the gateway does not make", "平台等待的统计值网关未计算"),
        cure: words("name the periods under [aggregates]", "在 [aggregates] 中设置周期"),
        command: "sudoedit /etc/weir/gateway.toml && sudo systemctl restart weir-gateway",
        look: aggregates,
    },
    Check {
        id: "platforms.commands",
        title: words("commands of platforms", "平台指令"),
        cause: words("the gateway does not take what this platform commands", "采集服务未接受该平台的指令"),
        cure: words(
            "pin its key, or allow it in [commands] of gateway.toml",
            "登记其公钥，或在 gateway.toml 的 [commands] 中允许",
        ),
        command: "weir identity; sudoedit /etc/weir/gateway.toml",
        look: commands,
    },
];

fn any(facts: &Facts, _: Lang) -> Looked {
    let names: Vec<&str> = facts.upload.as_ref()?.destinations.iter().map(|one| one.name.as_str()).collect();
    Ok(Seen::unless(names.is_empty().then(|| Trouble::warning("", "0")), names.join(", ")))
}

fn name(facts: &Facts, lang: Lang) -> Looked {
    let far_ends = facts.far_ends.as_ref()?;
    let troubles = far_ends.iter().filter_map(|far_end| {
        let why = far_end.addresses.as_ref().err()?.told(lang);
        let (name, host) = (&far_end.name, &far_end.host);
        Some(Trouble::fault(host.clone(), format!("{name} {host}: {why}")))
    });
    let hosts: Vec<&str> = far_ends.iter().map(|far_end| far_end.host.as_str()).collect();
    Ok(Seen::unless(troubles, hosts.join(", ")))
}

/// A name that is not found is told by its own check.
fn connect(facts: &Facts, lang: Lang) -> Looked {
    let mut shown = Vec::new();
    let mut troubles = Vec::new();
    for far_end in facts.far_ends.as_ref()? {
        let Ok(addresses) = &far_end.addresses else { continue };
        let address = addresses.first().map_or_else(|| far_end.host.clone(), ToString::to_string);
        let name = &far_end.name;
        match &far_end.connect_ms {
            Ok(ms) => shown.push(format!("{name} {ms} ms")),
            Err(unseen) => {
                let why = unseen.told(lang);
                troubles.push(Trouble::fault(address.clone(), format!("{name} {address}: {why}")));
            }
        }
    }
    Ok(Seen::unless(troubles, shown.join(", ")))
}

fn aggregates(facts: &Facts, lang: Lang) -> Looked {
    let made = &facts.setup.as_ref()?.periods;
    let troubles = facts.upload.as_ref()?.destinations.iter().filter_map(|destination| {
        let (name, lacking) = (&destination.name, lacking(&destination.filter, made)?);
        Some(Trouble::warning(name.clone(), say!(lang, "{name}: {lacking} is not made", "{name}：未计算 {lacking}")))
    });
    let shown: Vec<String> = made.iter().map(ToString::to_string).collect();
    Ok(Seen::unless(troubles, shown.join(", ")))
}

/// A key that signed for its successor is as good as that one.
fn keys(facts: &Facts, lang: Lang) -> Looked {
    let believed = &facts.journal.as_ref()?.platform_keys;
    let mut troubles = Vec::new();
    let mut shown = Vec::new();
    for destination in &facts.upload.as_ref()?.destinations {
        let (name, key) = (&destination.name, &destination.key);
        let about = format!("{name} {key}");
        match believed.get(name) {
            Some(keys) if keys.contains(key) => shown.push(name.clone()),
            Some(keys) => {
                let other = keys.last().map_or_else(|| "-".to_owned(), ToString::to_string);
                let evidence = say!(
                    lang,
                    "{name}: sync.toml has {key}, the journal {other}",
                    "{name}：sync.toml 为 {key}，日志为 {other}"
                );
                troubles.push(Trouble::warning(about, evidence));
            }
            None => {
                let evidence =
                    say!(lang, "{name}: not pinned, its commands are not taken", "{name}：未登记，不接受其指令");
                troubles.push(Trouble::note(about, evidence));
            }
        }
    }
    Ok(Seen::unless(troubles, shown.join(", ")))
}

fn each(facts: &Facts, judge: impl Fn(&DestinationStatus) -> Option<Trouble>) -> Looked {
    let destinations = &facts.sync.as_ref()?.status.destinations;
    let names: Vec<&str> = destinations.iter().map(|one| one.name.as_str()).collect();
    Ok(Seen::unless(destinations.iter().filter_map(judge), names.join(", ")))
}

fn errors(facts: &Facts, _: Lang) -> Looked {
    each(facts, |one| {
        let error = one.last_error.as_ref()?;
        let evidence = format!("{}: {} ({})", one.name, error.what, age(error.ms_ago));
        Some(Trouble::fault(one.name.clone(), evidence).mended_by(error.cure.clone()))
    })
}

fn receipts(facts: &Facts, lang: Lang) -> Looked {
    let uptime_ms = facts.sync.as_ref()?.status.uptime_ms;
    each(facts, |one| {
        // Without any receipt yet, from the start of the daemon on.
        let silent_ms = one.last_receipt_ms_ago.unwrap_or(uptime_ms);
        let (name, missing, ago) = (&one.name, one.missing, age(silent_ms));
        let evidence = say!(
            lang,
            "{name}: {missing} records wait, no receipt for {ago}",
            "{name}：待传 {missing} 条，{ago} 无回执"
        );
        (missing > 0 && silent_ms > RECEIPT_MS_MAX).then(|| Trouble::fault(name.clone(), evidence))
    })
}

fn backlog(facts: &Facts, lang: Lang) -> Looked {
    let waiting = &facts.outbox.as_ref()?.waiting_since_ms;
    let mut shown = Vec::new();
    let mut troubles = Vec::new();
    for (name, since) in waiting {
        let since_text = time(*since);
        let evidence = say!(lang, "{name}: since {since_text}", "{name}：始于 {since_text}");
        match facts.now_ms.0.saturating_sub(since.0) > WAITING_MS_MAX {
            true => troubles.push(Trouble::warning(name.clone(), evidence)),
            false => shown.push(evidence),
        }
    }
    if shown.is_empty() {
        shown.push(lang.pick("none waits", "没有待传记录").to_owned());
    }
    Ok(Seen::unless(troubles, shown.join(", ")))
}

fn parked(facts: &Facts, lang: Lang) -> Looked {
    let room = |name: &str| {
        let upload = facts.upload.as_ref().ok()?;
        upload.destinations.iter().find(|one| one.name == name).map(|one| one.parked_max)
    };
    each(facts, |one| {
        let (name, parked) = (&one.name, one.parked);
        let is_full =
            room(name).is_some_and(|most| parked.saturating_mul(100) > most.saturating_mul(PARKED_PERCENT_MAX));
        let verdict = if is_full { Verdict::Fault } else { Verdict::Warning };
        (parked > 0)
            .then(|| Trouble::new(verdict, name.clone(), say!(lang, "{name}: {parked} records", "{name}：{parked} 条")))
    })
}

fn refused(facts: &Facts, lang: Lang) -> Looked {
    each(facts, |one| {
        let refused = one.counters.get("refused").copied().unwrap_or(0);
        let name = &one.name;
        (refused > 0)
            .then(|| Trouble::note(name.clone(), say!(lang, "{name}: {refused} batches", "{name}：{refused} 批")))
    })
}

fn budget(facts: &Facts, lang: Lang) -> Looked {
    each(facts, |one| {
        let (name, budget) = (&one.name, one.budget.as_ref()?);
        let is_near = |used: u64, most: Option<u64>| {
            most.is_some_and(|most| used.saturating_mul(100) > most.saturating_mul(BUDGET_PERCENT_MAX))
        };
        let near =
            is_near(budget.day_bytes, budget.day_bytes_max) || is_near(budget.month_bytes, budget.month_bytes_max);
        let (day, month) = (budget.day_bytes / 1_000_000, budget.month_bytes / 1_000_000);
        let waits = &budget.waits;
        (near || waits != "nothing").then(|| {
            let evidence = say!(
                lang,
                "{name}: {day} MB today, {month} MB this month; waits: {waits}",
                "{name}：今日 {day} MB，本月 {month} MB；暂缓：{waits}"
            );
            Trouble::warning(name.clone(), evidence)
        })
    })
}

fn commands(facts: &Facts, _: Lang) -> Looked {
    each(facts, |one| {
        let why = one.command_error.as_ref()?;
        Some(Trouble::warning(one.name.clone(), format!("{}: {why}", one.name)))
    })
}
