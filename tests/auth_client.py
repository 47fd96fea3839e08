# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of the duty auth, as src/auth/wire.h says: for tests and benches."""
import socket
import struct

CHECK, DOMAIN = 1, 2
VERDICTS = ("no", "yes", "unavailable")
LIMITS = ("messages-hour", "messages-day", "recipients-hour", "recipients-day")


def frame(verb, *fields):
    body = struct.pack(">H", verb)
    for field in fields:
        raw = struct.pack(">q", field) if isinstance(field, int) else field.encode() if isinstance(field, str) else field
        body += (b"i" if isinstance(field, int) else b"t") + struct.pack(">I", len(raw)) + raw
    return struct.pack(">I", len(body)) + body


def fields(body):
    at, found = 2, []
    while at < len(body):
        length, = struct.unpack_from(">I", body, at + 1)
        raw = body[at + 5:at + 5 + length]
        found.append(struct.unpack(">q", raw)[0] if body[at:at + 1] == b"i" else raw.decode())
        at += 5 + length
    return struct.unpack_from(">H", body)[0], found


class Client:
    """One connection. check() and domain() ask and wait; ask() and answer() are the two halves."""

    def __init__(self, state, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        folder = str(state)
        self.socket.connect(f"{folder}/auth.sock")
        self.id, self.kept = 0, b""

    def ask(self, login, password):
        self.id += 1
        self.socket.sendall(frame(CHECK, self.id, login, password))
        return self.id

    def _exactly(self, n):
        while len(self.kept) < n:
            piece = self.socket.recv(65536)
            if not piece:
                raise ConnectionResetError("the duty hung up")
            self.kept += piece
        taken, self.kept = self.kept[:n], self.kept[n:]
        return taken

    def answer(self):
        """(id, verdict, what comes with a yes)"""
        verb, got = fields(self._exactly(struct.unpack(">I", self._exactly(4))[0]))
        more = {}
        if verb == CHECK and got[1] == 1:
            more = dict(zip(("mailbox", "address", "subscriber", "weak", "suspended", "application"), got[2:8]))
            more["limits"] = dict(zip(LIMITS, got[8:12]))
            more["cut"], count = got[12:14]
            more["senders"] = got[14:]
            assert count == len(more["senders"])
        return got[0], VERDICTS[got[1]], more

    def check(self, login, password):
        asked = self.ask(login, password)
        got, verdict, more = self.answer()
        assert got == asked
        return verdict, more

    def domain(self, name):
        self.id += 1
        self.socket.sendall(frame(DOMAIN, self.id, name))
        got, verdict, _ = self.answer()
        assert got == self.id
        return verdict

    def close(self):
        self.socket.close()
