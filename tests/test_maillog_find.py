# SPDX-License-Identifier: GPL-3.0-or-later
"""maillog find, maillog index: what is found and what is not, by each key, in files as they lie on disk, with an index and without."""
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

from support import keys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DAY = "2026-11-28T"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A log of 20 MB."""
    folder = tmp_path_factory.mktemp("maillog")
    subprocess.run(["gcc", "-O1", "-o", folder / "generate", ROOT / "bench/maillog.c"], check=True)
    done = subprocess.run([folder / "generate", "20000000", "rfc3339"], capture_output=True, check=True)
    return done.stdout


def log(path, *lines):
    """Lines as "HH:MM:SS host program: text"."""
    path.write_bytes(b"".join(f"{DAY}{line[:8]}Z{line[8:]}\n".encode("utf-8", "surrogateescape") for line in lines))
    return path


def find(porteiro, *words, status=0):
    return json.loads(porteiro.run("maillog", "find", *words, "--zone", "UTC", "--json", status=status).stdout)


def ids(answer):
    return [[part["id"] for part in story["parts"]] for story in answer["stories"] if story["kind"] == "message"]


STORY = [
    "10:00:00 mx1 postfix/submission/smtpd[1]: AAAAAAAAA1: client=home.example.net[2001:db8::7], sasl_method=LOGIN, sasl_username=joe",
    "10:00:00 mx1 postfix/cleanup[1]: AAAAAAAAA1: message-id=<m1@example.net>",
    "10:00:01 mx1 postfix/qmgr[1]: AAAAAAAAA1: from=<Joe@Example.net>, size=1234, nrcpt=2 (queue active)",
    "10:00:02 mx1 postfix/smtpd[1]: 4WyJ3k0ZzGz1t: client=localhost[127.0.0.1]",
    "10:00:02 mx1 postfix/cleanup[1]: 4WyJ3k0ZzGz1t: message-id=<m1@example.net>",
    "10:00:02 mx1 postfix/smtp[1]: AAAAAAAAA1: to=<ana@example.org>, relay=127.0.0.1[127.0.0.1]:10024, delay=2, delays=0.5/0.1/0.4/1, "
    "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4WyJ3k0ZzGz1t)",
    "10:00:02 mx1 postfix/qmgr[1]: AAAAAAAAA1: removed",
    "10:00:03 mx1 postfix/qmgr[1]: 4WyJ3k0ZzGz1t: from=<Joe@Example.net>, size=1300, nrcpt=2 (queue active)",
    "10:00:04 mx1 postfix/smtp[1]: 4WyJ3k0ZzGz1t: to=<ana@example.org>, relay=mx.example.org[203.0.113.5]:25, delay=1.2, "
    "delays=0.1/0.01/0.3/0.8, dsn=2.0.0, status=sent (250 2.0.0 OK \x1b]0;owned\x07 done)",
    "10:00:05 mx1 postfix/smtp[1]: 4WyJ3k0ZzGz1t: to=<bob@example.org>, orig_to=<all@example.net>, relay=none, delay=3, delays=1/1/1/0, "
    "dsn=4.4.1, status=deferred (connect to mx.example.org[203.0.113.5]:25: Connection timed out)",
    "10:20:05 mx1 postfix/smtp[1]: 4WyJ3k0ZzGz1t: to=<bob@example.org>, orig_to=<all@example.net>, relay=mx.example.org[203.0.113.5]:25, "
    "delay=1203, delays=1201/1/1/0, dsn=5.1.1, status=bounced (host mx.example.org[203.0.113.5] said: 550 5.1.1 no such user)",
    "10:20:05 mx1 postfix/bounce[1]: 4WyJ3k0ZzGz1t: sender non-delivery notification: CCCCCCCCC1",
    "10:20:06 mx1 postfix/qmgr[1]: 4WyJ3k0ZzGz1t: removed",
    "11:00:00 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from e.example.com[198.51.100.9]: 554 5.7.1 <ana@example.org>: Relay access "
    "denied; from=<eve@example.com> to=<ana@example.org> proto=ESMTP helo=<e>",
    "11:00:01 mx1 postfix/submission/smtpd[1]: warning: e.example.com[198.51.100.9]: SASL LOGIN authentication failed: x, sasl_username=joe",
    # the id comes again
    "12:00:00 mx1 postfix/smtpd[1]: AAAAAAAAA1: client=else.example.com[198.51.100.10]",
    "12:00:00 mx1 postfix/cleanup[1]: AAAAAAAAA1: message-id=<m2@example.com>",
    "12:00:00 mx1 postfix/qmgr[1]: AAAAAAAAA1: from=<other@example.com>, size=99, nrcpt=1 (queue active)",
    "12:00:01 mx1 postfix/virtual[1]: AAAAAAAAA1: to=<zoe@example.net>, relay=virtual, delay=1, dsn=2.0.0, status=sent (delivered to maildir)",
    "12:00:01 mx1 postfix/qmgr[1]: AAAAAAAAA1: removed",
]
BOTH = ["AAAAAAAAA1", "4WyJ3k0ZzGz1t"]


def test_it_is_found_by_each_key(porteiro, tmp_path):
    path = log(tmp_path / "log", *STORY)
    for words in (["joe@example.net"], ["bob@example.org"], ["ALL@example.net"], ["2001:db8:0::7"], ["login:joe", "ana@example.org"],
                  ["<m1@example.net>"], ["4WyJ3k0ZzGz1t"], ["4WyJ3k0ZzGz1t", "AAAAAAAAA1"], ["joe@example.net", "2001:db8::7", "bob@example.org"]):
        assert ids(find(porteiro, *words, path)) == [BOTH], words
    assert ids(find(porteiro, "zoe@example.net", path)) == ids(find(porteiro, "::ffff:198.51.100.10", path)) == [["AAAAAAAAA1"]]
    assert ids(find(porteiro, "AAAAAAAAA1", path)) == [BOTH, ["AAAAAAAAA1"]]
    assert ids(find(porteiro, "login:joe", path)) == [BOTH]
    assert [story["kind"] for story in find(porteiro, "login:joe", path)["stories"]] == ["message", "auth-failed"]
    assert [story["kind"] for story in find(porteiro, "198.51.100.9", path)["stories"]] == ["refused", "auth-failed"]
    assert [story["kind"] for story in find(porteiro, "198.51.100.9", "ana@example.org", path)["stories"]] == ["refused"]
    for nothing in (["203.0.113.5"], ["m1@example.net"], ["zoe@example.net", "2001:db8::7"], ["oe@example.net"], ["4wyj3k0zzgz1t"[:9] + "B"],
                    ["<M1@example.net>"], ["login:ana@example.org"], ["CCCCCCCCC1"]):
        answer = find(porteiro, *nothing, path, status=1)
        assert answer["stories"] == [] and not answer["more"], nothing


def test_what_is_told(porteiro, tmp_path):
    path = log(tmp_path / "log", *STORY)
    story, = find(porteiro, "joe@example.net", path)["stories"]
    first, second = story["parts"]
    assert (story["sender"], story["size"], story["message_id"]) == ("Joe@Example.net", 1234, "<m1@example.net>")
    assert first["client"] == {"name": "home.example.net", "address": "2001:db8::7", "port": None} and first["login"] == "joe"
    assert first["handed"] and not second["handed"] and second["notification"] == "CCCCCCCCC1"
    assert [(r["to"], r["fate"], r["tries"]) for r in first["recipients"]] == [("ana@example.org", "handed", 1)]
    assert [(r["to"], r["orig_to"], r["fate"], r["tries"], r["dsn"]) for r in second["recipients"]] == \
        [("ana@example.org", None, "delivered", 1, "2.0.0"), ("bob@example.org", "all@example.net", "bounced", 2, "5.1.1")]
    assert "lines" not in first and story["first"] == DAY + "10:00:00Z" and story["last"] == DAY + "10:20:06Z"
    lined, = find(porteiro, "joe@example.net", path, "--lines")["stories"]
    assert [len(part["lines"]) for part in lined["parts"]] == [5, 8]
    text = porteiro.run("maillog", "find", "joe@example.net", path, "--zone", "UTC", "--lines").stdout
    for part in ("from Joe@Example.net, 1234 bytes, 2 recipients", "<m1@example.net>", "home.example.net [2001:db8::7], login joe (LOGIN)",
                 "ana@example.org: delivered 2026-11-28 10:00:04 +0000, mx.example.org [203.0.113.5]:25", "try 2",
                 "after 1.2 s: 0.1 before the queue, 0.01 in the queue, 0.3 connecting, 0.8 sending", "250 2.0.0 OK \\x1b]0;owned\\x07 done"):
        assert part in text, part
    assert "\x1b" not in text and "\x07" not in text


def test_who_has_it_here_is_not_handed_on(porteiro, tmp_path):
    """One recipient is here, the other is for the outgoing instance."""
    path = log(
        tmp_path / "log",
        "10:00:00 mx postfix/smtpd[1]: AAAAAAAAA1: client=c[192.0.2.1]",
        "10:00:00 mx postfix/cleanup[1]: AAAAAAAAA1: message-id=<m@x.example>",
        "10:00:00 mx postfix/qmgr[1]: AAAAAAAAA1: from=<s@x.example>, size=10, nrcpt=2 (queue active)",
        "10:00:00 mx postfix/virtual[1]: AAAAAAAAA1: to=<a@x.example>, relay=virtual, delay=1, dsn=2.0.0, status=sent (delivered to maildir)",
        "10:00:01 mx postfix/smtp[1]: AAAAAAAAA1: to=<b@y.example>, relay=127.0.0.1[127.0.0.1]:10026, delay=1, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
        "queued as BBBBBBBBB1)",
        "10:00:01 mx postfix-out/smtpd[1]: BBBBBBBBB1: client=localhost[127.0.0.1]",
        "10:00:01 mx postfix-out/cleanup[1]: BBBBBBBBB1: message-id=<m@x.example>",
        "10:00:01 mx postfix-out/qmgr[1]: BBBBBBBBB1: from=<s@x.example>, size=10, nrcpt=1 (queue active)",
        "10:00:02 mx postfix-out/smtp[1]: BBBBBBBBB1: to=<b@y.example>, relay=m[203.0.113.1]:25, delay=1, dsn=2.0.0, status=sent (250 ok)")
    story, = find(porteiro, "s@x.example", path)["stories"]
    assert [(r["to"], r["fate"]) for part in story["parts"] for r in part["recipients"]] == \
        [("a@x.example", "delivered"), ("b@y.example", "handed"), ("b@y.example", "delivered")]


def test_what_a_logger_wrote_once_is_found(porteiro, tmp_path):
    said = "warning: unknown[192.0.2.1]: SASL LOGIN authentication failed: UGFzc3dvcmQ6"
    path = log(tmp_path / "log", f"10:00:00 mx1 postfix/smtpd[7]: {said}", f"10:00:09 mx1 postfix/smtpd[7]: message repeated 3 times: [ {said}]",
               f"10:00:10 mx1 postfix/smtpd[7]: message repeated 3 times: [ {said.replace('2.1', '2.2')}")   # no such line: it has no end
    assert [(s["kind"], s["times"]) for s in find(porteiro, "192.0.2.1", path)["stories"]] == [("auth-failed", 1), ("auth-failed", 3)]
    assert "a login failed on mx1, 3 times\n" in porteiro.run("maillog", "find", "192.0.2.1", path).stdout
    find(porteiro, "192.0.2.2", path, status=1)
    porteiro.run("maillog", "index", path)
    assert len(find(porteiro, "192.0.2.1", path)["stories"]) == 2


def test_time_and_number(porteiro, tmp_path):
    path = log(tmp_path / "log", *STORY)
    assert ids(find(porteiro, "AAAAAAAAA1", path, "--since", "2026-11-28 11:00")) == [["AAAAAAAAA1"]]
    assert ids(find(porteiro, "AAAAAAAAA1", path, "--since", "2026-11-28 10:20", "--until", "2026-11-28 11:00")) == [BOTH]
    assert not find(porteiro, "ana@example.org", path, "--since", "2026-11-28 11:30", status=1)["stories"]
    last = find(porteiro, "ana@example.org", path, "--most", "1")
    assert [story["kind"] for story in last["stories"]] == ["refused"] and last["more"]
    assert "Older ones match" in porteiro.run("maillog", "find", "ana@example.org", path, "--most", "1").stdout


def test_what_strangers_write_is_no_hit(porteiro, tmp_path):
    path = log(
        tmp_path / "log",
        "10:00:00 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from e[198.51.100.9]: 554 5.7.1 <b@x.example>: Relay access denied; "
        "from=<a@x.example> to=<b@x.example> proto=ESMTP helo=<victim@example.net>",
        "10:00:01 mx1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from e[198.51.100.9]: 554 5.7.1 <b@x.example>: Relay access denied; "
        "from=<a@x.example> to=<b@x.example> proto=ESMTP helo=<x> to=<victim@example.net> proto=ESMTP helo=<x>",
        "10:00:02 mx1 postfix/smtpd[1]: DDDDDDDDD1: client=e[198.51.100.9]",
        "10:00:02 mx1 postfix/cleanup[1]: DDDDDDDDD1: warning: header Subject: EEEEEEEEE1: to=<victim@example.net>, status=sent from e[1.2.3.4]; "
        "from=<victim@example.net> to=<victim@example.net> proto=SMTP helo=<x>",
        "10:00:03 mx1 postfix/cleanup[1]: DDDDDDDDD1: message-id=<m1@example.net> to=<victim@example.net>, status=sent",
        "10:00:04 mx1 postfix/qmgr[1]: DDDDDDDDD1: from=<\x1b[2Jred\x1b[0m@x.example>, size=1, nrcpt=1 (queue active)",
        "10:00:05 mx1 postfix/smtp[1]: DDDDDDDDD1: to=<c@x.example>, relay=e[198.51.100.9]:25, delay=1, dsn=2.0.0, status=sent "
        "(250 ok <victim@example.net> 192.0.2.77 EEEEEEEEE1 queued as EEEEEEEEE1)",
        "10:00:06 mx1 dovecot: imap(victim@example.net): EEEEEEEEE1: client=x[192.0.2.77]",
        "10:00:06 mx1 other[1]: EEEEEEEEE1: to=<victim@example.net>, relay=x[192.0.2.77]:25, delay=1, dsn=2.0.0, status=sent (ok)")
    for what in ("victim@example.net", "EEEEEEEEE1", "192.0.2.77", "1.2.3.4", "<m1@example.net>", "login:victim@example.net"):
        assert not find(porteiro, what, path, status=1)["stories"], what
    assert len(find(porteiro, "198.51.100.9", path)["stories"]) == 3
    for words in (["198.51.100.9"], ["c@x.example", "--lines"]):
        text = porteiro.run("maillog", "find", *words, path).stdout
        assert "\x1b" not in text and "\\x1b[2Jred" in text


def test_usage(porteiro, tmp_path):
    path = log(tmp_path / "log", *STORY)
    assert "no e-mail address" in porteiro.run("maillog", "find", path, status=2).stderr
    assert "no e-mail address" in porteiro.run("maillog", "find", "joe", path, status=2).stderr
    assert "no log has an index" in porteiro.run("maillog", "find", "joe@example.net", status=2).stderr
    assert "No such file" in porteiro.run("maillog", "find", "joe@example.net", tmp_path / "none", status=3).stderr
    assert "--most" in porteiro.run("maillog", "find", "joe@example.net", path, "--most", "0", status=2).stderr
    porteiro.run("maillog", "find", "joe@example.net", path, "--since", "soon", status=2)
    assert "nothing is found" in porteiro.run("maillog", "find", "nobody@example.net", path, status=1).stderr


def test_a_message_goes_on_in_the_next_file(porteiro, tmp_path):
    """However the files are named, and packed; what is damaged is told, and is not the same as nothing."""
    old, new = log(tmp_path / "b", *STORY[:8]), log(tmp_path / "a", *STORY[8:])
    packed = tmp_path / "c.gz"
    packed.write_bytes(gzip.compress(old.read_bytes()))
    for files in ([new, old], [old, new, old], [packed, new]):
        story, = find(porteiro, "joe@example.net", *files)["stories"]
        assert [len(part["recipients"]) for part in story["parts"]] == [1, 2]
    packed.write_bytes(packed.read_bytes()[:-20])
    broken = porteiro.run("maillog", "find", "nobody@example.net", packed, status=3)
    assert "ends in the middle" in broken.stderr


def keys_of(text, many):
    """Keys of each kind, some of them of nobody."""
    chance = random.Random(4711)
    lines = chance.sample(text.decode().splitlines(), 4000)
    kinds = {"address": r"[<=](\w+@example\.\w+)", "id": r"\]: ([0-9A-Za-z]{10,}): ", "client": r"\[(198\.\d+\.\d+\.\d+)\]", "message-id": r"message-id=(<\S+>)",
             "login": r"sasl_username=(\S+)"}
    for kind, form in kinds.items():
        hits = [f"{kind}:{hit.group(1)}" for line in lines if (hit := re.search(form, line))]
        yield from chance.sample(hits, many)
    yield from ("nobody@example.net", "192.0.2.254", "<nobody@x>", "FFFFFFFFFFFF")


def test_index_and_scan_give_the_same_answers(porteiro, generated, tmp_path):
    path = tmp_path / "mail.log"
    cut = generated.rindex(b"\n", 0, len(generated) * 3 // 4) + 1
    path.write_bytes(generated[:cut])
    assert porteiro.run("maillog", "index", path).stderr == ""
    path.write_bytes(generated)  # what came later is in no block
    wanted = list(keys_of(generated, 6))

    def answers(*words):
        return [porteiro.run("maillog", "find", key, *words, "--zone", "UTC", "--json", "--lines", status=None).stdout for key in wanted]
    scanned = answers("--state", tmp_path / "none", path)
    assert sum(json.loads(answer)["stories"] != [] for answer in scanned) == len(wanted) - 4
    assert answers(path) == scanned
    assert answers() == scanned
    porteiro.run("maillog", "index", path)  # goes on
    assert answers() == scanned
    with gzip.open(tmp_path / "mail.log.2.gz", "wb", compresslevel=1) as out:
        out.write(generated)
    path.write_bytes(b"")  # a new one has begun
    assert answers() == scanned
    assert answers(tmp_path / "mail.log.2.gz") == scanned
    os.unlink(tmp_path / "mail.log.2.gz")
    assert json.loads(porteiro.run("maillog", "find", wanted[0], "--json", status=1).stdout)["stories"] == []


def test_most_of_a_log_is_not_read(porteiro, generated, tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(generated)
    porteiro.run("maillog", "index", path)
    index, = (porteiro.state / "maillog" / "index").iterdir()
    assert index.stat().st_size < len(generated) / 50
    assert oct((porteiro.state / "maillog" / "index.key").stat().st_mode)[-3:] == "600"
    assert b"example" not in index.read_bytes()[4200:]

    def bytes_read(*words):
        done = subprocess.run(["strace", "-f", "-e", "trace=read", "-P", path, porteiro.program, "maillog", "find", "<nobody@x>", path, *words],
                              capture_output=True, text=True)
        return sum(int(n) for n in re.findall(r"= (\d+)$", done.stderr, re.M))
    if shutil.which("strace"):
        assert bytes_read("--state", porteiro.state) < 2_000_000 < len(generated) <= bytes_read("--state", tmp_path / "none")


def test_an_index_that_is_torn_or_hostile(porteiro, generated, tmp_path):
    path = tmp_path / "mail.log"
    path.write_bytes(generated)
    porteiro.run("maillog", "index", path)
    index, = (porteiro.state / "maillog" / "index").iterdir()
    good = index.read_bytes()
    key = re.search(rb"message-id=(<\S+>)", generated[-100000:]).group(1).decode()
    want = find(porteiro, key, path)
    for cut in (len(good) - 1, len(good) - 5000, len(good) // 2, 4200):
        index.write_bytes(good[:cut])
        assert find(porteiro, key, path) == want
    for bad in (b"", b"PORTIDX\0", bytes(10000), good[:100] + b"\xff" + good[101:], good[:5000] + bytes(5000) + good[10000:],
                good[:4136] + os.urandom(len(good) - 4136)):
        index.write_bytes(bad)
        assert find(porteiro, key, path) == want
    index.write_bytes(bytes(10000))
    assert "this is no index" in porteiro.run("maillog", "find", key, path).stderr
    index.write_bytes(good)
    # a file that only begins like the log
    lines = generated.splitlines(True)
    path.write_bytes(b"".join(lines[:100] + lines[200:]))
    done = porteiro.run("maillog", "find", key, path, "--zone", "UTC", "--json")
    assert json.loads(done.stdout) == want and "its index is of another file" in done.stderr
    porteiro.run("maillog", "index", path)  # made anew
    done = porteiro.run("maillog", "find", key, path, "--zone", "UTC", "--json")
    assert json.loads(done.stdout) == want and not done.stderr


def test_every_key_of_json_is_documented(porteiro, tmp_path):
    path = log(tmp_path / "log", *STORY)
    text = (ROOT / "docs" / "json.md").read_text()
    for what in ("AAAAAAAAA1", "198.51.100.9"):
        for key in set(keys(find(porteiro, what, path, "--lines"))):
            assert f'"{key}"' in text, key
