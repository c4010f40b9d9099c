# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# idle.py COUNT URL: opens so many connections, asks once on each, says "ready" and holds them.
import socket
import sys
import time
from urllib.parse import urlparse

url = urlparse(sys.argv[2])
held = []
for _ in range(int(sys.argv[1])):
    connection = socket.create_connection((url.hostname, url.port or 80), timeout=10)
    connection.sendall(f"GET {url.path} HTTP/1.1\r\nHost: {url.hostname}\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"x" * 128):
        received = connection.recv(4096)
        if not received:
            sys.exit("closed: " + answer.decode(errors="replace"))
        answer += received
    held.append(connection)
print("ready", flush=True)
while True:
    time.sleep(60)
