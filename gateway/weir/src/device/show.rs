//! `weir device list` and `weir device show`.

use control::chain;
use gatewayd::status::{DeviceStatus, Status};
use ingest::{Activation, Device, DeviceLink, DeviceTable};
use serde_json::{Value, json};

use super::Place;
use super::error::DeviceError;
use super::files::FilesError;
use crate::exit::Exit;
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
    let heading = ["device", "link", "codec", "accepted", "lost", "seen"];
    let heading_zh = ["设备", "链路", "解码", "已存", "丢失", "最近"];
    let heading = heading.iter().zip(heading_zh).map(|(english, chinese)| lang.pick(english, chinese).to_owned());
    let mut rows: Vec<Vec<String>> = vec![heading.collect()];
    rows.extend(
        table.iter().map(|device| row(place, device, status.as_ref().ok().and_then(|status| of(status, device)))),
    );
    let mut out = output::stdout();
    output::table(&mut out, &rows).map_err(DeviceError::output)?;
    drop(out);
    if let Err(error) = &status {
        place.say(&format!("! {}: {error}", lang.pick("without the gateway's view", "无法取得网关的实时状态")))?;
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
    let shown = describe(device, status.as_ref().ok().and_then(|status| of(status, device)));
    if json {
        return place.say(&shown.to_string());
    }
    let Value::Object(fields) = &shown else { return Ok(Exit::Good) };
    for (key, value) in fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        place.say(&format!("{}  {text}", output::pad(key, 10)))?;
    }
    Ok(Exit::Good)
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
