#!/usr/bin/env python3
"""What is done with NATS servers, made of nats-py.

    nats_client.py create --port P                the stream of the edge
    nats_client.py publish --port P --subject S --payload T --first 1 --count N --window W --rate R \\
            --acked FILE --deadline S
    nats_client.py source --port P                the stream of the hub, which takes from the edge's
    nats_client.py collect --port P               prints what the hub's stream has and gets, a line a message

A message has its number as Nats-Msg-Id, so that one sent again after a lost acknowledgement is stored once.
Exit status of `publish`: 0 all acknowledged, 1 out of time.
"""

import argparse
import asyncio
import json
import pathlib
import sys

import nats
from nats.errors import Error
from nats.js.api import ExternalStream, StreamConfig, StreamSource

# The peers' sensors agree on what a number's payload is.
sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "peers"))
import paho_sensor

ANSWER_S = 10  # until a publish is sent again
PAUSE_S = 0.1


async def quiet(error):
    """The server is killed on purpose: that it is gone is no news."""


async def connect(port):
    return await nats.connect(
        f"nats://127.0.0.1:{port}", max_reconnect_attempts=-1, reconnect_time_wait=PAUSE_S, error_cb=quiet
    )


async def create(args):
    client = await connect(args.port)
    await client.jetstream().add_stream(StreamConfig(name="EDGE", subjects=["d.>"]))
    await client.close()


async def source(args):
    client = await connect(args.port)
    # Asked for before the leaf is there, the hub would try again much later.
    while True:
        try:
            await client.jetstream(domain="edge", timeout=1).stream_info("EDGE")
            break
        except (Error, OSError):
            await asyncio.sleep(PAUSE_S)
    edge = StreamSource(name="EDGE", external=ExternalStream(api="$JS.edge.API"))
    await client.jetstream().add_stream(StreamConfig(name="HUB", sources=[edge]))
    await client.close()


async def publish(args):
    client = await connect(args.port)
    stream, waiting = client.jetstream(timeout=ANSWER_S), iter(paho_sensor.payloads(args))

    began = asyncio.get_running_loop().time()

    async def deliver(acked):
        for n, payload in waiting:
            due = began + (n - args.first) / args.rate if args.rate else began
            await asyncio.sleep(due - asyncio.get_running_loop().time())
            while True:
                try:
                    await stream.publish(args.subject, payload.encode(), headers={"Nats-Msg-Id": str(n)})
                    break
                except (Error, OSError):
                    await asyncio.sleep(PAUSE_S)
            acked.write(json.dumps({"n": n}) + "\n")

    with open(args.acked, "a", buffering=1) as acked:
        window = [deliver(acked) for _ in range(args.window)]
        await asyncio.wait_for(asyncio.gather(*window), args.deadline)
    await client.close()


async def collect(args):
    client = await connect(args.port)
    messages = await client.jetstream().subscribe(">", stream="HUB", ordered_consumer=True)
    async for message in messages.messages:
        print(message.data.decode(), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["create", "publish", "source", "collect"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--subject")
    parser.add_argument("--payload")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1_000)
    parser.add_argument("--acked")
    parser.add_argument("--deadline", type=float, default=60)
    args = parser.parse_args()
    args.lines, args.until, args.bytes = None, None, 0
    run = {"create": create, "publish": publish, "source": source, "collect": collect}[args.what]
    try:
        asyncio.run(run(args))
    except TimeoutError:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
