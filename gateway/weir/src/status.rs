//! `weir status`: both daemons asked, what is wrong first.

use std::io::Write;
use std::path::Path;

use control::chain;
use gatewayd::status::{
    AlarmStatus, ClockStatus, ExpressionFaultStatus, InsteadStatus, KeepingStatus, RulesStatus, Status as Gateway,
};
use record::{Suppression, UnixMs};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use syncd::status::{BudgetStatus, Status as Sync};

use crate::error::CommandError;
use crate::exit::Exit;
use crate::grounds;
use crate::lang::Lang;
use crate::notify;
use crate::output::{self, age, line, table};
use crate::sampler;
use crate::upgrade::{self, Weight};

/// Asks and prints. [`Exit::NotWell`] if a daemon does not answer, frames are not stored, an alarm stands, or a platform
/// does not take its records.
pub(crate) fn run((state_dir, run_dir): (&Path, &Path), json: bool, lang: Lang) -> Result<Exit, CommandError> {
    let (gateway, sync) = ask_both(run_dir);
    let (of_upgrade, upgraded) = last_upgrade(state_dir, lang);
    let wrong = [of_upgrade, what_is_wrong(&gateway, &sync, lang)].concat();
    let exit = if wrong.is_empty() { Exit::Good } else { Exit::NotWell };
    let mut out = output::stdout();
    if json {
        let notes = [upgraded, all_notes(&gateway, &sync, lang)].concat();
        let shown = json!({"well": wrong.is_empty(), "wrong": wrong, "notes": notes, "gateway": value(&gateway), "sync": value(&sync)});
        line(&mut out, &shown.to_string())?;
    } else {
        for problem in &wrong {
            line(&mut out, &format!("! {}", lang.told(problem)))?;
        }
        for note in &upgraded {
            line(&mut out, &format!("· {}", lang.told(note)))?;
        }
        if let Ok(gateway) = &gateway {
            for note in notes(gateway, lang) {
                line(&mut out, &format!("· {}", lang.told(&note)))?;
            }
            print_gateway(&mut out, gateway, lang)?;
        }
        if let Ok(sync) = &sync {
            for note in sync_notes(sync, lang) {
                line(&mut out, &format!("· {}", lang.told(&note)))?;
            }
            print_sync(&mut out, sync, lang)?;
        }
    }
    out.flush().map_err(CommandError::output)?;
    Ok(exit)
}

/// What is wrong about the last upgrade, and what there is to know of it while it is of any matter.
pub(crate) fn last_upgrade(state_dir: &Path, lang: Lang) -> (Vec<String>, Vec<String>) {
    let told = match upgrade::last(state_dir) {
        Ok(last) => last.filter(|upgrade| !upgrade.is_settled()).map(|upgrade| upgrade::told(&upgrade, lang)),
        Err(error) => Some((Weight::Note, chain(&error))),
    };
    match told {
        None => (Vec::new(), Vec::new()),
        Some((Weight::Fault, text)) => (vec![text], Vec::new()),
        Some((_, text)) => (Vec::new(), vec![text]),
    }
}

/// What both daemons say of themselves, or why they say nothing.
pub(crate) fn ask_both(run_dir: &Path) -> (Result<Gateway, String>, Result<Sync, String>) {
    (ask(&run_dir.join("gateway.sock")), ask(&run_dir.join("sync.sock")))
}

/// What the gateway says of itself.
pub(crate) fn ask_gateway(run_dir: &Path) -> Result<Gateway, CommandError> {
    ask(&run_dir.join("gateway.sock")).map_err(CommandError::NoStatus)
}

fn ask<T: DeserializeOwned>(socket: &Path) -> Result<T, String> {
    let mut answer = control::ask(socket, &json!({"do": "status"})).map_err(|error| chain(&error))?;
    let status = answer.get_mut("status").map(Value::take).unwrap_or_default();
    serde_json::from_value(status).map_err(|error| format!("{}: {error}", socket.display()))
}

fn value<T: serde::Serialize>(status: &Result<T, String>) -> Value {
    match status {
        Ok(status) => json!(status),
        Err(error) => json!({"error": error}),
    }
}

pub(crate) fn what_is_wrong(gateway: &Result<Gateway, String>, sync: &Result<Sync, String>, lang: Lang) -> Vec<String> {
    let mut wrong = Vec::new();
    match gateway {
        Err(error) => wrong.push(format!("{}: {error}", lang.pick("gateway", "采集服务"))),
        Ok(gateway) => {
            if let Some(failing) = &gateway.journal.failing {
                let text = lang.pick("frames are not stored and not acknowledged", "数据帧未能存储，也未确认");
                wrong.push(format!("{text}: {failing}"));
            }
            if let Some(trouble) = gateway.journal.keeping.as_ref().and_then(|keeping| keeping.trouble.as_ref()) {
                wrong.push(format!("{}: {trouble}", lang.pick("upkeep of the journal", "日志维护")));
            }
            if gateway.journal.keeping.as_ref().is_some_and(|keeping| keeping.scarce) {
                let text = lang
                    .pick("the disk is full, only devices with rules are stored", "磁盘已满，仅保存有报警规则的设备");
                wrong.push(format!("{text} · try: df -h"));
            }
            if let Some(salvaged) = &gateway.journal.salvaged {
                let text = lang.pick("the journal was damaged and saved", "日志曾损坏，已抢救");
                wrong.push(format!("{text}: {salvaged} · try: weir journal check"));
            }
            for port in gateway.serial.iter().filter(|port| !port.open) {
                let error = port.error.as_deref().unwrap_or("-");
                wrong.push(format!("{} {}: {error}", lang.pick("serial port", "串口"), port.name));
            }
            for (eui, view) in gateway.gwmp.iter().flat_map(|gwmp| &gwmp.gateways) {
                if let Some(conflict) = &view.address_conflict {
                    let text = lang.pick("somebody else speaks for LoRa gateway", "有其他地址冒用 LoRa 网关");
                    wrong.push(format!("{text} {eui}: {} ({})", conflict.from, age(conflict.ms_ago)));
                }
            }
            wrong.extend(gateway.expression_faults.iter().map(|fault| {
                let ExpressionFaultStatus { rule, readings, why } = fault;
                match lang {
                    Lang::En => format!("rule {rule}: its expression had no answer for {readings} readings, the last time for {why} · try: weir rules show"),
                    Lang::Zh => format!("规则 {rule}：表达式有 {readings} 次读数无法计算，最近一次原因 {why} · try: weir rules show"),
                }
            }));
            wrong.extend(sampler::what_is_wrong(&gateway.relays, lang));
            let standing = gateway.alarms.iter().filter(|alarm| !is_note(alarm));
            wrong.extend(standing.map(|alarm| show_alarm(alarm, lang)));
        }
    }
    match sync {
        Err(error) => wrong.push(format!("{}: {error}", lang.pick("upload", "上传服务"))),
        Ok(sync) => {
            if let Some(waiting) = &sync.waiting_for {
                wrong.push(format!("{}: {waiting}", lang.pick("the upload daemon waits for", "上传服务正在等待")));
            }
            for destination in &sync.destinations {
                if let Some(error) = &destination.last_error {
                    let (name, what, cure) = (&destination.name, &error.what, &error.cure);
                    wrong.push(format!("{} {name}: {what} · try: {cure}", lang.pick("platform", "平台")));
                }
                if let Some(why) = &destination.command_error {
                    let text = lang.pick("its command is not taken", "其指令未被接受");
                    wrong.push(format!("{} {}: {text}: {why}", lang.pick("platform", "平台"), destination.name));
                }
            }
            if let Some(why) = &sync.notify_refused {
                let text = lang.pick("notify.toml is refused", "notify.toml 被拒绝");
                // On one line, as everything here; the verb shows the place of the fault.
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                wrong.push(format!("{text}: {why} · try: weir config check /etc/weir/notify.toml"));
            }
            wrong.extend(sync.notify.iter().flat_map(|view| notify::what_is_wrong(view, lang)));
        }
    }
    wrong
}

/// What a technician should know of both although nothing is broken.
pub(crate) fn all_notes(gateway: &Result<Gateway, String>, sync: &Result<Sync, String>, lang: Lang) -> Vec<String> {
    let mut all = gateway.as_ref().map(|gateway| notes(gateway, lang)).unwrap_or_default();
    all.extend(sync.iter().flat_map(|sync| sync_notes(sync, lang)));
    all
}

/// What a technician should know although nothing is broken: a box without a network has no better clock, and its records
/// say so (T1).
fn notes(gateway: &Gateway, lang: Lang) -> Vec<String> {
    let (hidden, shown): (Vec<_>, Vec<_>) = gateway.alarms.iter().partition(|alarm| alarm.suppression.is_some());
    let returned = shown.into_iter().filter(|alarm| is_note(alarm));
    let mut notes: Vec<String> = returned.map(|alarm| show_alarm(alarm, lang)).collect();
    notes.extend(suppressed(hidden.len(), lang));
    notes.extend(clock_note(&gateway.clock, lang));
    notes.extend(gateway.rules.as_ref().map(|rules| show_rules(rules, lang)));
    notes.extend(gateway.config_of.as_ref().map(|files| show_config_of(files, lang)));
    let instead = gateway.config_instead.iter();
    notes.extend(instead.map(|InsteadStatus { version, refused }| show_instead(version, refused, lang)));
    for (name, device) in &gateway.devices {
        if let Some(told) = &device.network_server_log {
            let text = lang.pick("ChirpStack tells", "ChirpStack 报告");
            notes.push(format!("{name}: {text} {told} · try: weir device show {name}"));
        }
    }
    notes
}

/// Which version of a configuration file counts in the place of one that is refused.
fn show_instead(version: &str, refused: &str, lang: Lang) -> String {
    match lang {
        Lang::En => format!(
            "the configuration is refused, version {version} is in force instead: {refused} · try: weir config diff {version}, \
             or weir config rollback {version} --reason TEXT"
        ),
        Lang::Zh => format!(
            "配置文件被拒绝，当前使用保存的版本 {version}：{refused} · try: weir config diff {version}，或 weir config rollback \
             {version} --reason TEXT"
        ),
    }
}

/// Which version of sync.toml counts in its place; whose key is another one than it says, by that key's own word.
fn sync_notes(sync: &Sync, lang: Lang) -> Vec<String> {
    let instead = sync.config_instead.iter().map(|(version, refused)| show_instead(version, refused, lang));
    let changed = sync.destinations.iter().filter_map(|one| Some((&one.name, one.successor.as_ref()?)));
    let note = |(name, key): (&String, &String)| match lang {
        Lang::En => format!(
            "platform {name} signs with {key} now: the key in sync.toml signed for it, and stays as it is · try: weir identity"
        ),
        Lang::Zh => {
            format!("平台 {name} 已更换密钥为 {key}：sync.toml 中的公钥已为其签名，无需修改 · try: weir identity")
        }
    };
    instead.chain(changed.map(note)).collect()
}

/// What to do about a clock that nobody sets; nothing about one that is set.
fn clock_note(clock: &ClockStatus, lang: Lang) -> Option<String> {
    let error = clock.error_ms.map_or_else(|| "-".to_owned(), age);
    match (clock.state.as_str(), lang) {
        ("synchronised", _) => None,
        ("holdover", Lang::En) => Some(format!(
            "the clock is no longer synchronised: it may be wrong by ±{error}, and records say so · try: timedatectl status"
        )),
        ("holdover", Lang::Zh) => {
            Some(format!("时钟已失去同步，误差可能达 ±{error}，记录中已注明 · try: timedatectl status"))
        }
        (_, Lang::En) => Some(
            "nobody has told this box the time since it booted: records say so, and are corrected once it is known · try: \
             timedatectl set-ntp true (NTP needs UDP port 123), or fit a clock module with a battery"
                .to_owned(),
        ),
        (_, Lang::Zh) => Some(
            "本机启动后时钟从未校准：记录中已注明，校准后读数时间会自动更正 · try: timedatectl set-ntp true（NTP 需放行 \
             UDP 123 端口），或加装带电池的时钟模块"
                .to_owned(),
        ),
    }
}

/// `clock 2026-11-28T09:00:00.000Z  synchronised by ntp, ±0.0 s`
pub(crate) fn show_clock(clock: &ClockStatus, lang: Lang) -> String {
    let state = match clock.state.as_str() {
        "synchronised" => lang.pick("synchronised", "已同步"),
        "holdover" => lang.pick("holdover", "守时"),
        _ => lang.pick("never set", "未校准"),
    };
    let source = match (&clock.source, lang) {
        (None, _) => String::new(),
        (Some(source), Lang::En) => format!(" by {source}"),
        (Some(source), Lang::Zh) => format!("（来源 {source}）"),
    };
    let error = clock.error_ms.map_or_else(String::new, |error_ms| format!(", ±{}", age(error_ms)));
    format!("{} {}  {state}{source}{error}", lang.pick("clock", "时钟"), output::time(UnixMs(clock.wall_ms)))
}

/// Whose rules are in force in the place of rules.toml.
fn show_rules(rules: &RulesStatus, lang: Lang) -> String {
    let RulesStatus { platform, command, trial_s } = rules;
    match (trial_s, lang) {
        (None, Lang::En) => {
            format!(
                "rules of {platform} are in force, not rules.toml; a change of that file ends it · try: weir rules show"
            )
        }
        (None, Lang::Zh) => {
            format!(
                "当前执行平台 {platform} 下达的规则，而非 rules.toml；修改该文件即恢复本机规则 · try: weir rules show"
            )
        }
        (Some(rest_s), Lang::En) => {
            format!("rules of {platform} are on trial for {rest_s} s more (record {command}) · try: weir rules show")
        }
        (Some(rest_s), Lang::Zh) => {
            format!("平台 {platform} 下达的规则试运行中，剩余 {rest_s} 秒（记录 {command}） · try: weir rules show")
        }
    }
}

/// Whose configuration files are in force in the place of the box's own.
fn show_config_of(files: &RulesStatus, lang: Lang) -> String {
    let RulesStatus { platform, command, trial_s } = files;
    match (trial_s, lang) {
        (None, Lang::En) => format!(
            "configuration files of {platform} are in force (record {command}), not the box's own; a change of those ends it · \
             try: weir config history"
        ),
        (None, Lang::Zh) => format!(
            "当前执行平台 {platform} 下达的配置文件（记录 {command}），而非本机文件；修改本机文件即恢复 · try: weir config history"
        ),
        (Some(rest_s), Lang::En) => {
            format!("configuration files of {platform} are on trial for {rest_s} s more (record {command})")
        }
        (Some(rest_s), Lang::Zh) => {
            format!("平台 {platform} 下达的配置文件试运行中，剩余 {rest_s} 秒（记录 {command}）")
        }
    }
}

/// An alarm that was raised so often within an hour chatters.
const CHATTER: usize = 5;

/// Whether an alarm is worth knowing and no reason to act now: it came back, or somebody or its rule set it aside.
pub(crate) fn is_note(alarm: &AlarmStatus) -> bool {
    alarm.state == "returned_unacknowledged" || alarm.shelved_until_ms.is_some() || alarm.suppression.is_some()
}

/// How many alarms are not shown, because their rules say so while something else holds.
pub(crate) fn suppressed(count: usize, lang: Lang) -> Option<String> {
    let text = match lang {
        Lang::En => format!("alarms that their rules suppress for now: {count} · try: weir alarm list --all"),
        Lang::Zh => format!("按规则暂时抑制的报警：{count} 个 · try: weir alarm list --all"),
    };
    (count > 0).then_some(text)
}

/// An alarm in a line.
pub(crate) fn show_alarm(alarm: &AlarmStatus, lang: Lang) -> String {
    let AlarmStatus { rule, source, quantity, unit, state, limit, value, since_ms, since_error_ms, .. } = alarm;
    let measure = grounds::measure(alarm.measure, alarm.span_s, lang);
    let of = [measure.as_str(), grounds::tier(alarm.tier, lang)]
        .map(|words| if words.is_empty() { String::new() } else { format!("{words} ") })
        .concat();
    let (text, limit_text) = (lang.pick("alarm", "报警"), lang.pick("limit", "限值"));
    let (value, since) = (value.as_deref().unwrap_or("-"), output::time(UnixMs(*since_ms)));
    // Nobody knows the time of that boot.
    let doubt = if since_error_ms.is_none() { "?" } else { "" };
    let state = match state.as_str() {
        "unacknowledged" => lang.pick("unacknowledged", "未确认"),
        "acknowledged" => lang.pick("acknowledged", "已确认"),
        "returned_unacknowledged" => lang.pick("came back, unacknowledged", "已恢复，未确认"),
        other => other,
    };
    let chatter = match (alarm.raised >= CHATTER, lang) {
        (false, _) => String::new(),
        (true, Lang::En) => {
            format!(", raised {} times within an hour: its rule wants a deadband or a delay", alarm.raised)
        }
        (true, Lang::Zh) => format!("，一小时内触发 {} 次：规则应设回差或延时", alarm.raised),
    };
    let cleared = match alarm.is_cleared {
        true => lang.pick(", its value is back, to be reset", "，数值已恢复，待复位"),
        false => "",
    };
    let shelved = alarm
        .shelved_until_ms
        .map(|until| format!(", {} {}", lang.pick("shelved until", "搁置至"), output::time(UnixMs(until))));
    let shelved = shelved.unwrap_or_default();
    let hidden = match alarm.suppression {
        Some(Suppression::ByDesign) => lang.pick(", suppressed by its rule", "，按规则抑制"),
        None => "",
    };
    format!(
        "{text} {rule} {source} {quantity} {of}{value} {unit}, {limit_text} {limit}: {state}, {since}{doubt}{cleared}{shelved}{hidden}{chatter}"
    )
}

fn print_gateway(out: &mut impl Write, gateway: &Gateway, lang: Lang) -> Result<(), CommandError> {
    let journal = &gateway.journal;
    let title = format!(
        "{} {}  weir {}  {} {}  {} {}  {} {}",
        lang.pick("box", "站点"),
        gateway.box_id,
        gateway.version,
        lang.pick("up", "运行"),
        age(gateway.uptime_ms),
        lang.pick("records", "记录"),
        journal.records,
        lang.pick("signed to", "已签名至"),
        journal.checkpoint,
    );
    line(out, &title)?;
    line(out, &show_clock(&gateway.clock, lang))?;
    if let Some(keeping) = &journal.keeping {
        line(out, &show_keeping(keeping, lang))?;
    }
    let heading = match lang {
        Lang::En => {
            ["device", "link", "seen", "stored", "again", "refused", "shed", "heard", "battery", "last readings"]
        }
        Lang::Zh => ["设备", "链路", "最近", "已存", "重复", "拒绝", "丢弃", "接收率", "电池", "最近读数"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (name, device) in &gateway.devices {
        let seen = device.seen_ms_ago.map_or_else(|| "-".to_owned(), age);
        let last = match &device.refusal {
            Some(refusal) if device.readings.is_empty() => refusal.clone(),
            _ => device.readings.join(", "),
        };
        let counts = [device.accepted, device.duplicate, device.rejected, device.shed].map(|count| count.to_string());
        let name = if name.is_empty() { lang.pick("(unknown)", "（未知）").to_owned() } else { name.clone() };
        let mut row = vec![name, device.link.clone(), seen];
        row.extend(counts);
        row.push(device.delivered_permille.map_or_else(|| "-".to_owned(), output::percent));
        row.push(device.battery.clone().unwrap_or_else(|| "-".to_owned()));
        row.push(last);
        rows.push(row);
    }
    table(out, &rows)?;
    if let Some(gwmp) = &gateway.gwmp {
        for (eui, view) in &gwmp.gateways {
            let state = if view.online { lang.pick("online", "在线") } else { lang.pick("silent", "离线") };
            line(out, &format!("{} {eui}: {state}", lang.pick("LoRa gateway", "LoRa 网关")))?;
            for hint in &view.hints {
                line(out, &format!("  {hint}"))?;
            }
        }
    }
    for port in &gateway.serial {
        let state = if port.open { lang.pick("open", "已打开") } else { lang.pick("gone", "不可用") };
        let (title, frames) = (lang.pick("serial port", "串口"), lang.pick("frames", "帧"));
        let (damaged, no_frames) =
            (port.incomplete + port.too_long + port.noise, lang.pick("damaged pieces", "残缺片段"));
        line(out, &format!("{title} {}: {state}  {frames} {}  {no_frames} {damaged}", port.name, port.frames))?;
    }
    Ok(())
}

/// How much is stored, and from where on nothing is missing.
pub(crate) fn show_keeping(keeping: &KeepingStatus, lang: Lang) -> String {
    let mb = |bytes: u64| bytes / 1_000_000;
    let mut shown = format!(
        "{} {} / {} MB  {} {} MB",
        lang.pick("stored", "已用"),
        mb(keeping.bytes),
        mb(keeping.bytes_max),
        lang.pick("free on disk", "磁盘剩余"),
        mb(keeping.disk_free_bytes),
    );
    if let Some(from) = keeping.whole_from.filter(|from| *from > 0) {
        shown.push_str(&format!("  {} {from}", lang.pick("every record from", "完整记录始于")));
    }
    if let Some((mb_a_day, years)) = card_life(keeping) {
        let (written, life) = (lang.pick("written a day", "日写入"), lang.pick("card lasts about", "存储卡预计寿命"));
        let years_text = lang.pick("years", "年");
        shown.push_str(&format!("  {written} {mb_a_day} MB  {life} {years} {years_text}"));
    }
    shown
}

/// Rewrites of a whole card that even a cheap one stands (TLC flash, without the card's own write amplification).
const CARD_REWRITES: u64 = 500;
/// Below this, what was written says nothing about a day.
const WEAR_MS_MIN: u64 = 600_000;

/// Megabytes written a day at the rate so far, and after how many years a card of this size is worn out.
fn card_life(keeping: &KeepingStatus) -> Option<(u64, u64)> {
    let (written, disk) = (keeping.written_bytes?, keeping.disk_bytes?);
    if keeping.written_ms < WEAR_MS_MIN {
        return None;
    }
    let day = u128::from(written) * 86_400_000 / u128::from(keeping.written_ms);
    let days = (u128::from(disk) * u128::from(CARD_REWRITES)).checked_div(day)?;
    Some((u64::try_from(day / 1_000_000).ok()?, u64::try_from(days / 365).ok()?))
}

fn print_sync(out: &mut impl Write, sync: &Sync, lang: Lang) -> Result<(), CommandError> {
    let heading = match lang {
        Lang::En => ["platform", "holds", "missing", "on the way", "parked", "last receipt", "answer in", "next try"],
        Lang::Zh => ["平台", "已收", "未收", "在途", "搁置", "最近回执", "应答", "下次重试"],
    };
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for destination in &sync.destinations {
        let dash = || "-".to_owned();
        rows.push(vec![
            destination.name.clone(),
            destination.covered.to_string(),
            destination.missing.to_string(),
            destination.outstanding.to_string(),
            destination.parked.to_string(),
            destination.last_receipt_ms_ago.map_or_else(dash, age),
            destination.rtt_ms.map_or_else(dash, |ms| format!("{ms} ms")),
            destination.next_try_ms.map_or_else(dash, age),
        ]);
    }
    table(out, &rows)?;
    let budgets = sync.destinations.iter().filter_map(|destination| Some((destination, destination.budget.as_ref()?)));
    for (destination, budget) in budgets {
        line(out, &show_budget(&destination.name, budget, lang))?;
    }
    for destination in sync.destinations.iter().filter(|destination| destination.withheld > 0) {
        let text = lang.pick("records withheld by its filter from", "按过滤设置不发送的记录");
        line(out, &format!("{text} {}: {}", destination.name, destination.withheld))?;
    }
    sync.notify.iter().flat_map(|view| notify::status_lines(view, lang)).try_for_each(|shown| line(out, &shown))
}

/// `data of municipal: today 3.2 / 20 MB  this month 41.0 / 300 MB  backlog waits`
pub(crate) fn show_budget(name: &str, budget: &BudgetStatus, lang: Lang) -> String {
    let mb = |bytes: u64| format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000);
    let of = |title: &str, bytes: u64, max: Option<u64>| {
        max.map(|max| format!("  {title} {} / {} MB", mb(bytes), max / 1_000_000)).unwrap_or_default()
    };
    let waits = match budget.waits.as_str() {
        "nothing" => "",
        "backlog" => lang.pick("  the backlog waits", "  积压数据暂停补发"),
        _ => lang.pick("  all but alarms wait", "  仅发送报警，其余暂停"),
    };
    let (today, month) = (lang.pick("today", "今日"), lang.pick("this month", "本月"));
    format!(
        "{} {name}:{}{}{waits}",
        lang.pick("data to", "流量"),
        of(today, budget.day_bytes, budget.day_bytes_max),
        of(month, budget.month_bytes, budget.month_bytes_max),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_life_of_a_card_follows_from_what_is_written() {
        let keeping = |written_bytes, written_ms| KeepingStatus {
            written_bytes: Some(written_bytes),
            written_ms,
            disk_bytes: Some(32_000_000_000),
            ..KeepingStatus::default()
        };
        assert_eq!(card_life(&keeping(100_000_000, 3_600_000)), Some((2_400, 18)), "2.4 GB a day on 32 GB");
        assert_eq!(card_life(&keeping(100_000_000, 599_999)), None, "too early");
        assert_eq!(card_life(&keeping(0, 3_600_000)), None, "nothing is written");
        assert_eq!(card_life(&KeepingStatus::default()), None);
    }

    #[test]
    fn a_budget_says_what_is_used_and_what_waits() {
        let budget = |waits: &str| BudgetStatus {
            day_bytes: 13_260_000,
            day_bytes_max: Some(20_000_000),
            month_bytes: 41_000_000,
            month_bytes_max: (waits != "backlog").then_some(300_000_000),
            waits: waits.into(),
        };
        let mut shown = String::new();
        for waits in ["nothing", "backlog", "all_but_alarms"] {
            for lang in [Lang::En, Lang::Zh] {
                shown += &format!("{}\n", show_budget("city", &budget(waits), lang));
            }
        }
        expect![[r#"
            data to city:  today 13.2 / 20 MB  this month 41.0 / 300 MB
            流量 city:  今日 13.2 / 20 MB  本月 41.0 / 300 MB
            data to city:  today 13.2 / 20 MB  the backlog waits
            流量 city:  今日 13.2 / 20 MB  积压数据暂停补发
            data to city:  today 13.2 / 20 MB  this month 41.0 / 300 MB  all but alarms wait
            流量 city:  今日 13.2 / 20 MB  本月 41.0 / 300 MB  仅发送报警，其余暂停
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn a_clock_says_what_it_is_worth_and_what_to_do() {
        let clock = |state: &str, source: Option<&str>, error_ms| ClockStatus {
            wall_ms: 1_800_000_000_000,
            state: state.into(),
            source: source.map(str::to_owned),
            error_ms,
        };
        let mut shown = String::new();
        for clock in [
            clock("synchronised", Some("ntp"), Some(32)),
            clock("holdover", Some("rtc"), Some(86_000)),
            clock("unset", None, None),
        ] {
            for lang in [Lang::En, Lang::Zh] {
                shown += &format!("{}\n", show_clock(&clock, lang));
                shown += &clock_note(&clock, lang).map_or_else(String::new, |note| format!("  {note}\n"));
            }
        }
        expect![[r#"
            clock 2027-01-15T08:00:00.000Z  synchronised by ntp, ±0.0 s
            时钟 2027-01-15T08:00:00.000Z  已同步（来源 ntp）, ±0.0 s
            clock 2027-01-15T08:00:00.000Z  holdover by rtc, ±86 s
              the clock is no longer synchronised: it may be wrong by ±86 s, and records say so · try: timedatectl status
            时钟 2027-01-15T08:00:00.000Z  守时（来源 rtc）, ±86 s
              时钟已失去同步，误差可能达 ±86 s，记录中已注明 · try: timedatectl status
            clock 2027-01-15T08:00:00.000Z  never set
              nobody has told this box the time since it booted: records say so, and are corrected once it is known · try: timedatectl set-ntp true (NTP needs UDP port 123), or fit a clock module with a battery
            时钟 2027-01-15T08:00:00.000Z  未校准
              本机启动后时钟从未校准：记录中已注明，校准后读数时间会自动更正 · try: timedatectl set-ntp true（NTP 需放行 UDP 123 端口），或加装带电池的时钟模块
        "#]].assert_eq(&shown);
    }
}
