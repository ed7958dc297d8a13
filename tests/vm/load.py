"""The load from outside: sensors that nobody here wrote, and what they saw acknowledged."""

import json
import pathlib
import sys

from process import Process

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
SENSORS = {"cod-1": (4, 1), "cod-2": (5, 2)}  # MQTT protocol level and QoS
LORA = "level-1"
# Of 3,200 such frames the journal seals a part (8 MiB), and moves its log into the database a few times.
PAYLOAD_BYTES = 2_600
RATE = 30  # messages a second and sensor; the emulated box takes fewer at times
KEY = "00112233445566778899aabbccddeeff"
SECONDS_MAX = 24 * 3_600

GATEWAY = """\
box = "outfall-1"
[mqtt]
listen = "0.0.0.0:1883"
[gwmp]
listen = "0.0.0.0:1700"
gateways = ["0016c001f153a14c"]
networks = ["10.0.2.0/24"]
[checkpoint]
records_max = 100
[journal]
disk_reserve_bytes = 0
"""
MQTT_CODEC = """\
kind = "json"
fields = [{ path = "/n", quantity = "n", unit = "1" }, { path = "/cod", quantity = "cod", unit = "mg/L" }]
"""


def configure(etc):
    """Writes the box's configuration."""
    etc.mkdir()
    devices = [f'[[device]]\nname = "{name}"\n[device.mqtt]\n[device.codec]\n{MQTT_CODEC}' for name in SENSORS]
    devices.append(
        f'[[device]]\nname = "{LORA}"\n[device.lorawan]\ndev_addr = "26010001"\n[device.codec]\nkind = "cayenne_lpp"\n'
    )
    keys = [f'[{name}]\npassword = "secret-of-{name}"\n' for name in SENSORS]
    keys.append(f'[{LORA}]\nnwk_s_key = "{KEY}"\napp_s_key = "{KEY}"\n')
    texts = {"gateway": GATEWAY, "rules": "", "devices": "".join(devices), "keys": "".join(keys), "sync": ""}
    for name, text in texts.items():
        (etc / f"{name}.toml").write_text(text)
    (etc / "keys.toml").chmod(0o600)


class Load:
    """Sends until it is stopped, however often the box goes away meanwhile."""

    def __init__(self, scratch, bed, ports, rate=RATE):
        self.rate = rate
        self.stop_file = scratch / "stop"
        self.acked = {name: bed / f"{name}.acked" for name in [*SENSORS, LORA]}
        for file in self.acked.values():
            file.touch()
        mqtt, gwmp = ports
        self.senders = {name: Process(self._sensor(name, mqtt), scratch / f"{name}.log") for name in SENSORS}
        devices = scratch / "lora.json"
        device = {"name": LORA, "dev_addr": "26010001", "nwk_s_key": KEY, "app_s_key": KEY}
        devices.write_text(json.dumps([device]))
        command = [
            *("node", PEERS / "lora_device.js", "--port", gwmp, "--devices", devices, "--acked", self.acked[LORA]),
            *("--count", 100_000, "--tries", 1_000, "--deadline", SECONDS_MAX),
        ]
        self.senders[LORA] = Process(command, scratch / f"{LORA}.log")

    def _sensor(self, name, port):
        level, qos = SENSORS[name]
        return [
            *(sys.executable, PEERS / "paho_sensor.py", "--port", port, "--user", name, "--topic", f"d/{name}/up"),
            *("--password", f"secret-of-{name}", "--level", level, "--qos", qos, "--rate", self.rate, "--window", 16),
            *("--bytes", PAYLOAD_BYTES, "--count", 10_000_000, "--until", self.stop_file, "--deadline", SECONDS_MAX),
            *("--acked", self.acked[name], "--stay-refused", *(["--keep-session"] if qos == 2 else [])),
        ]

    def check(self):
        """Fails if a sensor gave up."""
        for sender in self.senders.values():
            sender.check()

    def count(self):
        """Acknowledgements so far."""
        return sum(file.read_bytes().count(b"\n") for file in self.acked.values())

    def sizes(self):
        """Bytes of each file now, in order: what the outside has seen."""
        return [file.stat().st_size for file in self.acked.values()]

    def close(self):
        """Ends the senders."""
        for sender in self.senders.values():
            sender.kill()


def acknowledged(file, size):
    """The numbers that a sender saw acknowledged within the first bytes of its file: n, or FCnt."""
    lines = file.read_bytes()[:size].split(b"\n")[:-1]
    parsed = [json.loads(line) for line in lines]
    return [line.get("n", line.get("fcnt")) for line in parsed]
