"""What schemathesis cannot know of two media types: how a body is sent, and how lines are read."""

import json

import schemathesis


@schemathesis.serializer("application/cose")
def cose(_context, value):
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.deserializer("application/jsonl")
def lines(_context, response):
    return [json.loads(line) for line in response.content.splitlines()]
