# SPDX-License-Identifier: GPL-3.0-or-later
"""The duty that sees: who tried port 25, counted to the last packet; and impact, whom a coming wave touches."""
import signal
import time

import pytest

from gate_support import NETWORK, SERVERS, customers
from lab import knock, wait_for
from lab.core import stop

pytestmark = pytest.mark.needs("nft", "nflog", "fib", "reject")
FAMILIES = pytest.mark.parametrize("family", ["v4", "v6"])
BLOCKED = NETWORK + SERVERS + customers(home1="block", home2="observe", infected="block", business="open")


WAVES = """
wave second  {{ from {soon}  class home1, home2  port25 block }}
wave later   {{ from {late}  pool home2  port25 shift }}
"""


def in_days(days):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + days * 86400))


def wave_policy():
    return (NETWORK + customers(home1="observe", home2="observe", business="observe") +
            WAVES.format(soon=in_days(30), late=in_days(60)))


class Watch:
    """The gate's rules in the kernel, and keeper and sight as processes."""

    def __init__(self, lab, porteiro):
        self.porteiro = porteiro.at(lab.router)
        self.run = self.porteiro.run

    def load(self, text):
        self.porteiro.policy(text)
        self.run("apply")

    def open(self, text=BLOCKED):
        self.load(text)
        self.keeper = self.porteiro.start("duty", "keeper")
        wait_for((self.porteiro.state / "keeper.sock").exists, "the keeper")
        self.sit()
        return self

    def sit(self):
        self.sight = self.porteiro.start("duty", "sight")
        wait_for(lambda: "event=started" in self.sight.log.read_text(), "sight")

    def rows(self, *words):
        return self.porteiro.json("sightings", *words)["sightings"]

    def sums(self):
        """(address, strategy) -> attempts, of all that is in the ledger."""
        sums = {}
        for row in self.rows("--most", "1000000"):
            key = (row["address"], row["strategy"])
            sums[key] = sums.get(key, 0) + row["count"]
        return sums

    def told(self, attempts):
        """The sums, once so many attempts are in the ledger."""
        wait_for(lambda: sum(self.sums().values()) >= attempts, f"{attempts} attempts in the ledger", timeout=10)
        return self.sums()

    def lost(self):
        return self.porteiro.json("sightings", "--most", "1")["lost"]

    def counted(self):
        """What the kernel counted, of all rules that log."""
        return sum(row["attempts"] for row in self.porteiro.json("counters")["counters"]
                   if row["strategy"] != "open")

    def memory(self):
        """The most that sight ever held, in MB."""
        pid = self.sight.pid
        status = open(f"/proc/{pid}/status", encoding="ascii").read()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def impact(self, wave="second"):
        """Of a wave that is only in a file."""
        coming = self.porteiro.folder / "coming.conf"
        coming.write_text(wave_policy(), encoding="utf-8")
        return self.porteiro.json("impact", wave, "-c", str(coming))


@pytest.fixture
def watch(lab, porteiro):
    return Watch(lab, porteiro)


def test_who_tried_by_strategy(watch, lab):
    watch.open()
    for name, address in (("a", lab.home1.v4), ("b", str(lab.home2.delegated))):
        watch.run("subscriber", "add", name, "--address", address)
    for family in ("v4", "v6"):
        for _ in range(2):
            knock(lab.home1, lab.mx_org.on(family))
        knock(lab.home1, lab.mx_com.on(family))
        knock(lab.home2, lab.mx_org.on(family))
        knock(lab.business, lab.mx_org.on(family))          # open: counted by the kernel, and nobody's business
    began = time.monotonic()
    assert watch.told(8) == {(lab.home1.v4, "block"): 3, (lab.home1.v6, "block"): 3,
                             (lab.home2.v4, "observe"): 1, (lab.home2.v6, "observe"): 1}
    assert time.monotonic() - began < 4
    row = next(row for row in watch.rows("a") if row["address"] == lab.home1.v4)
    assert (row["source"], row["holders"], row["hosts"], row["detail"]) == ("kernel", 1, 2, "")
    assert row["seconds"] < 60
    assert [row["address"] for row in watch.rows("b")] == [lab.home2.v6]
    assert all(row["subscriber"] is None for row in watch.rows() if row["address"] in (lab.home1.v6, lab.home2.v4))
    assert watch.lost() == 0


@FAMILIES
def test_a_forged_source_does_not_count(watch, lab, family):
    from lab.packets import send, syn
    watch.open()
    send(lab.infected, syn(lab.home1.on(family), lab.mx_org.on(family)))
    send(lab.infected, syn(lab.infected.on(family), lab.mx_org.on(family)))
    assert watch.told(1) == {(lab.infected.on(family), "block"): 1}
    stop(watch.sight)
    assert list(watch.sums()) == [(lab.infected.on(family), "block")]


def test_a_tunnel_is_its_outer_source(watch, lab):
    from lab.packets import send, sixinfour, syn
    watch.open(BLOCKED + "tunnels { 6in4 block  teredo block }\n")
    send(lab.home1, sixinfour(lab.home1.v4, lab.mx_org.v4, syn(lab.home1.v6, lab.mx_org.v6)))
    assert watch.told(1) == {(lab.home1.v4, "block"): 1}
    assert watch.rows()[0]["detail"] == "tunnel"


def test_many_addresses_of_one_machine_are_one_row(watch, lab):
    from lab.packets import flood, syn
    watch.open()
    watch.run("subscriber", "add", "many", "--address", str(lab.infected.delegated))
    base = str(lab.infected.delegated[0])
    sent = flood(lab.infected, [syn(f"{base}{n:x}", lab.nobody.v6) for n in range(1, 501)], 0.5)
    stop(watch.sight)
    sums = watch.sums()
    assert sum(sums.values()) == watch.counted() == sent
    assert len(sums) <= 2 * 65                          # a minute may end meanwhile
    assert sums[f"{base}/64", "block"] > sent / 2
    assert {row["subscriber"] for row in watch.rows()} == {"many"}


def test_a_flood_is_counted_to_the_last_packet(watch, lab):
    from lab.packets import flood, syn
    watch.open()
    packets = [syn(lab.infected.v4, f"203.0.113.{192 + n % 64}") for n in range(512)]
    flood(lab.infected, packets, 1)
    before = watch.memory()
    sent = flood(lab.infected, packets, 4)
    assert watch.memory() < before + 4 and watch.memory() < 64
    stop(watch.sight)
    assert sum(watch.sums().values()) + watch.lost() == watch.counted() > sent
    hosts = max(row["hosts"] for row in watch.rows())
    assert 45 < hosts < 85


def test_what_the_kernel_could_not_hand_over_is_counted(watch, lab):
    from lab.packets import flood, syn
    watch.open()
    watch.sight.send_signal(signal.SIGSTOP)
    deadline = time.monotonic() + 30
    while watch.counted() < 250000 and time.monotonic() < deadline:
        flood(lab.infected, [syn(lab.infected.v4, lab.nobody.v4)] * 1024, 1)
    watch.sight.send_signal(signal.SIGCONT)
    time.sleep(1)
    knock(lab.home1, lab.mx_org.v4)                     # the next number shows the gap
    watch.told(1)
    stop(watch.sight)
    assert sum(watch.sums().values()) + watch.lost() == watch.counted()
    assert watch.lost() > 0 and watch.sums()[lab.home1.v4, "block"] == 1
    assert f"events lost by the kernel: {watch.lost()}" in watch.run("sightings").stdout


def test_a_keeper_that_is_away_is_awaited(watch, lab):
    watch.open()
    watch.keeper.send_signal(signal.SIGKILL)
    watch.keeper.wait()
    for _ in range(5):
        knock(lab.home1, lab.mx_org.v4)
    wait_for(lambda: "event=keeper-away" in watch.sight.log.read_text(), "sight to see that the keeper is away")
    knock(lab.home1, lab.mx_org.v6)
    watch.porteiro.start("duty", "keeper")
    assert watch.told(6) == {(lab.home1.v4, "block"): 5, (lab.home1.v6, "block"): 1}
    assert watch.lost() == 0


def test_sketches_merge_over_a_restart(watch, lab):
    watch.open()
    watch.run("subscriber", "add", "a", "--address", lab.home1.v4)
    for _ in range(2):
        for place in (lab.mx_org, lab.mx_com, lab.nobody):
            knock(lab.home1, place.v4)
        stop(watch.sight)
        watch.sit()
    assert sum(watch.sums().values()) == 6
    (row,) = watch.impact()["subscribers"]
    assert row["attempts"] == 6
    assert row["hosts"] in (2, 3)       # of 256 registers, two of three hosts may share one; under two keys it would be six


def test_a_group_that_is_taken_is_said(watch):
    watch.open()
    second = watch.porteiro.start("duty", "sight")
    assert second.wait(10) == 3
    assert "porteiro: sight: NFLOG: another program has this NFLOG group" in second.log.read_text()


# --- impact

def known(watch):
    """Four with sightings: one told, one exempt, one with an own strategy, one outside the wave."""
    for who, address, *options in (("told", "198.51.100.10", "--name", "Ana", "--email", "ana@example.net"),
                                   ("exempt", "2001:db8:100:1000::/56"),
                                   ("own", "198.51.100.11", "--port25", "open"), ("outside", "192.0.2.10")):
        watch.run("subscriber", "add", who, "--address", address, *options)
    watch.run("subscriber", "told", "told", "--by", "letter")
    watch.run("exemption", "add", "exempt", "--until", "2099-12-31", "--owner", "noc@example.net", "--reason", "no TLS")


def add_sighting(watch, address, count, source="kernel"):
    watch.run("sightings", "add", address, "--source", source, "--count", count)


def test_impact_names_the_people_to_tell_first(watch):
    watch.load(wave_policy())
    known(watch)
    for address, count in (("198.51.100.10", 7), ("198.51.100.10", 5), ("2001:db8:100:1001::1", 90),
                           ("198.51.100.11", 80), ("192.0.2.10", 70), ("2001:db8:100:1100::9", 3),
                           ("2001:db8:100:1100::9", 1), ("203.0.113.77", 60)):
        add_sighting(watch, address, count)
    add_sighting(watch, "198.51.100.10", 2, "divert")
    add_sighting(watch, "198.51.100.10", 1, "complaint")
    report = watch.porteiro.json("impact", "second")
    assert (report["version"], report["wave"], report["port25"], report["days"]) == (1, "second", "block", 30)
    assert [(row["subscriber"], row["attempts"], row["spared"]) for row in report["subscribers"]] == [
        ("told", 12, None), ("exempt", 90, "exempt"), ("own", 80, "own strategy")]
    ana = report["subscribers"][0]
    assert (ana["name"], ana["email"], ana["class"], ana["conversations"], ana["days_active"]) == \
        ("Ana", "ana@example.net", "home1", 2, 1)
    assert ana["told"] and not report["subscribers"][1]["told"]
    assert [(row["address"], row["attempts"], row["holders"]) for row in report["addresses"]] == [
        ("2001:db8:100:1100::9", 4, 0)]
    assert report["total"] == {"subscribers": 3, "addresses": 1, "attempts": 186, "spared": 2, "lost": 0}
    text = watch.run("impact", "second").stdout
    assert "wave second: block from" in text and "ana@example.net" in text
    assert "3 subscribers and 1 unknown address, 186 attempts; 2 of them the wave does not touch" in text


def test_impact_of_a_wave_that_is_only_in_the_file(watch):
    watch.load(NETWORK + customers(home1="observe", home2="observe", business="observe"))
    watch.run("subscriber", "add", "a", "--address", "198.51.100.11")
    add_sighting(watch, "198.51.100.11", 3)
    assert watch.run("impact", "later", status=1).stderr == "porteiro: impact: later: no such wave\n"
    assert watch.impact("later")["total"]["attempts"] == 3
    watch.porteiro.policy(wave_policy())                # the file of -c, not yet applied
    assert watch.porteiro.json("impact", "later")["total"]["attempts"] == 3


def test_impact_looks_at_thirty_days(watch):
    watch.load(wave_policy())
    watch.run("subscriber", "add", "a", "--line", "user:a@example.net")
    watch.run("lease", "add", "198.51.100.10", "--line", "user:a@example.net", "--from", "2026-01-01")
    for days in (0, 1, 1.1, 29, 31):
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
        watch.run("sightings", "add", "198.51.100.10", "--source", "kernel", "--at", at)
    (row,) = watch.porteiro.json("impact", "second")["subscribers"]
    assert row["attempts"] == 4 and row["days_active"] in (3, 4)


def test_impact_of_nobody(watch):
    watch.load(wave_policy())
    assert "0 subscribers and 0 unknown addresses, 0 attempts" in watch.run("impact", "second").stdout
    watch.run("impact", "none", status=1)
    watch.run("impact", status=2)
