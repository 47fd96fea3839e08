# SPDX-License-Identifier: GPL-3.0-or-later
"""The password check behind a lab Postfix: Dovecot's auth protocol 1.1 on a Unix socket, PLAIN and one known login, or also LOGIN and those it is given.

Owns its socket and a thread for each client. It exists so that `shift` and submission can be shown with a real log-in.
"""
import base64
import contextlib
import os
import socketserver
import threading

LOGIN = ("ana", "segredo")
_HELLO = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\n%sSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n"


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        said = {}       # by request: what a LOGIN has told so far
        with contextlib.suppress(OSError):
            more = "MECH\tLOGIN\tplaintext\n" if self.server.logins else ""
            self.wfile.write((_HELLO % more).encode())
            for raw in self.rfile:
                words = raw.decode().rstrip("\n").split("\t")
                if words[0] in ("AUTH", "CONT"):
                    self.wfile.write(self._answer(words, said).encode())

    def _answer(self, words, said):
        number = words[1]
        given = words[2] if words[0] == "CONT" else next((word[5:] for word in words if word.startswith("resp=")), None)
        told = said.setdefault(number, [words[2]] if words[0] == "AUTH" else [])
        if given is not None:
            told += base64.b64decode(given).decode().split("\0")[-2:]
        if len(told) < 3:
            prompt = ("Username:", "Password:")[len(told) - 1] if told[0] == "LOGIN" else ""
            return f"CONT\t{number}\t{base64.b64encode(prompt.encode()).decode()}\n"
        user, password = said.pop(number)[-2:]
        return f"{'OK' if (user, password) in (self.server.logins or [LOGIN]) else 'FAIL'}\t{number}\tuser={user}\n"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(path, logins=None):
    """Answer on the socket `path`; logins: (name, password) each. Returns a function that ends it."""
    server = _Server(path, _Handler)
    server.logins = logins
    os.chmod(path, 0o666)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close():
        server.shutdown()
        server.server_close()
    return close
