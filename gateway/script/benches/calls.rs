//! Codec calls a second and their memory, beside a decoder of the same payload in Rust: `cargo bench -p script`.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
#![expect(clippy::unwrap_used, reason = "a benchmark that fails shows it")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock and its own memory")]

use std::hint::black_box;
use std::time::Instant;

use script::{Script, Uplink};

/// Channel, type, value: battery in percent, distance in millimetres, as ultrasonic level sensors send them.
const CODEC: &str = "
function decodeUplink(input) {
    var decoded = {}, bytes = input.bytes;
    for (var i = 0; i < bytes.length;) {
        var channel = bytes[i++], type = bytes[i++];
        if (channel === 0x01 && type === 0x75) { decoded.battery = bytes[i]; i += 1; }
        else if (channel === 0x03 && type === 0x82) { decoded.distance = bytes[i] | bytes[i + 1] << 8; i += 2; }
        else return { errors: ['unknown channel ' + channel] };
    }
    return { data: decoded };
}";
const PAYLOAD: [u8; 7] = [0x01, 0x75, 0x5c, 0x03, 0x82, 0x44, 0x08];
const SECONDS: f64 = 2.0;

/// Calls a second.
fn rate(mut call: impl FnMut()) -> f64 {
    let (began, mut calls) = (Instant::now(), 0.0);
    while began.elapsed().as_secs_f64() < SECONDS {
        for _ in 0..100 {
            call();
        }
        calls += 100.0;
    }
    calls / began.elapsed().as_secs_f64()
}

/// Most resident memory of this process so far, in KiB (proc(5), VmHWM).
fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
}

fn decode(bytes: &[u8]) -> Option<(u8, u16)> {
    let (mut battery, mut distance, mut rest) = (None, None, bytes);
    while !rest.is_empty() {
        match rest {
            [0x01, 0x75, value, after @ ..] => (battery, rest) = (Some(*value), after),
            [0x03, 0x82, low, high, after @ ..] => (distance, rest) = (Some(u16::from_le_bytes([*low, *high])), after),
            _ => return None,
        }
    }
    Some((battery?, distance?))
}

fn main() {
    let script = Script::compile(CODEC).unwrap();
    let uplink = Uplink { bytes: &PAYLOAD, f_port: 85, recv_time_ms: 0 };
    assert_eq!(script.decode_uplink(&uplink).unwrap().data.to_string(), r#"{"battery":92,"distance":2116}"#);
    let before = peak_kib();
    let javascript = rate(|| drop(black_box(script.decode_uplink(black_box(&uplink)))));
    let after = peak_kib();
    let rust = rate(|| {
        black_box(decode(black_box(&PAYLOAD)));
    });
    println!("JavaScript {javascript:>12.0} calls/s, {:.3} ms a call", 1e3 / javascript);
    println!("Rust       {rust:>12.0} calls/s: {:.0} times as many", rust / javascript);
    if let (Some(before), Some(after)) = (before, after) {
        println!("peak of the process {after} KiB, of it {} KiB since the first call", after - before);
    }
}
