#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Who waits for whom, and for how long.

patience.py serve PORT: an endpoint that keeps others waiting, as the path says.
patience.py run ADDRESS PORT REQUEST IDLE UPGRADE: asks a listener with these timeouts (s), of which
IDLE is the shortest and UPGRADE the longest; all cases at once. Prints a line for each, as the
functions of lib.sh do."""
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from exchanges import Reader

LATE = 8  # s: so much later than due something may happen on a busy machine
LARGE = 10_000_000
# Said, and no more: what is between no answer and a whole one.
HALVES = {
    "/never": b"",
    "/interim": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
    "/half-a-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/half-a-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n" + bytes(500),
}
UPGRADED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


def talk(connection):
    reader = Reader(connection)
    try:
        while True:
            line, fields = reader.head()
            if not line:
                return
            path = line.split()[1].decode()
            if path == "/deaf":
                time.sleep(3600)
            if not path.startswith("/early"):
                reader.body(fields)
            if path.partition("?")[0] in HALVES:
                connection.sendall(HALVES[path.partition("?")[0]])
                reader.head()
                return
            if path == "/upgrade":
                connection.sendall(UPGRADED)
                while data := reader.file.read1(65536):
                    connection.sendall(data)
                return
            size = int(path.rpartition("/")[2])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            if path.startswith("/trickle"):
                for _ in range(size):
                    time.sleep(0.5)
                    connection.sendall(b"x")
                continue
            if path.startswith(("/half", "/early")):
                connection.sendall(bytes(size // 2))
                time.sleep(3600)
            connection.sendall(bytes(size))
    except OSError:
        pass


def serve(port):
    listening = socket.create_server(("", port), backlog=256)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=talk, args=(connection,), daemon=True).start()


class Suite:
    def __init__(self, address, request, idle, upgrade):
        self.address, self.request, self.idle, self.upgrade = address, request, idle, upgrade

    def connect(self, target, fields=b"", method=b"GET", room=None):
        connection = socket.socket()
        if room:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.settimeout(60)
        connection.connect(self.address)
        connection.sendall(b"%s %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (method, target, fields))
        return connection

    @staticmethod
    def rest(connection):
        """How many bytes come, how the connection ends, and when (s from now)."""
        begin, size, end = time.monotonic(), 0, "closed"
        try:
            while data := connection.recv(65536):
                size += len(data)
        except OSError as error:
            end = type(error).__name__
        return size, end, time.monotonic() - begin

    def refused(self, wanted, target, fields=b"", method=b"GET", body=0):
        begin = time.monotonic()
        with self.connect(target, fields, method) as connection:
            sender = threading.Thread(target=self.send, args=(connection, body))
            sender.start()
            line, _ = Reader(connection).head()
            took = time.monotonic() - begin
            connection.shutdown(socket.SHUT_RDWR)
            sender.join()
        return (line or b"").split()[1:2] == [wanted] and self.request * 0.9 < took < self.request + LATE, (line, took)

    @staticmethod
    def send(connection, size):
        try:
            connection.sendall(bytes(size))
        except OSError:
            pass

    def nobody_answers(self):
        return self.refused(b"504", b"/never")

    def nobody_takes_the_body(self):
        return self.refused(b"504", b"/deaf", b"Content-Length: %d\r\n" % LARGE, b"PUT", LARGE)

    def nobody_sends_the_body(self):
        return self.refused(b"408", b"/0", b"Content-Length: %d\r\n" % LARGE, b"PUT", 100)

    def half_an_answer(self):
        with self.connect(b"/half/10000") as connection:
            size, end, took = self.rest(connection)
        return size > 5000 and end == "ConnectionResetError" and self.request * 0.9 < took < self.request + LATE, (
            size, end, took)

    def half_of_both(self):
        """The rest of the answer may need the rest of the body."""
        with self.connect(b"/early/10000", b"Content-Length: 1000\r\n", b"PUT") as connection:
            size, end, took = self.rest(connection)
        return size > 5000 and end == "ConnectionResetError" and self.request * 0.9 < took < self.request + LATE, (
            size, end, took)

    def idle_ones_are_closed(self):
        with self.connect(b"/0") as connection:
            Reader(connection).head()
            size, end, took = self.rest(connection)
        return (size, end) == (0, "closed") and self.idle * 0.9 < took < self.idle + LATE, (size, end, took)

    def upgraded_ones_may_be_silent(self):
        with self.connect(b"/upgrade", b"Connection: upgrade\r\nUpgrade: echo\r\n") as connection:
            line, _ = Reader(connection).head()
            time.sleep((self.request + self.upgrade) / 2)
            try:
                connection.sendall(b"hello")
                got = connection.recv(100)
            except OSError as error:
                got = error
            _, _, took = self.rest(connection)
        return got == b"hello" and self.upgrade * 0.9 < took < self.upgrade + LATE, (line, got, took)

    def late_readers(self):
        """Longer than between requests nobody need take of an answer that all is read of."""
        def read(size):
            with self.connect(b"/%d" % size, room=4096) as connection:
                time.sleep((self.idle + self.request) / 2)
                return self.rest(connection)[0] - size
        sizes = range(20000, 400000, 10000)
        with ThreadPoolExecutor(len(sizes)) as pool:
            short = [size for size, more in zip(sizes, pool.map(read, sizes)) if more <= 0]
        return not short, short

    def nobody_reads(self):
        with self.connect(b"/%d" % LARGE, room=4096) as connection:
            time.sleep(self.request + LATE)
            size, end, _ = self.rest(connection)
        return size < LARGE and end == "ConnectionResetError", (size, end)

    def run(self):
        cases = {
            "a request that nobody answers: 504": self.nobody_answers,
            "a body that the endpoint does not take: 504": self.nobody_takes_the_body,
            "a body that the client does not send: 408": self.nobody_sends_the_body,
            "half an answer: broken off": self.half_an_answer,
            "half an answer, to half a request: broken off": self.half_of_both,
            "an idle connection: closed": self.idle_ones_are_closed,
            "an upgraded connection may be silent for long, not for ever": self.upgraded_ones_may_be_silent,
            "who reads late gets all of an answer": self.late_readers,
            "who reads nothing: reset": self.nobody_reads,
        }
        with ThreadPoolExecutor(len(cases)) as pool:
            results = {what: pool.submit(case) for what, case in cases.items()}
        for what, result in results.items():
            held, why = result.result()
            print(f"  ok     {what}" if held else f"  FAILED {what}: {why}", flush=True)
        return any(not result.result()[0] for result in results.values())


if sys.argv[1] == "serve":
    serve(int(sys.argv[2]))
else:
    sys.exit(Suite((sys.argv[2], int(sys.argv[3])), *map(float, sys.argv[4:])).run())
