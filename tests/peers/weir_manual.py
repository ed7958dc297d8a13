"""What a person entered by hand, checked against sync/batch/batch.cddl and nothing else."""

from weir_outfall import CODE, actor, term, words
from weir_words import QUANTITY, UNIT, array, integer, listed, normalised, octets, text, uint, want

VALUES_MAX, FILES_MAX = 64, 8
DETECTIONS, PATROL_STATES = 2, 8


def manual(item):
    """(kind, parts) as they stand, once they are known to be well formed."""
    kind, parts = array(item, "manual entry", 2)
    want(uint(kind, "what was entered") < 2, "what was entered")
    (told,) = array(parts, "manual entry", 1)
    (sample if kind == 0 else patrol)(told)
    return None, (kind, parts)


def entry(item):
    outfall, at, person, by, files, replaces = array(item, "entry", 4, 6)
    text(outfall, "code of an outfall", CODE)
    integer(at, "time of an entry")
    words(person, 100, optional=False)
    actor(by)
    want(files is None or 0 < len(listed(files, "files")) <= FILES_MAX, "files")
    for file in files or []:
        name, digest = array(file, "file", 2)
        words(name, 200, optional=False)
        octets(digest, "digest of a file", 32)
    if replaces is not None:
        seq, reason = array(replaces, "replaced", 2)
        uint(seq, "replaced")
        words(reason, 1000, optional=False)


def sample(item):
    entry_, values, laboratory, number, note = array(item, "manual sample", 2, 5)
    entry(entry_)
    want(isinstance(values, list) and 0 < len(values) <= VALUES_MAX, "values of a manual sample")
    names = [value(one) for one in values]
    # Names have ASCII characters alone: texts sort as their bytes do.
    want(all(one < next_ for one, next_ in zip(names, names[1:])), "values of a manual sample: not ascending")
    words(laboratory, 200), words(number, 64), words(note, 1000)


def value(item):
    name, unit, number, detection, method = array(item, "value of a manual sample", 4, 5)
    text(name, "quantity", QUANTITY), text(unit, "unit", UNIT)
    normalised(number, "value of a manual sample")
    term(detection, DETECTIONS, "detection")
    words(method, 100)
    return name


def patrol(item):
    entry_, finding, state = array(item, "patrol", 2, 3)
    entry(entry_)
    words(finding, 1000, optional=False)
    term(state, PATROL_STATES, "state of an outfall", may_lack=True)
