# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server in a host, and a look at it from another: that mail is what is taken from somebody, and nothing else.

    with Web(lab.outside, lab.mx_org):
        browse(lab.infected, lab.mx_org.v4)          # 200
"""
import http.client
import http.server
import socket
import threading


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"Hello\n")

    def log_message(self, *_):
        """Quiet."""


class Web:
    """Answers every GET at both addresses of a Place, until closed or the lab ends."""

    def __init__(self, host, place, port=80):
        self._servers = []
        for address in (place.v4, place.v6):
            server = http.server.ThreadingHTTPServer((address, port), _Page, bind_and_activate=False)
            server.socket.close()
            server.socket = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.socket.bind((address, port))
            server.server_activate()
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
            self._servers.append(server)
        host.lab.on_close(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        while self._servers:
            server = self._servers.pop()
            server.shutdown()
            server.server_close()


def browse(host, address, port=80, timeout=3.0):
    """The status of GET /, or the error in words."""
    page = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        page.sock = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        page.sock.settimeout(timeout)
        page.sock.connect((address, port))
        page.request("GET", "/", headers={"Host": "www.example.org"})
        return page.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        page.close()
