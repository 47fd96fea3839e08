# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose was it: one answer, several or none, never one picked in silence, and never one that is not recorded."""
import contextlib
import csv
import datetime
import io
import ipaddress
import json
import os
import pathlib
import pty
import random
import re
import sqlite3
import subprocess
import types

import pytest

from lab import wait_for
from support import Namespace, keys, lease_file
from test_judge import Court
from test_lease_import import PAIRS, READINGS, some_address

UTC = datetime.timezone.utc
POLICY = """
network "Whose" { timezone America/Sao_Paulo }
class home { port25 observe }
pool city { class home prefix 198.51.100.0/24 }
cgnat norte { inside 100.64.0.0/24, 100.65.0.0/25 outside 203.0.113.128/30 }
cgnat sul { inside 100.66.0.0/24 outside 203.0.113.144/30 mapping logged }
"""
REASON = ("--reason", "case 7")


@pytest.fixture
def known(porteiro):
    """Two subscribers, and one address that went from the first to the second."""
    porteiro.policy(POLICY)
    porteiro.run("subscriber", "add", "a", "--line", "user:a", "--name", "Ana", "--class", "home", "--language", "pt-BR")
    porteiro.run("subscriber", "add", "b", "--line", "user:b")
    porteiro.run("lease", "add", "198.51.100.7", "--line", "user:a", "--from", "2026-01-01T10:00:00Z", "--until", "2026-01-02T10:00:00Z")
    porteiro.run("lease", "add", "198.51.100.7", "--line", "user:b", "--from", "2026-01-02T10:00:00Z")
    return porteiro


def whose(program, address, *words, at="2026-01-01T12:00:00Z", status=0):
    done = program.run("lease", "whose", address, *words, "--at", at, *REASON, "--json", status=status)
    answer, = json.loads(done.stdout)["answers"]
    return answer


def lookups(program):
    return [row for row in program.json("audit")["audit"] if row["decision"].startswith("lease ") and row["why"] == "case 7"]


def named(answer):
    return [holder["subscriber"] for holder in answer["holders"]]


def test_one_is_exact(known):
    done = known.run("lease", "whose", "198.51.100.7", "--at", "2026-01-01T12:00:00Z", *REASON)
    lines = done.stdout.splitlines()
    assert lines[0] == "198.51.100.7 at 2026-01-01 09:00:00 -0300, give or take 2s"
    assert lines[1] == "exact"
    assert lines[2] == "  a  Ana, home, pt-BR  user:a"
    assert "from 2026-01-01 07:00:00 -0300 until 2026-01-02 07:00:00 -0300 by static" in lines[3]
    answer = whose(known, "198.51.100.7", "25", "--proto", "tcp")
    assert answer["verdict"] == "exact" and named(answer) == ["a"] and answer["holders"][0]["sure"]
    assert answer["holders"][0]["evidence"][0]["steps"][0]["lease"]["line"] == "user:a"


def test_hands_that_change_within_the_tolerance_are_ambiguous(known):
    answer = whose(known, "198.51.100.7", at="2026-01-02T09:59:59Z", status=1)
    assert answer["verdict"] == "ambiguous" and sorted(named(answer)) == ["a", "b"]
    assert answer["reasons"] == ["it changed hands within the tolerance of 2s"]
    assert named(whose(known, "198.51.100.7", "--tolerance", "0", at="2026-01-02T09:59:59Z")) == ["a"]
    assert named(whose(known, "198.51.100.7", "--tolerance", "0s", at="2026-01-02T10:00:00Z")) == ["b"]


def test_nobody_is_unknown_and_it_is_said_why(known):
    answer = whose(known, "198.51.100.8", status=1)
    assert answer["verdict"] == "unknown" and answer["holders"] == []
    assert answer["reasons"] == ["no lease of 198.51.100.8 is known of the seven days before or after", "it is of pool city"]
    assert "is it an address of this network?" in whose(known, "192.0.2.1", status=1)["reasons"][-1]
    assert "the next lease of 198.51.100.7 began 2h after" in whose(known, "198.51.100.7", at="2026-01-01T08:00:00Z", status=1)["reasons"]
    whose(known, "198.51.100.7", at="1970-01-01T00:00:01Z", status=1)


def test_a_line_nobody_has_is_exact_and_unknown_lists_it(known):
    known.run("lease", "add", "198.51.100.9", "--line", "circuit:olt1/3", "--from", "2026-01-01T10:00:00Z", "--until", "2026-01-01T11:00:00Z")
    known.run("lease", "add", "198.51.100.10", "--line", "circuit:olt1/3", "--from", "2026-01-01T11:00:00Z")
    answer = whose(known, "198.51.100.9", at="2026-01-01T10:30:00Z")
    assert answer["verdict"] == "exact" and named(answer) == [None] and answer["holders"][0]["line"] == "circuit:olt1/3"
    row, = known.json("lease", "unknown")["lines"]
    assert row == {"line": "circuit:olt1/3", "leases": 2, "first": "2026-01-01T10:00:00Z", "last": None, "address": "198.51.100.10"}
    assert "circuit:olt1/3" in known.run("lease", "unknown").stdout
    # once somebody has the line they are his, from their own start
    known.run("subscriber", "set", "a", "--line", "circuit:olt1/3")
    assert named(whose(known, "198.51.100.9", at="2026-01-01T10:30:00Z")) == ["a"]
    assert known.json("lease", "unknown")["lines"] == []


# --- the record ---

def test_every_look_up_is_recorded_before_it_is_answered(known):
    whose(known, "198.51.100.7", "4000", "--proto", "tcp")
    row, = lookups(known)
    assert row["author"].startswith("root") or row["author"]
    assert (row["decision"], row["key"], row["why"]) == ("lease whose", "198.51.100.7", "case 7")
    assert row["before"] == {"question": "198.51.100.7 port 4000 tcp at 2026-01-01 09:00:00 -0300, give or take 2s"}
    assert row["after"] == {"answer": "exact", "subscribers": ["a"]}
    whose(known, "198.51.100.8", status=1)
    assert lookups(known)[0]["after"] == {"answer": "unknown: 0", "subscribers": []}
    known.run("lease", "history", "a", *REASON)
    assert (lookups(known)[0]["decision"], lookups(known)[0]["key"]) == ("lease history", "a")
    known.run("lease", "list", "--all", *REASON)
    assert lookups(known)[0]["decision"] == "lease list"
    known.run("lease", "list")  # of now: as ever
    assert len(lookups(known)) == 4


@pytest.mark.parametrize("words", [["whose", "198.51.100.7", "--at", "2026-01-01T12:00:00Z"], ["history", "a"],
                                   ["list", "--all"], ["list", "a", "--at", "2026-01-01 12:00"]])
def test_no_reason_no_answer(known, words):
    for reason in ([], ["--reason", ""], ["--reason", " \t"]):
        done = known.run("lease", *words, *reason, status=2)
        assert "--reason TEXT is missing" in done.stderr and done.stdout == ""
    assert lookups(known) == []


def test_what_cannot_be_recorded_is_not_answered(known):
    db = sqlite3.connect(known.state / "ledger.db")
    db.execute("CREATE TRIGGER full BEFORE INSERT ON audit BEGIN SELECT raise(ABORT, 'no room'); END")
    db.commit()
    db.close()
    for words in (["whose", "198.51.100.7", "--at", "2026-01-01T12:00:00Z"], ["history", "a"], ["list", "--all"]):
        done = known.run("lease", *words, *REASON, status=3)
        assert done.stdout == "" and "could not be recorded, so it is not answered" in done.stderr
    done = known.run("lease", "whose", "--from", "-", *REASON, input="address,time\n198.51.100.7,2026-01-01T12:00:00Z\n", status=3)
    assert "198.51" not in done.stdout


def test_on_a_terminal_the_reason_is_asked_for(known):
    controller, terminal = pty.openpty()
    child = subprocess.Popen([known.program, "lease", "whose", "198.51.100.7", "--at", "2026-01-01T12:00:00Z", "-c", str(known.conf),
                              "--state", str(known.state)], stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    os.write(controller, b"case 7\n")
    answer, _ = child.communicate(timeout=30)
    os.close(controller)
    assert child.returncode == 0 and "\nexact\n" in answer
    assert lookups(known)[0]["why"] == "case 7"


def test_a_reason_with_control_characters_is_refused(known):
    done = known.run("lease", "whose", "198.51.100.7", "--at", "2026-01-01T12:00:00Z", "--reason", "a\x1b[2Jb", status=3)
    assert done.stdout == "" and "control character" in done.stderr


# --- wrong questions ---

@pytest.mark.parametrize("words, says", [
    (["198.51.100.0/24"], "an address is asked for, not a prefix"),
    (["198.51.100.7/32"], "not a prefix"),
    (["198.51.100"], "no IPv4 or IPv6 address"),
    (["example.net"], "no IPv4 or IPv6 address"),
    (["fe80::1%eth0"], "no IPv4 or IPv6 address"),
    ([""], "no IPv4 or IPv6 address"),
    (["198.51.100.7", "0"], "from 1 to 65535"),
    (["198.51.100.7", "65536"], "from 1 to 65535"),
    (["198.51.100.7", "25x"], "from 1 to 65535"),
    (["198.51.100.7", ""], "from 1 to 65535"),
    (["198.51.100.7", "99999999999999999999"], "from 1 to 65535"),
    (["198.51.100.7", "25", "--proto", "icmp"], "tcp or udp"),
    (["198.51.100.7", "--proto", "tcp"], "goes with a port"),
    (["198.51.100.7", "--tolerance", "25h"], "from 0 to 24h"),
    (["198.51.100.7", "--tolerance", "-1s"], "from 0 to 24h"),
])
def test_what_is_no_question(known, words, says):
    done = known.run("lease", "whose", *words, "--at", "2026-01-01T12:00:00Z", *REASON, status=2)
    assert says in done.stderr and done.stdout == ""
    assert lookups(known) == []


@pytest.mark.parametrize("at, says", [
    ("2026-02-31 10:00", "there is no such day or hour"),
    ("2026-01-01 25:00", "there is no such day or hour"),
    ("2026-01-01", "a day is no instant"),
    ("yesterday", "no time"),
    ("2999-01-01T00:00:00Z", "lies in the future"),
    ("2018-02-17 23:30", "came twice"),         # clocks went back at midnight
    ("2018-11-04 00:30", "no such day or hour"),  # and forward
    ("", "no time"),
])
def test_what_is_no_time(known, at, says):
    done = known.run("lease", "whose", "198.51.100.7", "--at", at, *REASON, status=2)
    assert says in done.stderr and done.stdout == ""


def test_a_time_without_zone_is_the_networks_and_that_is_said(known):
    done = known.run("lease", "whose", "198.51.100.7", "--at", "2026-01-01 09:00", *REASON)
    assert done.stdout.splitlines()[0].endswith("give or take 2s (in America/Sao_Paulo, the zone of the policy)")
    answer = whose(known, "198.51.100.7", at="2026-01-01 09:00")
    assert answer["at"] == "2026-01-01T12:00:00Z" and answer["zone_given"] is False
    answer = whose(known, "198.51.100.7", at="2018-02-17 23:30 -0300", status=1)
    assert answer["at"] == "2018-02-18T02:30:00Z" and answer["zone_given"] is True


def test_mapped_addresses_are_the_same_key(known):
    for text in ("::ffff:198.51.100.7", "::FFFF:c633:6407"):
        assert named(whose(known, text)) == ["a"]
    assert lookups(known)[0]["key"] == "198.51.100.7"


def test_hostile_names_do_not_reach_the_terminal(known):
    for words in (["--name", "N\u202eame"], ["--line", "user:x\u202eevil"]):
        done = known.run("subscriber", "add", "evil", *words, status=1)
        assert "not plain text" in done.stderr and "\u202e" not in done.stderr
    known.run("subscriber", "add", "evil")
    known.run("lease", "add", "198.51.100.66", "--line", "user:x\u202eevil", "--from", "2026-01-01T10:00:00Z")
    for words in (["lease", "whose", "198.51.100.66", "--at", "2026-01-01T12:00:00Z"], ["lease", "history", "evil"]):
        for more in ([], ["--json"]):
            assert "\u202e" not in known.run(*words, *REASON, *more).stdout
    done = known.run("lease", "whose", "--from", "-", *REASON, input="address,time\n198.51.100.66,2026-01-01T12:00:00Z\n\x1b[2J,now\n", status=1)
    assert "\u202e" not in done.stdout and "\x1b" not in done.stdout


def test_an_id_given_out_again_is_not_the_same_person(known):
    known.run("subscriber", "remove", "a")
    known.run("subscriber", "add", "a", "--name", "Somebody Else")
    answer = whose(known, "198.51.100.7")
    assert answer["holders"][0]["name"] == "Ana" and answer["holders"][0]["left"]
    history = json.loads(known.run("lease", "history", "a", *REASON, "--json").stdout)
    assert history["history"] == [] and history["earlier"] == 1 and history["left"] is None


# --- behind a translation ---

def test_ports_lead_inside(known):
    known.run("lease", "add", "100.64.0.3", "--line", "user:a", "--from", "2026-01-01T10:00:00Z", "--until", "2026-01-02T10:00:00Z")
    known.run("lease", "add", "100.64.0.3", "--line", "user:b", "--from", "2026-01-02T10:00:00Z")
    answer = whose(known, "203.0.113.128", "2600")
    assert named(answer) == ["a"]
    computed = answer["holders"][0]["evidence"][0]["steps"][0]["computed"]
    assert (computed["inside"], computed["port_low"], computed["port_high"], computed["cgnat"]) == ("100.64.0.3", 2560, 3071, "norte")
    assert named(whose(known, "203.0.113.128", "2600", at="2026-01-03T10:00:00Z")) == ["b"]
    answer = whose(known, "203.0.113.128", "1024", status=1)
    assert answer["reasons"][0] == "behind it is 100.64.0.0 of norte, which no lease covers then"
    answer = whose(known, "203.0.113.128", status=1)
    assert answer["verdict"] == "ambiguous" and named(answer) == ["a"] and "no port was given" in answer["reasons"][0]
    assert named(whose(known, "100.64.0.3")) == ["a"] and named(whose(known, "100.64.0.3", "--realm", "norte")) == ["a"]
    whose(known, "100.64.0.3", "--realm", "sul", status=1)
    history = json.loads(known.run("lease", "history", "a", *REASON, "--json").stdout)["history"]
    assert history[0]["seen"] == [{"outside": "203.0.113.128", "port_low": 2560, "port_high": 3071, "cgnat": "norte", "generation": 0,
                                   "version": "1970-01-01T03:00:00Z"}]
    assert "203.0.113.128 2560-3071" in known.run("lease", "history", "a", *REASON).stdout


def test_port_blocks_of_a_log_lead_inside(known):
    known.run("lease", "add", "203.0.113.144", "--line", "inside:100.66.0.9", "--ports", "2000-2999", "--proto", "tcp", "--from", "2026-01-01T10:00:00Z",
              "--until", "2026-01-01T13:00:00Z")
    known.run("lease", "add", "100.66.0.9", "--line", "user:b", "--from", "2026-01-01T10:00:00Z")
    answer = whose(known, "203.0.113.144", "2500", "--proto", "tcp")
    assert named(answer) == ["b"]
    first, second = answer["holders"][0]["evidence"][0]["steps"]
    assert first["lease"]["line"] == "inside:100.66.0.9" and second["lease"]["line"] == "user:b"
    assert "cgnat sul is known by its log alone (the policy file)" in whose(known, "203.0.113.144", "2500", "--proto", "udp", status=1)["reasons"]
    assert known.json("lease", "unknown")["lines"] == []  # the translation's blocks are nobody's by nature


@pytest.fixture
def court(porteiro):
    with contextlib.closing(Namespace()) as namespace:
        yield Court(types.SimpleNamespace(router=namespace), porteiro)


@pytest.mark.needs("nft", "fib", "reject")
def test_a_policy_changed_without_a_new_version_is_ambiguous(court):
    program = court.porteiro

    def load(text):
        """What is in force is asked, not the file."""
        court.load(text)
        program.conf.unlink()

    load(POLICY)
    program.run("subscriber", "add", "a", "--line", "user:a")
    program.run("subscriber", "add", "b", "--line", "user:b")
    program.run("lease", "add", "100.64.0.3", "--line", "user:a", "--from", "2026-01-01T10:00:00Z")
    program.run("lease", "add", "100.64.0.1", "--line", "user:b", "--from", "2026-01-01T10:00:00Z")
    then = datetime.datetime.now(UTC).isoformat()
    assert named(whose(program, "203.0.113.128", "2600", "--tolerance", "0", at=then)) == ["a"]
    load(POLICY.replace("outside 203.0.113.128/30 }", "outside 203.0.113.128/30 block 1024 }"))
    answer = whose(program, "203.0.113.128", "2600", "--tolerance", "0", at=then, status=1)
    assert sorted(named(answer)) == ["a", "b"]
    assert "generation 1, in force then, gives the ports to another inside address than generation 2 does" in answer["reasons"]
    # of before there was a generation only the newest can speak
    assert named(whose(program, "203.0.113.128", "2600")) == ["b"]
    # said with a version, both hold in their time
    today = datetime.datetime.now(UTC).isoformat()[:19] + "Z"
    load(POLICY + f'cgnat norte {{ from {today} inside 100.64.0.0/24 outside 203.0.113.128/30 block 1024 }}\n')
    assert named(whose(program, "203.0.113.128", "2600")) == ["a"]


# --- what was derived is corrected ---

@pytest.mark.needs("nft", "fib", "reject")
def test_a_late_end_corrects_sightings_and_suspicion(court):
    """It was thought to be a's; then it becomes known that he had left before, and b had the address."""
    court.open(POLICY)
    for who in "ab":
        court.run("subscriber", "add", who, "--line", f"user:{who}")
    now = datetime.datetime.now(UTC)
    ago = lambda minutes: (now - datetime.timedelta(minutes=minutes)).isoformat()
    court.run("lease", "add", "198.51.100.7", "--line", "user:a", "--from", ago(300))
    court.seen("198.51.100.7", count=2, at=ago(60))
    wait_for(lambda: court.score("a") > 5, "the suspicion on a")
    assert [row["subscriber"] for row in court.json("sightings")["sightings"]] == ["a"]
    court.run("lease", "end", "198.51.100.7", "--line", "user:a", "--at", ago(120))
    wait_for(lambda: court.score("a") == 0, "the end of the suspicion on a")
    assert named(whose(court.porteiro, "198.51.100.7", at=ago(60), status=1)) == []
    court.run("lease", "add", "198.51.100.7", "--line", "user:b", "--from", ago(110))
    wait_for(lambda: court.score("b") > 5, "the suspicion on b")
    assert [row["subscriber"] for row in court.json("sightings")["sightings"]] == ["b"]
    assert named(whose(court.porteiro, "198.51.100.7", at=ago(60))) == ["b"] and court.score("a") == 0


# --- many questions ---

def ask_many(program, text, *words, status=None):
    done = program.run("lease", "whose", "--from", "-", *REASON, *words, input=text, status=status)
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_many_questions_from_a_file(known):
    text = ("\ufeffTIME;port;address;proto;note\r\n2026-01-01T12:00:00Z;25;198.51.100.7;TCP;x\r\n2026-01-02T12:00:00Z;;198.51.100.7;;\r\n"
            "2026-02-31 10:00;;198.51.100.7\r\n2026-01-01;;198.51.100.7\r\n2026-01-01T12:00:00Z;0;198.51.100.7\r\n"
            "2026-01-02T10:00:01Z;;198.51.100.7\r\n")
    rows = ask_many(known, text, status=1)
    assert [row["verdict"] for row in rows] == ["exact", "exact", "wrong", "wrong", "wrong", "ambiguous"]
    assert [row["row"] for row in rows] == ["2", "3", "4", "5", "6", "7"]
    assert (rows[0]["subscribers"], rows[0]["proto"], rows[1]["subscribers"], rows[5]["subscribers"]) == ("a", "tcp", "b", "b a")
    assert "2026-02-31 10:00: there is no such day" in rows[2]["why"]
    assert len(lookups(known)) == 3
    assert ask_many(known, "address,time\n198.51.100.7,2026-01-01T12:00:00Z\n", status=0)[0]["subscribers"] == "a"
    answers = json.loads(known.run("lease", "whose", "--from", "-", *REASON, "--json", input=text, status=1).stdout)["answers"]
    assert [answer["verdict"] for answer in answers] == [row["verdict"] for row in rows]
    assert answers[2]["text"] == "2026-02-31 10:00" and answers[2]["row"] == 4


@pytest.mark.parametrize("text, says", [("", "must name the columns"), ("address,when\n", "must name the columns address and time"),
                                        ("198.51.100.7,2026-01-01T12:00:00Z\n", "must name")])
def test_a_file_without_its_columns(known, text, says):
    done = known.run("lease", "whose", "--from", "-", *REASON, input=text, status=1)
    assert says in done.stderr and done.stdout == ""
    assert "what is asked stands in the file" in known.run("lease", "whose", "198.51.100.7", "--from", "-", *REASON, input="", status=2).stderr


def test_a_thousand_questions_against_a_slow_reading(known):
    """Twenty addresses that went from hand to hand, also behind the translation, and a list that is searched from end to end."""
    pick = random.Random(25)
    begin = int(datetime.datetime(2026, 3, 1, tzinfo=UTC).timestamp())
    held = []  # address, line, start, end
    for number in range(20):
        address = f"100.64.0.{100 + number}" if number % 2 else f"198.51.100.{100 + number}"
        start = begin
        for _ in range(pick.randrange(1, 6)):
            start += pick.choice([0, 0, 1, 3, 600])
            end = start + pick.choice([1, 2, 5, 60, 3600])
            held.append((address, f"u{pick.randrange(8)}", start, end))
            start = end
    say = lambda t: datetime.datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for address, user, start, end in held:
        known.run("lease", "add", address, "--line", f"user:{user}", "--from", say(start), "--until", say(end))
    for user in range(6):  # u6 and u7 are lines of nobody
        known.run("subscriber", "add", f"s{user}", "--line", f"user:u{user}", "--line", f"user:second{user}")
    questions = []
    for _ in range(1000):
        address, _, start, end = pick.choice(held)
        questions.append((address, pick.choice([start, end]) + pick.randrange(-6, 6)))
    inside = list(ipaddress.ip_network("100.64.0.0/24")) + list(ipaddress.ip_network("100.65.0.0/25"))
    rows = []
    for address, at in questions:
        port = ""
        if address.startswith("100."):  # asked from outside: 126 blocks of 512 ports an address
            number = inside.index(ipaddress.ip_address(address))
            address, port = f"203.0.113.{128 + number // 126}", 1024 + number % 126 * 512 + pick.randrange(512)
        rows.append(f"{address},{port},{say(at)}")
    answers = ask_many(known, "address,port,time\n" + "\n".join(rows) + "\n", "--tolerance", "2s", status=1)
    seen = set()
    for (address, at), got in zip(questions, answers, strict=True):
        lines = {user for where, user, start, end in held if where == address and start <= at + 2 and end > at - 2}
        wanted = "exact" if len(lines) == 1 else "ambiguous" if lines else "unknown"
        assert got["verdict"] == wanted, (address, at, got)
        assert set(got["lines"].split()) == {f"user:{user}" for user in lines}, (address, at, got)
        assert set(got["subscribers"].split()) == {f"s{user[1:]}" for user in lines if user[1:] < "6"}
        seen.add(wanted)
    assert seen == {"exact", "ambiguous", "unknown"} and len(lookups(known)) == 100  # audit shows the newest 100
    assert len(known.json("audit", "--most", "2000")["audit"]) > 1000


@pytest.mark.parametrize("name, reading", READINGS)
def test_a_thousand_questions_about_real_files_against_an_independent_reading(porteiro, name, reading):
    porteiro.policy(POLICY)
    leases = [(ipaddress.ip_network(prefix), *rest) for prefix, *rest in reading(lease_file(name).read_text(encoding="utf-8"))]
    porteiro.run("lease", "import", lease_file(name))
    dice = random.Random(name)
    questions = []
    for i in range(PAIRS):
        prefix, _, start, end = dice.choice(leases)
        at = int(dice.uniform(start, min(end, start + 86400))) + (dice.choice([-90, 90]) if i % 4 == 0 else 0) + 0.5
        questions.append((ipaddress.ip_address(some_address(prefix, dice)), at))
    say = lambda at: datetime.datetime.fromtimestamp(at, UTC).isoformat()
    rows = ask_many(porteiro, "address,time\n" + "".join(f"{address},{say(at)}\n" for address, at in questions), "--tolerance", "0")
    exact = 0
    for (address, at), got in zip(questions, rows, strict=True):
        there = [(prefix.prefixlen, line) for prefix, line, start, end in leases if start <= at < end and address in prefix]
        wanted = {line for length, line in there if length == max(there)[0]}
        if wanted:
            assert got["verdict"] == ("exact" if len(wanted) == 1 else "ambiguous"), (address, at, got, wanted)
            assert got["lines"] == " ".join(wanted) or len(wanted) > 1, (address, at, got, wanted)
            exact += len(wanted) == 1
        else:
            assert got["verdict"] != "exact", (address, at, got)
    assert exact > PAIRS // 2


# --- JSON ---

def test_every_key_of_json_is_documented(known):
    text = (pathlib.Path(__file__).resolve().parent.parent / "docs" / "json.md").read_text()
    known.run("lease", "add", "100.64.0.3", "--line", "user:a", "--from", "2026-01-01T10:00:00Z")
    for words in (["whose", "203.0.113.128", "2600", "--at", "2026-01-01T12:00:00Z", *REASON], ["history", "a", *REASON], ["unknown"],
                  ["whose", "--from", "-", *REASON]):
        done = known.run("lease", *words, "--json", input="address,time\nx,now\n198.51.100.7,2026-01-01T12:00:00Z\n", status=None)
        answer = json.loads(done.stdout)
        assert answer["version"] == 1
        for key in set(keys(answer)):
            assert f'"{key}"' in text, f"{words}: {key}"
        assert re.search(rf"^## lease {words[0]}$", text, re.M)
