# SPDX-License-Identifier: GPL-3.0-or-later
"""maillog report: totals against what the generator of the log knows, packed files, and text that strangers write."""
import gzip
import json
import lzma
import pathlib
import subprocess

import pytest

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


def test_every_key_is_documented(porteiro, generated, tmp_path):
    (tmp_path / "log").write_bytes(generated(500_000)[0])
    text = (ROOT / "docs" / "json.md").read_text()

    def keys(value):
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)):
                yield from keys(each)
        if isinstance(value, dict):
            yield from value
    for key in set(keys(report(porteiro, tmp_path / "log"))):
        assert f'"{key}"' in text, key


def test_what_is_not_understood_is_counted_and_shown(porteiro, tmp_path):
    lines = [b"Nov 28 13:20:02 mx1 postfix/smtpd[9]: never heard of", b"half a li", b"", b"x" * (3 << 20), b"\0\xff\n\0",
             b"Nov 28 13:20:02 mx1 postfix/smtpd[9]: connect from e[192.0.2.9]",
             b"Nov 28 13:20:02 mx1 dovecot: imap-login: Login: user=<postfix/smtpd[9]: connect from>",
             b"Nov 28 13:20:03 mx1 postfix/smtpd[9]: NOQUEUE: reject: RCPT from e[192.0.2.9]: 554 5.7.1 <t@x>: Relay access denied; "
             b"from=<e@e> to=<t@x> proto=ESMTP helo=<Sender address rejected: not owned by user joe>"]
    (tmp_path / "log").write_bytes(b"\n".join(lines))
    answer = report(porteiro, tmp_path / "log")
    totals = answer["totals"]
    assert (totals["understood"], totals["unknown"], totals["broken"], totals["too_long"], totals["foreign"]) == (2, 1, 3, 1, 1)
    assert answer["categories"]["relay_denied"] == 1 and answer["categories"]["not_owned"] == 0
    shown = porteiro.run("maillog", "report", "--unparsed", tmp_path / "log").stdout
    assert "never heard of" in shown and "half a li" in shown and "\\xFF" in shown.upper().replace("\\X", "\\x")
