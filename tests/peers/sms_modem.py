"""A GSM modem at a socket, for a real ModemManager (its Test interface reaches it by the name `abstract:NAME`): AT commands of
3GPP TS 27.007 and 27.005 in PDU mode, SMS-SUBMIT by TS 23.040 9.2.2.2. Each SMS that it takes is a line of JSON in a file: number,
text, and which part of how many. How it treats a number is read from another file before each one: {"number": "refuse"}, or
{"number": SECONDS} for an answer that comes late.
"""

import argparse
import json
import pathlib
import socket
import threading
import time

ANSWERS = {
    "AT+GCAP": ["+GCAP: +CGSM"],
    "ATI": ["Manufacturer: tests", "Model: peer", "IMEI: 490154203237518"],
    "AT+CGMI": ["tests"],
    "AT+CGMM": ["peer"],
    "AT+CGMR": ["1"],
    "AT+CGSN": ["490154203237518"],
    "AT+CIMI": ["460001234567890"],
    "AT+CPIN?": ["+CPIN: READY"],
    "AT+CFUN?": ["+CFUN: 1"],
    "AT+CMGF=?": ["+CMGF: (0,1)"],
    "AT+CNMI=?": ["+CNMI: (0-3),(0-3),(0-3),(0-3),(0-1)"],
    "AT+CSCS=?": ['+CSCS: ("IRA","GSM","UCS2")'],
    "AT+CPMS=?": ['+CPMS: ("SM"),("SM"),("SM")'],
    "AT+CPMS?": ['+CPMS: "SM",0,20,"SM",0,20,"SM",0,20'],
    "AT+CREG?": ['+CREG: 2,1,"1234","0000ABCD",7'],
    "AT+CGREG?": ["+CGREG: 2,1"],
    "AT+CEREG?": ["+CEREG: 2,1"],
    "AT+COPS?": ['+COPS: 0,2,"46000",7'],
    "AT+CSQ": ["+CSQ: 20,99"],
    "AT+CRSM=176,28589,0,0,4": ['+CRSM: 144,0,"00000002"'],
    "AT+CGDCONT=?": ['+CGDCONT: (1-10),"IP",,,(0),(0)'],
    "AT+WS46=?": ["+WS46: (12,22,28)"],
}


def submitted(pdu):
    """Number, text and part of an SMS-SUBMIT in UCS-2."""
    octets = bytes.fromhex(pdu)
    at = 1 + octets[0]  # the service centre's address
    has_header, validity = octets[at] & 0x40, octets[at] >> 3 & 3
    digits, kind = octets[at + 2], octets[at + 3]
    at += 4
    swapped = octets[at : at + (digits + 1) // 2].hex()
    number = "".join(b + a for a, b in zip(swapped[::2], swapped[1::2]))[:digits]
    at += (digits + 1) // 2
    assert octets[at + 1] & 0x0C == 0x08, "not UCS-2"
    at += 2 + {0: 0, 1: 7, 2: 1, 3: 7}[validity]
    user = octets[at + 1 : at + 1 + octets[at]]
    part, parts = 1, 1
    if has_header:
        assert user[1] == 0 and user[2] == 3, "no concatenation with an 8 bit reference"
        parts, part, user = user[4], user[5], user[1 + user[0] :]
    plus = "+" if kind & 0x70 == 0x10 else ""
    return {"number": plus + number, "text": user.decode("utf-16-be"), "part": part, "parts": parts}


class Modem:
    def __init__(self, dir):
        self.dir, self.charset = dir, '"IRA"'
        self.reference = 0

    def answer(self, line):
        command = line.upper()
        if command.startswith("AT+CSCS="):
            self.charset = line[8:]
            return ["OK"]
        if command == "AT+CSCS?":
            return ["+CSCS: " + self.charset, "OK"]
        if command.startswith("AT+CPMS="):
            return ["+CPMS: 0,20,0,20,0,20", "OK"]
        if command in ANSWERS:
            return [*ANSWERS[command], "OK"]
        return ["ERROR"] if command.endswith("=?") else ["OK"]

    def take(self, pdu):
        """What is said to an SMS."""
        sms = submitted(pdu)
        moods = self.dir / "moods.json"
        mood = json.loads(moods.read_text()).get(sms["number"]) if moods.exists() else None
        with open(self.dir / "sms.jsonl", "a") as log:
            log.write(json.dumps({**sms, "mood": mood}) + "\n")
        if isinstance(mood, int):
            time.sleep(mood)
        if mood == "refuse":
            return ["+CMS ERROR: 38"]  # network out of order, TS 27.005 3.2.5
        self.reference += 1
        return [f"+CMGS: {self.reference % 256}", "", "OK"]

    def serve(self, connection):
        buffered, in_pdu = b"", False
        while received := connection.recv(4096):
            buffered += received
            while True:
                before, end, after = buffered.partition(b"\x1a" if in_pdu else b"\r")
                if not end:
                    break
                buffered, text = after, before.decode().strip()
                if in_pdu:
                    in_pdu, said = False, self.take(text)
                elif text.upper().startswith("AT+CMGS="):
                    in_pdu = True
                    connection.sendall(b"\r\n> ")
                    continue
                else:
                    said = self.answer(text) if text else []
                connection.sendall(b"".join(b"\r\n" + line.encode() + b"\r\n" for line in said))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--dir", required=True, type=pathlib.Path)
    options = parser.parse_args()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(b"\0abstract:" + options.name.encode())
    listener.listen()
    (options.dir / "listens").touch()
    modem = Modem(options.dir)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=modem.serve, args=(connection,), daemon=True).start()


main()
