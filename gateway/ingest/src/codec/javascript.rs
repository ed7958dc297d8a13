//! A vendor's JavaScript codec (LoRa Alliance TS013), and a mapping of what it says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use record::UnixMs;
use script::{Script, Uplink};
use serde::Deserialize;

use super::document::{Node, Value};
use super::mapping::{Field, Mapping};
use super::{CodecError, DecodeError, Decoded, Warning};

/// Failed runs in a row after which a codec is not run again: each may cost a second, and ten show that it is no accident.
pub const CODEC_FAILURES_MAX: u32 = 10;

/// `kind = "javascript"`: the codec's file and, as for JSON, what stands where in the `data` that it returns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Section")]
pub struct Javascript {
    file: String,
    mapping: Mapping,
    loaded: Option<Arc<Loaded>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    file: String,
    fields: Vec<Field>,
}

impl From<Section> for Javascript {
    fn from(Section { file, fields }: Section) -> Javascript {
        Javascript { file, mapping: Mapping { fields, time: None }, loaded: None }
    }
}

/// The texts of the codecs' files by the name that the device table gives them. One that many devices use is compiled
/// and kept once.
#[derive(Debug)]
pub struct Scripts<'t> {
    texts: &'t BTreeMap<String, String>,
    compiled: BTreeMap<String, Arc<Script>>,
}

/// A device's codec and how it did lately.
///
/// A frame is decoded once and a device's frames in their order, so the count is as deterministic as they are. It
/// begins anew with the device table: by a change of the configuration, and by a restart.
#[derive(Debug)]
struct Loaded {
    script: Arc<Script>,
    failed: AtomicU32,
    /// Its last run ended in order.
    proven: AtomicBool,
}

impl Loaded {
    fn new(script: Arc<Script>) -> Arc<Loaded> {
        Arc::new(Loaded { script, failed: AtomicU32::new(0), proven: AtomicBool::new(false) })
    }
}

impl PartialEq for Loaded {
    fn eq(&self, other: &Loaded) -> bool {
        self.script == other.script
    }
}

impl Eq for Loaded {}

/// Why a JavaScript codec gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JavascriptError {
    /// The codec was read without its file.
    #[error("codec `{file}` has not been loaded: restart the gateway")]
    NotLoaded {
        /// Its name in the device table.
        file: String,
    },
    /// It failed [`CODEC_FAILURES_MAX`] times in a row and is left alone until the next start; frames are kept as they
    /// came.
    #[error(
        "codec `{file}` failed {CODEC_FAILURES_MAX} times in a row and is stopped until the gateway starts again: mend it \
         · try: weir device test-codec"
    )]
    Stopped {
        /// Its name in the device table.
        file: String,
    },
    /// The run failed, or the codec refused the payload.
    #[error("codec `{file}`: {why}")]
    Run {
        /// Its name in the device table.
        file: String,
        /// Why.
        why: script::DecodeError,
    },
}

impl<'t> Scripts<'t> {
    /// Nothing is compiled before a codec asks for it.
    pub fn new(texts: &'t BTreeMap<String, String>) -> Scripts<'t> {
        Scripts { texts, compiled: BTreeMap::new() }
    }

    fn compile(&mut self, file: &str) -> Result<Arc<Script>, CodecError> {
        if let Some(script) = self.compiled.get(file) {
            return Ok(Arc::clone(script));
        }
        let text = self.texts.get(file).ok_or_else(|| CodecError::NoScript { file: file.to_owned() })?;
        let script = Script::compile(text).map_err(|why| CodecError::Script { file: file.to_owned(), why })?;
        let script = Arc::new(script);
        self.compiled.insert(file.to_owned(), Arc::clone(&script));
        Ok(script)
    }
}

impl Javascript {
    /// The codec's file, as the device table names it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The codec itself, once it is loaded.
    pub fn script(&self) -> Option<&Script> {
        self.loaded.as_ref().map(|loaded| &*loaded.script)
    }

    /// Whether it has failed so often in a row that it is not run any more.
    pub fn is_stopped(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| loaded.failed.load(Ordering::Relaxed) >= CODEC_FAILURES_MAX)
    }

    /// Whether its last run ended in order.
    pub(super) fn is_proven(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| loaded.proven.load(Ordering::Relaxed))
    }

    /// With nothing held against it.
    pub(super) fn anew(&self) -> Javascript {
        let loaded = self.loaded.as_ref().map(|loaded| Loaded::new(Arc::clone(&loaded.script)));
        Javascript { loaded, ..self.clone() }
    }

    pub(super) fn load(&mut self, scripts: &mut Scripts<'_>) -> Result<(), CodecError> {
        let script = scripts.compile(&self.file)?;
        self.loaded = Some(Loaded::new(script));
        Ok(())
    }

    pub(super) fn decode(&self, payload: &[u8], now: UnixMs, f_port: Option<u8>) -> Result<Decoded, DecodeError> {
        let file = || self.file.clone();
        let Some(loaded) = &self.loaded else { return Err(JavascriptError::NotLoaded { file: file() }.into()) };
        if self.is_stopped() {
            return Err(JavascriptError::Stopped { file: file() }.into());
        }
        let uplink = Uplink { bytes: payload, f_port: f_port.unwrap_or(0), recv_time_ms: now.0 };
        let run = loaded.script.decode_uplink(&uplink);
        // Only what the codec itself did wrong counts. A payload that it refuses is the device's fault or a stranger's.
        let faulty = matches!(run, Err(script::DecodeError::Fault(_)));
        loaded.proven.store(!faulty, Ordering::Relaxed);
        match faulty {
            true => loaded.failed.fetch_add(1, Ordering::Relaxed),
            false => loaded.failed.swap(0, Ordering::Relaxed),
        };
        let output = run.map_err(|why| JavascriptError::Run { file: file(), why })?;
        let mut decoded = self.mapping.read(&node(&output.data))?;
        decoded.warnings.extend(output.warnings.into_iter().map(|text| Warning::Codec { text }));
        Ok(decoded)
    }

    pub(super) fn validate(&self) -> Result<(), CodecError> {
        self.mapping.validate()
    }
}

/// The data as a document. An undefined member is a value that is none, not an absent one: the codec named it.
fn node(value: &script::Value) -> Node<'_> {
    use script::Value as Js;
    let value = match value {
        Js::Undefined => Value::NotFinite("undefined".into()),
        Js::Null => Value::Null,
        Js::Bool(bool) => Value::Bool(*bool),
        Js::Number(text) => Value::Number(text.as_str().into()),
        Js::NotFinite(text) => Value::NotFinite((*text).into()),
        Js::Text(text) => Value::Text(text.as_str().into()),
        Js::Array(items) => Value::Array(items.iter().map(node).collect()),
        Js::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.as_str().into(), node(value))).collect())
        }
    };
    Node { at: 0, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Codec;
    use crate::codec::tests::{NOW, check_config, listed};
    use expect_test::{Expect, expect};

    /// Milesight's TLV of an ultrasonic sensor, shortened.
    const CODEC: &str = "
        function decodeUplink(input) {
            if (input.bytes.length === 0) while (true);
            if (input.fPort !== 85) return { errors: ['unknown FPort'] };
            var b = input.bytes;
            return { data: { battery: b[2], distance: b[5] | b[6] << 8, depth: b[2] === 0 ? 'No Sensor' : 0.1 + 0.2 },
                warnings: b[2] < 10 ? ['battery low'] : [] };
        }";

    const MAPPING: &str = r#"
        kind = "javascript"
        file = "em310.js"
        fields = [
            { path = "/distance", quantity = "level", unit = "mm", max = 4000 },
            { path = "/battery", quantity = "battery", unit = "%" },
            { path = "/depth", quantity = "depth", unit = "m", optional = true },
        ]"#;

    fn codec(source: &str) -> Result<Codec, CodecError> {
        let mut codec: Codec = toml::from_str(MAPPING).unwrap();
        codec.validate()?;
        let texts = BTreeMap::from([("em310.js".to_owned(), source.to_owned())]);
        codec.load(&mut Scripts::new(&texts))?;
        Ok(codec)
    }

    fn check(payload: &str, f_port: u8, expected: Expect) {
        let decoded = codec(CODEC).unwrap().decode(&hex::decode(payload).unwrap(), NOW, Some(f_port));
        expected.assert_eq(&listed(decoded));
    }

    #[test]
    fn what_the_codec_says_is_mapped() {
        check(
            "01755c03824408",
            85,
            expect![[r#"
            level 2116 mm good
            battery 92 % good
            depth 0.30000000000000004 m good
        "#]],
        );
        check(
            "01750003820010",
            85,
            expect![[r#"
            level 4096 mm out_of_range
            battery 0 % good
            depth - m not_a_number
            warning: depth has no value: the sensor sent `No Sensor`
            warning: the codec warns: battery low
        "#]],
        );
        check("01755c03824408", 1, expect!["error: codec `em310.js`: the codec refused the payload: unknown FPort"]);
    }

    #[test]
    fn a_codec_that_cannot_be_used_is_refused() {
        let refused = |source| codec(source).unwrap_err().to_string();
        expect!["`file`: codec `em310.js`: the codec is no script: SyntaxError: missing formal parameter (line 1); write plain functions, without `import` and `export`"].assert_eq(&refused("function decodeUplink("));
        expect!["`file`: codec `em310.js`: the codec defines none of `decodeUplink`, `Decode` and `Decoder`: use the TS013 form of it"].assert_eq(&refused("var x = 1"));
        let mut codec: Codec = toml::from_str(MAPPING).unwrap();
        let none = codec.load(&mut Scripts::new(&BTreeMap::new())).unwrap_err().to_string();
        expect!["`file`: there is no codec `em310.js`: put it beside devices.toml"].assert_eq(&none);
        check_config(
            "kind = \"javascript\"\nfile = \"a.js\"\nfields = []",
            expect!["`fields` is empty: add at least one { path, quantity, unit }"],
        );
    }

    #[test]
    fn a_codec_that_keeps_failing_is_stopped_and_a_refusal_is_no_failure() {
        let codec = codec(CODEC).unwrap();
        let said = |payload: &[u8]| codec.decode(payload, NOW, Some(85)).map_err(|error| error.to_string());
        let good: &[u8] = &[1, 0x75, 0x5c, 3, 0x82, 0x44, 8];
        for _ in 1..CODEC_FAILURES_MAX {
            assert!(said(&[]).unwrap_err().contains("did not end"));
        }
        assert!(said(good).is_ok(), "a success ends the row");
        for _ in 0..CODEC_FAILURES_MAX {
            assert!(codec.decode(good, NOW, Some(1)).is_err(), "refused");
            assert!(said(good).is_ok());
        }
        for _ in 0..CODEC_FAILURES_MAX {
            assert!(said(&[]).unwrap_err().contains("did not end"));
        }
        expect![
            "codec `em310.js` failed 10 times in a row and is stopped until the gateway starts again: mend it · try: weir device test-codec"
        ]
        .assert_eq(&said(good).unwrap_err());
        let Codec::Javascript(javascript) = &codec else { panic!("another kind") };
        assert!(javascript.is_stopped());
    }
}
