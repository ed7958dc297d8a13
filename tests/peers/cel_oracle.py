#!/usr/bin/env python3
"""Says what expressions in CEL come to, by Google's own implementation (cel-cpp, as the package cel-expr-python).

Proves: Weir's expressions are understood, refused and judged as CEL is elsewhere.

    cel_oracle.py --texts texts.jsonl --names '{"cod": 55.5, "gate": true, "outfall": {"state": "in_use"}}'

texts.jsonl has one JSON string a line. One JSON object a line is printed for each:
  {"refused": "..."}                        it is no CEL
  {"answer": true, "checked": true}         what it comes to, and whether its types are sound, too
  {"answer": [1, "a"], "checked": false}    what is no JSON is null
  {"fault": "divide by zero", "checked": true}
The last line is {"texts": 3}.
"""

import argparse
import json

from cel_expr_python import cel

TYPES = {bool: cel.Type.BOOL, int: cel.Type.INT, float: cel.Type.DOUBLE, str: cel.Type.STRING}


def type_of(value):
    return cel.Type.Map(cel.Type.STRING, cel.Type.DYN) if isinstance(value, dict) else TYPES[type(value)]


def compiled(env, text, **options):
    """The expression, or why it is none."""
    try:
        return env.compile(text, **options), None
    except RuntimeError as error:
        return None, str(error)


def said(env, text, names):
    expression, why = compiled(env, text, disable_check=True)
    if expression is None:
        return {"refused": why}
    checked = compiled(env, text)[0] is not None
    try:
        result = expression.eval(data=names)
    except RuntimeError as error:
        return {"fault": str(error), "checked": checked}
    if result.type() == cel.Type.ERROR:
        return {"fault": str(result), "checked": checked}
    value = result.plain_value()
    plain = isinstance(value, (bool, int, float, str)) and value == value and abs_finite(value)
    return {"answer": value if plain else None, "checked": checked}


def abs_finite(value):
    """Infinity is no JSON."""
    return not isinstance(value, float) or value not in (float("inf"), float("-inf"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", required=True)
    parser.add_argument("--names", required=True, type=json.loads)
    options = parser.parse_args()
    env = cel.NewEnv(variables={name: type_of(value) for name, value in options.names.items()})
    count = 0
    with open(options.texts, encoding="utf-8") as texts:
        for line in texts:
            print(json.dumps(said(env, json.loads(line), options.names)))
            count += 1
    print(json.dumps({"texts": count}))


if __name__ == "__main__":
    main()
