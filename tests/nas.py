# SPDX-License-Identifier: GPL-3.0-or-later
"""A NAS that reports sessions by RADIUS: the real radclient, and one of our own for what that never does.

    nas = Nas("192.0.2.254", 1813, b"secret", source="192.0.2.1", netns=namespace.netns)
    assert radclient(nas, Acct_Status_Type="Start", User_Name="alice", ...)     # answered
    nas.send(packet := nas.packet(START, user="alice", session="a1", address="198.51.100.7"))
    nas.send(packet)                                                            # the same bytes again
    assert nas.answers(2) == [packet[1]] * 2
"""
import contextlib
import hashlib
import ipaddress
import os
import select
import socket
import struct
import subprocess
import time

from lab import netns as spaces

START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8


def attribute(kind, value):
    return bytes([kind, len(value) + 2]) + value


def number(kind, value):
    return attribute(kind, struct.pack("!I", value))


class Nas:
    def __init__(self, server, port, secret, source="127.0.0.1", netns=None):
        self.server, self.port, self.secret, self.source, self.netns = server, port, secret, source, netns
        self.name, self.next, self.sent = "bras0", 0, {}
        with spaces.inside(netns) if netns else contextlib.nullcontext():
            self.socket = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, 0))

    def close(self):
        self.socket.close()

    def packet(self, status, user=None, session=None, address=None, prefix=None, at=None, lasted=None, more=b""):
        parts = [number(40, status), attribute(32, self.name.encode()), more]
        if user:
            parts.append(attribute(1, user.encode()))
        if session:
            parts.append(attribute(44, session.encode()))
        if address:
            parts.append(attribute(8, ipaddress.IPv4Address(address).packed))
        if prefix:
            net = ipaddress.IPv6Network(prefix)
            parts.append(attribute(123, bytes([0, net.prefixlen]) + net.network_address.packed))
        if at is not None:
            parts.append(number(55, int(at)))
        if lasted is not None:
            parts.append(number(46, int(lasted)))
        body = b"".join(parts)
        self.next = (self.next + 1) % 256
        head = struct.pack("!BBH", 4, self.next, 20 + len(body))
        return head + hashlib.md5(head + bytes(16) + body + self.secret).digest() + body

    def send(self, packet):
        self.sent[packet[1]] = packet
        self.socket.sendto(packet, (self.server, self.port))

    def answers(self, most, timeout=10.0):
        """The ids of at most so many answers, each with the right authenticator."""
        got, deadline = [], time.monotonic() + timeout
        while len(got) < most and select.select([self.socket], [], [], max(0, deadline - time.monotonic()))[0]:
            answer = self.socket.recv(4096)
            asked = self.sent[answer[1]]
            assert answer[0] == 5 and struct.unpack("!H", answer[2:4])[0] == len(answer)
            assert hashlib.md5(answer[:4] + asked[4:20] + answer[20:] + self.secret).digest() == answer[4:20]
            got.append(answer[1])
        return got

    def ask(self, *words, timeout=10.0, **named):
        """Report once; whether it was answered."""
        packet = self.packet(*words, **named)
        self.send(packet)
        return self.answers(1, timeout) == [packet[1]]


def radclient(nas, kind="acct", secret=None, retries=1, timeout=10, **attributes):
    """Report by the real program; whether it got an answer it believes. Names with _ for -."""
    where = ["ip", "netns", "exec", nas.netns] if nas.netns else []
    server = f"[{nas.server}]:{nas.port}" if ":" in nas.server else f"{nas.server}:{nas.port}"
    attributes[f"Packet_Src_IP{'v6' if ':' in nas.server else ''}_Address"] = nas.source
    text = "\n".join(f'{name.replace("_", "-")} = {value}' for name, value in attributes.items())
    done = subprocess.run([*where, "radclient", "-r", str(retries), "-t", str(timeout), server, kind, secret or nas.secret.decode()],
                          input=text + "\n", text=True, capture_output=True, timeout=60, env={**os.environ, "LC_ALL": "C"})
    return done.returncode == 0 and "Received Accounting-Response" in done.stdout
