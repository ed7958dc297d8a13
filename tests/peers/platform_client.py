#!/usr/bin/env python3
"""A box that nobody at Weir wrote: delivers batches to a platform, by its OpenAPI and sync/batch/batch.cddl alone.

    platform_client.py --url https://HOST:PORT --ca FILE --platform-key HEX --box NAME --seed HEX [--batches 20] [--random 1]

Reads /openapi.json, checks every answer against it, and verifies each receipt with pycose. Then, in this order: batches
of every kind of record are delivered, and again; what is read back equals what was sent; each kind of bad delivery is
refused as the description says, and changes nothing. HTTPS is Python's own.

--seed: the box's Ed25519 key, 32 bytes. --random: the seed of what the sensors say.

Prints a JSON object per step, and last the counts. Exit status: 0 all as described, 1 otherwise.
"""

import argparse
import csv
import hashlib
import http.client
import io
import json
import random
import re
import ssl
import sys
import urllib.parse

import cbor2
import merkle
import weir_encode
import weir_payload
from cose_sign1 import Bad, kid_of, open_sign1
from weir_payload import REGISTRY, Reading, Row

START_MS = 1_793_491_200_000
BATCHES = "/v1/boxes/{box}/batches/{id}"
CODEC_TEXT = "a codec in any language"
CODEC = hashlib.sha256(CODEC_TEXT.encode()).digest()[:8]
LIVE = 1
# As the CDDL has it: a storm-water outfall with all that a dossier can tell of it, and mostly in Chinese.
DOSSIER = [
    "FA-231081-0001-YS-00", "SFH-01", "城西雨洪排口", 17, 3, "2023-06-01", [[13115123, -5], [4441207, -5], 0],
    ["231081", "牡丹江市绥芬河市", None, "城西大桥下游200米"],
    ["绥芬河", None, True, False, ["过渡区", 2, True], None, ["三岔口"]],
    [0, "DN600"], [1, "雨水", None, [3205, -1], False, None, True], True,
    [["城西物业有限公司", "91350100M000100Y43", "X001Q", None, "王经理", "0453-3920000", ["2022-01-01", "2026-12-31"]]],
    [["住房和城乡建设局", True, None, "0453-3930000", []]],
    [["GB 18918-2002 一级A", [None, "2030-01-01"], [
        ["nh3_n", "mg/L", 2, None, [8, 0], ["water_temperature", "Cel", None, [12, 0]], "水温≤12℃"],
        ["ph", "[pH]", 0, [6, 0], [9, 0]],
    ]]],
    [[1, "赵市长", "13900000001", True, []], [4, "孙书记", None, False, ["2024-01-01"]]],
    ["截污纳管", None, "2024-11-20", None, True], "雨季",
]
# A sample with all that it can have, which corrects another one, and a patrol with the least.
MANUAL = [
    (0, [[
        ["FA-231081-0001-YS-00", START_MS - 86_400_000, "王工", [0, [1000]], [["报告.pdf", bytes(range(32))]], [3, "抄错"]],
        [["cod", "mg/L", [352, -1], 0, "HJ 828-2017"], ["nh3_n", "mg/L", [25, -3], 1]],
        "绥芬河市环境监测站", "SFH-1103-02", "雨后",
    ]]),
    (1, [[["FA-231081-0001-YS-00", START_MS, "孙书记", [0, [0]]], "口门无排水"]]),
]
# What only a platform in trouble says, one that a connection broke away from, or one whose operator took a key away.
NOT_ASKED_FOR = {"body_incomplete", "busy", "store_failed", "scattered", "store_full", "key_revoked"}


class Surprise(Exception):
    """Something is not as the description says."""


def want(condition, what):
    if not condition:
        raise Surprise(what)


class Platform:
    """HTTPS to a platform, held to its own description."""

    def __init__(self, url, ca):
        parts = urllib.parse.urlsplit(url)
        context = ssl.create_default_context(cafile=ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self.http = http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=30)
        self.description, self.checked = None, 0
        status, _, body = self.call("GET", "/openapi.json")
        want(status == 200, "there is no /openapi.json")
        self.description = json.loads(body)

    def call(self, method, path, body=None):
        headers = {} if body is None else {"content-type": 'application/cose; cose-type="cose-sign1"'}
        try:
            self.http.request(method, path, body, headers)
            answer = self.http.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        except (http.client.HTTPException, OSError):
            self.http.close()
            raise

    def ask(self, method, path, body=None, query="", **names):
        """An answer that is as described: (status, its code if it is a refusal, body)."""
        operation = self.description["paths"][path][method.lower()]
        filled = path.format(**{name: urllib.parse.quote(value, safe="") for name, value in names.items()})
        status, headers, answer = self.call(method, filled + query, body)
        where = f"{method} {path}: HTTP {status}"
        described = operation["responses"].get(str(status))
        want(described is not None, f"{where} is not described: {answer[:200]}")
        kind = headers.get("content-type", "").split(";")[0]
        want(kind in described["content"], f"{where} with {kind}")
        self.checked += 1
        if described["content"][kind].get("schema") != {"$ref": "#/components/schemas/Refusal"}:
            return status, None, answer
        refusal = json.loads(answer)
        want(set(refusal) == {"code", "message", "next"} and all(refusal.values()), f"{where}: {refusal}")
        want(f"`{refusal['code']}`" in described["description"], f"{where} is not described with {refusal['code']}")
        want(status not in (503, 507) or headers.get("retry-after", "").isdigit(), f"{where} has no Retry-After")
        return status, refusal["code"], answer


class Box:
    """What this box has recorded, and its key."""

    def __init__(self, name, key, seed):
        self.name, self.key, self.random = name, key, random.Random(seed)
        self.rows, self.leaves, self.shown, self.head = [], [], {}, None
        self.of = {}  # frames that may be decoded again, by source

    def stamp(self, seq):
        mono = 5_000 + 700 * seq + self.random.randrange(50)
        clock = self.random.choice([0, 0, 0, 1, 2 + self.random.randrange(5_000)])
        return (seq // 40, mono, START_MS + mono + self.random.choice([0, 0, 0, 60_000]), clock)

    def value(self, source, name):
        """Mostly near the last one; at times far beyond, or of another precision."""
        last = self.shown.get((source, name), self.random.randrange(10_000))
        self.shown[source, name] = last = last + self.random.randint(-9, 9)
        odd = [str(last), f"{last}e3", "0", f"{(1 << 63) - 1}", f"-{1 << 63}", f"{last}e-30", f"{last}e30"]
        return self.random.choice(odd) if self.random.random() < 0.05 else f"{last}e-2"

    def reading(self, source, name, unit, at_ms):
        quality = self.random.choice(["good"] * 9 + ["out_of_range", "not_a_number", "missing", "unknown_unit"])
        absent = quality in ("not_a_number", "missing")
        value = None if absent else weir_payload.decimal(*weir_encode.parts(self.value(source, name)))
        return Reading(name, unit, value, quality, at_ms)

    def frame(self, seq, stamp):
        number = self.random.randrange(6)
        source, wall = f"probe-{number}", stamp[2]
        names = [REGISTRY[(number + n) % len(REGISTRY)] for n in range(1 + number % 4)] + [("sludge_blanket", "cm")]
        shared, own = number % 3 == 1, number % 3 == 2
        at = wall - self.random.randrange(5_000)
        times = [at if shared else wall - self.random.randrange(99) if own and n else None for n in range(len(names))]
        readings = tuple(self.reading(source, *name, at_ms) for name, at_ms in zip(names, times))
        texts = ((names[0][0], 'No "sensor", 无'),) if readings[0].value is None else ()
        earlier = self.of.get(source)
        if number > 3 and earlier is not None and self.random.random() < 0.2:
            return Row(seq, "frame", wall, stamp, source, readings, (), CODEC, earlier, texts)
        self.of[source] = seq
        return Row(seq, "frame", wall, stamp, source, readings, (), CODEC if number > 3 else None, None, texts)

    def record(self, seq):
        """One record: mostly a frame, in between each other kind."""
        stamp = self.stamp(seq)
        facts = {
            0: ("boot", None, (f"0b0b0b0b-0000-4000-8000-{seq:012x}", "1.0")),
            1: ("codec", None, (CODEC, CODEC_TEXT)),
            9: ("refused", "probe-1", (3, "the MIC is another", 23, hashlib.sha256(str(seq).encode()).digest())),
            10: ("refused", None, (1, "no frame", 7, hashlib.sha256(b"?").digest())),
            14: ("alarm", "probe-2", ("cod-high", "cod", 0, 1, "80.5", 0, "99", max(seq - 1, 0))),
            15: ("alarm", "probe-2", ("cod-high", "cod", 1, 3, "80.5", 0, None, max(seq - 1, 0), (3, "mg/L", 3600, 2))),
            16: ("alarm", "probe-3", ("cod-high", "cod", 0, 1, "80.5", 0, "99", max(seq - 1, 0), None, 0)),
            20: ("clock", None, (0, [2, []], 1_500, 12)),
            24: ("audit", None, ((0, 1000), (1, (0, seq)), "the bureau asked, 监测站")),
            25: ("audit", None, ((1, "province"), (2, seq - 1), "done")),
            26: ("audit", None, ((0, 0), (0, "province", (3, 4)), "never taken")),
            27: ("audit", None, ((0, 0), (3, "province", bytes(range(32))), "")),
            28: ("audit", None, ((0, 1000), (6, "cod-high", "probe-2"), "on the way")),
            35: ("audit", None, ((0, 1000), (10, "cod-high", "probe-2", 1_796_004_531_606), "in the workshop")),
            38: ("audit", None, ((0, 1000), (13, "cod-high", "probe-2"), "the gate is mended")),
            29: ("audit", None, ((1, "province"), (4, seq, "resend", b"\xd2", "no such records"), "restored")),
            31: ("audit", None, ((1, "province"), (4, seq, "rules", b"\xd2"), "")),
            32: ("audit", None, ((2, None), (7, seq - 1, 1), "no receipt in 900 s")),
            33: ("outfall", None, (1, [["FA-231081-0001-SH-00", ["probe-1", "probe-2"]]])),
            34: ("outfall", None, (0, [[1 + seq // 40, [0, [1000]], "登记", DOSSIER]])),
            36: ("aggregate", "probe-3", (
                "FA-231081-0001-SH-00", START_MS + 3_600_000 * (seq // 40), 3600, (
                    ("cod", "mg/L", 6, 1, 6, ("39.5", "40.125", "41")),
                    ("flow", "L/s", 12, 0, 6, ("16.4", "17.5", "20.1", "63")),
                    ("sludge_blanket", "cm", 0, 3, 0, None),
                ),
            )),
            37: ("aggregate", "probe-4", (None, START_MS + 60_000 * seq, 60, (("tp", "mg/L", 1, 0, 1, ("0.5", "0.5", "0.5")),))),
            39: ("manual", None, MANUAL[seq // 40 % 2]),
            30: ("gap", None, (0, ((0, 0),), 1, 0, 0, 120)) if seq > 40 else None,
        }.get(seq % 40)
        if facts is None:
            return self.frame(seq, stamp)
        kind, source, facts = facts
        return Row(seq, kind, stamp[2], stamp, source, (), facts)

    def grow(self, count):
        """So many new records, and the tree's head after them: [size, root] over leaves that only this box can tell."""
        rows = [self.record(seq) for seq in range(len(self.rows), len(self.rows) + count)]
        self.rows += rows
        self.leaves += [merkle.leaf(repr(row).encode()) for row in rows]
        self.head = (len(self.leaves), merkle.root(self.leaves))
        return rows

    def seal(self, rows, box=None, head=None, checkpoints=(), proofs=(), left_out=()):
        body = weir_encode.batch_body(box or self.name, LIVE, rows, head or self.head, checkpoints, proofs, left_out)
        return weir_encode.seal(self.key, body)

    def proof(self, older):
        """That the tree as it is now continues that of the first `older` records."""
        return older, merkle.consistency_proof(older, self.leaves)

    def checkpoint(self, box=None):
        boot, mono, wall, clock = self.rows[-1].stamp
        state = [clock, []] if clock == 0 else [2, []] if clock == 1 else [1, [clock - 2]]
        return weir_encode.checkpoint(self.key, box or self.name, self.head, [boot, mono, wall, state])


def numbers(ranges):
    return {seq for first, last in ranges for seq in range(first, last + 1)}


def id_of(data):
    return hashlib.sha256(data).hexdigest()


class Client:
    """Delivers, and checks what comes of it."""

    def __init__(self, platform, box, platform_key):
        self.platform, self.box = platform, box
        self.keys = {kid_of(platform_key): (platform_key, "platform")}
        self.held, self.withheld, self.receipts = set(), set(), []

    def put(self, data, name=None, batch_id=None):
        names = {"box": name or self.box.name, "id": batch_id or id_of(data)}
        return self.platform.ask("PUT", BATCHES, data, **names)

    def deliver(self, rows, data, left_out=()):
        """Delivers a batch twice; its receipt is verified."""
        decoded = weir_payload.batch(open_sign1(data, {kid_of(self.box.key.public): (self.box.key.public, "box")})[2])
        same = decoded.rows == rows and numbers(decoded.left_out) == set(left_out)
        want(same, "what was encoded is not what the decoder reads")
        status, _, receipt = self.put(data)
        want(status == 201, f"a new batch: HTTP {status}: {receipt[:300]}")
        artifact, _, payload = open_sign1(receipt, self.keys)
        want(artifact == "receipt", f"a {artifact} for a receipt")
        told = weir_payload.receipt(payload)
        self.held |= {row.seq for row in rows}
        self.withheld = (self.withheld | set(left_out)) - self.held
        want((told.box, told.batch.hex(), tuple(told.head)) == (self.box.name, id_of(data), tuple(decoded.head)), told)
        want(numbers(told.holds) == self.held | self.withheld, "the receipt does not hold what was delivered")
        want(self.withheld <= numbers(told.left_out), "the receipt says that it has what was left out")
        want(self.withheld or not told.left_out, "the receipt lacks something, and nothing was left out")
        want(self.put(data) == (200, None, receipt), "the same batch again is not the same receipt")
        for path, bytes_ in ((BATCHES, data), (BATCHES + "/receipt", receipt)):
            got = self.platform.ask("GET", path, box=self.box.name, id=id_of(data))
            want(got == (200, None, bytes_), f"{path} is not what was exchanged")
        self.receipts.append(receipt)

    def read_back(self):
        """Every reading as the platform tells it, page by page, against what was sent."""
        sent = []
        for row in self.box.rows:
            texts, last = dict(row.texts), {reading.quantity: n for n, reading in enumerate(row.readings)}
            for n, reading in enumerate(row.readings):
                words = texts.get(reading.quantity) if last[reading.quantity] == n else None
                times = [str(reading.at_ms) if reading.at_ms is not None else "", str(row.wall_ms)]
                sent.append([
                    str(row.seq), str(n), row.source, reading.quantity, reading.unit, reading.value or "",
                    reading.quality, *times, "" if row.codec is None else row.codec.hex(),
                    "" if row.of is None else str(row.of), words or "",
                ])
        got, after = [], ""
        while True:
            path = "/v1/boxes/{box}/readings"
            status, _, page = self.platform.ask("GET", path, query=f"?limit=100{after}", box=self.box.name)
            want(status == 200, f"readings: HTTP {status}")
            lines = list(csv.DictReader(io.StringIO(page.decode(), newline="")))
            names = "seq idx source quantity unit value quality at_ms wall_ms codec redecoded_of text".split()
            got += [[line[name] for name in names] for line in lines]
            if not lines:
                break
            after = f"&after_seq={lines[-1]['seq']}"
        want(len(got) == len(sent), f"{len(got)} readings came back of {len(sent)}")
        for mine, theirs in zip(sent, got):
            want(mine == theirs, f"sent {mine}, read {theirs}")
        return len(got)

    def state(self):
        """What must not change."""
        asked = [
            self.platform.ask("GET", path, box=self.box.name)
            for path in ("/v1/boxes/{box}/coverage", "/v1/boxes/{box}/batches", "/v1/boxes/{box}/alarms")
        ]
        return asked, self.platform.ask("GET", "/v1/boxes")

    def refusals(self):
        """(what, code as described, answer) of every bad delivery."""
        box, stored = self.box, self.box.rows[-3:]
        good = box.seal(stored)
        self.deliver(stored, good)
        rows = box.grow(3)
        fresh = box.seal(rows)
        flipped = bytearray(fresh)
        flipped[-1] ^= 1
        other = weir_encode.seal(weir_encode.Key(bytes(32)), weir_encode.batch_body(box.name, LIVE, rows, box.head))
        body = weir_encode.batch_body(box.name, LIVE, rows, box.head)
        rewritten = stored[-1]._replace(wall_ms=stored[-1].wall_ms + 1)
        boot, mono, wall, clock = rewritten.stamp
        rewritten = rewritten._replace(stamp=(boot, mono, wall + 1, clock))
        loose = box.key.sign("batch", weir_encode.zstandard.ZstdCompressor().compress(b"\x82\x18\x01\x80"))
        bad_checkpoint = weir_encode.checkpoint(weir_encode.Key(bytes(32)), box.name, box.head, [0, 1, 2, [0, []]])
        older, path = box.proof(len(box.rows) - 3)
        altered = older, [merkle.leaf(hash_) for hash_ in path]
        return [
            ("cut on the way", "id_mismatch", self.put(fresh[:-10], batch_id=id_of(fresh))),
            ("one bit changed on the way", "id_mismatch", self.put(bytes(flipped), batch_id=id_of(fresh))),
            ("one bit changed by who knows the rule of the id", "bad_signature", self.put(bytes(flipped))),
            ("other bytes under a stored id", "id_reused", self.put(fresh, batch_id=id_of(good))),
            ("signed by another key", "unknown_key", self.put(other)),
            ("no box of that name", "unknown_box", self.put(fresh, name="nobody")),
            ("an impossible name", "unknown_box", self.put(fresh, name="a b/../%00\u00fc")),
            ("another box's batch", "box_mismatch", self.put(box.seal(rows, box="somebody"))),
            ("no id", "bad_id", self.put(fresh, batch_id="latest")),
            ("an id in capitals", "bad_id", self.put(fresh, batch_id=id_of(fresh).upper())),
            ("a receipt", "wrong_type", self.put(self.receipts[0])),
            ("a checkpoint", "wrong_type", self.put(box.checkpoint())),
            ("nothing", "malformed", self.put(b"")),
            ("text", "malformed", self.put(b"temperature=12.5")),
            ("longer numbers than needed", "malformed", self.put(loose)),
            ("a zero at the end of a column", "malformed", self.put(box_seal(box, spoiled(body, 4, b"\0")))),
            ("more columns than rows", "malformed", self.put(box_seal(box, spoiled(body, 7, b"\2\2\2\2\2\2")))),
            ("a batch of the next version", "unsupported_version", self.put(weir_encode.seal(box.key, body, 2))),
            ("larger than any batch", "too_large", self.put(bytes(4_194_305))),
            ("a checkpoint by another key", "bad_checkpoint", self.put(box.seal(rows, checkpoints=[bad_checkpoint]))),
            ("a rewritten record", "conflict", self.put(box.seal([*stored[:-1], rewritten]))),
            ("another history", "fork", self.put(box.seal(rows, head=(box.head[0] - 3, bytes(32))))),
            ("a history that went on otherwise", "inconsistent", self.put(box.seal(rows, proofs=[altered]))),
        ], rows, fresh


def spoiled(body, place, more):
    body = list(body)
    body[place] += more
    return body


def box_seal(box, body):
    return weir_encode.seal(box.key, body)


def run(args):
    platform = Platform(args.url, args.ca)
    box = Box(args.box, weir_encode.Key(bytes.fromhex(args.seed)), args.random)
    client = Client(platform, box, bytes.fromhex(args.platform_key))
    waiting = []
    for n in range(args.batches):
        rows = box.grow(1 + box.random.randrange(60))
        # Some batches prove nothing; a later one makes up for it.
        proofs = [] if n % 4 == 2 else [box.proof(size) for size in waiting]
        checkpoints = [box.checkpoint()] if n % 3 == 0 else []
        if n % 4 == 1 and len(rows) > 1:
            # As by a filter; then as by one that lets the rest through.
            for part, rest in ((rows[::2], rows[1::2]), (rows[1::2], rows[::2])):
                left_out = [row.seq for row in rest]
                sealed = box.seal(part, checkpoints=checkpoints, proofs=proofs, left_out=left_out)
                client.deliver(part, sealed, left_out)
        else:
            client.deliver(rows, box.seal(rows, checkpoints=checkpoints, proofs=proofs))
        waiting = [*waiting, len(box.rows)] if n % 4 == 2 else [len(box.rows)]
    proven = json.loads(platform.ask("GET", "/v1/boxes")[2])
    proven = next(one for one in proven if one["box"] == box.name)
    want((proven["proven_size"], proven["unproven"]) == (len(box.rows), 0), f"not one history: {proven}")
    print(json.dumps({"delivered": args.batches, "records": len(box.rows), "readings": client.read_back()}))
    refusals, rows, fresh = client.refusals()
    before = client.state()
    for what, code, (status, told, answer) in refusals:
        want(told == code, f"{what}: {told} with HTTP {status}, not {code}: {answer[:300]}")
        print(json.dumps({"refused": what, "status": status, "code": code}))
    described = platform.description["paths"][BATCHES]["put"]["responses"].items()
    codes = {code for status, told in described if status >= "400" for code in re.findall(r"`(\w+)`", told["description"])}
    want(codes - NOT_ASKED_FOR == {code for _, code, _ in refusals}, "not every refusal that is described was seen")
    want(before == client.state() and client.held == {row.seq for row in box.rows[:-3]}, "a refusal changed something")
    client.deliver(rows, fresh)
    print(json.dumps({
        "batches": len(client.receipts), "records": len(client.held), "readings": client.read_back(),
        "refused": len(refusals), "answers_as_described": platform.checked,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--url", "--ca", "--platform-key", "--box", "--seed"):
        parser.add_argument(name, required=True)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--random", type=int, default=1)
    try:
        run(parser.parse_args())
    except (Surprise, Bad, cbor2.CBORError) as surprise:
        print(json.dumps({"surprise": str(surprise)}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
