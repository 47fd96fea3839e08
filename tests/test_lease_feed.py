# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases from sources that are followed: RADIUS accounting by the real radclient, and files that writers rotate, cut and
write anew, while duties are stopped, killed and started again."""
import datetime
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest
from lab import wait_for
from nas import INTERIM, ON, START, STOP, Nas, radclient
from support import Namespace, lease_file

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: sockets in a name space of their own")

POLICY = """
network "Lab" { timezone America/Sao_Paulo }
class home { port25 block }
pool city { class home  prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }
"""
RADIUS = """
feed bras  { radius 192.0.2.254:1813  nas 192.0.2.0/28   secret-file %s/secret }
feed other { radius 192.0.2.254:1813  nas 192.0.2.16/28  secret-file %s/other }
"""
LONG = 20.0


class Box:
    """The program with its keeper and its duty for leases, in a name space with the addresses of a server and of three NASes."""

    def __init__(self, porteiro, folder, monkeypatch):
        self.space = Namespace()
        ip = ["ip", "-n", self.space.netns]
        subprocess.run([*ip, "link", "set", "lo", "up"], check=True)
        for address in ("192.0.2.254/24", "192.0.2.1/24", "192.0.2.17/24", "192.0.2.33/24", "2001:db8::1/128", "2001:db8::2/128"):
            subprocess.run([*ip, "addr", "add", address, "dev", "lo", *(["nodad"] if ":" in address else [])], check=True)
        monkeypatch.setenv("PORTEIRO_SANDBOX", "kill")
        self.porteiro, self.folder, self.nases = porteiro.at(self.space), folder, []
        (folder / "secret").write_text("s3cret\nsecond line\n")
        (folder / "other").write_text("  another  \n")
        self.keeper = self.lease = None

    def begin(self, more="", keeper=True):
        self.porteiro.policy(POLICY + more)
        self.porteiro.run("apply")
        if keeper:
            self.start_keeper()
        self.start_lease()

    def start_keeper(self):
        self.keeper = self.porteiro.start("duty", "keeper")
        wait_for(lambda: self.events("keeper-ready", self.keeper), "the keeper", LONG)

    def start_lease(self):
        self.lease = self.porteiro.start("duty", "lease")
        wait_for(lambda: self.events("started"), f"the duty ({self.lease.log})", LONG)

    def events(self, name, process=None):
        lines = (process or self.lease).log.read_text(errors="replace").splitlines()
        return [dict(re.findall(r'([\w-]+)=("[^"]*"|\S*)', line)) for line in lines if f" event={name} " in line + " "]

    def counts(self, name):
        """Of a feed, as it says them when it ends."""
        stop = self.lease
        stop.terminate()
        assert stop.wait(LONG) == 0, stop.log.read_text()
        return [event for event in self.events("feed") if event["name"] == name][-1]

    def nas(self, source="192.0.2.1", server="192.0.2.254", secret=b"s3cret"):
        self.nases.append(Nas(server, 1813, secret, source, self.space.netns))
        return self.nases[-1]

    def leases(self, all=True):
        return self.porteiro.json("lease", "list", *(["--all", "--reason", "test"] if all else []))["leases"]

    def held(self):
        """{address: user} of what is open."""
        return {lease["prefix"]: lease["line"].partition(":")[2] for lease in self.leases(False)}

    def close(self):
        for nas in self.nases:
            nas.close()
        self.porteiro.close()
        self.space.close()


@pytest.fixture
def box(porteiro, tmp_path, monkeypatch):
    box = Box(porteiro, tmp_path, monkeypatch)
    yield box
    box.close()


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture
def bras(box):
    box.begin(RADIUS % (box.folder, box.folder))
    return box.nas()


# --- RADIUS ---

needs_radclient = pytest.mark.skipif(not shutil.which("radclient"), reason="radclient is not installed (freeradius-utils)")
ALICE = {"User_Name": '"alice@example.net"', "Acct_Session_Id": '"81a00001"', "NAS_Identifier": '"bras0"',
         "Framed_IP_Address": "198.51.100.7"}


@needs_radclient
def test_a_session_told_by_radclient(box, bras):
    box.porteiro.run("subscriber", "add", "10442", "--line", "user:alice@example.net")
    begin = int(time.time()) - 600
    assert radclient(bras, Acct_Status_Type="Start", Event_Timestamp=begin, **ALICE)
    assert box.held() == {"198.51.100.7": "alice@example.net"}
    assert radclient(bras, Acct_Status_Type="Interim-Update", Event_Timestamp=begin + 300, Acct_Session_Time=300,
                     Delegated_IPv6_Prefix="2001:db8:100:700::/56", **ALICE)
    assert box.held() == {"198.51.100.7": "alice@example.net", "2001:db8:100:700::/56": "alice@example.net"}
    assert radclient(bras, Acct_Status_Type="Stop", Event_Timestamp=begin + 590, Acct_Session_Time=590,
                     Acct_Terminate_Cause="Lost-Carrier", **ALICE)
    leases = box.leases()
    assert {(lease["subscriber"], lease["source"], lease["why_ended"]) for lease in leases} == {("10442", "radius", "Lost-Carrier")}
    assert len(leases) == 2 and box.held() == {}
    assert all(re.fullmatch(r"192\.0\.2\.\d+:\d+ packet \d+.*", lease["evidence"]) for lease in leases), leases


@needs_radclient
def test_who_does_not_know_the_secret_is_not_answered(box, bras):
    assert not radclient(bras, Acct_Status_Type="Start", secret="wrong", timeout=1, **ALICE)
    assert not radclient(bras, kind="status", secret="wrong", timeout=1, Message_Authenticator="0x00")
    assert radclient(bras, kind="status", Message_Authenticator="0x00")
    assert box.leases() == []
    counts = box.counts("bras")
    assert counts["wrong_secret"] == "2" and "answered" in counts and "leases" not in counts
    assert box.events("wrong-secret")


def test_each_nas_has_its_feed_and_strangers_have_none(box, bras):
    other, stranger = box.nas("192.0.2.17", secret=b"another"), box.nas("192.0.2.33")
    stranger.send(stranger.packet(START, "eve", "1", "198.51.100.66"))
    other.secret, right = b"s3cret", other.secret
    other.send(other.packet(START, "eve", "1", "198.51.100.66"))
    other.secret = right
    assert other.ask(START, "bob", "1", "198.51.100.8") and bras.ask(START, "alice", "1", "198.51.100.7")
    assert stranger.answers(1, 0.2) == []
    assert box.held() == {"198.51.100.7": "alice", "198.51.100.8": "bob"}
    assert box.counts("other")["wrong_secret"] == "1"
    assert [event["from"] for event in box.events("unknown-nas")] == ["192.0.2.33"]


def test_a_report_sent_again_is_answered_again_and_is_one(box, bras):
    packet = bras.packet(START, "alice", "a1", "198.51.100.7", at=time.time() - 60)
    for times in range(1, 4):
        bras.send(packet)
        assert bras.answers(1) == [packet[1]], times
    for _ in range(5):
        bras.send(packet)
    assert set(bras.answers(5)) == {packet[1]}
    # without a time of its own it would end what began after it, were it taken for another one
    reset = bras.packet(ON)
    bras.send(reset)
    assert bras.answers(1) == [reset[1]]
    assert box.held() == {}
    assert bras.ask(START, "alice", "a2", "198.51.100.7")
    bras.send(reset)
    assert bras.answers(1) == [reset[1]]
    assert box.held() == {"198.51.100.7": "alice"}
    assert len(box.leases()) == 2


def test_accounting_on_ends_the_sessions_of_that_nas(box, bras):
    other = box.nas()
    other.name = "bras1"
    begin = time.time() - 3600
    for n in range(1, 4):
        assert bras.ask(START, f"a{n}", f"a{n}", f"198.51.100.{n}", at=begin)
        assert other.ask(START, f"b{n}", f"b{n}", f"198.51.100.{n + 100}", at=begin)
    assert bras.ask(ON, at=begin + 60)
    assert box.held() == {f"198.51.100.{n + 100}": f"b{n}" for n in range(1, 4)}
    assert {lease["why_ended"] for lease in box.leases() if lease["why_ended"]} == {"nas-reset"}


def test_nobody_is_answered_while_the_keeper_sleeps(box, bras):
    assert bras.ask(START, "alice", "a1", "198.51.100.7")
    box.keeper.send_signal(signal.SIGSTOP)
    late = bras.packet(START, "bob", "b1", "198.51.100.8")
    for _ in range(3):
        bras.send(late)
        assert bras.answers(1, 0.3) == []
    box.keeper.send_signal(signal.SIGCONT)
    assert bras.answers(1) == [late[1]]
    assert box.held() == {"198.51.100.7": "alice", "198.51.100.8": "bob"}


def test_nobody_is_answered_without_a_keeper(box, bras):
    kill(box.keeper)
    late = bras.packet(START, "alice", "a1", "198.51.100.7")
    bras.send(late)
    assert bras.answers(1, 0.5) == []
    wait_for(lambda: box.events("keeper-away"), "the duty to notice", LONG)
    box.start_keeper()
    assert bras.answers(1) == [late[1]]
    assert box.held() == {"198.51.100.7": "alice"}
    assert box.events("keeper-back")


def test_a_session_goes_on_after_a_restart(box, bras):
    """What was open is known from the ledger; a report whose answer was lost is known again, too."""
    begin = time.time() - 600
    assert bras.ask(START, "alice", "a1", "198.51.100.7", at=begin)
    kill(box.lease)
    box.start_lease()
    stop = bras.packet(STOP, "alice", "a1", "198.51.100.7", at=begin + 300, lasted=300)
    bras.send(stop)
    assert bras.answers(1) == [stop[1]]
    kill(box.lease)
    box.start_lease()
    bras.send(stop)
    assert bras.answers(1) == [stop[1]]
    [lease] = box.leases()
    assert lease["why_ended"] and box.held() == {}


@pytest.mark.parametrize("victim", ["lease", "keeper"])
def test_nothing_acknowledged_is_lost_when_one_is_killed(box, bras, victim):
    """Starts as fast as they are answered; in mid-stream a duty is killed, four times."""
    answered, sent, number = set(), {}, 0
    for _ in range(4):
        for _ in range(60):
            number += 1
            packet = bras.packet(START, f"u{number}", f"s{number}", f"198.51.100.{number}")
            sent[packet[1]] = number
            bras.send(packet)
            if number % 60 == 40:
                answered |= {sent[n] for n in bras.answers(1)}
                kill(getattr(box, victim))
            answered |= {sent[n] for n in bras.answers(3, 0.002)}
        if victim == "keeper":
            box.start_keeper()
            answered |= {sent[n] for n in bras.answers(60, 2)}
        else:
            answered |= {sent[n] for n in bras.answers(60, 0.3)}
            box.start_lease()
    there = {int(user[1:]) for user in box.held().values()}
    assert len(answered) >= 4 and answered <= there, answered - there


def test_a_nas_is_answered_from_the_address_it_called(box):
    box.begin(f"feed any {{ radius 0.0.0.0:1813  nas 0.0.0.0/0  secret-file {box.folder}/secret }}\n"
              f"feed six {{ radius [::]:1813  nas 2001:db8::/32  secret-file {box.folder}/secret }}\n")
    for source, server in (("192.0.2.1", "192.0.2.254"), ("192.0.2.1", "192.0.2.17"), ("2001:db8::2", "2001:db8::1")):
        nas = box.nas(source, server)
        nas.socket.connect((server, 1813))              # takes answers from there alone
        packet = nas.packet(START, "alice", server, "198.51.100.7")
        nas.sent[packet[1]] = packet
        nas.socket.send(packet)
        assert nas.answers(1) == [packet[1]], server


def test_reports_that_say_nothing_of_use_are_answered_and_counted(box, bras):
    assert bras.ask(START)                                        # neither who nor what
    assert bras.ask(15)                                           # a status nobody knows
    assert bras.ask(START, "a\nb\x1b[31m", "s\0", "198.51.100.7")   # and a name that would paint the terminal
    assert bras.ask(START, "alice", "a1", "198.51.100.8")
    assert "198.51.100.8" in box.held()
    assert "\x1b" not in box.porteiro.run("lease", "list").stdout


# --- feeds and generations ---

def test_feeds_change_with_the_generation(box):
    """Under the supervisor: what a new generation names is listened on, what it does not is not."""
    box.porteiro.policy(POLICY)
    run = box.porteiro.start("run")
    wait_for(lambda: box.events("run-ready", run), "the duties", LONG)
    box.porteiro.run("apply")
    box.porteiro.policy(POLICY + RADIUS % (box.folder, box.folder))
    box.porteiro.run("apply")
    wait_for(lambda: box.events("listening", run), "the listener", LONG)
    nas = box.nas()
    assert nas.ask(START, "alice", "a1", "198.51.100.7")
    box.porteiro.policy(POLICY + (RADIUS % (box.folder, box.folder)).replace("192.0.2.254:1813", "192.0.2.17:1813"))
    box.porteiro.run("apply")
    wait_for(lambda: [e for e in box.events("listening", run) if e["address"] == "192.0.2.17"], "the other address", LONG)
    assert not nas.ask(STOP, "alice", "a1", timeout=0.3)
    assert box.nas(server="192.0.2.17").ask(STOP, "alice", "a1")
    assert box.held() == {}
    assert {e["signal"] for e in box.events("duty-died", run) if "signal" in e} == set()


def test_a_feed_that_cannot_be_opened_does_not_hold_up_the_others(box):
    box.begin((RADIUS % (box.folder, box.folder)).replace(f"{box.folder}/other", "/nowhere/secret"))
    assert "/nowhere/secret: No such file or directory" in box.lease.log.read_text()
    assert box.nas().ask(START, "alice", "a1", "198.51.100.7")
    assert not box.nas("192.0.2.17", secret=b"another").ask(START, "bob", "b1", "198.51.100.8", timeout=0.3)


def test_check_warns_of_what_is_not_there(box):
    box.porteiro.policy(POLICY + (RADIUS % (box.folder, box.folder)).replace(f"{box.folder}/other", "/nowhere/secret")
                        + f"feed file {{ file {box.folder}/leases  format isc }}\nfeed bad {{ file {box.folder}  format kea4 }}\n")
    said = box.porteiro.run("check").stderr
    assert "/nowhere/secret: No such file or directory: without its secret nobody is answered" in said
    assert f"{box.folder}/leases: No such file or directory: it is waited for" in said
    assert f"{box.folder} is no file" in said and f"{box.folder}/secret" not in said


# --- files ---

STATUS = {"Start": START, "Stop": STOP, "Interim-Update": INTERIM}


def record(user, address, status="Start", session=None, at=None):
    """As FreeRADIUS writes its detail."""
    at = int(at if at is not None else time.time())
    when = time.strftime("%b %d %Y %H:%M:%S UTC", time.gmtime(at))
    return (f"{time.strftime('%a %b %d %H:%M:%S %Y', time.gmtime(at))}\n\tUser-Name = \"{user}\"\n\tNAS-Identifier = \"bras0\"\n"
            f"\tFramed-IP-Address = {address}\n\tAcct-Session-Id = \"{session or user}\"\n\tEvent-Timestamp = \"{when}\"\n"
            f"\tAcct-Status-Type = {status}\n\tTimestamp = {at}\n\n")


class Detail:
    def __init__(self, box):
        self.path = box.folder / "radacct" / "detail"
        self.path.parent.mkdir()
        self.box, self.n, self.want = box, 0, {}
        self.policy = f"feed detail {{ file {self.path}  format detail }}\n"

    def add(self, count=1, path=None):
        """So many sessions begin."""
        with open(path or self.path, "a", encoding="utf-8") as file:
            for _ in range(count):
                self.n += 1
                address = f"198.51.{100 + self.n // 250}.{1 + self.n % 250}"
                self.want[address] = f"u{self.n}"
                file.write(record(f"u{self.n}", address))

    def all_there(self):
        wait_for(lambda: self.box.held() == self.want, f"all {self.n} sessions; {self.box.lease.log.read_text()[-2000:]}", LONG)
        assert len(self.box.leases()) == self.n          # and none twice


@pytest.fixture
def detail(box):
    return Detail(box)


def test_a_file_that_comes_later_and_grows(box, detail):
    box.begin(detail.policy)
    wait_for(lambda: box.events("file-not-there"), "the duty to look", LONG)
    detail.add(3)
    detail.all_there()
    whole = record("late", "198.51.100.200")
    for piece in (whole[:100], whole[100:-1]):                          # half a record is waited for
        with open(detail.path, "a", encoding="utf-8") as file:
            file.write(piece)
        time.sleep(0.3)
        assert box.held() == detail.want
    with open(detail.path, "a", encoding="utf-8") as file:
        file.write(whole[-1:])
    detail.n += 1
    detail.want["198.51.100.200"] = "late"
    detail.all_there()
    assert "wrong" not in box.counts("detail")


def test_a_folder_that_comes_later(box):
    """A duty that locked itself in cannot reach into it: it ends, and who started it starts it again."""
    folder = box.folder / "later"
    box.porteiro.policy(POLICY + f"feed detail {{ file {folder}/detail  format detail }}\n")
    run = box.porteiro.start("run")
    wait_for(lambda: box.events("run-ready", run), "the duties", LONG)
    box.porteiro.run("apply")
    wait_for(lambda: box.events("file-not-there", run), "the duty to look", LONG)
    folder.mkdir()
    (folder / "detail").write_text(record("alice", "198.51.100.7"))
    wait_for(lambda: box.held() == {"198.51.100.7": "alice"}, "the session", LONG)


def test_rotation_loses_nothing(box, detail):
    detail.add(5)
    box.begin(detail.policy)
    for turn in range(3):
        detail.add(20)
        old = detail.path.with_suffix(f".{turn}")
        detail.path.rename(old)
        detail.add(5, old)                     # a writer who has not noticed yet
        detail.add(10)
        wait_for(lambda turn=turn: len(box.events("file-rotated")) == turn + 1, "the next file", LONG)
    detail.all_there()
    counts = box.counts("detail")
    assert counts["events"] == str(detail.n) and counts["rotated"] == "3" and "wrong" not in counts


def test_copytruncate(box, detail):
    detail.add(5)
    box.begin(detail.policy)
    detail.all_there()
    for _ in range(3):
        os.truncate(detail.path, 0)
        detail.add(3)
        detail.all_there()
        detail.add(20)
        detail.all_there()


def test_a_restart_goes_on_at_the_exact_byte(box, detail):
    detail.add(50)
    box.begin(detail.policy)
    detail.all_there()
    kill(box.lease)
    detail.add(7)
    box.start_lease()
    detail.all_there()
    kill(box.lease)
    detail.path.rename(detail.path.with_suffix(".1"))         # while nobody looked
    detail.add(4, detail.path.with_suffix(".1"))
    detail.add(6)
    box.start_lease()
    detail.all_there()
    assert box.events("following")[-1]["from"] == "where-it-stood"
    assert box.counts("detail")["events"] == "10"


def test_killed_again_and_again_while_the_file_grows(box, detail):
    detail.add(10)
    box.begin(detail.policy)
    for turn in range(6):
        detail.add(100)
        time.sleep(0.05 * turn)
        kill(box.lease if turn % 2 else box.keeper)
        detail.add(20)
        if turn % 2:
            box.start_lease()
        else:
            box.start_keeper()
    detail.all_there()


def test_a_file_written_anew_by_rename_says_the_same(box):
    """As ISC dhcpd does with its leases."""
    path = box.folder / "dhcpd.leases"

    def lease(n, state="active", ends=None):
        now = int(time.time())
        stamp = lambda t: time.strftime("%w %Y/%m/%d %H:%M:%S", time.gmtime(t))  # noqa: E731
        return (f"lease 198.51.100.{n} {{\n  starts {stamp(now - 600)};\n  ends {stamp(ends or now + 3600)};\n  cltt {stamp(now - 600)};\n"
                f"  binding state {state};\n  hardware ethernet 00:00:5e:00:53:{n:02x};\n}}\n")

    path.write_text(lease(1) + lease(2))
    box.begin(f"feed dhcp {{ file {path}  format isc }}\n")
    wait_for(lambda: len(box.leases()) == 2, "two leases", LONG)
    for turn in range(3):
        fresh = box.folder / "fresh"
        fresh.write_text("".join(lease(n) for n in range(1, 4 + turn)))
        fresh.rename(path)
        wait_for(lambda turn=turn: len(box.leases()) == 3 + turn, "the next", LONG)
    assert {lease["line"] for lease in box.leases()} == {f"mac:00:00:5e:00:53:{n:02x}" for n in range(1, 6)}


def test_a_release_in_keas_file_is_of_the_moment_it_was_written(box):
    """Kea does not write when it was: only who watches the file knows."""
    path = box.folder / "leases4.csv"
    began = int(time.time()) - 1000
    row = "198.51.100.7,00:0c:01:02:03:04,01:00:0c:01:02:03:04,%d,%d,7,0,0,,%d,\n"
    path.write_text("address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n"
                    + row % (3600, began + 3600, 0))
    box.begin(f"feed kea {{ file {path}  format kea4 }}\n")
    wait_for(lambda: "198.51.100.7" in box.held(), "the lease", LONG)
    wait_for(lambda: box.events("caught-up"), "the end of the file", LONG)
    before = time.time()
    with open(path, "a", encoding="utf-8") as file:
        file.write(row % (0, began, 0))
    wait_for(lambda: "198.51.100.7" not in box.held(), "the release", LONG)
    (lease,) = box.leases()
    ended = datetime.datetime.fromisoformat(lease["end"]).timestamp()
    assert before - 1 <= ended <= time.time() + 1


def test_wrong_records_are_passed_over_and_told(box, detail):
    detail.add(2)
    with open(detail.path, "ab") as file:
        file.write(b"\0\xff garbage \n\tUser-Name = \"broken\n\n\n" + b"x" * 70000 + b"\n\n")
    detail.add(2)
    box.begin(detail.policy)
    detail.all_there()
    assert int(box.counts("detail")["wrong"]) >= 1
    assert box.events("record-wrong")


# --- the command ---

def test_lease_follow_in_the_foreground(box, detail):
    """Without a keeper, each batch is written by the command itself; with one, by the keeper."""
    box.porteiro.run("subscriber", "add", "1")
    detail.add(3)
    box.lease = box.porteiro.start("lease", "follow", detail.path)
    detail.all_there()
    box.porteiro.run("subscriber", "add", "2")          # others may write meanwhile
    detail.add(3)
    detail.all_there()
    box.lease.send_signal(signal.SIGINT)
    assert box.lease.wait(LONG) == 0
    detail.add(1)
    box.start_keeper()
    box.lease = box.porteiro.start("lease", "follow", detail.path)
    detail.all_there()
    assert box.events("following")[-1]["from"] == "where-it-stood"


@pytest.mark.parametrize("name", ["freeradius-3.2.1.detail", "isc-dhcpd-4.4.3.leases", "kea-2.2.0-leases4.csv"])
def test_a_file_followed_says_what_the_same_file_imported_says(box, name):
    """And who follows a file that was imported finds nothing new in it: but that what is open at its end is open still."""
    def leases():
        ends = lambda l: (l["end"] or "", l["why_ended"] or "") if l["why_ended"] != "no stop seen" else ("", "")  # noqa: E731
        return sorted((l["prefix"], l["line"], l["start"], *ends(l)) for l in box.leases())

    followed, imported = box.folder / "followed", box.folder / "imported"
    box.porteiro.state = imported
    box.porteiro.run("lease", "import", lease_file(name), timeout=300)
    want = leases()
    for box.porteiro.state in (followed, imported):
        box.lease = box.porteiro.start("lease", "follow", lease_file(name))
        wait_for(lambda: box.events("caught-up"), "all of it", 3 * LONG)
        wait_for(lambda: leases() == want, "silence and expiry to be judged", LONG)
        read = box.counts(name)
        assert int(read["bytes"]) == lease_file(name).stat().st_size and leases() == want


def test_lease_follow_listens(box):
    words = "--radius", "192.0.2.254:1813", "--nas", "192.0.2.0/28", "--secret-file", box.folder / "secret"
    box.lease = box.porteiro.start("lease", "follow", *words)
    wait_for(lambda: box.events("listening"), "the listener", LONG)
    assert box.nas().ask(START, "alice", "a1", "198.51.100.7")
    assert box.held() == {"198.51.100.7": "alice"}
    second = box.porteiro.run("lease", "follow", *words, status=3)
    assert "192.0.2.254: Address already in use" in second.stderr


@pytest.mark.parametrize("words, says", [
    ((), "a FILE, or --radius"),
    (("x", "--radius", "192.0.2.1:1"), "a FILE, or --radius"),
    (("--radius", "192.0.2.1:1813"), "--radius needs --nas and --secret-file"),
    (("--radius", "192.0.2.1", "--nas", "192.0.2.1", "--secret-file", "s"), "--radius: 192.0.2.1: ADDRESS:PORT"),
    (("--radius", "192.0.2.1:1", "--nas", "192.0.2.1/24", "--secret-file", "s"), "--nas: 192.0.2.1/24"),
    (("x", "--format", "dhcpd"), "there is no such format"),
    (("x", "--line", "cable"), "--line: cable: auto, user"),
])
def test_lease_follow_says_what_is_wrong(box, words, says):
    assert says in box.porteiro.run("lease", "follow", *words, status=2).stderr


def test_lease_follow_wants_a_format_where_the_file_does_not_say(box):
    path = pathlib.Path(box.folder) / "unknown"
    path.write_text("what is this\n")
    assert "--format FORMAT" in box.porteiro.run("lease", "follow", path, status=1).stderr
