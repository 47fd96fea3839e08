# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive of leases: killed while leases move and segments are merged, nothing is lost and nothing is double; and what is
forgotten is gone from the disk."""
import calendar
import ipaddress
import random
import signal
import sqlite3
import time

import pytest

from test_ledger import connect, frame, number, receive, text

LEASES_PUT, BATCH, SECOND, DAY = 22, 250, 1_000_000, 86_400_000_000
POLICY = """
network "Archive" { timezone UTC }
class home { port25 observe }
pool city { class home prefix 198.51.100.0/24 }
keep { leases 365d  sightings 30d }
"""


def lease(address, start, end, user, session, evidence=b"detail:1"):
    """One lease as a field list of the verb leases_put (ledger/wire.c)."""
    packed = b"\0" * 10 + b"\xff\xff" + ipaddress.ip_address(address).packed + bytes([128])
    return [text(b""), text(packed), number(0), number(0), text(b""), number(start), number(end), text(b"user"), text(user),
            text(b"radius"), text(b"User-Request"), text(evidence), text(b"bras1"), text(session), text(user)]


def put(state, leases):
    """Until it is answered: a batch that was stored and not acknowledged is the same batch again."""
    request = frame(LEASES_PUT, text(b""), text(b""), number(len(leases)), *[field for one in leases for field in one])
    while True:
        connection = connect(state, timeout=30)
        try:
            connection.sendall(request)
            status = receive(connection)
        except OSError:
            status = None
        finally:
            connection.close()
        if status is not None:
            assert status == 0
            return


def live(state):
    with sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True) as db:
        return db.execute("SELECT count(*) FROM lease WHERE source = 'radius'").fetchone()[0]


def until(what, condition, seconds=90):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def everything(porteiro):
    found = porteiro.json("lease", "list", "--all", "--reason", "test")["leases"]
    return sorted((one["evidence"], one["prefix"], one["start"], one["end"], one["line"]) for one in found)


def test_killed_while_leases_move_none_is_lost_or_double(porteiro):
    random.seed(11)
    porteiro.policy(POLICY)
    first = calendar.timegm((2026, 1, 1, 0, 0, 0)) * SECOND
    sent = [lease(f"198.51.100.{i % 250}", first + (i * 7919 % 40_000) * 60 * SECOND, first + (i * 7919 % 40_000 + 300) * 60 * SECOND,
                  b"u%d" % (i % 50), b"s%d" % i, b"e%d" % i) for i in range(10_000)]
    keeper = porteiro.start("duty", "keeper")
    batches = [sent[i:i + BATCH] for i in range(0, len(sent), BATCH)]
    for i, batch in enumerate(batches):
        put(porteiro.state, batch)
        if i % 2:  # while leases move, and segments are merged
            time.sleep(random.uniform(0.2, 0.4))
            keeper.send_signal(signal.SIGKILL)
            keeper.wait()
            keeper = porteiro.start("duty", "keeper")
    until("all are in the archive", lambda: live(porteiro.state) == 0)
    found = everything(porteiro)
    assert len(found) == len(sent) == len({one[0] for one in found})
    assert {one[0] for one in found} == {f"e{i}" for i in range(len(sent))}
    assert all(one[2] < one[3] for one in found)
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(30) == 0
    listed = {f"{month}/{number}.seg" for month, number in segments(porteiro.state)}
    porteiro.start("duty", "keeper")
    there = lambda: {f"{p.parent.name}/{p.name}" for p in (porteiro.state / "leases").glob("*/*")}
    until("what nothing lists is swept away", lambda: there() == {f"{m}/{n}.seg" for m, n in segments(porteiro.state)})
    assert listed and everything(porteiro) == found


def segments(state):
    with sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True) as db:
        return [(f"{1970 + month // 12}-{month % 12 + 1:02}", n) for n, month in db.execute("SELECT id, month FROM segment")]


def bytes_with(state, words):
    """Which of the words any file of the state folder has."""
    found = set()
    for path in state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {word for word in words if word in content}
    return found


@pytest.mark.parametrize("with_keeper", [True, False])
def test_what_is_forgotten_is_gone_from_the_disk(porteiro, with_keeper):
    porteiro.policy(POLICY)
    now = time.time_ns() // 1000
    # long ago, just too long ago (perhaps in one month with what stays), still to be kept, of the last days
    ended = {b"ancient": 900, b"before": 366, b"after": 364, b"recent": 10, b"now": 1}
    leases = [lease(f"198.51.100.{i}", now - (days + 1) * DAY, now - days * DAY, b"user-" + name, b"session-" + name + b"-%d" % i)
              for name, days in ended.items() for i in range(40)]
    keeper = porteiro.start("duty", "keeper")
    for i in range(0, len(leases), 100):
        put(porteiro.state, leases[i:i + 100])
    porteiro.run("sightings", "add", "198.51.100.7", "--source", "trap", "--at", "2026-01-02", "--detail", "old-detail")
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(30) == 0
    keeper = porteiro.start("duty", "keeper")  # moves at its start what is over
    until("the old ones are in the archive", lambda: live(porteiro.state) == 40)
    words = {b"user-" + name for name in ended} | {b"session-" + name for name in ended} | {b"old-detail"}
    gone = {b"user-ancient", b"session-ancient", b"user-before", b"session-before", b"old-detail"}
    assert bytes_with(porteiro.state, words) == words
    if not with_keeper:
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(30) == 0
    before = {kind["kind"]: kind for kind in porteiro.json("forget", "--dry-run")["kinds"]}
    assert before["leases"]["older"] == 80 and before["sightings"]["older"] == 1
    assert bytes_with(porteiro.state, words) == words
    report = porteiro.json("forget")
    kinds = {kind["kind"]: kind for kind in report["kinds"]}
    assert kinds["leases"]["erased"] == 80 and kinds["sightings"]["erased"] == 1 and report["log_emptied"]
    assert all(kind["older"] == 0 for kind in report["kinds"]) and report["strays"] == 0
    assert bytes_with(porteiro.state, words) == words - gone
    assert len(everything(porteiro)) == 120
    assert "older, still there" in porteiro.run("forget").stdout
    with sqlite3.connect(f"file:{porteiro.state}/ledger.db?mode=ro", uri=True) as db:
        assert db.execute("SELECT count(*) FROM audit WHERE verb = 'forget'").fetchone()[0] == 1
