# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Postfix in a host, with folders of its own: /etc/postfix and a Postfix of the machine are never touched.

    mta = Postfix(lab.outside, domains=["example.org"])
    mta.serve("mx.example.org", Place("203.0.113.130", "2001:db8:ffff::130"), 25)
    mta.start(); mta.wait_ready()
    mta.wait_message(recipient="ana@example.org").client            # "198.51.100.10", as Postfix saw it

It takes mail for its domains from anyone and keeps it in a Maildir; other mail only from who logged in
(sasl.LOGIN) or from the host itself, and hands it to `relay_to`. The lab ends it by its pid.
"""
import dataclasses
import os
import re
import shutil
import subprocess

from . import sasl
from .core import LabError, stop, wait_for

_MASTER_PROGRAM = "/usr/lib/postfix/sbin/master"
_FOLDERS = {"data": "postfix", "mail": 65534, "queue": "root", "queue/pid": "root"} | {
    f"queue/{name}": "postfix" for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold",
                                            "incoming", "maildrop", "private", "public", "saved", "trace")}
_MASTER = """\
pickup   unix n - n 60   1 pickup
cleanup  unix n - n -    0 cleanup
qmgr     unix n - n 300  1 qmgr
tlsmgr   unix - - n 1000? 1 tlsmgr
rewrite  unix - - n -    - trivial-rewrite
bounce   unix - - n -    0 bounce
defer    unix - - n -    0 bounce
trace    unix - - n -    0 bounce
flush    unix n - n 1000? 0 flush
proxymap unix - - n -    - proxymap
smtp     unix - - n -    - smtp
showq    unix n - n -    - showq
error    unix - - n -    - error
retry    unix - - n -    - error
virtual  unix - n n -    - virtual
anvil    unix - - n -    1 anvil
scache   unix - - n -    1 scache
postlog  unix-dgram n - n - 1 postlogd
"""


@dataclasses.dataclass(frozen=True)
class Message:
    """One delivered message. client is the address it came from, user the login it was submitted with, or None."""

    client: str
    sender: str
    recipient: str
    user: str
    text: str


class Postfix:
    """bind: the Place that mail to `relay_to` comes from."""

    def __init__(self, host, domains, relay_to=None, bind=None):
        self.host = host
        self.dir = f"{host.lab.dir}/postfix-{host.name}"
        self.log = f"{self.dir}/log"
        self._services, self._master = [], None
        self._settings = {
            "compatibility_level": "3.7", "maillog_file": "/dev/stdout", "inet_protocols": "all",
            "queue_directory": f"{self.dir}/queue", "data_directory": f"{self.dir}/data",
            "myhostname": "lab.example.net", "mydestination": "", "mynetworks": "127.0.0.0/8 [::1]/128",
            "smtpd_peername_lookup": "no", "smtp_dns_support_level": "disabled", "alias_maps": "",
            "virtual_mailbox_domains": " ".join(domains), "virtual_mailbox_base": f"{self.dir}/mail",
            "virtual_mailbox_maps": "static:inbox/", "virtual_uid_maps": "static:65534",
            "virtual_gid_maps": "static:65534",
            "smtpd_relay_restrictions": "permit_mynetworks permit_sasl_authenticated reject_unauth_destination",
            "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth",
            "smtpd_sasl_authenticated_header": "yes",
            "relayhost": f"[{relay_to}]" if relay_to else "",
            "smtp_bind_address": bind.v4 if bind else "", "smtp_bind_address6": bind.v6 if bind else "",
        }

    def serve(self, name, place, port, submission=False):
        """Listen at a Place, greeting as `name`; with `submission` only who logs in may send."""
        rules = " -o smtpd_sasl_auth_enable=yes -o smtpd_client_restrictions=permit_sasl_authenticated,reject"
        for address in (f"{place.v4}:{port}", f"[{place.v6}]:{port}"):
            self._services.append(f"{address} inet n - n - - smtpd -o myhostname={name}{rules if submission else ''}")

    def serve_edge(self, name, place, port):
        """Listen at a Place for Porteiro's edge alone: it says by XCLIENT who its customer is, and who logged in may send anywhere."""
        rules = (" -o smtpd_sasl_auth_enable=yes -o smtpd_authorized_xclient_hosts=0.0.0.0/0,[::]/0"
                 " -o smtpd_relay_restrictions=permit_sasl_authenticated,reject -o smtpd_discard_ehlo_keywords=chunking"
                 " -o smtpd_forbid_bare_newline=yes -o smtpd_forbid_bare_newline_exclusions=")
        for address in (f"{place.v4}:{port}", f"[{place.v6}]:{port}"):
            self._services.append(f"{address} inet n - n - - smtpd -o myhostname={name}{rules}")

    def serve_proxied(self, name, place, port, networks):
        """Listen at a Place for an edge that says by the PROXY protocol whose connection it is; who is of these networks may send."""
        rules = (f" -o smtpd_upstream_proxy_protocol=haproxy -o mynetworks={networks}"
                 " -o smtpd_relay_restrictions=permit_mynetworks,reject -o smtpd_discard_ehlo_keywords=chunking")
        for address in (f"{place.v4}:{port}", f"[{place.v6}]:{port}"):
            self._services.append(f"{address} inet n - n - - smtpd -o myhostname={name}{rules}")

    def start(self):
        """Write the folders and start the master, without the second of checks that `postfix start` makes before it."""
        for folder, owner in _FOLDERS.items():
            os.makedirs(f"{self.dir}/{folder}", mode=0o755)
            shutil.chown(f"{self.dir}/{folder}", owner)
        self._write("main.cf", [f"{name} = {value}" for name, value in self._settings.items()])
        self._write("master.cf", [_MASTER, *self._services])
        self.host.lab.on_close(sasl.serve(f"{self.dir}/queue/private/auth"))
        with open(self.log, "w", encoding="utf-8") as log:
            self._master = self.host.popen(_MASTER_PROGRAM, "-c", self.dir, "-s", stdout=log, stderr=subprocess.STDOUT)

    def wait_ready(self):
        """Return once the master listens everywhere; LabError with its log if it gave up."""
        def started():
            with open(self.log, encoding="utf-8") as log:
                text = log.read()
            if self._master.poll() is not None:
                raise LabError(f"Postfix in {self.host} ended: {text}")
            return "daemon started" in text
        wait_for(started, f"Postfix in {self.host}, see {self.log}")

    def stop(self):
        """End it before the lab ends, as when a server fails."""
        stop(self._master)

    def messages(self):
        """All that was delivered so far."""
        inbox = f"{self.dir}/mail/inbox/new"
        names = sorted(os.listdir(inbox)) if os.path.isdir(inbox) else []
        return [_read(f"{inbox}/{name}") for name in names]

    def wait_message(self, recipient=None, subject=None, timeout=5.0):
        """The newest delivered message to this recipient, with this subject; LabError when none arrives."""
        def found():
            return next((message for message in reversed(self.messages())
                         if recipient in (None, message.recipient)
                         and (subject is None or f"\nSubject: {subject}\n" in message.text)), None)
        return wait_for(found, f"a message to {recipient}", timeout)

    def _write(self, name, lines):
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        os.utime(path, (0, 0))      # Postfix waits until a file is old enough to be no longer written


def _read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        text = file.read()

    def header(pattern):
        match = re.search(pattern, text, re.MULTILINE)
        return match and match[1]

    return Message(client=header(r"^Received: from .*\[(?:IPv6:)?([0-9a-f.:]+)\]"), sender=header("^Return-Path: <(.*)>"),
                   recipient=header("^Delivered-To: (.*)"), user=header(r"\(Authenticated sender: (.*)\)"), text=text)
