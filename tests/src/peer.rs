//! The programs in `tests/peers`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::{Device, Machine, World};

/// What `tests/run tools` installed; fails with the cure if it is not there.
pub fn tools(file: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools").join(file);
    assert!(path.exists(), "there is no {} · try: tests/run tools", path.display());
    path
}

/// A peer about to be started.
#[derive(Debug)]
pub struct Peer(Command);

impl Peer {
    /// A program by its file name in `tests/peers`.
    pub fn new(program: &str) -> Peer {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(program);
        assert!(path.is_file(), "no peer {}", path.display());
        let mut command = match path.extension().and_then(|extension| extension.to_str()) {
            Some("py") => Command::new(tools("venv/bin/python")),
            Some("js") => {
                tools("node/node_modules/lora-packet");
                tools("node/node_modules/axe-core");
                Command::new("node")
            }
            _ => Command::new("bash"),
        };
        command.arg(path);
        Peer(command)
    }

    /// `paho_sensor.py` or `replay_csv.py` as this device of a world.
    pub fn sensor(program: &str, world: &World, device: &Device) -> Peer {
        Peer::new(program)
            .with("--port", world.mqtt_port)
            .with("--user", &device.name)
            .with("--password", device.password())
            .with("--topic", device.topic())
    }

    /// `mosquitto_sensor.sh` as this device.
    pub fn mosquitto(world: &World, device: &Device, level: u8, qos: u8, first: u64, count: u64) -> Peer {
        let port = world.mqtt_port.to_string();
        let numbers = [level.to_string(), qos.to_string(), first.to_string(), count.to_string()];
        Peer::new("mosquitto_sensor.sh")
            .args([port, device.name.clone(), device.password(), device.topic()])
            .args(numbers)
    }

    /// `lora_device.js` as all LoRaWAN devices of a world.
    pub fn lora(world: &World) -> Peer {
        Peer::new("lora_device.js").with("--port", world.gwmp_port).with("--devices", world.path("lora.json").display())
    }

    /// `serial_device.py` as all devices of a world behind the adapter `port`.
    pub fn serial(world: &World) -> Peer {
        Peer::new("serial_device.py")
            .with("--link", world.path("port").display())
            .with("--devices", world.path("serial.json").display())
    }

    /// `paho_sensor.py` as this device of a box that is a package on a machine.
    pub fn sensor_on(machine: &Machine, device: &Device) -> Peer {
        let peer = Peer::new("paho_sensor.py").inside(machine);
        peer.with("--user", &device.name).with("--password", device.password()).with("--topic", device.topic())
    }

    /// The same on the network of a machine.
    pub fn inside(self, machine: &Machine) -> Peer {
        let enter = machine.network();
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(self.0.get_program()).args(self.0.get_args());
        Peer(command)
    }

    /// One option and its value.
    pub fn with(mut self, option: &str, value: impl ToString) -> Peer {
        self.0.arg(option).arg(value.to_string());
        self
    }

    /// Arguments as they are.
    pub fn args<T: AsRef<std::ffi::OsStr>>(mut self, arguments: impl IntoIterator<Item = T>) -> Peer {
        self.0.args(arguments);
        self
    }

    /// The command, for who speaks with it.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    /// Starts it in the background.
    pub fn start(mut self) -> Running {
        self.0.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.0.spawn().unwrap_or_else(|error| panic!("{:?}: {error} · try: tests/run tools", self.0));
        Running { child: Some(child), command: format!("{:?}", self.0) }
    }

    /// Runs it to its end.
    pub fn run(self) -> Finished {
        self.start().finish()
    }
}

/// A peer in the background. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    command: String,
}

impl Running {
    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        let output = self.child.take().expect("finished once").wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let parse =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}\n{err}"));
        Finished {
            code: output.status.code(),
            lines: out.lines().map(parse).collect(),
            err: err.into_owned(),
            command: std::mem::take(&mut self.command),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a peer said.
#[derive(Debug)]
pub struct Finished {
    /// Exit status.
    pub code: Option<i32>,
    /// Its JSON lines.
    pub lines: Vec<Value>,
    /// Standard error.
    pub err: String,
    command: String,
}

impl Finished {
    /// Fails unless the exit status is this one.
    pub fn exits(self, code: i32) -> Finished {
        let last = &self.lines[self.lines.len().saturating_sub(5)..];
        let (command, err) = (&self.command, &self.err);
        assert_eq!(self.code, Some(code), "exit status of {command}\n{last:#?}\n{err}");
        self
    }

    /// The last line.
    pub fn summary(&self) -> &Value {
        self.lines.last().unwrap_or_else(|| panic!("{} said nothing: {}", self.command, self.err))
    }

    /// A number of the summary.
    pub fn number(&self, key: &str) -> u64 {
        self.summary()[key].as_u64().unwrap_or_else(|| panic!("no number {key}: {}", self.summary()))
    }
}
