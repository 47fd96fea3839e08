# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge as processes: certificates that come, go and are renewed, ports that are taken, generations and kill -9 under load."""
import contextlib
import os
import random
import re
import signal
import socket
import ssl
import threading
import time

import pytest

from edge_support import ANA, NAME, RUI, Edge, certificate, dated, insecure
from fake_mta import FakeMTA
from lab.core import stop, wait_for


def serial(edge, port=465):
    with edge.socket(port=port) as made, insecure().wrap_socket(made, server_hostname=NAME) as tls:
        return tls.getpeercert(True)


def renewed(edge, before):
    """Workers were replaced since."""
    wait_for(lambda: len(edge.events("workers-renewed")) > before, "new workers", 20)


@pytest.fixture(scope="module")
def plain():
    """A false MTA behind, one worker."""
    with Edge(workers=1, mta="127.0.0.1:10025") as edge, FakeMTA(edge) as edge.mta:
        yield edge


# --- certificates ---

def test_a_renewed_certificate_serves_new_conversations_and_old_ones_go_on(plain):
    first = serial(plain)
    with plain.logged_in() as talk:
        certificate(plain.folder / "tls")
        second = wait_for(lambda: (now := serial(plain)) != first and now, "the new certificate", 20)
        assert talk.send("old-conversation")[0] == 250
        with plain.logged_in() as other:
            assert other.socket.getpeercert(True) == second and other.send("new-conversation")[0] == 250
        assert talk.send("old-again")[0] == 250
    wait_for(lambda: len(plain.pids("worker")) == 1, "the former worker's end", 10)


def test_certificates_that_are_links_are_renewed_too(plain):
    """As certbot makes them: live/chain.pem leads to archive/chain1.pem, and later to archive/chain2.pem."""
    tls, archive = plain.folder / "tls", plain.folder / "archive"
    archive.mkdir()

    def link(n):
        certificate(archive)
        for each in ("chain", "key"):
            (archive / f"{each}.pem").rename(archive / f"{each}{n}.pem")
            (tls / "link").symlink_to(f"../archive/{each}{n}.pem")
            (tls / "link").rename(tls / f"{each}.pem")
    stop(plain.run)
    link(1)
    n = len(plain.events("edge-ready"))
    plain.start(wait=False)
    plain.wait_event("edge-ready", n + 1)
    first = serial(plain)
    link(2)
    wait_for(lambda: serial(plain) != first, "the second", 10)


def test_a_renewal_that_cannot_be_used_changes_nothing(plain):
    """A key of another certificate, half a chain, no file: what served goes on serving, and the log says why."""
    first, tls = serial(plain), plain.folder / "tls"
    kept = {name: (tls / name).read_bytes() for name in ("chain.pem", "key.pem")}

    def spoil(how, event):
        before = len(plain.events(event))
        how()
        plain.wait_event(event, before + 1)
        assert serial(plain) == first
    spoil(lambda: certificate(tls, only=("key",)), "certificate-unusable")
    assert "key" in plain.events("certificate-unusable")[-1]["why"]
    spoil(lambda: ((tls / "key.pem").write_bytes(kept["key.pem"]), (tls / "chain.pem").write_bytes(kept["chain.pem"][:300])),
          "certificate-unusable")
    (tls / "chain.pem").unlink()
    plain.wait_event("certificate-unreadable")
    assert serial(plain) == first and plain.events("certificate-kept")
    for name, data in kept.items():
        (tls / name).unlink(missing_ok=True)
        (tls / name).write_bytes(data)
    with plain.logged_in() as talk:
        assert talk.send("kept")[0] == 250


def test_an_expired_certificate_serves_and_is_said(plain):
    """Whose program looks refuses by itself; printers do not look."""
    before = serial(plain)
    certificate(plain.folder / "tls", over=True)
    wait_for(lambda: serial(plain) != before, "the certificate", 20)
    assert plain.events("certificate-expired")
    with plain.socket(port=465) as made, pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        ssl.create_default_context(cafile=str(plain.folder / "tls/chain.pem")).wrap_socket(made, server_hostname=NAME)
    certificate(plain.folder / "tls")


def test_without_a_certificate_submission_says_so_and_the_rest_works(plain):
    """And nobody waits in a queue that no one empties. As soon as it is there, so is submission."""
    tls = plain.folder / "tls"
    stop(plain.run)
    away = {path: path.read_bytes() for path in tls.glob("*.pem")}
    for path in away:
        path.unlink()
    n = len(plain.events("edge-ready"))
    plain.start(wait=False)
    plain.wait_event("edge-ready", n + 1)
    for port in (587, 465):
        with plain.socket(port=port) as made:
            assert made.recv(100).startswith(b"421 4.3.5")
    with plain.talk(2525, to="127.0.0.1", source=None) as talk:
        assert talk.greeting[0] == 220 and "STARTTLS" not in talk.hello()
        assert talk.say(f"MAIL FROM:<{ANA}>")[0] == 530
    for path, data in away.items():
        path.write_bytes(data)

    def served():
        with contextlib.suppress(OSError):
            return serial(plain)
    wait_for(served, "submission", 20)


# --- ports ---

def test_a_port_that_is_taken(plain):
    """Said with the name of the socket, exit status 3; the supervisor tries again, and all is well when it is free."""
    stop(plain.run)
    n = len(plain.events("edge-ready"))
    with plain.host.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 465))
        other.listen(1)
        done = plain.porteiro.run("duty", "edge", status=3)
        assert "0.0.0.0:465" in done.stderr and "Address already in use; another mail server listens there" in done.stderr
        plain.start(wait=False)
        wait_for(lambda: plain.events("duty-died", name="edge"), "it says so", 10)
    plain.wait_event("edge-ready", n + 1, timeout=40)
    assert serial(plain)


# --- under load ---

class Load:
    """Threads that send and note what they were told. told[subject]: the code, 0 where no answer came; DATA was begun for all of them."""

    def __init__(self, edge, n=4, wait=0.0):
        self.edge, self.told, self.errors, self.wait = edge, {}, [], wait
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(i,)) for i in range(n)]
        for each in self._threads:
            each.start()

    def stop(self):
        self._end.set()
        for each in self._threads:
            each.join(60)

    def count(self, code=250):
        return sum(each == code for each in self.told.values())

    def _send(self, i):
        n = 0
        while not self._end.is_set():
            try:
                with self.edge.logged_in((ANA, RUI)[i % 2], (587, 465)[i // 2 % 2]) as talk:
                    for _ in range(random.randrange(1, 6)):
                        n += 1
                        if not self._one(talk, (ANA, RUI)[i % 2], f"load-{i}-{n}"):
                            break
            except (OSError, AssertionError) as error:      # nothing was sent: no promise was made
                self.errors.append(repr(error))
                time.sleep(0.02)

    def _one(self, talk, sender, subject):
        talk.envelope(sender)
        if talk.say("DATA")[0] != 354:
            return False
        self.told[subject] = 0
        body = dated(f"From: {sender}\r\nSubject: {subject}\r\n\r\n" + "x" * 70 * random.randrange(40) + "\r\n")
        self.told[subject] = talk.say(body.encode() + b".")[0]
        self._end.wait(self.wait)
        return self.told[subject] // 100 in (2, 4) and self.told[subject] != 421


def test_a_new_generation_under_load_drops_nobody():
    """Neither an open conversation nor one that comes meanwhile is refused or cut."""
    with Edge() as edge:
        load = Load(edge)
        try:
            for n in range(2):
                ready = len(edge.events("edge-ready"))
                wait_for(lambda: load.count() > 20 * n, "some load", 20)
                edge.write(more=f"recipients {50 + n}")
                edge.porteiro.run("apply")
                edge.wait_event("edge-ready", ready + 2)
        finally:
            load.stop()
        assert not load.errors and set(load.told.values()) == {250}, (load.errors[:3], load.told)
        wait_for(lambda: len(edge.pids("worker")) == 2, "the end of the former ones", 10)
        assert delivered(edge, load) == {subject: 1 for subject in load.told}


def delivered(edge, load):
    """{subject: how often it was handed to Postfix}, once all that was promised is there and the queue is empty.

    A Postfix that is stopped while it writes a message writes it again when it is back: that is one message, of one queue id."""
    def count():
        found = {}
        for each in edge.files().values():
            subject = re.search(rb"^Subject: (load-\S+)$", each, re.M)[1].decode()
            found.setdefault(subject, set()).add(re.search(rb"\(Postfix\)[^;]*? id (\w+)", each, re.S)[1])
        return {subject: len(ids) for subject, ids in found.items()}

    def quiet():
        queue = os.path.join(edge.mta.dir, "queue")
        left = sum(len(files) for each in ("incoming", "active", "deferred", "maildrop") for _, _, files in os.walk(os.path.join(queue, each)))
        return left == 0
    with contextlib.suppress(Exception):
        wait_for(quiet, "Postfix's queue", 20)
    wait_for(lambda: all(each in (found := count()) for each, code in load.told.items() if code == 250), "all that was promised", 10)
    return count()


CHAOS_SECONDS = 12


def test_kill_dash_nine_at_random_under_load():
    """Workers, host, auth, keeper, Postfix: what was answered 250 is there, once; nothing is there twice, whatever was said of it."""
    with Edge() as edge:
        load = Load(edge, 6, wait=0.01)
        until, dice, killed = time.monotonic() + CHAOS_SECONDS, random.Random(25), []
        try:
            wait_for(lambda: load.count() > 10, "some load", 20)
            while time.monotonic() < until:
                what = dice.choice(["worker", "worker", "worker", "edge", "auth", "keeper", "postfix"])
                if what == "postfix":
                    edge.mta.stop()
                    edge.start_postfix()
                elif pids := edge.pids(what):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(dice.choice(pids), signal.SIGKILL)
                killed.append(what)
                good = load.count()
                with contextlib.suppress(Exception):
                    wait_for(lambda: load.count() > good + 2 or time.monotonic() > until, "that it goes on", 8)
        finally:
            load.stop()
        good = load.count()
        assert good > 20 and {"worker", "edge"} <= set(killed), (good, killed, load.errors[-5:])
        found = delivered(edge, load)
        lost = [each for each, code in load.told.items() if code == 250 and each not in found]
        assert not lost and all(n == 1 for n in found.values()), (lost, killed)
        assert set(found) <= set(load.told)
        refused = {each for each, code in load.told.items() if 400 <= code < 600}
        assert len(refused & set(found)) <= len(edge.events("message-unsure")) + len(edge.events("message-unheard")), refused & set(found)
        # and afterwards all is as before
        wait_for(lambda: works(edge), "the edge as before", 40)
        crashes = [each for each in edge.events("worker-died") if each.get("signal") not in ("9", None)]
        assert not crashes and edge.run.poll() is None


def works(edge):
    with contextlib.suppress(OSError, AssertionError), edge.logged_in() as talk:
        return talk.send("load-end")[0] == 250
