"""Nothing acknowledged is lost: Weir beside mosquitto and NATS JetStream in one scenario.

    tests/run compare                              every contestant, 100,000 messages
    tests/run compare --messages 2000 --only weir  only this one; may be repeated

For each: the uplink is down from the start; 100,000 messages at QoS 1 of about 87 bytes with unique numbers are sent,
2,000 a second if they are taken, at most 2,000 unacknowledged, and every acknowledgement is recorded; the edge is
killed with SIGKILL at half (killed twice: at a third and at two thirds) and started again, while its sensors go on as
soon as they can; then the link is restored, and what arrives is counted until it stops. Lost is what was acknowledged
and did not arrive; doubled is what arrived once too often. Each edge is told to try its link every second.

Bytes written are the sectors that the kernel wrote to a loop device that holds only the edge's state; they need root.
SIGKILL ends a process, not the power: the page cache survives, so that "0 lost" is no word about a power cut.
Prints a Markdown table on standard output; --json writes its rows as one JSON object a line.
Exit status: 0 measured, 1 Weir lost or doubled something, or a run broke; 2 usage.
"""

import argparse
import contextlib
import itertools
import json
import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile
import time

from disk import Disk
from jetstream import JetStream, JetStreamAlways
from mosquitto import Mosquitto, MosquittoAutosave, MosquittoEveryChange
from peer import LineCount, numbers_of
from process import until
from weir import Weir

CONTESTANTS = [Mosquitto, MosquittoAutosave, MosquittoEveryChange, JetStream, JetStreamAlways, Weir]
FIRST_S_MAX = 90  # until the first message arrives over the restored link; mosquitto looks at its bridges now and then
SETTLE_S = 1  # until memory at rest is read, and after all has arrived, for what may come twice
PUBLISH_S_MAX = 1_200
DRAIN_S_MAX = 600


def drain(peer, acknowledged, idle_s):
    """Restores the link and waits until nothing comes any more; returns the seconds until the last message."""
    began = last = time.monotonic()
    peer.restore_link()
    received = 0
    while last - began < DRAIN_S_MAX:
        now, count = time.monotonic(), peer.received()
        if count > received:
            received, last = count, now
        if received >= acknowledged:
            patience_s = SETTLE_S
        else:
            patience_s = idle_s if received else FIRST_S_MAX
        if now - last > patience_s:
            break
        time.sleep(0.1)
    return last - began


def play(peer, messages, kills, args):
    """One run of the scenario."""
    peer.prepare()
    written_bytes = peer.disk.written_bytes()
    starts_ms = [peer.start()]
    time.sleep(SETTLE_S)
    rss_idle, rss_peak = peer.rss_bytes("VmRSS"), 0
    began, acked = time.monotonic(), LineCount(peer.acked_files())
    peer.publish(messages, args.rate, PUBLISH_S_MAX)
    for kill in range(1, kills + 1):
        part = messages * kill // (kills + 1)
        until(f"{part} messages are acknowledged", PUBLISH_S_MAX, lambda: peer.check() or acked.count() >= part)
        rss_peak = max(rss_peak, peer.rss_bytes("VmHWM"))
        peer.kill()
        starts_ms.append(peer.start())
    for sensor in peer.sensors:
        sensor.finish(PUBLISH_S_MAX - (time.monotonic() - began))
    publish_s = time.monotonic() - began
    acknowledged = numbers_of(peer.acked_files())
    drain_s = drain(peer, len(acknowledged), args.idle)
    rss_peak = max(rss_peak, peer.rss_bytes("VmHWM"))
    numbers = peer.numbers()
    return {
        "peer": peer.name,
        "title": peer.title,
        "kills": kills,
        "messages": messages,
        "acknowledged": len(acknowledged),
        "received": len(numbers),
        "lost": len(acknowledged.keys() - numbers.keys()),
        "doubled": sum(count - 1 for count in numbers.values()),
        "acknowledged_per_s": round(len(acknowledged) / publish_s),
        "drain_s": round(drain_s, 1),
        "written_bytes": None if written_bytes is None else peer.disk.written_bytes() - written_bytes,
        "rss_idle_bytes": rss_idle,
        "rss_peak_bytes": rss_peak,
        "start_ms": [round(start) for start in starts_ms],
    }


def run(contestant, args, kills):
    """One run in a folder of its own, of which nothing is left."""
    messages = min(args.messages, contestant.messages_max or args.messages)
    with contextlib.ExitStack() as undo:
        scratch = pathlib.Path(tempfile.mkdtemp(prefix="weir-compare-", dir=args.dir))
        undo.callback(shutil.rmtree, scratch)
        disk = Disk(scratch / "disk")
        undo.callback(disk.close)
        disk.mount(scratch / "ext4.img")
        peer = contestant(disk, scratch)
        undo.callback(peer.stop)
        return play(peer, messages, kills, args)


def table(rows):
    """Markdown."""
    head = "peer, configuration|killed|acknowledged|lost|doubled|acks/s|drain s|written MB|RSS MB idle → peak|start ms"
    lines = [f"| {head.replace('|', ' | ')} |", "|---|" + "---:|" * head.count("|")]
    mb = lambda size: "-" if size is None else f"{size / 1e6:,.1f}"
    for row in rows:
        lost = f"**{row['lost']:,}**" if row["lost"] else "0"
        cells = [
            *(row["title"], str(row["kills"]), f"{row['acknowledged']:,}", lost, f"{row['doubled']:,}"),
            *(f"{row['acknowledged_per_s']:,}", f"{row['drain_s']}", mb(row["written_bytes"])),
            f"{mb(row['rss_idle_bytes'])} → {mb(row['rss_peak_bytes'])}",
            " → ".join(str(start) for start in row["start_ms"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/run compare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--messages", type=int, default=100_000, help="of each run; slow configurations take fewer")
    parser.add_argument("--rate", type=float, default=2_000, help="messages a second, 0: as fast as they are taken")
    parser.add_argument("--only", action="append", choices=names, help="a contestant; may be repeated")
    parser.add_argument("--kills", action="append", type=int, choices=[1, 2], help="how often an edge is killed: 1, 2")
    parser.add_argument("--idle", type=float, default=15, help="seconds without a message that end a run")
    parser.add_argument("--dir", default="/var/tmp", help="a folder on the disk to measure on")
    parser.add_argument("--json", type=pathlib.Path, help="write the rows to this file")
    return parser.parse_args()


def main():
    args = arguments()
    # So that what is mounted and started is undone on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    load = f"load {os.getloadavg()[0]:.0f}"
    print(f"{os.cpu_count()} CPUs, {load}, {platform.system()} {platform.release()}", file=sys.stderr)
    rows, broken = [], 0
    chosen = [contestant for contestant in CONTESTANTS if not args.only or contestant.name in args.only]
    for contestant, kills in itertools.product(chosen, args.kills or [1, 2]):
        try:
            rows.append(run(contestant, args, kills))
            print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
        except Exception as error:
            broken += 1  # the others are measured all the same
            print(f"compare: {contestant.name}, killed {kills} times: {error}", file=sys.stderr, flush=True)
    print(table(rows))
    if args.json:
        args.json.write_text("".join(json.dumps(row) + "\n" for row in rows))
    kept = all(row["lost"] == row["doubled"] == 0 for row in rows if row["peer"] == Weir.name)
    return 0 if kept and not broken else 1


if __name__ == "__main__":
    sys.exit(main())
