#!/usr/bin/env python3
"""An MQTT sensor that seals each frame (envelope.py), made of paho-mqtt and pycose.

Proves: a frame sealed as README.md says is stored with its counter; replays, forks, other keys and other devices' frames
are not.

    sealed_sensor.py --port 1883 --user cod-1 --password s3cret --topic d/cod-1/up --alg eddsa --key <64 hex> --count 10

--alg eddsa (--key is the seed) | hmac256 | hmac64. Payloads are {"n": N, "cod": V} under the counters from --first on.
--name: seal as this device (default: the user). --same-counter: all under one counter. --repeat: all frames twice, each
as a message of its own. --bare: without an envelope. --public: only print the public key of --key, in hex.
Output and exit status: see paho_sensor.py.
"""

import argparse
import sys
import time

import mqtt_client
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envelope import ALGORITHMS, seal
from paho_sensor import value


def frames(args):
    """(n, envelope) pairs."""
    key, name, place = bytes.fromhex(args.key), args.name or args.user, 0
    for n in range(args.first, args.first + args.count):
        payload = f'{{"n":{n},"cod":{value(n)}}}'.encode()
        counter = args.first if args.same_counter else n
        if not args.bare:
            payload = seal(args.alg, key, name, counter, payload, device_ms=time.time_ns() // 1_000_000)
        for _ in range(2 if args.repeat else 1):
            yield place, payload
            place += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mqtt_client.add_arguments(parser)
    add = parser.add_argument
    add("--alg", choices=sorted(ALGORITHMS), default="hmac256")
    add("--key", required=True)
    add("--name")
    add("--count", type=int, default=10)
    add("--first", type=int, default=1)
    for flag in ["--same-counter", "--repeat", "--bare", "--public"]:
        add(flag, action="store_true")
    args = parser.parse_args()
    if args.public:
        print(Ed25519PrivateKey.from_private_bytes(bytes.fromhex(args.key)).public_key().public_bytes_raw().hex())
        return 0
    return mqtt_client.main(args, frames(args))


if __name__ == "__main__":
    sys.exit(main())
