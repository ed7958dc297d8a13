//! The mappings of `config/codecs`, each with the example that its maker publishes.

use expect_test::{Expect, expect};

use crate::codec::tests::check_on_port;

macro_rules! shipped {
    ($file:literal) => {
        include_str!(concat!("../../../../../../config/codecs/", $file, ".toml"))
    };
}

fn check(config: &str, payload: &str, f_port: u8, expected: Expect) {
    check_on_port(config, &hex::decode(payload).unwrap(), Some(f_port), expected);
}

#[test]
fn milesight() {
    check(
        shipped!("milesight-em500-swl"),
        "01755c03770200",
        85,
        expect![[r#"
        battery_level 92 % good
        level 2 cm good
    "#]],
    );
    check(
        shipped!("milesight-em310-udl"),
        "01755c03824408040001",
        85,
        expect![[r#"
        battery_level 92 % good
        distance 2116 mm good
        tilted 1 1 good
    "#]],
    );
}

#[test]
fn decentlab() {
    check(
        shipped!("decentlab-dl-ctd10"),
        "0207d9000390888081006400000c60",
        1,
        expect![[r#"
        level 4232 mm good
        water_temperature 12.9 Cel good
        conductivity 100 uS/cm good
        frozen 0 1 good
        battery_voltage 3.168 V good
    "#]],
    );
    check(
        shipped!("decentlab-dl-ctd10"),
        "0207d900020c60",
        1,
        expect![[r#"
        battery_voltage 3.168 V good
    "#]],
    );
    check(
        shipped!("decentlab-dl-pr26"),
        "02016700033e8060170c7f",
        1,
        expect![[r#"
        pressure -0.01171875 bar good
        water_temperature 25.671875 Cel good
        battery_voltage 3.199 V good
    "#]],
    );
    check(
        shipped!("decentlab-dl-pheht"),
        "0252b800030000884282c77f637ff60c5c",
        1,
        expect![[r#"
        water_temperature 21.14 Cel good
        ph 7.11 [pH] good
        redox -15.7 mV good
        battery_voltage 3.164 V good
    "#]],
    );
    check(
        shipped!("decentlab-dl-optod"),
        "02186c000300008862a618836583650c60",
        1,
        expect![[r#"
        water_temperature 21.46 Cel good
        oxygen_saturation 97.52 % good
        dissolved_oxygen 8.69 mg/L good
        battery_voltage 3.168 V good
    "#]],
    );
    check(
        shipped!("decentlab-dl-ntu"),
        "022332000300008885013e013e02330b10",
        1,
        expect![[r#"
        water_temperature 21.81 Cel good
        turbidity 31.8 {NTU} good
        battery_voltage 2.832 V good
    "#]],
    );
    // Another version of the protocol means other bytes.
    check(
        shipped!("decentlab-dl-ntu"),
        "032332000300008885013e013e02330b10",
        1,
        expect![
            "error: none of the mapping's fields is in the payload (water_temperature, turbidity, battery_voltage): compare `[device.codec]` with what it sends"
        ],
    );
}

#[test]
fn dragino() {
    check(
        shipped!("dragino-ldds75"),
        "0b450b0500010501",
        2,
        expect![[r#"
        battery_voltage 2.885 V good
        distance 2821 mm good
        air_temperature 26.1 Cel good
    "#]],
    );
    check(
        shipped!("dragino-ldds75"),
        "0b450014007fff00",
        2,
        expect![[r#"
        battery_voltage 2.885 V good
        distance - mm not_a_number
        air_temperature - Cel not_a_number
        warning: distance has no value: the sensor sent `20`
        warning: air_temperature has no value: the sensor sent `32767`
    "#]],
    );
}
