"""What readings came to over a time of the clock, checked against sync/batch/batch.cddl and nothing else."""

from weir_outfall import CODE
from weir_words import NAME, QUANTITY, UNIT, array, integer, normalised, text, uint, want

VALUES_MAX = 128
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def aggregate(item):
    """(source, (outfall, from_ms, period_s, values)); numbers are exact decimal texts."""
    source, outfall, from_ms, period_s, values = array(item, "aggregate", 5)
    text(source, "source", NAME)
    want(outfall is None or text(outfall, "code of an outfall", CODE), "code of an outfall")
    want(is_period(uint(period_s, "period")), "period")
    want(isinstance(values, list) and 0 < len(values) <= VALUES_MAX, "values of an aggregate")
    values = tuple(value(one) for one in values)
    # Names have ASCII characters alone: texts sort as their bytes do.
    want(all(one[:2] < next_[:2] for one, next_ in zip(values, values[1:])), "values of an aggregate: not ascending")
    return source, (outfall, integer(from_ms, "begin of a window"), period_s, values)


def is_period(seconds):
    if seconds <= 0:
        return False
    of_an_hour = seconds % MINUTE_S == 0 and HOUR_S % seconds == 0
    return of_an_hour or seconds % HOUR_S == 0 and DAY_S % seconds == 0


def value(item):
    name, unit, good, doubtful, parts, statistics = array(item, "value of an aggregate", 5, 6)
    text(name, "quantity", QUANTITY), text(unit, "unit", UNIT)
    counts = [uint(count, "count of readings", 32) for count in (good, doubtful, parts)]
    if statistics is not None:
        want(good > 0 and parts > 0, "statistics of nothing")
        least, mean, most, volume = array(statistics, "statistics", 3, 4)
        least, mean, most = (normalised(one, "statistics") for one in (least, mean, most))
        more = () if volume is None else (normalised(volume, "volume"),)
        statistics = (least, mean, most, *more)
    return name, unit, *counts, statistics
