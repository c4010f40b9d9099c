#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""notified.py SOCKET LOG: a service manager's ear. Appends a line per datagram: seconds, and what it
says, with blanks for newlines. Whoever has read enough truncates the log."""
import os
import socket
import sys
import time

ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
with open(sys.argv[2], "a") as log:
    while True:
        text = ear.recv(65536).decode()
        print(f"{time.monotonic():.3f} {text}".replace("\n", " "), file=log, flush=True)
