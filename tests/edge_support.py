# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of Porteiro as an edge, in a namespace of its own, with a real Postfix or a false MTA behind it.

    with Edge(folder) as edge:                            # porteiro run, mailboxes, a certificate; Postfix at 127.0.0.1:10025
        with edge.talk(587) as talk:                      # bytes as they are
            talk.hello(); talk.starttls(); talk.login()
            assert talk.send(text="Subject: x\r\n...")[0] == 250
        mail, = edge.arrived("x")                         # what Postfix delivered with this subject
        edge.events("message-relayed", login=ANA)         # lines of the log

All addresses are on the namespace's loopback: a client says which is its own. tests/fake_mta.py answers as a test tells it.
"""
import base64
import contextlib
import os
import pathlib
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile

import pytest

from lab import missing
from lab.core import Lab, LabError, wait_for
from lab.postfix import Postfix
from lab.topology import Place
from support import Porteiro

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("PORTEIRO") or ROOT / "build" / "porteiro").absolute()
SANITIZED = "asan" in str(PROGRAM)
NAME, SERVER, SERVER6 = "mail.example.net", "192.0.2.25", "2001:db8:25::25"
HOME, HOME6 = "198.51.100.10", "2001:db8:100::10"                 # in our own pool
OUTSIDE, OUTSIDE6 = "203.0.113.7", "2001:db8:ffff::7"
GUESSERS = ["203.0.113.64", "2001:db8:a::1", "2001:db8:b::1"]     # of networks that have nothing in common
ANA, RUI, EVA, LEO = "ana@example.net", "rui@example.net", "eva@example.net", "leo@example.net"
PASSWORD = "trilho cebola quartzo"
# What no process may die of, whatever a test does to it: a system call that is not on its list, memory, a panic; and what sanitizers say.
CRASH = re.compile(r"-died .*signal=(4|6|7|8|11|31)\b|runtime error:|ERROR: AddressSanitizer|panic:")
DIVERT, TRAP, LEGACY = 2525, 2526, 2500

POLICY = """
network "Test" { domain example.net  timezone America/Sao_Paulo  language %(language)s  abuse desk@example.org }
class home { port25 open }
pool p { class home  prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }
edge {
    submission   587, 465
    certificate  mail.example.net  chain %(folder)s/tls/chain.pem  key %(folder)s/tls/key.pem
    next-hop     relay %(next_hop)s
    help         "https://example.net/25"
    workers      %(workers)d
    connections-each  400
    %(edge)s
}
legacy printers { listen 192.0.2.25:2500  from 198.51.100.0/24  sender scanner@example.net, @devices.example.net
                  messages-day 3  until 2099-01-01  owner "noc" }
"""


def need(*programs):
    """Skip where the machine lacks one of these, or name spaces."""
    reason = missing() or next((f"{each} is not installed: make deps" for each in programs if not shutil.which(each)), None)
    if not reason and not os.access(PROGRAM, os.X_OK):
        reason = f"{PROGRAM} is not built: run make"
    if reason:
        pytest.skip(reason)


def certificate(folder, over=False, only=("chain", "key")):
    """A self-signed certificate in folder/chain.pem and key.pem, one that has expired if so asked; `only` leaves one of the two as it is."""
    folder.mkdir(exist_ok=True)
    new = {each: folder / f"{each}.new" for each in ("chain", "key")}
    subject = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={NAME}", "-keyout", new["key"]]

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    if over:        # what `req` cannot date
        with tempfile.TemporaryDirectory() as ca:
            pathlib.Path(ca, "index").touch()
            pathlib.Path(ca, "conf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={ca}/index\nnew_certs_dir={ca}\nrand_serial=yes\n"
                                                "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            openssl("req", "-new", *subject, "-out", f"{ca}/request")
            openssl("ca", "-config", f"{ca}/conf", "-batch", "-notext", "-selfsign", "-keyfile", new["key"], "-in", f"{ca}/request", "-out",
                    new["chain"], "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    else:
        openssl("req", "-x509", *subject, "-addext", f"subjectAltName=DNS:{NAME}", "-days", "30", "-out", new["chain"])
    for each in only:
        new[each].rename(folder / f"{each}.pem")


def dated(message):
    """The same with the head that makes it whole."""
    return "Date: Mon, 01 Feb 2027 10:00:00 -0300\r\nMessage-ID: <1@ana.example.net>\r\n" + message


class Edge:
    """mta: "postfix", or the next hops as the policy names them. `more`: of the edge block."""

    def __init__(self, folder=None, mta="postfix", language="en", more="", policy=POLICY, workers=2):
        need("openssl", *(["postfix"] if mta == "postfix" else []))
        self._folder = tempfile.TemporaryDirectory(prefix="porteiro-edge-")
        self.folder = pathlib.Path(folder or self._folder.name)
        self.lab, self.run, self.mta = Lab(), None, None
        self.next_hop = "127.0.0.1:10025" if mta == "postfix" else mta
        self.language, self.more, self.text, self.workers = language, more, policy, workers
        self._postfix = mta == "postfix"

    def __enter__(self):
        try:
            self._open()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, failed=None, *_):
        if hasattr(self, "porteiro"):
            self.porteiro.close()
        self.lab.close()
        log = self.log()
        self._folder.cleanup()
        if not failed:
            crashes = [line for line in log.splitlines() if CRASH.search(line)]
            assert not crashes, crashes[:5]

    def _open(self):
        self.host = self.lab.host("edge")
        for each in (SERVER, HOME, "198.51.100.11", OUTSIDE, SERVER6, HOME6, OUTSIDE6, *GUESSERS):
            self.host.ip(f"addr add {each}/128 dev lo nodad" if ":" in each else f"addr add {each}/32 dev lo")
        certificate(self.folder / "tls")
        self.porteiro = Porteiro(PROGRAM, self.folder, self.host)
        self.write()
        self._people()
        if self._postfix:
            self.start_postfix()
        self.porteiro.run("apply")
        self.start()

    def write(self, **changes):
        """The policy file anew; apply is the test's."""
        vars(self).update(changes)
        self.porteiro.policy(self.text % {"language": self.language, "folder": self.folder, "next_hop": self.next_hop, "edge": self.more,
                                          "workers": self.workers})

    def _people(self):
        do = self.porteiro.run
        do("subscriber", "add", "10", "--name", "Ana Prado")
        do("domain", "add", "example.net", "--abuse", "desk@example.org")
        for address in (ANA, RUI, EVA, LEO):
            limits = ("--limit", "messages-hour=3", "--limit", "recipients-hour=5") if address == EVA else ()
            do("mailbox", "add", address, "--subscriber", "10", *limits)
            do("mailbox", "password", address, "--stdin", input=PASSWORD + "\n")
        do("alias", "add", "vendas@example.net", "--to", ANA)
        do("mailbox", "set", ANA, "--sender", "ana@pessoal.example.org", "--sender", "*@loja.example.org")

    def start_postfix(self):
        """127.0.0.1:10025 and [::1]:10025; it takes what XCLIENT says, and mail for example.org and example.net alone."""
        if not self.mta:
            self.mta = Postfix(self.host, domains=["example.org", "example.net"])
            self.mta._settings |= {
                "smtpd_authorized_xclient_hosts": "0.0.0.0/0 [::]/0", "message_size_limit": "60000000", "smtputf8_enable": "yes",
                "smtpd_recipient_restrictions": "check_recipient_access inline:{{nobody@example.org=550 5.1.1 No such user}}",
                "smtpd_client_connection_count_limit": "0", "smtpd_hard_error_limit": "1000", "mynetworks": "127.0.0.0/32",
                "virtual_mailbox_limit": "0", "smtpd_sasl_auth_enable": "yes",
                "smtpd_tls_chain_files": f"{self.folder}/tls/key.pem, {self.folder}/tls/chain.pem", "smtpd_tls_security_level": "may",
                "smtpd_tls_loglevel": "1", "default_transport": "error:no mail leaves this test"}
            self.mta.serve("mx.example.net", Place("127.0.0.1", "::1"), 10025)
            self.mta.start()
        else:
            with open(self.mta.log, "ab") as log:
                self.mta._master = self.host.popen("/usr/lib/postfix/sbin/master", "-c", self.mta.dir, "-s", stdout=log, stderr=log)
        wait_for(lambda: self.listens(10025) or self.mta._master.poll(), "Postfix", 20)

    def start(self, wait=True):
        """porteiro run; a system call that is not on a duty's list kills it. (A sanitizer makes some of its own.)"""
        before = os.environ.get("PORTEIRO_SANDBOX")
        if not SANITIZED:
            os.environ["PORTEIRO_SANDBOX"] = "kill"
        try:
            self.run = self.porteiro.start("run")
        finally:
            if before is None:
                os.environ.pop("PORTEIRO_SANDBOX", None)
            else:
                os.environ["PORTEIRO_SANDBOX"] = before
        if wait:
            self.wait_event("edge-ready", self.workers)
            wait_for(lambda: self.events("started", duty="auth"), "the duty auth", 30)

    def listens(self, port, address="127.0.0.1", source=None):
        with contextlib.suppress(OSError), self.socket(address, port, source, timeout=1):
            return True
        return False

    # --- clients ---

    def socket(self, to=SERVER, port=587, source=None, timeout=15):
        family = socket.AF_INET6 if ":" in to else socket.AF_INET
        made = self.host.socket(family, socket.SOCK_STREAM)
        try:
            made.settimeout(timeout)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if source:
                made.bind((source, 0))
            made.connect((to, port))
        except BaseException:
            made.close()
            raise
        return made

    def talk(self, port=587, to=SERVER, source=HOME, timeout=15, **options):
        to = SERVER6 if ":" in (source or "") else to
        return Talk(self.socket(to, port, HOME6 if ":" in to and source == HOME else source, timeout), tls=port == 465, **options)

    def logged_in(self, login=ANA, port=587, **options):
        talk = self.talk(port, **options)
        talk.hello()
        if port != 465:
            talk.starttls()
        talk.login(login)
        return talk

    @contextlib.contextmanager
    def smtplib(self, login=ANA, port=587, to=SERVER, source=HOME, starttls=True):
        with self.host.inside():
            kind = smtplib.SMTP_SSL if port == 465 else smtplib.SMTP
            more = {"context": insecure()} if port == 465 else {}
            with kind(to, port, timeout=30, source_address=(source, 0), local_hostname="client.example.net", **more) as client:
                if port != 465 and starttls:
                    client.starttls(context=insecure())
                if login:
                    client.login(login, PASSWORD)
                yield client

    def command(self, *words, input=None, env=None, timeout=60):
        return self.host.run(*words, check=False, input=input, timeout=timeout, **({"env": os.environ | env} if env else {}))

    # --- what became of it ---

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("run-*.log")))

    def events(self, name, /, **fields):
        found = [dict(re.findall(r'([\w-]+)=("[^"]*"|\S*)', line)) for line in self.log().splitlines() if f" event={name} " in line + " "]
        return [each for each in found if all(each.get(key, "").strip('"') == str(value) for key, value in fields.items())]

    def wait_event(self, name, /, n=1, timeout=30, **fields):
        def enough():
            if self.run.poll() is not None:
                raise LabError(f"porteiro ended: {self.log()[-3000:]}")
            found = self.events(name, **fields)
            return len(found) >= n and found
        return wait_for(enough, f"{n} times event={name} {fields}", timeout)

    def pids(self, name):
        """Of the live processes of this kind: porteiro-edge (workers), porteiro-keeper, …"""
        found = []
        for pid in subprocess.run(["ip", "netns", "pids", self.host.netns], capture_output=True, text=True).stdout.split():
            with contextlib.suppress(OSError):
                program = os.readlink(f"/proc/{pid}/exe")
                comm = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                worker = program.endswith("/porteiro-edge")
                if (name == "worker" and worker) or (not worker and comm == f"porteiro-{name}"[:15]):
                    found.append(int(pid))
        return found

    def files(self):
        """{name: bytes} of what Postfix delivered."""
        inbox = pathlib.Path(self.mta.dir, "mail/inbox/new")
        return {path.name: path.read_bytes() for path in inbox.iterdir()} if inbox.is_dir() else {}

    def arrived(self, subject, n=1, timeout=15):
        """What was delivered with this subject, once there are n; each split by Mail."""
        mark = b"\nSubject: " + subject.encode() + b"\n"

        def enough():
            found = [each for each in self.files().values() if mark in each.partition(b"\n\n")[0] + b"\n"]
            return len(found) >= n and found
        return [Mail(each) for each in wait_for(enough, f"{n} with the subject {subject}", timeout)]


class Mail:
    """A file that virtual(8) wrote: `mta` the fields Postfix put on top, `received` ours as one line, `rest` all that follows."""

    def __init__(self, data):
        fields = re.split(rb"\n(?![ \t])", data.partition(b"\n\n")[0])
        own = next(i for i, each in enumerate(fields) if each.startswith(b"Received:") and b"by " + NAME.encode() in each)
        self.data, self.mta = data, b"\n".join(fields[:own]).decode()
        self.received = re.sub(r"\s+", " ", fields[own].decode())
        self.rest = data[len(b"\n".join(fields[:own + 1])) + 1:]


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Talk:
    """One conversation, byte by byte if need be. say() returns (code, text of all lines)."""

    def __init__(self, made, tls=False, greet=True):
        self.socket, self.rest = made, b""
        if tls:
            self.wrap()
        self.greeting = self.reply() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    close = __exit__

    def wrap(self, context=None):
        self.socket = (context or insecure()).wrap_socket(self.socket, server_hostname=NAME)
        self.rest = b""

    def send_raw(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def reply(self):
        """(0, "") where the connection ended."""
        lines = []
        while not lines or lines[-1][3:4] == "-":
            while b"\n" not in self.rest:
                try:
                    more = self.socket.recv(65536)
                except (ConnectionError, ssl.SSLError):
                    more = b""
                if not more:
                    return 0, self.rest.decode(errors="replace")
                self.rest += more
            line, _, self.rest = self.rest.partition(b"\n")
            lines.append(line.decode(errors="replace").rstrip("\r"))
            if not lines[-1][:3].isdigit():
                return 0, lines[-1]
        return int(lines[-1][:3]), "\n".join(each[4:] for each in lines)

    def say(self, line):
        try:
            self.send_raw(line.encode() + b"\r\n" if isinstance(line, str) else line + b"\r\n")
        except (ConnectionError, ssl.SSLError):
            pass
        return self.reply()

    def must(self, line, code=250):
        said = self.say(line)
        assert said[0] == code, (line, said)
        return said[1]

    def hello(self):
        self.offers = self.must("EHLO client.example.net").split("\n")[1:]
        return self.offers

    def starttls(self):
        self.must("STARTTLS", 220)
        self.wrap()
        self.hello()

    def login(self, login=ANA, password=PASSWORD):
        self.must("AUTH PLAIN " + plain(login, password), 235)

    def envelope(self, sender=ANA, to=("bia@example.org",)):
        self.must(f"MAIL FROM:<{sender}>")
        for each in to:
            self.must(f"RCPT TO:<{each}>")

    def data(self, text):
        """What is said to the message, or to DATA where that is refused."""
        said = self.say("DATA")
        if said[0] != 354:
            return said
        return self.say(text.encode() + b"." if isinstance(text, str) else text + b".")

    def send(self, subject="x", sender=ANA, to=("bia@example.org",), text=None):
        self.envelope(sender, to)
        return self.data(text if text is not None else dated(f"From: <{sender}>\r\nSubject: {subject}\r\n\r\nOla\r\n"))


def plain(login, password=PASSWORD):
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()
