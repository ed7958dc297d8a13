//! How anyone can reach the world that is held: a file for programs, and lines to type for people.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::alarm_file::AlarmFile;
use super::console::Console;
use super::devices::{Codec, Device, Link, Session};
use super::error::DemoError;
use super::sensors::{EUI, Source};
use super::settings::{BOX, REGION};
use super::world::{CITY, World, write};

/// `DIR/access.json`.
pub(crate) fn path(world: &World) -> PathBuf {
    world.path().join("access.json")
}

/// Writes it.
pub(crate) fn write_file(world: &World, sources: &[Source]) -> Result<(), DemoError> {
    let path = path(world);
    write(&path, format!("{:#}\n", object(world, sources)).as_bytes())
}

fn object(world: &World, sources: &[Source]) -> Value {
    let root = world.path();
    let platforms: Vec<Value> = world
        .platforms
        .iter()
        .map(|platform| {
            json!({
                "name": platform.name, "url": format!("https://{}", platform.address), "key": platform.key.to_string(),
                "ca_file": platform.state.tls_cert(), "database": platform.state.database(),
                "config": platform.state.path().join("platform.toml"), "read_token": platform.read_token,
            })
        })
        .collect();
    let pids: serde_json::Map<_, _> =
        world.pids().into_iter().map(|(name, pid)| (name.to_owned(), json!(pid))).collect();
    json!({
        "box": BOX,
        "mqtt": {
            "host": world.mqtt.ip(), "port": world.mqtt.port(),
            "devices": world.devices.iter().filter_map(mqtt_device).collect::<Vec<_>>(),
        },
        "gwmp": {
            "host": world.gwmp.ip(), "port": world.gwmp.port(), "gateway_eui": EUI, "region": REGION,
            "devices": world.devices.iter().filter_map(|device| lora_device(device, sources)).collect::<Vec<_>>(),
        },
        "platforms": platforms,
        "sockets": {"gateway": world.run_dir().join("gateway.sock"), "sync": world.run_dir().join("sync.sock")},
        "databases": {"journal": world.journal(), "outbox": world.outbox()},
        "config": {
            "gateway": root.join("gateway.toml"), "sync": root.join("sync.toml"),
            "devices": root.join("devices.toml"), "keys": root.join("keys.toml"), "rules": root.join("rules.toml"),
        },
        "identity": root.join("state/identity/box.pub"),
        "state_dir": root.join("state"),
        "run_dir": world.run_dir(),
        "pids": pids,
    })
}

/// Whether a device is one of the demo's own sensors.
fn is_own(device: &Device) -> bool {
    matches!(device.codec, Codec::Of(_))
}

fn mqtt_device(device: &Device) -> Option<Value> {
    let Link::Mqtt { password } = &device.link else { return None };
    let name = &device.name;
    Some(json!({
        "name": name, "password": password, "topic": format!("d/{name}/up"),
        "command_topic": format!("d/{name}/down"), "codec": device.codec.kind(), "used_by_demo": is_own(device),
    }))
}

fn lora_device(device: &Device, sources: &[Source]) -> Option<Value> {
    let Link::Lora(Session { dev_addr, nwk_s_key, app_s_key }) = &device.link else { return None };
    // The demo's devices count from 0 with each message; a spare one has not spoken.
    let spoken = sources.iter().find(|source| source.name == device.name);
    Some(json!({
        "name": device.name, "dev_addr": format!("{dev_addr:08x}"), "nwk_s_key": hex::encode(nwk_s_key),
        "app_s_key": hex::encode(app_s_key), "f_cnt_next": spoken.map_or(0, |source| source.logbook.counts().0),
        "codec": device.codec.kind(), "used_by_demo": is_own(device),
    }))
}

/// What to try next: lines that work as they stand.
pub(crate) fn next_steps(
    kept: Option<&World>,
    held: bool,
    alarm_file: Option<&AlarmFile>,
    console: &Console,
) -> String {
    let exe = std::env::current_exe().map_or("weir".to_owned(), |path| shell(&path));
    let heading = console.pick("\nWhat to try next:\n", "\n接下来可以试试：\n");
    let Some(world) = kept else {
        let dir = "./weir-demo";
        return format!("{heading}  {exe} demo --dir {dir} --hold\n  {exe} demo --json\n");
    };
    let root = shell(world.path());
    let mut text = format!(
        "{heading}  {exe} --state-dir {root}/state tail -n 5\n  \
         {exe} --state-dir {root}/state export --source cod-1 --quantity cod | head\n  \
         {exe} --state-dir {root}/state verify --sync-config {root}/sync.toml\n"
    );
    if let Some(AlarmFile { path, .. }) = alarm_file {
        let keys = world.platforms.iter().map(|platform| format!(" --platform {}={}", platform.name, platform.key));
        let keys: String = keys.collect();
        text.push_str(&format!("  {exe} verify {} --key {}{keys}\n", shell(path), world.box_key));
    }
    if held {
        text.push_str(&held_steps(world, &exe));
        let access = path(world).display().to_string();
        text.push_str(console.pick(
            &format!("Ports, passwords and keys: {access}\nThe world runs until Ctrl-C.\n"),
            &format!("端口、密码和密钥：{access}\n一切继续运行，按 Ctrl-C 结束。\n"),
        ));
    }
    text
}

fn held_steps(world: &World, exe: &str) -> String {
    let mut text = format!("  {exe} --run-dir {} status\n", shell(&world.run_dir()));
    let spare = world.devices.iter().find(|device| device.codec == Codec::SpareJson);
    if let Some(Device { name, link: Link::Mqtt { password }, .. }) = spare {
        let (host, port) = (world.mqtt.ip(), world.mqtt.port());
        text.push_str(&format!(
            "  mosquitto_pub -h {host} -p {port} -i {name} -u {name} -P {password} -q 1 -t d/{name}/up -m '{{\"n\":1,\"cod\":41.5}}'\n"
        ));
        if let Some(city) = world.platforms.get(CITY) {
            text.push_str(&format!(
                "  curl --cacert {} -H 'Authorization: Bearer {}' 'https://{}/v1/boxes/{BOX}/readings?source={name}'\n",
                shell(&city.state.tls_cert()),
                city.read_token,
                city.address
            ));
        }
    }
    text
}

/// A path as a shell reads it.
fn shell(path: &Path) -> String {
    let text = path.display().to_string();
    match text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte)) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_the_shell() {
        assert_eq!(shell(Path::new("/tmp/weir-demo")), "/tmp/weir-demo");
        assert_eq!(shell(Path::new("/tmp/排口 d'eau")), "'/tmp/排口 d'\\''eau'");
    }
}
