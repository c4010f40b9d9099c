#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""crowd.py ADDRESS PORT STAYING MORE PID...: STAYING connections make a request, MORE others are opened
and say nothing, then the first make another request, all at once. Prints how many were answered each
time, how many percent of two seconds the processes work while the crowd waits, and how many of ten new
connections are answered once it has gone: {"first", "again", "busy", "after"}."""
import json
import os
import socket
import sys
import time

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def answered(connections):
    for connection in connections:
        connection.sendall(REQUEST)
    return sum(connection.recv(4096).startswith(b"HTTP/1.1 200") for connection in connections)


def work(pids):
    """Seconds of CPU."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main():
    address, (staying, more) = (sys.argv[1], int(sys.argv[2])), map(int, sys.argv[3:5])
    stay = [socket.create_connection(address, 30) for _ in range(staying)]
    result = {"first": answered(stay)}
    crowd = [socket.create_connection(address, 30) for _ in range(more)]
    time.sleep(0.5)
    result["again"] = answered(stay)
    before = work(sys.argv[5:])
    time.sleep(2)
    result["busy"] = round((work(sys.argv[5:]) - before) * 50)
    for connection in crowd:
        connection.close()
    result["after"] = answered([socket.create_connection(address, 30) for _ in range(10)])
    print(json.dumps(result))


main()
