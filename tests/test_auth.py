# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords: set, refused, checked, imported, taken away; and who can see the hashes."""
import contextlib
import hashlib
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import tempfile
import time

import pytest

from lab.core import wait_for

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANA, RUI = "ana@example.net", "rui@example.net"
GOOD, OTHER = "trilho cebola quartzo", "bigorna 7 pudim"
OLD, OLD_PASSWORD = "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0", "Saudade de 1984"
POLICY = """
network "Test" { domain example.net  timezone America/Sao_Paulo  language pt-BR  abuse desk@example.org }
class home { port25 observe }
pool p { class home  prefix 198.51.100.0/24 }
"""


@pytest.fixture
def box(porteiro):
    porteiro.policy(POLICY)
    porteiro.run("subscriber", "add", "1", "--name", "Ana Conceição Prado", "--language", "pt-BR")
    porteiro.run("domain", "add", "example.net")
    for address in (ANA, RUI):
        porteiro.run("mailbox", "add", address, "--subscriber", "1")
    return porteiro


def put(box, address, password, status=0):
    return box.run("mailbox", "password", address, "--stdin", input=password + "\n", status=status)


def check(box, address, password):
    return box.run("mailbox", "check-password", address, "--stdin", input=password + "\n", status=None).stdout.strip()


def scheme_changes(box, address):
    return [(row["decision"], (row["before"] or {}).get("password"), (row["after"] or {}).get("password"))
            for row in box.json("audit", "--key", address)["audit"] if row["decision"].startswith("password")]


def everything(box):
    return b"".join(path.read_bytes() for path in sorted(box.folder.rglob("*")) if path.is_file() and "secrets" not in path.parts)


def test_a_password_is_set_and_checked(box):
    assert check(box, ANA, "") == "no" and check(box, ANA, GOOD) == "no"
    put(box, ANA, GOOD)
    assert check(box, ANA, GOOD) == "yes"
    assert check(box, "Ana@Example.NET", GOOD) == "yes"
    for address, password in ((ANA, GOOD.upper()), (ANA, GOOD + " "), (RUI, GOOD), ("nobody@example.net", GOOD), (f"{ANA}' OR ''='", GOOD)):
        assert check(box, address, password) == "no", (address, password)
    put(box, ANA, OTHER)
    assert check(box, ANA, OTHER) == "yes" and check(box, ANA, GOOD) == "no"
    assert scheme_changes(box, ANA) == [("password set", "yescrypt", "yescrypt"), ("password set", None, "yescrypt")]
    assert GOOD.encode() not in everything(box) and OTHER.encode() not in everything(box)


def test_show_says_whether_there_is_a_password_and_since_when(box):
    assert "password         none\n" in box.run("mailbox", "show", ANA).stdout
    put(box, ANA, GOOD)
    box.run("mailbox", "app-password", "add", ANA, "phone")
    assert re.search(r"^password +yescrypt, set 2\S+ \S+ \S+; 1 of applications$", box.run("mailbox", "show", ANA).stdout, re.M)
    shown = box.json("mailbox", "show", ANA)
    assert shown["password"]["scheme"] == "yescrypt" and shown["applications"] == 1
    assert box.json("mailbox", "show", RUI)["password"] is None


@pytest.mark.parametrize("password, words, customer", [
    ("kw7#z", "shorter than 8", "pelo menos 8 caracteres"),
    ("ana@example.net", "made of the login", "seu endereço"),
    ("C0nceição12", "customer's name", "seu nome"),
    ("example2026", "domain's name", "nosso nome"),
    ("Flamengo1981", "guessed first", "muita gente escolhe"),
    ("s3nh@123", "guessed first", "muita gente escolhe"),
    ("19081985", "nearly all digits", "simples demais"),
    ("ab\tcdefgh9k", "control character", "caractere"),
    ("x" * 600, "too long", ""),
])
def test_a_weak_password_is_refused_with_the_reason(box, password, words, customer):
    refused = put(box, ANA, password, status=1)
    assert words in refused.stderr and customer in refused.stderr
    assert password == ANA or password not in refused.stderr
    assert check(box, ANA, password[:256]) == "no" and scheme_changes(box, ANA) == []


def test_who_has_no_mailbox_gets_no_password(box):
    assert "there is no mailbox" in put(box, "nobody@example.net", GOOD, status=1).stderr
    assert "mailbox password" in put(box, "no address", GOOD, status=1).stderr
    assert "no terminal" in subprocess.run(["setsid", "-w", box.program, "mailbox", "password", ANA, "--state", box.state],
                                           stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60).stderr


def terminal(box, *words, typed):
    """The command on a terminal of its own; what is typed as each answer. All that was shown, and the exit status."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(box.program, [box.program, *words, "--state", str(box.state)])
    shown = b""
    typed = list(typed)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                piece = os.read(fd, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        if typed and shown.endswith(b": "):
            os.write(fd, typed.pop(0).encode() + b"\n")
            shown += b"\n"
    else:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(fd)
    return shown.decode(), os.waitstatus_to_exitcode(status)


def test_on_a_terminal_it_is_asked_twice_and_not_shown(box):
    shown, status = terminal(box, "mailbox", "password", ANA, typed=[GOOD, OTHER])
    assert status == 1 and "not the same" in shown
    shown, status = terminal(box, "mailbox", "password", ANA, typed=[GOOD + "\x03"])
    assert status == 1 and "given up" in shown
    shown, status = terminal(box, "mailbox", "password", ANA, typed=[GOOD, GOOD])
    assert status == 0 and GOOD not in shown and shown.count("Password") == 1, shown
    shown, status = terminal(box, "mailbox", "check-password", ANA, typed=[GOOD])
    assert status == 0 and "yes" in shown and GOOD not in shown


def test_old_hashes_come_in_by_file_and_are_renewed_at_login(box):
    path = box.folder / "old.csv"
    path.write_text(f"address,hash\n{ANA},{OLD}\n{RUI},{{PLAIN-MD5}}{hashlib.md5(b'outra').hexdigest()}\n")
    shown = box.run("mailbox", "passwords", "import", path, "--dry-run").stdout
    assert f"+ {ANA}: password none -> MD5-CRYPT" in shown and "dry run" in shown and OLD not in shown
    assert check(box, ANA, OLD_PASSWORD) == "no"
    assert "2 added, 0 changed" in box.run("mailbox", "passwords", "import", path, "--key", "once").stdout
    assert "done already, at " in box.run("mailbox", "passwords", "import", path, "--key", "once").stdout
    assert check(box, ANA, "wrong") == "no"
    assert check(box, ANA, OLD_PASSWORD) == "yes"
    assert check(box, RUI, "outra") == "yes"
    assert scheme_changes(box, ANA) == [("password rehash", "MD5-CRYPT", "yescrypt"), ("password import", None, "MD5-CRYPT")]
    assert check(box, ANA, OLD_PASSWORD) == "yes" and len(scheme_changes(box, ANA)) == 2
    assert OLD.encode() not in b"".join(p.read_bytes() for p in box.state.glob("ledger.db*"))


@pytest.mark.parametrize("rows, words", [
    ([f"{ANA},{OLD}", f"{ANA},{OLD}"], "3: mailbox ana@example.net stands in line 2"),
    ([f"{ANA},{OLD}", f"nobody@example.net,{OLD}"], "3: there is no mailbox"),
    ([f"{ANA},{OLD}", f"{RUI},*0"], "3: the hash has a character"),
    ([f"{ANA},{OLD}", f"{RUI},"], "3: the hash is empty"),
    ([f"{ANA},{OLD}", f"{RUI},{{PLAIN}}secret"], "3: the hash has a scheme"),
    ([f"{ANA},{OLD}", f"{RUI},$6$rounds=999999999$abcdefgh$" + "x" * 86], "3: the hash is no password hash of a known scheme"),
    ([f"{ANA},{OLD}", f"{RUI},\"{OLD}\n\""], ""),                           # a line end at its end is taken away
    ([f"{ANA},{OLD}", f"{RUI}"], "3: 1 cells where the first line has 2"),
    ([f"{ANA},{OLD}", f"x@example.net,{OLD}\xe3"], "3: text that is not UTF-8"),
    ([f"{ANA},{OLD}", f"\"x'; DROP TABLE mailbox; --\",{OLD}"], "3: mailbox"),
])
def test_a_file_with_a_mistake_does_nothing(box, rows, words):
    path = box.folder / "bad.csv"
    path.write_bytes(("address,hash\n" + "\n".join(rows) + "\n").encode("latin-1"))
    done = box.run("mailbox", "passwords", "import", path, status=1 if words else 0)
    assert words in done.stderr
    assert (scheme_changes(box, ANA) == []) == bool(words)
    assert "secret" not in done.stderr


def test_a_file_without_a_head_shows_no_hash(box):
    path = box.folder / "bad.csv"
    path.write_text(f"{ANA},{OLD}\n")
    said = box.run("mailbox", "passwords", "import", path, status=1).stderr
    assert ":1: the column hash is missing" in said and OLD not in said
    box.run("mailbox", "passwords", "import", box.folder / "none.csv", status=3)


def test_applications_have_passwords_of_their_own(box):
    put(box, ANA, GOOD)
    shown = box.run("mailbox", "app-password", "add", ANA, "phone").stdout
    number, secret = re.match(r"number (\d+): ([a-z2-9]{4}(?:-[a-z2-9]{4}){4})\n", shown).groups()
    assert check(box, ANA, secret) == "yes"
    assert check(box, ANA, secret.replace("-", " ").upper()) == "yes"
    assert check(box, RUI, secret) == "no" and check(box, ANA, GOOD) == "yes"
    one, = box.json("mailbox", "app-password", "list", ANA)["applications"]
    assert (str(one["number"]), one["label"]) == (number, "phone") and one["used"]
    assert "already" in box.run("mailbox", "app-password", "add", ANA, "phone", status=1).stderr
    assert "control" in box.run("mailbox", "app-password", "add", ANA, "a\x1bb", status=1).stderr
    box.run("mailbox", "app-password", "remove", RUI, number, status=1)
    box.run("mailbox", "app-password", "remove", ANA, number)
    assert check(box, ANA, secret) == "no" and check(box, ANA, GOOD) == "yes"
    assert box.json("mailbox", "app-password", "list", ANA)["applications"] == []
    assert secret.encode() not in everything(box)
    audit = {row["decision"]: row for row in box.json("audit", "--key", ANA)["audit"]}
    assert audit["app-password add"]["after"] == {"application": int(number), "label": "phone"}
    assert audit["app-password remove"]["before"] == {"application": int(number), "label": "phone"}


def test_suspended_reads_and_removed_is_out(box):
    put(box, ANA, GOOD)
    box.run("mailbox", "suspend", ANA, "--reason", "infected")
    assert check(box, ANA, GOOD) == "yes, to read: suspended from sending"
    box.run("mailbox", "resume", ANA)
    assert check(box, ANA, GOOD) == "yes"
    put(box, RUI, GOOD)
    box.run("mailbox", "remove", RUI, "--reason", "left")
    assert check(box, RUI, GOOD) == "no"


# --- who can see the hashes ---

@contextlib.contextmanager
def own_users(tmp_path):
    """The users and groups of packaging/sysusers.d, as the processes of one command see them."""
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    group.write_text(pathlib.Path("/etc/group").read_text() + "porteiro:x:61900:\nporteiro-auth:x:61950:\nporteiro-mail:x:61960:\n")
    users = re.findall(r"^u (porteiro-\w+)", (ROOT / "packaging/sysusers.d/porteiro.conf").read_text(), re.M)
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() + "".join(
        f"{user}:x:{61901 + i}:61900::/:/usr/sbin/nologin\n" for i, user in enumerate(users)))
    yield ["unshare", "--mount", "sh", "-c",
           f'mount --bind {passwd} /etc/passwd && mount --bind {group} /etc/group && exec "$@"', "sh"]


def may_open(path, uid, gid):
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "head", "-c1", path],
                          capture_output=True, timeout=60).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: users of their own")
def test_only_the_keeper_and_who_checks_passwords_can_open_the_hashes(box, tmp_path, monkeypatch):
    monkeypatch.delenv("PORTEIRO_USERS")
    with tempfile.TemporaryDirectory(prefix="porteiro-auth-") as folder, own_users(tmp_path) as prefix:
        os.chmod(folder, 0o755)
        box.state.rename(pathlib.Path(folder) / "state")    # made by root, while no duty ran
        box.state = pathlib.Path(folder) / "state"
        put(box, ANA, GOOD)
        box.prefix = prefix
        keeper = box.start("duty", "keeper")
        wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
        box.prefix = []
        put(box, RUI, OTHER)                                # through the keeper
        secrets, mail = box.state / "secrets", box.state / "mail"
        wait_for(lambda: RUI.encode() in (mail / "mail.db").read_bytes(), "the export", 30)
        modes = {path: (oct(path.stat().st_mode & 0o7777), path.stat().st_uid, path.stat().st_gid)
                 for path in (secrets, mail, *secrets.iterdir(), *mail.iterdir())}
        assert modes.pop(secrets) == ("0o2750", 61901, 61950) and modes.pop(mail) == ("0o2750", 61901, 61960)
        for path, found in modes.items():
            assert found == ("0o640", 61901, 61950 if path.parent == secrets else 61960), path
        assert {path.name for path in modes} == {"secrets.db", "secrets.db-wal", "secrets.db-shm", "mail.db"}
        judge, checker, server, stranger = (61903, 61900), (61999, 61950), (61998, 61960), (65534, 65534)
        wanted = {"ledger.db": {judge}, "secrets/secrets.db": {checker}, "secrets/secrets.db-wal": {checker}, "mail/mail.db": {server}}
        for name, allowed in wanted.items():
            for who in (judge, checker, server, stranger):
                assert may_open(box.state / name, *who) == (who in allowed), (name, who)
        assert check(box, RUI, OTHER) == "yes" and check(box, ANA, GOOD) == "yes"
