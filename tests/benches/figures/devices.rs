//! The sensors that are simulated, as Weir's device table and as bytes.

use lorawan::end_device::{DataUp, data_up};
use lorawan::{DevAddr, Key128, SessionKeys};

/// Every device's password; the measured servers are on loopback and gone a minute later.
pub(crate) const PASSWORD: &str = "measured-1";
/// An MQTT frame: what a water quality station with eight parameters sends once a minute.
pub(crate) const FRAME_BYTES: usize = 200;

/// Rules as a site has them: one limit that every device's frames are judged by.
pub(crate) const RULES: &str = "[[rule]]\nid = \"cod-high\"\nkind = \"limit\"\ndevices = [\"*\"]\nquantity = \"cod\"\n\
                                unit = \"mg/L\"\nhigh = 900\ndeadband = 2\n";

/// Quantity, unit and the place in the frame.
const FIELDS: [(&str, &str, &str); 8] = [
    ("cod", "mg/L", "/data/cod"),
    ("nh3_n", "mg/L", "/data/nh3"),
    ("tp", "mg/L", "/data/tp"),
    ("tn", "mg/L", "/data/tn"),
    ("ph", "[pH]", "/data/ph"),
    ("water_temperature", "Cel", "/data/temp"),
    ("conductivity", "uS/cm", "/data/ec"),
    ("flow", "m3/h", "/data/flow"),
];

/// The name of the MQTT device with this number; its client id, user name and part of its topic.
pub(crate) fn name(device: usize) -> String {
    format!("station-{device:03}")
}

/// The only topic it publishes to.
pub(crate) fn topic(device: usize) -> String {
    format!("d/{}/up", name(device))
}

/// The `number`th frame of a device: 200 bytes of JSON, no two in a row alike.
pub(crate) fn frame(device: usize, number: u64) -> Vec<u8> {
    let (cod, temp) = (100 + number % 800, 100 + number / 7 % 100);
    let text = format!(
        "{{\"ts\":1767225600,\"n\":{},\"sn\":\"WQ-{device:04}-2026\",\"fw\":\"2.4.1\",\"data\":{{\"cod\":{cod}.5,\"nh3\":1.274,\
         \"tp\":0.214,\"tn\":8.31,\"ph\":7.31,\"temp\":{:.1},\"ec\":812,\"flow\":3125.4}},\"bat\":3.61,\"err\":\"",
        1_000_000 + number % 1_000_000,
        f64::from(temp as u32) / 10.0 + 10.0,
    );
    let filled = FRAME_BYTES - "\"}".len();
    format!("{text:0<filled$}\"}}").into_bytes()
}

/// `devices.toml` and `keys.toml`.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) devices: String,
    pub(crate) keys: String,
}

/// The MQTT stations.
pub(crate) fn mqtt_tables(devices: usize) -> Tables {
    let field = |(quantity, unit, path): (&str, &str, &str)| {
        format!("[[device.codec.fields]]\npath = \"{path}\"\nquantity = \"{quantity}\"\nunit = \"{unit}\"\n")
    };
    let fields = FIELDS.map(field).concat();
    let device = |device| {
        format!(
            "[[device]]\nname = \"{}\"\n[device.mqtt]\n[device.codec]\nkind = \"json\"\n\
             time = {{ path = \"/ts\", format = \"unix_s\" }}\n{fields}",
            name(device)
        )
    };
    let keys = |device| format!("[{}]\npassword = \"{PASSWORD}\"\n", name(device));
    Tables { devices: (0..devices).map(device).collect(), keys: (0..devices).map(keys).collect() }
}

/// A LoRaWAN device by its number.
#[derive(Debug)]
pub(crate) struct Radio {
    dev_addr: DevAddr,
    keys: SessionKeys,
    f_cnt: u32,
}

impl Radio {
    /// With keys of its own.
    pub(crate) fn new(device: u32) -> Radio {
        let [a, b, c, d] = device.to_be_bytes();
        let key = |first| Key128::new([first, a, b, c, d, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
        let keys = SessionKeys::v1_0(key(1), key(2));
        Radio { dev_addr: DevAddr::from_u32(0x2601_0000 + device), keys, f_cnt: 0 }
    }

    /// Its next frame: level, temperature and battery as Cayenne LPP.
    pub(crate) fn next_frame(&mut self, confirmed: bool) -> Vec<u8> {
        let [high, low] = (self.f_cnt as u16).to_be_bytes();
        let payload = [1, 0x82, 0, 0, high, low, 2, 0x67, 0, 183, 3, 0x02, 1, 105];
        let up = DataUp {
            dev_addr: self.dev_addr,
            confirmed,
            f_cnt: self.f_cnt,
            f_port: 2,
            payload: &payload,
            ..DataUp::default()
        };
        self.f_cnt += 1;
        data_up(up, &self.keys)
    }
}

/// The LoRaWAN devices.
pub(crate) fn lora_tables(devices: u32) -> Tables {
    let name = |device| format!("radio-{device:03}");
    let device = |device: u32| {
        format!(
            "[[device]]\nname = \"{}\"\n[device.lorawan]\ndev_addr = \"{:08x}\"\n[device.codec]\nkind = \"cayenne_lpp\"\n",
            name(device),
            0x2601_0000 + device
        )
    };
    let keys = |device: u32| {
        let tail = format!("{device:08x}05060708090a0b0c0d0e0f");
        format!("[{}]\nnwk_s_key = \"01{tail}\"\napp_s_key = \"02{tail}\"\n", name(device))
    };
    Tables { devices: (0..devices).map(device).collect(), keys: (0..devices).map(keys).collect() }
}
