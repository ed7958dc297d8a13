//! What systemd says of the units.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unit, Unseen};
use crate::lang::Lang;
use crate::upgrade::{Weight, told};

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
    Check {
        id: "units.upgrade",
        title: words("last upgrade", "最近一次升级"),
        cause: words("the new version did not do on this box what the former did", "新版本在本机上未能正常工作"),
        cure: words("read why, and install a version that is mended", "查看原因，安装修复后的版本"),
        command: "weir upgrade; journalctl -u weir-upgraded -n 30",
        look: upgraded,
    },
];

/// A version that was taken back, or should have been, is told until another one is there.
fn upgraded(facts: &Facts, lang: Lang) -> Looked {
    let none = lang.pick("none was judged yet", "尚无升级记录");
    let Some(upgrade) = facts.upgrade.as_ref()? else { return Ok(Seen::well(none)) };
    let (weight, text) = told(upgrade, lang);
    // Without what to type: that is the check's.
    let text = text.split(" · ").next().unwrap_or_default().to_owned();
    let trouble = match weight {
        Weight::Note if upgrade.is_settled() => None,
        Weight::Note => Some(Trouble::note("", text.clone())),
        Weight::Warning => Some(Trouble::warning("", text.clone())),
        Weight::Fault => Some(Trouble::fault("", text.clone())),
    };
    Ok(Seen::unless(trouble, text))
}

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
