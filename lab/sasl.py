# SPDX-License-Identifier: GPL-3.0-or-later
"""The password check behind a lab Postfix: Dovecot's auth protocol 1.1 on a Unix socket, PLAIN only, one known login.

Owns its socket and a thread for each client. It exists so that `shift` and submission can be shown with a real log-in.
"""
import base64
import contextlib
import os
import socketserver
import threading

LOGIN = ("ana", "segredo")
_HELLO = "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000000\nDONE\n"


class _Handler(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.wfile.write(_HELLO.encode())
            for raw in self.rfile:
                words = raw.decode().rstrip("\n").split("\t")
                if words[0] == "AUTH":
                    self.wfile.write(_verdict(words).encode())


def _verdict(words):
    response = next((word[5:] for word in words if word.startswith("resp=")), "")
    user, password = base64.b64decode(response).decode().split("\0")[1:]
    if (user, password) == LOGIN:
        return f"OK\t{words[1]}\tuser={user}\n"
    return f"FAIL\t{words[1]}\tuser={user}\n"


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def serve(path):
    """Answer on the socket `path`; returns a function that ends it."""
    server = _Server(path, _Handler)
    os.chmod(path, 0o666)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close():
        server.shutdown()
        server.server_close()
    return close
