# SPDX-License-Identifier: GPL-3.0-or-later
"""The duty maillog: logs that grow and are rotated, what is counted of them, and what a mail-limit leads to, with the duty killed meanwhile."""
import datetime
import os
import re
import signal
import time

import pytest
from lab import wait_for
from support import Namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a name space of its own")

POLICY = """
network "Lab" { timezone America/Sao_Paulo }
server mx { address 203.0.113.25 }
class home { port25 observe }
pool city { class home  prefix 198.51.100.0/24 }
never-cut { subscriber 9 }
mail-log mx { file %s }
mail-rule "house rule" { on reject  pattern "house rule"  category house }
mail-limit "accused" { count remote_rate  by login  after 3 over 1h  then suspend  lasts 2h }
mail-limit "bounces" { count bounced  by login  from customers  after 2 over 1h  then limit  to 7  lasts 2h }
mail-limit "guesses" { count auth_failed  by client  after 4 over 10m  then ban  lasts 1h }
mail-limit "bad list" { count local  by client  after 5 over 10m  then sighting  lasts 1h  except 192.0.2.77 }
mail-limit "house" { count house  by network  after 2 over 10m }
mail-limit "comes back" { count bounced  by login  after 6 over 1h  then suspend  lasts 1h }
mail-limit "whose" { count spam  by subscriber  after 3 over 10m  then sighting  lasts 1h }
"""
LONG = 30.0


class Isp:
    """A keeper, the duty, and a mail server of which only the log is seen."""

    def __init__(self, porteiro, folder, monkeypatch):
        monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
        self.space = Namespace()
        self.porteiro, self.log, self.n = porteiro.at(self.space), folder / "logs" / "mail.log", 0
        self.log.parent.mkdir()
        self.log.touch()
        self.porteiro.policy(POLICY % self.log)
        self.porteiro.run("apply")
        for number, name in (("1", "ana"), ("9", "vip")):
            self.porteiro.run("subscriber", "add", number, "--name", name, "--line", f"user:{name}")
        self.porteiro.run("domain", "add", "example.net", "--abuse", "ana@example.net")
        self.porteiro.run("mailbox", "add", "ana@example.net", "--subscriber", "1")
        self.porteiro.run("mailbox", "add", "vip@example.net", "--subscriber", "9")
        self.keeper = self.porteiro.start("duty", "keeper")
        wait_for(lambda: " event=keeper-ready " in self.keeper.log.read_text(), "the keeper", LONG)
        self.start()

    def start(self):
        self.duty = self.porteiro.start("duty", "maillog")
        wait_for(lambda: self.events("started"), f"the duty ({self.duty.log})", LONG)

    def kill(self):
        self.duty.send_signal(signal.SIGKILL)
        self.duty.wait(LONG)

    def stop(self):
        self.duty.terminate()
        assert self.duty.wait(LONG) == 0, self.duty.log.read_text()

    def events(self, name, **wanted):
        lines = self.duty.log.read_text(errors="replace").splitlines()
        found = [dict(re.findall(r'([\w-]+)=("[^"]*"|\S*)', line)) for line in lines if f" event={name} " in line + " "]
        return [e for e in found if all(e[key].strip('"') == value for key, value in wanted.items())]

    def write(self, *texts, program="postfix/smtpd"):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        with open(self.log, "a", encoding="utf-8", errors="surrogateescape") as out:
            for text in texts:
                out.write(f"{now} mx {program}[1]: {text}\n")

    def message(self, client, login="", status="sent (250 Ok)", to="r@example.org"):
        """From arrival to its end."""
        self.n += 1
        number = f"{0xABC000 + self.n:06X}"
        self.write(f"{number}: client=x[{client}]" + (f", sasl_method=PLAIN, sasl_username={login}" if login else ""))
        self.write(f"{number}: message-id=<{self.n}@x>", program="postfix/cleanup")
        self.write(f"{number}: from=<s@example.net>, size=100, nrcpt=1 (queue active)", program="postfix/qmgr")
        self.write(f"{number}: to=<{to}>, relay=mx.example.org[203.0.113.9]:25, delay=1, dsn=2.0.0, status={status}", program="postfix/smtp")
        self.write(f"{number}: removed", program="postfix/qmgr")

    def accused(self, login, n):
        for _ in range(n):
            self.message("198.51.100.7", login, "deferred (host mx.example.org[203.0.113.9] said: 421 4.7.28 unusual rate of mail (in reply to end of DATA command))")

    def wait_caught(self, **wanted):
        wait_for(lambda: self.events("limit-reached", **wanted), f"{wanted} ({self.duty.log})", LONG)

    def drawn(self):
        """The sums of what `graph` would draw."""
        series = self.porteiro.json("graph", "maillog/*", "--since", "1h")["series"]
        return {s["name"]: round(sum(mean * known for mean, _, known in s["points"] if known)) for s in series}

    def wait_read(self):
        """The duty's place is the end of the log."""
        log = self.log.stat()
        wait_for(lambda: f" {log.st_ino} {log.st_size} " in (self.porteiro.state / "maillog/positions").read_text(), f"the duty ({self.duty.log})", LONG)

    def received(self):
        """None: nothing is known."""
        known = self.porteiro.run("graph", "maillog/received", "--since", "1h", "--json", status=None)
        return self.drawn()["maillog/received"] if known.returncode == 0 else None

    def suspended(self, mailbox):
        return self.porteiro.json("mailbox", "show", mailbox)["mailbox"]["suspended"]


@pytest.fixture
def isp(porteiro, tmp_path, monkeypatch):
    made = Isp(porteiro, tmp_path, monkeypatch)
    yield made
    porteiro.close()
    made.space.close()


def test_each_kind_of_limit_does_what_it_says(isp):
    isp.accused("ana@example.net", 3)
    isp.accused("vip@example.net", 3)
    isp.write(*["warning: x[203.0.113.200]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=ana@example.net"] * 4)
    isp.write(*["warning: x[198.51.100.9]: SASL LOGIN authentication failed: UGFzc3dvcmQ6, sasl_username=ana@example.net"] * 4)
    unknown = "NOQUEUE: reject: RCPT from x[%s]: 550 5.1.1 <n@example.net>: Recipient address rejected: User unknown in local recipient table; from=<a@b> to=<n@example.net> proto=ESMTP helo=<ana@example.net not owned by>"
    isp.write(*[unknown % "198.51.100.44"] * 5)
    isp.write(*[unknown % "192.0.2.77"] * 50)
    isp.write("NOQUEUE: reject: RCPT from x[192.0.2.3]: 550 5.7.1 <n@example.net>: Recipient address rejected: house rule 7; from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>",
              "NOQUEUE: reject: RCPT from x[192.0.2.4]: 550 5.7.1 <n@example.net>: Recipient address rejected: house rule 7; from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>")
    isp.wait_caught(limit="house", who="192.0.2.0/24")
    wait_for(lambda: isp.suspended("ana@example.net"), "the suspension", LONG)
    got = isp.suspended("ana@example.net")
    assert got["until"] and "accused" in got["reason"] and "4.7.28" in got["reason"] and got["author"].startswith(("root", "porteiro-maillog"))
    assert not isp.suspended("vip@example.net")
    assert [e["why"] for e in isp.events("limit-not-enforced", who="vip@example.net")] == ['"its subscriber is never cut"']
    bans = isp.porteiro.json("ban", "list")["bans"]
    assert [b["prefix"] for b in bans] == ["203.0.113.200"] and "SASL LOGIN" in bans[0]["evidence"]
    assert "own customers: pool city" in isp.events("limit-not-enforced", who="198.51.100.9")[0]["why"]
    sightings = isp.porteiro.json("sightings")["sightings"]
    assert [(s["source"], s["address"], s["count"]) for s in sightings] == [("maillog", "198.51.100.44", 5)], sightings
    assert not isp.events("limit-reached", who="192.0.2.77")


def test_evidence_that_is_long_hinders_nothing(isp):
    for _ in range(6):
        isp.message("198.51.100.7", "ana@example.net", "bounced (host mx.example.org[203.0.113.9] said: 550 5.1.1 no)", to="\udce9" * 400)
    wait_for(lambda: isp.suspended("ana@example.net"), "the suspension", LONG)
    assert 4090 < len(isp.suspended("ana@example.net")["reason"]) <= 4096


def test_a_subscriber_is_seen_at_the_address_he_had(isp):
    isp.porteiro.run("lease", "add", "198.51.100.50", "--line", "user:ana", "--from", "2026-01-01")
    spam = "ABC123: milter-reject: END-OF-MESSAGE from x[198.51.100.50]: 5.7.1 Spam message rejected; from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>"
    isp.write(*[spam] * 3, program="postfix/cleanup")
    isp.wait_caught(limit="whose", who="1")
    wait_for(lambda: isp.porteiro.json("sightings")["sightings"], "the sighting", LONG)
    [seen] = isp.porteiro.json("sightings")["sightings"]
    assert (seen["source"], seen["address"], seen["count"]) == ("maillog", "198.51.100.50", 3) and "Spam message" in seen["detail"]
    assert not isp.events("limit-not-enforced")


def test_a_keeper_that_hangs_does_not_keep_it_from_reading(isp):
    house = "NOQUEUE: reject: RCPT from x[192.0.%d.3]: 550 5.7.1 <n@example.net>: Recipient address rejected: house rule 7; from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>"
    isp.keeper.send_signal(signal.SIGSTOP)
    try:
        isp.accused("ana@example.net", 3)
        wait_for(lambda: isp.events("keeper-away"), "the keeper is missed", LONG)
        began = time.monotonic()
        for network in range(10):
            isp.write(*[house % network] * 2)
            isp.wait_caught(limit="house", who=f"192.0.{network}.0/24")
        assert time.monotonic() - began < 10
    finally:
        isp.keeper.send_signal(signal.SIGCONT)
    wait_for(lambda: isp.suspended("ana@example.net"), "the suspension", 2 * LONG)
    assert len(isp.events("keeper-away")) == 1


def test_a_log_cut_with_a_copy_has_another_index(isp):
    for n in range(30):
        isp.message("192.0.2.50", "one@example.net" if n == 20 else "")
    wait_for(lambda: isp.received() == 30, "the first part", LONG)
    isp.log.with_suffix(".log.1").write_bytes(isp.log.read_bytes())
    os.truncate(isp.log, 0)
    for n in range(50):
        isp.message("192.0.2.50", "two@example.net" if n == 40 else "")
    wait_for(lambda: isp.received() == 80, "the second part", LONG)
    isp.stop()
    assert len(list((isp.porteiro.state / "maillog" / "index").glob("*.index"))) == 2
    for path, login in ((isp.log, "two"), (isp.log.with_suffix(".log.1"), "one")):
        found = isp.porteiro.json("maillog", "find", f"login:{login}@example.net", path)
        assert len(found["stories"]) == 1, found


def test_a_link_to_a_log_is_followed_and_what_cannot_be_read_is_not_zero(isp):
    isp.stop()
    away = isp.log.parent.parent / "away"
    away.mkdir()
    isp.log.unlink()
    isp.log.symlink_to(away / "mail.log")
    (isp.porteiro.state / "maillog" / "maillog.rings").unlink()
    isp.start()
    time.sleep(1)
    isp.stop()
    assert isp.received() is None
    (away / "mail.log").touch()
    isp.start()
    isp.message("192.0.2.50")
    wait_for(lambda: isp.received() == 1, "the message behind the link", LONG)


def test_killed_and_rotated_it_counts_every_line_once(isp):
    for round in range(4):
        for _ in range(50):
            isp.message("192.0.2.50")
        if round == 1:
            isp.kill()
        if round == 2:
            os.rename(isp.log, isp.log.with_suffix(".log.1"))
        if round == 3:
            isp.start()
    wait_for(lambda: isp.drawn().get("maillog/received") == 200, "all messages", LONG)
    isp.stop()
    first = isp.events("counts")[-1]
    assert first["behind"] == first["unknown"] == first["broken"] == "0"
    assert isp.drawn()["maillog/received"] == 200
    isp.start()
    isp.message("192.0.2.50")
    isp.wait_read()
    isp.stop()
    assert isp.events("counts")[-1]["lines"] == "5"


def test_a_limit_that_limits(isp):
    for _ in range(2):
        isp.message("198.51.100.7", "ana@example.net", "bounced (host mx.example.org[203.0.113.9] said: 550 5.1.1 no such user)")
    wait_for(lambda: isp.suspended("ana@example.net"), "the limit", LONG)
    shown = isp.porteiro.json("mailbox", "show", "ana@example.net")
    assert shown["may_send"] and shown["mailbox"]["suspended"]["recipients_hour"] == 7


def test_what_is_counted_is_drawn(isp):
    for _ in range(7):
        isp.message("192.0.2.50")
    isp.message("192.0.2.50", status="bounced (host mx.example.org[203.0.113.9] said: 550 5.1.1 no)")
    isp.write("NOQUEUE: reject: RCPT from x[192.0.2.3]: 554 5.7.1 <n@example.net>: Relay access denied; from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>")
    time.sleep(1)
    isp.stop()
    sums = isp.drawn()
    assert sums["maillog/sent"] == 7
    assert sums["maillog/received"] == 8 and sums["maillog/bounced"] == 1 and sums["maillog/rejected"] == 1
    assert sums["maillog/category/relay_denied"] == 1


def test_what_comes_late_and_what_is_not_over_is_drawn(isp):
    """A line of before the time that was told of; a message that is still under way when the duty ends."""
    late = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S+00:00")
    with open(isp.log, "a", encoding="utf-8") as out:
        out.write(f"{late} mx postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.3]: 554 5.7.1 <n@example.net>: Relay access denied; "
                  "from=<a@b> to=<n@example.net> proto=ESMTP helo=<x>\n")
    isp.message("192.0.2.50")
    isp.write("ABCDE1: client=x[192.0.2.51]")
    isp.write("ABCDE1: from=<s@example.net>, size=100, nrcpt=2 (queue active)", program="postfix/qmgr")
    isp.write("ABCDE1: to=<r@example.org>, relay=mx.example.org[203.0.113.9]:25, delay=1, dsn=2.0.0, status=sent (250 Ok)", program="postfix/smtp")
    isp.wait_read()
    isp.stop()
    sums = isp.drawn()
    assert (sums["maillog/rejected"], sums["maillog/category/relay_denied"], sums["maillog/sent"]) == (1, 1, 2)


def test_what_is_followed_is_found(isp):
    for n in range(30):
        isp.message("192.0.2.50", "ana@example.net" if n == 20 else "")
    wait_for(lambda: list((isp.porteiro.state / "maillog" / "index").glob("*.index")), "the index", LONG)
    isp.stop()
    found = isp.porteiro.json("maillog", "find", "login:ana@example.net")
    assert len(found["stories"]) == 1, found


def test_a_damaged_place_is_told_and_nothing_is_guessed(isp):
    isp.message("192.0.2.50")
    isp.stop()
    places = isp.porteiro.state / "maillog" / "positions"
    places.write_bytes(places.read_bytes()[:-20])
    told = isp.porteiro.start("duty", "maillog")
    assert told.wait(LONG) == 3 and "move it away" in told.log.read_text()
