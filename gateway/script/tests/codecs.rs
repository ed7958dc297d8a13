//! What honest codecs rely on.
#![allow(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

use expect_test::{Expect, expect};
use script::{Script, Uplink, Value};

/// 2020-10-01T09:30:53.592Z
const RECV_TIME_MS: i64 = 1_601_544_653_592;

fn check(source: &str, expected: Expect) {
    let script = Script::compile(source).unwrap();
    let output =
        script.decode_uplink(&Uplink { bytes: &[0x03, 0x82, 0x44, 0x08], f_port: 85, recv_time_ms: RECV_TIME_MS });
    let shown = output.map_or_else(
        |error| error.to_string(),
        |output| format!("{} {} {:?}", output.entry.name(), output.data, output.warnings),
    );
    expected.assert_eq(&shown);
}

#[test]
fn all_forms_are_called() {
    check(
        "function decodeUplink({ bytes, fPort, recvTime }) {
             return { data: { distance: bytes[3] * 256 + bytes[2], fPort, recvTime }, warnings: ['dry'] };
         }",
        expect![[r#"decodeUplink {"distance":2116,"fPort":85,"recvTime":"2020-10-01T09:30:53.592Z"} ["dry"]"#]],
    );
    check(
        "const decodeUplink = (input) => ({ data: { list: Array.isArray(input.bytes), length: input.bytes.length } })",
        expect![[r#"decodeUplink {"list":true,"length":4} []"#]],
    );
    check(
        "function Decode(fPort, bytes, variables) { return { fPort, first: bytes[0], variables } }",
        expect![[r#"Decode {"fPort":85,"first":3,"variables":{}} []"#]],
    );
    check(
        "function Decoder(bytes, port) { return { port, first: bytes[0] } }",
        expect![[r#"Decoder {"port":85,"first":3} []"#]],
    );
}

#[test]
fn sloppy_mode_is_kept() {
    check(
        "function decodeUplink(input) { undeclared = 010; with (input) { return { data: { undeclared, fPort } } } }",
        expect![[r#"decodeUplink {"undeclared":8,"fPort":85} []"#]],
    );
}

#[test]
fn a_nul_is_a_character() {
    check(
        "function decodeUplink() { return { data: { length: 'a\0b'.length } } } // \0",
        expect![[r#"decodeUplink {"length":3} []"#]],
    );
}

#[test]
fn values_come_as_they_are() {
    check(
        r#"function decodeUplink() {
             return { data: { a: 0.1 + 0.2, b: -0, c: NaN, d: 1 / 0, e: -1 / 0, f: undefined, g: null, h: "No Sensor",
                 k: () => 1, l: [undefined, , 1], m: "\ud800x", n: new Date(0), o: 1e21, p: true,
                 q: new Map(), r: new Uint8Array(2), [Symbol()]: 1, "": "\"\n" } };
         }"#,
        expect![[
            r#"decodeUplink {"a":0.30000000000000004,"b":0,"c":NaN,"d":Infinity,"e":-Infinity,"f":undefined,"g":null,"h":"No Sensor","l":[undefined,undefined,1],"m":"�x","n":"1970-01-01T00:00:00.000Z","o":1e+21,"p":true,"q":{},"r":{"0":0,"1":0},"":"\"\u000a"} []"#
        ]],
    );
}

#[test]
fn now_is_the_time_of_receipt_and_local_time_is_utc() {
    check(
        r#"function decodeUplink() {
             const d = new Date(2020, 1, 3, 4, 5, 6, 7), e = new Date(0);
             e.setHours(5);
             return { data: { now: Date.now(), d, day: d.getDay(), hours: d.getHours(), offset: d.getTimezoneOffset(),
                 e, is: d instanceof Date, text: `${new Date(0)}`, call: Date(), bare: new Date("2020-01-01T10:00:00"),
                 zone: new Date("2020-01-01T10:00:00+08:00"), day1: new Date("2020-01-01"), words: new Date("Jan 2, 2020 10:00"),
                 copy: new Date(d), local: new Date(0).toLocaleString(), own: d.constructor === Date, bad: new Date("x").getTime() } };
         }"#,
        expect![[
            r#"decodeUplink {"now":1601544653592,"d":"2020-02-03T04:05:06.007Z","day":1,"hours":4,"offset":0,"e":"1970-01-01T05:00:00.000Z","is":true,"text":"Thu Jan 01 1970 00:00:00 GMT+0000 (UTC)","call":"Thu Oct 01 2020 09:30:53 GMT+0000 (UTC)","bare":"2020-01-01T10:00:00.000Z","zone":"2020-01-01T02:00:00.000Z","day1":"2020-01-01T00:00:00.000Z","words":"2020-01-02T10:00:00.000Z","copy":"2020-02-03T04:05:06.007Z","local":"1/1/1970, 12:00:00 AM","own":true,"bad":NaN} []"#
        ]],
    );
}

#[test]
fn the_part_of_buffer_that_codecs_use_is_there() {
    check(
        r#"function decodeUplink({ bytes }) {
             const b = Buffer.from(bytes);
             const w = Buffer.alloc(8); w.writeUInt16BE(0x1234, 1); w.writeFloatLE(1.5, 3);
             return { data: { hex: b.toString("hex"), base64: b.toString("base64"), ascii: Buffer.from("ok").toString("ascii"),
                 be: b.readUInt16BE(2), le: b.readInt16LE(0), u: b.readUIntBE(1, 3), i: Buffer.from("ffffff", "hex").readIntLE(0, 3),
                 u32: b.readUInt32LE(), utf8: Buffer.from("4°", "utf8").toString(), from: Buffer.from("A4JECA==", "base64").equals(b),
                 joined: Buffer.concat([b, b]).length, part: b.slice(1, 2).toString("hex"), written: w.toString("hex"),
                 is: Buffer.isBuffer(b), one: b.readUint8(1), btoa: btoa("weir"), atob: atob("d2Vpcg==") } };
         }"#,
        expect![[
            r#"decodeUplink {"hex":"03824408","base64":"A4JECA==","ascii":"ok","be":17416,"le":-32253,"u":8537096,"i":-1,"u32":138707459,"utf8":"4°","from":true,"joined":8,"part":"82","written":"0012340000c03f00","is":true,"one":130,"btoa":"d2Vpcg==","atob":"weir"} []"#
        ]],
    );
    check(
        "function decodeUplink({ bytes }) { return { data: Buffer.from(bytes).readUIntBE(2, 3) } }",
        expect!["the codec threw: RangeError: Attempt to access memory outside buffer bounds (line 1)"],
    );
}

#[test]
fn a_downlink_is_encoded() {
    let encode = |source: &str| {
        let script = Script::compile(&format!("function decodeUplink() {{}} {source}")).unwrap();
        let data =
            Value::Object(vec![("interval".into(), Value::Number("600".into())), ("on".into(), Value::Bool(true))]);
        match script.encode_downlink(&data, 0) {
            Ok(downlink) => format!("{downlink:?}"),
            Err(error) => error.to_string(),
        }
    };
    let check = |source: &str, expected: Expect| expected.assert_eq(&encode(source));
    check(
        "function encodeDownlink({ data }) { return { fPort: 2, bytes: [data.interval >> 8, data.interval & 255, +data.on] } }",
        expect!["Downlink { f_port: 2, bytes: [2, 88, 1], warnings: [] }"],
    );
    check("", expect!["the codec defines no `encodeDownlink`: send the bytes themselves"]);
    check(
        "function encodeDownlink() { return { errors: ['too long'] } }",
        expect!["the codec refused the data: too long"],
    );
    check(
        "function encodeDownlink() { return { fPort: 0, bytes: [] } }",
        expect!["the codec's `fPort` is 0: it must be a number from 1 to 223"],
    );
    check(
        "function encodeDownlink() { return { fPort: 1, bytes: [256] } }",
        expect!["the codec's `bytes` is [256]: it must be a list of at most 242 numbers from 0 to 255"],
    );
    check(
        "function encodeDownlink() { return { fPort: 1 } }",
        expect!["the codec's `bytes` is absent: it must be a list of at most 242 numbers from 0 to 255"],
    );
}
