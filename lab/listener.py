# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain SMTP listener in a host: stands behind `divert` and `trap`, or plays a mail server outside.

    with Listener(lab.router, 2526, role="trap", transparent=True, record=path,
                  on_end=report_sightings("build/porteiro", "--state", state)) as trap:
        trap.wait(lambda talk: talk.peer == lab.infected.v4).original     # "203.0.113.130", whom he wanted to reach

Each conversation is a Conversation in listener.conversations from the moment it is accepted, and one line of JSON in
`record` when it ends. A `transparent` listener accepts for any destination (TPROXY), so `original` is what the client
asked for. The threads are the listener's own; close(), or the lab's end, ends them.
"""
import contextlib
import dataclasses
import json
import socket
import subprocess
import threading
import time

_IP_TRANSPARENT, _IPV6_TRANSPARENT = 19, 75
_LINES_KEPT, _TALK_SECONDS = 20, 30
# What each role answers to a verb; anything else gets "250 ok".
ROLES = {
    "sink": {"DATA": "354 go on"},
    "divert": {"MAIL": "530 5.7.0 Authentication required", "AUTH": "535 5.7.8 Wrong password"},
    "trap": {"RCPT": "450 4.7.1 Try again later", "DATA": "503 5.5.1 No recipient"},
}


@dataclasses.dataclass
class Conversation:
    role: str
    peer: str
    peer_port: int
    original: str
    original_port: int
    time: float
    said: list = dataclasses.field(default_factory=list)


class Listener:
    """role: a key of ROLES. addresses: of the host, both families. on_end(conversation) is called after each that really
    talked, in the conversation's thread; waiters see it as ended only after that."""

    def __init__(self, host, port, role="sink", addresses=("127.0.0.1", "::1"), transparent=False, record=None,
                 on_end=None):
        self.conversations = []
        self._role, self._record, self._on_end = role, record, on_end
        self._changed = threading.Condition()
        self._open, self._ended = set(), set()
        for address in addresses:
            server = _server_socket(host, address, port, transparent)
            self._open.add(server)
            threading.Thread(target=self._serve, args=(server,), daemon=True).start()
        host.lab.on_close(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def wait(self, condition=lambda talk: True, ended=True, timeout=5.0):
        """The first conversation of which condition is true, when it has ended (or as it is); None if none comes."""
        def found():
            return next((talk for talk in self.conversations
                         if condition(talk) and (not ended or id(talk) in self._ended)), None)
        with self._changed:
            return self._changed.wait_for(found, timeout)

    def close(self):
        """Stop listening and break off what is open."""
        for each in list(self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _serve(self, server):
        with contextlib.suppress(OSError):
            while True:
                client, peer = server.accept()
                self._open.add(client)
                original = client.getsockname()
                talk = Conversation(self._role, peer[0], peer[1], original[0], original[1], time.time())
                with self._changed:
                    self.conversations.append(talk)
                    self._changed.notify_all()
                threading.Thread(target=self._converse, args=(client, talk), daemon=True).start()

    def _converse(self, client, talk):
        with contextlib.suppress(OSError):
            client.settimeout(_TALK_SECONDS)
            self._answer(client, talk)
        self._open.discard(client)
        client.close()
        if talk.said and self._on_end:
            self._on_end(talk)
        with self._changed:
            if self._record:
                with open(self._record, "a", encoding="utf-8") as record:
                    record.write(json.dumps(dataclasses.asdict(talk)) + "\n")
            self._ended.add(id(talk))
            self._changed.notify_all()

    def _answer(self, client, talk):
        client.sendall(f"220 {self._role}.example.net ESMTP\r\n".encode())
        body = False
        for raw in client.makefile("rb"):
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if len(talk.said) < _LINES_KEPT:
                talk.said.append(line)
            verb = line[:4].upper()
            if body and line != ".":
                continue
            answer = "221 bye" if verb == "QUIT" else ROLES[self._role].get(verb, "250 ok")
            body = answer.startswith("354")
            client.sendall(answer.encode() + b"\r\n")
            if verb == "QUIT":
                return


def report_sightings(program, *options, source="trap"):
    """An on_end that has Porteiro note the conversation. The port is the client's own: behind a CGNAT it tells who."""
    def report(talk):
        subprocess.run([program, "sightings", "add", talk.peer, "--source", source, "--port", str(talk.peer_port),
                        "--detail", talk.said[0], *map(str, options)], check=True, stdin=subprocess.DEVNULL)
    return report


def _server_socket(host, address, port, transparent):
    six = ":" in address
    server = host.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if six:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if transparent:
        server.setsockopt(*(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT) if six else (socket.IPPROTO_IP, _IP_TRANSPARENT), 1)
    server.bind((address, port))
    server.listen(512)
    return server
