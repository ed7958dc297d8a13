#!/usr/bin/env python3
"""Verifies a checkpoint of a box that a platform cosigned, written from C2SP signed-note, tlog-checkpoint and tlog-cosignature.

    verify_note.py NOTE --vkey NAME+ID+KEY [--flips]

NOTE is what a platform answers to GET /v1/boxes/BOX/checkpoint; the vkey is what its /v1/key tells as `cosigner`, and is
itself checked: its id must be that of its name and key. --flips: each bit of the note is flipped in turn, and each such
note must be refused; only a name before a line that is not looked at could change, and there is no such line.

Prints {"origin", "size", "root", "cosigner", "time", "flips"}. Exit status: 0 verified, 1 otherwise, 2 usage.
"""

import argparse
import base64
import binascii
import hashlib
import json
import pathlib
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COSIGNATURE_V1 = 4
SIGNATURE_LINE = re.compile("\u2014 ([^ +]+) ([A-Za-z0-9+/]+=*)")


class Refused(Exception):
    """The note or key is not as the specifications say, or nobody known signed it."""


def want(condition, what):
    if not condition:
        raise Refused(what)


def decoded(text, what):
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refused(f"{what}: {error}") from error
    want(base64.b64encode(data).decode() == text, f"{what} is not in its one form")
    return data


def verifier(vkey):
    """(name, id, key) of a vkey."""
    name, _, rest = vkey.partition("+")
    id_, _, key = rest.partition("+")
    key = decoded(key, "key")
    want(name and not re.search(r"[\s+]", name) and len(key) == 33 and key[0] == COSIGNATURE_V1, "the vkey")
    expected = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    want(bytes.fromhex(id_) == expected, "the id of the vkey")
    return name, expected, key[1:]


def verify(note, vkey):
    name, id_, key = verifier(vkey)
    try:
        text, lines = note.decode().rsplit("\n\n", 1)
    except ValueError as error:
        raise Refused("no text with signatures") from error
    want(lines.endswith("\n"), "the last line does not end")
    found = [SIGNATURE_LINE.fullmatch(line) for line in lines[:-1].split("\n")]
    want(all(found), "a signature line")
    signed = [decoded(line[2], "signature") for line in found if line[1] == name]
    signed = [data[4:] for data in signed if data[:4] == id_]
    want(len(signed) == 1 and len(signed[0]) == 72, "nobody known signed it")
    time = int.from_bytes(signed[0][:8])
    message = f"cosignature/v1\ntime {time}\n{text}\n".encode()
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed[0][8:], message)
    except InvalidSignature as error:
        raise Refused("the signature is about something else") from error
    origin, size, root, *extensions = text.split("\n")
    want(origin and re.fullmatch("0|[1-9][0-9]*", size) and all(extensions), "no checkpoint")
    want(len(decoded(root, "root")) == 32, "the root")
    return {"origin": origin, "size": int(size), "root": decoded(root, "root").hex(), "cosigner": name, "time": time}


def flips(note, vkey):
    count = 0
    for bit in range(len(note) * 8):
        other = bytearray(note)
        other[bit >> 3] ^= 1 << (bit & 7)
        try:
            verify(bytes(other), vkey)
        except Refused:
            count += 1
            continue
        raise Refused(f"bit {bit & 7} of byte {bit >> 3} can be flipped unnoticed")
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("note", type=pathlib.Path)
    parser.add_argument("--vkey", required=True)
    parser.add_argument("--flips", action="store_true")
    args = parser.parse_args()
    note = args.note.read_bytes()
    try:
        told = verify(note, args.vkey)
        told["flips"] = flips(note, args.vkey) if args.flips else 0
    except Refused as why:
        print(json.dumps({"refused": str(why)}))
        return 1
    print(json.dumps(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
