#!/usr/bin/env python3
"""Sensors behind transparent LoRa modules, and the adapter that the box has them at: a pseudo-terminal under a link.

Proves: a device written from README.md alone is understood; what it saw acknowledged is stored once, through garbage, half
frames, two devices that talk at once, an adapter that is pulled out; and nothing hostile is acknowledged or stored.

    serial_device.py --link /tmp/lora --devices serial.json --count 20 --acked acked.jsonl
    serial.json: [{"name": "level-7", "id": 7, "mac_key": "<64 hex>"}]

Each device sends {"n": counter, "cod": value}, and repeats a frame until it is acknowledged (--tries, --timeout ms).
--garbage: random bytes between frames. --halves: the first or second half of a frame before each. --collide: the first
try of each frame is mixed, bytewise, with one of another device. --cut: frames are written in pieces, as a module cuts
and joins packets. --vanish N: after each N acknowledged frames the adapter is pulled out for a second.
--hostile key|name|nokid|fork|reflect|replay|flip|repeat: --count frames of a kind that is not good, between good ones under
the counters --first and --first + 1 (replay: of the first of three, --first, + 100, + 101; repeat: of the newest).
--unconfirmed: do not ask for acknowledgements. --first: the first counter.

Prints JSON lines: ready, and last summary {sent, acknowledged, unacknowledged, repeats, foreign, vanished}.
`foreign`: acknowledgements that verify under no key or were not asked for.
--acked lines: {"device", "counter", "wall_ms"}. Exit status: 0 all acknowledged (--unconfirmed: none; --hostile: the good ones only), else 1.
"""

import argparse
import json
import os
import pty
import random
import select
import sys
import time
import tty

from envelope import ACK, CONFIRMED, FRAME, acknowledged_counter, frames_of, kid_of_id, line_frame, seal

PIECES_PAUSE_S = 0.002


def value(n):
    """Two decimals that follow from the number alone, as in paho_sensor.py."""
    hundredths = n * 7919 % 10_000
    return f"{hundredths // 100}.{hundredths % 100:02}"


def event(name, **facts):
    print(json.dumps({"event": name, **facts}), flush=True)


class Adapter:
    """A pseudo-terminal under a link that stays the same when the adapter is plugged in again."""

    def __init__(self, link):
        self.link, self.read = link, bytearray()
        self.plug_in()

    def plug_in(self):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        os.symlink(os.ttyname(self.slave), self.link)

    def unplug(self):
        os.unlink(self.link)
        os.close(self.slave)
        os.close(self.master)
        self.read.clear()

    def write(self, data):
        while data:
            select.select([], [self.master], [], 1)
            try:
                data = data[os.write(self.master, data):]
            except BlockingIOError:
                # Nobody reads: what the UART cannot hold is lost, as on a real one.
                return

    def frames(self, wait_s):
        """Frames that came within this time."""
        readable, _, _ = select.select([self.master], [], [], wait_s)
        if readable:
            try:
                self.read += os.read(self.master, 4096)
            except OSError:
                time.sleep(0.01)
        found, rest = frames_of(self.read)
        self.read[:] = rest
        return found


class Device:
    def __init__(self, name, id, mac_key, first):
        self.name, self.kid, self.key = name, kid_of_id(id), bytes.fromhex(mac_key)
        self.counter, self.tries, self.sent_at = first, 0, 0.0

    def frame(self, kind, **changed):
        made = {"key": self.key, "device": self.name, "counter": self.counter, "kid": self.kid, **changed}
        n = made.pop("n", made["counter"])
        payload = json.dumps({"n": n, "cod": float(value(n))}).encode()
        return line_frame(kind, seal("hmac64", payload=payload, kind=kind, **made))


class Air:
    """What happens to a frame between its device and the box."""

    def __init__(self, args, adapter):
        self.args, self.adapter, self.random = args, adapter, random.Random(args.seed)

    def send(self, line, other=None):
        if self.args.garbage:
            self.adapter.write(self.random.randbytes(self.random.randrange(1, 80)))
        if self.args.halves:
            half = len(line) // 2
            self.adapter.write(self.random.choice([line[:half], line[half:]]))
        if other is not None:
            line = b"".join(bytes(pair) for pair in zip(line, other)) + line[len(other):] + other[len(line):]
        if self.args.cut:
            while line:
                piece = self.random.randrange(1, 30)
                self.adapter.write(line[:piece])
                line = line[piece:]
                time.sleep(PIECES_PAUSE_S)
        self.adapter.write(line)


def well_behaved(args, adapter, devices):
    """Every device sends its frames, one at a time, until they are acknowledged."""
    air, log = Air(args, adapter), open(args.acked, "a", buffering=1) if args.acked else None
    kind, last = FRAME if args.unconfirmed else CONFIRMED, args.first + args.count
    done = {"sent": 0, "acknowledged": 0, "repeats": 0, "foreign": 0, "vanished": 0}
    until = time.monotonic() + args.deadline
    while time.monotonic() < until and any(device.counter < last for device in devices):
        now = time.monotonic()
        for device in devices:
            if device.counter >= last or now - device.sent_at < args.timeout / 1000:
                continue
            if args.unconfirmed and device.tries or device.tries >= args.tries:
                device.counter, device.tries = device.counter + 1, 0
                if device.counter >= last:
                    continue
            others = [other for other in devices if other is not device]
            collides = args.collide and device.tries == 0 and others
            air.send(device.frame(kind), others[0].frame(kind) if collides else None)
            done["sent" if device.tries == 0 else "repeats"] += 1
            device.tries, device.sent_at = device.tries + 1, time.monotonic()
        for found, envelope in adapter.frames(0.005):
            told = [d for d in devices if found == ACK and acknowledged_counter(envelope, d.key, d.name) == d.counter]
            if not told or not told[0].tries or args.unconfirmed:
                # A frame that was repeated is rightly acknowledged twice.
                late = any(found == ACK and acknowledged_counter(envelope, d.key, d.name) is not None for d in devices)
                done["foreign"] += not late or args.unconfirmed
                continue
            device = told[0]
            if log:
                line = {"device": device.name, "counter": device.counter, "wall_ms": time.time_ns() // 1_000_000}
                log.write(json.dumps(line) + "\n")
            done["acknowledged"] += 1
            device.counter, device.tries, device.sent_at = device.counter + 1, 0, 0.0
            if args.vanish and done["acknowledged"] % args.vanish == 0:
                adapter.unplug()
                time.sleep(1)
                adapter.plug_in()
                done["vanished"] += 1
    done["unacknowledged"] = done["sent"] - done["acknowledged"]
    good = done["foreign"] == 0 and (args.unconfirmed or done["acknowledged"] == args.count * len(devices))
    return good, done


def confirm(args, adapter, device):
    """Sends one good frame until it is acknowledged: all that was sent before it has been judged by then."""
    until = time.monotonic() + args.deadline
    while time.monotonic() < until:
        adapter.write(device.frame(CONFIRMED))
        again = time.monotonic() + args.timeout / 1000
        while time.monotonic() < again:
            for found, envelope in adapter.frames(0.02):
                if found == ACK and acknowledged_counter(envelope, device.key, device.name) == device.counter:
                    return True
    return False


def answers(args, adapter):
    """How many frames come until nothing has come for three time-outs."""
    count, until = 0, time.monotonic() + 3 * args.timeout / 1000
    while time.monotonic() < until:
        found = len(adapter.frames(0.02))
        if found:
            count, until = count + found, time.monotonic() + 3 * args.timeout / 1000
    return count


def hostile(args, adapter, devices):
    """Between good frames, those that a stranger could send. Only a repeat of the newest frame is answered."""
    device = devices[0]
    good, heard = device.frame(CONFIRMED), confirm(args, adapter, device)
    if args.hostile == "replay":
        device.counter += 100
        heard = heard and confirm(args, adapter, device)
    answers(args, adapter)
    for n in range(args.count):
        later = device.counter + 10 + n
        if args.hostile == "key":
            line = device.frame(CONFIRMED, key=bytes(32), counter=later)
        elif args.hostile == "name":
            line = device.frame(CONFIRMED, device="another-1", counter=later)
        elif args.hostile == "nokid":
            line = device.frame(CONFIRMED, kid=None, counter=later)
        elif args.hostile == "fork":
            line = device.frame(CONFIRMED, n=1_000_000 + n)
        elif args.hostile == "reflect":
            acknowledgement = seal("hmac64", device.key, device.name, later, b"", kid=device.kid, kind=ACK)
            line = line_frame(CONFIRMED, acknowledgement)
        elif args.hostile == "flip":
            # Length and CRC are right, so that only the MAC can tell.
            (kind, envelope), = frames_of(good)[0]
            flipped, at = bytearray(envelope), n % (len(envelope) * 8)
            flipped[at // 8] ^= 1 << at % 8
            line = line_frame(kind, bytes(flipped))
        else:
            line = good
        adapter.write(line)
    answered = answers(args, adapter)
    device.counter += 1
    heard = heard and confirm(args, adapter, device)
    expected = args.count if args.hostile == "repeat" else 0
    return heard and answered == expected, {"sent": args.count, "answered": answered, "good_are_heard": heard}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--link", required=True)
    add("--devices", required=True)
    add("--only", help="play this one of them alone")
    add("--count", type=int, default=10, help="frames of each device")
    add("--first", type=int, default=1)
    add("--tries", type=int, default=1000)
    add("--timeout", type=float, default=300, help="ms until a frame is repeated")
    add("--deadline", type=float, default=60)
    add("--seed", type=int, default=1)
    add("--vanish", type=int, default=0)
    add("--acked")
    for flag in ["--garbage", "--halves", "--collide", "--cut", "--unconfirmed"]:
        add(flag, action="store_true")
    add("--hostile", choices=["key", "name", "nokid", "fork", "reflect", "replay", "flip", "repeat"])
    args = parser.parse_args()
    with open(args.devices, encoding="utf-8") as file:
        devices = [Device(first=args.first, **device) for device in json.load(file)]
    devices = [device for device in devices if args.only in (None, device.name)]
    adapter = Adapter(args.link)
    event("ready")
    try:
        good, done = (hostile if args.hostile else well_behaved)(args, adapter, devices)
    finally:
        adapter.unplug()
    event("summary", **done)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
