"""What is told of an outfall: its dossier and its devices, checked against sync/batch/batch.cddl and nothing else."""

import re

from weir_words import NAME, QUANTITY, UNIT, array, integer, listed, normalised, text, uint, want

CODE = re.compile(r"[A-Z0-9-]{1,32}")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
PHONE = re.compile(r"[-0-9+*#() ]{3,32}")
CREDIT_CODE = re.compile(r"[0-9A-HJ-NP-RTUWXY]{18}")
REASON_BYTES_MAX = 1000
DEVICES_MAX = 2000
CLASSES, STATES, DATUMS, CHANNELS, PATTERNS, AVERAGINGS, LEVELS, WATER_CLASSES = 20, 7, 2, 6, 5, 6, 5, 5


def outfall(item):
    """(kind, parts) as they stand, once they are known to be well formed."""
    kind, parts = array(item, "outfall", 2)
    want(uint(kind, "what is told of an outfall") < 2, "what is told of an outfall")
    (told,) = array(parts, "outfall", 1)
    (version if kind == 0 else standing)(told)
    return None, (kind, parts)


def version(item):
    number, by, reason, dossier_, told_ = array(item, "version of a dossier", 4, 5)
    uint(number, "number of a version", 32)
    actor(by)
    want(len(text(reason, "reason").encode()) <= REASON_BYTES_MAX, "reason of a version")
    dossier(dossier_)
    told(told_)


def told(item):
    if item is not None:
        seq, wall_ms = array(item, "told", 2)
        uint(seq, "told"), integer(wall_ms, "told")


def actor(item):
    kind, who = array(item, "actor", 2)
    want(uint(kind, "kind of an actor") < 2, "kind of an actor")
    (who,) = array(who, "actor", 1)
    return uint(who, "user", 32) if kind == 0 else text(who, "platform")


def standing(item):
    code, devices, told_ = array(item, "standing", 2, 3)
    text(code, "code of an outfall", CODE)
    want(isinstance(devices, list) and len(devices) <= DEVICES_MAX, "devices of an outfall")
    want(all(text(name, "device", NAME) for name in devices), "devices of an outfall")
    want(all(one < other for one, other in zip(devices, devices[1:])), "devices of an outfall: not ascending")
    told(told_)


def words(item, bytes_max, optional=True):
    if item is None and optional:
        return
    text(item, "words")
    want(0 < len(item.encode()) <= bytes_max and item == item.strip(), "words")
    want(all(ord(c) >= 32 and not 127 <= ord(c) < 160 for c in item), "a control character in words")


def optional(item, what, pattern):
    want(item is None or text(item, what, pattern), what)


def term(item, count, what, may_lack=False):
    want(item is None and may_lack or uint(item, what) < count, what)


def number(item, what):
    return None if item is None else normalised(item, what)


def yes_or_no(item, what, may_lack=False):
    want(isinstance(item, bool) or item is None and may_lack, what)


def valid(item):
    for day in array(item, "validity", 0, 2):
        optional(day, "day", DAY)


def few(item, most, what, check):
    entries = listed(item, what)
    want(len(entries) <= most, what)
    for entry in entries:
        check(entry)


def dossier(item):
    (
        code, local, name, class_, state, since, position, place, water, channel, discharge, flood_safety, dischargers,
        responsible, limit_sets, chiefs, remediation, note,
    ) = array(item, "dossier", 17, 18)
    text(code, "code of an outfall", CODE)
    words(local, 64), words(name, 200, False), words(note, 1000)
    term(class_, CLASSES, "class"), term(state, STATES, "state"), optional(since, "day", DAY)
    longitude, latitude, datum = array(position, "position", 3)
    want(abs(float(normalised(longitude, "longitude"))) <= 180, "longitude")
    want(abs(float(normalised(latitude, "latitude"))) <= 90, "latitude")
    term(datum, DATUMS, "datum")
    for what, most in zip(array(place, "place", 0, 4), (12, 200, 200, 300)):
        words(what, most)
    receiving(water)
    if channel is not None:
        kind, course = array(channel, "channel", 1, 2)
        term(kind, CHANNELS, "channel"), words(course, 300)
    pattern, sewage, mouth, volume, toxic, above, sampled, approval = array(discharge, "discharge", 0, 8)
    term(pattern, PATTERNS, "pattern", True), number(volume, "volume")
    words(sewage, 200), words(mouth, 200), words(approval, 200)
    for fact in (toxic, above, sampled):
        yes_or_no(fact, "discharge", True)
    yes_or_no(flood_safety, "flood safety")
    few(dischargers, 64, "dischargers", discharger)
    few(responsible, 16, "responsible", answers)
    few(limit_sets, 16, "limit sets", limit_set)
    few(chiefs, 16, "river chiefs", chief)
    kind, due, done, proof, standardised = array(remediation, "remediation", 0, 5)
    words(kind, 200), words(proof, 300), yes_or_no(standardised, "remediation", True)
    optional(due, "day", DAY), optional(done, "day", DAY)


def receiving(item):
    name, basin, key_water, lake, functional, environment, sections = array(item, "water", 4, 7)
    words(name, 200, False), words(basin, 200), yes_or_no(key_water, "key water"), yes_or_no(lake, "lake")
    for zone in (functional, environment):
        if zone is not None:
            name, target, attained = array(zone, "zone", 1, 3)
            words(name, 200, False), term(target, WATER_CLASSES, "target", True), yes_or_no(attained, "attained", True)
    few(sections, 8, "sections", lambda section: words(section, 200, False))


def discharger(item):
    unit, credit_code, permit, responsibility, contact, phone, since = array(item, "discharger", 7)
    words(unit, 200, False), optional(credit_code, "credit code", CREDIT_CODE), words(permit, 100)
    words(responsibility, 300), words(contact, 100), optional(phone, "phone", PHONE), valid(since)


def answers(item):
    name, main, contact, phone, since = array(item, "responsible", 5)
    words(name, 200, False), yes_or_no(main, "main"), words(contact, 100), optional(phone, "phone", PHONE), valid(since)


def chief(item):
    level, name, phone, on_sign, since = array(item, "river chief", 5)
    term(level, LEVELS, "level"), words(name, 100, False), optional(phone, "phone", PHONE)
    yes_or_no(on_sign, "on sign"), valid(since)


def limit_set(item):
    source, since, limits = array(item, "limit set", 2, 3)
    words(source, 200, False), valid(since), few(limits, 64, "limits", limit)


def limit(item):
    what, unit, averaging, low, high, when, note = array(item, "limit", 3, 7)
    text(what, "item", QUANTITY), text(unit, "unit", UNIT), term(averaging, AVERAGINGS, "averaging")
    number(low, "min"), number(high, "max"), words(note, 300)
    if when is not None:
        what, unit, above, at_most = array(when, "condition", 2, 4)
        text(what, "item", QUANTITY), text(unit, "unit", UNIT), number(above, "above"), number(at_most, "at most")
