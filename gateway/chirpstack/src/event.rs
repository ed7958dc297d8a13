//! Any event of ChirpStack's: an uplink, or news of a device.

use record::EndDeviceEui;
use serde::Deserialize;

use crate::template::eui;
use crate::{EVENT_BYTES_MAX, Topic, Up, UpError};

/// Longest text of a log entry that is kept, in characters.
const TEXT_CHARS_MAX: usize = 200;

/// What ChirpStack told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An uplink.
    Up(Box<Up>),
    /// Something else of a device.
    News(EndDeviceEui, News),
}

/// What ChirpStack tells of a device beside its uplinks. Nothing of it is a measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// It joined.
    Join,
    /// It acknowledged a command, or did not (`ack`).
    Ack {
        /// Whether it did.
        acknowledged: bool,
    },
    /// A gateway sent it a command (`txack`).
    TxAck,
    /// Something went wrong, or is worth a look.
    Log {
        /// `INFO`, `WARNING` or `ERROR`.
        level: String,
        /// `UPLINK_MIC`, `OTAA`, `DOWNLINK_GATEWAY`, ...
        code: String,
        /// In ChirpStack's words, shortened.
        description: String,
    },
    /// What it answered to DevStatusReq.
    Status {
        /// At how many dB above its floor it heard the question.
        margin_db: i8,
        /// Its source of power.
        power: Power,
    },
    /// A position (`location`).
    Location,
    /// Of another integration of ChirpStack's (`integration`).
    Integration,
}

/// What a device lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Power {
    /// A line.
    External,
    /// A battery that is this full, in percent.
    Battery(u8),
    /// It cannot tell.
    Unknown,
}

impl News {
    /// ChirpStack's name of the event.
    pub fn kind(&self) -> &'static str {
        match self {
            News::Join => "join",
            News::Ack { .. } => "ack",
            News::TxAck => "txack",
            News::Log { .. } => "log",
            News::Status { .. } => "status",
            News::Location => "location",
            News::Integration => "integration",
        }
    }
}

/// Why an event is not used.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Not an event that ChirpStack 4 has.
    #[error("ChirpStack 4 has no event `{kind}`: is the topic that of an integration?")]
    Kind {
        /// As the topic says, shortened.
        kind: String,
    },
    /// Beyond [`EVENT_BYTES_MAX`].
    #[error("event of {bytes} bytes is longer than {EVENT_BYTES_MAX}: reduce what ChirpStack adds to it")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// An uplink that cannot be read.
    #[error(transparent)]
    Up(UpError),
    /// Not JSON, or a field of another type than ChirpStack 4 writes.
    #[error("event is not the JSON of ChirpStack 4: set `json=true` in ChirpStack's [integration.mqtt]")]
    Json(#[source] serde_json::Error),
    /// The topic is that of another device than the event.
    #[error("the topic's DevEUI {topic} is not the event's: the event is damaged or made up")]
    DevEui {
        /// Of the topic.
        topic: EndDeviceEui,
    },
}

/// An event that is no uplink, as it travels.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    device_info: DeviceInfo,
    #[serde(default)]
    acknowledged: bool,
    #[serde(default)]
    level: String,
    #[serde(default)]
    code: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    margin: i32,
    #[serde(default)]
    external_power_source: bool,
    #[serde(default)]
    battery_level_unavailable: bool,
    #[serde(default)]
    battery_level: f64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeviceInfo {
    #[serde(default)]
    dev_eui: String,
}

impl Event {
    /// Reads the JSON of an event that came on this topic.
    ///
    /// # Errors
    /// [`EventError`] by cause.
    pub fn parse(topic: Topic<'_>, json: &[u8]) -> Result<Event, EventError> {
        if topic.kind == "up" {
            let up = Up::parse(json).map_err(EventError::Up)?;
            return match up.dev_eui == topic.dev_eui {
                true => Ok(Event::Up(Box::new(up))),
                false => Err(EventError::DevEui { topic: topic.dev_eui }),
            };
        }
        if json.len() > EVENT_BYTES_MAX {
            return Err(EventError::TooLong { bytes: json.len() });
        }
        let told = |kind: fn(&Told) -> News| {
            let told: Told = serde_json::from_slice(json).map_err(EventError::Json)?;
            match eui(&told.device_info.dev_eui) == Some(topic.dev_eui) {
                true => Ok(Event::News(topic.dev_eui, kind(&told))),
                false => Err(EventError::DevEui { topic: topic.dev_eui }),
            }
        };
        match topic.kind {
            "join" => told(|_| News::Join),
            "ack" => told(|told| News::Ack { acknowledged: told.acknowledged }),
            "txack" => told(|_| News::TxAck),
            "log" => told(Told::log),
            "status" => told(Told::status),
            "location" => told(|_| News::Location),
            "integration" => told(|_| News::Integration),
            other => Err(EventError::Kind { kind: shortened(other) }),
        }
    }
}

impl Told {
    /// The least of each enum is its default value, and so absent.
    fn log(&self) -> News {
        let or = |text: &str, absent: &str| shortened(if text.is_empty() { absent } else { text });
        News::Log {
            level: or(&self.level, "INFO"),
            code: or(&self.code, "UNKNOWN"),
            description: shortened(&self.description),
        }
    }

    fn status(&self) -> News {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float to integer cast saturates, and NaN is 0"
        )]
        let percent = (self.battery_level.round() as u8).min(100);
        let power = match (self.external_power_source, self.battery_level_unavailable) {
            (true, _) => Power::External,
            (false, true) => Power::Unknown,
            (false, false) => Power::Battery(percent),
        };
        let margin_db = self.margin.clamp(i8::MIN.into(), i8::MAX.into());
        News::Status { margin_db: i8::try_from(margin_db).unwrap_or_default(), power }
    }
}

/// A text of others, fit for one line.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(kind: &str, more: &str, expected: Expect) {
        let json = format!(r#"{{"deviceInfo":{{"devEui":"0101010101010101"}}{more}}}"#);
        let topic = Topic { application_id: "1", dev_eui: record::GatewayEui([1; 8]), kind };
        let shown = match Event::parse(topic, json.as_bytes()) {
            Ok(Event::Up(up)) => format!("up {}", up.f_cnt),
            Ok(Event::News(_, news)) => format!("{} {news:?}", news.kind()),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn each_kind_with_its_defaults_absent() {
        check("up", r#","fCnt":7"#, expect!["up 7"]);
        check("join", r#","devAddr":"01020304""#, expect!["join Join"]);
        check("ack", "", expect!["ack Ack { acknowledged: false }"]);
        check("ack", r#","acknowledged":true,"fCntDown":3"#, expect!["ack Ack { acknowledged: true }"]);
        check("txack", r#","downlinkId":123,"gatewayId":"0016c001f153a14c""#, expect!["txack TxAck"]);
        check("log", "", expect![[r#"log Log { level: "INFO", code: "UNKNOWN", description: "" }"#]]);
        check(
            "log",
            r#","level":"ERROR","code":"UPLINK_MIC","description":"MIC of uplink\n invalid","context":{"a":"b"}"#,
            expect![[r#"log Log { level: "ERROR", code: "UPLINK_MIC", description: "MIC of uplink invalid" }"#]],
        );
        check("status", "", expect!["status Status { margin_db: 0, power: Battery(0) }"]);
        check(
            "status",
            r#","margin":-7,"batteryLevel":95.3"#,
            expect!["status Status { margin_db: -7, power: Battery(95) }"],
        );
        check(
            "status",
            r#","externalPowerSource":true,"margin":1000"#,
            expect!["status Status { margin_db: 127, power: External }"],
        );
        check(
            "status",
            r#","batteryLevelUnavailable":true"#,
            expect!["status Status { margin_db: 0, power: Unknown }"],
        );
        check("location", r#","location":{"latitude":1.5}"#, expect!["location Location"]);
        check("integration", r#","object":{}"#, expect!["integration Integration"]);
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        check(
            "up",
            r#","fCnt":"7""#,
            expect![
                "event is not the JSON of a ChirpStack 4 `up` event: set `json=true` in ChirpStack's MQTT integration"
            ],
        );
        check("rejoin", "", expect!["ChirpStack 4 has no event `rejoin`: is the topic that of an integration?"]);
        check(
            "log",
            r#","level":3"#,
            expect!["event is not the JSON of ChirpStack 4: set `json=true` in ChirpStack's [integration.mqtt]"],
        );
        let other = Topic { application_id: "1", dev_eui: record::GatewayEui([2; 8]), kind: "" };
        for kind in ["up", "log"] {
            let parsed = Event::parse(Topic { kind, ..other }, br#"{"deviceInfo":{"devEui":"0101010101010101"}}"#);
            assert!(matches!(parsed, Err(EventError::DevEui { .. })), "{kind}");
        }
    }
}
