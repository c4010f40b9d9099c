#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""answers.py FOLDER [CERTIFICATE KEY PORT]...

What a health check may meet: one odd server per TCP port, on all addresses.

  9001 accepts and says nothing       9006 resets the connection
  9002 says something else than HTTP  9007 the status that FOLDER/status names
  9003 a status line without an end   9008 302, to the request of the test alone; else 404
  9004 right, but a byte at a time    9009 100 and 103 before its 200
  9005 closes at once

With each CERTIFICATE and KEY, an HTTPS server that answers 200 at PORT; for /early after a 103 with
4 KiB of headers, all in one record, and without closing the connection.
"""
import socket
import ssl
import struct
import sys
import threading
import time

REQUEST = b"GET /health?x=1 HTTP/1.1\r\nHost: check.example:81\r\n"


def silent(peer, folder):
    time.sleep(60)


def garbage(peer, folder):
    peer.sendall(b"\x00\xff220 mail.example ESMTP\r\n" * 10)


def endless(peer, folder):
    peer.sendall(b"HTTP/1.1 200 ")
    while True:
        peer.sendall(b"x" * 65536)


def slow(peer, folder):
    for byte in b"HTTP/1.1 200 OK\r\n\r\n":
        peer.sendall(bytes([byte]))
        time.sleep(0.2)


def close(peer, folder):
    peer.recv(65536)


def reset(peer, folder):
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def status(peer, folder):
    peer.recv(65536)
    with open(folder + "/status", encoding="ascii") as file:
        peer.sendall(b"HTTP/1.1 %d \r\n\r\n" % int(file.read()))


def particular(peer, folder):
    right = peer.recv(65536).startswith(REQUEST)
    peer.sendall(b"HTTP/1.1 302 Found\r\n\r\n" if right else b"HTTP/1.1 404 \r\n\r\n")


def interim(peer, folder):
    peer.recv(65536)
    peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 \r\nLink: x\r\n\r\n")
    time.sleep(0.1)
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")


ANSWERS = [silent, garbage, endless, slow, close, reset, status, particular, interim]


def answer(peer, how, folder, context):
    try:
        with context.wrap_socket(peer, server_side=True) if context else peer as connection:
            how(connection, folder)
    except OSError:
        pass  # whoever asks may go at any time


def serve(port, how, folder, context=None):
    server = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    while True:
        peer = server.accept()[0]
        threading.Thread(target=answer, args=(peer, how, folder, context), daemon=True).start()


def fine(peer, folder):
    if not peer.recv(65536).startswith(b"GET /early "):
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        return
    hints = b"Link: </style.css>; rel=preload\r\n" * 128
    peer.sendall(b"HTTP/1.1 103 Early Hints\r\n" + hints + b"\r\nHTTP/1.1 200 OK\r\n\r\n")
    time.sleep(5)


def main():
    folder, secure = sys.argv[1], sys.argv[2:]
    threads = [threading.Thread(target=serve, args=(9001 + i, how, folder))
               for i, how in enumerate(ANSWERS)]
    for certificate, key, port in zip(secure[::3], secure[1::3], secure[2::3]):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        threads.append(threading.Thread(target=serve, args=(int(port), fine, folder, context)))
    for thread in threads:
        thread.start()


main()
