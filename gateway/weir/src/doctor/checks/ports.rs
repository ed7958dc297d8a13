//! Whether the kernel has open what sensors and packet forwarders send to.

use super::super::check::{Check, Looked, Seen, Trouble, say, words};
use super::super::facts::{Facts, Unseen};
use crate::lang::Lang;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ports.mqtt",
        title: words("MQTT port is open", "MQTT 端口已监听"),
        cause: words("the gateway does not listen where sensors look for it", "采集服务未在传感器使用的端口监听"),
        cure: words("start socket and gateway again", "重新启动套接字和采集服务"),
        command: "sudo systemctl restart weir-gateway-mqtt.socket weir-gateway; ss -ltn",
        look: mqtt_port,
    },
    Check {
        id: "ports.gwmp",
        title: words("LoRa port is open", "LoRa 端口已监听"),
        cause: words("the gateway does not listen where packet forwarders send", "采集服务未在转发器发送的端口监听"),
        cure: words("start socket and gateway again", "重新启动套接字和采集服务"),
        command: "sudo systemctl restart weir-gateway.socket weir-gateway; ss -lun",
        look: gwmp_port,
    },
    Check {
        id: "ports.drops",
        title: words("datagrams lost in the kernel", "内核丢弃的数据报"),
        cause: words(
            "LoRa datagrams came faster than they were taken, while the gateway was down or the machine too busy",
            "采集服务停止或机器过忙时，LoRa 数据报来不及接收",
        ),
        cure: words("see whether it still grows; then look at load and disk", "观察是否仍在增长，再检查负载和磁盘"),
        command: "grep drops /proc/net/udp; cat /proc/net/udp",
        look: drops,
    },
];

fn mqtt_port(facts: &Facts, lang: Lang) -> Looked {
    let listen = match &facts.gateway.as_ref()?.status.mqtt {
        Some(mqtt) => mqtt.listen.clone(),
        None => return Err(Unseen::Absent(words("MQTT is not enabled", "未启用 MQTT"))),
    };
    let open = facts.ports.as_ref()?.tcp.iter().map(|one| one.port);
    Ok(listens(&listen, open, lang))
}

fn gwmp_port(facts: &Facts, lang: Lang) -> Looked {
    let listen = gwmp_listen(facts)?;
    let open = facts.ports.as_ref()?.udp.iter().map(|one| one.port);
    Ok(listens(&listen, open, lang))
}

fn gwmp_listen(facts: &Facts) -> Result<String, Unseen> {
    match &facts.gateway.as_ref()?.status.gwmp {
        Some(gwmp) => Ok(gwmp.listen.clone()),
        None => Err(Unseen::Absent(words("LoRa is not enabled", "未启用 LoRa"))),
    }
}

fn port_of(listen: &str) -> Option<u16> {
    listen.rsplit(':').next()?.parse().ok()
}

fn listens(listen: &str, mut open: impl Iterator<Item = u16>, lang: Lang) -> Seen {
    let port = port_of(listen);
    let found = (!open.any(|one| Some(one) == port))
        .then(|| Trouble::fault(listen, say!(lang, "nobody listens at {listen}", "{listen} 无人监听")));
    Seen::unless(found, listen)
}

fn drops(facts: &Facts, lang: Lang) -> Looked {
    let listen = gwmp_listen(facts)?;
    let port = port_of(&listen);
    let udp = facts.ports.as_ref()?.udp.iter().filter(|one| Some(one.port) == port);
    let drops: u64 = udp.map(|one| one.drops).sum();
    let shown = say!(lang, "{drops} at {listen}", "{listen}：{drops}");
    Ok(Seen::unless((drops > 0).then(|| Trouble::warning(listen.clone(), shown.clone())), shown))
}
