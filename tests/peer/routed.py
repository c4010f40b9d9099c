#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Both ends of connections whose plain requests the kernel routes, and on which something else comes.

routed.py serve PORT: an endpoint that answers /same?HOW&NUMBER as HOW says, and shows what it was asked.
routed.py ask ADDRESS PORT [CASE]: each case on a connection of its own that the kernel has by then: is
it answered as it would be without, and are those that follow? A line of JSON each: {"case", "why"}, why
being null where all is as it should be.
routed.py patient ADDRESS PORT COUNT: sends COUNT requests, and reads only then."""
import json
import re
import socket
import struct
import sys
import threading
import time
import zlib

PLAIN = b"GET /same?plain&%d HTTP/1.1\r\nHost: x\r\n\r\n"
WARM = 6  # plain requests until a connection is the kernel's

TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, RECEIVED, SENT = 19, 20, 21, 1, 2

# ---- a segment that overlaps the one before ----


def queue_end(connection, queue):
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
    return connection.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ) & 0xffffffff


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def send_again(connection, old, new):
    """What was sent last and what comes next in one segment, as after a loss."""
    (source, source_port), (to, to_port) = connection.getsockname(), connection.getpeername()
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    received, sent = queue_end(connection, RECEIVED), queue_end(connection, SENT)
    connection.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)  # and says nothing

    def segment(check):
        return struct.pack(">HHIIBBHHH", source_port, to_port, (sent - len(old)) & 0xffffffff, received,
                           5 << 4, 0x18, 512, check, 0) + old + new

    pseudo = socket.inet_aton(source) + socket.inet_aton(to) + struct.pack(">HH", 6, len(segment(0)))
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.sendto(segment(checksum(pseudo + segment(0))), (to, 0))
    time.sleep(0.05)
    connection.sendall(new)  # all of it is old there


# ---- the endpoint ----

asked = {}  # how often, by target


def text_of(status, body, fields=b"", length=None):
    length = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, length, fields, body)


def say(connection, how, head, again):
    """Whether the connection stays."""
    plain = text_of(b"200 OK", head)
    if how == b"big":
        connection.sendall(text_of(b"200 OK", head + b"." * 8193))
    elif how == b"huge":
        connection.sendall(text_of(b"200 OK", head + b"." * 300000))
    elif how == b"chunked":
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                           % (len(head), head))
    elif how == b"close":
        connection.sendall(text_of(b"200 OK", head, b"Connection: close\r\n"))
        return False
    elif how == b"until-close":
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + head)
        return False
    elif how == b"interim":
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n" + plain)
    elif how == b"error":
        connection.sendall(text_of(b"500 Oops", head))
    elif how == b"missing":
        connection.sendall(text_of(b"404 Not Found", head))
    elif how == b"unchanged":
        connection.sendall(b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n")
    elif how == b"alive":
        connection.sendall(text_of(b"200 OK", head, b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"))
    elif how == b"garbage":
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    elif how == b"lengths":
        connection.sendall(text_of(b"200 OK", head, b"Content-Length: 3\r\n"))
    elif how == b"extra":
        connection.sendall(plain + text_of(b"200 OK", b"poison"))
    elif how == b"later":
        connection.sendall(plain)
        time.sleep(0.05)
        connection.sendall(text_of(b"200 OK", b"poison"))
    elif how == b"half":
        connection.sendall(text_of(b"200 OK", head, length=len(head) + 50))
        return False
    elif how == b"deaf" or (how == b"mute" and not again):
        return False
    elif how == b"reset" and not again:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    elif how == b"never":
        time.sleep(3600)
    elif how == b"slow":
        time.sleep(0.3)
        connection.sendall(plain)
    elif how == b"split":
        for i in (20, len(plain) - 5, len(plain)):
            connection.sendall(plain[:i] if i == 20 else plain[20:i] if i < len(plain) else plain[-5:])
            time.sleep(0.02)
    elif how == b"twice":
        connection.sendall(plain[:-20])
        time.sleep(0.02)
        send_again(connection, plain[-40:-20], plain[-20:])
    elif how == b"parts":  # the head whole, the body by and by
        cut = plain.index(b"\r\n\r\n") + 4
        for part in (plain[:cut], plain[cut:-5], plain[-5:]):
            connection.sendall(part)
            time.sleep(0.02)
    else:
        connection.sendall(plain)
    return True


def read_head(file):
    lines = []
    while True:
        line = file.readline()
        if not line:
            return None
        if line == b"\r\n":
            return lines
        lines.append(line.rstrip(b"\r\n"))


def serve_connection(connection):
    file = connection.makefile("rb")
    try:
        while head := read_head(file):
            method, target, _ = head[0].split()
            body = b""
            for line in head[1:]:
                if line.lower().startswith(b"content-length:"):
                    body = file.read(int(line.split(b":")[1]))
            how, _, number = target.partition(b"?")[2].partition(b"&")
            again = asked.setdefault(target, 0)
            asked[target] += 1
            seen = json.dumps({"number": number.decode(), "fields": [line.decode("latin1") for line in head[1:]],
                               "method": method.decode(), "body": zlib.crc32(body),
                               "deaf": asked.get(b"/same?deaf&" + number, 0)}).encode()
            if method == b"HEAD":
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 77\r\nX-Number: %s\r\n\r\n" % number)
            elif not say(connection, how, seen, again):
                break
    except OSError:
        pass
    file.close()
    connection.close()


def serve(port):
    listening = socket.create_server(("", port), backlog=1024)
    while True:
        connection, _ = listening.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve_connection, args=(connection,), daemon=True).start()


# ---- the client ----


class Wrong(Exception):
    pass


class Asker:
    number = 0

    def __init__(self, address):
        self.connection = socket.create_connection(address, 20)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.connection.makefile("rb")
        for _ in range(WARM):
            self.plain()

    def send(self, text):
        self.connection.sendall(text)

    def answer(self, is_head=False):
        head = read_head(self.file)
        if not head:
            return None, {}, b""
        status = int(head[0].split()[1])
        fields = {}
        for line in head[1:]:
            name, _, value = line.partition(b":")
            fields[name.lower().decode()] = value.strip()
        body = b""
        if is_head or status in (204, 304) or status < 200:
            pass
        elif b"chunked" == fields.get("transfer-encoding"):
            while size := int(self.file.readline(), 16):
                body += self.file.read(size)
                self.file.readline()
            self.file.readline()
        elif "content-length" in fields:
            body = self.file.read(int(fields["content-length"]))
            if len(body) < int(fields["content-length"]):
                raise EOFError
        else:
            body = self.file.read()
        return status, fields, body

    def expect(self, number, wanted=200):
        """What the endpoint has seen of it."""
        status, _, body = self.answer()
        if status != wanted:
            raise Wrong(f"{status} instead of {wanted}")
        seen = json.loads(body.rstrip(b"."))
        if int(seen["number"]) != number:
            raise Wrong(f"the answer to {seen['number']}, not to {number}")
        return seen

    def next(self):
        Asker.number += 1
        return Asker.number

    def plain(self):
        number = self.next()
        self.send(PLAIN % number)
        return self.expect(number)

    def get(self, how, fields=b"", wanted=200):
        number = self.next()
        self.send(b"GET /same?%s&%d HTTP/1.1\r\nHost: x\r\n%s\r\n" % (how, number, fields))
        return self.expect(number, wanted)

    def status(self, text, wanted):
        self.send(text)
        status, fields, body = self.answer()
        if status != wanted:
            raise Wrong(f"{status} instead of {wanted}")
        return fields, body

    def ended(self):
        if self.file.read(1):
            raise Wrong("the connection goes on")


def answered(how, wanted=200):
    def case(ask):
        ask.get(how, wanted=wanted)
        ask.plain()
        ask.get(how, wanted=wanted)
        ask.plain()
    return case


def refused(text, status):
    def case(ask):
        ask.status(text, status)
        ask.ended()
    return case


def unseen(fields, name, goes_on=True):
    """The endpoint gets no such field, or not this value."""
    def case(ask):
        seen = ask.get(b"plain", fields)
        if any(re.match(name, field, re.I) for field in seen["fields"]):
            raise Wrong(f"the endpoint has seen {seen['fields']}")
        if goes_on:
            ask.plain()
        else:
            ask.ended()
    return case


def half(ask):
    try:
        ask.get(b"half")
    except (EOFError, ConnectionResetError):
        return
    raise Wrong("half an answer passes for a whole one")


def garbage(ask):
    ask.status(b"GET /same?garbage&1 HTTP/1.1\r\nHost: x\r\n\r\n", 502)
    ask.plain()


def never(ask):
    began = time.monotonic()
    ask.status(b"GET /same?never&1 HTTP/1.1\r\nHost: x\r\n\r\n", 504)
    if not 1.9 < time.monotonic() - began < 10:
        raise Wrong(f"after {time.monotonic() - began} s")
    ask.plain()


def deaf(ask):
    """Sent twice, and once where a connection had waited, by whomever."""
    for _ in range(8):
        number = ask.next()
        ask.status(b"GET /same?deaf&%d HTTP/1.1\r\nHost: x\r\n\r\n" % number, 502)
        ask.send(PLAIN % number)
        if (times := ask.expect(number)["deaf"]) > 3:
            raise Wrong(f"sent {times} times")
        Asker(ask.address)


def right_or_none(ask, number, *send, body=b""):
    """An answer that is right, or the connection's end, and then others are served."""
    try:
        for what in send:
            what()
        if ask.connection.recv(1, socket.MSG_PEEK) and ask.expect(number)["body"] != zlib.crc32(body):
            raise Wrong("the endpoint has got another body")
    except (EOFError, ConnectionError):
        pass
    Asker(ask.address).plain()


def overlapping_answer(ask):
    number = ask.next()
    ask.send(b"GET /same?twice&%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    right_or_none(ask, number)


def overlapping_requests(ask):
    first, second = ask.next(), ask.next()
    ask.send(PLAIN % first)
    ask.expect(first)
    right_or_none(ask, second, lambda: send_again(ask.connection, PLAIN % first, PLAIN % second))


def overlapping_body(ask):
    """What the worker reads goes the same way."""
    number, half = ask.next(), b"".join(b"%04d" % i for i in range(250))
    ask.send(b"POST /same?plain&%d HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" % number + half)
    time.sleep(0.05)
    right_or_none(ask, number, lambda: send_again(ask.connection, half[500:], half[:500]),
                  lambda: ask.send(half[500:]), body=half + half)


def pipelined(ask):
    for hows in ((b"plain",) * 5, (b"slow", b"plain", b"plain"), (b"parts", b"big", b"plain"),
                 (b"plain", b"chunked", b"parts", b"plain")):
        for pause in (0, 0.001, 0.02):
            numbers = [ask.next() for _ in hows]
            for number, how in zip(numbers, hows):
                ask.send(b"GET /same?%s&%d HTTP/1.1\r\nHost: x\r\n\r\n" % (how, number))
                time.sleep(pause)
            for number in numbers:
                ask.expect(number)
            ask.plain()


def hurried(ask):
    """The next request comes with the first bytes of an answer."""
    for _ in range(20):
        first, second = ask.next(), ask.next()
        ask.send(b"GET /same?parts&%d HTTP/1.1\r\nHost: x\r\n\r\n" % first)
        ask.connection.recv(1, socket.MSG_PEEK)
        ask.send(PLAIN % second)
        ask.expect(first)
        ask.expect(second)
        ask.plain()


def cut(ask):
    for at in range(1, len(PLAIN % 100000)):
        number = ask.next()
        text = PLAIN % number
        ask.send(text[:at])
        time.sleep(0.002)
        ask.send(text[at:])
        ask.expect(number)
        ask.plain()


def with_body(ask):
    number = ask.next()
    ask.send(b"POST /same?plain&%d HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello" % number)
    if ask.expect(number)["method"] != "POST":
        raise Wrong("no POST")
    ask.plain()


def head(ask):
    for _ in range(3):
        number = ask.next()
        ask.send(b"HEAD /same?plain&%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        status, fields, _ = ask.answer(True)
        if status != 200 or fields.get("content-length") != b"77" or int(fields["x-number"]) != number:
            raise Wrong(f"{status} {fields}")
        ask.plain()


def unchanged(ask):
    ask.status(b"GET /same?unchanged&1 HTTP/1.1\r\nHost: x\r\n\r\n", 304)
    ask.plain()


def alive(ask):
    for _ in range(3):
        fields, _ = ask.status(b"GET /same?alive&1 HTTP/1.1\r\nHost: x\r\n\r\n", 200)
        if "keep-alive" in fields:
            raise Wrong("what is for the connection to the endpoint comes to the client")
        ask.plain()


def interim(ask):
    for _ in range(2):
        number = ask.next()
        ask.send(b"GET /same?interim&%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        if ask.answer()[0] != 103:
            raise Wrong("no interim answer")
        ask.expect(number)
        ask.plain()


def half_closed(ask):
    number = ask.next()
    ask.send(b"GET /same?slow&%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
    ask.connection.shutdown(socket.SHUT_WR)
    ask.expect(number)
    ask.ended()


def half_closed_twice(ask):
    numbers = [ask.next() for _ in range(3)]
    ask.send(b"".join(PLAIN % number for number in numbers))
    ask.connection.shutdown(socket.SHUT_WR)
    for number in numbers:
        ask.expect(number)
    ask.ended()


def old(ask):
    number = ask.next()
    ask.send(b"GET /same?plain&%d HTTP/1.0\r\nHost: x\r\n\r\n" % number)
    ask.expect(number)
    ask.ended()


def gone(ask):
    ask.send(b"GET /same?slow&1 HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.05)
    ask.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ask.file.close()
    ask.connection.close()
    time.sleep(0.5)
    Asker(ask.address).plain()


def idle(ask):
    began = time.monotonic()
    ask.ended()
    if not 1.5 < time.monotonic() - began < 8:
        raise Wrong(f"after {time.monotonic() - began} s")


def seen_as(ask):
    """One that the kernel has routed says so by what it has not."""
    for _ in range(20):
        if not any(field.lower().startswith("x-forwarded-for") for field in ask.plain()["fields"]):
            return
    raise Wrong("the kernel routes nothing")


GET = b"GET /same?plain&1 HTTP/1.1\r\n"
CASES = {
    "the kernel has it": seen_as,
    "a large answer": answered(b"big"),
    "a larger one": answered(b"huge"),
    "chunks": answered(b"chunked"),
    "the endpoint closes, and says so": answered(b"close"),
    "the end of the connection is that of the answer": lambda ask: (ask.get(b"until-close"), ask.ended()),
    "an interim answer": interim,
    "500": answered(b"error", 500),
    "404": answered(b"missing", 404),
    "304": unchanged,
    "an endpoint's Keep-Alive": alive,
    "HEAD": head,
    "no HTTP": garbage,
    "two lengths": lambda ask: (ask.status(b"GET /same?lengths&1 HTTP/1.1\r\nHost: x\r\n\r\n", 502), ask.plain()),
    "an answer too many": answered(b"extra"),
    "... and later": lambda ask: [(ask.get(b"later"), time.sleep(0.1), ask.plain()) for _ in range(5)],
    "half an answer": half,
    "no answer, but the connection's end": answered(b"mute"),
    "... or its reset": answered(b"reset"),
    "... each time": deaf,
    "never an answer": never,
    "a slow answer": answered(b"slow"),
    "a head in pieces": answered(b"split"),
    "a body in pieces": answered(b"parts"),
    "bytes of an answer that come twice": overlapping_answer,
    "... of requests": overlapping_requests,
    "... of a body": overlapping_body,
    "several requests at once": pipelined,
    "a request before its time": hurried,
    "a request in two pieces, cut anywhere": cut,
    "a body": with_body,
    "HTTP/1.0": old,
    "a client that half closes": half_closed,
    "... behind several": half_closed_twice,
    "a client that goes": gone,
    "a client that says nothing": idle,
    "a spoofed X-Forwarded-For": unseen(b"X-Forwarded-For: 6.6.6.6\r\n", r"x-forwarded-for:.*6\.6\.6\.6"),
    "... in disguise": unseen(b"X_Forwarded_For: 6.6.6.6\r\n", r".*6\.6\.6\.6"),
    "... as Forwarded": unseen(b"Forwarded: for=6.6.6.6\r\n", r".*6\.6\.6\.6"),
    "... as X-Real-IP": unseen(b"x-real-ip: 6.6.6.6\r\n", r".*6\.6\.6\.6"),
    "a field for this connection": unseen(b"Connection: x-mine\r\nX-Mine: 1\r\n", "x-mine"),
    "Keep-Alive": unseen(b"Keep-Alive: timeout=5\r\n", "keep-alive"),
    "Connection: close": unseen(b"Connection: close\r\n", "connection: *close", False),
    "a long head": lambda ask: (ask.get(b"plain", b"X-Long: %s\r\n" % (b"a" * 3000)), ask.plain()),
    "a head over the limit": refused(GET + b"Host: x\r\nX-Long: %s\r\n\r\n" % (b"a" * 5000), 431),
    "no Host": refused(GET + b"\r\n", 400),
    "two Hosts": refused(GET + b"Host: x\r\nHost: x\r\n\r\n", 400),
    "a Host that is none": refused(GET + b"Host: a..b\r\n\r\n", 400),
    "a folded field": refused(GET + b"Host: x\r\nX-A: 1\r\n 2\r\n\r\n", 400),
    "a control character": refused(GET + b"Host: x\r\nX-A: 1\x00\r\n\r\n", 400),
    "a bare LF": refused(GET + b"Host: x\nX-A: 1\r\n\r\n", 400),
    "a blank before the colon": refused(GET + b"Host : x\r\n\r\n", 400),
    "length and chunks": refused(GET + b"Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a coding in disguise": refused(GET + b"Host: x\r\nTransfer_Encoding: chunked\r\n\r\n", 400),
}


def ask(address, port, only=None):
    for name, case in CASES.items():
        if only not in (None, name):
            continue
        why = None
        try:
            Asker.address = (address, int(port))
            case(Asker((address, int(port))))
        except (Wrong, OSError, EOFError, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
        print(json.dumps({"case": name, "why": why}), flush=True)


def patient(address, port, count):
    asker = Asker((address, int(port)))
    numbers = [asker.next() for _ in range(int(count))]
    sender = threading.Thread(target=lambda: [asker.send(PLAIN % number) for number in numbers], daemon=True)
    sender.start()
    time.sleep(3)
    print("sent", flush=True)
    time.sleep(3)
    for number in numbers:
        asker.expect(number)
    print(len(numbers), flush=True)


if __name__ == "__main__":
    {"serve": lambda port: serve(int(port)), "ask": ask, "patient": patient}[sys.argv[1]](*sys.argv[2:])
