//! Whether the times in the records can be believed.

use record::{BUILD_FLOOR, UnixMs};

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unseen};
use crate::lang::Lang;
use crate::output::{age, time};

/// The gateway's time and the system's may differ by this: the answer was under way.
const APART_MS_MAX: u64 = 2_000;
/// A time service sets the clock several times an hour.
const SET_MS_MAX: u64 = 24 * 3_600_000;
/// Zones whose clocks show what people at the outfall see, and UTC.
const ZONES: [&str; 9] = [
    "Asia/Shanghai",
    "Asia/Chongqing",
    "Asia/Harbin",
    "Asia/Hong_Kong",
    "Asia/Macau",
    "PRC",
    "UTC",
    "Etc/UTC",
    "Etc/GMT-8",
];

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "clock.quality",
        title: words("times of records", "记录时间的可信度"),
        cause: words(
            "nobody tells this box the time: records say so, and are corrected once it is known",
            "本机时钟未被校准：记录中已注明，校准后自动更正",
        ),
        cure: words(
            "let NTP through (UDP port 123), or fit a clock module with a battery",
            "放行 NTP（UDP 123 端口），或加装带电池的时钟模块",
        ),
        command: "sudo timedatectl set-ntp true; timedatectl status",
        look: quality,
    },
    Check {
        id: "clock.kernel",
        title: words("kernel's clock is steered", "内核时钟同步"),
        cause: words("no time service reaches its servers", "时间服务无法连接到服务器"),
        cure: words("see what the time service says", "查看时间服务状态"),
        command: "timedatectl timesync-status || chronyc tracking",
        look: kernel,
    },
    Check {
        id: "clock.past",
        title: words("clock is not in the past", "时钟未倒退"),
        cause: words("the clock lost its time without a battery", "时钟无电池供电，断电后丢失时间"),
        cure: words("set it, and fit a clock module with a battery", "校准时钟，并加装带电池的时钟模块"),
        command: "sudo timedatectl set-ntp true",
        look: past,
    },
    Check {
        id: "clock.agrees",
        title: words("gateway's time and the system's", "采集服务时间与系统时间"),
        cause: words(
            "the clock was moved, or shows a time that the gateway does not believe",
            "系统时钟被改动，或采集服务不采信其时间",
        ),
        cure: words("have the time service set it, not a person", "由时间服务校准，不要手工设置"),
        command: "timedatectl status; weir status",
        look: agrees,
    },
    Check {
        id: "clock.rtc",
        title: words("hardware clock", "硬件时钟"),
        cause: words("after a power cut the time is unknown until the network is back", "断电后在联网之前时间未知"),
        cure: words("fit a clock module with a battery", "加装带电池的时钟模块"),
        command: "ls /sys/class/rtc",
        look: rtc,
    },
    Check {
        id: "clock.service",
        title: words("time service", "时间服务"),
        cause: words("nothing sets the clock", "没有服务校准时钟"),
        cure: words("switch it on", "启用时间服务"),
        command: "sudo timedatectl set-ntp true",
        look: service,
    },
    Check {
        id: "clock.set",
        title: words("last time the clock was set", "上次校时"),
        cause: words("the time service does not reach its servers any more", "时间服务已无法连接到服务器"),
        cure: words("see what it says, and whether UDP port 123 is let through", "查看状态，并确认放行 UDP 123 端口"),
        command: "timedatectl timesync-status || chronyc sources",
        look: set,
    },
    Check {
        id: "clock.zone",
        title: words("time zone", "时区"),
        cause: words("logs of the system show another time than people here see", "系统日志时间与当地时间不一致"),
        cure: words("set the zone; records and batches are in UTC either way", "设置时区；记录和上传始终使用 UTC"),
        command: "sudo timedatectl set-timezone Asia/Shanghai",
        look: zone,
    },
];

fn quality(facts: &Facts, lang: Lang) -> Looked {
    let clock = &facts.gateway.as_ref()?.status.clock;
    let error = clock.error_ms.map_or_else(|| "-".to_owned(), age);
    let source = clock.source.as_deref().unwrap_or("-");
    Ok(match clock.state.as_str() {
        "synchronised" => {
            Seen::well(say!(lang, "synchronised by {source}, ±{error}", "已同步（{source}），误差 ±{error}"))
        }
        "holdover" => {
            let shown = say!(lang, "no longer synchronised, ±{error}", "已失去同步，误差 ±{error}");
            Seen::unless([Trouble::note("", shown)], "")
        }
        _ => Seen::unless(
            [Trouble::warning("", lang.pick("never set since the box was started", "开机以来从未校准"))],
            "",
        ),
    })
}

fn kernel(facts: &Facts, lang: Lang) -> Looked {
    let (is_steered, error_ms) = *facts.clock.as_ref()?.kernel.as_ref()?;
    let error = age(error_ms);
    let found = (!is_steered).then(|| Trouble::note("", say!(lang, "not steered, ±{error}", "未同步，误差 ±{error}")));
    Ok(Seen::unless(found, say!(lang, "steered, ±{error}", "已同步，误差 ±{error}")))
}

fn past(facts: &Facts, lang: Lang) -> Looked {
    let newest = facts.journal.as_ref().ok().and_then(|journal| journal.newest_known_ms);
    let floor = newest.unwrap_or(BUILD_FLOOR).max(BUILD_FLOOR);
    let (now, least) = (time(facts.now_ms), time(floor));
    let found = (facts.now_ms < floor).then(|| {
        Trouble::fault("", say!(lang, "it shows {now}, but it is {least} or later", "显示 {now}，但至少应为 {least}"))
    });
    Ok(Seen::unless(found, now.clone()))
}

fn agrees(facts: &Facts, lang: Lang) -> Looked {
    let gateway = facts.gateway.as_ref()?;
    let apart_ms = gateway.status.clock.wall_ms.abs_diff(gateway.at_ms);
    let (apart, its) = (age(apart_ms), time(UnixMs(gateway.status.clock.wall_ms)));
    let found = (apart_ms > APART_MS_MAX).then(|| {
        Trouble::warning("", say!(lang, "the gateway has {its}, {apart} apart", "采集服务为 {its}，相差 {apart}"))
    });
    Ok(Seen::unless(found, say!(lang, "{apart} apart", "相差 {apart}")))
}

fn rtc(facts: &Facts, lang: Lang) -> Looked {
    match &facts.clock.as_ref()?.rtc {
        Ok(chip) => Ok(Seen::well(chip.clone())),
        Err(Unseen::Absent(_)) => Ok(Seen::unless([Trouble::note("", lang.pick("there is none", "没有"))], "")),
        Err(unseen) => Err(unseen.clone()),
    }
}

fn service(facts: &Facts, lang: Lang) -> Looked {
    let services = &facts.services.as_ref()?.time_services;
    let found = services.is_empty().then(|| Trouble::warning("", lang.pick("none runs", "均未运行")));
    Ok(Seen::unless(found, services.join(", ")))
}

fn set(facts: &Facts, lang: Lang) -> Looked {
    let ago_ms = *facts.clock.as_ref()?.set_ms_ago.as_ref()?;
    let ago = age(ago_ms);
    let shown = say!(lang, "{ago} ago", "{ago} 前");
    Ok(Seen::unless((ago_ms > SET_MS_MAX).then(|| Trouble::warning("", shown.clone())), shown))
}

fn zone(facts: &Facts, _: Lang) -> Looked {
    let zone = facts.clock.as_ref()?.zone.as_ref()?;
    Ok(Seen::unless((!ZONES.contains(&zone.as_str())).then(|| Trouble::note("", zone.clone())), zone.clone()))
}
