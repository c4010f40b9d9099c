#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Those who want more than is theirs.

greedy.py serve PORT: an endpoint that answers /interim with interim answers without an end, and all
else with two bytes.
greedy.py run ADDRESS PORT: clients that never stop: to send requests for what a rule answers (/fixed)
before they have their answers, to send after they were refused, to ask for /interim. Meanwhile others
ask for little, one after the other. Prints a line for each kind, as the functions of lib.sh do."""
import socket
import sys
import threading
import time

from exchanges import Reader

GREEDY = 4  # of each kind, at once
MODEST = 20  # connections of others, which are there before
MOST = 2  # s that one of those may take
PIPELINED = b"GET /fixed HTTP/1.1\r\nHost: x\r\n\r\n" * 2000
INTERIM = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"


def talk(connection):
    reader = Reader(connection)
    try:
        while True:
            line, _ = reader.head()
            if not line:
                return
            while line.split()[1] == b"/interim":
                connection.sendall(INTERIM * 1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except OSError:
        pass


def serve(port):
    listening = socket.create_server(("", port), backlog=256)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


class Suite:
    def __init__(self, address):
        self.address, self.failed = address, 0

    def check(self, what, held, why):
        self.failed += not held
        print(f"  ok     {what}" if held else f"  FAILED {what}: {why}", flush=True)

    def connect(self):
        return socket.create_connection(self.address, 60)

    @staticmethod
    def slowest(connections):
        """A request on each, one after the other: how long (s) the slowest took."""
        slowest = 0
        for connection in connections:
            begin = time.monotonic()
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
                return 1000
            slowest = max(slowest, time.monotonic() - begin)
        return slowest

    def pipelining(self, over):
        with self.connect() as connection:
            def read():
                try:
                    while connection.recv(1 << 20):
                        pass
                except OSError:
                    pass
            threading.Thread(target=read, daemon=True).start()
            while not over.is_set():
                connection.sendall(PIPELINED)

    def refused(self, over):
        """Until it is cut; then again."""
        while not over.is_set():
            with self.connect() as connection:
                connection.sendall(b"GET /\r\n\r\n")
                try:
                    while not over.is_set():
                        connection.sendall(bytes(1 << 20))
                except OSError:
                    pass

    def interim(self, over):
        while not over.is_set():
            with self.connect() as connection:
                connection.sendall(b"GET /interim HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                while connection.recv(1 << 16):
                    pass

    def crowd(self, what, greedy):
        over, errors, modest = threading.Event(), [], [self.connect() for _ in range(MODEST)]

        def run():
            try:
                greedy(over)
            except OSError as error:
                if not over.is_set():
                    errors.append(error)
        threads = [threading.Thread(target=run, daemon=True) for _ in range(GREEDY)]
        for thread in threads:
            thread.start()
        time.sleep(1)
        slowest = self.slowest(modest)
        over.set()
        for thread in threads:
            thread.join(30)
        self.check(f"{what}: others are served ({slowest * 1000:.0f} ms)", slowest < MOST and not errors,
                   (slowest, errors))

    def endless_interim(self):
        """All that comes before weir gives up."""
        for version, fewest in ((b"1.1", 1000), (b"1.0", 0)):
            with self.connect() as connection:
                connection.sendall(b"GET /interim HTTP/%s\r\nHost: x\r\nConnection: close\r\n\r\n" % version)
                try:
                    got = connection.makefile("rb").read()
                except OSError as error:
                    got = repr(error).encode()
            interim, _, answer = got.rpartition(INTERIM)
            self.check(f"endless interim answers: 502 after {len(interim) // 1024} KiB of them, HTTP/{version.decode()}",
                       answer.startswith(b"HTTP/1.1 502 ") and fewest <= len(interim) <= 65536, answer[:80])

    def run(self):
        self.endless_interim()
        self.crowd("requests without an end", self.pipelining)
        self.crowd("bytes without an end, after a refusal", self.refused)
        self.crowd("interim answers without an end", self.interim)
        return self.failed > 0


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    sys.exit(Suite((sys.argv[2], int(sys.argv[3]))).run())
