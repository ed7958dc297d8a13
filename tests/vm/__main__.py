"""The power of a real machine is cut, and nothing acknowledged is lost.

    tests/run vm                       30 cuts of a machine at work, 1,000 of a recorded one, and failing disks
    tests/run vm --cuts 4 --seed 17    only seeds 17 to 20 of the first kind, and none of the other
    tests/run vm --recorded 5000       only of the other
    tests/run vm --faults              only the failing disks
    tests/run vm --relays              only the relays
    tests/run vm --image               only the disk image of packaging/image and its updates

A machine emulated by qemu, with Debian's kernel and systemd, has its data on ext4 on a disk with a volatile write
cache; in it the built `weir` runs by the project's own units. MQTT sensors (QoS 1 and 2) and a LoRaWAN device outside
note each acknowledgement. At work, the seed's moment comes: the disk and the machine are killed, what the disk holds is
looked at, and the machine is started again from it, over and over. Recorded, one life with a migration, seals,
retention, backup, restore, salvage and changes of the configuration is cut at any of its writes.

Each time, from what the disk holds the gateway must start by itself, `weir journal check` and `weir verify` must hold,
each acknowledged frame must be there once with the number it had before, and the tallies must fit. A disk that lies
about FLUSH must be found out. Relays on a simulated GPIO chip are switched, killed, frozen and stopped in mid-pulse. A disk that the kernel makes read-only must be told and cost nothing, and be written
again once it heals; one whose writes fail must be told too, and a new start must find all that was acknowledged.
The disk image of packaging/image is made, started and updated: a good bundle is kept once Weir is well on it, one that hangs or does not
start gives way to the former system, a foreign or garbled one is refused, and no row of quick power cuts changes the slot.
Needs root (loop mounts) and an amd64 processor; Debian's packages come with `tests/run vm`.
Prints a line for each cut at work. Exit status: 0 all held, 1 a promise was broken, 2 usage.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "compare"))

import faults  # noqa: E402, the line above is what finds its modules
import image  # noqa: E402
import live  # noqa: E402
import recorded  # noqa: E402
import relays  # noqa: E402
import root  # noqa: E402

CUTS, RECORDED = 30, 1_000
CUTS_OF_LIAR = 6  # a disk that lies is found by the first two or three


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/run vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cuts", type=int, help=f"of a machine at work (default {CUTS}, or 0 beside --recorded)")
    parser.add_argument("--recorded", type=int, help=f"of a recorded one (default {RECORDED}, or 0 beside --cuts)")
    parser.add_argument("--faults", action="store_true", help="a disk that is read-only for a while, then broken")
    parser.add_argument("--relays", action="store_true", help="relays on a simulated GPIO chip")
    parser.add_argument("--image", action="store_true", help="the disk image, its updates by bundles, and power cuts")
    parser.add_argument("--seed", type=int, default=1, help="of the first cut; the next has the next")
    parser.add_argument("--dir", default="/var/tmp", help="a folder with 6 GB of room")
    parser.add_argument("--keep", action="store_true", help="keep the folder although all held")
    args = parser.parse_args()
    neither = args.cuts is None and args.recorded is None and not (args.faults or args.relays or args.image)
    args.relays |= neither
    args.image |= neither
    args.faults |= neither
    args.cuts = args.cuts if args.cuts is not None else CUTS if neither else 0
    args.recorded = args.recorded if args.recorded is not None else RECORDED if neither else 0
    return args


@contextlib.contextmanager
def scratch(args, name):
    """A folder that is kept if a promise was broken in it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"weir-vm-{name}-", dir=args.dir))
    held = []
    try:
        yield folder, held
    finally:
        if held and not args.keep:
            shutil.rmtree(folder)
        else:
            print(f"vm: kept {folder}", flush=True)


def cut_live(args):
    """Whether all promises held."""
    with scratch(args, "live") as (folder, held):
        done = live.play(folder, args, args.cuts)
        well = not any("breach" in facts for facts in done)
        booting = sum(facts.get("at") == "boot" for facts in done)
        acknowledged = done[-1].get("acknowledged", 0)
        print(f"vm: at work: {len(done)} cuts, {booting} of them while it started, {acknowledged} acknowledgements")
        held += [True] * well
        return well


def cut_recorded(args):
    """Whether all promises held."""
    with scratch(args, "recorded") as (folder, held):
        tally, breaches = recorded.play(folder, args, args.recorded)
        print(f"vm: recorded: {tally.total()} cuts, {len(breaches)} broke a promise")
        for step, count in tally.items():
            print(f"vm:   {step:<14} {count:>6}")
        held += [True] * (not breaches)
        return not breaches


def fail_disk(args):
    """Whether the box took it well."""
    with scratch(args, "faults") as (folder, held):
        broken = faults.play(folder, args)
        print(f"vm: failing disks: {broken or 'told, and nothing is lost'}")
        held += [True] * (broken is None)
        return broken is None


def switch_relays(args):
    """Whether each line was on only as long as it should."""
    with scratch(args, "relays") as (folder, held):
        broken = relays.play(folder, args)
        print(f"vm: relays: {broken or 'on as long as they should, and off after whatever came'}")
        held += [True] * (broken is None)
        return broken is None


def update_image(args):
    """Whether the box went on with the right system."""
    with scratch(args, "image") as (folder, held):
        broken = image.play(folder, args)
        print(f"vm: image: {broken or 'updated by what is good, and by nothing else'}")
        held += [True] * (broken is None)
        return broken is None


def find_liar(args):
    """Whether a disk that lies about FLUSH is found out."""
    with scratch(args, "liar") as (folder, held):
        done = live.play(folder, args, CUTS_OF_LIAR, lie=True)
        found = "breach" in done[-1]
        print(f"vm: a disk that lies about FLUSH is {'found' if found else 'NOT found'} after {len(done)} cuts")
        held.append(True)
        return found


def main():
    args = arguments()
    # So that what is mounted and started is undone on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if os.geteuid() != 0 or os.uname().machine != "x86_64":
        print("vm: needs root on an amd64 machine · try: sudo tests/run vm", file=sys.stderr)
        return 2
    args.program = pathlib.Path(os.environ.get("WEIR_BIN", root.ROOT / "target/release/weir")).resolve()
    began, held = time.monotonic(), []
    if args.relays:
        held.append(switch_relays(args))
    if args.image:
        held.append(update_image(args))
    if args.cuts or args.faults or args.recorded:
        args.boot = root.build(args.program)
    if args.cuts:
        held += [cut_live(args), find_liar(args)]
    if args.faults:
        held.append(fail_disk(args))
    if args.recorded:
        held.append(cut_recorded(args))
    print(f"vm: {time.monotonic() - began:.0f} s; the same again: tests/run vm {' '.join(sys.argv[1:])}".rstrip())
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
