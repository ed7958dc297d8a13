//! `lora_radio.js` in conversation: LoRaWAN devices and packet forwarders that a test drives step by step.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::{Device, Peer, World};

/// What [`Radio::start`]'s tests add to `gateway.toml`: five seconds to RX1 of devices that join, so that a busy machine
/// never misses it; and no waiting for copies, because each frame comes through one of the forwarders only.
pub const PATIENT: &str = "merge_ms = 0\n[lorawan]\nrx1_delay_s = 5\n";

/// A forwarder cannot send two downlinks at one time, and ours are all due 5 s from now: tests that do not wait need
/// some of them.
const GATEWAYS: [&str; 16] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p"];

/// The devices of a world behind forwarders. Dropping it ends them.
#[derive(Debug)]
pub struct Radio {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    port: u16,
}

impl Radio {
    /// Starts the devices, and forwarders that take turns.
    pub fn start(world: &World, devices: &[Device]) -> Radio {
        let mut radio = Radio::without_gateway(world, devices);
        for name in GATEWAYS {
            radio.gateway(name, json!({}));
        }
        radio
    }

    /// Starts the devices alone.
    pub fn without_gateway(world: &World, devices: &[Device]) -> Radio {
        let mut command = Peer::new("lora_radio.js").into_command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("node: {error} · try: tests/run tools"));
        let requests = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut radio = Radio { child, requests, answers, port: world.gwmp_port };
        for device in devices.iter().filter_map(|device| device.lora.as_ref()) {
            radio.ask(device.clone());
        }
        radio
    }

    /// One request and its answer; fails if it could not be done, or if anything is wrong with a downlink.
    pub fn ask(&mut self, request: Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{request}: {error}: {line}"));
        assert!(answer.get("error").is_none(), "{request}: {answer:#}");
        assert!(answer.get("wrong").is_none_or(|wrong| *wrong == json!([])), "{request}: {answer:#}");
        answer
    }

    fn act(&mut self, action: &str, device: &str, more: Value) -> Value {
        self.ask(merged(json!({ "do": action, "device": device }), more))
    }

    /// Opens a forwarder whose EUI follows from its name; `more` as in `lora_radio.js`.
    pub fn gateway(&mut self, name: &str, more: Value) {
        let own = json!({ "do": "gateway", "name": name, "eui": eui(name), "port": self.port });
        self.ask(merged(own, more));
    }

    /// Sends a join-request and waits for its accept.
    pub fn join(&mut self, device: &str, nonce: u16, more: Value) -> Value {
        self.act("join", device, merged(json!({ "nonce": nonce }), more))
    }

    /// Sends a confirmed uplink and waits for its acknowledgement.
    pub fn confirmed(&mut self, device: &str, more: Value) -> Value {
        let downlink = self.act("uplink", device, more);
        assert_eq!(downlink["ack"], true, "{downlink:#}");
        downlink
    }

    /// Sends an unconfirmed uplink and waits for the downlink that it asks for.
    pub fn unconfirmed(&mut self, device: &str, more: Value) -> Value {
        self.act("uplink", device, merged(json!({ "confirmed": false }), more))
    }

    /// Sends an uplink and does not wait: its PHYPayload.
    pub fn send(&mut self, device: &str, more: Value) -> String {
        text(&self.act("uplink", device, merged(json!({ "wait": false }), more)), "phy")
    }

    /// Makes an uplink and does not send it.
    pub fn frame(&mut self, device: &str, more: Value) -> String {
        text(&self.act("frame", device, more), "phy")
    }

    /// One PUSH_DATA of a forwarder with all these frames.
    pub fn push(&mut self, gateway: &str, frames: &[Value]) -> Value {
        self.ask(json!({ "do": "push", "gateway": gateway, "frames": frames }))
    }

    /// Waits for a downlink to a device that listens all the time.
    pub fn listen(&mut self, device: &str) -> Value {
        self.act("listen", device, json!({}))
    }

    /// A PULL_DATA of each forwarder beyond those of each second: after a restart of the box they show the way down.
    pub fn pull(&mut self) {
        self.ask(json!({ "do": "pull" }));
    }

    /// What a forwarder counted.
    pub fn counts(&mut self, gateway: &str) -> Value {
        self.ask(json!({ "do": "counts", "gateway": gateway }))
    }

    /// Fails if anything was answered that nobody waited for. Frames are judged one after the other, so what comes for
    /// an earlier one comes before the answer to a later one: call it after that.
    pub fn assert_silence(&mut self) {
        let stray = self.ask(json!({ "do": "stray" }));
        assert_eq!(stray["stray"], json!([]), "nobody must be answered: {stray:#}");
    }
}

impl Drop for Radio {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The EUI of the forwarder of this name.
pub fn eui(name: &str) -> String {
    // FNV-1a: a sum would give one EUI to `gateway-12` and `gateway-21`.
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    format!("0016c001{hash:08x}")
}

/// The text of an answer under a key.
pub fn text(answer: &Value, key: &str) -> String {
    answer[key].as_str().unwrap_or_else(|| panic!("no text {key}: {answer:#}")).to_owned()
}

fn merged(mut request: Value, more: Value) -> Value {
    let (Some(request_fields), Value::Object(more)) = (request.as_object_mut(), more) else {
        panic!("options are an object")
    };
    request_fields.extend(more);
    request
}
