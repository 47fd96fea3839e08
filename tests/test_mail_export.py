# SPDX-License-Identifier: GPL-3.0-or-later
"""mail.db as a real Postfix and a real Dovecot read it, configured by packaging/mail/."""
import os
import pathlib
import re
import tempfile

import pytest

from lab.core import wait_for
from mail_server import MailServer

ANA, RUI, EVA = "ana@example.net", "rui@example.net", "eva@example.net"
GOOD, OTHER = "trilho cebola quartzo", "bigorna 7 pudim"
OLD, OLD_PASSWORD = "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0", "Saudade de 1984"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: Postfix changes users")


@pytest.fixture
def box(porteiro):
    """A keeper, two domains and three mailboxes, in a folder that mail servers can reach."""
    with tempfile.TemporaryDirectory(prefix="porteiro-mail-") as folder:
        os.chmod(folder, 0o755)
        porteiro.state = pathlib.Path(folder) / "state"
        porteiro.outside = pathlib.Path(folder) / "servers"
        porteiro.outside.mkdir()
        keeper = porteiro.start("duty", "keeper")
        wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
        porteiro.run("subscriber", "add", "1", "--name", "Ana")
        porteiro.run("domain", "add", "example.net", "--abuse", ANA)
        porteiro.run("domain", "add", "shop.example", "--abuse", ANA)
        for address in (ANA, RUI, EVA):
            porteiro.run("mailbox", "add", address, "--subscriber", "1")
        yield porteiro
        porteiro.close()


@pytest.fixture
def server(box):
    wait_for(lambda: (box.state / "mail" / "mail.db").exists(), "mail.db", 30)
    with MailServer(box.outside, box.state) as server:
        yield server


def put(box, address, password):
    box.run("mailbox", "password", address, "--stdin", input=password + "\n")


def soon(what, condition):
    """The effect of a change: promised within seconds."""
    wait_for(condition, what, 60)


def test_what_postfix_finds(box, server):
    box.run("mailbox", "set", RUI, "--forward", "far@example.org")
    box.run("mailbox", "set", EVA, "--forward", RUI, "--keep", "no")
    box.run("alias", "add", "sales@shop.example", "--to", ANA, "--to", RUI)
    box.run("domain", "set", "shop.example", "--catch-all", ANA)
    soon("the catch-all", lambda: server.map("aliases", "@shop.example") == ANA)
    assert server.map("domains", "example.net") == "example.net" and server.map("domains", "example.org") is None
    folder = server.map("mailboxes", ANA)
    assert re.fullmatch(r"\d\d/\d+/Maildir/", folder) and server.map("mailboxes", "sales@shop.example") is None
    assert server.map("mailboxes", ANA.upper()) == folder
    assert server.map("aliases", ANA) == ANA
    assert sorted(server.map("aliases", RUI).split(",")) == ["far@example.org", RUI]
    assert server.map("aliases", EVA) == RUI
    assert sorted(server.map("aliases", "sales@shop.example").split(",")) == [ANA, RUI]
    assert server.map("aliases", "abuse@shop.example") == server.map("aliases", "postmaster@example.net") == ANA
    assert server.map("aliases", "nobody@shop.example") is None
    assert server.map("senders", ANA) == ANA
    assert sorted(server.map("senders", "sales@shop.example").split(",")) == [ANA, RUI]
    for hostile in ("' OR '1'='1", f"{ANA}' OR '1'='1", "x' UNION SELECT hash FROM mailbox --", "%@example.net", "\\", "''", '"', "*"):
        for name in ("domains", "mailboxes", "aliases", "senders"):
            assert server.map(name, hostile) is None, (name, hostile)


def test_mail_arrives(box, server):
    box.run("alias", "add", "sales@shop.example", "--to", ANA)
    box.run("domain", "set", "shop.example", "--catch-all", RUI)
    box.run("mailbox", "suspend", EVA, "--reason", "infected")
    soon("the catch-all", lambda: server.map("aliases", "@shop.example") == RUI)
    folders = {address: server.map("mailboxes", address).removesuffix("Maildir/") for address in (ANA, RUI, EVA)}
    for to in ("sales@shop.example", "postmaster@example.net", "whoever@shop.example", EVA):
        assert server.send(to) is None, to
    assert "User unknown" in server.send("nobody@example.net")
    assert "Relay access denied" in server.send("somebody@example.org")
    soon("mail", lambda: (len(server.delivered(folders[ANA])), len(server.delivered(folders[RUI])), len(server.delivered(folders[EVA]))) == (2, 1, 1))
    assert server.delivered(folders[EVA]) == [EVA]      # suspended, and receives
    put(box, RUI, GOOD)
    soon("the password", lambda: server.may_read(RUI, GOOD))
    client = server.imap(RUI, GOOD)
    assert client.select("INBOX") == ("OK", [b"1"])
    client.logout()


def test_who_logs_in(box, server):
    put(box, ANA, GOOD)
    path = box.folder / "old.csv"
    path.write_text(f"address,hash\n{RUI},{OLD}\n")
    box.run("mailbox", "passwords", "import", path)
    soon("the passwords", lambda: server.may_read(RUI, OLD_PASSWORD))
    assert server.may_read(ANA, GOOD) and server.may_read(ANA.upper(), GOOD)
    for login, password in ((ANA, "wrong"), (ANA, OLD_PASSWORD), (RUI, GOOD), (EVA, GOOD), (EVA, "!"), (EVA, "x"), ("nobody@example.net", GOOD),
                            (f"{ANA}' OR ''='", GOOD), (ANA, "' OR ''='"), (ANA, "*0")):
        assert not server.may_read(login, password), (login, password)
    put(box, ANA, OTHER)
    soon("the new password", lambda: server.may_read(ANA, OTHER))
    assert not server.may_read(ANA, GOOD)
    box.run("mailbox", "check-password", RUI, "--stdin", input=OLD_PASSWORD + "\n")     # makes the hash anew
    soon("the new hash", lambda: b"$1$abcdefgh" not in server.database.read_bytes())
    assert server.may_read(RUI, OLD_PASSWORD)
    box.run("mailbox", "remove", RUI, "--reason", "left")
    soon("gone", lambda: not server.may_read(RUI, OLD_PASSWORD))


HASHES = [
    "abK4kxya20Ybc",
    "$5$abcdefgh$.TKsl3Y7nncXQ5UWo7pL4izqbCdEfvsIu2lCVUBv7t0",
    "$6$abcdefgh$mZ92MH/sFevk7qL7KcEW7JwXQQfXshs8DrjSKYAYvpfVbpLym2RRCzebWwLje9a7iR/ocpts/3u7VWEQUHhqk.",
    "{SHA}jDXuD3DnZ/XfcyaRA4MSbikd5EQ=",
    "{SSHA}/HDDOtn+FLp2I63th4rCgDDFZc8Ac2FsdP8xMg==",
    "{SHA256}/4r/28k5BxAL2ReJY6TgcRe1jZtLp5Frg3AcC+fxQo0=",
    "{SSHA512}JWzc8snV1KA2Kz3m2mAZ4PA3SPjbP5suqyRmljxuoHclhjalCo7tqvmh81m9I5Btl6D3MWKdYf2v+Q7EHe10vQBzYWx0/zEy",
    "{PLAIN-MD5}2ca9a658fe1a40ac6e2f307e6291b231",
    "{MD5}LKmmWP4aQKxuLzB+YpGyMQ==",
    "{SMD5}11YpAhCN3FEiRTR7DpKe9QBzYWx0/zEy",
]


def test_dovecot_understands_each_old_hash(box, server):
    path = box.folder / "old.csv"
    path.write_text("address,hash\n" + "".join(f"h{i}@example.net,{each}\n" for i, each in enumerate(HASHES)))
    for i in range(len(HASHES)):
        box.run("mailbox", "add", f"h{i}@example.net", "--subscriber", "1")
    box.run("mailbox", "passwords", "import", path)
    soon("the passwords", lambda: server.may_read(f"h{len(HASHES) - 1}@example.net", OLD_PASSWORD))
    for i, each in enumerate(HASHES):
        assert server.may_read(f"h{i}@example.net", OLD_PASSWORD), each
        assert not server.may_read(f"h{i}@example.net", OLD_PASSWORD[1:]), each


def test_passwords_of_applications(box, server):
    put(box, ANA, GOOD)
    numbers, secrets = [], []
    for label in ("phone", "printer", "tablet"):
        number, secret = re.match(r"number (\d+): (\S+)\n", box.run("mailbox", "app-password", "add", ANA, label).stdout).groups()
        numbers.append(number)
        secrets.append(secret)
    soon("the last of them", lambda: server.may_read(ANA, secrets[-1]))
    assert all(server.may_read(ANA, secret) and server.may_send(ANA, secret) for secret in secrets) and server.may_read(ANA, GOOD)
    assert not server.may_read(RUI, secrets[0])
    box.run("mailbox", "app-password", "remove", ANA, numbers[0])
    soon("gone", lambda: not server.may_read(ANA, secrets[0]))
    assert server.may_read(ANA, secrets[1]) and server.may_read(ANA, GOOD)


def test_who_may_send_and_as_whom(box, server):
    box.run("alias", "add", "sales@shop.example", "--to", ANA)
    for address in (ANA, RUI):
        put(box, address, GOOD)
    soon("the passwords", lambda: server.may_send(RUI, GOOD))
    assert server.send(EVA, sender=ANA, login=(ANA, GOOD)) is None
    assert server.send(EVA, sender="sales@shop.example", login=(ANA, GOOD)) is None
    assert "not owned by user" in server.send(EVA, sender="sales@shop.example", login=(RUI, GOOD))
    assert "not owned by user" in server.send(EVA, sender=ANA, login=(RUI, GOOD))
    box.run("mailbox", "suspend", ANA, "--reason", "infected")
    soon("suspended", lambda: not server.may_send(ANA, GOOD))
    assert server.may_read(ANA, GOOD) and server.may_send(RUI, GOOD)
    box.run("mailbox", "resume", ANA)
    soon("again", lambda: server.may_send(ANA, GOOD))


def test_a_keeper_that_comes_back_makes_it_right(box, server):
    """A damaged file is made anew, and servers that open it find all that the ledger has."""
    put(box, ANA, GOOD)
    soon("the password", lambda: server.may_read(ANA, GOOD))
    box.close()
    server.database.write_bytes(b"nothing like a database")
    keeper = box.start("duty", "keeper")
    wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
    soon("made anew", lambda: server.database.read_bytes().startswith(b"SQLite format 3"))
    soon("whole", lambda: server.map("mailboxes", ANA))
