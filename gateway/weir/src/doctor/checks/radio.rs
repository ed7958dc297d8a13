//! How LoRa gateways and serial modules are heard.

use gatewayd::status::{GatewayView, GwmpStatus};

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unseen};
use crate::lang::Lang;
use crate::output::age;

/// Frames below which a share says nothing.
const FRAMES_MIN: u64 = 100;
/// Of the frames that a gateway hears so many percent may be damaged: noise counts too.
const CRC_PERCENT_MAX: u64 = 30;
/// Of the time on air that the law allows, percent: near its end acknowledgements wait.
const DUTY_PERCENT_MAX: f64 = 90.0;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "radio.heard",
        title: words("packet forwarder is heard", "LoRa 转发器在线"),
        cause: words("it does not run, or sends to another address", "转发器未运行，或发往其他地址"),
        cure: words("start it, and have it send to this box's port", "启动转发器，并指向本机端口"),
        command: "sudo systemctl restart lora-pkt-fwd; ss -lun; weir status",
        look: heard,
    },
    Check {
        id: "radio.crc",
        title: words("frames damaged in the air", "空中受损帧"),
        cause: words("noise, a bad antenna or cable, or sensors too far away", "干扰、天线或馈线不良，或距离过远"),
        cure: words("see to antenna and cable, then move gateway or sensor", "检查天线和馈线，调整网关或传感器位置"),
        command: "weir status --json",
        look: crc,
    },
    Check {
        id: "radio.downlinks",
        title: words("downlinks leave", "下行发送"),
        cause: words(
            "the forwarder refused acknowledgements or commands: too late, wrong frequency or power",
            "转发器拒发确认或指令：过晚、频率或功率不符",
        ),
        cure: words(
            "TOO_LATE: a larger lorawan.rx1_delay_s; else see to the forwarder's settings",
            "TOO_LATE 时调大 lorawan.rx1_delay_s，否则检查转发器设置",
        ),
        command: "sudoedit /etc/weir/gateway.toml && sudo systemctl restart weir-gateway",
        look: downlinks,
    },
    Check {
        id: "radio.address",
        title: words("nobody else speaks for a gateway", "无人冒用 LoRa 网关"),
        cause: words("two forwarders have one EUI, or somebody imitates one", "两台转发器使用同一 EUI，或有人冒充"),
        cure: words(
            "give each its own EUI, and name the right networks in gwmp.networks",
            "各用不同的 EUI，并在 gwmp.networks 中限定网段",
        ),
        command: "weir status; sudoedit /etc/weir/gateway.toml",
        look: address,
    },
    Check {
        id: "radio.duty",
        title: words("time on air", "空口占用时间"),
        cause: words("so much is sent that the legal share is nearly used up", "下行过多，接近法定占空比上限"),
        cure: words("have devices ask for fewer acknowledgements", "减少设备的确认帧"),
        command: "weir status --json",
        look: duty,
    },
    Check {
        id: "serial.open",
        title: words("serial ports are open", "串口已打开"),
        cause: words("the adapter is gone, or has another name now", "适配器已断开或名称改变"),
        cure: words("plug it in; name it by /dev/serial/by-id", "重新插好；使用 /dev/serial/by-id 下的名称"),
        command: "ls -l /dev/serial/by-id",
        look: serial,
    },
    Check {
        id: "serial.damaged",
        title: words("frames on serial ports are whole", "串口帧完整"),
        cause: words(
            "another baud rate, something else on the line, or half packets",
            "波特率不符、线上有其他设备，或数据包残缺",
        ),
        cure: words("set baud as the module has it", "按模块设置波特率"),
        command: "sudoedit /etc/weir/gateway.toml && sudo systemctl restart weir-gateway",
        look: damaged,
    },
];

/// The LoRa side, where a device is to be heard by it.
fn gwmp(facts: &Facts) -> Result<&GwmpStatus, Unseen> {
    let gateway = facts.gateway.as_ref()?;
    let has_devices = gateway.status.devices.values().any(|device| device.link == "lorawan");
    let absent = Unseen::Absent(words("there is no LoRaWAN device", "没有 LoRaWAN 设备"));
    gateway.status.gwmp.as_ref().filter(|_| has_devices).ok_or(absent)
}

fn each(facts: &Facts, judge: impl Fn(&str, &GatewayView) -> Option<Trouble>) -> Looked {
    let gwmp = gwmp(facts)?;
    let names: Vec<&str> = gwmp.gateways.keys().map(String::as_str).collect();
    Ok(Seen::unless(gwmp.gateways.iter().filter_map(|(eui, view)| judge(eui, view)), names.join(", ")))
}

fn heard(facts: &Facts, lang: Lang) -> Looked {
    let gwmp = gwmp(facts)?;
    if gwmp.gateways.is_empty() {
        let listen = &gwmp.listen;
        return Ok(Seen::unless([Trouble::fault("", say!(lang, "none at {listen}", "{listen} 未收到任何转发器"))], ""));
    }
    each(facts, |eui, view| {
        let ago = age(view.seen_ms_ago);
        (!view.online).then(|| Trouble::fault(eui, say!(lang, "{eui}: silent for {ago}", "{eui}：已静默 {ago}")))
    })
}

fn crc(facts: &Facts, lang: Lang) -> Looked {
    each(facts, |eui, view| {
        let (bad, all) = (view.crc_bad, view.crc_ok.saturating_add(view.crc_bad));
        (all >= FRAMES_MIN && bad.saturating_mul(100) > all.saturating_mul(CRC_PERCENT_MAX)).then(|| {
            Trouble::warning(eui, say!(lang, "{eui}: {bad} of {all} damaged", "{eui}：{all} 帧中 {bad} 帧受损"))
        })
    })
}

fn downlinks(facts: &Facts, _: Lang) -> Looked {
    each(facts, |eui, view| {
        let told: Vec<String> = view.tx_refused.iter().map(|(why, count)| format!("{why} {count}")).collect();
        (!told.is_empty()).then(|| Trouble::warning(eui, format!("{eui}: {}", told.join(", "))))
    })
}

fn address(facts: &Facts, lang: Lang) -> Looked {
    each(facts, |eui, view| {
        let conflict = view.address_conflict.as_ref()?;
        let (from, ago) = (&conflict.from, age(conflict.ms_ago));
        Some(Trouble::fault(eui, say!(lang, "{eui}: also from {from}, {ago} ago", "{eui}：{ago} 前另有 {from} 使用")))
    })
}

fn duty(facts: &Facts, _: Lang) -> Looked {
    each(facts, |eui, view| {
        let (band, percent) = view.duty_percent.iter().find(|(_, percent)| **percent > DUTY_PERCENT_MAX)?;
        Some(Trouble::warning(eui, format!("{eui}: {band} MHz {percent:.0} %")))
    })
}

fn serial(facts: &Facts, lang: Lang) -> Looked {
    let ports = &facts.gateway.as_ref()?.status.serial;
    if ports.is_empty() {
        return Err(Unseen::Absent(words("no serial port is set up", "未配置串口")));
    }
    let closed = ports.iter().filter(|port| !port.open).map(|port| {
        let (name, path, why) = (&port.name, &port.path, port.error.as_deref().unwrap_or("-"));
        Trouble::fault(path.clone(), say!(lang, "{name} ({path}): {why}", "{name}（{path}）：{why}"))
    });
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    Ok(Seen::unless(closed, names.join(", ")))
}

fn damaged(facts: &Facts, lang: Lang) -> Looked {
    let ports = &facts.gateway.as_ref()?.status.serial;
    if ports.is_empty() {
        return Err(Unseen::Absent(words("no serial port is set up", "未配置串口")));
    }
    let troubles = ports.iter().filter_map(|port| {
        let (name, whole) = (&port.name, port.frames);
        let pieces = port.noise + port.incomplete + port.too_long;
        let many = pieces.saturating_add(whole) >= FRAMES_MIN
            && pieces.saturating_mul(100) > pieces.saturating_add(whole).saturating_mul(CRC_PERCENT_MAX);
        many.then(|| {
            let evidence = say!(
                lang,
                "{name}: {pieces} damaged pieces, {whole} frames",
                "{name}：残缺片段 {pieces}，完整帧 {whole}"
            );
            Trouble::warning(name.clone(), evidence)
        })
    });
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    Ok(Seen::unless(troubles, names.join(", ")))
}
