//! The configuration files of the demo's world, as text.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

use super::error::DemoError;

/// The name of the demo's box.
pub(crate) const BOX: &str = "demo-box";
/// The rule that the demo's discharge breaks.
pub(crate) const RULE: &str = "cod-high";
/// The sensor it judges.
pub(crate) const ALARM_SOURCE: &str = "cod-1";
/// Its on-delay.
pub(crate) const ON_DELAY_S: u64 = 1;
/// The plan of the simulated LoRa gateway.
pub(crate) const REGION: &str = "EU868";

/// Free ports on loopback: bound all at once, so that they differ, then given back.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], DemoError> {
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        // A port that is free for both, because one of them is for GWMP.
        let (tcp, udp, found) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(DemoError::Socket)?;
            let found = tcp.local_addr().map_err(DemoError::Socket)?.port();
            if let Ok(udp) = UdpSocket::bind((Ipv4Addr::LOCALHOST, found)) {
                break (tcp, udp, found);
            }
        };
        *port = found;
        held.push((tcp, udp));
    }
    Ok(ports)
}

/// `gateway.toml`. The tree head is signed often, so that a short run has several.
pub(crate) fn gateway(run_dir: &Path, mqtt: SocketAddr, gwmp: SocketAddr) -> String {
    format!(
        "box = \"{BOX}\"\nstate_dir = \"state\"\nrun_dir = {}\ndevices = \"devices.toml\"\nrules = \"rules.toml\"\n\n\
         [checkpoint]\nrecords_max = 200\nseconds_max = 5\n\n[mqtt]\nlisten = \"{mqtt}\"\n\n\
         [gwmp]\nlisten = \"{gwmp}\"\nregion = \"{REGION}\"\n",
        quoted(run_dir)
    )
}

/// `rules.toml`.
pub(crate) fn rules() -> String {
    format!(
        "[[rule]]\nid = \"{RULE}\"\nkind = \"limit\"\ndevices = [\"{ALARM_SOURCE}\"]\nquantity = \"cod\"\nunit = \"mg/L\"\n\
         high = 80\ndeadband = 5\non_delay_s = {ON_DELAY_S}\npriority = \"high\"\n"
    )
}

/// `platform.toml`, beside which the platform keeps its state.
pub(crate) fn platform(name: &str, listen: SocketAddr, box_key: &str, read_token: &str) -> String {
    format!(
        "name = \"{name}\"\nlisten = \"{listen}\"\nstate_dir = \".\"\nread_token = \"{read_token}\"\n\n\
         [[box]]\nid = \"{BOX}\"\nkey = \"{box_key}\"\n"
    )
}

/// `sync.toml`. Waits are shorter than on a 4G link, so that a cut and its healing fit into the demo.
pub(crate) fn sync(run_dir: &Path, destinations: &[(&str, SocketAddr, String)]) -> String {
    let mut text = format!("state_dir = \"state\"\nrun_dir = {}\n", quoted(run_dir));
    for (name, address, key) in destinations {
        text.push_str(&format!(
            "\n[[destination]]\nname = \"{name}\"\nurl = \"https://{address}/\"\n\
             ca_file = \"platforms/{name}/tls.crt\"\nkey = \"{key}\"\n\
             [destination.batch]\nlinger_ms = 200\n\
             [destination.timeouts]\nconnect_ms = 1500\nanswer_ms = 3000\n\
             [destination.backoff]\nbase_ms = 200\nceiling_ms = 1000\n"
        ));
    }
    text
}

/// A path as a TOML string.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_take_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = free_ports().unwrap().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        assert_ne!(a, b);
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        write("rules.toml", &rules());
        let devices = crate::demo::devices::make().unwrap();
        write("devices.toml", &crate::demo::devices::toml(&devices));
        let keys = crate::demo::devices::keys_toml(&devices);
        crate::demo::world::write(&folder.path().join("keys.toml"), keys.as_bytes()).unwrap();
        let run = folder.path().join("a \"quoted\" run");
        let gateway = gatewayd::GatewayConfig::load(&write("gateway.toml", &gateway(&run, a, b))).unwrap();
        assert_eq!(gateway.socket_path(), run.join("gateway.sock"));
        let key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".to_owned();
        let platform = write("platform.toml", &platform("city", a, &key, "0123456789abcdef"));
        assert_eq!(::platform::Config::load(&platform).unwrap().boxes.len(), 1);
        let sync = write("sync.toml", &sync(&run, &[("city", a, key.clone()), ("province", b, key)]));
        assert_eq!(syncd::SyncConfig::load(&sync).unwrap().destinations.len(), 2);
    }
}
