//! `stat`: how the gateway is, every 30 s.

use serde::{Deserialize, Serialize};

/// A gateway's status report. All fields may be missing; counters count since the last report.
///
/// Falling `rxok`/`rxnb` means interference or a bad antenna; `rxok` > 0 with `rxfw` = 0 means that the
/// forwarder is configured to drop what it receives.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Stat {
    /// The gateway's own clock, as it wrote it; at most 64 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Latitude, degrees, north positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lati: Option<f64>,
    /// Longitude, degrees, east positive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long: Option<f64>,
    /// Altitude, m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alti: Option<f64>,
    /// Frames heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rxnb: Option<u32>,
    /// Frames heard with a right CRC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rxok: Option<u32>,
    /// Frames forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rxfw: Option<u32>,
    /// PUSH_DATA that were acknowledged, percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ackr: Option<f64>,
    /// Downlinks received from the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dwnb: Option<u32>,
    /// Downlinks sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub txnb: Option<u32>,
}

impl Stat {
    /// None if it is no such object: a status report is a courtesy, its loss spoils nothing.
    pub(super) fn parse(json: &str) -> Option<Stat> {
        let stat: Stat = super::object(json.as_bytes()).ok()?;
        Some(Stat { time: super::short(stat.time), ..stat })
    }
}
