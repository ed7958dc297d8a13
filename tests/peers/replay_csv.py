#!/usr/bin/env python3
"""Replays a recorded series over MQTT with paho-mqtt.

Proves: 1,268 real hourly flows (water-flow.csv of the Python package river, with four known anomalies) come out of
the platforms equal to the last digit. The number goes into the JSON as the very text that stands in the file.

    replay_csv.py --csv tests/.tools/water-flow.csv --port 1883 --user flow-1 --password s3cret --topic d/flow-1/up

A row `2022-03-20T11:00:00+01:00,100.59` becomes `{"n":1,"time":"2022-03-20T11:00:00+01:00","flow":100.59}`;
--key names the value's field, --time chooses iso, ms or s (since 1970) or none for the time.
--expected FILE writes what must arrive, `n,wall_ms,value` per line, before anything is sent.

Events, --acked lines, summary and exit status as paho_sensor.py.
"""

import argparse
import csv
import datetime
import sys

import mqtt_client


def rows(path, limit):
    """(n, time, text of the value) of a CSV file with a header line."""
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        for n, (time, value) in enumerate(reader, 1):
            if limit and n > limit:
                return
            yield n, datetime.datetime.fromisoformat(time), time, value


def payload(args, n, moment, time, value):
    """One JSON object; the value is not parsed, so no digit can be lost on our side."""
    milliseconds = int(moment.timestamp()) * 1000
    stamp = {"none": "", "iso": f'"time":"{time}",', "ms": f'"time":{milliseconds},', "s": f'"time":{milliseconds // 1000},'}
    return f'{{"n":{n},{stamp[args.time]}"{args.key}":{value}}}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mqtt_client.add_arguments(parser)
    parser.add_argument("--csv", required=True)
    parser.add_argument("--key", default="flow")
    parser.add_argument("--time", choices=["iso", "ms", "s", "none"], default="iso")
    parser.add_argument("--limit", type=int, default=0, help="only the first rows")
    parser.add_argument("--expected", help="write n,wall_ms,value of every row to this file")
    args = parser.parse_args()
    series = list(rows(args.csv, args.limit))
    if args.expected:
        with open(args.expected, "w", encoding="utf-8") as out:
            out.writelines(f"{n},{int(moment.timestamp()) * 1000},{value}\n" for n, moment, _, value in series)
    return mqtt_client.main(args, ((row[0], payload(args, *row)) for row in series))


if __name__ == "__main__":
    sys.exit(main())
