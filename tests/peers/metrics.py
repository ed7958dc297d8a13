#!/usr/bin/env python3
"""Reads numbers from a file as Prometheus' own client reads them.

    metrics.py FILE

Proves: the text is in Prometheus' format. Prints one summary: families, by name {"kind": ..., "samples": [[labels, value], ...]}.
Exit status: 0, not if it cannot be read.
"""

import json
import pathlib
import sys

from prometheus_client.parser import text_string_to_metric_families


def main():
    families = {}
    for family in text_string_to_metric_families(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")):
        for sample in family.samples:
            known = families.setdefault(sample.name, {"kind": family.type, "about": family.documentation, "samples": []})
            known["samples"].append([sample.labels, sample.value])
    print(json.dumps({"event": "summary", "families": families}))


if __name__ == "__main__":
    main()
