"""One life of the machine is recorded, write by write; then the power is cut at thousands of its moments.

A cut costs a mount and a start of the gateway on the host. What was flushed by then is on the disk; of what was not,
each block by chance, by the seed."""

import collections
import random
import shutil

from live import Box
from look import MEMORY, Breach
from old_schema import old_state
from volatile import read_log

RECORDED_S_MAX = 3_600
SURVIVE_SHARES = [0, 0.1, 0.5, 0.9, 1]
BREACHES_SHOWN = 10


class Recording:
    """What the disk was told, and what the outside knew at each moment."""

    def __init__(self, scratch, args):
        state, old = old_state(scratch, args.program)
        self.box = box = Box(scratch, args, "recorded", state)
        self.base = scratch / "base.img"
        shutil.copy(box.machine.image, self.base)
        box.start_load()
        box.load.acked["cod-1 before"] = old
        bed, log = box.machine.bed, scratch / "writes.log"
        witnesses = [bed / "steps", bed / "told", *box.load.acked.values()]
        try:
            box.machine.start(args.seed, f"log={log}", f"witnesses={':'.join(map(str, witnesses))}")
            box.machine.until("over", RECORDED_S_MAX)
        except (TimeoutError, RuntimeError) as broken:
            raise RuntimeError(f"{broken}\n{box.machine.told()}") from broken
        finally:
            box.close()
        self.notes = list(read_log(log, len(witnesses)))
        self.steps = (bed / "steps").read_bytes()

    def step(self, at):
        """What went on at a note."""
        begun = self.steps[: self.notes[at][2][0]].decode().splitlines()
        return begun[-1] if begun else "migration"

    def plan(self, cuts, seed):
        """At which writes: the steps get equal shares, and within one every k-th."""
        writes = collections.defaultdict(list)
        for at, (_, block, _) in enumerate(self.notes):
            if block:
                writes[self.step(at)].append(at)
        planned = []
        for among in writes.values():
            share = max(1, min(len(among), cuts // len(writes)))
            planned += [among[(seed + nth * len(among) // share) % len(among)] for nth in range(share)]
        return sorted(planned)


def play(scratch, args, cuts):
    """Records, cuts, looks; returns the tally by step and the breaches."""
    recording = Recording(scratch, args)
    writes = sum(1 for note in recording.notes if note[1])
    print(f"vm: recorded {writes} writes and {len(recording.notes) - writes} flushes", flush=True)
    medium = (MEMORY if MEMORY.is_dir() else scratch) / f"weir-medium-{args.seed}.img"
    shutil.copy(recording.base, medium)
    tally, breaches = collections.Counter(), []
    try:
        with medium.open("r+b", buffering=0) as file:
            for at, survivors in moments(recording, file, cuts, args.seed):
                tally[recording.step(at)] += 1
                if breach := look_at(recording, medium, at, survivors):
                    breaches.append((at, recording.step(at), breach))
                    if len(breaches) <= BREACHES_SHOWN:
                        print(f"vm: cut after note {at} ({recording.step(at)}): {breach}", flush=True)
    finally:
        medium.unlink()
    return tally, breaches


def moments(recording, file, cuts, seed):
    """Plays the log onto the medium; at each cut gives its place and the unflushed blocks that survive it."""
    pending, planned = [], iter(recording.plan(cuts, seed))
    cut = next(planned, None)
    for at, (offset, block, _) in enumerate(recording.notes):
        if block:
            pending.append((offset, block))
        else:
            for place, kept in pending:
                write_at(file, place, kept)
            pending.clear()
        while cut == at:
            chance = random.Random(seed * 1_000_003 + at)
            share = chance.choice(SURVIVE_SHARES)
            yield at, [note for note in pending if chance.random() < share]
            cut = next(planned, None)


def write_at(file, offset, block):
    """Onto the medium."""
    file.seek(offset)
    file.write(block)


def look_at(recording, medium, at, survivors):
    """What is wrong with the disk of this cut, if anything is."""
    _, told, *sizes = recording.notes[at][2]
    try:
        recording.box.look(medium, sizes, recording.box.told(told), survivors)
    except (Breach, OSError, ValueError) as breach:
        return str(breach)
    return None
