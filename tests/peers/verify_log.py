#!/usr/bin/env python3
"""Verifies an exported journal (`weir export --journal`), written from sync/batch/weirlog.cddl and batch.cddl alone.

Proves: the file can be read, and its first bad record named, with nothing of Weir's: SHA-256 from the standard library,
Ed25519 from cryptography, deterministic CBOR from cbor2.

    verify_log.py FILE [--key HEX]
    verify_log.py FILE [--key HEX] --mutants MUTANTS [--whole-every N]

Prints {"holds", "place", "word", "size", "records", "gone", "altered", "checkpoints", "proven"} as one JSON object; place
and word are those of the CDDL, null if nothing is wrong. Exit status: 0 it holds, 1 it does not, 2 usage.

--key: any that the box has or had: changes of its key that stand in the file lead from one to the next (key-change of batch.cddl;
of a succession, which is a platform's word, only the names of keys are taken). Mutants are read by the changes in FILE itself.

--mutants: a file of one JSON array a line, each a mutant of FILE: [[at, cut, "hex"], ...], by ascending place: at byte `at`,
`cut` bytes are taken out and others put in. Prints ["place", "word"] a line for each, and last the counts. A mutant is
read from the last item before its first change on, since what is before was read already, and only up to its first
fault; every N-th is read from its first byte on as well, and must give the same. Exit status 1 if one does not.
"""

import argparse
import functools
import hashlib
import json
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

RECORD_BYTES_MAX = 4_194_304
CHECKPOINT_BYTES_MAX = 512
UNSIGNED, BYTES, TEXT, ARRAY = 0, 2, 3, 4
NAME = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
SNAPSHOT_ITEMS = 16


class Cut(Exception):
    """The data end within an item."""


class Form(Exception):
    """A head that no form allows."""


class Fault(Exception):
    """The first fault: (place, word)."""


def sha256(data):
    return hashlib.sha256(data).digest()


class Tree:
    """The right edge of an RFC 9162 tree: [(level, root)], largest first."""

    def __init__(self, edge=()):
        self.edge = list(edge)

    def append(self, level, root):
        while self.edge and self.edge[-1][0] == level:
            root = sha256(b"\x01" + self.edge.pop()[1] + root)
            level += 1
        self.edge.append((level, root))

    def root(self):
        if not self.edge:
            return sha256(b"")
        root = self.edge[-1][1]
        for _, left in reversed(self.edge[:-1]):
            root = sha256(b"\x01" + left + root)
        return root

    def copy(self):
        return Tree(self.edge)


class Data:
    """Bytes that are read from front to back."""

    def __init__(self, data, at=0):
        self.data, self.at = data, at

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise Cut
        self.at += count
        return taken

    def head(self):
        """(major type, argument) of an item, in its shortest form."""
        first = self.take(1)[0]
        short = first & 0x1F
        if short < 24:
            return first >> 5, short
        if short > 27:
            raise Form
        width = 1 << short - 24
        value = int.from_bytes(self.take(width), "big")
        if value < (24 if width == 1 else 1 << 4 * width):
            raise Form
        return first >> 5, value

    def unsigned(self):
        major, value = self.head()
        if major != UNSIGNED:
            raise Form
        return value

    def hash(self):
        if self.head() != (BYTES, 32):
            raise Form
        return self.take(32)


def deterministic(data):
    """One CBOR item, whole and in the form of RFC 8949 §4.2, else None."""
    try:
        item = cbor2.loads(data)
        return item if cbor2.dumps(item, canonical=True) == data else None
    except Exception:  # cbor2 raises many kinds on hostile bytes
        return None


def is_list(item, count):
    return isinstance(item, list) and len(item) == count


@functools.lru_cache(maxsize=None)
def body_of(cose, kind, public):
    """(kid, body) of a signed artifact, else None; without a key it is only what somebody says."""
    outline = deterministic(cose)
    if not isinstance(outline, cbor2.CBORTag) or outline.tag != 18 or not is_list(outline.value, 4):
        return None
    protected, unprotected, payload, signature = outline.value
    if unprotected != {} or not all(isinstance(part, bytes) for part in (protected, payload, signature)):
        return None
    kid = protected[-8:] if public is None else sha256(public)[:8]
    expected = {1: -8, 3: f"application/vnd.weir.{kind}", 4: kid}
    if protected != cbor2.dumps(expected, canonical=True):
        return None
    try:
        signed = cbor2.dumps(["Signature1", protected, b"", payload])
        if public is not None:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return None
    item = deterministic(payload)
    return (kid, item[1]) if is_list(item, 2) and item[0] == 1 else None


def checkpoint_of(cose, public):
    """(box, size, root) of a checkpoint that this key signed, else None."""
    found = body_of(cose, "checkpoint", public)
    if found is None or not is_list(found[1], 3):
        return None
    box, head, _stamp = found[1]
    if not is_list(head, 2) or type(head[0]) is not int or not isinstance(head[1], bytes):
        return None
    return box, head[0], head[1]


def statement_in(record, box):
    """(former, key, whether both have signed it) of a record that tells of a changed key of this box, else None."""
    try:
        _stamp, (kind, ((_by, (act, (cose,)), _reason),)) = deterministic(record)
        if (kind, act) != (8, 5):
            return None
        accepted = body_of(cose, "key-change", None)
        if accepted is None:
            _platform, name, former, key, _at = body_of(cose, "succession", None)[1]
            return (former, key, False) if name == box else None
        (inner,) = accepted[1]
        (whose, name), former, key, _number, _at, _clock, _reason = body_of(inner, "new-key", None)[1]
        is_signed = body_of(inner, "new-key", key) and body_of(cose, "key-change", former) and former != key
        return (former, key, True) if (whose, name) == (0, [box]) and is_signed else None
    except (TypeError, ValueError):
        return None


def keys_of(data, known):
    """{key: [is it believed, the record that ends it]}: the known key, and those that follow from it, before and after."""
    verifier, reader = Verifier(known), Data(data)
    verifier.records_of_keys = []
    while verifier.step(reader):
        pass
    keys, joins = {known or verifier.key: [True, None]}, []
    for seq, (former, key, joined) in verifier.records_of_keys:
        keys.setdefault(former, [False, None]), keys.setdefault(key, [False, None])
        joins += [(seq, former, key)] if joined else []
    for _ in keys:
        for _, former, key in joins:
            keys[former][0] = keys[key][0] = keys[former][0] or keys[key][0]
    for seq, former, _ in joins:
        ended = keys[former][1]
        keys[former][1] = seq if ended is None else min(ended, seq)
    return keys


class Verifier:
    """What a verifier keeps, as weirlog.cddl says."""

    def __init__(self, key=None, keys=None):
        self.expected, self.key, self.box = key, None, None
        self.keys, self.records_of_keys = keys, None  # the second is a list while they are looked for
        self.stored, self.own = Tree(), None  # own: while it is another tree than stored
        self.size = self.records = self.gone = self.altered = self.checkpoints = self.proven = 0
        self.head_size = None
        self.digest = hashlib.sha256()  # over all items so far
        self.first = None

    def copy(self):
        other = Verifier.__new__(Verifier)
        other.__dict__.update(self.__dict__)
        other.stored, other.own = self.stored.copy(), self.own and self.own.copy()
        other.digest = self.digest.copy()
        return other

    def fault(self, place, word):
        self.first = self.first or (place, word)

    def stop(self, place, word):
        self.fault(place, word)
        return False

    def step(self, data):
        """Takes the next item; False where nothing more can be told."""
        start = data.at
        try:
            more = self.header(data) if self.box is None else self.item(data)
        except Cut:
            return self.stop(*(("header", "no_header") if self.box is None else (f"record {self.size}", "cut")))
        except Form:
            return self.stop(*(("header", "no_header") if self.box is None else (f"record {self.size}", "unreadable")))
        self.digest.update(data.data[start : data.at])
        return more

    def header(self, data):
        if data.head() != (ARRAY, 4) or data.head() != (TEXT, 7) or data.take(7) != b"weirlog":
            raise Form
        version = data.unsigned()
        major, count = data.head()
        if major != TEXT or not 1 <= count <= 64:
            raise Form
        box, key = data.take(count), data.hash()
        if version != 1:
            return self.stop("header", "version")
        if not NAME.issuperset(box) or not usable(key):
            raise Form
        self.key, self.box = self.expected or key, box.decode()
        if key not in (self.keys or {self.key: None}):
            self.fault("header", "other_key")
        return True

    def item(self, data):
        kind = data.head()
        if kind == (ARRAY, 3):
            return self.record_or_pruned(data)
        if kind == (ARRAY, 2):
            return self.end(data.unsigned(), data.hash(), len(data.data) == data.at)
        if kind[0] == BYTES and 1 <= kind[1] <= CHECKPOINT_BYTES_MAX:
            return self.checkpoint(data.take(kind[1]))
        raise Form

    def record_or_pruned(self, data):
        seq = data.unsigned()
        major, argument = data.head()
        if major == BYTES and 1 <= argument <= RECORD_BYTES_MAX:
            level, own, stored = 0, data.take(argument), data.hash()
        elif major == UNSIGNED and argument <= 63:
            level, own, stored = argument, None, data.hash()
        else:
            raise Form
        if seq != self.size:
            return self.stop(f"record {self.size}", "missing" if seq > self.size else "out_of_order")
        if seq % (1 << level) or seq + (1 << level) >= 1 << 64:
            raise Form
        if self.records_of_keys is not None and own is not None:
            statement = statement_in(own, self.box)
            self.records_of_keys += [(seq, statement)] if statement else []
        own = stored if own is None else sha256(b"\x00" + own)
        self.records, self.gone = self.records + (major == BYTES), self.gone + (major != BYTES and 1 << level)
        if own != stored:
            self.altered += 1
            self.fault(f"record {seq}", "altered")
            self.own = self.own or self.stored.copy()
        self.stored.append(level, stored)
        if self.own:
            self.own.append(level, own)
        self.size += 1 << level
        return True

    def checkpoint(self, cose):
        keys = self.keys or {self.key: [True, None]}
        claimed = body_of(cose, "checkpoint", None)
        by = next((key for key in keys if claimed and sha256(key)[:8] == claimed[0]), None)
        checkpoint = checkpoint_of(cose, by) if by else None
        if checkpoint and not keys[by][0]:
            return True  # nobody vouches for it, and it says nothing
        is_late = by and keys[by][1] is not None and self.size > keys[by][1]
        if checkpoint is None or is_late or checkpoint[:2] != (self.box, self.size) or self.head_size == self.size:
            self.fault(f"checkpoint {self.size}", "checkpoint")
            return True
        self.head_size, root = self.size, checkpoint[2]
        if self.stored.root() == root:
            self.own = None
        elif self.own and self.own.root() == root:
            self.stored, self.own = self.own, None
        else:
            self.fault(f"record {self.proven}", "unproven")
            return True
        self.checkpoints, self.proven = self.checkpoints + 1, self.size
        return True

    def end(self, size, digest, is_last):
        if size > self.size:
            self.fault(f"record {self.size}", "missing")
        elif size < self.size or digest != self.digest.digest() or not is_last:
            self.fault("end", "end")
        elif self.proven < self.size:
            self.fault(f"record {self.proven}", "unsigned")
        return False

    def verdict(self):
        place, word = self.first or (None, None)
        counts = {name: getattr(self, name) for name in ("size", "records", "gone", "altered", "checkpoints", "proven")}
        return {"holds": self.first is None, "place": place, "word": word, **counts}


@functools.lru_cache(maxsize=None)
def usable(key):
    """Whether these 32 bytes are a point of the curve edwards25519, and not one of the few of small order (RFC 8032 §5.1.3)."""
    p = 2**255 - 19
    d = -121665 * pow(121666, p - 2, p) % p
    number = int.from_bytes(key, "little")
    sign, y = number >> 255, number % (1 << 255)
    x2 = (y * y - 1) * pow(d * y * y + 1, p - 2, p) % p
    x = pow(x2, (p + 3) // 8, p)
    if x * x % p != x2:
        x = x * pow(2, (p - 1) // 4, p) % p
    if x * x % p != x2:
        return False
    point = (p - x if x & 1 != sign else x, y % p)
    for _ in range(3):  # doubled three times, a point of small order is the neutral one
        a, b = point
        product = d * a * a * b * b % p
        point = (2 * a * b * pow(1 + product, p - 2, p) % p, (b * b + a * a) * pow(1 - product, p - 2, p) % p)
    return point != (0, 1)


def verify(data, key, keys=None):
    verifier, data = Verifier(key, keys), Data(data)
    while verifier.step(data):
        pass
    return verifier


def first_fault(verifier, data):
    while verifier.first is None and verifier.step(data):
        pass
    return verifier.first


def snapshots(data, key, keys):
    """[(offset, verifier)] at some of the items of a file."""
    verifier, data = Verifier(key, keys), Data(data)
    kept = [(0, verifier.copy())]
    for nth in range(1, sys.maxsize):
        if not verifier.step(data):
            return kept
        if nth % SNAPSHOT_ITEMS == 0:
            kept.append((data.at, verifier.copy()))


def mutant_of(data, changes):
    parts, done = [], 0
    for at, cut, put in changes:
        parts += [data[done:at], bytes.fromhex(put)]
        done = at + cut
    return b"".join([*parts, data[done:]])


def verify_mutants(path, data, key, whole_every):
    keys = keys_of(data, key)
    keys = keys if len(keys) > 1 else None
    kept = snapshots(data, key, keys)
    count, accepted, differ = 0, 0, 0
    with open(path, encoding="utf-8") as lines:
        for count, line in enumerate(lines, 1):
            changes = json.loads(line)
            mutant = mutant_of(data, changes)
            offset, verifier = next(pair for pair in reversed(kept) if pair[0] <= changes[0][0])
            found = first_fault(verifier.copy(), Data(mutant, offset))
            if whole_every and count % whole_every == 0 and verify(mutant, key, keys).first != found:
                differ += 1
            accepted += found is None
            print(json.dumps(found))
    print(json.dumps({"mutants": count, "accepted": accepted, "differ": differ}))
    return 1 if differ else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--key", type=bytes.fromhex)
    parser.add_argument("--mutants")
    parser.add_argument("--whole-every", type=int, default=0)
    args = parser.parse_args()
    with open(args.file, "rb") as file:
        data = file.read()
    if args.mutants:
        return verify_mutants(args.mutants, data, args.key, args.whole_every)
    verdict = verify(data, args.key, keys_of(data, args.key)).verdict()
    print(json.dumps(verdict))
    return 0 if verdict["holds"] else 1


if __name__ == "__main__":
    sys.exit(main())
