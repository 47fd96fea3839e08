# SPDX-License-Identifier: GPL-3.0-or-later
"""The duty that checks passwords for edges: what it says to whom, what it does under load and when something dies, and who may ask."""
import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time

import pytest

from auth_client import CHECK, Client, frame
from lab.core import stop, wait_for
from support import Namespace

ROOT = pathlib.Path(__file__).resolve().parent.parent
ANA, RUI = "ana@example.net", "rui@example.net"
GOOD, OTHER = "trilho cebola quartzo", "bigorna 7 pudim"
OLD, OLD_PASSWORD = "$1$abcdefgh$ZudLVuoYVVJqQvxPdfFIc0", "Saudade de 1984"
POLICY = """
network "Test" { domain example.com  timezone America/Sao_Paulo  language pt-BR  abuse desk@example.org }
class home { port25 observe  recipients-hour %d }
pool p { class home  prefix 198.51.100.0/24 }
mail { recipients-day 500  messages-hour 60 }
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a gate's name space, and users of their own")


@pytest.fixture
def box(porteiro, monkeypatch):
    """A policy in force, three mailboxes; a system call that is not on the duty's list kills it."""
    monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
    namespace = Namespace()
    box = porteiro.at(namespace)
    box.policy(POLICY % 100)
    box.run("subscriber", "add", "10", "--name", "Ana Prado", "--class", "home")
    box.run("domain", "add", "example.net", "--abuse", ANA)
    for address, password in ((ANA, GOOD), (RUI, OTHER)):
        box.run("mailbox", "add", address, "--subscriber", "10")
        put(box, address, password)
    box.run("apply")
    yield box
    porteiro.close()
    namespace.close()


def put(box, address, password):
    box.run("mailbox", "password", address, "--stdin", input=password + "\n")


def put_hash(box, address, text):
    path = box.folder / "hash.csv"
    path.write_text(f"address,hash\n{address},{text}\n")
    box.run("mailbox", "passwords", "import", path)


def started(box):
    duty = box.start("duty", "auth")
    wait_for(lambda: "event=started" in duty.log.read_text(), "the duty", 30)
    return duty


@pytest.fixture
def duty(box):
    return started(box)


@pytest.fixture
def client(box, duty):
    with contextlib.closing(Client(box.state)) as client:
        yield client


def events(process, name):
    return [dict(re.findall(r'([\w-]+)=("[^"]*"|\S*)', line)) for line in process.log.read_text().splitlines() if f" event={name}" in line]


def children(pid):
    return [int(each) for each in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def family(duty):
    """The nursery of the duty, and its checkers. (`ip netns exec` becomes the program: the duty is what was started.)"""
    nursery, = children(duty.pid)
    return nursery, children(nursery)


def with_checkers(duty, least=1):
    wait_for(lambda: len(family(duty)[1]) >= least, "checkers", 10)
    return family(duty)


# --- answers ---

def test_right_wrong_and_unknown(box, client):
    verdict, said = client.check("Ana@EXAMPLE.net", GOOD)
    assert verdict == "yes"
    assert said == {"mailbox": 1, "address": ANA, "subscriber": "10", "weak": "", "suspended": 0, "application": 0, "cut": 0,
                    "limits": {"messages-hour": 60, "messages-day": -1, "recipients-hour": 100, "recipients-day": 500},
                    "senders": [ANA, "abuse@example.net", "postmaster@example.net"]}
    for login, password in ((ANA, GOOD + " "), (ANA, ""), ("", ""), (RUI, GOOD), ("nobody@example.net", GOOD), (f"{ANA}' OR ''='", GOOD),
                            (ANA, "x" * 1024), (ANA, "a\0b"), ("%", GOOD)):
        assert client.check(login, password) == ("no", {}), (login, password)


def test_a_change_counts_at_once(box, client):
    assert client.check(ANA, GOOD)[0] == "yes"
    put(box, ANA, OTHER)
    assert client.check(ANA, GOOD)[0] == "no" and client.check(ANA, OTHER)[0] == "yes"
    box.run("mailbox", "suspend", ANA, "--reason", "infected")
    verdict, said = client.check(ANA, OTHER)
    assert verdict == "yes" and said["suspended"] == 1
    box.run("mailbox", "resume", ANA)
    box.run("subscriber", "suspend", "10", "--reason", "infected")
    assert client.check(ANA, OTHER)[1]["suspended"] == 1
    box.run("subscriber", "resume", "10")
    box.run("mailbox", "remove", RUI)
    assert client.check(RUI, OTHER) == ("no", {})
    assert client.check(ANA, OTHER)[1]["suspended"] == 0


def test_limits_go_up_the_chain(box, client):
    box.run("subscriber", "set", "10", "--limit", "messages-day=40", "--limit", "recipients-hour=30")
    box.run("mailbox", "set", ANA, "--limit", "recipients-hour=none", "--limit", "recipients-day=7")
    assert client.check(ANA, GOOD)[1]["limits"] == {"messages-hour": 60, "messages-day": 40, "recipients-hour": -1, "recipients-day": 7}
    assert client.check(RUI, OTHER)[1]["limits"] == {"messages-hour": 60, "messages-day": 40, "recipients-hour": 30, "recipients-day": 500}


def test_as_whom_he_may_write(box, client):
    box.run("alias", "add", "sales@example.net", "--to", ANA, "--to", RUI)
    box.run("alias", "add", "shop@example.net", "--to", "sales@example.net")    # not directly
    box.run("mailbox", "set", RUI, "--forward", ANA)
    box.run("domain", "set", "example.net", "--catch-all", ANA)
    box.run("mailbox", "set", ANA, "--sender", "*@firm.example", "--sender", "ana@ana.example")
    assert client.check(ANA, GOOD)[1]["senders"] == [ANA, "*@firm.example", "ana@ana.example", "abuse@example.net",
                                                     "postmaster@example.net", "sales@example.net"]
    assert client.check(RUI, OTHER)[1]["senders"] == [RUI, "sales@example.net"]


def test_more_senders_than_a_frame_holds_are_cut(box, client):
    local = "x" * 50
    box.run("alias", "add", "a0@example.net", "--to", RUI)
    with sqlite3.connect(f"{box.state}/ledger.db") as db:   # 600 by the command take a minute
        columns = [row[1] for row in db.execute("PRAGMA table_info(alias)") if row[1] not in ("number", "address")]
        for i in range(600):
            db.execute(f"INSERT INTO alias(address, {', '.join(columns)}) SELECT ?, {', '.join(columns)} FROM alias"
                       " WHERE address = 'a0@example.net'", (f"{local}{i}@example.net",))
            db.execute("INSERT INTO target(kind, number, address) VALUES('alias', last_insert_rowid(), ?)", (RUI,))
    verdict, said = client.check(RUI, OTHER)
    assert verdict == "yes" and said["cut"] == 1 and len(said["senders"]) == 512 and said["senders"][0] == RUI


def test_application_passwords(box, client):
    shown = box.run("mailbox", "app-password", "add", ANA, "phone").stdout
    secret = re.search(r": (\S+)", shown)[1]
    verdict, said = client.check(ANA, secret)
    assert (verdict, said["application"], said["weak"]) == ("yes", 1, "")
    assert client.check(RUI, secret)[0] == "no"


def test_a_weak_password_lets_in_and_is_told(box, client):
    put_hash(box, RUI, subprocess.run(["openssl", "passwd", "-1", "flamengo"], capture_output=True, text=True, check=True).stdout.strip())
    verdict, said = client.check(RUI, "flamengo")
    assert (verdict, said["weak"]) == ("yes", "word")


def test_domains(box, client):
    for name, want in (("example.net", "yes"), ("EXAMPLE.net", "yes"), ("example.com", "yes"), ("example.org", "no"), ("", "no"),
                       ("a b", "no"), ("x' OR ''='", "no"), ("a." * 120 + "example", "no")):
        assert client.domain(name) == want, name
    box.run("domain", "add", "later.example")
    assert client.domain("later.example") == "yes"


def test_a_new_policy_is_followed(box, duty):
    with contextlib.closing(Client(box.state)) as client:
        box.run("exemption", "add", "10", "--owner", "noc@example.net", "--reason", "test", "--until", "2099-01-01")
        box.policy(POLICY % 100 + "pool q { class home  prefix 192.0.2.0/24 }\n")
        box.run("apply")
        time.sleep(3)
        assert duty.poll() is None and client.check(ANA, GOOD)[1]["limits"]["recipients-hour"] == 100
        box.policy(POLICY % 77)
        box.run("apply")
        assert duty.wait(10) == 0
    started(box)
    with contextlib.closing(Client(box.state)) as client:
        assert client.check(ANA, GOOD)[1]["limits"]["recipients-hour"] == 77


# --- what follows a yes ---

def scheme(box, address):
    return box.json("mailbox", "show", address)["password"]["scheme"]


def test_an_old_hash_is_renewed_behind_the_answer(box, client):
    put_hash(box, RUI, OLD)
    keeper = box.start("duty", "keeper")
    wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
    assert client.check(RUI, OLD_PASSWORD)[0] == "yes"
    wait_for(lambda: scheme(box, RUI) == "yescrypt", "a new hash", 10)
    assert client.check(RUI, OLD_PASSWORD)[0] == "yes" and client.check(RUI, OLD)[0] == "no"


def test_a_keeper_that_is_away_does_not_hurt(box, client):
    put_hash(box, RUI, OLD)
    for _ in range(3):
        assert client.check(RUI, OLD_PASSWORD)[0] == "yes"
    assert scheme(box, RUI) == "MD5-CRYPT"


def test_a_keeper_that_hangs_does_not_hurt(box, duty, client):
    """It takes the question and never answers. The first logins that want it wait behind their answer; then nobody does."""
    put_hash(box, RUI, OLD)
    keeper = box.start("duty", "keeper")
    wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
    os.kill(keeper.pid, signal.SIGSTOP)
    for _ in range(20):
        assert client.check(RUI, OLD_PASSWORD)[0] == "yes"
    os.kill(keeper.pid, signal.SIGCONT)
    wait_for(lambda: events(duty, "keeper-away"), "it is said", 10)


# --- trouble ---

def test_a_damaged_ledger_is_never_a_no(box, duty):
    with contextlib.closing(Client(box.state)) as client:
        assert client.check(ANA, GOOD)[0] == "yes"
        for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
            path = box.state / name
            if path.exists():
                path.write_bytes(b"this is no database" * (path.stat().st_size // 19))
        assert client.check(ANA, GOOD) == ("unavailable", {})
        assert client.check(ANA, "wrong") == ("unavailable", {})
        assert client.domain("example.org") == "unavailable" and client.domain("example.com") == "yes"
        assert duty.poll() is None and events(duty, "ledger-unavailable")


def test_before_there_are_hashes_nobody_gets_in_and_then_he_does(box):
    away = box.folder / "away"
    (box.state / "secrets").rename(away)
    (box.state / "secrets").mkdir()
    started(box)
    with contextlib.closing(Client(box.state)) as client:
        assert client.check(ANA, GOOD) == ("no", {})
        (box.state / "secrets").rmdir()
        away.rename(box.state / "secrets")
        assert client.check(ANA, GOOD)[0] == "yes"


def test_a_full_queue_says_so_at_once(box, duty):
    """Checkers that stand still: as many as there are have a job each, POOL_JOBS wait, the rest is answered."""
    _, checkers = with_checkers(duty, len(os.sched_getaffinity(0)))
    for pid in checkers:
        os.kill(pid, signal.SIGSTOP)
    with contextlib.closing(Client(box.state)) as one, contextlib.closing(Client(box.state)) as other:
        for _ in range(256 + len(checkers)):
            one.ask(ANA, GOOD)
        assert other.domain("example.net") == "yes"             # behind them, and yet at once
        wait_for(lambda: other.check(ANA, GOOD) == ("unavailable", {}) or True, "an answer", 10)
        for pid in checkers:
            os.kill(pid, signal.SIGCONT)
        verdicts = [one.answer()[1] for _ in range(256 + len(checkers))]
        assert set(verdicts) <= {"yes"}
        assert other.check(ANA, GOOD)[0] == "yes"
    os.kill(duty.pid, signal.SIGTERM)
    assert duty.wait(10) == 0
    assert int(events(duty, "stopped")[0]["full"]) >= 1


def test_what_waits_too_long_is_given_up(box, duty):
    _, checkers = with_checkers(duty, len(os.sched_getaffinity(0)))
    for pid in checkers:
        os.kill(pid, signal.SIGSTOP)
    with contextlib.closing(Client(box.state)) as client:
        asked = {client.ask(ANA, GOOD) for _ in range(len(checkers) + 3)}
        answers = [client.answer() for _ in asked]
        assert {each[0] for each in answers} == asked and {each[1] for each in answers} == {"unavailable"}
        for pid in checkers:
            os.kill(pid, signal.SIGCONT)
        assert client.check(ANA, GOOD)[0] == "yes"              # what came too late is nobody's answer
        assert not select.select([client.socket], [], [], 0.5)[0]


def test_a_checker_that_dies_is_replaced_and_costs_one_answer(box, duty):
    _, checkers = with_checkers(duty, len(os.sched_getaffinity(0)))
    with contextlib.closing(Client(box.state)) as client:
        for pid in checkers:
            os.kill(pid, signal.SIGSTOP)
        asked = [client.ask(ANA, GOOD) for _ in range(10)]
        with contextlib.closing(Client(box.state)) as other:
            assert other.domain("example.net") == "yes"         # by then all were read
        os.kill(checkers[0], signal.SIGKILL)
        for pid in checkers[1:]:
            os.kill(pid, signal.SIGCONT)
        answers = dict(client.answer()[:2] for _ in asked)
        assert set(answers) == set(asked)
        assert sorted(answers.values()) == ["unavailable"] + ["yes"] * 9
        wait_for(lambda: len(family(duty)[1]) == len(checkers), "another one", 10)
        assert client.check(ANA, GOOD)[0] == "yes"
        assert len(events(duty, "checker-died")) == 1 and duty.poll() is None


def test_without_its_nursery_the_duty_ends(box, duty):
    nursery, checkers = with_checkers(duty)
    os.kill(nursery, signal.SIGKILL)
    assert duty.wait(10) == 3
    assert not any(pathlib.Path(f"/proc/{pid}").exists() and "Z" not in pathlib.Path(f"/proc/{pid}/stat").read_text().split()[2] for pid in checkers)


def test_all_end_with_the_duty(box, duty):
    nursery, checkers = with_checkers(duty)
    os.kill(duty.pid, signal.SIGKILL)
    wait_for(lambda: not any(pathlib.Path(f"/proc/{pid}").exists() for pid in (nursery, *checkers)), "the end of all", 10)


def test_at_its_end_it_answers_what_is_on_the_way(box, duty, client):
    asked = [client.ask(ANA, GOOD) for _ in range(6)]
    time.sleep(0.02)
    os.kill(duty.pid, signal.SIGTERM)
    answers = dict(client.answer()[:2] for _ in asked)
    assert set(answers) == set(asked) and set(answers.values()) <= {"yes", "unavailable"}
    assert duty.wait(10) == 0


# --- hostile askers ---

@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0", b"\xff\xff\xff\xff", struct.pack(">I", 4000) + b"x" * 4000, frame(3, 1, "a", "b"),
    frame(CHECK, 1, "a"), frame(CHECK, 1, "a", "b", "c"), frame(CHECK, "a", "b", 1), frame(CHECK, 1, "a" * 321, "b"), frame(CHECK, 1, "a", "b" * 1025),
])
def test_garbage_ends_only_its_own_connection(box, duty, client, garbage):
    with contextlib.closing(Client(box.state)) as bad:
        first = bad.ask(ANA, GOOD)
        bad.socket.sendall(garbage)
        with contextlib.suppress(ConnectionResetError):
            assert bad.answer()[0] == first
            bad.answer()
            raise AssertionError("still connected")
    assert client.check(ANA, GOOD)[0] == "yes"
    assert len(events(duty, "asker-bad-frame")) == 1


def test_one_byte_at_a_time(box, client):
    for byte in frame(CHECK, 5, ANA, GOOD):
        client.socket.sendall(bytes([byte]))
    assert client.answer()[:2] == (5, "yes")


def test_who_leaves_before_the_answer(box, duty, client):
    for _ in range(30):
        with contextlib.closing(Client(box.state)) as other:
            other.ask(ANA, GOOD)
    assert client.check(ANA, GOOD)[0] == "yes" and duty.poll() is None


def test_who_does_not_read_is_hung_up_on(box, duty, client):
    """Answers to domains cost nothing to ask for."""
    with contextlib.closing(Client(box.state)) as greedy:
        greedy.socket.settimeout(20)
        piece = b"".join(frame(2, i, "example.org") for i in range(1000))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            for _ in range(2000):
                greedy.socket.sendall(piece)
    assert client.check(ANA, GOOD)[0] == "yes"
    assert len(events(duty, "asker-too-slow")) == 1


def test_at_most_64_ask(box, duty):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(Client(box.state))) for _ in range(64)]
        assert {each.domain("example.net") for each in clients} == {"yes"}
        extra = stack.enter_context(contextlib.closing(Client(box.state)))
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            extra.domain("example.net")
        assert clients[63].check(ANA, GOOD)[0] == "yes"
    wait_for(lambda: events(duty, "askers-full"), "it is said", 10)
    with contextlib.closing(Client(box.state)) as client:
        assert client.check(ANA, GOOD)[0] == "yes"


# --- what it may ---

def test_all_of_them_are_locked_in_and_keep_no_password(box, duty, client):
    nursery, checkers = with_checkers(duty)
    for pid in (duty.pid, nursery, *checkers):
        status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and int(status["CapEff"], 16) == 0 and int(status["CapBnd"], 16) == 0
        assert re.search(r"Max core file size +0 +0 ", pathlib.Path(f"/proc/{pid}/limits").read_text())
    secret = "Cr3scente-azul-87 lampião"
    put(box, RUI, secret)
    for _ in range(3):
        assert client.check(RUI, secret)[0] == "yes"
    assert client.check(RUI, secret + "!")[0] == "no"
    assert b"example.com" in memory(duty.pid)                   # what it does keep is found
    for pid in (duty.pid, nursery, *with_checkers(duty)[1]):
        assert secret.encode() not in memory(pid), pathlib.Path(f"/proc/{pid}/comm").read_text()


def memory(pid):
    """All that is written in it."""
    found = b""
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            low, high = (int(each, 16) for each in line.split()[0].split("-"))
            if "rw" in line.split()[1] and high - low < 1 << 28:       # a sanitizer's shadow is terabytes
                with contextlib.suppress(OSError, OverflowError, ValueError):
                    mem.seek(low)
                    found += mem.read(high - low)
    return found


def test_a_second_duty_does_not_take_the_place_of_the_first(box, duty, client):
    second = box.start("duty", "auth")
    assert second.wait(10) == 3 and "another duty listens there" in second.log.read_text()
    assert client.check(ANA, GOOD)[0] == "yes"


def ask_as(uid, gid, state):
    """Verdict of a domain, asked by another user."""
    code = (f"import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r}); from auth_client import Client\n"
            f"print(Client({str(state)!r}).domain('example.net'))")
    done = subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "/usr/bin/python3", "-c", code],
                          capture_output=True, text=True, timeout=60)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1].split(":")[0]


def test_as_a_user_of_its_own(box, tmp_path, monkeypatch):
    """It reads what two groups may; its socket is the duties', and only the edge's user is answered."""
    monkeypatch.delenv("PORTEIRO_USERS")
    users = re.findall(r"^u (porteiro-\S+)", (ROOT / "packaging" / "sysusers.d" / "porteiro.conf").read_text(), re.M)
    uids = {user: 61901 + i for i, user in enumerate(users)}
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    group.write_text(pathlib.Path("/etc/group").read_text() + "porteiro:x:61900:\nporteiro-auth:x:61950:\nporteiro-mail:x:61960:\n")
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() + "".join(
        f"{user}:x:{uid}:61900::/:/usr/sbin/nologin\n" for user, uid in uids.items()))
    with tempfile.TemporaryDirectory(prefix="porteiro-auth-") as folder:
        os.chmod(folder, 0o755)
        box.state.rename(pathlib.Path(folder) / "state")
        box.state = pathlib.Path(folder) / "state"
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
            left.bind(str(box.state / "auth.sock"))                     # of root's, from a duty that died
        box.prefix = ["unshare", "--mount", "sh", "-c", f'mount --bind {passwd} /etc/passwd && mount --bind {group} /etc/group && exec "$@"', "sh"]
        keeper = box.start("duty", "keeper")
        wait_for(lambda: "keeper-ready" in keeper.log.read_text(), "the keeper", 30)
        put_hash(box, RUI, OLD)
        duty = box.start("duty", "auth")
        wait_for(lambda: "event=started" in duty.log.read_text() or duty.poll() is not None, "the duty", 30)
        at = (box.state / "auth.sock").stat()
        assert (oct(at.st_mode & 0o777), at.st_uid, at.st_gid) == ("0o660", uids["porteiro-auth"], 61900), duty.log.read_text()
        with contextlib.closing(Client(box.state)) as client:
            assert client.check(ANA, GOOD)[0] == "yes" and client.check(ANA, OTHER)[0] == "no"
            assert client.check(RUI, OLD_PASSWORD)[0] == "yes"
            wait_for(lambda: scheme(box, RUI) == "yescrypt", "a new hash, by the rights of this user", 10)
        assert ask_as(uids["porteiro-edge"], 61900, box.state) == "yes"
        assert ask_as(uids["porteiro-sight"], 61900, box.state) in ("ConnectionResetError", "BrokenPipeError")
        assert ask_as(65534, 65534, box.state) == "PermissionError"
        assert [e["uid"] for e in events(duty, "asker-refused")] == [str(uids["porteiro-sight"])]
        box.prefix = []
        stop(duty)
        box.close()
