//! The way a frame came, in a few words behind its line.

use record::{Link, Reception, Seal};

use crate::lang::Lang;

/// `[lora fcnt 7 gw 0016c001ff10a235 -88 dBm, heard by 3 gateways]`
pub(super) fn show(link: &Link, lang: Lang) -> String {
    match link {
        Link::Mqtt { qos, level, seal, .. } => format!("[mqtt{level} qos{qos}{}]", sealed(seal.as_ref(), lang)),
        Link::Serial { port, seal } => format!("[serial {port}{}]", sealed(seal.as_ref(), lang)),
        Link::Lora { gateway, f_cnt, rssi_dbm, others, .. } => {
            let count = gateways(others.len().saturating_add(1), lang);
            format!("[lora fcnt {f_cnt} gw {gateway}{}{count}]", rssi(*rssi_dbm))
        }
        Link::Chirpstack { dev_eui, f_cnt, heard_by, .. } => {
            let best = heard_by.first().map_or_else(String::new, |Reception { gateway, rssi_dbm, .. }| {
                format!(" gw {gateway}{}{}", rssi(*rssi_dbm), gateways(heard_by.len(), lang))
            });
            let warning = lang.pick(", verified by ChirpStack, not by this box", "，由 ChirpStack 验证，本机未验证");
            format!("[chirpstack {dev_eui} fcnt {f_cnt}{best}{warning}]")
        }
        Link::Join { gateway, dev_eui, dev_nonce, rssi_dbm, dev_addr, .. } => {
            let given = match dev_addr {
                Some(dev_addr) => format!(" -> DevAddr {dev_addr:08x}"),
                None => String::new(),
            };
            format!("[join DevEUI {dev_eui} DevNonce {dev_nonce}{given} gw {gateway}{}]", rssi(*rssi_dbm))
        }
    }
}

fn rssi(dbm: Option<i16>) -> String {
    dbm.map_or_else(String::new, |dbm| format!(" {dbm} dBm"))
}

/// Nothing for the one gateway that is named anyway.
fn gateways(count: usize, lang: Lang) -> String {
    match (count, lang) {
        (0 | 1, _) => String::new(),
        (count, Lang::En) => format!(", heard by {count} gateways"),
        (count, Lang::Zh) => format!("，{count} 个网关收到"),
    }
}

/// Algorithm numbers of the IANA COSE registry, as far as a device may use them.
fn sealed(seal: Option<&Seal>, lang: Lang) -> String {
    let Some(Seal { counter, alg, .. }) = seal else { return String::new() };
    let alg = match alg {
        -8 => "EdDSA".to_owned(),
        4 => "HMAC 256/64".to_owned(),
        5 => "HMAC 256/256".to_owned(),
        other => format!("alg {other}"),
    };
    format!("{} {alg} {counter}", lang.pick(", sealed", "，帧签封"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use record::GatewayEui;

    fn check(link: &Link, lang: Lang, expected: Expect) {
        expected.assert_eq(&show(link, lang));
    }

    fn heard(last: u8) -> Reception {
        let gateway = GatewayEui([0, 0x16, 0xc0, 0x01, 0xff, 0x10, 0xa2, last]);
        Reception { gateway, rssi_dbm: Some(-88), snr_ddb: Some(75), tmst_us: 1 }
    }

    #[test]
    fn a_link_says_who_heard_and_who_verified() {
        let dev_eui = GatewayEui([1, 2, 3, 4, 5, 6, 7, 8]);
        let mut chirpstack = Link::Chirpstack {
            dev_eui,
            dev_addr: 0x0100_0001,
            f_cnt: 9,
            f_port: 2,
            frequency_hz: 0,
            heard_by: vec![heard(1), heard(2)],
        };
        check(
            &chirpstack,
            Lang::En,
            expect![
                "[chirpstack 0102030405060708 fcnt 9 gw 0016c001ff10a201 -88 dBm, heard by 2 gateways, verified by ChirpStack, not by this box]"
            ],
        );
        if let Link::Chirpstack { heard_by, .. } = &mut chirpstack {
            heard_by.clear();
        }
        check(&chirpstack, Lang::Zh, expect!["[chirpstack 0102030405060708 fcnt 9，由 ChirpStack 验证，本机未验证]"]);
        let join = Link::Join {
            gateway: heard(1).gateway,
            dev_eui,
            join_eui: dev_eui,
            dev_nonce: 300,
            frequency_hz: 868_100_000,
            data_rate: "SF7BW125".into(),
            rssi_dbm: None,
            snr_ddb: None,
            dev_addr: Some(0x0100_00ab),
        };
        check(
            &join,
            Lang::En,
            expect!["[join DevEUI 0102030405060708 DevNonce 300 -> DevAddr 010000ab gw 0016c001ff10a201]"],
        );
        let seal = Some(Seal { counter: 41, device_ms: None, alg: -8 });
        let serial = |seal| Link::Serial { port: "lora-uart".into(), seal };
        check(&serial(seal), Lang::En, expect!["[serial lora-uart, sealed EdDSA 41]"]);
        check(&serial(None), Lang::Zh, expect!["[serial lora-uart]"]);
        let mqtt = Link::Mqtt { topic: "t".into(), qos: 1, packet_id: Some(1), level: 5, seal };
        check(&mqtt, Lang::Zh, expect!["[mqtt5 qos1，帧签封 EdDSA 41]"]);
    }
}
