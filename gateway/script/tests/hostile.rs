//! Codecs that do harm, on purpose or by mistake: each ends by its named cause, and the next frame is decoded.
#![allow(clippy::unwrap_used, reason = "in a test a surprise is a failure")]
#![allow(clippy::disallowed_methods, reason = "the crate has no clock, but its tests show how long each took")]

use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use script::{Script, ScriptError, Uplink};

#[path = "hostile/codecs.rs"]
mod codecs;

const UPLINK: Uplink<'_> = Uplink { bytes: &[1, 2, 3], f_port: 1, recv_time_ms: 0 };

/// Each ends by itself; this is only a sign that something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

fn decode(source: &str) -> String {
    let began = Instant::now();
    let outcome = match Script::compile(source) {
        Err(error) => format!("compile: {}", chain(&error)),
        Ok(script) => match script.decode_uplink(&UPLINK) {
            Ok(output) => output.data.to_string(),
            Err(error) => error.to_string(),
        },
    };
    let took = began.elapsed();
    assert!(took < PATIENCE, "{took:?}: {source}");
    eprintln!("{:>8.1} ms  {}", took.as_secs_f64() * 1e3, source.chars().take(90).collect::<String>());
    outcome
}

fn chain(error: &ScriptError) -> String {
    let source = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    format!("{error}{source}")
}

fn check(source: &str, expected: Expect) {
    expected.assert_eq(&decode(source));
}

/// The body of a `decodeUplink`.
fn body(statements: &str) -> String {
    format!("function decodeUplink(input) {{ {statements} }}")
}

const TIMED_OUT: &str = "the codec did not end within 64 steps: look for an endless loop";

/// What is said of a cause.
fn text(cause: &str) -> &'static str {
    match cause {
        "timed_out" => TIMED_OUT,
        "out_of_memory" => "the codec needs more than 4194304 bytes of memory: look for a list or text that grows",
        "stack_overflow" => "the codec needs more than 262144 bytes of stack: look for a function that calls itself",
        "output_too_large" => "the codec's result is larger than 16384 bytes: return only what is measured",
        "output_too_deep" => "the codec's result is nested deeper than 16 levels, or contains itself: flatten it",
        other => panic!("no such cause: {other}"),
    }
}

#[test]
fn endless_work_ends_by_counted_steps() {
    for statements in codecs::ENDLESS {
        assert_eq!(decode(&body(statements)), TIMED_OUT, "{statements}");
    }
    check(
        "while (true);",
        expect!["compile: the codec cannot be loaded: the codec did not end within 64 steps: look for an endless loop"],
    );
}

#[test]
fn memory_stack_and_result_have_walls() {
    for (statements, cause) in codecs::GREEDY {
        assert_eq!(decode(&body(statements)), text(cause), "{statements}");
    }
    check(
        &body(
            "const warnings = []; for (let i = 0; i < 1e6; i++) warnings.push(`warning ${i}`); return { data: {}, warnings }",
        ),
        expect!["the codec did not end within 64 steps: look for an endless loop"],
    );
}

#[test]
fn a_big_int_cannot_be_written() {
    for source in codecs::BIG_INTS_WRITTEN {
        let source = format!("{source}\nfunction decodeUplink() {{}}");
        let outcome = decode(&source);
        let refused = outcome.starts_with("compile: the codec has a BigInt in line ");
        assert!(refused || outcome.starts_with("compile: the codec is no script"), "{source}: {outcome}");
    }
    check(
        "// 1n\n'2n'\nfunction decodeUplink() {\n return { data: { total: 3 * 4n } } }",
        expect![
            "compile: the codec has a BigInt in line 4: write a plain number, exact to 2^53, or two of 32 bits each"
        ],
    );
    check(
        "9n (",
        expect![
            "compile: the codec is no script: SyntaxError: unexpected token in expression: '' (line 1); write plain functions, without `import` and `export`"
        ],
    );
    // What only looks like one is none.
    check(
        "#!/bin/9n\n/* 1n */ // 2n\nvar a9n = '3n' + \"4n\" + `5n ${a9n = `6n`} 7n` + /8n\\/9n[/'0n]/.source; /1n{2,}/u;
         function decodeUplink() { return { data: { a9n } } }",
        expect![[r#"{"a9n":"3n4n5n 6n 7n8n\\/9n[/'0n]"}"#]],
    );
}

#[test]
fn a_big_int_cannot_be_made() {
    for statements in codecs::BIG_INTS_MADE {
        let outcome = decode(&body(statements));
        assert!(outcome.starts_with("the codec threw: "), "{statements}: {outcome}");
    }
    // No trace hands out the engine's own functions.
    check(
        &body(
            "let seen = 'nothing'; Error.prepareStackTrace = (_, sites) => { seen = sites.map((site) => site.getFunction()) };
             try { [1, 2].sort(() => { throw new Error('x').stack; }) } catch (e) { e.stack } return { data: { seen } }",
        ),
        expect![[r#"{"seen":"nothing"}"#]],
    );
    check(
        &body("return { data: { is: decodeUplink instanceof Function, own: decodeUplink.constructor === Function } }"),
        expect![[r#"{"is":true,"own":true}"#]],
    );
}

#[test]
fn what_is_thrown_is_told() {
    check(&body("throw new TypeError('no frame')"), expect!["the codec threw: TypeError: no frame (line 1)"]);
    check(&body("throw 'bare'"), expect!["the codec threw: bare"]);
    check(&body("throw undefined"), expect!["the codec threw: undefined"]);
    check(&body("throw { toString() { throw 1 } }"), expect!["the codec threw: what cannot be shown"]);
    check(
        &body("throw new Error('x'.repeat(1e5))").replace("1e5", "300"),
        expect![
            "the codec threw: Error: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        ],
    );
    check(
        &body("return { data: { get level() { throw new Error('no') } } }"),
        expect!["the codec threw: Error: no (line 1)"],
    );
    check(&body("return { data: new Proxy({ a: 1 }, {}) }"), expect![[r#"{"a":1}"#]]);
    check(
        &body("return null"),
        expect!["the codec returned null instead of an object: compare the payload and its FPort with the data sheet"],
    );
    check(
        &body("return { data: 'text' }"),
        expect![[
            r#"the codec returned "text" instead of an object: compare the payload and its FPort with the data sheet"#
        ]],
    );
    check(
        &body("return Promise.resolve({ data: {} })"),
        expect![
            "the codec returned undefined instead of an object: compare the payload and its FPort with the data sheet"
        ],
    );
    check(&body("return { data: {}, errors: ['no frame', 2] }"), expect!["the codec refused the payload: no frame; 2"]);
}

#[test]
fn a_source_that_is_no_codec_is_refused() {
    check(
        "function decodeUplink( {",
        expect![
            "compile: the codec is no script: SyntaxError: invalid property name (line 1); write plain functions, without `import` and `export`"
        ],
    );
    check(
        "import x from 'y'",
        expect![
            "compile: the codec is no script: SyntaxError: Unexpected identifier 'x' (line 1); write plain functions, without `import` and `export`"
        ],
    );
    check(
        "export function decodeUplink() {}",
        expect![
            "compile: the codec is no script: SyntaxError: unsupported keyword: export (line 1); write plain functions, without `import` and `export`"
        ],
    );
    check(
        "var decodeUplink = 1",
        expect!["compile: the codec defines none of `decodeUplink`, `Decode` and `Decoder`: use the TS013 form of it"],
    );
    check(
        "throw new Error('at once')",
        expect!["compile: the codec cannot be loaded: the codec threw: Error: at once (line 1)"],
    );
    check(
        &" ".repeat(262_145),
        expect!["compile: the codec has 262145 bytes, more than 262144: use the vendor's codec without test data"],
    );
}

#[test]
fn nothing_of_the_outside_is_there() {
    for name in [
        "performance",
        "SharedArrayBuffer",
        "Atomics",
        "require",
        "process",
        "setTimeout",
        "fetch",
        "std",
        "os",
        "WebAssembly",
    ] {
        assert_eq!(decode(&body(&format!("return {{ data: {{ is: typeof {name} }} }}"))), r#"{"is":"undefined"}"#);
    }
    for statements in
        ["return import('fs')", "new WebAssembly.Module()", "Atomics.wait()", "new SharedArrayBuffer(8).grow(2 ** 30)"]
    {
        let outcome = decode(&body(statements));
        assert!(
            outcome.starts_with("the codec threw: ReferenceError") || outcome.contains("instead of an object"),
            "{outcome}"
        );
    }
    // The jobs of promises are never run.
    check(
        "let ran = 0; Promise.resolve().then(() => { ran = 1; for (;;); }); function decodeUplink() { return { data: { ran } } }",
        expect![[r#"{"ran":0}"#]],
    );
}

#[test]
fn nothing_lasts_from_one_frame_to_the_next() {
    let script = Script::compile(
        "let calls = 0;
         function decodeUplink() {
             const before = [calls++, Object.prototype.level === undefined, Math.random()];
             Object.prototype.level = 1; Array.prototype.map = null; globalThis.decodeUplink = null;
             return { data: { before } };
         }",
    )
    .unwrap();
    let first = script.decode_uplink(&UPLINK).unwrap();
    assert_eq!(first.data.to_string(), r#"{"before":[0,true,0.00006295018829405308]}"#);
    assert_eq!(script.decode_uplink(&UPLINK).unwrap(), first);
}
