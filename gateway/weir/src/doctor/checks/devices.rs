//! The devices: heard, believed, understood.

use gatewayd::status::DeviceStatus;

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{DeviceFacts, Facts, Unseen};
use crate::lang::Lang;
use crate::output::{age, percent};

/// A device is silent for long after so many of its usual intervals…
const INTERVALS_MAX: u64 = 5;
/// …but not before this. ms.
const SILENT_MS_MIN: u64 = 30_000;
/// One whose interval is not known yet, after this. ms.
const SILENT_MS_UNKNOWN: u64 = 24 * 3_600_000;
/// Frames below which a share says nothing.
const FRAMES_MIN: u64 = 20;
/// Share of refused frames that is too much, percent.
const REJECTED_PERCENT_MAX: u64 = 5;
/// Share of frames with warnings of decoding that is too much, percent.
const WARNINGS_PERCENT_MAX: u64 = 10;
/// Share of readings without a good value that is too much: one in so many frames.
const BAD_PERCENT_MAX: u64 = 20;
/// A battery with less is to be exchanged at the next visit, percent.
const BATTERY_PERCENT_MIN: u64 = 20;
/// Of the frames that a LoRaWAN device sent, so many should come, thousandths.
const DELIVERED_PERMILLE_MIN: u16 = 800;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "devices.any",
        title: words("there are devices", "设备表"),
        cause: words("devices.toml is empty: nothing is received", "devices.toml 为空，不会接收任何数据"),
        cure: words("add the devices", "添加设备"),
        command: "sudo weir device add --help",
        look: any,
    },
    Check {
        id: "devices.never",
        title: words("devices that were never heard", "从未收到数据的设备"),
        cause: words(
            "wrong address or key in the device or here, or it is not switched on",
            "设备或本机的地址、密钥有误，或设备未开机",
        ),
        cure: words(
            "compare address and keys, and see whether strangers are heard",
            "核对地址和密钥，并查看是否有陌生设备",
        ),
        command: "weir device show {}; weir tail -f",
        look: never,
    },
    Check {
        id: "devices.silent",
        title: words("devices that fell silent", "长时间无数据的设备"),
        cause: words("battery, cable, radio or the device itself", "电池、线缆、无线链路或设备故障"),
        cure: words("see when and how it was heard last, then go there", "查看最后一次数据，然后现场检查"),
        command: "weir tail --source {} -n 5",
        look: silent,
    },
    Check {
        id: "devices.rejected",
        title: words("refused frames", "被拒收的帧"),
        cause: words(
            "wrong key, replayed counter, or an outfall without a dossier",
            "密钥错误、计数器重放，或排污口未建档",
        ),
        cure: words("the refusal says which", "按拒收原因处理"),
        command: "weir tail --source {} -n 20",
        look: rejected,
    },
    Check {
        id: "devices.shed",
        title: words("frames let go", "丢弃的帧"),
        cause: words("a queue was full or the disk did not take them", "队列已满或磁盘未能写入"),
        cure: words(
            "see to disk and load; devices with a rule are stored first",
            "检查磁盘和负载；有报警规则的设备优先保存",
        ),
        command: "weir doctor --all; df -h",
        look: shed,
    },
    Check {
        id: "devices.codec",
        title: words("payloads are understood", "数据解码"),
        cause: words("the device sends something else than its codec reads", "设备数据与解码配置不符"),
        cure: words("try the codec on a frame", "用实际数据测试解码"),
        command: "weir device test {} PAYLOAD",
        look: codec,
    },
    Check {
        id: "devices.quality",
        title: words("readings are good", "读数质量"),
        cause: words(
            "out of range, no number, or missing: the probe needs cleaning or calibration",
            "超量程、非数值或缺失：探头需清洗或校准",
        ),
        cure: words("see what it sends, then see to the probe", "查看数据并维护探头"),
        command: "weir tail --source {} -n 5",
        look: quality,
    },
    Check {
        id: "devices.counters",
        title: words("counters go on", "计数器连续"),
        cause: words("a device began to count anew: it lost power, or was exchanged", "设备重新计数：曾断电或已更换"),
        cure: words("see whether that is known; if not, exchange its key", "确认是否知情；否则更换密钥"),
        command: "weir device show {}",
        look: counters,
    },
    Check {
        id: "devices.battery",
        title: words("batteries", "电池"),
        cause: words("the battery is nearly empty", "电池电量低"),
        cure: words(
            "exchange it at the next visit; until then have it measure less often",
            "下次巡检时更换；此前可降低采样频率",
        ),
        command: "weir device sample {} 3600",
        look: battery,
    },
    Check {
        id: "devices.reception",
        title: words("reception of LoRaWAN devices", "LoRaWAN 接收率"),
        cause: words("it is far away, shielded, or its antenna is bad", "距离过远、遮挡或天线不良"),
        cure: words("move it or the gateway, or see to the antenna", "调整位置或检查天线"),
        command: "weir device show {}",
        look: reception,
    },
    Check {
        id: "devices.commands",
        title: words("devices take commands", "设备接受指令"),
        cause: words("confirmed commands were never acknowledged", "需确认的指令未得到确认"),
        cure: words("see whether the device hears the gateway", "检查设备能否收到网关"),
        command: "weir device show {}",
        look: commands,
    },
    Check {
        id: "devices.network_server",
        title: words("ChirpStack has no complaint", "ChirpStack 无报错"),
        cause: words("ChirpStack logged an error of the device", "ChirpStack 记录了该设备的错误"),
        cure: words("the log entry says which", "按日志提示处理"),
        command: "weir device show {}",
        look: network_server,
    },
    Check {
        id: "devices.strangers",
        title: words("frames of unknown devices", "未知设备的帧"),
        cause: words("a device is not in the table, or somebody else's is near", "设备未登记，或附近有他人的设备"),
        cure: words("add it if it is yours", "若为本站设备则添加"),
        command: "weir device strangers",
        look: strangers,
    },
    Check {
        id: "devices.keys",
        title: words("keys without a device", "多余的密钥"),
        cause: words(
            "a device was removed or misspelt: devices.toml has none of that name",
            "设备已删除或名称有误，devices.toml 中没有此设备",
        ),
        cure: words("correct the name, or remove the section", "改正名称或删除该节"),
        command: "sudoedit /etc/weir/keys.toml && sudo weir config check",
        look: keys,
    },
    Check {
        id: "devices.outfall",
        title: words("every device stands at an outfall", "设备所属排污口"),
        cause: words("what it measures counts for no outfall", "其数据不计入任何排污口"),
        cure: words("name its outfall in devices.toml", "在 devices.toml 中填写排污口编码"),
        command: "sudoedit /etc/weir/devices.toml && sudo systemctl restart weir-gateway",
        look: outfall,
    },
];

fn devices(facts: &Facts) -> Result<impl Iterator<Item = (&String, &DeviceStatus)>, Unseen> {
    let devices = &facts.gateway.as_ref()?.status.devices;
    Ok(devices.iter().filter(|(name, device)| !name.is_empty() && device.link != "integration"))
}

/// Those that are switched off are silent by order.
fn is_enabled(facts: &Facts, name: &str) -> bool {
    let is_it = |device: &&DeviceFacts| device.name == name;
    facts.setup.as_ref().ok().and_then(|setup| setup.devices.iter().find(is_it)).is_none_or(|device| device.enabled)
}

fn each(facts: &Facts, lang: Lang, judge: impl Fn(&str, &DeviceStatus) -> Option<Trouble>) -> Looked {
    let mut count = 0;
    let mut troubles = Vec::new();
    for (name, device) in devices(facts)?.filter(|(name, _)| is_enabled(facts, name)) {
        count += 1;
        troubles.extend(judge(name, device));
    }
    Ok(Seen::unless(troubles, say!(lang, "{count} devices", "设备 {count} 台")))
}

/// `part` is more than this share of `all`, and there are enough to say so.
fn is_share(part: u64, all: u64, percent_max: u64) -> bool {
    all >= FRAMES_MIN && part.saturating_mul(100) > all.saturating_mul(percent_max)
}

fn any(facts: &Facts, lang: Lang) -> Looked {
    let count = devices(facts)?.count();
    let found = (count == 0).then(|| Trouble::warning("", lang.pick("none", "没有")));
    Ok(Seen::unless(found, count.to_string()))
}

fn never(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let frames = device.accepted + device.rejected + device.duplicate;
        (device.seen_ms_ago.is_none() && frames == 0)
            .then(|| Trouble::warning(name, say!(lang, "{name}: no frame yet", "{name}：尚无数据")))
    })
}

fn silent(facts: &Facts, lang: Lang) -> Looked {
    let intervals = facts.journal.as_ref().ok().map(|journal| &journal.intervals_ms);
    each(facts, lang, |name, device| {
        let silent_ms = device.seen_ms_ago?;
        let usual = intervals.and_then(|all| all.get(name)).copied();
        let most = usual.map_or(SILENT_MS_UNKNOWN, |usual| usual.saturating_mul(INTERVALS_MAX).max(SILENT_MS_MIN));
        let (ago, every) = (age(silent_ms), usual.map_or_else(|| "-".to_owned(), age));
        let evidence =
            say!(lang, "{name}: silent for {ago}, usually every {every}", "{name}：已静默 {ago}，通常间隔 {every}");
        (silent_ms > most).then(|| Trouble::warning(name, evidence))
    })
}

fn rejected(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let (bad, all) = (device.rejected, device.rejected + device.accepted + device.duplicate);
        let why = device.refusal.as_deref().unwrap_or("-");
        is_share(bad, all, REJECTED_PERCENT_MAX).then(|| {
            let evidence =
                say!(lang, "{name}: {bad} of {all}, the last: {why}", "{name}：{all} 帧中 {bad} 帧，最近原因：{why}");
            Trouble::warning(name, evidence)
        })
    })
}

fn shed(facts: &Facts, _: Lang) -> Looked {
    let troubles: Vec<Trouble> = devices(facts)?
        .filter(|(_, device)| device.shed > 0)
        .map(|(name, device)| Trouble::warning(name.clone(), format!("{name}: {}", device.shed)))
        .collect();
    Ok(Seen::unless(troubles, "0"))
}

fn codec(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let (warnings, all) = (device.warnings, device.accepted);
        is_share(warnings, all, WARNINGS_PERCENT_MAX).then(|| {
            let evidence =
                say!(lang, "{name}: {warnings} warnings, {all} frames", "{name}：{all} 帧中告警 {warnings} 次");
            Trouble::warning(name, evidence)
        })
    })
}

fn quality(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let (bad, all) = (device.readings_bad, device.accepted);
        is_share(bad, all, BAD_PERCENT_MAX).then(|| {
            let evidence =
                say!(lang, "{name}: {bad} bad readings in {all} frames", "{name}：{all} 帧中无效读数 {bad} 个");
            Trouble::warning(name, evidence)
        })
    })
}

fn counters(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let resets = device.counter_resets;
        (resets > 0).then(|| Trouble::note(name, say!(lang, "{name}: {resets} times", "{name}：{resets} 次")))
    })
}

/// As LoRaWAN devices tell it, `17 %`; `external` has no number.
fn battery(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let told = device.battery.as_deref()?;
        let left: u64 = told.split(['.', '%', ' ']).next()?.parse().ok()?;
        (left < BATTERY_PERCENT_MIN).then(|| Trouble::warning(name, format!("{name}: {told}")))
    })
}

fn reception(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let permille = device.delivered_permille?;
        let sent = device.received + device.missed;
        (sent >= FRAMES_MIN && permille < DELIVERED_PERMILLE_MIN).then(|| {
            let share = percent(permille);
            Trouble::warning(name, say!(lang, "{name}: {share} of {sent} came", "{name}：{sent} 帧中收到 {share}"))
        })
    })
}

fn commands(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let lost = device.commands_given_up;
        (lost > 0).then(|| Trouble::warning(name, say!(lang, "{name}: {lost} given up", "{name}：放弃 {lost} 条")))
    })
}

fn network_server(facts: &Facts, lang: Lang) -> Looked {
    each(facts, lang, |name, device| {
        let told = device.network_server_log.as_deref()?;
        Some(Trouble::note(name, format!("{name}: {told}")))
    })
}

fn strangers(facts: &Facts, lang: Lang) -> Looked {
    let devices = &facts.gateway.as_ref()?.status.devices;
    let refused = devices.get("").map_or(0, |unknown| unknown.rejected);
    let shown = say!(lang, "{refused} frames", "{refused} 帧");
    Ok(Seen::unless((refused > 0).then(|| Trouble::note("", shown.clone())), shown))
}

fn keys(facts: &Facts, lang: Lang) -> Looked {
    let unused = &facts.setup.as_ref()?.unused_keys;
    let troubles = unused.iter().map(|why| Trouble::warning("", why.clone()));
    Ok(Seen::unless(troubles, lang.pick("none", "没有")))
}

fn outfall(facts: &Facts, lang: Lang) -> Looked {
    let devices = &facts.setup.as_ref()?.devices;
    let homeless = devices.iter().filter(|device| device.outfall.is_none());
    let troubles = homeless.map(|device| Trouble::note(device.name.clone(), device.name.clone()));
    let count = devices.len();
    Ok(Seen::unless(troubles, say!(lang, "{count} devices", "设备 {count} 台")))
}
