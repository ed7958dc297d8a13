"""A paho-mqtt client that publishes texts and keeps account of what was acknowledged.

One thread: `publish` queues, `run` speaks. paho itself sends unacknowledged messages again after a reconnect (with
DUP), as real sensors do. Events go to standard output, one JSON object a line.
"""

import collections
import json
import pathlib
import ssl
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

REFUSED = 3  # exit status: the CONNECT itself was refused
CONNECT_PAUSE_S = 0.1  # between attempts while nobody listens


def add_arguments(parser, one_topic=True):
    """The options that every publishing program has; `--topic` if it has just one."""
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=1883)
    add("--ca", help="speak TLS and trust this PEM file")
    add("--client-id", default="", help="default: the user name")
    add("--user", help="the device's name")
    add("--password", help="")
    if one_topic:
        add("--topic", required=True)
    add("--level", type=int, choices=[4, 5], default=5, help="protocol level: 4 is MQTT 3.1.1, 5 is MQTT 5")
    add("--qos", type=int, choices=[0, 1, 2], default=1)
    add("--window", type=int, default=16, help="most messages in flight")
    add("--rate", type=float, default=0, help="messages per second, 0: as fast as the window allows")
    add("--keep-session", action="store_true", help="clean session / clean start off (default: on)")
    add("--retain", action="store_true", help="set the RETAIN flag")
    add("--acked", help="write one JSON line per acknowledged message to this file, at once")
    add("--deadline", type=float, default=60, help="seconds for everything, reconnects included")
    add("--stay-refused", action="store_true", help="go on trying after a refused CONNECT")


def event(name, **facts):
    """Tells the test what happened."""
    print(json.dumps({"event": name, "wall_ms": time.time_ns() // 1_000_000, **facts}), flush=True)


class Refused(Exception):
    """The server answered the CONNECT with a failure."""


class Client(mqtt.Client):
    """paho's client, which ignores the reason code of PUBREC (in 2.2: "we might probably not being MQTTv5 compliant"),
    and so takes a refused QoS 2 message for delivered. Here it is looked at on its way in."""

    def __init__(self, **options):
        super().__init__(mqtt.CallbackAPIVersion.VERSION2, **options)
        self.refused_mids = {}

    def _handle_pubrec(self):
        packet = bytes(self._in_packet["packet"])
        if len(packet) > 2 and packet[2] >= 0x80:
            reason = ReasonCode(PacketTypes.PUBREC, identifier=packet[2])
            self.refused_mids[int.from_bytes(packet[:2], "big")] = reason
        return super()._handle_pubrec()

    def _messages_reconnect_reset_out(self):
        """With a kept session, paho 2.2 forgets on its second attempt to connect that a QoS 2 message has its PUBREC,
        and publishes it anew with DUP clear, which nobody can tell from a new message: it has to send PUBREL."""
        for message in self._out_messages.values():
            if message.state == mqtt.mqtt_ms_resend_pubrel:
                message.state = mqtt.mqtt_ms_wait_for_pubcomp
        super()._messages_reconnect_reset_out()


class Publisher:
    """Publishes a sequence of payloads to one topic with a window, over as many connections as it takes."""

    def __init__(self, args):
        self.args = args
        client_id = args.client_id or args.user or ""
        common = {"client_id": client_id, "reconnect_on_failure": False}
        if args.level == 5:
            self.client = Client(protocol=mqtt.MQTTv5, **common)
        else:
            self.client = Client(protocol=mqtt.MQTTv311, clean_session=not args.keep_session, **common)
        if args.user is not None:
            self.client.username_pw_set(args.user, args.password)
        if args.ca:
            self.client.tls_set(ca_certs=args.ca, tls_version=ssl.PROTOCOL_TLS_CLIENT)
        self.client.max_inflight_messages_set(args.window)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = self._on_disconnect
        self.client.on_publish = self._on_publish
        self.window, self.up, self.connects, self.refused_connect = args.window, False, 0, None
        self.pending, self.acknowledged = {}, set()  # mid -> (n, when it was first sent); n
        self.refused = collections.Counter()
        self.latencies_ms = []
        self.log = open(args.acked, "a", buffering=1) if args.acked else None

    def _on_connect(self, client, userdata, flags, reason, properties):
        if reason.is_failure:
            self.refused_connect = str(reason)
            event("refused", reason=str(reason))
        else:
            # MQTT 5 §3.3.4: never more in flight than the server's Receive Maximum, which paho does not look at.
            self.window = min(self.args.window, getattr(properties, "ReceiveMaximum", self.args.window))
            self.up, self.connects = True, self.connects + 1
            event("connected", session_present=flags.session_present, unacknowledged=len(self.pending))

    def _on_disconnect(self, client, userdata, flags, reason, properties):
        if self.up:
            event("disconnected", reason=str(reason), by_server=flags.is_disconnect_packet_from_server)
        self.up = False

    def _on_publish(self, client, userdata, mid, reason, properties):
        # At QoS 0 paho calls this from within publish(), before the mid is known to us: publish() settles it.
        if mid not in self.pending:
            return
        n, began = self.pending.pop(mid)
        reason = self.client.refused_mids.pop(mid, reason)
        if reason.is_failure:
            self.refused[str(reason)] += 1
            return
        self._settle(n, began)

    def _settle(self, n, began):
        took_ms = (time.monotonic() - began) * 1000
        self.acknowledged.add(n)
        self.latencies_ms.append(took_ms)
        if self.log:
            line = {"n": n, "wall_ms": time.time_ns() // 1_000_000, "took_ms": round(took_ms, 3), "connection": self.connects}
            self.log.write(json.dumps(line) + "\n")

    def _connect(self):
        args = self.args
        try:
            if args.level == 5:
                # Outlive a restart of the server, where the session is to be kept.
                session = Properties(PacketTypes.CONNECT)
                session.SessionExpiryInterval = 3600 if args.keep_session else 0
                self.client.connect(
                    args.host, args.port, keepalive=30, clean_start=not args.keep_session, properties=session
                )
            else:
                self.client.connect(args.host, args.port, keepalive=30)
        except OSError:
            time.sleep(CONNECT_PAUSE_S)
            return
        # Until the CONNACK, or the connection is gone.
        until = time.monotonic() + 10
        self.refused_connect = None
        while not self.up and self.refused_connect is None and time.monotonic() < until:
            if self.client.loop(0.05) != mqtt.MQTT_ERR_SUCCESS:
                break
        if self.refused_connect is not None and not args.stay_refused:
            raise Refused(self.refused_connect)
        if not self.up:
            time.sleep(CONNECT_PAUSE_S)

    def topic_of(self, n):
        """Where number n is published."""
        return self.args.topic

    def _send(self, n, payload):
        began = time.monotonic()
        info = self.client.publish(self.topic_of(n), payload, qos=self.args.qos, retain=self.args.retain)
        if self.args.qos > 0:
            self.pending[info.mid] = (n, began)
        elif info.rc == mqtt.MQTT_ERR_SUCCESS:
            self._settle(n, began)  # handed to the socket: all that QoS 0 promises

    def run(self, payloads):
        """Publishes (n, payload) pairs until all are acknowledged or refused, or time is up; returns the summary."""
        began = time.monotonic()
        until, waiting, sent, last = began + self.args.deadline, iter(payloads), 0, False
        while time.monotonic() < until:
            if not self.up:
                self._connect()
                continue
            elapsed = time.monotonic() - began
            while not last and len(self.pending) < self.window and self.up:
                if self.args.rate and sent >= elapsed * self.args.rate:
                    break
                pair = next(waiting, None)
                if pair is None:
                    last = True
                else:
                    self._send(*pair)
                    sent += 1
            if last and not self.pending and not self.client.want_write():
                break
            if self.client.loop(0.01 if self.args.rate or not last else 0.05) != mqtt.MQTT_ERR_SUCCESS:
                self.up = False
        seconds = time.monotonic() - began
        finished = last and not self.pending
        if self.up:
            self.client.disconnect()
            self.client.loop(0.05)
        return finished, self._summary(sent, seconds)

    def _summary(self, sent, seconds):
        ordered = sorted(self.latencies_ms)
        at = lambda share: round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 3) if ordered else None
        return {
            "sent": sent,
            "acknowledged": len(self.acknowledged),
            "refused": dict(self.refused),
            "unacknowledged": sorted(n for n, _ in self.pending.values())[:100],
            "connects": self.connects,
            "window": self.window,
            "seconds": round(seconds, 3),
            "per_second": round(len(self.acknowledged) / seconds, 1) if seconds else None,
            "took_ms": {"p50": at(0.5), "p99": at(0.99), "max": at(1)},
        }


def main(args, payloads, publisher=Publisher):
    """Runs a publisher, prints its summary as the last line, and returns the exit status."""
    if args.acked:
        pathlib.Path(args.acked).parent.mkdir(parents=True, exist_ok=True)
    try:
        finished, summary = publisher(args).run(payloads)
    except Refused as refused:
        event("summary", sent=0, acknowledged=0, refused_connect=str(refused))
        return REFUSED
    event("summary", **summary)
    return 0 if finished and not summary["refused"] else 1
