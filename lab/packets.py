# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets no mail program sends: tunnels, spoofed sources, wrong ports. Built with scapy, sent raw from a host.

    inner = syn("2001:db8:100:1000::10", lab.mx_org.v6)
    send(lab.home1, sixinfour(lab.home1.v4, lab.mx_org.v4, inner))
    send(lab.home1, teredo(lab.home1.v4, lab.mx_org.v4, inner, dport=40000, origin=("203.0.113.9", 4096)))

Every function returns a scapy packet from the IP header on, so a test may change any field, or fragment it. A SYN has a
random sequence number: no two packets are alike, and Capture.passed() cannot take one for another.
"""
import random
import socket
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting,
                                fragment6)
from scapy.packet import Raw

__all__ = ["ICMP", "IP", "IPv6", "IPv6ExtHdrDestOpt", "IPv6ExtHdrFragment", "IPv6ExtHdrHopByHop", "IPv6ExtHdrRouting",
           "Raw", "TCP", "UDP", "address_6to4", "address_teredo", "flood", "fragment", "fragment6", "ip", "send",
           "sixinfour", "syn", "teredo"]
TEREDO_PORT = 3544


def ip(src, dst):
    return IPv6(src=src, dst=dst) if ":" in dst else IP(src=src, dst=dst)


def syn(src, dst, dport=25, sport=None, flags="S"):
    """A TCP segment out of the blue; src may be anybody's address, sport may be 25."""
    return ip(src, dst) / TCP(sport=sport or random.randint(20000, 60000), dport=dport, flags=flags,
                              seq=random.getrandbits(32))


def sixinfour(src, dst, inner):
    """IPv6 in IPv4, protocol 41. With address_6to4() for the inner addresses it is 6to4."""
    return IP(src=src, dst=dst, proto=41) / inner


def address_6to4(v4, host=1):
    """2002:V4::/48 (RFC 3056)."""
    return socket.inet_ntop(socket.AF_INET6, b"\x20\x02" + socket.inet_aton(v4) + bytes(8) + host.to_bytes(2, "big"))


def address_teredo(server, client, port):
    """2001::/32, server, flags, and the client's port and address inverted (RFC 4380 section 4)."""
    inverted = bytes(255 - byte for byte in port.to_bytes(2, "big") + socket.inet_aton(client))
    return socket.inet_ntop(socket.AF_INET6, b"\x20\x01\0\0" + socket.inet_aton(server) + bytes(2) + inverted)


def teredo(src, dst, inner, dport=TEREDO_PORT, sport=TEREDO_PORT, origin=None, authentication=None):
    """IPv6 in UDP (RFC 4380 5.1.1). origin: (address, port) of an origin indication. authentication: (client id,
    value), byte strings that may be empty."""
    before = b""
    if authentication is not None:
        client, value = authentication
        before += b"\0\1" + bytes([len(client), len(value)]) + client + value + random.randbytes(8) + b"\0"
    if origin is not None:
        address, port = origin
        before += bytes(2) + (port ^ 0xffff).to_bytes(2, "big") + bytes(255 - b for b in socket.inet_aton(address))
    return IP(src=src, dst=dst) / UDP(sport=sport, dport=dport) / Raw(before + bytes(inner))


def send(host, packet):
    """Send one packet from a host, source and all as written in it; returns its bytes, for Capture.passed()."""
    data = bytes(packet)
    with _raw_socket(host, data) as raw:
        raw.sendto(data, _destination(data))
    return data


def flood(host, packets, seconds):
    """Send these packets (of one family) round and round, as fast as one core can; returns how many were sent."""
    ready = [(bytes(packet), _destination(bytes(packet))) for packet in packets]
    sent, deadline = 0, time.monotonic() + seconds
    with _raw_socket(host, ready[0][0]) as raw:
        while time.monotonic() < deadline:
            for data, destination in ready:
                raw.sendto(data, destination)
            sent += len(ready)
    return sent


def _raw_socket(host, data):
    return host.socket(socket.AF_INET6 if data[0] >> 4 == 6 else socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)


def _destination(data):
    if data[0] >> 4 == 6:
        return socket.inet_ntop(socket.AF_INET6, data[24:40]), 0
    return socket.inet_ntop(socket.AF_INET, data[16:20]), 0
