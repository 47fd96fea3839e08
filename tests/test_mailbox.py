# SPDX-License-Identifier: GPL-3.0-or-later
"""Mailboxes, aliases and domains: what people type, files of 50,000 customers, and what is shown of it all."""
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest

HEAD = "address,subscriber,principal,name,forward,keep,limits,suspended\n"  # a column may be missing: sender
POLICY = """
network "Test" { domain example.net  timezone America/Sao_Paulo  language pt-BR  abuse abuse@example.net }
class home      { port25 shift  quota 2G  messages-day 300 }
class corporate { port25 open }
pool londrina { class home       prefix 198.51.100.0/24 }
pool fixed    { class corporate  prefix 192.0.2.0/24 }
mail { reuse-after 30d  recipients-day 500 }
"""


@pytest.fixture
def known(porteiro):
    """Two domains, three subscribers, and the mailbox of the abuse desk."""
    porteiro.policy(POLICY)
    for each in ("1", "2", "noc"):
        porteiro.run("subscriber", "add", each, "--class", "home")
    porteiro.run("domain", "add", "example.net", "--abuse", "desk@example.net")
    porteiro.run("domain", "add", "hosted.example")
    porteiro.run("mailbox", "add", "desk@example.net", "--subscriber", "noc")
    return porteiro


def write(porteiro, text, name="mailboxes.csv"):
    path = porteiro.folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_what_is_said_of_it_does_no_harm_on_a_terminal(known):
    """Neither what was typed nor what stands in a file or in its name; and no line end in a cell makes up a line."""
    bad = "x\x1b[31m\u009b2J\u202e@example.net"
    for words in (("mailbox", "show", bad), ("mailbox", "add", bad, "--subscriber", "1"), ("subscriber", "show", bad),
                  ("alias", "show", bad), ("domain", "show", bad), ("alias", "add", "a@example.net", "--to", bad)):
        said = known.run(*words, status=1).stderr
        assert "x\\x1b[31m\\xc2\\x9b2J\\xe2\\x80\\xae@example.net" in said and "\x1b" not in said
    said = known.run("mailbox", "set", "desk@example.net", "--limit", bad, status=2).stderr
    assert "x\\x1b[31m" in said and "\x1b" not in said
    path = write(known, "address,subscriber\n\"y\nline 9: forged@example.net\",1\nz@example.net,9\n", "b\x1b[31m.csv")
    assert known.run("mailbox", "import", path, status=1).stderr.splitlines() == [
        f"porteiro: {known.folder}/b\\x1b[31m.csv:{rest}" for rest in (
            "2: mailbox y line 9: forged@example.net: the part before the @ has a character that is not allowed there",
            "4: subscriber 9 is not known", " 2 mistakes: nothing was imported")]
    path = write(known, "address,name\ndesk@example.net,\"A\n+ forged@example.net\"\n")
    assert len(known.run("mailbox", "import", path, "--dry-run").stdout.splitlines()) == 2


def test_what_cannot_be_imported_again_is_not_taken(known):
    """An export is a backup: no name may be in it that the import refuses."""
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1", "--name", "Jo\u00e3o \u00d3 \n\"=1;,'")
    for bad in ("Jo\udce3o", "a\u0085b", "a\u202eb"):
        for words in (("mailbox", "set", "maria@example.net", "--name", bad), ("subscriber", "set", "1", "--name", bad),
                      ("mailbox", "suspend", "maria@example.net", "--reason", bad), ("subscriber", "add", bad),
                      ("subscriber", "set", "1", "--line", f"circuit:{bad}")):
            assert "not plain text in UTF-8" in known.run(*words, status=1).stderr
    for noun in ("subscriber", "mailbox"):
        path = write(known, known.run(noun, "export").stdout, f"{noun}.csv")
        assert " 0 changed" in known.run(noun, "import", path).stdout


def test_limits_of_a_file_that_was_never_applied_are_told_apart(known):
    shown = known.run("mailbox", "show", "desk@example.net")
    assert "2G (class home" in shown.stdout and "no policy is in force yet" in shown.stderr


def test_the_target_of_the_catch_all_says_why_it_stays(known):
    known.run("domain", "set", "example.net", "--catch-all", "desk@example.net")
    known.run("alias", "add", "a@example.net", "--to", "out@foreign.example")
    for words in (("mailbox", "remove", "desk@example.net"), ("subscriber", "remove", "noc")):
        assert "domain set --catch-all" in known.run(*words, status=1).stderr
    known.run("domain", "set", "example.net", "--catch-all", "a@example.net")
    assert "domain set --catch-all" in known.run("alias", "remove", "a@example.net", status=1).stderr


def test_what_is_shown_stands_in_columns(known):
    known.run("mailbox", "suspend", "desk@example.net", "--reason", "x")
    known.run("alias", "add", "a@example.net", "--to", "desk@example.net")
    known.run("subscriber", "set", "noc", "--address", "192.0.2.9")
    for noun, key in (("mailbox", "desk@example.net"), ("subscriber", "noc"), ("domain", "example.net"), ("alias", "a@example.net")):
        for line in known.run(noun, "show", key).stdout.splitlines():
            assert line[16] == " " and line[17] != " ", line


def decisions(porteiro, key):
    return [each["decision"] for each in porteiro.json("audit", "--key", key)["audit"]]


def test_a_limit_says_where_it_comes_from(known):
    known.run("subscriber", "set", "1", "--limit", "messages-hour=50")
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1", "--limit", "quota=none", "--limit", "messages-day=inherit")
    shown = known.run("mailbox", "show", "Maria@EXAMPLE.net").stdout
    assert [line.split(None, 1) for line in shown.splitlines() if "(" in line] == [
        ["quota", "none (mailbox)"], ["messages-hour", "50 (subscriber 1)"],
        ["messages-day", f"300 (class home, {known.conf}:3:56)"], ["recipients-hour", "none (mail block, by default)"],
        ["recipients-day", f"500 (mail block, {known.conf}:7:40)"]]
    found = known.json("mailbox", "show", "maria@example.net")["effective"]
    assert {key: (each["value"], each["from"]) for key, each in found.items()} == {
        "quota": ("none", "mailbox"), "messages_hour": (50, "subscriber"), "messages_day": (300, "class"),
        "recipients_hour": ("none", "mail block"), "recipients_day": (500, "mail block")}
    known.run("mailbox", "set", "maria@example.net", "--limit", "quota=inherit")
    assert known.json("mailbox", "show", "maria@example.net")["effective"]["quota"]["value"] == 2 << 30
    known.run("subscriber", "set", "1", "--class", "none")
    assert known.json("mailbox", "show", "maria@example.net")["effective"]["quota"]["value"] == "none"


def test_roles_exist_by_themselves(known):
    assert [(each["address"], each["targets"]) for each in known.json("alias", "list")["aliases"]] == [
        ("abuse@example.net", ["desk@example.net"]), ("abuse@hosted.example", ["abuse@example.net"]),
        ("postmaster@example.net", ["desk@example.net"]), ("postmaster@hosted.example", ["abuse@example.net"])]
    assert "as long as its domain" in known.run("alias", "remove", "abuse@hosted.example", status=1).stderr
    assert "exists by itself" in known.run("mailbox", "add", "postmaster@example.net", "--subscriber", "1", status=1).stderr
    assert "not known" in known.run("mailbox", "suspend", "abuse@example.net", "--reason", "x", status=1).stderr
    known.run("alias", "set", "abuse@hosted.example", "--to", "helper@example.org")
    assert known.json("domain", "show", "hosted.example")["roles"][0]["targets"] == ["helper@example.org"]
    assert "--abuse" in known.run("domain", "add", "example.net.br", "--abuse", "", status=1).stderr


def test_what_points_to_a_removed_address_is_shown(known):
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1")
    known.run("mailbox", "add", "joao@example.net", "--subscriber", "2", "--forward", "maria@example.net", "--keep", "no")
    known.run("alias", "add", "vendas@example.net", "--to", "maria@example.net", "--to", "x@example.org")
    known.run("domain", "set", "hosted.example", "--catch-all", "maria@example.net")
    assert known.json("mailbox", "show", "maria@example.net")["pointers"] == [
        {"kind": "alias", "from": "vendas@example.net"}, {"kind": "domain", "from": "hosted.example"},
        {"kind": "mailbox", "from": "joao@example.net"}]
    gone = known.run("mailbox", "remove", "maria@example.net", "--reason", "left")
    assert gone.stderr == ("porteiro: warning: mail is still sent on to maria@example.net by alias vendas@example.net, "
                           "domain hosted.example, mailbox joao@example.net\n")
    again = known.run("mailbox", "add", "maria@example.net", "--subscriber", "2", status=1).stderr
    month = time.strftime("%Y-%m", time.gmtime(time.time() + 30 * 86400))
    assert f"maria@example.net was another's until lately: it is free from {month}" in again
    known.policy(POLICY.replace("30d", "1s"))
    time.sleep(1.1)
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "2")


def test_suspension_stops_sending(known):
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1")
    known.run("mailbox", "suspend", "maria@example.net", "--reason", "stolen password")
    known.run("subscriber", "suspend", "1", "--reason", "unpaid")
    known.run("subscriber", "suspend", "2", status=2)
    one = known.json("mailbox", "show", "maria@example.net")
    assert (one["mailbox"]["suspended"]["reason"], one["subscriber_suspended"]["reason"], one["may_send"]) == ("stolen password", "unpaid", False)
    known.run("mailbox", "resume", "maria@example.net")
    assert known.json("mailbox", "show", "maria@example.net")["may_send"] is False
    known.run("subscriber", "resume", "1")
    assert known.json("mailbox", "show", "maria@example.net")["may_send"] is True
    assert "not suspended" in known.run("subscriber", "resume", "1", status=1).stderr
    assert decisions(known, "maria@example.net") == ["mailbox resume", "mailbox suspend", "mailbox add"]
    assert decisions(known, "1")[:2] == ["subscriber resume", "subscriber suspend"]


def test_a_suspension_with_an_end_is_lifted(known):
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1")
    known.start("duty", "keeper")
    known.run("mailbox", "suspend", "maria@example.net", "--reason", "accused", "--for", "2s")
    known.run("subscriber", "suspend", "1", "--reason", "accused", "--for", "1h")
    assert "for longer" in known.run("subscriber", "suspend", "1", "--reason", "again", "--for", "1m", status=1).stderr
    one = known.json("mailbox", "show", "maria@example.net")
    assert one["mailbox"]["suspended"]["until"] and one["subscriber_suspended"]["until"]
    deadline = time.monotonic() + 60
    while known.json("mailbox", "show", "maria@example.net")["mailbox"]["suspended"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert known.json("mailbox", "show", "maria@example.net")["subscriber_suspended"]["reason"] == "accused"
    assert decisions(known, "maria@example.net") == ["mailbox resume", "mailbox suspend", "mailbox add"]


def test_every_change_has_before_and_after(known):
    known.run("mailbox", "add", "maria@example.net", "--subscriber", "1")
    known.run("mailbox", "set", "maria@example.net", "--name", "Maria")
    known.run("mailbox", "set", "maria@example.net", "--name", "Maria")  # nothing new: nothing to tell
    known.run("mailbox", "remove", "maria@example.net", "--reason", "left")
    trail = known.json("audit", "--key", "maria@example.net")["audit"]
    assert [(each["decision"], each["before"] and each["before"]["name"], each["after"] and each["after"]["name"]) for each in trail] == [
        ("mailbox remove", "Maria", None), ("mailbox set", "", "Maria"), ("mailbox add", None, "")]
    assert trail[0]["why"] == "left"
    known.run("alias", "add", "a@example.net", "--to", "x@example.org")
    known.run("alias", "set", "a@example.net", "--to", "y@example.org")
    known.run("alias", "remove", "a@example.net")
    assert [(each["before"] and each["before"]["targets"], each["after"] and each["after"]["targets"])
            for each in known.json("audit", "--key", "a@example.net")["audit"]] == [
        (["y@example.org"], None), (["x@example.org"], ["y@example.org"]), (None, ["x@example.org"])]
    known.run("domain", "set", "hosted.example", "--catch-all", "x@example.org")
    known.run("domain", "remove", "hosted.example")
    assert decisions(known, "hosted.example") == ["domain remove", "domain set", "domain add"]
    assert decisions(known, "abuse@hosted.example") == ["alias remove", "domain add"]


def test_lists_come_by_the_page(known):
    write(known, HEAD + "".join(f"m{i:02}@example.net,1,,,,,,\n" for i in range(7)))
    known.run("mailbox", "import", known.folder / "mailboxes.csv")
    seen, after = [], ""
    for _ in range(9):
        page = [each["address"] for each in known.json("mailbox", "list", "--subscriber", "1", "--most", "3", "--after", after)["mailboxes"]]
        if not page:
            break
        seen, after = seen + page, page[-1]
    assert seen == [f"m{i:02}@example.net" for i in range(7)]
    assert "3 mailboxes, more may follow: --after m02@example.net" in known.run("mailbox", "list", "--subscriber", "1", "--most", "3").stdout
    assert [each["id"] for each in known.json("subscriber", "list", "--after", "1", "--most", "1")["subscribers"]] == ["2"]
    assert [each["name"] for each in known.json("domain", "list", "--after", "example.net")["domains"]] == ["hosted.example"]
    assert known.json("mailbox", "list", "--domain", "HOSTED.example")["mailboxes"] == []
    known.run("mailbox", "list", "--most", "0", status=2)


def test_file_goes_in_and_comes_out_the_same(known):
    text = HEAD.replace("\n", ",sender\n") + (
        "ana@example.net,2,no,\"Ana, filha\",x@example.org y@example.org,no,messages-hour=10,,*@ana.example Ana@firm.example\n"
        "desk@example.net,noc,yes,,,yes,,,\n"
        "joao@example.net,2,yes,João,,yes,quota=5G messages-day=none,senha roubada,\n"
        "maria@hosted.example,1,yes,,ana@example.net,yes,,,joao@example.net\n")
    path = write(known, text)
    assert known.run("mailbox", "import", path).stdout == "3 added, 0 changed, 1 unchanged\n"
    assert known.run("mailbox", "export").stdout.splitlines() == text.splitlines()
    assert known.run("mailbox", "import", write(known, known.run("mailbox", "export").stdout)).stdout == "0 added, 0 changed, 4 unchanged\n"
    assert decisions(known, "ana@example.net") == ["mailbox import"]
    changed = write(known, "address,principal,forward\nana@example.net,yes,\n")
    shown = known.run("mailbox", "import", changed, "--dry-run").stdout.splitlines()
    assert shown == ["~ ana@example.net: principal no -> yes, - forward x@example.org, - forward y@example.org",
                     "0 added, 1 changed, 0 unchanged (a dry run: nothing was changed)"]
    known.run("mailbox", "import", changed)
    assert {each["address"]: each["principal"] for each in known.json("mailbox", "list", "--subscriber", "2")["mailboxes"]} == {
        "ana@example.net": True, "joao@example.net": False}


def senders(known, address):
    return known.json("mailbox", "show", address)["mailbox"]["senders"]


def test_as_whom_a_mailbox_may_write(known):
    known.run("mailbox", "add", "ana@example.net", "--subscriber", "1", "--sender", "Ana@Firm.Example", "--sender", "*@ANA.example")
    assert senders(known, "ana@example.net") == ["*@ana.example", "Ana@firm.example"]
    shown = known.run("mailbox", "show", "ana@example.net").stdout
    assert "sender           *@ana.example\nsender           Ana@firm.example\n" in shown
    known.run("mailbox", "set", "ana@example.net", "--name", "Ana")                     # others are left as they are
    known.run("mailbox", "import", write(known, "address,name\nana@example.net,Eva\n"))
    assert senders(known, "ana@example.net") == ["*@ana.example", "Ana@firm.example"]
    known.run("mailbox", "set", "ana@example.net", "--sender", "Desk@EXAMPLE.net")       # ours: the one form; they replace
    assert senders(known, "ana@example.net") == ["desk@example.net"]
    changed = write(known, "address,sender\nana@example.net,x@firm.example *@bücher.example\n")
    refused = known.run("mailbox", "import", changed, status=1).stderr
    assert "sender *@" in refused and "nothing was imported" in refused
    changed = write(known, "address,sender\nana@example.net,x@firm.example desk@example.net\n")
    assert "~ ana@example.net: + sender x@firm.example\n" in known.run("mailbox", "import", changed, "--dry-run").stdout
    known.run("mailbox", "import", changed)
    known.run("mailbox", "set", "ana@example.net", "--sender", "none")
    assert senders(known, "ana@example.net") == []
    row = known.json("audit", "--key", "ana@example.net")["audit"][0]
    assert (row["before"]["senders"], row["after"]["senders"]) == (["desk@example.net", "x@firm.example"], [])
    for wrong in ("firm.example", "*@", "*@localhost", "*", "a*@", "none@"):
        assert f"sender {wrong}: " in known.run("mailbox", "set", "ana@example.net", "--sender", wrong, status=1).stderr


def test_all_mistakes_are_told_by_line_and_nothing_is_done(known):
    known.run("mailbox", "add", "old@example.net", "--subscriber", "1")
    known.run("mailbox", "add", "freed@example.net", "--subscriber", "1")
    known.run("mailbox", "remove", "freed@example.net")
    path = write(known, b"\xef\xbb\xbf" + (HEAD + "".join([
        "ok@example.net,2,,,,,,\n",                                     # 2
        "ok@EXAMPLE.net,2,,,,,,\n",                                     # 3
        "x@elsewhere.example,2,,,,,,\n",                                # 4
        "x1@example.net,77,,,,,,\n",                                    # 5
        "x2@example.net,,,,,,,\n",                                      # 6
        "x3@example.net,2,perhaps,,,,,\n",                              # 7
        "x4@example.net,2,,,not an address,,,\n",                       # 8
        "x5@example.net,2,,,,,quota=2X,\n",                             # 9
        "old@example.net,2,,,,,,\n",                                    # 10
        "freed@example.net,2,,,,,,\n",                                  # 11
        "abuse@example.net,2,,,,,,\n",                                  # 12
        "l1@example.net,2,,,l2@example.net,,,\n",                       # 13
        "l2@example.net,2,,,l1@example.net,,,\n",                       # 14
        "p1@example.net,2,yes,,,,,\n",                                  # 15
        "p2@example.net,2,yes,,,,,\n",                                  # 16
        "short@example.net,2\n",                                        # 17
        "old@example.net,1,no,,,,,\n",                                  # 18
    ])).encode() + b"jo\xe3o@example.net,2,,,,,,\n")                    # 19
    before = known.json("audit")["audit"][0]["number"]
    done = known.run("mailbox", "import", path, status=1)
    told = [line.removeprefix(f"porteiro: {path}:") for line in done.stderr.splitlines()]
    wanted = ["3: mailbox ok@example.net stands in line 2 already", "4: elsewhere.example is none of our domains",
              "5: subscriber 77 is not known", "6: x2@example.net is new", "7: principal perhaps: yes or no",
              "8: forward not: it has no @", "9: limits quota=2X: is a size", "10: old@example.net belongs to subscriber 1",
              "11: freed@example.net was another's", "12: abuse@example.net exists by itself",
              "13: mail would go round", "14: mail would go round", "16: line 15 makes another", "17: 2 cells where",
              "18: old@example.net is the principal", "19: "]
    for want in wanted:
        assert any(line.startswith(want) for line in told), (want, told)
    assert len(told) == len(wanted) + 1 and "nothing was imported" in told[-1]
    assert known.json("audit")["audit"][0]["number"] == before
    assert len(known.json("mailbox", "list")["mailboxes"]) == 2


def test_a_thousand_mistakes_are_enough(known):
    path = write(known, HEAD + "".join(f"m{i}@example.net,77,,,,,,\n" for i in range(1500)))
    told = known.run("mailbox", "import", path, status=1).stderr.splitlines()
    assert len(told) == 1002
    assert told[-2].endswith("and 500 more") and "1500 mistakes" in told[-1]


def test_semicolons_and_quotes(known):
    path = write(known, 'address;subscriber;name\r\nx@example.net;1;"a; ""b"""\r\n')
    known.run("mailbox", "import", path)
    assert known.json("mailbox", "show", "x@example.net")["mailbox"]["name"] == 'a; "b"'


@pytest.mark.parametrize("noun, text, other", [
    ("mailbox", HEAD + "x@example.net,1,,,,,,\n", HEAD + "y@example.net,1,,,,,,\n"),
    ("subscriber", "id,name\n77,Ana\n", "id,name\n77,Eva\n"),
])
def test_a_key_is_one_import(known, noun, text, other):
    path = write(known, text)
    assert known.run(noun, "import", path, "--key", "job-7", "--dry-run").stdout.endswith("nothing was changed)\n")
    assert known.run(noun, "import", path, "--key", "job-7").stdout == "1 added, 0 changed, 0 unchanged\n"
    again = known.run(noun, "import", path, "--key", "job-7").stdout
    assert again.startswith("done already, at ") and "by root(0): nothing was changed" in again
    refused = known.run(noun, "import", write(known, other), "--key", "job-7", status=1)
    assert "key job-7 was used for another import" in refused.stderr
    both = {"mailbox": ("subscriber", "id\n78\n"), "subscriber": ("mailbox", HEAD + "z@example.net,1,,,,,,\n")}[noun]
    assert "another import" in known.run(both[0], "import", write(known, both[1]), "--key", "job-7", status=1).stderr
    known.run(noun, "import", write(known, other), "--key", "job-8")
    known.run(noun, "import", path, "--key", "", status=2)


def rows_of(state):
    with sqlite3.connect(f"file:{state}/ledger.db?mode=ro", uri=True) as db:
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("mailbox", "import")]


def test_killed_during_an_import_nothing_is_half_done(known):
    """Killed at many moments, with a key: either none of it is there, or all of it with its key; and then it is simply run again."""
    count = 4000
    path = write(known, HEAD + "".join(f"m{i}@example.net,1,{'yes' if i == 0 else 'no'},,,,,\n" for i in range(count)))
    command = [known.program, "mailbox", "import", str(path), "--key", "night", "-c", str(known.conf), "--state", str(known.state)]
    for pause in (0.01, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(pause)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        known.run("subscriber", "set", "2", "--name", f"after {pause}")  # recovers, and goes on
        assert rows_of(known.state) in ([1, 0], [1 + count, 1])
    known.run("mailbox", "import", path, "--key", "night")
    assert rows_of(known.state) == [1 + count, 1]
    assert len(known.json("mailbox", "list")["mailboxes"]) == 1 + count


def test_through_a_keeper_it_is_the_same(known):
    keeper = known.start("duty", "keeper")
    socket = pathlib.Path(known.state, "keeper.sock")
    deadline = time.monotonic() + 30
    while not socket.exists() and time.monotonic() < deadline:
        assert keeper.poll() is None
        time.sleep(0.05)
    path = write(known, HEAD + "".join(f"m{i}@example.net,1,,,,,,\n" for i in range(500)))
    assert known.run("mailbox", "import", path, "--key", "k").stdout == "500 added, 0 changed, 0 unchanged\n"
    assert "done already" in known.run("mailbox", "import", path, "--key", "k").stdout
    assert "warning: there is no nobody@example.net yet" in known.run("alias", "add", "a@example.net", "--to", "nobody@example.net").stderr


def test_fifty_thousand_customers_with_their_mailboxes(known):
    customers, mailboxes = 50000, 75000
    people = write(known, "id,name,class,lines\n" + "".join(f"c{i},Customer {i},home,user:c{i}\n" for i in range(customers)), "people.csv")
    text = HEAD + "".join(sorted(
        f"m{i}@example.net,c{i % customers},{'yes' if i < customers else 'no'},Customer {i},"
        f"{f'x{i}@example.org' if i % 10 == 0 else ''},yes,{'quota=2G' if i % 7 == 0 else ''},\n" for i in range(mailboxes)))
    path = write(known, text)
    assert known.run("subscriber", "import", people, timeout=180).stdout == f"{customers} added, 0 changed, 0 unchanged\n"
    assert known.run("mailbox", "import", path, timeout=180).stdout == f"{mailboxes} added, 0 changed, 0 unchanged\n"
    out = write(known, known.run("mailbox", "export", timeout=180).stdout, "out.csv")
    assert sum(1 for line in out.read_text().splitlines() if line.startswith("m")) == mailboxes
    assert set(out.read_text().splitlines()) - {"desk@example.net,noc,yes,,,yes,,,"} == {
        line + "," for line in text.splitlines()[1:]} | {HEAD.strip() + ",sender"}
    assert known.run("mailbox", "import", out, timeout=180).stdout == f"0 added, 0 changed, {mailboxes + 1} unchanged\n"


@pytest.mark.parametrize("words, status, said", [
    (["mailbox", "add", "x@example.net"], 2, "--subscriber ID is missing"),
    (["mailbox", "add", "x@example.net", "--subscriber", "1", "--limit", "quota=0"], 2, "1M at least"),
    (["mailbox", "add", "x@example.net", "--subscriber", "1", "--limit", "size=1"], 2, "NAME=VALUE"),
    (["mailbox", "add", "x@example.net", "--subscriber", "1", "--keep", "maybe"], 2, "yes or no"),
    (["mailbox", "add", "admin@example.net", "--subscriber", "1"], 1, "reserved"),
    (["mailbox", "set", "x@example.net", "--name", "x"], 1, "not known"),
    (["mailbox", "show", "x@example.net"], 1, "not known"),
    (["mailbox", "remove", "x@example.net"], 1, "not known"),
    (["mailbox", "suspend", "desk@example.net"], 2, "--reason is missing"),
    (["mailbox", "suspend", "desk@example.net", "--reason", "  "], 2, "--reason is missing"),
    (["mailbox", "list", "--subscriber", "1", "--domain", "example.net"], 2, "not both"),
    (["mailbox", "import", "/nonexistent"], 3, "No such file"),
    (["alias", "add", "x@example.net"], 2, "--to ADDRESS is missing"),
    (["alias", "add", "x@example.net", "--to", "none"], 1, "needs a target"),
    (["alias", "add", "desk@example.net", "--to", "x@example.org"], 1, "is a mailbox"),
    (["alias", "add", "x@example.net", "--to", "x@example.net"], 1, "round and round"),
    (["alias", "set", "x@example.net", "--to", "y@example.org"], 1, "not known"),
    (["domain", "add", "example.net", "--abuse", "x@example.org"], 1, "known already"),
    (["domain", "add", "nodots", "--abuse", "x@example.org"], 1, "one label"),
    (["domain", "set", "example.net"], 2, "--catch-all"),
    (["domain", "set", "example.net", "--catch-all", "nobody@example.net"], 1, "make it first"),
    (["domain", "remove", "example.net"], 1, "desk@example.net"),
    (["domain", "show", "elsewhere.example"], 1, "not known"),
])
def test_wrong_words(known, words, status, said):
    before = known.json("audit")["audit"][0]["number"]
    refused = known.run(*words, status=status)
    assert said in refused.stderr
    assert refused.stderr.startswith("porteiro: ")
    assert refused.stdout == ""
    assert known.json("audit")["audit"][0]["number"] == before
