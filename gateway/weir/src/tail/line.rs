//! One record in one line.

use record::{
    Body, ClockQuality, CodecText, Decimal, Frame, Quality, Reading, RecordAt, Redecoded, SourceId, TextValue,
};

use super::link;
use crate::lang::Lang;
use crate::output;

/// The record for people, or as JSON.
pub(super) fn show(record: &RecordAt, json: bool, lang: Lang) -> String {
    if json {
        return serde_json::to_string(record).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    }
    let stamp = &record.record.stamp;
    let doubt = match stamp.clock {
        ClockQuality::Synchronised => "",
        _ => "?",
    };
    format!("{:>8}  {}{doubt}  {}", record.seq.0, output::time(stamp.wall_ms), body(&record.record.body, lang))
}

fn body(body: &Body, lang: Lang) -> String {
    match body {
        Body::Boot(boot) => format!("boot {} weir {}", boot.boot_id, boot.version),
        Body::Frame(Frame { source, link, readings: of_frame, texts, codec, .. }) => {
            let codec = codec.map_or_else(String::new, |codec| format!("  codec {codec}"));
            format!("{source}  {}{}{codec}", readings(of_frame, texts), link::show(link, lang))
        }
        Body::Rejected(rejected) => {
            let source = rejected.source.as_ref().map_or("?", SourceId::as_str);
            let (why, bytes) = (rejected.why.as_str(), rejected.raw.len());
            let link = link::show(&rejected.link, lang);
            format!("{source}  REJECTED {why}: {} ({bytes} B)  {link}", rejected.detail)
        }
        Body::Alarm(step) => {
            let value = step.value.map_or_else(String::new, |value: Decimal| format!(" at {value}"));
            let (from, to) = (step.from.as_str(), step.to.as_str());
            let (rule, quantity) = (&step.rule, &step.quantity);
            format!("{}  ALARM {rule} {quantity}: {from} -> {to}{value}, limit {}", step.source, step.limit)
        }
        Body::Codec(CodecText { id, text }) => {
            let came = lang.pick("came into use", "开始使用");
            format!("codec {id} {came} ({} B)", text.len())
        }
        Body::Redecoded(Redecoded { source, of, codec, readings: anew, texts }) => {
            let says = lang.pick("REDECODED, replaces the readings of record", "重新解码，取代记录的读数");
            format!("{source}  {says} {of}  {}codec {codec}", readings(anew, texts))
        }
    }
}

/// `cod 40.1 mg/L  `, each followed by two spaces.
fn readings(readings: &[Reading], texts: &[TextValue]) -> String {
    readings.iter().map(|reading| format!("{}  ", self::reading(reading, texts))).collect()
}

/// What a sensor sent instead of a number stands where the number would.
pub(crate) fn reading(reading: &Reading, texts: &[TextValue]) -> String {
    let text = || texts.iter().find(|text| text.quantity == reading.quantity).map(|text| format!("{:?}", text.text));
    let value = reading.value.map(|value| value.to_string()).or_else(text).unwrap_or_else(|| "-".to_owned());
    let doubt = match reading.quality {
        Quality::Good => String::new(),
        quality => format!(" ({})", quality.as_str()),
    };
    format!("{} {value} {}{doubt}", reading.quantity, reading.unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use record::{BootNo, CodecId, GatewayEui, Link, MonoMs, Quantity, Record, Seq, Stamp, Unit, UnixMs};

    fn check(body: Body, lang: Lang, expected: Expect) {
        let stamp = Stamp {
            boot: BootNo(0),
            mono_ms: MonoMs(5),
            wall_ms: UnixMs(1_777_888_800_000),
            clock: ClockQuality::Synchronised,
        };
        expected.assert_eq(&show(&RecordAt { seq: Seq(7), record: Record { stamp, body } }, false, lang));
    }

    fn reading(value: Option<Decimal>) -> Reading {
        let quality = if value.is_some() { Quality::Good } else { Quality::NotANumber };
        let (quantity, unit) = (Quantity::new("cod").unwrap(), Unit::new("mg/L").unwrap());
        Reading { quantity, unit, value, quality, at_ms: None }
    }

    #[test]
    fn codecs_and_what_they_say_have_their_lines() {
        let source = SourceId::new("cod-1").unwrap();
        let (first, second) = (CodecId::of("first"), CodecId::of("second"));
        check(
            Body::Codec(CodecText { id: first, text: "first".into() }),
            Lang::En,
            expect!["       7  2026-05-04T10:00:00.000Z  codec a7937b64b8caa58f came into use (5 B)"],
        );
        let frame = Frame {
            source: source.clone(),
            link: Link::Lora {
                gateway: GatewayEui([0; 8]),
                dev_addr: 1,
                f_cnt: 3,
                f_port: Some(2),
                frequency_hz: 868_100_000,
                data_rate: "SF7BW125".into(),
                rssi_dbm: Some(-90),
                snr_ddb: None,
                tmst_us: 0,
                others: Vec::new(),
            },
            raw: vec![1],
            readings: vec![reading(None)],
            codec: Some(first),
            texts: vec![TextValue::new(Quantity::new("cod").unwrap(), "No Sensor")],
        };
        check(
            Body::Frame(frame),
            Lang::En,
            expect![[
                r#"       7  2026-05-04T10:00:00.000Z  cod-1  cod "No Sensor" mg/L (not_a_number)  [lora fcnt 3 gw 0000000000000000 -90 dBm]  codec a7937b64b8caa58f"#
            ]],
        );
        let value = Decimal::parse("40.1").ok();
        let anew = Redecoded { source, of: Seq(3), codec: second, readings: vec![reading(value)], texts: Vec::new() };
        check(
            Body::Redecoded(anew),
            Lang::Zh,
            expect![
                "       7  2026-05-04T10:00:00.000Z  cod-1  重新解码，取代记录的读数 3  cod 40.1 mg/L  codec 16367aacb67a4a01"
            ],
        );
    }
}
