#!/usr/bin/env python3
"""A terminal of 80 columns and 24 lines (pyte on a pseudo-terminal) in which a program runs and somebody types.

    terminal.py [--term vt100] [--step see:TEXT | type:KEYS | end:STATUS]... -- PROGRAM ARGUMENTS

A step waits until TEXT stands on the screen, types KEYS (\\n, \\e and \\t are Enter, Esc and Tab), or waits for the program's end.

Proves: a full-screen view can be used by what nobody at Weir wrote, and what a screen costs on the line. Prints each screen
that was waited for, and a summary: screens (lists of lines), bytes (of all output), keys (that were typed), status. Exit status: 0 all steps came
true, 1 not.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios
import time

import pyte

COLUMNS, LINES, PATIENCE_S = 80, 24, 30


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--term", default="vt100")
    parser.add_argument("--step", action="append", default=[])
    parser.add_argument("program", nargs="+")
    args = parser.parse_args()
    child, line = pty.fork()
    if child == 0:
        os.environ["TERM"] = args.term
        os.execvp(args.program[0], args.program)
    fcntl.ioctl(line, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    seen = {"event": "summary", "screens": [], "bytes": 0, "keys": 0, "status": None}

    def hear(seconds):
        """Whether the program said anything in this time; it has ended if not even its end of the line is there."""
        try:
            if not select.select([line], [], [], seconds)[0]:
                return True
            output = os.read(line, 65536)
        except OSError:
            return False
        seen["bytes"] += len(output)
        stream.feed(output)
        return bool(output)

    def shown():
        # What stands behind a wide character is its second half, and has no text.
        cells = [[screen.buffer[y][x].data for x in range(COLUMNS)] for y in range(LINES)]
        return ["".join(line).rstrip() for line in cells]

    for step in args.step:
        what, _, text = step.partition(":")
        if what == "type":
            keys = text.replace("\\n", "\r").replace("\\e", "\x1b").replace("\\t", "\t")
            seen["keys"] += len(keys)
            os.write(line, keys.encode())
            continue
        until = time.monotonic() + PATIENCE_S
        if what == "end":
            while hear(0.1) and time.monotonic() < until:
                pass
            seen["status"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            came = seen["status"] == int(text)
        else:
            while text not in "\n".join(shown()) and hear(0.1) and time.monotonic() < until:
                pass
            came = text in "\n".join(shown())
            seen["screens"].append(shown())
            print("\n".join(shown()), "-" * COLUMNS, sep="\n", file=sys.stderr)
        if not came:
            print(f"{step} did not come true", file=sys.stderr)
            print(json.dumps(seen))
            return 1
    print(json.dumps(seen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
