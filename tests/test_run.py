# SPDX-License-Identifier: GPL-3.0-or-later
"""The supervisor and its duties as processes: starting, dying, coming back, ending, and what each may do (reliability
promise 8). Each test has a network name space of its own; the state folder is the test's."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

import pytest

from lab.core import stop
from support import Namespace

POLICY = """
network "Lab" { timezone America/Sao_Paulo }
class home { port25 block }
pool city { class home prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }
gate { nflog-group %d }
"""
DUTIES = ("keeper", "gate", "judge", "sight", "lease", "auth", "deliver", "edge", "maillog")
CAP_NET_ADMIN = 1 << 12
CAP_DAC_READ_SEARCH = 1 << 2

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: duties drop rights")


@pytest.fixture
def box(porteiro, monkeypatch):
    """The program in a fresh name space; a system call that is not on a duty's list kills it, so that no test passes by."""
    monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
    namespace = Namespace()
    box = porteiro.at(namespace)
    box.policy(POLICY % 25)
    yield box
    porteiro.close()
    namespace.close()


def until(what, true, seconds=10):
    deadline = time.monotonic() + seconds
    while not (got := true()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)
    return got


def events(process, name):
    """The key=value pairs of each such line of the log."""
    lines = process.log.read_text(errors="replace").splitlines()
    return [dict(re.findall(r'([\w-]+)=("[^"]*"|\S*)', line)) for line in lines if f" event={name} " in line + " "]


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):[ \t]*(.*)$", text, re.M))


def pid_of(run, duty):
    """Of the duty as it was started last."""
    return int([e for e in events(run, "duty-started") if e["name"] == duty][-1]["pid"])


def alive(pid):
    try:
        return status(pid)["State"][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def start(box):
    run = box.start("run")
    until("ready", lambda: events(run, "run-ready"))
    return run


@pytest.fixture
def reachable(box, monkeypatch):
    """A state folder that other users can reach: pytest's own cannot be."""
    monkeypatch.delenv("PORTEIRO_USERS")
    with tempfile.TemporaryDirectory(prefix="porteiro-run-") as folder:
        os.chmod(folder, 0o755)
        box.state = pathlib.Path(folder) / "state"
        yield box
        box.close()         # before the folder goes: a duty that still makes its socket would hinder that


@contextlib.contextmanager
def own_users(tmp_path):
    """The users of packaging/sysusers.d, as the processes of one command see them: nothing on this machine changes.

    Yields the command to put in front."""
    passwd, group = tmp_path / "passwd", tmp_path / "group"
    group.write_text(pathlib.Path("/etc/group").read_text() + "porteiro:x:61900:\nporteiro-auth:x:61950:\n")
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() + "".join(
        f"porteiro-{duty}:x:{61901 + i}:61900::/:/usr/sbin/nologin\n" for i, duty in enumerate(DUTIES)))
    yield ["unshare", "--mount", "sh", "-c",
           f'mount --bind {passwd} /etc/passwd && mount --bind {group} /etc/group && exec "$@"', "sh"]


# --- what each may do ---

def locked_duties(box, run):
    box.run("apply")
    until("all locked in", lambda: {"sight", "lease", "auth", "deliver", "edge"} <= {e["duty"] for e in events(run, "locked-in")})
    return {duty: status(pid_of(run, duty)) for duty in DUTIES}


def check_rights(duty, seen):
    kept = {"gate": CAP_NET_ADMIN, "edge": CAP_DAC_READ_SEARCH}.get(duty, 0)
    for line in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        assert int(seen[line], 16) == kept, f"{duty}: {line} {seen[line]}"
    assert seen["NoNewPrivs"] == "1" and seen["Seccomp"] == "2", duty


def test_each_duty_is_locked_in(box):
    run = start(box)
    for duty, seen in locked_duties(box, run).items():
        check_rights(duty, seen)
        assert seen["Name"] == f"porteiro-{duty}"[:15] and seen["Threads"] == "1"
    assert len(events(run, "no-own-users")) == 1 and not events(run, "no-own-user")
    assert not events(run, "duty-died")


def test_each_duty_becomes_its_own_user(reachable, tmp_path):
    box = reachable
    # what root made while no duty ran must not be in the way
    box.run("subscriber", "add", "1", "--address", "198.51.100.1")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(box.state / "deliver.sock"))
    with own_users(tmp_path) as prefix:
        box.prefix = prefix
        run = box.start("run")
        until("ready", lambda: events(run, "run-ready"))
        box.prefix = []
        for i, (duty, seen) in enumerate(locked_duties(box, run).items()):
            check_rights(duty, seen)
            assert seen["Uid"].split() == [str(61901 + i)] * 4, duty
            assert seen["Gid"].split() == ["61900"] * 4 and seen["Groups"].split() == {"auth": ["61950"], "maillog": ["4"]}.get(duty, []), duty  # 4: adm, who may read logs
        until("the rules", lambda: "198.51.100.0" in box.host.nft("list", "table", "inet", "porteiro"))
        box.run("quarantine", "add", "1", "--level", "mail", "--for", "1h", "--reason", "test")
        until("the quarantine", lambda: "198.51.100.1 " in box.host.nft("list", "set", "inet", "porteiro", "mail4_32_a"))
    folder = box.state.stat()
    assert (oct(folder.st_mode), folder.st_uid, folder.st_gid) == ("0o41771", 61901, 61900)
    owners = {path.name: path.stat().st_uid for path in box.state.iterdir()}
    assert owners["deliver.sock"] == 61901 + DUTIES.index("deliver") and owners["ledger.db"] == 61901 and owners["last-good.nft"] == 61902 and owners["run.lock"] == 0
    assert (box.state / "ledger.db").stat().st_mode & 0o7 == 0
    assert not events(run, "duty-died")


def test_a_secret_of_roots_is_read_before_the_rights_are_gone(reachable, tmp_path):
    """And a file that its own user may not read is not read, however it was opened by others."""
    box = reachable
    folder = box.state.parent
    for name, mode in (("secret", 0o600), ("open", 0o644), ("closed", 0o600)):
        (folder / name).write_text("x\n")
        (folder / name).chmod(mode)
    box.policy(POLICY % 25 + f"feed bras {{ radius 127.0.0.1:1813  nas 127.0.0.1  secret-file {folder}/secret }}\n"
               f"feed open {{ file {folder}/open  format isc }}\nfeed closed {{ file {folder}/closed  format isc }}\n")
    with own_users(tmp_path) as prefix:
        box.prefix = prefix
        run = box.start("run")
        until("ready", lambda: events(run, "run-ready"))
        box.prefix = []
        box.run("apply")
        until("a look at all", lambda: events(run, "file-not-there"))
    assert [e["name"] for e in events(run, "file-not-there")] == ["closed"]
    assert [e["port"] for e in events(run, "listening")] == ["1813"] and "secret:" not in run.log.read_text()
    assert not events(run, "duty-died")


def test_a_link_in_the_state_folder_gives_nothing_away(reachable, tmp_path):
    box = reachable
    box.run("subscriber", "add", "1")
    target, named_twice = tmp_path / "precious", tmp_path / "twice"
    target.write_text("mine")
    named_twice.write_text("mine")
    (box.state / "ledger.db-journal").symlink_to(target)
    os.link(named_twice, box.state / "extra.db")
    with own_users(tmp_path) as prefix:
        box.prefix = prefix
        start(box)
    assert target.stat().st_uid == 0 and named_twice.stat().st_uid == 0


# --- dying and coming back ---

@pytest.mark.parametrize("duty", DUTIES)
def test_a_duty_that_dies_comes_back(box, duty):
    run = start(box)
    box.run("apply")
    before = pid_of(run, duty)
    others = {name: pid_of(run, name) for name in DUTIES if name != duty}
    os.kill(before, signal.SIGKILL)
    until("started again", lambda: pid_of(run, duty) != before)
    died = events(run, "duty-died")[0]
    assert (died["name"], died["signal"], died["again_ms"]) == (duty, "9", "200")
    assert {name: pid_of(run, name) for name in others} == others and all(map(alive, others.values()))
    until("ready again", lambda: len([e for e in events(run, "duty-ready") if e["name"] == duty]) == 2)
    # and it works: from the command line to the kernel
    box.run("subscriber", "add", "7", "--address", "198.51.100.7", "--port25", "open")
    until("in the kernel", lambda: "198.51.100.7" in box.host.nft("list", "table", "inet", "porteiro"))


def test_the_wait_doubles(box):
    run = start(box)
    for again in (200, 400, 800):
        pid = pid_of(run, "judge")
        until("alive", lambda: alive(pid))
        os.kill(pid, signal.SIGKILL)
        until("started again", lambda: pid_of(run, "judge") != pid)
        assert int(events(run, "duty-died")[-1]["again_ms"]) == again


def test_sight_follows_the_group_of_the_generation(box):
    run = start(box)
    until("all wait", lambda: [e["for"] for e in events(run, "waiting")] == ['"a first generation"'] * 6)
    box.run("apply")
    until("bound", lambda: [e["group"] for e in events(run, "started") if e["duty"] == "sight"] == ["25"])
    box.policy(POLICY % 26)
    box.run("apply")
    until("bound anew", lambda: [e["group"] for e in events(run, "started") if e["duty"] == "sight"] == ["25", "26"], 20)


# --- a keeper that cannot start ---

def test_the_gate_starts_without_a_ledger(box):
    box.run("apply")
    assert (box.state / "last-good.nft").exists()
    box.host.nft("delete", "table", "inet", "porteiro")
    for path in box.state.glob("ledger.db*"):
        path.unlink()
    (box.state / "ledger.db").write_bytes(b"this is no database" * 1000)
    run = box.start("run")
    until("the last good rules", lambda: events(run, "last-good-loaded"), 15)
    assert "198.51.100.0" in box.host.nft("list", "table", "inet", "porteiro")
    assert [e["name"] for e in events(run, "duty-died")][0] == "keeper"


def test_apply_with_a_gate_and_no_keeper(box):
    """The command is the keeper for a moment, and must let go before it waits for the gate's answer."""
    gate = box.start("duty", "gate")
    until("the gate", lambda: events(gate, "started"))
    box.run("apply", timeout=20)
    assert [e["n"] for e in events(gate, "generation-loaded")] == ["1"] and not events(gate, "gate-behind")


# --- one, and the end of it ---

def test_only_one_supervisor_a_state_folder(box):
    run = start(box)
    second = box.run("run", status=3)
    assert re.search(rf"porteiro: run: another supervisor \(pid {supervisor_of(run)}\) runs", second.stderr)


def supervisor_of(run):
    return int(status(pid_of(run, "keeper"))["PPid"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_all_in_reverse_order(box, number):
    run = start(box)
    box.run("apply")
    pids = [pid_of(run, duty) for duty in DUTIES]
    until("all at work", lambda: {"sight", "lease", "auth", "maillog"} <= {e["duty"] for e in events(run, "started")}
          and {"deliver", "edge"} <= {e["duty"] for e in events(run, "locked-in")})
    os.kill(supervisor_of(run), number)
    assert run.wait(15) == 0
    assert not any(map(alive, pids))
    log = run.log.read_text()
    last = [log.rindex(f"duty={duty} event=") for duty in reversed(DUTIES) if duty != "edge"]  # that has nothing to say
    assert last == sorted(last), "the keeper ends last"
    assert not events(run, "duty-killed") and "198.51.100.0" in box.host.nft("list", "table", "inet", "porteiro")


def test_who_does_not_end_is_killed(box):
    run = start(box)
    stuck = pid_of(run, "judge")
    os.kill(stuck, signal.SIGSTOP)
    os.kill(supervisor_of(run), signal.SIGTERM)
    assert run.wait(15) == 0
    assert [e["name"] for e in events(run, "duty-killed")][0] in ("judge", "gate", "keeper") and not alive(stuck)


@pytest.mark.parametrize("users", ["same", "own"])
def test_the_duties_die_with_the_supervisor(reachable, tmp_path, users):
    box = reachable
    with own_users(tmp_path) as own:
        box.prefix = own if users == "own" else []
        run = start(box)
    pids = [pid_of(run, duty) for duty in DUTIES]
    os.kill(supervisor_of(run), signal.SIGKILL)
    until("all are gone", lambda: not any(map(alive, pids)), 5)
    stop(run)


# --- systemd ---

def test_it_tells_systemd(box, tmp_path, monkeypatch):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    run = box.start("run")
    said = []
    while not any(word.startswith("READY=1") for word in said):
        said.append(listener.recv(4096).decode())
    assert said[-1] == "READY=1\nSTATUS=all duties are ready"
    assert all(word == "WATCHDOG=1" for word in said[:-1])
    began = time.monotonic()
    for _ in range(4):
        assert listener.recv(4096) == b"WATCHDOG=1"
    assert time.monotonic() - began < 2
    os.kill(supervisor_of(run), signal.SIGTERM)
    while said[-1] != "STOPPING=1":
        said.append(listener.recv(4096).decode())
    assert run.wait(15) == 0


@pytest.mark.parametrize("duty", DUTIES)
def test_a_duty_alone_tells_systemd(box, tmp_path, monkeypatch, duty):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    box.run("apply")
    box.start("duty", duty)
    assert listener.recv(4096).startswith(b"READY=1")


# --- wrong use ---

def test_wrong_use(box, tmp_path):
    assert "no such duty" in box.run("duty", "barber", status=2).stderr
    assert box.run("duty", status=2).stderr
    nowhere = box.run("run", "--state", tmp_path / "no" / "such", status=3)
    assert nowhere.stderr.splitlines()[-1] == f"porteiro: run: the state folder {tmp_path}/no/such: No such file or directory"
    afile = tmp_path / "file"
    afile.write_text("")
    assert "Not a directory" in box.run("run", "--state", afile, status=3).stderr
