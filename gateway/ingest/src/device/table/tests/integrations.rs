//! MQTT clients that are no devices, and the devices of a ChirpStack.

use expect_test::expect;

use super::*;
use crate::IntegrationKind;

const CHIRPSTACK: &str = "[[integration]]\nname = \"chirpstack\"\nkind = \"chirpstack\"\n";
const READER: &str = "[[integration]]\nname = \"node-red\"\nkind = \"reader\"\ncertificate = true\nenabled = false\n";
const KEYS: &str = "[chirpstack]\npassword = \"river-otter-8\"\n";

#[test]
fn integrations_stand_beside_the_devices() {
    let table = read(&format!("{COD}{CHIRPSTACK}{READER}"), &format!("{COD_KEYS}{KEYS}")).unwrap();
    let shown: Vec<_> = table.integrations().map(|i| (i.name.as_str(), i.kind.as_str(), i.enabled)).collect();
    assert_eq!(shown, [("chirpstack", "chirpstack", true), ("node-red", "reader", false)]);
    assert_eq!(table.chirpstack().map(|chirpstack| chirpstack.kind), Some(IntegrationKind::Chirpstack));
    assert!(table.by_name(&SourceId::new("chirpstack").unwrap()).is_none(), "it is no device");
    assert!(table.unused_keys().is_empty());
    assert!(!format!("{table:?}").contains("river-otter"));
}

#[test]
fn integrations_that_cannot_work_say_why() {
    check(
        CHIRPSTACK,
        "",
        expect![
            "devices line 1: integration `chirpstack`: keys.toml has no `password` for it: add it below the device's name"
        ],
    );
    let second = CHIRPSTACK.replace("\"chirpstack\"\nkind", "\"other\"\nkind");
    check(
        &format!("{CHIRPSTACK}{second}"),
        &format!("{KEYS}[other]\npassword = \"river-otter-9\"\n"),
        expect!["devices line 4: integration `other` is a second ChirpStack: a box has one"],
    );
    check(
        &format!("{COD}{}", READER.replace("node-red", "cod-1")),
        COD_KEYS,
        expect!["devices line 8: device `cod-1` stands twice: give each its own name"],
    );
    let many: String = (0..17).map(|n| READER.replace("node-red", &format!("r-{n}"))).collect();
    check(&many, "", expect!["devices line 81: more than 16 integrations: let several programs share one as readers"]);
    check(
        &CHIRPSTACK.replace("kind = \"chirpstack\"", "kind = \"ttn\""),
        KEYS,
        expect!["devices line 3: unknown variant `ttn`, expected `chirpstack` or `reader`"],
    );
    check(
        CHIRPSTACK,
        &format!("{KEYS}mac_key = \"{}\"\n", "00".repeat(32)),
        expect![
            "keys line 1: device `chirpstack` does not use `mac_key`: compare its entry in devices.toml, or remove the key"
        ],
    );
}

#[test]
fn what_chirpstack_decoded_is_json() {
    let gate = |more: &str, codec: &str| {
        format!(
            "[[device]]\nname = \"gate-1\"\n[device.chirpstack]\ndev_eui = \"0101010101010101\"\n{more}\n[device.codec]\n{codec}\n"
        )
    };
    let json = "kind = \"json\"\nfields = [{ path = \"/level\", quantity = \"level\", unit = \"m\" }]";
    let object = "payload = \"object\"";
    check(&gate(object, json), "", expect!["1 devices"]);
    check(
        &gate(object, "kind = \"cayenne_lpp\""),
        "",
        expect![[
            r#"devices line 1: device `gate-1`: payload = "object" is a JSON document: give [device.codec] kind = "json", or read the device's own bytes with payload = "data""#
        ]],
    );
    let findings = |text: &str, keys: &str| {
        let found = read(text, keys).unwrap().check(Region::Eu868);
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(findings(&format!("{}{CHIRPSTACK}", gate(object, json)), KEYS).is_empty());
    let found = findings(&gate("", json), "");
    assert!(
        found.len() == 2 && found[0].contains("too few for JSON") && found[1].contains("[[integration]]"),
        "{found:?}"
    );
}
