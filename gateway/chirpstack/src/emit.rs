//! Our own uplinks in ChirpStack's schema.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use record::{EndDeviceEui, Reading, Reception, UnixMs};
use serde_json::{Map, Value, json};

use crate::{Topic, uuid};

/// An uplink that this box verified, to be told to flows that listen for ChirpStack's events.
#[derive(Debug, Clone, Copy)]
pub struct Uplink<'a> {
    /// The name under which the application is known in topics.
    pub application_id: &'a str,
    /// The device's name in the device table.
    pub device: &'a str,
    /// DevEUI.
    pub dev_eui: EndDeviceEui,
    /// DevAddr, as a number.
    pub dev_addr: u32,
    /// The full frame counter.
    pub f_cnt: u32,
    /// FPort, if the frame has one.
    pub f_port: Option<u8>,
    /// FCtrl.ADR.
    pub adr: bool,
    /// Number of the data rate in the band plan (RP002).
    pub dr: u8,
    /// Whether the device listens always (class C).
    pub class_c: bool,
    /// Whether the device asked for an acknowledgement.
    pub confirmed: bool,
    /// FRMPayload in plain text.
    pub payload: &'a [u8],
    /// The whole PHYPayload; only its hash is told.
    pub phy: &'a [u8],
    /// What was decoded.
    pub readings: &'a [Reading],
    /// When the frame came in, by the box's clock; none if that does not know the time (T1).
    pub at: Option<UnixMs>,
    /// Gateways that heard it, best first.
    pub heard_by: &'a [Reception],
    /// Hz.
    pub frequency_hz: u32,
    /// kHz and spreading factor, if it was LoRa.
    pub lora: Option<(u32, u8)>,
    /// The band plan, as ChirpStack names it: `eu868`.
    pub region: &'a str,
}

impl Uplink<'_> {
    /// Where it is published.
    pub fn topic(&self) -> Topic<'_> {
        Topic { application_id: self.application_id, dev_eui: self.dev_eui, kind: "up" }
    }

    /// The event, with default values absent as ChirpStack leaves them out.
    pub fn to_json(&self) -> String {
        let mut event = Map::new();
        // Equal for equal frames, so that a flow may use it as ChirpStack's.
        event.insert("deduplicationId".into(), json!(uuid(self.phy)));
        if let Some(at) = self.at {
            event.insert("time".into(), json!(rfc3339(at)));
        }
        let mut info = json!({
            "applicationId": self.application_id, "applicationName": self.application_id,
            "deviceName": self.device, "devEui": self.dev_eui.to_string(),
        });
        if self.class_c {
            info["deviceClassEnabled"] = json!("CLASS_C");
        }
        event.insert("deviceInfo".into(), info);
        event.insert("devAddr".into(), json!(format!("{:08x}", self.dev_addr)));
        let mut unless_default = |name: &str, value: Value| {
            let is_default = value == json!(0) || value == json!(false) || value == json!("");
            if !is_default {
                event.insert(name.into(), value);
            }
        };
        unless_default("adr", json!(self.adr));
        unless_default("dr", json!(self.dr));
        unless_default("fCnt", json!(self.f_cnt));
        unless_default("fPort", json!(self.f_port.unwrap_or(0)));
        unless_default("confirmed", json!(self.confirmed));
        unless_default("data", json!(STANDARD.encode(self.payload)));
        if !self.readings.is_empty() {
            event.insert("object".into(), self.object());
        }
        let rx_info: Vec<Value> = self.heard_by.iter().map(rx_info).collect();
        event.insert("rxInfo".into(), Value::Array(rx_info));
        event.insert("txInfo".into(), self.tx_info());
        event.insert("regionConfigId".into(), json!(self.region));
        Value::Object(event).to_string()
    }

    /// Readings by quantity. Only what was measured and is good: a flow that reads this knows no quality.
    fn object(&self) -> Value {
        let good = self.readings.iter().filter(|reading| reading.quality == record::Quality::Good);
        let value = |reading: &Reading| {
            // The object's numbers are doubles in ChirpStack's schema.
            let value: f64 = reading.value?.to_string().parse().ok()?;
            Some((reading.quantity.to_string(), json!(value)))
        };
        Value::Object(good.filter_map(value).collect())
    }

    fn tx_info(&self) -> Value {
        match self.lora {
            Some((bandwidth_khz, spreading_factor)) => json!({
                "frequency": self.frequency_hz,
                "modulation": { "lora": {
                    "bandwidth": bandwidth_khz.saturating_mul(1_000),
                    "spreadingFactor": spreading_factor,
                    "codeRate": "CR_4_5",
                }},
            }),
            None => json!({ "frequency": self.frequency_hz }),
        }
    }
}

fn rx_info(reception: &Reception) -> Value {
    let mut info = Map::new();
    info.insert("gatewayId".into(), json!(reception.gateway.to_string()));
    info.insert("uplinkId".into(), json!(reception.tmst_us));
    if let Some(rssi) = reception.rssi_dbm.filter(|rssi| *rssi != 0) {
        info.insert("rssi".into(), json!(rssi));
    }
    if let Some(snr) = reception.snr_ddb.filter(|snr| *snr != 0) {
        info.insert("snr".into(), json!(f64::from(snr) / 10.0));
    }
    info.insert("crcStatus".into(), json!("CRC_OK"));
    Value::Object(info)
}

fn rfc3339(at: UnixMs) -> String {
    // A time outside jiff's years cannot come from a clock; the epoch is then as wrong as any.
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use record::{Decimal, GatewayEui, Quality, Quantity, Unit};

    use super::*;
    use crate::Up;

    fn reading(quantity: &str, value: &str, quality: Quality) -> Reading {
        let (quantity, unit) = (Quantity::new(quantity).unwrap(), Unit::new("m").unwrap());
        Reading { quantity, unit, value: Some(Decimal::parse(value).unwrap()), quality, at_ms: None }
    }

    #[test]
    fn an_uplink_reads_back_as_it_was_told() {
        let readings = [reading("level", "1.234", Quality::Good), reading("depth", "99", Quality::OutOfRange)];
        let reception =
            Reception { gateway: GatewayEui([0xaa; 8]), rssi_dbm: Some(-59), snr_ddb: Some(95), tmst_us: 1_000_000 };
        let uplink = Uplink {
            application_id: "weir",
            device: "level-7",
            dev_eui: GatewayEui([1; 8]),
            dev_addr: 0x2601_0001,
            f_cnt: 0,
            f_port: Some(2),
            adr: false,
            dr: 5,
            class_c: true,
            confirmed: true,
            payload: &[1, 2],
            phy: &[0x80, 1, 2],
            readings: &readings,
            at: Some(UnixMs(1_793_491_200_000)),
            heard_by: std::slice::from_ref(&reception),
            frequency_hz: 868_100_000,
            lora: Some((125, 7)),
            region: "eu868",
        };
        let json = uplink.to_json();
        expect![[r#"{"confirmed":true,"data":"AQI=","deduplicationId":"81df78c8-eb7d-8dbf-a35a-d3a08fafc0c0","devAddr":"26010001","deviceInfo":{"applicationId":"weir","applicationName":"weir","devEui":"0101010101010101","deviceClassEnabled":"CLASS_C","deviceName":"level-7"},"dr":5,"fPort":2,"object":{"level":1.234},"regionConfigId":"eu868","rxInfo":[{"crcStatus":"CRC_OK","gatewayId":"aaaaaaaaaaaaaaaa","rssi":-59,"snr":9.5,"uplinkId":1000000}],"time":"2026-11-01T00:00:00Z","txInfo":{"frequency":868100000,"modulation":{"lora":{"bandwidth":125000,"codeRate":"CR_4_5","spreadingFactor":7}}}}"#]].assert_eq(&json);
        let up = Up::parse(json.as_bytes()).unwrap();
        assert_eq!((up.dev_eui, up.dev_addr, up.f_cnt), (uplink.dev_eui, uplink.dev_addr, 0));
        assert_eq!((up.payload.as_bytes(), up.heard_by.as_slice()), (uplink.payload, uplink.heard_by));
        assert!(!Uplink { at: None, ..uplink }.to_json().contains("time"), "T1");
    }
}
