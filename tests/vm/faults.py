"""The disk below the machine refuses to write, heals, and breaks for good; then the machine is started again."""

from live import ACKNOWLEDGED_S_MAX, Box
from look import Breach
from process import until

FAULTS_S_MAX = 1_200


def play(scratch, args):
    """What is wrong with how the box took it, if anything is."""
    box = Box(scratch, args, "faults")
    machine = box.machine
    try:
        box.start_load()
        machine.start(args.seed)
        machine.until("over", FAULTS_S_MAX)
        sizes, told = box.load.sizes(), box.told()
        machine.cut()
        print("vm: faults:", box.look(machine.image, sizes, told), flush=True)
        if told != ["read while read-only", "said that it fails"]:
            raise Breach(f"the box said only {told}")
        before = box.load.count()
        (machine.bed / "story").write_text("idle\n")
        machine.start(args.seed)
        machine.until("over")
        until("the box acknowledges again", ACKNOWLEDGED_S_MAX, lambda: box.load.count() > before, 0.1)
        sizes = box.load.sizes()
        machine.cut()
        print("vm: faults, after a new start:", box.look(machine.image, sizes, told), flush=True)
    except (Breach, TimeoutError, RuntimeError) as broken:
        return f"{broken}\n{machine.told()}"
    finally:
        box.close()
    return None
