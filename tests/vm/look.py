"""What a disk holds after a cut: mounted as a box mounts it, opened by the real gateway, asked by the real verbs."""

import collections
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from disk import tool
from load import LORA, SENSORS, acknowledged
from process import Process, free_port, until

MEMORY = pathlib.Path("/dev/shm")  # nobody here cuts *its* power
START_S_MAX = 60
# What `lora_device.js` sends with a frame counter, in hundredths: the values of one series do not repeat.
ANALOG = {(fcnt * 7_919) % 32_768 - 16_384: fcnt for fcnt in range(32_768)}


class Breach(Exception):
    """A promise that the disk did not keep."""


class Disk:
    """A copy of an image, mounted; what stands on it is looked at and changed freely. `survivors` are blocks that reached
    it as well, with their places."""

    def __init__(self, image, program, survivors=()):
        self.program = program
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weir-vm-", dir=MEMORY if MEMORY.is_dir() else None))
        self.mnt, self.image, self.gateway = self.folder / "mnt", self.folder / "disk.img", None
        self.mnt.mkdir()
        tool("cp", "--sparse=always", image, self.image)
        with self.image.open("r+b", buffering=0) as file:
            for offset, block in survivors:
                file.seek(offset)
                file.write(block)

    def __enter__(self):
        # As systemd-fsck does at each boot; 1 means that it mended something, which is its work.
        checked = subprocess.run(["e2fsck", "-p", self.image], capture_output=True, text=True, timeout=60)
        try:
            if checked.returncode > 1:
                raise Breach(f"the file system needs hands: {checked.stdout.strip()}")
            tool("mount", "-o", "loop", self.image, self.mnt)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.gateway:
            self.gateway.kill()
        if os.path.ismount(self.mnt):
            tool("umount", self.mnt)
        shutil.rmtree(self.folder)

    def start_gateway(self):
        """Starts it on what is there; it must come up by itself."""
        etc, run = self.mnt / "etc", self.folder / "run"
        config = (etc / "gateway.toml").read_text()
        config = config.replace("0.0.0.0:1883", f"127.0.0.1:{free_port()}").replace("0.0.0.0:1700", "127.0.0.1:0")
        paths = [f'state_dir = "{self.mnt / "weir"}"', f'run_dir = "{run}"']
        paths += [f'{name} = "{etc / name}.toml"' for name in ["devices", "keys", "rules"]]
        file = self.folder / "gateway.toml"
        file.write_text(config.replace("\n", "\n" + "\n".join(paths) + "\n", 1))
        self.gateway = Process([self.program, "gateway", "run", "--config", file], self.folder / "gateway.log")

        def ready():
            if self.gateway.child.poll() == 70:  # as after a salvage: a restart helps
                self.gateway = Process(self.gateway.child.args, self.gateway.log)
            try:
                self.gateway.check()
            except RuntimeError as error:
                raise Breach(f"the gateway does not start: {error}") from error
            return "error" not in json.loads(self.weir("status", "--json", exits=(0, 1)).stdout)["gateway"]

        until("the gateway is ready", START_S_MAX, ready, 0.02)

    def weir(self, *arguments, state=None, exits=(0,)):
        """One of the technician's verbs."""
        places = ["--state-dir", state or self.mnt / "weir", "--run-dir", self.folder / "run"]
        command = [self.program, *places, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=os.environ | {"LANG": "C"})
        if done.returncode not in exits:
            raise Breach(f"weir {' '.join(map(str, arguments))}: {done.stdout[-500:]}{done.stderr[-500:]}")
        return done


def stored(disk):
    """By source: of each number that is stored, the records that have it."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in disk.weir("export", "--json").stdout.splitlines():
        row = json.loads(line)
        if row["source"] in SENSORS and row["quantity"] == "n":
            found[row["source"]][int(row["value"])].append(row["seq"])
        elif row["source"] == LORA and "analog" in row["quantity"]:
            found[LORA][ANALOG[round(float(row["value"]) * 100)]].append(row["seq"])
    return found


def look(disk, acked, sizes, told, places):
    """Whether the disk has all that was acknowledged within `sizes` bytes of the files of `acked`.

    `told` is what the guest said it had done by then; `places` the record of each number, as it was found so far, to
    which this adds. Returns facts for who reads along; raises Breach."""
    for name in ["devices", "keys"]:
        text = (disk.mnt / "etc" / f"{name}.toml").read_text()
        added = [line.split()[1] for line in told if line.startswith("device ")]
        if missing := [device for device in added if device not in text]:
            raise Breach(f"configuration: {name}.toml lacks {missing}, which was added")
    disk.start_gateway()
    verified = disk.weir("verify", "--json", "--sync-config", disk.mnt / "etc/sync.toml", exits=(0, 1)).stdout
    found, missing = stored(disk), 0
    # Afterwards, because retention may be at work: what it takes meanwhile must be told.
    checked = json.loads(disk.weir("journal", "check", "--json").stdout)
    for (name, file), size in zip(acked.items(), sizes, strict=True):
        source = name.split()[0]
        for number in acknowledged(file, size):
            records = found[source].get(number, [])
            if len(records) > 1:
                raise Breach(f"A3: {source} {number} is stored {len(records)} times: {records}")
            if not records:
                missing += 1
                if missing > checked["gone"]:
                    raise Breach(f"A1: {source} {number} was acknowledged and is not there")
            elif places.setdefault((source, number), records[0]) != records[0]:
                raise Breach(f"J1: {source} {number} was record {places[source, number]} and is {records[0]}")
    for finding in json.loads(verified)["findings"]:
        if not finding["holds"]:
            raise Breach(f"weir verify: {finding['what']}")
    tallies(disk, found, checked["gone"])
    if "backup" in told:
        whole_backup(disk)
    return {"records": checked["end"], "gone": checked["gone"], "parts": len(checked["parts"])}


def tallies(disk, found, gone):
    """A3: what the gateway counted as accepted is what is stored, but for what retention told."""
    devices = json.loads(disk.weir("status", "--json", exits=(0, 1)).stdout)["gateway"]["devices"]
    for name, numbers in found.items():
        accepted, count = devices[name]["accepted"], sum(map(len, numbers.values()))
        if not count <= accepted <= count + gone:
            raise Breach(f"A3: {name}: {accepted} accepted, {count} stored, {gone} gone")


def whole_backup(disk):
    """What `weir backup` said it had made can be put back."""
    elsewhere = disk.folder / "elsewhere"
    elsewhere.mkdir()
    disk.weir("restore", disk.mnt / "stick", state=elsewhere)
