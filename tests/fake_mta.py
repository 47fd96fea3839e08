# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server in the namespace of an Edge that dies, lies and hangs where it is told to."""
import contextlib
import socket
import threading

OFFERS = ("PIPELINING", "SIZE 50000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "XCLIENT NAME ADDR PORT PROTO HELO LOGIN")
REPLIES = {"banner": b"220 fake ESMTP", "quit": b"221 2.0.0 bye", "xclient": b"220 fake ESMTP", "data": b"354 go", "dot": b"250 2.0.0 queued"}


class FakeMTA:
    """A mail server that does as it is told: rules[step] is what it does at banner, ehlo, xclient, mail, rcpt, data, dot, rset, quit.

    "close" ends the connection, "reset" with an RST, "half" in the middle of a reply, "hang" never answers; bytes are said as they are; a function of (self, argument)
    gives one of these, None for the usual. messages: (commands of the envelope, bytes), of each that it said 250 to; `whole` of each
    whose end it read. A step "body" is asked at the first bytes of a message. pieces=True says all byte by byte."""

    def __init__(self, edge, port=10025, address="127.0.0.1", offers=OFFERS):
        self.rules, self.messages, self.whole, self.lines, self.offers = {}, [], [], [], offers
        self.pieces, self.connections, self._open = False, 0, set()
        self._listener = edge.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((address, port))
        self._listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    close = __exit__

    def drop(self):
        """All connections end."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def say(self, data):
        """On all connections, unasked."""
        for each in list(self._open):
            each.sendall(data)

    def clear(self):
        self.rules, self.messages, self.whole, self.lines, self.pieces = {}, [], [], [], False
        self.drop()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                made, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(made,), daemon=True).start()

    def _serve(self, made):
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._open.add(made)
        with contextlib.suppress(OSError, _Ended), made:
            try:
                self._conversation(made)
            finally:
                self._open.discard(made)

    def _conversation(self, made):
        file, envelope = made.makefile("rb"), []
        self._do(made, "banner", b"")
        for raw in file:
            line = raw.rstrip(b"\r\n")
            verb = line.split(b" ")[0].upper().decode(errors="replace")
            step = {"HELO": "ehlo"}.get(verb, verb.lower())
            self.lines.append(line.decode(errors="replace"))
            if step == "rset":
                envelope = []
            elif step in ("mail", "rcpt"):
                envelope.append(line.decode())
            if self._do(made, step, line) == 354:
                body = self._body(made, file)
                rule = self._rule("dot", body)
                self.whole.append((envelope, body))
                if rule is None or rule[:3] == b"250":
                    self.messages.append((envelope, body))
                self._act(made, rule, REPLIES["dot"] + b"\r\n")
                envelope = []
            elif step == "quit":
                return

    def _body(self, made, file):
        body, first = b"", True
        for raw in file:
            if first and self._rule("body", raw):
                self._act(made, self._rule("body", raw), b"")
                raise _Ended
            first = False
            if raw == b".\r\n":
                return body
            body += raw[1:] if raw.startswith(b".") else raw
        raise _Ended

    def _rule(self, step, argument):
        rule = self.rules.get(step)
        return rule(self, argument) if callable(rule) else rule

    def _do(self, made, step, argument):
        usual = REPLIES.get(step, b"250 2.0.0 ok") + b"\r\n"
        if step == "ehlo":
            usual = "\r\n".join(["250-fake", *("250-" + each for each in self.offers[:-1]), "250 " + self.offers[-1], ""]).encode()
        return self._act(made, self._rule(step, argument), usual)

    def _act(self, made, rule, usual):
        if rule == "reset":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if rule in ("close", "reset"):
            raise _Ended
        if rule == "hang":
            while made.recv(65536):
                pass
            raise _Ended
        if rule == "half":
            made.sendall(usual[:2])
            raise _Ended
        said = usual if rule is None else rule
        for piece in ([bytes([each]) for each in said] if self.pieces else [said]):
            made.sendall(piece)
        return int(said[:3]) if said[:3].isdigit() else 0


class _Ended(Exception):
    pass
