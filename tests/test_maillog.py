# SPDX-License-Identifier: GPL-3.0-or-later
"""maillog report: totals against what the generator of the log knows, packed files, and text that strangers write."""
import datetime
import gzip
import json
import lzma
import os
import pathlib
import re
import shutil
import struct
import subprocess

import pytest

from support import keys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOUND = ("local", "rbl", "greylist", "relay_denied", "not_owned")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maillog")
    subprocess.run(["gcc", "-O1", "-o", folder / "generate", ROOT / "bench/maillog.c"], check=True)

    def make(size, *form):
        done = subprocess.run([folder / "generate", str(size), *form], capture_output=True, check=True)
        return done.stdout, json.loads(done.stderr)
    return make


def report(porteiro, path):
    return porteiro.json("maillog", "report", path, "--zone", "UTC")


def agrees(answer, known):
    totals = answer["totals"]
    assert totals["share"] == 1 and totals["unknown"] == totals["broken"] == totals["odd"] == 0
    for key in ("lines", "messages", "delivered", "deferred", "bounced", "handed", "refused", "auth_failed"):
        assert totals[key] == known[key], key
    for key in FOUND:
        assert answer["categories"][key] == known[key], key
    assert answer["categories"]["remote_rate"] == known["deferred"]
    assert sum(hour["messages"] for hour in answer["hours"]) == known["messages"]


@pytest.mark.parametrize("form", [[], ["rfc3339"]])
def test_totals_are_those_of_the_generator(porteiro, generated, tmp_path, form):
    text, known = generated(5_000_000, *form)
    (tmp_path / "log").write_bytes(text)
    agrees(report(porteiro, tmp_path / "log"), known)


def test_packed_files_are_read_as_they_are(porteiro, generated, tmp_path):
    text, known = generated(2_000_000, "rfc3339")
    (tmp_path / "log.1").write_bytes(gzip.compress(text[: len(text) // 2 + 7]) + gzip.compress(text[len(text) // 2 + 7:]))
    (tmp_path / "log.2").write_bytes(lzma.compress(text, preset=0))
    agrees(report(porteiro, tmp_path / "log.1"), known)
    agrees(report(porteiro, tmp_path / "log.2"), known)
    (tmp_path / "log.3").write_bytes((tmp_path / "log.1").read_bytes()[:-2000])
    cut = porteiro.run("maillog", "report", tmp_path / "log.3", status=1)
    assert "ends in the middle" in cut.stderr
    none = porteiro.run("maillog", "report", tmp_path / "log.4", status=3)
    assert "No such file" in none.stderr and not none.stdout


def test_every_key_is_documented(porteiro, generated, tmp_path):
    (tmp_path / "log").write_bytes(generated(500_000)[0])
    text = (ROOT / "docs" / "json.md").read_text()
    for key in set(keys(report(porteiro, tmp_path / "log"))):
        assert f'"{key}"' in text, key


def test_what_is_not_understood_is_counted_and_shown(porteiro, tmp_path):
    lines = [b"Nov 28 13:20:02 mx1 postfix/smtpd[9]: never heard of", b"half a li", b"", b"x" * (3 << 20), b"\0\xff\n\0",
             b"Nov 28 13:20:02 mx1 postfix/smtpd[9]: connect from e[192.0.2.9]",
             b"Nov 28 13:20:02 mx1 courier: imap-login: Login: user=<postfix/smtpd[9]: connect from>",
             b"Nov 28 13:20:03 mx1 postfix/smtpd[9]: NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; "
             b"from=<e@e> to=<t@x> proto=ESMTP helo=<Sender address rejected: not owned by user joe>"]
    (tmp_path / "log").write_bytes(b"\n".join(lines))
    answer = report(porteiro, tmp_path / "log")
    totals = answer["totals"]
    assert (totals["understood"], totals["unknown"], totals["broken"], totals["too_long"], totals["foreign"]) == (2, 1, 3, 1, 1)
    assert answer["categories"]["relay_denied"] == 1 and answer["categories"]["not_owned"] == 0
    shown = porteiro.run("maillog", "report", "--unparsed", tmp_path / "log").stdout
    assert "never heard of" in shown and "half a li" in shown and "\\xFF" in shown.upper().replace("\\X", "\\x")


def test_totals_are_those_of_pflogsumm(porteiro, generated, tmp_path):
    """It counts what a content filter takes as delivered; all else that both count is equal."""
    if not shutil.which("pflogsumm"):
        pytest.skip("pflogsumm is not installed")
    (tmp_path / "log").write_bytes(generated(3_000_000)[0])
    text = subprocess.run(["pflogsumm", tmp_path / "log"], capture_output=True, text=True, check=True).stdout
    theirs = {word: int(number) for number, word in re.findall(r"^ +(\d+) +(delivered|deferred|bounced|rejected)", text, re.M)}
    ours = report(porteiro, tmp_path / "log")["totals"]
    assert theirs["delivered"] == ours["delivered"] + ours["handed"]
    assert (theirs["deferred"], theirs["bounced"], theirs["rejected"]) == (ours["deferred"], ours["bounced"], ours["refused"])


@pytest.mark.parametrize("zone, lines, hours", [
    ("Europe/Madrid", ["Oct 25 01:59:59", "Oct 25 02:59:59", "Oct 25 02:00:00", "Oct 25 03:00:00"], ["24T23", "25T00", "25T01", "25T02"]),
    ("America/Sao_Paulo", ["Dec 31 23:00:00", "Jan  1 00:00:00"], ["01T02", "01T03"]),
    ("UTC", ["Dec 31 23:00:00", "Jan  1 00:00:00"], ["31T23", "01T00"]),
])
def test_times_without_year_and_zone(porteiro, tmp_path, zone, lines, hours):
    path = tmp_path / "log"
    path.write_text("".join(f"{when} mx1 postfix/smtpd[9]: warning: e[192.0.2.9]: SASL LOGIN authentication failed: x\n" for when in lines))
    os.utime(path, (1798848000, 1798848000))  # 2 January 2027
    answer = porteiro.json("maillog", "report", path, "--zone", zone)
    assert [hour["at"][8:13] for hour in answer["hours"]] == hours
    assert answer["hours"][0]["at"].startswith("2026" if zone != "America/Sao_Paulo" else "2027")


def journal_entry(line, at):
    """An RFC 3339 line as `journalctl -o export` has it; what is no plain text stands with its length."""
    host, program, message = re.match(rb"\S+ (\S+) ([^:]+): (.*)", line, re.S).groups()
    name, _, pid = program.partition(b"[")
    value = b"=" + message if not re.search(rb"[\x00-\x08\x0a-\x1f]", message) else b"\n" + struct.pack("<Q", len(message)) + message
    return (b"__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=%d\n_TRANSPORT=syslog\nPRIORITY=6\nSYSLOG_IDENTIFIER=%s\nSYSLOG_PID=%s\nMESSAGE%s\n"
            b"_HOSTNAME=%s\n\n" % (at, at, name, pid.rstrip(b"]"), value, host))


@pytest.fixture(scope="module")
def exported(generated):
    """The same lines as a plain file and as an export."""
    text, known = generated(1_000_000, "rfc3339")
    lines = text.splitlines()
    lines.append(lines[-1].split(b" ")[0] + b" mx1 postfix/smtpd[7]: connect from \x1b[192.0.2.9]")
    export = b"".join(journal_entry(line, round(datetime.datetime.fromisoformat(line.split(b" ")[0].decode()).timestamp() * 1e6))
                      for line in lines)
    return b"\n".join(lines) + b"\n", export


def test_an_export_of_the_journal_tells_what_its_lines_tell(porteiro, exported, tmp_path):
    text, export = exported
    for name, content in (("plain", text), ("export", export), ("packed", gzip.compress(export))):
        (tmp_path / name).write_bytes(content)
    answers = [report(porteiro, tmp_path / name) for name in ("plain", "export", "packed")]
    for answer in answers:
        assert answer["totals"].pop("bytes") > 0 and answer["totals"]["lines"] > 1000 and answer["totals"]["share"] == 1
        for key in ("written", "at"):
            answer.pop(key, None)
    assert answers[0] == answers[1] == answers[2]


def test_an_export_that_is_damaged_or_cut(porteiro, exported, tmp_path):
    export = exported[1]
    entry = export.index(b"\n\n") + 2
    (tmp_path / "cut").write_bytes(export[:-20])
    assert "in the middle of a journal entry" in porteiro.run("maillog", "report", tmp_path / "cut", status=1).stderr
    (tmp_path / "damaged").write_bytes(export[:entry] + b"no field\n" + export[entry:])
    assert "journal export is damaged" in porteiro.run("maillog", "report", tmp_path / "damaged", status=1).stderr
    (tmp_path / "huge").write_bytes(export[:entry] + b"__REALTIME_TIMESTAMP=1\nMESSAGE=x\nCOREDUMP\n" + struct.pack("<Q", 5 << 20)
                                    + b"\n" * (5 << 20) + b"\n\n" + export[:entry])
    totals = report(porteiro, tmp_path / "huge")["totals"]
    assert (totals["lines"], totals["too_long"]) == (2, 1)


def test_what_a_logger_writes_once_counts_as_often_as_it_says(porteiro, tmp_path):
    failed = "warning: x[192.0.2.1]: SASL LOGIN authentication failed: a"
    (tmp_path / "log").write_text("\n".join([
        f"Nov 28 13:20:02 h postfix/smtpd[7]: message repeated 3 times: [ {failed}]", f"Nov 28 13:20:03 h postfix/smtpd[7]: {failed}",
        "Nov 28 13:20:04 h last message repeated 2 times", "Nov 28 13:20:05 h last message repeated 1 times",
        "Nov 28 13:20:06 h postfix/smtpd[7]: connect from x[192.0.2.1]", "Nov 28 13:20:06 h last message repeated 9 times",
        "Nov 28 13:20:07 h rsyslogd: imjournal: 406 messages lost due to rate-limiting"]) + "\n")
    totals = report(porteiro, tmp_path / "log")["totals"]
    assert (totals["auth_failed"], totals["missing"], totals["unknown"], totals["foreign"]) == (7, 406, 0, 4)


def test_rotated_logs_are_read_oldest_first(porteiro, tmp_path):
    """Whatever order a shell gives them in: a message goes on in the next file."""
    old, new = tmp_path / "mail.log.10", tmp_path / "mail.log.2"
    old.write_text("Nov 27 13:20:02 h postfix/smtpd[1]: AAAAAA: client=x[192.0.2.1]\nNov 27 13:20:02 h postfix/cleanup[1]: AAAAAA: message-id=<a>\n"
                   "Nov 27 13:20:02 h postfix/qmgr[1]: AAAAAA: from=<a@example.net>, size=1, nrcpt=1 (queue active)\n")
    new.write_text("Nov 28 13:20:02 h postfix/smtp[1]: AAAAAA: to=<b@example.org>, relay=x[192.0.2.1]:25, delay=1, dsn=2.0.0, status=sent (ok)\n"
                   "Nov 28 13:20:02 h postfix/qmgr[1]: AAAAAA: removed\n")
    os.utime(old, (1795780800, 1795780800))
    answer = porteiro.json("maillog", "report", new, old, "--zone", "UTC")
    assert answer["totals"]["messages"] == answer["totals"]["delivered"] == 1 and answer["totals"]["under_way"] == 0
    assert answer["clients"][0]["delivered"] == 1
