//! Files that are tables, and files that are not.

use std::error::Error;

use expect_test::{Expect, expect};

use ::lorawan::Region;

use super::*;

mod integrations;

/// The annotated examples that are shipped.
const EXAMPLE: [&str; 2] =
    [include_str!("../../../../../config/devices.toml"), include_str!("../../../../../config/keys.toml")];

const COD: &str = r#"
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]
"#;
const COD_KEYS: &str = "[cod-1]\npassword = \"river-otter-7\"\n";

const FLOW: &str = r#"
[[device]]
name = "flow-1"
[device.lorawan]
dev_addr = "26010001"
[device.codec]
kind = "cayenne_lpp"
"#;
const FLOW_KEYS: &str =
    "[flow-1]\nnwk_s_key = \"44024241ed4ce9a68c6a8bc055233fd3\"\napp_s_key = \"ec925802ae430ca77fd3dd73cb2cc588\"\n";

const LEVEL: &str = r#"
[[device]]
name = "level-1"
[device.lorawan]
version = "1.1"
dev_eui = "24e124538c458373"
[device.codec]
kind = "cayenne_lpp"
"#;
const LEVEL_KEYS: &str =
    "[level-1]\napp_key = \"2b7e151628aed2a6abf7158809cf4f3c\"\nnwk_key = \"2b7e151628aed2a6abf7158809cf4f3d\"\n";

const RAIN: &str = r#"
[[device]]
name = "rain-1"
[device.serial]
id = 7
[device.codec]
kind = "cayenne_lpp"
"#;
const RAIN_KEYS: &str = "[rain-1]\nmac_key = \"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4\"\n";

fn read(devices: &str, keys: &str) -> Result<DeviceTable, DeviceTableError> {
    DeviceTable::from_toml(devices, keys, &BTreeMap::new())
}

fn check(devices: &str, keys: &str, expected: Expect) {
    let shown = match read(devices, keys) {
        Ok(table) => format!("{} devices", table.len()),
        Err(error) => {
            let file = match error {
                DeviceTableError::Devices(_) => "devices",
                DeviceTableError::Keys(_) => "keys",
            };
            match error.source() {
                Some(source) => format!("{file} {error}: {source}"),
                None => format!("{file} {error}"),
            }
        }
    };
    expected.assert_eq(&shown);
}

#[test]
fn the_shipped_example_is_a_table() {
    let table = read(EXAMPLE[0], EXAMPLE[1]).unwrap();
    let names: Vec<&str> = table.iter().map(|device| device.name.as_str()).collect();
    assert_eq!(names, ["cod-1", "station-1", "flow-1", "level-1", "rain-1", "gate-1"]);
}

#[test]
fn a_device_is_found_by_whatever_it_calls_itself() {
    let gate = "[[device]]\nname = \"gate-1\"\nenabled = false\n[device.chirpstack]\ndev_eui = \"0101010101010101\"\n\
                [device.codec]\nkind = \"cayenne_lpp\"\n";
    let twin = FLOW.replace("flow-1", "flow-2");
    let twin_keys = FLOW_KEYS.replace("flow-1", "flow-2");
    let table = read(
        &format!("{COD}{FLOW}{twin}{LEVEL}{RAIN}{gate}"),
        &format!("{COD_KEYS}{FLOW_KEYS}{twin_keys}{LEVEL_KEYS}{RAIN_KEYS}"),
    )
    .unwrap();
    let name = |device: Option<&Device>| device.map(|device| device.name.to_string());
    let found = |name: &str| Some(name.to_owned());
    assert_eq!(name(table.by_name(&SourceId::new("flow-1").unwrap())), found("flow-1"));
    assert_eq!(name(table.by_topic("d/cod-1/up")), found("cod-1"));
    assert_eq!(name(table.by_topic("d/cod-1/down")), None);
    let sharing: Vec<_> =
        table.by_dev_addr(DevAddr::from_u32(0x2601_0001)).map(|device| device.name.to_string()).collect();
    assert_eq!(sharing, ["flow-1", "flow-2"]);
    assert_eq!(table.by_dev_addr(DevAddr::from_u32(0x2601_0002)).count(), 0);
    let dev_eui = "24e124538c458373".parse().unwrap();
    assert_eq!(name(table.by_dev_eui(dev_eui)), found("level-1"));
    assert_eq!(name(table.by_chirpstack(dev_eui)), None);
    assert_eq!(name(table.by_serial_id(7)), found("rain-1"));
    let gate = table.by_chirpstack("0101010101010101".parse().unwrap());
    assert_eq!((name(gate), gate.map(|gate| gate.enabled)), (found("gate-1"), Some(false)));
}

#[test]
fn secrets_are_never_shown() {
    let devices = format!("{COD}{FLOW}{LEVEL}{RAIN}");
    let keys = format!("{COD_KEYS}{FLOW_KEYS}{LEVEL_KEYS}{RAIN_KEYS}");
    let shown = format!("{:?}", read(&devices, &keys).unwrap());
    for secret in ["river-otter-7", "44024241", "ec925802", "2b7e1516", "603deb10"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    check(
        COD,
        &COD_KEYS.replace("\"river-otter-7\"", "20261231"),
        expect!["keys line 2: the password is not a text: put it in quotes"],
    );
    check(
        COD,
        &COD_KEYS.replace("river-otter-7", "short"),
        expect!["keys line 2: the password has 5 bytes: use 8 to 128"],
    );
    check(
        FLOW,
        &FLOW_KEYS.replace("ec925802", "ec92580"),
        expect![
            "keys line 3: `app_s_key`: expected 32 hex digits, got 31 characters: write every byte as two digits, without separators"
        ],
    );
    check(
        FLOW,
        &FLOW_KEYS.replace("\"ec925802ae430ca77fd3dd73cb2cc588\"", "925802430"),
        expect!["keys line 3: `app_s_key`: the key is not a text: put it in quotes"],
    );
    check(
        RAIN,
        &RAIN_KEYS.replace("603deb10", "603deb1"),
        expect![
            "keys line 2: `mac_key`: the key is not a text of 64 hex digits: write each of its 32 bytes as two digits, in quotes"
        ],
    );
    check(
        RAIN,
        &RAIN_KEYS.replace("mac_key", "app_s_key_x"),
        expect![
            "keys line 2: unknown field `app_s_key_x`, expected one of `password`, `app_key`, `nwk_key`, `nwk_s_key`, `app_s_key`, `f_nwk_s_int_key`, `s_nwk_s_int_key`, `nwk_s_enc_key`, `mac_key`, `ed25519`"
        ],
    );
}

#[test]
fn each_device_has_its_keys_and_each_key_its_device() {
    check(
        COD,
        "",
        expect![
            "devices line 2: device `cod-1`, [device.mqtt]: keys.toml has no `password` for it: add it below the device's name"
        ],
    );
    check(
        FLOW,
        "[flow-1]\napp_s_key = \"44024241ed4ce9a68c6a8bc055233fd3\"",
        expect![
            "devices line 2: device `flow-1`, [device.lorawan]: keys.toml has no `nwk_s_key` for it: add it below the device's name"
        ],
    );
    check(
        LEVEL,
        &LEVEL_KEYS.replace("nwk_key", "nwk_s_key"),
        expect![
            "devices line 2: device `level-1`, [device.lorawan]: keys.toml has no `nwk_key` for it: add it below the device's name"
        ],
    );
    check(
        &LEVEL.replace("version = \"1.1\"", ""),
        LEVEL_KEYS,
        expect![
            "keys line 1: device `level-1` does not use `nwk_key`: compare its entry in devices.toml, or remove the key"
        ],
    );
    check(
        RAIN,
        "",
        expect![
            "devices line 2: device `rain-1`, [device.serial]: keys.toml has no `mac_key` for it: add it below the device's name"
        ],
    );
    check(COD, &format!("{COD_KEYS}{}", COD_KEYS), expect!["keys line 3: duplicate key"]);
    check(&COD.replace("[device.mqtt]", "[device.mqtt]\ncertificate = true"), "", expect!["1 devices"]);
    let sealed = COD.replace("[device.mqtt]", "[device.mqtt]\nseal = \"required\"");
    check(
        &sealed,
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1`, [device.mqtt]: keys.toml has no `mac_key` and no `ed25519` for it: add it below the device's name"
        ],
    );
    let mac_key = RAIN_KEYS.replace("[rain-1]\n", COD_KEYS);
    check(&sealed, &mac_key, expect!["1 devices"]);
    check(
        COD,
        &mac_key,
        expect![
            "keys line 1: device `cod-1` does not use `mac_key`: compare its entry in devices.toml, or remove the key"
        ],
    );
    check(
        &sealed,
        &format!("{mac_key}{}", mac_key.lines().nth(2).unwrap().replace("mac_key", "ed25519")),
        expect![
            "keys line 1: device `cod-1` does not use `ed25519`: compare its entry in devices.toml, or remove the key"
        ],
    );
}

#[test]
fn keys_of_no_device_are_listed_and_do_no_harm() {
    let check = |devices: &str, keys: &str, expected: Expect| {
        let table = read(devices, keys).unwrap();
        let unused: Vec<String> = table.unused_keys().iter().map(ToString::to_string).collect();
        expected.assert_eq(&unused.join("\n"));
    };
    check(COD, COD_KEYS, expect![""]);
    check(
        COD,
        &format!("[zinc-1]\npassword = \"river-otter-8\"\n{COD_KEYS}[cod-2]\n"),
        expect![[r#"
            keys.toml, line 1: devices.toml has no device `zinc-1`: did you mean `cod-1`? Else remove these keys
            keys.toml, line 5: devices.toml has no device `cod-2`: did you mean `cod-1`? Else remove these keys"#]],
    );
    check(
        "",
        "[cod-1]\npassword = \"river-otter-7\"\n",
        expect![
            "keys.toml, line 1: devices.toml has no device `cod-1`: did you mean another name? Else remove these keys"
        ],
    );
}

#[test]
fn faults_name_line_and_key() {
    check("[[device]\n", "", expect!["devices line 1: unclosed array table, expected `]`"]);
    check("", "[cod-1\n", expect!["keys line 1: unclosed table, expected `]`"]);
    check(
        &COD.replace("[device.mqtt]", "[device.mqtt]\npassword = \"x\""),
        COD_KEYS,
        expect![
            "devices line 5: unknown field `password`, expected one of `certificate`, `topic`, `topics`, `command_topic`, `seal`"
        ],
    );
    check(
        &COD.replace("[device.mqtt]", ""),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1` has none of [device.mqtt], [device.lorawan], [device.serial] and [device.chirpstack]: give it exactly one"
        ],
    );
    check(
        &COD.replace("[device.mqtt]", "[device.mqtt]\n[device.serial]\nid = 1"),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1` has several of [device.mqtt], [device.lorawan], [device.serial] and [device.chirpstack]: give it exactly one"
        ],
    );
    check(
        &format!("{COD}{}", &FLOW.replace("[[device]]\nname = \"flow-1\"", "")),
        COD_KEYS,
        expect!["devices line 12: duplicate key"],
    );
    check(
        &FLOW.replace("flow-1", "flow 1"),
        "",
        expect!["devices line 3: `flow 1` is not a device name: use 1 to 64 of A-Z a-z 0-9 _ . -"],
    );
    check(
        &COD.replace("mg/L", "mgL"),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1`, [device.codec]: `fields[0]`: unit `mgL` is not known: did you mean `mg/L`, `mL`, `mg`?"
        ],
    );
    let topics = |topics: &str| COD.replace("[device.mqtt]", &format!("[device.mqtt]\n{topics}"));
    check(
        &topics("topic = \"d/+/up\""),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1`, [device.mqtt]: topic `d/+/up` has a wildcard (`+` or `#`): write the device's exact topics"
        ],
    );
    check(
        &topics("topics = []"),
        COD_KEYS,
        expect!["devices line 2: device `cod-1`, [device.mqtt]: `topics` has 0 entries: list 1 to 16"],
    );
    check(
        &topics("topics = [\"a\"]\ntopic = \"a\""),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1`, [device.mqtt]: both `topic` and `topics` are given: write one of them"
        ],
    );
    check(
        &topics("topic = \"d/cod-1/down\""),
        COD_KEYS,
        expect![
            "devices line 2: device `cod-1`: topic `d/cod-1/down` is already in use: give each device topics of its own"
        ],
    );
    let lorawan = |more: &str| FLOW.replace("[device.lorawan]", &format!("[device.lorawan]\n{more}"));
    check(
        &lorawan("dev_eui = \"24e124538c458373\""),
        FLOW_KEYS,
        expect![
            "devices line 2: device `flow-1`, [device.lorawan]: it has both of `dev_eui` and `dev_addr`: write `dev_eui` if it joins (OTAA), `dev_addr` if it does not (ABP)"
        ],
    );
    check(
        &lorawan("join_eui = \"24e124538c458373\""),
        FLOW_KEYS,
        expect![
            "devices line 2: device `flow-1`, [device.lorawan]: `join_eui` belongs to a device that joins: write `dev_eui` beside it, or remove it"
        ],
    );
    check(
        &lorawan("version = \"1.0.1\""),
        FLOW_KEYS,
        expect!["devices line 5: unknown variant `1.0.1`, expected one of `1.0.2`, `1.0.3`, `1.0.4`, `1.1`"],
    );
    check(
        &FLOW.replace("dev_addr = \"26010001\"", ""),
        FLOW_KEYS,
        expect![
            "devices line 2: device `flow-1`, [device.lorawan]: it has neither of `dev_eui` and `dev_addr`: write `dev_eui` if it joins (OTAA), `dev_addr` if it does not (ABP)"
        ],
    );
    check(
        &LEVEL.replace("version", "counter_reset = true\nversion"),
        LEVEL_KEYS,
        expect![
            "devices line 2: device `level-1`, [device.lorawan]: `counter_reset` is for devices without a join (ABP): a device that joins gets new counters by joining"
        ],
    );
}

#[test]
fn two_devices_cannot_be_confused() {
    check(
        &format!("{COD}{COD}"),
        COD_KEYS,
        expect!["devices line 9: device `cod-1` stands twice: give each its own name"],
    );
    check(
        &COD.replace("name = \"cod-1\"", "name = \"weir-self-test\""),
        "",
        expect!["devices line 2: `weir-self-test` is the client of weir self-test: give the device another name"],
    );
    let [level, rain] = [LEVEL, RAIN].map(|text| text.replace("-1", "-2"));
    let [level_keys, rain_keys] = [LEVEL_KEYS, RAIN_KEYS].map(|text| text.replace("-1]", "-2]"));
    check(
        &format!("{LEVEL}{level}"),
        &format!("{LEVEL_KEYS}{level_keys}"),
        expect![
            "devices line 10: device `level-2`: dev_eui 24e124538c458373 is that of `level-1`: compare it with the label of the device"
        ],
    );
    check(
        &format!("{RAIN}{rain}"),
        &format!("{RAIN_KEYS}{rain_keys}"),
        expect![
            "devices line 9: device `rain-2`: [device.serial] id 7 is that of `rain-1`: compare it with the label of the device"
        ],
    );
    let other = COD.replace("cod-1", "cod-2").replace("[device.mqtt]", "[device.mqtt]\ntopic = \"d/cod-1/down\"");
    check(
        &format!("{COD}{other}"),
        &format!("{COD_KEYS}{}", COD_KEYS.replace("cod-1", "cod-2")),
        expect![
            "devices line 9: device `cod-2`: topic `d/cod-1/down` is already in use: give each device topics of its own"
        ],
    );
    let of = |text: &str, count: usize| -> String {
        (0..count).map(|n| text.replace("flow-1", &format!("flow-{n}"))).collect()
    };
    check(
        &of(FLOW, 17),
        &of(FLOW_KEYS, 17),
        expect![
            "devices line 114: device `flow-16`: 16 devices have DevAddr 26010001 already: personalise it with another address"
        ],
    );
    check(
        &of(FLOW, 2_001),
        "",
        expect!["devices 2001 devices are more than the 2000 of one box: split them over two boxes"],
    );
}

#[test]
fn what_will_not_work_well_is_found() {
    let flow = FLOW.replace("26010001\"", "26010001\"\nclass = \"C\"");
    let table = read(&format!("{COD}{flow}{LEVEL}"), &format!("{COD_KEYS}{FLOW_KEYS}{LEVEL_KEYS}")).unwrap();
    let flow = || SourceId::new("flow-1").unwrap();
    let public = Finding::PublicDevAddr { device: flow(), dev_addr: DevAddr::from_u32(0x2601_0001) };
    assert_eq!(table.check(Region::Eu868), std::slice::from_ref(&public));
    assert_eq!(table.check(Region::Cn470), [public, Finding::DeafClassC { device: flow() }]);
}
