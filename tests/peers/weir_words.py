"""The words of sync/batch/batch.cddl: each function takes a decoded CBOR item and gives its value, or raises Bad."""

import re
from typing import NamedTuple

from cose_sign1 import Bad, decode_deterministic

NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
QUANTITY = re.compile(r"[a-z][a-z0-9_]{0,39}")
RULE = re.compile(r"[a-z0-9_-]{1,64}")
UNIT = re.compile(r"[!-~]{1,24}")
EXPONENT_MAX = 40
VERSION = 1


class Head(NamedTuple):
    """Size and root of the journal's Merkle tree."""

    size: int
    root: bytes


def want(condition, what):
    """A rule of the format."""
    if not condition:
        raise Bad(f"not as the CDDL says: {what}")


def uint(item, what, bits=64):
    want(type(item) is int and 0 <= item < 1 << bits, what)
    return item


def integer(item, what, bits=64):
    want(type(item) is int and -(1 << bits - 1) <= item < 1 << bits - 1, what)
    return item


def text(item, what, pattern=None):
    want(isinstance(item, str) and (pattern is None or pattern.fullmatch(item)), what)
    return item


def octets(item, what, size=None):
    want(isinstance(item, bytes) and (size is None or len(item) == size), what)
    return item


def array(item, what, least, most=None):
    """An array with so many entries; entries left out at its end read as None, where `most` allows it."""
    want(isinstance(item, list) and least <= len(item) <= (most or least), what)
    want(len(item) == least or item[-1] is not None, f"{what}: a null at the end is left out")
    return item + [None] * ((most or least) - len(item))


def body(payload, what, least, most=None):
    version, item = array(decode_deterministic(payload, what), what, 2)
    want(version == VERSION, f"{what} version")
    return array(item, what, least, most)


def head(item):
    size, root = array(item, "tree head", 2)
    return Head(uint(size, "tree size"), octets(root, "tree root", 32))


def ranges(item, what, may_be_empty=False):
    """Ascending and apart: between two ranges at least one number is missing."""
    want(isinstance(item, list) and (item or may_be_empty), what)
    pairs = [tuple(uint(number, what) for number in array(pair, what, 2)) for pair in item]
    want(all(first <= last for first, last in pairs), f"{what}: a range is empty")
    want(all(left[1] + 1 < right[0] for left, right in zip(pairs, pairs[1:])), f"{what}: not sorted and apart")
    return tuple(pairs)


def clock(item):
    kind, facts = array(item, "clock", 2)
    want(kind in (0, 1, 2), "clock state")
    for error_ms in array(facts, "clock", 1 if kind == 1 else 0):
        uint(error_ms, "holdover error", 32)
    return item


def stamp(item):
    boot, mono_ms, wall_ms, quality = array(item, "stamp", 4)
    return [uint(boot, "boot", 32), uint(mono_ms, "mono_ms"), integer(wall_ms, "wall_ms"), clock(quality)]


def decimal(mantissa, exponent):
    """Plain digits, no trailing zeros behind the point, never an exponent: as Weir exports it."""
    while mantissa and mantissa % 10 == 0:
        mantissa, exponent = mantissa // 10, exponent + 1
    want(mantissa == 0 or abs(exponent) <= EXPONENT_MAX, "an exponent is beyond 40")
    exponent = exponent if mantissa else 0
    digits = str(abs(mantissa)) + "0" * max(exponent, 0)
    if exponent < 0:
        digits = digits.rjust(1 - exponent, "0")
        digits = digits[:exponent] + "." + digits[exponent:]
    return ("-" if mantissa < 0 else "") + digits


def normalised(item, what):
    """[mantissa, exponent] without a trailing zero in the mantissa."""
    mantissa, exponent = array(item, what, 2)
    integer(mantissa, what), integer(exponent, what, 8)
    want((mantissa, exponent) == (0, 0) or mantissa % 10 != 0, f"{what} is not normalised")
    return decimal(mantissa, exponent)


def listed(item, what):
    """A list with at least one entry, or nothing."""
    want(item is None or isinstance(item, list) and item, f"{what}: an empty list is left out")
    return item or []
