#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends of HTTP exchanges in which every byte is known.

exchanges.py serve PORT: answers as the path says, and tells what it has received.
exchanges.py run ADDRESS PORT COUNT CONNECTIONS SEED: asks: bodies with a length, in chunks with
trailers or none, pipelined, cut anywhere, over connections that stay, that speak HTTP/1.0, that are
half closed, read slowly, or reset in the middle of a request or an answer.
exchanges.py cut ADDRESS PORT: a request in two parts, and an answer in two parts, at every byte.
exchanges.py large ADDRESS PORT SIZE: a body of this size up, and another one down.
All of them print {"exchanges", "wrong", "bytes", "why"}.
exchanges.py stall ADDRESS PORT SIZE COUNT: so many ask for SIZE bytes, read nothing, and wait."""
import hashlib
import json
import random
import socket
import struct
import sys
import threading
import time

SIZES = (0, 1, 100, 1000, 4000, 16000, 40000, 70000, 300000)


def body_of(seed, size):
    return random.Random(seed).randbytes(size)


def chunked(body, rng):
    out, at = [], 0
    while at < len(body):
        size = min(len(body) - at, rng.choice((1, 10, 1000, 20000, 100000)))
        extension = b";a=b" if rng.random() < 0.1 else b""
        out += [b"%x" % size, extension, b"\r\n", body[at:at + size], b"\r\n"]
        at += size
    out.append(b"0\r\nX-Trailer: yes\r\n\r\n" if rng.random() < 0.3 else b"0\r\n\r\n")
    return b"".join(out)


class Reader:
    """Lines and counted bytes of a connection."""

    def __init__(self, connection):
        self.file = connection.makefile("rb", 65536)

    def head(self):
        line = self.file.readline()
        if not line:
            return None, {}
        fields = {}
        while True:
            field = self.file.readline()
            if field in (b"\r\n", b""):
                return line.strip(), fields
            name, _, value = field.partition(b":")
            fields[name.lower()] = value.strip()

    def exactly(self, size):
        data = self.file.read(size)
        if len(data) != size:
            raise ConnectionError(f"{len(data)} bytes of {size}")
        return data

    def body(self, fields, otherwise=b""):
        if fields.get(b"transfer-encoding") == b"chunked":
            out = []
            while True:
                size = int(self.file.readline().split(b";")[0], 16)
                if not size:
                    while self.file.readline().strip():
                        pass
                    return b"".join(out)
                out.append(self.exactly(size))
                self.file.readline()
        if b"content-length" in fields:
            return self.exactly(int(fields[b"content-length"]))
        return self.file.read() if otherwise is None else otherwise


def answer(method, path, received, rng):
    """/ID/SEED/SIZE/FRAMING[/CUT], or that as a query: the head, the body, and whether the connection ends with it."""
    _, number, seed, size, framing = path.split(b"/")[:5]
    body = body_of(int(seed), int(size))
    head = (b"HTTP/1.1 200 OK\r\nX-Id: %s\r\nX-Received: %s\r\n"
            % (number, hashlib.md5(received).hexdigest().encode()))
    if framing == b"chunked":
        return head + b"Transfer-Encoding: chunked\r\n\r\n", chunked(body, rng), False
    if framing == b"close":
        return head + b"Connection: close\r\n\r\n", body, True
    return head + b"Content-Length: %d\r\n\r\n" % len(body), body, False


def serve_one(connection, rng):
    reader = Reader(connection)
    while True:
        line, fields = reader.head()
        if not line:
            return
        method, target, _ = line.split()
        path = target.partition(b"?")[2] or target
        if b"expect" in fields:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        head, body, last = answer(method, path, reader.body(fields), rng)
        text = head if method == b"HEAD" else head + body
        cut = int(path.split(b"/")[5]) if path.count(b"/") == 5 else len(text)
        connection.sendall(text[:cut])
        if text[cut:]:
            time.sleep(0.001)
            connection.sendall(text[cut:])
        if last:
            connection.shutdown(socket.SHUT_WR)
            return


def serve_connection(connection, seed):
    try:
        serve_one(connection, random.Random(seed))
    except (OSError, ValueError):
        pass
    connection.close()


def serve(port):
    listening = socket.create_server(("::", port), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True)
    for seed in range(1 << 62):
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_connection, args=(connection, seed), daemon=True).start()


class Client:
    """Connections one after the other, each with some exchanges."""

    def __init__(self, address, count, seed):
        self.address, self.count, self.rng = address, count, random.Random(seed)
        self.number, self.bytes, self.done, self.wrong = seed << 32, 0, 0, []
        self.browses = False  # asks for what is small, most often one after the other

    def request(self, last, minor):
        rng = self.rng
        self.number += 1
        size = rng.choice(SIZES)
        framing = rng.choice(("length", "length", "chunked", "close" if last else "length"))
        method = rng.choice((b"GET", b"POST", b"PUT", b"HEAD"))
        if self.browses and rng.random() < 0.9:
            size, framing, method = rng.choice(SIZES[:5]), "length", rng.choice((b"GET", b"GET", b"HEAD"))
        sent, fields = b"", b"Host: x\r\n"
        if method in (b"POST", b"PUT"):
            sent = body_of(self.number, rng.choice(SIZES))
        body = sent
        if sent and minor and rng.random() < 0.5:
            body, fields = chunked(sent, rng), fields + b"Transfer-Encoding: chunked\r\n"
        elif method in (b"POST", b"PUT"):
            fields += b"Content-Length: %d\r\n" % len(sent)
        if last and rng.random() < 0.5:
            fields += b"Connection: close\r\n"
        path = b"/%d/%d/%d/%s" % (self.number, self.number + 7, size, framing.encode())
        if rng.random() < 0.7:
            path = b"/%d?%s" % (rng.randrange(3), path)  # what has been asked for before
        text = b"%s %s HTTP/1.%d\r\n%s\r\n%s" % (method, path, minor, fields, body)
        want = b"" if method == b"HEAD" else body_of(self.number + 7, size)
        return text, (str(self.number).encode(), hashlib.md5(sent).hexdigest().encode(), want,
                      method == b"HEAD")

    def send(self, connection, text):
        at = 0
        if self.browses and self.rng.random() < 0.95:
            connection.sendall(text)
            return
        while at < len(text):
            size = self.rng.choice((1, 2, 7, 100, 1448, 5000, 65536, 1 << 20))
            connection.sendall(text[at:at + size])
            at += size
            if self.rng.random() < 0.02:
                time.sleep(0.001)

    def check(self, reader, wanted):
        line, fields = reader.head()
        number, digest, body, is_head = wanted
        if not line or line.split()[1] != b"200":
            raise ConnectionError(f"{line}")
        got = b"" if is_head else reader.body(fields, None)
        self.bytes += len(got)
        if fields.get(b"x-id") != number:
            raise ValueError(f"the answer to {fields.get(b'x-id')}, not to {number}")
        if fields.get(b"x-received") != digest:
            raise ValueError("another body arrived than was sent")
        if got != body:
            raise ValueError(f"{len(got)} bytes came, of {len(body)}")
        self.done += 1

    def connect(self, rng):
        connection = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET)
        if rng.random() < 0.1:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        connection.settimeout(20)
        connection.connect(self.address)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    @staticmethod
    def reset(connection, text, answer):
        """After a part of a request, or after a part of its answer."""
        connection.sendall(text)
        if answer:
            connection.recv(answer)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def connection(self):
        rng = self.rng
        self.browses = rng.random() < 0.4
        minor = 1 if self.browses or rng.random() < 0.9 else 0
        requests = [self.request(False, minor) for _ in range(rng.choice((0, 1, 3, 10, 40)) if minor else 0)]
        requests.append(self.request(True, minor))
        with self.connect(rng) as connection:
            reader = Reader(connection)
            if rng.random() < 0.1:
                text, answer = requests[0][0], rng.choice((0, 1, 1000, 50000))
                self.reset(connection, text if answer else text[:rng.randrange(len(text))], answer)
                return
            while requests:
                batch = [requests.pop(0) for _ in range(min(len(requests), 1 if self.browses and rng.random() < 0.95 else
                                                      rng.choice((1, 1, 2, 5))))]
                text = b"".join(text for text, _ in batch)
                sender = threading.Thread(target=self.send, args=(connection, text))
                sender.start()
                if rng.random() < 0.03:
                    time.sleep(0.05)
                for _, wanted in batch:
                    self.check(reader, wanted)
                sender.join()
                if not requests and rng.random() < 0.5:
                    connection.shutdown(socket.SHUT_WR)

    def run(self):
        while self.done < self.count and len(self.wrong) < 10:
            try:
                self.connection()
            except (OSError, ValueError) as error:
                self.wrong.append(str(error))


def report(clients):
    wrong = [why for client in clients for why in client.wrong]
    print(json.dumps({"exchanges": sum(client.done for client in clients), "wrong": len(wrong),
                      "bytes": sum(client.bytes for client in clients), "why": wrong[:5]}))


def cut(address, port):
    client = Client((address, port), 0, 1)
    trailers = b"3;a=b\r\nabc\r\n0\r\nX-Trailer: yes\r\n\r\n"
    head = b"PUT /%d/9/50/%s/%d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    digest, body = hashlib.md5(b"abc").hexdigest().encode(), body_of(9, 50)
    with client.connect(client.rng) as connection:
        reader = Reader(connection)
        try:
            # An answer has more bytes than a request here: none is left out.
            for number in range(1, 260):
                text = head % (number, (b"length", b"chunked")[number % 2], number) + trailers
                connection.sendall(text[:number])
                time.sleep(0.001)
                connection.sendall(text[number:])
                client.check(reader, (b"%d" % number, digest, body, False))
        except (OSError, ValueError) as error:
            client.wrong.append(str(error))
    report([client])


def large(address, port, size):
    client = Client((address, port), 0, 1)
    with client.connect(client.rng) as connection:
        try:
            sent, wanted = body_of(1, size), body_of(2, size)
            for number, framing in ((1, b"length"), (2, b"chunked")):
                text = chunked(sent, client.rng) if framing == b"chunked" else sent
                field = b"Transfer-Encoding: chunked" if text is not sent else b"Content-Length: %d" % size
                connection.sendall(b"POST /%d/2/%d/%s HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
                                   % (number, size, framing, field))
                connection.sendall(text)
                client.check(Reader(connection), (b"%d" % number, hashlib.md5(sent).hexdigest().encode(),
                                                  wanted, False))
        except (OSError, ValueError) as error:
            client.wrong.append(str(error))
    report([client])


def stall(address, port, size, count):
    connections = [socket.create_connection((address, port), 20) for _ in range(count)]
    for connection in connections:
        connection.sendall(b"GET /1/2/%d/length HTTP/1.1\r\nHost: x\r\n\r\n" % size)
    time.sleep(3600)


def run(address, port, count, connections, seed):
    clients = [Client((address, port), count // connections, seed * 1000 + i)
               for i in range(connections)]
    threads = [threading.Thread(target=client.run) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    report(clients)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        {"run": run, "cut": cut, "large": large, "stall": stall}[sys.argv[1]](
            sys.argv[2], *map(int, sys.argv[3:]))
