#!/usr/bin/env python3
"""Writes what is inside every signed batch below a folder, decompressed, with pycose and zstandard.

    batch_payloads.py FOLDER --out FOLDER

Prints {"batches": N, "bytes": N}. Exit status: 0 all were opened, 1 otherwise.
"""

import argparse
import json
import pathlib
import sys

import zstandard
from cose_sign1 import Bad, open_sign1, read_keys

PAYLOAD_BYTES_MAX = 64 * 1024 * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    out, keys = pathlib.Path(args.out), read_keys([args.folder])
    out.mkdir(parents=True, exist_ok=True)
    count = size = 0
    for path in sorted(pathlib.Path(args.folder).rglob("*.cose")):
        try:
            artifact, _, payload = open_sign1(path.read_bytes(), keys)
        except Bad as why:
            print(json.dumps({"file": str(path), "problem": str(why)}))
            return 1
        if artifact == "batch":
            inside = zstandard.ZstdDecompressor().decompress(payload, max_output_size=PAYLOAD_BYTES_MAX)
            (out / f"{count}.cbor").write_bytes(inside)
            count, size = count + 1, size + len(inside)
    print(json.dumps({"batches": count, "bytes": size}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
