"""Columns of values under an adaptive range coder, both directions, written from sync/batch/batch.cddl (`values`) alone."""

from cose_sign1 import Bad
from weir_columns import signed, unzigzag

SMOOTHING_MAX = 3
MODELLED = 3  # bits below the highest that have a model
RANGE_MIN = 1 << 24


class Model:
    """How likely a zero is, in 2^-16."""

    def __init__(self):
        self.p, self.n = 1 << 15, 0

    def zeros(self):
        return min(max(self.p, 32), 65504)

    def learn(self, bit):
        if bit:
            self.p -= self.p // (self.n + 2)
        else:
            self.p += ((1 << 16) - self.p) // (self.n + 2)
        self.n = min(self.n + 1, 126)


class Reader:
    """Takes bits out of a number between 0 and 1 that the bytes spell."""

    def __init__(self, data):
        self.data, self.at, self.code, self.range = data, 0, 0, (1 << 32) - 1
        for _ in range(4):
            self.next()

    def next(self):
        byte = self.data[self.at] if self.at < len(self.data) else 0
        self.at += 1
        self.code = (self.code << 8 | byte) & (1 << 32) - 1

    def bit(self, model, _=None):
        lower = self.range >> 1 if model is None else (self.range >> 16) * model.zeros()
        bit = self.code >= lower
        if bit:
            self.code -= lower
        # Without a model both halves are as large.
        self.range = lower if model is None or not bit else self.range - lower
        if model is not None:
            model.learn(bit)
        while self.range < RANGE_MIN:
            self.range = self.range << 8 & (1 << 32) - 1
            self.next()
        return bit


class Writer:
    """Keeps the whole number as one integer of `shifted` bytes more than 32 bits: no carry to think of."""

    def __init__(self):
        self.low, self.range, self.shifted = 0, (1 << 32) - 1, 0

    def bit(self, model, bit):
        lower = self.range >> 1 if model is None else (self.range >> 16) * model.zeros()
        if bit:
            self.low += lower
        self.range = lower if model is None or not bit else self.range - lower
        if model is not None:
            model.learn(bit)
        while self.range < RANGE_MIN:
            self.range, self.low, self.shifted = self.range << 8, self.low << 8, self.shifted + 1
        return bit

    def finish(self):
        end = self.low + self.range - 1
        number = next(n for n in (end >> bits << bits for bits in range(32, -1, -1)) if n >= self.low)
        return number.to_bytes(self.shifted + 4, "big").rstrip(b"\0")


class Series:
    """What is expected, and the models; `coder` is a Reader or a Writer."""

    def __init__(self, coder, smoothing):
        self.coder, self.smoothing, self.models = coder, smoothing, {}
        self.first, self.smoothed, self.expected_last = 0, 0, False

    def model(self, *name):
        return self.models.setdefault(name, Model())

    def code(self, is_first, z=None):
        """Passes `z` through the coder, or learns it from there."""
        context = 2 if is_first else 0 if self.expected_last else 1
        known, length = z is not None, 0
        while length < 64 and self.coder.bit(self.model("e", context, length), known and z.bit_length() > length):
            length += 1
        number = 1 if length else 0
        for below in range(1, length):
            model = self.model("b", is_first, length, number) if below <= MODELLED else None
            number = number << 1 | int(self.coder.bit(model, known and bool(z >> (length - 1 - below) & 1)))
        self.expected_last = number == 0 and not is_first
        return number

    def expected(self, is_first):
        return self.first if is_first else self.smoothed + 8 >> 4

    def advance(self, is_first, value):
        if is_first:
            self.first, self.smoothed = value, value << 4
        else:
            self.smoothed += (value << 4) - self.smoothed >> self.smoothing


def encode(values, firsts, smoothing):
    series = Series(Writer(), smoothing)
    for value, is_first in zip(values, firsts):
        delta = signed(value - series.expected(is_first))
        series.code(is_first, delta << 1 if delta >= 0 else -(delta << 1) - 1)
        series.advance(is_first, value)
    return series.coder.finish()


def decode(column, firsts, smoothing, what):
    if not 0 <= smoothing <= SMOOTHING_MAX:
        raise Bad(f"{what}: smoothing")
    series, values = Series(Reader(column), smoothing), []
    for is_first in firsts:
        value = signed(series.expected(is_first) + unzigzag(series.code(is_first)))
        series.advance(is_first, value)
        values.append(value)
    if encode(values, firsts, smoothing) != column:
        raise Bad(f"{what}: not the one spelling of its values")
    return values
