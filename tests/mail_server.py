# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Postfix and a real Dovecot on 127.0.0.1, with folders of their own, configured by the files of packaging/mail/.

    with MailServer(folder, state) as server:     # folder: one that other users can reach
        server.map("aliases", "ana@example.net")  # what postmap answers
        server.imap("ana@example.net", "secret")  # an imaplib client that is logged in; imaplib's error where it may not
"""
import imaplib
import os
import pathlib
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import time

import pytest

from lab.core import wait_for
from lab.postfix import _FOLDERS, _MASTER, _MASTER_PROGRAM

FILES = pathlib.Path(__file__).resolve().parent.parent / "packaging" / "mail"
USER = 65534        # in the place of the files' 5000


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class MailServer:
    def __init__(self, folder, state):
        for program in ("/usr/sbin/dovecot", _MASTER_PROGRAM, "/usr/lib/dovecot/modules/auth/libdriver_sqlite.so",
                        "/usr/lib/postfix/postfix-sqlite.so"):
            if not os.path.exists(program):
                pytest.skip(f"{program} is not installed: make deps")
        self.folder, self.database = folder, state / "mail" / "mail.db"
        self.mail = folder / "mail"
        self.mx, self.submission, self.imap_port = free_port(), free_port(), free_port()
        self._processes = []

    def __enter__(self):
        self.mail.mkdir()
        os.chown(self.mail, USER, USER)
        # What docs/mail.md gives to the user postfix by an access list.
        self.database.parent.parent.chmod(0o751)        # as the folder is where duties are users of their own
        for path, mode in ((self.database.parent, 0o2750), (self.database, 0o640)):
            shutil.chown(path, group="postfix")
            path.chmod(mode)
        self._write_postfix()
        self._write_dovecot()
        self._start("dovecot", "/usr/sbin/dovecot", "-F", "-c", self.folder / "dovecot.conf")
        wait_for(lambda: os.path.exists(self.folder / "postfix/queue/private/auth") or self._died(), "Dovecot", 30)
        self._start("postfix", _MASTER_PROGRAM, "-c", self.folder / "postfix", "-s")
        for port in (self.mx, self.submission, self.imap_port):
            wait_for(lambda: self._answers(port) or self._died(), f"port {port}", 30)
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def log(self):
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    # --- what a test asks ---

    def map(self, name, key):
        """What Postfix finds, or None."""
        done = subprocess.run(["postmap", "-c", self.folder / "postfix", "-q", key, f"sqlite:{self.folder}/postfix/porteiro-{name}.cf"],
                              capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def imap(self, login, password):
        client = imaplib.IMAP4("127.0.0.1", self.imap_port, timeout=60)
        try:
            client.authenticate("PLAIN", lambda _: f"\0{login}\0{password}".encode())
        except imaplib.IMAP4.error:
            client.shutdown()
            raise
        return client

    def may_read(self, login, password):
        try:
            self.imap(login, password).logout()
            return True
        except imaplib.IMAP4.error as refused:
            assert "AUTHENTICATIONFAILED" in str(refused), f"{refused}\n{self.log()}"
            return False

    def may_send(self, login, password):
        with smtplib.SMTP("127.0.0.1", self.submission, timeout=60) as client:
            try:
                client.login(login, password)
                return True
            except smtplib.SMTPAuthenticationError:
                return False

    def send(self, to, text="Subject: test\r\n\r\ntest\r\n", sender="somebody@example.org", login=None):
        """None, or the refusal of the recipient or sender."""
        with smtplib.SMTP("127.0.0.1", self.submission if login else self.mx, timeout=60) as client:
            if login:
                client.login(*login)
            try:
                client.sendmail(sender, [to], text)
            except smtplib.SMTPRecipientsRefused as refused:
                return refused.recipients[to][1].decode()
            except smtplib.SMTPSenderRefused as refused:
                return refused.smtp_error.decode()
        return None

    def delivered(self, folder):
        """The Delivered-To of all messages in the folder of a mailbox."""
        files = sorted((self.mail / folder / "Maildir").glob("*/[0-9]*"))
        return [m[1] for m in (re.search("^Delivered-To: (.*)$", file.read_text(errors="replace"), re.M) for file in files) if m]

    # --- its files ---

    def _file(self, name):
        text = (FILES / name).read_text()
        for before, after in (("/var/lib/porteiro/mail/mail.db", str(self.database)), ("/var/mail/porteiro", str(self.mail)),
                              ("5000", str(USER)), ("/etc/postfix/", f"{self.folder}/postfix/"), ("/etc/dovecot/", f"{self.folder}/"),
                              ("/var/spool/postfix/", f"{self.folder}/postfix/queue/")):
            text = text.replace(before, after)
        return text

    def _write_postfix(self):
        base = self.folder / "postfix"
        for folder, owner in _FOLDERS.items():
            os.makedirs(base / folder, mode=0o755)
            shutil.chown(base / folder, owner)
        for path in FILES.glob("porteiro-*.cf"):
            (base / path.name).write_text(self._file(path.name))
        (base / "main.cf").write_text(self._file("main.cf") + f"""
compatibility_level = 3.7
maillog_file = /dev/stdout
inet_protocols = ipv4
queue_directory = {base}/queue
data_directory = {base}/data
myhostname = mx.example.net
mydestination =
mynetworks =
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
alias_maps =
smtpd_relay_restrictions = permit_sasl_authenticated reject_unauth_destination
default_transport = error:no mail leaves this test
""")
        options = re.findall(r"^  (-o .*)$", self._file("master.cf").replace("=encrypt", "=none"), re.M)
        (base / "master.cf").write_text(_MASTER + f"127.0.0.1:{self.mx} inet n - n - - smtpd\n"
                                        f"127.0.0.1:{self.submission} inet n - n - - smtpd {' '.join(options)}\n")
        for name in ("main.cf", "master.cf"):
            os.utime(base / name, (0, 0))       # Postfix waits until a file is old enough to be no longer written

    def _write_dovecot(self):
        (self.folder / "porteiro-sql.conf.ext").write_text(self._file("porteiro-sql.conf.ext"))
        text = self._file("dovecot.conf").replace("  extra_groups = porteiro-mail\n", "").replace("user = dovecot\n", "user = root\n")
        (self.folder / "dovecot.conf").write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/run
log_path = {self.folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_failure_delay = 0
first_valid_uid = 1
""" + text + f"""
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {self.imap_port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
""")

    def _start(self, name, *words):
        with open(self.folder / f"{name}.log", "ab") as log:
            self._processes.append(subprocess.Popen(list(map(str, words)), stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def _died(self):
        for process in self._processes:
            assert process.poll() is None, self.log()
        return False

    @staticmethod
    def _answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as s:
                return bool(s.recv(16))
        except OSError:
            time.sleep(0.05)
            return False
