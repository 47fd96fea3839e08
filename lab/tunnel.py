# SPDX-License-Identifier: GPL-3.0-or-later
"""IPv6 hidden in IPv4, built by hand: what the demo sends, on a machine without scapy.

    send(lab.infected, sixinfour(lab.infected.v4, lab.mx_org.v4, syn(lab.infected.v6, lab.mx_org.v6, 25)))

`packets` makes the same and much more, with scapy, for the tests.
"""
import os
import socket
import struct

_TCP, _UDP, _IPV6 = 6, 17, 41
_TEREDO_PORT = 3544


def syn(src, dst, port):
    """An IPv6 packet with a TCP SYN to `port`; no two are alike."""
    src, dst = (socket.inet_pton(socket.AF_INET6, each) for each in (src, dst))
    head = struct.pack("!HH", 40000, port) + os.urandom(4) + struct.pack("!IBBH", 0, 5 << 4, 2, 64240)
    pseudo = src + dst + struct.pack("!II", 20, _TCP)
    tcp = head + struct.pack("!HH", _checksum(pseudo + head), 0)
    return struct.pack("!IHBB", 6 << 28, len(tcp), _TCP, 64) + src + dst + tcp


def sixinfour(src, dst, inner):
    """Protocol 41 (RFC 4213)."""
    return _ipv4(src, dst, _IPV6, inner)


def teredo(src, dst, inner):
    """IPv6 in UDP (RFC 4380)."""
    return _ipv4(src, dst, _UDP, struct.pack("!HHHH", 51000, _TEREDO_PORT, 8 + len(inner), 0) + inner)


def send(host, packet):
    """Send it from a host; returns it, for Capture.passed()."""
    with host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(packet, (socket.inet_ntoa(packet[16:20]), 0))
    return packet


def _ipv4(src, dst, protocol, data):
    """The kernel fills in the checksum, the identification and the length."""
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, protocol, 0) + \
        socket.inet_aton(src) + socket.inet_aton(dst) + data


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
