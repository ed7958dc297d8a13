#!/usr/bin/env python3
"""A bad link between two network interfaces: passes Ethernet frames on, late, slowly, or not at all. Needs root, and Linux.

    bad_link.py --plain NAME...
    bad_link.py LEFT RIGHT [--seed 1]

The first makes interfaces send what a wire would carry: whole checksums, no packet larger than a frame. Both ends of both
cables need it, before any is moved to another namespace. The second runs in a network namespace that has both interfaces. Each line of standard input is a JSON object with any of `delay_ms`,
`jitter_ms` (uniform, both ways), `loss` and `reorder` (shares of 1), `kbit_s` (0: no limit; a queue of half a second, then the
tail is dropped), `bytes_max` (IP packets that are longer vanish, and nobody is told: an MTU black hole) and `up`; what it does
not name stays. Answers each with a line that counts the packets: `{"passed": n, "lost": n}`. Ends with standard input.
"""

import argparse
import ctypes
import fcntl
import heapq
import json
import random
import select
import socket
import struct
import sys
import time

SIOCETHTOOL = 0x8946
# Frames are passed on as they are: checksums must be in them, and none may be larger than the wire has them.
OFFLOADS = {"tx checksums": 0x17, "scatter": 0x19, "TSO": 0x1F, "GSO": 0x24, "GRO": 0x2C}
ETH_P_ALL = 3
PACKET_OUTGOING = 4
ETHERNET_BYTES = 14
QUEUE_S = 0.5


def without_offloads(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS.values():
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            try:
                fcntl.ioctl(control, SIOCETHTOOL, struct.pack("16sP", name.encode(), ctypes.addressof(value)))
            except OSError:
                pass  # a kernel without this one does not do it either


class Side:
    """One direction: from an interface to the other."""

    def __init__(self, source, target):
        self.source, self.target, self.free_at, self.last = source, target, 0.0, 0.0


class Link:
    def __init__(self, left, right, seed):
        self.random, self.heap, self.number = random.Random(seed), [], 0
        self.is_now = {
            "delay_ms": 0, "jitter_ms": 0, "loss": 0, "reorder": 0, "kbit_s": 0, "bytes_max": 65_535, "up": True,
        }
        self.passed = self.lost = 0
        sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) for _ in range(2)]
        for one, name in zip(sockets, (left, right)):
            one.bind((name, 0))
        self.sides = [Side(sockets[0], sockets[1]), Side(sockets[1], sockets[0])]

    def take(self, side):
        frame, address = side.source.recvfrom(65_535)
        if address[2] == PACKET_OUTGOING:
            return
        now, is_now = time.monotonic(), self.is_now
        wire_s = len(frame) * 8 / (is_now["kbit_s"] * 1000) if is_now["kbit_s"] else 0.0
        free_at = max(now, side.free_at)
        too_long = len(frame) - ETHERNET_BYTES > is_now["bytes_max"]
        if not is_now["up"] or too_long or self.random.random() < is_now["loss"] or free_at - now > QUEUE_S:
            self.lost += 1
            return
        side.free_at = free_at + wire_s
        jitter_ms = self.random.uniform(-is_now["jitter_ms"], is_now["jitter_ms"])
        due = side.free_at + max(0.0, is_now["delay_ms"] + jitter_ms) / 1000
        if self.random.random() >= is_now["reorder"]:
            side.last = due = max(due, side.last)
        self.number += 1
        heapq.heappush(self.heap, (due, self.number, side, frame))

    def deliver(self):
        """Sends what is due; seconds until the next is."""
        while self.heap:
            wait = self.heap[0][0] - time.monotonic()
            if wait > 0:
                return wait
            _, _, side, frame = heapq.heappop(self.heap)
            try:
                side.target.send(frame)
                self.passed += 1
            except OSError:
                self.lost += 1  # the interface is down
        return None

    def run(self):
        by_socket = {side.source: side for side in self.sides}
        while True:
            ready, _, _ = select.select([*by_socket, sys.stdin], [], [], self.deliver())
            for one in ready:
                if one is not sys.stdin:
                    try:
                        self.take(by_socket[one])
                    except OSError:
                        pass  # the interface went down; it comes back
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                self.is_now.update(json.loads(line))
                print(json.dumps({"passed": self.passed, "lost": self.lost}), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("interfaces", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.plain:
        for name in args.interfaces:
            without_offloads(name)
        return
    left, right = args.interfaces
    Link(left, right, args.seed).run()


if __name__ == "__main__":
    main()
