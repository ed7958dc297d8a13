"""Weir's two kinds of columns: byte strings that stand for lists of 64-bit numbers (sync/batch/batch.cddl)."""

from cose_sign1 import Bad

ONES_MAX = 12  # as many ones announce the long form


def signed(number):
    """Modulo 2^64, as two's complement."""
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def unzigzag(number):
    return number >> 1 if number & 1 == 0 else -(number >> 1) - 1


def plain(column, count, what):
    """LEB128 of zigzag of deltas; zero deltas at the end are left out."""
    if column and column[-1] == 0:
        raise Bad(f"{what}: it ends with a zero, which is to be left out")
    values, last, at = [], 0, 0
    while at < len(column):
        number, shift = 0, 0
        while True:
            if at == len(column):
                raise Bad(f"{what}: a number is cut")
            byte = column[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if number >> 64 or shift > 7 and byte == 0:
            raise Bad(f"{what}: a number is not in its shortest form")
        last = signed(last + unzigzag(number))
        values.append(last)
    if len(values) > count:
        raise Bad(f"{what}: more values than {count}")
    return values + [last] * (count - len(values))


class Bits:
    """Bits from the most significant on, with zeros without end behind them."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        number = 0
        for _ in range(length):
            byte = self.data[self.at >> 3] if self.at >> 3 < len(self.data) else 0
            number = number << 1 | byte >> (7 - self.at % 8) & 1
            self.at += 1
        return number


class Mean:
    """Follows the size of the numbers."""

    def __init__(self, total):
        self.total, self.n = total, 1

    def k(self):
        k = 0
        while self.n << k < self.total:
            k += 1
        return k

    def add(self, number):
        self.total += min(number, (1 << 32) - 1)
        self.n += 1
        if self.n == 32:
            self.total, self.n = self.total // 2, self.n // 2


def noise(column, firsts, slope, what):
    """Adaptive Golomb-Rice codes of values in series; `firsts` tells which value begins a series.

    Expected is the value before (and, if `slope`, as far from it as that was from its own); of a first, the first before.
    """
    if column and column[-1] == 0:
        raise Bad(f"{what}: zero bytes at the end are left out")
    bits, of_first, of_other = Bits(column), Mean(256), Mean(16)
    values, first, last, step = [], 0, 0, 0
    for is_first in firsts:
        mean = of_first if is_first else of_other
        k, q = mean.k(), 0
        while q < ONES_MAX and bits.take(1):
            q += 1
        if q < ONES_MAX:
            z = q << k | bits.take(k)
        else:
            length = bits.take(6) + 1
            z = bits.take(length)
            if z.bit_length() != length and z != 0 or z >> k < ONES_MAX:
                raise Bad(f"{what}: a long form that was not needed")
        value = signed((first if is_first else last + step) + unzigzag(z))
        if values:
            mean.add(z)
        if is_first:
            first = value
        elif slope:
            step = signed(value - last)
        last = value
        values.append(value)
    if bits.at <= 8 * (len(column) - 1):
        raise Bad(f"{what}: more bits than values")
    return values
