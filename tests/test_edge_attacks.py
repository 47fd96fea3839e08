# SPDX-License-Identifier: GPL-3.0-or-later
"""What attackers do to submission servers (the classes of CVEs), against the whole program with a real Postfix behind."""
import contextlib
import os
import pathlib
import random
import re
import subprocess

import pytest

from edge_support import (ANA, DIVERT, GUESSERS, HOME, LEGACY, OUTSIDE, PASSWORD, POLICY, PROGRAM, RUI, SANITIZED, SERVER, TRAP, Edge, dated,
                          insecure, plain)
from fake_mta import FakeMTA
from lab.core import wait_for

LISTENERS = {"587": (587, SERVER, HOME), "465": (465, SERVER, HOME), "divert": (DIVERT, "127.0.0.1", None), "trap": (TRAP, "127.0.0.1", None),
             "legacy": (LEGACY, SERVER, HOME)}


@pytest.fixture(scope="module")
def edge():
    with Edge(policy=POLICY + f"never-ban {{ prefix {GUESSERS[1]} }}\n") as edge:
        yield edge


def at(edge, name, **options):
    port, to, source = LISTENERS[name]
    return edge.talk(port, to=to, source=source, **options)


# --- STARTTLS ---

@pytest.mark.parametrize("behind", ["NOOP\r\n", f"MAIL FROM:<{ANA}>\r\nRCPT TO:<bia@example.org>\r\nDATA\r\n", "EHLO evil\r\n", "X", "\r\n", "\0"])
@pytest.mark.parametrize("late", [False, True], ids=["at-once", "late"])
def test_what_stands_behind_starttls_is_never_a_command(edge, behind, late):
    with edge.talk() as talk:
        talk.hello()
        talk.send_raw("STARTTLS\r\n" + ("" if late else behind))
        code, _ = talk.reply()
        assert code == (220 if late else 421)
        if not late:
            assert talk.reply()[0] == 0
            return
        talk.send_raw(behind)
        with contextlib.suppress(OSError):      # the handshake fails, or begins after what was thrown away
            talk.socket.settimeout(5)
            talk.wrap()
            talk.socket.settimeout(0.3)
            assert talk.socket.recv(100) == b""


def test_all_is_forgotten_in_the_handshake(edge):
    with edge.talk(DIVERT, to="127.0.0.1", source=None) as talk:
        talk.must("EHLO before.example")
        talk.must("STARTTLS", 220)
        talk.wrap()
        assert talk.say(f"MAIL FROM:<{ANA}>")[0] == 503       # no EHLO since
        talk.hello()
        assert "STARTTLS" not in talk.offers and talk.say(f"MAIL FROM:<{ANA}>")[0] == 530


def test_no_login_after_a_handshake_that_failed(edge):
    for garbage in (b"AUTH PLAIN " + plain(ANA).encode() + b"\r\n", b"\x15\x03\x01\x00\x02\x02\x28", b"\x16\x03\x01\x00\x05hello"):
        with edge.talk() as talk:
            talk.hello()
            talk.must("STARTTLS", 220)
            talk.send_raw(garbage)
            with contextlib.suppress(OSError):
                talk.send_raw("AUTH PLAIN " + plain(ANA) + "\r\n")
            said = talk.reply()
            assert said[0] == 0 and "235" not in said[1]


@pytest.mark.parametrize("said", [b"220 go\r\n250 evil\r\n", b"220 go\r\n220 go\r\n", b"220-go\r\n220 go\r\nX", b"454 no\r\n"])
def test_a_reply_injected_before_the_ways_tls(said):
    """Behind the MTA's answer to STARTTLS in clear: the connection is dropped, nothing is taken for an answer under TLS."""
    offers = ("PIPELINING", "STARTTLS", "XCLIENT ADDR PORT LOGIN")
    with Edge(workers=1, mta="127.0.0.1:10025", more="next-hop-tls must") as edge, FakeMTA(edge, offers=offers) as mta:
        mta.rules = {"starttls": said, "banner": None}
        with edge.logged_in() as talk:
            talk.must(f"MAIL FROM:<{ANA}>")
            assert talk.say("RCPT TO:<bia@example.org>")[0] == 421
        assert not any(line.startswith(("MAIL", "RCPT", "XCLIENT")) for line in mta.lines) and edge.events("mta-away")


# --- smuggling ---

ENDINGS = ["\n.\n", "\r.\r", "\r.\r\n", "\n.\r", "\n.\r\n", "\r\n.\n", "\r.\r\r\n", "\r\n.\r", "\r\n\0.\r\n", "\r\n.\0\r\n", "\r\r\n.\r\r\n", "\r\n.\r\r\n",
           "\n\n.\r\n", "\r\n\r.\r\n", "\r\n. \r\n", "\r\n..\r\n", "\r\n.x\r\n"]
CLEAN = ("\r\n. \r\n", "\r\n..\r\n", "\r\n.x\r\n")      # hold no bare CR, LF or NUL: no end, and nothing to refuse


@pytest.mark.parametrize("ending", ENDINGS, ids=[repr(each)[1:-1] for each in ENDINGS])
def test_smuggling(edge, ending):
    """Cut at every byte: one message in front is one or none behind, and nothing in it is a command to anybody."""
    name = "smuggle-" + ending.encode().hex()
    inside = f"MAIL FROM:<{ANA}>\r\nRCPT TO:<vitima@example.org>\r\nDATA\r\nFrom: {ANA}\r\nSubject: smuggled\r\n\r\nx"
    taken = 0
    with edge.logged_in(port=465) as talk:
        for cut in range(len(ending) + 1):
            head = dated(f"From: {ANA}\r\nSubject: {name}\r\n\r\na")
            talk.envelope()
            talk.must("DATA", 354)
            talk.send_raw(head + ending[:cut])
            talk.send_raw(ending[cut:] + inside)
            talk.send_raw("\r\n.\r\n")
            code, words = talk.reply()
            assert code == (250 if ending in CLEAN else 554), words
            taken += code == 250
            assert talk.say("NOOP") == (250, "2.0.0 Ok")      # there is no other answer on the way
        assert talk.send(name + "-end")[0] == 250
    edge.arrived(name + "-end")
    if taken:
        assert len(edge.arrived(name, taken)) == taken
    files = edge.files().values()
    assert not any(re.search(rb"^Subject: smuggled\n", each.partition(b"\n\n")[0] + b"\n", re.M) for each in files)
    assert not any(b"Delivered-To: vitima" in each for each in files)
    assert sum(b"Subject: " + name.encode() + b"\n" in each for each in files) == taken


def test_what_ends_a_message_for_us_ends_it_for_postfix(edge):
    """The differential: bodies made of CR, LF, dot, NUL and text. As many messages and bytes behind as were taken."""
    dice, taken = random.Random(4), {}
    with edge.logged_in(port=465) as talk:
        for n in range(150):
            parts = ["\r\n", "\r\n", "\r\n.", ".", "ab", "\r\n..", " "] + (["\r", "\n", "\0"] if n % 3 == 0 else [])
            body = "".join(dice.choice(parts) for _ in range(dice.randrange(12)))
            talk.envelope()
            talk.must("DATA", 354)
            text = dated(f"From: {ANA}\r\nSubject: differential-{n}\r\n\r\n") + re.sub(r"(^|\r\n)\.", r"\1..", body)
            for piece in re.findall(r"(?s).{1,%d}" % dice.randrange(1, 40), text + "\r\n.\r\n"):
                talk.send_raw(piece)
            code, _ = talk.reply()
            bare = re.search(r"(?<!\r)\n|\r(?!\n)|\0", body + "\r\n")
            assert code == (554 if bare else 250), (body, code)
            if not bare:
                taken[n] = body + "\r\n"
        assert talk.say("NOOP") == (250, "2.0.0 Ok")
    def behind():
        return [each for each in edge.files().values() if b"\nSubject: differential-" in each]
    wait_for(lambda: len(behind()) >= len(taken), "all of them", 10)
    found = {int(re.search(rb"\nSubject: differential-(\d+)\n", each)[1]): each.partition(b"\n\n")[2].decode() for each in behind()}
    assert len(behind()) == len(taken) and found == {n: body.replace("\r\n", "\n") for n, body in taken.items()}


# --- relaying ---

HOLES = ["x@elsewhere.example", "x%elsewhere.example@example.net", "x%elsewhere.example", "elsewhere.example!x", "elsewhere.example!x@example.net",
         "@example.net:x@elsewhere.example", "@a,@b:x@elsewhere.example", '"x@elsewhere.example"', '"x@elsewhere.example"@example.net',
         '"x%elsewhere.example"@example.net', '""@elsewhere.example', "x@[127.0.0.1]", "x@[203.0.113.9]", "x@[IPv6:::1]", "x@example.net@elsewhere.example",
         "x@elsewhere.example.", "x@elsewhere.example,y@example.net", "x@elsewhere.example y@example.net", "postmaster", "postmaster@example.net", ANA,
         "x@elsewhere.example\0@example.net", "x@elsewhere.example\x01", "joão@elsewhere.example", "x@exämple.net", "x@xn--exmple-cua.net", " x@elsewhere.example",
         "x @elsewhere.example", "(c)x@elsewhere.example", "x@(c)elsewhere.example", "x@elsewhere.example>,<y@example.net", "<x@elsewhere.example>",
         "x\\@elsewhere.example", '"x\\"@elsewhere.example', "x@elsewhere.example NOTIFY=NEVER", "x@" + "a" * 300, "x" * 400 + "@example.net", "@", "", "x@", "@x",
         "|/bin/sh@example.net", "x;id@example.net", "-x@example.net", "../../x@example.net", "x@example.net:25", "smtp:x@elsewhere.example",
         "x\r\nRCPT TO:<y@elsewhere.example", "x\nRCPT TO:<y@elsewhere.example>"]


@pytest.mark.parametrize("name", ["587", "465", "divert"])
def test_no_listener_is_an_open_relay(edge, name):
    """Nobody who did not log in gets an address past it, in any form, in any place."""
    before = set(edge.files())
    for chunk in range(0, len(HOLES), 4):
        with at(edge, name) as talk:
            talk.must("EHLO mail.example.net" if chunk % 8 else "HELO localhost")
            if name != "465" and chunk % 3 == 0:
                talk.hello()
                talk.starttls()
            for hole in HOLES[chunk:chunk + 4]:
                codes = [talk.say(f"MAIL FROM:<{sender}>".encode())[0] for sender in (hole, "", "postmaster@example.net")]
                codes += [talk.say(f"RCPT TO:<{hole}>".encode())[0], talk.say("DATA")[0]]
                assert set(codes) <= {500, 501, 503, 530, 538, 553, 555, 421, 0}, (hole, codes)
    assert set(edge.files()) == before


def test_whoever_logged_in_writes_as_himself_in_any_form(edge):
    with edge.logged_in() as talk:
        for n, hole in enumerate(each for each in HOLES if "\n" not in each):
            if n % 10 == 9:
                talk.close()
                talk = edge.logged_in()
            code = talk.say(f"MAIL FROM:<{hole}>".encode())[0]
            assert code == 250 if hole in (ANA, "") else code in (500, 501, 553, 555), (hole, code)
            talk.say("RSET")
        talk.close()


SENDERS = ["scanner@example.net%elsewhere.example", '"scanner@example.net"@elsewhere.example', "scanner@elsewhere.example", "x@example.net",
           "scanner@example.net.elsewhere.example", "x@devices.example.net.elsewhere.example", "x@notdevices.example.net", "devices.example.net", "@devices.example.net",
           "scanner", "x@sub.devices.example.net", ANA, "scanner+x@example.net", "scanner@example.net\0x"]


def test_a_legacy_listener_serves_its_machines_as_their_senders_alone(edge):
    """Three a day, whatever people at the same address send with their logins."""
    with edge.logged_in() as talk:
        for n in range(3):
            assert talk.send("neighbour")[0] == 250
    with edge.talk(LEGACY, source=HOME) as talk:
        talk.must("EHLO scanner")
        for sender in SENDERS:
            assert talk.say(f"MAIL FROM:<{sender}>")[0] in (500, 501, 553), sender
        assert talk.send(sender="scanner@example.net", text="From: ana@example.net\r\nSubject: legacy-forged\r\n\r\nx\r\n")[0] == 550
        for n, sender in enumerate(("scanner@example.net", "x@devices.example.net", "SCANNER@EXAMPLE.NET")):
            assert talk.send(f"legacy-{n}", sender=sender)[0] == 250
        talk.must("MAIL FROM:<scanner@example.net>")
        assert talk.say("RCPT TO:<bia@example.org>")[0] == 452         # the fourth of the day
    mail, = edge.arrived("legacy-0")
    assert "(Authenticated sender: legacy:printers)" in mail.mta and f"[{HOME}]" in mail.mta
    with edge.socket(SERVER, LEGACY, OUTSIDE) as made:
        assert made.recv(100) == b""
    assert edge.wait_event("legacy-refused", src=OUTSIDE)


def test_the_trap_takes_nothing_and_tells(edge):
    """It answers a byte in ten seconds, so nobody waits here: all is said at once."""
    before = set(edge.files())
    with contextlib.ExitStack() as stack:
        for hole in HOLES:
            talk = stack.enter_context(at(edge, "trap", greet=False))
            talk.send_raw(f"EHLO bot\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<{hole}>\r\nDATA\r\nSubject: trapped\r\n\r\nx\r\n.\r\n".encode())
    assert edge.wait_event("trapped", len(HOLES))[-1]["src"] == "127.0.0.1"
    wait_for(lambda: any(each["source"] == "trap" for each in edge.porteiro.json("sightings")["sightings"]), "the fact", 10)
    assert set(edge.files()) == before


# --- other protocols ---

@pytest.mark.parametrize("request_line", ["GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                          "POST /x HTTP/1.0\r\nContent-Length: 30\r\n\r\nEHLO x\r\nMAIL FROM:<a@b>\r\n", "Host: x\r\n"])
@pytest.mark.parametrize("name", ["587", "465", "divert", "legacy"])
def test_http_is_told_off_at_once(edge, name, request_line):
    with at(edge, name) as talk:
        talk.send_raw(request_line)
        code, words = talk.reply()
        assert code == 421 and "HTTP" in words and talk.reply()[0] == 0


def test_text_and_tls_where_the_other_was_due(edge):
    with edge.socket(port=465) as made:
        with contextlib.suppress(ConnectionError):
            made.sendall(b"EHLO x\r\n")
            assert b"220" not in made.recv(100)
    with edge.talk() as talk:
        talk.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200)
        assert talk.reply()[0] == 421
    with edge.talk() as talk:
        assert talk.say("PROXY TCP4 127.0.0.1 127.0.0.1 1 25")[0] == 500
        assert talk.say(b"\r\n\r\n\0\r\nQUIT\n")[0] in (500, 421)


@pytest.mark.parametrize("protocols", [["h2"], ["http/1.1"], ["h2", "http/1.1", "smtp"]])
def test_alpn_of_another_protocol_is_refused(edge, protocols):
    context = insecure()
    context.set_alpn_protocols(protocols)
    with edge.socket(port=465) as made, pytest.raises(OSError):
        context.wrap_socket(made)


def test_renegotiation_is_refused(edge):
    done = subprocess.run(["ip", "netns", "exec", edge.host.netns, "openssl", "s_client", "-connect", f"{SERVER}:465", "-tls1_2"],
                          input="R\nNOOP\n", capture_output=True, text=True, timeout=30)
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert re.search("no renegotiation|handshake failure|closed", done.stderr), done.stderr


# --- guessing ---

def guess(edge, source, passwords, login=RUI):
    """All at once, answers not waited for: who is too quick is answered later and later. Returns the conversations."""
    talks = []
    for each in passwords:
        talk = edge.talk(465, source=source)
        talk.hello()
        talk.send_raw("AUTH PLAIN " + plain(login, each) + "\r\n")
        talks.append(talk)
    return talks


def bans(edge):
    return [each["prefix"] for each in edge.porteiro.json("ban", "list")["bans"]]


def test_who_guesses_is_banned(edge):
    """One password at many logins; the kernel drops his packets before he is through, and nobody else's."""
    def tries():
        for n in range(40):
            with edge.talk(465, source=GUESSERS[0], timeout=1) as talk:
                talk.hello()
                for k in range(3):
                    assert talk.say("AUTH PLAIN " + plain(f"x{n}-{k}@example.net", "Verao2026"))[0] in (535, 421)
    with pytest.raises((OSError, AssertionError)):
        tries()
    assert [each.partition("/")[0] for each in bans(edge)] == [GUESSERS[0]]
    said, = edge.events("ban")
    assert said["src"] == GUESSERS[0] and "logins" in said["why"]
    with edge.logged_in() as talk:
        assert talk.send("beside-the-guesser")[0] == 250
    edge.porteiro.run("ban", "release", bans(edge)[0], "--reason", "test")
    wait_for(lambda: edge.listens(587, SERVER, GUESSERS[0]), "that he is let in again", 10)


def test_who_may_not_be_banned_is_refused(edge):
    """never-ban: no password of his is looked at any more, and yet the owner gets in from elsewhere."""
    talks = guess(edge, GUESSERS[1], [f"wrong-{n}" for n in range(30)])
    wait_for(lambda: edge.events("login-refused", src=GUESSERS[1]), "a refusal", 15)
    for talk in talks:
        talk.close()
    with edge.talk(465, source=GUESSERS[1]) as talk:
        talk.hello()
        code, words = talk.say("AUTH PLAIN " + plain(RUI, "one-more"))
        assert code == 421 and "wrong passwords" in words
    edge.logged_in(RUI).close()
    assert not any(each.startswith(GUESSERS[1]) for each in bans(edge))


def test_the_same_wrong_password_again_and_again_is_a_phone(edge):
    with edge.talk(465, source=GUESSERS[2]) as talk:
        talk.hello()
        for _ in range(15):
            assert talk.say("AUTH PLAIN " + plain(RUI, "a-senha-antiga"))[0] == 535
    with edge.talk(465, source=GUESSERS[2]) as talk:
        talk.hello()
        for _ in range(15):
            assert talk.say("AUTH PLAIN " + plain(RUI, "a-senha-antiga"))[0] == 535
        talk.login(RUI)
    assert not any(each.startswith(GUESSERS[2]) for each in bans(edge))


def test_own_pools_are_never_banned_nor_refused(edge):
    talks = guess(edge, "198.51.100.11", [f"wrong-{n}" for n in range(40)])
    wait_for(lambda: len(edge.events("login-failed", src="198.51.100.11")) >= 4, "the first answers", 15)
    edge.logged_in(RUI, source="198.51.100.11").close()
    for talk in talks:
        talk.close()
    assert not edge.events("login-refused", src="198.51.100.11") and not any(each.startswith("198.51.100") for each in bans(edge))


# --- what it may and what it knows ---

def test_workers_have_no_rights(edge):
    workers = edge.pids("worker")
    assert len(workers) == 2
    for pid in workers:
        status = dict(re.findall(r"^(\w+):[ \t]*(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M))
        assert {status[each] for each in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {"0" * 16}, status
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" and status["Threads"] == "1"
        kinds = {os.readlink(f"/proc/{pid}/fd/{fd}").split(":")[0].split("/memfd")[0] for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not any(each.startswith("/") and not each.startswith(("/dev/null", str(edge.folder / "run"))) for each in kinds), kinds


@pytest.mark.skipif(SANITIZED, reason="a sanitizer links more")
def test_what_the_hostile_side_links():
    done = subprocess.run(["ldd", PROGRAM.parent / "porteiro-edge"], capture_output=True, text=True, check=True)
    names = {re.match(r"\s*(\S+?)\.so", line)[1].rpartition("/")[2] for line in done.stdout.splitlines()}
    assert names - {"linux-vdso", "ld-linux-x86-64", "ld-linux-aarch64"} <= {"libc", "libm", "libevent_core-2.1", "libssl", "libcrypto"}, done.stdout


def test_no_secret_is_where_others_can_read_it(edge):
    key = (edge.folder / "tls/key.pem").read_text().splitlines()[1]
    for pid in (*edge.pids("worker"), *edge.pids("edge"), *edge.pids("auth")):
        for name in ("cmdline", "environ"):
            text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes().decode()
            assert PASSWORD not in text and key not in text and "PRIVATE" not in text
    assert pathlib.Path(f"/proc/{edge.pids('worker')[0]}/environ").read_bytes() == b""
    with open(edge.mta.log, encoding="utf-8") as log:
        text = edge.log() + log.read()
    for secret in (PASSWORD, plain(ANA), "Verao2026", "a-senha-antiga", "one-more", key):
        assert secret not in text, secret
