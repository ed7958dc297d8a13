"""Relays on a simulated GPIO chip of a real kernel, under systemd with the project's units: pulses as long as they should
be, off at once on SIGKILL, by the watchdog when the daemon is frozen, and on a stop; no second bottle after any of them."""

import shutil
import subprocess
import sys
import time

import root
from load import PEERS
from process import Process, free_port

STORY_S_MAX = 900
# Frozen, it is killed after this; the unit's own time is for busy boxes.
WATCHDOG_S = 8

GATEWAY = """\
box = "outfall-1"
relay = [
  { name = "east", use = "sampler", line = "EAST", on_ms = 5_000, cool_down_s = 0, bottles = 24 },
  { name = "west", use = "sampler", chip = "weir-sim", line = 4, on_ms = 60_000, cool_down_s = 0, bottles = 3 },
  { name = "lamp", use = "signal", chip = "gpiochip0", line = 5, priority = "high" },
]
[mqtt]
listen = "0.0.0.0:1883"
[gwmp]
enabled = false
[journal]
disk_reserve_bytes = 0
"""
DEVICES = """\
[[device]]
name = "cod-1"
[device.mqtt]
[device.codec]
kind = "json"
fields = [{ path = "/cod", quantity = "cod", unit = "mg/L" }]
"""
RULES = """\
[[rule]]
id = "cod-high"
kind = "limit"
devices = ["cod-1"]
quantity = "cod"
unit = "mg/L"
high = 80
priority = "high"
sample = "east"
"""
KEYS = '[cod-1]\npassword = "secret-of-cod-1"\n'


def play(scratch, args):
    """What is wrong with how the lines were switched, if anything is."""
    boot = root.relays(args.program, {"gateway": GATEWAY, "devices": DEVICES, "rules": RULES, "keys": KEYS}, WATCHDOG_S)
    bed, port = scratch / "bed", free_port()
    bed.mkdir()
    shutil.copy(root.HERE / "relays.sh", bed / "guest.sh")
    kernel, initrd, image = boot
    machine = Process(
        [
            *("qemu-system-x86_64", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", 768),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{scratch / 'console.log'}"),
            *("-kernel", kernel, "-initrd", initrd),
            *("-append", "root=/dev/vda rw console=ttyS0 panic=5 quiet mitigations=off net.ifnames=0"),
            *("-drive", f"file={image},if=virtio,format=raw,snapshot=on"),
            *("-virtfs", f"local,path={bed},mount_tag=bed,security_model=none"),
            *("-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:1883"),
        ],
        scratch / "qemu.log",
    )
    log, shown = bed / "guest.log", 0
    try:
        end = time.monotonic() + STORY_S_MAX
        while time.monotonic() < end and not (bed / "over").exists():
            machine.check()
            wanted = bed / "measure"
            if wanted.exists() and (value := wanted.read_text().strip()):
                measure(port, value)
                wanted.unlink()
            lines = log.read_text().splitlines() if log.exists() else []
            for line in lines[shown:]:
                print(f"vm: relays: {line}", flush=True)
            shown = len(lines)
            time.sleep(0.2)
        text = log.read_text() if log.exists() else ""
        if not (bed / "held").exists():
            return f"{text[-2_000:]}\n{(scratch / 'console.log').read_text(errors='replace')[-2_000:]}"
    finally:
        machine.kill()
    return None


def measure(port, value):
    """One value of the sensor, acknowledged."""
    sensor = [sys.executable, PEERS / "paho_sensor.py", "--port", port, "--user", "cod-1", "--password", "secret-of-cod-1"]
    sensor += ["--topic", "d/cod-1/up", "--count", 1, "--payload", f'{{"cod":{value}}}', "--deadline", 60]
    subprocess.run([str(part) for part in sensor], check=True, timeout=90)
