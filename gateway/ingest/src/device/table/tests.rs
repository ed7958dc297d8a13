//! Files that are tables, and files that are not.

use std::error::Error;

use expect_test::{Expect, expect};

use super::*;

/// The annotated example that is shipped.
const EXAMPLE: &str = include_str!("../../../../../config/devices.toml");

const COD: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
password = "river-otter-7"
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]
"#;

const FLOW: &str = r#"
[[device]]
name = "flow-1"
[device.lorawan]
dev_addr = "26010001"
nwk_s_key = "44024241ed4ce9a68c6a8bc055233fd3"
app_s_key = "ec925802ae430ca77fd3dd73cb2cc588"
[device.codec]
kind = "cayenne_lpp"
"#;

fn check(text: &str, expected: Expect) {
    let shown = match DeviceTable::from_toml(text) {
        Ok(table) => format!("{} devices", table.len()),
        Err(error) => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_shipped_example_is_a_table() {
    let table = DeviceTable::from_toml(EXAMPLE).unwrap();
    let names: Vec<&str> = table.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["cod-1", "station-1", "flow-1"]);
}

#[test]
fn a_device_is_found_by_name_topic_and_address() {
    let table = DeviceTable::from_toml(&format!("{COD}{FLOW}")).unwrap();
    let name = |device: Option<&Device>| device.map(|device| device.name.to_string());
    assert_eq!(name(table.by_name(&SourceId::new("flow-1").unwrap())), Some("flow-1".to_owned()));
    assert_eq!(name(table.by_topic("d/cod-1/up")), Some("cod-1".to_owned()));
    assert_eq!(name(table.by_topic("d/cod-1/down")), None);
    assert_eq!(name(table.by_dev_addr(DevAddr::from_u32(0x2601_0001))), Some("flow-1".to_owned()));
    assert_eq!(name(table.by_dev_addr(DevAddr::from_u32(0x2601_0002))), None);
}

#[test]
fn secrets_are_never_shown() {
    let table = DeviceTable::from_toml(&format!("{COD}{FLOW}")).unwrap();
    let shown = format!("{table:?}");
    for secret in ["river-otter-7", "44024241", "ec925802"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    check(
        &COD.replace("\"river-otter-7\"", "20261231"),
        expect!["line 5: the password is not a text: put it in quotes"],
    );
    check(&COD.replace("river-otter-7", "short"), expect!["line 5: the password has 5 bytes: use 8 to 128"]);
    check(
        &FLOW.replace("ec925802", "ec92580"),
        expect![
            "line 7: expected 32 hex digits, got 31 characters: write every byte as two digits, without separators"
        ],
    );
}

#[test]
fn faults_name_line_and_key() {
    check("[[device]\n", expect!["line 1: unclosed array table, expected `]`"]);
    check(
        &COD.replace("password", "pasword"),
        expect!["line 5: unknown field `pasword`, expected one of `password`, `topic`, `command_topic`"],
    );
    check(
        &COD.replace("[device.mqtt]\npassword = \"river-otter-7\"", ""),
        expect!["line 2: device `cod-1` has neither: give it exactly one of [device.mqtt] and [device.lorawan]"],
    );
    check(&format!("{COD}{}", &FLOW.replace("[[device]]\nname = \"flow-1\"", "")), expect!["line 15: duplicate key"]);
    check(
        &FLOW.replace("flow-1", "flow 1"),
        expect!["line 3: `flow 1` is not a device name: use 1 to 64 of A-Z a-z 0-9 _ . -"],
    );
    check(
        &COD.replace("kind = \"json\"", "kind = \"json\"\nfoo = 1"),
        expect!["line 6: unknown field `foo`, expected `fields` or `time`"],
    );
    check(
        &COD.replace("mg/L", "mgL"),
        expect![
            "line 2: device `cod-1`, [device.codec]: `fields[0]`: unit `mgL` is not known: did you mean `mg/L`, `mL`, `mg`?"
        ],
    );
    check(
        &COD.replace("[device.codec]", "topic = \"d/+/up\"\n[device.codec]"),
        expect![
            "line 2: device `cod-1`, [device.mqtt]: topic `d/+/up` has a wildcard (`+` or `#`): write the device's exact topic"
        ],
    );
    check(
        &COD.replace("[device.codec]", "topic = \"d/cod-1/down\"\n[device.codec]"),
        expect!["line 2: device `cod-1`: topic `d/cod-1/down` is already in use: give each device topics of its own"],
    );
}

#[test]
fn two_devices_cannot_be_confused() {
    check(&format!("{COD}{COD}"), expect!["line 10: device `cod-1` stands twice: give each its own name"]);
    check(
        &format!("{FLOW}{}", FLOW.replace("flow-1", "flow-2")),
        expect!["line 11: device `flow-2`: DevAddr 26010001 belongs to `flow-1`: personalise it with another address"],
    );
    let other = COD.replace("cod-1", "cod-2").replace("[device.codec]", "topic = \"d/cod-1/down\"\n[device.codec]");
    check(
        &format!("{COD}{other}"),
        expect!["line 10: device `cod-2`: topic `d/cod-1/down` is already in use: give each device topics of its own"],
    );
    let many: String = (0..2_001).map(|n| COD.replace("cod-1", &format!("cod-{n}"))).collect();
    check(&many, expect!["2001 devices are more than the 2000 of one box: split them over two boxes"]);
}
