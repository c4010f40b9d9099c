#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""fickle.py NAME PORT DIR: an endpoint that serves as DIR/NAME.mode says at each request: `ok`,
`slow SECONDS`, `close` (not at all), `error` (503). DIR/NAME.seen has a line for each
request: how many it had at that time, itself included."""
import socket
import sys
import threading
import time

from exchanges import Reader

ANSWER = "HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s"


class Endpoint:
    def __init__(self, name, directory):
        self.name, self.path = name, f"{directory}/{name}"
        self.lock, self.busy = threading.Lock(), 0

    def begin(self):
        with self.lock:
            self.busy += 1
            with open(f"{self.path}.seen", "a", encoding="ascii") as seen:
                seen.write(f"{self.busy}\n")
        with open(f"{self.path}.mode", encoding="ascii") as mode:
            return mode.read().strip()

    # Before the answer goes: the next request may come with it.
    def end(self):
        with self.lock:
            self.busy -= 1

    def answer(self):
        mode = self.begin()
        try:
            if mode.startswith("slow"):
                time.sleep(float(mode.split()[1]))
        finally:
            self.end()
        if mode == "close":
            return None
        status, body = ("503 Service Unavailable", "error") if mode == "error" else ("200 OK", self.name)
        return (ANSWER % (status, len(body) + 1, body + "\n")).encode()

    def talk(self, connection):
        with connection:
            reader = Reader(connection)
            try:
                while True:
                    line, fields = reader.head()
                    if not line:
                        return
                    reader.body(fields)
                    answer = self.answer()
                    if answer is None:
                        return
                    connection.sendall(answer)
            except OSError:
                pass


def main(name, port, directory):
    endpoint = Endpoint(name, directory)
    listening = socket.create_server(("", int(port)), backlog=256)
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=endpoint.talk, args=(connection,), daemon=True).start()


main(*sys.argv[1:])
