//! The decoders against others: Cayenne LPP as pycayennelpp reads it, SenML as kpn-senml writes it, CBOR as cbor2 and
//! CSV as Python's own csv do.

use ingest::{CayenneLpp, Codec, Senml};
use record::{Quality, Reading, UnixMs};
use serde_json::{Value, json};
use system_tests::Peer;

/// Frames of each kind.
const FRAMES: u64 = 10_000;
/// Billionths: every number here is a whole one of them.
const NANO: i128 = 1_000_000_000;

fn vectors(kind: &str) -> Vec<Value> {
    Peer::new("lpp_senml_vectors.py")
        .with("--kind", kind)
        .with("--count", FRAMES)
        .with("--seed", 7)
        .run()
        .exits(0)
        .lines
}

fn bytes(vector: &Value) -> Vec<u8> {
    let hex = vector["hex"].as_str().unwrap();
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// A decimal text in billionths.
fn nano(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= 9, "{text}");
    let digits = format!("{}{fraction:0<9}", whole.trim_start_matches('-'));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    sign * digits.parse::<i128>().unwrap()
}

fn value(reading: &Reading) -> i128 {
    nano(&reading.value.unwrap_or_else(|| panic!("a value: {reading:?}")).to_string())
}

#[test]
fn cayenne_lpp_is_read_as_pycayennelpp_reads_it() {
    let codec = Codec::CayenneLpp(CayenneLpp::default());
    let vectors = vectors("lpp");
    assert_eq!(vectors.len() as u64, FRAMES);
    for vector in &vectors {
        let decoded = codec.decode(&bytes(vector), UnixMs(0), None).unwrap_or_else(|why| panic!("{vector}: {why}"));
        let expected: Vec<(u64, u64, i128)> = vector["values"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|item| {
                let (channel, kind) = (item["channel"].as_u64().unwrap(), item["type"].as_u64().unwrap());
                let values = item["values"].as_array().unwrap().iter();
                values.map(move |value| (channel, kind, nano(value.as_str().unwrap())))
            })
            .collect();
        assert_eq!(decoded.readings.len(), expected.len(), "{vector}");
        for (reading, (channel, kind, oracle)) in decoded.readings.iter().zip(expected) {
            // Where Weir and the oracle differ in the unit, exactly: g is 9.80665 m/s², and distances stay millimetres.
            let oracle = match kind {
                113 => oracle * 980_665 / 100_000,
                130 => oracle * 1_000,
                _ => oracle,
            };
            assert_eq!(value(reading), oracle, "{reading:?} of {vector}");
            assert!(reading.quantity.as_str().contains(&format!("_{channel}")), "{reading:?} of channel {channel}");
            assert_eq!(reading.quality, Quality::Good, "{reading:?}");
        }
    }
}

#[test]
fn senml_json_is_read_as_kpn_senml_means_it() {
    check_packs(&Codec::SenmlJson(Senml::default()), "senml");
}

#[test]
fn senml_cbor_is_read_as_kpn_senml_means_it() {
    check_packs(&Codec::SenmlCbor(Senml::default()), "senml_cbor");
}

fn check_packs(codec: &Codec, kind: &str) {
    let vectors = vectors(kind);
    assert_eq!(vectors.len() as u64, FRAMES);
    for vector in &vectors {
        let decoded = codec.decode(&bytes(vector), UnixMs(0), None).unwrap_or_else(|why| panic!("{vector}: {why}"));
        let expected = vector["values"].as_array().unwrap();
        assert_eq!(decoded.readings.len(), expected.len(), "{vector}");
        for (reading, oracle) in decoded.readings.iter().zip(expected) {
            check_senml(reading, oracle);
        }
    }
}

fn check_senml(reading: &Reading, oracle: &Value) {
    let name = oracle["name"].as_str().unwrap();
    let last = name.rsplit(':').next().unwrap().replace(['.', '-'], "_");
    assert_eq!(reading.quantity.as_str(), last, "{oracle}");
    // RFC 8428 §4.5.3: no time at all means now, which is the box's stamp and not the device's word.
    let at_ms = oracle["time"].as_str().map(|seconds| nano(seconds) / (NANO / 1_000));
    assert_eq!(reading.at_ms.map(|at| i128::from(at.0)), at_ms, "{reading:?} {oracle}");
    if let Some(number) = oracle["value"].as_str() {
        assert_eq!((value(reading), reading.quality), (nano(number), Quality::Good), "{oracle}");
        // One unit has one spelling, UCUM's with an upper-case litre.
        let unit = match oracle["unit"].as_str().unwrap() {
            "pH" => "[pH]",
            "mg/l" => "mg/L",
            unit => unit,
        };
        assert_eq!(reading.unit.as_str(), unit, "{oracle}");
    } else if let Some(boolean) = oracle["boolean"].as_bool() {
        assert_eq!(value(reading), if boolean { NANO } else { 0 }, "{oracle}");
    } else {
        assert_eq!((reading.value, reading.quality), (None, Quality::NotANumber), "a text is never a zero: {oracle}");
    }
}

#[test]
fn cbor_is_read_as_cbor2_means_it() {
    let field = |(place, path)| json!({ "path": path, "quantity": format!("n{place}"), "unit": "1" });
    let fields: Vec<Value> = ["/cod", "/1", "/v/0/t", "/-5"].into_iter().enumerate().map(field).collect();
    let codec: Codec = serde_json::from_value(json!({ "kind": "cbor", "fields": fields })).unwrap();
    let vectors = vectors("cbor");
    assert_eq!(vectors.len() as u64, FRAMES);
    for vector in &vectors {
        let decoded = codec.decode(&bytes(vector), UnixMs(0), None).unwrap_or_else(|why| panic!("{vector}: {why}"));
        let read: Vec<i128> = decoded.readings.iter().map(value).collect();
        let meant = vector["values"].as_array().unwrap().iter();
        assert_eq!(read, meant.map(|text| nano(text.as_str().unwrap())).collect::<Vec<_>>(), "{vector}");
    }
}

#[test]
fn csv_is_read_as_pythons_csv_means_it() {
    let column = |place| json!({ "column": place, "quantity": format!("n{place}"), "unit": "1" });
    let codec: Codec = serde_json::from_value(json!({ "kind": "csv", "columns": [column(1), column(2)] })).unwrap();
    let vectors = vectors("csv");
    assert_eq!(vectors.len() as u64, FRAMES);
    for vector in &vectors {
        let decoded = codec.decode(&bytes(vector), UnixMs(0), None).unwrap_or_else(|why| panic!("{vector}: {why}"));
        let cells: Vec<&Value> =
            vector["values"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap()).collect();
        assert_eq!(decoded.readings.len(), cells.len(), "{vector}");
        for (reading, cell) in decoded.readings.iter().zip(cells) {
            let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b"-.".contains(&b));
            match cell.as_str() {
                None => assert_eq!(reading.quality, Quality::Missing, "{reading:?} of {vector}"),
                Some(text) if number(text) => assert_eq!(value(reading), nano(text), "{reading:?} of {vector}"),
                Some(text) => {
                    assert_eq!(reading.quality, Quality::NotANumber, "{reading:?} of {vector}");
                    let told = |warning: &ingest::Warning| warning.to_string().ends_with(&format!("`{text}`"));
                    assert!(decoded.warnings.iter().any(told), "{text} is told: {:?}", decoded.warnings);
                }
            }
        }
    }
}
