# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge: from facts to quarantines, with the ledger's keeper and the judge as processes of their own."""
import signal
import time

import pytest

from gate_support import NETWORK
from lab import Capture, knock, wait_for
from lab.core import stop

POLICY = NETWORK + """
class home      { port25 block }
class corporate { port25 open  promise told-first }
pool city  { class home       prefix 198.51.100.0/24, 2001:db8:100::/40 delegated 56 }
pool fixed { class corporate  prefix 192.0.2.0/24 }
never-cut { subscriber hospital }
suspicion { half-life 24h  trap 5  divert 1  complaint 10  syn 0.01 }
"""
RULE = "quarantine { after 20 points  level mail  for 24h  grace 2h }\n"
pytestmark = pytest.mark.needs("nft", "fib", "reject")


class Court:
    """porteiro with keeper and judge."""

    def __init__(self, lab, porteiro):
        self.porteiro = porteiro.at(lab.router)
        self.run, self.json = self.porteiro.run, self.porteiro.json
        self.judge, self.witnesses = None, 0

    def load(self, text):
        self.porteiro.policy(text)
        self.run("apply")

    def open(self, text=POLICY + RULE):
        self.load(text)
        self.porteiro.start("duty", "keeper")
        wait_for((self.porteiro.state / "keeper.sock").exists, "the keeper")
        self.sit()
        return self

    def sit(self):
        self.judge = self.porteiro.start("duty", "judge")
        wait_for(lambda: "event=started" in self.judge.log.read_text(), "the judge")

    def subscriber(self, who, *addresses, **options):
        words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        for address in addresses:
            words += ["--address", address]
        self.run("subscriber", "add", who, *words)

    def seen(self, address, source="trap", count=1, **options):
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self.run("sightings", "add", address, "--source", source, "--count", count, *words)

    def quarantines(self, who):
        return [row for row in self.json("quarantine", "list", "--all")["quarantines"] if row["subscriber"] == who]

    def verdict(self, who, count=1):
        """The newest, once there are so many."""
        return wait_for(lambda: len(self.quarantines(who)) >= count and self.quarantines(who), f"a verdict on {who}")[0]

    def score(self, who):
        return next((row["score"] for row in self.json("suspects")["suspects"] if row["subscriber"] == who), 0)

    def settled(self):
        """Everything told so far was judged: a witness, told last, is suspected."""
        self.witnesses += 1
        who, address = f"witness{self.witnesses}", f"198.51.100.{200 + self.witnesses}"
        self.subscriber(who, address)
        self.seen(address)
        wait_for(lambda: self.score(who), "the witness")


@pytest.fixture
def court(lab, porteiro):
    return Court(lab, porteiro)


def ago(text):
    """A time so long ago, as the command line takes it."""
    number, unit = text.split()
    seconds = float(number) * {"h": 3600, "m": 60}[unit[0]]
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - seconds))


def test_facts_become_a_quarantine(court):
    court.open().subscriber("10442", "198.51.100.66", "2001:db8:100:6600::/56", name="Infected")
    court.seen("198.51.100.66", count=2)
    court.seen("2001:db8:100:66ab::1")
    court.settled()
    assert court.score("10442") == pytest.approx(15, abs=0.1) and not court.quarantines("10442")
    court.seen("198.51.100.66", source="kernel", count=412)
    court.seen("198.51.100.66")
    row = court.verdict("10442")
    assert row["by_rule"] and not row["proposed"] and row["level"] == "mail"
    assert "4 conversations in the trap, 412 attempts since 20" in row["evidence"]
    assert row["reason"].startswith("suspicion 24.1 reached 20 points")
    audit = court.json("audit", "--key", "10442")["audit"]
    decided = next(each for each in audit if each["decision"] == "quarantine add")
    assert decided["after"]["by_rule"] and decided["why"] == row["reason"]
    court.seen("198.51.100.66", count=50)
    court.settled()
    assert len(court.quarantines("10442")) == 1


def test_it_is_quick(court):
    court.open().subscriber("10442", "198.51.100.66")
    began = time.monotonic()
    court.seen("198.51.100.66", count=4)
    wait_for(lambda: "event=quarantined" in court.judge.log.read_text(), "the verdict")
    assert time.monotonic() - began < 2


def test_attempts_alone_never_quarantine(court):
    court.open().subscriber("10442", "198.51.100.66")
    court.seen("198.51.100.66", source="kernel", count=2000000000)
    court.settled()
    assert court.score("10442") == pytest.approx(10, abs=0.1) and not court.quarantines("10442")
    court.seen("198.51.100.66", count=2)
    assert court.verdict("10442")["level"] == "mail"


@pytest.mark.parametrize("hindrance, reason", [
    ("never-cut", "no rule cuts this subscriber"),
    ("policy", "no rule cuts this subscriber"),
    ("exempt", "this subscriber is exempt"),
    ("exempt-prefix", "this subscriber is exempt"),
    ("promise", "the class was promised to be told first"),
    ("own-class", "the class was promised to be told first"),
])
def test_who_is_protected_is_only_proposed_and_once(court, hindrance, reason):
    who = "hospital" if hindrance == "policy" else "10442"
    address = "192.0.2.10" if hindrance == "promise" else "198.51.100.66"
    named = {"never-cut": {"never_cut": "yes"}, "own-class": {"class": "corporate"}}.get(hindrance, {})
    court.open().subscriber(who, address, **named)
    if hindrance.startswith("exempt"):
        court.run("exemption", "add", who if hindrance == "exempt" else "198.51.100.64/29", "--until", "2099-12-31",
                  "--owner", "noc@example.net", "--reason", "no TLS")
    court.seen(address, count=4)
    row = court.verdict(who)
    assert row["proposed"] and row["by_rule"] and reason in row["reason"]
    court.seen(address, count=4)
    court.settled()
    assert len(court.quarantines(who)) == 1


def test_told_removes_the_hindrance(court):
    court.open().subscriber("10442", "192.0.2.10")
    court.seen("192.0.2.10", count=4)
    assert court.verdict("10442")["proposed"]
    court.run("subscriber", "told", "10442", "--by", "letter")
    assert not court.verdict("10442", 2)["proposed"]


def test_after_a_release_there_is_grace_and_a_clean_slate(court):
    court.open(POLICY + RULE.replace("grace 2h", "grace 3s")).subscriber("10442", "198.51.100.66")
    court.seen("198.51.100.66", count=40)
    court.verdict("10442")
    court.run("quarantine", "release", "10442", "--reason", "cleaned")
    released = time.monotonic()
    wait_for(lambda: court.score("10442") == 0, "the clean slate")
    court.seen("198.51.100.66", count=4)
    court.settled()
    if time.monotonic() < released + 2.5:
        assert len(court.quarantines("10442")) == 1
    row = court.verdict("10442", 2)
    assert time.monotonic() >= released + 3
    assert "4 conversations" in row["evidence"] and not row["released"]


def test_the_same_facts_do_not_bring_it_back(court):
    court.open(POLICY + RULE.replace("grace 2h", "grace 1s")).subscriber("10442", "198.51.100.66")
    court.seen("198.51.100.66", count=40)
    court.verdict("10442")
    court.run("quarantine", "release", "10442", "--reason", "false alarm")
    time.sleep(1.2)
    stop(court.judge)
    court.sit()
    court.settled()
    assert len(court.quarantines("10442")) == 1 and court.score("10442") == 0


def test_an_address_of_several_points_at_nobody(court):
    court.open()
    for who, ports in (("a", "1024-2047"), ("b", "2048-3071")):
        court.run("subscriber", "add", who, "--line", f"user:{who}@example.net")
        court.run("lease", "add", "198.51.100.66", "--line", f"user:{who}@example.net", "--ports", ports)
    court.seen("198.51.100.66", count=100)
    court.settled()
    assert not court.quarantines("a") and not court.quarantines("b")
    court.seen("198.51.100.66", count=4, port=2500)
    assert court.verdict("b") and not court.quarantines("a")


def test_a_late_fact_is_his_who_held_the_address_then(court):
    court.open()
    for who, start, end in (("before", "2 hours", "1 hour"), ("after", "1 hour", None)):
        court.run("subscriber", "add", who, "--line", f"user:{who}@example.net")
        ends = ["--until", ago(end)] if end else []
        court.run("lease", "add", "198.51.100.66", "--line", f"user:{who}@example.net", "--from", ago(start), *ends)
    court.seen("198.51.100.66", source="complaint", count=3, at=ago("90 minutes"))
    assert court.verdict("before") and not court.quarantines("after")


def test_a_late_lease_tells_whose_the_facts_were(court):
    court.open().run("subscriber", "add", "late", "--line", "user:late@example.net")
    court.seen("198.51.100.66", count=4)
    court.settled()
    assert not court.quarantines("late")
    court.run("lease", "add", "198.51.100.66", "--line", "user:late@example.net", "--from", ago("1 hour"))
    assert court.verdict("late")


def test_a_killed_judge_comes_back_to_the_same_state(court):
    court.open().subscriber("10442", "198.51.100.66")
    court.subscriber("10443", "198.51.100.67")
    court.seen("198.51.100.66", count=4)
    court.verdict("10442")
    court.judge.send_signal(signal.SIGKILL)
    court.judge.wait()
    court.seen("198.51.100.67", count=4)
    court.sit()
    assert court.verdict("10443")
    court.settled()
    assert len(court.quarantines("10442")) == 1


def test_a_killed_keeper_is_awaited(court):
    court.open().subscriber("10442", "198.51.100.66")
    keeper = court.porteiro._started[0]
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()
    court.porteiro.start("duty", "keeper")
    court.seen("198.51.100.66", count=4)
    assert court.verdict("10442")


def test_no_rule_without_a_quarantine_block(court):
    court.open(POLICY).subscriber("10442", "198.51.100.66")
    court.seen("198.51.100.66", count=400)
    court.settled()
    assert court.score("10442") > 100 and not court.quarantines("10442")
    court.load(POLICY + RULE)
    assert court.verdict("10442")["by_rule"]


def test_a_stricter_level_is_added_to_a_milder_quarantine(court):
    court.open(POLICY + RULE.replace("level mail", "level submission")).subscriber("10442", "198.51.100.66")
    court.run("quarantine", "add", "10442", "--level", "mail", "--reason", "by hand", "--for", "7d")
    court.seen("198.51.100.66", count=4)
    assert court.verdict("10442", 2)["level"] == "submission"


def test_a_storm_of_facts_is_judged_once_each(court):
    court.open()
    rows = ["id,name,class,port25,language,email,phone,post,never_cut,lines,addresses"]
    rows += [f"s{n},,,,,,,,no,user:s{n}@example.net,2001:db8:100:{n:x}00::/56" for n in range(200)]
    csv = court.porteiro.folder / "many.csv"
    csv.write_text("\n".join(rows) + "\n")
    court.run("subscriber", "import", csv)
    for n in range(0, 200, 10):
        court.seen(f"2001:db8:100:{n:x}01::25", count=4)
    wait_for(lambda: len(court.json("quarantine", "list")["quarantines"]) == 20, "20 quarantines", timeout=20)
    court.settled()
    assert len(court.json("quarantine", "list", "--all")["quarantines"]) == 20


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_from_the_fact_to_the_closed_door(court, lab, family):
    """All duties together: whoever talked to the trap is shut out, on every address he holds, and his neighbour is not."""
    court.porteiro.policy(POLICY.replace("port25 block", "port25 observe") + RULE)
    court.run("apply")
    court.porteiro.start("run")
    wait_for((court.porteiro.state / "keeper.sock").exists, "the keeper")
    court.subscriber("10442", lab.infected.v4, str(lab.infected.delegated))
    nobody = lab.nobody.on(family)
    assert knock(lab.infected, nobody).kind == "reset"          # the host outside says so itself
    with Capture(lab.outside) as seen:
        court.seen(lab.infected.on("v6" if family == "v4" else "v4"), count=4)
        court.verdict("10442")
        time.sleep(0.5)
        assert knock(lab.home1, nobody).kind == "reset" and knock(lab.infected, nobody).kind == "reset"
        assert seen.count(lambda packet: lab.home1.on(family) in packet.sprintf("%IP.src%%IPv6.src%")) > 0
        assert seen.count(lambda packet: lab.infected.on(family) in packet.sprintf("%IP.src%%IPv6.src%")) == 0
