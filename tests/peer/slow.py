#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Clients that are slower than they need be.

slow.py ADDRESS PORT HEADS BODIES IDLE: opens so many connections; those of HEADS send a byte of a
head every second, those of BODIES a head and a byte of a body, IDLE nothing. Prints "opened", and
then how many of the first two kinds have been cut, until all are."""
import select
import socket
import sys
import time

HEAD = b"POST / HTTP/1.1\r\nHost: slow\r\nContent-Length: 100000\r\n"


def main():
    address, port, heads, bodies, idle = sys.argv[1], *map(int, sys.argv[2:])
    trickling, silent = [], []
    for i in range(heads + bodies + idle):
        connection = socket.create_connection((address, port), 10)
        connection.setblocking(False)
        if i < heads:
            connection.send(b"GET / HTTP/1.1\r\nX: ")
        elif i < heads + bodies:
            connection.send(HEAD + b"\r\n")
        (trickling if i < heads + bodies else silent).append(connection)
    print("opened", flush=True)
    cut = 0
    while trickling:
        time.sleep(1)
        for connection in trickling[:]:
            try:
                readable = select.select([connection], [], [], 0)[0]
                if readable or connection.send(b"x") != 1:
                    raise ConnectionError
            except OSError:
                trickling.remove(connection)
                connection.close()
                cut += 1
        print(f"{cut} cut", flush=True)


main()
