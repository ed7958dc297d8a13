#!/usr/bin/env python3
"""A box that nobody at Weir wrote introduces itself to a platform by a code, by sync/batch/batch.cddl alone.

    enrol_client.py --url https://HOST:PORT --box NAME --seed HEX --code CODE [--out FILE]

Trusts no connection: what is answered must be signed by the key that the code names. Then it connects as told, with the
certificate of the answer as the only one that is trusted. `--out` gets that certificate as PEM.

Prints the answer as a JSON object, or what was refused. Exit status: 0 enrolled, 1 refused, 2 the answer is not to be
believed.
"""

import argparse
import hashlib
import hmac
import http.client
import json
import pathlib
import ssl
import sys
import urllib.parse

from cose_sign1 import Bad, decode_deterministic, kid_of, open_sign1
from weir_encode import Key, dumps

VERSION = 1
DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32


def read_code(text):
    """(secret, beginning of the platform's key's hash)."""
    number = 0
    for digit in text.replace("-", ""):
        number = number << 5 | DIGITS.index(digit)
    code = number.to_bytes(20, "big")
    if hashlib.sha256(code[:19]).digest()[0] != code[19]:
        raise Bad("the code's check does not fit")
    return code[:10], code[10:19]


def connect(url, context):
    parts = urllib.parse.urlsplit(url)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return http.client.HTTPSConnection(parts.hostname, parts.port, context=context, timeout=30)


def ask(url, body):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = connect(url, context)
    connection.request("POST", "/v1/enrolments", body, {"content-type": "application/cose"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def believe(data, secret_of, box, public):
    """The answer, if it is of the platform that made the code, and about this box and key."""
    claimed = decode_deterministic(decode_deterministic(data, "the answer").value[2], "its payload")
    version, (platform, key, its_box, its_key, certificate, enrolled) = claimed
    if version != VERSION or hashlib.sha256(key).digest()[:9] != secret_of:
        raise Bad("it is not signed by the platform that made the code")
    artifact, _, _ = open_sign1(data, {kid_of(key): (key, platform)})
    if artifact != "enrolled" or (its_box, its_key) != (box, public):
        raise Bad("it is about something else")
    return {"platform": platform, "key": key.hex(), "certificate": certificate, "enrolled_ms": enrolled}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ["--url", "--box", "--seed", "--code"]:
        arguments.add_argument(name, required=True)
    arguments.add_argument("--out", type=pathlib.Path)
    args = arguments.parse_args()
    key, (secret, platform) = Key(bytes.fromhex(args.seed)), read_code(args.code)
    name = args.box.encode()
    proof = hmac.digest(secret, bytes([len(name)]) + name + key.public, "sha256")
    status, answer = ask(args.url, key.sign("enrolment", dumps([VERSION, [args.box, key.public, proof]])))
    if status != 200:
        print(json.dumps({"status": status, **json.loads(answer)}))
        return 1
    enrolled = believe(answer, platform, args.box, key.public)
    pem = ssl.DER_cert_to_PEM_cert(enrolled.pop("certificate"))
    if args.out:
        args.out.write_text(pem)
    connection = connect(args.url, ssl.create_default_context(cadata=pem))
    connection.request("GET", "/v1/key")
    enrolled["pinned"] = json.loads(connection.getresponse().read())["public_key"]
    print(json.dumps(enrolled))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Bad as bad:
        print(f"enrol_client.py: {bad}", file=sys.stderr)
        sys.exit(2)
