#!/usr/bin/env python3
"""Sends recorded minutes the way others do, for the bytes that it costs.

    send_minutes.py mqtt|https PORT MINUTES.json CA_FILE

MINUTES.json: a list of minutes, each a list of frames `{"device": ..., "time": ms, "values": {...}}`. Sends the next minute
for each line of standard input, and prints a line once all of it was acknowledged. mqtt: a PUBLISH at QoS 1 per frame, JSON, by
paho. https: one POST per minute, gzip of JSON lines, on a connection that is kept, by Python's own client.
"""

import gzip
import http.client
import json
import ssl
import sys

import paho.mqtt.client


def mqtt(port, _ca):
    client = paho.mqtt.client.Client(paho.mqtt.client.CallbackAPIVersion.VERSION2, client_id="box")
    client.connect("127.0.0.1", port)
    client.loop_start()

    def send(frames):
        sent = [client.publish(f"d/{frame['device']}/up", body(frame), qos=1) for frame in frames]
        for message in sent:
            message.wait_for_publish(20)

    return send


def https(port, ca):
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    client = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    headers = {"content-type": "application/x-ndjson", "content-encoding": "gzip"}

    def send(frames):
        lines = "\n".join(body(frame) for frame in frames)
        client.request("PUT", "/v1/boxes/other/batches/latest", gzip.compress(lines.encode(), 9), headers)
        client.getresponse().read()

    return send


def body(frame):
    return json.dumps(frame, separators=(",", ":"))


def main():
    way, port, minutes, ca = sys.argv[1:]
    with open(minutes, encoding="utf-8") as file:
        minutes = json.load(file)
    send = {"mqtt": mqtt, "https": https}[way](int(port), ca)
    for frames, _ in zip(minutes, sys.stdin):
        send(frames)
        print("sent", flush=True)


if __name__ == "__main__":
    main()
