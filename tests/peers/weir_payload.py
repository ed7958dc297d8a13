"""Decodes the payloads of Weir's signed artifacts, written from sync/batch/batch.cddl and nothing else."""

from typing import NamedTuple

import weir_values
import zstandard
from weir_columns import noise, plain, signed
from weir_aggregate import aggregate
from weir_manual import manual
from weir_outfall import outfall
from weir_words import (
    NAME, QUANTITY, RULE, UNIT, Head, array, body, clock, decimal, head, integer, listed, normalised, octets, ranges,
    stamp, text, uint, want,
)

from cose_sign1 import Bad

PAYLOAD_BYTES_MAX = 64 * 1024 * 1024
# Row kinds below: -4 manual entry, -3 aggregate, -2 outfall, -1 audit, 0 boot, 1 refused, 2 alarm, 3 codec, 4 clock, 5 gap
SHAPE_FIRST = 6
QUALITIES = ["good", "out_of_range", "not_a_number", "missing", "unknown_unit"]
REASONS = 13
MEASURES, TIERS = 15, 4
CLOCK_SOURCES = 4
GAP_REASONS = 5
GAP_RANGES_MAX = 1024
AUDIT_TEXT_BYTES_MAX, STATEMENT_BYTES_MAX, TEST_FRAME_BYTES_MAX = 1000, 4096, 256
COMMAND_BYTES_MAX = 32 * 1024
PROOFS_MAX = 64
# Registered quantities by number, with the unit that is not repeated.
REGISTRY = [
    ("flow", "m3/h"), ("cod", "mg/L"), ("nh3_n", "mg/L"), ("tp", "mg/L"), ("tn", "mg/L"), ("ph", "[pH]"),
    ("water_temperature", "Cel"), ("conductivity", "uS/cm"), ("turbidity", "{NTU}"), ("dissolved_oxygen", "mg/L"),
    ("suspended_solids", "mg/L"), ("level", "m"), ("velocity", "m/s"), ("volume", "m3"), ("rain", "mm"),
    ("air_temperature", "Cel"), ("battery_voltage", "V"), ("battery", "%"), ("bod5", "mg/L"), ("orp", "mV"),
    ("humidity", "%"), ("pressure", "hPa"), ("cod_mn", "mg/L"), ("distance", "mm"), ("uv254", "1/m"),
    ("chlorophyll", "ug/L"), ("oil", "mg/L"), ("chromium6", "mg/L"),
]


class Receipt(NamedTuple):
    """A platform's word about what it holds."""

    platform: str
    box: str
    batch: bytes
    holds: tuple
    head: Head
    received_ms: int
    left_out: tuple = ()


class Reading(NamedTuple):
    """One value; `value` is its exact decimal text."""

    quantity: str
    unit: str
    value: str | None
    quality: str
    at_ms: int | None


class Row(NamedTuple):
    """One record: a frame with its readings, or a boot, refused frame, alarm, codec, clock, gap, audit, outfall, aggregate or
    manual entry with its facts.

    `of`: the record whose readings these replace, where a frame was decoded again. `texts`: (quantity, words) of readings.
    """

    seq: int
    kind: str
    wall_ms: int
    stamp: tuple
    source: str | None
    readings: tuple
    facts: tuple
    codec: bytes | None = None
    of: int | None = None
    texts: tuple = ()


class Batch(NamedTuple):
    """Records on their way to a platform."""

    box: str
    lane: int
    ranges: tuple
    head: Head
    rows: list
    checkpoints: list
    proofs: list  # (size of the older tree, its hashes)
    left_out: tuple = ()  # ranges of numbers without a row
    quantities: tuple = ()  # readings of others were left out; empty: none were


class Checkpoint(NamedTuple):
    """A box's word about its journal."""

    box: str
    head: Head
    stamp: list


def receipt(payload):
    platform, box, batch, holds, tree, received_ms, command, left_out = body(payload, "receipt", 6, 8)
    want(command is None or isinstance(command, bytes) and len(command) <= COMMAND_BYTES_MAX, "command")
    return Receipt(
        text(platform, "platform", NAME), text(box, "box", NAME), octets(batch, "batch id", 32),
        ranges(holds, "holds", may_be_empty=True), head(tree), integer(received_ms, "received_ms"),
        () if left_out is None else ranges(left_out, "left out"),
    )


def checkpoint(payload):
    box, tree, made = body(payload, "checkpoint", 3)
    return Checkpoint(text(box, "box", NAME), head(tree), stamp(made))


def boot(item):
    boot_id, version = array(item, "boot", 2)
    return None, (text(boot_id, "boot id"), text(version, "version"))


def refused(item):
    source, why, detail, size, digest = array(item, "refused frame", 5)
    want(source is None or text(source, "source", NAME), "source")
    want(uint(why, "reason") < REASONS, "reason")
    return source, (why, text(detail, "detail"), uint(size, "raw length"), octets(digest, "raw digest", 32))


def alarm(item):
    rule, source, quantity, before, after, limit, side, value, cause, grounds, suppression = array(item, "alarm", 9, 11)
    want(all(uint(state, "alarm state") < 4 for state in (before, after)) and uint(side, "side") < 2, "alarm")
    facts = (
        text(rule, "rule", RULE), text(quantity, "quantity", QUANTITY), before, after, normalised(limit, "limit"), side,
        None if value is None else normalised(value, "alarm value"), uint(cause, "cause"),
        *alarm_more(grounds, suppression),
    )
    return text(source, "source", NAME), facts


def alarm_more(grounds, suppression):
    """What only some alarms have, without what is missing at the end."""
    want(suppression is None or uint(suppression, "suppression") == 0, "suppression")
    more = (None if grounds is None else alarm_grounds(grounds), suppression)
    return more if suppression is not None else more[:1] if grounds is not None else ()


def alarm_grounds(item):
    measure, unit, span_s, tier = array(item, "grounds", 4)
    want(uint(measure, "measure") < MEASURES and uint(tier, "tier") < TIERS, "grounds")
    return measure, text(unit, "unit", UNIT), uint(span_s, "span", 32), tier


def codec(item):
    name, words = array(item, "codec", 2)
    return None, (octets(name, "codec id", 8), text(words, "codec text"))


def clock_set(item):
    told_by, before, step_ms, error_ms = array(item, "clock set", 4)
    want(uint(told_by, "source of the clock") < CLOCK_SOURCES, "source of the clock")
    return None, (told_by, clock(before), integer(step_ms, "step"), uint(error_ms, "error of the clock", 32))


def gap(item):
    why, spans, *counts = array(item, "gap", 6)
    want(uint(why, "reason of a gap") < GAP_REASONS, "reason of a gap")
    spans = ranges(spans, "ranges of a gap")
    want(len(spans) <= GAP_RANGES_MAX, "ranges of a gap")
    return None, (why, spans, *(uint(count, "count of a gap") for count in counts))


def audit(item):
    by, act, reason = array(item, "audit", 3)
    kind, who = array(by, "actor", 2)
    want(uint(kind, "kind of an actor") < 3, "kind of an actor")
    who = actor(kind, who)
    number, parts = array(act, "act", 2)
    want(uint(number, "kind of an act") in ACTS, "kind of an act")
    return None, ((kind, who), (number, *ACTS[number](parts)), bounded(reason, "reason of an audit"))


def actor(kind, who):
    """A user's number, a platform's name, or nobody but the box itself."""
    if kind == 2:
        array(who, "actor", 0)
        return None
    (who,) = array(who, "actor", 1)
    return uint(who, "user", 32) if kind == 0 else bounded(who, "platform of an audit")


def bounded(item, what):
    want(len(text(item, what).encode()) <= AUDIT_TEXT_BYTES_MAX, what)
    return item


def span(item):
    return ranges([item], "records of an audit")[0]


def dropped(parts):
    platform, records = array(parts, "dropped", 2)
    return bounded(platform, "platform of an audit"), span(records)


def pinned(parts):
    (records,) = array(parts, "pinned", 1)
    return (span(records),)


def released(parts):
    (pin,) = array(parts, "released", 1)
    return (uint(pin, "pin"),)


def enrolled_platform(parts):
    platform, key = array(parts, "enrolled", 2)
    return bounded(platform, "platform of an audit"), octets(key, "key of a platform", 32)


def key_changed(parts):
    (statement,) = array(parts, "key_changed", 1)
    want(len(octets(statement, "statement about keys")) <= STATEMENT_BYTES_MAX, "statement about keys")
    return (statement,)


def acknowledged(parts):
    rule, source = array(parts, "acknowledged", 2)
    return text(rule, "rule", RULE), text(source, "source", NAME)


def commanded(parts):
    number, order, command, *refused = array(parts, "commanded", 3, 4)
    want(isinstance(command, bytes) and len(command) <= COMMAND_BYTES_MAX, "command")
    return uint(number, "number of a command"), bounded(order, "order"), command, *(
        bounded(why, "why it is refused") for why in refused if why is not None
    )


def settled(parts):
    command, outcome = array(parts, "settled", 2)
    want(uint(outcome, "outcome") < 3, "outcome")
    return uint(command, "record with a command"), outcome


def notified(parts):
    alarm, level, outcome, *channel = array(parts, "notified", 3, 4)
    want(uint(outcome, "outcome") < 3, "outcome")
    return uint(alarm, "record of an alarm"), bounded(level, "level"), outcome, *(
        bounded(name, "channel") for name in channel if name is not None
    )


def shelved(parts):
    rule, source, until_ms = array(parts, "shelved", 2, 3)
    seen = text(rule, "rule", RULE), text(source, "source", NAME)
    return seen if until_ms is None else (*seen, integer(until_ms, "until"))


def sampled(parts):
    sampler, step, bottle, bottles, *alarm = array(parts, "sampled", 4, 5)
    want(uint(step, "step of a sample") < 9, "step of a sample")
    want(uint(bottle, "bottle") < 1 << 16 and uint(bottles, "bottles") < 1 << 16, "bottles")
    return text(sampler, "sampler", NAME), step, bottle, bottles, *(
        uint(seq, "record of an alarm") for seq in alarm if seq is not None
    )


def refilled(parts):
    sampler, bottles = array(parts, "refilled", 2)
    want(uint(bottles, "bottles") < 1 << 16, "bottles")
    return text(sampler, "sampler", NAME), bottles


def configured(parts):
    file, sha256, how = array(parts, "configured", 3)
    want(uint(file, "configuration file") < 4 and uint(how, "how a file was configured") < 2, "configured")
    return file, octets(sha256, "digest of a file", 32), how


def self_tested(parts):
    port, frame = array(parts, "self_tested", 2)
    want(uint(port, "port of a test") < 2 and len(octets(frame, "test frame")) <= TEST_FRAME_BYTES_MAX, "self_tested")
    return port, frame


ACTS = dict(
    enumerate((dropped, pinned, released, enrolled_platform, commanded, key_changed, acknowledged, settled, configured))
) | {9: notified, 10: shelved, 11: sampled, 12: refilled, 13: acknowledged, 14: self_tested}


def named(item, what):
    """(name, usual unit) of a quantity, which goes by its number if it has one."""
    if isinstance(item, int):
        want(uint(item, what) < len(REGISTRY), f"{what} number")
        return REGISTRY[item]
    text(item, what, QUANTITY)
    want(all(item != name for name, _ in REGISTRY), "a registered quantity goes by its number")
    return item, None


def field(item, places, firsts, wall_ms, shared):
    """The readings of one field, one for each frame of the group."""
    quantity, mantissas, exponent, unit, quality, exponents, at, smoothing = array(item, "field", 3, 8)
    quantity, usual = named(quantity, "quantity")
    want(unit is None or text(unit, "unit", UNIT) != usual, "the usual unit is left out")
    want(unit or usual, "unit left out, and no usual one")
    codes = [0] * len(places) if quality is None else plain(octets(quality, "quality"), len(places), "quality")
    want(all(0 <= code < 2 * len(QUALITIES) for code in codes), "quality")
    # A shape whose first frame has no value here has no first in this column: its values follow the shape before.
    present = [first for first, code in zip(firsts, codes) if code % 2 == 0]
    column = octets(mantissas, "mantissas")
    if smoothing is None:
        numbers = iter(noise(column, present, False, "mantissas"))
    else:
        numbers = iter(weir_values.decode(column, present, uint(smoothing, "smoothing"), "mantissas"))
    apart = [0] * len(present) if exponents is None else plain(octets(exponents, "exponents"), len(present), "exponents")
    powers = iter(integer(exponent, "exponent", 8) + more for more in apart)
    want(at is None or shared is None, "device time both of the frame and of a reading")
    times = shared if at is None else device_times(at, firsts, places, wall_ms)
    return [
        Reading(
            quantity, unit or usual, decimal(next(numbers), next(powers)) if code % 2 == 0 else None,
            QUALITIES[code // 2], None if times is None else times[n],
        )
        for n, code in enumerate(codes)
    ]


def device_times(column, firsts, places, wall_ms):
    lags = noise(octets(column, "device times"), firsts, False, "device times")
    return [signed(wall_ms[place] + lag) for place, lag in zip(places, lags)]


def groups(items, kinds, wall_ms):
    """((source, codec) by shape, {row: readings}, {row: record whose readings they replace})."""
    known, readings, replaced, of_shape = [], {}, {}, {}
    for place, kind in enumerate(kinds):
        of_shape.setdefault(kind - SHAPE_FIRST, []).append(place)
    for item in items:
        pairs, fields, at, of = array(item, "group", 1, 4)
        want(isinstance(pairs, list) and pairs, "a group has shapes")
        shapes = range(len(known), len(known) + len(pairs))
        want(all(shape in of_shape for shape in shapes), "a shape without a frame")
        for source, name in (array(pair, "shape", 1, 2) for pair in pairs):
            want(name is not None or of is None, "decoded again by no codec")
            known.append((text(source, "source", NAME), None if name is None else octets(name, "codec id", 8)))
        places = [place for shape in shapes for place in of_shape[shape]]
        firsts = [n == 0 for shape in shapes for n in range(len(of_shape[shape]))]
        shared = None if at is None else device_times(at, firsts, places, wall_ms)
        columns = [field(one, places, firsts, wall_ms, shared) for one in listed(fields, "fields")]
        if of is not None:
            replaced.update(zip(places, (seq % (1 << 64) for seq in noise(octets(of, "of"), firsts, True, "of"))))
        for n, place in enumerate(places):
            readings[place] = tuple(column[n] for column in columns)
    return known, readings, replaced


def words(items, frames):
    """{row: its (quantity, words)}, in their order."""
    found, last = {}, 0
    for item in items:
        row, quantity, what = array(item, "text", 3)
        want(last <= uint(row, "row of a text") and row in frames, "a text for a row that is no frame, or out of order")
        last = row
        found.setdefault(row, []).append((named(quantity, "quantity of a text")[0], text(what, "text")))
    return found


def inflate(payload):
    """One zstd frame that states its size, whole."""
    try:
        size = zstandard.get_frame_parameters(payload).content_size
        want(size <= PAYLOAD_BYTES_MAX, "the payload states a size up to 64 MiB")
        reader = zstandard.ZstdDecompressor().decompressobj()
        data = reader.decompress(payload)
    except zstandard.ZstdError as error:
        raise Bad(f"zstd: {error}") from error
    want(reader.eof and not reader.unused_data and len(data) == size, "one whole zstd frame")
    return data


def filtered(item, spans):
    """(ranges of numbers without a row, quantities whose readings alone are here) of what a filter kept back."""
    if item is None:
        return (), ()
    runs, names = array(item, "filter", 0, 2)
    want(runs is not None or names is not None, "a filter that keeps nothing back")
    names = tuple(named(name, "quantity of a filter")[0] for name in listed(names, "quantities of a filter"))
    want(all(one < other for one, other in zip(names, names[1:])), "quantities of a filter: not ascending")
    if runs is None:
        return (), names
    count, lengths = array(runs, "numbers left out", 2)
    want(2 <= uint(count, "number of runs") <= 200_000, "number of runs")
    lengths = plain(octets(lengths, "runs"), count, "runs")
    want(lengths[0] >= 0 and all(length > 0 for length in lengths[1:]), "an empty run")
    numbers = [seq for first, last in spans for seq in range(first, last + 1)]
    want(sum(lengths) == len(numbers), "runs that do not fill the ranges")
    missing, at = [], 0
    for n, length in enumerate(lengths):
        if n % 2 == 1:
            missing += numbers[at : at + length]
        at += length
    return joined(missing), names


def joined(seqs):
    """Ascending numbers as ranges."""
    found = []
    for seq in seqs:
        if found and found[-1][1] + 1 == seq:
            found[-1] = (found[-1][0], seq)
        else:
            found.append((seq, seq))
    return tuple(found)


def batch(payload):
    parts = body(inflate(payload), "batch", 9, 24)
    box, lane, spans, tree, kinds, mono, offset, boots_of, clocks = parts[:9]
    in_groups, alarms, boots, refusals, codecs, texts, checkpoints, clock_sets, gaps, audits, kept_back, *more = parts[9:]
    proofs, outfalls, aggregates, entered = more
    spans = ranges(spans, "ranges")
    want(sum(last - first + 1 for first, last in spans) <= 200_000, "numbers")
    left_out, quantities = filtered(kept_back, spans)
    without = {seq for first, last in left_out for seq in range(first, last + 1)}
    seqs = [seq for first, last in spans for seq in range(first, last + 1) if seq not in without]
    count = len(seqs)
    kinds = plain(octets(kinds, "kinds"), count, "kinds")
    order = sorted(range(count), key=lambda place: kinds[place])
    firsts = [n == 0 or kinds[order[n - 1]] != kinds[place] for n, place in enumerate(order)]
    mono_ms = dict(zip(order, noise(octets(mono, "mono"), firsts, True, "mono")))
    wall_ms = [signed(mono_ms[n] + more) for n, more in enumerate(plain(octets(offset, "offset"), count, "offset"))]
    boots_of = plain(octets(boots_of, "boot"), count, "boot")
    clocks = plain(octets(clocks, "clock"), count, "clock")
    shapes, readings, replaced = groups(listed(in_groups, "groups"), kinds, wall_ms)
    texts = words(listed(texts, "texts"), readings)
    rare = {
        -4: ("manual", map(manual, listed(entered, "manual entries"))),
        -3: ("aggregate", map(aggregate, listed(aggregates, "aggregates"))),
        -2: ("outfall", map(outfall, listed(outfalls, "outfalls"))),
        -1: ("audit", map(audit, listed(audits, "audits"))),
        0: ("boot", map(boot, listed(boots, "boots"))),
        1: ("refused", map(refused, listed(refusals, "refused frames"))),
        2: ("alarm", map(alarm, listed(alarms, "alarms"))),
        3: ("codec", map(codec, listed(codecs, "codecs"))),
        4: ("clock", map(clock_set, listed(clock_sets, "clocks"))),
        5: ("gap", map(gap, listed(gaps, "gaps"))),
    }
    rows = []
    for n, seq in enumerate(seqs):
        stamp_ = (uint(boots_of[n], "boot", 32), mono_ms[n] % (1 << 64), wall_ms[n], uint(clocks[n], "clock", 33))
        if kinds[n] in rare:
            kind, entries = rare[kinds[n]]
            entry = next(entries, None)
            want(entry is not None, f"fewer {kind} entries than rows")
            rows.append(Row(seq, kind, wall_ms[n], stamp_, entry[0], (), entry[1]))
        else:
            want(SHAPE_FIRST <= kinds[n] < SHAPE_FIRST + len(shapes), "kinds")
            source, by = shapes[kinds[n] - SHAPE_FIRST]
            said = tuple(texts.get(n, ()))
            rows.append(Row(seq, "frame", wall_ms[n], stamp_, source, readings[n], (), by, replaced.get(n), said))
    want(all(next(entries, None) is None for _, entries in rare.values()), "more rare entries than rows")
    inner = [octets(entry, "checkpoint") for entry in listed(checkpoints, "checkpoints")]
    tree = head(tree)
    return Batch(
        text(box, "box", NAME), uint(lane, "lane", 2), spans, tree, rows, inner, continued(proofs, tree), left_out,
        quantities,
    )


def continued(items, tree):
    """That the tree continues older ones; what the hashes prove is for whoever has the older roots."""
    found = []
    for item in listed(items, "proofs"):
        size, path = array(item, "proof", 2)
        want((found[-1][0] if found else 0) < uint(size, "size of a proof") < tree.size, "sizes of proofs")
        want(len(octets(path, "path of a proof")) % 32 == 0 and len(path) <= 65 * 32, "path of a proof")
        found.append((size, [path[at:at + 32] for at in range(0, len(path), 32)]))
    want(len(found) <= PROOFS_MAX, "proofs")
    return found


DECODERS = {"batch": batch, "receipt": receipt, "checkpoint": checkpoint}
