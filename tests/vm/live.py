"""The power is cut while the box works, and it must go on by itself from what the disk holds."""

import json
import random
import time

import load
import root
from look import Breach, Disk, look
from machine import Machine
from process import free_port, until

DATA_BYTES = 256 * 1024 * 1024
ACKNOWLEDGED_S_MAX = 300
# Cuts before the box is up, and how long a box that is up may work before it.
BOOTING_SHARE, BOOTING_S, WORKING_S = 0.2, 30, 20


class Box:
    """A machine, its load, and what is known of it."""

    def __init__(self, scratch, args, story, state=None):
        self.args, ports = args, (free_port(), free_port())
        self.machine = Machine(scratch, args.boot, ports)
        self.ports, self.scratch, self.load, self.places = ports, scratch, None, {}
        (self.machine.bed / "story").write_text(f"{story}\n")
        load.configure(scratch / "etc")
        root.data(self.machine.image, scratch / "etc", DATA_BYTES, state)

    def start_load(self):
        """From now on the sensors send."""
        self.load = load.Load(self.scratch, self.machine.bed, self.ports)

    def told(self, size=None):
        """What the guest said it had done."""
        file = self.machine.bed / "told"
        return file.read_bytes()[:size].decode().splitlines() if file.exists() else []

    def look(self, image, sizes, told, survivors=()):
        """Everything that was promised by then must be there."""
        with Disk(image, self.args.program, survivors) as disk:
            return look(disk, self.load.acked, sizes, told, self.places)

    def close(self):
        """Ends whatever runs."""
        self.machine.stop()
        if self.load:
            self.load.close()


def cut_once(box, seed, lie):
    """Power on, work, power off at the seed's moment; returns what it came to."""
    chance, machine = random.Random(seed), box.machine
    machine.start(seed, *(["lie=1"] if lie else []))
    before = box.load.count()
    facts = {"seed": seed, "at": "boot", "boot_s": None}
    if chance.random() >= BOOTING_SHARE:
        facts |= {"at": "work", "boot_s": round(machine.until("ready"))}
        checked = json.loads((machine.bed / "check.json").read_text())
        if not checked["well"]:
            raise Breach(f"the box itself finds its journal damaged: {checked}")
        until("the box acknowledges again", ACKNOWLEDGED_S_MAX, lambda: box.load.count() > before, 0.1)
        time.sleep(chance.uniform(0, WORKING_S))
    else:
        time.sleep(chance.uniform(1, BOOTING_S))
    # Asked for before the cut: what comes later may or may not be there.
    sizes, told = box.load.sizes(), box.told()
    machine.cut()
    facts |= {"acknowledged": box.load.count(), "new": box.load.count() - before}
    return facts | box.look(machine.image, sizes, told)


def play(scratch, args, cuts, lie=False):
    """As many cuts in a row, one box; returns the facts of each, and stops at the first broken promise."""
    box, done = Box(scratch, args, "live"), []
    try:
        box.start_load()
        for nth in range(cuts):
            facts = {"seed": args.seed + nth}
            try:
                facts = cut_once(box, args.seed + nth, lie)
            except (Breach, OSError, ValueError, RuntimeError) as broken:
                facts |= {"breach": str(broken), "image": str(box.machine.image), "told": box.machine.told()}
            done.append(facts)
            print("vm:", json.dumps(facts, ensure_ascii=False), flush=True)
            if "breach" in facts:
                break
            box.load.check()
    finally:
        box.close()
    return done
