//! Heat, memory and work of the machine.

use super::super::check::{Check, Looked, Seen, Trouble, Verdict, say, words};
use super::super::facts::Facts;
use crate::lang::Lang;

/// A Raspberry Pi slows down from here on. Thousandths of a degree Celsius.
const HOT_MC: i64 = 80_000;
/// And switches itself off not far above.
const TOO_HOT_MC: i64 = 90_000;
/// Memory that should be left, percent.
const MEMORY_PERCENT_MIN: u64 = 10;
/// With less the kernel begins to kill.
const MEMORY_PERCENT_FAULT: u64 = 3;
/// Work that waits for each processor over a quarter of an hour, hundredths.
const LOAD_HUNDREDTHS_MAX: u64 = 200;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "board.temperature",
        title: words("temperature of the board", "主板温度"),
        cause: words("the box stands in the sun or without air", "机箱受日晒或通风不良"),
        cure: words("give it shade and air; then look again", "遮阳并改善通风，然后复查"),
        command: "cat /sys/class/thermal/thermal_zone*/temp",
        look: temperature,
    },
    Check {
        id: "board.memory",
        title: words("memory", "内存"),
        cause: words("other programs take the memory that the daemons need", "其他程序占用了守护进程所需的内存"),
        cure: words("find the program and stop it", "找出占用内存的程序并停止"),
        command: "ps -eo pid,rss,args --sort=-rss | head",
        look: memory,
    },
    Check {
        id: "board.load",
        title: words("load", "负载"),
        cause: words("more work waits than the processors can do", "待处理任务超出处理器能力"),
        cure: words("find the program and stop it", "找出占用处理器的程序并停止"),
        command: "ps -eo pid,pcpu,args --sort=-pcpu | head",
        look: load,
    },
    Check {
        id: "board.oom",
        title: words("processes killed for want of memory", "因内存不足被终止的进程"),
        cause: words("the memory ran out since the machine was started", "开机以来内存曾耗尽"),
        cure: words("see which it was; if it was ours, tell the maker", "查看被终止的进程；若为本系统进程请反馈"),
        command: "journalctl -k -g 'Out of memory|oom-kill' -n 20",
        look: oom,
    },
];

fn temperature(facts: &Facts, _: Lang) -> Looked {
    let mc = *facts.board.as_ref()?.temperature_mc.as_ref()?;
    let shown = format!("{}.{} °C", mc / 1_000, mc.rem_euclid(1_000) / 100);
    let verdict = match mc {
        TOO_HOT_MC.. => Some(Verdict::Fault),
        HOT_MC.. => Some(Verdict::Warning),
        _ => None,
    };
    Ok(Seen::unless(verdict.map(|verdict| Trouble::new(verdict, "", shown.clone())), shown))
}

fn memory(facts: &Facts, lang: Lang) -> Looked {
    let memory = *facts.board.as_ref()?.memory.as_ref()?;
    let (mb, of_mb) = (memory.available_kb / 1_000, memory.total_kb / 1_000);
    let shown = say!(lang, "{mb} of {of_mb} MB are left", "剩余 {mb} MB，共 {of_mb} MB");
    let verdict = match memory.available_kb.saturating_mul(100) / memory.total_kb.max(1) {
        0..MEMORY_PERCENT_FAULT => Some(Verdict::Fault),
        MEMORY_PERCENT_FAULT..MEMORY_PERCENT_MIN => Some(Verdict::Warning),
        _ => None,
    };
    Ok(Seen::unless(verdict.map(|verdict| Trouble::new(verdict, "", shown.clone())), shown))
}

fn load(facts: &Facts, lang: Lang) -> Looked {
    let board = facts.board.as_ref()?;
    let (load, processors) = (*board.load_hundredths.as_ref()?, board.processors);
    let (whole, rest) = (load / 100, load % 100);
    let shown = say!(
        lang,
        "{whole}.{rest:02} over 15 minutes, {processors} processors",
        "15 分钟平均 {whole}.{rest:02}，处理器 {processors} 个"
    );
    let heavy = load > LOAD_HUNDREDTHS_MAX.saturating_mul(processors.max(1));
    Ok(Seen::unless(heavy.then(|| Trouble::warning("", shown.clone())), shown))
}

fn oom(facts: &Facts, _: Lang) -> Looked {
    let kills = *facts.board.as_ref()?.oom_kills.as_ref()?;
    let shown = kills.to_string();
    Ok(Seen::unless((kills > 0).then(|| Trouble::warning("", shown.clone())), shown))
}
