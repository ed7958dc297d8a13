//! Damaged payloads a second through every kind of codec, and whether memory stays flat:
//! `cargo bench -p ingest -- --payloads 10000000`.
#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::expect_used, reason = "a benchmark that fails shows it")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock, its arguments and its own size")]

mod damage;

use std::collections::BTreeMap;

use ingest::{Codec, DeviceTable};
use record::UnixMs;

/// A script takes as long as a thousand of the others: one payload of so many is for it.
const SCRIPT_EVERY: usize = 1_000;

const FIELDS: &str = r#"fields = [{ path = "/cod", quantity = "cod", unit = "mg/L", min = 0, max = 2000 }]"#;

/// `[device.codec]` of each kind, and a payload in hexadecimal that it reads.
fn kinds() -> [(String, String); 10] {
    let json = hex::encode(r#"{"cod":40.17,"x":[1,{"y":null}],"t":"2026-01-01T00:00:00Z"}"#);
    let senml = hex::encode(r#"[{"bn":"s:","n":"cod","u":"mg/L","v":40.17},{"n":"temperature","u":"Cel","v":-3}]"#);
    let binary = r#"kind = "binary"
        fields = [{ offset = 0, length = 2, quantity = "level", unit = "mm" }]"#;
    let tlv = r#"kind = "tlv"
        entries = [{ channel = 3, type = 130, length = 2, fields = [{ quantity = "level", unit = "mm", endian = "little" }] }]"#;
    let csv = r#"kind = "csv"
        columns = [{ column = 1, quantity = "cod", unit = "mg/L" }]"#;
    let script = format!("kind = \"javascript\"\nfile = \"a.js\"\n{FIELDS}");
    [
        (format!("kind = \"json\"\n{FIELDS}"), json),
        (format!("kind = \"cbor\"\n{FIELDS}"), "a163636f64fb404415c28f5c28f6".into()),
        ("kind = \"senml_json\"".into(), senml),
        ("kind = \"senml_cbor\"".into(), "81a30063636f6401646d672f4c02fb404415c28f5c28f6".into()),
        ("kind = \"cayenne_lpp\"".into(), "03670110056700ff".into()),
        (tlv.into(), "03824408".into()),
        (binary.into(), "0844".into()),
        ("kind = \"plain\"\nquantity = \"cod\"\nunit = \"mg/L\"".into(), hex::encode("40.17")),
        (csv.into(), hex::encode("40.17,\"a\",3\r\n")),
        (script, "0102".into()),
    ]
}

fn main() {
    let kinds = kinds();
    let device = |(number, (codec, _)): (usize, &(String, String))| {
        format!("[[device]]\nname = \"d-{number}\"\n[device.mqtt]\n[device.codec]\n{codec}\n")
    };
    let devices: String = kinds.iter().enumerate().map(device).collect();
    let keys: String =
        (0..kinds.len()).map(|number| format!("[d-{number}]\npassword = \"benchmark-{number}\"\n")).collect();
    let script = "function decodeUplink(input) { return { data: { cod: input.bytes[0] / input.bytes[1] } }; }";
    let scripts = BTreeMap::from([("a.js".to_owned(), script.to_owned())]);
    let table = DeviceTable::from_toml(&devices, &keys, &scripts).expect("a device table");
    let codecs: Vec<(&Codec, Vec<u8>)> = table
        .iter()
        .zip(&kinds)
        .map(|(device, (_, payload))| (&device.codec, hex::decode(payload).expect("hexadecimal")))
        .collect();
    for (codec, payload) in &codecs {
        let read = codec.decode(payload, UnixMs(1_767_225_600_000), Some(2));
        assert!(read.is_ok(), "{codec:?}: {read:?}");
    }
    let (script, quick) = codecs.split_last().expect("ten");
    damage::run("payloads", |rng| {
        let (codec, payload) = if rng.below(SCRIPT_EVERY) == 0 { script } else { &quick[rng.below(quick.len())] };
        let mut payload = payload.clone();
        damage::damage(rng, &mut payload);
        codec.decode(&payload, UnixMs(1_767_225_600_000), Some(rng.byte())).is_ok()
    });
}
