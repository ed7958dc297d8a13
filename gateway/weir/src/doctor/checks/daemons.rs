//! The two daemons, as they answer.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Answered, Fact, Facts, Handles, Unseen};
use crate::lang::Lang;

/// Of the open files that a process may have, so many percent may be in use.
const HANDLES_PERCENT_MAX: u64 = 80;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "daemons.gateway",
        title: words("gateway answers", "采集服务应答"),
        cause: words("it does not run: no sensor is heard", "未运行，收不到任何传感器数据"),
        cure: words("start it; if it ends again, its last lines say why", "启动它；若再次退出，查看其日志"),
        command: "sudo systemctl restart weir-gateway; journalctl -u weir-gateway -n 20",
        look: gateway,
    },
    Check {
        id: "daemons.sync",
        title: words("upload daemon answers", "上传服务应答"),
        cause: words("it does not run: nothing is delivered", "未运行，数据未上传"),
        cure: words("start it; if it ends again, its last lines say why", "启动它；若再次退出，查看其日志"),
        command: "sudo systemctl restart weir-sync; journalctl -u weir-sync -n 20",
        look: sync,
    },
    Check {
        id: "daemons.version",
        title: words("daemons are of this version", "服务版本一致"),
        cause: words("an older program runs on since the upgrade", "升级后仍在运行旧程序"),
        cure: words(
            "start it again; if it refuses its configuration, mend that first",
            "重新启动；若配置被拒绝，先修改配置",
        ),
        command: "sudo systemctl restart {}",
        look: version,
    },
    Check {
        id: "daemons.waiting",
        title: words("upload daemon has what it needs", "上传服务就绪"),
        cause: words("it waits for what the gateway makes", "正在等待采集服务提供的内容"),
        cure: words(
            "see that the gateway runs and that folder and group are right",
            "确认采集服务运行且目录、用户组正确",
        ),
        command: "systemctl status weir-gateway; ls -l /var/lib/weir",
        look: waiting,
    },
    Check {
        id: "daemons.handles",
        title: words("open files of the daemons", "服务打开的文件数"),
        cause: words("connections or files are not closed, or the limit is low", "连接或文件未关闭，或上限过低"),
        cure: words("see which they are; a restart frees them", "查看明细；重启可释放"),
        command: "sudo ls -l /proc/$(systemctl show -P MainPID {})/fd | tail; sudo systemctl restart {}",
        look: handles,
    },
];

fn gateway(facts: &Facts, lang: Lang) -> Looked {
    answers(&facts.gateway, |status| status.uptime_ms, lang)
}

fn sync(facts: &Facts, lang: Lang) -> Looked {
    if let Err(Unseen::Missing(_)) = facts.upload {
        return Err(Unseen::Absent(words(
            "there is no sync.toml: nothing is to be delivered",
            "没有 sync.toml，无需上传",
        )));
    }
    answers(&facts.sync, |status| status.uptime_ms, lang)
}

fn answers<T>(answer: &Fact<Answered<T>>, uptime_ms: impl Fn(&T) -> u64, lang: Lang) -> Looked {
    match answer {
        Ok(answered) => {
            let up = crate::output::age(uptime_ms(&answered.status));
            Ok(Seen::well(say!(lang, "up for {up}", "已运行 {up}")))
        }
        Err(unseen @ Unseen::Denied(_)) => Err(unseen.clone()),
        Err(unseen) => Ok(Seen::unless([Trouble::fault("", unseen.told(lang))], "")),
    }
}

fn version(facts: &Facts, lang: Lang) -> Looked {
    let gateway = facts.gateway.as_ref().map(|answer| ("weir-gateway", answer.status.version.as_str()));
    let sync = facts.sync.as_ref().map(|answer| ("weir-sync", answer.status.version.as_str()));
    let all: Vec<(&str, &str)> = [gateway.as_ref(), sync.as_ref()].into_iter().flatten().copied().collect();
    if all.is_empty() {
        return gateway.map(|_| Seen::well("")).map_err(Unseen::from);
    }
    let ours = facts.version;
    let other = all.into_iter().filter(|(_, version)| *version != ours).map(|(daemon, version)| {
        Trouble::warning(
            daemon,
            say!(lang, "{daemon} is {version}, weir is {ours}", "{daemon} 为 {version}，weir 为 {ours}"),
        )
    });
    Ok(Seen::unless(other, ours))
}

fn waiting(facts: &Facts, lang: Lang) -> Looked {
    let waits = facts.sync.as_ref()?.status.waiting_for.clone();
    Ok(Seen::unless(waits.map(|what| Trouble::fault("", what)), lang.pick("it works", "正常工作")))
}

fn handles(facts: &Facts, _: Lang) -> Looked {
    let gateway = facts.gateway.as_ref().map_err(Unseen::from).and_then(|one| one.handles.clone());
    let sync = facts.sync.as_ref().map_err(Unseen::from).and_then(|one| one.handles.clone());
    let seen: Vec<(&str, Handles)> =
        [gateway.clone().map(|handles| ("weir-gateway", handles)), sync.map(|handles| ("weir-sync", handles))]
            .into_iter()
            .flatten()
            .collect();
    if seen.is_empty() {
        return gateway.map(|_| Seen::well(""));
    }
    let shown = |(daemon, Handles { open, open_max }): &(&str, Handles)| format!("{daemon}: {open}/{open_max}");
    let many = seen.iter().filter(|(_, handles)| handles.open * 100 > handles.open_max * HANDLES_PERCENT_MAX);
    let troubles: Vec<Trouble> = many.map(|one| Trouble::warning(one.0, shown(one))).collect();
    let all: Vec<String> = seen.iter().map(shown).collect();
    Ok(Seen::unless(troubles, all.join(", ")))
}
