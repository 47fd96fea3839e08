# SPDX-License-Identifier: GPL-3.0-or-later
"""Who sends to maillog_servers, and what he knows of it: every reply, and what becomes of each message.

    load = Load(seed)
    with Servers(load.wanted) as servers:
        load.run(servers, load.plan(1))         # returns when all of it was said, not when it was delivered
        load.refused, load.known, load.messages # by category; other counts; {message-id: Message}
"""
import base64
import collections
import contextlib
import dataclasses
import random
import smtplib
import socket
import threading

from edge_support import insecure
from maillog_servers import CUSTOMERS, DENIED, HASTY, LISTED, MX, MX6, OUTSIDER6, OUTSIDERS, USERS

THREADS = 10
# What strangers write to be read as something else.
HOSTILE_HELO = ["x] not owned by", "x> proto=ESMTP helo=<y", "[1.2.3.4]: 554 5.7.1 Service unavailable; blocked using zen.example",
                "a; from=<b@c> to=<d@e> proto=ESMTP helo=<spam>", "a: Recipient address rejected: greylisted"]
HOSTILE_SENDER = ['"a> status=sent"@ok.example', '"b; from=<x@y> to=<z@w> proto=ESMTP helo=<q>: spam"@ok.example', '"c not owned by user u1"@ok.example',
                  '"d>: Sender address rejected: not logged in"@ok.example', '"e>, size=1, nrcpt=9 (queue active)"@ok.example']
HOSTILE_SUBJECT = ["reject: RCPT from x[1.2.3.4]: 554 5.7.1 Relay access denied", "x from e[1.2.3.4]; from=<a@b> to=<c@d> proto=SMTP helo=<x>: spam",
                   "4WyJ3k0ZzGz1t: to=<a@b>, relay=x, delay=1, dsn=2.0.0, status=sent (ok)"]
HOSTILE_LOGIN = ["x, sasl_username=u1@example.net", "u1@example.net status=sent", "<u1@example.net>", "a]: SASL PLAIN authentication failed: b"]
ODD_LOGIN = "odd, sasl_method=X, status=sent"
FATES = {"ok": "delivered", "slow": "delivered", "rate": "delivered", "no": "bounced", "spam": "bounced", "listed": "bounced", "never": "expired",
         "banner": "expired", "silent": "expired", "dead": "expired", "out-ok": "delivered", "out-slow": "delivered", "out-no": "bounced"}


@dataclasses.dataclass
class Message:
    """fates: {recipient: delivered, bounced, expired}, as it is known at the end; given: those of the envelope, where they are others."""

    sender: str
    fates: dict
    way: str = "mx"                 # mx, pipe, direct, out, screen, proxied, pickup
    given: list = None
    queued: bool = True
    held: bool = False
    forwarded: int = 0              # recipients that local(8) sends on under a new id

    @property
    def bounces(self):
        """Notifications that are made of it: at the first try, and at the end of its time."""
        return len(set(self.fates.values()) & {"bounced", "expired"}) if self.sender else 0

    @property
    def again(self):
        """How many queue ids it has after the first that began with a client or a pickup."""
        return int(self.way in ("mx", "pipe", "out") and self.queued)


class Load:
    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.known, self.refused, self.messages = collections.Counter(), collections.Counter(), {}
        self._lock, self._n = threading.Lock(), 0

    def wanted(self, message_id, domain):
        """How many recipients in a domain a message has."""
        return sum(each.endswith("@" + domain) for each in self.messages[message_id].fates)

    def know(self, name, n=1):
        with self._lock:
            self.known[name] += n

    def number(self):
        with self._lock:
            self._n += 1
            return self._n

    # --- the plan ---

    def plan(self, share, without=()):
        """[(what, a random generator)], shuffled; share: of all there is, each at least once."""
        words = [what for what, n in KINDS.items() if what not in without for _ in range(max(1, round(n * share)))]
        self.chance.shuffle(words)
        return [(what, random.Random(self.chance.random())) for what in words]

    def run(self, servers, plan, threads=THREADS):
        """All of the plan, by some threads at once."""
        self.servers, left, failed, self.done = servers, list(plan), [], 0

        def work():
            with servers.host.inside():
                while not failed:
                    with self._lock:
                        if not left:
                            return
                        what, chance = left.pop()
                        self.done += 1
                    try:
                        getattr(self, what)(chance)
                    except Exception as error:      # the test shows it, not the thread
                        failed.append((what, error))
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for each in workers:
            each.start()
        for each in workers:
            each.join()
        if failed:
            raise AssertionError(failed[0][0]) from failed[0][1]

    # --- conversations ---

    @contextlib.contextmanager
    def talk(self, source, port=25, helo="client.example.com", login=None, tls=False):
        with smtplib.SMTP(MX6 if ":" in source else MX, port, source_address=(source, 0), timeout=60, local_hostname="client.example.com") as client:
            self.hello(client, helo)
            if tls:
                client.starttls(context=insecure())
                self.hello(client, helo)
            if login:
                client.user, client.password = login, "secret"
                assert client.auth("PLAIN", client.auth_plain)[0] == 235
            yield client

    @staticmethod
    def hello(client, helo):
        code, said = client.docmd("EHLO", helo)
        assert code == 250, said
        client.ehlo_resp, client.does_esmtp = said, True
        client.esmtp_features = {word.split()[0].lower(): "" for word in said.decode().split("\n")}

    def refuse(self, category, reply):
        """This reply was a refusal, of this category."""
        assert reply[0] >= 400, (category, reply)
        with self._lock:
            self.known["odd"] += category == "odd"
            self.refused["other" if category == "odd" else category] += 1

    def take(self, client, message, headers=(), body="Hello.\r\n", subject="to you", refused=None):
        """Envelope and message. `refused`: the category, where the message is refused at its end."""
        wanted = f"<{self.number()}@load.example.com>"
        text = "".join(f"{each}\r\n" for each in (f"Message-ID: {wanted}", f"Subject: {subject}", *headers)) + "\r\n" + body
        with self._lock:
            self.messages[wanted] = message
        reply = client.docmd(f"MAIL FROM:<{message.sender}>")
        assert reply[0] == 250, reply
        for each in message.given or message.fates:
            reply = client.docmd(f"RCPT TO:<{each}>")
            assert reply[0] == 250, reply
        reply = client.data(text)
        if refused:
            del self.messages[wanted]
            self.refuse(refused, reply)
            self.know("refused at the end")
            return
        assert reply[0] == 250, reply

    def mailboxes(self, chance, most=4):
        return {each: "delivered" for each in chance.sample(USERS, chance.randint(1, most))}

    def remote(self, chance, *names):
        return {f"r{self.number()}@{name}.example": FATES[name] for name in names}

    # --- messages that are taken ---

    def inbound(self, chance, **message):
        given = {"sender": f"a{self.number()}@ok.example", "fates": self.mailboxes(chance)} | message
        with self.talk(chance.choice([*OUTSIDERS, *CUSTOMERS, OUTSIDER6])) as client:
            for _ in range(chance.choice([1, 1, 1, 2])):
                self.take(client, Message(**given))

    def inbound_hostile(self, chance):
        what = chance.choice(["warn", "info", "nothing"])
        self.know("check " + what)
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.take(client, Message(chance.choice(HOSTILE_SENDER), self.mailboxes(chance)), subject=chance.choice(HOSTILE_SUBJECT),
                      headers=[f"X-Do: {what} {chance.choice(HOSTILE_SUBJECT)}"])

    def inbound_bounce(self, chance):
        self.inbound(chance, sender="")

    def inbound_alias(self, chance):
        self.inbound(chance, given=["team@example.net"], fates={"u1@example.net": "delivered", "u2@example.net": "delivered"})

    def inbound_ghost(self, chance):
        """Taken, and not there after all: the sender gets a bounce, or does not want it, or is nobody."""
        sender = chance.choice([f"a{self.number()}@ok.example", f"a{self.number()}@no.example", ""])
        self.inbound(chance, sender=sender, given=["ghost@example.net"], fates={"gone@example.net": "bounced"})

    def inbound_partly(self, chance):
        with self.talk(chance.choice(OUTSIDERS)) as client:
            sender = f"a{self.number()}@ok.example"
            client.docmd(f"MAIL FROM:<{sender}>")
            self.refuse("local", client.docmd(f"RCPT TO:<none{self.number()}@example.net>"))
            self.refuse("relay_denied", client.docmd("RCPT TO:<x@ok.example>"))
            client.rset()
            self.take(client, Message(sender, self.mailboxes(chance)))

    def inbound_checked(self, chance):
        what = chance.choice(["warn", "info", "replace", "prepend", "strip", "redirect", "bcc"])
        message = Message(f"a{self.number()}@ok.example", {"u5@example.net": "delivered"})
        message.given = list(message.fates)
        if what == "redirect":
            message.fates, message.way = {"u3@example.net": "delivered"}, "direct"      # the filter is passed by: header_checks(5)
        elif what == "bcc":
            message.fates["u4@example.net"] = "delivered"
        self.know("check " + what)
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.take(client, message, headers=[f"X-Do: {what} {chance.choice(HOSTILE_SUBJECT)}"])

    def inbound_warned(self, chance):
        fates = self.mailboxes(chance)
        self.know("warnings", len(fates))
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.take(client, Message("warned@ok.example", fates))

    def inbound_discarded(self, chance):
        if chance.random() < 0.5:
            self.inbound(chance, sender="gone@ok.example", fates={"u1@example.net": ""}, queued=False)
            return
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.take(client, Message("a@ok.example", {"u1@example.net": ""}, queued=False), headers=["X-Do: discard"])

    def inbound_held(self, chance):
        with self.talk(chance.choice(OUTSIDERS)) as client:
            if chance.random() < 0.5:
                self.take(client, Message("held@ok.example", {"u1@example.net": "delivered"}, queued=False, held=True))
            else:
                self.take(client, Message("a@ok.example", self.mailboxes(chance), queued=False, held=True), headers=["X-Do: hold"])

    def inbound_forward(self, chance):
        """By the filter and local(8)."""
        self.inbound(chance, given=["fwd@local.example.net"], fates={"fwd@ok.example": "delivered"}, forwarded=1)

    def submit(self, chance, **message):
        """By a login, through the pipe filter: to mailboxes here, and to servers that say this and that."""
        names = chance.sample(["ok", "ok", "no", "slow", "never", chance.choice(["rate", "spam", "listed"])], chance.randint(1, 3))
        fates = self.remote(chance, *names) | (self.mailboxes(chance, 2) if chance.random() < 0.5 else {})
        login = chance.choice(USERS)
        with self.talk(chance.choice(CUSTOMERS), 587, chance.choice(HOSTILE_HELO), login, tls=chance.random() < 0.3) as client:
            self.take(client, Message(**({"sender": login, "fates": fates, "way": "pipe"} | message)), subject=chance.choice(HOSTILE_SUBJECT))

    def submit_alone(self, chance):
        """One recipient, so that who refuses to talk knows of how many."""
        self.submit(chance, fates=self.remote(chance, chance.choice(["banner", "silent", "dead"])))

    def submit_nowhere(self, chance):
        self.submit(chance, fates={f"r{self.number()}@nodomain.invalid": "bounced"})

    def submit_out(self, chance):
        """By the other instance."""
        fates = self.remote(chance, *chance.sample(["out-ok", "out-ok", "out-no", "out-slow"], chance.randint(1, 3)))
        with self.talk(chance.choice(CUSTOMERS), 465, login=ODD_LOGIN) as client:
            self.take(client, Message("u1@example.net", fates, "out"))

    def submit_direct(self, chance):
        with self.talk(chance.choice(CUSTOMERS), 465, login=chance.choice(USERS)) as client:
            self.take(client, Message("u2@example.net", self.remote(chance, "ok", "no") | self.mailboxes(chance), "direct"))
            self.take(client, Message("u2@example.net", {"fwd@ok.example": "delivered"}, "direct", given=["fwd@local.example.net"], forwarded=1))

    def inbound_screened(self, chance):
        with self.talk(chance.choice(CUSTOMERS), 2525) as client:
            self.take(client, Message("u2@ok.example", self.mailboxes(chance), "screen"))

    def inbound_proxied(self, chance):
        with self.talk(chance.choice(CUSTOMERS), 2527) as client:
            self.take(client, Message("u3@ok.example", self.mailboxes(chance), "proxied"))

    def pickup(self, chance):
        wanted, fates = f"<{self.number()}@load.example.com>", self.mailboxes(chance)
        self.messages[wanted] = Message("cron@example.net", fates, "pickup")
        self.servers.command("sendmail", "-i", "-f", "cron@example.net", "--", *fates, input=f"Message-ID: {wanted}\nSubject: cron\n\nDone.\n")

    # --- refusals ---

    def refused_recipient(self, chance):
        source, port, login, sender = chance.choice(OUTSIDERS), 25, None, chance.choice([f"a{self.number()}@ok.example", *HOSTILE_SENDER])
        helo, to = "client.example.com", "u1@example.net"
        category, changes = chance.choice(list(REFUSALS.items()))
        of = {"source": source, "port": port, "login": login, "sender": sender, "helo": helo, "to": to} | chance.choice(changes)
        with self.talk(of["source"], of["port"], of["helo"], of["login"]) as client:
            client.docmd(f"MAIL FROM:<{of['sender']}>")
            for _ in range(chance.randint(1, 3)):
                self.refuse(category, client.docmd(f"RCPT TO:<{of['to'].replace('#', str(self.number()))}>"))

    def refused_message(self, chance):
        sender = f"a{self.number()}@ok.example"
        category, changes = chance.choice([("other", {"subject": "lottery from e[1.2.3.4]; from=<> to=<> helo=<x>: virus"}),
                                           ("other", {"body": "buy viagra\r\n"}), ("virus", {"sender": "virus@ok.example"}),
                                           ("spam", {"sender": "junk@ok.example"})])
        sender = changes.pop("sender", sender)
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.take(client, Message(sender, self.mailboxes(chance)), refused=category, **changes)

    def refused_by_proxy(self, chance):
        with self.talk(chance.choice(OUTSIDERS), 2528) as client:
            self.take(client, Message("u3@ok.example", self.mailboxes(chance)), refused="spam")
            self.know("refused by the proxy")

    def refused_size(self, chance):
        with self.talk(chance.choice(OUTSIDERS)) as client:
            self.refuse("size", client.docmd("MAIL FROM:<a@ok.example> SIZE=999999"))

    def too_large(self, chance):
        """Found out on the way: nothing but a warning is logged."""
        with self.talk(chance.choice(OUTSIDERS)) as client:
            client.docmd("MAIL FROM:<a@ok.example>")
            client.docmd("RCPT TO:<u1@example.net>")
            assert client.data("Subject: x\r\n\r\n" + "x" * 70 + "\r\n" * 110000)[0] == 552
            self.know("too large")

    def refused_pipelining(self, chance):
        with self.talk(chance.choice(OUTSIDERS)) as client:
            client.docmd("MAIL FROM:<a@ok.example>")
            client.docmd("RCPT TO:<u1@example.net>")
            client.send("DATA\r\nRSET\r\n")
            self.refuse("protocol", client.getreply())
            self.know("refused at DATA")
            assert client.getreply()[0] == 250

    def refused_by_screen(self, chance):
        """postscreen writes HELO as it is: brackets can be read in two ways."""
        helo, category = chance.choice([(b"x", "protocol"), (b"x not owned by", "protocol"), (b"x> spam", "odd")])
        with socket.create_connection((MX, 2525), 60, (chance.choice(OUTSIDERS), 0)) as made, made.makefile("rb") as file:
            made.sendall(b"EHLO " + helo + b"\r\n")
            self.screened(made, file, category)

    def listed_at_screen(self, chance):
        with socket.create_connection((MX, 2525), 60, (LISTED, 0)) as made, made.makefile("rb") as file:
            while file.readline()[3:4] == b"-":
                pass
            made.sendall(b"EHLO x] spam\r\n")
            self.screened(made, file, "rbl")

    def screened(self, made, file, category):
        def reply():
            line = file.readline()
            while line[3:4] == b"-" or line[:3] == b"220":
                line = file.readline()
            return int(line[:3]), line
        assert reply()[0] == 250
        made.sendall(b"MAIL FROM:<a@ok.example>\r\n")
        reply()
        made.sendall(b"RCPT TO:<u1@example.net>\r\n")
        self.refuse(category, reply())
        made.sendall(b"QUIT\r\n")
        reply()

    def too_fast(self, chance):
        """Nothing but a warning is logged."""
        with self.talk(HASTY, 2526) as client:
            for _ in range(4):
                reply = client.docmd("MAIL FROM:<a@ok.example>")
                self.know("too fast", reply[0] != 250)
                client.rset()

    # --- logins that fail, and conversations that lead to nothing ---

    def guess(self, chance):
        """Until the server has enough."""
        who = chance.choice([*USERS, "admin", *HOSTILE_LOGIN])
        with contextlib.suppress(smtplib.SMTPServerDisconnected), self.talk(chance.choice(OUTSIDERS), chance.choice([587, 465])) as client:
            for _ in range(chance.randint(1, 4)):
                if chance.random() < 0.5:
                    reply = client.docmd("AUTH", "PLAIN " + base64.b64encode(f"\0{who}\0wrong".encode()).decode())
                else:
                    assert client.docmd("AUTH LOGIN")[0] == 334
                    assert client.docmd(base64.b64encode(who.encode()).decode())[0] == 334
                    reply = client.docmd(base64.b64encode(b"wrong").decode())
                assert reply[0] == 535, reply
                self.know("auth_failed")

    def leave(self, chance):
        """At some stage, without a word."""
        with socket.create_connection((MX, chance.choice([25, 587])), 60, (chance.choice(OUTSIDERS), 0)) as made, made.makefile("rb") as file:
            file.readline()
            for line in [b"HELO x] not owned by\r\n", b"MAIL FROM:<a@ok.example>\r\n"][:chance.randint(0, 2)]:
                made.sendall(line)
                file.readline()

    def leave_in_data(self, chance):
        with self.talk(chance.choice(OUTSIDERS)) as client:
            client.docmd("MAIL FROM:<a@ok.example>")
            client.docmd("RCPT TO:<u1@example.net>")
            assert client.docmd("DATA")[0] == 354
            client.send("Subject: x\r\n")
            client.close()
            self.know("left in data")

    def nonsense(self, chance):
        with contextlib.suppress(smtplib.SMTPServerDisconnected), self.talk(chance.choice(OUTSIDERS)) as client:
            for line in chance.choice([["GET / HTTP/1.1"], ["X <reject: RCPT from e[1.2.3.4]: 554 spam>"] * 20,
                                       ["MAIL FROM:<a b> c>", "RCPT TO:<x>", "VRFY u1@example.net", "ETRN x", "NOOP", "HELP"]]):
                client.docmd(line)


# What a refusal at RCPT is made by: the first that is asked.
REFUSALS = {
    "local": [{"to": "none#@example.net"}],
    "rate": [{"to": "rate.#@example.net"}, {"to": "quota.#@example.net"}],
    "greylist": [{"to": "grey.#@example.net"}],
    "spf": [{"to": "spf.#@example.net"}],
    "recipient": [{"to": "dislike.#@example.net"}],
    "domain": [{"sender": "a@nodomain.invalid"}, {"sender": '"x not owned by"@nodomain.invalid'}],
    "not_logged": [{"sender": "u1@example.net"}],
    "not_owned": [{"sender": "u1@example.net", "login": "u2@example.net", "port": 587, "source": CUSTOMERS[0], "helo": HOSTILE_HELO[2]},
                  {"sender": "u1@example.net", "login": ODD_LOGIN, "port": 587, "source": CUSTOMERS[0], "helo": HOSTILE_HELO[3]}],
    "sender_denied": [{"sender": "bad@ok.example"}],
    "sender_other": [{"sender": "nodomain"}],
    "relay_denied": [{"to": "r#@ok.example"}, {"to": '"a; spam"@ok.example'}],
    # can be read in two ways: what is echoed has a bracket
    "odd": [{"to": '"a; from=<x> spam"@ok.example'}],
    "rbl": [{"source": LISTED}],
    "helo": [{"helo": each} for each in HOSTILE_HELO] + [{"helo": "bad.example"}],
    "client": [{"source": DENIED}, {"port": 587, "helo": HOSTILE_HELO[0]}, {"port": 465, "helo": HOSTILE_HELO[4]}],
}
KINDS = {"inbound": 70, "inbound_hostile": 25, "inbound_bounce": 10, "inbound_alias": 10, "inbound_ghost": 12, "inbound_partly": 10,
         "inbound_checked": 24, "inbound_warned": 6, "inbound_discarded": 6, "inbound_held": 6, "inbound_forward": 6, "submit": 70,
         "submit_alone": 8, "submit_nowhere": 4, "submit_out": 20, "submit_direct": 12, "inbound_screened": 6, "inbound_proxied": 6, "pickup": 8,
         "refused_recipient": 150, "refused_message": 16, "refused_by_proxy": 4, "refused_size": 4, "too_large": 2, "refused_pipelining": 4,
         "refused_by_screen": 3, "listed_at_screen": 3, "too_fast": 2, "guess": 24, "leave": 12, "leave_in_data": 4, "nonsense": 12}
