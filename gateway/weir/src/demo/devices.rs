//! Who may speak to the demo's box: its own sensors, and spare ones for whoever wants to try a client.

use super::error::DemoError;
use super::message::Instrument;

/// Spare LoRa devices: enough for a client that plays a small site.
const SPARE_LORA: u32 = 8;
/// DevAddrs of the demo: a block of the experimental network 1 (NwkID 0x13 of type 0).
const DEV_ADDR_FIRST: u32 = 0x2600_1d01;

/// A device of the table.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Its name.
    pub(crate) name: String,
    /// How it proves itself.
    pub(crate) link: Link,
    /// How its payload is read.
    pub(crate) codec: Codec,
}

/// How a device reaches the box.
#[derive(Debug, Clone)]
pub(crate) enum Link {
    /// By MQTT, with its name as user and client.
    Mqtt {
        /// Its password.
        password: String,
    },
    /// By LoRaWAN 1.0.x, ABP.
    Lora(Session),
}

/// The session of a LoRa device.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Its address.
    pub(crate) dev_addr: u32,
    /// For the MIC.
    pub(crate) nwk_s_key: [u8; 16],
    /// For the payload.
    pub(crate) app_s_key: [u8; 16],
}

/// How a payload is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    /// As the demo's own instrument writes.
    Of(Instrument),
    /// JSON with `n` and `cod`, both optional.
    SpareJson,
    /// Any SenML.
    SpareSenml,
    /// JSON with `flow` as a number, `time` as RFC 3339 and perhaps `n`.
    RiverFlow,
    /// Any Cayenne LPP.
    SpareLpp,
}

impl Codec {
    /// As the device table calls it.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Codec::Of(Instrument::Cod | Instrument::Flow) | Codec::SpareJson | Codec::RiverFlow => "json",
            Codec::Of(Instrument::Station) | Codec::SpareSenml => "senml_json",
            Codec::Of(Instrument::Level) | Codec::SpareLpp => "cayenne_lpp",
        }
    }

    /// The rest of `[device.codec]`.
    fn mapping(self) -> &'static str {
        match self {
            Codec::Of(Instrument::Cod) => {
                "fields = [\n  { path = \"/n\", quantity = \"n\", unit = \"{count}\" },\n  \
                 { path = \"/cod\", quantity = \"cod\", unit = \"mg/L\", min = 0, max = 1000 },\n  \
                 { path = \"/ph\", quantity = \"ph\", unit = \"[pH]\", min = 0, max = 14 },\n]\n"
            }
            Codec::Of(Instrument::Flow) => {
                "fields = [\n  { path = \"/n\", quantity = \"n\", unit = \"{count}\" },\n  \
                 { path = \"/flow\", quantity = \"flow\", unit = \"m3/h\", min = 0 },\n  \
                 { path = \"/water_temperature\", quantity = \"water_temperature\", unit = \"Cel\", min = -5, max = 60 },\n]\n"
            }
            Codec::Of(Instrument::Level) => {
                "f_ports = [2]\nchannels = [\n  { channel = 0, quantity = \"n\", unit = \"{count}\" },\n  \
                 { channel = 1, quantity = \"level\", unit = \"m\", scale = 0.001, min = 0, max = 10 },\n  \
                 { channel = 2, quantity = \"battery_voltage\" },\n]\n"
            }
            Codec::SpareJson => {
                "fields = [\n  { path = \"/n\", quantity = \"n\", unit = \"{count}\", optional = true },\n  \
                 { path = \"/cod\", quantity = \"cod\", unit = \"mg/L\", optional = true },\n]\n"
            }
            Codec::RiverFlow => {
                "time = { path = \"/time\", format = \"rfc3339\" }\nfields = [\n  \
                 { path = \"/n\", quantity = \"n\", unit = \"{count}\", optional = true },\n  \
                 { path = \"/flow\", quantity = \"flow\", unit = \"L/s\" },\n]\n"
            }
            Codec::Of(Instrument::Station) | Codec::SpareSenml | Codec::SpareLpp => "",
        }
    }
}

/// The instruments of the demo itself, in the order of the table: three by MQTT, two by LoRa.
pub(crate) const OWN: [(&str, Instrument); 5] = [
    ("cod-1", Instrument::Cod),
    ("flow-1", Instrument::Flow),
    ("station-1", Instrument::Station),
    ("level-1", Instrument::Level),
    ("level-2", Instrument::Level),
];

/// Every device, with fresh passwords and keys.
pub(crate) fn make() -> Result<Vec<Device>, DemoError> {
    let mut dev_addr = DEV_ADDR_FIRST;
    let mut device = |name: &str, codec: Codec| -> Result<Device, DemoError> {
        let link = match codec.kind() {
            "cayenne_lpp" => {
                let session = Session { dev_addr, nwk_s_key: random()?, app_s_key: random()? };
                dev_addr += 1;
                Link::Lora(session)
            }
            _ => Link::Mqtt { password: hex::encode(random::<12>()?) },
        };
        Ok(Device { name: name.to_owned(), link, codec })
    };
    let mut all = Vec::new();
    for (name, instrument) in OWN {
        all.push(device(name, Codec::Of(instrument))?);
    }
    for (name, codec) in
        [("spare-json", Codec::SpareJson), ("spare-senml", Codec::SpareSenml), ("river-flow", Codec::RiverFlow)]
    {
        all.push(device(name, codec)?);
    }
    for number in 1..=SPARE_LORA {
        all.push(device(&format!("spare-lora-{number}"), Codec::SpareLpp)?);
    }
    Ok(all)
}

fn random<const N: usize>() -> Result<[u8; N], DemoError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(DemoError::Random)?;
    Ok(bytes)
}

/// The text of `devices.toml`.
pub(crate) fn toml(devices: &[Device]) -> String {
    let mut text = String::new();
    for Device { name, link, codec } in devices {
        text.push_str(&format!("[[device]]\nname = \"{name}\"\n"));
        match link {
            Link::Mqtt { .. } => text.push_str("[device.mqtt]\n"),
            Link::Lora(Session { dev_addr, .. }) => {
                text.push_str(&format!("[device.lorawan]\ndev_addr = \"{dev_addr:08x}\"\n"));
            }
        }
        text.push_str(&format!("[device.codec]\nkind = \"{}\"\n{}\n", codec.kind(), codec.mapping()));
    }
    text
}

/// The text of `keys.toml`.
pub(crate) fn keys_toml(devices: &[Device]) -> String {
    let keys = |Device { name, link, .. }: &Device| match link {
        Link::Mqtt { password } => format!("[{name}]\npassword = \"{password}\"\n"),
        Link::Lora(Session { nwk_s_key, app_s_key, .. }) => format!(
            "[{name}]\nnwk_s_key = \"{}\"\napp_s_key = \"{}\"\n",
            hex::encode(nwk_s_key),
            hex::encode(app_s_key)
        ),
    };
    devices.iter().map(keys).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::message::Water;
    use ingest::DeviceTable;
    use record::{SourceId, UnixMs};
    use std::collections::BTreeMap;

    fn table(devices: &[Device]) -> DeviceTable {
        DeviceTable::from_toml(&toml(devices), &keys_toml(devices), &BTreeMap::new()).unwrap()
    }

    #[test]
    fn the_box_reads_what_the_instruments_write() {
        let devices = make().unwrap();
        let table = table(&devices);
        for (name, instrument) in OWN {
            let device = table.by_name(&SourceId::new(name).unwrap()).unwrap();
            for n in [1, 2, 70_000] {
                let said = instrument.readings(5, n, Water::Usual);
                let decoded = device.codec.decode(&instrument.encode(&said), UnixMs(0), Some(2)).unwrap();
                let read: Vec<_> = decoded.readings.iter().map(|r| (r.quantity.as_str(), r.value.unwrap())).collect();
                assert_eq!(read, said, "{name}");
                assert!(decoded.readings.iter().all(|r| r.quality == record::Quality::Good), "{name}");
            }
        }
    }

    #[test]
    fn outsiders_find_devices_of_their_own() {
        let table = table(&make().unwrap());
        let decode = |name: &str, payload: &str| {
            let device = table.by_name(&SourceId::new(name).unwrap()).unwrap();
            let decoded = device.codec.decode(payload.as_bytes(), UnixMs(0), None).unwrap();
            let shown = decoded.readings.iter().map(|r| format!("{} {}", r.quantity, r.value.unwrap()));
            (shown.collect::<Vec<_>>().join(", "), decoded.readings[0].at_ms)
        };
        assert_eq!(decode("spare-json", r#"{"n":17,"cod":40.17}"#).0, "n 17, cod 40.17");
        let (read, at) = decode("river-flow", r#"{"n":1,"time":"2022-03-20T11:00:00+01:00","flow":100.59}"#);
        assert_eq!((read.as_str(), at), ("n 1, flow 100.59", Some(UnixMs(1_647_770_400_000))));
    }
}
