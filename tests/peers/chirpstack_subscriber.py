#!/usr/bin/env python3
"""A paho-mqtt client that subscribes as ChirpStack, Node-RED or Telegraf do, and reads what comes with the protobuf types
that ChirpStack itself is made of. Strictly: an unknown field, or one of another type, ends it.

    chirpstack_subscriber.py --port 1883 --user node-red --password s3cret --filter 'application/+/device/+/event/+' \\
        --count 3 [--level 5] [--keep-session] [--ready FILE]

Prints JSON lines: subscribed (the codes granted; the session present), then each message (topic, and the fields of the
event or command, those with default values too), and last a summary. Exit status: 0 so many messages came, 1 fewer or
more, 2 usage, 3 a filter was refused.
"""

import argparse
import json
import pathlib
import queue
import sys
import time

import paho.mqtt.client as mqtt
from chirpstack_api import integration
from google.protobuf import json_format
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

TYPES = {"event/up": integration.UplinkEvent, "command/down": integration.DownlinkCommand}
LINGER_S = 0.5  # for messages too many


def say(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


def read(message):
    kind = "/".join(message.topic.split("/")[-2:])
    parsed = json_format.Parse(message.payload, TYPES[kind]())
    return json_format.MessageToDict(parsed, always_print_fields_with_no_presence=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--filter", required=True)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--level", type=int, choices=[4, 5], default=4)
    parser.add_argument("--keep-session", action="store_true")
    parser.add_argument("--ready", help="make this file once subscribed")
    parser.add_argument("--deadline", type=float, default=60)
    args = parser.parse_args()

    is_5 = args.level == 5
    options = {} if is_5 else {"clean_session": not args.keep_session}
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=args.user, protocol=mqtt.MQTTv5 if is_5 else mqtt.MQTTv311,
        reconnect_on_failure=False, **options,
    )
    client.username_pw_set(args.user, args.password)
    arrived, granted, present = queue.Queue(), queue.Queue(), []

    def on_connect(_client, _userdata, flags, reason, _properties):
        if reason.is_failure:
            sys.exit(f"refused: {reason}")
        present.append(flags.session_present)
        client.subscribe(args.filter, qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda _c, _u, _mid, codes, _p: granted.put([code.value for code in codes])
    client.on_message = lambda _c, _u, message: arrived.put(message)
    if is_5:
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 3600 if args.keep_session else 0
        client.connect("127.0.0.1", args.port, clean_start=not args.keep_session, properties=keep)
    else:
        client.connect("127.0.0.1", args.port)
    client.loop_start()
    codes = granted.get(timeout=args.deadline)
    say("subscribed", codes=codes, present=present[0])
    if args.ready:
        pathlib.Path(args.ready).touch()
    if max(codes) >= 0x80:
        return 3
    until, count = time.monotonic() + args.deadline, 0
    while count < args.count and time.monotonic() < until:
        try:
            message = arrived.get(timeout=0.1)
        except queue.Empty:
            continue
        say("message", topic=message.topic, qos=message.qos, fields=read(message))
        count += 1
    time.sleep(LINGER_S)
    count += arrived.qsize()
    client.disconnect()
    client.loop_stop()
    say("summary", count=count)
    return 0 if count == args.count else 1


if __name__ == "__main__":
    sys.exit(main())
