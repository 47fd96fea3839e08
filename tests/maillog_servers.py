# SPDX-License-Identifier: GPL-3.0-or-later
"""What a mail log is written by in one namespace: two real instances of Postfix, and small servers for what they ask or send to.

    with Servers() as servers:                  # postfix (mx and submission) and postfix-out, both into servers.log
        servers.counted["deferred"]             # what the remote servers answered, as they counted it

postfix     25 mx, by a content filter; 587 submission, by a pipe filter; 465 submission, outgoing by postfix-out; 2525 postscreen;
            2526 with rates; 2527 and 2528 with a filter before the queue
FILTER      takes what 25 hands it, and gives it back to 10025; the pipe filter calls sendmail
REMOTE      one server a domain, by the name of what it does
"""
import collections
import contextlib
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import socketserver
import struct
import subprocess
import threading
import time

from edge_support import certificate
from fake_mta import FakeMTA

from lab import Lab, sasl, wait_for
from lab.postfix import _FOLDERS, _MASTER, _MASTER_PROGRAM

MX, MX6 = "203.0.113.25", "2001:db8::25"
CUSTOMERS = [f"198.51.100.{n}" for n in range(10, 22)]
OUTSIDERS = [f"192.0.2.{n}" for n in range(10, 40)]
OUTSIDER6, LISTED, DENIED, HASTY = "2001:db8:1::7", "192.0.2.200", "192.0.2.201", "192.0.2.202"
USERS = [f"u{n}@example.net" for n in range(12)]
LOGINS = {user: "secret" for user in USERS} | {"odd, sasl_method=X, status=sent": "secret"}
REMOTE = ("ok", "no", "slow", "never", "rate", "spam", "listed", "banner", "silent", "dead", "out-ok", "out-no", "out-slow")
DOMAINS = {f"{name}.example": f"203.0.113.{100 + i}" for i, name in enumerate(REMOTE)}
PLAIN = ("SIZE 50000000", "8BITMIME", "ENHANCEDSTATUSCODES")    # without pipelining there is no DATA where no recipient was taken
LIFETIME = 12
SETTINGS = f"""
compatibility_level = 3.7
inet_protocols = all
inet_interfaces = 127.0.0.1 [::1] {MX} [{MX6}]
myhostname = mx.example.net
mydestination = local.example.net
mynetworks = 127.0.0.0/8 [::1]/128
maillog_file_prefixes = /run
alias_maps = inline:{{{{fwd = fwd@ok.example}}}}
alias_database =
local_recipient_maps = $alias_maps
virtual_mailbox_domains = example.net
virtual_mailbox_maps = inline:{{{" ".join(f"{{{user}={user}/}}" for user in USERS)}}}
virtual_alias_maps = inline:{{{{team@example.net=u1@example.net u2@example.net}} {{ghost@example.net=gone@example.net}}}}
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
message_size_limit = 200000
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maximal_queue_lifetime = {LIFETIME}s
bounce_queue_lifetime = {LIFETIME}s
default_destination_concurrency_failed_cohort_limit = 0
smtp_skip_5xx_greeting = yes
smtp_host_lookup = dns
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 8
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_helo_required = yes
smtpd_reject_unlisted_recipient = no
smtpd_sender_login_maps = inline:{{{" ".join(f"{{{user}={user}}}" for user in USERS)}}}
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated reject_unauth_destination
smtpd_client_restrictions = check_client_access inline:{{{{{DENIED}=REJECT}}}} reject_rbl_client rbl.test
smtpd_helo_restrictions = permit_sasl_authenticated reject_invalid_helo_hostname check_helo_access inline:{{{{bad.example=REJECT you are not this}}}}
smtpd_sender_restrictions = reject_non_fqdn_sender reject_sender_login_mismatch check_sender_access inline:{{{{bad@ok.example=REJECT}}
 {{gone@ok.example=DISCARD}} {{held@ok.example=HOLD}}}} permit_sasl_authenticated reject_unknown_sender_domain
 warn_if_reject check_sender_access inline:{{{{warned@ok.example=REJECT}}}}
smtpd_recipient_restrictions = check_policy_service inet:127.0.0.1:10031 reject_unlisted_recipient
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_end_of_data_restrictions = check_policy_service inet:127.0.0.1:10031
header_checks = regexp:{{{{/^Subject:.*lottery/ REJECT no lotteries}} {{/^X-Do: hold/ HOLD}} {{/^X-Do: warn/ WARN}} {{/^X-Do: info/ INFO}}
 {{/^X-Do: replace/ REPLACE X-Done: yes}} {{/^X-Do: prepend/ PREPEND X-Done: yes}} {{/^X-Do: strip/ STRIP}} {{/^X-Do: discard/ DISCARD}}
 {{/^X-Do: redirect/ REDIRECT u3@example.net}} {{/^X-Do: bcc/ BCC u4@example.net}}}}
body_checks = regexp:{{{{/viagra/ REJECT}}}}
transport_maps = regexp:{{{{/@out-/ relay:[127.0.0.1]:10026}}}}
"""
SERVICES = f"""
local    unix - n n -    - local
relay    unix - - n -    - smtp
scan     unix - - n -    - smtp -o smtp_send_xforward_command=yes
pipes    unix - n n -    4 pipe flags=Rq user=nobody null_sender= argv=/usr/sbin/sendmail -G -i -f ${{sender}} -- ${{recipient}}
dnsblog  unix - - n -    0 dnsblog
tlsproxy unix - - n -    0 tlsproxy
smtpd    pass - - n -    - smtpd
{MX}:25 inet n - n - - smtpd -o content_filter=scan:[127.0.0.1]:10024
[{MX6}]:25 inet n - n - - smtpd -o content_filter=scan:[127.0.0.1]:10024
{MX}:587 inet n - n - - smtpd -o syslog_name=postfix/submission -o myhostname=submission.example.net -o content_filter=pipes:dummy
 -o smtpd_client_restrictions=permit_sasl_authenticated,reject
{MX}:465 inet n - n - - smtpd -o syslog_name=postfix/smtps
 -o smtpd_client_restrictions=permit_sasl_authenticated,reject -o smtpd_sender_restrictions=
{MX}:2525 inet n - n - 1 postscreen -o postscreen_greet_action=enforce -o postscreen_greet_wait=1s
 -o postscreen_dnsbl_sites=rbl.test -o postscreen_dnsbl_action=enforce -o postscreen_cache_map=internal:screen
{MX}:2526 inet n - n - - smtpd -o smtpd_client_message_rate_limit=2 -o smtpd_client_event_limit_exceptions=
{MX}:2527 inet n - n - - smtpd -o smtpd_proxy_filter=127.0.0.1:10024
{MX}:2528 inet n - n - - smtpd -o smtpd_proxy_filter=127.0.0.1:10028
127.0.0.1:10025 inet n - n - - smtpd -o smtpd_authorized_xforward_hosts=127.0.0.0/8 -o smtpd_client_restrictions=
 -o smtpd_helo_restrictions= -o smtpd_sender_restrictions= -o smtpd_recipient_restrictions=permit_mynetworks,reject
 -o smtpd_data_restrictions= -o smtpd_end_of_data_restrictions=
 -o receive_override_options=no_address_mappings,no_header_body_checks,no_unknown_recipient_checks
"""
OUT_SETTINGS = f"""
compatibility_level = 3.7
syslog_name = postfix-out
myhostname = out.example.net
mydestination =
local_recipient_maps =
alias_maps =
maillog_file_prefixes = /run
inet_protocols = all
inet_interfaces = 127.0.0.1 [::1]
smtp_host_lookup = dns
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_maps = inline:{{{{example.net=relay:[127.0.0.1]:10025}}}}
"""
OUT_SERVICES = """
relay    unix - - n -    - smtp
127.0.0.1:10026 inet n - n - - smtpd
"""
POLICY = {"rate": "450 4.7.1 message rate limit exceeded", "quota": "452 4.2.2 over quota", "grey": "450 4.2.0 Greylisted, come again",
          "spf": "550 5.7.23 Message rejected due to: SPF fail - not authorized", "dislike": "550 5.7.1 we do not like you today",
          "virus": "554 5.7.1 a virus: Eicar", "junk": "550 5.7.1 this looks like spam"}


class Servers:
    """host, log, mail (folder of Maildirs), counted: a Counter of what remote servers answered. `wanted` says how many recipients of a
    message, by its message-id, are in a domain."""

    def __init__(self, wanted):
        self.lab, self.wanted = Lab(), wanted
        self.folder = pathlib.Path(self.lab.dir)
        self.log, self.mail = self.folder / "logs" / "mail.log", self.folder / "mail"
        self.counted, self._seen, self._lock = collections.Counter(), collections.Counter(), threading.Lock()
        self.remote, self.masters = {}, {}

    def __enter__(self):
        try:
            self._open()
        except BaseException:
            self.lab.close()
            raise
        return self

    def __exit__(self, *_):
        for each in self.remote.values():
            each.close()
        self.lab.close()

    def _open(self):
        self.host = self.lab.host("mx")
        own = [MX, LISTED, DENIED, HASTY, *CUSTOMERS, *OUTSIDERS, *DOMAINS.values()]
        self.host.ip(*[f"addr add {each}/32 dev lo" for each in own], *[f"addr add {each}/128 dev lo nodad" for each in (MX6, OUTSIDER6)])
        self.log.parent.mkdir()
        self.log.touch()
        self.mail.mkdir()
        os.chown(self.mail, 65534, 65534)
        certificate(self.folder / "tls")
        self._serve_small()
        self._serve_remote()
        self._start("postfix", SETTINGS + f"maillog_file = {self.log}\nvirtual_mailbox_base = {self.mail}\n"
                    f"smtpd_tls_chain_files = {self.folder}/tls/key.pem, {self.folder}/tls/chain.pem\n", SERVICES)
        self._start("postfix-out", OUT_SETTINGS + f"maillog_file = {self.log}\n", OUT_SERVICES)
        for address, port in ((MX, 25), (MX6, 25), (MX, 587), (MX, 465), (MX, 2525), ("127.0.0.1", 10025), ("127.0.0.1", 10026)):
            wait_for(lambda: self._listens(address, port), f"port {port}: {self.log.read_text()}", 20)

    def _listens(self, address, port):
        for name, master in self.masters.items():
            assert master.poll() is None, f"{name} ended: {self.log.read_text()}"
        with self.host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as probe:
            return probe.connect_ex((address, port)) == 0

    # --- Postfix ---

    def _start(self, name, settings, services):
        """As if it were the machine's own: /etc/postfix and /etc/resolv.conf are ours in its name space, so that a pipe filter may call sendmail."""
        base = self.folder / name
        for folder, owner in _FOLDERS.items():
            os.makedirs(base / folder, mode=0o755)
            shutil.chown(base / folder, owner)
        for folder, mode in (("maildrop", 0o1730), ("public", 0o2710)):
            shutil.chown(base / "queue" / folder, group="postdrop")
            os.chmod(base / "queue" / folder, mode)
        (base / "main.cf").write_text(f"{settings}queue_directory = {base}/queue\ndata_directory = {base}/data\n")
        master = _MASTER.replace("pickup ", "pickup   unix n - n 60   1 pickup -o receive_override_options=no_header_body_checks\n#")
        if name == "postfix-out":   # one writer, so that lines come in the order of what happened
            os.symlink(self.folder / "postfix/queue/public/postlog", base / "queue/public/postlog")
            master = re.sub("^postlog .*$", "", master, flags=re.M)
        else:
            self.lab.on_close(sasl.serve(f"{base}/queue/private/auth", list(LOGINS.items())))
        (base / "master.cf").write_text(master + services)
        (base / "dynamicmaps.cf").touch()
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        for each in ("main.cf", "master.cf"):
            os.utime(base / each, (0, 0))
        script = 'mount --bind "$0" /etc/postfix && mount --bind "$1" /etc/resolv.conf && exec "$2" -s'
        with open(self.folder / f"{name}.out", "wb") as out:
            self.masters[name] = self.host.popen("sh", "-c", script, base, self.folder / "resolv.conf", _MASTER_PROGRAM, stdout=out,
                                                 stderr=out, env=os.environ | {"TZ": "UTC"})

    def reload(self, **settings):
        with open(self.folder / "postfix/main.cf", "a", encoding="ascii") as file:
            file.writelines(f"{key} = {value}\n" for key, value in settings.items())
        os.utime(self.folder / "postfix/main.cf", (0, 0))
        self.masters["postfix"].send_signal(signal.SIGHUP)

    def stop(self):
        for master in self.masters.values():
            master.terminate()
            master.wait(20)

    def command(self, program, *words, **named):
        """A program of Postfix, of the first instance."""
        return subprocess.run(["nsenter", "-m", "-n", "-t", str(self.masters["postfix"].pid), program, *words], check=True, timeout=30,
                              capture_output=True, text=True, env=os.environ | {"TZ": "UTC"}, **named)

    def queued(self, *queues):
        """Files in these queues of both instances."""
        return [path.name for name in self.masters for queue in queues for path in (self.folder / name / "queue" / queue).rglob("*")
                if path.is_file()]

    def hurry(self):
        """What was being delivered at a reload is put off for a minute, which no setting shortens: the time of its file says until when."""
        for path in (self.folder / "postfix/queue/incoming").iterdir():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime > time.time() + 5:
                    os.utime(path)

    def delivered(self):
        """(mailbox, message-id) of each file."""
        for path in self.mail.glob("*/new/*"):
            yield path.parent.parent.name, message_id(path.read_bytes())

    # --- what it asks, and hands to ---

    def _serve_small(self):
        self._background(_Dns, ("127.0.0.1", 53))
        self._background(_Pump, ("127.0.0.1", 10024)).host = self.host
        self._background(_Policy, ("127.0.0.1", 10031))

    def _background(self, kind, address):
        with self.host.inside():
            server = kind(address)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        self.lab.on_close(lambda: (server.shutdown(), server.server_close()))
        return server

    # --- remote servers ---

    def _count(self, name, n=1):
        with self._lock:
            self.counted[name] += n

    def _first(self, key):
        with self._lock:
            self._seen[key] += 1
            return self._seen[key] == 1

    def _serve_remote(self):
        def every(name, said, n=None):
            def rule(_, argument):
                self._count(name, n(argument) if n else 1)
                return said
            return rule

        def once(name, said, n=None):
            def rule(_, argument):
                key = message_id(argument) if n else argument
                if not self._first((name, key)):
                    return None
                self._count(name, n(argument) if n else 1)
                return said
            return rule

        def of(domain):
            return lambda body: self.wanted(message_id(body), domain)
        unknown = b"550 5.1.1 <x>: no such user; from=<a> to=<b> status=sent (250 ok)\r\n"
        rules = {
            "ok": {"dot": b"250 2.0.0 ok: queued as 4WyJ3k0ZzGz1t) status=bounced (550 not owned by user)\r\n"},
            "no": {"rcpt": every("bounced", unknown)},
            "slow": {"rcpt": once("deferred", b"450 4.2.0 come again, user unknown in not owned by\r\n")},
            "never": {"rcpt": every("deferred", b"450 4.2.2 mailbox full\r\n")},
            "rate": {"dot": once("deferred", b"421 4.7.28 unusual rate of mail from your network\r\n", of("rate.example"))},
            "spam": {"dot": every("bounced", b"554 5.7.1 [TSS04] this is spam\r\n", of("spam.example"))},
            "listed": {"rcpt": every("bounced", b"554 5.7.1 Service unavailable; Client host [203.0.113.25] blocked using zen.example\r\n")},
            "banner": {"banner": every("deferred", b"554 5.7.1 your address is on our blocklist\r\n")},
            "silent": {"banner": every("deferred", "close")},
            "out-ok": {},
            "out-no": {"rcpt": every("bounced", unknown)},
            "out-slow": {"rcpt": once("deferred", b"451 4.3.0 try later\r\n")},
        }
        for name, of_it in rules.items():
            self.remote[name] = FakeMTA(self, 25, DOMAINS[f"{name}.example"], offers=PLAIN)
            self.remote[name].rules = of_it
        self.remote["proxy"] = FakeMTA(self, 10028, "127.0.0.1", offers=PLAIN)
        self.remote["proxy"].rules = {"dot": b"550 5.7.1 the filter says spam\r\n"}

    def taken(self):
        """(recipient, message-id) of all that remote servers said 250 to."""
        for name, remote in self.remote.items():
            for envelope, body in remote.messages if name != "proxy" else ():
                for line in envelope:
                    if line.upper().startswith("RCPT"):
                        yield re.search("<(.*?)>", line)[1], message_id(body)


def message_id(body):
    found = re.search(rb"^Message-ID:\s*(<[^>\r\n]*>)", body, re.M | re.I)
    return found and found[1].decode()


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128


class _Pump(_Tcp):
    """A content filter that finds nothing: what comes to 10024 goes on to 10025."""

    def __init__(self, address):
        super().__init__(address, _PumpHandler)


class _PumpHandler(socketserver.BaseRequestHandler):
    def handle(self):
        there = self.server.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        with there, contextlib.suppress(OSError):
            there.connect(("127.0.0.1", 10025))
            other = {there: self.request, self.request: there}
            while True:
                for each in select.select(list(other), [], [])[0]:
                    data = each.recv(65536)
                    if not data:
                        return
                    other[each].sendall(data)


class _Policy(_Tcp):
    """Postfix' policy protocol: the first word of the recipient, or of the sender at the end of the message, says what is answered."""

    def __init__(self, address):
        super().__init__(address, _PolicyHandler)


class _PolicyHandler(socketserver.StreamRequestHandler):
    def handle(self):
        asked = {}
        with contextlib.suppress(OSError):
            for line in self.rfile:
                key, _, value = line.decode(errors="replace").rstrip("\n").partition("=")
                asked[key] = value
                if not key:
                    who = asked["recipient" if asked["protocol_state"] == "RCPT" else "sender"]
                    self.wfile.write(f"action={POLICY.get(re.split('[.@]', who)[0], 'DUNNO')}\n\n".encode())
                    asked = {}


class _Dns(socketserver.ThreadingUDPServer):
    daemon_threads, max_packet_size = True, 4096

    def __init__(self, address):
        super().__init__(address, _DnsHandler)


class _DnsHandler(socketserver.BaseRequestHandler):
    """MX and addresses of the domains, a list that has LISTED, names of customers; all else does not exist."""

    def handle(self):
        packet, there = self.request
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
            at += packet[at] + 1
        kind, = struct.unpack("!H", packet[at + 1:at + 3])
        found = _records(".".join(labels).lower(), kind)
        flags = 0x8580 if found is not None else 0x8583
        answers = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for data in found or [])
        there.sendto(packet[:2] + struct.pack("!HHHHH", flags, 1, len(found or []), 0, 0) + packet[12:at + 5] + answers, self.client_address)


def _name(text):
    return b"".join(bytes([len(each)]) + each.encode() for each in text.split(".")) + b"\0"


def _records(name, kind):
    """Data of the records of this kind; None: there is no such name."""
    a, ptr, mx, txt = 1, 12, 15, 16
    back = ".".join(reversed(name.removesuffix(".in-addr.arpa").split(".")))
    if name in DOMAINS:
        return [b"\0\x0a" + _name("mx." + name)] if kind == mx else []
    if name.removeprefix("mx.") in DOMAINS:
        return [socket.inet_aton(DOMAINS[name.removeprefix("mx.")])] if kind == a else []
    if name == ".".join(reversed(LISTED.split("."))) + ".rbl.test":
        return {a: [b"\x7f\0\0\x02"], txt: [b"\x17listed; not owned by me"]}.get(kind, [])
    if name.endswith(".in-addr.arpa") and back in CUSTOMERS:
        return [_name(f"home-{back.replace('.', '-')}.example.com")] if kind == ptr else []
    if (home := re.fullmatch(r"home-([\d-]+)\.example\.com", name)):
        return [socket.inet_aton(home[1].replace("-", "."))] if kind == a else []
    if name in ("example.net", "mx.example.net"):
        return [socket.inet_aton(MX)] if kind == a else []
    return None
