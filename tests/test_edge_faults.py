# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge when who stands on either side of it fails: MTAs that die at each step or say nonsense, clients that vanish, drip or flood."""
import contextlib
import pathlib
import re
import socket
import ssl

import pytest

from edge_support import ANA, LEGACY, SERVER, Edge, dated
from fake_mta import FakeMTA
from lab.core import wait_for


@pytest.fixture(scope="module")
def edge():
    """One worker, so that what it learnt of an MTA is known; the second MTA is there where a test starts it."""
    with Edge(mta="127.0.0.1:10025, 127.0.0.1:10026", workers=1) as edge:
        yield edge


@pytest.fixture
def mta(edge):
    """The first one, with which all is well, and no connection to it."""
    with FakeMTA(edge) as mta:
        found(edge)
        mta.clear()
        yield mta


def found(edge):
    """Until the edge has an MTA again: it asks one that failed a second later, then two, …"""
    def sends():
        with edge.logged_in() as talk:
            talk.must(f"MAIL FROM:<{ANA}>")
            return talk.say("RCPT TO:<bia@example.org>")[0] == 250
    wait_for(sends, "an MTA", 30)


def text(subject="x"):
    return dated(f"From: {ANA}\r\nSubject: {subject}\r\n\r\nOla\r\n")


def attempt(talk, subject="x"):
    """The last answer on the way to a message that is taken."""
    said = talk.say(f"MAIL FROM:<{ANA}>")
    if said[0] == 250:
        said = talk.say("RCPT TO:<bia@example.org>")
    return talk.data(text(subject)) if said[0] == 250 else said


# --- the MTA ---

def test_no_mta_and_then_the_other_and_then_the_first(edge):
    """421 while there is none; one that refuses to talk costs nobody anything, and the first is preferred when it is back."""
    n = len(edge.events("mta-away"))
    with edge.logged_in() as talk:
        code, words = attempt(talk)
        assert code == 421 and "not reachable" in words and talk.reply()[0] == 0
    assert {each["mta"] for each in edge.events("mta-away")[n:]} == {"127.0.0.1:10025", "127.0.0.1:10026"}
    with FakeMTA(edge, 10026) as second:
        found(edge)
        with FakeMTA(edge) as first:
            first.rules = {"banner": b"421 4.3.2 not now\r\n"}
            for n in range(3):
                with edge.logged_in() as talk:
                    assert attempt(talk, f"over-{n}")[0] == 250
                second.drop()
            assert len(second.messages) == 3 and not first.messages
            first.rules = {}

            def preferred():
                with edge.logged_in() as talk:
                    assert attempt(talk, "back")[0] == 250
                second.drop()
                return first.messages
            wait_for(preferred, "the first again", 20)
    assert edge.events("mta-back", mta="127.0.0.1:10025") and edge.events("mta-back", mta="127.0.0.1:10026")


FAILURES = {"close": "close", "reset": "reset", "half": "half", "421": b"421 4.3.2 going down\r\n", "junk": b"hello?\r\n", "451": b"451 4.3.0 no\r\n",
            "554": b"554 5.3.0 no\r\n"}
CASES = [(step, how) for step in ("xclient", "mail", "rcpt", "data", "body", "dot") for how in FAILURES]
CASES += [("banner", "close"), ("banner", "554"), ("ehlo", "421")]        # a second each: it is not asked again at once


@pytest.mark.parametrize("step, how", CASES, ids=["-".join(each) for each in CASES])
def test_an_mta_that_fails_at_a_step(edge, mta, step, how):
    """Never a 250 that nothing backs: 4xx, or the MTA's own no; and then all is well, on the same conversation where it is 451."""
    mta.rules = {step: FAILURES[how]}
    own = how in ("451", "554") and step in ("mail", "rcpt", "data", "dot")
    with edge.logged_in() as talk:
        code, words = attempt(talk, "fails")
        assert code in ((int(how),) if own else (451, 554) if step == "body" else (451,) if step == "dot" else (421,)), words
        assert not mta.messages
        mta.rules = {}
        if code == 421:
            assert talk.reply()[0] == 0
        else:
            talk.must("RSET")
            assert attempt(talk, "again")[0] == 250 and len(mta.messages) == 1
    assert len(mta.whole) == (0 if code == 421 else 1 if step != "dot" else 2)
    if step == "dot":
        assert edge.events("message-refused" if own else "message-unsure")


JUNK = [b"\0\0\0\0\r\n", b"25\r\n", b"2500 ok\r\n", b"999 ok\r\n", b"250-ok\r\n251 ok\r\n", b"\r\n", b"250 " + b"x" * 5000 + b"\r\n", b"354 go\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n", b"250-a\r\n" * 500, b"\xb250 ok\r\n", b"250 2.0.0 ok\r\n250 2.0.0 ok\r\n", b"250\r2.0.0 ok\r\n", b"-250 ok\r\n"]


@pytest.mark.parametrize("step", ["rcpt", "dot"])
def test_nonsense_of_an_mta_is_no_yes(edge, mta, step):
    for junk in JUNK:
        mta.rules = {step: junk}
        with edge.logged_in() as talk:
            code, words = attempt(talk, "junk")
            if code == 250:                     # a yes is a yes, with whatever behind it
                assert junk.startswith(b"250 ") or junk.startswith(b"250\r"), junk
            else:
                assert code in (421, 451), (junk, words)
                assert all(32 <= ord(each) < 127 or each == "\n" for each in words)
        mta.rules = {}
        mta.drop()
    found(edge)


def test_replies_byte_by_byte_and_long_ones(edge, mta):
    mta.pieces = True
    with edge.logged_in() as talk:
        assert attempt(talk, "pieces") == (250, "2.0.0 queued")
    mta.pieces = False
    mta.rules = {"rcpt": b"".join(b"550-5.7.1 line %d\xe1\r\n" % n for n in range(20)) + b"550 5.7.1 end\r\n"}
    with edge.logged_in() as talk:
        code, words = attempt(talk)
        assert code == 550 and len(words.split("\n")) > 1 and all(32 <= ord(each) < 127 or each == "\n" for each in words)


def test_no_word_of_a_customer_becomes_a_command(edge, mta):
    """HELO, addresses and parameters reach the MTA as arguments."""
    with edge.talk(465) as talk:
        for name in ("x\tRCPT", "a b", "x\x01", "<script>", "[IPv6:::1]", "x" * 300):
            talk.say("EHLO " + name)
        talk.hello()
        talk.login()
        talk.say(f"MAIL FROM:<{ANA}> ENVID=a+0D+0ARSET")
        talk.say("RSET")
        talk.must(f"MAIL FROM:<{ANA}> ENVID=a+2Bb")
        talk.must("RCPT TO:<bia@example.org> ORCPT=rfc822;a+2Bb@x")
        talk.must("RSET")
    ours = r"EHLO mail\.example\.net|XCLIENT (\w+=\S+ ?)+|(MAIL FROM|RCPT TO):<\S*>( [A-Z0-9]+(=\S+)?)*|DATA|RSET|QUIT"
    assert not [line for line in mta.lines if not re.fullmatch(ours, line)]


def test_a_kept_connection_that_went_is_replaced_unseen(edge, mta):
    with edge.logged_in() as talk:
        assert attempt(talk, "kept-1")[0] == 250
        before = mta.connections
        assert attempt(talk, "kept-2")[0] == 250 and mta.connections == before      # kept indeed
        mta.drop()
        assert attempt(talk, "kept-3")[0] == 250
        mta.rules = {"mail": lambda m, _: m.rules.clear() or "close"}               # it learns of it by its first command
        assert attempt(talk, "kept-4")[0] == 250
        mta.rules = {"mail": lambda m, _: m.rules.clear() or b"421 4.4.2 idle too long\r\n"}
        assert attempt(talk, "kept-5")[0] == 250
        for n, data in enumerate((b"421 4.4.2 idle too long\r\n", b"250 2.0.0 ok\r\n", b"25", b"\r\n"), 6):   # unasked, while nobody has it
            mta.say(data)
            assert attempt(talk, f"kept-{n}")[0] == 250
    assert [re.search(rb"kept-\d", body)[0] for _, body in mta.messages] == [b"kept-%d" % n for n in range(1, 10)]


def test_an_mta_that_never_answers_costs_others_nothing(edge, mta):
    mta.rules = {"rcpt": lambda m, line: "hang" if b"slow" in line else None}
    with edge.logged_in() as slow:
        slow.must(f"MAIL FROM:<{ANA}>")
        slow.send_raw("RCPT TO:<slow@example.org>\r\n")
        for n in range(3):
            with edge.logged_in() as talk:
                assert attempt(talk, f"quick-{n}")[0] == 250
    assert len(mta.messages) == 3
    found(edge)


# --- the client ---

def vanish(talk, reset=True):
    """Gone, by RST or by a cut cable's silence before the end."""
    raw = socket.socket(fileno=talk.socket.detach())
    if reset:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raw.close()


@pytest.mark.parametrize("reset", [True, False], ids=["rst", "fin"])
def test_who_vanishes_in_data_sent_nothing(edge, mta, reset):
    for part in ("", "From: ana@example.net\r\n", text("vanish"), text("vanish") + ".\r", text("vanish") + "."):
        talk = edge.logged_in()
        talk.envelope()
        talk.must("DATA", 354)
        talk.send_raw(part)
        vanish(talk, reset)
    found(edge)
    assert not mta.whole and not mta.messages


def test_who_vanishes_after_the_dot_is_logged_unheard(edge, mta):
    n = len(edge.events("message-unheard"))
    mta.rules = {"dot": "hang"}
    talk = edge.logged_in()
    talk.envelope()
    talk.must("DATA", 354)
    talk.send_raw(text("unheard") + ".\r\n")
    wait_for(lambda: mta.whole, "the MTA has it", 10)
    vanish(talk)
    said = edge.wait_event("message-unheard", n + 1)[-1]
    assert said["login"].strip('"') == ANA and "may have it" in said["note"]
    assert len(mta.whole) == 1
    mta.clear()
    found(edge)


def test_one_byte_segments(edge, mta):
    with edge.logged_in(port=465) as talk:
        for byte in f"MAIL FROM:<{ANA}>\r\nRCPT TO:<bia@example.org>\r\nDATA\r\n{text('bytes')}.\r\nQUIT\r\n".encode():
            talk.send_raw(bytes([byte]))
        assert [talk.reply()[0] for _ in range(5)] == [250, 250, 354, 250, 221]
    assert len(mta.messages) == 1


def rss(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1])


@pytest.mark.parametrize("piece", [b"NOOP " + b"x" * 65531, b"\0" * 65536, b"\r" * 65536, b"\xff" * 65536], ids=["long", "nul", "cr", "ff"])
def test_an_endless_command_line_costs_nothing(edge, piece):
    worker, = edge.pids("worker")
    before = rss(worker)
    with edge.talk() as talk:
        talk.hello()
        with contextlib.suppress(OSError):
            for _ in range(160):
                talk.send_raw(piece)
            talk.send_raw("\r\n")
        assert talk.reply()[0] in (500, 421, 0)
    assert rss(worker) - before < 4096


def test_endless_heads_and_lines_are_refused(edge, mta):
    for piece in (b"X-Pad: " + b"y" * 500 + b"\r\n", b"z" * 900, b" folded\r\n"):
        with edge.logged_in() as talk:
            talk.envelope()
            talk.must("DATA", 354)
            talk.send_raw(f"From: {ANA}\r\n")
            for _ in range(30):
                talk.send_raw(piece * 60)
            talk.send_raw("\r\n\r\n")
            assert talk.say(".")[0] in (552, 554, 550, 500), piece[:10]
            assert attempt(talk, "after-endless")[0] == 250
    assert len(mta.messages) == 3


def test_who_never_reads_is_hung_up_on(edge, mta):
    worker, = edge.pids("worker")
    before = rss(worker)
    with edge.logged_in() as talk:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(1000):
                talk.send_raw(b"HELP\r\n" * 1000)
        last = (0, "")
        while (said := talk.reply())[0]:
            last = said
        assert last[0] in (421, 214)
    assert rss(worker) - before < 8192
    found(edge)


def test_silent_ones_do_not_keep_others_out(edge, mta):
    """Half of them in the middle of a TLS handshake, half of them in the middle of a command."""
    with contextlib.ExitStack() as stack:
        for n in range(150):
            made = stack.enter_context(edge.socket(SERVER, 465 if n % 2 else 587, "198.51.100.11"))
            made.sendall(b"\x16\x03\x01\x02\x00" if n % 2 else b"EHL")
        with edge.logged_in() as talk:
            assert attempt(talk, "beside")[0] == 250
    assert len(mta.messages) == 1


def test_too_many_from_one_address_are_told_so(edge, mta):
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(edge.socket(SERVER, 587, "198.51.100.11"))

        def full():
            with edge.socket(SERVER, 587, "198.51.100.11") as one:
                return one.recv(100).startswith(b"421 4.7.0")
        wait_for(full, "421", 10)
        with edge.logged_in() as talk:
            assert attempt(talk, "another-address")[0] == 250


def test_the_other_side_of_tls_in_the_middle_of_things(edge, mta):
    """close_notify, then clear text; a cut in the handshake; garbage in a record: only that conversation ends."""
    for step in ("EHLO x\r\n", f"MAIL FROM:<{ANA}>\r\n", "DATA\r\n"):
        talk = edge.logged_in()
        if step.startswith("DATA"):
            talk.envelope()
        talk.send_raw(step)
        talk.reply()
        with contextlib.suppress(OSError):
            raw = talk.socket.unwrap()
            raw.settimeout(10)
            raw.sendall(b"MAIL FROM:<x@example.net>\r\nQUIT\r\n")
            assert b"250" not in raw.recv(1000)
            raw.close()
        talk = edge.logged_in()
        raw = socket.socket(fileno=talk.socket.detach())
        raw.settimeout(10)
        raw.sendall(b"\x17\x03\x03\x00\x20" + b"\0" * 32 + b"QUIT\r\n")
        assert b"221" not in raw.recv(1000)
        raw.close()
    assert attempt(edge.logged_in(), "after")[0] == 250


def test_a_legacy_machine_that_dies(edge, mta):
    made = edge.talk(LEGACY)
    made.must("HELO scanner")
    made.must("MAIL FROM:<scanner@example.net>")
    made.must("RCPT TO:<bia@example.org>")
    made.must("DATA", 354)
    made.send_raw("From: scanner@example.net\r\n\r\nx\r\n")
    vanish(made)
    found(edge)
    assert not mta.whole
