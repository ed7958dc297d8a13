"""Seals a sensor's frames and opens acknowledgements, written from README.md ("Sealed frames", "On a serial line") alone,
with pycose and cbor2, none of which Weir uses.
"""

import binascii

import cbor2
from pycose.algorithms import HMAC256, EdDSA, HMAC25664
from pycose.headers import KID, Algorithm
from pycose.keys import OKPKey, SymmetricKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Mac0Message, Sign1Message

COUNTER, DEVICE_TIME = -65537, -65538
ALGORITHMS = {"eddsa": EdDSA, "hmac256": HMAC256, "hmac64": HMAC25664}
FRAME, CONFIRMED, ACK = 1, 2, 3
SUFFIX = {FRAME: "", CONFIRMED: "/confirmed", ACK: "/ack"}
LINE_BYTES_MAX = 240


def seal(alg, key, device, counter, payload, kid=None, device_ms=None, kind=FRAME):
    """The envelope's bytes. `key` is the secret of HMAC, or the 32-byte seed of Ed25519."""
    header = {Algorithm: ALGORITHMS[alg]}
    if kid is not None:
        header[KID] = kid
    header[COUNTER] = counter
    if device_ms is not None:
        header[DEVICE_TIME] = device_ms
    aad = (device + SUFFIX[kind]).encode()
    if alg == "eddsa":
        message = Sign1Message(phdr=header, payload=payload, external_aad=aad)
        message.key = OKPKey(crv=Ed25519, d=key)
    else:
        message = Mac0Message(phdr=header, payload=payload, external_aad=aad)
        message.key = SymmetricKey(k=key)
    return message.encode()


def acknowledged_counter(data, key, device):
    """The counter that an acknowledgement proves to be stored, or None if it proves nothing to this device."""
    try:
        message = CoseMessage.decode(data)
        if not isinstance(message, Mac0Message) or message.payload != b"":
            return None
        message.key, message.external_aad = SymmetricKey(k=key), (device + SUFFIX[ACK]).encode()
        return message.phdr.get(COUNTER) if message.verify_tag() else None
    except Exception:  # pycose and cbor2 raise many kinds on hostile bytes
        return None


def kid_of_id(number):
    """The kid of a device's id: its big-endian bytes without leading zeros."""
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def cobs(content):
    """Without zero bytes, one byte longer; for at most 253 bytes."""
    return b"".join(bytes([len(run) + 1]) + run for run in content.split(b"\0"))


def uncobs(stuffed):
    """The content, or None."""
    content = bytearray()
    while stuffed:
        code = stuffed[0]
        if code > len(stuffed):
            return None
        content += stuffed[1:code]
        stuffed = stuffed[code:]
        if stuffed:
            content.append(0)
    return bytes(content)


def line_frame(kind, envelope):
    """The bytes of a frame on a serial line."""
    content = bytes([kind, len(envelope)]) + envelope
    content += binascii.crc_hqx(content, 0xFFFF).to_bytes(2, "big")
    line = b"\0" + cobs(content) + b"\0"
    assert len(line) <= LINE_BYTES_MAX, "split the payload"
    return line


def frames_of(buffer):
    """([(kind, envelope)], rest) of what was read from the line so far."""
    *pieces, rest = bytes(buffer).split(b"\0")
    found = []
    for piece in pieces:
        content = uncobs(piece)
        if content and len(content) >= 5 and content[1] == len(content) - 4:
            if binascii.crc_hqx(content[:-2], 0xFFFF) == int.from_bytes(content[-2:], "big"):
                found.append((content[0], content[2:-2]))
    return found, rest
