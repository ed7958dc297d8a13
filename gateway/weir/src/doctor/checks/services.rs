//! What systemd says of the units.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unit, Unseen};
use crate::lang::Lang;

/// So often a daemon may have been started again since the machine started: upgrades do it too.
const RESTARTS_MAX: u64 = 5;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "units.enabled",
        title: words("units start with the machine", "服务开机自启"),
        cause: words("after a power cut nobody would start it", "断电恢复后不会自动启动"),
        cure: words("enable it", "设为开机自启"),
        command: "sudo systemctl enable --now {}",
        look: enabled,
    },
    Check {
        id: "units.running",
        title: words("units run", "服务运行状态"),
        cause: words("the daemon ended; its last lines say why", "服务已停止，原因见其最后的日志"),
        cure: words("read its last lines, mend what they name, start it again", "查看日志，按提示处理后重新启动"),
        command: "journalctl -u {} -n 20; sudo systemctl restart {}",
        look: running,
    },
    Check {
        id: "units.restarts",
        title: words("restarts of the daemons", "服务重启次数"),
        cause: words("the daemon ends again and again", "服务反复退出"),
        cure: words("read what it says when it ends", "查看其退出时的日志"),
        command: "journalctl -u {} -p warning -n 50",
        look: restarts,
    },
    Check {
        id: "units.watchdog",
        title: words("watchdog", "看门狗"),
        cause: words("a daemon that hangs would not be started again", "服务挂起后不会自动重启"),
        cure: words("take away what overrides the package's unit", "撤销对软件包单元文件的改动"),
        command: "sudo systemctl revert {}",
        look: watchdog,
    },
];

/// Ours that are installed.
fn units(facts: &Facts) -> Result<&[Unit], Unseen> {
    let units = &facts.services.as_ref()?.units;
    match units.is_empty() {
        true => Err(Unseen::Absent(words("the units are not installed", "未安装服务单元"))),
        false => Ok(units),
    }
}

/// Nobody expects an upload daemon where there is nothing that it could be told, nor a page where nobody asked for one.
fn is_wanted(facts: &Facts, unit: &Unit) -> bool {
    match unit.id.as_str() {
        "weir-sync.service" => !matches!(facts.upload, Err(Unseen::Missing(_))),
        "weir-page.service" => unit.unit_file_state == "enabled" || unit.active_state == "active",
        _ => true,
    }
}

fn judge(facts: &Facts, is_well: impl Fn(&Unit) -> bool, shown: impl Fn(&Unit) -> Trouble) -> Looked {
    let units = units(facts)?;
    let bad = units.iter().filter(|unit| is_wanted(facts, unit) && !is_well(unit));
    let names: Vec<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
    Ok(Seen::unless(bad.map(shown), names.join(", ")))
}

fn enabled(facts: &Facts, _: Lang) -> Looked {
    let shown = |unit: &Unit| Trouble::warning(unit.id.clone(), format!("{}: {}", unit.id, unit.unit_file_state));
    judge(facts, |unit| unit.unit_file_state == "enabled", shown)
}

fn running(facts: &Facts, _: Lang) -> Looked {
    let shown =
        |unit: &Unit| Trouble::fault(unit.id.clone(), format!("{}: {}, {}", unit.id, unit.active_state, unit.result));
    judge(facts, |unit| unit.active_state == "active", shown)
}

fn restarts(facts: &Facts, lang: Lang) -> Looked {
    let shown = |unit: &Unit| {
        let (id, restarts) = (&unit.id, unit.restarts);
        Trouble::warning(id.clone(), say!(lang, "{id}: started again {restarts} times", "{id}：已重启 {restarts} 次"))
    };
    judge(facts, |unit| unit.restarts <= RESTARTS_MAX, shown)
}

fn watchdog(facts: &Facts, lang: Lang) -> Looked {
    let shown = |unit: &Unit| {
        let id = &unit.id;
        Trouble::warning(id.clone(), say!(lang, "{id}: none", "{id}：未启用"))
    };
    judge(facts, |unit| !unit.id.ends_with(".service") || unit.watchdog, shown)
}
