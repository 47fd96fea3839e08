# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger from outside: kill -9 at any moment, a full disk, other people's locks, damage, permissions."""
import os
import random
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import pytest

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="not root: no mount namespace, no other user")
SUBSCRIBER_PUT, ADD = 10, 0


def text(value):
    return b"t" + struct.pack(">I", len(value)) + value


def number(value):
    return b"i" + struct.pack(">Iq", 8, value)


def frame(verb, *fields):
    body = struct.pack(">H", verb) + b"".join(fields)
    return struct.pack(">I", len(body)) + body


def subscriber_add(name):
    """The request of `subscriber add NAME --line user:NAME` (ledger/wire.c)."""
    fields = [number(ADD), text(name), *[text(b"")] * 6, number(-1), number(0), number(0), number(0)]   # the last: no limit is set
    return frame(SUBSCRIBER_PUT, *fields, number(1), text(b"user"), text(name), number(0), number(0), number(0))


def receive(connection):
    """Status of one reply; None where the keeper is gone."""
    try:
        head = connection.recv(4, socket.MSG_WAITALL)
        body = connection.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL) if len(head) == 4 else b""
    except OSError:
        return None
    return struct.unpack(">q", body[7:15])[0] if len(body) >= 15 else None


def connect(state, timeout=10):
    end = time.monotonic() + timeout
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(state / "keeper.sock"))
            return connection
        except OSError:
            connection.close()
            assert time.monotonic() < end, "the keeper does not answer"
            time.sleep(0.005)


def rows(state, sql, *arguments):
    with sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True) as db:
        return db.execute(sql, arguments).fetchall()


def hammer(state, who, window, acknowledged, stop):
    """Add subscribers as fast as answers come, `window` requests ahead, over one connection after the other."""
    n = 0
    while not stop.is_set():
        try:
            connection = connect(state, timeout=30)
        except AssertionError:
            return
        waiting = []
        try:
            while not stop.is_set():
                while len(waiting) < window:
                    name = b"%d-%d" % (who, n)
                    n += 1
                    connection.sendall(subscriber_add(name))
                    waiting.append(name)
                status = receive(connection)
                if status is None:
                    break
                assert status == 0
                acknowledged.append(waiting.pop(0))
        except OSError:
            pass
        finally:
            connection.close()


def test_killed_at_any_moment_nothing_acknowledged_is_lost(porteiro):
    acknowledged, stop, kills = [], threading.Event(), 25
    random.seed(7)
    keeper = porteiro.start("duty", "keeper")
    connect(porteiro.state).close()
    threads = [threading.Thread(target=hammer, args=(porteiro.state, who, window, acknowledged, stop), daemon=True)
               for who, window in enumerate((1, 4, 32))]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        time.sleep(random.uniform(0.01, 0.15))
        keeper.send_signal(signal.SIGKILL)
        keeper.wait()
        keeper = porteiro.start("duty", "keeper")
        connect(porteiro.state).close()
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join(10)
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()

    kept = {name for name, in rows(porteiro.state, "SELECT id FROM subscriber")}
    assert len(acknowledged) > kills
    assert [name for name in acknowledged if name.decode() not in kept] == []
    assert rows(porteiro.state, "PRAGMA integrity_check") == [("ok",)]
    assert rows(porteiro.state, "PRAGMA foreign_key_check") == []
    # nothing by halves: each has his line, his row in the trail and his change
    for table, key in (("audit", "key"), ("change", "key"), ("line", "value")):
        assert {name for name, in rows(porteiro.state, f"SELECT {key} FROM {table}")} == kept
    assert rows(porteiro.state, "SELECT count(*) FROM holding") == [(len(kept),)]
    porteiro.run("subscriber", "add", "after-all-that")


def test_requests_that_come_together_share_a_commit(porteiro):
    porteiro.start("duty", "keeper")
    requests = [subscriber_add(b"n%d" % i) for i in range(500)]
    with connect(porteiro.state) as one:
        start = time.monotonic()
        for request in requests:
            one.sendall(request)
            assert receive(one) == 0
        apart = time.monotonic() - start
    requests = [subscriber_add(b"m%d" % i) for i in range(500)]
    with connect(porteiro.state) as one:
        start = time.monotonic()
        one.sendall(b"".join(requests))
        assert [receive(one) for _ in requests] == [0] * 500
        together = time.monotonic() - start
    assert together < apart


def test_a_keeper_stops_cleanly(porteiro):
    keeper = porteiro.start("duty", "keeper")
    connect(porteiro.state).close()
    porteiro.run("subscriber", "add", "1")
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(10) == 0
    assert not (porteiro.state / "keeper.sock").exists()
    porteiro.run("subscriber", "show", "1")
    porteiro.run("subscriber", "add", "2")


def test_a_second_keeper_is_told_who_is_the_first(porteiro):
    keeper = porteiro.start("duty", "keeper")
    connect(porteiro.state).close()
    second = porteiro.run("duty", "keeper", status=3)
    assert f"held by process {keeper.pid}" in second.stderr


def in_small_folder(porteiro, script, size="1m"):
    """Run a shell script with a small file system at $STATE, in a mount namespace of its own."""
    folder = porteiro.folder / "small"
    folder.mkdir(exist_ok=True)
    environment = dict(os.environ, P=porteiro.program, STATE=str(folder / "state"), HERE=str(porteiro.folder), SMALL=str(folder))
    whole = f'mount -t tmpfs -o size={size} none "$SMALL" && mkdir -m 750 "$STATE" || exit 99\n{script}'
    return subprocess.run(["unshare", "-m", "bash", "-c", whole], env=environment, text=True, capture_output=True, timeout=120)


FILL = """
        fill() { # add large subscribers until one is refused; prints its exit status, and whether the list agrees with the answers
            good=$($P subscriber list --state "$STATE" | tail -1 | cut -d' ' -f1)
            for i in $(seq 500); do
                $P subscriber add "fill$i" --name "$N" --post "$N" --state "$STATE"; status=$?
                [ $status = 0 ] || break
                good=$((good + 1))
            done
            echo "full $status"
            [ "$($P subscriber list --state "$STATE" | tail -1 | cut -d' ' -f1)" = $good ] && echo agrees
        }
        N=$(head -c 4000 /dev/zero | tr '\\0' n)
"""


@ROOT_ONLY
def test_a_full_disk_changes_nothing_and_is_named(porteiro):
    many = "".join(f"{i},{'x' * 200},user:u{i}\n" for i in range(4000))
    (porteiro.folder / "many.csv").write_text("id,name,lines\n" + many)
    done = in_small_folder(porteiro, FILL + """
        $P subscriber add before --state "$STATE" || exit 10
        $P subscriber import "$HERE/many.csv" --state "$STATE"; echo "import $?"
        $P subscriber list --state "$STATE" | tail -1
        dd if=/dev/zero of="$SMALL/filler" bs=4k 2>/dev/null
        fill
        rm "$SMALL/filler"
        $P subscriber add again --state "$STATE"; echo "again $?"
        """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["import 3", "1 subscriber", "full 3", "agrees", "again 0"], done.stdout + done.stderr
    assert done.stderr.count("no space is left on its disk") == 2


@ROOT_ONLY
def test_a_full_disk_under_the_keeper_is_answered_and_outlived(porteiro):
    done = in_small_folder(porteiro, FILL + """
        $P duty keeper --state "$STATE" 2>"$HERE/keeper.log" & keeper=$!
        for i in $(seq 200); do [ -S "$STATE/keeper.sock" ] && break; sleep 0.05; done
        $P subscriber add before --state "$STATE" || exit 10
        dd if=/dev/zero of="$SMALL/filler" bs=4k 2>/dev/null
        fill
        rm "$SMALL/filler"
        $P subscriber add again --state "$STATE"; echo "again $?"
        kill $keeper; wait $keeper; echo "keeper $?"
        """)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["full 3", "agrees", "again 0", "keeper 0"], done.stdout + done.stderr
    assert "no space is left on its disk" in done.stderr


def test_locked_by_another_program(porteiro):
    porteiro.run("subscriber", "add", "1")
    other = sqlite3.connect(porteiro.state / "ledger.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused = porteiro.run("subscriber", "add", "2", status=3)
    assert "another program holds it locked" in refused.stderr
    assert "1 subscriber" in porteiro.run("subscriber", "list").stdout  # readers go on
    other.execute("ROLLBACK")
    other.close()
    porteiro.run("subscriber", "add", "2")


def test_a_damaged_ledger_is_named_by_readers_and_writers(porteiro):
    porteiro.run("subscriber", "add", "1")
    (porteiro.state / "ledger.db-wal").unlink()
    (porteiro.state / "ledger.db").write_bytes(b"not a database, " * 1000)
    for words in (("subscriber", "list"), ("subscriber", "add", "2"), ("duty", "keeper")):
        refused = porteiro.run(*words, status=3)
        assert "damaged" in refused.stderr
        assert "ledger.db" in refused.stderr


def test_a_ledger_of_a_newer_porteiro(porteiro):
    porteiro.run("subscriber", "add", "1")
    with sqlite3.connect(porteiro.state / "ledger.db") as db:
        db.execute("PRAGMA user_version = 99")
    for words in (("subscriber", "list"), ("subscriber", "add", "2")):
        assert "newer Porteiro" in porteiro.run(*words, status=3).stderr


def test_no_ledger_yet(porteiro):
    assert porteiro.json("subscriber", "list") == {"version": 1, "subscribers": []}
    assert "no ledger here yet" in porteiro.run("subscriber", "show", "1", status=1).stderr
    shown = porteiro.run("quarantine", "list")               # nobody, and why: perhaps the folder is misspelt
    assert "warning" in shown.stderr and "no ledger here yet" in shown.stderr
    assert not porteiro.state.exists()  # reading makes nothing
    refused = porteiro.run("subscriber", "add", "1", "--state", porteiro.folder / "no" / "such", status=3)
    assert "does not exist" in refused.stderr
    porteiro.run("subscriber", "add", "1")
    assert porteiro.state.stat().st_mode & 0o777 == 0o750


@ROOT_ONLY
def test_no_permission(porteiro):
    porteiro.run("subscriber", "add", "1")
    os.chmod(porteiro.folder, 0o755)
    for folder in porteiro.folder.parents:
        if folder.owner() == "root" and folder != folder.parent and str(folder) != "/tmp":
            os.chmod(folder, folder.stat().st_mode | 0o055)
    for words in (("subscriber", "list"), ("subscriber", "add", "2")):
        refused = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", porteiro.program, *words, "--state",
                                  str(porteiro.state)], text=True, capture_output=True, timeout=30)
        assert refused.returncode == 3, refused.stderr
        assert "Permission denied" in refused.stderr
        assert refused.stderr.count("\n") == 1
