#!/usr/bin/env python3
"""A platform that nobody at Weir wrote orders something of a box, by sync/batch/batch.cddl alone.

    sign_command.py --key HEX --platform NAME --box NAME --number N --reason TEXT --out FILE
                    (--resend FIRST LAST | --sampling DEVICE SECONDS | --rules FILE | --devices FILE | --retain SAMPLER)
                    [--until MS]

Proves: any language with a COSE library can order of a box. `--key` is the platform's Ed25519 seed. Prints the SHA-256 by
which the box's record is known as a JSON object. Exit status: 0.
"""

import argparse
import hashlib
import json
import pathlib

from weir_encode import Key, dumps

VERSION = 1
FOR_EVER_MS = 2**53


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--key", required=True, type=bytes.fromhex)
    for option in ("--platform", "--box", "--reason"):
        add(option, required=True)
    add("--out", required=True, type=pathlib.Path)
    add("--number", required=True, type=int)
    add("--until", type=int, default=FOR_EVER_MS)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--resend", nargs=2, type=int)
    what.add_argument("--sampling", nargs=2)
    what.add_argument("--rules", type=pathlib.Path)
    what.add_argument("--devices", type=pathlib.Path)
    what.add_argument("--retain")
    args = parser.parse_args()
    if args.resend:
        order = [0, [[args.resend]]]
    elif args.sampling:
        order = [1, [args.sampling[0], int(args.sampling[1])]]
    elif args.rules:
        order = [2, [args.rules.read_text(encoding="utf-8")]]
    elif args.retain:
        order = [4, [args.retain]]
    else:
        order = [3, [[[1, args.devices.read_text(encoding="utf-8")]]]]
    body = [args.platform, args.box, args.number, 0, args.until, order, args.reason]
    command = Key(args.key).sign("command", dumps([VERSION, body]))
    args.out.write_bytes(command)
    print(json.dumps({"sha256": hashlib.sha256(command).hexdigest()}))


if __name__ == "__main__":
    main()
