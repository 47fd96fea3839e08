# SPDX-License-Identifier: GPL-3.0-or-later
"""What arrived at a host: a packet socket that keeps every frame that came in.

    with Capture(lab.outside) as seen:
        packet = send(lab.home1, teredo(...))
        assert not seen.passed(packet, lab.home1)

"Did not pass" needs no waiting: passed() sends a datagram of its own after the packet, by the same road, and looks once
that has arrived. If the gate under test would stop even this datagram, let another host send it.
"""
import os
import socket
import time

from .core import LabError

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
_DISCARD = 9


class Capture:
    """Frames that arrive at a host, on all its interfaces or on one."""

    def __init__(self, host, interface=None):
        self.host, self.frames = host, []
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        if interface:
            self._socket.bind((interface, _ETH_P_ALL))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def collect(self, until=None, timeout=2.0):
        """Take in what has arrived; with `until`, wait for a frame of which until(frame) is true and return it."""
        deadline = time.monotonic() + timeout
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001) if until else 0)
            try:
                frame, origin = self._socket.recvfrom(65536)
            except (BlockingIOError, TimeoutError):
                return None
            if origin[2] != _PACKET_OUTGOING:
                self.frames.append(frame)
                if until and until(frame):
                    return frame

    def settle(self, sender):
        """Wait until all that `sender` sent before has arrived here, or has been stopped."""
        token = b"settled " + os.urandom(16).hex().encode()
        with sender.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(token, (self.host.v4, _DISCARD))
        if not self.collect(until=lambda frame: token in frame):
            raise LabError(f"no datagram from {sender} reaches {self.host}: let another host tell when all has arrived")

    def passed(self, packet, sender):
        """Did this packet, as send() returned it, arrive with all that is behind its IP header unchanged?"""
        header = 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4
        self.settle(sender)
        return any(packet[header:] in frame for frame in self.frames)

    def packets(self):
        """Everything up to now as scapy packets."""
        from scapy.layers.inet6 import IPv6  # noqa: F401  teaches Ether what IPv6 is
        from scapy.layers.l2 import Ether
        self.collect()
        return [Ether(frame) for frame in self.frames]

    def count(self, condition):
        """Of how many packets is condition(scapy packet) true?"""
        return sum(1 for packet in self.packets() if condition(packet))

    def lost(self):
        """How many frames the kernel could not keep for us since the last call."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        return int.from_bytes(raw[4:], "little")
