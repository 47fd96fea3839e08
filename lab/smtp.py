# SPDX-License-Identifier: GPL-3.0-or-later
"""Probes: have an SMTP conversation from a host, and say what became of it.

    knock(lab.home1, lab.mx_org.v4)                      Outcome("banner", text="220 mx.example.org ESMTP ...")
    mail(lab.home1, lab.mx_org.v6, recipient="ana@example.org")   Outcome("sent")
    with Session(lab.home1, lab.mx_org.v4) as held:      # stays open while the test changes the gate
        held.say("EHLO home1.example.net.br")
        ...
        assert held.probe().kind == "reset"

Kinds: `banner`, `sent`, `alive`; `refused` an SMTP reply of 4xx or 5xx; `reset` a TCP reset, on the SYN (stage
"connect") or later; `timeout`; `closed` an end of file in place of a reply; `admin-prohibited` and `unreachable` an ICMP
error, told apart by the ICMP packet itself, as the kernel gives a program the same errno for both.
"""
import base64
import dataclasses
import errno
import os
import select
import socket
import ssl
import time

# (protocol, type): codes that mean "by decision of an administrator" (RFC 1812 5.2.7.1, RFC 4443 3.1)
_PROHIBITED = {(socket.IPPROTO_ICMP, 3): {9, 10, 13}, (socket.IPPROTO_ICMPV6, 1): {1, 5, 6}}

_ICMP_ERRNO = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES)


@dataclasses.dataclass(frozen=True)
class Outcome:
    kind: str
    stage: str = ""
    text: str = ""
    elapsed: float = 0.0

    def __str__(self):
        return f"{self.kind} {self.text}".strip()


class Ended(Exception):
    """The conversation ended otherwise than by our QUIT; stage is set where opening it failed."""

    def __init__(self, kind, text="", stage=""):
        super().__init__(kind, text)
        self.kind, self.text, self.stage = kind, text, stage


class Session:
    """One conversation, from the host's own address or from `source`; port may be any. Raises Ended."""

    def __init__(self, host, address, port=25, timeout=3.0, source=None):
        self.stage, self._pending, self._timeout = "connect", b"", timeout
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        icmp = socket.IPPROTO_ICMPV6 if ":" in address else socket.IPPROTO_ICMP
        self._socket = host.socket(family, socket.SOCK_STREAM)
        try:
            with host.socket(family, socket.SOCK_RAW, icmp) as errors:
                if source:
                    self._socket.bind((source, 0))
                self._connect(address, port, errors)
            self.local_port = self._socket.getsockname()[1]
            self.stage = "banner"
            self.banner = self.reply()
        except BaseException as error:
            self.close()
            if isinstance(error, Ended):
                error.stage = self.stage
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._socket.close()

    def _connect(self, address, port, errors):
        """Connect, and believe the ICMP packet itself: where the whole road is one machine it can come back before
        connect() has let go of the socket, and the kernel (IPv6) then acts on it only at the next SYN, 1 s later."""
        deadline = time.monotonic() + self._timeout
        self._socket.setblocking(False)
        error = self._socket.connect_ex((address, port))
        while error == errno.EINPROGRESS or error in _ICMP_ERRNO:
            if error in _ICMP_ERRNO:            # the packet that says which is here, or never comes
                deadline = min(deadline, time.monotonic() + 0.2)
            left = deadline - time.monotonic()
            ours = [self._socket] if error == errno.EINPROGRESS else []
            readable, writable, _ = select.select([errors], ours, [], max(left, 0))
            if readable and (kind := _icmp_kind(errors.recv(2048), self._socket.getsockname()[1], address, port)):
                raise Ended(kind)
            if left <= 0:
                raise Ended("timeout" if error == errno.EINPROGRESS else "unreachable", os.strerror(error))
            if writable:
                error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise _ended(OSError(error, os.strerror(error)))
        self._socket.settimeout(self._timeout)

    def reply(self):
        """The next whole reply, its lines joined by newlines."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            while b"\n" not in self._pending:
                try:
                    more = self._socket.recv(4096)
                except OSError as error:
                    raise _ended(error) from error
                if not more:
                    raise Ended("closed")
                self._pending += more
            line, _, self._pending = self._pending.partition(b"\n")
            lines.append(line.decode("utf-8", "replace").rstrip("\r"))
        return "\n".join(lines)

    def say(self, line, stage=None):
        """Send a line (or a whole message) and return the reply to it."""
        self.stage = stage or line.partition(" ")[0]
        try:
            self._socket.sendall(line.encode() + b"\r\n")
        except OSError as error:
            raise _ended(error) from error
        return self.reply()

    def must(self, line, stage=None):
        """say(), where a 4xx or 5xx ends the conversation."""
        reply = self.say(line, stage)
        if reply.startswith(("4", "5")):
            raise Ended("refused", reply)
        return reply

    def hear(self, line):
        """Send a line and return the first letter of what comes back, whenever the rest may come."""
        self.stage = line.partition(" ")[0]
        try:
            self._socket.sendall(line.encode() + b"\r\n")
            return self._socket.recv(1).decode("ascii", "replace")
        except OSError as error:
            raise _ended(error) from error

    def starttls(self):
        """From here on under TLS; the certificate is not checked. """
        self.must("STARTTLS")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            self._socket = context.wrap_socket(self._socket)
        except OSError as error:
            raise _ended(error) from error

    def login(self, user, password):
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.must(f"AUTH PLAIN {token}")

    def probe(self, line="NOOP"):
        """Say one line more on a held session: `alive`, or how it ended."""
        started = time.monotonic()
        try:
            kind, text = "alive", self.say(line)
        except Ended as end:
            kind, text = end.kind, end.text
        return Outcome(kind, self.stage, text, time.monotonic() - started)


def knock(host, address, port=25, **options):
    """Connect, read the banner, say goodbye."""
    return _attempt(host, address, port, options, lambda session: ("banner", session.banner))


def mail(host, address, port=25, sender="someone@example.net", recipient="someone@example.org", login=None,
         subject="probe", tls=False, **options):
    """Send one message, logging in first when `login` is (user, password); under TLS where `tls` asks for STARTTLS."""

    def talk(session):
        if session.banner.startswith(("4", "5")):
            return "refused", session.banner
        session.must(f"EHLO {host.name}.example.net")
        if tls:
            session.starttls()
            session.must(f"EHLO {host.name}.example.net")
        if login:
            session.login(*login)
        session.must(f"MAIL FROM:<{sender}>")
        session.must(f"RCPT TO:<{recipient}>")
        session.must("DATA")
        text = f"Subject: {subject}\r\nFrom: <{sender}>\r\nTo: <{recipient}>\r\n\r\nHello.\r\n."
        return "sent", session.must(text, stage="message")

    return _attempt(host, address, port, options, talk)


def _attempt(host, address, port, options, talk):
    """Run talk(session) -> (kind, text) and time it. A farewell that goes unanswered does not spoil the outcome."""
    started, stage = time.monotonic(), "connect"
    try:
        with Session(host, address, port, **options) as session:
            try:
                kind, text = talk(session)
            finally:
                stage = session.stage
            session.probe("QUIT")
    except Ended as end:
        kind, text, stage = end.kind, end.text, end.stage or stage
    return Outcome(kind, stage, text, time.monotonic() - started)


def _ended(error):
    """The kernel's word for how a connection failed, as one of our kinds."""
    if error.errno in (errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE):
        return Ended("reset")
    if isinstance(error, TimeoutError):
        return Ended("timeout")
    return Ended("unreachable", error.strerror or str(error))


def _icmp_kind(packet, local_port, address, port):
    """The kind of an ICMP error that quotes our SYN; None for any other packet of a raw socket."""
    six = ":" in address
    message = packet if six else packet[(packet[0] & 15) * 4:]
    header = 40 if six else (message[8] & 15) * 4 if len(message) > 8 else 0
    quoted, ports = message[8:8 + header], message[8 + header:12 + header]
    there = socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, address)
    if not quoted.endswith(there) or ports != local_port.to_bytes(2, "big") + port.to_bytes(2, "big"):
        return None
    codes = _PROHIBITED.get((socket.IPPROTO_ICMPV6 if six else socket.IPPROTO_ICMP, message[0]), ())
    return "admin-prohibited" if message[1] in codes else "unreachable"
