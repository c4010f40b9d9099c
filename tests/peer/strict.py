#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends of HTTP exchanges that somebody gets wrong, or that are easily got wrong.

strict.py serve PORT: an endpoint that says what /a/NAME names below, byte by byte, and remembers
what it was sent: GET /seen tells, and forgets. /a/head is answered with the head that it is.
strict.py run ADDRESS PORT ENDPOINT PORT: sends what a balancer must refuse, and what it must pass
on rightly, and looks at both ends. Prints a line for each case, as the functions of lib.sh do."""
import json
import socket
import sys
import threading
import time

from exchanges import Reader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LONG = b"X-Long: " + b"x" * 40000 + b"\r\n"

# What the endpoint says to /a/NAME; after most of it the balancer can only say 502.
MALFORMED = {
    "no-http": b"220 mail.example ESMTP\r\n\r\n",
    "no-status": b"HTTP/1.1 OK\r\n\r\n",
    "status-99": b"HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
    "status-1000": b"HTTP/1.1 1000 OK\r\nContent-Length: 0\r\n\r\n",
    "version-2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!",
    "length-and-chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bad-length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
    "endless-length": b"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\nok",
    "unknown-coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
    "nul": b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
    "bare-cr": b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 2\r\n\r\nok",
    "no-colon": b"HTTP/1.1 200 OK\r\nX\r\nContent-Length: 2\r\n\r\nok",
    "space-before-colon": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "large-head": b"HTTP/1.1 200 OK\r\n" + LONG + b"\r\n",
    "unasked-upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "half-a-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "first-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n",
}

# The answer has begun when it turns out to be wrong: the client must see that something is missing.
CUT = {
    "short-body": b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok",
    "short-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok",
    "no-last-chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
}

RIGHT = {
    "ok": OK,
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + OK,
    "long": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
    "not-modified": b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 1000\r\n\r\n",
    "no-content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "private": b"HTTP/1.1 200 OK\r\nConnection: X-Private, close\r\nX-Private: 1\r\nX-Public: 1\r\n"
               b"Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    "more-than-asked": OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "body-to-head": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npois",
    "to-the-end": b"HTTP/1.1 200 OK\r\n\r\nall of it",
    "poison": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
    "too-early": b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno",
}
ENDING = {"to-the-end", "half-a-head", *CUT}
ANSWERS = {**MALFORMED, **CUT, **RIGHT}


class Endpoint:
    def __init__(self, port):
        self.lock, self.seen, self.listening = threading.Lock(), [], socket.create_server(
            ("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=256)

    def remember(self, number, head):
        with self.lock:
            self.seen.append({"connection": number, "head": head.decode("latin-1")})
            return sum(seen["head"] == self.seen[-1]["head"] for seen in self.seen)

    def tell(self):
        with self.lock:
            text, self.seen = json.dumps(self.seen).encode(), []
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)

    def exchange(self, number, connection, reader):
        """False: no more on this connection."""
        line, fields = reader.head()
        if not line:
            return False
        path = line.split(b" ")[1].partition(b"?")[0]
        if path == b"/seen":
            connection.sendall(self.tell())
            return True
        head = b"\r\n".join([line, *(b"%s: %s" % field for field in sorted(fields.items()))])
        name = path.rpartition(b"/")[2].decode()
        times = self.remember(number, head) if name != "poison" else 0  # which nobody sends as a request
        if name in ("never", "the-second-time") and (name == "never" or times == 1):
            return False
        if name == "too-early":
            connection.sendall(ANSWERS[name])
            return True
        if name == "unwanted":  # the body stays where the next request is read
            connection.sendall(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
            time.sleep(0.3)
            return True
        if b"expect" in fields and name != "refused":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if name == "refused":
            connection.sendall(b"HTTP/1.1 417 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            return False
        body = reader.body(fields)
        if name == "upgrade":
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                               b"Upgrade: echo\r\n\r\nwelcome ")
            while data := reader.file.read1(65536):
                connection.sendall(data)
            connection.sendall(b" goodbye")
            return False
        if name == "head":
            text = head + b"\r\n"
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
            return True
        if name == "echo":
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return True
        connection.sendall(ANSWERS.get(name, OK))
        return name not in ENDING

    def talk(self, number, connection):
        try:
            reader = Reader(connection)
            while self.exchange(number, connection, reader):
                pass
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
        except (OSError, ValueError):
            pass
        connection.close()

    def serve(self):
        number = 0
        while True:
            connection, _ = self.listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number += 1
            threading.Thread(target=self.talk, args=(number, connection), daemon=True).start()


def get(name, fields=b"", method=b"GET", version=b"1.1"):
    return b"%s /a/%s HTTP/%s\r\nHost: x\r\n%s\r\n" % (method, name.encode(), version, fields)


SMUGGLED = get("smuggled")


def post(fields, body=SMUGGLED, line=b"POST /a/echo HTTP/1.1\r\nHost: x\r\n"):
    return line + fields + b"\r\n" + body


LENGTH, CHUNKED = b"Content-Length: %d\r\n", b"Transfer-Encoding: chunked\r\n"
ALL = LENGTH % len(SMUGGLED)

# Never reach an endpoint; 400 and the end of the connection, unless it says otherwise.
REFUSED = {
    "a length, and chunks": post(LENGTH % 4 + CHUNKED, b"0\r\n\r\n" + SMUGGLED),
    "chunks, and a length": post(CHUNKED + LENGTH % 4, b"0\r\n\r\n" + SMUGGLED),
    "two lengths": post(LENGTH % 0 + ALL),
    "the same length twice": post(ALL + ALL),
    "a list of lengths": post(b"Content-Length: 0, %d\r\n" % len(SMUGGLED)),
    "a length with a sign": post(b"Content-Length: +0\r\n"),
    "a negative length": post(b"Content-Length: -1\r\n"),
    "a length in hexadecimal": post(b"Content-Length: 0x0\r\n"),
    "an empty length": post(b"Content-Length:\r\n"),
    "a length of 2^64": post(b"Content-Length: 18446744073709551616\r\n"),
    "a length with a space inside": post(b"Content-Length: 0 0\r\n"),
    "a space before the colon of a length": post(b"Content-Length : 0\r\n"),
    "a tab before the colon of a coding": post(b"Transfer-Encoding\t: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "chunked twice": (501, post(b"Transfer-Encoding: chunked, chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "chunked in two fields": post(CHUNKED + CHUNKED, b"0\r\n\r\n" + SMUGGLED),
    "chunked, and identity": (501, post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "an unknown coding": (501, post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "a quoted coding": (501, post(b"Transfer-Encoding: \"chunked\"\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "a vertical tab in a coding": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "a coding behind a comma": (501, post(b"Transfer-Encoding: ,chunked\r\n", b"0\r\n\r\n" + SMUGGLED)),
    "a coding with '_'": post(b"Transfer_Encoding: chunked\r\n", b"0\r\n\r\n" + SMUGGLED),
    "a length with '_'": post(b"Content_Length: 0\r\n"),
    "a length, and an empty coding": (501, post(ALL + b"Transfer-Encoding:\r\n")),
    "an expectation that nobody knows": (417, post(ALL + b"Expect: y 100-continue\r\n")),
    "two expectations": (417, post(ALL + b"Expect: 100-continue\r\nExpect: 100-continue\r\n")),
    "a body of GET in HTTP/1.0": post(ALL, line=b"GET /a/ok HTTP/1.0\r\nHost: x\r\n"),
    "chunks in HTTP/1.0": post(CHUNKED, b"0\r\n\r\n" + SMUGGLED, b"POST / HTTP/1.0\r\nHost: x\r\n"),
    "a chunk of 0x0": post(CHUNKED, b"0x0\r\n\r\n" + SMUGGLED),
    "a chunk with a sign": post(CHUNKED, b"+0\r\n\r\n" + SMUGGLED),
    "a chunk with spaces before its size": post(CHUNKED, b" 0\r\n\r\n" + SMUGGLED),
    "a chunk of 2^64": post(CHUNKED, b"10000000000000000\r\n\r\n" + SMUGGLED),
    "a chunk's size of 18 digits": post(CHUNKED, b"000000000000000000\r\n\r\n" + SMUGGLED),
    "a chunk's size with an underscore": post(CHUNKED, b"0_0\r\n\r\n" + SMUGGLED),
    "an empty chunk size": post(CHUNKED, b"\r\n\r\n" + SMUGGLED),
    "a blank behind a chunk's size": post(CHUNKED, b"0 \r\n\r\n" + SMUGGLED),
    "a line feed behind the last chunk": post(CHUNKED, b"0\r\n\n" + SMUGGLED),
    "a length in a trailer": post(CHUNKED, b"0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED),
    "a client in a trailer": post(CHUNKED, b"0\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n" + SMUGGLED),
    "a space before the colon of a trailer": post(CHUNKED, b"0\r\nX : y\r\n\r\n" + SMUGGLED),
    "a chunk that is longer than its size": post(CHUNKED, b"1\r\nab\r\n0\r\n\r\n" + SMUGGLED),
    "a chunk that ends with a line feed": post(CHUNKED, b"1\r\na\n0\r\n\r\n" + SMUGGLED),
    "a chunk's size that ends with a line feed": post(CHUNKED, b"1\na\r\n0\r\n\r\n" + SMUGGLED),
    "a bare CR in a chunk's extension": post(CHUNKED, b"0;a\rb\r\n\r\n" + SMUGGLED),
    "a folded trailer": post(CHUNKED, b"0\r\nX: a\r\n b\r\n\r\n" + SMUGGLED),
    "a trailer without a colon": post(CHUNKED, b"0\r\nX\r\n\r\n" + SMUGGLED),
    "a folded field": get("ok", b"X: a\r\n b\r\n"),
    "a bare CR in a field": get("ok", b"X: a\rContent-Length: 5\r\n"),
    "lines that end with a line feed": b"GET /a/ok HTTP/1.1\nHost: x\n\n",
    "a NUL in a field": get("ok", b"X: a\0b\r\n"),
    "a field without a name": get("ok", b": x\r\n"),
    "a field without a colon": get("ok", b"X\r\n"),
    "a space in a name": get("ok", b"X Y: z\r\n"),
    "no Host": b"GET /a/ok HTTP/1.1\r\n\r\n",
    "Connection that names Host": get("ok", b"Connection: Host\r\n"),
    "Connection that names Content-Length": post(ALL + b"Connection: Content-Length\r\n"),
    "two Hosts": get("ok", b"Host: y\r\n"),
    "the same Host twice": get("ok", b"Host: x\r\n"),
    "an empty Host": b"GET /a/ok HTTP/1.1\r\nHost:\r\n\r\n",
    "an empty port in Host": b"GET /a/ok HTTP/1.1\r\nHost: x:\r\n\r\n",
    "a port of 65536 in Host": b"GET /a/ok HTTP/1.1\r\nHost: x:65536\r\n\r\n",
    "a space before the first field": b"GET /a/ok HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n",
    "a list of Hosts": b"GET /a/ok HTTP/1.1\r\nHost: x, y\r\n\r\n",
    "a path in Host": b"GET /a/ok HTTP/1.1\r\nHost: x/y\r\n\r\n",
    "a user in Host": b"GET /a/ok HTTP/1.1\r\nHost: u@x\r\n\r\n",
    "a target with another host": b"GET http://y/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target with another port": b"GET http://x:81/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a user in a target": b"GET http://u@x/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target of another scheme": b"GET ftp://x/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target without Host beside it": b"GET http://x/a/ok HTTP/1.1\r\n\r\n",
    "a byte over 127 in a target": b"GET /a/\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "half an escape in a target": b"GET /a/%4 HTTP/1.1\r\nHost: x\r\n\r\n",
    "an escaped way above the root": b"GET /%2e%2e/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a method in small letters": get("ok", method=b"get"),
    "a method with a tab behind it": b"GET\t/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "two empty lines before a request": b"\r\n\r\n" + get("ok"),
    "a bare line feed before a request": b"\n" + get("ok"),
    "a target with a space": b"GET /a /ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target with a fragment": b"GET /a/ok#x HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target without a slash": b"GET a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a target above the root": b"GET /../ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "%00 in a target": b"GET /a/%00ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "a backslash in a target": b"GET /a\\ok HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET *": b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    "CONNECT": (501, b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n"),
    "HTTP/1.1 in small letters": b"GET /a/ok http/1.1\r\nHost: x\r\n\r\n",
    "HTTP/2.0": (505, get("ok", version=b"2.0")),
    "HTTP/0.9": b"GET /a/ok\r\n\r\n",
    "a preface of HTTP/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a PROXY header that nobody asked for": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + get("ok"),
    "a head of 40 000 bytes": (431, get("ok", LONG)),
    "101 fields": (431, get("ok", b"".join(b"X-%d: x\r\n" % i for i in range(101)))),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n",
}

# Refused, too, but not before a part has gone on.
REFUSED_LATE = {
    "a chunk's extension of 5000 bytes": post(CHUNKED, b"0;" + b"x" * 5000 + b"\r\n\r\n" + SMUGGLED),
    "trailers of 9000 bytes": post(CHUNKED, b"0\r\n" + (b"X: " + b"x" * 1000 + b"\r\n") * 9 + b"\r\n" + SMUGGLED),
}


class Suite:
    def __init__(self, address, endpoint):
        self.address, self.failed, self.smuggled = address, 0, []
        self.direct = socket.create_connection(endpoint, 20)
        self.seen_by = Reader(self.direct)

    def check(self, what, held, why=""):
        self.failed += not held
        print(f"  ok     {what}" if held else f"  FAILED {what}: {why}", flush=True)

    def seen(self):
        """What the endpoint was sent since the last time: [{connection, head}]."""
        self.direct.sendall(b"GET /seen HTTP/1.1\r\nHost: x\r\n\r\n")
        _, fields = self.seen_by.head()
        seen = json.loads(self.seen_by.body(fields))
        self.smuggled += [one for one in seen if "smuggled" in one["head"]]
        return seen

    def connect(self):
        connection = socket.create_connection(self.address, 20)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, Reader(connection)

    @staticmethod
    def answer(reader, bodiless=False):
        line, fields = reader.head()
        if not line:
            return 0, {}, b""
        status = int(line.split(b" ")[1])
        if bodiless or status < 200 or status in (204, 304):
            return status, fields, b""
        return status, fields, reader.body(fields, None)

    def ask(self, *parts, bodiless=False):
        """One request, in a connection of its own: status, fields, body."""
        connection, reader = self.connect()
        with connection:
            for part in parts:
                connection.sendall(part)
            return self.answer(reader, bodiless)

    # ---- requests ----

    def refusals(self):
        for name, case in REFUSED.items():
            status, data = case if isinstance(case, tuple) else (400, case)
            connection, reader = self.connect()
            with connection:
                connection.sendall(data)
                try:
                    got, _, _ = self.answer(reader)
                    rest = reader.file.read()
                except (OSError, ValueError) as error:
                    got, rest = error, b""
            seen = self.seen()
            self.check(f"{status}: {name}", got == status and not rest and not seen,
                       f"{got}, then {rest[:80]!r}; the endpoint saw {seen}")

    def late_refusals(self):
        """The head has gone on by then: the endpoint sees no end of the body, and nothing behind."""
        for name, case in {**REFUSED, **REFUSED_LATE}.items():
            head, _, body = (case if isinstance(case, bytes) else b"").partition(b"\r\n\r\n")
            if CHUNKED not in head + b"\r\n" or b"Content-Length" in head or b"HTTP/1.0" in head:
                continue
            connection, reader = self.connect()
            with connection:
                connection.sendall(head + b"\r\n\r\n3\r\nabc\r\n")
                try:
                    connection.sendall(body)
                    got, _, _ = self.answer(reader)
                    rest = reader.file.read()
                except (OSError, ValueError) as error:
                    got, rest = error, b""
            self.check(f"400, in two parts: {name}", got == 400 and not rest,
                       f"{got}, then {rest[:80]!r}")

    def heads(self):
        sent = get("ok", b"Connection: keep-alive, X-Named\r\nX-Named: 1\r\nKeep-Alive: 5\r\n"
                   b"Proxy-Connection: x\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\n"
                   b"X-Forwarded-Host: evil\r\nX_Forwarded_For: 1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\n"
                   b"Forwarded: for=1.2.3.4\r\nTE: gzip, trailers\r\nX-Kept: yes\r\n")
        status, _, _ = self.ask(sent)
        head = "".join(one["head"] for one in self.seen() if "/a/ok " in one["head"]).lower()
        self.check("fields of one connection do not go on", status == 200 and not any(
            name in head for name in ("x-named", "keep-alive", "proxy-connection", "gzip")), head)
        self.check("the others do", "host: x" in head and "x-kept" in head, head)
        self.check("who says whom a request is for is not believed", not any(
            name in head for name in ("1.2.3.4", "evil", "forwarded-proto")), head)
        status, fields, _ = self.ask(get("private"))
        self.check("nor do an endpoint's", status == 200 and b"x-public" in fields and not
                   {b"x-private", b"keep-alive", b"proxy-connection"} & set(fields), fields)
        self.seen()
        for i, data in enumerate((get("ok", version=b"1.0"), b"GET /a/ok HTTP/1.0\r\n\r\n",
                                  b"GET http://x/a/ok HTTP/1.1\r\nHost: x\r\n\r\n",
                                  b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n" + get("ok"))):
            status, _, body = self.ask(data)
            self.check(f"200: {data[:24]!r}", (status, body) == (200, b"ok"), (status, body))
        self.seen()
        self.ask(b"OPTIONS http://x HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = self.seen()
        self.check("OPTIONS of a whole server is one", seen[0]["head"].startswith("OPTIONS * "), seen)
        self.ask(b"GET http://X/a/ok HTTP/1.1\r\nHost: x\r\n\r\n")
        seen = self.seen()
        self.check("a whole URL goes on as a path", seen[0]["head"].startswith("GET /a/ok ") and
                   "host: X" in seen[0]["head"], seen)

    # ---- answers ----

    def malformed_answers(self):
        for name in MALFORMED:
            status, _, body = self.ask(get(name))
            self.check(f"502: {name}", status == 502, (status, body))
        for name in CUT:
            try:
                got = self.ask(get(name))
            except (OSError, ValueError) as error:
                got = error
            self.check(f"broken off: {name}", isinstance(got, (OSError, ValueError)), got)
        self.seen()

    def poisoned(self):
        """Whatever is wrong with an exchange, the next one has an endpoint's connection to itself."""
        cases = {name: get(name) for name in ("more-than-asked", *MALFORMED, *CUT)}
        cases["body-to-head"] = get("body-to-head", method=b"HEAD")
        cases["too-early"] = get("too-early", LENGTH % 100000, b"POST") + b"x" * 1000
        cases["unwanted"] = post(LENGTH % len(get("poison")) + b"Expect: 100-continue\r\n", get("poison"),
                                 b"POST /a/unwanted HTTP/1.1\r\nHost: x\r\n")
        cases["malformed chunks"] = post(CHUNKED, b"3\r\nabc\r\n") + b"zz\r\n"
        for name, data in cases.items():
            try:
                self.ask(data, bodiless=name == "body-to-head")
            except (OSError, ValueError):
                pass
            used = {one["connection"] for one in self.seen()}
            answers = [self.ask(get("ok")) for _ in range(4)]
            after = {one["connection"] for one in self.seen()}
            self.check(f"not used again after: {name}", not used & after
                       and all(one[0] == 200 and one[2] == b"ok" for one in answers), answers)

    def bodiless(self):
        cases = (("long", b"HEAD", 200, b"1000"), ("not-modified", b"GET", 304, b"1000"),
                 ("no-content", b"GET", 204, None), ("ok", b"HEAD", 200, b"2"))
        connection, reader = self.connect()
        with connection:
            connection.sendall(b"".join(get(name, method=method) for name, method, _, _ in cases)
                               + get("ok"))
            for name, method, status, length in cases:
                got, fields, _ = self.answer(reader, True)
                self.check(f"{method.decode()} {name}: no body, and its length",
                           (got, fields.get(b"content-length")) == (status, length), (got, fields))
            self.check("... and the one behind them", self.answer(reader)[2] == b"ok")
        status, fields, body = self.ask(get("to-the-end"))
        self.check("a body that ends with the connection",
                   (status, body, fields.get(b"connection")) == (200, b"all of it", b"close"), fields)

    def interim(self):
        connection, reader = self.connect()
        with connection:
            connection.sendall(get("interim") + get("ok"))
            got = [self.answer(reader)[0] for _ in range(4)]
        self.check("interim answers go on", got == [103, 102, 200, 200], got)
        got = self.ask(get("interim", version=b"1.0"))
        self.check("... but not to HTTP/1.0", got[0] == 200 and got[2] == b"ok", got)
        connection, reader = self.connect()
        with connection:
            connection.sendall(get("echo", LENGTH % 5 + b"Expect: 100-continue\r\n", b"POST"))
            first = self.answer(reader)[0]
            connection.sendall(b"hello" + get("ok"))
            got = first, self.answer(reader)[2], self.answer(reader)[2]
        self.check("Expect: 100-continue", got == (100, b"hello", b"ok"), got)
        got = self.ask(get("refused", LENGTH % 5 + b"Expect: 100-continue\r\n", b"POST"))
        self.check("... and an endpoint that does not want the body", got[0] == 417, got)

    def retries(self):
        self.seen()
        for method, status, times in ((b"GET", 200, 2), (b"HEAD", 200, 2), (b"DELETE", 200, 2),
                                      (b"POST", 502, 1), (b"PATCH", 502, 1)):
            got = self.ask(get("the-second-time", method=method), bodiless=method == b"HEAD")[0]
            seen = len(self.seen())
            self.check(f"{method.decode()} is sent {times} times: {status}", (got, seen) == (status, times),
                       (got, seen))
        for _ in range(16):  # every worker has a connection that waits
            self.ask(get("ok"))
        self.seen()
        got = [(self.ask(get("never"))[0], len(self.seen())) for _ in range(8)]
        self.check("... and once more where a connection had waited, which may have been closed before",
                   set(got) <= {(502, 2), (502, 3)}, got)
        got = self.ask(get("half-a-head"))[0], len(self.seen())
        self.check("not after half an answer", got == (502, 1), got)
        body = b"x" * 100000
        got = self.ask(get("the-second-time", LENGTH % len(body), b"PUT"), body)[0], len(self.seen())
        self.check("not with a body that was not all there", got == (502, 1), got)

    def upgrades(self):
        connection, reader = self.connect()
        with connection:
            connection.sendall(get("upgrade", b"Connection: Upgrade\r\nUpgrade: echo\r\n") + b"first ")
            status, fields, _ = self.answer(reader)
            for part in (b"x" * 300000, b" last"):
                connection.sendall(part)
            connection.shutdown(socket.SHUT_WR)
            got = reader.file.read()
        self.check("an upgrade, and what is said before and after it", status == 101 and
                   fields.get(b"upgrade") == b"echo" and
                   got == b"welcome first " + b"x" * 300000 + b" last goodbye", (status, got[:40], len(got)))
        status, fields, body = self.ask(get("ok", b"Connection: Upgrade\r\nUpgrade: echo\r\n"))
        self.check("one that the endpoint does not want", (status, body) == (200, b"ok"), status)
        self.seen()
        connection, reader = self.connect()
        with connection:
            connection.sendall(get("echo", b"Connection: Upgrade\r\nUpgrade: echo\r\n" + LENGTH % 5, b"POST")
                               + b"hello" + get("ok"))
            got = self.answer(reader)[2], self.answer(reader)[2]
        heads = [one["head"].lower() for one in self.seen()]
        self.check("one with a body goes on as none", got == (b"hello", b"ok") and
                   not any("upgrade" in head for head in heads), (got, heads))

    def after_the_last(self):
        """What stands behind a client's last request is nothing to anybody."""
        for what, last in (("close", get("ok", b"Connection: close\r\n")), ("HTTP/1.0", get("ok", version=b"1.0"))):
            for behind in (SMUGGLED, b"\0\x16 no HTTP \r\n\r\n", b"x" * 100000):
                connection, reader = self.connect()
                with connection:
                    try:
                        connection.sendall(last + behind)
                    except OSError:
                        pass
                    status = self.answer(reader)[0]
                    rest = reader.file.read()
                self.check(f"nothing is read behind the last request ({what}, {len(behind)} bytes)",
                           status == 200 and not rest, (status, rest[:80]))

    def run(self):
        for part in (self.refusals, self.late_refusals, self.heads, self.malformed_answers,
                     self.poisoned, self.bodiless, self.interim, self.retries, self.upgrades,
                     self.after_the_last):
            part()
        self.seen()
        self.check("nothing was smuggled", not self.smuggled, self.smuggled)
        return self.failed > 0


if sys.argv[1] == "serve":
    Endpoint(int(sys.argv[2])).serve()
else:
    sys.exit(Suite((sys.argv[2], int(sys.argv[3])), (sys.argv[4], int(sys.argv[5]))).run())
