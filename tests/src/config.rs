//! The configuration files of a [`crate::World`].

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// The box's name in all tests.
pub const BOX: &str = "outfall-1";

/// The session keys of every LoRaWAN device: those of the worked example in lora-packet's own tests.
const NWK_S_KEY: &str = "44024241ed4ce9a68c6a8bc055233fd3";
const APP_S_KEY: &str = "ec925802ae430ca77fd3dd73cb2cc588";

/// The root keys of every LoRaWAN device that joins: the AES keys of NIST SP 800-38A, F.1.
const APP_KEY: &str = "2b7e151628aed2a6abf7158809cf4f3c";
const NWK_KEY: &str = "603deb1015ca71be2b73aef0857d7781";
/// The JoinEUI of every LoRaWAN device that joins.
const JOIN_EUI: &str = "24e124c0002a0001";

/// One entry of `devices.toml`.
#[derive(Debug, Clone)]
pub struct Device {
    /// Its name, which is also its MQTT user name.
    pub name: String,
    /// Its DevAddr, if it is a LoRaWAN device.
    pub dev_addr: Option<String>,
    /// What `lora_radio.js` must know of it, if it is a LoRaWAN device.
    pub lora: Option<Value>,
    /// Its id and key, if it is behind a serial port.
    pub serial: Option<(u16, String)>,
    toml: String,
    keys: String,
}

impl Device {
    /// An MQTT sensor that sends `{"n": 1, "cod": 40.17}`.
    pub fn cod(name: &str) -> Device {
        let codec = "kind = \"json\"\n\
            [[device.codec.fields]]\npath = \"/n\"\nquantity = \"n\"\nunit = \"1\"\noptional = true\n\
            [[device.codec.fields]]\npath = \"/cod\"\nquantity = \"cod\"\nunit = \"mg/L\"\n";
        Device::mqtt(name, codec)
    }

    /// An MQTT sensor that sends `{"n": 1, "time": "2022-03-20T11:00:00+01:00", "flow": 100.59}`.
    pub fn flow(name: &str) -> Device {
        let codec = "kind = \"json\"\ntime = { path = \"/time\", format = \"rfc3339\" }\n\
            [[device.codec.fields]]\npath = \"/n\"\nquantity = \"n\"\nunit = \"1\"\n\
            [[device.codec.fields]]\npath = \"/flow\"\nquantity = \"flow\"\nunit = \"L/s\"\n";
        Device::mqtt(name, codec)
    }

    /// An MQTT sensor that sends SenML JSON.
    pub fn senml(name: &str) -> Device {
        Device::mqtt(name, "kind = \"senml_json\"\n")
    }

    /// An MQTT sensor with this `[device.codec]`.
    pub fn mqtt(name: &str, codec: &str) -> Device {
        let password = Device::password_of(name);
        let toml = format!("[[device]]\nname = \"{name}\"\n[device.mqtt]\n[device.codec]\n{codec}\n");
        let keys = format!("[{name}]\npassword = \"{password}\"\n");
        Device { name: name.into(), dev_addr: None, lora: None, serial: None, toml, keys }
    }

    /// A LoRaWAN 1.0 device, activated by personalisation, that sends Cayenne LPP.
    pub fn lora(name: &str, dev_addr: &str) -> Device {
        let toml = format!(
            "[[device]]\nname = \"{name}\"\n[device.lorawan]\ndev_addr = \"{dev_addr}\"\n\
             [device.codec]\nkind = \"cayenne_lpp\"\n"
        );
        let keys = format!("[{name}]\nnwk_s_key = \"{NWK_S_KEY}\"\napp_s_key = \"{APP_S_KEY}\"\n");
        let lora = json!({
            "do": "device", "name": name, "version": "1.0.3", "dev_addr": dev_addr, "nwk_s_key": NWK_S_KEY,
            "app_s_key": APP_S_KEY,
        });
        Device { name: name.into(), dev_addr: Some(dev_addr.into()), lora: Some(lora), serial: None, toml, keys }
    }

    /// A LoRaWAN device of this version that joins, and sends Cayenne LPP.
    pub fn joining(name: &str, version: &str, dev_eui: &str) -> Device {
        let toml = format!(
            "[[device]]\nname = \"{name}\"\n[device.lorawan]\nversion = \"{version}\"\ndev_eui = \"{dev_eui}\"\n\
             join_eui = \"{JOIN_EUI}\"\n[device.codec]\nkind = \"cayenne_lpp\"\n"
        );
        let nwk_key = if version == "1.1" { format!("nwk_key = \"{NWK_KEY}\"\n") } else { String::new() };
        let keys = format!("[{name}]\napp_key = \"{APP_KEY}\"\n{nwk_key}");
        let lora = json!({
            "do": "device", "name": name, "version": version, "dev_eui": dev_eui, "join_eui": JOIN_EUI,
            "app_key": APP_KEY, "nwk_key": NWK_KEY,
        });
        Device { name: name.into(), dev_addr: None, lora: Some(lora), serial: None, toml, keys }
    }

    /// The same with one more line below `[device.lorawan]`.
    pub fn with_lorawan(mut self, line: &str) -> Device {
        self.toml = self.toml.replace("[device.lorawan]\n", &format!("[device.lorawan]\n{line}\n"));
        self
    }

    /// The same with the JavaScript codec of this file in place of Cayenne LPP; it gives a `level`.
    pub fn with_script(mut self, file: &str) -> Device {
        let codec = format!(
            "kind = \"javascript\"\nfile = \"{file}\"\n\
             fields = [{{ path = \"/level\", quantity = \"level\", unit = \"m\" }}]\n"
        );
        self.toml = self.toml.replace("kind = \"cayenne_lpp\"\n", &codec);
        self
    }

    /// An MQTT sensor like [`Device::cod`] whose frames are sealed (`required` or `optional`) with this line of `keys.toml`.
    pub fn sealed(name: &str, seal: &str, key: &str) -> Device {
        let mut device = Device::cod(name);
        device.toml = device.toml.replace("[device.mqtt]\n", &format!("[device.mqtt]\nseal = \"{seal}\"\n"));
        device.keys.push_str(&format!("{key}\n"));
        device
    }

    /// A sensor behind a transparent LoRa module that sends `{"n": 1, "cod": 40.17}`.
    pub fn serial(name: &str, id: u16) -> Device {
        let cod = Device::cod(name);
        let toml = cod.toml.replace("[device.mqtt]\n", &format!("[device.serial]\nid = {id}\n"));
        let mac_key = format!("{id:064x}");
        let keys = format!("[{name}]\nmac_key = \"{mac_key}\"\n");
        Device { serial: Some((id, mac_key)), toml, keys, ..cod }
    }

    /// A device that ChirpStack serves: a Cayenne LPP temperature (`data`), or a level that ChirpStack decoded (`object`).
    pub fn chirpstack(name: &str, dev_eui: &str, payload: &str) -> Device {
        let codec = match payload {
            "object" => {
                "kind = \"json\"\n[[device.codec.fields]]\npath = \"/level_mm\"\nquantity = \"level\"\nunit = \"mm\"\n"
            }
            _ => "kind = \"cayenne_lpp\"\n",
        };
        let toml = format!(
            "[[device]]\nname = \"{name}\"\n[device.chirpstack]\ndev_eui = \"{dev_eui}\"\npayload = \"{payload}\"\n\
             [device.codec]\n{codec}"
        );
        Device { name: name.into(), dev_addr: None, lora: None, serial: None, toml, keys: String::new() }
    }

    /// An MQTT client that is no device: a `chirpstack`, or a `reader` of events.
    pub fn integration(name: &str, kind: &str) -> Device {
        let toml = format!("[[integration]]\nname = \"{name}\"\nkind = \"{kind}\"\n");
        let keys = format!("[{name}]\npassword = \"{}\"\n", Device::password_of(name));
        Device { name: name.into(), dev_addr: None, lora: None, serial: None, toml, keys }
    }

    /// The password of a device's MQTT user.
    pub fn password(&self) -> String {
        Device::password_of(&self.name)
    }

    /// The topic it may publish to.
    pub fn topic(&self) -> String {
        format!("d/{}/up", self.name)
    }

    fn password_of(name: &str) -> String {
        format!("secret-of-{name}")
    }
}

/// `devices.toml`.
pub fn devices_toml(devices: &[Device]) -> String {
    devices.iter().map(|device| device.toml.as_str()).collect()
}

/// `keys.toml`.
pub fn keys_toml(devices: &[Device]) -> String {
    devices.iter().map(|device| device.keys.as_str()).collect()
}

/// Writes a file that nobody but its owner can read.
pub fn write_secret(path: &Path, text: &str) {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).unwrap();
}

/// `devices.json` of `lora_device.js`: the LoRaWAN devices among these.
pub fn lora_devices_json(devices: &[Device]) -> String {
    let lora = devices.iter().filter_map(|device| {
        let dev_addr = device.dev_addr.as_deref()?;
        let keys = serde_json::json!({
            "name": device.name, "dev_addr": dev_addr, "nwk_s_key": NWK_S_KEY, "app_s_key": APP_S_KEY,
        });
        Some(keys)
    });
    serde_json::Value::from_iter(lora).to_string()
}

/// `serial.json` of `serial_device.py`: the devices behind serial ports among these.
pub fn serial_devices_json(devices: &[Device]) -> String {
    let serial = devices.iter().filter_map(|device| {
        let (id, mac_key) = device.serial.as_ref()?;
        Some(serde_json::json!({ "name": device.name, "id": id, "mac_key": mac_key }))
    });
    serde_json::Value::from_iter(serial).to_string()
}

/// `gateway.toml`; `more` is added at its end.
pub fn gateway_toml(mqtt: u16, gwmp: u16, more: &str) -> String {
    format!(
        "box = \"{BOX}\"\nstate_dir = \"state\"\nrun_dir = \"run\"\n\
         [mqtt]\nlisten = \"127.0.0.1:{mqtt}\"\n[gwmp]\nlisten = \"127.0.0.1:{gwmp}\"\n{more}"
    )
}

/// One `[[destination]]` of `sync.toml`, impatient, because tests are.
pub fn destination_toml(name: &str, port: u16, ca_file: &str, key: &str) -> String {
    format!(
        "[[destination]]\nname = \"{name}\"\nurl = \"https://127.0.0.1:{port}/\"\nca_file = \"{ca_file}\"\n\
         key = \"{key}\"\n[destination.batch]\nlinger_ms = 50\n[destination.backoff]\nbase_ms = 50\nceiling_ms = 500\n"
    )
}

/// `platform.toml` with this box enrolled under this key.
pub fn platform_toml(name: &str, port: u16, state_dir: &str, enrolled: Option<&str>) -> String {
    let enrolled = enrolled.map_or_else(String::new, |key| format!("[[box]]\nid = \"{BOX}\"\nkey = \"{key}\"\n"));
    format!("name = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\nstate_dir = \"{state_dir}\"\n{enrolled}")
}

/// A port that the kernel just gave for TCP. It stays ours although nobody holds it: the kernel gives odd numbers to
/// those who bind and even ones to those who connect, and none is given twice to the tests that run side by side.
pub fn free_tcp_port() -> u16 {
    unused(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port())
}

/// The same for UDP.
pub fn free_udp_port() -> u16 {
    unused(|| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port())
}

/// The first port of those that `take` finds that no test has had.
fn unused(take: impl Fn() -> u16) -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = take();
        if given.insert(port) {
            return port;
        }
    }
}
