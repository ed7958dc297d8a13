#!/usr/bin/env python3
"""A name server that knows one name, and may be as bad as those of mobile networks are.

    dns_server.py ADDRESS NAME A AAAA

Answers UDP on port 53 of ADDRESS. Each line of standard input is how from then on: `silence` (the first), `servfail`,
`nxdomain`, `right`; it is answered with the number of questions so far. Ends with standard input.
"""

import select
import socket
import struct
import sys

CODES = {"servfail": 2, "nxdomain": 3, "right": 0}
TYPES = {1: socket.AF_INET, 28: socket.AF_INET6}


def answer(question, how, name, addresses):
    """RFC 1035 §4.1; one question, as every resolver sends it."""
    number = question[:2]
    end = question.index(b"\0", 12) + 5
    asked, (kind,) = question[12:end], struct.unpack(">H", question[end - 4 : end - 2])
    wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"
    code = CODES[how] if how != "right" or asked[:-4].lower() == wanted else CODES["nxdomain"]
    records = b""
    if code == 0 and kind in TYPES:
        data = socket.inet_pton(TYPES[kind], addresses[kind])
        records = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(data)) + data
    return number + struct.pack(">HHHHH", 0x8180 | code, 1, 1 if records else 0, 0, 0) + asked + records


def main():
    address, name, a, aaaa = sys.argv[1:]
    how, count = "silence", 0
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    print(count, flush=True)
    while True:
        ready, _, _ = select.select([server, sys.stdin], [], [])
        if sys.stdin in ready:
            line = sys.stdin.readline()
            if not line:
                return
            how = line.strip()
            print(count, flush=True)
        if server in ready:
            question, client = server.recvfrom(512)
            count += 1
            if how != "silence":
                server.sendto(answer(question, how, name, {1: a, 28: aaaa}), client)


if __name__ == "__main__":
    main()
