#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""names.py ADDRESS GOOD: a name server, by UDP and TCP at port 53, that answers by the name it is
asked for; what is right has the address GOOD.

good       right                          garbage    a right head and random bytes
half       cut off in a record            foreign    of another question
truncated  by UDP too long, by TCP right  endless    by UDP too long, by TCP without an end
many       3000 addresses, by TCP         martians   addresses that no host can have
loop       an alias for itself            chain      40 aliases, then right
silent     nothing                        slow       right, after 3 s
refused    REFUSED                        other      the address GOOD, of another name
flips      right at first, then garbage

Each name that is asked for is printed, "good", "many by tcp".
"""
import os
import random
import socket
import struct
import sys
import threading
import time

ADDRESS, GOOD = sys.argv[1], socket.inet_aton(sys.argv[2])
asked = {}


def name_of(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]])
        at += 1 + query[at]
    return labels, query[12:at + 5], struct.unpack(">H", query[at + 1:at + 3])[0]


def record(kind, data, ttl=1, name=b"\xc0\x0c"):
    return name + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data


def encode(*labels):
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def message(query, question, records, code=0, cut=False):
    flags = 0x8180 | code | (0x0200 if cut else 0)
    return query[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)


def aliases(count):
    names = [b"\xc0\x0c"] + [encode(b"n%d" % i, b"example") for i in range(count)]
    return [record(5, after, name=before) for before, after in zip(names, names[1:])] + \
           [record(1, GOOD, name=names[-1])]


def answer(query, tcp):
    labels, question, kind = name_of(query)
    what = labels[0].decode("ascii", "replace")
    right = [record(1, GOOD)] if kind == 1 else []
    asked[what] = asked.get(what, 0) + 1
    print(what + (" by tcp" if tcp else ""), flush=True)
    if what == "silent":
        return None
    if what == "garbage" or (what == "flips" and asked[what] > 4):
        return query[:2] + b"\x81\x80\0\1\0\7\0\3\0\1" + question + os.urandom(random.randrange(200))
    if what == "half":
        return message(query, question, [record(1, GOOD)[:-2]])
    if what == "foreign":
        return message(query, encode(b"elsewhere", b"example") + question[-4:], right)
    if what in ("truncated", "endless", "many") and not tcp:
        return message(query, question, [], cut=True)
    if what == "endless":
        return b"endless"
    if what == "many":
        return message(query, question, [record(1, struct.pack(">I", 0x0a090000 + i))
                                         for i in range(3000)] if kind == 1 else [])
    if what == "martians":
        return message(query, question, [record(1, bytes(address)) for address in
                                         ((127, 0, 0, 1), (0, 0, 0, 0), (224, 0, 0, 1),
                                          (255, 255, 255, 255))] if kind == 1 else
                       [record(28, bytes(10) + b"\xff\xff" + GOOD),
                        record(28, b"\xfe\x80" + bytes(13) + b"\x01")])
    if what == "loop":
        return message(query, question, [record(5, b"\xc0\x0c")])
    if what == "chain":
        return message(query, question, aliases(40) if kind == 1 else [])
    if what == "refused":
        return message(query, question, [], code=5)
    if what == "other":
        return message(query, question, [record(1, GOOD, name=encode(b"evil", b"example"))])
    if what == "slow":
        time.sleep(3)
    return message(query, question, right)


def serve_udp(server):
    def one(query, peer):
        text = answer(query, False)
        if text is not None:
            server.sendto(text, peer)
    while True:
        query, peer = server.recvfrom(4096)
        threading.Thread(target=one, args=(query, peer), daemon=True).start()


def serve_stream(stream):
    try:
        while True:
            head = stream.recv(2, socket.MSG_WAITALL)
            if len(head) < 2:
                return
            text = answer(stream.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL), True)
            if text == b"endless":
                stream.sendall(b"\xff\xff")
                while True:
                    stream.sendall(b"\xc0\x0c" * 8)
                    time.sleep(0.05)
            elif text is not None:
                stream.sendall(struct.pack(">H", len(text)) + text)
    except OSError:
        pass


udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((ADDRESS, 53))
tcp = socket.create_server((ADDRESS, 53), backlog=64)
threading.Thread(target=serve_udp, args=(udp,), daemon=True).start()
while True:
    threading.Thread(target=serve_stream, args=(tcp.accept()[0],), daemon=True).start()
