# SPDX-License-Identifier: GPL-3.0-or-later
"""lease import: files that real servers wrote, against a reading of our own that shares nothing with the program; and wrong input."""
import csv
import datetime
import ipaddress
import json
import os
import random
import re
import subprocess

import pytest
from support import lease_file

UTC = datetime.timezone.utc
POLICY = 'network "Test" { domain example.net  timezone America/Sao_Paulo }\n'
PAIRS = 1000


@pytest.fixture
def known(porteiro):
    porteiro.policy(POLICY)
    return porteiro


# --- the independent readings: (address or prefix, line, start, end), end None where nobody saw one ---------------------


def read_detail(text):
    """A session begins at its Start; where the Stop tells a time, it lasted so long; else it is open until the file ends."""
    sessions, newest = {}, 0
    for block in re.split(r"\n\s*\n", text):
        said = dict(re.findall(r"^\t([\w-]+) = (.*)$", block, re.M))
        if "Acct-Session-Id" not in said:
            continue
        at = datetime.datetime.strptime(said["Event-Timestamp"].strip('"'), "%b %d %Y %H:%M:%S %Z").timestamp()
        newest = max(newest, at)
        user = re.sub(r"\\(.)", r"\1", said["User-Name"][1:-1])
        s = sessions.setdefault((said["Acct-Session-Id"], user), {"held": set(), "stop": None, "last": 0, "start": None})
        s["held"] |= {said[k] for k in ("Framed-IP-Address", "Framed-IPv6-Prefix", "Delegated-IPv6-Prefix") if k in said}
        lasted = int(said.get("Acct-Session-Time", 0))
        if said["Acct-Status-Type"] == "Start":
            s["start"] = at
        elif said["Acct-Status-Type"] == "Stop":
            s["stop"] = lasted
        s["last"] = max(s["last"], lasted)
    for (_, user), s in sessions.items():
        line = "user:" + user
        end = s["start"] + s["stop"] if s["stop"] is not None else max(newest, s["start"] + s["last"])
        for held in s["held"]:
            yield held, line, s["start"], end


def contiguous(rows):
    """Rows (address, mac, start, end or None for a release) in the order of the file: renewals join, a release ends."""
    held = {}
    for address, mac, start, end in rows:
        mine = held.setdefault(address, [])
        if end is None:
            if mine and mine[-1][0] == mac:
                mine[-1][2] = max(start, mine[-1][1] + 1)  # no server counts finer than a second
            continue
        if mine and mine[-1][0] == mac and start <= mine[-1][2]:
            mine[-1][2] = max(mine[-1][2], end)
            continue
        if mine and mine[-1][2] > start:
            mine[-1][2] = start
        mine.append([mac, start, end])
    for address, mine in held.items():
        for mac, start, end in mine:
            yield address, "mac:" + mac, start, end


def read_isc(text):
    def rows():
        for address, body in re.findall(r"^lease (\S+) \{(.*?)^\}", text, re.S | re.M):
            def instant(word):
                found = re.search(word + r" \d (\S+ \S+);", body).group(1)
                return datetime.datetime.strptime(found, "%Y/%m/%d %H:%M:%S").replace(tzinfo=UTC).timestamp()
            mac = re.search(r"hardware ethernet (\S+);", body).group(1)
            active = re.search(r"^  binding state (\w+);", body, re.M).group(1) == "active"
            yield address, mac, instant("starts" if active else "ends"), instant("ends") if active else None
    return contiguous(rows())


def read_kea(text):
    def rows():
        for row in csv.DictReader(text.splitlines()):
            expire, valid = int(row["expire"]), int(row["valid_lifetime"])
            yield row["address"], row["hwaddr"], expire - valid, expire if valid else None
    return contiguous(rows())


def covers(prefix, address):
    return ipaddress.ip_address(address) in ipaddress.ip_network(prefix)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() if text else float("inf")


def leases_of(porteiro):
    return [(each["prefix"], each["line"], instant(each["start"]), instant(each["end"]))
            for each in porteiro.json("lease", "list", "--all", "--reason", "test")["leases"]]


def by_prefix(leases):
    index = {}
    for lease in leases:
        index.setdefault(lease[0], []).append(lease)
    return index


def owners(index, prefix, at):
    return {line for _, line, start, end in index.get(prefix, ()) if start <= at < end}


def some_address(prefix, dice):
    net = ipaddress.ip_network(prefix)
    return str(net[dice.randrange(min(net.num_addresses, 1 << 20))])


READINGS = [("freeradius-3.2.1.detail", read_detail), ("isc-dhcpd-4.4.3.leases", read_isc),
            ("kea-2.2.0-leases4.csv", read_kea)]


@pytest.mark.parametrize("name,reading", READINGS)
def test_an_independent_reading_finds_the_same_owners(known, name, reading):
    expected = by_prefix(reading(lease_file(name).read_text(encoding="utf-8")))
    said = known.run("lease", "import", lease_file(name)).stdout
    assert ", 0 wrong\n" in said
    ours = by_prefix(leases_of(known))
    assert set(ours) == set(expected)
    dice = random.Random(name)
    first = min(start for all in expected.values() for _, _, start, _ in all)
    last = max(end for all in expected.values() for _, _, _, end in all)
    prefixes = sorted(expected)
    pairs = [(dice.choice(prefixes), dice.uniform(first - 60, last + 60)) for _ in range(PAIRS)]
    # at random most addresses are free: half of the questions are about somebody's time
    for i in range(0, PAIRS, 2):
        _, _, start, end = dice.choice(expected[pairs[i][0]])
        pairs[i] = pairs[i][0], dice.uniform(start, end)
    wrong = [(p, at, owners(expected, p, at), owners(ours, p, at)) for p, at in pairs
             if owners(expected, p, at) != owners(ours, p, at)]
    assert not wrong, wrong[:10]
    assert sum(bool(owners(ours, p, at)) for p, at in pairs) >= PAIRS // 2
    for prefix, at in pairs[:30]:
        address = some_address(prefix, dice)
        when = datetime.datetime.fromtimestamp(int(at) + 0.5, UTC).isoformat()
        answer = known.run("lease", "list", address, "--at", when, "--reason", "test", "--json")
        assert {each["line"] for each in json.loads(answer.stdout)["leases"]} == owners(expected, prefix, int(at) + 0.5)


@pytest.mark.parametrize("name,reading", READINGS)
def test_twice_changes_nothing_and_says_so(known, name, reading):
    first = known.json("lease", "import", lease_file(name))
    before = sorted(leases_of(known))
    again = known.json("lease", "import", lease_file(name))
    assert again["leases"]["new"] == 0 and again["leases"]["corrected"] == 0
    assert first["leases"]["new"] > 0 and first["records"] == {**again["records"], **first["records"]}
    assert "nothing was changed" in known.run("lease", "import", lease_file(name)).stdout
    assert sorted(leases_of(known)) == before


def halves(name):
    """Two files that together are this one, cut between records."""
    text = lease_file(name).read_text(encoding="utf-8")
    if name.endswith(".detail"):
        parts = text.rstrip("\n").split("\n\n")
        middle = len(parts) // 3
        return "\n\n".join(parts[:middle]) + "\n\n", "\n\n".join(parts[middle:]) + "\n\n"
    lines = text.splitlines(keepends=True)
    if name.endswith(".csv"):
        middle = len(lines) // 2
        return "".join(lines[:middle]), lines[0] + "".join(lines[middle:])
    starts = [i for i, each in enumerate(lines) if each.startswith("lease ")]
    middle = starts[len(starts) // 2]
    return "".join(lines[:middle]), "".join(lines[:starts[0]]) + "".join(lines[middle:])


@pytest.mark.parametrize("name,reading", READINGS)
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_halves_in_either_order_answer_as_the_whole(known, tmp_path, name, reading, order):
    parts = halves(name)
    expected = by_prefix(reading(lease_file(name).read_text(encoding="utf-8")))
    for i in order:
        path = tmp_path / f"half-{i}"
        path.write_text(parts[i], encoding="utf-8")
        known.run("lease", "import", path)
    ours, dice = by_prefix(leases_of(known)), random.Random(name)
    wrong = []
    for _ in range(PAIRS):
        prefix = dice.choice(sorted(expected))
        _, _, start, end = dice.choice(expected[prefix])
        # a file ends where it ends: what the first half alone cannot know is how long who is open in it stayed
        # and starts of one session that differ by seconds are one to the ledger: the first told stands
        at = dice.uniform(start + 5 * (end - start > 60), min(end, start + 590))
        if owners(ours, prefix, at) != owners(expected, prefix, at):
            wrong.append((prefix, at, owners(expected, prefix, at), owners(ours, prefix, at)))
    assert not wrong, wrong[:10]


# --- wrong input ------------------------------------------------------------------------------------------------------------


def record(at, status, user="alice", session="s1", address="192.0.2.1", lasted=None, extra=""):
    when = datetime.datetime.fromtimestamp(at, UTC).strftime("%b %d %Y %H:%M:%S UTC")
    return (f"Mon Jan  1 00:00:00 2024\n\tUser-Name = \"{user}\"\n\tNAS-IP-Address = 198.51.100.1\n"
            f"\tFramed-IP-Address = {address}\n\tAcct-Session-Id = \"{session}\"\n\tEvent-Timestamp = \"{when}\"\n"
            f"\tAcct-Status-Type = {status}\n" + (f"\tAcct-Session-Time = {lasted}\n" if lasted is not None else "") +
            extra + "\n")


DAY0 = 1704067200


def test_a_record_cut_off_and_one_that_is_garbage_are_told_and_nothing_else_is_lost(known):
    text = (record(DAY0, "Start") + record(DAY0 + 60, "Start", "bob", "s2", "192.0.2.999") +
            "Mon Jan  1 00:00:00 2024\n\x00\xff garbage\n\n" + record(DAY0 + 90, "Stop", lasted=90) +
            record(DAY0 + 100, "Start", "carol", "s3", "192.0.2.3")[:60])
    path = known.folder / "detail"
    path.write_bytes(text.encode("latin-1"))
    done = known.run("lease", "import", path, "--format", "detail")
    assert re.search(r"^porteiro: \S*detail:\d+: ", done.stderr, re.M)
    assert " wrong\n" in done.stdout and ", 0 wrong" not in done.stdout
    assert ("192.0.2.1", "user:alice", DAY0, DAY0 + 90) in leases_of(known)
    answer = known.json("lease", "import", path, "--format", "detail")
    assert answer["records"]["wrong"] >= 2 and all(m["line"] > 0 and m["message"] for m in answer["messages"])


def test_two_open_for_one_address_are_both_told(known):
    now = int(datetime.datetime.now().timestamp()) - 1000
    (known.folder / "detail").write_text(
        record(now, "Start") + record(now + 100, "Start", "bob", "s2") +
        record(now + 200, "Interim-Update", lasted=200) + record(now + 300, "Interim-Update", "bob", "s2", lasted=200))
    known.run("lease", "import", known.folder / "detail")
    assert known.json("lease", "import", known.folder / "detail")["leases"]["open"] == 2
    held = known.json("lease", "list", "192.0.2.1")["leases"]
    assert {each["line"] for each in held} == {"user:alice", "user:bob"}


def test_a_lost_stop_and_a_clock_that_jumps(known):
    (known.folder / "detail").write_text(
        record(DAY0, "Start") + record(DAY0 + 315360000, "Start", "eve", "s9", "192.0.2.9") +
        record(DAY0 + 500, "Start", "bob", "s2") + record(DAY0 + 700, "Stop", "bob", "s2", lasted=200))
    done = known.run("lease", "import", known.folder / "detail")
    assert "1 ended by the next holder" in done.stdout and "1 records more than a day older" not in done.stderr
    assert sorted(lease[:4] for lease in leases_of(known) if lease[0] == "192.0.2.1") == [
        ("192.0.2.1", "user:alice", DAY0, DAY0 + 500), ("192.0.2.1", "user:bob", DAY0 + 500, DAY0 + 700)]


def test_csv_of_an_office(known):
    """A byte order mark, semicolons, quotes, a day that does not exist, a time without zone, the same row twice."""
    (known.folder / "list.csv").write_bytes(
        b'\xef\xbb\xbfaddress;line;from;until\r\n192.0.2.7;"user:ana";2026-01-01 00:00:00;2026-02-01\r\n'
        b'192.0.2.8;user:bo;2026-02-31;\r\n192.0.2.7;"user:ana";2026-01-01 00:00:00;2026-02-01\r\n')
    done = known.run("lease", "import", known.folder / "list.csv")
    assert "list.csv:3: " in done.stderr and "America/Sao_Paulo" in done.stderr
    assert "1 leases new" in done.stdout and "1 wrong" in done.stdout
    assert [lease[0:3] for lease in leases_of(known)] == [("192.0.2.7", "user:ana", 1767236400.0)]
    utc = known.run("lease", "import", known.folder / "list.csv", "--zone", "UTC", "--dry-run")
    assert "(UTC;" in utc.stderr and "a dry run" in utc.stdout
    assert len(leases_of(known)) == 1


def test_latin1_is_told_by_line(known):
    (known.folder / "list.csv").write_bytes(
        b"address,line,from\n192.0.2.7,user:jo\xe3o,2026-01-01\n192.0.2.8,user:bo,2026-01-01\n")
    done = known.run("lease", "import", known.folder / "list.csv")
    assert "list.csv:2: " in done.stderr and "iconv" in done.stderr
    assert [lease[0] for lease in leases_of(known)] == ["192.0.2.8"]


@pytest.mark.parametrize("content,words", [
    (b"\x00\x01\x02" * 5000, "none of the formats"),
    (b"\x1f\x8b\x08\x00", "zcat"),
    ("address,line,from\n".encode("utf-16"), "iconv -f UTF-16"),
    (b"hello, world\n", "none of the formats"),
])
def test_what_is_no_lease_file_is_refused_in_words(known, content, words):
    (known.folder / "x").write_bytes(content)
    assert words in known.run("lease", "import", known.folder / "x", status=1).stderr


def test_nothing_to_read(known):
    (known.folder / "empty").write_bytes(b"")
    said = known.run("lease", "import", known.folder / "empty").stdout
    assert "0 records read" in said and "no lease of anybody" in said and "knew" not in said
    assert "folder" in known.run("lease", "import", known.folder, status=1).stderr
    assert "No such file" in known.run("lease", "import", known.folder / "absent", status=3).stderr
    known.run("lease", "import", status=2)
    assert "--format" in known.run("lease", "import", known.folder / "empty", "--format", "x", status=2).stderr
    assert "--line" in known.run("lease", "import", known.folder / "empty", "--line", "x", status=2).stderr


def test_standard_input_realm_and_line(known):
    text = record(DAY0, "Start", extra='\tCalling-Station-Id = "00:1B:44:11:3A:B7"\n')
    known.run("lease", "import", "-", "--realm", "norte", "--line", "mac", input=text)
    lease = known.json("lease", "list", "--all", "--reason", "test")["leases"][0]
    assert lease["realm"] == "norte" and lease["line"] == "mac:00:1b:44:11:3a:b7" and lease["evidence"] == "stdin:1"


def test_one_file_that_cannot_be_read_stops_all_of_them(known):
    (known.folder / "detail").write_text(record(DAY0, "Start"))
    known.run("lease", "import", known.folder / "detail", known.folder / "absent", status=3)
    assert leases_of(known) == []


def test_a_disk_that_fills(known):
    """Nothing is half done."""
    lines = ["address,line,from,until"] + [f"10.{i >> 16}.{i >> 8 & 255}.{i & 255},user:u{i},2024-01-01,2024-02-01"
                                           for i in range(200000)]
    (known.folder / "big.csv").write_text("\n".join(lines) + "\n")
    known.state.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "lease-import-test", known.state]).returncode:
        pytest.skip("a file system of its own cannot be mounted here")
    try:
        known.run("lease", "add", "192.0.2.1", "--line", "user:a")
        done = known.run("lease", "import", known.folder / "big.csv", status=3)
        assert "no space" in done.stderr.lower() and "nothing was changed" in done.stderr
        assert len(leases_of(known)) == 1
        assert not list((known.state / "leases" / "incoming").iterdir())
    finally:
        subprocess.run(["umount", known.state], check=True)
