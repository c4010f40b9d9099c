#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""preambles.py ADDRESS PORT STRANGERS: what may come before the first request where the PROXY protocol
is spoken, right and wrong, and on port STRANGERS, where this client may not speak it. The endpoint
answers /forwarded with the X-Forwarded-For that it got. Prints a line for each case, as lib.sh does."""
import socket
import struct
import sys
import time

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REQUEST = b"GET /forwarded HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def binary(command, family, body):
    return SIGNATURE + struct.pack(">BBH", command, family, len(body)) + body


FOUR = bytes((192, 0, 2, 7)) + bytes((198, 51, 100, 1)) + struct.pack(">HH", 1000, 80)
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack(">HH", 1000, 80)
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 1000 80\r\n"

RIGHT = {
    "a line for IPv4": (LINE, "192.0.2.7"),
    "a line for IPv6": (b"PROXY TCP6 2001:db8::7 2001:db8::1 1000 80\r\n", "2001:db8::7"),
    "a line for IPv6, of IPv4": (b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1000 80\r\n", "192.0.2.7"),
    "a line of somebody unknown": (b"PROXY UNKNOWN\r\n", None),
    "a line of somebody unknown, with more": (b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", None),
    "binary for IPv4": (binary(0x21, 0x11, FOUR), "192.0.2.7"),
    "binary for IPv6": (binary(0x21, 0x21, SIX), "2001:db8::7"),
    "binary with extensions": (binary(0x21, 0x11, FOUR + b"\x04\x03\xe8" + bytes(1000)), "192.0.2.7"),
    "binary, of the proxy itself": (binary(0x20, 0, b""), None),
    "binary, of another family": (binary(0x21, 0x31, bytes(216)), None),
    "a rule by the address in it": (b"PROXY TCP4 203.0.113.9 198.51.100.1 1 80\r\n", "by its address"),
}
WRONG = {
    "none": b"",
    "a line without an end": b"PROXY TCP4 " + b"1" * 200,
    "a line that ends with a line feed": LINE.replace(b"\r\n", b"\n"),
    "a line in small letters": LINE.lower(),
    "a line with too few words": b"PROXY TCP4 192.0.2.7 198.51.100.1 1000\r\n",
    "a line with too many words": LINE[:-2] + b" x\r\n",
    "a line with two spaces": LINE.replace(b" 1000", b"  1000"),
    "a line with a port of 65536": LINE.replace(b"1000", b"65536"),
    "a line with a signed port": LINE.replace(b"1000", b"+1000"),
    "a line with the other family": LINE.replace(b"TCP4", b"TCP6").replace(b"192.0.2.7", b"192.0.2.300"),
    "a line for IPv6 with addresses of IPv4": LINE.replace(b"TCP4", b"TCP6"),
    "a line for IPv4 with one of IPv6": LINE.replace(b"192.0.2.7", b"::ffff:192.0.2.7"),
    "a line of UDP": LINE.replace(b"TCP4", b"UDP4"),
    "a line with a NUL": LINE.replace(b"1000", b"10\0000"),
    "binary of version 1": binary(0x11, 0x11, FOUR),
    "binary with another command": binary(0x22, 0x11, FOUR),
    "binary that is too short": binary(0x21, 0x11, FOUR[:11]),
    "binary of 65535 bytes": binary(0x21, 0x11, bytes(65535)),
    "half a signature": SIGNATURE[:8] + b"GET / HT",
    "another line after the first": LINE + LINE,
}


def ask(address, *parts):
    """What comes back; "" if the connection ends without an answer."""
    answer = b""
    try:  # whoever is refused may be reset before all is said
        with socket.create_connection(address, 20) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for part in parts:
                connection.sendall(part)
                time.sleep(0.001 if len(parts) > 1 else 0)
            while data := connection.recv(65536):
                answer += data
    except ConnectionError:
        pass
    return answer.decode("latin-1")


def main():
    address = (sys.argv[1], int(sys.argv[2]))
    itself = "fd77::2" if ":" in address[0] else "10.77.0.2"
    failed = 0

    def check(what, held, why):
        nonlocal failed
        failed += not held
        print(f"  ok     {what}" if held else f"  FAILED {what}: {why!r}", flush=True)

    for name, (data, wanted) in RIGHT.items():
        answer = ask(address, data + REQUEST)
        check(f"PROXY {name}", answer.startswith("HTTP/1.1 200") and
              answer.rpartition("\r\n\r\n")[2].strip() == (wanted or itself), answer)
    for data in (LINE, binary(0x21, 0x21, SIX)):
        answers = {ask(address, data[:i], data[i:] + REQUEST).rpartition("\r\n\r\n")[2].strip()
                   for i in range(1, len(data))}
        check("... cut at every byte", len(answers) == 1 and answers <= {"192.0.2.7", "2001:db8::7"}, answers)
    for name, data in WRONG.items():
        answer = ask(address, data + REQUEST)
        # What follows a right line is a request, and a wrong one.
        wanted = "HTTP/1.1 400" if name.startswith("another") else ""
        check(f"PROXY {name}: refused", answer[:12] == wanted, answer)
    for data in (b"", LINE):
        answer = ask((address[0], int(sys.argv[3])), data + REQUEST)
        check("a stranger is closed, whatever he says", answer == "", answer)
    return failed > 0


sys.exit(main())
