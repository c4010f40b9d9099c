#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Clients that are slower than they need be.

slow.py ADDRESS PORT HEADS BODIES IDLE: opens so many connections; those of HEADS send a byte of a
head every second, those of BODIES a head for /slow and a byte of a body, IDLE nothing. Prints
"opened", and then how many of the first two kinds have been cut, until all are; at the end what each
kind was answered before it was cut, and how many idle ones are still open.

slow.py serve PORT: an endpoint that takes connections, and says nothing."""
import collections
import select
import socket
import sys
import time

HEAD = b"POST /slow HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n"


def serve(port):
    listening = socket.create_server(("", port), backlog=1024)
    peers = []
    while True:
        peers.append(listening.accept()[0])


def answer(connection):
    """Its status, or why there is none."""
    try:
        text = connection.recv(4096)
    except BlockingIOError:
        return None
    except OSError:
        return "reset"
    return text.split()[1].decode() if text.startswith(b"HTTP/1.1 ") else "closed"


def is_open(connection):
    return not select.select([connection], [], [], 0)[0]


def main():
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    address, port, heads, bodies, idle = sys.argv[1], *map(int, sys.argv[2:])
    trickling, silent = [], []
    for i in range(heads + bodies + idle):
        connection = socket.create_connection((address, port), 10)
        connection.setblocking(False)
        if i < heads:
            connection.send(b"GET / HTTP/1.1\r\nX: ")
        elif i < heads + bodies:
            connection.send(HEAD + b"\r\n")
        if i < heads + bodies:
            trickling.append((connection, "heads" if i < heads else "bodies"))
        else:
            silent.append(connection)
    print("opened", flush=True)
    answers = collections.Counter()
    while trickling:
        time.sleep(1)
        for connection, kind in trickling[:]:
            what = answer(connection)
            if what is None:
                try:
                    connection.send(b"x")
                    continue
                except OSError:
                    what = answer(connection)
            answers[kind, what] += 1
            trickling.remove((connection, kind))
            connection.close()
        print(f"{answers.total()} cut", flush=True)
    for (kind, what), count in sorted(answers.items()):
        print(f"{count} {kind}: {what}")
    print(f"{sum(map(is_open, silent))} idle ones are open", flush=True)


main()
