//! JavaScript codecs against others: every public example of an npm collection, as its authors expect it.

use script::{DecodeError, Script, Uplink, Value as Js};
use serde_json::Value;
use system_tests::Peer;

/// Least share of all examples that pass, in thousandths: the rest are wrong in the collection.
const PASSED_MIN: usize = 980;

/// What sensors at an outfall measure; of these every example passes.
const WATER: [&str; 6] = ["groundwater", "rain-gauge", "tank-level", "water-leak", "water-meter", "water-quality"];

/// Examples without a time of receipt: 2026-01-01T00:00:00Z.
const RECV_TIME_MS: i64 = 1_767_225_600_000;

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: Vec<String>,
}

impl Tally {
    fn count(&self) -> usize {
        self.passed + self.failed.len()
    }
}

#[test]
fn public_codecs_pass_their_authors_examples() {
    let codecs = Peer::new("codec_vectors.js").run().exits(0).lines;
    let (mut all, mut water) = (Tally::default(), Tally::default());
    for codec in &codecs {
        let script = Script::compile(codec["source"].as_str().unwrap());
        let wet = codec["categories"].as_array().unwrap().iter().any(|category| WATER.iter().any(|w| category == w));
        for vector in codec["vectors"].as_array().unwrap() {
            let outcome = match &script {
                Ok(script) => run(script, vector),
                Err(error) => Err(error.to_string()),
            };
            for tally in [Some(&mut all), wet.then_some(&mut water)].into_iter().flatten() {
                match &outcome {
                    Ok(()) => tally.passed += 1,
                    Err(why) => {
                        tally.failed.push(format!("{} {}: {why}", codec["name"], vector["description"]));
                    }
                }
            }
        }
    }
    println!("{} codecs: {} of {} examples pass", codecs.len(), all.passed, all.count());
    println!("of water sensors {} of {}", water.passed, water.count());
    println!("{}", all.failed.join("\n"));
    assert!(codecs.len() > 800 && water.count() > 300, "the collection is smaller than it was");
    assert!(all.passed * 1_000 >= all.count() * PASSED_MIN, "too few");
    assert!(water.failed.is_empty(), "{}", water.failed.join("\n"));
}

fn run(script: &Script, vector: &Value) -> Result<(), String> {
    let bytes: Vec<u8> = vector["bytes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|byte| byte.as_u64().and_then(|byte| u8::try_from(byte).ok()).ok_or_else(|| format!("no byte: {byte}")))
        .collect::<Result<_, _>>()?;
    let f_port = vector["fPort"].as_u64().and_then(|port| u8::try_from(port).ok()).ok_or("no FPort")?;
    let recv_time_ms = vector["recvTime"].as_str().map_or(RECV_TIME_MS, |text| {
        text.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond()
    });
    let expected = &vector["expected"];
    let refused = expected["errors"].as_array().is_some_and(|errors| !errors.is_empty());
    match script.decode_uplink(&Uplink { bytes: &bytes, f_port, recv_time_ms }) {
        Err(DecodeError::Errors(errors)) if refused => {
            let named = |expected: &Value| errors.iter().any(|error| error.contains(expected.as_str().unwrap_or("")));
            match expected["errors"].as_array().into_iter().flatten().all(named) {
                true => Ok(()),
                false => Err(format!("expected {}, got {errors:?}", expected["errors"])),
            }
        }
        Err(error) => Err(error.to_string()),
        Ok(output) if refused => Err(format!("expected {}, got {}", expected["errors"], output.data)),
        Ok(output) => {
            let warnings = expected["warnings"].as_array().map_or(0, Vec::len);
            if output.warnings.len() < warnings {
                return Err(format!("expected {}, got {:?}", expected["warnings"], output.warnings));
            }
            match same(&output.data, &expected["data"]) {
                true => Ok(()),
                false => Err(format!("expected {}, got {}", expected["data"], output.data)),
            }
        }
    }
}

/// Whether both say the same; a number by the double that its text means, an undefined member as absent.
fn same(got: &Js, expected: &Value) -> bool {
    match (got, expected) {
        (Js::Number(text), Value::Number(number)) => text.parse::<f64>().ok() == number.as_f64(),
        (Js::Text(text), Value::String(expected)) => text == expected,
        (Js::Bool(bool), Value::Bool(expected)) => bool == expected,
        (Js::Null | Js::NotFinite(_), Value::Null) => true,
        (Js::Array(items), Value::Array(expected)) => {
            items.len() == expected.len() && items.iter().zip(expected).all(|(item, expected)| same(item, expected))
        }
        (Js::Object(members), Value::Object(expected)) => {
            let mut defined = members.iter().filter(|(_, value)| *value != Js::Undefined);
            defined.clone().count() == expected.len()
                && defined.all(|(key, value)| expected.get(key).is_some_and(|expected| same(value, expected)))
        }
        _ => false,
    }
}
