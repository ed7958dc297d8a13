"""What stands in memory: Weir beside the services that ChirpStack 4 and a flow editor need.

    tests/run footprint

Starts each alone, on loopback and a fresh state, waits until it serves and SETTLE_S more, and adds up the proportional
set size (PSS) of its processes: memory that two of them share counts once. PostgreSQL and Redis have Debian's
settings, mosquitto one listener, Node-RED no flow, Weir eight sensors and one platform that is served. ChirpStack and
its Gateway Bridge are in no package registry and are not here: what the others come to is a lower bound.
Prints a Markdown table. Exit status: 0 measured, 1 something did not start; 2 usage.
"""

import argparse
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
import types

from process import LISTEN_S_MAX, Process, free_port, until
from weir import Weir

SETTLE_S = 20  # until what is done once at a start is done
NODE_RED = "node-red/node_modules/node-red/red.js"


def tree(pid):
    """The process and all its descendants."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid] + [one for child in children for one in tree(int(child))]


def pss_bytes(processes):
    """Of these processes and their descendants."""
    rollups = [pathlib.Path(f"/proc/{pid}/smaps_rollup") for each in processes for pid in tree(each.child.pid)]
    lines = [line.split() for rollup in rollups for line in rollup.read_text().splitlines()]
    return sum(int(line[1]) * 1_024 for line in lines if line[0] == "Pss:")


def as_nobody_special(command):
    """PostgreSQL refuses to run as root; Debian's package makes a user for it."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *command] if os.geteuid() == 0 else command


def postgresql(scratch):
    """A cluster as initdb makes it."""
    bin_dir = max(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    folder, port = scratch / "postgresql", free_port()
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    made = Process(as_nobody_special([bin_dir / "initdb", "-D", folder, "-A", "trust"]), scratch / "initdb.log")
    made.finish(LISTEN_S_MAX)
    serving = [bin_dir / "postgres", "-D", folder, "-p", port, "-k", "", "-h", "127.0.0.1"]
    return Process(as_nobody_special(serving), scratch / "postgresql.log"), port


def redis(scratch):
    """Debian's settings, but for the port and the folder."""
    port = free_port()
    options = ["--port", port, "--dir", scratch, "--daemonize", "no", "--logfile", "", "--supervised", "no"]
    return Process(["redis-server", "/etc/redis/redis.conf", *options], scratch / "redis.log"), port


def mosquitto(scratch):
    """One listener without passwords."""
    port, config = free_port(), scratch / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    return Process(["mosquitto", "-c", config], scratch / "mosquitto.log"), port


def node_red(scratch):
    """No flow."""
    port = free_port()
    command = ["node", pathlib.Path(__file__).parent.parent / ".tools" / NODE_RED, "-p", port, "-u", scratch / "red"]
    return Process(command, scratch / "node-red.log"), port


def weir(scratch):
    """Both daemons, with the platform that they deliver to."""
    state = scratch / "disk"
    state.mkdir()
    box = Weir(types.SimpleNamespace(folder=state, written_bytes=lambda: 0), scratch)
    box.prepare()
    box.restore_link()
    box.start()
    return box


def measure(start, scratch):
    """Bytes of one other service."""
    process, port = start(scratch)
    with contextlib.ExitStack() as at_end:
        # A polite end: PostgreSQL's children would outlive a SIGKILL of their parent.
        at_end.callback(process.child.wait, timeout=LISTEN_S_MAX)
        at_end.callback(process.child.terminate)
        process.until_listening(port)
        time.sleep(SETTLE_S)
        return pss_bytes([process])


def measure_weir(scratch):
    """Bytes of each of its daemons."""
    box = weir(scratch)
    try:
        until("its records have receipts", LISTEN_S_MAX, lambda: box.received() > 0, 0.1)
        time.sleep(SETTLE_S)
        return [pss_bytes([daemon]) for daemon in box.edge]
    finally:
        box.stop()


def main():
    """Measures all of them, one after the other."""
    argparse.ArgumentParser(
        prog="tests/run footprint", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="weir-footprint-") as folder:
        scratch = pathlib.Path(folder)
        scratch.chmod(0o755)
        gateway, sync = measure_weir(scratch)
        for name, start in [("PostgreSQL", postgresql), ("Redis", redis), ("mosquitto", mosquitto), ("Node-RED", node_red)]:
            rows.append((name, measure(start, scratch)))
    rows.append(("all of these", sum(size for _, size in rows)))
    rows += [("Weir, gateway", gateway), ("Weir, upload daemon", sync), ("both of Weir", gateway + sync)]
    print("| service | PSS in MB |\n|---|---:|")
    for name, size in rows:
        print(f"| {name} | {size / 1e6:.1f} |")


if __name__ == "__main__":
    try:
        main()
    except (OSError, RuntimeError, TimeoutError) as error:
        sys.exit(f"footprint: {error} · try: tests/run footprint")
