#!/usr/bin/env python3
"""Robots of WeCom and DingTalk, and a receiver of plain JSON, behind HTTPS with a certificate of their own.

    webhooks.py --dir DIR [--port PORT] --key KEY --sign SECRET

Written from the makers' pages on group robots (developer.work.weixin.qq.com/document/path/91770, open.dingtalk.com,
"custom robot access"), not from Weir. `/wecom`, `/dingtalk` and `/json` refuse what those would refuse: another key, another
message type, text that is empty or longer than 4096 bytes, a wrong signature, a time that is an hour off. DIR/ca.pem is the
certificate. DIR/moods.json, read before each answer, may tell a path what to do with its next requests, in order:
`ok`, `errcode` (200 with errcode 45009), `500`, `hang` (takes it and never answers), `drop` (hangs up without an answer).
Each request is a line in DIR/requests.jsonl: path, mood, valid (what was wrong, or null), accepted, text, body.
Writes its port to DIR/port once it listens, and serves until it is killed.
"""

import argparse
import base64
import datetime
import hashlib
import hmac
import http.server
import ipaddress
import json
import pathlib
import ssl
import threading
import time
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONTENT_BYTES_MAX = 4096
HOUR_MS = 3_600_000
LOCK = threading.Lock()


def certificate(folder):
    """A certificate for 127.0.0.1 that is its own authority; made once."""
    path, key_path = folder / "ca.pem", folder / "server.key"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "robots")])
        now = datetime.datetime.now(datetime.timezone.utc)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
            .sign(key, hashes.SHA256())
        )
        encoding = serialization.Encoding.PEM
        secret = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key_path.write_bytes(secret)
        path.write_bytes(made.public_bytes(encoding))
    return path, key_path


def wecom(query, body, args):
    """What the robot of a WeCom group would refuse, and the text."""
    content = body.get("markdown", {}).get("content", "")
    if query.get("key") != [args.key]:
        return "key", content
    if body.get("msgtype") != "markdown" or not content:
        return "message", content
    if len(content.encode()) > CONTENT_BYTES_MAX:
        return "length", content
    return None, content


def dingtalk(query, body, args):
    """The same of DingTalk's, with its signature."""
    markdown = body.get("markdown", {})
    text = markdown.get("text", "")
    if query.get("access_token") != [args.key]:
        return "token", text
    (stamp,) = query.get("timestamp", [""])
    if not stamp.isdigit() or abs(int(stamp) - time.time() * 1000) > HOUR_MS:
        return "timestamp", text
    digest = hmac.new(args.sign.encode(), f"{stamp}\n{args.sign}".encode(), hashlib.sha256).digest()
    if query.get("sign") != [base64.b64encode(digest).decode()]:
        return "sign", text
    if body.get("msgtype") != "markdown" or not text or not markdown.get("title"):
        return "message", text
    mentioned = all(f"@{mobile}" in text for mobile in body.get("at", {}).get("atMobiles", []))
    return (None if mentioned else "at"), text


def plain(query, body, args):
    """The object that Weir documents."""
    wrong = [key for key in ("box", "test", "count", "text", "people", "alarms") if key not in body]
    return (f"without {wrong}" if wrong or query else None), body.get("text", "")


FORMS = {"/wecom": wecom, "/dingtalk": dingtalk, "/json": plain}


def next_mood(folder, path):
    moods_path = folder / "moods.json"
    try:
        moods = json.loads(moods_path.read_text())
    except FileNotFoundError:
        return "ok"
    queue = moods.get(path, [])
    mood = queue.pop(0) if queue else "ok"
    fresh = folder / "moods.new"
    fresh.write_text(json.dumps(moods))
    fresh.replace(moods_path)
    return mood


class Robots(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        args, folder = self.server.args, pathlib.Path(self.server.args.dir)
        url = urllib.parse.urlsplit(self.path)
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        form = FORMS.get(url.path)
        wrong, text = form(urllib.parse.parse_qs(url.query), body, args) if form else ("path", "")
        if url.path == "/json" and self.headers["Authorization"] != f"Bearer {args.key}":
            wrong = "bearer"
        if not self.headers["Content-Type"].startswith("application/json"):
            wrong = "type"
        with LOCK:
            mood = next_mood(folder, url.path)
            # Who takes a message and does not say so has it all the same.
            accepted = wrong is None and mood in ("ok", "hang", "drop")
            line = {"path": url.path, "mood": mood, "wrong": wrong, "accepted": accepted, "text": text, "body": body}
            with open(folder / "requests.jsonl", "a") as out:
                print(json.dumps(line, ensure_ascii=False), file=out)
        self.answer(url.path, mood, wrong)

    def answer(self, path, mood, wrong):
        if mood == "hang":
            time.sleep(60)
        if mood in ("hang", "drop"):
            self.close_connection = True
            return
        status = 500 if mood == "500" else 403 if wrong and path == "/json" else 200
        code = 45009 if mood == "errcode" else 300001 if wrong else 0
        said = {"errcode": code, "errmsg": "ok" if code == 0 else f"{mood} {wrong}"}
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--key", required=True)
    parser.add_argument("--sign", required=True)
    args = parser.parse_args()
    path, key = certificate(pathlib.Path(args.dir))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", args.port), Robots)
    server.daemon_threads = True
    server.args = args
    server.socket = context.wrap_socket(server.socket, server_side=True)
    fresh = pathlib.Path(args.dir) / "port.new"
    fresh.write_text(str(server.server_address[1]))
    fresh.replace(pathlib.Path(args.dir) / "port")
    server.serve_forever()


if __name__ == "__main__":
    main()
