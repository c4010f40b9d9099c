#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""datagrams.py ADDRESS PORT BYTES COUNT: sends COUNT datagrams, each from a port of its own, to
`serve`, which says its name and what it received. Exit status 0 if every answer is whole; one that
was lost is asked for again a few times."""
import socket
import sys

TRIES = 5
TIMEOUT = 0.5

address, port, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    data = bytes((number + i) & 0xff for i in range(size))
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                       socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect((address, port))
        for attempt in range(TRIES):
            try:
                sock.send(data)
                answer = sock.recv(65535)
            except OSError as error:
                problem = str(error)
                continue
            if answer.partition(b" ")[2] != data:
                sys.exit(f"datagram {number}: another answer than was sent")
            break
        else:
            sys.exit(f"datagram {number}: {problem}")
