"""The disk image of packaging/image in an emulated PC: updated by bundles, good, bad and foreign, its power cut all the time."""

import hashlib
import itertools
import random
import shutil
import subprocess
import time

import load
from bureau import CHOICE_AT, DATA_AT, MIB, TRIES, Bureau, card_of_a_pi, chosen
from disk import tool
from look import Breach, Disk, look
from machine import HERE, Machine
from process import Process, free_port, until

QUICK_CYCLES, QUICK_S_MAX, CYCLES_MAX = 10, 45, 40
INSTALL_CUTS, INSTALL_CUT_S = ["Determining target", "Copying image to boot", "Copying image to system"], 4
RATE = 2  # a second and sensor: the box has other work
BOOT_S_MAX, INSTALL_S_MAX = 600, 900


class Computer(Machine):
    """An emulated PC that starts from its disk alone."""

    def __init__(self, scratch, ports):
        super().__init__(scratch, (None, None, None), ports)
        shutil.copy(HERE / "image.sh", self.bed / "guest.sh")

    def start(self, seed, *_):
        """Power on."""
        for stale in ["do", "doing", "did"]:
            (self.bed / stale).unlink(missing_ok=True)
        forward = [f"hostfwd=tcp:127.0.0.1:{self.mqtt}-:1883", f"hostfwd=udp:127.0.0.1:{self.gwmp}-:1700"]
        self.command = [
            # A reset ends it, and `tend` starts it again: emulated, the same process is minutes slower the second time.
            *("qemu-system-x86_64", "-no-reboot", "-M", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", 1_024),
            *("-nodefaults", "-no-user-config", "-display", "none", "-serial", f"file:{self.scratch / 'console.log'}"),
            *("-drive", f"file=nbd:unix:{self.serve(seed)},if=virtio,format=raw,cache=writeback"),
            *("-virtfs", f"local,path={self.bed},mount_tag=bed,security_model=none"),
            *("-nic", f"user,model=virtio-net-pci,{','.join(forward)}"),
            *("-device", "i6300esb", "-action", "watchdog=reset"),
        ]
        self.qemu = Process(self.command, self.scratch / "qemu.log")

    def tend(self):
        """Starts it again if it was reset, from the same disk."""
        self.disk.check()
        if self.qemu.child.poll() == 0:
            self.qemu = Process(self.command, self.scratch / "qemu.log")
        self.qemu.check()

    def boots(self):
        """The slot of each start so far that came far enough to say so."""
        file = self.bed / "boots"
        return [line.split()[0] for line in file.read_text().splitlines()] if file.exists() else []

    def until_booted(self, slots):
        """Waits until as many starts as these have said theirs."""

        def all_there():
            self.tend()
            return len(self.boots()) >= len(slots)

        until(f"the machine starts {slots}", BOOT_S_MAX * len(slots), all_there, 0.2)
        if self.boots() != slots:
            raise Breach(f"the slots that were started are {self.boots()}, not {slots}")

    def run(self, command, seconds=120, exits=(0,)):
        """Does it in the machine; what it printed."""
        (self.bed / "did").unlink(missing_ok=True)
        (self.bed / "do.new").write_text(command + "\n")
        (self.bed / "do.new").rename(self.bed / "do")
        code = until(command, seconds, lambda: (self.tend(), self._did())[1], 0.2)
        out = (self.bed / "out").read_text(errors="replace")
        if int(code) not in exits:
            raise Breach(f"{command}: exit status {code.strip()}: {out[-1_000:]}")
        return out

    def _did(self):
        file = self.bed / "did"
        return file.read_text() if file.exists() else ""


def last_error(said):
    """Of what RAUC printed."""
    return next(line for line in said.splitlines() if "LastError" in line)


class Trial:
    """The story of one box."""

    def __init__(self, scratch, args):
        self.args, self.scratch, self.seeds = args, scratch, itertools.count(args.seed)
        self.ports, self.load, self.places, self.expected = (free_port(), free_port()), None, {}, []
        self.machine = Computer(scratch, self.ports)
        self.bureau = Bureau(scratch, args.program)

    def card(self):
        """That of a box that was set up."""
        out = self.bureau.make("first", "0.1.0-1")
        (out / "weir.img").rename(self.machine.image)
        load.configure(self.scratch / "etc")
        mnt = self.scratch / "mnt"
        mnt.mkdir()
        tool("mount", "-o", f"loop,offset={DATA_AT * MIB}", self.machine.image, mnt)
        try:
            for file in (self.scratch / "etc").iterdir():
                shutil.copy(file, mnt / "etc")
                tool("chown", "980:980", mnt / "etc" / file.name)
        finally:
            tool("umount", mnt)

    def bundles(self):
        """A good one, and such as a box must not keep."""
        slot = self.bureau.make("second", "0.1.0-2") / "slot"
        self.bureau.bundle(slot, "good.raucb")
        self.bureau.bundle(slot, "foreign.raucb", "stranger")
        garbled = bytearray((self.machine.bed / "good.raucb").read_bytes())
        garbled[len(garbled) // 2] ^= 0xFF
        (self.machine.bed / "garbled.raucb").write_bytes(garbled)
        self.bureau.bundle(self.bureau.hanging(slot), "hanging.raucb")
        self.bureau.bundle(self.bureau.empty(slot), "empty.raucb")

    def say(self, text):
        """A line for who reads along."""
        print(f"vm: image: {time.monotonic() - self.began:5.0f} s: {text}", flush=True)

    def system(self):
        """A digest of all but what lasts: the boot choice, and both slots."""
        with self.machine.image.open("rb") as file:
            return hashlib.sha256(file.read(DATA_AT * MIB)).hexdigest()

    def power_on(self, *slots):
        """Starts the machine, which starts these systems one after the other, and waits for the gateway in the last."""
        self.machine.start(next(self.seeds))
        self.come_up(*slots)

    def come_up(self, *slots):
        """The same of a machine that runs."""
        self.expected += slots
        self.machine.until_booted(self.expected)
        before = self.load.count()
        until("the box acknowledges", BOOT_S_MAX, lambda: self.load.count() > before, 0.2)

    def cut(self):
        """The power goes, and all that was acknowledged by then must be there."""
        sizes = self.load.sizes()
        self.machine.cut()
        self.expected = self.machine.boots()
        data = self.scratch / "data.ext4"
        where = ["bs=1M", f"skip={DATA_AT}", "conv=sparse"]
        tool("dd", f"if={self.machine.image}", f"of={data}", *where, seconds=120)
        with Disk(data, self.args.program) as disk:
            facts = look(disk, self.load.acked, sizes, [], self.places)
        data.unlink()
        return facts

    def cycle(self, slot):
        """Quick power cycles; none of them writes a byte of boot choice and systems."""
        chance, before, starts = random.Random(self.args.seed), self.system(), len(self.expected)
        for nth in range(QUICK_CYCLES):
            seconds = chance.uniform(0.5, QUICK_S_MAX)
            self.machine.start(next(self.seeds))
            time.sleep(seconds)
            facts = self.cut()
            self.say(f"power cycle {nth + 1} after {seconds:.1f} s, started so far {''.join(self.expected)}, {facts}")
            if self.system() != before or set(self.expected[starts:]) - {slot}:
                raise Breach(f"power cycle {nth + 1} changed the slot, or wrote to the system")
        self.power_on(slot)

    def install(self, bundle, exits=(0,)):
        """As an engineer does, from a file on the box's own disk."""
        command = f"cp /bed/{bundle} /data/ && rauc install /data/{bundle}; r=$?; rm /data/{bundle}; exit $r"
        return self.machine.run(command, INSTALL_S_MAX, exits)

    def noted(self, line, times=1):
        """So often the box notes this about its slots."""
        count = f"touch /data/slots/log; grep -c '{line}' /data/slots/log"
        until(f"{times} times {line!r}", BOOT_S_MAX, lambda: int(self.machine.run(count, exits=(0, 1))) >= times, 1)

    def chosen(self, file):
        """What stands in a file of the boot choice, on the medium."""
        return chosen(self.machine.image, CHOICE_AT, file)

    def kept(self, slot):
        """It runs, it is the kept one, and nothing is on trial."""
        wanted = f"booted {slot}, kept {slot}"
        until(wanted, BOOT_S_MAX, lambda: self.machine.run("weir-slot").strip() == wanted, 1)

    def first_start(self):
        """A, on a root that forgets, with a watchdog."""
        self.power_on("A")
        self.kept("A")
        self.identity = self.machine.run("cat /etc/machine-id")
        self.same_machine()
        self.machine.run("[ $(findmnt -no FSTYPE /) = overlay ] && touch /etc/forgotten /data/lasts && sync")
        self.machine.run("! touch /boot/choice/x")
        self.machine.run("[ $(systemctl show -P RuntimeWatchdogUSec) = 15s ] && grep -qx active /sys/class/watchdog/*/state")

    def same_machine(self):
        """Its identity is that of the first start."""
        now = self.machine.run("cat /etc/machine-id /data/identity/machine-id")
        if now != self.identity * 2:
            raise Breach(f"the machine's identity is {now}, and was {self.identity}")

    def refuse(self):
        """What nobody whom the box believes has signed, and what was changed afterwards."""
        said = self.install("foreign.raucb", exits=(1,))
        if "signature" not in said and "certificate" not in said:
            raise Breach(f"the foreign bundle: {said}")
        self.say(f"a foreign signature is refused: {last_error(said)}")
        said = self.install("garbled.raucb", exits=(1,))
        self.say(f"a garbled bundle is refused: {last_error(said)}")
        self.kept("A")

    def cut_while_installing(self):
        """A slot that is half written is never started."""
        chance = random.Random(self.args.seed)
        self.machine.run("cp /bed/good.raucb /data/ && sync", INSTALL_S_MAX)
        for step in INSTALL_CUTS:
            self.machine.run("nohup rauc install /data/good.raucb >/bed/installing 2>&1 & sleep 1")
            said = self.machine.bed / "installing"
            until(step, INSTALL_S_MAX, lambda step=step: step in said.read_text(), 0.1)
            time.sleep(chance.uniform(0, INSTALL_CUT_S))
            facts = self.cut()
            self.say(f"power cut while a bundle is installed ({said.read_text().splitlines()[-1].strip()}): {facts}")
            self.power_on("A")
            self.kept("A")

    def fall_back(self, bundle, starts, times):
        """A system on which Weir is not well is given up by itself; `starts` of them say which slot they are."""
        self.install(bundle)
        self.machine.run("(sleep 1; weir-slot reboot) >/dev/null 2>&1 &")
        self.come_up(*["B"] * starts, "A")
        self.noted("slot A again", times)
        self.kept("A")
        self.say(f"{bundle}: started so far {''.join(self.expected)}, A goes on")

    def update(self):
        """A good one is kept by itself; while it is on trial nothing is written over what it would go back to."""
        self.install("good.raucb")
        self.machine.run("(sleep 1; weir-slot reboot) >/dev/null 2>&1 &")
        self.come_up("B")
        said = self.machine.run("weir-slot").strip()
        self.say(f"{said}; an install over it: {last_error(self.install('empty.raucb', exits=(1,)))}")
        self.kept("B")
        self.noted("slot B is kept")
        if "0.1.0-2" not in self.machine.run("dpkg-query -Wf '${Version}' weir"):
            raise Breach("B is not the new version")
        self.say("good.raucb is kept")

    def go_back(self):
        """To the other system, because an engineer says so: it is tried and kept like any other."""
        self.machine.run("rauc status mark-active other && { (sleep 1; weir-slot reboot) >/dev/null 2>&1 & }")
        self.come_up("A")
        self.kept("A")
        self.say("the other system was told to be started: A is kept")

    def cycle_on_trial(self):
        """Quick power cycles while a good one is to be tried use up its tries, and the kept one goes on."""
        self.install("good.raucb")
        chance, cycles = random.Random(self.args.seed), 0
        # What GRUB counted may be lost with the disk's cache: then there is one more try.
        while cycles < QUICK_CYCLES or "left=0" not in self.chosen("try.env"):
            self.machine.cut()
            if "good=B" not in self.chosen("good.env") or cycles == CYCLES_MAX:
                raise Breach(f"after {cycles} power cycles: {self.chosen('good.env')}, {self.chosen('try.env')}")
            self.machine.start(next(self.seeds))
            time.sleep(chance.uniform(5, 20))
            cycles += 1
        facts = self.cut()
        self.power_on("B")
        self.noted("slot B again")
        self.kept("B")
        self.say(f"{cycles} power cycles of a system on trial: B goes on, {facts}")

    def hang(self, slot):
        """The kernel dies and is told not to start again; only the hardware can do it, and the same system comes up."""
        self.machine.run("echo 0 >/proc/sys/kernel/panic; (sleep 1; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &")
        self.come_up(slot)
        self.kept(slot)
        self.say(f"the kernel died, and the hardware watchdog reset the machine: {slot} goes on")

    def play(self):
        """All of it."""
        self.began = time.monotonic()
        card_of_a_pi(self.bureau)
        self.card()
        self.bundles()
        self.say("image and bundles are made")
        self.load = load.Load(self.scratch, self.machine.bed, self.ports, RATE)
        self.first_start()
        self.say("first start")
        self.hang("A")
        self.same_machine()
        self.refuse()
        self.cut_while_installing()
        self.fall_back("hanging.raucb", TRIES, 1)
        self.noted("slot B is not kept", TRIES)
        self.fall_back("empty.raucb", 0, 2)
        self.cut()
        self.cycle("A")
        self.update()
        self.cycle_on_trial()
        self.cut()
        self.cycle("B")
        self.machine.run("[ -e /data/lasts ] && [ ! -e /etc/forgotten ]")
        self.go_back()
        self.same_machine()
        self.say(f"at the end: {self.cut()}")


def play(scratch, args):
    """What is wrong with the image, if anything is."""
    trial = None
    try:
        trial = Trial(scratch, args)
        trial.play()
    except (Breach, TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as broken:
        return f"{broken}\n{trial.machine.told() if trial else ''}"
    finally:
        if trial:
            trial.machine.stop()
            if trial.load:
                trial.load.close()
    return None
