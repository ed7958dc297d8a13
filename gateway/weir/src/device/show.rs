//! `weir device list` and `weir device show`.

use control::chain;
use gatewayd::status::{DeviceStatus, Status};
use ingest::{Activation, Device, DeviceLink, DeviceTable};
use serde_json::{Value, json};

use super::Place;
use super::error::DeviceError;
use super::files::FilesError;
use crate::exit::Exit;
use crate::lang::Lang;
use crate::output::{self, age};

/// Every device of the table; its counters are those of the running gateway, if it runs.
pub(super) fn list(place: &Place<'_>, json: bool) -> Result<Exit, DeviceError> {
    let table = table(place)?;
    let status = live(place);
    let shown = |device: &Device| describe(device, status.as_ref().ok().and_then(|status| of(status, device)));
    if json {
        let gateway = status.as_ref().map_or_else(|error| json!({"error": error}), |_| json!("running"));
        let devices: Vec<Value> = table.iter().map(shown).collect();
        return place.say(&json!({"gateway": gateway, "devices": devices}).to_string());
    }
    let lang = place.lang;
    let heading = ["device", "link", "codec", "accepted", "lost", "heard", "battery", "seen"];
    let heading_zh = ["设备", "链路", "解码", "已存", "丢失", "接收率", "电池", "最近"];
    let heading = heading.iter().zip(heading_zh).map(|(english, chinese)| lang.pick(english, chinese).to_owned());
    let mut rows: Vec<Vec<String>> = vec![heading.collect()];
    rows.extend(
        table.iter().map(|device| row(place, device, status.as_ref().ok().and_then(|status| of(status, device)))),
    );
    let mut out = output::stdout();
    output::table(&mut out, &rows).map_err(DeviceError::output)?;
    drop(out);
    if let Err(error) = &status {
        say_alone(place, error)?;
    }
    Ok(Exit::Good)
}

/// One device, without its keys.
pub(super) fn one(place: &Place<'_>, name: &str, json: bool) -> Result<Exit, DeviceError> {
    let table = table(place)?;
    let Some(device) = table.iter().find(|device| device.name.as_str() == name) else {
        return Err(FilesError::Missing { name: name.to_owned(), path: place.devices.clone() }.into());
    };
    let status = live(place);
    let of_device = status.as_ref().ok().and_then(|status| of(status, device));
    if json {
        return place.say(&describe(device, of_device).to_string());
    }
    let mut rows = vec![about(place, device)];
    rows.extend(of_device.map(|status| doings(place.lang, status)));
    let mut out = output::stdout();
    output::table(&mut out, &rows.concat()).map_err(DeviceError::output)?;
    drop(out);
    if let Err(error) = &status {
        say_alone(place, error)?;
    }
    Ok(Exit::Good)
}

fn say_alone(place: &Place<'_>, error: &str) -> Result<(), DeviceError> {
    let text = place.lang.pick("without the gateway's view", "无法取得网关的实时状态");
    place.say(&format!("! {text}: {}", place.lang.told(error))).map(drop)
}

/// What the table says of a device, a line each.
fn about(place: &Place<'_>, device: &Device) -> Vec<Vec<String>> {
    let lang = place.lang;
    let enabled = if device.enabled { lang.pick("yes", "是") } else { lang.pick("no", "否") };
    let mut rows = vec![
        vec![lang.pick("device", "设备").to_owned(), device.name.to_string()],
        vec![lang.pick("enabled", "启用").to_owned(), enabled.to_owned()],
        vec![lang.pick("link", "链路").to_owned(), device.link.as_str().to_owned()],
    ];
    let Value::Object(identity) = identity(&device.link) else { return rows };
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    // The names of settings, as devices.toml has them.
    rows.extend(identity.iter().map(|(key, value)| vec![key.clone(), text(value)]));
    let codec = format!("{} {}", codec_kind(device), device.codec_text.id);
    rows.push(vec![lang.pick("codec", "解码").to_owned(), codec]);
    rows
}

/// What the running gateway says of a device, a line each; what is not known is left out.
fn doings(lang: Lang, status: &DeviceStatus) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |english: &str, chinese: &str, value: Option<String>| {
        rows.extend(value.map(|value| vec![lang.pick(english, chinese).to_owned(), value]));
    };
    let DeviceStatus { accepted, duplicate, rejected, shed, received, missed, .. } = status;
    row("seen", "最近", status.seen_ms_ago.map(age));
    row("stored", "已存", Some(accepted.to_string()));
    row("again", "重复", Some(duplicate.to_string()));
    row("refused", "拒绝", Some(rejected.to_string()));
    row("shed", "丢弃", Some(shed.to_string()));
    let of = |permille| match lang {
        Lang::En => format!("{} · {missed} of {} frames lost", output::percent(permille), received + missed),
        Lang::Zh => format!("{} · 共 {} 帧，丢失 {missed} 帧", output::percent(permille), received + missed),
    };
    row("heard", "接收率", status.delivered_permille.map(of));
    row("battery", "电池", status.battery.clone());
    row("margin", "余量", status.margin_db.map(|db| format!("{db} dB")));
    row("data rate", "速率", status.data_rate.clone());
    row("SNR", "信噪比", status.snr_ddb.map(|ddb| format!("{:.1} dB", f32::from(ddb) / 10.0)));
    row("readings", "读数", (!status.readings.is_empty()).then(|| status.readings.join(", ")));
    row("refusal", "最近拒绝", status.refusal.as_ref().map(|refusal| lang.told(refusal)));
    rows
}

fn table(place: &Place<'_>) -> Result<DeviceTable, DeviceError> {
    gatewayd::config::load_devices(&place.devices, &place.keys).map_err(DeviceError::Config)
}

/// What the running gateway says, or why it does not.
fn live(place: &Place<'_>) -> Result<Status, String> {
    let socket = place.run_dir.join("gateway.sock");
    let mut answer = control::ask(&socket, &json!({"do": "status"})).map_err(|error| chain(&error))?;
    let status = answer.get_mut("status").map(Value::take).unwrap_or_default();
    serde_json::from_value(status).map_err(|error| error.to_string())
}

fn of<'a>(status: &'a Status, device: &Device) -> Option<&'a DeviceStatus> {
    status.devices.get(device.name.as_str())
}

fn row(place: &Place<'_>, device: &Device, status: Option<&DeviceStatus>) -> Vec<String> {
    let unknown = || "-".to_owned();
    let link = match device.enabled {
        true => device.link.as_str().to_owned(),
        false => format!("{} ({})", device.link.as_str(), place.lang.pick("disabled", "停用")),
    };
    vec![
        device.name.to_string(),
        link,
        codec_kind(device),
        status.map_or_else(unknown, |status| status.accepted.to_string()),
        status
            .and_then(|status| status.delivered_permille.map(|_| status.missed))
            .map_or_else(unknown, |n| n.to_string()),
        status.and_then(|status| status.delivered_permille).map_or_else(unknown, output::percent),
        status.and_then(|status| status.battery.clone()).unwrap_or_else(unknown),
        status.and_then(|status| status.seen_ms_ago).map_or_else(unknown, age),
    ]
}

/// Everything that may be told; keys are not among it, because [`Device`] does not print them and they are not asked.
fn describe(device: &Device, status: Option<&DeviceStatus>) -> Value {
    json!({
        "name": device.name.as_str(),
        "enabled": device.enabled,
        "link": device.link.as_str(),
        "identity": identity(&device.link),
        "codec": codec_kind(device),
        "codec_id": device.codec_text.id.to_string(),
        "status": status,
    })
}

/// The `kind` of `[device.codec]`, as the table's own text of it says.
fn codec_kind(device: &Device) -> String {
    let text = device.codec_text.text.lines().next().unwrap_or_default();
    let codec: Value = serde_json::from_str(text).unwrap_or_default();
    codec.get("kind").and_then(Value::as_str).unwrap_or("-").to_owned()
}

/// By what the device is known in the field.
fn identity(link: &DeviceLink) -> Value {
    match link {
        DeviceLink::Mqtt(mqtt) => json!({"topics": mqtt.topics, "command_topic": mqtt.command_topic}),
        DeviceLink::Lorawan(lorawan) => {
            let version = lorawan.version.as_str();
            match &lorawan.activation {
                Activation::Otaa { dev_eui, join_eui, .. } => {
                    json!({"version": version, "dev_eui": dev_eui.to_string(), "join_eui": join_eui.to_string()})
                }
                Activation::Abp { dev_addr, .. } => json!({"version": version, "dev_addr": dev_addr.to_string()}),
            }
        }
        DeviceLink::Serial(serial) => json!({"id": serial.id}),
        DeviceLink::Chirpstack(chirpstack) => json!({"dev_eui": chirpstack.dev_eui.to_string()}),
    }
}
