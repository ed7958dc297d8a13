"""Encodes batches, written from sync/batch/batch.cddl and nothing else: the other direction of `weir_payload.py`.

Takes the same `Row`s, so that what is encoded here and decoded there must be equal.
"""

import decimal

import cbor2
import weir_values
import zstandard
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import Sign1Message
from weir_columns import ONES_MAX, Mean, signed
from weir_payload import QUALITIES, REGISTRY, SHAPE_FIRST

from cose_sign1 import kid_of

KIND_NUMBERS = {
    "manual": -4, "aggregate": -3, "outfall": -2, "audit": -1, "boot": 0, "refused": 1, "alarm": 2, "codec": 3, "clock": 4,
    "gap": 5,
}
NUMBERS = {name: (number, unit) for number, (name, unit) in enumerate(REGISTRY)}
VERSION = 1


class Key:
    """A box's Ed25519 key."""

    def __init__(self, seed):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.seed = seed
        self.public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()

    def sign(self, artifact, payload):
        """A COSE_Sign1 of this payload, with the headers of the CDDL."""
        headers = {Algorithm: EdDSA, ContentType: f"application/vnd.weir.{artifact}", KID: kid_of(self.public)}
        message = Sign1Message(phdr=headers, payload=payload)
        message.key = OKPKey(crv=Ed25519, x=self.public, d=self.seed)
        return message.encode()


def dumps(item):
    return cbor2.dumps(item, canonical=True)


def zigzag(number):
    return number << 1 if number >= 0 else -(number << 1) - 1


def steps(values):
    """Differences in LEB128; zeros at the end are left out."""
    column, last = bytearray(), 0
    for value in values:
        z, last = zigzag(signed(value - last)), value
        while z > 0x7F:
            column.append(z & 0x7F | 0x80)
            z >>= 7
        column.append(z)
    return bytes(column).rstrip(b"\0")


def bits(values, firsts, slope):
    """Adaptive Golomb-Rice codes."""
    out, of_first, of_other = [], Mean(256), Mean(16)
    first, last, step = 0, 0, 0
    for place, (value, is_first) in enumerate(zip(values, firsts)):
        mean = of_first if is_first else of_other
        z = zigzag(signed(value - (first if is_first else last + step)))
        k = mean.k()
        if z >> k < ONES_MAX:
            out.append("1" * (z >> k) + "0" + (format(z & (1 << k) - 1, f"0{k}b") if k else ""))
        else:
            out.append("1" * ONES_MAX + format(z.bit_length() - 1, "06b") + format(z, "b"))
        if place:
            mean.add(z)
        if is_first:
            first = value
        elif slope:
            step = signed(value - last)
        last = value
    text = "".join(out)
    text += "0" * (-len(text) % 8)
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8)).rstrip(b"\0")


def parts(text):
    """[mantissa, exponent] of a decimal, without a zero at the mantissa's end."""
    sign, digits, exponent = decimal.Decimal(text).as_tuple()
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    while mantissa and mantissa % 10 == 0:
        mantissa, exponent = mantissa // 10, exponent + 1
    return (mantissa, exponent) if mantissa else (0, 0)


def shortened(*items):
    """An array: what is empty is null, and left out at the end."""
    items = [None if item == [] else item for item in items]
    while items and items[-1] is None:
        items.pop()
    return items


def quantity(name):
    return NUMBERS[name][0] if name in NUMBERS else name


def layout(row):
    """What frames of one group have in common."""
    times = [reading.at_ms for reading in row.readings]
    shared = bool(times) and times[0] is not None and len(set(times)) == 1
    own = tuple(not shared and at is not None for at in times)
    names = tuple((reading.quantity, reading.unit) for reading in row.readings)
    return names, own, shared, row.of is not None


def field(frames, firsts, place):
    readings = [row.readings[place] for row in frames]
    name, unit = readings[0].quantity, readings[0].unit
    values = [parts(reading.value) for reading in readings if reading.value is not None]
    present = [first for first, reading in zip(firsts, readings) if reading.value is not None]
    exponent = min((power for mantissa, power in values if mantissa), default=0)
    aligned = [mantissa * 10 ** (power - exponent) if mantissa else 0 for mantissa, power in values]
    apart = any(not -(1 << 63) <= mantissa < 1 << 63 for mantissa in aligned)
    codes = [2 * QUALITIES.index(reading.quality) + (reading.value is None) for reading in readings]
    usual = NUMBERS.get(name, (None, None))[1]
    own = any(layout(row)[1][place] for row in frames)
    mantissas = [mantissa for mantissa, _ in values] if apart else aligned
    # The encoder is free to choose: here by the number of values, so that every choice is tried.
    smoothing = [None, 0, 1, 2, 3][len(mantissas) % 5]
    return shortened(
        quantity(name),
        bits(mantissas, present, False) if smoothing is None else weir_values.encode(mantissas, present, smoothing),
        0 if apart else exponent,
        None if unit == usual else unit,
        steps(codes) if any(codes) else None,
        steps([power for _, power in values]) if apart else None,
        bits([row.readings[place].at_ms - row.wall_ms for row in frames], firsts, False) if own else None,
        smoothing,
    )


def groups(rows):
    """The groups, and each row's kind."""
    by_layout = {}
    for place, row in enumerate(rows):
        if row.kind == "frame":
            by_layout.setdefault(layout(row), {}).setdefault((row.source, row.codec), []).append(place)
    kinds = [KIND_NUMBERS.get(row.kind) for row in rows]
    items, shape = [], SHAPE_FIRST
    for (names, _, shared, again), by_shape in by_layout.items():
        for places in by_shape.values():
            for place in places:
                kinds[place] = shape
            shape += 1
        frames = [rows[place] for places in by_shape.values() for place in places]
        firsts = [n == 0 for places in by_shape.values() for n in range(len(places))]
        lags = [row.readings[0].at_ms - row.wall_ms for row in frames] if shared else None
        items.append(
            shortened(
                [shortened(source, codec) for source, codec in by_shape],
                [field(frames, firsts, place) for place in range(len(names))],
                bits(lags, firsts, False) if shared else None,
                bits([row.of for row in frames], firsts, True) if again else None,
            )
        )
    return items, kinds


def rare(rows, kind):
    """The entries of a kind that travels row by row, in the order of their rows."""
    found = [row for row in rows if row.kind == kind]
    if kind == "refused":
        return [[row.source, *row.facts] for row in found]
    if kind == "alarm":
        return [alarm(row) for row in found]
    if kind == "audit":
        return [audit(row) for row in found]
    if kind == "aggregate":
        return [aggregate(row) for row in found]
    return [list(row.facts) for row in found]


def aggregate(row):
    outfall, from_ms, period_s, values = row.facts
    found = []
    for name, unit, good, doubtful, in_parts, statistics in values:
        numbers = [list(parts(number)) for number in statistics or ()]
        found.append([name, unit, good, doubtful, in_parts, *([numbers] if numbers else [])])
    return [row.source, outfall, from_ms, period_s, found]


def alarm(row):
    rule, name, before, after, limit, side, value, cause, *more = row.facts
    value = None if value is None else list(parts(value))
    more = [list(one) if isinstance(one, tuple) else one for one in more]
    return [rule, row.source, name, before, after, list(parts(limit)), side, value, cause, *more]


def audit(row):
    (kind, who), (number, *parts), reason = row.facts
    return [[kind, [] if kind == 2 else [who]], [number, parts], reason]


def spans(seqs):
    found = []
    for seq in seqs:
        if found and found[-1][1] + 1 == seq:
            found[-1][1] = seq
        else:
            found.append([seq, seq])
    return found


def filtered(seqs, left_out, quantities):
    """What a filter keeps back of the numbers of a batch."""
    runs = [0]
    for seq in seqs:
        if (seq in left_out) == (len(runs) % 2 == 1):
            runs.append(0)
        runs[-1] += 1
    found = [[len(runs), steps(runs)] if left_out else None, [quantity(name) for name in sorted(quantities)]]
    return shortened(*found) or None


def batch_body(box, lane, rows, head, checkpoints=(), proofs=(), left_out=(), quantities=()):
    """`rows` stand by number; of the numbers in `left_out` there is none."""
    seqs = sorted({row.seq for row in rows} | set(left_out))
    items, kinds = groups(rows)
    order = sorted(range(len(rows)), key=lambda place: kinds[place])
    firsts = [n == 0 or kinds[order[n - 1]] != kinds[place] for n, place in enumerate(order)]
    texts = [[place, quantity(name), words] for place, row in enumerate(rows) for name, words in row.texts]
    return shortened(
        box, lane, spans(seqs), list(head), steps(kinds),
        bits([signed(rows[place].stamp[1]) for place in order], firsts, True),
        steps(signed(row.stamp[2] - row.stamp[1]) for row in rows),
        steps(row.stamp[0] for row in rows),
        steps(row.stamp[3] for row in rows),
        items, rare(rows, "alarm"), rare(rows, "boot"), rare(rows, "refused"), rare(rows, "codec"), texts,
        list(checkpoints), rare(rows, "clock"), rare(rows, "gap"), rare(rows, "audit"),
        filtered(seqs, left_out, quantities), [[size, b"".join(path)] for size, path in proofs], rare(rows, "outfall"),
        rare(rows, "aggregate"), rare(rows, "manual"),
    )


def seal(key, body, version=VERSION):
    """The COSE bytes of a batch."""
    return key.sign("batch", zstandard.ZstdCompressor(level=19).compress(dumps([version, body])))


def checkpoint(key, box, head, stamp):
    return key.sign("checkpoint", dumps([VERSION, [box, list(head), stamp]]))
