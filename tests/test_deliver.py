# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivery into Maildirs as a real Dovecot, configured by packaging/mail/, reads them; also: who writes, in Python's own SMTP client."""
import os
import pathlib
import re
import smtplib
import subprocess
import tempfile

import pytest

from lab.core import stop, wait_for
from mail_server import USER, MailServer

ANA, RUI = "ana@example.net", "rui@example.net"
GOOD = "trilho cebola quartzo"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: Dovecot changes users")


class Client(smtplib.LMTP):
    """SMTP on a Unix socket: what smtplib has for LMTP alone."""
    ehlo_msg = "ehlo"


@pytest.fixture
def box(porteiro):
    """A keeper, a domain and two mailboxes, in a folder that mail servers can reach."""
    with tempfile.TemporaryDirectory(prefix="porteiro-deliver-") as folder:
        os.chmod(folder, 0o755)
        porteiro.state = pathlib.Path(folder) / "state"
        porteiro.outside = pathlib.Path(folder) / "servers"
        porteiro.outside.mkdir()
        keeper = porteiro.start("duty", "keeper")
        wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
        porteiro.run("subscriber", "add", "1", "--name", "Ana")
        porteiro.run("domain", "add", "example.net", "--abuse", ANA)
        for address in (ANA, RUI):
            porteiro.run("mailbox", "add", address, "--subscriber", "1")
            porteiro.run("mailbox", "password", address, "--stdin", input=GOOD + "\n")
        porteiro.run("alias", "add", "both@example.net", "--to", ANA, "--to", RUI)
        yield porteiro
        porteiro.close()


@pytest.fixture
def server(box):
    wait_for(lambda: (box.state / "mail" / "mail.db").exists(), "mail.db", 30)
    with MailServer(box.outside, box.state) as server:
        yield server


@pytest.fixture
def deliver(box, server):
    """The duty, of the user whose mail it is for Dovecot. The test program of the room is the duty when it is asked to be."""
    program = pathlib.Path(box.program).parent / "test" / "edge" / "deliver_test"
    if not program.exists():
        pytest.skip(f"{program} is not built: make unit")
    for path in (box.state, *box.state.glob("ledger.db*")):
        os.chown(path, USER, -1)
    log = box.folder / "deliver.log"
    with open(log, "wb") as output:
        process = subprocess.Popen(["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", program, "--serve", box.state,
                                    server.mail], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    process.log = log
    wait_for(lambda: "event=started" in log.read_text() or process.poll() is not None, "the duty", 30)
    assert process.poll() is None, log.read_text()
    yield process
    stop(process)


def client(box):
    return Client(str(box.state / "deliver.sock"))


def test_dovecot_reads_what_was_delivered(box, server, deliver):
    text = "From: a@example.org\r\nSubject: um dois\r\n\r\n.\r\n..x\r\n" + "linha\r\n" * 20000
    with client(box) as smtp:
        assert smtp.sendmail("a@example.org", ["both@example.net"], text) == {}
        assert smtp.sendmail("", [ANA], "Subject: two\r\n\r\nx\r\n") == {}
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("a@example.org", ["nobody@example.net"], text)
    for login, n in ((ANA, 2), (RUI, 1)):
        wait_for(lambda: server.may_read(login, GOOD), "the password", 60)
        imap = server.imap(login, GOOD)
        assert imap.select("INBOX") == ("OK", [str(n).encode()])
        whole = f"Return-Path: <a@example.org>\r\n{text}".encode()
        _, found = imap.search(None, "SUBJECT", "dois")
        _, ((head, body), _) = imap.fetch(found[0], "(RFC822.SIZE BODY.PEEK[])")
        assert body == whole and int(re.search(rb"RFC822.SIZE (\d+)", head)[1]) == len(whole)
        imap.store(found[0], "+FLAGS", r"\Deleted")
        imap.expunge()
        assert imap.select("INBOX") == ("OK", [str(n - 1).encode()])
        imap.logout()
    with client(box) as smtp:
        assert smtp.sendmail("", [RUI], "Subject: three\r\n\r\nx\r\n") == {}
    imap = server.imap(RUI, GOOD)
    assert imap.select("INBOX") == ("OK", [b"1"])
    imap.logout()
    assert "rror" not in re.sub("error=", "", (server.folder / "dovecot.log").read_text()), server.log()


def test_a_change_in_the_ledger_counts_at_once(box, server, deliver):
    with client(box) as smtp:
        smtp.ehlo()
        assert smtp.mail("a@example.org")[0] == 250
        assert smtp.rcpt("new@example.net")[0] == 550
        box.run("mailbox", "add", "new@example.net", "--subscriber", "1")
        assert smtp.rcpt("new@example.net")[0] == 250
        box.run("mailbox", "remove", "new@example.net", "--reason", "test")
        code, words = smtp.rcpt("new@example.net")
        assert code == 550 and words.startswith(b"5.1.1 No such mailbox here")


POLICY = """
network "Example" { domain example.net  timezone America/Sao_Paulo }
class home { port25 open }
pool a { class home prefix 192.0.2.0/24 }
mail { quota %s }
edge { certificate mail.example.net chain /nowhere/chain.pem key /nowhere/key.pem  next-hop maildir %s }
"""


def test_the_duty_follows_the_policy(box, monkeypatch):
    """Waits without a generation, delivers where the policy says, and takes a new quota without being started again."""
    monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
    maildir = box.outside / "made"
    duty = box.start("duty", "deliver")
    wait_for(lambda: "event=waiting" in duty.log.read_text(), "the wait", 30)
    box.policy(POLICY % ("none", maildir))
    box.run("apply")
    wait_for(lambda: "event=started" in duty.log.read_text(), "the start", 30)
    with client(box) as smtp:
        assert smtp.sendmail("a@example.org", ["postmaster@example.net"], "Subject: x\r\n\r\n" + "x" * 900 + "\r\n") == {}
        assert smtp.sendmail("a@example.org", [ANA], "Subject: x\r\n\r\n" + ("x" * 900 + "\r\n") * 1500) == {}
    new, = maildir.glob("*/*/Maildir/new")
    assert len(list(new.iterdir())) == 2
    box.policy(POLICY % ("1M", maildir))
    box.run("apply")

    def full():
        with client(box) as smtp:
            smtp.ehlo()
            smtp.mail("a@example.org")
            return smtp.rcpt(ANA)[0] == 452
    wait_for(full, "the quota", 30)
    assert duty.poll() is None and duty.log.read_text().count("event=started") == 1
    box.policy(POLICY.replace("next-hop maildir %s", "next-hop relay 127.0.0.1:2525") % "1M")
    box.run("apply")
    assert duty.wait(30) == 0
