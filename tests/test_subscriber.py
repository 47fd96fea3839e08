# SPDX-License-Identifier: GPL-3.0-or-later
"""Subscribers, leases, exemptions, quarantines, sightings: what people type, and files of customers."""
import csv
import io
import os
import time

import pytest

HEAD = "id,name,class,port25,language,email,phone,post,never_cut,lines,addresses\n"
POLICY = """
network "Test" { domain example.net  timezone America/Sao_Paulo  language pt-BR  abuse abuse@example.net }
class home      { port25 shift }
class corporate { port25 open  promise told-first }
pool londrina { class home       prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }
pool fixed    { class corporate  prefix 192.0.2.0/24 }
never-cut { subscriber 20001 }
quarantine { after 20 points  level mail  for 6h  grace 2h }
"""


@pytest.fixture
def known(porteiro):
    porteiro.policy(POLICY)
    return porteiro


def write(porteiro, text, name="customers.csv"):
    path = porteiro.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_file_goes_in_and_comes_out_the_same(known):
    text = HEAD.replace("\n", ",limits\n") + (
        "10442,João Souza,home,observe,pt-BR,joao@example.net,+55 43 0000,\"Rua A, 1\",no,"
        "circuit:OLT1\\ xpon\\ 0/1 mac:00:11:22:aa:bb:cc user:joao@example.net,192.0.2.7 2001:db8:100::/56,"
        "quota=2G messages-day=none\n"
        "10443,\"Quoted \"\"name\"\"\",,,,,,\"two\nlines\",yes,,,\n"
        "A-1,,corporate,,en,,,,no,vlan:vlan120,198.51.100.0/29,\n")
    path = write(known, text)
    assert known.run("subscriber", "import", path).stdout == "3 added, 0 changed, 0 unchanged\n"
    exported = known.run("subscriber", "export").stdout
    assert exported == text
    again = write(known, exported, "again.csv")
    assert known.run("subscriber", "import", again).stdout == "0 added, 0 changed, 3 unchanged\n"
    assert known.run("subscriber", "export").stdout == text
    assert known.json("audit", "--key", "10442")["audit"][0]["decision"] == "subscriber import"
    assert len(known.json("audit")["audit"]) == 3


def test_dry_run_shows_the_difference_and_changes_nothing(known):
    known.run("subscriber", "import", write(known, HEAD + "1,A,home,,,,,,no,user:a,192.0.2.1\n2,B,,,,,,,no,,\n"))
    changed = write(known, HEAD + "1,A,,block,,,,,no,user:b,192.0.2.1 192.0.2.2\n2,B,,,,,,,no,,\n3,C,,,,,,,no,,\n")
    shown = known.run("subscriber", "import", changed, "--dry-run").stdout.splitlines()
    assert shown == ["~ 1: class home -> none, port25 none -> block, - user:a, + user:b, + 192.0.2.2",
                     "+ 3: name none -> C",
                     "1 added, 1 changed, 1 unchanged (a dry run: nothing was changed)"]
    assert [each["id"] for each in known.json("subscriber", "list")["subscribers"]] == ["1", "2"]
    assert known.run("subscriber", "import", changed).stdout == "1 added, 1 changed, 1 unchanged\n"
    one = known.json("subscriber", "show", "1")["subscriber"]
    assert (one["class"], one["port25"], one["lines"]) == (None, "block", ["static:1", "user:b"])


def test_all_mistakes_are_told_by_line_and_nothing_is_done(known):
    known.run("subscriber", "add", "old", "--line", "user:taken", "--address", "203.0.113.0/28")
    path = write(known, HEAD + "".join([
        "1,ok,home,,,,,,no,user:one,192.0.2.1\n",                   # 2
        "1,twice,home,,,,,,no,,\n",                                 # 3
        "2,,hme,,,,,,no,,\n",                                       # 4
        "3,,home,shut,,,,,maybe,,\n",                               # 5
        "4,,home,,,,,,no,,192.0.2.9/24\n",                          # 6
        "5,,home,,,,,,no,,not-an-address\n",                        # 7
        "6,,home,,,,,,no,user:one,\n",                              # 8
        "7,,home,,,,,,no,user:taken,\n",                            # 9
        "8,,home,,,,,,no,,203.0.113.5\n",                           # 10
        "9,,home,,,,,,no,,192.0.2.0/30\n",                          # 11
        ",nobody,home,,,,,,no,,\n",                                 # 12
        "10,,home\n",                                               # 13
        "11,,home,,,,,,no,mac:12,\n",                               # 14
        "192.0.2.77,,home,,,,,,no,,\n",                             # 15
    ]))
    refused = known.run("subscriber", "import", path, status=1)
    told = [line.removeprefix(f"porteiro: {path}:") for line in refused.stderr.splitlines()]
    want = ["3: subscriber 1 stands in line 2 already", "4: class hme: the policy has no such class: did you mean home?",
            "5: port25 shut", "5: never_cut maybe", "6: address 192.0.2.9/24: has bits set past its length",
            "7: address not-an-address: no address or prefix", "8: line user:one already belongs to subscriber 1",
            "9: line user:taken already belongs to subscriber old", "10: address 203.0.113.5 overlaps 203.0.113.0/28, which is subscriber old's",
            "11: address 192.0.2.0/30 overlaps 192.0.2.1, which is subscriber 1's", "12: id is empty", "13: 3 cells where the first line has 11",
            "14: line mac:12: a MAC has 12 hexadecimal digits", "15: id looks like an address"]
    for got, each in zip(told, want):
        assert got.startswith(each), f"{got}\nwanted {each}"
    assert len(told) == len(want) + 1
    assert told[-1].endswith("14 mistakes: nothing was imported")
    assert [each["id"] for each in known.json("subscriber", "list")["subscribers"]] == ["old"]


@pytest.mark.parametrize("text, words", [
    (b"", "is empty"),
    (b"name,class\nA,home\n", "column id is missing"),
    (b"id,colour\n1,red\n", "there is no column colour"),
    (b"id,id\n1,2\n", "stands twice"),
    (b"id,name\n1,Jo\xe3o\n", "not UTF-8"),
    (b"id,name\n1,\"A\n2,B\n", "never closed"),
])
def test_files_that_are_none(known, text, words):
    assert words in known.run("subscriber", "import", write(known, text), status=1).stderr
    assert known.json("subscriber", "list")["subscribers"] == []


def test_what_spreadsheets_make_of_it(known):
    path = write(known, "\ufeffid;name;lines\r\n1;\"A;B\";user:a\r\n2;C;\r\n".encode())
    assert known.run("subscriber", "import", path).stdout.startswith("2 added")
    assert known.json("subscriber", "show", "1")["subscriber"]["name"] == "A;B"


def test_missing_columns_leave_the_rest_alone(known):
    known.run("subscriber", "add", "1", "--class", "home", "--line", "user:a", "--address", "192.0.2.1")
    known.run("subscriber", "import", write(known, "id,name\n1,New name\n"))
    one = known.json("subscriber", "show", "1")["subscriber"]
    assert (one["name"], one["class"], one["lines"]) == ("New name", "home", ["static:1", "user:a"])
    assert [lease["prefix"] for lease in one["leases"]] == ["192.0.2.1"]


def test_missing_file(known):
    assert "No such file" in known.run("subscriber", "import", known.folder / "none.csv", status=3).stderr


def test_fifty_thousand_customers(known):
    rows = io.StringIO()
    out = csv.writer(rows, lineterminator="\n")
    for i in range(50000):
        out.writerow([100000 + i, f"Customer {i}", "home", "", "pt-BR", "", "", "", "no", f"user:c{i}@example.net",
                      f"10.{i >> 16}.{i >> 8 & 255}.{i & 255} 2001:db8:{i + 1:x}:100::/56"])
    path = write(known, HEAD + rows.getvalue())
    start = time.monotonic()
    assert known.run("subscriber", "import", path, timeout=120).stdout == "50000 added, 0 changed, 0 unchanged\n"
    assert time.monotonic() - start < 60  # some 2 s on an idle machine; make bench measures
    assert known.run("subscriber", "import", path, timeout=120).stdout == "0 added, 0 changed, 50000 unchanged\n"
    exported = known.run("subscriber", "export").stdout.replace(",limits\n", "\n").replace(",\n", "\n")
    assert exported.splitlines() == path.read_text().splitlines()


def test_add_set_show_remove(known):
    known.run("subscriber", "add", "10442", "--name", "Alice", "--class", "home", "--line", "user:alice", "--line", "mac:00-11-22-AA-BB-CC")
    known.run("subscriber", "set", "10442", "--port25", "block", "--class", "none", "--drop-line", "user:alice", "--address", "192.0.2.7")
    one = known.json("subscriber", "show", "10442")["subscriber"]
    assert (one["class"], one["port25"], one["lines"]) == (None, "block", ["mac:00:11:22:aa:bb:cc", "static:10442"])
    assert "Alice" in known.run("subscriber", "show", "10442").stdout
    known.run("subscriber", "remove", "10442", "--reason", "moved away")
    assert "not known" in known.run("subscriber", "show", "10442", status=1).stderr
    trail = known.json("audit", "--key", "10442")["audit"]
    assert [each["decision"] for each in trail] == ["subscriber remove", "subscriber set", "subscriber add"]
    assert trail[0]["why"] == "moved away" and trail[0]["before"]["port25"] == "block" and trail[0]["after"] is None
    assert trail[2]["before"] is None and trail[2]["after"]["name"] == "Alice"


@pytest.mark.parametrize("words, status, said", [
    (["subscriber", "add", "1", "--class", "hme"], 1, "did you mean home?"),
    (["subscriber", "add", "1", "--port25", "shut"], 2, "--port25: shut"),
    (["subscriber", "add", "1", "--never-cut", "perhaps"], 2, "yes or no"),
    (["subscriber", "add", "1", "--line", "alice"], 2, "KIND:VALUE"),
    (["subscriber", "add", "1", "--address", "192.0.2.1/24"], 2, "did you mean 192.0.2.0/24?"),
    (["subscriber", "add"], 2, "something is missing"),
    (["subscriber", "add", "1", "2"], 2, "one word too many"),
    (["subscriber", "add", "1", "--nmae", "x"], 2, "did you mean --name?"),
    (["subscriber", "add", "1", "--name"], 2, "wants a value"),
    (["subscriber", "mend", "1"], 2, "no such command"),
    (["subscriber"], 2, "usage:"),
    (["subscriber", "told", "1", "--by", "pigeon"], 1, "email, letter, phone, sms or portal"),
    (["subscriber", "told", "1"], 2, "--by"),
    (["subscriber", "set", "77", "--name", "x"], 1, "not known"),
    (["quarantine", "add", "77", "--level", "mail", "--reason", "x"], 1, "not known"),
    (["quarantine", "add", "77", "--level", "all", "--reason", "x"], 2, "mail, submission or captive"),
    (["quarantine", "add", "77", "--reason", "x"], 2, "--level is missing"),
    (["quarantine", "add", "77", "--level", "mail", "--reason", "x", "--for", "1x"], 2, "no duration"),
    (["quarantine", "release", "77", "--reason", "x"], 1, "no quarantine 77"),
    (["exemption", "add", "77", "--owner", "o", "--reason", "r"], 2, "--until is missing"),
    (["exemption", "add", "192.0.2.1/24", "--until", "2100-01-01", "--owner", "o", "--reason", "r"], 2, "bits set past"),
    (["exemption", "add", "192.0.2.1", "--until", "2001-01-01", "--owner", "o", "--reason", "r"], 1, "later than now"),
    (["exemption", "add", "192.0.2.1", "--until", "2100-02-30", "--owner", "o", "--reason", "r"], 2, "no such day"),
    (["exemption", "remove", "77", "--reason", "r"], 1, "no exemption 77"),
    (["lease", "add", "192.0.2.1"], 2, "--line KIND:VALUE is missing"),
    (["lease", "add", "192.0.2.1", "--line", "user:a", "--ports", "9-8"], 2, "two ports"),
    (["lease", "end", "192.0.2.1", "--line", "user:a"], 1, "holds no open lease"),
    (["sightings", "add", "192.0.2.1"], 2, "--source is missing"),
    (["sightings", "--since", "yesterday"], 2, "no time"),
    (["suspects", "--most", "0"], 2, "a number from 1"),
    (["help", "me"], 2, "no such page"),
])
def test_wrong_words(known, words, status, said):
    known.run("subscriber", "add", "anybody")
    before = known.json("audit")["audit"][0]["number"]
    refused = known.run(*words, status=status)
    assert said in refused.stderr
    assert refused.stderr.startswith("porteiro: ")
    assert refused.stdout == ""
    assert known.json("audit")["audit"][0]["number"] == before


def test_whose_was_the_address(known):
    known.run("subscriber", "add", "a", "--line", "user:a")
    known.run("subscriber", "add", "b", "--line", "user:b")
    known.run("lease", "add", "198.51.100.7", "--line", "user:a", "--from", "2026-01-01 10:00", "--until", "2026-01-02 10:00")
    known.run("lease", "add", "198.51.100.7", "--line", "user:b", "--from", "2026-01-02 10:00")
    for at, whose in (("2026-01-01 09:59:59", []), ("2026-01-01 10:00", ["a"]), ("2026-01-02 09:59:59", ["a"]), ("2026-01-02 10:00", ["b"])):
        assert [each["subscriber"] for each in known.json("lease", "list", "198.51.100.7", "--at", at, "--reason", "test")["leases"]] == whose
    assert len(known.json("lease", "list", "198.51.100.7", "--all", "--reason", "test")["leases"]) == 2
    assert "-0300" in known.run("lease", "list", "b").stdout  # the network's zone
    known.run("lease", "end", "198.51.100.7", "--line", "user:b", "--reason", "gave it back")
    assert known.json("lease", "list")["leases"] == []
    assert known.json("lease", "list", "b", "--all", "--reason", "test")["leases"][0]["why_ended"] == "gave it back"


def test_promise_before_quarantine(known):
    known.run("subscriber", "add", "by-pool", "--address", "192.0.2.7")
    known.run("subscriber", "add", "by-class", "--class", "corporate")
    known.run("subscriber", "add", "own-class", "--class", "home", "--address", "192.0.2.8")
    for who in ("by-pool", "by-class"):
        refused = known.run("quarantine", "add", who, "--level", "mail", "--reason", "spam", status=1)
        assert f"class corporate was promised told-first ({known.conf}:4:" in refused.stderr
        assert f"porteiro subscriber told {who} --by letter" in refused.stderr
        known.run("subscriber", "told", who, "--by", "letter", "--note", "registered mail")
        known.run("quarantine", "add", who, "--level", "mail", "--reason", "spam")
    known.run("quarantine", "add", "own-class", "--level", "mail", "--reason", "spam")
    assert len(known.json("quarantine", "list")["quarantines"]) == 3


def test_never_cut_wants_two(known):
    known.run("subscriber", "add", "20001")  # named by the policy
    known.run("subscriber", "add", "own", "--never-cut", "yes")
    import pwd
    self = pwd.getpwuid(os.geteuid()).pw_name
    for who in ("20001", "own"):
        for more in ([], ["--approved-by", self], ["--approved-by", f" {self.upper()} "]):
            refused = known.run("quarantine", "add", who, "--level", "mail", "--reason", "spam", *more, status=1)
            assert "never cut" in refused.stderr
        known.run("quarantine", "add", who, "--level", "mail", "--reason", "spam", "--approved-by", "maria")
    assert known.json("quarantine", "list")["quarantines"][0]["approved_by"] == "maria"


def test_quarantine_lasts_as_the_policy_says(known):
    known.run("subscriber", "add", "1")
    known.run("quarantine", "add", "1", "--level", "mail", "--reason", "a")
    known.run("quarantine", "add", "1", "--level", "captive", "--reason", "b", "--for", "1h")
    b, a = known.json("quarantine", "list", "1")["quarantines"]
    hours = [(time.mktime(time.strptime(q["until"], "%Y-%m-%dT%H:%M:%SZ")) -
              time.mktime(time.strptime(q["start"], "%Y-%m-%dT%H:%M:%SZ"))) / 3600 for q in (a, b)]
    assert hours == pytest.approx([6, 1], abs=0.01)
    known.run("quarantine", "release", "1", "--reason", "clean")  # all of his
    assert known.json("quarantine", "list")["quarantines"] == []
    assert {q["release_reason"] for q in known.json("quarantine", "list", "--all")["quarantines"]} == {"clean"}
    assert "in no quarantine" in known.run("quarantine", "release", "1", "--reason", "again", status=1).stderr


def test_release_by_number_or_id_never_the_wrong_one(known):
    for who in ("1", "2", "x"):
        known.run("subscriber", "add", who)
    for who in ("x", "1", "x"):  # numbers 1, 2, 3
        known.run("quarantine", "add", who, "--level", "mail", "--reason", "spam")
    assert "write #1" in known.run("quarantine", "release", "1", "--reason", "r", status=1).stderr  # subscriber 1, and number 1 of x
    assert "in no quarantine" in known.run("quarantine", "release", "2", "--reason", "r", status=1).stderr  # subscriber 2; number 2 is of 1
    known.run("quarantine", "release", "#1", "--reason", "r")
    known.run("quarantine", "release", "3", "--reason", "r")
    assert [q["number"] for q in known.json("quarantine", "list")["quarantines"]] == [2]
    known.run("quarantine", "release", "1", "--reason", "r")
    assert known.json("quarantine", "list")["quarantines"] == []


def test_exemptions(known):
    known.run("subscriber", "add", "1")
    assert known.run("exemption", "add", "1", "--until", "2100-12-31", "--owner", "noc@example.net", "--reason", "no TLS").stdout == "exemption 1\n"
    known.run("exemption", "add", "198.51.100.0/28", "--until", "2100-12-31 12:00", "--owner", "noc", "--reason", "meters")
    first, second = known.json("exemption", "list")["exemptions"]
    assert (first["subscriber"], first["prefix"], first["until"]) == ("1", None, "2101-01-01T02:59:59Z")  # its last instant, in the zone
    assert (second["subscriber"], second["prefix"], second["until"]) == (None, "198.51.100.0/28", "2100-12-31T15:00:00Z")
    known.run("exemption", "remove", "2", "--reason", "meters replaced")
    assert [e["number"] for e in known.json("exemption", "list")["exemptions"]] == [1]
    assert known.json("exemption", "list", "--all")["exemptions"][1]["removed"]


def test_sightings_name_the_holder_of_that_time(known):
    known.run("subscriber", "add", "a", "--line", "user:a")
    known.run("subscriber", "add", "b", "--line", "user:b")
    known.run("lease", "add", "198.51.100.7", "--line", "user:a", "--from", "2026-01-01", "--until", "2026-01-01")  # its last instant
    known.run("lease", "add", "198.51.100.7", "--line", "user:b", "--from", "2026-01-02 12:00")
    known.run("sightings", "add", "198.51.100.7", "--source", "trap", "--at", "2026-01-01 12:00", "--count", "3", "--detail", "HELO \x1b[31m")
    known.run("sightings", "add", "198.51.100.7", "--source", "complaint", "--at", "2026-01-02 12:00", "--port", "40000")
    known.run("sightings", "add", "198.51.100.8", "--source", "complaint", "--at", "2026-01-02 12:30")
    seen = known.json("sightings", "--since", "2026-01-01")["sightings"]
    assert [(s["subscriber"], s["holders"], s["source"], s["count"]) for s in seen] == [
        (None, 0, "complaint", 1), ("b", 1, "complaint", 1), ("a", 1, "trap", 3)]
    assert [s["source"] for s in known.json("sightings", "a", "--since", "2026-01-01")["sightings"]] == ["trap"]
    assert len(known.json("sightings", "198.51.100.0/24", "--since", "2026-01-01")["sightings"]) == 3
    assert len(known.json("sightings", "198.51.100.8", "--since", "2026-01-01")["sightings"]) == 1
    assert known.json("sightings")["sightings"] == []  # the last 24 hours
    table = known.run("sightings", "--since", "2026-01-01").stdout
    assert "\x1b" not in table and "\\x1b[31m" in table
    assert table.endswith("events lost by the kernel: 0\n")
    assert "only the newest 1" in known.run("sightings", "--since", "2026-01-01", "--most", "1").stdout


def test_help_pages(known):
    assert "half-life" in known.run("help", "conf").stdout
    for words in (["subscriber", "add"], ["quarantine", "release"], ["lease", "list"], ["sightings", "add"], ["audit"]):
        assert known.run(*words, "--help").stdout.startswith("usage: porteiro " + words[0])
