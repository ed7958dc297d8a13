#!/usr/bin/env python3
"""ChirpStack's MQTT integration, made of paho-mqtt and of the protobuf types that ChirpStack itself is made of.

    chirpstack.py --port 1883 --user chirpstack --password s3cret --count 1000 --told told.jsonl \\
        --device data:0101010101010101 --device object:0202020202020202 [--seed 7] [--again]

publishes `up` events of these devices at QoS 1. Each field has its default value now and then, and then it is left out or
not, as the dice say: ChirpStack leaves all of them out, other versions and other programs do not. What every event says
goes into --told, one JSON object a line. A `data` device sends its temperature as Cayenne LPP; of an `object` device the
event has what a codec made of it, {"level_mm": 1234.5}. --again publishes each event once more, to the byte, some
events later: as a broker does that kept it for a session.

Other events instead: --encrypted (joinServerContext), --news (one event of every other kind, and every code of `log`),
--hostile (events cut off, with flipped bits, of 60 kB, 10,000 levels deep, of no kind, of no DevEUI).

Proves: whatever the protobuf types can say is read right, and what cannot be read costs nothing but itself. Prints what
mqtt_client.py prints; exit status 0 if all were acknowledged.
"""

import argparse
import base64
import json
import random
import sys
import uuid

from chirpstack_api import gw, integration
from google.protobuf import json_format

import mqtt_client

APPLICATION = "2f0b8a4c-1d2e-4c6b-9a51-1d0c7d1f2b11"
GPS_EPOCH_S = 315_964_800
LEAP_S = 18


def topic(dev_eui, kind="up"):
    return f"application/{APPLICATION}/device/{dev_eui}/event/{kind}"


def thin_out(rng, full, least):
    """`full` has every field, `least` only those that are not default: of the others about half go."""
    if isinstance(full, dict) and isinstance(least, dict):
        kept = {name: thin_out(rng, value, least[name]) if name in least else value for name, value in full.items()}
        return {name: value for name, value in kept.items() if name in least or rng.random() < 0.5}
    if isinstance(full, list) and isinstance(least, list):
        return [thin_out(rng, *pair) for pair in zip(full, least)]
    return full


def render(rng, event):
    full = json_format.MessageToDict(event, always_print_fields_with_no_presence=True)
    return json.dumps(thin_out(rng, full, json_format.MessageToDict(event)))


class Device:
    """A device as ChirpStack knows it."""

    def __init__(self, rng, kind, dev_eui):
        self.rng, self.kind, self.dev_eui = rng, kind, dev_eui
        self.dev_addr, self.f_cnt = rng.randrange(1 << 32), -1

    def info(self):
        info = integration.DeviceInfo(application_id=APPLICATION, dev_eui=self.dev_eui, device_name=f"of {self.kind}")
        info.tags["site"] = "outfall"
        info.device_class_enabled = self.rng.choice([0, 2])
        return info

    def up(self):
        """An event, and what it says."""
        rng, event = self.rng, integration.UplinkEvent()
        if rng.random() < 0.02:  # joined again
            self.dev_addr, self.f_cnt = rng.randrange(1 << 32), -1
        self.f_cnt += 1 if rng.random() < 0.8 else rng.randrange(1, 40_000)
        event.deduplication_id = str(uuid.UUID(int=rng.getrandbits(128)))
        event.device_info.CopyFrom(self.info())
        event.dev_addr, event.f_cnt = f"{self.dev_addr:08x}", self.f_cnt
        event.adr, event.confirmed = rng.random() < 0.5, rng.random() < 0.5
        event.dr, event.f_port = rng.randrange(6), rng.choice([0, 1, 2, 85, 223])
        event.region_config_id = rng.choice(["", "eu868"])
        event.time.FromNanoseconds(rng.randrange(1_600_000_000 * 10**9, 1_700_000_000 * 10**9))
        event.tx_info.frequency = rng.choice([0, 868_100_000, 486_300_000])
        if rng.random() < 0.8:
            lora = event.tx_info.modulation.lora
            lora.bandwidth, lora.spreading_factor, lora.code_rate = 125_000, rng.randrange(7, 13), gw.CR_4_5
        gps_s = self.receptions(event)
        value = self.payload(event)
        said = {
            "device": self.kind, "f_cnt": event.f_cnt, "dev_addr": self.dev_addr, "f_port": event.f_port,
            "frequency_hz": event.tx_info.frequency, "value": value, "gps_ms": gps_s and gps_s * 1000,
            "heard_by": sorted(f"{rx.gateway_id} {rx.rssi} {round(rx.snr * 10)}" for rx in event.rx_info),
        }
        return event, said

    def receptions(self, event):
        """0 to 3 gateways; the second in which one with GPS heard it, if there is one."""
        rng, gps_s = self.rng, None
        for n in range(rng.randrange(4)):
            rx = event.rx_info.add()
            rx.gateway_id, rx.uplink_id = f"0016c001f153a14{n}", rng.choice([0, 4_217_106_255])
            # Halves, which a float has exactly.
            rx.rssi, rx.snr, rx.channel = rng.choice([0, -36, -120]), rng.choice([0.0, 10.5, -3.5]), rng.randrange(8)
            rx.crc_status, rx.context = gw.CRC_OK, b"\x13s\x969"
            rx.metadata["region_name"] = "eu868"
            rx.gw_time.FromNanoseconds(rng.randrange(1_600_000_000 * 10**9, 1_700_000_000 * 10**9))
            if gps_s is None and rng.random() < 0.3:
                gps_s = rng.randrange(1_600_000_000, 1_700_000_000)
                rx.time_since_gps_epoch.FromSeconds(gps_s - GPS_EPOCH_S + LEAP_S)
        return gps_s

    def payload(self, event):
        """What the device measured, or nothing."""
        rng = self.rng
        if rng.random() < 0.1:
            return None
        if self.kind == "object":
            level = rng.randrange(-4_000, 40_000) / 2
            event.object.update({"level_mm": level, "other": "text"})
            event.data = rng.randbytes(rng.randrange(1, 12))
            return level
        tenths = rng.randrange(-400, 600)
        event.data = bytes([1, 103]) + tenths.to_bytes(2, "big", signed=True)
        return tenths / 10


def uplinks(rng, devices, args):
    """(topic, payload) of each event, with those that come again."""
    told, late = (open(args.told, "w", encoding="utf-8") if args.told else None), []
    for _ in range(args.count):
        device = rng.choice(devices)
        event, said = device.up()
        if args.encrypted:
            event.join_server_context.session_key_id = "7"
        published = topic(device.dev_eui), render(rng, event)
        if told:
            told.write(json.dumps(said) + "\n")
        yield published
        late += [published] * args.again
        if len(late) > 40 or (late and rng.random() < 0.3):
            yield late.pop(0)
    yield from late
    if told:
        told.close()


def news(device):
    """One event of every kind but `up`, and each code of a log entry."""
    info = device.info()
    for code in integration.LogCode.keys():
        event = integration.LogEvent(device_info=info, level="ERROR", code=code, description=f"about {code}")
        yield topic(device.dev_eui, "log"), json_format.MessageToJson(event)
    status = integration.StatusEvent(device_info=info, margin=7, battery_level=95.5)
    others = {
        "status": status,
        "join": integration.JoinEvent(device_info=info, dev_addr="01020304"),
        "ack": integration.AckEvent(device_info=info, acknowledged=True),
        "txack": integration.TxAckEvent(device_info=info, downlink_id=7),
        "location": integration.LocationEvent(device_info=info),
    }
    for kind, event in others.items():
        yield topic(device.dev_eui, kind), json_format.MessageToJson(event)


def hostile(rng, devices, count):
    """Events that are none, and among them sound ones, of which nobody may lose any."""
    for n in range(count):
        device = devices[0]
        event, _ = device.up()
        sound = render(rng, event).encode()
        bad = bytearray(sound)
        match n % 8:
            case 0 | 1:
                at = rng.randrange(len(bad))
                bad[at] ^= 1 << rng.randrange(8)
            case 2:
                bad = bad[: rng.randrange(len(bad))]
            case 3:
                bad = b'{"object":' + b"[" * 10_000 + b"]" * 10_000 + b"}"
            case 4:
                bad = b'{"a":"' + b"x" * 60_000 + b'"}'
            case 5:
                bad = rng.randbytes(300)
            case 6:
                yield topic(device.dev_eui, "rejoin"), bytes(sound)
                continue
            case 7:
                yield topic("nobody"), bytes(sound)
                continue
        yield topic(device.dev_eui), bytes(bad)
    for device in devices:
        event, _ = device.up()
        event.f_cnt = 1_000_000 + event.f_cnt
        event.data = base64.b64decode("AWcBEA==")
        yield topic(device.dev_eui), render(rng, event)


class Integration(mqtt_client.Publisher):
    """Publishes each event to its own topic."""

    topics = {}

    def topic_of(self, n):
        return self.topics[n]


def numbered(events):
    for n, (to, payload) in enumerate(events, 1):
        Integration.topics[n] = to
        yield n, payload


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mqtt_client.add_arguments(parser, one_topic=False)
    parser.add_argument("--device", action="append", required=True, help="data:DevEUI or object:DevEUI")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--told")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--encrypted", action="store_true")
    parser.add_argument("--news", action="store_true")
    parser.add_argument("--hostile", action="store_true")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    devices = [Device(rng, *device.split(":")) for device in args.device]
    if args.news:
        events = news(devices[0])
    elif args.hostile:
        events = hostile(rng, devices, args.count)
    else:
        events = uplinks(rng, devices, args)
    return mqtt_client.main(args, numbered(events), Integration)


if __name__ == "__main__":
    sys.exit(main())
