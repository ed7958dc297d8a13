#!/usr/bin/env python3
"""Makes random Cayenne LPP, SenML, CBOR and CSV payloads with the values that other implementations mean by them.

Proves: Weir decodes Cayenne LPP as pycayennelpp does, SenML in JSON and CBOR as kpn-senml does, CBOR as cbor2 does and
CSV as Python's own csv does, on any number of frames.
LPP bytes are random and read by the oracle; the others are written by the oracle from the values that are expected.

    lpp_senml_vectors.py --kind lpp --count 10000 --seed 1 > vectors.jsonl

One JSON object a line, the same for the same seed:
  {"kind": "lpp",   "hex": "03670110", "values": [{"channel": 3, "type": 103, "values": ["27.2"]}]}
  {"kind": "senml", "hex": "5b7b...",  "values": [{"name": "cod", "unit": "mg/l", "time": "1700000000.25", "value": "4.25"}]}
  {"kind": "senml_cbor", ...}                 the same in CBOR
  {"kind": "cbor",  "hex": "a463636f64...", "values": ["40.1", "-3", "7", "0.125"]}   at /cod, /1, /v/0/t, /-5
  {"kind": "csv",   "hex": "312c...", "values": [["40.1", "No Sensor"], ["7", null]]}  a row each; null: no such cell
Numbers are decimal texts without an exponent and without trailing zeros: exactly what the wire says.
A SenML record has one of value (text of a number), boolean or string; time is absolute, null if none was sent.
"""

import argparse
import csv
import io
import json
import random
import sys
from decimal import Decimal

import cbor2
import kpn_senml.senml_record
from cayennelpp import LppFrame
from cayennelpp.lpp_type import LppType
from kpn_senml.senml_pack import SenmlPack
from kpn_senml.senml_record import SenmlRecord

kpn_senml.senml_record.basestring = str  # a left-over of Python 2 in kpn-senml 1.0.1
TYPES = [kind for number in range(256) if (kind := LppType.get_lpp_type(number))]
# What the sensors of an outfall write: (name, unit of the SenML registry).
QUANTITIES = [("cod", "mg/l"), ("level", "m"), ("temperature", "Cel"), ("flow", "m3/s"), ("ph", "pH"), ("battery", "V")]


def plain(number):
    """A decimal text: no exponent, no trailing zeros, no -0."""
    number = Decimal(repr(number))  # the shortest text of a float: a quotient by a power of ten is exact in it
    return "0" if number == 0 else format(number.normalize(), "f")


def lpp(random_):
    """One frame of 1 to 6 items of random bytes, as pycayennelpp reads it."""
    raw = bytearray()
    for _ in range(random_.randint(1, 6)):
        kind = random_.choice(TYPES)
        fill = random_.choice([b"\x00", b"\xff", b"\x80"]) if random_.random() < 0.1 else None
        raw += bytes([random_.randrange(256), kind.type])
        raw += fill * kind.size if fill else random_.randbytes(kind.size)
    items = LppFrame().from_bytes(bytes(raw)).data
    return bytes(raw), [
        {"channel": item.channel, "type": item.type.type, "values": [plain(value) for value in item.value]} for item in items
    ]


def senml(random_, encode=lambda pack: pack.to_json().encode()):
    """One pack of 1 to 6 records, written by kpn-senml, which moves what is common into base fields.

    Values are eighths and times quarters: exact in binary, so that subtracting a base loses nothing.
    """
    pack = SenmlPack(random_.choice(["", f"urn:dev:mac:{random_.getrandbits(64):016x}:", "outfall-3."]))
    if random_.random() < 0.5:
        pack.base_time = random_.randint(1_600_000_000, 1_900_000_000)
    if random_.random() < 0.3:
        pack.base_value = random_.randint(1, 1000)
    if random_.random() < 0.3:
        pack.base_unit = random_.choice(QUANTITIES)[1]
    records = []
    for name, unit in random_.sample(QUANTITIES, random_.randint(1, 6)):
        kind = random_.choices(["value", "boolean", "string"], [18, 1, 1])[0]
        if kind == "value":
            value = random_.randint(-800_000, 800_000) / 8
        else:
            value = random_.random() < 0.5 if kind == "boolean" else random_.choice(["ok", "故障", "12.5", ""])
        time = (pack.base_time or 1_700_000_000) + random_.randint(-40_000, 40_000) / 4 if random_.random() < 0.5 else None
        own_unit = None if pack.base_unit and random_.random() < 0.5 else unit
        pack.add(SenmlRecord(name, value=value, unit=own_unit, time=time))
        at = time if time is not None else pack.base_time
        records.append({
            "name": pack.name + name, "unit": own_unit or pack.base_unit, "time": None if at is None else plain(at),
            kind: plain(value) if kind == "value" else value,
        })
    return encode(pack), records


def senml_cbor(random_):
    """The same in CBOR."""
    return senml(random_, lambda pack: pack.to_cbor())


def cbor(random_):
    """One map, written by cbor2 with definite lengths or in the canonical form, whose floats are as short as possible.

    Canonical eighths below 1000 are halves and singles of six digits at most: their shortest decimal text is exact.
    """
    canonical = random_.random() < 0.5

    def number():
        kind = random_.choice(["integer", "float", "fraction"])
        if kind == "integer":
            return random_.choice([random_.randint(-40, 40), random_.randint(-(10**17), 10**17)])
        if kind == "fraction":
            return Decimal(random_.randint(-(10**9), 10**9)).scaleb(-random_.randint(0, 9))
        return random_.randint(-7999, 7999) / 8 if canonical else round(random_.uniform(-1000, 1000), random_.randint(0, 9))

    values = [number() for _ in range(4)]
    payload = {"cod": values[0], 1: values[1], "v": [{"t": values[2], "ok": True}, None], -5: values[3], "x": b"\x00"}
    texts = [format(value.normalize(), "f") if isinstance(value, Decimal) and value else plain(value or 0) for value in values]
    return cbor2.dumps(payload, canonical=canonical), texts


def csv_table(random_):
    """One to five rows of a name and two cells, quoted as Python's csv quotes them; some rows end early."""
    out = io.StringIO()
    quoting = random_.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(out, quoting=quoting, lineterminator=random_.choice(["\r\n", "\n"]))
    values = []
    for _ in range(random_.randint(1, 5)):
        name = "".join(random_.choices('a ",\n\'é', k=random_.randint(1, 6)))
        cells = [
            random_.choice([plain(round(random_.uniform(-1000, 1000), 3)), "No Sensor", "ERR,1", 'say "1"'])
            for _ in range(random_.choice([1, 2, 2]))
        ]
        writer.writerow([name, *cells])
        values.append((cells + [None])[:2])
    return out.getvalue().encode(), values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=["lpp", "senml", "senml_cbor", "cbor", "csv"], required=True)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    random_ = random.Random(args.seed)
    make = {"lpp": lpp, "senml": senml, "senml_cbor": senml_cbor, "cbor": cbor, "csv": csv_table}[args.kind]
    for _ in range(args.count):
        payload, values = make(random_)
        sys.stdout.write(json.dumps({"kind": args.kind, "hex": payload.hex(), "values": values}) + "\n")


if __name__ == "__main__":
    main()
