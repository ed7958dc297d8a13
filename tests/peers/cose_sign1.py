"""Opens Weir's signed artifacts with pycose, cbor2 and zstandard, none of which Weir uses.

Everything is strict: one byte of freedom would be a byte that a signature does not protect.
"""

import hashlib
import pathlib

import cbor2
from pycose.algorithms import EdDSA
from pycose.headers import KID, Algorithm, ContentType
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Sign1Message

CONTENT_TYPES = {
    "application/vnd.weir.batch": "batch",
    "application/vnd.weir.receipt": "receipt",
    "application/vnd.weir.checkpoint": "checkpoint",
    "application/vnd.weir.command": "command",
    "application/vnd.weir.enrolment": "enrolment",
    "application/vnd.weir.enrolled": "enrolled",
}
COSE_SIGN1_TAG = 18
BYTES_MAX = {"batch": 4_194_304, "receipt": 262_144, "checkpoint": 512, "enrolment": 16_384, "enrolled": 16_384}


class Bad(Exception):
    """What is wrong with an artifact; `by_signature` if only the signature told."""

    def __init__(self, why, by_signature=False):
        super().__init__(why)
        self.by_signature = by_signature


def kid_of(public):
    """The name of a public key: the first 8 bytes of its SHA-256."""
    return hashlib.sha256(public).digest()[:8]


def read_keys(folders):
    """{kid: (public key, stem of the file)} of all `.pub` files, each with 64 hex digits."""
    keys = {}
    for folder in folders:
        for path in sorted(pathlib.Path(folder).rglob("*.pub")):
            public = bytes.fromhex(path.read_text().strip())
            if len(public) != 32:
                raise Bad(f"{path}: a public key has 32 bytes")
            keys[kid_of(public)] = (public, path.stem)
    return keys


def decode_deterministic(data, what):
    """One CBOR item, whole, in the deterministic form of RFC 8949 §4.2."""
    try:
        item = cbor2.loads(data)
        again = cbor2.dumps(item, canonical=True)
    except Exception as error:  # cbor2 raises many kinds on hostile bytes
        raise Bad(f"{what} is no CBOR: {error}") from error
    if again != data:
        raise Bad(f"{what} is not in deterministic form")
    return item


def open_sign1(data, keys):
    """(artifact, kid, payload) of a COSE_Sign1 with EdDSA that verifies under one of the keys."""
    outline = decode_deterministic(data, "the envelope")
    if not isinstance(outline, cbor2.CBORTag) or outline.tag != COSE_SIGN1_TAG:
        raise Bad("no COSE_Sign1")
    try:
        message = CoseMessage.decode(data)
    except Exception as error:
        raise Bad(f"pycose refuses it: {error}") from error
    if not isinstance(message, Sign1Message) or message.uhdr:
        raise Bad("no COSE_Sign1, or it has unprotected headers")
    decode_deterministic(outline.value[0], "the protected header")
    if set(message.phdr) != {Algorithm, ContentType, KID} or message.phdr[Algorithm] is not EdDSA:
        raise Bad("the protected headers are not exactly alg EdDSA, content type and kid")
    artifact = CONTENT_TYPES.get(message.phdr[ContentType])
    kid = message.phdr[KID]
    if artifact is None:
        raise Bad(f"unknown content type {message.phdr[ContentType]!r}")
    if len(data) > BYTES_MAX[artifact]:
        raise Bad(f"{len(data)} bytes are too many for a {artifact}")
    if kid not in keys:
        raise Bad(f"no key {kid.hex()}")
    message.key = OKPKey(crv=Ed25519, x=keys[kid][0])
    try:
        verified = message.verify_signature()
    except Exception as error:
        raise Bad(f"the signature is malformed: {error}", by_signature=True) from error
    if not verified:
        raise Bad("the signature does not verify", by_signature=True)
    return artifact, kid, message.payload
