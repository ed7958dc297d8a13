#!/usr/bin/env python3
"""A paho-mqtt client that asks for a session, subscribes to its command topic once, and says what it finds.

    kept_session.py --port 1883 --user cod-1 --password s3cret --level 4 [--subscribe] [--commands 1] [--forget]

Proves: a session outlives the gateway (CONNACK's session present is true after a SIGKILL, and commands come without a
new SUBSCRIBE); a command is acknowledged once and does not come again.

Prints one summary: present, commands (payloads as text, in order). Exit status: 0 all expected commands came, 1 not.
"""

import argparse
import json
import sys
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--level", type=int, choices=[4, 5], default=4)
    parser.add_argument("--subscribe", action="store_true")
    parser.add_argument("--forget", action="store_true", help="clean session: whatever was kept is to be forgotten")
    parser.add_argument("--commands", type=int, default=0, help="wait for so many")
    parser.add_argument("--linger", type=float, default=1.0, help="seconds to listen for commands too many")
    args = parser.parse_args()

    is_5 = args.level == 5
    options = {} if is_5 else {"clean_session": args.forget}
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=args.user, protocol=mqtt.MQTTv5 if is_5 else mqtt.MQTTv311, **options
    )
    client.username_pw_set(args.user, args.password)
    seen = {"event": "summary", "present": None, "subscribed": not args.subscribe, "commands": []}

    def on_connect(_client, _userdata, flags, reason, _properties):
        if reason.is_failure:
            sys.exit(f"refused: {reason}")
        seen["present"] = flags.session_present
        if args.subscribe:
            client.subscribe(f"d/{args.user}/down", qos=1)

    client.on_connect = on_connect
    client.on_subscribe = lambda *_: seen.update(subscribed=True)
    client.on_message = lambda _c, _u, message: seen["commands"].append(message.payload.decode())
    if is_5:
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 0 if args.forget else 3600
        client.connect("127.0.0.1", args.port, clean_start=args.forget, properties=keep)
    else:
        client.connect("127.0.0.1", args.port)
    client.loop_start()
    deadline = time.monotonic() + 30
    complete = lambda: seen["present"] is not None and seen["subscribed"] and len(seen["commands"]) >= args.commands
    while not complete() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(args.linger)
    # Not a DISCONNECT: a sensor's battery ends without one, and its acknowledgements are out by now.
    client.loop_stop()
    print(json.dumps(seen))
    return 0 if complete() and len(seen["commands"]) == args.commands else 1


if __name__ == "__main__":
    sys.exit(main())
