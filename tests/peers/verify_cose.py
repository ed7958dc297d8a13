#!/usr/bin/env python3
"""Verifies every batch, receipt and checkpoint of a run with pycose, cbor2, zstandard and cryptography.

Proves: what Weir signs can be verified and read with other people's libraries from its CDDL alone, all of it agrees,
and no bit of it can change unnoticed.

    verify_cose.py FOLDER... [--keys FOLDER] [--complete] [--flips 4000] [--flip-files 3] [--csv readings.csv]

Takes every `.cose` file below the folders, and every `.pub` file (64 hex digits) below them or --keys. Checks:
form and signature; deterministic CBOR; a batch's id (its file name, where that is 64 hex digits) is its SHA-256;
one row for each number of its ranges; a receipt names a batch here and repeats its box and head, and holds its ranges;
coverage of a platform never shrinks; tree heads of equal size have equal roots, none is smaller than a batch's last
number; each proof that a head continues an older one (RFC 9162) does prove it; a record that came twice is the same; no key signs for two roles or names; a codec's name is that of its text;
what was decoded again is an earlier frame of the same source; who set its clock knows the time; a gap names earlier
records only.
--complete: all batches together have the numbers 0, 1, 2, ... but for those that a gap names or a filter left out, and each
platform's last receipt holds them all but those that it refused and that an audit of the box drops for it; the text
of each codec that decoded a frame stands in an earlier record.
--flip-files: of so many files of each kind (seeded choice) each bit is flipped in turn, or a seeded sample of --flips
bits of a larger file, and every such file must be refused. 0: none.
--csv: seq,source,quantity,unit,value,quality,wall_ms,at_ms,codec,redecoded_of of every reading, by seq; value, at_ms and
the last two may be empty.

Prints one JSON object per problem (at most 50), and last the counts. Exit status: 0 no problem, 1 otherwise, 2 usage.
"""

import argparse
import collections
import csv
import hashlib
import json
import pathlib
import random
import re
import sys

import merkle
import weir_payload
from cose_sign1 import Bad, open_sign1, read_keys

PROBLEMS_SHOWN = 50
CLOCK_UNSET = 1  # in the column of clocks
ACT_DROPPED = 0  # of an audit


class Run:
    """All artifacts of some folders, opened."""

    def __init__(self, folders, keys):
        self.keys = keys
        self.problems, self.counts = 0, collections.Counter()
        self.batches, self.receipts, self.checkpoints = {}, [], []
        self.files = collections.defaultdict(list)  # kind -> paths
        self.rows = {}  # (box, seq) -> (row, quantities whose readings alone it has)
        self.left_out = collections.defaultdict(set)  # box -> numbers that a batch has no row for
        self.signers = collections.defaultdict(set)  # kid -> {(role, name)}
        self.heads = {}  # (box, size) -> root
        for folder in folders:
            for path in sorted(pathlib.Path(folder).rglob("*.cose")):
                self.take(path)

    def problem(self, where, why):
        self.problems += 1
        if self.problems <= PROBLEMS_SHOWN:
            print(json.dumps({"problem": str(why), "file": str(where)}), flush=True)

    def take(self, path):
        data = path.read_bytes()
        try:
            kind, kid, content = open_artifact(data, self.keys)
        except Bad as why:
            return self.problem(path, why)
        self.files[kind].append(path)
        self.counts[kind] += 1
        getattr(self, f"take_{kind}")(path, data, kid, content)

    def take_batch(self, path, data, kid, batch):
        batch_id = hashlib.sha256(data).digest()
        if re.fullmatch("[0-9a-f]{64}", path.stem) and path.stem != batch_id.hex():
            self.problem(path, "its name is not its SHA-256")
        self.signers[kid].add(("box", batch.box))
        self.head(path, batch.box, batch.head)
        if batch.head.size <= batch.ranges[-1][1]:
            self.problem(path, "its tree head is smaller than its last number")
        if self.batches.setdefault(batch_id, batch) is batch:
            for row in batch.rows:
                self.take_row(path, batch, row)
            self.left_out[batch.box].update(seq for first, last in batch.left_out for seq in range(first, last + 1))
            self.counts["left out"] += covered(batch.left_out)
        for inner in batch.checkpoints:
            try:
                kind, inner_kid, checkpoint = open_artifact(inner, self.keys)
                if kind != "checkpoint":
                    raise Bad(f"a {kind} stands where a checkpoint belongs")
            except Bad as why:
                self.problem(path, f"checkpoint inside: {why}")
                continue
            self.counts["checkpoint inside a batch"] += 1
            self.take_checkpoint(path, inner, inner_kid, checkpoint)

    def take_row(self, path, batch, row):
        """A record is the same in each batch, as far as the filters of the two let it through."""
        key = batch.box, row.seq
        known, quantities = self.rows.get(key, (row, batch.quantities))
        if only(quantities, row) != only(batch.quantities, known):
            self.problem(path, f"record {row.seq} differs from the one in another batch")
        if key not in self.rows or len(row.readings) > len(known.readings):
            self.rows[key] = row, batch.quantities

    def take_receipt(self, path, data, kid, receipt):
        self.signers[kid].add(("platform", receipt.platform))
        self.head(path, receipt.box, receipt.head)
        self.receipts.append((path, receipt))

    def take_checkpoint(self, path, data, kid, checkpoint):
        self.signers[kid].add(("box", checkpoint.box))
        self.head(path, checkpoint.box, checkpoint.head)

    def head(self, path, box, head):
        if self.heads.setdefault((box, head.size), head.root) != head.root:
            self.problem(path, f"another root of {head.size} records of {box} was signed elsewhere")

    def cross_check(self, complete):
        self.rows = {key: row for key, (row, _) in self.rows.items()}
        for kid, roles in self.signers.items():
            if len(roles) > 1:
                self.problem(f"key {kid.hex()}", f"signs as {sorted(roles)}")
        held = collections.defaultdict(list)
        for path, receipt in sorted(self.receipts, key=lambda pair: (pair[1].received_ms, covered(pair[1].holds))):
            batch = self.batches.get(receipt.batch)
            if batch is None:
                self.problem(path, f"is about batch {receipt.batch.hex()}, which is not here")
                continue
            if (batch.box, batch.head) != (receipt.box, receipt.head):
                self.problem(path, "repeats not the box and head of its batch")
            if not within(batch.ranges, receipt.holds) or not within(receipt.left_out, receipt.holds):
                self.problem(path, "does not hold its batch, or leaves out what it does not hold")
            last = held[receipt.platform, receipt.box]
            if not within(last, receipt.holds):
                self.problem(path, "holds less than an earlier receipt")
            held[receipt.platform, receipt.box] = receipt.holds
        self.check_proofs()
        self.check_codecs(complete)
        self.check_clocks_and_gaps()
        if complete:
            self.check_complete(held)

    def check_proofs(self):
        """Each from a head that somebody signed, to that of its batch."""
        for batch_id, batch in self.batches.items():
            for size, path in batch.proofs:
                # A platform that lost its store has not all that was signed.
                older = self.heads.get((batch.box, size))
                if older is None:
                    self.counts["continued from elsewhere"] += 1
                    continue
                if not merkle.continues(size, older, *batch.head, path):
                    self.problem(batch_id.hex(), f"does not prove that it continues the tree of {size} records")
                self.counts["continued"] += 1

    def check_codecs(self, complete):
        told = collections.defaultdict(set)  # box -> codecs of the records so far
        for (box, seq), row in sorted(self.rows.items()):
            if row.kind == "codec":
                name, words = row.facts
                if hashlib.sha256(words.encode()).digest()[:8] != name:
                    self.problem(box, f"record {seq}: codec {name.hex()} is not the name of its text")
                told[box].add(name)
            if complete and row.codec and row.codec not in told[box]:
                self.problem(box, f"record {seq}: decoded by codec {row.codec.hex()}, which nobody told")
            if row.of is None or not complete and (box, row.of) not in self.rows:
                continue
            frame = self.rows.get((box, row.of))
            if row.of >= seq or frame is None or (frame.kind, frame.source, frame.of) != ("frame", row.source, None):
                self.problem(box, f"record {seq}: decodes {row.of} again, which is no earlier frame of {row.source}")

    def check_clocks_and_gaps(self):
        for (box, seq), row in self.rows.items():
            if row.kind == "clock" and row.stamp[3] == CLOCK_UNSET:
                self.problem(box, f"record {seq}: says the time by a clock that nobody set")
            if row.kind == "gap" and row.facts[1][-1][1] >= seq:
                self.problem(box, f"record {seq}: misses records up to {row.facts[1][-1][1]}, which come later")

    def given_up(self, box, platform):
        """The numbers that somebody on the box ordered not to be sent to this platform, which refused them."""
        audits = [row.facts[1] for (owner, _), row in self.rows.items() if owner == box and row.kind == "audit"]
        dropped = [parts for act, *parts in audits if act == ACT_DROPPED]
        return {seq for name, (first, last) in dropped if name == platform for seq in range(first, last + 1)}

    def check_complete(self, held):
        for box in {box for box, _ in self.rows}:
            numbers = {seq for owner, seq in self.rows if owner == box}
            last = max(numbers)
            gaps = [row.facts[1] for (owner, _), row in self.rows.items() if owner == box and row.kind == "gap"]
            numbers.update(seq for spans in gaps for first, end in spans for seq in range(first, end + 1))
            numbers.update(seq for seq in self.left_out[box] if seq < last)
            if len(numbers) != last + 1:
                self.problem(box, f"{last + 1 - len(numbers)} of its numbers 0..{last} are in no batch and no gap")
            for (platform, owner), holds in held.items():
                given_up = self.given_up(box, platform)
                sent = [(seq, seq) for name, seq in self.rows if name == box and seq not in given_up]
                if owner == box and not within(sent, holds):
                    self.problem(platform, f"does not hold all records of {box}: {holds}")
        if not held:
            self.problem("receipts", "there are none")

    def write_csv(self, path):
        with open(path, "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(["seq", "source", "quantity", "unit", "value", "quality", "wall_ms", "at_ms", "codec", "redecoded_of"])
            for _, row in sorted(self.rows.items()):
                codec, of = "" if row.codec is None else row.codec.hex(), "" if row.of is None else row.of
                for reading in row.readings:
                    value = "" if reading.value is None else reading.value
                    at = "" if reading.at_ms is None else reading.at_ms
                    measured = [reading.quantity, reading.unit, value, reading.quality]
                    out.writerow([row.seq, row.source, *measured, row.wall_ms, at, codec, of])


def open_artifact(data, keys):
    """(kind, kid, content) of a signed artifact."""
    kind, kid, payload = open_sign1(data, keys)
    return kind, kid, weir_payload.DECODERS[kind](payload)


def only(quantities, row):
    """The row as a batch has it that leaves out readings of all but these quantities; of none if there are none."""
    if not quantities:
        return row
    readings = tuple(reading for reading in row.readings if reading.quantity in quantities)
    return row._replace(readings=readings, texts=tuple(text for text in row.texts if text[0] in quantities))


def covered(ranges):
    """How many numbers."""
    return sum(last - first + 1 for first, last in ranges)


def within(inner, outer):
    """Whether each range of `inner` lies in one of `outer`, which are apart and ascend."""
    return all(any(o[0] <= i[0] and i[1] <= o[1] for o in outer) for i in inner)


def flip(run, files_max, flips_max):
    """Flips bits and demands refusal; returns what found them."""
    found = collections.Counter()
    for kind, paths in sorted(run.files.items()):
        random_ = random.Random(kind)
        for path in random_.sample(paths, min(files_max, len(paths))):
            data = path.read_bytes()
            bits = range(len(data) * 8)
            for bit in bits if len(bits) <= flips_max else random_.sample(bits, flips_max):
                other = bytearray(data)
                other[bit >> 3] ^= 1 << (bit & 7)
                found["flips"] += 1
                try:
                    open_artifact(bytes(other), run.keys)
                    run.problem(path, f"bit {bit & 7} of byte {bit >> 3} can be flipped unnoticed")
                except Bad as why:
                    found["found_by_signature" if why.by_signature else "found_by_form"] += 1
            found["flipped_files"] += 1
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--keys", action="append", default=[], help="look for .pub files here too")
    parser.add_argument("--complete", action="store_true")
    parser.add_argument("--flips", type=int, default=4000)
    parser.add_argument("--flip-files", type=int, default=3)
    parser.add_argument("--csv")
    args = parser.parse_args()
    run = Run(args.folders, read_keys(args.folders + args.keys))
    if not run.files:
        run.problem(args.folders[0], "no .cose file that can be verified")
    run.cross_check(args.complete)
    found = flip(run, args.flip_files, args.flips)
    if args.csv:
        run.write_csv(args.csv)
    readings = sum(len(row.readings) for row in run.rows.values())
    counts = {**run.counts, "keys": len(run.keys), "records": len(run.rows), "readings": readings, **found}
    print(json.dumps({"verified": counts, "problems": run.problems}))
    return 1 if run.problems else 0


if __name__ == "__main__":
    sys.exit(main())
