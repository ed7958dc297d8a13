#!/usr/bin/env python3
"""Verifies an evidence file of Weir (`weir evidence export`) with nothing but public keys: one file, Python 3.9 or newer, no
other package. Written from sync/evidence/evidence.cddl, sync/record/record.cddl, sync/batch/weirlog.cddl and batch.cddl.

    verify_evidence.py FILE [--key HEX] [--platform NAME=HEX]... [--revoked FILE]...
    verify_evidence.py FILE ... --mutants MUTANTS

--key: any key that the box has or had; statements in the file lead from one to the next. --revoked: a platform's signed word
that a key of the box is revoked.

Prints one line for each statement: what it is about, and whether it is proven, open or wrong; with --json one JSON object
{"holds", "findings": [{"word", "state", "about", "facts"}], "stated": [what a person entered]}, in the words of evidence.cddl. Exit status: 0 nothing is wrong,
1 something is, 2 usage. It does not make the report anew: `report` is open if it is the sealed one.

--mutants: a file of one JSON array a line, each a mutant of FILE: [[at, cut, "hex"], ...], by ascending place: at byte `at`,
`cut` bytes are taken out and others put in. Prints the findings of each as [[word, state, about], ...], and last the count.
"""

import argparse
import datetime
import functools
import hashlib
import json
import re
import sys
import zlib

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}\Z")
MEDIA_TYPE = b"application/vnd.weir.evidence+zip"
MEMBERS_MAX = 513
OTHERS = ["mimetype", "report.html", "readings.csv", "records.weirlog"]
COMMAND_BYTES_MAX = 32_768
SEAL_BYTES_MAX, RECEIPT_BYTES_MAX, CHECKPOINT_BYTES_MAX, RECORD_BYTES_MAX = 131_072, 262_144, 512, 4_194_304
STATEMENT_BYTES_MAX, REASON_BYTES_MAX = 4_096, 1_000
# Statements about keys that are followed: of a file, and about one name.
STATEMENTS_MAX, STATEMENTS_OF_NAME_MAX = 256, 128
CLOCKS = ["synchronised", "holdover", "unset"]
QUALITIES = ["good", "out_of_range", "not_a_number", "missing", "unknown_unit"]
BOOT, FRAME, REJECTED, ALARM, CODEC, REDECODED, CLOCK, GAP, AUDIT, OUTFALL, AGGREGATE, MANUAL = range(12)
KEY_CHANGED = 5
PATROL_STATES = ["normal", "discharging", "dry", "abnormal", "blocked", "damaged", "submerged", "could not be reached"]
HEADING = (
    "seq,time,clock,source,quantity,value,unit,quality,device_time,codec,redecoded_of,true_time,true_time_basis,"
    "true_time_error_ms,not_before,not_after"
)


def sha256(data):
    return hashlib.sha256(data).digest()


# ---- Ed25519 (RFC 8032 §5.1.7), cofactorless and strict --------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)


def add(one, other):
    a = (one[1] - one[0]) * (other[1] - other[0]) % P
    b = (one[1] + one[0]) * (other[1] + other[0]) % P
    c, d = 2 * one[3] * other[3] * D % P, 2 * one[2] * other[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(number, point):
    product = NEUTRAL
    while number:
        if number & 1:
            product = add(product, point)
        point, number = add(point, point), number >> 1
    return product


def packed(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def unpacked(data):
    """The point in these 32 bytes, if there is one and it is not of small order."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number % (1 << 255)
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if x * x % P != x2:
        x = x * ROOT % P
    if x * x % P != x2:
        return None
    x = P - x if x & 1 != sign else x
    point = (x % P, y % P, 1, x * y % P)
    return None if packed(times(8, point)) == packed(NEUTRAL) else point


BASE = unpacked((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


@functools.lru_cache(maxsize=4096)
def is_signed(public, message, signature):
    key, commitment, scalar = unpacked(public), unpacked(signature[:32]), int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or scalar >= L:
        return False
    challenge = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    return packed(add(times(scalar, BASE), times(L - challenge, key))) == signature[:32]


# ---- Deterministic CBOR (RFC 8949 §4.2) ------------------------------------------------------------------------------


NULL = {22: None}
SIMPLE = {20: False, 21: True, **NULL}


class Form(Exception):
    """The bytes have not the one form."""


class Cut(Exception):
    """They end within an item."""


def want(condition):
    if not condition:
        raise Form


class Data:
    """Bytes that are read from front to back."""

    def __init__(self, data, simple=NULL):
        self.data, self.at, self.simple = data, 0, simple

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        if len(taken) < count:
            raise Cut
        self.at += count
        return taken

    def head(self):
        first = self.take(1)[0]
        short = first & 0x1F
        if short < 24:
            return first >> 5, short
        want(short < 28)
        width = 1 << short - 24
        value = int.from_bytes(self.take(width), "big")
        want(value >= (24 if width == 1 else 1 << 4 * width))
        return first >> 5, value

    def item(self, depth=0):
        want(depth < 16)
        major, value = self.head()
        if major in (0, 1):
            return value if major == 0 else -1 - value
        if major == 2:
            return self.take(value)
        if major == 3:
            try:
                return self.take(value).decode("utf-8")
            except UnicodeDecodeError:
                raise Form from None
        if major == 4:
            want(value <= len(self.data))
            return [self.item(depth + 1) for _ in range(value)]
        want(major == 7 and value in self.simple)
        return self.simple[value]


def whole(data, simple=NULL):
    reader = Data(data, simple)
    try:
        item = reader.item()
    except Cut:
        raise Form from None
    want(reader.at == len(data))
    return item


def array(item, least, most=None):
    """The entries of an array; those left out at its end are None, and the last one that is there is none of these."""
    most = most or least
    want(isinstance(item, list) and least <= len(item) <= most)
    want(len(item) == least or item[-1] is not None)
    return item + [None] * (most - len(item))


def uint(item, bits=64):
    want(type(item) is int and 0 <= item < 1 << bits)
    return item


def integer(item):
    want(type(item) is int and -(1 << 63) <= item < 1 << 63)
    return item


def text(item, pattern=None):
    want(isinstance(item, str) and (pattern is None or pattern.match(item)))
    return item


def octets(item, count=None):
    want(isinstance(item, bytes) and (count is None or len(item) == count))
    return item


def listed(item):
    want(isinstance(item, list))
    return item


def ranges(item):
    pairs = [tuple(uint(number) for number in array(pair, 2)) for pair in listed(item)]
    want(all(first <= last for first, last in pairs))
    want(all(one[1] + 1 < other[0] for one, other in zip(pairs, pairs[1:])))
    return pairs


def head_of(item):
    size, root = array(item, 2)
    return uint(size), octets(root, 32)


def clock_of(item):
    kind, facts = array(item, 2)
    want(kind in (0, 1, 2) and len(listed(facts)) == (kind == 1))
    return kind, uint(facts[0], 32) if facts else None


class Stamp:
    def __init__(self, item):
        boot, mono, wall, clock = array(item, 4)
        self.boot, self.mono, self.wall = uint(boot, 32), uint(mono), integer(wall)
        self.clock, self.error_ms = clock_of(clock)


# ---- COSE_Sign1, as in batch.cddl ------------------------------------------------------------------------------------


def cbor_head(major, value):
    if value < 24:
        return bytes([major << 5 | value])
    width = 1 if value < 1 << 8 else 2 if value < 1 << 16 else 4
    return bytes([major << 5 | 24 + width.bit_length() - 1]) + value.to_bytes(width, "big")


def opened(cose, kind, bytes_max, key=None):
    """The body of a signed artifact. Without a key it is only what somebody says. Form if it is none, None if not by this key."""
    want(len(cose) <= bytes_max)
    reader = Data(cose)
    try:
        want(reader.take(2) == b"\xd2\x84")
        protected, unprotected = octets(reader.item()), reader.take(1)
        payload, signature = octets(reader.item()), octets(reader.item(), 64)
    except Cut:
        raise Form from None
    want(unprotected == b"\xa0" and reader.at == len(cose))
    name = f"application/vnd.weir.{kind}".encode()
    start = b"\xa3\x01\x27\x03" + cbor_head(3, len(name)) + name + b"\x04\x48"
    want(protected[:-8] == start)
    parts = [b"Signature1", protected, b"", payload]
    message = b"\x84" + b"".join(cbor_head(3 if n == 0 else 2, len(part)) + part for n, part in enumerate(parts))
    if key is not None and (protected[-8:] != sha256(key)[:8] or not is_signed(key, message, signature)):
        return None
    version, body = array(whole(payload), 2)
    want(version == 1 and type(version) is int)
    return body


class Seal:
    def __init__(self, body):
        box, asked, version, members, stamp = array(body, 5)
        self.box, self.version = text(box, NAME), uint(version, 32)
        sources, start, end, reason, alarm = array(asked, 4, 5)
        self.sources = [text(name, NAME) for name in listed(sources)]
        self.window = integer(start), integer(end)
        self.alarm = None if alarm is None else uint(alarm)
        text(reason)
        self.members = [(text(name), octets(digest, 32)) for name, digest in (array(one, 2) for one in listed(members))]
        self.at = Stamp(stamp).wall


class Receipt:
    def __init__(self, cose, key=None):
        body = opened(cose, "receipt", RECEIPT_BYTES_MAX, key)
        self.is_signed = body is not None
        if self.is_signed:
            platform, box, batch, holds, head, received, command, left_out = array(body, 6, 8)
            want(command is None or type(command) is bytes and len(command) <= COMMAND_BYTES_MAX)
            self.platform, self.box, self.batch = text(platform, NAME), text(box, NAME), octets(batch, 32)
            self.holds, self.head, self.received = ranges(holds), head_of(head), integer(received)
            self.left_out = [] if left_out is None else ranges(left_out)
            want(left_out != [])

    def has(self, seq):
        """Whether the platform says that it has this very record: among numbers left out it may not."""
        held, left_out = (any(first <= seq <= last for first, last in spans) for spans in (self.holds, self.left_out))
        return held and not left_out


# ---- Keys that took the place of others, as in batch.cddl ------------------------------------------------------------


def kid_of(key):
    return sha256(key)[:8]


def public(item):
    want(unpacked(octets(item, 32)) is not None)
    return item


def reason_of(item):
    want(len(text(item).encode()) <= REASON_BYTES_MAX)
    return item


class Statement:
    """That a key took the place of another: `whose`, `former`, `key`; `platform` if it is a platform's word."""

    def __init__(self, cose):
        self.cose, self.platform = cose, None
        try:
            accepted = opened(cose, "key-change", STATEMENT_BYTES_MAX)
        except Form:
            return self.succession(cose)
        (inner,) = array(accepted, 1)
        whose, old, new, number, at, clock, reason = array(opened(octets(inner), "new-key", STATEMENT_BYTES_MAX), 7)
        kind, name = array(whose, 2)
        (name,) = array(name, 1)
        want(kind in (0, 1))
        uint(number, 32), integer(at), reason_of(reason)
        if clock is not None:
            clock_of(clock)
        self.whose, self.former, self.key, self.at = (kind, text(name, NAME)), public(old), public(new), at
        want(old != new)
        want(opened(inner, "new-key", STATEMENT_BYTES_MAX, new) is not None)
        want(opened(cose, "key-change", STATEMENT_BYTES_MAX, old) is not None)

    def succession(self, cose):
        platform, box, former, key, at = array(opened(cose, "succession", STATEMENT_BYTES_MAX), 5)
        self.platform, self.whose = text(platform, NAME), (0, text(box, NAME))
        self.former, self.key = public(former), public(key)
        integer(at)

    def is_believed(self, platforms, revoked):
        """A change proves itself, unless its key was revoked; a succession is the word of a platform whose key is known."""
        if self.platform is None:
            return all(key != self.former or self.at < start for key, start in revoked)
        keys = platforms.get(self.platform, [])
        return any(opened(self.cose, "succession", STATEMENT_BYTES_MAX, key) is not None for key in keys)


def statement_in(record):
    """The statement in a record, if it is the order that a key changed."""
    try:
        stamp, body = array(whole(record), 2)
        kind, facts = array(body, 2)
        want(kind == AUDIT and type(kind) is int)
        (facts,) = array(facts, 1)
        by, act, reason = array(facts, 3)
        Stamp(stamp), reason_of(reason)
        actor, who = array(by, 2)
        (who,) = array(who, 1)
        uint(who, 32) if actor == 0 else reason_of(who)
        number, parts = array(act, 2)
        want(actor in (0, 1) and number == KEY_CHANGED)
        (cose,) = array(parts, 1)
        want(len(octets(cose)) <= STATEMENT_BYTES_MAX)
        return Statement(cose)
    except Form:
        return None


class Lineage:
    """{key: [is it believed, the number of the record after which it signs nothing]} of one name, the known one first."""

    def __init__(self, whose, known, statements, platforms, revoked=()):
        own = [(seq, one) for seq, one in statements if one.whose == whose][:STATEMENTS_OF_NAME_MAX]
        self.keys = {known: [True, None]}
        for _, one in own:
            self.keys.setdefault(one.former, [False, None])
            self.keys.setdefault(one.key, [False, None])
        joins = [(seq, one.former, one.key) for seq, one in own if one.is_believed(platforms, revoked)]
        for _ in self.keys:
            for _, former, key in joins:
                if self.keys[former][0] != self.keys[key][0]:
                    self.keys[former][0] = self.keys[key][0] = True
        for seq, former, _ in joins:
            ended = self.keys[former][1]
            self.keys[former][1] = seq if ended is None else min(ended, seq)

    def believed(self):
        return [key for key, (is_believed, _) in self.keys.items() if is_believed]

    def named(self, kid):
        return next((key for key in self.keys if kid_of(key) == kid), None)


class Revocation:
    def __init__(self, cose, key=None):
        body = opened(cose, "revocation", STATEMENT_BYTES_MAX, key)
        self.is_signed = body is not None
        if self.is_signed:
            platform, box, self.key, start, made, reason = array(body, 6)
            self.platform, self.box, self.start = text(platform, NAME), text(box, NAME), integer(start)
            public(self.key), integer(made), reason_of(reason)


class Beliefs:
    """Whose word counts: keys that follow from the given ones by statements in the file, without those that are revoked."""

    def __init__(self, log, key, platforms, revoked):
        statements = [(seq, statement_in(body)) for seq, body in log.claims]
        statements = [pair for pair in statements if pair[1]][:STATEMENTS_MAX]
        self.platforms = {
            name: Lineage((1, name), known, statements, {}).believed() for name, known in (platforms or {}).items()
        }
        self.revoked, self.doubtful = [], []
        for cose in revoked:
            says = Revocation(cose)
            keys = self.platforms.get(says.platform, [])
            is_known = any(Revocation(cose, key).is_signed for key in keys)
            (self.revoked if is_known else self.doubtful).append(says)
        ended = [(one.key, one.start) for one in self.revoked if one.box == log.box]
        self.lineage = Lineage((0, log.box), key or log.named, statements, self.platforms, ended)

    def counts(self, box, key, at):
        """Whether what this key signed then was signed before it was revoked, by its own clock."""
        return all((one.box, one.key) != (box, key) or at < one.start for one in self.revoked)


# ---- Container -------------------------------------------------------------------------------------------------------


def common(name, data):
    size = len(data).to_bytes(4, "little")
    name = len(name.encode()).to_bytes(2, "little")
    return bytes.fromhex("0a00 0000 0000 0000 2100") + zlib.crc32(data).to_bytes(4, "little") + size + size + name + b"\0\0"


def container(members):
    """The file that the rule makes of these members."""
    local, central = b"", b""
    for name, data in members:
        offset = len(local).to_bytes(4, "little")
        central += b"PK\x01\x02\x0a\x00" + common(name, data) + bytes(10) + offset + name.encode()
        local += b"PK\x03\x04" + common(name, data) + name.encode() + data
    count = len(members).to_bytes(2, "little")
    sizes = len(central).to_bytes(4, "little") + len(local).to_bytes(4, "little")
    return local + central + b"PK\x05\x06" + bytes(4) + count + count + sizes + b"\0\0"


def members_of(file):
    """([(name, bytes)], the first whose bytes do not fit their checksum); None if they cannot be told apart."""
    members, altered, at = [], None, 0
    while file[at : at + 4] == b"PK\x03\x04":
        size = int.from_bytes(file[at + 18 : at + 22], "little")
        start = at + 30 + int.from_bytes(file[at + 26 : at + 28], "little")
        if len(members) == MEMBERS_MAX or start + size > len(file):
            return None
        try:
            name = file[at + 30 : start].decode("utf-8")
        except UnicodeDecodeError:
            return None
        data = file[start : start + size]
        if altered is None and file[at + 14 : at + 18] != zlib.crc32(data).to_bytes(4, "little"):
            altered = name
        members.append((name, data))
        at = start + size
    return (members, altered) if members else None


def receipt_name(name):
    """(platform, batch) of a receipt's name, else None."""
    found = re.match(r"receipts/([A-Za-z0-9_.-]{1,64})-([0-9a-f]{64})\.cose\Z", name)
    return found and (found[1], bytes.fromhex(found[2]))


def are_parts(members):
    names = [name for name, _ in members]
    receipts = names[4:-1]
    in_place = names[:4] == OTHERS and names[-1] == "seal.cose" and len(names) >= 5
    ascending = all(one.encode() < other.encode() for one, other in zip(receipts, receipts[1:]))
    return in_place and members[0][1] == MEDIA_TYPE and ascending and all(map(receipt_name, receipts))


# ---- records.weirlog, as in weirlog.cddl -----------------------------------------------------------------------------


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


class Log:
    """What stands in a weirlog, and its first fault as (place, word). Without beliefs, what it claims."""

    def __init__(self, data, expected, wanted, beliefs=None):
        self.box = self.key = self.named = self.fault = self.head_size = None
        self.beliefs, self.claims, self.signed, self.unvouched = beliefs, [], [], 0
        self.size = self.proven = 0
        self.bodies, self.roots, self.heads = {}, {}, []
        self.stored, self.own = Tree(), None
        self.expected, self.wanted = expected, wanted
        reader, self.digest = Data(data), hashlib.sha256()
        while True:
            place, start = ("header" if self.box is None else f"record {self.size}"), reader.at
            try:
                more = self.header(reader) if self.box is None else self.entry(reader)
            except Cut:
                more = self.stop(place, "no_header" if self.box is None else "cut")
            except Form:
                more = self.stop(place, "no_header" if self.box is None else "unreadable")
            if not more:
                return
            self.digest.update(data[start : reader.at])
            if self.size in self.wanted:
                self.roots[self.size] = self.stored.root()

    def stop(self, place, word):
        self.fault = self.fault or (place, word)
        return False

    def header(self, reader):
        want(reader.head() == (4, 4) and reader.head() == (3, 7) and reader.take(7) == b"weirlog")
        major, version = reader.head()
        want(major == 0)
        major, count = reader.head()
        want(major == 3 and 1 <= count <= 64)
        box = reader.take(count)
        want(reader.head() == (2, 32))
        key = reader.take(32)
        if version != 1:
            return self.stop("header", "version")
        try:
            box = text(box.decode("ascii"), NAME)
        except UnicodeDecodeError:
            raise Form from None
        want(unpacked(key) is not None)
        if self.beliefs and key not in self.beliefs.lineage.keys:
            self.stop("header", "other_key")
        self.key, self.box, self.named = self.expected or key, box, key
        return True

    def entry(self, reader):
        major, count = reader.head()
        if (major, count) == (4, 3):
            return self.leaf_or_root(reader)
        if (major, count) == (4, 2):
            return self.end(reader)
        want(major == 2 and 1 <= count <= CHECKPOINT_BYTES_MAX)
        return self.checkpoint(reader.take(count))

    def leaf_or_root(self, reader):
        major, seq = reader.head()
        want(major == 0)
        major, argument = reader.head()
        want(major == 2 and 1 <= argument <= RECORD_BYTES_MAX or major == 0 and argument <= 63)
        body = reader.take(argument) if major == 2 else None
        want(reader.head() == (2, 32))
        stored, level = reader.take(32), 0 if major == 2 else argument
        if not self.beliefs:
            self.claims += [(seq, body)] if body is not None else []
            return True
        if seq != self.size:
            return self.stop(f"record {self.size}", "missing" if seq > self.size else "out_of_order")
        want(seq % (1 << level) == 0 and seq + (1 << level) < 1 << 64)
        own = stored if body is None else sha256(b"\x00" + body)
        if own != stored:
            self.stop(f"record {seq}", "altered")
            self.own = self.own or Tree(self.stored.edge)
        self.stored.append(level, stored)
        if self.own:
            self.own.append(level, own)
        if body is not None:
            self.bodies[seq] = body
        self.size += 1 << level
        return True

    def checkpoint(self, cose):
        if not self.beliefs:
            return True
        try:
            opened(cose, "checkpoint", CHECKPOINT_BYTES_MAX)
            # The protected header ends with the kid: d2 84, its length in two bytes, and all of it.
            kid = cose[4 : 4 + cose[3]][-8:]
            key = self.beliefs.lineage.named(kid)
            want(key is not None)
            body = opened(cose, "checkpoint", CHECKPOINT_BYTES_MAX, key)
            want(body is not None)
            box, head, stamp = array(body, 3)
            (size, root), stamp = head_of(head), Stamp(stamp)
            text(box, NAME)
            self.signed.append((key, stamp.wall))
            is_believed, ended = self.beliefs.lineage.keys[key]
            if not is_believed:
                self.unvouched += 1
                return True
            want(box == self.box and size == self.size and self.head_size != size)
            want(ended is None or size <= ended)
            if not self.beliefs.counts(box, key, stamp.wall):
                return True
        except Form:
            self.stop(f"checkpoint {self.size}", "checkpoint")
            return True
        self.head_size = size
        if self.stored.root() == root:
            self.own = None
        elif self.own and self.own.root() == root:
            self.stored, self.own = self.own, None
        else:
            self.stop(f"record {self.proven}", "unproven")
            return True
        self.proven = size
        self.heads.append((size, stamp.wall))
        return True

    def end(self, reader):
        major, size = reader.head()
        want(major == 0 and reader.head() == (2, 32))
        digest = reader.take(32)
        if not self.beliefs:
            return False
        if size > self.size:
            return self.stop(f"record {self.size}", "missing")
        if size < self.size or digest != self.digest.digest() or reader.at < len(reader.data):
            return self.stop("end", "end")
        return self.stop(f"record {self.proven}", "unsigned") if self.proven < self.size else False


# ---- Records, as in record.cddl --------------------------------------------------------------------------------------


def decimal(item):
    mantissa, exponent = array(item, 2)
    integer(mantissa), integer(exponent)
    want(abs(exponent) <= 40 and (mantissa % 10 != 0 or (mantissa, exponent) == (0, 0)))
    digits = str(abs(mantissa)) + "0" * max(exponent, 0)
    if exponent < 0:
        digits = digits.rjust(1 - exponent, "0")
        digits = digits[:exponent] + "." + digits[exponent:]
    return ("-" if mantissa < 0 else "") + digits


class Reading:
    def __init__(self, item):
        quantity, unit, value, quality, at = array(item, 4, 5)
        self.quantity, self.unit, self.quality = text(quantity), text(unit), QUALITIES[uint(quality, 3)]
        self.value = None if value is None else decimal(value)
        self.at = None if at is None else integer(at)


class Entered:
    """What a person typed: a sample that went to a laboratory, or a patrol."""

    def __init__(self, facts):
        which, body = array(facts, 2)
        (body,) = array(body, 1)
        if uint(which, 1) == 0:
            entry, values, laboratory, number, note = array(body, 2, 5)
            found = ", ".join(self.found(*array(one, 4, 5)) for one in listed(values))
            words = [found, *(text(one) for one in (laboratory, number, note) if one is not None)]
        else:
            entry, finding, state = array(body, 2, 3)
            words = ([] if state is None else [PATROL_STATES[uint(state, 3)]]) + [text(finding)]
        self.what = ["sample", "patrol"][which]
        outfall, at, person, by, files, replaces = array(entry, 4, 6)
        self.outfall, self.at, self.person = text(outfall), integer(at), text(person)
        kind, name = array(by, 2)
        self.by = ["user", "platform", "the box"][uint(kind, 2)] + "".join(f" {one}" for one in name)
        for file in [] if files is None else listed(files):
            name, digest = array(file, 2)
            words.append(f"{text(name)} {digest.hex()}")
        self.replaces = None
        if replaces is not None:
            self.replaces, reason = array(replaces, 2)
            words.append(f"in place of record {uint(self.replaces)}: {text(reason)}")
        self.words = " · ".join(words)

    @staticmethod
    def found(quantity, unit, value, detection, method):
        said = f"{text(quantity)} {'<' * uint(detection, 1)}{decimal(value)} {text(unit)}"
        return said if method is None else f"{said} ({text(method)})"


class Record:
    """One record, as far as the statements need it."""

    def __init__(self, seq, data):
        self.seq, self.source, self.codec, self.of, self.readings, self.gone = seq, None, None, None, [], []
        # Truth values stand in dossiers alone.
        stamp, body = array(whole(data, SIMPLE), 2)
        self.stamp = Stamp(stamp)
        self.kind, facts = array(body, 2)
        (facts,) = array(facts, 1)
        want(uint(self.kind) <= MANUAL)
        if self.kind != OUTFALL and (b"\xf4" in data or b"\xf5" in data):
            whole(data)
        if self.kind == FRAME:
            self.source, _, _, readings, self.codec, _ = array(facts, 4, 6)
            self.readings = [Reading(one) for one in listed(readings)]
        elif self.kind == REDECODED:
            self.source, self.of, self.codec, readings, _ = array(facts, 4, 5)
            self.readings = [Reading(one) for one in listed(readings)]
        elif self.kind == REJECTED:
            self.source = array(facts, 5)[0]
        elif self.kind == ALARM:
            _, self.source, self.quantity, _, _, _, _, _, self.cause, _ = array(facts, 9, 10)
        elif self.kind == CODEC:
            self.codec, words = array(facts, 2)
            self.is_named = sha256(text(words).encode())[:8] == self.codec
        elif self.kind == CLOCK:
            self.error_ms = uint(array(facts, 4)[3], 32)
        elif self.kind == GAP:
            self.gone = ranges(array(facts, 6)[1])
        elif self.kind == AGGREGATE:
            self.source = array(facts, 5)[0]
        elif self.kind == MANUAL:
            self.entered = Entered(facts)

    def is_decoded(self):
        return self.kind in (FRAME, REDECODED)


# ---- True time -------------------------------------------------------------------------------------------------------


def drift(passed):
    return -(-passed // 2000)


def clamp(number):
    return max(-(1 << 63), min((1 << 63) - 1, number))


class TimeLine:
    def __init__(self, records):
        self.boots = {}
        for record in records:
            stamp = record.stamp
            if record.kind != CLOCK or CLOCKS[stamp.clock] == "unset":
                continue
            began, moment = clamp(stamp.wall - stamp.mono), (stamp.mono, record.error_ms)
            stretches = self.boots.setdefault(stamp.boot, [])
            known = next((one for one in stretches if abs(one[0] - began) <= 20), None)
            if known is None:
                del stretches[63:]
                stretches.append([began, moment, moment])
            elif stamp.mono < known[1][0]:
                known[1] = moment
            elif stamp.mono > known[2][0]:
                known[2] = moment

    @staticmethod
    def at(stretch, mono):
        began, *ends = stretch
        return clamp(began + mono), 20 + min(error + drift(abs(mono - at)) for at, error in ends)

    def time(self, stamp):
        """(basis, time, error) or ("unknown", not before, not after)."""
        if CLOCKS[stamp.clock] == "synchronised":
            return "stamped", stamp.wall, 2000
        known = [self.at(stretch, stamp.mono) for stretch in self.boots.get(stamp.boot, [])]
        corrected = min(known, key=lambda pair: pair[1], default=None)
        if CLOCKS[stamp.clock] == "holdover" and (corrected is None or stamp.error_ms <= corrected[1]):
            return "stamped", stamp.wall, stamp.error_ms
        return ("corrected", *corrected) if corrected else ("unknown", *self.between(stamp))

    def between(self, stamp):
        lower = max((boot for boot in self.boots if boot < stamp.boot), default=None)
        higher = min((boot for boot in self.boots if boot > stamp.boot), default=None)
        before = after = None
        if lower is not None:
            last = max(reversed(self.boots[lower]), key=lambda stretch: stretch[2][0])
            at, error = self.at(last, last[2][0])
            before = clamp(clamp(at - error) + stamp.mono - min(drift(stamp.mono), stamp.mono))
        if higher is not None:
            at, error = self.at(min(self.boots[higher], key=lambda stretch: stretch[1][0]), 0)
            after = clamp(at + error)
        return before, after

    def moment(self, record):
        basis, at, _ = self.time(record.stamp)
        return record.stamp.wall if basis == "unknown" else at


def shown(ms):
    """A time as it stands in readings.csv."""
    if ms is None:
        return ""
    try:
        at = datetime.datetime(1970, 1, 1) + datetime.timedelta(milliseconds=ms)
    except OverflowError:
        return f"{ms}ms"
    if at.year > 9998:
        return f"{ms}ms"
    return f"{at.year:04}-{at:%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def readings_csv(records, line):
    rows = [HEADING]
    for record in records:
        stamp, (basis, one, other) = record.stamp, line.time(record.stamp)
        known = [shown(one), basis, str(other), "", ""] if basis != "unknown" else ["", basis, "", shown(one), shown(other)]
        for reading in record.readings if record.is_decoded() else []:
            unit = reading.unit
            if "," in unit or '"' in unit:
                unit = '"' + unit.replace('"', '""') + '"'
            row = [record.seq, shown(stamp.wall), CLOCKS[stamp.clock], record.source, reading.quantity, reading.value or "", unit]
            row += [reading.quality, shown(reading.at), record.codec.hex() if record.codec else ""]
            row += ["" if record.of is None else record.of, *known]
            rows.append(",".join(map(str, row)))
    return "".join(row + "\r\n" for row in rows).encode()


# ---- Statements ------------------------------------------------------------------------------------------------------


class Verdict:
    def __init__(self):
        self.findings, self.stated = [], []

    def add(self, word, state, about=None, **facts):
        self.findings.append({"word": word, "state": state, "about": about, "facts": facts})

    def holds(self):
        return all(finding["state"] != "wrong" for finding in self.findings)


def sealed_by(cose, keys):
    """(key, seal) if one of these keys signed it."""
    for key in keys:
        body = opened(cose, "evidence", SEAL_BYTES_MAX, key)
        if body is not None:
            return key, Seal(body)
    return None


def judge_seal(verdict, members, beliefs):
    """The seal, if it is the word of a key that is believed."""
    try:
        found = sealed_by(members[-1][1], beliefs.lineage.believed())
        want(found and beliefs.counts(found[1].box, found[0], found[1].at))
        seal = found[1]
    except Form:
        verdict.add("seal", "wrong", "seal.cose")
        return None
    others = [(name, sha256(data)) for name, data in members[:-1]]
    other = next((own[0] for own, sealed in zip(others, seal.members) if own != sealed), None)
    if other is None and len(others) != len(seal.members):
        other = "seal.cose"
    verdict.add("seal", "wrong" if other else "proven", other, box=seal.box)
    return seal


def judge_receipt(name, cose, keys, box, log):
    """(receipt, None), or (None, why it is wrong)."""
    try:
        receipt = Receipt(cose)
        if keys and not any(Receipt(cose, key).is_signed for key in keys):
            return None, "signature"
    except Form:
        return None, "form"
    if receipt.box != box:
        return None, "other_box"
    if (receipt.platform, receipt.batch) != receipt_name(name):
        return None, "name"
    return (receipt, None) if log.roots.get(receipt.head[0]) == receipt.head[1] else (None, "head")


def covered(seqs, receipts, covers):
    """How many records some receipt covers, and when the earliest that covers the last of them came."""
    left, last = list(seqs), None
    for receipt in receipts:
        still = [seq for seq in left if not covers(receipt, seq)]
        if len(still) < len(left):
            left, last = still, receipt.received
    return len(seqs) - len(left), last


def judge_receipts(verdict, members, keys, log, records):
    """The statements; gives when a platform whose key was given had all records, by its own clock."""
    platforms, had_before = {}, []
    for name, cose in members[4:-1]:
        platforms.setdefault(receipt_name(name)[0], []).append((name, cose))
    seqs = [record.seq for record in records]
    for platform in sorted(platforms, key=str.encode):
        known, good, fault = keys.get(platform, []), [], None
        for name, cose in platforms[platform]:
            receipt, why = judge_receipt(name, cose, known, log.box, log)
            if receipt:
                good.append(receipt)
            fault = fault or why and (name, why)
        good.sort(key=lambda receipt: receipt.received)
        held, held_before = covered(seqs, good, Receipt.has)
        existed, existed_before = covered(seqs, good, lambda receipt, seq: seq < receipt.head[0])
        proven = bool(known) and held == existed == len(seqs)
        if known and not fault and existed == len(seqs) and existed_before is not None:
            had_before.append(existed_before)
        facts = {"held": held, "held_before_ms": held_before, "existed": existed, "existed_before_ms": existed_before}
        state = "wrong" if fault else "proven" if proven else "open"
        verdict.add("receipts", state, fault[0] if fault else platform, **facts, why=fault and fault[1])
    return min(had_before, default=None)


def judge_revoked(verdict, members, beliefs, log, had_before, revoked):
    for cose in revoked:
        says = Revocation(cose)
        if any(one.__dict__ == says.__dict__ for one in beliefs.doubtful):
            verdict.add("revoked", "open", says.platform)
            continue
        times_ = [at for key, at in log.signed if key == says.key]
        after = sum(at >= says.start for at in times_)
        try:
            seal = sealed_by(members[-1][1], [says.key])
        except Form:
            seal = None
        sealed_after = bool(seal) and seal[1].at >= says.start
        confirmed = had_before is not None and had_before < says.start
        unsigned = len(times_) == after and not seal
        state = "wrong" if after or sealed_after else "proven" if unsigned or confirmed else "open"
        facts = {"before": len(times_) - after, "after": after, "sealed_after": sealed_after, "confirmed": confirmed}
        verdict.add("revoked", state, kid_of(says.key).hex(), **facts)


def judge_entered(verdict, records, line):
    """What people say stays what people say: only when it was entered is proven."""
    entered = [record for record in records if record.kind == MANUAL]
    whats = [record.entered.what for record in entered]
    if entered:
        verdict.add("stated", "open", samples=whats.count("sample"), patrols=whats.count("patrol"))
    replaced = {record.entered.replaces: record.seq for record in entered}
    for record in entered:
        said = record.entered
        line_ = f"{said.what} at {said.outfall}, {shown(said.at)} by {said.person} as told: {said.words}"
        verdict.stated.append(
            f"record {record.seq}, entered {shown(line.moment(record))} by {said.by}: {line_}"
            + (f" · replaced by record {replaced[record.seq]}" if record.seq in replaced else "")
        )


def judge_alarm(verdict, seq, by_seq):
    alarm = by_seq.get(seq)
    cause = by_seq.get(alarm.cause) if alarm and alarm.kind == ALARM else None
    here = cause is not None and cause.is_decoded() and cause.source == alarm.source
    here = here and any(reading.quantity == alarm.quantity for reading in cause.readings)
    verdict.add("alarm", "proven" if here else "open", str(seq))


def judge_window(verdict, window, records, line, size):
    moments = {record.seq: line.moment(record) for record in records}
    inside = [seq for seq, at in moments.items() if window[0] <= at < window[1]]
    first, last = (inside[0], inside[-1]) if inside else (0, -1)
    gone = {seq for record in records for one, other in record.gone for seq in range(max(one, first), min(other, last) + 1)}
    within = [record for record in records if first <= record.seq <= last]
    gone -= moments.keys()
    numbers = last - first + 1
    starts = first == 0 or first - 1 in moments and moments[first - 1] < window[0]
    ends = last + 1 >= size or last + 1 in moments and moments[last + 1] >= window[1]
    bounded = bool(inside) and starts and ends
    whole_ = bounded and len(within) + len(gone) == numbers
    verdict.add("complete", "proven" if whole_ else "open", numbers=numbers, here=len(within), gone=len(gone), bounded=bounded)
    counts = {name: sum(CLOCKS[record.stamp.clock] == name for record in within) for name in CLOCKS}
    bases = [line.time(record.stamp)[0] for record in within]
    counts["corrected"], counts["unknown"] = bases.count("corrected"), bases.count("unknown")
    verdict.add("times", "open" if counts["unknown"] else "proven", **counts)


def read_records(log):
    records = []
    for seq, body in log.bodies.items():
        try:
            records.append(Record(seq, body))
        except (Form, IndexError):
            return records, f"record {seq}: strange"
    return records, None


def wanted_sizes(members):
    sizes = set()
    for _, cose in members[4:-1]:
        try:
            sizes.add(Receipt(cose).head[0])
        except Form:
            pass
    return sizes


def verify(file, key=None, platforms=None, revoked=()):
    verdict, found = Verdict(), members_of(file)
    if found is None:
        verdict.add("container", "wrong")
        return verdict
    members, altered = found
    parts = are_parts(members)
    verdict.add("container", "proven" if parts and container(members) == file else "wrong", altered)
    if not parts:
        return verdict
    log = Log(members[3][1], key, ())
    if log.key is None:
        verdict.add("records", "wrong", ": ".join(log.fault))
        return verdict
    beliefs = Beliefs(log, key, platforms, revoked)
    log = Log(members[3][1], key, wanted_sizes(members), beliefs)
    seal = judge_seal(verdict, members, beliefs)
    verdict.add("key", "proven" if key else "open")
    keys = beliefs.lineage.keys
    if len(keys) > 1:
        unvouched = next((kid_of(one).hex() for one, (is_believed, _) in keys.items() if not is_believed), None)
        shown_keys = [one.hex() for one in keys]
        verdict.add("keys", "open" if unvouched else "proven", unvouched, keys=shown_keys, unvouched=log.unvouched)
    records, strange = read_records(log) if log.fault is None else ([], None)
    fault = ": ".join(log.fault) if log.fault else "header: other_box" if seal and seal.box != log.box else strange
    verdict.add("records", "wrong" if fault else "proven", fault, records=len(log.bodies))
    if fault:
        judge_revoked(verdict, members, beliefs, log, None, revoked)
        return verdict
    line = TimeLine(records)
    verdict.add("readings", "proven" if readings_csv(records, line) == members[2][1] else "wrong")
    if seal:
        is_sealed = ("report.html", sha256(members[1][1])) in seal.members
        verdict.add("report", "open" if is_sealed else "wrong")
    had_before = judge_receipts(verdict, members, beliefs.platforms, log, records)
    judge_revoked(verdict, members, beliefs, log, had_before, revoked)
    used = {record.codec for record in records if record.is_decoded() and record.codec}
    told = {record.codec for record in records if record.kind == CODEC and record.is_named}
    verdict.add("codecs", "proven" if used <= told else "open", used=len(used), untold=len(used - told))
    judge_entered(verdict, records, line)
    if seal:
        if seal.alarm is not None:
            judge_alarm(verdict, seal.alarm, {record.seq: record for record in records})
        judge_window(verdict, seal.window, records, line, log.size)
    return verdict


# ---- Command ---------------------------------------------------------------------------------------------------------


def mutant_of(data, changes):
    parts, done = [], 0
    for at, cut, put in changes:
        parts += [data[done:at], bytes.fromhex(put)]
        done = at + cut
    return b"".join([*parts, data[done:]])


def verify_mutants(path, file, *given):
    count = 0
    with open(path, encoding="utf-8") as lines:
        for count, line in enumerate(lines, 1):
            findings = verify(mutant_of(file, json.loads(line)), *given).findings
            print(json.dumps([[finding[part] for part in ("word", "state", "about")] for finding in findings]))
    print(json.dumps({"mutants": count}))
    return 0


def public_key(digits):
    key = bytes.fromhex(digits)
    if len(key) != 32 or unpacked(key) is None:
        raise argparse.ArgumentTypeError("no usable Ed25519 public key: copy the 64 hex digits of `weir identity`")
    return key


def platform_key(words):
    name, _, digits = words.partition("=")
    return name, public_key(digits)


def revocation(path):
    try:
        with open(path, "rb") as file:
            cose = file.read(STATEMENT_BYTES_MAX + 1)
        Revocation(cose)
    except (OSError, Form):
        raise argparse.ArgumentTypeError("no revocation: weir platform revoke … -o FILE") from None
    return cose


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--key", type=public_key)
    parser.add_argument("--platform", type=platform_key, action="append", default=[])
    parser.add_argument("--revoked", type=revocation, action="append", default=[], metavar="FILE")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--mutants")
    args = parser.parse_args()
    with open(args.file, "rb") as file:
        data = file.read()
    given = args.key, dict(args.platform), args.revoked
    if args.mutants:
        return verify_mutants(args.mutants, data, *given)
    verdict = verify(data, *given)
    if args.json:
        print(json.dumps({"holds": verdict.holds(), "findings": verdict.findings, "stated": verdict.stated}))
    else:
        for finding in verdict.findings:
            facts = " ".join(f"{name}={value}" for name, value in finding["facts"].items() if value is not None)
            print(f"{finding['state']:7} {finding['word']:10} {finding['about'] or '':24} {facts}".rstrip())
        if verdict.stated:
            print("what people entered by hand; proven is only that they entered it then:")
        for stated in verdict.stated:
            print(f"  {stated}")
    return 0 if verdict.holds() else 1


if __name__ == "__main__":
    sys.exit(main())
