#!/usr/bin/env python3
"""An MQTT sensor made of Eclipse paho-mqtt.

Proves: any MQTT 3.1.1 or 5 client at QoS 0, 1 and 2 can deliver readings, and what was acknowledged is on the disk:
each acknowledgement is written to --acked at once, so that a test can kill the gateway at any moment and compare.

    paho_sensor.py --port 1883 --user cod-1 --password s3cret --topic d/cod-1/up --count 1000 \\
        --qos 2 --level 5 --window 16 --acked acked.jsonl

A payload is `{"n":17,"cod":40.17}` padded with blanks to --bytes; --payload gives another template, in which %n is
the number and %v a value with two decimals that follows from it; --lines takes one payload a line from a file.

Prints JSON lines: connected, disconnected, refused (with the protocol's reason), and last `summary` with sent,
acknowledged, refused, unacknowledged, connects, seconds, per_second and took_ms (p50, p99, max).
--acked lines: {"n", "wall_ms", "took_ms", "connection"}. At QoS 0 "acknowledged" means handed to the socket.
Exit status: 0 all acknowledged, 1 not all (refused or out of time), 2 usage, 3 the CONNECT was refused.
"""

import argparse
import os
import sys

import mqtt_client


def value(n):
    """Two decimals that follow from the number alone: 0.00 to 99.99, all different for 10,000 in a row."""
    hundredths = n * 7919 % 10_000
    return f"{hundredths // 100}.{hundredths % 100:02}"


def payloads(args):
    """(n, payload) pairs."""
    if args.lines:
        with open(args.lines, encoding="utf-8") as lines:
            for n, line in enumerate(lines, args.first):
                yield n, line.rstrip("\n")
        return
    for n in range(args.first, args.first + args.count):
        if args.until and os.path.exists(args.until):
            return
        yield n, args.payload.replace("%n", str(n)).replace("%v", value(n)).ljust(args.bytes)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mqtt_client.add_arguments(parser)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--first", type=int, default=1, help="number of the first payload")
    parser.add_argument("--payload", default='{"n":%n,"cod":%v}')
    parser.add_argument("--bytes", type=int, default=0, help="pad each payload with blanks to this length")
    parser.add_argument("--lines", help="publish the lines of this file instead")
    parser.add_argument("--until", help="publish nothing new once this file exists, --count or not")
    args = parser.parse_args()
    return mqtt_client.main(args, payloads(args))


if __name__ == "__main__":
    sys.exit(main())
